//! Who asks: the bearer token decides tenant, connection and scope. Everything that is not right is answered alike.

use std::sync::Arc;

use domain::connection::{Principal, TokenScope};
use engine::endpoint::{self, Caller};
use engine::schemas::ResourceTypes;
use engine::token_cache::Known;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use scim::ScimError;
use store::Reading;

use crate::Server;

/// The principal of a request. No token, a wrong, expired or revoked one and one of another tenant look the same from outside.
pub(crate) async fn principal(
    server: &Server,
    reading: &mut Reading,
    headers: &HeaderMap,
    tenant: Option<&str>,
) -> Result<Arc<Known>, ScimError> {
    let refused = || ScimError::new(401, None, "a valid bearer token is needed (Authorization: Bearer …)");
    let presented = bearer(headers).ok_or_else(refused)?;
    let found = server
        .tokens
        .authenticate(&server.engine, reading, presented)
        .await
        .map_err(|_| ScimError::new(503, None, "the directory's database does not answer; try again"))?;
    let (known, name) = found.ok_or_else(refused)?;
    match tenant {
        Some(asked) if !name.eq_ignore_ascii_case(asked) => Err(refused()),
        _ => Ok(known),
    }
}

/// The one bearer token of a request: exactly one header, the scheme in any case.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// What users and groups of the principal's tenant may contain.
pub(crate) async fn types(server: &Server, principal: &Principal) -> Result<Arc<ResourceTypes>, ScimError> {
    let found = server.engine.types_at(&principal.tenant, principal.schemas_version).await;
    found.map_err(|error| endpoint::scim_error(&error))
}

/// The principal as the endpoint sees it.
pub(crate) fn caller(known: &Known, base: &str, types: &Arc<ResourceTypes>) -> Result<Caller, ScimError> {
    let principal = &known.principal;
    if principal.scope == TokenScope::Signin {
        return Err(ScimError::new(403, None, "this token is for sign-in only (scope signin), not for SCIM"));
    }
    let connection = principal.connection.as_ref();
    let name = connection.map_or(principal.token_name.as_str(), |connection| connection.name.as_str());
    Ok(Caller {
        tenant: principal.tenant.clone(),
        connection: connection.map(|connection| connection.id.to_string()).unwrap_or_default(),
        source: connection.map_or_else(|| format!("token:{name}"), |connection| connection.source()),
        actor: connection.map_or_else(|| format!("token:{name}"), |connection| connection.source()),
        settings: known.settings.clone(),
        read_only: principal.scope == TokenScope::ScimRead,
        me: principal.user.clone(),
        base: base.into(),
        types: types.clone(),
    })
}

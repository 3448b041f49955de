//! Tokens: making, listing, rotating and revoking them, and checking one that was presented.

use std::sync::Arc;

use domain::connection::{Principal, TokenScope};
use domain::ids::{TenantId, TokenId};
use domain::token::{NewToken, Presented};
use serde_json::json;
use store::repo::token::{self, Token};
use store::{StoreError, Tx};
use zeroize::Zeroizing;

use crate::audit_log::{Changed, record};
use crate::connections;
use crate::context::{Context, Engine};
use crate::directory::users;
use crate::error::EngineError;

/// A token's use is noted at most once in this time.
const USE_NOTED_EVERY_MS: i64 = 60_000;

/// What a new token is for.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// A name for people; none: that of the connection, else `token`.
    pub name: Option<String>,
    /// What it may do.
    pub scope: TokenScope,
    /// The connection's name or id; none: the tenant itself.
    pub connection: Option<String>,
    /// The user that `/Me` is, by id, externalId or userName.
    pub user: Option<String>,
    /// Not valid from then on; none: until it is revoked.
    pub expires_ms: Option<i64>,
}

/// A token that was just made. Its text can never be read again.
#[derive(Clone, Debug)]
pub struct Minted {
    /// What is stored.
    pub token: Token,
    /// What is presented.
    pub text: Secret,
}

/// A text that is wiped when it goes and never printed by accident.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Makes a token.
pub async fn create(
    engine: &Engine,
    tenant: &TenantId,
    request: TokenRequest,
) -> Result<Minted, EngineError> {
    let new = mint(engine);
    let text = Secret(Zeroizing::new(new.text.clone()));
    let token = engine
        .write(tenant, move |tx, context| {
            let token = build(tx, context, &request, new.id.clone())?;
            token::insert(tx, &token, &new.digest)?;
            save_record(tx, context, "token.create", None, Some(&token))?;
            Ok(token)
        })
        .await?;
    Ok(Minted { token, text })
}

/// Makes the successor of a token; the old one stays valid for `overlap_ms`, or until it expires if that is earlier. The
/// new one expires at `expires_ms`, else after as long a life as the old one was given.
pub async fn rotate(
    engine: &Engine,
    tenant: &TenantId,
    reference: &str,
    overlap_ms: i64,
    expires_ms: Option<i64>,
) -> Result<Minted, EngineError> {
    let new = mint(engine);
    let text = Secret(Zeroizing::new(new.text.clone()));
    let reference = reference.to_owned();
    let token = engine
        .write(tenant, move |tx, context| {
            let old = find_in(tx, context, &reference)?;
            let life = old.expires_ms.map(|end| end.saturating_sub(old.created_ms));
            let token = Token {
                id: new.id.clone(),
                created_ms: context.now_ms,
                expires_ms: expires_ms.or(life.map(|life| context.now_ms.saturating_add(life))),
                last_used_ms: None,
                ..old.clone()
            };
            check_expiry(token.expires_ms, context.now_ms)?;
            token::insert(tx, &token, &new.digest)?;
            let end = context.now_ms.saturating_add(overlap_ms);
            if token::expire(tx, &context.tenant, &old.id, end)? {
                let ending = Token { expires_ms: Some(end), ..old.clone() };
                save_record(tx, context, "token.rotate", Some(&old), Some(&ending))?;
            }
            save_record(tx, context, "token.create", None, Some(&token))?;
            Ok(token)
        })
        .await?;
    Ok(Minted { token, text })
}

/// All tokens of a tenant, oldest first, revoked and expired ones too.
pub async fn list(engine: &Engine, tenant: &TenantId) -> Result<Vec<Token>, EngineError> {
    let tenant = tenant.clone();
    engine.read(move |tx| Ok(token::list(tx, &tenant)?)).await
}

/// Revokes the token that `reference` (its id, its name or its text) names.
pub async fn revoke(engine: &Engine, tenant: &TenantId, reference: &str) -> Result<Token, EngineError> {
    let reference = reference.to_owned();
    engine
        .write(tenant, move |tx, context| {
            let found = find_in(tx, context, &reference)?;
            token::revoke(tx, &context.tenant, &found.id, context.now_ms)?;
            save_record(tx, context, "token.revoke", Some(&found), None)?;
            Ok(found)
        })
        .await
}

/// Whom a presented token stands for; none if it is not valid, whatever the reason.
pub async fn authenticate(engine: &Engine, presented: &str) -> Result<Option<Principal>, EngineError> {
    let Some(presented) = Presented::parse(presented) else { return Ok(None) };
    let now_ms = engine.env.now_ms();
    engine.read(move |tx| Ok(authenticate_in(tx, &presented, now_ms)?)).await
}

/// [`authenticate`] inside a transaction: one read by the token's id. An unknown id takes the same work as a wrong secret.
pub fn authenticate_in(
    tx: &mut Tx<'_>,
    presented: &Presented,
    now_ms: i64,
) -> Result<Option<Principal>, StoreError> {
    let Some(found) = token::find(tx, presented)? else { return Ok(None) };
    let token = found.token;
    let expired = token.expires_ms.is_some_and(|end| end <= now_ms);
    // A token of a connection that was removed is not one of the whole tenant.
    let orphan = token.connection.is_some() && found.connection.is_none();
    if token.revoked_ms.is_some() || expired || orphan {
        return Ok(None);
    }
    Ok(Some(Principal {
        tenant: token.tenant,
        token: token.id,
        token_name: token.name,
        scope: token.scope,
        connection: found.connection.map(Arc::new),
        user: token.user,
        schemas_version: found.schemas_version,
    }))
}

/// Notes that these tokens were used, at most once a minute each. Not for the path of a request: it writes.
pub async fn touch(engine: &Engine, ids: &[TokenId]) -> Result<(), EngineError> {
    if ids.is_empty() {
        return Ok(());
    }
    let (ids, now_ms) = (ids.to_vec(), engine.env.now_ms());
    engine.store.write(move |tx| Ok(token::used(tx, &ids, now_ms, USE_NOTED_EVERY_MS).map(drop)?)).await
}

fn mint(engine: &Engine) -> NewToken {
    let draw = || engine.env.random_bits();
    NewToken::mint([draw(), draw()], [draw(), draw(), draw(), draw()])
}

fn build(
    tx: &mut Tx<'_>,
    context: &Context,
    request: &TokenRequest,
    id: TokenId,
) -> Result<Token, EngineError> {
    let connection = match &request.connection {
        Some(name) => Some(connections::find_in(tx, &context.tenant, name)?),
        None => None,
    };
    let user = match &request.user {
        Some(_) if request.scope == TokenScope::Signin => {
            return Err(EngineError::Invalid(
                "a signin token stands for no user; leave out the user, or give it the scope scim".into(),
            ));
        }
        Some(reference) => Some(users::find(tx, &context.tenant, reference)?.id),
        None => None,
    };
    let name = request.name.clone().or_else(|| connection.as_ref().map(|found| found.name.clone()));
    let name = name.unwrap_or_else(|| "token".into()).trim().to_owned();
    if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
        return Err(EngineError::Invalid("a token's name has 1 to 100 printable characters".into()));
    }
    check_expiry(request.expires_ms, context.now_ms)?;
    Ok(Token {
        id,
        tenant: context.tenant.clone(),
        name,
        scope: request.scope,
        connection: connection.map(|found| found.id),
        user,
        created_ms: context.now_ms,
        expires_ms: request.expires_ms,
        last_used_ms: None,
        revoked_ms: None,
    })
}

fn check_expiry(expires_ms: Option<i64>, now_ms: i64) -> Result<(), EngineError> {
    match expires_ms {
        Some(end) if end <= now_ms => {
            Err(EngineError::Invalid("the token would have expired already; give a later time".into()))
        }
        _ => Ok(()),
    }
}

/// The token that a person means: one that still works, by its id, its name or its text.
fn find_in(tx: &mut Tx<'_>, context: &Context, reference: &str) -> Result<Token, EngineError> {
    let id = Presented::parse(reference).map_or_else(|| reference.to_owned(), |token| token.id.to_string());
    let works =
        |token: &Token| token.revoked_ms.is_none() && token.expires_ms.is_none_or(|end| end > context.now_ms);
    let all = token::list(tx, &context.tenant)?;
    let mut found: Vec<Token> = all.iter().filter(|token| token.id.as_str() == id).cloned().collect();
    if found.is_empty() {
        let folded = scim::fold(reference);
        found = all.into_iter().filter(|token| scim::fold(&token.name) == folded && works(token)).collect();
    }
    match (found.len(), found.pop()) {
        (1, Some(token)) if works(&token) => Ok(token),
        (1, Some(token)) => Err(EngineError::Invalid(format!(
            "the token {} is revoked or expired already; see lockstep token list --all",
            token.id
        ))),
        (0, _) | (_, None) => Err(EngineError::NotFound {
            kind: "token",
            name: id,
            next: "name it by its id or name; lockstep token list shows both".into(),
        }),
        (many, Some(last)) => Err(EngineError::Invalid(format!(
            "{many} tokens are called '{}'; name one by its id, the newest is {}; see lockstep token list",
            last.name, last.id
        ))),
    }
}

/// Writes the audit entry of a token; its secret is not known here.
pub(crate) fn save_record(
    tx: &mut Tx<'_>,
    context: &mut Context,
    action: &'static str,
    before: Option<&Token>,
    after: Option<&Token>,
) -> Result<(), EngineError> {
    let Some(token) = after.or(before) else { return Ok(()) };
    let describe = |token: &Token| {
        json!({
            "name": token.name,
            "scope": token.scope,
            "connection": token.connection,
            "user": token.user,
            "expires_ms": token.expires_ms,
        })
    };
    let (before, after) = (before.map(describe), after.map(describe));
    record(tx, context, action, Changed { kind: "token", id: token.id.as_str(), before, after })
}

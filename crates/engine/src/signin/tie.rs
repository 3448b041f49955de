//! Which user an issuer's subject stands for: tied by a login, or by an administrator who compared the two.

use domain::ids::{ConnectionId, TenantId, UserId};
use serde::Serialize;
use serde_json::json;
use store::repo::connection;
use store::repo::signin::{self as rows, Login};
use store::{StoreError, Tx};

use crate::audit_log::{Changed, record};
use crate::context::{Context, Engine};
use crate::directory::users;
use crate::error::EngineError;

/// An issuer's subject that a user is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tie {
    /// Whose assertions.
    pub issuer: String,
    /// The identifier in them.
    pub subject: String,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
}

/// Ties a subject to a user by an administrator's decision, whoever it was before. Gives the user's name.
pub async fn link(
    engine: &Engine,
    tenant: &TenantId,
    reference: &str,
    issuer: &str,
    subject: &str,
) -> Result<String, EngineError> {
    let (reference, issuer, subject) = (reference.to_owned(), issuer.to_owned(), subject.to_owned());
    engine
        .write(tenant, move |tx, context| {
            let user = users::find(tx, &context.tenant, &reference)?;
            let found = connection::by_issuer(tx, &context.tenant, &issuer)?.ok_or_else(|| {
                EngineError::NotFound {
                    kind: "connection with the issuer",
                    name: issuer.clone(),
                    next: "declare it with lockstep connection set CONNECTION --issuer ISSUER".into(),
                }
            })?;
            let login = Login { issuer: &issuer, subject: &subject };
            save(tx, context, login, &user.id, &found.id).map_err(|error| match error {
                EngineError::Store(StoreError::Conflict { .. }) => EngineError::Conflict(format!(
                    "'{}' already signs in as another subject of this issuer; lockstep signin unlink {} forgets it",
                    user.user_name, user.user_name
                )),
                other => other,
            })?;
            Ok(user.user_name)
        })
        .await
}

/// Forgets which subjects a user is: the next login is a first one again. Gives how many there were.
pub async fn unlink(engine: &Engine, tenant: &TenantId, reference: &str) -> Result<u64, EngineError> {
    let reference = reference.to_owned();
    engine
        .write(tenant, move |tx, context| {
            let user = users::find(tx, &context.tenant, &reference)?;
            let before = rows::of_user(tx, &context.tenant, &user.id)?;
            for (issuer, subject, _) in &before {
                let state = json!({"issuer": issuer, "subject": subject});
                let of = Changed { kind: "user", id: user.id.as_str(), before: Some(state), after: None };
                record(tx, context, "signin.unlink", of)?;
            }
            Ok(rows::untie(tx, &context.tenant, &user.id)?)
        })
        .await
}

/// The subjects that a user is.
pub async fn ties(engine: &Engine, tenant: &TenantId, user: &UserId) -> Result<Vec<Tie>, EngineError> {
    let (tenant, user) = (tenant.clone(), user.clone());
    engine
        .read(move |tx| {
            let found = rows::of_user(tx, &tenant, &user)?;
            Ok(found
                .into_iter()
                .map(|(issuer, subject, since_ms)| Tie { issuer, subject, since_ms })
                .collect())
        })
        .await
}

/// Ties a subject to a user, with its audit entry.
pub(super) fn save(
    tx: &mut Tx<'_>,
    context: &mut Context,
    login: Login<'_>,
    user: &UserId,
    connection: &ConnectionId,
) -> Result<(), EngineError> {
    rows::tie(tx, &context.tenant, login, user, connection, context.now_ms)?;
    let state = json!({"issuer": login.issuer, "subject": login.subject});
    record(
        tx,
        context,
        "signin.link",
        Changed { kind: "user", id: user.as_str(), before: None, after: Some(state) },
    )
}

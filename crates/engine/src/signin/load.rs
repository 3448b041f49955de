//! What is known about a login: its connection, its subject, who has the declared value, and who only resembles it.

use std::collections::BTreeMap;

use domain::connection::Connection;
use domain::directory::User;
use domain::ids::{ConnectionId, TenantId, UserId};
use domain::signin::{Close, Holder, Known, SigninRequest, Snapshot};
use domain::signin_pair::{SubjectAttribute, subject_attribute};
use serde::Serialize;
use store::Tx;
use store::repo::signin::{self as rows, Login};
use store::repo::{connection, lookup, user};

use crate::connections::live_groups;
use crate::error::EngineError;

/// Users with one value that are looked at, at most.
const FEW: i64 = 20;

/// A user who resembles an assertion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resemblance {
    /// The user's id.
    pub id: String,
    /// The user's name.
    pub user_name: String,
    /// What is the same: `userName`, `emails`, or the declared attribute.
    pub by: String,
    /// Who manages the user.
    pub source: String,
    /// `active`, `inactive` or `deleted`.
    pub state: &'static str,
}

/// Reads what a decision needs. A known subject needs one row and one user.
pub(super) fn snapshot(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    bound: Option<&ConnectionId>,
    request: &SigninRequest,
) -> Result<Snapshot, EngineError> {
    let login = Login { issuer: &request.issuer, subject: &request.subject };
    let mut snapshot = Snapshot {
        connection: connection::by_issuer(tx, tenant, login.issuer)?
            .filter(|found| bound.is_none_or(|bound| *bound == found.id)),
        ..Snapshot::default()
    };
    let Some(connection) = &snapshot.connection else { return Ok(snapshot) };
    if let Some(row) = rows::get(tx, tenant, login)? {
        let user = user::get(tx, tenant, &row.user)?;
        let live = user.as_ref().is_some_and(|user| user.deleted_ms.is_none());
        snapshot.known = Some(Known { user, name: row.name, since_ms: row.since_ms });
        if live {
            return Ok(snapshot);
        }
    }
    snapshot.holders = holders(tx, tenant, connection, request)?;
    snapshot.close = resembling(tx, tenant, request)?;
    if let Some(connection) = &mut snapshot.connection {
        let groups = &mut connection.settings.default_groups;
        *groups = live_groups(tx, tenant, groups)?;
    }
    Ok(snapshot)
}

/// Users who have exactly the declared value, deleted ones too.
fn holders(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    connection: &Connection,
    request: &SigninRequest,
) -> Result<Vec<Holder>, EngineError> {
    let settings = &connection.settings;
    let pair = settings.subject_claim.as_ref().zip(settings.subject_attribute.as_ref());
    let Some((claim, attribute)) = pair else { return Ok(vec![]) };
    let Some(value) = request.claim(claim) else { return Ok(vec![]) };
    let users = match subject_attribute(attribute).map_err(EngineError::Invalid)? {
        SubjectAttribute::Id => user::get(tx, tenant, &UserId::new(value))?.into_iter().collect(),
        SubjectAttribute::ExternalId => {
            let mut users = user::find_deleted(tx, tenant, &value)?;
            users.extend(user::find_by_external_id(tx, tenant, &value)?);
            users.retain(|user| user.external_id.as_deref() == Some(value.as_str()));
            users
        }
        SubjectAttribute::EmployeeNumber => {
            let mut users = by_lookup(tx, tenant, lookup::EMPLOYEE_NUMBER, &value)?;
            // Lookups are folded; an identifier is compared as it is.
            users.retain(|user| {
                user.doc
                    .get(scim::urn::ENTERPRISE_USER)
                    .and_then(|extension| extension.get("employeeNumber")?.as_str())
                    == Some(value.as_str())
            });
            users
        }
    };
    let mut holders = vec![];
    for user in users {
        let subject = rows::subject_of(tx, tenant, &request.issuer, &user.id)?;
        holders.push(Holder { user, subject });
    }
    Ok(holders)
}

/// Users with the asserted user name or e-mail address.
fn resembling(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    request: &SigninRequest,
) -> Result<Vec<Close>, EngineError> {
    let (user_name, email) = (request.user_name(), request.email());
    let mut close: BTreeMap<UserId, Close> = BTreeMap::new();
    // Where only the address is sent, it becomes the user name of somebody new.
    for name in [&user_name, &email].into_iter().flatten() {
        if let Some(user) = user::find_by_user_name(tx, tenant, name)? {
            close.insert(user.id.clone(), Close { user, by: "userName" });
        }
        for user in by_lookup(tx, tenant, "emails.value", name)? {
            close.entry(user.id.clone()).or_insert(Close { user, by: "emails" });
        }
    }
    Ok(close.into_values().collect())
}

fn by_lookup(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    attribute: &str,
    value: &str,
) -> Result<Vec<User>, EngineError> {
    let ids: Vec<UserId> =
        lookup::equal(tx, tenant, attribute, value, FEW)?.into_iter().map(UserId::new).collect();
    Ok(user::get_many(tx, tenant, &ids)?)
}

/// What was looked for, in words, for the task.
pub(super) fn looked_for(request: &SigninRequest, snapshot: &Snapshot) -> Vec<String> {
    let mut texts = vec![format!("issuer '{}' with subject '{}'", request.issuer, request.subject)];
    let Some(connection) = &snapshot.connection else { return texts };
    let settings = &connection.settings;
    match settings.subject_claim.as_ref().zip(settings.subject_attribute.as_ref()) {
        Some((claim, attribute)) => texts.push(match request.claim(claim) {
            Some(value) => format!("{attribute} '{value}' (claim {claim})"),
            None => format!("{attribute}, but the assertion has no claim {claim}"),
        }),
        None => texts.push(format!(
            "no attribute: the connection declares no pair; see lockstep connection set {} --subject",
            connection.name
        )),
    }
    texts
}

/// Who resembles the assertion, each once, the holders of the declared value first.
pub(super) fn close(snapshot: &Snapshot) -> Vec<Resemblance> {
    let attribute =
        snapshot.connection.as_ref().and_then(|connection| connection.settings.subject_attribute.as_deref());
    let holders = snapshot.holders.iter().map(|holder| (&holder.user, attribute.unwrap_or("externalId")));
    let known = snapshot.known.iter().filter_map(|known| Some((known.user.as_ref()?, "subject")));
    let close = snapshot.close.iter().map(|close| (&close.user, close.by));
    let mut found: Vec<Resemblance> = vec![];
    for (user, by) in known.chain(holders).chain(close) {
        if found.iter().any(|one| one.id == user.id.as_str()) {
            continue;
        }
        found.push(Resemblance {
            id: user.id.to_string(),
            user_name: user.user_name.clone(),
            by: by.to_owned(),
            source: user.source.clone(),
            state: match (user.deleted_ms, user.active) {
                (Some(_), _) => "deleted",
                (None, true) => "active",
                (None, false) => "inactive",
            },
        });
    }
    found
}

//! What the directory says about the ids and names in a request.

use domain::connection::SOURCE_PREFIX;
use domain::exchange::Exchange;
use domain::finding::{Facts, Standing, asks};
use domain::ids::{GroupId, Subject, TenantId, UserId};
use store::Tx;
use store::repo::{group, user};

use crate::directory::users::deleted_by;
use crate::error::EngineError;

/// Loads what a request asks for; nothing where it asks for nothing.
pub(super) fn load(tx: &mut Tx<'_>, tenant: &TenantId, exchange: &Exchange) -> Result<Facts, EngineError> {
    let asks = asks(exchange);
    let mut facts = Facts::default();
    if asks.is_empty() {
        return Ok(facts);
    }
    for id in &asks.ids {
        if let Some(found) = standing(tx, tenant, id)? {
            facts.standing.insert(id.clone(), found);
        }
    }
    if let Some(external_id) = &asks.external_id
        && let Some(id) = user::last_deleted_external_id(tx, tenant, external_id)?
    {
        facts.returned = standing(tx, tenant, id.as_str())?;
    }
    facts.holder = match &asks.name {
        Some(("user", name)) => user::find_by_user_name(tx, tenant, name)?.map(|user| of_user(user, false)),
        Some((_, name)) => group::find_by_display_name(tx, tenant, name)?.map(|group| of_group(group, false)),
        None => None,
    };
    Ok(facts)
}

/// What stands under an id; none: it was never given.
pub(super) fn standing(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    id: &str,
) -> Result<Option<Standing>, EngineError> {
    let found = match user::get(tx, tenant, &UserId::new(id))? {
        Some(user) => Some(of_user(user, false)),
        None => group::get(tx, tenant, &GroupId::new(id))?.map(|group| of_group(group, false)),
    };
    let Some(mut found) = found else { return Ok(None) };
    if found.deleted_ms.is_some() {
        found.by_provider = deleted_by(tx, tenant, id)?.is_some_and(|actor| actor.starts_with(SOURCE_PREFIX));
    }
    Ok(Some(found))
}

fn of_user(user: domain::directory::User, by_provider: bool) -> Standing {
    Standing {
        subject: Subject::User(user.id),
        name: user.user_name,
        deleted_ms: user.deleted_ms,
        by_provider,
    }
}

fn of_group(group: domain::directory::Group, by_provider: bool) -> Standing {
    Standing {
        subject: Subject::Group(group.id),
        name: group.display_name,
        deleted_ms: group.deleted_ms,
        by_provider,
    }
}

//! Which sources still know a user: when each named it last, to the day; and whom none has named for long.

use std::collections::{BTreeMap, BTreeSet};

use domain::directory::User;
use domain::ids::{TenantId, UserId};

use super::user::{in_32, in_lists, read_user};
use crate::{Row, StoreError, Tx, Value, statement};

statement!(
    CONFIRM,
    "INSERT INTO confirmed(tenant, user_id, source, at_ms) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant, user_id, source) DO UPDATE SET at_ms = excluded.at_ms WHERE confirmed.at_ms < excluded.at_ms"
);
statement!(
    OF_USERS,
    concat!("SELECT user_id, source, at_ms FROM confirmed WHERE tenant = $1 AND user_id IN ", in_32!())
);
statement!(
    UNCONFIRMED,
    "SELECT u.id, u.external_id, u.user_name, u.active, u.source, u.doc, u.version, u.deleted_ms, u.created_ms
     FROM usr u
     WHERE u.tenant = $1 AND u.id > $2 AND u.deleted_ms IS NULL AND u.created_ms < $3
       AND NOT EXISTS (SELECT 1 FROM confirmed c WHERE c.tenant = u.tenant AND c.user_id = u.id AND c.at_ms >= $3)
     ORDER BY u.id LIMIT $4"
);

/// A user whom no source has named since a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Unconfirmed {
    /// The user.
    pub user: User,
    /// When it was created, Unix milliseconds.
    pub created_ms: i64,
    /// The source that named it last, and when; none since such times are kept.
    pub last: Option<(String, i64)>,
}

/// Those of the users whom this source has named after `since_ms`.
pub fn recent(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    source: &str,
    users: &[&str],
    since_ms: i64,
) -> Result<BTreeSet<String>, StoreError> {
    let found = in_lists(tx, &OF_USERS, tenant, users, read)?;
    let recent = |(_, by, at_ms): &(String, String, i64)| by == source && *at_ms > since_ms;
    Ok(found.into_iter().filter(recent).map(|(user, ..)| user).collect())
}

/// Notes that a source named these users.
pub fn confirm(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    source: &str,
    users: &[&str],
    at_ms: i64,
) -> Result<(), StoreError> {
    let row = |user: &&str| -> Vec<Value> {
        vec![tenant.as_str().into(), (*user).into(), source.into(), at_ms.into()]
    };
    let rows: Vec<Vec<Value>> = users.iter().map(row).collect();
    tx.exec_many(&CONFIRM, &rows).map(drop)
}

/// Users that were made before `since_ms` and that no source has named since, by id, after the id `after`.
pub fn unconfirmed(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    since_ms: i64,
    after: &str,
    limit: i64,
) -> Result<Vec<Unconfirmed>, StoreError> {
    let params = [tenant.as_str().into(), after.into(), since_ms.into(), limit.into()];
    let found = tx.rows(&UNCONFIRMED, &params, |row| Ok((read_user(row)?, row.int(8)?)))?;
    let ids: Vec<&str> = found.iter().map(|(user, _)| user.id.as_str()).collect();
    let mut last: BTreeMap<UserId, (String, i64)> = BTreeMap::new();
    for (user, source, at_ms) in in_lists(tx, &OF_USERS, tenant, &ids, read)? {
        let entry = last.entry(UserId::new(user)).or_insert_with(|| (source.clone(), at_ms));
        if (at_ms, &entry.0) > (entry.1, &source) {
            *entry = (source, at_ms);
        }
    }
    Ok(found
        .into_iter()
        .map(|(user, created_ms)| Unconfirmed { last: last.remove(&user.id), user, created_ms })
        .collect())
}

fn read(row: &Row<'_>) -> Result<(String, String, i64), StoreError> {
    Ok((row.text(0)?, row.text(1)?, row.int(2)?))
}

//! Users of the directory. Deleted ones stay as rows and are found by id only.

use std::collections::{BTreeMap, BTreeSet};

use domain::directory::User;
use domain::ids::{TenantId, UserId};

use crate::{Row, Statement, StoreError, Tx, Value, statement};

/// A list of 32 parameters after the tenant: shorter lists repeat their last value.
macro_rules! in_32 {
    () => {
        "($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, \
         $25, $26, $27, $28, $29, $30, $31, $32, $33)"
    };
}
pub(crate) use in_32;

macro_rules! select {
    ($($rest:expr),+) => {
        concat!(
            "SELECT id, external_id, user_name, active, source, doc, version, deleted_ms FROM usr WHERE tenant = $1 ",
            $($rest),+
        )
    };
}

statement!(
    INSERT,
    "INSERT INTO usr(tenant, id, external_id, user_name, user_name_key, manager_ref, active, source, doc, version, \
     created_ms, modified_ms, deleted_ms, lookups)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13)"
);
statement!(
    UPDATE,
    "UPDATE usr SET external_id = $3, user_name = $4, user_name_key = $5, manager_ref = $6, active = $7, doc = $8,
     modified_ms = $9, version = version + 1 WHERE tenant = $1 AND id = $2 AND version = $10"
);
statement!(
    SET_DELETED,
    "UPDATE usr SET deleted_ms = $3, modified_ms = $3, version = version + 1
     WHERE tenant = $1 AND id = $2 AND deleted_ms IS NULL AND active = $4"
);
statement!(
    SET_RESTORED,
    "UPDATE usr SET deleted_ms = NULL, modified_ms = $3, version = version + 1
     WHERE tenant = $1 AND id = $2 AND deleted_ms IS NOT NULL AND active = $4"
);
statement!(LIST_DELETED, select!("AND id > $2 AND deleted_ms IS NOT NULL ORDER BY id LIMIT $3"));
statement!(
    DELETED_BY_REF,
    select!(
        "AND deleted_ms IS NOT NULL AND (id = $2 OR external_id = $2 OR user_name_key = $3)
         ORDER BY deleted_ms DESC, id LIMIT 20"
    )
);
statement!(
    LAST_GONE,
    "SELECT id FROM usr WHERE tenant = $1 AND external_id = $2 AND deleted_ms IS NOT NULL
     ORDER BY deleted_ms DESC LIMIT 1"
);
statement!(
    RELEASE_KEYS,
    "UPDATE usr SET user_name_key = $3, external_id = NULL WHERE tenant = $1 AND id = $2"
);
statement!(GET, select!("AND id = $2"));
statement!(REFERENCES_OF, "SELECT user_name, external_id FROM usr WHERE tenant = $1 AND id = $2");
statement!(
    REFERENCES,
    concat!("SELECT id, user_name, external_id FROM usr WHERE tenant = $1 AND id IN ", in_32!())
);
statement!(
    NAMED_AS_MANAGER,
    concat!("SELECT DISTINCT manager_ref FROM usr WHERE tenant = $1 AND manager_ref IN ", in_32!())
);
statement!(GET_MANY, select!("AND id IN ", in_32!()));
statement!(ID_OF_NAME, "SELECT id FROM usr WHERE tenant = $1 AND deleted_ms IS NULL AND user_name_key = $2");
statement!(BY_NAME_KEY, select!("AND deleted_ms IS NULL AND user_name_key = $2"));
statement!(BY_NAME_KEYS, select!("AND deleted_ms IS NULL AND user_name_key IN ", in_32!()));
statement!(BY_EXTERNAL_ID, select!("AND deleted_ms IS NULL AND external_id = $2"));
statement!(BY_EXTERNAL_IDS, select!("AND deleted_ms IS NULL AND external_id IN ", in_32!()));
statement!(VERSION, "SELECT id, version, deleted_ms FROM usr WHERE tenant = $1 AND id = $2");
statement!(
    VERSIONS,
    concat!("SELECT id, version, deleted_ms FROM usr WHERE tenant = $1 AND id IN ", in_32!())
);
statement!(
    BY_REF,
    "SELECT u.id, u.external_id, u.user_name, u.active, u.source, u.doc, u.version, u.deleted_ms
     FROM usr u JOIN (
       SELECT 0 AS place, id FROM usr WHERE tenant = $1 AND id = $2 AND deleted_ms IS NULL
       UNION ALL SELECT 1, id FROM usr WHERE tenant = $1 AND external_id = $2 AND deleted_ms IS NULL
       UNION ALL SELECT 2, id FROM usr WHERE tenant = $1 AND user_name_key = $3 AND deleted_ms IS NULL
     ) found ON found.id = u.id
     WHERE u.tenant = $1 ORDER BY found.place LIMIT 1"
);
statement!(LIST, select!("AND id > $2 AND deleted_ms IS NULL ORDER BY id LIMIT $3"));
statement!(
    LIST_SOURCE,
    select!("AND source = $2 AND id > $3 AND active AND deleted_ms IS NULL ORDER BY id LIMIT $4")
);
statement!(COUNT, "SELECT COUNT(*) FROM usr WHERE tenant = $1 AND deleted_ms IS NULL");
statement!(COUNT_ACTIVE, "SELECT COUNT(*) FROM usr WHERE tenant = $1 AND active AND deleted_ms IS NULL");
statement!(
    COUNT_ACTIVE_OF,
    "SELECT COUNT(*) FROM usr WHERE tenant = $1 AND source = $2 AND active AND deleted_ms IS NULL"
);
statement!(
    REPORTS,
    "SELECT id FROM usr WHERE tenant = $1 AND manager_ref = $2 AND id > $3 AND deleted_ms IS NULL ORDER BY id LIMIT $4"
);

/// Runs an update of one row that names the state it was read in; repeats the transaction if that is no longer so.
pub(crate) fn changed_one(
    tx: &mut Tx<'_>,
    statement: &'static Statement,
    params: &[Value],
) -> Result<(), StoreError> {
    if tx.exec(statement, params)? == 1 { Ok(()) } else { Err(tx.out_of_date(statement.name)) }
}

/// Adds a user with the version it carries, without lookups. `now_ms` becomes the time of creation.
pub fn insert(tx: &mut Tx<'_>, tenant: &TenantId, user: &User, now_ms: i64) -> Result<(), StoreError> {
    insert_as(tx, tenant, user, now_ms, false)
}

/// [`insert`] that says whether the lookups are written with it.
pub(crate) fn insert_as(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    user: &User,
    now_ms: i64,
    lookups: bool,
) -> Result<(), StoreError> {
    let params: [Value; 13] = [
        tenant.as_str().into(),
        user.id.as_str().into(),
        user.external_id.clone().into(),
        user.user_name.as_str().into(),
        scim::fold(&user.user_name).into(),
        user.manager_ref().map(scim::fold).into(),
        user.active.into(),
        user.source.as_str().into(),
        user.doc.to_string().into(),
        user.version.into(),
        now_ms.into(),
        user.deleted_ms.into(),
        i64::from(lookups).into(),
    ];
    tx.later(&INSERT, &params)
}

/// Writes the document and everything that follows from it; the version rises by one. If it is not the version that the
/// user carries any more, the transaction is repeated.
pub fn update(tx: &mut Tx<'_>, tenant: &TenantId, user: &User, now_ms: i64) -> Result<(), StoreError> {
    let params: [Value; 10] = [
        tenant.as_str().into(),
        user.id.as_str().into(),
        user.external_id.clone().into(),
        user.user_name.as_str().into(),
        scim::fold(&user.user_name).into(),
        user.manager_ref().map(scim::fold).into(),
        user.active.into(),
        user.doc.to_string().into(),
        now_ms.into(),
        user.version.into(),
    ];
    changed_one(tx, &UPDATE, &params)
}

/// Marks a user deleted; its memberships stay as rows and do not count. If it is not as active as it was read any more, the
/// transaction is repeated: its seat may be free already.
pub fn set_deleted(tx: &mut Tx<'_>, tenant: &TenantId, user: &User, now_ms: i64) -> Result<(), StoreError> {
    changed_one(
        tx,
        &SET_DELETED,
        &[tenant.as_str().into(), user.id.as_str().into(), now_ms.into(), user.active.into()],
    )
}

/// Takes the mark of deletion back; as active as the user was read, else as in [`set_deleted`].
pub fn set_restored(tx: &mut Tx<'_>, tenant: &TenantId, user: &User, now_ms: i64) -> Result<(), StoreError> {
    changed_one(
        tx,
        &SET_RESTORED,
        &[tenant.as_str().into(), user.id.as_str().into(), now_ms.into(), user.active.into()],
    )
}

/// Frees the keys of a user that is updated later in the same transaction, so that another may take them first.
pub fn release_keys(tx: &mut Tx<'_>, tenant: &TenantId, id: &UserId) -> Result<(), StoreError> {
    tx.later(&RELEASE_KEYS, &[tenant.as_str().into(), id.as_str().into(), format!("~released {id}").into()])
}

/// The user of that id, also a deleted one.
pub fn get(tx: &mut Tx<'_>, tenant: &TenantId, id: &UserId) -> Result<Option<User>, StoreError> {
    tx.optional(&GET, &[tenant.as_str().into(), id.as_str().into()], read)
}

/// The users of those ids, also deleted ones, in no order; unknown ids are left out.
pub fn get_many<'a>(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    ids: impl IntoIterator<Item = &'a UserId>,
) -> Result<Vec<User>, StoreError> {
    let ids: Vec<&str> = ids.into_iter().map(UserId::as_str).collect();
    in_chunks(tx, (&GET, &GET_MANY), tenant, &ids, read)
}

/// Id, version and whether deleted, of those ids that exist, in no order.
pub fn versions<'a>(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    ids: impl IntoIterator<Item = &'a UserId>,
) -> Result<Vec<(UserId, i64, bool)>, StoreError> {
    let ids: Vec<&str> = ids.into_iter().map(UserId::as_str).collect();
    in_chunks(tx, (&VERSION, &VERSIONS), tenant, &ids, |row| {
        Ok((UserId::new(row.text(0)?), row.int(1)?, row.opt_int(2)?.is_some()))
    })
}

/// The user of that userName in any letter case, unless deleted.
pub fn find_by_user_name(tx: &mut Tx<'_>, tenant: &TenantId, name: &str) -> Result<Option<User>, StoreError> {
    Ok(find_by_user_names(tx, tenant, &[name])?.pop())
}

/// Its id alone.
pub fn id_of_user_name(tx: &mut Tx<'_>, tenant: &TenantId, name: &str) -> Result<Option<UserId>, StoreError> {
    let params = [tenant.as_str().into(), scim::fold(name).into()];
    tx.optional(&ID_OF_NAME, &params, |row| row.text(0).map(UserId::new))
}

/// The users of those userNames in any letter case, without deleted ones.
pub fn find_by_user_names(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    names: &[&str],
) -> Result<Vec<User>, StoreError> {
    let keys: Vec<String> = names.iter().map(|name| scim::fold(name)).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    in_chunks(tx, (&BY_NAME_KEY, &BY_NAME_KEYS), tenant, &keys, read)
}

/// The user of that externalId, unless deleted.
pub fn find_by_external_id(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    external_id: &str,
) -> Result<Option<User>, StoreError> {
    Ok(find_by_external_ids(tx, tenant, &[external_id])?.pop())
}

/// The users of those externalIds, without deleted ones.
pub fn find_by_external_ids(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    external_ids: &[&str],
) -> Result<Vec<User>, StoreError> {
    in_chunks(tx, (&BY_EXTERNAL_ID, &BY_EXTERNAL_IDS), tenant, external_ids, read)
}

/// The user that a person or a document means: by id, else externalId, else userName in any letter case; not deleted.
pub fn find_by_ref(tx: &mut Tx<'_>, tenant: &TenantId, reference: &str) -> Result<Option<User>, StoreError> {
    tx.optional(&BY_REF, &[tenant.as_str().into(), reference.into(), scim::fold(reference).into()], read)
}

/// Users that are not deleted, by id, after the id `after` (empty: from the first).
pub fn list(tx: &mut Tx<'_>, tenant: &TenantId, after: &str, limit: i64) -> Result<Vec<User>, StoreError> {
    tx.rows(&LIST, &[tenant.as_str().into(), after.into(), limit.into()], read)
}

/// Deleted users, by id, after the id `after` (empty: from the first).
pub fn list_deleted(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<User>, StoreError> {
    tx.rows(&LIST_DELETED, &[tenant.as_str().into(), after.into(), limit.into()], read)
}

/// Deleted users that had this id, externalId or userName, the last deleted first; at most 20.
pub fn find_deleted(tx: &mut Tx<'_>, tenant: &TenantId, reference: &str) -> Result<Vec<User>, StoreError> {
    tx.rows(&DELETED_BY_REF, &[tenant.as_str().into(), reference.into(), scim::fold(reference).into()], read)
}

/// The user with this externalId who was deleted last.
pub fn last_deleted_external_id(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    external_id: &str,
) -> Result<Option<UserId>, StoreError> {
    tx.optional(&LAST_GONE, &[tenant.as_str().into(), external_id.into()], |row| row.text(0).map(UserId::new))
}

/// Active users of one source, by id, after the id `after` (empty: from the first).
pub fn list_active_of(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    source: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<User>, StoreError> {
    tx.rows(&LIST_SOURCE, &[tenant.as_str().into(), source.into(), after.into(), limit.into()], read)
}

/// How many users are not deleted.
pub fn count(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<i64, StoreError> {
    tx.one(&COUNT, &[tenant.as_str().into()], |row| row.int(0))
}

/// How many users are active.
pub fn count_active(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<i64, StoreError> {
    tx.one(&COUNT_ACTIVE, &[tenant.as_str().into()], |row| row.int(0))
}

/// How many users of one source are active.
pub fn count_active_of(tx: &mut Tx<'_>, tenant: &TenantId, source: &str) -> Result<i64, StoreError> {
    tx.one(&COUNT_ACTIVE_OF, &[tenant.as_str().into(), source.into()], |row| row.int(0))
}

/// Users whose document names one of these references (at most 32: id, externalId, userName, before and after a change)
/// as manager, by id. Letter case is ignored for all of them, so this may give a user too many, never one too few.
pub fn reports_of(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    references: &[&str],
    after: &str,
    limit: i64,
) -> Result<Vec<UserId>, StoreError> {
    let mut reports = Vec::new();
    for reference in references {
        let params = [tenant.as_str().into(), scim::fold(reference).into(), after.into(), limit.into()];
        reports.extend(tx.rows(&REPORTS, &params, |row| row.text(0).map(UserId::new))?);
    }
    reports.sort();
    reports.dedup();
    reports.truncate(usize::try_from(limit).unwrap_or(0));
    Ok(reports)
}

/// What a document may name this user by as manager; none if there is no such user.
pub fn references_of(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    id: &UserId,
) -> Result<Option<Vec<String>>, StoreError> {
    tx.optional(&REFERENCES_OF, &[tenant.as_str().into(), id.as_str().into()], |row| {
        let references = [Some(id.to_string()), Some(row.text(0)?), row.opt_text(1)?];
        Ok(references.into_iter().flatten().collect())
    })
}

/// What a document may name these users by as manager: id, userName and externalId, in one letter case; by user.
pub fn references(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    ids: &[&str],
) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let rows = in_lists(tx, &REFERENCES, tenant, ids, |row| {
        let (id, name, external) = (row.text(0)?, row.text(1)?, row.opt_text(2)?);
        let references = [Some(&id), Some(&name), external.as_ref()];
        let folded = references.into_iter().flatten().map(|text| scim::fold(text)).collect();
        Ok((id, folded))
    })?;
    Ok(rows.into_iter().collect())
}

/// Which of these references, in one letter case, a document names as manager.
pub fn named_as_manager(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    references: &[&str],
) -> Result<BTreeSet<String>, StoreError> {
    Ok(in_lists(tx, &NAMED_AS_MANAGER, tenant, references, |row| row.text(0))?.into_iter().collect())
}

const CHUNK: usize = 32;

/// Runs `list`, which has an [`in_32`] list, as often as the keys need; for a single key `single`, which takes only that: a
/// list costs more than all the rest.
pub(crate) fn in_chunks<T>(
    tx: &mut Tx<'_>,
    (single, list): (&'static Statement, &'static Statement),
    tenant: &TenantId,
    keys: &[&str],
    read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    match keys {
        [key] => tx.rows(single, &[tenant.as_str().into(), (*key).into()], read),
        _ => in_lists(tx, list, tenant, keys, read),
    }
}

/// [`in_chunks`] without a statement for a single key.
pub(crate) fn in_lists<T>(
    tx: &mut Tx<'_>,
    statement: &'static Statement,
    tenant: &TenantId,
    keys: &[&str],
    read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    in_chunks_and(tx, statement, tenant, keys, &[], read)
}

/// [`in_chunks`] of a statement with more parameters, from `$34` on.
pub(crate) fn in_chunks_and<T>(
    tx: &mut Tx<'_>,
    statement: &'static Statement,
    tenant: &TenantId,
    keys: &[&str],
    more: &[Value],
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    for chunk in keys.chunks(CHUNK) {
        let mut params: Vec<Value> = vec![tenant.as_str().into()];
        let last = chunk[chunk.len() - 1];
        params.extend((0..CHUNK).map(|index| Value::from(*chunk.get(index).unwrap_or(&last))));
        params.extend_from_slice(more);
        found.extend(tx.rows(statement, &params, &mut read)?);
    }
    Ok(found)
}

/// Reads a user from the first eight columns.
pub(crate) fn read_user(row: &Row<'_>) -> Result<User, StoreError> {
    read(row)
}

fn read(row: &Row<'_>) -> Result<User, StoreError> {
    Ok(User {
        id: UserId::new(row.text(0)?),
        external_id: row.opt_text(1)?,
        user_name: row.text(2)?,
        active: row.bool(3)?,
        source: row.text(4)?,
        doc: row.json(5)?,
        version: row.int(6)?,
        deleted_ms: row.opt_int(7)?,
    })
}

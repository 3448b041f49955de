//! Groups of the directory. Deleted ones stay as rows and are found by id only.

use domain::directory::Group;
use domain::ids::{GroupId, TenantId};

use super::user::{changed_one, in_32, in_chunks};
use crate::{Row, StoreError, Tx, Value, statement};

macro_rules! select {
    ($($rest:expr),+) => {
        concat!(
            "SELECT id, external_id, display_name, source, doc, version, deleted_ms FROM grp WHERE tenant = $1 ",
            $($rest),+
        )
    };
}

statement!(
    INSERT,
    "INSERT INTO grp(tenant, id, external_id, display_name, display_name_key, source, doc, version, created_ms, \
     modified_ms, deleted_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)"
);
statement!(
    UPDATE,
    "UPDATE grp SET external_id = $3, display_name = $4, display_name_key = $5, doc = $6, modified_ms = $7,
     version = version + 1 WHERE tenant = $1 AND id = $2 AND version = $8"
);
statement!(
    SET_DELETED,
    "UPDATE grp SET deleted_ms = $3, modified_ms = $3, version = version + 1
     WHERE tenant = $1 AND id = $2 AND deleted_ms IS NULL"
);
statement!(
    SET_RESTORED,
    "UPDATE grp SET deleted_ms = NULL, modified_ms = $3, version = version + 1
     WHERE tenant = $1 AND id = $2 AND deleted_ms IS NOT NULL"
);
statement!(LIST_DELETED, select!("AND id > $2 AND deleted_ms IS NOT NULL ORDER BY id LIMIT $3"));
statement!(
    DELETED_BY_REF,
    select!(
        "AND deleted_ms IS NOT NULL AND (id = $2 OR external_id = $2 OR display_name_key = $3)
         ORDER BY deleted_ms DESC, id LIMIT 20"
    )
);
statement!(
    RELEASE_KEYS,
    "UPDATE grp SET display_name_key = $3, external_id = NULL WHERE tenant = $1 AND id = $2"
);
statement!(GET, select!("AND id = $2"));
statement!(GET_MANY, select!("AND id IN ", in_32!()));
statement!(BY_NAME_KEY, select!("AND deleted_ms IS NULL AND display_name_key = $2"));
statement!(BY_NAME_KEYS, select!("AND deleted_ms IS NULL AND display_name_key IN ", in_32!()));
statement!(BY_EXTERNAL_ID, select!("AND deleted_ms IS NULL AND external_id = $2"));
statement!(BY_EXTERNAL_IDS, select!("AND deleted_ms IS NULL AND external_id IN ", in_32!()));
statement!(VERSION, "SELECT id, version, deleted_ms FROM grp WHERE tenant = $1 AND id = $2");
statement!(
    VERSIONS,
    concat!("SELECT id, version, deleted_ms FROM grp WHERE tenant = $1 AND id IN ", in_32!())
);
statement!(
    BY_REF,
    "SELECT g.id, g.external_id, g.display_name, g.source, g.doc, g.version, g.deleted_ms
     FROM grp g JOIN (
       SELECT 0 AS place, id FROM grp WHERE tenant = $1 AND id = $2 AND deleted_ms IS NULL
       UNION ALL SELECT 1, id FROM grp WHERE tenant = $1 AND external_id = $2 AND deleted_ms IS NULL
       UNION ALL SELECT 2, id FROM grp WHERE tenant = $1 AND display_name_key = $3 AND deleted_ms IS NULL
     ) found ON found.id = g.id
     WHERE g.tenant = $1 ORDER BY found.place LIMIT 1"
);
statement!(LIST, select!("AND id > $2 AND deleted_ms IS NULL ORDER BY id LIMIT $3"));
statement!(COUNT, "SELECT COUNT(*) FROM grp WHERE tenant = $1 AND deleted_ms IS NULL");

/// Adds a group with the version it carries. `now_ms` becomes the time of creation.
pub fn insert(tx: &mut Tx<'_>, tenant: &TenantId, group: &Group, now_ms: i64) -> Result<(), StoreError> {
    let params: [Value; 10] = [
        tenant.as_str().into(),
        group.id.as_str().into(),
        group.external_id.clone().into(),
        group.display_name.as_str().into(),
        scim::fold(&group.display_name).into(),
        group.source.as_str().into(),
        group.doc.to_string().into(),
        group.version.into(),
        now_ms.into(),
        group.deleted_ms.into(),
    ];
    tx.later(&INSERT, &params)
}

/// Writes the document and everything that follows from it; the version rises by one. If it is not the version that the
/// group carries any more, the transaction is repeated.
pub fn update(tx: &mut Tx<'_>, tenant: &TenantId, group: &Group, now_ms: i64) -> Result<(), StoreError> {
    let params: [Value; 8] = [
        tenant.as_str().into(),
        group.id.as_str().into(),
        group.external_id.clone().into(),
        group.display_name.as_str().into(),
        scim::fold(&group.display_name).into(),
        group.doc.to_string().into(),
        now_ms.into(),
        group.version.into(),
    ];
    changed_one(tx, &UPDATE, &params)
}

/// Marks a group deleted; its members stay as rows and do not count.
pub fn set_deleted(tx: &mut Tx<'_>, tenant: &TenantId, id: &GroupId, now_ms: i64) -> Result<(), StoreError> {
    changed_one(tx, &SET_DELETED, &[tenant.as_str().into(), id.as_str().into(), now_ms.into()])
}

/// Takes the mark of deletion back.
pub fn set_restored(tx: &mut Tx<'_>, tenant: &TenantId, id: &GroupId, now_ms: i64) -> Result<(), StoreError> {
    changed_one(tx, &SET_RESTORED, &[tenant.as_str().into(), id.as_str().into(), now_ms.into()])
}

/// Deleted groups, by id, after the id `after` (empty: from the first).
pub fn list_deleted(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<Group>, StoreError> {
    tx.rows(&LIST_DELETED, &[tenant.as_str().into(), after.into(), limit.into()], read)
}

/// Deleted groups that had this id, externalId or displayName, the last deleted first; at most 20.
pub fn find_deleted(tx: &mut Tx<'_>, tenant: &TenantId, reference: &str) -> Result<Vec<Group>, StoreError> {
    tx.rows(&DELETED_BY_REF, &[tenant.as_str().into(), reference.into(), scim::fold(reference).into()], read)
}

/// Frees the keys of a group that is updated later in the same transaction, so that another may take them first.
pub fn release_keys(tx: &mut Tx<'_>, tenant: &TenantId, id: &GroupId) -> Result<(), StoreError> {
    tx.later(&RELEASE_KEYS, &[tenant.as_str().into(), id.as_str().into(), format!("~released {id}").into()])
}

/// The group of that id, also a deleted one.
pub fn get(tx: &mut Tx<'_>, tenant: &TenantId, id: &GroupId) -> Result<Option<Group>, StoreError> {
    tx.optional(&GET, &[tenant.as_str().into(), id.as_str().into()], read)
}

/// The groups of those ids, also deleted ones, in no order; unknown ids are left out.
pub fn get_many<'a>(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    ids: impl IntoIterator<Item = &'a GroupId>,
) -> Result<Vec<Group>, StoreError> {
    let ids: Vec<&str> = ids.into_iter().map(GroupId::as_str).collect();
    in_chunks(tx, (&GET, &GET_MANY), tenant, &ids, read)
}

/// Id, version and whether deleted, of those ids that exist, in no order.
pub fn versions<'a>(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    ids: impl IntoIterator<Item = &'a GroupId>,
) -> Result<Vec<(GroupId, i64, bool)>, StoreError> {
    let ids: Vec<&str> = ids.into_iter().map(GroupId::as_str).collect();
    in_chunks(tx, (&VERSION, &VERSIONS), tenant, &ids, |row| {
        Ok((GroupId::new(row.text(0)?), row.int(1)?, row.opt_int(2)?.is_some()))
    })
}

/// The group of that displayName in any letter case, unless deleted.
pub fn find_by_display_name(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    name: &str,
) -> Result<Option<Group>, StoreError> {
    Ok(find_by_display_names(tx, tenant, &[name])?.pop())
}

/// The groups of those displayNames in any letter case, without deleted ones.
pub fn find_by_display_names(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    names: &[&str],
) -> Result<Vec<Group>, StoreError> {
    let keys: Vec<String> = names.iter().map(|name| scim::fold(name)).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    in_chunks(tx, (&BY_NAME_KEY, &BY_NAME_KEYS), tenant, &keys, read)
}

/// The group of that externalId, unless deleted.
pub fn find_by_external_id(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    external_id: &str,
) -> Result<Option<Group>, StoreError> {
    Ok(find_by_external_ids(tx, tenant, &[external_id])?.pop())
}

/// The groups of those externalIds, without deleted ones.
pub fn find_by_external_ids(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    external_ids: &[&str],
) -> Result<Vec<Group>, StoreError> {
    in_chunks(tx, (&BY_EXTERNAL_ID, &BY_EXTERNAL_IDS), tenant, external_ids, read)
}

/// The group that a person means: by id, else externalId, else displayName in any letter case; not deleted.
pub fn find_by_ref(tx: &mut Tx<'_>, tenant: &TenantId, reference: &str) -> Result<Option<Group>, StoreError> {
    tx.optional(&BY_REF, &[tenant.as_str().into(), reference.into(), scim::fold(reference).into()], read)
}

/// Groups that are not deleted, by id, after the id `after` (empty: from the first).
pub fn list(tx: &mut Tx<'_>, tenant: &TenantId, after: &str, limit: i64) -> Result<Vec<Group>, StoreError> {
    tx.rows(&LIST, &[tenant.as_str().into(), after.into(), limit.into()], read)
}

/// How many groups are not deleted.
pub fn count(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<i64, StoreError> {
    tx.one(&COUNT, &[tenant.as_str().into()], |row| row.int(0))
}

fn read(row: &Row<'_>) -> Result<Group, StoreError> {
    Ok(Group {
        id: GroupId::new(row.text(0)?),
        external_id: row.opt_text(1)?,
        display_name: row.text(2)?,
        source: row.text(3)?,
        doc: row.json(4)?,
        version: row.int(5)?,
        deleted_ms: row.opt_int(6)?,
    })
}

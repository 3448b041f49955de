//! Users and groups as the endpoint reads them: by id, by page, by key, with their times and without their members.

use domain::ids::TenantId;
use serde_json::Value as Json;

use super::user::{in_32, in_chunks};
use crate::{Row, StoreError, Tx, Value, statement};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Users.
    User,
    /// Groups.
    Group,
}

impl Kind {
    /// `user` or `group`, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }
}

/// A stored user or group.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The id.
    pub id: String,
    /// Who writes it.
    pub source: String,
    /// The SCIM document without id, meta, groups and members.
    pub doc: Json,
    /// Rises with every change of the document or the state.
    pub version: i64,
    /// Rises with every change of a group's direct members; 0 for users.
    pub members_version: i64,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Unix milliseconds.
    pub modified_ms: i64,
    /// Set while it is deleted.
    pub deleted_ms: Option<i64>,
    /// Whether some connection does not see the user any more: see [`super::departure`].
    pub departed: bool,
}

/// An order that an index gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By id, which is the order of creation.
    Id,
    /// By userName or displayName without regard to letter case.
    Name,
    /// By the time of the last change.
    Modified,
}

macro_rules! columns {
    ("usr") => {
        "SELECT id, source, doc, version, created_ms, modified_ms, deleted_ms, CAST(0 AS BIGINT), departed FROM usr "
    };
    ("grp") => {
        "SELECT id, source, doc, version, created_ms, modified_ms, deleted_ms, members_version, CAST(0 AS BIGINT) FROM grp "
    };
}

macro_rules! live {
    ($table:tt, $($rest:expr),+) => {
        concat!("SELECT id FROM ", $table, " WHERE tenant = $1 AND deleted_ms IS NULL ", $($rest),+)
    };
}

/// The statements of one table, in a module of its own.
macro_rules! table {
    ($module:ident, $table:tt, $name_key:literal) => {
        mod $module {
            use super::in_32;
            use crate::statement;
            statement!(pub(super) GET, concat!(columns!($table), "WHERE tenant = $1 AND id = $2"));
            statement!(pub(super) GET_MANY, concat!(columns!($table), "WHERE tenant = $1 AND id IN ", in_32!()));
            statement!(
                pub(super) SCAN,
                concat!(columns!($table), "WHERE tenant = $1 AND id > $2 AND deleted_ms IS NULL ORDER BY id LIMIT $3")
            );
            statement!(pub(super) ID_SKIP, live!($table, "ORDER BY id LIMIT $2 OFFSET $3"));
            statement!(pub(super) ID_SKIP_DOWN, live!($table, "ORDER BY id DESC LIMIT $2 OFFSET $3"));
            statement!(pub(super) ID_AFTER, live!($table, "AND id > $3 ORDER BY id LIMIT $2"));
            statement!(pub(super) ID_AFTER_DOWN, live!($table, "AND id < $3 ORDER BY id DESC LIMIT $2"));
            statement!(pub(super) NAME_SKIP, live!($table, "ORDER BY ", $name_key, " LIMIT $2 OFFSET $3"));
            statement!(pub(super) NAME_SKIP_DOWN, live!($table, "ORDER BY ", $name_key, " DESC LIMIT $2 OFFSET $3"));
            statement!(pub(super) NAME_AFTER, live!($table, "AND ", $name_key, " > $3 ORDER BY ", $name_key, " LIMIT $2"));
            statement!(
                pub(super) NAME_AFTER_DOWN,
                live!($table, "AND ", $name_key, " < $3 ORDER BY ", $name_key, " DESC LIMIT $2")
            );
            statement!(pub(super) MODIFIED_SKIP, live!($table, "ORDER BY modified_ms, id LIMIT $2 OFFSET $3"));
            statement!(
                pub(super) MODIFIED_SKIP_DOWN,
                live!($table, "ORDER BY modified_ms DESC, id DESC LIMIT $2 OFFSET $3")
            );
            statement!(
                pub(super) MODIFIED_AFTER,
                live!($table, "AND (modified_ms, id) > ($3, $4) ORDER BY modified_ms, id LIMIT $2")
            );
            statement!(
                pub(super) MODIFIED_AFTER_DOWN,
                live!($table, "AND (modified_ms, id) < ($3, $4) ORDER BY modified_ms DESC, id DESC LIMIT $2")
            );
            statement!(
                pub(super) NAME_BETWEEN,
                live!($table, "AND ", $name_key, " >= $2 AND ", $name_key, " < $3 ORDER BY ", $name_key, " LIMIT $4")
            );
        }
    };
}

table!(users, "usr", "user_name_key");
table!(groups, "grp", "display_name_key");

macro_rules! pick {
    ($kind:expr, $name:ident) => {
        match $kind {
            Kind::User => &users::$name,
            Kind::Group => &groups::$name,
        }
    };
}

statement!(
    COUNT_UP,
    "INSERT INTO live_count(tenant, kind, bucket, n) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant, kind, bucket) DO UPDATE SET n = live_count.n + excluded.n"
);
statement!(
    TOTAL,
    "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM live_count WHERE tenant = $1 AND kind = $2"
);
statement!(EVER_USER, "SELECT deleted_ms FROM usr WHERE tenant = $1 AND id = $2");
statement!(EVER_GROUP, "SELECT deleted_ms FROM grp WHERE tenant = $1 AND id = $2");

/// The object of that id, also a deleted one.
pub fn get(tx: &mut Tx<'_>, tenant: &TenantId, kind: Kind, id: &str) -> Result<Option<Stored>, StoreError> {
    tx.optional(pick!(kind, GET), &[tenant.as_str().into(), id.into()], read)
}

/// The objects of those ids that exist and are not deleted, in the order of `ids`.
pub fn get_many(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    kind: Kind,
    ids: &[String],
) -> Result<Vec<Stored>, StoreError> {
    let keys: Vec<&str> = ids.iter().map(String::as_str).collect();
    let found = in_chunks(tx, (pick!(kind, GET), pick!(kind, GET_MANY)), tenant, &keys, read)?;
    let mut by_id: std::collections::BTreeMap<String, Stored> = found
        .into_iter()
        .filter(|stored| stored.deleted_ms.is_none())
        .map(|stored| (stored.id.clone(), stored))
        .collect();
    Ok(ids.iter().filter_map(|id| by_id.remove(id)).collect())
}

/// Objects that are not deleted, by id, after the id `after` (empty: from the first).
pub fn scan(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    kind: Kind,
    after: &str,
    limit: i64,
) -> Result<Vec<Stored>, StoreError> {
    tx.rows(pick!(kind, SCAN), &[tenant.as_str().into(), after.into(), limit.into()], read)
}

/// Ids of one page in an order, after `skip` others. Walks over what it skips, in an index.
pub fn page(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    kind: Kind,
    (order, descending): (Order, bool),
    skip: i64,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let statement = match (order, descending) {
        (Order::Id, false) => pick!(kind, ID_SKIP),
        (Order::Id, true) => pick!(kind, ID_SKIP_DOWN),
        (Order::Name, false) => pick!(kind, NAME_SKIP),
        (Order::Name, true) => pick!(kind, NAME_SKIP_DOWN),
        (Order::Modified, false) => pick!(kind, MODIFIED_SKIP),
        (Order::Modified, true) => pick!(kind, MODIFIED_SKIP_DOWN),
    };
    tx.rows(statement, &[tenant.as_str().into(), limit.into(), skip.into()], |row| row.text(0))
}

/// Ids that follow an object in an order. `key` is what the order looks at: the id, the folded name, or the time.
pub fn page_after(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    kind: Kind,
    (order, descending): (Order, bool),
    (key, id): (Value, &str),
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let mut params = vec![tenant.as_str().into(), limit.into(), key];
    let statement = match (order, descending) {
        (Order::Id, false) => pick!(kind, ID_AFTER),
        (Order::Id, true) => pick!(kind, ID_AFTER_DOWN),
        (Order::Name, false) => pick!(kind, NAME_AFTER),
        (Order::Name, true) => pick!(kind, NAME_AFTER_DOWN),
        (Order::Modified, false) => pick!(kind, MODIFIED_AFTER),
        (Order::Modified, true) => pick!(kind, MODIFIED_AFTER_DOWN),
    };
    if order == Order::Modified {
        params.push(id.into());
    }
    tx.rows(statement, &params, |row| row.text(0))
}

/// Ids whose userName or displayName begins with this text in any letter case.
pub fn name_starts_with(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    kind: Kind,
    text: &str,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let from = scim::fold(text);
    let to = format!("{from}\u{10ffff}");
    let params = [tenant.as_str().into(), from.into(), to.into(), limit.into()];
    tx.rows(pick!(kind, NAME_BETWEEN), &params, |row| row.text(0))
}

/// Adds to the number of living objects. The id chooses the bucket.
pub fn count_up(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    kind: Kind,
    id: &str,
    change: i64,
) -> Result<(), StoreError> {
    let bucket = id.get(id.len().saturating_sub(2)..).unwrap_or_default();
    tx.later(&COUNT_UP, &[tenant.as_str().into(), kind.as_str().into(), bucket.into(), change.into()])
}

/// How many objects are not deleted; does not count them.
pub fn total(tx: &mut Tx<'_>, tenant: &TenantId, kind: Kind) -> Result<i64, StoreError> {
    tx.one(&TOTAL, &[tenant.as_str().into(), kind.as_str().into()], |row| row.int(0))
}

/// Whether an id was ever given to a user or group of this tenant: which, and when it was deleted.
pub fn ever(tx: &mut Tx<'_>, tenant: &TenantId, id: &str) -> Result<Option<(Kind, Option<i64>)>, StoreError> {
    let params = [tenant.as_str().into(), id.into()];
    if let Some(deleted_ms) = tx.optional(&EVER_USER, &params, |row| row.opt_int(0))? {
        return Ok(Some((Kind::User, deleted_ms)));
    }
    let group = tx.optional(&EVER_GROUP, &params, |row| row.opt_int(0))?;
    Ok(group.map(|deleted_ms| (Kind::Group, deleted_ms)))
}

fn read(row: &Row<'_>) -> Result<Stored, StoreError> {
    Ok(Stored {
        id: row.text(0)?,
        source: row.text(1)?,
        doc: row.json(2)?,
        version: row.int(3)?,
        created_ms: row.int(4)?,
        modified_ms: row.int(5)?,
        deleted_ms: row.opt_int(6)?,
        members_version: row.int(7)?,
        departed: row.int(8)? > 0,
    })
}

//! Tables of the tests' own, added behind the product's migrations, and the statements on them.

use std::sync::OnceLock;

use store::{MIGRATIONS, Migration, OpenOptions, Row, StoreError, statement};

/// The product's migrations, the log's, so that its statements can be prepared here too, then the tests' tables.
pub(crate) fn migrations() -> &'static [Migration] {
    static ALL: OnceLock<Vec<Migration>> = OnceLock::new();
    ALL.get_or_init(|| [MIGRATIONS, store::scim_log::MIGRATIONS, &[("test_tables", TABLES)]].concat())
}

pub(crate) fn options() -> OpenOptions {
    OpenOptions { migrations: migrations(), connections: 24, create: true, ..OpenOptions::new(1) }
}

const TABLES: &str = "
CREATE TABLE counter (id TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL CHECK (value >= 0));
CREATE TABLE item (
  id TEXT NOT NULL CONSTRAINT item__id PRIMARY KEY,
  tenant TEXT NOT NULL,
  name TEXT,
  alias TEXT,
  active BOOLEAN NOT NULL DEFAULT TRUE,
  counter TEXT REFERENCES counter(id),
  doc {JSON}
);
CREATE UNIQUE INDEX item__name ON item(tenant, name);
CREATE UNIQUE INDEX item__alias ON item(tenant, lower(alias)) WHERE active;
";

statement!(pub(crate) COUNTER_ADD, "INSERT INTO counter (id, value) VALUES ($1, $2)");
statement!(pub(crate) COUNTER_GET, "SELECT value FROM counter WHERE id = $1");
statement!(pub(crate) COUNTER_SET, "UPDATE counter SET value = $2 WHERE id = $1");
statement!(pub(crate) COUNTER_SUM, "SELECT CAST(coalesce(sum(value), 0) AS BIGINT), count(*) FROM counter");
statement!(pub(crate) COUNTER_IDS, "SELECT id FROM counter ORDER BY id");
statement!(
    pub(crate) ITEM_ADD,
    "INSERT INTO item (id, tenant, name, alias, active, counter, doc) VALUES ($1, $2, $3, $4, $5, $6, $7)"
);
statement!(pub(crate) ITEM_GET, "SELECT id, name, alias, active, counter, doc FROM item WHERE id = $1");
// The parameters appear out of order on purpose.
statement!(pub(crate) ITEM_RENAME, "UPDATE item SET name = $3 WHERE tenant = $2 AND id = $1 RETURNING name");
statement!(pub(crate) ITEM_NAMES, "SELECT name FROM item ORDER BY name");

pub(crate) fn text(row: &Row<'_>) -> Result<String, StoreError> {
    row.text(0)
}

pub(crate) fn int(row: &Row<'_>) -> Result<i64, StoreError> {
    row.int(0)
}

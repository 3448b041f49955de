//! Schema migrations: an ordered list, forward only, each applied once in a transaction of its own.

use rusqlite::Connection;
use sha2::{Digest, Sha256};

use crate::dialect::{Dialect, from_postgres, from_sqlite};
use crate::options::OpenOptions;
use crate::sqlite::{control, rollback};
use crate::{Location, StoreError};

/// A migration's name and text. Its number is its place in the list, from 1. `{JSON}` is the database's JSON type;
/// a column of type TEXT compares by bytes on both databases.
pub type Migration = (&'static str, &'static str);

/// Every migration of this program. A text that was released is never changed: append another.
pub const MIGRATIONS: &[Migration] = &[
    ("initial", include_str!("schema/0001_initial.sql")),
    ("connections", include_str!("schema/0002_connections.sql")),
    ("endpoint", include_str!("schema/0003_endpoint.sql")),
    ("findings", include_str!("schema/0004_findings.sql")),
    ("webhooks", include_str!("schema/0005_webhooks.sql")),
    ("admin", include_str!("schema/0006_admin.sql")),
    ("schemas", include_str!("schema/0007_schemas.sql")),
    ("departures", include_str!("schema/0008_departures.sql")),
    ("ranges", include_str!("schema/0009_ranges.sql")),
];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migration (\
                     number BIGINT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL, applied BIGINT NOT NULL)";
const APPLIED: &str = "SELECT number, hash FROM schema_migration ORDER BY number";
const INSERT: &str = "INSERT INTO schema_migration (number, name, hash, applied) VALUES ($1, $2, $3, $4)";

/// The advisory lock that one process holds while it changes a PostgreSQL schema ("lockstep" in ASCII).
const LOCK: i64 = 0x6c6f_636b_7374_6570;

/// Brings a SQLite database up to date.
pub(crate) fn sqlite(connection: &Connection, path: &str, options: &OpenOptions) -> Result<(), StoreError> {
    loop {
        control(connection, "BEGIN IMMEDIATE")?;
        let step = sqlite_step(connection, path, options);
        let step = step.and_then(|more| control(connection, "COMMIT").map(|()| more));
        rollback(connection);
        if !step? {
            return Ok(());
        }
    }
}

/// Applies the next migration, inside an open transaction; whether there was one.
fn sqlite_step(connection: &Connection, path: &str, options: &OpenOptions) -> Result<bool, StoreError> {
    let fail = |error| from_sqlite("migrate", &error);
    let tables = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(fail);
    if tables("SELECT count(*) FROM sqlite_schema WHERE name = 'schema_migration'")? == 0 {
        if tables("SELECT count(*) FROM sqlite_schema")? > 0 {
            let reason = "it holds the tables of another program".to_owned();
            return Err(StoreError::NotADatabase { path: path.to_owned(), reason });
        }
        may_create(path, options)?;
        connection.execute_batch(TABLE).map_err(fail)?;
    }
    let applied: Vec<(i64, String)> = connection
        .prepare(APPLIED)
        .and_then(|mut rows| rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .map_err(fail)?;
    let Some((number, (name, text))) = next(&applied, options.migrations)? else { return Ok(false) };
    let doing = format!("migration {number} ({name})");
    connection.execute_batch(&Dialect::Sqlite.schema(text)).map_err(|error| from_sqlite(&doing, &error))?;
    connection.execute(INSERT, (number, name, hash(text), options.now_ms)).map_err(fail)?;
    Ok(true)
}

/// Brings a PostgreSQL database up to date.
pub(crate) async fn postgres(
    client: &tokio_postgres::Client,
    location: &Location,
    options: &OpenOptions,
) -> Result<(), StoreError> {
    let refuse = |reason: String| StoreError::CannotOpen { path: location.to_string(), reason };
    let fail = |error| from_postgres("migrate", &error);
    let encoding: String = client.query_one("SHOW server_encoding", &[]).await.map_err(fail)?.get(0);
    if encoding != "UTF8" {
        return Err(refuse(format!("its encoding is {encoding}; create it with ENCODING 'UTF8'")));
    }
    loop {
        client.batch_execute("BEGIN READ WRITE").await.map_err(fail)?;
        let step = postgres_step(client, location, options).await;
        let end = if step.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = client.batch_execute(end).await.map_err(fail);
        if !step? {
            return ended;
        }
        ended?;
    }
}

async fn postgres_step(
    client: &tokio_postgres::Client,
    location: &Location,
    options: &OpenOptions,
) -> Result<bool, StoreError> {
    let fail = |error| from_postgres("migrate", &error);
    // Another process may be migrating for longer than a lock is waited for elsewhere.
    client.batch_execute("SET LOCAL lock_timeout = '60s'").await.map_err(fail)?;
    client.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(fail)?;
    if let Some(namespace) = options.namespace.filter(|_| options.create) {
        let create = format!("CREATE SCHEMA IF NOT EXISTS {namespace}");
        client.batch_execute(&create).await.map_err(fail)?;
    }
    let exists = "SELECT to_regclass('schema_migration') IS NOT NULL";
    let exists: bool = client.query_one(exists, &[]).await.map_err(fail)?.get(0);
    if !exists {
        may_create(&location.to_string(), options)?;
        client.batch_execute(&Dialect::Postgres.schema(TABLE)).await.map_err(fail)?;
    }
    let rows = client.query(APPLIED, &[]).await.map_err(fail)?;
    let applied: Vec<(i64, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let Some((number, (name, text))) = next(&applied, options.migrations)? else { return Ok(false) };
    let doing = format!("migration {number} ({name})");
    client
        .batch_execute(&Dialect::Postgres.schema(text))
        .await
        .map_err(|error| from_postgres(&doing, &error))?;
    client.execute(INSERT, &[&number, &name, &hash(text), &options.now_ms]).await.map_err(fail)?;
    Ok(true)
}

fn may_create(path: &str, options: &OpenOptions) -> Result<(), StoreError> {
    if options.create {
        return Ok(());
    }
    let reason = "it is empty; create the database first".to_owned();
    Err(StoreError::CannotOpen { path: path.to_owned(), reason })
}

/// The first migration that is not applied, or why this program must not use the database.
fn next(applied: &[(i64, String)], known: &[Migration]) -> Result<Option<(i64, Migration)>, StoreError> {
    let newest = known.len() as i64;
    if let Some((found, _)) = applied.iter().find(|(number, _)| *number > newest) {
        let found = applied.last().map_or(*found, |(number, _)| *number);
        return Err(StoreError::NewerSchema { found, known: newest });
    }
    for (number, migration @ (name, text)) in (1..).zip(known) {
        match applied.iter().find(|(done, _)| *done == number) {
            None => return Ok(Some((number, *migration))),
            Some((_, done)) if *done != hash(text) => {
                return Err(StoreError::ChangedMigration { number, name: (*name).to_owned() });
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// SHA-256 of a migration's text, the same on both databases, in hexadecimal.
fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

//! The few differences between SQLite and PostgreSQL: schema types, and the errors each reports.

use rusqlite::ErrorCode;
use rusqlite::ffi;
use tokio_postgres::error::SqlState;

use crate::StoreError;

/// Which database a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// A migration's text for this database. `{JSON}` is its JSON type; a table that ends in `{BY DAY}` is divided by its
    /// column `day` where the database can do that, so that a day is dropped as a whole; TEXT columns compare by bytes on both, so that
    /// order and keyset paging do not depend on the server's locale.
    pub(crate) fn schema(self, template: &str) -> String {
        match self {
            Dialect::Sqlite => {
                checks_without_lists(template).replace("{JSON}", "TEXT").replace(" {BY DAY}", "")
            }
            Dialect::Postgres => collate_by_bytes(template)
                .replace("{JSON}", "JSONB")
                .replace("{BY DAY}", "PARTITION BY RANGE (day)"),
        }
    }
}

/// Makes the part of a table `{BY DAY}` that holds this day (PostgreSQL).
pub(crate) fn day_added(table: &str, day: i64) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table}_{day} PARTITION OF {table} FOR VALUES FROM ({day}) TO ({})",
        day + 1
    )
}

/// Drops the part of a table `{BY DAY}` that holds this day, with all its rows (PostgreSQL).
pub(crate) fn day_dropped(table: &str, day: i64) -> String {
    format!("DROP TABLE IF EXISTS {table}_{day}")
}

/// Writes `CHECK (a = 'x' OR a = 'y')` for each `CHECK (a IN ('x', 'y'))`: SQLite makes a table of a longer list, whenever a row
/// is written, which costs more than writing the row.
fn checks_without_lists(template: &str) -> String {
    let mut pieces = template.split("CHECK (");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str("CHECK (");
        match piece.split_once(" IN (").and_then(|(column, rest)| Some((column, rest.split_once("))")?))) {
            Some((column, (values, rest))) if !column.contains(')') => {
                let each: Vec<String> =
                    values.split(", ").map(|value| format!("{column} = {value}")).collect();
                out.push_str(&each.join(" OR "));
                out.push(')');
                out.push_str(rest);
            }
            _ => out.push_str(piece),
        }
    }
    out
}

/// Writes `TEXT COLLATE "C"` for each TEXT that is a column type (not `CAST(x AS TEXT)`).
fn collate_by_bytes(template: &str) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    let mut previous = "";
    for piece in template.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
        let word = piece.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        out.push_str(word);
        if word == "TEXT" && previous != "AS" {
            out.push_str(" COLLATE \"C\"");
        }
        out.push_str(&piece[word.len()..]);
        if !word.is_empty() {
            previous = word;
        }
    }
    out
}

/// What a SQLite failure means. `doing` is the statement's name or the step.
pub(crate) fn from_sqlite(doing: &str, error: &rusqlite::Error) -> StoreError {
    let rusqlite::Error::SqliteFailure(failure, message) = error else {
        return StoreError::Other { detail: format!("{doing}: {error}") };
    };
    let message = message.clone().unwrap_or_else(|| failure.to_string());
    let detail = format!("{doing}: {message}");
    match failure.code {
        ErrorCode::ConstraintViolation => sqlite_constraint(failure.extended_code, &message, detail),
        ErrorCode::DiskFull => StoreError::Full { detail },
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => StoreError::ReadOnly { detail },
        ErrorCode::SystemIoFailure => StoreError::Io { detail },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy { detail },
        ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => {
            StoreError::NotADatabase { path: "database".to_owned(), reason: message }
        }
        ErrorCode::CannotOpen => StoreError::CannotOpen {
            path: "database".to_owned(),
            reason: format!("{message}; check its folder"),
        },
        _ => StoreError::Other { detail },
    }
}

fn sqlite_constraint(extended: i32, message: &str, detail: String) -> StoreError {
    let named = message.rsplit_once(": ").map_or(message, |(_, name)| name);
    match extended {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            StoreError::Conflict { key: sqlite_key(named) }
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => StoreError::ForeignKey { detail },
        ffi::SQLITE_CONSTRAINT_CHECK | ffi::SQLITE_CONSTRAINT_NOTNULL => {
            StoreError::Check { rule: named.rsplit('.').next().unwrap_or(named).to_owned() }
        }
        _ => StoreError::Other { detail },
    }
}

/// The key in `usr.tenant, usr.user_name_key` or `index 'usr__user_name_key'`.
fn sqlite_key(named: &str) -> String {
    match named.strip_prefix("index '").and_then(|rest| rest.strip_suffix('\'')) {
        Some(index) => key_of_index(index).unwrap_or(index).to_owned(),
        None => named.rsplit('.').next().unwrap_or(named).to_owned(),
    }
}

/// The part of `{table}__{key}` after the table.
fn key_of_index(index: &str) -> Option<&str> {
    index.split_once("__").map(|(_, key)| key)
}

/// What a PostgreSQL failure means. `doing` is the statement's name or the step.
pub(crate) fn from_postgres(doing: &str, error: &tokio_postgres::Error) -> StoreError {
    let Some(failure) = error.as_db_error() else {
        let detail = format!("{doing}: {}", with_causes(error));
        // Everything that is neither the server's answer nor the connection is a wrong use of the driver.
        return if is_connection_loss(error) {
            StoreError::Io { detail }
        } else {
            StoreError::Other { detail }
        };
    };
    // Not `detail()`: it quotes the values.
    let detail = format!("{doing}: {}", failure.message());
    let constraint = failure.constraint().unwrap_or_default();
    match failure.code() {
        code if *code == SqlState::UNIQUE_VIOLATION => StoreError::Conflict {
            key: match (key_of_index(constraint), failure.detail().and_then(last_column)) {
                (Some(key), _) | (None, Some(key)) => key.to_owned(),
                (None, None) => constraint.to_owned(),
            },
        },
        code if *code == SqlState::FOREIGN_KEY_VIOLATION => StoreError::ForeignKey { detail },
        code if *code == SqlState::CHECK_VIOLATION => StoreError::Check { rule: constraint.to_owned() },
        code if *code == SqlState::NOT_NULL_VIOLATION => {
            StoreError::Check { rule: failure.column().unwrap_or_default().to_owned() }
        }
        code if *code == SqlState::UNTRANSLATABLE_CHARACTER => {
            StoreError::Check { rule: "text without NUL".to_owned() }
        }
        code if *code == SqlState::DISK_FULL => StoreError::Full { detail },
        code if *code == SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::ReadOnly { detail },
        code if is_repeatable(code)
            || *code == SqlState::LOCK_NOT_AVAILABLE
            || *code == SqlState::TOO_MANY_CONNECTIONS =>
        {
            StoreError::Busy { detail }
        }
        code if code.code().starts_with("08") || code.code().starts_with("58") || is_shutdown(code) => {
            StoreError::Io { detail }
        }
        code => StoreError::Other { detail: format!("{detail} [{}]", code.code()) },
    }
}

/// Whether the server asks for the transaction to be repeated: a serialization failure or a deadlock.
pub(crate) fn is_repeatable(code: &SqlState) -> bool {
    *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
}

/// Whether the connection is gone, so that what was not committed did not happen.
pub(crate) fn is_connection_loss(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        Some(failure) => is_shutdown(failure.code()),
        None => {
            error.is_closed()
                || std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>())
        }
    }
}

fn is_shutdown(code: &SqlState) -> bool {
    [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW].contains(code)
}

/// The last column in PostgreSQL's `Key (tenant, id)=(..) already exists.`
fn last_column(detail: &str) -> Option<&str> {
    let columns = detail.strip_prefix("Key (")?.split(")=").next()?;
    columns.rsplit(", ").next()
}

/// An error's text with its causes: the driver's own text leaves them out.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_types_differ_and_text_is_compared_by_bytes() {
        let template =
            "CREATE TABLE t (a TEXT NOT NULL, b TEXT, CONTEXT_ID BIGINT, d {JSON}, e TEXT);\nCAST(a AS TEXT)";
        assert_eq!(Dialect::Sqlite.schema(template), template.replace("{JSON}", "TEXT"));
        assert_eq!(
            Dialect::Postgres.schema(template),
            "CREATE TABLE t (a TEXT COLLATE \"C\" NOT NULL, b TEXT COLLATE \"C\", CONTEXT_ID BIGINT, d JSONB, \
             e TEXT COLLATE \"C\");\nCAST(a AS TEXT)"
        );
    }

    #[test]
    fn checks_name_each_value_on_sqlite() {
        let template =
            "a TEXT CHECK (a IN ('x', 'y')),\nb BIGINT CHECK (b >= 0),\nc TEXT CHECK (c IN ('z')));";
        assert_eq!(
            Dialect::Sqlite.schema(template),
            "a TEXT CHECK (a = 'x' OR a = 'y'),\nb BIGINT CHECK (b >= 0),\nc TEXT CHECK (c = 'z'));"
        );
        let all: String = crate::MIGRATIONS.iter().map(|(_, text)| Dialect::Sqlite.schema(text)).collect();
        let checks =
            all.split("CHECK (").skip(1).filter(|rest| rest.lines().next().unwrap_or("").contains(" IN ("));
        assert_eq!(checks.count(), 0);
    }

    #[test]
    fn keys_are_the_last_column() {
        assert_eq!(sqlite_key("usr.tenant, usr.user_name_key"), "user_name_key");
        assert_eq!(sqlite_key("index 'usr__user_name_key'"), "user_name_key");
        assert_eq!(sqlite_key("index 'odd'"), "odd");
        assert_eq!(last_column("Key (tenant, id)=(a, b) already exists."), Some("id"));
    }
}

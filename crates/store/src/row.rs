//! Reading the columns of one result row by position, the same on both databases.

use rusqlite::types::ValueRef;
use tokio_postgres::types::{FromSql, Type};

use crate::StoreError;
use crate::value::{JSONB_VERSION, is_text};

/// One row of a result. Columns count from 0; a wrong type or an unexpected NULL is [`StoreError::Row`].
pub struct Row<'a> {
    pub(crate) statement: &'static str,
    pub(crate) columns: Columns<'a>,
}

/// The database's own row.
pub(crate) enum Columns<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// A TEXT that is never NULL. A JSON column is returned as its text.
    pub fn text(&self, column: usize) -> Result<String, StoreError> {
        self.opt_text(column)?.ok_or_else(|| self.null(column))
    }

    /// A TEXT that may be NULL.
    pub fn opt_text(&self, column: usize) -> Result<Option<String>, StoreError> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text.to_owned())),
            other => Err(self.wrong(column, "TEXT", other.kind())),
        }
    }

    /// A BIGINT that is never NULL.
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.opt_int(column)?.ok_or_else(|| self.null(column))
    }

    /// A BIGINT that may be NULL.
    pub fn opt_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Int(number) => Ok(Some(number)),
            other => Err(self.wrong(column, "BIGINT", other.kind())),
        }
    }

    /// A BOOLEAN that is never NULL.
    pub fn bool(&self, column: usize) -> Result<bool, StoreError> {
        match self.cell(column)? {
            Cell::Null => Err(self.null(column)),
            Cell::Bool(flag) => Ok(flag),
            // SQLite has no boolean type: only 0 and 1 are ever stored for one.
            Cell::Int(number @ (0 | 1)) if matches!(self.columns, Columns::Sqlite(_)) => Ok(number == 1),
            other => Err(self.wrong(column, "BOOLEAN", other.kind())),
        }
    }

    /// A JSON document that is never NULL.
    pub fn json(&self, column: usize) -> Result<serde_json::Value, StoreError> {
        self.opt_json(column)?.ok_or_else(|| self.null(column))
    }

    /// A JSON document that may be NULL.
    pub fn opt_json(&self, column: usize) -> Result<Option<serde_json::Value>, StoreError> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Text(text) => match serde_json::from_str(text) {
                Ok(document) => Ok(Some(document)),
                // The parser's message names a position, not the content.
                Err(error) => Err(self.error(column, format!("it is not JSON: {error}"))),
            },
            other => Err(self.wrong(column, "JSON", other.kind())),
        }
    }

    fn cell(&self, column: usize) -> Result<Cell<'_>, StoreError> {
        match &self.columns {
            Columns::Sqlite(row) => match row.get_ref(column) {
                Ok(ValueRef::Null) => Ok(Cell::Null),
                Ok(ValueRef::Integer(number)) => Ok(Cell::Int(number)),
                Ok(ValueRef::Text(bytes)) => match std::str::from_utf8(bytes) {
                    Ok(text) => Ok(Cell::Text(text)),
                    Err(_) => Err(self.error(column, "it is not UTF-8".to_owned())),
                },
                Ok(ValueRef::Real(_)) => Ok(Cell::Other("REAL")),
                Ok(ValueRef::Blob(_)) => Ok(Cell::Other("BLOB")),
                Err(error) => Err(self.error(column, error.to_string())),
            },
            Columns::Postgres(row) => {
                row.try_get(column).map_err(|error| self.error(column, error.to_string()))
            }
        }
    }

    fn null(&self, column: usize) -> StoreError {
        self.error(column, "it is NULL".to_owned())
    }

    fn wrong(&self, column: usize, expected: &str, found: &str) -> StoreError {
        self.error(column, format!("{expected} was expected, found {found}"))
    }

    fn error(&self, column: usize, detail: String) -> StoreError {
        StoreError::Row { statement: self.statement, detail: format!("column {column}: {detail}") }
    }
}

/// One column's value, borrowed from the row.
enum Cell<'a> {
    Null,
    Int(i64),
    Bool(bool),
    Text(&'a str),
    Other(&'static str),
}

impl Cell<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Cell::Null => "NULL",
            Cell::Int(_) => "BIGINT",
            Cell::Bool(_) => "BOOLEAN",
            Cell::Text(_) => "TEXT",
            Cell::Other(kind) => kind,
        }
    }
}

impl<'a> FromSql<'a> for Cell<'a> {
    fn from_sql(column: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *column {
            Type::INT8 => Cell::Int(i64::from_sql(column, raw)?),
            Type::INT4 => Cell::Int(i32::from_sql(column, raw)?.into()),
            Type::INT2 => Cell::Int(i16::from_sql(column, raw)?.into()),
            Type::BOOL => Cell::Bool(bool::from_sql(column, raw)?),
            Type::JSONB => match raw {
                [JSONB_VERSION, text @ ..] => Cell::Text(std::str::from_utf8(text)?),
                _ => return Err("an unknown version of jsonb".into()),
            },
            Type::NUMERIC => Cell::Other("NUMERIC (write CAST(.. AS BIGINT))"),
            ref text if is_text(text) => Cell::Text(std::str::from_utf8(raw)?),
            _ => Cell::Other("another type"),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Cell::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

//! Values bound to the numbered parameters of a statement, the same on both databases.

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type};

/// One statement parameter. JSON documents are passed as [`Value::Text`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A BIGINT: counters, versions, times in milliseconds since 1970.
    Int(i64),
    /// A BOOLEAN (0 or 1 in SQLite).
    Bool(bool),
    /// A TEXT, or a JSON document where the column is one.
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Value {
        Value::Text(value.clone())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
        Ok(match self {
            Value::Null => ToSqlOutput::Owned(Owned::Null),
            Value::Int(number) => ToSqlOutput::Owned(Owned::Integer(*number)),
            Value::Bool(flag) => ToSqlOutput::Owned(Owned::Integer(i64::from(*flag))),
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

/// The leading byte of a binary `jsonb` value: the format's version, the JSON text follows.
pub(crate) const JSONB_VERSION: u8 = 1;

type Encoded = Result<IsNull, Box<dyn std::error::Error + Sync + Send>>;

impl ToSql for Value {
    fn to_sql(&self, column: &Type, out: &mut BytesMut) -> Encoded {
        match self {
            Value::Null => return Ok(IsNull::Yes),
            Value::Int(number) if *column == Type::INT8 => return number.to_sql(column, out),
            Value::Int(number) if *column == Type::INT4 => {
                return i32::try_from(*number)?.to_sql(column, out);
            }
            Value::Int(number) if *column == Type::INT2 => {
                return i16::try_from(*number)?.to_sql(column, out);
            }
            Value::Bool(flag) if *column == Type::BOOL => return flag.to_sql(column, out),
            Value::Text(text) if *column == Type::JSONB => {
                out.extend_from_slice(&[JSONB_VERSION]);
                out.extend_from_slice(text.as_bytes());
            }
            Value::Text(text) if is_text(column) => out.extend_from_slice(text.as_bytes()),
            other => return Err(format!("a {} is bound where {column} is expected", other.kind()).into()),
        }
        Ok(IsNull::No)
    }

    // Any column is accepted here so that a mismatch is reported by `to_sql` with both types named.
    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Value::Null => "NULL",
            Value::Int(_) => "BIGINT",
            Value::Bool(_) => "BOOLEAN",
            Value::Text(_) => "TEXT",
        }
    }
}

/// Whether a PostgreSQL column's binary form is the text itself.
pub(crate) fn is_text(column: &Type) -> bool {
    [Type::TEXT, Type::VARCHAR, Type::JSON, Type::UNKNOWN, Type::BPCHAR, Type::NAME].contains(column)
}

//! Where the database is: a file for SQLite, a URL for PostgreSQL.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::StoreError;

/// A database's place, parsed from `lockstep.db`, `sqlite:lockstep.db` or `postgres://user@host/name`.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL URL, possibly with a password: never shown, see [`fmt::Display`].
    Postgres(String),
}

impl FromStr for Location {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Location, StoreError> {
        let refuse = |path: &str, reason: &str| {
            Err(StoreError::CannotOpen { path: path.to_owned(), reason: reason.to_owned() })
        };
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Location::Postgres(text.to_owned()));
        }
        let path = text.strip_prefix("sqlite:").unwrap_or(text);
        if path.is_empty() {
            return refuse("(empty)", "the path is empty; name a file or a postgres:// URL");
        }
        if path.contains("://") {
            // The rest of an unknown URL may hold a password.
            let scheme = path.split("://").next().unwrap_or_default();
            return refuse(
                &format!("{scheme}://.."),
                "use a file path, sqlite:PATH or postgres://USER@HOST/NAME",
            );
        }
        if path.contains('\0') {
            return refuse("(path)", "the path holds a NUL character");
        }
        Ok(Location::Sqlite(PathBuf::from(path)))
    }
}

impl Location {
    /// Where the SCIM log of this database is: a file beside it, or a schema in the same PostgreSQL database.
    pub fn of_scim_log(&self) -> Location {
        match self {
            Location::Sqlite(path) => {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                Location::Sqlite(path.with_file_name(format!("{stem}-scimlog.db")))
            }
            Location::Postgres(url) => Location::Postgres(url.clone()),
        }
    }
}

/// The path, or the URL without user, password and parameters.
impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Sqlite(path) => write!(out, "{}", path.display()),
            Location::Postgres(url) => {
                let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
                let rest = rest.split('?').next().unwrap_or_default();
                let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
                write!(out, "postgres://{host}")
            }
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Location({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_each_form() {
        for path in ["a.db", "sqlite:a.db"] {
            assert_eq!(path.parse::<Location>(), Ok(Location::Sqlite("a.db".into())));
        }
        let url = "postgresql://u@h/d";
        assert_eq!(url.parse::<Location>(), Ok(Location::Postgres(url.to_owned())));
    }

    #[test]
    fn refuses_what_is_neither_and_never_shows_a_password() {
        for text in ["", "sqlite:", "mysql://root:secret@h/d", "a\0b"] {
            let error = text.parse::<Location>().expect_err(text);
            assert_eq!(error.code(), "cannot-open");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let shown = format!("{:?}", "postgres://u:p@ss@h:1/d?password=x".parse::<Location>().unwrap());
        assert_eq!(shown, "Location(postgres://h:1/d)");
    }
}

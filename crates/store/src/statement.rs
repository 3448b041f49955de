//! The registry of SQL statements: each is written once and prepared against both databases by a test.

use std::sync::OnceLock;

/// One SQL text that means the same on SQLite and PostgreSQL. Parameters are `$1`, `$2`, .. and bound by number.
#[derive(Debug)]
pub struct Statement {
    /// Where it is declared: module path and constant.
    pub name: &'static str,
    /// The text.
    pub sql: &'static str,
    /// For each parameter in SQLite's order the number in its name.
    pub(crate) numbers: OnceLock<Box<[usize]>>,
}

inventory::collect!(&'static Statement);

impl Statement {
    /// What [`statement!`] declares.
    pub const fn new(name: &'static str, sql: &'static str) -> Statement {
        Statement { name, sql, numbers: OnceLock::new() }
    }

    /// Every statement linked into this program, ordered by name.
    pub fn all() -> Vec<&'static Statement> {
        let mut all: Vec<_> = inventory::iter::<&'static Statement>.into_iter().copied().collect();
        all.sort_by_key(|statement| statement.name);
        all
    }
}

/// Declares and registers a [`Statement`]: `statement!(pub(crate) USER_BY_ID, "SELECT doc FROM usr WHERE id = $1")`.
#[macro_export]
macro_rules! statement {
    ($(#[$attribute:meta])* $visibility:vis $name:ident, $sql:expr $(,)?) => {
        $(#[$attribute])*
        $visibility static $name: $crate::Statement =
            $crate::Statement::new(concat!(module_path!(), "::", stringify!($name)), $sql);
        $crate::inventory::submit! { &$name }
    };
}

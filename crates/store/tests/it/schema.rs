//! Rules of the schema that error messages rest on.

use store::testing::postgres;
use store::{Location, Store};

use crate::tables::options;

/// Of every unique index: its table, its name, and its last column, or nothing where that is an expression.
const UNIQUE_INDEXES: &str = "
SELECT t.relname, c.relname, a.attname
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = 'public'
LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[i.indnkeyatts - 1]
WHERE i.indisunique AND t.relname NOT IN ('schema_migration', 'counter')
ORDER BY c.relname";

/// SQLite names the columns of a violated index and PostgreSQL names the index; both must give the same key.
#[test]
fn unique_indexes_are_named_after_their_table_and_last_column() {
    let location = postgres();
    let _store = Store::open(&location, options()).unwrap();
    let Location::Postgres(url) = location else { unreachable!("postgres() gives a URL") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rows = runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.query(UNIQUE_INDEXES, &[]).await.unwrap()
    });
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let (table, index): (&str, &str) = (row.get(0), row.get(1));
            let column: Option<&str> = row.get(2);
            let fits = match column {
                Some(column) => index == format!("{table}__{column}"),
                None => index.starts_with(&format!("{table}__")),
            };
            (!fits).then(|| format!("{index} on {table}, last column {column:?}"))
        })
        .collect();
    assert!(rows.len() >= 4, "the tests' tables alone have three, the product's more");
    assert!(wrong.is_empty(), "not named table__lastcolumn: {wrong:#?}");
}

//! Every registered statement compiles on both databases against the migrated schema.

use std::collections::BTreeSet;

use store::testing::on_each;
use store::{Statement, StoreError};

use crate::tables::options;

#[test]
fn every_statement_is_accepted_by_both_databases() {
    let all = Statement::all();
    assert!(all.len() >= 9, "the tests alone register nine");
    on_each(options, |name, store| {
        let refused = store
            .read_blocking(|tx| {
                let refused =
                    Statement::all().into_iter().filter_map(|statement| tx.prepare(statement).err());
                Ok::<Vec<StoreError>, StoreError>(refused.collect())
            })
            .unwrap();
        assert_eq!(refused, vec![], "{name}");
    });
    println!("{} statements prepared on each database", all.len());
}

#[test]
fn names_are_unique() {
    let all = Statement::all();
    let names: BTreeSet<_> = all.iter().map(|statement| statement.name).collect();
    assert_eq!(names.len(), all.len());
}

/// Text that only one database understands.
#[test]
fn statements_hold_no_word_of_one_database() {
    for statement in Statement::all() {
        let sql = statement.sql.to_ascii_lowercase();
        for word in ["jsonb", "::", "ilike", "for update", "insert or ", "rowid", "glob ", "?1", "now()"] {
            assert!(!sql.contains(word), "{} holds {word:?}", statement.name);
        }
    }
}

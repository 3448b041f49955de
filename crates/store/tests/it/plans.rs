//! Cost follows the change: no statement may walk a tenant's or an app's whole table, but for those that are meant to.

use store::{MIGRATIONS, Statement};

/// Tables that grow with the directory, the queue or the history.
const BIG: [&str; 18] = [
    "departure",
    "extension_use",
    "user_merge",
    "confirmed",
    "signin_subject",
    "signin_log",
    "lookup",
    "usr",
    "grp",
    "member",
    "assignment",
    "link",
    "link_key",
    "edge",
    "mark",
    "intent",
    "task",
    "audit",
];

/// Statements that answer a question about everything, by the end of their names.
const MEANT_TO: [&str; 47] = [
    // Lists and figures that a person asks for.
    "user::COUNT",
    "user::COUNT_ACTIVE",
    "group::COUNT",
    "member::COUNT",
    "member::NESTED",
    "link::COUNT_BY_STATE",
    "link::COUNT_LIVE",
    "edge::WAITING",
    "edge::PRESENT",
    "mark::COUNT_BY_STATE",
    "intent::COUNT_BY_STATE",
    "audit::COUNT_UNSEALED",
    "audit::UNSEALED",
    // The whole queue, in its order or on purpose; it holds only what is due.
    "mark::READY",
    "mark::NEXT_DUE",
    "mark::COUNT_UNLINKED",
    "mark::WAKE_WAITING",
    "mark::WAKE_PARKED",
    "mark::RETRY_ALL",
    "mark::RELEASE_ALL",
    "mark::DUE_NOW",
    "mark::WAVES_WITH_STAGED",
    "app::PUSH_LIST",
    "app::ASSIGNMENTS",
    "task::LIST",
    "task::OF_APP",
    "task::CLOSE_APP",
    "task::COUNT",
    "user::DELETED_BY_REF",
    "group::DELETED_BY_REF",
    "user::LIST_DELETED",
    "group::LIST_DELETED",
    "audit::LIST_SINCE",
    // A page of a list after so many others.
    "users::ID_SKIP",
    "users::ID_SKIP_DOWN",
    "users::NAME_SKIP",
    "users::NAME_SKIP_DOWN",
    "users::MODIFIED_SKIP",
    "users::MODIFIED_SKIP_DOWN",
    "groups::ID_SKIP",
    "groups::ID_SKIP_DOWN",
    "groups::NAME_SKIP",
    "groups::NAME_SKIP_DOWN",
    "groups::MODIFIED_SKIP",
    "groups::MODIFIED_SKIP_DOWN",
    // Once, when a limit is set; and what an older program left without lookups.
    "seat::SET",
    "lookup::MISSING",
];

#[test]
fn no_statement_walks_a_whole_table() {
    let database = rusqlite::Connection::open_in_memory().unwrap();
    for (_, sql) in MIGRATIONS {
        database.execute_batch(&sql.replace("{JSON}", "TEXT")).unwrap();
    }
    let mut problems = vec![];
    let mut seen = 0;
    for statement in Statement::all() {
        if !statement.name.contains("::repo::") {
            continue;
        }
        seen += 1;
        for step in steps(&database, statement) {
            let meant = MEANT_TO.iter().any(|name| statement.name.ends_with(name));
            if walks(&step) && !meant {
                problems.push(format!("{}: {step}", statement.name));
            }
        }
    }
    assert!(seen > 100, "the statements were found: {seen}");
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn a_walk_would_be_noticed() {
    for step in [
        "SCAN usr",
        "SEARCH m USING INDEX member_of (tenant=?)",
        "SEARCH mark USING INDEX x (tenant=? AND app=?)",
    ] {
        assert!(walks(step), "{step}");
    }
    for step in [
        "SCAN up",
        "SEARCH usr USING INDEX x (tenant=? AND id=?)",
        "SEARCH a USING INDEX y (tenant=? AND app=? AND id>?)",
    ] {
        assert!(!walks(step), "{step}");
    }
}

/// The steps of SQLite's plan, with short names of tables put back.
fn steps(database: &rusqlite::Connection, statement: &Statement) -> Vec<String> {
    let mut plan = database.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql)).unwrap();
    let count = plan.parameter_count();
    let rows = plan.query_map(rusqlite::params_from_iter(vec![rusqlite::types::Null; count]), |row| {
        row.get::<_, String>(3)
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// A scan of a big table, or a search by nothing but the tenant or the app. Aliases are one letter and stand for big tables.
fn walks(step: &str) -> bool {
    let mut words = step.split(' ');
    let (verb, table) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let big = BIG.contains(&table) || (table.len() == 1 && table != "r" && table != "a");
    let whole = step.ends_with("(tenant=?)") || step.ends_with("(tenant=? AND app=?)");
    let alias_of_big = table == "a" && step.contains("INDEX");
    (big || alias_of_big) && (verb == "SCAN" || (verb == "SEARCH" && whole))
}

//! How long a running server keeps its logs: as long as it says by itself, and as long as it is told.

use domain::exchange::Exchange;
use domain::ids::{TenantId, uuid_v7};
use futures::executor::block_on;
use serde_json::{Value, json};
use store::repo::signin::{LogRow, log};
use store::scim_log::{ScimLog, ScimLogOptions};
use store::{Location, OpenOptions, Store, StoreError};

use crate::bench::{Folder, now_ms};
use crate::endpoint_logs::until;
use crate::serving::Serving;

const DAY_MS: i64 = 86_400_000;

/// A code that tells how old an entry is.
fn code(days: i64) -> String {
    format!("{days:012x}")
}

fn sign_in(location: &Location, tenant: &TenantId, ages: &'static [i64]) {
    let store = Store::open(location, OpenOptions::new(now_ms())).unwrap();
    let tenant = tenant.clone();
    let written = store.write_blocking(move |tx| {
        for days in ages {
            let at_ms = now_ms() - days * DAY_MS;
            let row = LogRow {
                id: uuid_v7(at_ms, 1),
                at_ms,
                trace: code(*days),
                outcome: "refused".into(),
                token: "cli".into(),
                connection: None,
                issuer: "https://login.example".into(),
                subject: "s-1".into(),
                user: None,
                detail: json!({}),
            };
            log(tx, &tenant, &row)?;
        }
        Ok::<_, StoreError>(())
    });
    written.unwrap();
}

fn record(location: &Location, tenant: &TenantId, ages: impl Iterator<Item = i64>) {
    let log = ScimLog::open(location, ScimLogOptions::new(now_ms)).unwrap();
    for days in ages {
        let at_ms = now_ms() - days * DAY_MS;
        let detail = Some("x".repeat(400));
        let exchange = Exchange::new(tenant, at_ms, &code(days), "GET", "/Users");
        log.record(Exchange { status: 409, detail, ..exchange });
    }
    block_on(log.flush());
}

fn kept(database: &str, location: impl Fn(&Folder) -> Location) {
    let folder = Folder::new();
    Serving::start(&folder, database, "okta").stop();
    let run =
        |arguments: &[&str]| folder.ok(&[&["--database", database, "-o", "json"], arguments].concat()).json();
    let codes = |which: &str, limit: &str| -> Vec<String> {
        let found = run(&["log", which, "--limit", limit]);
        let code = |entry: &Value| entry["trace"].as_str().unwrap().to_owned();
        found.as_array().unwrap().iter().map(code).collect()
    };
    let tenant = TenantId::new(run(&["tenant", "list"])[0]["id"].as_str().unwrap());
    let location = location(&folder);
    sign_in(&location, &tenant, &[0, 5, 40, 100]);
    record(&location, &tenant, [100, 40, 5, 0].into_iter());

    let serving = Serving::again(&folder, database, &[]);
    let newest = |ages: &[i64]| ages.iter().copied().map(code).collect::<Vec<_>>();
    until("the end of 90 days", || codes("signin", "10") == newest(&[0, 5, 40]));
    until("the end of 30 days", || codes("scim", "10") == newest(&[0, 5]));
    serving.stop();

    let options = ["--signin-log-days", "7", "--scim-log-days", "2", "--scim-log-bytes", "500MiB"];
    let serving = Serving::again(&folder, database, &options);
    until("the end of 7 days", || codes("signin", "10") == newest(&[0, 5]));
    until("the end of 2 days", || codes("scim", "10") == newest(&[0]));
    serving.stop();

    record(&location, &tenant, std::iter::repeat_n(0, 6_000));
    let serving = Serving::again(&folder, database, &["--scim-log-bytes", "1MiB"]);
    until("the end of what is too much", || codes("scim", "10000").len() < 6_000);
    assert!(!codes("scim", "10").is_empty(), "not everything goes");
    serving.stop();
}

#[test]
fn logs_are_kept_as_long_as_the_server_says_on_sqlite() {
    kept("lockstep.db", |folder| Location::Sqlite(folder.path().join("lockstep.db")));
}

#[test]
fn logs_are_kept_as_long_as_the_server_says_on_postgresql() {
    let location = store::testing::postgres();
    let Location::Postgres(url) = &location else { unreachable!("it gives a URL") };
    kept(url, |_| location.clone());
}

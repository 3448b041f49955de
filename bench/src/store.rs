//! Durable creates per second through the store, beside one commit per caller and plain autocommit.
//!
//! `cargo run --release -p bench --bin bench-store -- [SECONDS] [postgres|URL]`. SQLite runs with synchronous=FULL; with `postgres`
//! a private PostgreSQL server is started for the run, with fsync on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bench::clock::{monotonic_micros, per_second, timed};
use domain::directory::User;
use domain::ids::{TenantId, UserId};
use futures::StreamExt;
use serde_json::json;
use store::repo::{tenant, user};
use store::{Location, OpenOptions, Store, StoreError};

/// Connections, and callers, on PostgreSQL.
const CONNECTIONS: usize = 64;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let span = Duration::from_secs(arguments.next().map_or(Ok(3), |text| text.parse())?);
    let folder = tempfile::tempdir()?;
    println!("SQLite, FULL, on {}", folder.path().display());
    let alone = one_commit_per_caller(folder.path().join("alone.db"), span)?;
    println!("  one commit per caller                 {alone:>9.0} creates/s");
    for callers in [1, 64, 256] {
        let location = folder.path().join(format!("{callers}.db")).display().to_string().parse()?;
        let options = OpenOptions { create: true, monotonic_micros, ..OpenOptions::new(1) };
        let store = open(&location, options)?;
        let rate = creates(&store, callers, span).await?;
        let stats = store.stats();
        println!(
            "  {callers:>3} callers                           {rate:>9.0} creates/s  {:>5.1} times; largest group {}, writer held {:.1} ms at most",
            rate / alone,
            stats.largest_group,
            millis(stats.longest_hold_micros),
        );
    }
    match arguments.next().as_deref() {
        Some("postgres") => postgres(&store::testing::durable_postgres(), span).await,
        Some(url) => postgres(&url.parse()?, span).await,
        None => Ok(()),
    }
}

async fn postgres(location: &Location, span: Duration) -> Result<()> {
    let Location::Postgres(url) = location else { return Err("this is no PostgreSQL URL".into()) };
    println!("PostgreSQL");
    let plain = autocommit(url, CONNECTIONS, span).await?;
    println!("  {CONNECTIONS} connections, plain autocommit      {plain:>9.0} creates/s");
    let options = OpenOptions { create: true, monotonic_micros, ..OpenOptions::new(1) };
    let store = open(location, options)?;
    let rate = creates(&store, CONNECTIONS, span).await?;
    println!(
        "  {CONNECTIONS} callers through the store          {rate:>9.0} creates/s  {:>5.2} times; {} repeated",
        rate / plain,
        store.stats().repeated
    );
    Ok(())
}

fn millis(micros: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a short time fits")]
    let micros = micros as f64;
    micros / 1_000.0
}

fn open(location: &store::Location, options: OpenOptions) -> Result<Store> {
    let store = Store::open(location, options)?;
    store.write_blocking(|tx| {
        if tenant::get(tx, &TenantId::new("bench"))?.is_none() {
            let new = tenant::Tenant { id: TenantId::new("bench"), name: "bench".into(), created_ms: 1 };
            tenant::create(tx, &new)?;
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(store)
}

fn new_user(n: u64) -> User {
    let name = format!("user{n}@example.com");
    User {
        id: UserId::new(format!("01890000-0000-7000-8000-{n:012}")),
        external_id: Some(format!("E{n}")),
        user_name: name.clone(),
        active: true,
        source: "bench".into(),
        doc: json!({"userName": name, "displayName": "Given Family", "active": true, "title": "Engineer"}),
        version: 1,
        deleted_ms: None,
    }
}

/// `callers` callers create users for `span`; gives the rate.
async fn creates(store: &Store, callers: usize, span: Duration) -> Result<f64> {
    let next = Arc::new(AtomicU64::new(1));
    let deadline = monotonic_micros() + u64::try_from(span.as_micros())?;
    let loops = futures::stream::iter(0..callers).map(|_| {
        let (store, next) = (store.clone(), next.clone());
        async move {
            while monotonic_micros() < deadline {
                let new = new_user(next.fetch_add(1, Ordering::Relaxed));
                store.write(move |tx| user::insert(tx, &TenantId::new("bench"), &new, 1)).await?;
            }
            Ok::<_, StoreError>(())
        }
    });
    let (results, time) = timed(loops.buffer_unordered(callers).collect::<Vec<_>>()).await;
    for result in results {
        result?;
    }
    Ok(per_second(usize::try_from(next.load(Ordering::Relaxed) - 1)?, time))
}

/// The same rows, each committed for itself on one connection: what a caller gets without grouping.
fn one_commit_per_caller(path: std::path::PathBuf, span: Duration) -> Result<f64> {
    let options = OpenOptions { create: true, ..OpenOptions::new(1) };
    drop(open(&path.display().to_string().parse()?, options)?);
    let connection = rusqlite::Connection::open(path)?;
    connection
        .execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;")?;
    let mut insert = connection.prepare(
        "INSERT INTO usr(tenant, id, external_id, user_name, user_name_key, active, source, doc, version, created_ms, modified_ms)
         VALUES ('bench', ?1, ?2, ?3, ?3, TRUE, 'bench', ?4, 1, 1, 1)",
    )?;
    let start = monotonic_micros();
    let end = start + u64::try_from(span.as_micros())?;
    let mut count = 0_u64;
    while monotonic_micros() < end {
        count += 1;
        let new = new_user(count);
        insert.execute((new.id.as_str(), new.external_id, new.user_name, new.doc.to_string()))?;
    }
    Ok(per_second(usize::try_from(count)?, Duration::from_micros(monotonic_micros() - start)))
}

/// Plain inserts without a transaction of their own, each on its connection.
async fn autocommit(url: &str, connections: usize, span: Duration) -> Result<f64> {
    let options = OpenOptions { create: true, ..OpenOptions::new(1) };
    drop(open(&url.parse()?, options)?);
    let next = Arc::new(AtomicU64::new(1_000_000_000));
    let first = next.load(Ordering::Relaxed);
    let mut clients = vec![];
    for _ in 0..connections {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        clients.push(client);
    }
    let deadline = monotonic_micros() + u64::try_from(span.as_micros())?;
    let loops = futures::stream::iter(clients).map(|client| {
        let next = next.clone();
        async move {
            let insert = client
                .prepare(
                    "INSERT INTO usr(tenant, id, external_id, user_name, user_name_key, active, source, doc, version, created_ms, modified_ms)
                     VALUES ('bench', $1, $2, $3, $3, TRUE, 'bench', CAST($4 AS TEXT)::jsonb, 1, 1, 1)",
                )
                .await?;
            while monotonic_micros() < deadline {
                let new = new_user(next.fetch_add(1, Ordering::Relaxed));
                let (id, doc) = (new.id.as_str(), new.doc.to_string());
                client.execute(&insert, &[&id, &new.external_id, &new.user_name, &doc]).await?;
            }
            Ok::<_, tokio_postgres::Error>(())
        }
    });
    let (results, time) = timed(loops.buffer_unordered(connections).collect::<Vec<_>>()).await;
    for result in results {
        result?;
    }
    Ok(per_second(usize::try_from(next.load(Ordering::Relaxed) - first)?, time))
}

//! What the SCIM log costs: the request path per record, the processor per record, and how many the writer keeps up with.
//!
//! `cargo run --release -p bench --bin bench-scim-log -- [RECORDS] [POSTGRES-URL]`

use std::hint::black_box;
use std::time::Duration;

use bench::clock::{now_ms, per_second, timed};
use domain::exchange::{Exchange, redact};
use domain::ids::TenantId;
use scim::ResourceType;
use serde_json::{Value, json};
use store::Location;
use store::scim_log::{ScimLog, ScimLogOptions};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Records that are put in without a pause; then the writer may work, as it does between the requests of a server.
const BURST: usize = 200;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let records = arguments.next().map_or(Ok(200_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    println!("SQLite, {records} creates with bodies of {} bytes", body(7).to_string().len() * 2);
    measure(&Location::Sqlite(folder.path().join("bench.db")), records).await?;
    if let Some(url) = arguments.next() {
        println!("PostgreSQL");
        measure(&url.parse()?, records).await?;
    }
    redaction(records).await;
    Ok(())
}

async fn measure(location: &Location, records: usize) -> Result<()> {
    let log = ScimLog::open(location, ScimLogOptions::new(now_ms))?;
    let (mut in_path, busy) = (Duration::ZERO, processor_time());
    let ((), whole) = timed(async {
        for first in (0..records).step_by(BURST) {
            let burst: Vec<Exchange> = (first..records.min(first + BURST)).map(exchange).collect();
            let ((), time) = timed(async {
                for exchange in burst {
                    log.record(exchange);
                }
            })
            .await;
            in_path += time;
            if (first / BURST).is_multiple_of(100) {
                log.flush().await;
            }
        }
        log.flush().await;
    })
    .await;
    let busy = processor_time() - busy;
    let made = making(records).await;
    println!("  request path              {:>9.0} ns per record", nanos(in_path, records));
    println!("  writer, flooded           {:>9.0} records/s", per_second(records, whole));
    println!(
        "  processor time in all     {:>9.1} us per record, of these {:.1} to make it up here",
        nanos(busy, records) / 1_000.0,
        nanos(made, records) / 1_000.0
    );
    println!("  lost {}, without their bodies {}", log.dropped(), log.thinned());
    Ok(())
}

/// What it would cost to redact every body on the request path.
async fn redaction(records: usize) {
    let (user, group) = (ResourceType::user(), ResourceType::group());
    let bodies: Vec<Value> = (0..100).map(body).collect();
    let ((), time) = timed(async {
        for number in 0..records {
            black_box(redact(&[&user, &group], &bodies[number % 100]));
        }
    })
    .await;
    println!("redaction of one body       {:>9.0} ns", nanos(time, records));
}

async fn making(records: usize) -> Duration {
    timed(async {
        for number in 0..records {
            black_box(exchange(number));
        }
    })
    .await
    .1
}

fn body(number: usize) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "userName": format!("user{number}@acme.example"), "externalId": format!("00u{number}"), "active": true,
        "name": {"givenName": "Ada", "familyName": format!("Lovelace {number}")}, "displayName": "Ada Lovelace",
        "emails": [{"value": format!("user{number}@acme.example"), "type": "work", "primary": true}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "R&D", "employeeNumber": number.to_string()},
    })
}

fn exchange(number: usize) -> Exchange {
    Exchange {
        connection: "01a2139c-8154-7001-af41-4929937dd427".into(),
        connection_name: "okta".into(),
        token_name: "okta".into(),
        user_agent: "Okta SCIM Client 1.0.0".into(),
        dialect: "okta".into(),
        status: 201,
        duration_us: 900,
        object_kind: "user".into(),
        object: format!("01a2139c-8154-7001-af41-{number:012}"),
        object_name: format!("user{number}@acme.example"),
        request: Some(body(number)),
        answer: Some(body(number)),
        ..Exchange::new(&TenantId::new("acme"), now_ms(), &format!("{number:012x}"), "POST", "/Users")
    }
}

fn nanos(time: Duration, count: usize) -> f64 {
    1e9 / per_second(count, time)
}

/// Processor time of this process so far (proc(5): fields 14 and 15 of stat, in ticks of 10 ms).
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

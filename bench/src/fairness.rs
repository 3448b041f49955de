//! What one tenant's flood does to another's reads: the same server, the same database, a quiet tenant that reads alone and beside
//! each kind of flood. Prints a table.
//!
//! From the root of the repository: `cargo run --release -p bench --bin bench-fairness`. `--users 20000` for each of the two tenants,
//! `--seconds 3` for each measurement, `--binary PATH` instead of building ours.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use bench::Result;
use bench::contenders::{Contender, Programs, Running};
use bench::http::{Answer, Load, Request, Sample, Target, drive};
use serde_json::{Value, json};

/// Callers of the flood.
const WIDTH: usize = 64;
/// A flood that asks no tenant's database for anything: what it does to the reads is done by the machine.
const CONSTANT: &str = "a constant, of no tenant";
/// Members of the flooding tenant's group.
const MEMBERS: usize = 5_000;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let (mut users, mut span, mut binary) = (20_000, Duration::from_secs(3), None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--users" => users = value.parse()?,
            "--seconds" => span = Duration::from_secs(value.parse()?),
            "--binary" => binary = Some(PathBuf::from(value)),
            _ => return Err(format!("unknown argument '{word}'").into()),
        }
    }
    let programs = Programs::prepare(binary, &[Contender::Lockstep])?;
    let running = Running::start(Contender::Lockstep, &programs).await?;
    let (loud, quiet) = (running.target.clone(), running.another(&programs, "quiet")?);
    let theirs = fill(&loud, users).await?;
    let ids = fill(&quiet, users).await?;
    let group = group(&loud, &theirs).await?;
    let get = |n: usize| Request::get(format!("/Users/{}", ids[n.wrapping_mul(7_919) % users]));
    let list =
        |n: usize| Request::get(format!("/Users?count=100&startIndex={}", n.wrapping_mul(7_919) % users));
    let deep = users / 10 * 9;
    let (big, many) = (large_text(), large_list());
    let floods: Vec<(&str, Make<'_>)> = vec![
        (CONSTANT, Box::new(|_| Request::get("/healthz"))),
        ("POST of users", Box::new(move |n| Request::with("POST", "/Users", &user(n + 10 * users)))),
        (
            "GET of users",
            Box::new(|n| Request::get(format!("/Users/{}", theirs[n.wrapping_mul(7_919) % users]))),
        ),
        (
            "lists of 100 at 90 %",
            Box::new(move |_| Request::get(format!("/Users?count=100&startIndex={deep}"))),
        ),
        ("lists without an index", Box::new(|_| Request::get("/Users?filter=title%20co%20%22x%22"))),
        ("a group of 5,000", Box::new(|_| Request::get(group.clone()))),
        (
            "1 MB of one text",
            Box::new(|_| Request { method: "POST", path: "/Users".into(), body: Some(big.clone()) }),
        ),
        (
            "1 MB of e-mails",
            Box::new(|_| Request { method: "POST", path: "/Users".into(), body: Some(many.clone()) }),
        ),
    ];
    println!(
        "| flood with {WIDTH} callers | its requests/s | GET p50, p99 ms | times | list of 100 p50, p99 ms | times |\n|---|---|---|---|---|---|"
    );
    let alone = [read(&quiet, span, &get), read(&quiet, span, &list)];
    println!("| none | - | {} | 1 | {} | 1 |", times(&alone[0]), times(&alone[1]));
    for (name, make) in &floods {
        let base = if *name == CONSTANT { String::new() } else { loud.base.clone() };
        let loud = Target { base, ..loud.clone() };
        let load = Load { width: WIDTH, limit: usize::MAX, least: 0, span: span * 2 + span / 2 };
        let (flood, beside) = std::thread::scope(|scope| {
            let reads = scope.spawn(|| {
                std::thread::sleep(span / 4);
                [read(&quiet, span, &get), read(&quiet, span, &list)]
            });
            let flood = alone_on(drive(&loud, load, make, &|_, _| true));
            (flood, reads.join().expect("a reader does not panic"))
        });
        let part = |at: usize| beside[at].per_mille(500) / alone[at].per_mille(500).max(0.001);
        println!(
            "| {name} | {:.0} | {} | {:.1} | {} | {:.1} |",
            flood.rate(),
            times(&beside[0]),
            part(0),
            times(&beside[1]),
            part(1)
        );
    }
    println!("\npeak memory {} MiB", running.peak_kib() / 1_024);
    Ok(())
}

type Make<'a> = Box<dyn Fn(usize) -> Request + Sync + 'a>;

/// One caller that reads, on this thread: another program than the one that floods.
fn read(target: &Target, span: Duration, make: &(impl Fn(usize) -> Request + Sync)) -> Sample {
    alone_on(drive(target, Load { width: 1, limit: usize::MAX, least: 3, span }, make, &|_, _| true))
}

/// Runs a client on a thread of its own, so that it waits for the server and not for another client.
fn alone_on(client: impl Future<Output = Sample> + Send) -> Sample {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(client)
    };
    std::thread::scope(|scope| scope.spawn(run).join().expect("a client does not panic"))
}

fn times(sample: &Sample) -> String {
    format!("{:.2}, {:.2}", sample.per_mille(500), sample.per_mille(990))
}

/// Users by POST; gives their ids.
async fn fill(target: &Target, users: usize) -> Result<Vec<String>> {
    let ids = Mutex::new(vec![String::new(); users]);
    let load = Load { width: WIDTH, limit: users, least: 0, span: Duration::from_secs(86_400) };
    let keep = |n: usize, answer: &Answer| {
        let id = answer.json().ok().and_then(|body| body["id"].as_str().map(str::to_owned));
        ids.lock().unwrap_or_else(PoisonError::into_inner)[n] = id.unwrap_or_default();
        answer.status == 201
    };
    let sample = drive(target, load, &|n| Request::with("POST", "/Users", &user(n)), &keep).await;
    match sample.failures.first() {
        Some((_, what)) => Err(format!("it could not be filled: {what}").into()),
        None => Ok(ids.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

async fn group(target: &Target, ids: &[String]) -> Result<String> {
    let members: Vec<Value> = ids.iter().take(MEMBERS).map(|id| json!({"value": id})).collect();
    let body = json!({"schemas": [scim::urn::GROUP], "displayName": "All", "members": members});
    let mut client = bench::http::Client::new(target);
    let made = client.send(&Request::with("POST", "/Groups", &body)).await?.success("a group")?.json()?;
    Ok(format!("/Groups/{}", made["id"].as_str().unwrap_or_default()))
}

fn user(n: usize) -> Value {
    let name = format!("user{n:07}@example.com");
    json!({"schemas": [scim::urn::USER], "userName": name, "externalId": format!("E{n:07}"), "title": "Engineer", "active": true,
        "displayName": format!("Given Family{n}"), "name": {"givenName": "Given", "familyName": format!("Family{n}")},
        "emails": [{"type": "work", "primary": true, "value": name}]})
}

fn large_text() -> String {
    json!({"schemas": [scim::urn::USER], "userName": "a", "nothing": "x".repeat(1_000_000)}).to_string()
}

fn large_list() -> String {
    let list: Vec<Value> = (0..50_000).map(|n| json!({"value": n})).collect();
    json!({"schemas": [scim::urn::USER], "userName": "a", "emails": list}).to_string()
}

//! Scratch: one step for profiling; not committed.
use bench::Result;
use bench::contenders::{Contender, Programs, Running};
use bench::http::{Answer, Load, Request, drive};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Duration;

fn user(n: usize) -> Value {
    json!({
        "schemas": [scim::urn::USER],
        "userName": format!("user{n:07}@example.com"),
        "externalId": format!("E{n:07}"),
        "name": {"givenName": "Given", "familyName": format!("Family{n}")},
        "displayName": format!("Given Family{n}"),
        "title": "Engineer",
        "active": true,
        "emails": [{"type": "work", "primary": true, "value": format!("user{n:07}@example.com")}],
    })
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let binary = args.next().unwrap();
    let users: usize = args.next().unwrap().parse()?;
    let seconds: u64 = args.next().unwrap().parse()?;
    let perf = std::env::var("PERF").ok();
    let programs = Programs { lockstep: binary.into() };
    let running = Running::start(Contender::Lockstep, &programs).await?;
    let ids = Mutex::new(vec![String::new(); users]);
    let keep = |n: usize, answer: &Answer| {
        let id = answer.json().ok().and_then(|body| body["id"].as_str().map(str::to_owned));
        ids.lock().unwrap()[n] = id.unwrap_or_default();
        answer.status == 201
    };
    let load = Load { width: 64, limit: users, least: 0, span: Duration::from_secs(86_400) };
    let before = running.cpu_s();
    let sample = drive(&running.target, load, &|n| Request::with("POST", "/Users", &user(n)), &keep).await;
    println!(
        "fill {users}: {:.0}/s cpu {:.3} ms",
        sample.rate(),
        (running.cpu_s() - before) * 1000.0 / users as f64
    );
    let ids = ids.into_inner().unwrap();
    for step in args {
        let (name, width) = step.split_once(':').unwrap_or((&step, "64"));
        let width: usize = width.parse()?;
        let mut target = running.target.clone();
        if name == "const" {
            target.base = String::new();
        }
        let make = |n: usize| match name {
            "const" => Request::get("/healthz"),
            "create" => Request::with("POST", "/Users", &user(n + users * 2 + width * 10_000_000)),
            "get" => Request::get(format!("/Users/{}", ids[n.wrapping_mul(7919) % users])),
            "name" => Request::get(format!(
                "/Users?filter=userName%20eq%20%22user{:07}@example.com%22",
                n.wrapping_mul(7919) % users
            )),
            "email" => Request::get(format!(
                "/Users?filter=emails%5Btype%20eq%20%22work%22%5D.value%20eq%20%22user{:07}@example.com%22",
                n.wrapping_mul(7919) % users
            )),
            "page" => Request::get("/Users?count=100"),
            "deep" => Request::get(format!("/Users?count=100&startIndex={}", users / 10 * 9)),
            "patch" => Request::with(
                "PATCH",
                format!("/Users/{}", ids[n.wrapping_mul(7919) % users]),
                &json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "replace", "path": "title", "value": format!("T{n}")}]}),
            ),
            "hostile" => {
                let big = "x".repeat(1_000_000);
                Request::with("POST", "/Users", &json!({"schemas":[scim::urn::USER], "nope": big}))
            }
            "hostile2" => {
                let list: Vec<Value> = (0..50_000).map(|n| json!({"value": n})).collect();
                Request::with(
                    "POST",
                    "/Users",
                    &json!({"schemas":[scim::urn::USER], "userName": "a", "emails": list}),
                )
            }
            "hostile3" => {
                let list: Vec<Value> =
                    (0..2_000).map(|n| json!({"op": "x", "path": "y", "value": n})).collect();
                Request::with(
                    "PATCH",
                    format!("/Users/{}", ids[0]),
                    &json!({"schemas":[scim::urn::USER], "Operations": list}),
                )
            }
            _ => panic!("{name}"),
        };
        let child = perf.as_ref().map(|out| {
            std::process::Command::new("perf")
                .args([
                    "record",
                    "-g",
                    "--call-graph",
                    "dwarf,16000",
                    "-F",
                    "997",
                    "-o",
                    &format!("{out}.{name}"),
                    "-p",
                    &running.pid().to_string(),
                    "--",
                    "sleep",
                    &seconds.to_string(),
                ])
                .spawn()
                .unwrap()
        });
        let (before, me) = (running.cpu_s(), bench::contenders::cpu_s("self"));
        let load = Load { width, limit: usize::MAX, least: 1, span: Duration::from_secs(seconds) };
        let sample = drive(&target, load, &make, &|_, _| true).await;
        let n = sample.requests.len() as f64;
        println!(
            "{name:>8} x{width:<3} {:>8.0}/s  p50 {:.2} ms p99 {:.2} ms  server {:.3} ms client {:.3} ms  failed {} {}  peak {} MiB",
            sample.rate(),
            sample.per_mille(500),
            sample.per_mille(990),
            (running.cpu_s() - before) * 1000.0 / n,
            (bench::contenders::cpu_s("self") - me) * 1000.0 / n,
            sample.failures.len(),
            sample.failures.first().map(|f| f.1.chars().take(200).collect::<String>()).unwrap_or_default(),
            running.peak_kib() / 1024
        );
        if let Some(mut child) = child {
            child.wait().unwrap();
        }
    }
    Ok(())
}

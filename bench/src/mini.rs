//! Scratch: a server like `lockstep serve` for profiling; not committed.
use bench::clock::monotonic_micros;
use engine::{Engine, Env};
use std::sync::Arc;
use store::scim_log::{ScimLog, ScimLogOptions};
use store::{Location, OpenOptions, Store};

#[cfg(feature = "mi")]
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct W;
#[expect(clippy::disallowed_methods, reason = "scratch")]
fn now_ms() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64
}
impl Env for W {
    fn now_ms(&self) -> i64 {
        now_ms()
    }
    fn monotonic_ms(&self) -> i64 {
        (monotonic_micros() / 1000) as i64
    }
    fn random_bits(&self) -> u64 {
        let mut b = [0u8; 8];
        getrandom::fill(&mut b).unwrap();
        u64::from_le_bytes(b)
    }
    fn process_name(&self) -> String {
        "x".into()
    }
    fn may_be_alive(&self, _: &str) -> bool {
        true
    }
}

#[tokio::main]
async fn main() {
    let location: Location = std::env::var("LOCKSTEP_DATABASE").unwrap().parse().unwrap();
    let options = OpenOptions { monotonic_micros, ..OpenOptions::new(now_ms()) };
    let store = Store::open(&location, options).unwrap();
    let engine =
        Engine { store, env: Arc::new(W), actor: "m".into(), apps: engine::app_cache::AppCache::default() };
    let log = Arc::new(ScimLog::open(&location, ScimLogOptions::new(now_ms)).unwrap());
    let running = web::listen(
        engine.clone(),
        log.clone(),
        "127.0.0.1:0".parse().unwrap(),
        None,
        web::Options::new(monotonic_micros),
    )
    .await
    .unwrap();
    println!("listening on {}", running.url);
    loop {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        for tenant in engine::tenants::list(&engine).await.unwrap() {
            let _ = engine::audit_log::seal(&engine, &tenant.id).await;
        }
    }
}

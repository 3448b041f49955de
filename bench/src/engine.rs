//! How fast the engine drives an app without latency, beside its bounds: a plain client and a bare durable loop.
//!
//! `cargo run --release -p bench --bin bench-engine -- [USERS]..`: one measurement for each size, the bounds with the first.
//! `--first USERS` is one first sync and nothing else, for a profiler.

use std::time::Duration;

use bench::Result;
use bench::app::{Target, serve};
use bench::bounds::{bare_loop, plain_client};
use bench::clock::{per_second, timed};
use bench::usage::{forget_peak, peak_memory_mib, processor_time};
use bench::world::{WIDTH, World};
use engine::lane::run::LaneReport;

/// How often one change is made; the median counts.
const CHANGES: usize = 15;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    // Fails only if it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--serve") {
        return serve().await;
    }
    if let [flag, users] = arguments.as_slice()
        && flag == "--first"
    {
        return first_sync(users.parse()?).await;
    }
    let mut sizes =
        arguments.iter().map(|text| text.parse()).collect::<std::result::Result<Vec<usize>, _>>()?;
    if sizes.is_empty() {
        sizes.push(20_000);
    }
    let plain = plain_client(sizes[0]).await?;
    let rows = bare_loop(sizes[0]).await?;
    println!("plain client, same bodies, {WIDTH} at a time   {plain:>10.0} creates/s");
    println!("bare durable loop, same rows                {rows:>10.0} creates/s");
    let mut changes = vec![];
    for users in sizes {
        changes.push((users, measure(users, plain.min(rows)).await?));
    }
    if let [(small, first), .., (large, last)] = changes.as_slice() {
        let ratio = last.as_secs_f64() / first.as_secs_f64();
        println!("one change beside {large} users takes {ratio:.2} times as long as beside {small}");
    }
    Ok(())
}

async fn first_sync(users: usize) -> Result<()> {
    let target = Target::start()?;
    let world = World::new(&target.url).await?;
    world.load(users).await?;
    sync(&world, &target, "first sync", users, None).await?;
    Ok(())
}

/// Measures one size; gives how long one change takes.
async fn measure(users: usize, bound: f64) -> Result<Duration> {
    println!("{users} users and a group of all");
    let target = Target::start()?;
    let world = World::new(&target.url).await?;
    forget_peak();
    let (loaded, time) = timed(world.load(users)).await;
    loaded?;
    println!("  loaded                                    {:>10.0} users/s", per_second(users, time));
    let report = sync(&world, &target, "first sync", users, Some(bound)).await?;
    println!("    {} requests, {:?}", report.requests, report.applied);
    forget_peak();
    let report = sync(&world, &target, "second sync", users, None).await?;
    println!("    {} requests, {} writes", report.requests, report.applied.len());
    world.touch_all().await?;
    forget_peak();
    let report = sync(&world, &target, "everybody looked at again", users, None).await?;
    println!("    {} requests, {} writes", report.requests, report.applied.len());
    one_change(&world, &target).await
}

/// One run of the lane, with what it cost: time, processor time of both sides, peak memory.
async fn sync(
    world: &World,
    target: &Target,
    name: &str,
    users: usize,
    bound: Option<f64>,
) -> Result<LaneReport> {
    let (own, app) = (processor_time(std::process::id()), processor_time(target.pid()));
    let commits = world.engine.store.stats().commits;
    let (report, time) = timed(world.sync()).await;
    let commits = world.engine.store.stats().commits - commits;
    let own = processor_time(std::process::id()) - own;
    let app = processor_time(target.pid()) - app;
    let rate = per_second(users, time);
    let share =
        bound.map(|bound| format!("{:.0} % of the bound, ", 100.0 * rate / bound)).unwrap_or_default();
    println!(
        "  {name:<41} {rate:>10.0} users/s  {share}{:.2} s, {commits} commits; processor: ours {:.2} s, app {:.2} s; peak memory {} MiB",
        time.as_secs_f64(),
        own.as_secs_f64(),
        app.as_secs_f64(),
        peak_memory_mib()
    );
    report
}

/// One changed user and one changed member, again and again; gives the median.
async fn one_change(world: &World, target: &Target) -> Result<Duration> {
    let (own, app) = (processor_time(std::process::id()), processor_time(target.pid()));
    let mut times = vec![];
    for round in 0..CHANGES {
        world.change_one(round).await?;
        let (report, time) = timed(world.sync()).await;
        let applied = report?.applied;
        if applied.values().sum::<u64>() != 2 {
            return Err(format!("one changed user and one member, but {applied:?} was sent").into());
        }
        times.push(time);
    }
    times.sort();
    let median = times[CHANGES / 2];
    let each = |since: Duration, pid: u32| {
        (processor_time(pid) - since).as_secs_f64() * 1_000.0 / f64::from(u32::try_from(CHANGES).unwrap_or(1))
    };
    println!(
        "  one user and one member changed           {:>10.1} ms       processor: ours {:.1} ms, app {:.1} ms",
        median.as_secs_f64() * 1_000.0,
        each(own, std::process::id()),
        each(app, target.pid())
    );
    Ok(median)
}

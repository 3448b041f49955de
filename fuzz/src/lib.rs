//! Drives one fuzz target under libFuzzer and tells which input was the slowest so far.

use std::sync::{LazyLock, Mutex};
use std::time::Instant;

use targets::slowest::Slowest;

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);
static SLOWEST: Mutex<Slowest> = Mutex::new(Slowest { nanos: 0, input: Vec::new() });

/// Runs the target of that name; a new slowest input is a line `slowest NANOSECONDS ns, LENGTH bytes` on standard error,
/// and is kept in `.prove/fuzz/slowest/NAME`, so that a build without instruments can be timed with it.
pub fn run(name: &str, data: &[u8]) {
    let target = targets::find(name).expect("every entry point names a target that exists");
    let started = *STARTED;
    let clock = move || u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let mut slowest = SLOWEST.lock().expect("a panic ends the whole process");
    if slowest.measure(&clock, data, target.run) {
        let kept = std::fs::create_dir_all(".prove/fuzz/slowest")
            .and_then(|()| std::fs::write(format!(".prove/fuzz/slowest/{name}"), data));
        kept.expect("the folder of the run can be written");
        eprintln!("slowest {} ns, {} bytes", slowest.nanos, data.len());
    }
}

//! The real clock and figures of this process, for measurements.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use engine::Env;

/// The real world, with repeatable randomness.
pub struct RealEnv {
    start: Instant,
    draws: AtomicU64,
}

impl RealEnv {
    /// The world from now on.
    #[expect(clippy::disallowed_methods, reason = "a measurement needs the real clock")]
    #[must_use]
    pub fn new() -> Self {
        Self { start: Instant::now(), draws: AtomicU64::new(1) }
    }
}

/// Unix milliseconds.
#[expect(clippy::disallowed_methods, reason = "a measurement needs the real clock")]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Default for RealEnv {
    fn default() -> Self {
        Self::new()
    }
}

impl Env for RealEnv {
    fn now_ms(&self) -> i64 {
        now_ms()
    }

    fn monotonic_ms(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn random_bits(&self) -> u64 {
        self.draws.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn process_name(&self) -> String {
        "bench".into()
    }

    fn may_be_alive(&self, _: &str) -> bool {
        true
    }
}

/// Microseconds that only move forward, from the first call.
#[expect(clippy::disallowed_methods, reason = "a measurement needs the real clock")]
pub fn monotonic_micros() -> u64 {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Runs something and gives how long it took.
#[expect(clippy::disallowed_methods, reason = "a measurement needs the real clock")]
pub async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let start = Instant::now();
    let result = work.await;
    (result, start.elapsed())
}

/// Rate per second.
pub fn per_second(count: usize, time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count of things fits")]
    let count = count as f64;
    count / time.as_secs_f64().max(1e-9)
}

//! How fast and how wide an app is driven: a rate of requests, and a width that rises slowly and halves on 429.

use std::sync::{Mutex, PoisonError};

/// Answers without a 429 before the width rises by one.
const STEADY: u32 = 16;

/// The pace of one lane. Times are monotonic milliseconds that the caller passes in.
#[derive(Debug)]
pub struct Pace {
    state: Mutex<State>,
    interval_ms: f64,
    widest: usize,
}

#[derive(Debug)]
struct State {
    width: usize,
    steady: u32,
    next_ms: f64,
    pause_until_ms: i64,
}

impl Pace {
    /// A pace of at most `rate_per_second` requests (0: no limit of ours) and `widest` at the same time.
    pub fn new(rate_per_second: u32, widest: usize) -> Self {
        let interval_ms = if rate_per_second == 0 { 0.0 } else { 1_000.0 / f64::from(rate_per_second) };
        let widest = widest.max(1);
        let state = State { width: widest.min(4), steady: 0, next_ms: 0.0, pause_until_ms: 0 };
        Self { state: Mutex::new(state), interval_ms, widest }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests may be under way at the same time now.
    pub fn width(&self) -> usize {
        self.lock().width
    }

    /// Reserves the next slot; gives the milliseconds to wait for it.
    pub fn reserve(&self, now_ms: i64) -> u64 {
        let mut state = self.lock();
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since the process began fit exactly")]
        let (now, pause) = (now_ms as f64, state.pause_until_ms as f64);
        let at = state.next_ms.max(now).max(pause);
        state.next_ms = at + self.interval_ms;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a short, positive wait")]
        let wait = (at - now).ceil().max(0.0) as u64;
        wait
    }

    /// The app answered without complaint.
    pub fn went_well(&self) {
        let mut state = self.lock();
        state.steady += 1;
        if state.steady >= STEADY && state.width < self.widest {
            state.steady = 0;
            state.width += 1;
        }
    }

    /// The app asked for a pause.
    pub fn throttled(&self, now_ms: i64, pause_ms: i64) {
        let mut state = self.lock();
        state.steady = 0;
        state.width = (state.width / 2).max(1);
        state.pause_until_ms = state.pause_until_ms.max(now_ms.saturating_add(pause_ms));
    }

    /// Milliseconds until the pause that the app asked for is over.
    pub fn pause_left(&self, now_ms: i64) -> i64 {
        (self.lock().pause_until_ms - now_ms).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_keep_their_distance_and_a_pause_moves_all_of_them() {
        let pace = Pace::new(10, 8);
        assert_eq!([pace.reserve(1_000), pace.reserve(1_000), pace.reserve(1_000)], [0, 100, 200]);
        pace.throttled(1_000, 5_000);
        assert_eq!(pace.reserve(1_000), 5_000);
        assert_eq!(pace.pause_left(2_000), 4_000);
    }

    #[test]
    fn the_width_rises_slowly_and_halves() {
        let pace = Pace::new(0, 6);
        assert_eq!(pace.width(), 4);
        for _ in 0..200 {
            pace.went_well();
        }
        assert_eq!(pace.width(), 6);
        pace.throttled(0, 1);
        assert_eq!(pace.width(), 3);
    }
}

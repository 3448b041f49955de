//! How fast and how wide an app is driven: a rate of requests, and a width that rises slowly and halves on 429.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Answers without a 429 before the width rises by one.
const STEADY: u32 = 16;

/// The pace of one lane. Times are monotonic milliseconds that the caller passes in.
#[derive(Debug)]
pub struct Pace {
    state: Mutex<State>,
    freed: Notify,
    interval_ms: f64,
    widest: usize,
}

#[derive(Debug)]
struct State {
    width: usize,
    /// Slots that are taken, and runs that wait for one.
    busy: usize,
    waiting: usize,
    steady: u32,
    next_ms: f64,
    pause_until_ms: i64,
}

impl Pace {
    /// A pace of at most `rate_per_second` requests (0: no limit of ours) and `widest` at the same time.
    pub fn new(rate_per_second: u32, widest: usize) -> Self {
        let interval_ms = if rate_per_second == 0 { 0.0 } else { 1_000.0 / f64::from(rate_per_second) };
        let widest = widest.max(1);
        let state =
            State { width: widest.min(4), busy: 0, waiting: 0, steady: 0, next_ms: 0.0, pause_until_ms: 0 };
        Self { state: Mutex::new(state), freed: Notify::new(), interval_ms, widest }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests may be under way at the same time now.
    pub fn width(&self) -> usize {
        self.lock().width
    }

    /// Waits until another request may be announced and sent; the slot is free again when it is dropped.
    pub async fn slot(&self) -> Slot<'_> {
        if self.take_slot() {
            return Slot(self);
        }
        self.lock().waiting += 1;
        let waiting = Waiting(self);
        loop {
            let freed = self.freed.notified();
            if self.take_slot() {
                drop(waiting);
                return Slot(self);
            }
            freed.await;
        }
    }

    /// How many runs wait for a slot.
    pub fn waiting(&self) -> usize {
        self.lock().waiting
    }

    fn take_slot(&self) -> bool {
        let mut state = self.lock();
        let free = state.busy < state.width;
        state.busy += usize::from(free);
        free
    }

    /// Reserves the next request; gives the milliseconds to wait for it.
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
            drop(state);
            self.freed.notify_one();
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

/// The right to announce and send one request.
#[derive(Debug)]
pub struct Slot<'a>(&'a Pace);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.lock().busy -= 1;
        self.0.freed.notify_one();
    }
}

struct Waiting<'a>(&'a Pace);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
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

    #[tokio::test]
    async fn as_many_slots_as_the_width_and_the_next_when_one_is_free() {
        let pace = Pace::new(0, 2);
        let (first, _second) = (pace.slot().await, pace.slot().await);
        let mut third = std::pin::pin!(pace.slot());
        assert!(futures::poll!(third.as_mut()).is_pending());
        assert_eq!(pace.waiting(), 1);
        drop(first);
        let third = third.await;
        assert_eq!(pace.waiting(), 0);
        assert!(futures::poll!(std::pin::pin!(pace.slot())).is_pending());
        drop(third);
        assert!(futures::poll!(std::pin::pin!(pace.slot())).is_ready());
    }
}

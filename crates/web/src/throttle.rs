//! Rate and concurrency of each token: who asks for more is answered 429 with the time to wait, and nobody else notices.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::TokenId;

/// Seconds' worth of requests that may come at once after a pause.
const BURST_SECONDS: u64 = 2;
/// Tokens remembered; beyond it the ones not used for longest are forgotten.
const TOKENS_MAX: usize = 10_000;

/// The buckets of all tokens.
#[derive(Default)]
pub(crate) struct Throttle {
    buckets: Mutex<BTreeMap<TokenId, Bucket>>,
}

struct Bucket {
    /// Requests that may come now, in millionths.
    micro_requests: u64,
    at_micros: u64,
    running: Arc<AtomicUsize>,
}

/// A request's place; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl Throttle {
    /// Takes a place, or gives the seconds to wait.
    pub(crate) fn enter(
        &self,
        token: &TokenId,
        per_second: u32,
        concurrency: u32,
        now_micros: u64,
    ) -> Result<Place, u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= TOKENS_MAX && !buckets.contains_key(token) {
            let oldest = buckets.iter().min_by_key(|(_, bucket)| bucket.at_micros).map(|(id, _)| id.clone());
            oldest.map(|id| buckets.remove(&id));
        }
        let rate = u64::from(per_second.max(1));
        let full = rate * BURST_SECONDS * 1_000_000;
        let bucket = buckets.entry(token.clone()).or_insert_with(|| Bucket {
            micro_requests: full,
            at_micros: now_micros,
            running: Arc::default(),
        });
        let gained = now_micros.saturating_sub(bucket.at_micros).saturating_mul(rate);
        bucket.micro_requests = bucket.micro_requests.saturating_add(gained).min(full);
        bucket.at_micros = now_micros;
        if bucket.micro_requests < 1_000_000 {
            let missing = 1_000_000 - bucket.micro_requests;
            return Err(missing.div_ceil(rate).div_ceil(1_000_000).max(1));
        }
        let most = usize::try_from(concurrency.max(1)).unwrap_or(usize::MAX);
        if bucket.running.fetch_add(1, Ordering::AcqRel) >= most {
            bucket.running.fetch_sub(1, Ordering::Release);
            return Err(1);
        }
        bucket.micro_requests -= 1_000_000;
        Ok(Place(bucket.running.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_waits_for_itself_only() {
        let throttle = Throttle::default();
        let (a, b) = (TokenId::new("a"), TokenId::new("b"));
        let mut passed = 0;
        for _ in 0..50 {
            passed += usize::from(throttle.enter(&a, 10, 100, 0).is_ok());
        }
        assert_eq!(passed, 20, "a burst of two seconds");
        assert_eq!(throttle.enter(&a, 10, 100, 0).unwrap_err(), 1);
        assert!(throttle.enter(&b, 10, 100, 0).is_ok());
        assert!(throttle.enter(&a, 10, 100, 100_000).is_ok(), "a tenth of a second is one request");
        assert!(throttle.enter(&a, 10, 100, 100_000).is_err());
    }

    #[test]
    fn places_come_back() {
        let throttle = Throttle::default();
        let token = TokenId::new("a");
        let first = throttle.enter(&token, 100, 1, 0).unwrap();
        assert!(throttle.enter(&token, 100, 1, 0).is_err());
        drop(first);
        assert!(throttle.enter(&token, 100, 1, 0).is_ok());
    }
}

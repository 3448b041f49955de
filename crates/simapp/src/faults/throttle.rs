//! `throttle`, `throttle-date`: a token bucket that answers 429 with Retry-After in seconds or as a date.

use super::{Effect, Entry, number};
use crate::turn::Turn;
use crate::wire::{Reply, Response};
use scim::ScimError;
use scim::datetime::http_date;

pub(super) const THROTTLE: Entry = Entry {
    name: "throttle",
    form: "throttle=RATE/BURST",
    about: "at most RATE requests a second and BURST at once, else 429 with Retry-After in seconds",
    build: |text| build(text, false),
};

pub(super) const THROTTLE_DATE: Entry = Entry {
    name: "throttle-date",
    form: "throttle-date=RATE/BURST",
    about: "like throttle, with Retry-After as an HTTP date",
    build: |text| build(text, true),
};

struct Throttle {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled_ms: Option<i64>,
    as_date: bool,
}

fn build(text: &str, as_date: bool) -> Result<Box<dyn Effect>, String> {
    let (rate, burst) = text.split_once('/').ok_or("a rate and a burst are needed")?;
    let (per_second, burst): (f64, f64) = (number(rate)?, number(burst)?);
    // Written so that NaN is refused as well.
    if !(per_second > 0.0 && per_second.is_finite() && burst >= 1.0 && burst.is_finite()) {
        return Err("the rate must be above 0 and the burst at least 1".to_owned());
    }
    Ok(Box::new(Throttle { per_second, burst, tokens: burst, filled_ms: None, as_date }))
}

impl Effect for Throttle {
    fn before(&mut self, turn: &mut Turn<'_>) -> Option<Reply> {
        let now_ms = turn.now_ms;
        let passed_ms = now_ms.saturating_sub(self.filled_ms.unwrap_or(now_ms)).max(0);
        self.tokens = (self.tokens + passed_ms as f64 * self.per_second / 1000.0).min(self.burst);
        self.filled_ms = Some(now_ms);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return None;
        }
        let wait_ms = ((1.0 - self.tokens) * 1000.0 / self.per_second).ceil() as i64;
        let (retry_at_ms, header) = self.retry_after(now_ms, wait_ms);
        turn.retry_at_ms = Some(retry_at_ms);
        let error = ScimError::new(429, None, "too many requests; wait as Retry-After says");
        Some(Reply::at_once(Response::from(error).with_header("retry-after", &header)))
    }
}

impl Throttle {
    /// When the client may come back, and the header that says so; never earlier than the next token.
    fn retry_after(&self, now_ms: i64, wait_ms: i64) -> (i64, String) {
        if self.as_date {
            let at_ms =
                now_ms.saturating_add(wait_ms).saturating_add(999).div_euclid(1000).saturating_mul(1000);
            (at_ms, http_date(at_ms))
        } else {
            let seconds = wait_ms.saturating_add(999).div_euclid(1000).max(1);
            (now_ms.saturating_add(seconds.saturating_mul(1000)), seconds.to_string())
        }
    }
}

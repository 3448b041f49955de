//! Points in time on the command line: a span from now (`1h`, `90d`) or a time in UTC (`2026-11-25`, `2026-11-25T10:00`).

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::{duration, environment};

/// Reads a moment as Unix milliseconds; spans count back from now.
pub(crate) fn past(text: &str) -> Result<i64, String> {
    parse(text, |span| environment::now_ms() - span)
}

/// Reads a moment as Unix milliseconds; spans count on from now.
pub(crate) fn future(text: &str) -> Result<i64, String> {
    parse(text, |span| environment::now_ms() + span)
}

fn parse(text: &str, from_now: impl Fn(i64) -> i64) -> Result<i64, String> {
    if duration::read(text).is_some() {
        return duration::parse(text).map(from_now);
    }
    in_utc(text.trim()).ok_or_else(|| {
        format!(
            "'{text}' is no time; write a span like 10m, 12h or 7d, or a time in UTC like 2026-11-25 or 2026-11-25T10:00"
        )
    })
}

/// A time without an offset is in UTC, and a date is its first moment.
fn in_utc(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_millisecond());
    }
    // The name of a zone would be read over.
    if text.contains('[') {
        return None;
    }
    let civil = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(DateTime::from));
    let time = civil.and_then(|civil| civil.to_zoned(TimeZone::UTC)).ok()?;
    Some(time.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_count_from_now_and_times_are_utc() {
        let now = 1_760_000_000_000;
        let both = |text| (parse(text, |span| now - span), parse(text, |span| now + span));
        for (text, span) in [("1h", 3_600_000), ("7d", 604_800_000), (" 2w", 1_209_600_000), ("0s", 0)] {
            assert_eq!(both(text), (Ok(now - span), Ok(now + span)), "{text}");
        }
        for (text, at) in [
            ("1970-01-02", 86_400_000),
            ("1970-01-01T01:00", 3_600_000),
            ("1970-01-01 01:00:00", 3_600_000),
            ("1970-01-01T01:00:00Z", 3_600_000),
            ("1970-01-01T01:00:00+01:00", 0),
        ] {
            assert_eq!(both(text), (Ok(at), Ok(at)), "{text}");
        }
        let refused = |text| both(text).0.unwrap_err();
        for text in ["", "90", "h", "-1h", "1y", "yesterday", "2026-13-01", "1970-01-01T01:00[Europe/Paris]"]
        {
            assert!(refused(text).contains("is no time") && refused(text).contains("7d"), "{text}");
        }
        for text in ["3651d", "9999999999999999d", "99999999999999999999d"] {
            assert!(refused(text).contains("3650d is the longest"), "{text}");
        }
    }

    #[test]
    fn past_and_future_lie_on_both_sides_of_now() {
        let now = environment::now_ms();
        assert!(past("1h").unwrap() < now && now < future("1h").unwrap());
    }
}

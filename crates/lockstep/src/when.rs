//! Points in time on the command line: `90d`, `12h`, `2027-01-31`, `2027-01-31T08:00:00Z`.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A point in time, by its distance from now or by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// So many milliseconds from now, in the direction that is meant.
    Away(i64),
    /// Unix milliseconds.
    At(i64),
}

/// The longest distance: ten years.
const LONGEST_MS: i64 = 3_650 * 86_400_000;

/// Reads a point in time; a date is its first moment, UTC.
pub(crate) fn parse(text: &str) -> Result<When, String> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(When::At(time.as_millisecond()));
    }
    if let Ok(date) = text.parse::<Date>() {
        let start = date.to_zoned(TimeZone::UTC).map_err(|_| wrong(text))?;
        return Ok(When::At(start.timestamp().as_millisecond()));
    }
    parse_span(text).map(When::Away)
}

/// Reads a span of time as milliseconds: `30m`, `12h`, `90d`; ten years at most.
pub(crate) fn parse_span(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong(text)),
    };
    let number: i64 = number.parse().map_err(|_| wrong(text))?;
    number
        .checked_mul(factor)
        .filter(|ms| *ms <= LONGEST_MS)
        .ok_or_else(|| format!("'{text}' is too long; 3650d is the longest"))
}

fn wrong(text: &str) -> String {
    format!("'{text}' is no time; write it like 12h, 90d, 2027-01-31 or 2027-01-31T08:00:00Z")
}

impl When {
    /// Unix milliseconds, if spans run into the future.
    pub(crate) fn after(self, now_ms: i64) -> i64 {
        match self {
            When::Away(ms) => now_ms.saturating_add(ms),
            When::At(ms) => ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(parse("90d"), Ok(When::Away(90 * 86_400_000)));
        assert_eq!(parse("12h").unwrap().after(1), 43_200_001);
        assert_eq!(parse("1970-01-02"), Ok(When::At(86_400_000)));
        assert_eq!(parse("1970-01-01T00:00:01Z").unwrap().after(7), 1_000);
        assert_eq!(parse("0s").unwrap().after(7), 7);
        for text in ["", "90", "d", "-1d", "1w", "2027-13-01", "yesterday", "99999d", "9999999999999999999d"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

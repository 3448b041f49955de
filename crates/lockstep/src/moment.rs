//! Points in time on the command line: a span before now (`1h`, `7d`) or a time in UTC (`2026-11-25T10:00`).

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

const HINT: &str =
    "write how long ago, like 10m, 1h or 7d, or a time in UTC, like 2026-11-25 or 2026-11-25T10:00";

/// Reads a point in time as Unix milliseconds; spans count back from `now_ms`.
pub(crate) fn parse(text: &str, now_ms: i64) -> Result<i64, String> {
    let text = text.trim();
    let refuse = || format!("'{text}' is no point in time; {HINT}");
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        "w" => Some(604_800_000),
        _ => None,
    };
    if let Some(factor) = factor {
        let number: i64 = number.parse().map_err(|_| refuse())?;
        return number.checked_mul(factor).and_then(|span| now_ms.checked_sub(span)).ok_or_else(refuse);
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let civil = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(DateTime::from));
    let time = civil.and_then(|civil| civil.to_zoned(TimeZone::UTC)).map_err(|_| refuse())?;
    Ok(time.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_count_back_and_times_are_utc() {
        let now = 1_760_000_000_000;
        assert_eq!(parse("1h", now), Ok(now - 3_600_000));
        assert_eq!(parse("7d", now), Ok(now - 7 * 86_400_000));
        assert_eq!(parse("1970-01-02", now), Ok(86_400_000));
        assert_eq!(parse("1970-01-01T01:00", now), Ok(3_600_000));
        assert_eq!(parse("1970-01-01T01:00:00Z", now), Ok(3_600_000));
        assert_eq!(parse("1970-01-01T01:00:00+01:00", now), Ok(0));
        for text in
            ["", "1", "h", "-1h", "yesterday", "2026-13-01", "99999999999999999999d", "9999999999999999d"]
        {
            assert!(parse(text, now).unwrap_err().contains("7d"), "{text}");
        }
    }
}

//! Spans of time on the command line: `500ms`, `2s`, `5m`, `1h`.

/// Reads a span as milliseconds; a day at most.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("'{text}' is no span of time; write it like 500ms, 2s, 5m or 1h")),
    };
    let number: i64 = number
        .parse()
        .map_err(|_| format!("'{text}' is no span of time; write it like 500ms, 2s, 5m or 1h"))?;
    number
        .checked_mul(factor)
        .filter(|ms| *ms <= 86_400_000)
        .ok_or_else(|| format!("'{text}' is too long; 24h is the longest"))
}

/// A span for people.
pub(crate) fn show(ms: i64) -> String {
    match ms {
        ms if ms > 0 && ms % 3_600_000 == 0 => format!("{}h", ms / 3_600_000),
        ms if ms > 0 && ms % 60_000 == 0 => format!("{}m", ms / 60_000),
        ms if ms > 0 && ms % 1_000 == 0 => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_shown() {
        for (text, ms) in [("500ms", 500), ("2s", 2_000), ("5m", 300_000), ("1h", 3_600_000), ("0s", 0)] {
            assert_eq!(parse(text), Ok(ms));
        }
        assert_eq!([show(2_000), show(300_000), show(1_500)], ["2s", "5m", "1500ms"]);
        for text in ["", "2", "s", "2 s", "-1s", "1d", "99999999999999999999s", "25h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

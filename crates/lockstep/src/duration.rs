//! Spans of time on the command line: `500ms`, `2s`, `5m`, `12h`, `90d`, `2w`.

/// The longest span: ten years.
const LONGEST_MS: i64 = 3_650 * DAY_MS;
const DAY_MS: i64 = 86_400_000;

/// Reads a span as milliseconds; ten years at most.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    at_most(text, LONGEST_MS)
}

/// Reads a span of a request's life as milliseconds; a day at most.
pub(crate) fn parse_short(text: &str) -> Result<i64, String> {
    at_most(text, DAY_MS)
}

fn at_most(text: &str, longest_ms: i64) -> Result<i64, String> {
    match read(text) {
        Some(ms) if ms <= longest_ms => Ok(ms),
        Some(_) => Err(format!("'{text}' is too long; {} is the longest", show(longest_ms))),
        None => Err(format!("'{text}' is no span of time; write it like 500ms, 30s, 5m, 12h, 7d or 2w")),
    }
}

/// What looks like a span, in milliseconds; the largest number if it is more.
pub(crate) fn read(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_MS,
        "w" => 7 * DAY_MS,
        _ => return None,
    };
    // Digits that are no number are too many.
    (digits > 0).then(|| number.parse().unwrap_or(i64::MAX).saturating_mul(factor))
}

/// A span for people.
pub(crate) fn show(ms: i64) -> String {
    match ms {
        ms if ms > 0 && ms % DAY_MS == 0 => format!("{}d", ms / DAY_MS),
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
        for (text, ms) in [
            ("500ms", 500),
            ("2s", 2_000),
            ("5m", 300_000),
            ("12h", 43_200_000),
            ("7d", 604_800_000),
            (" 2w ", 1_209_600_000),
            ("0s", 0),
            ("3650d", LONGEST_MS),
        ] {
            assert_eq!(parse(text), Ok(ms));
        }
        let shown = [2_000, 300_000, 1_500, 7_200_000, DAY_MS, 0].map(show);
        assert_eq!(shown, ["2s", "5m", "1500ms", "2h", "1d", "0ms"]);
        for text in ["", "2", "s", "2 s", "-1s", "1y", "1.5h", "1D", "٣d"] {
            assert!(parse(text).unwrap_err().contains("no span of time"), "{text}");
        }
    }

    #[test]
    fn spans_have_an_end() {
        for text in ["3651d", "522w", "9999999999999999d", "99999999999999999999ms"] {
            assert!(parse(text).unwrap_err().contains("3650d is the longest"), "{text}");
        }
        assert_eq!([parse_short("24h"), parse_short("1d")], [Ok(DAY_MS), Ok(DAY_MS)]);
        for text in ["25h", "2d", "1w", "99999999999999999999s"] {
            assert!(parse_short(text).unwrap_err().contains("1d is the longest"), "{text}");
        }
    }
}

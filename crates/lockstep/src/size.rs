//! Sizes on the command line: `1048576`, `64KiB`, `500MiB`, `1GiB`.

/// Bytes of a MiB.
pub(crate) const MIB: i64 = 1 << 20;

/// Reads a size as bytes.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let wrong = || format!("'{text}' is no size; write bytes like 1048576, or 64KiB, 500MiB or 1GiB");
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => MIB,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    if number.is_empty() {
        return Err(wrong());
    }
    let bytes = number.parse::<i64>().ok().and_then(|number| number.checked_mul(factor));
    bytes.ok_or_else(|| format!("'{text}' is too large; {}GiB is the most", i64::MAX >> 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in
            [("0", 0), ("1048576", MIB), ("64KiB", 65_536), (" 500MiB ", 500 * MIB), ("1GiB", 1 << 30)]
        {
            assert_eq!(parse(text), Ok(bytes));
        }
        for text in ["", "MiB", "-1", "1.5GiB", "1 GiB", "1GB", "1gib", "1M", "٣MiB"] {
            assert!(parse(text).unwrap_err().contains("500MiB"), "{text}");
        }
        for text in ["9223372036854775808", "8589934592GiB", "99999999999999999999MiB"] {
            assert!(parse(text).unwrap_err().contains("8589934591GiB is the most"), "{text}");
        }
    }
}

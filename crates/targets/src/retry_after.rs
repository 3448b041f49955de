//! Retry-After: always a pause of sensible length, exact for seconds and for dates (RFC 9110 section 10.2.3).

use engine::connectors::scim::retry_after_ms;

const LONGEST_MS: i64 = 86_400_000;
const YEAR_9999_S: u64 = 253_402_300_799;

/// Eight bytes of a moment (milliseconds since 1970, little endian), then the header.
pub fn retry_after(data: &[u8]) {
    let (head, rest) = data.split_at(data.len().min(8));
    let mut moment = [0; 8];
    moment[..head.len()].copy_from_slice(head);
    let now_ms = i64::from_le_bytes(moment);
    let header = String::from_utf8_lossy(rest);
    let pause = retry_after_ms(Some(&header), now_ms);
    assert!((1..=LONGEST_MS).contains(&pause), "{header:?} gives {pause}");
    assert_eq!(
        retry_after_ms(Some(&format!(" {header}\t")), now_ms),
        pause,
        "white space around it means nothing"
    );
    let later = retry_after_ms(Some(&header), now_ms.saturating_add(1_000));
    assert!(later <= pause, "the later it is, the shorter the pause: {header:?}");
    let digits = header.trim();
    if !digits.is_empty() && digits.len() < 10 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds: i64 = digits.parse().expect("up to nine digits are a number");
        assert_eq!(pause, (seconds * 1_000).clamp(1, LONGEST_MS), "{header:?}");
    }
    dates(u64::from_le_bytes(moment) % YEAR_9999_S, i64::try_from(header.len()).unwrap_or(0));
}

/// A date that is written by counting days is read as the moment it was made from.
fn dates(at_s: u64, ahead_s: i64) {
    let text = imf_fixdate(at_s);
    let at_s = i64::try_from(at_s).expect("it is before the year 10000");
    let pause = retry_after_ms(Some(&text), (at_s - ahead_s) * 1_000);
    assert_eq!(pause, (ahead_s * 1_000).clamp(1, LONGEST_MS), "{text}");
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, year by year and month by month.
fn imf_fixdate(at_s: u64) -> String {
    const NAMES: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (mut days, second) = (at_s / 86_400, at_s % 86_400);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days % 7) as usize];
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    // 400 years are always the same number of days.
    let mut year = 1970 + days / 146_097 * 400;
    days %= 146_097;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{weekday}, {:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT", days + 1, NAMES[month])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(imf_fixdate(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(imf_fixdate(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
    }
}

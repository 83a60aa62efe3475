//! Formats and parses UUIDs, times and dates.

use super::civil::{date_of_days, days_of_date, digits, offset_seconds};
use std::fmt;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const SECONDS_PER_DAY: i128 = 86_400;

/// `2026-11-21`; years of more than four digits have a sign.
pub(super) fn write_date(days: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (year, month, day) = date_of_days(days);
    match year {
        0..=9999 => write!(f, "{year:04}-{month:02}-{day:02}"),
        _ => write!(f, "{year:+05}-{month:02}-{day:02}"),
    }
}

/// RFC 3339 in UTC with as many decimals as needed; seconds since the epoch outside the years 0 to 9999.
pub(super) fn write_timestamp(nanos: i128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (seconds, fraction) = (nanos.div_euclid(NANOS_PER_SECOND), nanos.rem_euclid(NANOS_PER_SECOND));
    let (days, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let decimals = |f: &mut fmt::Formatter<'_>, fraction: i128| match format!("{fraction:09}").trim_end_matches('0') {
        "" => Ok(()),
        digits => write!(f, ".{digits}"),
    };
    match i64::try_from(days) {
        Ok(days) if (-719_528..2_932_897).contains(&days) => {
            write_date(days, f)?;
            write!(f, "T{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)?;
            decimals(f, fraction)?;
            f.write_str("Z")
        }
        _ => {
            let magnitude = nanos.unsigned_abs();
            let sign = if nanos < 0 { "-" } else { "" };
            write!(f, "{sign}{}", magnitude / NANOS_PER_SECOND as u128)?;
            decimals(f, (magnitude % NANOS_PER_SECOND as u128) as i128)?;
            f.write_str("s")
        }
    }
}

/// Parses a date at the start of the text; returns its days since 1970-01-01 and the rest.
fn date_at_start(text: &str) -> Option<(i64, &str)> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
    let days = days_of_date(year, month, day);
    // A day that does not exist converts back to another one.
    ((1..=12).contains(&month) && date_of_days(days) == (year, month, day)).then_some((days, rest))
}

pub(super) fn read_date(text: &str) -> Option<i32> {
    let (days, rest) = date_at_start(text)?;
    if rest.is_empty() { i32::try_from(days).ok() } else { None }
}

/// Parses RFC 3339 with `Z` or an offset. More than nine decimals and leap seconds are not accepted.
pub(super) fn read_timestamp(text: &str) -> Option<i128> {
    let (days, rest) = date_at_start(text)?;
    let (hour, rest) = digits(rest.strip_prefix(['T', 't', ' '])?, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (nanos, rest) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(decimals) => {
            let count = decimals.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = if (1..=9).contains(&count) { digits(decimals, count)? } else { return None };
            (number * 10i64.pow(9 - count as u32), rest)
        }
    };
    let offset = match rest.strip_prefix(['Z', 'z']) {
        Some("") => 0,
        Some(_) => return None,
        None => offset_seconds(rest)?,
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i128::from(days) * SECONDS_PER_DAY + i128::from(hour * 3_600 + minute * 60 + second - offset);
    Some(seconds * NANOS_PER_SECOND + i128::from(nanos))
}

/// Parses a text of one character.
pub(super) fn read_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.as_str().is_empty())
}

/// `67e55044-10b1-426f-9247-bb680e5fe0c8`.
pub(super) fn write_uuid(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, byte) in bytes.iter().enumerate() {
        let hyphen = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
        write!(f, "{hyphen}{byte:02x}")?;
    }
    Ok(())
}

/// Parses 32 hexadecimal digits, with all four hyphens or without.
pub(super) fn read_uuid(text: &str) -> Option<[u8; 16]> {
    let bytes = text.as_bytes();
    let hyphenated = bytes.len() == 36;
    if !hyphenated && bytes.len() != 32 {
        return None;
    }
    let mut nibbles = [0u8; 32];
    let mut at = 0;
    for (position, byte) in bytes.iter().enumerate() {
        if hyphenated && matches!(position, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        *nibbles.get_mut(at)? = char::from(*byte).to_digit(16)? as u8;
        at += 1;
    }
    Some(std::array::from_fn(|at| nibbles[2 * at] << 4 | nibbles[2 * at + 1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ValueRef;

    #[test]
    fn times_are_written_and_read() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (951_782_400_500_000_000, "2000-02-29T00:00:00.5Z"),
            (-62_167_219_200_000_000_000, "0000-01-01T00:00:00Z"),
            (253_402_300_799_000_000_001, "9999-12-31T23:59:59.000000001Z"),
        ] {
            assert_eq!(ValueRef::Timestamp(nanos).to_string(), text);
            assert_eq!(read_timestamp(text), Some(nanos), "{text}");
        }
        assert_eq!(ValueRef::Timestamp(253_402_300_800_500_000_000).to_string(), "253402300800.5s");
        assert_eq!(ValueRef::Timestamp(i128::MIN).to_string(), "-170141183460469231731687303715.884105728s");
        assert_eq!(read_timestamp("2000-02-29t01:30:00.5+01:30"), Some(951_782_400_500_000_000));
        assert_eq!(read_timestamp("1999-12-31 23:00:00-01:00"), read_timestamp("2000-01-01T00:00:00z"));
        for wrong in [
            "",
            "2000-02-29",
            "2001-02-29T00:00:00Z",
            "2000-00-01T00:00:00Z",
            "2000-13-01T00:00:00Z",
            "2000-01-00T00:00:00Z",
            "2000-01-01T24:00:00Z",
            "2000-01-01T00:60:00Z",
            "2000-01-01T00:00:60Z",
            "2000-01-01T00:00:00",
            "2000-01-01T00:00:00.Z",
            "2000-01-01T00:00:00.1234567890Z",
            "2000-01-01T00:00:00Zx",
            "2000-01-01T00:00:00+1:00",
            "2000-01-01T00:00:00+24:00",
            "2000-01-01T00:00:00+01:00x",
            "٣000-01-01T00:00:00Z",
        ] {
            assert_eq!(read_timestamp(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn dates_are_written_and_read() {
        for (days, text) in [(0, "1970-01-01"), (11_016, "2000-02-29"), (-719_528, "0000-01-01")] {
            assert_eq!(ValueRef::Date(days).to_string(), text);
            assert_eq!(read_date(text), Some(days));
        }
        assert_eq!(ValueRef::Date(2_932_897).to_string(), "+10000-01-01");
        assert_eq!(ValueRef::Date(-719_529).to_string(), "-0001-12-31");
        assert!(ValueRef::Date(i32::MIN).to_string().starts_with('-'));
        assert!(["1970-1-1", "1970-02-30", "1970-01-01Z", "70-01-01"].iter().all(|text| read_date(text).is_none()));
    }

    #[test]
    fn a_character_is_a_text_of_one() {
        assert_eq!(
            ["x", "é", "\0", "", "xy", "e\u{301}"].map(read_char),
            [Some('x'), Some('é'), Some('\0'), None, None, None]
        );
    }

    #[test]
    fn uuids_are_written_and_read() {
        let text = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        let bytes = read_uuid(text).unwrap();
        assert_eq!(bytes[..6], [0x67, 0xe5, 0x50, 0x44, 0x10, 0xb1]);
        assert_eq!(ValueRef::Uuid(bytes).to_string(), text);
        assert_eq!(read_uuid(&text.replace('-', "").to_uppercase()), Some(bytes));
        let moved = "67e5504-410b1-426f-9247-bb680e5fe0c8";
        let shifted = "67e55044-10b1-426f-9247-bb680e5fe0c-";
        assert!(["", "67", moved, shifted, "67e5504410b1426f9247bb680e5fe0cg"].iter().all(|t| read_uuid(t).is_none()));
    }
}

//! Calendar arithmetic by plain loops, in zones with a constant offset.

use memdex::aggregate::{DateStep, DateUnit};

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_MINUTE: i128 = 60 * NANOS_PER_SECOND;
const NANOS_PER_DAY: i128 = 1_440 * NANOS_PER_MINUTE;

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_year(year: i64) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_of_month(year: i64, month: usize) -> i64 {
    [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month]
}

/// Year, month from 0, and day from 0, of a day counted from 1970-01-01.
fn date(mut days: i64) -> (i64, usize, i64) {
    let mut year = 1970;
    while days < 0 {
        year -= 1;
        days += days_of_year(year);
    }
    while days >= days_of_year(year) {
        days -= days_of_year(year);
        year += 1;
    }
    let mut month = 0;
    while days >= days_of_month(year, month) {
        days -= days_of_month(year, month);
        month += 1;
    }
    (year, month, days)
}

/// The first day of the bucket that contains a day, without the offset.
pub(super) fn first_day(days: i64, step: DateStep) -> i64 {
    let (year, month, day) = date(days);
    let every = i64::from(step.every);
    let months = match step.unit {
        // Day -3 was a Monday.
        DateUnit::Week => return days - (days + 3).rem_euclid(7 * every),
        DateUnit::Month => every,
        DateUnit::Quarter => 3 * every,
        DateUnit::Year => 12 * every,
        _ => return days - days.rem_euclid(every),
    };
    let mut first = days - day;
    for _ in 0..((year - 1970) * 12 + month as i64).rem_euclid(months) {
        let (_, _, day) = date(first - 1);
        first -= 1 + day;
    }
    first
}

/// The days by which buckets of dates begin later.
pub(super) fn days_later(step: DateStep) -> i64 {
    step.offset_seconds / 86_400
}

/// The first day of the next unit.
pub(super) fn next_day(first: i64, step: DateStep) -> i64 {
    let mut day = first + 1;
    while first_day(day, step) == first {
        day += 1;
    }
    day
}

/// The offset of a zone in nanoseconds: `UTC` or `+hh:mm`. `None` for others.
pub(super) fn offset(zone: &str) -> Option<i128> {
    if zone == "UTC" {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (hours.parse::<i128>().ok()? * 60 + minutes.parse::<i128>().ok()?) * NANOS_PER_MINUTE)
}

/// The start of the bucket that contains an instant.
pub(super) fn start(nanos: i128, step: DateStep, zone_offset: i128) -> i128 {
    let offset = zone_offset - i128::from(step.offset_seconds) * NANOS_PER_SECOND;
    let local = nanos + offset;
    let every = i128::from(step.every);
    let start = match step.unit {
        DateUnit::Minute => local - local.rem_euclid(every * NANOS_PER_MINUTE),
        DateUnit::Hour => local - local.rem_euclid(every * 60 * NANOS_PER_MINUTE),
        _ => i128::from(first_day(local.div_euclid(NANOS_PER_DAY) as i64, step)) * NANOS_PER_DAY,
    };
    start - offset
}

/// The start of the next bucket.
pub(super) fn next(first: i128, step: DateStep, zone_offset: i128) -> i128 {
    let offset = zone_offset - i128::from(step.offset_seconds) * NANOS_PER_SECOND;
    let every = i128::from(step.every);
    match step.unit {
        DateUnit::Minute => first + every * NANOS_PER_MINUTE,
        DateUnit::Hour => first + every * 60 * NANOS_PER_MINUTE,
        _ => i128::from(next_day(((first + offset).div_euclid(NANOS_PER_DAY)) as i64, step)) * NANOS_PER_DAY - offset,
    }
}

//! Calendar arithmetic by plain loops.

use memdex::aggregate::DateUnit;

const NANOS_PER_MINUTE: i128 = 60_000_000_000;
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

/// The first day of the unit that contains a day.
pub(super) fn first_day(days: i64, unit: DateUnit) -> i64 {
    let (year, month, day) = date(days);
    match unit {
        // Day 0 was a Thursday.
        DateUnit::Week => days - (days + 3).rem_euclid(7),
        DateUnit::Month => days - day,
        DateUnit::Quarter => days - day - (month / 3 * 3..month).map(|m| days_of_month(year, m)).sum::<i64>(),
        DateUnit::Year => days - day - (0..month).map(|m| days_of_month(year, m)).sum::<i64>(),
        _ => days,
    }
}

/// The first day of the next unit.
pub(super) fn next_day(first: i64, unit: DateUnit) -> i64 {
    let mut day = first + 1;
    while first_day(day, unit) == first {
        day += 1;
    }
    day
}

/// The offset of a zone with a constant offset, in nanoseconds.
fn offset(zone: &str) -> Option<i128> {
    if zone == "UTC" {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone[1..].split_once(':')?;
    Some(sign * (hours.parse::<i128>().ok()? * 60 + minutes.parse::<i128>().ok()?) * NANOS_PER_MINUTE)
}

/// The start of the unit that contains an instant.
pub(super) fn start(nanos: i128, unit: DateUnit, zone: &str) -> i128 {
    let Some(offset) = offset(zone) else { return named::start(nanos, unit, zone) };
    let local = nanos + offset;
    let start = match unit {
        DateUnit::Minute => local - local.rem_euclid(NANOS_PER_MINUTE),
        DateUnit::Hour => local - local.rem_euclid(60 * NANOS_PER_MINUTE),
        _ => i128::from(first_day(local.div_euclid(NANOS_PER_DAY) as i64, unit)) * NANOS_PER_DAY,
    };
    start - offset
}

/// The start of the next unit.
pub(super) fn next(first: i128, unit: DateUnit, zone: &str) -> i128 {
    let Some(offset) = offset(zone) else { return named::next(first, unit, zone) };
    match unit {
        DateUnit::Minute => first + NANOS_PER_MINUTE,
        DateUnit::Hour => first + 60 * NANOS_PER_MINUTE,
        _ => i128::from(next_day(((first + offset).div_euclid(NANOS_PER_DAY)) as i64, unit)) * NANOS_PER_DAY - offset,
    }
}

/// Named zones, whose offset changes with time.
mod named {
    use memdex::aggregate::DateUnit;

    pub(super) fn start(_: i128, _: DateUnit, zone: &str) -> i128 {
        panic!("unknown zone {zone}")
    }

    pub(super) fn next(_: i128, _: DateUnit, zone: &str) -> i128 {
        panic!("unknown zone {zone}")
    }
}

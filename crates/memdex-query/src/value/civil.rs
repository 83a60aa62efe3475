//! Days and dates of the proleptic Gregorian calendar, and offsets from UTC. The conversion is Howard Hinnant's
//! ("chrono-compatible low-level date algorithms").

/// Four centuries, after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_468;

/// Days from 1970-01-01 to this day.
pub fn days_of_date(year: i64, month: u8, day: u8) -> i64 {
    // Years start in March, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH
}

/// Year, month and day of the date `days` days after 1970-01-01.
pub fn date_of_days(days: i64) -> (i64, u8, u8) {
    let days = days + DAYS_TO_EPOCH;
    let (era, day_of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u8;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u8;
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Parses a number of exactly `count` digits at the start of the text; returns it and the rest.
pub(super) fn digits(text: &str, count: usize) -> Option<(i64, &str)> {
    let (head, rest) = text.split_at_checked(count)?;
    head.bytes().all(|b| b.is_ascii_digit()).then(|| head.parse().ok())?.map(|number| (number, rest))
}

/// Parses an offset such as `+02:00`, up to 23:59 either way: the seconds by which local time is ahead of UTC.
pub fn offset_seconds(text: &str) -> Option<i64> {
    let (sign, rest) =
        text.strip_prefix('+').map(|rest| (1, rest)).or(text.strip_prefix('-').map(|rest| (-1, rest)))?;
    let (hours, rest) = digits(rest, 2)?;
    let (minutes, rest) = digits(rest.strip_prefix(':')?, 2)?;
    (hours <= 23 && minutes <= 59 && rest.is_empty()).then_some(sign * (hours * 3_600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_follow_each_other_through_the_centuries() {
        let mut expected = (1599, 12, 31);
        for days in days_of_date(1600, 1, 1)..days_of_date(2401, 1, 1) {
            let (year, month, day) = expected;
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][usize::from(month) - 1];
            expected = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, day) if day == last => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
            assert_eq!(date_of_days(days), expected);
            assert_eq!(days_of_date(expected.0, expected.1, expected.2), days);
        }
        assert_eq!(days_of_date(1970, 1, 1), 0);
    }
}

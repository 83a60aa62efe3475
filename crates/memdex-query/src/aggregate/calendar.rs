//! Units of the calendar, with numbers: 1970-01-01 is in number 0 of each unit.

use super::buckets::count_buckets;
use crate::error::StatisticsError;
use crate::limits::MAX_DATE_UNITS;
use crate::query::{DateStep, DateUnit};
use crate::value::civil::{date_of_days, days_of_date};
use crate::value::{Value, ValueRef};

pub(super) const SECONDS_PER_DAY: i64 = 86_400;
/// 1970-01-01 was a Thursday: the days of its week before it.
pub(super) const DAYS_SINCE_MONDAY: i64 = 3;

impl DateUnit {
    pub(super) fn name(self) -> &'static str {
        match self {
            DateUnit::Minute => "minute",
            DateUnit::Hour => "hour",
            DateUnit::Day => "day",
            DateUnit::Week => "week",
            DateUnit::Month => "month",
            DateUnit::Quarter => "quarter",
            DateUnit::Year => "year",
        }
    }

    /// The length of a unit that is shorter than a day.
    pub(super) fn seconds_within_day(self) -> Option<i64> {
        match self {
            DateUnit::Minute => Some(60),
            DateUnit::Hour => Some(3_600),
            _ => None,
        }
    }

    /// The number of the unit that holds a day; for shorter units, the number of the day.
    pub(super) fn number_of_day(self, days: i64) -> i64 {
        let months = || {
            let (year, month, _) = date_of_days(days);
            (year - 1_970) * 12 + i64::from(month) - 1
        };
        match self {
            DateUnit::Minute | DateUnit::Hour | DateUnit::Day => days,
            DateUnit::Week => (days + DAYS_SINCE_MONDAY).div_euclid(7),
            DateUnit::Month => months(),
            DateUnit::Quarter => months().div_euclid(3),
            DateUnit::Year => months().div_euclid(12),
        }
    }

    /// The first day of the unit with this number.
    pub(super) fn first_day(self, number: i64) -> i64 {
        let month = |months: i64| days_of_date(1_970 + months.div_euclid(12), 1 + months.rem_euclid(12) as u8, 1);
        match self {
            DateUnit::Minute | DateUnit::Hour | DateUnit::Day => number,
            DateUnit::Week => number * 7 - DAYS_SINCE_MONDAY,
            DateUnit::Month => month(number),
            DateUnit::Quarter => month(number * 3),
            DateUnit::Year => month(number * 12),
        }
    }
}

/// The furthest that buckets begin from their unit.
const MAX_OFFSET: i64 = 366 * SECONDS_PER_DAY;

impl DateStep {
    pub(super) fn check(self) -> Result<(), StatisticsError> {
        let DateStep { unit, every, offset_seconds } = self;
        if !(1..=MAX_DATE_UNITS).contains(&every) || offset_seconds.abs() > MAX_OFFSET {
            return Err(StatisticsError::BadStep { unit: unit.name(), every, offset_seconds, limit: MAX_DATE_UNITS });
        }
        Ok(())
    }

    /// The number of the bucket that holds a day, without the offset; for units shorter than a day, of the day.
    pub(super) fn number_of_day(self, days: i64) -> i64 {
        self.unit.number_of_day(days).div_euclid(self.every.into())
    }

    /// The first day of the bucket with this number, without the offset.
    pub(super) fn first_day(self, number: i64) -> i64 {
        self.unit.first_day(number * i64::from(self.every))
    }
}

/// Buckets of dates: days without a time or a zone.
#[derive(Clone, Copy, Debug)]
pub struct DayBuckets(DateStep);

impl DayBuckets {
    /// Buckets of some units.
    ///
    /// # Errors
    /// [`StatisticsError::NoTimeOfDay`] for minutes and hours; [`StatisticsError::BadStep`] for too many units, and an
    /// offset that is too far or not in whole days.
    pub fn new(step: impl Into<DateStep>) -> Result<Self, StatisticsError> {
        let step = step.into();
        let DateStep { unit, every, offset_seconds } = step;
        if unit.seconds_within_day().is_some() {
            return Err(StatisticsError::NoTimeOfDay { unit: unit.name() });
        }
        if offset_seconds % SECONDS_PER_DAY != 0 {
            return Err(StatisticsError::BadStep { unit: unit.name(), every, offset_seconds, limit: MAX_DATE_UNITS });
        }
        step.check()?;
        Ok(DayBuckets(step))
    }

    fn offset_days(self) -> i64 {
        self.0.offset_seconds / SECONDS_PER_DAY
    }

    /// The number of the bucket that holds a day, given by days since 1970-01-01.
    pub fn number_of(self, days: i32) -> i64 {
        self.0.number_of_day(i64::from(days) - self.offset_days())
    }

    /// The first day of a bucket; `None` if it does not fit `i32`.
    pub fn first_day(self, number: i64) -> Option<i32> {
        // No unit is shorter than a day. An offset may move the last bucket behind the last date.
        if number.abs_diff(0) > 1 << 32 {
            return None;
        }
        i32::try_from(self.0.first_day(number) + self.offset_days()).ok()
    }

    /// The name of a bucket: its first day.
    pub fn name(self, number: i64) -> Option<Value> {
        self.first_day(number).map(|days| ValueRef::Date(days).to_value())
    }

    /// All buckets from one to another, including empty ones, with their first days.
    ///
    /// # Errors
    /// [`StatisticsError::TooManyBuckets`] above [`MAX_BUCKETS`](crate::limits::MAX_BUCKETS).
    pub fn between(self, first: i64, last: i64) -> Result<impl Iterator<Item = (i64, i32)>, StatisticsError> {
        count_buckets(first.into(), last.into())?;
        Ok((first..=last).filter_map(move |number| Some((number, self.first_day(number)?))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_begin_where_the_calendar_says() {
        for days in days_of_date(1899, 12, 1)..days_of_date(2101, 2, 1) {
            let (year, month, day) = date_of_days(days);
            let first = |unit: DateUnit| {
                let number = unit.number_of_day(days);
                let first = unit.first_day(number);
                assert!(first <= days && days < unit.first_day(number + 1));
                assert_eq!(unit.number_of_day(first), number);
                date_of_days(first)
            };
            assert_eq!(first(DateUnit::Day), (year, month, day));
            assert_eq!(first(DateUnit::Month), (year, month, 1));
            assert_eq!(first(DateUnit::Quarter), (year, (month - 1) / 3 * 3 + 1, 1));
            assert_eq!(first(DateUnit::Year), (year, 1, 1));
            // 2001-01-01 was a Monday.
            let monday = DateUnit::Week.first_day(DateUnit::Week.number_of_day(days));
            assert!((0..7).contains(&(days - monday)));
            assert_eq!((monday - days_of_date(2001, 1, 1)) % 7, 0);
        }
        for unit in [
            DateUnit::Minute,
            DateUnit::Hour,
            DateUnit::Day,
            DateUnit::Week,
            DateUnit::Month,
            DateUnit::Quarter,
            DateUnit::Year,
        ] {
            assert_eq!(unit.number_of_day(0), 0);
        }
    }

    #[test]
    fn the_first_and_last_dates() {
        for unit in [DateUnit::Day, DateUnit::Week, DateUnit::Month, DateUnit::Quarter, DateUnit::Year] {
            let buckets = DayBuckets::new(unit).unwrap();
            let last = buckets.first_day(buckets.number_of(i32::MAX)).unwrap();
            assert_eq!(buckets.number_of(last), buckets.number_of(i32::MAX));
            let first = buckets.first_day(buckets.number_of(i32::MIN));
            assert_eq!(first.is_some(), unit == DateUnit::Day);
            assert_eq!((buckets.first_day(i64::MAX), buckets.first_day(i64::MIN)), (None, None));
        }
        let months = DayBuckets::new(DateUnit::Month).unwrap();
        let names: Vec<_> = months.between(-1, 1).unwrap().map(|(n, _)| months.name(n).unwrap().to_string()).collect();
        assert_eq!(names, ["1969-12-01", "1970-01-01", "1970-02-01"]);
        assert!(months.between(0, 100_000).is_err());
        let error = DayBuckets::new(DateUnit::Hour).unwrap_err();
        assert!(error.to_string().contains("no hour"), "{error}");
    }
}

//! Buckets of time in a time zone: maps a timestamp to its minute, hour, day … year there.
//!
//! Days and longer units follow the local calendar: instants with the same local date are in one bucket, even if clocks
//! go back over midnight and a day has two parts. The first instant of a bucket is its name; if a day has no midnight,
//! that is its first existing instant. Minutes and hours follow the local clock, but the two passes through an hour
//! that is repeated at the end of daylight saving time are two buckets: a new one begins whenever the clock goes back.
//!
//! Several units make one bucket by a division of their numbers. An offset moves local time, so that buckets begin later.
//!
//! Each bucket has a number, so that arrays can count by bucket. Numbers ascend with time. Number 0 is the local day,
//! week … that holds 1970-01-01, or the minute or hour of its first instant in UTC. A number does not depend on earlier
//! calls. Numbers of minutes and hours have no gap; others have one where the zone skipped a local day.
//!
//! A number is computed from the zone's offset at the time ([`Steps`]), for days and shorter units by a division; for
//! months and longer units, the steps are the months themselves. Steps are computed for the times that occur, and half
//! as far around them.

use super::buckets::{Even, count_buckets};
use super::calendar::{DAYS_SINCE_MONDAY, SECONDS_PER_DAY};
use super::steps::Steps;
use super::zone::{FIRST_SECOND, LAST_SECOND, LONG_AGO, MOST_OFFSET, Period, Zone};
use crate::error::StatisticsError;
use crate::query::{DateStep, DateUnit};
use crate::value::{Value, ValueRef};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_WEEK: i64 = 7 * SECONDS_PER_DAY;
const SECONDS_PER_YEAR: i64 = 366 * SECONDS_PER_DAY;

/// A minute in nanoseconds.
pub const MINUTE: u64 = 60 * NANOS_PER_SECOND.cast_unsigned();
/// An hour in nanoseconds.
pub const HOUR: u64 = 60 * MINUTE;
/// A day of 24 hours in nanoseconds.
pub const DAY: u64 = 24 * HOUR;
/// A week in nanoseconds.
pub const WEEK: u64 = 7 * DAY;

/// Buckets of some units in one time zone.
#[derive(Clone, Debug)]
pub struct DateBuckets {
    step: DateStep,
    /// The length of a bucket, unless months or longer units make it.
    length: Option<i64>,
    zone: Zone,
    /// The range of seconds that the steps cover. Empty (`from > to`) at first; later it always includes 1970.
    from: i64,
    to: i64,
    /// With offsets that move local time so that the units begin where the buckets do.
    periods: Vec<Period>,
    /// For months and longer units, a step is the number itself. For others, it is the shift that makes a second's
    /// quotient by the length of the unit its number.
    steps: Steps,
}

impl DateBuckets {
    /// Buckets of some units in a time zone.
    ///
    /// # Errors
    /// [`StatisticsError::BadStep`] for too many units, and an offset that is too far.
    pub fn new(step: impl Into<DateStep>, zone: Zone) -> Result<Self, StatisticsError> {
        let step = step.into();
        step.check()?;
        let length = match step.unit {
            DateUnit::Minute => Some(60),
            DateUnit::Hour => Some(3_600),
            DateUnit::Day => Some(SECONDS_PER_DAY),
            DateUnit::Week => Some(SECONDS_PER_WEEK),
            DateUnit::Month | DateUnit::Quarter | DateUnit::Year => None,
        };
        let length = length.map(|length| length * i64::from(step.every));
        Ok(DateBuckets { step, length, zone, from: 1, to: 0, periods: Vec::new(), steps: Steps::default() })
    }

    /// The number of the bucket of a time, given in nanoseconds since 1970.
    #[inline]
    pub fn number_of(&mut self, nanos: i64) -> i64 {
        self.number_of_second(second_of(nanos))
    }

    /// The buckets between two times, both included, if the zone has one offset there and the unit has a fixed length.
    /// The number of a time in between is `first` plus the number of whole `length`s since `start`.
    pub fn even(&mut self, least: i64, greatest: i64) -> Option<Even> {
        if greatest.abs_diff(least) >= 1 << 63 {
            // The distance from the start of the first bucket could overflow 64 bits.
            return None;
        }
        let [least, greatest] = [least, greatest].map(second_of);
        self.ensure(least);
        self.ensure(greatest);
        let step = self.steps.find_both(least, greatest)?;
        let length = self.length?;
        let first = quotient_by(least + step, length);
        let start = (first * length - step).wrapping_mul(NANOS_PER_SECOND);
        Some(Even { first, start, length: (length * NANOS_PER_SECOND).cast_unsigned() })
    }

    /// Like [`number_of`](Self::number_of), for any timestamp; `None` outside of the years -9999 to 9999.
    pub fn number_of_wide(&mut self, nanos: i128) -> Option<i64> {
        let second = i64::try_from(nanos.div_euclid(NANOS_PER_SECOND.into())).ok()?;
        (FIRST_SECOND..=LAST_SECOND).contains(&second).then(|| self.number_of_second(second))
    }

    #[inline]
    fn number_of_second(&mut self, second: i64) -> i64 {
        if second < self.from || second > self.to {
            self.cover(second);
        }
        let step = self.steps.find(second);
        self.length.map_or(step, |length| quotient_by(second + step, length))
    }

    /// The first instant of a bucket, in nanoseconds since 1970. `None` if the bucket does not exist: the zone skipped
    /// its local date, or it is outside of the years -9999 to 9999.
    pub fn start(&mut self, number: i64) -> Option<i128> {
        let second = match self.length {
            Some(length) if self.step.unit.seconds_within_day().is_some() => self.start_within_day(number, length),
            _ => self.start_of_days(number),
        };
        second.map(|second| i128::from(second) * i128::from(NANOS_PER_SECOND))
    }

    /// The name of a bucket: the timestamp of its first instant.
    pub fn name(&mut self, number: i64) -> Option<Value> {
        self.start(number).map(|nanos| ValueRef::Timestamp(nanos).to_value())
    }

    /// All buckets from one to another, including empty ones, with their first instants.
    ///
    /// # Errors
    /// [`StatisticsError::TooManyBuckets`] above [`MAX_BUCKETS`](crate::limits::MAX_BUCKETS).
    pub fn between(&mut self, first: i64, last: i64) -> Result<impl Iterator<Item = (i64, i128)>, StatisticsError> {
        count_buckets(first.into(), last.into())?;
        Ok((first..=last).filter_map(|number| Some((number, self.start(number)?))))
    }

    /// The first second of the local days of a unit.
    fn start_of_days(&mut self, number: i64) -> Option<i64> {
        // No unit is shorter than a day, so nothing overflows below.
        let days = LAST_SECOND.max(-FIRST_SECOND) / SECONDS_PER_DAY + 2;
        if !(-days..=days).contains(&number) {
            return None;
        }
        let most = self.most_offset();
        let [start, end] = [number, number + 1].map(|number| self.step.first_day(number) * SECONDS_PER_DAY);
        if end + most < FIRST_SECOND || start - most > LAST_SECOND {
            return None;
        }
        for second in [start - most, end + most] {
            self.ensure(second.clamp(FIRST_SECOND, LAST_SECOND));
        }
        let first = self.periods.partition_point(|period| period.start <= start - most).saturating_sub(1);
        let ends = self.periods[first..].iter().skip(1).map(|next| next.start).chain([i64::MAX]);
        self.periods[first..]
            .iter()
            .zip(ends)
            .take_while(|(period, _)| period.start < end + most)
            .map(|(period, behind)| ((start - period.offset).max(period.start), (end - period.offset).min(behind)))
            .find(|(first, behind)| first < behind)
            .map(|(first, _)| first)
    }

    /// The most that a local time is from UTC.
    fn most_offset(&self) -> i64 {
        MOST_OFFSET + self.step.offset_seconds.abs()
    }

    /// The first second of a bucket of minutes or hours.
    fn start_within_day(&mut self, number: i64, length: i64) -> Option<i64> {
        let mut estimate = number.checked_mul(length)?;
        // Repeated hours shift the numbers, so an estimate is off by the shift. The next estimate uses the steps around
        // the previous one.
        for _ in 0..8 {
            // `FAR` covers the local offset and repeated hours.
            if !(FIRST_SECOND - length - FAR..=LAST_SECOND + length + FAR).contains(&estimate) {
                return None;
            }
            self.ensure(estimate.clamp(FIRST_SECOND, LAST_SECOND));
            let all = self.steps.all();
            // The last step that begins with a lower number. It contains the number, or the next step begins with it.
            let before = all[1..].partition_point(|(start, moved)| (start + moved).div_euclid(length) < number);
            let next = all.get(before + 1).map_or(i64::MAX, |step| step.0);
            let next_estimate = (number * length - all[before].1).min(next);
            if all[before].0 <= next_estimate && next_estimate <= self.to {
                return Some(next_estimate);
            }
            if next_estimate == estimate {
                return None;
            }
            estimate = next_estimate;
        }
        debug_assert!(false, "found no start of bucket {number}");
        None
    }

    fn ensure(&mut self, second: i64) {
        if second < self.from || second > self.to {
            self.cover(second);
        }
    }

    /// Extends the steps to this second, with a margin.
    #[cold]
    #[inline(never)]
    fn cover(&mut self, second: i64) {
        let around = SECONDS_PER_YEAR + second.abs() / 2;
        let (from, to) = if self.from > self.to { (0, 0) } else { (self.from, self.to) };
        self.from = from.min(if second < from { second - around } else { from }).max(FIRST_SECOND);
        self.to = to.max(if second > to { second + around } else { to }).min(LAST_SECOND);
        self.periods = self.zone.periods(self.from, self.to);
        self.periods.iter_mut().for_each(|period| period.offset -= self.step.offset_seconds);
        let steps = match (self.step.unit, self.length) {
            (DateUnit::Minute | DateUnit::Hour, Some(length)) => {
                clock_steps(&self.periods, length, self.step.every > 1)
            }
            (DateUnit::Day, _) => self.periods.iter().map(|period| (period.start, period.offset)).collect(),
            (DateUnit::Week, _) => {
                let moved = |offset| offset + DAYS_SINCE_MONDAY * SECONDS_PER_DAY;
                self.periods.iter().map(|period| (period.start, moved(period.offset))).collect()
            }
            _ => self.calendar_steps(),
        };
        self.steps = Steps::new(steps, self.from, self.to);
    }

    /// The numbers of months and longer units, each with its first second.
    fn calendar_steps(&self) -> Vec<(i64, i64)> {
        let mut steps: Vec<(i64, i64)> = Vec::new();
        let ends = self.periods.iter().skip(1).map(|next| next.start - 1).chain([self.to]);
        for (period, end) in self.periods.iter().zip(ends) {
            let number = |second: i64| self.step.number_of_day((second + period.offset).div_euclid(SECONDS_PER_DAY));
            for number in number(period.start.max(self.from))..=number(end) {
                let start = (self.step.first_day(number) * SECONDS_PER_DAY - period.offset).max(period.start);
                if steps.last().is_none_or(|last| last.1 != number) {
                    steps.push((start, number));
                }
            }
        }
        steps
    }
}

/// More than the shift of an hour's number from UTC can be. With hours that don't divide a day, it grows with each
/// repeated hour.
const FAR: i64 = 20 * SECONDS_PER_YEAR;

/// Converts nanoseconds to seconds, rounded down.
#[inline]
fn second_of(nanos: i64) -> i64 {
    // An unsigned division takes half the time of `div_euclid`. The trailing zero bits of the divisor are shifted out
    // first, so that the sum that makes the dividend positive does not overflow.
    const ZEROS: u32 = NANOS_PER_SECOND.trailing_zeros();
    const DIVISOR: i64 = NANOS_PER_SECOND >> ZEROS;
    const SECONDS: i64 = (i64::MAX >> ZEROS) / DIVISOR + 1;
    let second = (((nanos >> ZEROS) + SECONDS * DIVISOR) as u64 / DIVISOR as u64) as i64 - SECONDS;
    debug_assert_eq!(second, nanos.div_euclid(NANOS_PER_SECOND));
    second
}

/// The quotient by a length, rounded down. The dividend is far from the limits, and is made positive so that the
/// compiler replaces the division by one multiplication.
#[inline]
fn quotient<const LENGTH: i64>(second: i64) -> i64 {
    const WEEKS: i64 = 1 << 31;
    let positive = second + WEEKS * SECONDS_PER_WEEK;
    debug_assert!(positive >= 0);
    (positive as u64 / LENGTH as u64) as i64 - WEEKS * (SECONDS_PER_WEEK / LENGTH)
}

/// The quotient by the length of a bucket, rounded down.
#[inline]
fn quotient_by(second: i64, length: i64) -> i64 {
    match length {
        60 => quotient::<60>(second),
        3_600 => quotient::<3_600>(second),
        SECONDS_PER_DAY => quotient::<SECONDS_PER_DAY>(second),
        SECONDS_PER_WEEK => quotient::<SECONDS_PER_WEEK>(second),
        other => second.div_euclid(other),
    }
}

/// The shift of minutes or hours for each period: the local offset, minus the time repeated since 1970, plus the time
/// skipped. With `join`, a bucket continues if the clock goes back by less than its length, and stays in it.
fn clock_steps(periods: &[Period], length: i64, join: bool) -> Vec<(i64, i64)> {
    // In the period of 1970, 1970 itself gets number 0. The later periods continue from it, and the earlier ones
    // precede it.
    let epoch = periods.partition_point(|period| period.start <= 0).saturating_sub(1);
    let mut steps: Vec<(i64, i64)> = periods.iter().map(|period| (period.start, period.offset)).collect();
    steps[epoch].1 -= steps[epoch].1.div_euclid(length) * length;
    // The shift that a period needs in addition to its offset, so that its first number is the last one of the period
    // before, or one more. It is the same number if the clock went forward within one unit.
    let follows = |before: Period, after: Period| {
        let [last, first] = [after.start - 1 + before.offset, after.start + after.offset].map(|s| s.div_euclid(length));
        let back = before.offset - after.offset;
        let continues = first == last && (back < 0 || join && back < length);
        if continues { 0 } else { (last + 1 - first) * length }
    };
    for at in epoch + 1..periods.len() {
        let (before, after) = (periods[at - 1], periods[at]);
        steps[at].1 = after.offset + (steps[at - 1].1 - before.offset) + follows(before, after);
    }
    for at in (0..epoch).rev() {
        let (before, after) = (periods[at], periods[at + 1]);
        steps[at].1 = before.offset + (steps[at + 1].1 - after.offset) - follows(before, after);
    }
    debug_assert!(steps[0].0 >= LONG_AGO);
    steps
}

#[cfg(test)]
mod tests;

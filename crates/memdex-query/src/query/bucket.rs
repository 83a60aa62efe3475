//! Buckets as plain data: the parts of a group's key.

use super::FieldName;
#[cfg(feature = "serde")]
use super::form::is_default;
use crate::value::Value;
use std::borrow::Cow;
use std::time::Duration;

/// One part of a group's key: maps a value of a field to a bucket. A record whose value is in no bucket (outside of all
/// ranges, or NaN) is in no group. A missing value is a bucket for [`Values`](Bucket::Values), and in no bucket
/// otherwise. A record of a field of many values is in the bucket of each of them, once.
///
/// ```
/// use memdex::{Bucket, Filter, GroupBy, Metric, Record, Store};
/// use memdex::aggregate::DateUnit;
///
/// #[derive(Record)]
/// struct Payment { #[record(key)] id: u32, #[record(field)] amount: i64 }
///
/// let payments = Store::new().collection::<Payment>("Payment")?;
/// for (id, amount) in [(1, 20), (2, 70), (3, 130)] {
///     payments.store(Payment { id, amount })?;
/// }
/// let histogram = GroupBy::new([Bucket::width(payment::AMOUNT, 100)]).metrics([Metric::count()]);
/// let result = payments.find(Filter::all()).statistics(histogram)?;
/// assert_eq!(result.group(0).unwrap().int("count"), Some(2));
/// assert_eq!(result.group(100).unwrap().int("count"), Some(1));
/// // By month, in a time zone:
/// let by_month = Bucket::date_in("paid_at", DateUnit::Month, "+02:00");
/// # let _ = by_month;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
pub enum Bucket {
    /// Each value is a bucket.
    Values {
        /// The field.
        field: FieldName,
        /// The key of the records without a value, in place of null.
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
        missing: Option<Value>,
    },
    /// Numbers or times in buckets of one width. A bucket is named by the lowest number, or the first moment, in it.
    Width {
        /// The field, of numbers or timestamps.
        field: FieldName,
        /// A number above zero; for timestamps, in nanoseconds.
        width: Value,
        /// A number at which a bucket begins; for timestamps, in nanoseconds since 1970.
        #[cfg_attr(feature = "serde", serde(default = "zero", skip_serializing_if = "is_zero"))]
        offset: Value,
    },
    /// Ranges of values, in the order of this list. The result includes empty ones. A bucket is named by its bounds, as
    /// `100..200`.
    Ranges {
        /// The field.
        field: FieldName,
        /// The lower bound, included, and the upper bound, excluded; `None` is unbounded. Ranges may overlap.
        ranges: Vec<(Option<Value>, Option<Value>)>,
    },
    /// Times or dates by the calendar. A bucket is named by its first moment.
    Date {
        /// The field, of timestamps or dates.
        field: FieldName,
        /// The unit of the length of a bucket.
        unit: DateUnit,
        /// The time zone: `UTC`, an offset like `+02:00`, or with the feature `time-zones` an IANA name like
        /// `Europe/Zurich`. Dates take `UTC` only.
        #[cfg_attr(feature = "serde", serde(default = "utc", skip_serializing_if = "is_utc"))]
        zone: Cow<'static, str>,
        /// The number of units in a bucket, see [`DateStep::every`].
        #[cfg_attr(feature = "serde", serde(default = "one", skip_serializing_if = "is_one"))]
        every: u32,
        /// The seconds by which each bucket begins later, see [`DateStep::offset_seconds`].
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
        offset_seconds: i64,
    },
}

/// A unit of the calendar.
///
/// ```
/// use memdex::Bucket;
/// use memdex::aggregate::DateUnit;
///
/// let by_week = Bucket::date("created_at", DateUnit::Week);
/// assert!(matches!(by_week, Bucket::Date { unit: DateUnit::Week, .. }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum DateUnit {
    /// 60 seconds.
    Minute,
    /// An hour of the clock.
    Hour,
    /// From midnight to midnight.
    Day,
    /// Seven days, from Monday; from another day by [`DateStep::weeks_from`].
    Week,
    /// A month.
    Month,
    /// Three months, from the first of January, April, July or October.
    Quarter,
    /// A year.
    Year,
}

/// A day of the week.
///
/// ```
/// use memdex::aggregate::{DateStep, Weekday};
///
/// assert_eq!(DateStep::weeks_from(Weekday::Sunday).offset_seconds, 6 * 86_400);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// The length and the begin of buckets by the calendar: some units, from an offset.
///
/// Several units are counted from 1970: a bucket of 15 minutes, of 2 days or of 5 years begins at
/// 1970-01-01T00:00 in the time zone, one of 2 weeks at Monday, 1969-12-29. Minutes and hours follow the local clock. At
/// the end of daylight saving time a new bucket begins, unless a bucket is longer than the time that is repeated and
/// contains both passes.
///
/// ```
/// use memdex::{Bucket, Filter, GroupBy, Metric, Record, Store, Timestamp};
/// use memdex::aggregate::{DateStep, DateUnit, Weekday};
///
/// #[derive(Record)]
/// struct Sale { #[record(key)] id: u32, #[record(field)] at: Timestamp }
///
/// let sales = Store::new().collection::<Sale>("Sale")?;
/// for (id, at) in [(1, "2026-11-22T05:59:00Z"), (2, "2026-11-22T06:14:00Z"), (3, "2026-11-22T06:15:00Z")] {
///     sales.store(Sale { id, at: at.parse()? })?;
/// }
/// let count = |step: DateStep, begin: &str| {
///     let by = GroupBy::from(Bucket::date(sale::AT, step)).metrics([Metric::count()]);
///     let result = sales.find(Filter::all()).statistics(by).unwrap();
///     result.group(begin.parse::<Timestamp>().unwrap()).unwrap().int("count")
/// };
/// assert_eq!(count(DateUnit::Minute.every(15), "2026-11-22T06:00:00Z"), Some(1));
/// // Days that begin at six o'clock.
/// assert_eq!(count(DateStep::from(DateUnit::Day).offset_seconds(6 * 3_600), "2026-11-21T06:00:00Z"), Some(1));
/// // The 22nd was a Sunday.
/// assert_eq!(count(DateStep::weeks_from(Weekday::Sunday), "2026-11-22T00:00:00Z"), Some(3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateStep {
    /// The unit.
    pub unit: DateUnit,
    /// The number of units in a bucket, from 1 to [`limits::MAX_DATE_UNITS`](crate::limits::MAX_DATE_UNITS).
    pub every: u32,
    /// The seconds by which each bucket begins later than the unit does by the local clock; at most 366 days, in either
    /// direction. Whole days for a field of dates.
    pub offset_seconds: i64,
}

impl DateStep {
    /// Weeks from this day of the week on.
    pub fn weeks_from(first: Weekday) -> Self {
        DateStep::from(DateUnit::Week).offset_seconds(first as i64 * 86_400)
    }

    /// Sets the number of units in a bucket.
    #[must_use]
    pub fn every(self, every: u32) -> Self {
        DateStep { every, ..self }
    }

    /// Sets the offset.
    #[must_use]
    pub fn offset_seconds(self, offset_seconds: i64) -> Self {
        DateStep { offset_seconds, ..self }
    }
}

impl DateUnit {
    /// Several units in one bucket.
    pub fn every(self, every: u32) -> DateStep {
        DateStep::from(self).every(every)
    }
}

impl From<DateUnit> for DateStep {
    fn from(unit: DateUnit) -> Self {
        DateStep { unit, every: 1, offset_seconds: 0 }
    }
}

const UTC: Cow<'static, str> = Cow::Borrowed("UTC");

fn zero() -> Value {
    Value::from(0)
}

#[cfg(feature = "serde")]
fn is_zero(offset: &Value) -> bool {
    *offset == zero()
}

#[cfg(feature = "serde")]
fn utc() -> Cow<'static, str> {
    UTC
}

#[cfg(feature = "serde")]
fn is_utc(zone: &str) -> bool {
    zone == UTC
}

#[cfg(feature = "serde")]
fn one() -> u32 {
    1
}

#[cfg(feature = "serde")]
fn is_one(every: &u32) -> bool {
    *every == 1
}

impl Bucket {
    /// Each value is a bucket.
    pub fn values(field: impl Into<FieldName>) -> Self {
        Bucket::Values { field: field.into(), missing: None }
    }

    /// Each value is a bucket. Records without a value are in the bucket of `missing`: together with those that have this
    /// value, if the field may have it.
    ///
    /// ```
    /// use memdex::{Bucket, Filter, GroupBy, Metric, Record, Store};
    ///
    /// #[derive(Record)]
    /// struct Sale { #[record(key)] id: u32, #[record(field)] floor: Option<i32> }
    ///
    /// let sales = Store::new().collection::<Sale>("Sale")?;
    /// for (id, floor) in [(1, Some(2)), (2, None), (3, None)] {
    ///     sales.store(Sale { id, floor })?;
    /// }
    /// let by_floor = GroupBy::from(Bucket::values_or(sale::FLOOR, "unknown")).metrics([Metric::count()]);
    /// let result = sales.find(Filter::all()).statistics(by_floor)?;
    /// assert_eq!(result.group("unknown").unwrap().int("count"), Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn values_or(field: impl Into<FieldName>, missing: impl Into<Value>) -> Self {
        Bucket::Values { field: field.into(), missing: Some(missing.into()) }
    }

    /// Numbers in buckets of this width, one of which begins at zero.
    pub fn width(field: impl Into<FieldName>, width: impl Into<Value>) -> Self {
        Bucket::Width { field: field.into(), width: width.into(), offset: zero() }
    }

    /// Numbers in buckets of this width, one of which begins at `offset`.
    pub fn width_from(field: impl Into<FieldName>, width: impl Into<Value>, offset: impl Into<Value>) -> Self {
        Bucket::Width { field: field.into(), width: width.into(), offset: offset.into() }
    }

    /// Values in ranges of a lower bound, included, and an upper bound, excluded.
    ///
    /// ```
    /// use memdex::Bucket;
    ///
    /// let small_and_big = Bucket::ranges("amount", [(None, Some(1_000)), (Some(1_000), None)]);
    /// assert_eq!(small_and_big.field(), "amount");
    /// ```
    pub fn ranges<V: Into<Value>>(
        field: impl Into<FieldName>,
        ranges: impl IntoIterator<Item = (Option<V>, Option<V>)>,
    ) -> Self {
        let ranges = ranges.into_iter().map(|(from, to)| (from.map(Into::into), to.map(Into::into))).collect();
        Bucket::Ranges { field: field.into(), ranges }
    }

    /// Times in buckets of one length, one of which begins at 1970-01-01T00:00:00Z. A length of zero is refused.
    ///
    /// ```
    /// use memdex::{Bucket, Filter, GroupBy, Metric, Record, Store, Timestamp};
    /// use std::time::Duration;
    ///
    /// #[derive(Record)]
    /// struct Call { #[record(key)] id: u32, #[record(field)] at: Timestamp }
    ///
    /// let calls = Store::new().collection::<Call>("Call")?;
    /// for (id, millis) in [(1, 100), (2, 240), (3, 260)] {
    ///     calls.store(Call { id, at: Timestamp::from_micros(millis * 1_000) })?;
    /// }
    /// let by_quarter_second = GroupBy::from(Bucket::every(call::AT, Duration::from_millis(250))).metrics([Metric::count()]);
    /// let result = calls.find(Filter::all()).statistics(by_quarter_second)?;
    /// assert_eq!(result.group(Timestamp::from_micros(0)).unwrap().int("count"), Some(2));
    /// assert_eq!(result.group(Timestamp::from_micros(250_000)).unwrap().int("count"), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn every(field: impl Into<FieldName>, width: Duration) -> Self {
        Bucket::width(field, width.as_nanos())
    }

    /// Times or dates by the calendar in UTC: by a [`DateUnit`], or by a [`DateStep`] of several.
    pub fn date(field: impl Into<FieldName>, step: impl Into<DateStep>) -> Self {
        Bucket::date_in(field, step, UTC)
    }

    /// Times by the calendar in a time zone.
    pub fn date_in(field: impl Into<FieldName>, step: impl Into<DateStep>, zone: impl Into<Cow<'static, str>>) -> Self {
        let DateStep { unit, every, offset_seconds } = step.into();
        Bucket::Date { field: field.into(), unit, zone: zone.into(), every, offset_seconds }
    }

    pub(super) fn field_mut(&mut self) -> &mut FieldName {
        match self {
            Bucket::Values { field, .. }
            | Bucket::Width { field, .. }
            | Bucket::Ranges { field, .. }
            | Bucket::Date { field, .. } => field,
        }
    }

    /// Its field.
    pub fn field(&self) -> &FieldName {
        match self {
            Bucket::Values { field, .. }
            | Bucket::Width { field, .. }
            | Bucket::Ranges { field, .. }
            | Bucket::Date { field, .. } => field,
        }
    }
}

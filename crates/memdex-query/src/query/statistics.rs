//! What is asked about many records together: metrics, and the groups that they are asked of.

use super::{Field, FieldName, NamedField};
use crate::value::Value;
use std::borrow::Cow;

/// A question about many records together: some metrics of all of them, and of groups of them, of groups within those, and so on.
///
/// ```
/// use memdex::{Bucket, DateUnit, GroupBy, Metric, Statistics, field};
///
/// // By status: how many, and how much. Within each, the three currencies with the highest sums.
/// let sum = || field("amount_cents").sum();
/// let statistics = Statistics::of([Metric::count()]).group_by(
///     GroupBy::values("status")
///         .metrics([Metric::count(), sum(), field("amount_cents").avg()])
///         .group_by(GroupBy::values("currency").metrics([sum()]).top(3, "sum(amount_cents)")),
/// );
/// // By day, those without any included.
/// let by_day = Statistics::of([]).group_by(GroupBy::new([Bucket::date("created_at", DateUnit::Day)]).with_empty());
/// # let _ = (statistics, by_day);
/// ```
#[derive(Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Statistics {
    /// Of all records together.
    #[cfg_attr(feature = "serde", serde(default))]
    pub metrics: Vec<Metric>,
    /// How they are parted.
    #[cfg_attr(feature = "serde", serde(default))]
    pub groups: Option<Box<GroupBy>>,
}

// Level by level, not one within the other: only a query refuses what is nested too deep, so that it can be dropped, copied and compared.

impl Drop for Statistics {
    fn drop(&mut self) {
        let mut next = self.groups.take();
        while let Some(mut groups) = next {
            next = groups.within.groups.take();
        }
    }
}

impl Clone for Statistics {
    fn clone(&self) -> Self {
        fn within<'a>(level: &&'a Statistics) -> Option<&'a Statistics> {
            level.groups.as_ref().map(|groups| &groups.within)
        }
        let levels: Vec<&Statistics> = std::iter::successors(Some(self), within).collect();
        levels.into_iter().rev().fold(Statistics::default(), |within, level| {
            let copied = |groups: &GroupBy| {
                Box::new(GroupBy { by: groups.by.clone(), empty: groups.empty, top: groups.top.clone(), within })
            };
            Statistics { metrics: level.metrics.clone(), groups: level.groups.as_deref().map(copied) }
        })
    }
}

impl PartialEq for Statistics {
    fn eq(&self, other: &Self) -> bool {
        let (mut a, mut b) = (self, other);
        loop {
            if a.metrics != b.metrics {
                return false;
            }
            (a, b) = match (&a.groups, &b.groups) {
                (None, None) => return true,
                (Some(a), Some(b)) if (&a.by, a.empty, &a.top) == (&b.by, b.empty, &b.top) => (&a.within, &b.within),
                _ => return false,
            };
        }
    }
}

impl Statistics {
    /// These metrics, of all records together.
    pub fn of(metrics: impl IntoIterator<Item = Metric>) -> Self {
        Statistics { metrics: metrics.into_iter().collect(), groups: None }
    }

    /// The same statistics of other fields; metrics keep their names.
    pub fn map_fields(mut self, rename: &dyn Fn(&FieldName) -> FieldName) -> Self {
        let metric = |metric: Metric| Metric { aggregate: metric.aggregate.map_field(rename), ..metric };
        let groups = self.groups.take().map(|groups| {
            let GroupBy { by, within, .. } = *groups;
            let by = by.into_iter().map(|bucket| bucket.map_field(rename)).collect();
            Box::new(GroupBy { by, within: within.map_fields(rename), empty: groups.empty, top: groups.top })
        });
        Statistics { metrics: std::mem::take(&mut self.metrics).into_iter().map(metric).collect(), groups }
    }

    /// The same, and groups. What was grouped before is replaced.
    #[must_use]
    pub fn group_by(mut self, groups: impl Into<GroupBy>) -> Self {
        self.groups = Some(Box::new(groups.into()));
        self
    }
}

impl<const COUNT: usize> From<[Metric; COUNT]> for Statistics {
    fn from(metrics: [Metric; COUNT]) -> Self {
        Statistics::of(metrics)
    }
}

impl From<Metric> for Statistics {
    fn from(metric: Metric) -> Self {
        Statistics::of([metric])
    }
}

impl From<GroupBy> for Statistics {
    fn from(groups: GroupBy) -> Self {
        Statistics::default().group_by(groups)
    }
}

/// One figure of a set of records, under a name.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Metric {
    /// What the answer calls it; unless told otherwise `count`, `sum(amount)` and so on.
    pub name: Cow<'static, str>,
    /// What it is.
    pub aggregate: Aggregate,
}

/// What many values come to. Missing values count for nothing; where there is no value at all, everything but the counts is missing.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Aggregate {
    /// How many records there are.
    Count,
    /// How many values the field has; of a field of many values, all of them.
    CountOf(FieldName),
    /// The sum of numbers: of integers and decimals exact, of floats rounded once, at the end, so that it does not depend on any order.
    Sum(FieldName),
    /// The mean of numbers, as a float.
    Avg(FieldName),
    /// The lowest value, of any kind.
    Min(FieldName),
    /// The highest value, of any kind.
    Max(FieldName),
    /// The standard deviation of numbers as a sample of more (divided by their count less one), as a float. Missing for fewer than two.
    StdDev(FieldName),
    /// The standard deviation of numbers that are all there are (divided by their count), as a float.
    StdDevPop(FieldName),
    /// How many different values the field has; exact.
    Distinct(FieldName),
    /// The number below which so many percent of the numbers lie, between two of them by linear interpolation, as a float; exact. 50 is
    /// the median.
    Percentile(FieldName, f64),
}

impl Aggregate {
    /// The field that it is about.
    pub fn field(&self) -> Option<&FieldName> {
        match self {
            Aggregate::Count => None,
            Aggregate::CountOf(field)
            | Aggregate::Sum(field)
            | Aggregate::Avg(field)
            | Aggregate::Min(field)
            | Aggregate::Max(field)
            | Aggregate::StdDev(field)
            | Aggregate::StdDevPop(field)
            | Aggregate::Distinct(field)
            | Aggregate::Percentile(field, _) => Some(field),
        }
    }

    fn map_field(self, rename: &dyn Fn(&FieldName) -> FieldName) -> Self {
        match self {
            Aggregate::Count => Aggregate::Count,
            Aggregate::CountOf(field) => Aggregate::CountOf(rename(&field)),
            Aggregate::Sum(field) => Aggregate::Sum(rename(&field)),
            Aggregate::Avg(field) => Aggregate::Avg(rename(&field)),
            Aggregate::Min(field) => Aggregate::Min(rename(&field)),
            Aggregate::Max(field) => Aggregate::Max(rename(&field)),
            Aggregate::StdDev(field) => Aggregate::StdDev(rename(&field)),
            Aggregate::StdDevPop(field) => Aggregate::StdDevPop(rename(&field)),
            Aggregate::Distinct(field) => Aggregate::Distinct(rename(&field)),
            Aggregate::Percentile(field, at) => Aggregate::Percentile(rename(&field), at),
        }
    }

    /// What it is called in names of metrics and in errors.
    pub fn verb(&self) -> &'static str {
        match self {
            Aggregate::Count | Aggregate::CountOf(_) => "count",
            Aggregate::Sum(_) => "sum",
            Aggregate::Avg(_) => "avg",
            Aggregate::Min(_) => "min",
            Aggregate::Max(_) => "max",
            Aggregate::StdDev(_) => "stddev",
            Aggregate::StdDevPop(_) => "stddev_pop",
            Aggregate::Distinct(_) => "distinct",
            Aggregate::Percentile(..) => "percentile",
        }
    }
}

impl Metric {
    /// How many records there are; called `count`.
    pub fn count() -> Self {
        Metric::from(Aggregate::Count)
    }

    /// The same metric under another name.
    #[must_use]
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        Metric { name: name.into(), ..self }
    }
}

impl From<Aggregate> for Metric {
    fn from(aggregate: Aggregate) -> Self {
        let name = match (&aggregate, aggregate.field()) {
            (Aggregate::Percentile(field, at), _) => Cow::Owned(format!("percentile({field}, {at})")),
            (_, Some(field)) => Cow::Owned(format!("{}({field})", aggregate.verb())),
            (_, None) => Cow::Borrowed(aggregate.verb()),
        };
        Metric { name, aggregate }
    }
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $method:ident: $aggregate:ident;)*) => {
        /// Metrics of this field.
        impl<R, T> Field<R, T> {
            $($(#[$doc])*
            pub fn $method(&self) -> Metric {
                Aggregate::$aggregate(self.name()).into()
            })*

            /// One percentile of its numbers; see [`Aggregate::Percentile`].
            pub fn percentile(&self, percent: f64) -> Metric {
                Aggregate::Percentile(self.name(), percent).into()
            }
        }

        /// Metrics of this field.
        impl NamedField {
            $($(#[$doc])*
            pub fn $method(self) -> Metric {
                Aggregate::$aggregate(self.name).into()
            })*

            /// One percentile of its numbers; see [`Aggregate::Percentile`].
            pub fn percentile(self, percent: f64) -> Metric {
                Aggregate::Percentile(self.name, percent).into()
            }
        }
    };
}

metrics! {
    /// How many values it has; see [`Aggregate::CountOf`].
    count: CountOf;
    /// Their sum; see [`Aggregate::Sum`].
    sum: Sum;
    /// Their mean; see [`Aggregate::Avg`].
    avg: Avg;
    /// The lowest; see [`Aggregate::Min`].
    min: Min;
    /// The highest; see [`Aggregate::Max`].
    max: Max;
    /// Their standard deviation, as a sample; see [`Aggregate::StdDev`].
    stddev: StdDev;
    /// Their standard deviation, as all there are; see [`Aggregate::StdDevPop`].
    stddev_pop: StdDevPop;
    /// How many different ones; see [`Aggregate::Distinct`].
    distinct: Distinct;
}

/// How records are parted into groups, and what is asked of each group.
///
/// A record is in one group, unless ranges overlap or a field has many values: then it is in each group that it belongs to. Groups
/// come in the order of their keys, a missing value first, or as [`top`](GroupBy::top) says.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GroupBy {
    /// What makes a group's key, part by part.
    pub by: Vec<Bucket>,
    /// Whether buckets between the first and the last that have no record are given too; for one histogram, or one date histogram.
    #[cfg_attr(feature = "serde", serde(default))]
    pub empty: bool,
    /// Which groups are given; otherwise all.
    #[cfg_attr(feature = "serde", serde(default))]
    pub top: Option<Top>,
    /// Asked of each group.
    #[cfg_attr(feature = "serde", serde(default))]
    pub within: Statistics,
}

/// The groups with the highest figures, or the lowest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Top {
    /// At most so many groups.
    pub groups: usize,
    /// The name of one of the group's own metrics. Groups without a figure come last.
    pub metric: Cow<'static, str>,
    /// Whether the highest come first, or the lowest. Ties are broken by the group's key.
    pub descending: bool,
}

impl GroupBy {
    /// Groups whose keys are made of these buckets, one part each.
    pub fn new(by: impl IntoIterator<Item = Bucket>) -> Self {
        GroupBy { by: by.into_iter().collect(), empty: false, top: None, within: Statistics::default() }
    }

    /// A group for each value of a field.
    pub fn values(field: impl Into<FieldName>) -> Self {
        GroupBy::new([Bucket::values(field)])
    }

    /// The same groups with these metrics each.
    #[must_use]
    pub fn metrics(mut self, metrics: impl IntoIterator<Item = Metric>) -> Self {
        self.within.metrics = metrics.into_iter().collect();
        self
    }

    /// The same groups, and groups within each.
    #[must_use]
    pub fn group_by(mut self, groups: impl Into<GroupBy>) -> Self {
        self.within.groups = Some(Box::new(groups.into()));
        self
    }

    /// Only the groups with the highest figures of one of their metrics.
    #[must_use]
    pub fn top(self, groups: usize, metric: impl Into<Cow<'static, str>>) -> Self {
        GroupBy { top: Some(Top { groups, metric: metric.into(), descending: true }), ..self }
    }

    /// Only the groups with the lowest figures of one of their metrics.
    #[must_use]
    pub fn bottom(self, groups: usize, metric: impl Into<Cow<'static, str>>) -> Self {
        GroupBy { top: Some(Top { groups, metric: metric.into(), descending: false }), ..self }
    }

    /// The same groups, and those between the first and the last that are empty.
    #[must_use]
    pub fn with_empty(self) -> Self {
        GroupBy { empty: true, ..self }
    }
}

impl From<Bucket> for GroupBy {
    fn from(bucket: Bucket) -> Self {
        GroupBy::new([bucket])
    }
}

/// What part of a group's key a value gives. A value that belongs to no bucket (in no range, not a number) leaves its record out of
/// all groups; a missing one has a bucket of its own where buckets are values, and otherwise none.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Bucket {
    /// Each value is a bucket; of a field of many values, each of them.
    Values {
        /// The field.
        field: FieldName,
    },
    /// Numbers in steps of the same width: a bucket is named by the lowest number that belongs to it.
    Width {
        /// The field, of numbers.
        field: FieldName,
        /// A number above zero.
        width: Value,
        /// A number at which a bucket begins.
        offset: Value,
    },
    /// Values between bounds, in the order of this list; empty ones are given too. A bucket is named by its bounds, as `100..200`.
    Ranges {
        /// The field.
        field: FieldName,
        /// From, included, and to, not included; without a bound it is open. They may overlap.
        ranges: Vec<(Option<Value>, Option<Value>)>,
    },
    /// Times or dates by the calendar: a bucket is named by its first moment.
    Date {
        /// The field, of timestamps or dates.
        field: FieldName,
        /// How long a bucket is.
        unit: DateUnit,
        /// Whose calendar it is: `UTC`, an offset as `+02:00`, or with the feature `time-zones` an IANA name as `Europe/Zurich`. Of
        /// dates `UTC` alone.
        zone: Cow<'static, str>,
    },
}

/// A unit of the calendar.
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
    /// Seven days from a Monday on.
    Week,
    /// A month.
    Month,
    /// Three months, from the first of January, April, July or October on.
    Quarter,
    /// A year.
    Year,
}

impl Bucket {
    /// Each value is a bucket.
    pub fn values(field: impl Into<FieldName>) -> Self {
        Bucket::Values { field: field.into() }
    }

    /// Numbers in steps of this width, from zero up and down.
    pub fn width(field: impl Into<FieldName>, width: impl Into<Value>) -> Self {
        Bucket::Width { field: field.into(), width: width.into(), offset: Value::from(0) }
    }

    /// Numbers in steps of this width, from `offset` up and down.
    pub fn width_from(field: impl Into<FieldName>, width: impl Into<Value>, offset: impl Into<Value>) -> Self {
        Bucket::Width { field: field.into(), width: width.into(), offset: offset.into() }
    }

    /// Values in ranges: from, included, and to, not included.
    ///
    /// ```
    /// use memdex::{Bucket, Value};
    /// let small_and_big = Bucket::ranges("amount", [(None, Some(1_000)), (Some(1_000), None)]);
    /// ```
    pub fn ranges<V: Into<Value>>(
        field: impl Into<FieldName>,
        ranges: impl IntoIterator<Item = (Option<V>, Option<V>)>,
    ) -> Self {
        let ranges = ranges.into_iter().map(|(from, to)| (from.map(Into::into), to.map(Into::into))).collect();
        Bucket::Ranges { field: field.into(), ranges }
    }

    /// Times or dates by the calendar of UTC.
    pub fn date(field: impl Into<FieldName>, unit: DateUnit) -> Self {
        Bucket::date_in(field, unit, "UTC")
    }

    /// Times by the calendar of a time zone.
    pub fn date_in(field: impl Into<FieldName>, unit: DateUnit, zone: impl Into<Cow<'static, str>>) -> Self {
        Bucket::Date { field: field.into(), unit, zone: zone.into() }
    }

    fn map_field(mut self, rename: &dyn Fn(&FieldName) -> FieldName) -> Self {
        match &mut self {
            Bucket::Values { field }
            | Bucket::Width { field, .. }
            | Bucket::Ranges { field, .. }
            | Bucket::Date { field, .. } => *field = rename(field),
        }
        self
    }

    /// The field that it is about.
    pub fn field(&self) -> &FieldName {
        match self {
            Bucket::Values { field }
            | Bucket::Width { field, .. }
            | Bucket::Ranges { field, .. }
            | Bucket::Date { field, .. } => field,
        }
    }
}

//! Statistics as plain data: metrics, and the groups that they are computed for.

#[cfg(feature = "serde")]
use super::form::is_default;
use super::{Bucket, Field, FieldName, NamedField, Predicate};
use crate::limits::MAX_GROUP_LEVELS;
use crate::value::{Number, Value};
use std::borrow::Cow;

/// Metrics of all records that a query selects, and of groups of them, of groups within these, and so on.
///
/// ```
/// use memdex::{Bucket, GroupBy, Metric, field};
/// use memdex::aggregate::{DateUnit, Statistics};
///
/// // By status: the number of records, their sum and average; within each, the three currencies with the highest sums.
/// let sum = || field("amount_cents").sum();
/// let statistics = Statistics::of([Metric::count()]).group_by(
///     GroupBy::values("status")
///         .metrics([Metric::count(), sum(), field("amount_cents").avg()])
///         .group_by(GroupBy::values("currency").metrics([sum()]).top(3, "sum(amount_cents)")),
/// );
/// // By day, including days without records.
/// let by_day = Statistics::of([]).group_by(GroupBy::new([Bucket::date("created_at", DateUnit::Day)]).with_empty());
/// assert_eq!(statistics.metrics, [Metric::count()]);
/// # let _ = by_day;
/// ```
///
/// # Serde form
///
/// Aggregates have the names of the methods that make them. Defaults are left out: the default name of a metric, and
/// what is empty or false. The form needs a format that describes itself, such as JSON.
///
/// ```
/// # #[cfg(feature = "documents")] {
/// use memdex::{Bucket, GroupBy, Metric, field, json};
/// use memdex::aggregate::Statistics;
///
/// let statistics = Statistics::of([Metric::count()])
///     .group_by(GroupBy::new([Bucket::width("amount", 100)]).metrics([field("amount").sum()]).top(3, "sum(amount)"));
/// let form = json!({
///     "metrics": [{ "aggregate": "count" }],
///     "groups": {
///         "by": [{ "width": { "field": "amount", "width": 100 } }],
///         "top": { "groups": 3, "metric": "sum(amount)" },
///         "within": { "metrics": [{ "aggregate": { "sum": "amount" } }] },
///     },
/// });
/// assert_eq!(serde_json::to_value(&statistics)?, form);
/// assert_eq!(serde_json::from_value::<Statistics>(form)?, statistics);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Statistics {
    /// Metrics of all records together.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    pub metrics: Vec<Metric>,
    /// Groups of the records.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "super::form::guarded", skip_serializing_if = "is_default")
    )]
    pub groups: Option<Box<GroupBy>>,
}

impl Statistics {
    /// These metrics of all records together.
    pub fn of(metrics: impl IntoIterator<Item = Metric>) -> Self {
        Statistics { metrics: metrics.into_iter().collect(), groups: None }
    }

    /// The same statistics of other fields; metrics keep their names.
    pub fn map_fields(mut self, rename: &dyn Fn(&FieldName) -> FieldName) -> Self {
        let mut level = Some(&mut self);
        while let Some(statistics) = level {
            for metric in &mut statistics.metrics {
                metric.aggregate.field_mut().into_iter().for_each(|field| *field = rename(field));
                metric.filter = metric.filter.take().map(|filter| filter.map_fields(rename));
            }
            level = statistics.groups.as_deref_mut().map(|groups| {
                groups.by.iter_mut().map(Bucket::field_mut).for_each(|field| *field = rename(field));
                &mut groups.within
            });
        }
        self
    }

    /// Adds groups, in place of any earlier ones.
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

/// One number, or other value, computed from a set of records, under a name.
///
/// ```
/// use memdex::{Metric, field};
/// use memdex::aggregate::Aggregate;
///
/// let average = field("amount").avg();
/// assert_eq!((&*average.name, &average.aggregate), ("avg(amount)", &Aggregate::Avg("amount".into())));
/// assert_eq!(average.named("mean").name, "mean");
/// assert_eq!(Metric::count().name, "count");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name in the result; by default `count`, `sum(amount)` and so on.
    pub name: Cow<'static, str>,
    /// The function, and its field.
    pub aggregate: Aggregate,
    /// Computes it from the records that match, instead of all.
    pub filter: Option<Predicate>,
}

/// A function of the values of all records, or of two metrics. A record of a field of many values contributes each of them:
/// `[3, 5]` counts as 3 and 5. Missing values are ignored. With no values, counts are 0 and every other metric is `None`.
///
/// ```
/// use memdex::{Metric, field};
/// use memdex::aggregate::Aggregate;
///
/// assert_eq!(Metric::from(Aggregate::Percentile("ms".into(), 95.0)), field("ms").percentile(95.0));
/// assert_eq!(Aggregate::Sum("amount".into()).field().unwrap(), "amount");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Aggregate {
    /// The number of records.
    Count,
    /// The number of values of the field.
    CountOf(FieldName),
    /// The sum of numbers: exact for integers and decimals; for floats computed exactly and rounded once, so that the
    /// order of records does not matter.
    Sum(FieldName),
    /// The mean of numbers: as a float; of decimals as a decimal, rounded to the nearest, ties to even, with up to 28 digits
    /// after the point, fewer if all 38 digits would not hold them.
    Avg(FieldName),
    /// The lowest value, of any kind.
    Min(FieldName),
    /// The highest value, of any kind.
    Max(FieldName),
    /// The sample standard deviation of numbers (divided by their count minus one), as a float. `None` for fewer than
    /// two.
    StdDev(FieldName),
    /// The population standard deviation of numbers (divided by their count), as a float.
    StdDevPop(FieldName),
    /// The number of distinct values of the field; exact.
    Distinct(FieldName),
    /// The given percentile of numbers, from 0 to 100, as a float, by linear interpolation between the two nearest
    /// numbers. Integers and decimals are interpolated exactly, and the result is rounded once, to the nearest float, ties
    /// to even. Floats are interpolated in floats. 50 is the median.
    Percentile(FieldName, f64),
    /// The most frequent value, of any kind; the lowest of several.
    Mode(FieldName),
    /// The quotient of two other metrics of the same records, by their names: each is rounded to a float, then divided.
    /// `None` if one of them is, or the second is zero.
    Ratio(Cow<'static, str>, Cow<'static, str>),
}

/// The field of an aggregate, shared or mutable.
macro_rules! field_of_aggregate {
    ($aggregate:expr) => {
        match $aggregate {
            Aggregate::Count | Aggregate::Ratio(..) => None,
            Aggregate::CountOf(field)
            | Aggregate::Sum(field)
            | Aggregate::Avg(field)
            | Aggregate::Min(field)
            | Aggregate::Max(field)
            | Aggregate::StdDev(field)
            | Aggregate::StdDevPop(field)
            | Aggregate::Distinct(field)
            | Aggregate::Mode(field)
            | Aggregate::Percentile(field, _) => Some(field),
        }
    };
}

impl Aggregate {
    /// Its field; `None` for [`Count`](Aggregate::Count) and [`Ratio`](Aggregate::Ratio).
    pub fn field(&self) -> Option<&FieldName> {
        field_of_aggregate!(self)
    }

    pub(super) fn field_mut(&mut self) -> Option<&mut FieldName> {
        field_of_aggregate!(self)
    }

    /// Its name in the names of metrics, in errors and in the serde form.
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
            Aggregate::Mode(_) => "mode",
            Aggregate::Ratio(..) => "ratio",
        }
    }

    /// The name of its metric, unless it gets another.
    pub(super) fn name(&self) -> Cow<'static, str> {
        match (self, self.field()) {
            (Aggregate::Percentile(field, at), _) => Cow::Owned(format!("percentile({field}, {at})")),
            (Aggregate::Ratio(of, by), _) => Cow::Owned(format!("{of} / {by}")),
            (_, Some(field)) => Cow::Owned(format!("{}({field})", self.verb())),
            (_, None) => Cow::Borrowed(self.verb()),
        }
    }
}

impl Metric {
    /// The number of records; named `count`.
    pub fn count() -> Self {
        Metric::from(Aggregate::Count)
    }

    /// The quotient of two metrics of the same records; named `a / b`. See [`Aggregate::Ratio`].
    ///
    /// ```
    /// use memdex::{Filter, Metric, Record, Store};
    ///
    /// #[derive(Record)]
    /// struct Flight { #[record(key)] id: u32, #[record(field)] late: bool }
    ///
    /// let flights = Store::new().collection::<Flight>("Flight")?;
    /// for id in 0..8 {
    ///     flights.store(Flight { id, late: id < 2 })?;
    /// }
    /// let late = Metric::count().filter(flight::LATE.eq(true)).named("late");
    /// let metrics = [Metric::count(), late, Metric::ratio("late", "count").named("share")];
    /// let result = flights.find(Filter::all()).statistics(metrics)?;
    /// assert_eq!((result.int("count"), result.int("late"), result.float("share")), (Some(8), Some(2), Some(0.25)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ratio(numerator: impl Into<Cow<'static, str>>, denominator: impl Into<Cow<'static, str>>) -> Self {
        Metric::from(Aggregate::Ratio(numerator.into(), denominator.into()))
    }

    /// Renames the metric.
    #[must_use]
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        Metric { name: name.into(), ..self }
    }

    /// Computes the metric only from the records that match a condition. Groups have the records of the query all the
    /// same. Two filters are combined by *and*.
    #[must_use]
    pub fn filter(self, condition: impl Into<Predicate>) -> Self {
        let condition = condition.into();
        let filter = match self.filter {
            Some(filter) => filter & condition,
            None => condition,
        };
        Metric { filter: Some(filter), ..self }
    }
}

impl From<Aggregate> for Metric {
    fn from(aggregate: Aggregate) -> Self {
        Metric { name: aggregate.name(), aggregate, filter: None }
    }
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $method:ident $([$bound:ident])?: $aggregate:ident;)*) => {
        /// Metrics of this field.
        impl<R, T> Field<R, T> {
            $($(#[$doc])*
            pub fn $method(&self) -> Metric
            where
                $(T: $bound,)?
            {
                Aggregate::$aggregate(self.name()).into()
            })*

            /// The median of its numbers: their 50th [percentile](Aggregate::Percentile).
            pub fn median(&self) -> Metric
            where
                T: Number,
            {
                self.percentile(50.0).named(format!("median({})", self.name()))
            }

            /// A percentile of its numbers; see [`Aggregate::Percentile`].
            pub fn percentile(&self, percent: f64) -> Metric
            where
                T: Number,
            {
                Aggregate::Percentile(self.name(), percent).into()
            }
        }

        /// Metrics of this field.
        impl NamedField {
            $($(#[$doc])*
            pub fn $method(self) -> Metric {
                Aggregate::$aggregate(self.name).into()
            })*

            /// The median of its numbers: their 50th [percentile](Aggregate::Percentile).
            pub fn median(self) -> Metric {
                let name = format!("median({})", self.name);
                self.percentile(50.0).named(name)
            }

            /// A percentile of its numbers; see [`Aggregate::Percentile`].
            pub fn percentile(self, percent: f64) -> Metric {
                Aggregate::Percentile(self.name, percent).into()
            }
        }
    };
}

metrics! {
    /// The number of its values; see [`Aggregate::CountOf`].
    count: CountOf;
    /// Their sum; see [`Aggregate::Sum`].
    sum [Number]: Sum;
    /// Their mean; see [`Aggregate::Avg`].
    avg [Number]: Avg;
    /// The lowest; see [`Aggregate::Min`].
    min: Min;
    /// The highest; see [`Aggregate::Max`].
    max: Max;
    /// Their sample standard deviation; see [`Aggregate::StdDev`].
    stddev [Number]: StdDev;
    /// Their population standard deviation; see [`Aggregate::StdDevPop`].
    stddev_pop [Number]: StdDevPop;
    /// The number of distinct ones; see [`Aggregate::Distinct`].
    distinct: Distinct;
    /// The most frequent one; see [`Aggregate::Mode`].
    mode: Mode;
}

/// Groups of records, and the statistics of each group.
///
/// A record is in one group; it is in several if ranges overlap or a field has many values. Groups have the order of
/// their keys, null first, unless [`top`](GroupBy::top) or [`bottom`](GroupBy::bottom) chooses some of them.
///
/// ```
/// use memdex::{Filter, GroupBy, Metric, Record, Store, field};
///
/// #[derive(Record)]
/// struct Payment { #[record(key)] id: u32, #[record(field)] status: String, #[record(field)] amount: i64 }
///
/// let payments = Store::new().collection::<Payment>("Payment")?;
/// for (id, status, amount) in [(1, "paid", 5), (2, "open", 7), (3, "paid", 9)] {
///     payments.store(Payment { id, status: status.into(), amount })?;
/// }
/// let by_status = GroupBy::values("status").metrics([Metric::count(), field("amount").sum()]);
/// let result = payments.find(Filter::all()).statistics(by_status)?;
/// let paid = result.group("paid").unwrap();
/// assert_eq!((paid.int("count"), paid.int("sum(amount)")), (Some(2), Some(14)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct GroupBy {
    /// The parts of a group's key.
    pub by: Vec<Bucket>,
    /// Whether the result includes empty buckets between the first and the last; only for a single histogram of numbers
    /// or dates.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    pub empty: bool,
    /// The result includes empty buckets at least from the bucket of the first value to that of the second; only for a
    /// single histogram of numbers or dates.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    pub extended: Option<(Value, Value)>,
    /// The result has no bucket before that of the first value, or after that of the second; only for a single histogram
    /// of numbers or dates.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    pub hard: Option<(Value, Value)>,
    /// The condition that a group must match, by the names of its metrics; see [`having`](GroupBy::having).
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    pub having: Option<Predicate>,
    /// The choice of groups; all without one.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    pub top: Option<Top>,
    /// The statistics of each group.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    pub within: Statistics,
}

/// A choice of the groups with the highest, or lowest, values of a metric.
///
/// ```
/// use memdex::{GroupBy, field};
///
/// let top = GroupBy::values("city").metrics([field("amount").sum()]).top(10, "sum(amount)").top.unwrap();
/// assert_eq!((top.groups, &*top.metric, top.descending), (10, "sum(amount)", true));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Top {
    /// The largest number of groups.
    pub groups: usize,
    /// The name of one of the groups' metrics. Groups without a value come last.
    pub metric: Cow<'static, str>,
    /// Whether the highest come first, instead of the lowest. Ties are broken by the group's key.
    #[cfg_attr(feature = "serde", serde(default = "highest_first", skip_serializing_if = "Clone::clone"))]
    pub descending: bool,
}

#[cfg(feature = "serde")]
fn highest_first() -> bool {
    true
}

impl GroupBy {
    /// Groups by these buckets, each of which is one part of the key.
    pub fn new(by: impl IntoIterator<Item = Bucket>) -> Self {
        GroupBy {
            by: by.into_iter().collect(),
            empty: false,
            extended: None,
            hard: None,
            having: None,
            top: None,
            within: Statistics::default(),
        }
    }

    /// One group for each value of a field.
    pub fn values(field: impl Into<FieldName>) -> Self {
        GroupBy::new([Bucket::values(field)])
    }

    /// Sets the metrics of each group.
    #[must_use]
    pub fn metrics(mut self, metrics: impl IntoIterator<Item = Metric>) -> Self {
        self.within.metrics = metrics.into_iter().collect();
        self
    }

    /// Adds groups within each group. Groups that are nested deeper than [`limits::MAX_GROUP_LEVELS`](MAX_GROUP_LEVELS)
    /// get no more levels, since every query refuses them.
    #[must_use]
    pub fn group_by(mut self, groups: impl Into<GroupBy>) -> Self {
        let groups = groups.into();
        let within = std::iter::successors(Some(&groups), |groups| groups.within.groups.as_deref());
        if within.count() > MAX_GROUP_LEVELS {
            return groups;
        }
        self.within.groups = Some(Box::new(groups));
        self
    }

    /// Only the groups whose metrics match a condition. Its fields are the names of the groups' metrics. It is applied
    /// to the finished groups, empty ones included, whose counts are 0 and whose other metrics are missing: before
    /// [`top`](Self::top) chooses, and after [`with_empty`](Self::with_empty) adds. Metrics of all records are not changed.
    ///
    /// ```
    /// use memdex::{Filter, GroupBy, Metric, Record, Store, field};
    ///
    /// #[derive(Record)]
    /// struct Order { #[record(key)] id: u32, #[record(field)] customer: String }
    ///
    /// let orders = Store::new().collection::<Order>("Order")?;
    /// for (id, customer) in [(1, "ada"), (2, "ada"), (3, "bob")] {
    ///     orders.store(Order { id, customer: customer.into() })?;
    /// }
    /// let regular = GroupBy::values(order::CUSTOMER).metrics([Metric::count()]).having(field("count").ge(2));
    /// let result = orders.find(Filter::all()).statistics(regular)?;
    /// assert_eq!((result.groups_in_all(), result.groups()[0].key[0].as_str()), (1, Some("ada")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn having(self, condition: impl Into<Predicate>) -> Self {
        GroupBy { having: Some(condition.into()), ..self }
    }

    /// Only the groups with the highest values of one of their metrics.
    #[must_use]
    pub fn top(self, groups: usize, metric: impl Into<Cow<'static, str>>) -> Self {
        GroupBy { top: Some(Top { groups, metric: metric.into(), descending: true }), ..self }
    }

    /// Only the groups with the lowest values of one of their metrics.
    #[must_use]
    pub fn bottom(self, groups: usize, metric: impl Into<Cow<'static, str>>) -> Self {
        GroupBy { top: Some(Top { groups, metric: metric.into(), descending: false }), ..self }
    }

    /// Includes empty groups between the first and the last.
    #[must_use]
    pub fn with_empty(self) -> Self {
        GroupBy { empty: true, ..self }
    }

    /// Includes empty groups between the first and the last, and beyond them, so that there are groups at least from the
    /// bucket of `from` to that of `to`, even without any record.
    ///
    /// ```
    /// use memdex::{Bucket, Filter, GroupBy, Metric, Record, Store};
    ///
    /// #[derive(Record)]
    /// struct Visit { #[record(key)] id: u32, #[record(field)] hour: u8 }
    ///
    /// let visits = Store::new().collection::<Visit>("Visit")?;
    /// visits.store(Visit { id: 1, hour: 9 })?;
    /// visits.store(Visit { id: 2, hour: 23 })?;
    /// let by_hour = || GroupBy::from(Bucket::width(visit::HOUR, 1)).metrics([Metric::count()]);
    /// let all_day = visits.find(Filter::all()).statistics(by_hour().with_empty_between(0, 23))?;
    /// assert_eq!((all_day.groups().len(), all_day.group(3).unwrap().int("count")), (24, Some(0)));
    /// let morning = visits.find(Filter::all()).statistics(by_hour().only_between(6, 11))?;
    /// assert_eq!((morning.groups().len(), morning.group(9).unwrap().int("count")), (1, Some(1)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_empty_between(self, from: impl Into<Value>, to: impl Into<Value>) -> Self {
        GroupBy { empty: true, extended: Some((from.into(), to.into())), ..self }
    }

    /// Leaves out the groups before the bucket of `from` and those after the bucket of `to`. A record there is in no
    /// group. Metrics of all records together include it.
    #[must_use]
    pub fn only_between(self, from: impl Into<Value>, to: impl Into<Value>) -> Self {
        GroupBy { hard: Some((from.into(), to.into())), ..self }
    }
}

impl From<Bucket> for GroupBy {
    fn from(bucket: Bucket) -> Self {
        GroupBy::new([bucket])
    }
}

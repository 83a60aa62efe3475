//! Statistics as plain data: metrics, and the groups that they are computed for.

#[cfg(feature = "serde")]
use super::form::is_default;
use super::{Bucket, FieldName, IntoOrder, Metric, OrderBy, Predicate};
use crate::limits::MAX_GROUP_LEVELS;
use crate::value::Value;
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
                metric.aggregate.order_mut().iter_mut().for_each(|by| by.field = rename(&by.field));
                metric.filter = metric.filter.take().map(|filter| filter.map_fields(rename));
            }
            level = statistics.groups.as_deref_mut().map(|groups| {
                groups.by.iter_mut().map(Bucket::field_mut).for_each(|field| *field = rename(field));
                groups.hits.iter_mut().flat_map(|hits| &mut hits.order).for_each(|by| by.field = rename(&by.field));
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
    /// The records of each group that the result includes; none without it.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    pub hits: Option<TopHits>,
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

/// The first records of each group in an order; see [`GroupBy::hits`].
///
/// ```
/// use memdex::{GroupBy, field};
///
/// let hits = GroupBy::values("user").hits(3, field("created_at").desc()).hits.unwrap();
/// assert_eq!((hits.records, &hits.order[..]), (3, &[field("created_at").desc()][..]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct TopHits {
    /// The largest number of records of a group: 1 to [`limits::MAX_GROUP_HITS`](crate::limits::MAX_GROUP_HITS).
    pub records: usize,
    /// The sort fields; the key breaks ties.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    pub order: Vec<OrderBy>,
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
            hits: None,
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

    /// Includes the first records of each group in an order, ties broken by key: at most so many, 1 to
    /// [`limits::MAX_GROUP_HITS`](crate::limits::MAX_GROUP_HITS). Filters of metrics do not change the hits. Every selected
    /// record is read, and compared with the hits of its group.
    ///
    /// ```
    /// use memdex::{Filter, GroupBy, Record, Store};
    ///
    /// #[derive(Clone, Record)]
    /// struct Payment { #[record(key)] id: u32, #[record(index)] user: String, #[record(field)] amount: i64 }
    ///
    /// let payments = Store::new().collection::<Payment>("Payment")?;
    /// for (id, user, amount) in [(1, "ada", 5), (2, "ada", 7), (3, "bob", 9)] {
    ///     payments.store(Payment { id, user: user.into(), amount })?;
    /// }
    /// let newest = GroupBy::values(payment::USER).hits(1, payment::ID.desc());
    /// let result = payments.find(Filter::all()).statistics(newest)?;
    /// let of_ada = &result.group("ada").unwrap().hits()[0];
    /// assert_eq!(of_ada.record::<Payment>().unwrap().amount, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn hits(self, records: usize, order: impl IntoOrder) -> Self {
        GroupBy { hits: Some(TopHits { records, order: order.into_order() }), ..self }
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

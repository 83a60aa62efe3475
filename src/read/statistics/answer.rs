//! The result of statistics: metric values, and groups with their own.

use crate::error::Commit;
use crate::read::hit::Hit;
use crate::record::bound::Names;
use crate::sync::Arc;
use memdex_query::aggregate::nearest_float;
use memdex_query::value::{Value, ValueRef};
use std::ops::Deref;
use std::time::Duration;

/// The result of a [`Statistics`](crate::aggregate::Statistics) query: exact, at one commit. Derefs to the metrics of
/// all records.
///
/// ```
/// # use memdex::{Filter, GroupBy, Metric, Record, Store};
/// # use memdex::aggregate::Statistics;
/// # #[derive(Record)]
/// # struct Job { #[record(key)] id: u32, #[record(column)] queue: String, #[record(column)] seconds: f64 }
/// # let jobs = Store::new().collection::<Job>("Job")?;
/// for (id, queue, seconds) in [(1, "mail", 0.5), (2, "mail", 1.5), (3, "print", 9.0)] {
///     jobs.store(Job { id, queue: queue.into(), seconds })?;
/// }
/// let by_queue = GroupBy::values("queue").metrics([job::SECONDS.avg()]);
/// let result = jobs.find(Filter::all()).statistics(Statistics::of([Metric::count()]).group_by(by_queue))?;
/// assert_eq!(result.int("count"), Some(3));
/// assert_eq!(result.group("mail").unwrap().float("avg(seconds)"), Some(1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct AggregationResult {
    /// The metrics of all records, and the groups.
    pub values: MetricValues,
    /// The commit that the query read.
    pub commit: Commit,
    /// How long the query took.
    pub took: Duration,
    /// Whether a materialized aggregate provided the result, without reading records.
    pub materialized: bool,
}

/// The metrics of some records, and the groups of these records.
///
/// With the feature `serde`, metrics are written by name: `{"metrics": {"count": 3}, "groups": […], "groups_in_all": 1}`. A result
/// with hits can be written as text, but not read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricValues {
    /// Shared by all groups of one level.
    pub(super) names: Names,
    /// Shared with the materialized aggregate that provided them.
    pub(super) values: Arc<[Value]>,
    pub(super) hits: Vec<Hit>,
    pub(super) groups: Vec<Group>,
    pub(super) groups_in_all: usize,
}

/// The records with one group key. Derefs to their metrics.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Group {
    /// The parts of the key. Each is a value (null if missing), the lower bound of a histogram bucket, or a range as
    /// text: `100..200`, or `100..` with an open end.
    pub key: Vec<Value>,
    /// The metrics of the group, and its subgroups.
    pub values: MetricValues,
}

impl MetricValues {
    /// The metric with this name; null if there were no values to compute it from. O(metrics).
    pub fn get(&self, metric: &str) -> Option<&Value> {
        self.names.iter().position(|name| name == metric).and_then(|at| self.values.get(at))
    }

    /// A metric as an integer: counts, and sums, minima and maxima of integers that fit. `None` for other kinds and for null.
    pub fn int(&self, metric: &str) -> Option<i64> {
        match self.get(metric)?.as_ref() {
            ValueRef::Int(n) => Some(n),
            _ => None,
        }
    }

    /// A metric as the nearest float. `None` for kinds that are no numbers and for null.
    pub fn float(&self, metric: &str) -> Option<f64> {
        nearest_float(self.get(metric)?.as_ref())
    }

    /// All metrics with their names, in the order of the query.
    pub fn metrics(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.names.iter().map(|name| &**name).zip(&*self.values)
    }

    /// The first records of a group; empty without [`GroupBy::hits`](crate::GroupBy::hits).
    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }

    /// The groups; empty if the query has no grouping.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The group with this single-part key. O(groups).
    pub fn group(&self, key: impl Into<Value>) -> Option<&Group> {
        let key = key.into();
        self.group_of(std::slice::from_ref(&key))
    }

    /// The group with this multi-part key. O(groups).
    pub fn group_of(&self, key: &[Value]) -> Option<&Group> {
        self.groups.iter().find(|group| group.key == key)
    }

    /// The number of groups, including those that [`top`](crate::GroupBy::top) left out.
    pub fn groups_in_all(&self) -> usize {
        self.groups_in_all
    }
}

impl Deref for AggregationResult {
    type Target = MetricValues;

    fn deref(&self) -> &MetricValues {
        &self.values
    }
}

impl Deref for Group {
    type Target = MetricValues;

    fn deref(&self) -> &MetricValues {
        &self.values
    }
}

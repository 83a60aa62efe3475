//! The result of a statistics query, as plain data.

use memdex::aggregate::{Aggregate, MetricValues, Statistics};
use memdex::typing::ValueRef;
use memdex::{Metric, Value};

/// The result of a statistics query: metrics, and groups with their own.
///
/// ```
/// use memdex::{FieldDef, Kind, Metric, Query, Schema, Value, field};
/// use memdex_test::{Model, Operation, Outcome, Row};
///
/// let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("cents", Kind::Int)]);
/// let mut model = Model::new([("Payment", schema)]);
/// model.apply(&Operation::insert("Payment", Row::new().with("id", 1).with("cents", 250)));
/// let sum = Query::over(["Payment"]).statistics(field("cents").sum());
/// let Outcome::Summary(summary) = model.apply(&Operation::Find(sum)) else { panic!() };
/// assert_eq!(summary.metrics, [Value::from(250)]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The metrics, in the order of the query. Null if there is none.
    pub metrics: Vec<Value>,
    /// The groups with their keys, in their order. The key of a range is its position among the ranges.
    pub groups: Vec<(Vec<Value>, Summary)>,
    /// The number of groups, with those that the query leaves out.
    pub groups_in_all: usize,
}

impl Summary {
    /// The result of memdex. `requested` are the statistics of the query.
    pub fn of(values: &MetricValues, requested: &Statistics) -> Self {
        let metrics = values.metrics().map(|(_, value)| value.clone()).collect();
        let within = requested.groups.as_deref();
        let groups = values.groups().iter().map(|group| {
            let inner = within.map_or_else(Summary::default, |by| Summary::of(&group.values, &by.within));
            (group.key.to_vec(), inner)
        });
        Summary { metrics, groups: groups.collect(), groups_in_all: values.groups_in_all() }
    }

    /// Compares the result of a backend with this one: sums, means and the like to nine digits unless they are integers, everything else
    /// exactly. Labels of
    /// ranges depend on the type of the field and are not compared.
    ///
    /// # Errors
    /// A description of the first difference.
    pub fn compare(&self, given: &Summary, requested: &Statistics) -> Result<(), String> {
        if self.metrics.len() != given.metrics.len() {
            return Err(format!("{} metrics, not {}", given.metrics.len(), self.metrics.len()));
        }
        for ((metric, own), other) in requested.metrics.iter().zip(&self.metrics).zip(&given.metrics) {
            if !is_same(metric, own, other) {
                return Err(format!("{} is {other:?}, not {own:?}", metric.name));
            }
        }
        if self.groups_in_all != given.groups_in_all {
            return Err(format!("{} groups in all, not {}", given.groups_in_all, self.groups_in_all));
        }
        let keys = |summary: &Summary| summary.groups.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let Some(by) = requested.groups.as_deref() else { return Ok(()) };
        if self.groups.len() != given.groups.len() {
            return Err(format!("groups {:?}, not {:?}", keys(given), keys(self)));
        }
        for ((key, own), (other_key, other)) in self.groups.iter().zip(&given.groups) {
            let is_range = |at: usize| matches!(by.by.get(at), Some(memdex::Bucket::Ranges { .. }));
            let same = |(at, (a, b)): (usize, (&Value, &Value))| is_range(at) && !a.is_null() && !b.is_null() || a == b;
            if key.len() != other_key.len() || !key.iter().zip(other_key).enumerate().all(same) {
                return Err(format!(
                    "group {other_key:?}, not {key:?}, of groups {:?}, not {:?}",
                    keys(given),
                    keys(self)
                ));
            }
            own.compare(other, &by.within).map_err(|difference| format!("group {key:?}: {difference}"))?;
        }
        Ok(())
    }
}

fn is_same(metric: &Metric, own: &Value, other: &Value) -> bool {
    let is_rounded = !matches!(
        metric.aggregate,
        Aggregate::Min(_)
            | Aggregate::Max(_)
            | Aggregate::Mode(_)
            | Aggregate::Count
            | Aggregate::CountOf(_)
            | Aggregate::Distinct(_)
    );
    // The mean of decimals is a decimal in memdex, and a float in the model.
    let number = |value: &Value| match value.as_ref() {
        ValueRef::Float(x) => Some(x),
        ValueRef::Decimal(number) => number.to_string().parse().ok(),
        _ => None,
    };
    own == other
        || is_rounded
            && number(own).zip(number(other)).is_some_and(|(a, b)| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()))
}

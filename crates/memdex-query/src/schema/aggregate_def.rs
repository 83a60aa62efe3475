//! Definitions of materialized aggregates.

use super::Condition;
use super::bound::{Bound, Cut, Range};
use super::bucketer::Bucketer;
use super::schema::Schema;
use crate::error::AggregateDefError;
use crate::limits::MAX_AGGREGATES;
use crate::query::{Aggregate, FieldName, Predicate, Statistics};
use crate::value::Value;
use std::borrow::Cow;
use std::fmt;

/// A materialized aggregate: statistics of all records, or of those that meet a condition, that every commit maintains
/// incrementally. They may have one level of groups.
///
/// Add it to a schema ([`Schema::with_aggregate`](crate::schema::Schema::with_aggregate)) or to an open collection
/// (`Collection::add_aggregate`), and read it by name
/// (`Collection::aggregate`) at any commit that a snapshot holds. Reading costs time in the number of
/// groups, not of records. A statistics query that asks for the same filter, buckets and metrics is answered from it.
///
/// ```
/// use memdex::{FieldValue, GroupBy, Metric, Record, Store};
/// use memdex::schema::AggregateDef;
///
/// #[derive(Clone, Record)]
/// struct Payment { #[record(key)] id: u32, #[record(field)] status: String, #[record(field)] amount: i64 }
///
/// let payments = Store::new().collection::<Payment>("Payment")?;
/// payments.add_aggregate(AggregateDef::new(
///     "by_status",
///     GroupBy::values(payment::STATUS).metrics([Metric::count(), payment::AMOUNT.sum(), payment::AMOUNT.avg()]),
/// ))?;
/// payments.add_aggregate(AggregateDef::new("big", [Metric::count()]).when(payment::AMOUNT.ge(1_000)))?;
/// payments.store(Payment { id: 1, status: "paid".into(), amount: 1_500 })?;
/// payments.store(Payment { id: 2, status: "paid".into(), amount: 200 })?;
/// let by_status = payments.aggregate("by_status")?;
/// let paid = by_status.group("paid").unwrap();
/// assert_eq!((paid.int("count"), paid.int("sum(amount)"), paid.float("avg(amount)")), (Some(2), Some(1_700), Some(850.0)));
/// assert_eq!(payments.aggregate("big")?.int("count"), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// All metrics are allowed except percentiles, on fields of single values. Groups have one level, by one field or several: by
/// values, buckets of one width, dates, and disjoint ranges.
///
/// Cost: a few lookups and additions for each record that a commit changes, and the metrics of each group that it touches. Memory:
/// 8 bytes a record, 8 more for each field of a metric (4 for strings and other kinds that don't fit 64 bits), and for minima, maxima
/// and distinct counts an entry for each distinct value of a group.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct AggregateDef {
    name: FieldName,
    statistics: Statistics,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    when: Option<Predicate>,
}

/// An [`AggregateDef`] bound to a schema.
pub struct BoundAggregate {
    /// Its statistics.
    pub bound: Bound,
    /// Its condition.
    pub condition: Option<Condition>,
    /// One for each part of a group's key.
    pub bucketers: Vec<Bucketer>,
}

impl AggregateDef {
    /// Maintains these statistics under this name.
    pub fn new(name: impl Into<FieldName>, statistics: impl Into<Statistics>) -> Self {
        AggregateDef { name: name.into(), statistics: statistics.into(), when: None }
    }

    /// Restricts it to the records for which `condition` is true.
    #[must_use]
    pub fn when(self, condition: impl Into<Predicate>) -> Self {
        AggregateDef { when: Some(condition.into()), ..self }
    }

    /// Its name, by which it is read and dropped.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its metrics and groups.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Its condition; `None` if it covers all records.
    pub fn condition(&self) -> Option<&Predicate> {
        self.when.as_ref()
    }

    /// The same aggregate over fields of a nested struct, whose names get the prefix.
    pub(super) fn within(self, prefix: &str) -> Self {
        let prefixed = |name: &FieldName| Cow::Owned(format!("{prefix}.{name}"));
        AggregateDef {
            name: prefixed(&self.name),
            statistics: self.statistics.map_fields(&|name| prefixed(name)),
            when: self.when.map(|when| when.map_fields(&|name| prefixed(name))),
        }
    }

    /// Binds it to a schema. Fails if it can't be maintained.
    pub fn bind(&self, schema: &Schema) -> Result<BoundAggregate, AggregateDefError> {
        self.check_metrics()?;
        let unsound = |source| AggregateDefError::Query { source: Box::new(source) };
        let bound = Bound::new(&self.name, schema, &self.statistics).map_err(unsound)?;
        if bound.levels.len() > 2 {
            return Err(AggregateDefError::Levels { levels: bound.levels.len() - 1 });
        }
        if bound.levels.iter().all(|level| level.metrics.is_empty() && level.buckets.is_empty()) {
            return Err(AggregateDefError::Nothing);
        }
        for part in bound.levels.iter().flat_map(|level| &level.buckets) {
            let field = || bound.fields[part.field].def.name().to_owned();
            if bound.fields[part.field].def.is_many() {
                return Err(AggregateDefError::ManyValues { metric: None, field: field() });
            }
            if matches!(&part.cut, Cut::Ranges(_, ranges) if overlap(ranges)) {
                return Err(AggregateDefError::Overlap { field: field() });
            }
        }
        for (level, asked) in bound.levels.iter().flat_map(|level| level.names.iter().zip(&level.metrics)) {
            if let Some(field) = asked.field.map(|field| &bound.fields[field].def).filter(|field| field.is_many()) {
                let (metric, field) = (Some(level.to_string()), field.name().to_owned());
                return Err(AggregateDefError::ManyValues { metric, field });
            }
        }
        let condition = self.when.as_ref().map(|when| Condition::new(&self.name, schema, when));
        let condition = condition.transpose().map_err(unsound)?;
        let parts = bound.levels.get(1).map_or(&[][..], |level| &level.buckets);
        let bucketers = parts.iter().map(Bucketer::new).collect();
        Ok(BoundAggregate { bound, condition, bucketers })
    }

    /// Runs before anything is bound, so that a percentile is reported before any other error.
    fn check_metrics(&self) -> Result<(), AggregateDefError> {
        let mut level = Some(&self.statistics);
        while let Some(statistics) = level {
            for metric in &statistics.metrics {
                if let Aggregate::Percentile(field, _) = &metric.aggregate {
                    let (metric, field) = (metric.name.to_string(), field.to_string());
                    return Err(AggregateDefError::Percentile { metric, field });
                }
            }
            level = statistics.groups.as_ref().map(|groups| &groups.within);
        }
        Ok(())
    }
}

/// Whether a value may lie in two of these ranges.
fn overlap(ranges: &[Range]) -> bool {
    let holds_something = |(from, to): &&Range| from.is_none() || to.is_none() || from < to;
    let mut ranges: Vec<&Range> = ranges.iter().filter(holds_something).collect();
    // A range without a lower bound comes first: null is below all other values.
    ranges.sort_unstable_by_key(|(from, _)| from.as_ref().map(Value::as_ref));
    ranges.windows(2).any(|pair| match (&pair[0].1, &pair[1].0) {
        (Some(to), Some(from)) => from < to,
        _ => true,
    })
}

impl Schema {
    /// Fails if the aggregate can't be added to `others`.
    pub fn check_aggregate(&self, def: &AggregateDef, others: &[AggregateDef]) -> Result<(), AggregateDefError> {
        if others.len() >= MAX_AGGREGATES {
            return Err(AggregateDefError::TooMany { limit: MAX_AGGREGATES });
        }
        if others.iter().any(|other| other.name == def.name) {
            return Err(AggregateDefError::Duplicate);
        }
        if def.name.is_empty() {
            return Err(AggregateDefError::Unnamed);
        }
        def.bind(self).map(drop)
    }
}

impl fmt::Display for AggregateDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let buckets = self.statistics.groups.iter().flat_map(|groups| &groups.by);
        let fields: Vec<&str> = buckets.map(|bucket| &**bucket.field()).collect();
        write!(f, "aggregate {}({})", self.name, fields.join(", "))?;
        match &self.when {
            Some(when) => write!(f, " when {when:?}"),
            None => Ok(()),
        }
    }
}

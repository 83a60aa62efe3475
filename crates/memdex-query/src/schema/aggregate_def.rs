//! Definitions of materialized aggregates.

use crate::query::{FieldName, Predicate, Statistics};
use std::borrow::Cow;
use std::fmt;

/// A materialized aggregate: statistics of all records, or of those that match a condition, that every commit maintains
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
/// All metrics of fields of single values are allowed except percentiles, modes, ratios, first values and those with a filter.
/// Hits are refused, and so are groups, minima and maxima of fields with a collation. Groups have one level, by one field or
/// several: by values, buckets of one width, dates, and disjoint ranges.
///
/// Cost: a few lookups and additions for each record that a commit changes, and the metrics of each group that it
/// touches. Memory: 8 bytes a record, 8 more for each field of a metric (4 for strings and other kinds that don't fit
/// 64 bits), and for minima, maxima and distinct counts an entry for each distinct value of a group.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct AggregateDef {
    name: FieldName,
    statistics: Statistics,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    when: Option<Predicate>,
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

//! What standing statistics are declared to be: a question about many records that is always answered.

use super::Condition;
use super::bound::{Bound, Cut, Range};
use super::cutter::Cutter;
use super::schema::Schema;
use crate::error::NotStanding;
use crate::limits::MAX_STANDING;
use crate::query::{Aggregate, FieldName, Predicate, Statistics};
use crate::value::Value;
use std::borrow::Cow;
use std::fmt;

/// Standing statistics to be: figures of all records, or of those that meet a condition, and of one level of groups, kept up by
/// every commit. A schema takes them ([`Schema::with_standing`](crate::Schema::with_standing)), or a collection that is there
/// ([`Collection::add_standing`](crate::Collection::add_standing)). They are read by name
/// ([`Collection::standing`](crate::Collection::standing)), as of any commit, at a cost that depends on the number of groups alone;
/// and a question that asks for just what they know is answered by them.
///
/// ```
/// use memdex::{FieldValue, GroupBy, Metric, Record, StandingDef, Store};
///
/// #[derive(Clone, Record)]
/// struct Payment { #[record(key)] id: u32, #[record(field)] status: String, #[record(field)] amount: i64 }
///
/// let payments = Store::new().collection::<Payment>("Payment")?;
/// payments.add_standing(StandingDef::new(
///     "by_status",
///     GroupBy::values(payment::STATUS).metrics([Metric::count(), payment::AMOUNT.sum(), payment::AMOUNT.avg()]),
/// ))?;
/// payments.add_standing(StandingDef::new("big", [Metric::count()]).when(payment::AMOUNT.ge(1_000)))?;
/// payments.store(Payment { id: 1, status: "paid".into(), amount: 1_500 })?;
/// payments.store(Payment { id: 2, status: "paid".into(), amount: 200 })?;
/// let by_status = payments.standing("by_status")?;
/// let paid = by_status.group("paid").unwrap();
/// assert_eq!((paid.int("count"), paid.int("sum(amount)"), paid.float("avg(amount)")), (Some(2), Some(1_700), Some(850.0)));
/// assert_eq!(payments.standing("big")?.int("count"), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// They may have all metrics but percentiles, of fields of single values; groups of one level, by one field or several: values,
/// steps of one width, dates, and ranges that don't overlap.
///
/// What it costs: each commit, some look-ups and additions for each record that it changes, and the figures of each group that it
/// touches; in memory, for each record eight bytes and eight more for each field that metrics are of (four for strings and others
/// that don't fit 64 bits), and where minima, maxima or distinct values are asked for an entry for each distinct value of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct StandingDef {
    name: FieldName,
    statistics: Statistics,
    when: Option<Predicate>,
}

/// Bound to a schema.
pub(crate) struct BoundStanding {
    pub(crate) bound: Bound,
    pub(crate) condition: Option<Condition>,
    /// One for each part of groups' keys.
    pub(crate) cutters: Vec<Cutter>,
}

impl StandingDef {
    /// These statistics, kept up under this name.
    pub fn new(name: impl Into<FieldName>, statistics: impl Into<Statistics>) -> Self {
        StandingDef { name: name.into(), statistics: statistics.into(), when: None }
    }

    /// The same of those records alone for which `condition` is true.
    #[must_use]
    pub fn when(self, condition: impl Into<Predicate>) -> Self {
        StandingDef { when: Some(condition.into()), ..self }
    }

    /// The name by which they are read and dropped.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is asked.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Which records it is asked of; all if there is no condition.
    pub fn condition(&self) -> Option<&Predicate> {
        self.when.as_ref()
    }

    /// The same of fields that all lie behind `prefix`.
    pub(super) fn within(self, prefix: &str) -> Self {
        let prefixed = |name: &FieldName| Cow::Owned(format!("{prefix}.{name}"));
        StandingDef {
            name: prefixed(&self.name),
            statistics: self.statistics.map_fields(&|name| prefixed(name)),
            when: self.when.map(|when| when.map_fields(&|name| prefixed(name))),
        }
    }

    /// Binds it to a schema; what can't be kept up is an error.
    pub(crate) fn bind(&self, schema: &Schema) -> Result<BoundStanding, NotStanding> {
        self.check_metrics()?;
        let unsound = |source| NotStanding::Question { source: Box::new(source) };
        let bound = Bound::new(&self.name, schema, &self.statistics).map_err(unsound)?;
        if bound.levels.len() > 2 {
            return Err(NotStanding::Levels { levels: bound.levels.len() - 1 });
        }
        if bound.levels.iter().all(|level| level.metrics.is_empty() && level.buckets.is_empty()) {
            return Err(NotStanding::Nothing);
        }
        for part in bound.levels.iter().flat_map(|level| &level.buckets) {
            let field = || bound.fields[part.field].def.name().to_owned();
            if bound.fields[part.field].def.is_many() {
                return Err(NotStanding::ManyValues { metric: None, field: field() });
            }
            if matches!(&part.cut, Cut::Ranges(_, ranges) if overlap(ranges)) {
                return Err(NotStanding::Overlap { field: field() });
            }
        }
        for (level, asked) in bound.levels.iter().flat_map(|level| level.names.iter().zip(&level.metrics)) {
            if let Some(field) = asked.field.map(|field| &bound.fields[field].def).filter(|field| field.is_many()) {
                let (metric, field) = (Some(level.to_string()), field.name().to_owned());
                return Err(NotStanding::ManyValues { metric, field });
            }
        }
        let condition = self.when.as_ref().map(|when| Condition::new(&self.name, schema, when));
        let condition = condition.transpose().map_err(unsound)?;
        let parts = bound.levels.get(1).map_or(&[][..], |level| &level.buckets);
        let cutters = parts.iter().map(Cutter::new).collect();
        Ok(BoundStanding { bound, condition, cutters })
    }

    /// Before anything is bound, so that a percentile is told whatever else may be wrong with it.
    fn check_metrics(&self) -> Result<(), NotStanding> {
        let mut level = Some(&self.statistics);
        while let Some(statistics) = level {
            for metric in &statistics.metrics {
                if let Aggregate::Percentile(field, _) = &metric.aggregate {
                    let (metric, field) = (metric.name.to_string(), field.to_string());
                    return Err(NotStanding::Percentile { metric, field });
                }
            }
            level = statistics.groups.as_ref().map(|groups| &groups.within);
        }
        Ok(())
    }
}

/// Whether a value may lie in two of them.
fn overlap(ranges: &[Range]) -> bool {
    let holds_something = |(from, to): &&Range| from.is_none() || to.is_none() || from < to;
    let mut ranges: Vec<&Range> = ranges.iter().filter(holds_something).collect();
    // A range without a lower bound comes first: a missing value is below all others.
    ranges.sort_unstable_by_key(|(from, _)| from.as_ref().map(Value::as_ref));
    ranges.windows(2).any(|pair| match (&pair[0].1, &pair[1].0) {
        (Some(to), Some(from)) => from < to,
        _ => true,
    })
}

impl Schema {
    /// Whether standing statistics can stand beside `others`.
    pub(crate) fn check_standing(&self, def: &StandingDef, others: &[StandingDef]) -> Result<(), NotStanding> {
        if others.len() >= MAX_STANDING {
            return Err(NotStanding::TooMany { limit: MAX_STANDING });
        }
        if others.iter().any(|other| other.name == def.name) {
            return Err(NotStanding::Duplicate);
        }
        if def.name.is_empty() {
            return Err(NotStanding::Unnamed);
        }
        def.bind(self).map(drop)
    }
}

impl fmt::Display for StandingDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let buckets = self.statistics.groups.iter().flat_map(|groups| &groups.by);
        let fields: Vec<&str> = buckets.map(|bucket| &**bucket.field()).collect();
        write!(f, "standing {}({})", self.name, fields.join(", "))?;
        match &self.when {
            Some(when) => write!(f, " when {when:?}"),
            None => Ok(()),
        }
    }
}

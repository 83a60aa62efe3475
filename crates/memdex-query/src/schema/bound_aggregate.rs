//! Binds the definitions of materialized aggregates to a schema.

use super::bound::{Bound, BoundBucket, Bucketer, Range};
use super::{AggregateDef, Condition, Schema};
use crate::error::{AggregateDefError, QueryError};
use crate::query::Aggregate;
use crate::value::Value;

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
    /// Binds it to a schema. Fails if it can't be maintained.
    ///
    /// # Errors
    /// If the aggregate cannot be maintained.
    pub fn bind(&self, schema: &Schema) -> Result<BoundAggregate, AggregateDefError> {
        self.check_metrics()?;
        let refused = |source| AggregateDefError::Query { source: Box::new(source) };
        let bound = Bound::new(self.name(), schema, self.statistics()).map_err(refused)?;
        if let Some(field) = bound.fields.iter().find(|field| field.def.is_none()) {
            let purpose = "a materialized aggregate";
            return Err(refused(QueryError::undeclared_field(self.name(), field.name(), purpose)));
        }
        if bound.levels.len() > 2 {
            return Err(AggregateDefError::Levels { levels: bound.levels.len() - 1 });
        }
        if bound.levels.iter().all(|level| level.metrics.is_empty() && level.buckets.is_empty()) {
            return Err(AggregateDefError::Nothing);
        }
        if let Some(field) = bound.fields.iter().find(|field| field.spelled) {
            return Err(AggregateDefError::Collation { field: field.name().to_owned() });
        }
        for part in bound.levels.iter().flat_map(|level| &level.buckets) {
            let field = || bound.fields[part.field].name().to_owned();
            if bound.fields[part.field].is_many() {
                return Err(AggregateDefError::ManyValues { metric: None, field: field() });
            }
            if !part.missing.as_ref().is_null() {
                let metric = format!("groups by {} with a name for missing values", field());
                return Err(AggregateDefError::NotMaintained { metric });
            }
            if matches!(&part.bucket, BoundBucket::Ranges(_, ranges) if overlap(ranges)) {
                return Err(AggregateDefError::Overlap { field: field() });
            }
        }
        for (name, metric) in bound.levels.iter().flat_map(|level| level.names.iter().zip(&level.metrics)) {
            if let Some(field) = metric.field.map(|field| &bound.fields[field]).filter(|field| field.is_many()) {
                let (metric, field) = (Some(name.to_string()), field.name().to_owned());
                return Err(AggregateDefError::ManyValues { metric, field });
            }
        }
        let condition = self.condition().map(|when| Condition::new(self.name(), schema, when));
        let condition = condition.transpose().map_err(refused)?;
        let bucketers = bound.levels.get(1).map_or_else(Vec::new, |level| level.buckets.clone());
        Ok(BoundAggregate { bound, condition, bucketers })
    }

    /// Runs before anything is bound, so that a percentile is reported before any other error.
    fn check_metrics(&self) -> Result<(), AggregateDefError> {
        let mut level = Some(self.statistics());
        while let Some(statistics) = level {
            for metric in &statistics.metrics {
                if metric.filter.is_some()
                    || matches!(metric.aggregate, Aggregate::Mode(_) | Aggregate::Ratio(..) | Aggregate::First(..))
                {
                    return Err(AggregateDefError::NotMaintained { metric: metric.name.to_string() });
                }
                if let Aggregate::Percentile(field, _) = &metric.aggregate {
                    let (metric, field) = (metric.name.to_string(), field.to_string());
                    return Err(AggregateDefError::Percentile { metric, field });
                }
            }
            if statistics.groups.as_ref().is_some_and(|groups| groups.hits.is_some()) {
                return Err(AggregateDefError::NotMaintained { metric: "hits".to_owned() });
            }
            level = statistics.groups.as_ref().map(|groups| &groups.within);
        }
        Ok(())
    }
}

/// Whether a value may lie in two of these ranges.
pub fn overlap(ranges: &[Range]) -> bool {
    let is_not_empty = |(from, to): &&Range| from.is_none() || to.is_none() || from < to;
    let mut ranges: Vec<&Range> = ranges.iter().filter(is_not_empty).collect();
    // A range without a lower bound comes first: null is below all other values.
    ranges.sort_unstable_by_key(|(from, _)| from.as_ref().map(Value::as_ref));
    ranges.windows(2).any(|pair| match (&pair[0].1, &pair[1].0) {
        (Some(to), Some(from)) => from < to,
        _ => true,
    })
}

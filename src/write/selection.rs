//! The records that a write by predicate selects.

use super::returned::ReturnTo;
use crate::error::Cause;
use crate::read::{self, Ranking};
use crate::record::Condition;
use crate::storage::{AnyVersion, Engine, SharedVersion, Table};
use crate::sync::Arc;
use crate::user_code;
use memdex_query::query::OrderBy;
use memdex_query::value::Key;

pub(super) struct Where {
    pub(super) condition: Condition,
    pub(super) engine: Arc<Engine>,
    pub(super) table: Arc<Table>,
    /// Only the first records in an order.
    pub(super) ranking: Option<Ranking>,
    /// Gets the changes of the records.
    pub(super) returned: Option<Arc<dyn ReturnTo>>,
}

/// Which of the records that a filter selects are changed, and whether they are returned.
pub(super) struct Selection<'a> {
    /// Only so many of the first ones in an order.
    pub(super) first: Option<(&'a [OrderBy], usize)>,
    pub(super) returned: Option<Arc<dyn ReturnTo>>,
}

impl Selection<'_> {
    /// All records.
    pub(super) const ALL: Self = Selection { first: None, returned: None };
}

impl Where {
    /// The committed records that it selects, or the first of them in its order and `more` behind these.
    pub(super) fn evaluate(&self, more: usize) -> Result<Vec<SharedVersion>, Cause> {
        let evaluate = || match &self.ranking {
            None => read::evaluate(&self.engine, &self.table, &self.condition),
            Some(ranking) => ranking.evaluate(&self.engine, &self.table, &self.condition, more),
        };
        Ok(user_code::run(evaluate).map_err(panicked)??)
    }

    /// The most records that it selects.
    pub(super) fn first(&self) -> usize {
        self.ranking.as_ref().map_or(usize::MAX, |ranking| ranking.first)
    }

    /// Sorts records, which come with their keys.
    pub(super) fn sort<T>(ranking: &Ranking, records: &mut Vec<(T, &dyn AnyVersion, &Key)>) -> Result<(), Cause> {
        let values = |(_, record, _): &(T, &dyn AnyVersion, &Key)| ranking.values(*record);
        let values: Vec<_> = user_code::run(|| records.iter().map(values).collect()).map_err(panicked)?;
        let mut sorted: Vec<_> = values.into_iter().zip(records.drain(..)).collect();
        sorted.sort_by(|(a, (.., x)), (b, (.., y))| ranking.compare((a, x), (b, y)));
        records.extend(sorted.into_iter().map(|(_, record)| record));
        Ok(())
    }

    pub(super) fn holds(&self, record: &dyn AnyVersion) -> Result<bool, Cause> {
        user_code::run(|| self.condition.holds(record)).map_err(panicked)
    }
}

fn panicked(message: String) -> Cause {
    Cause::Panicked { what: "field extractor", message }
}

//! Estimates of how many rows an index will return, without reading them: what a planner needs before it chooses.
//!
//! All of it describes the newest commit, published or in flight, and may have changed by the time the rows are read.

use super::cardinality::{self, COUNTED_VALUES};
use super::read::{Index, Sought};
use crate::sync::Ordering::Relaxed;
use memdex_query::value::Value;

impl dyn Index + '_ {
    /// How many rows an access path returns; `None` if the index can't answer it.
    ///
    /// Exact at rest are: single values in equality and unique indexes (the length of the posting), short lists of values there, and
    /// a range within one leaf or two of an ordered index. A longer range is estimated by the number of leaves and their mean fill,
    /// a long list by its first values. Costs a look-up or two; O(blocks of the directory) in an ordered index.
    pub(crate) fn estimate(&self, sought: &Sought<'_>) -> Option<usize> {
        match sought {
            Sought::Value(value) => Some(self.count(*value)),
            Sought::AnyOf(values) => Some(self.estimate_any(values)),
            range => self.estimate_range(range),
        }
    }

    fn estimate_any(&self, values: &[Value]) -> usize {
        let rows = values.iter().take(COUNTED_VALUES).map(|value| self.count(value.as_ref())).sum();
        if values.len() <= COUNTED_VALUES {
            return self.records().min(rows);
        }
        cardinality::of_values(rows, COUNTED_VALUES, values.len(), self.records(), self.distinct_estimate())
    }

    /// [`distinct_estimate`](Index::distinct_estimate), cached until the number of records has changed by an eighth: for callers
    /// that need it each time.
    pub(crate) fn distinct_lately(&self) -> usize {
        let (lately, records) = (self.head().distinct_cache.load(Relaxed), self.records() as u64);
        let (then, distinct) = (lately >> 32, lately & u64::from(u32::MAX));
        if records.abs_diff(then) <= then / 8 {
            return distinct as usize;
        }
        let distinct = self.distinct_estimate();
        self.head().distinct_cache.store(records << 32 | distinct as u64 & u64::from(u32::MAX), Relaxed);
        distinct
    }
}

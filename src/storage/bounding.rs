//! The bound of a collection: how it is set, and what a commit asks the table about it.

use super::any_version::{AnyVersion, SharedVersion};
use super::engine::Engine;
use super::eviction::{Bounded, Measured, Queue};
use super::fork::Which;
use super::table::Table;
use crate::clock::Timestamp;
use crate::error::Cause;
use crate::rowset::Row;
use crate::sync::Arc;
use memdex_query::value::Key;

/// All records together weigh at most so much when a bound is set, so that sums don't overflow.
const HEAVIEST: u64 = 1 << 62;

impl Table {
    pub(crate) fn bound(&self) -> Option<Arc<Bounded>> {
        self.bound.read().clone()
    }

    /// Refuses a record that can't be weighed, or is heavier than the bound.
    pub(crate) fn check_weight(&self, record: &dyn AnyVersion) -> Result<(), Cause> {
        self.bound().map_or(Ok(()), |bound| bound.measure(record).map(drop))
    }

    /// Sets or removes the bound. Measures every record, under the commit lock. Returns the bound before, which is to be dropped
    /// outside of it.
    pub(crate) fn set_bound(
        self: &Arc<Self>,
        engine: &Engine,
        bound: Option<Arc<Bounded>>,
    ) -> Result<Option<Arc<Bounded>>, Cause> {
        if bound.is_some() {
            // The queue of a fork has the records of the base too.
            self.take_over(engine, Which::All)?;
        }
        let guard = engine.lock_to_write()?;
        if self.gauges.is_dropped() {
            return Err(Cause::CollectionDropped);
        }
        let may_be_set = || match bound {
            Some(_) => {
                let what = "records to which others refer can't be evicted, so set no bound";
                engine.links.refuse_if_referred(&self.name, what, |_| true)
            }
            None => Ok(()),
        };
        may_be_set()?;
        // Weights are the user's code, which may open collections. So the references are kept only from here on.
        let queue = self.queue(bound.as_deref())?;
        let _kept = engine.links.keep();
        may_be_set()?;
        let before = self.replace_bound(bound, queue);
        engine.recount(self);
        drop(guard);
        Ok(before)
    }

    /// Sets the bound of a new table.
    pub(super) fn bound_new(&self, bound: Option<Arc<Bounded>>) -> Result<(), Cause> {
        if bound.is_some() {
            let queue = self.queue(bound.as_deref())?;
            self.replace_bound(bound, queue);
        }
        Ok(())
    }

    fn replace_bound(&self, bound: Option<Arc<Bounded>>, queue: Option<Box<Queue>>) -> Option<Arc<Bounded>> {
        self.writer().bound = queue;
        std::mem::replace(&mut *self.bound.write(), bound)
    }

    /// The queue of the present records for a bound, in the order in which they were last written. Runs weights.
    fn queue(&self, bound: Option<&Bounded>) -> Result<Option<Box<Queue>>, Cause> {
        let Some(bound) = bound else { return Ok(None) };
        let evictions = self.writer().bound.as_ref().map_or(0, |queue| queue.usage().evictions);
        let mut queue = Queue::new(bound, evictions);
        let mut records: Vec<SharedVersion> = Vec::new();
        for page in (0..).map_while(|page| self.pages.copy_page(page)) {
            page.each_row(|_, newest, _| records.extend(newest.filter(|newest| !newest.is_tombstone()).cloned()));
        }
        // Commits wait, so the pages hold all records, and none is dropped here.
        let measured = measured(bound, &mut records)?;
        for (version, measured) in records.iter().zip(measured) {
            version.deadline.set_uses(0);
            queue.insert(version.row, version.hash, version.deadline.time(), measured);
        }
        Ok(Some(Box::new(queue)))
    }

    /// One of the keys of a collection that is above its bound, with the hash; `None` if it is not.
    pub(crate) fn beyond_bound(&self, engine: &Engine) -> Result<Option<(Key, u32)>, Cause> {
        let _guard = engine.lock_to_write()?;
        let writer = self.writer();
        let usage = writer.bound.as_ref().map(|queue| queue.usage());
        if usage.is_none_or(|usage| usage.weight <= usage.limit) {
            return Ok(None);
        }
        let row = self.all_rows.read().iter().next();
        let version = row.and_then(|row| self.pages.newest(row));
        Ok(version.map(|version| (version.key.clone(), version.hash)))
    }

    /// At most `most` rows whose records have expired, the first ones first, without the `exempt` ones, which ascend. Rows whose
    /// deadlines readers have moved are filed again. Under the commit lock.
    pub(crate) fn first_expired(&self, time: Timestamp, exempt: &[Row], most: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        if !self.deadlines.are_used() {
            return rows;
        }
        for (row, filed) in self.deadlines.first_due(time, most.saturating_add(exempt.len())) {
            if rows.len() == most || exempt.binary_search(&row).is_ok() {
                continue;
            }
            let Some(newest) = self.pages.newest(row) else { continue };
            match newest.deadline.time() {
                Some(moved) if moved.as_micros() > filed && !newest.deadline.is_past(time) => {
                    self.deadlines.file_again(row, moved);
                }
                _ => {
                    // Freezes the deadline: from here on no read extends it.
                    if newest.deadline.is_past(time) {
                        rows.push(row);
                    }
                }
            }
        }
        rows
    }
}

/// Sorts records by the commits that wrote them, and measures them.
fn measured(bound: &Bounded, records: &mut [SharedVersion]) -> Result<Vec<Measured>, Cause> {
    records.sort_unstable_by_key(|version| (version.begin, version.row));
    let (mut all, mut sum, mut protected) = (Vec::with_capacity(records.len()), 0_u64, 0_u64);
    for record in records {
        let measured = bound.weigh(&**record)?;
        sum = sum.saturating_add(measured.weight);
        protected += if measured.is_protected { measured.weight.min(HEAVIEST) } else { 0 };
        if sum > HEAVIEST {
            return Err(Cause::TooHeavy { weight: sum, limit: bound.limit });
        }
        if protected > bound.limit {
            return Err(Cause::BeyondBound { unit: bound.unit(), written: 0, protected, limit: bound.limit });
        }
        all.push(measured);
    }
    Ok(all)
}

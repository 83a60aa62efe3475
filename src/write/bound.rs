//! The commands that set the bound of a collection.

use super::batch::Batch;
use super::operation::Operation;
use crate::error::{Cause, Refusal};
use crate::record::Record;
use crate::storage::{Bound, Bounded, Collection};
use crate::sync::Arc;

/// Bounds.
impl<R: Record> Collection<R> {
    /// Bounds the collection: in records, or in weight. A commit that would leave more evicts records, so that no reader ever sees more.
    /// Replaces the bound before. Returns how many records it has removed.
    ///
    /// ```
    /// use memdex::{Record, Store};
    /// use memdex::error::Cause;
    /// use memdex::write::Bound;
    ///
    /// #[derive(Clone, Record)]
    /// struct Page { #[record(key)] url: String, #[record(weight)] bytes: u32 }
    ///
    /// let store = Store::new();
    /// let pages = store.collection::<Page>("Page")?;
    /// pages.set_bound(Bound::weight(1_000))?;
    /// for n in 0..20 {
    ///     pages.store(Page { url: format!("/{n}"), bytes: 100 })?;
    /// }
    /// assert_eq!(pages.len(), 10);
    /// let receipt = pages.store(Page { url: "/large".into(), bytes: 250 })?;
    /// assert_eq!(receipt.counts.evicted, 3);
    /// let refused = pages.store(Page { url: "/huge".into(), bytes: 5_000 }).unwrap_err();
    /// assert!(matches!(refused.cause(), Cause::TooHeavy { weight: 5_000, .. }));
    /// assert_eq!(store.stats().collections[0].bound.unwrap().weight, 950);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Rules
    ///
    /// * The records that leave are chosen last, when nothing else refuses the batch, among the records that the batch does not change.
    ///   So an operation never fails or succeeds because of a record that leaves: an insert is refused for a unique value
    ///   although the record that has the value would be evicted.
    /// * Records that have expired leave before all others, and count as expired. Then the
    ///   [policy](crate::write::EvictionPolicy) decides.
    /// * A batch whose own records exceed the bound is refused with [`Cause::BeyondBound`], also if protected records leave it no room, and a lenient
    ///   one as a whole. A record that is heavier than the bound is refused with [`Cause::TooHeavy`].
    /// * A background writer splits submissions that do not fit into the bound together.
    /// * Evicted records are reported in the commit that displaces them, to hooks, observers and subscriptions, as
    ///   [`ChangeKind::Evicted`](crate::hook::ChangeKind::Evicted). Commit hooks see them as deletions, and can refuse the batch.
    /// * The bound is one of the newest state. Evicted records that a snapshot sees stay in memory until it ends:
    ///   see [`versions_retained`](crate::stats::CollectionStats::versions_retained).
    ///
    /// Set it before you fill the collection. Otherwise the call reads and weighs every record while writers wait. Then it evicts by
    /// commits of 100 records, between which other commits run; until it is done, they do not let the collection grow.
    ///
    /// # Errors
    /// A [`Refusal`] with the bound before unchanged: [`Cause::ZeroBound`], [`Cause::NoWeight`] or [`Cause::NotAWeight`], a [`Cause::Query`] for the filter of
    /// protected records, [`Cause::IsReferredTo`] if other collections refer to
    /// this one, [`Cause::BeyondBound`] if more records are protected than the bound allows, [`Cause::Panicked`] if a record can't
    /// be weighed, or a cause that refuses every write. If a hook refuses an eviction, the bound is set, and later commits evict.
    pub fn set_bound(&self, bound: Bound<R>) -> Result<usize, Refusal> {
        let (bound, checked) = bound.bind(self.name(), self.schema());
        let bound = Arc::new(bound);
        let set = checked.and_then(|()| self.table.set_bound(&self.engine, Some(bound.clone())));
        self.finish_bound([Some(bound)], set)?;
        self.shrink()
    }

    /// Removes the bound. Records that are protected or not stay until they are deleted.
    ///
    /// # Errors
    /// A [`Refusal`] with a cause that refuses every write.
    pub fn remove_bound(&self) -> Result<(), Refusal> {
        let removed = self.table.set_bound(&self.engine, None);
        self.finish_bound([None], removed)
    }

    /// Drops bounds that are not set, whose closures are the user's.
    fn finish_bound(
        &self,
        mine: [Option<Arc<Bounded>>; 1],
        set: Result<Option<Arc<Bounded>>, Cause>,
    ) -> Result<(), Refusal> {
        let (before, result) = match set {
            Ok(before) => (before, Ok(())),
            Err(cause) => (None, Err(Refusal::new("set_bound", self.name(), cause))),
        };
        self.engine.counters.drop_each(mine.into_iter().chain([before]).flatten());
        result
    }

    /// Evicts down to the bound, in small commits. Each is made for an operation that changes nothing.
    fn shrink(&self) -> Result<usize, Refusal> {
        let mut removed = 0;
        loop {
            let beyond = self.table.beyond_bound(&self.engine);
            let Some((key, hash)) = beyond.map_err(|cause| Refusal::new("set_bound", self.name(), cause))? else {
                return Ok(removed);
            };
            let mut batch = Batch::new(self.engine.clone());
            batch.add(self, Ok(Operation::of_expired(key, hash)))?;
            let counts = batch.commit().map_err(|refused| refused.into_refusal())?.counts;
            removed += counts.evicted + counts.expired;
        }
    }
}

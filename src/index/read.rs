//! The interface of an index for readers.
//!
//! Every answer is of the newest commit, published or in flight: a part of a query, to be corrected by the marks. Sets of rows are
//! returned by reference count and computed with outside of the index's locks.

use super::shape::IndexShape;
use super::walk::{Walk, WalkSpec};
use crate::hash::RandomState;
use crate::rowset::{Row, RowSet};
use crate::sync::{AtomicU64, Ordering::SeqCst};
use memdex_query::value::{Value, ValueRef};
use std::ops::{Bound, Deref};

/// The shared side of an index, which readers hold by `Arc`. Methods that an index cannot answer return `None`.
pub(crate) trait Index: Send + Sync {
    fn head(&self) -> &IndexHead;

    /// The rows with this value; if it is missing, the rows without one. Not for an ordered index of several fields.
    fn rows(&self, value: ValueRef<'_>) -> RowSet;

    /// How many rows [`rows`](Self::rows) returns; of an ordered index, an estimate.
    fn count(&self, value: ValueRef<'_>) -> usize;

    /// The row with this value, in a unique index.
    fn unique_row(&self, value: ValueRef<'_>) -> Option<Row> {
        let _ = value;
        None
    }

    /// The rows between two bounds, in an ordered index of one field.
    fn range(&self, from: Bound<&Value>, to: Bound<&Value>) -> Option<RowSet> {
        let _ = (from, to);
        None
    }

    /// The rows whose first fields have these values and whose next field lies between bounds, in an ordered index of several.
    fn prefix_range(&self, prefix: &[ValueRef<'_>], next: Option<(Bound<&Value>, Bound<&Value>)>) -> Option<RowSet> {
        let _ = (prefix, next);
        None
    }

    /// A walk over the entries of an ordered index, in their order; `None` if the walk names more fields than the index has.
    fn walk(&self, spec: WalkSpec) -> Option<Box<dyn Walk + '_>> {
        let _ = spec;
        None
    }

    /// Estimates the number of rows of a range, a prefix or a walk.
    fn estimate_range(&self, sought: &Sought<'_>) -> Option<usize> {
        let _ = sought;
        None
    }

    /// How many values have rows, if that is known without counting.
    fn distinct(&self) -> Option<usize> {
        None
    }

    /// Estimates how many values have rows from a few shards or leaves; exact for a unique index. For an ordered index of several
    /// fields: how many tuples.
    fn distinct_estimate(&self) -> usize;

    /// Heap bytes of the shared side. O(1).
    fn heap_bytes(&self) -> usize;
}

/// The part that every index has. `dyn Index` derefs to it.
pub(crate) struct IndexHead {
    pub(crate) shape: IndexShape,
    pub(super) seed: RandomState,
    /// The number of shards of a table by value.
    pub(super) shards: usize,
    /// Written under the commit lock.
    records: AtomicU64,
    /// The last [`distinct_lately`](super::Index::distinct_lately), and, in the upper half, the number of records at that time.
    pub(super) distinct_cache: AtomicU64,
}

/// The access whose number of rows a planner estimates.
pub(crate) enum Sought<'a> {
    /// One value, which may be missing; of several fields a [`tuple`](super::tuple).
    Value(ValueRef<'a>),
    /// Any of these values.
    AnyOf(&'a [Value]),
    /// As in [`Index::range`].
    Range(Bound<&'a Value>, Bound<&'a Value>),
    /// As in [`Index::prefix_range`].
    Prefix(&'a [ValueRef<'a>], Option<(Bound<&'a Value>, Bound<&'a Value>)>),
    /// All rows that a walk passes.
    Walk(&'a WalkSpec),
}

impl IndexHead {
    pub(super) fn new(shape: IndexShape, seed: RandomState, shards: usize) -> Self {
        IndexHead { shape, seed, shards, records: AtomicU64::new(0), distinct_cache: AtomicU64::new(0) }
    }

    pub(crate) fn name(&self) -> &str {
        self.shape.def.name()
    }

    /// How many records the index holds, those without a value included.
    pub(crate) fn records(&self) -> usize {
        self.records.load(SeqCst) as usize
    }

    /// Adds the records that a batch brings, and subtracts those that it takes away. Under the commit lock.
    pub(super) fn count_records(&self, added: u64, removed: u64) {
        let records = self.records.load(SeqCst) + added;
        debug_assert!(removed <= records, "a record that leaves was counted");
        self.records.store(records - removed, SeqCst);
    }
}

impl Deref for dyn Index + '_ {
    type Target = IndexHead;

    #[inline]
    fn deref(&self) -> &IndexHead {
        self.head()
    }
}

impl dyn Index + '_ {
    /// The rows without a value. An ordered index of several fields has none: there a missing value has a place in the order.
    pub(crate) fn null_rows(&self) -> RowSet {
        self.rows(ValueRef::Null)
    }
}

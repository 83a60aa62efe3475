//! The shared side: from values to keys, and the reads.

use super::super::read::{Index, IndexHead, Sought};
use super::super::walk::{Walk, WalkSpec};
use super::cursor::Cursor;
use super::key::IndexKey;
use super::leaves::Leaves;
use super::mixed;
use super::position::KeyRange;
use crate::rowset::{Collector, Row, RowSet};
use crate::sync::{AtomicU64, Ordering::SeqCst, RwLock};
use memdex_query::value::{Value, ValueRef};
use std::ops::Bound;
use std::slice;

pub(super) struct OrderedIndex<K> {
    pub(super) head: IndexHead,
    pub(super) leaves: Leaves<K>,
    /// The rows without a value, in an index of one field. In a tuple, a missing value has its place before all others.
    pub(super) null: RwLock<RowSet>,
    /// How many entries the leaves have. Written under the commit lock.
    entries: AtomicU64,
}

impl<K: IndexKey> OrderedIndex<K> {
    pub(super) fn new(head: IndexHead) -> Self {
        OrderedIndex { head, leaves: Leaves::new(), null: RwLock::new(RowSet::new()), entries: AtomicU64::new(0) }
    }

    /// Under the commit lock.
    pub(super) fn count_entries(&self, added: u64, removed: u64) {
        self.entries.store(self.entries.load(SeqCst) + added - removed, SeqCst);
    }

    /// The keys with these values in their first fields, and in the next one a value between bounds. A missing value lies between
    /// no bounds.
    fn key_range(&self, prefix: &[ValueRef<'_>], next: Option<(Bound<&Value>, Bound<&Value>)>) -> KeyRange<K> {
        let Some((from, to)) = next else { return K::range(prefix, Bound::Unbounded, Bound::Unbounded) };
        let missing = Value::NULL;
        let from = if from == Bound::Unbounded { Bound::Excluded(&missing) } else { from };
        K::range(prefix, from.map(slice::from_ref), to.map(slice::from_ref))
    }

    fn equal(&self, value: ValueRef<'_>) -> KeyRange<K> {
        let value = value.to_value();
        self.between(Bound::Included(&value), Bound::Included(&value))
    }

    /// The keys of values between bounds, in an index of one field.
    fn between(&self, from: Bound<&Value>, to: Bound<&Value>) -> KeyRange<K> {
        if self.head.shape.is_undeclared() {
            let (from, to) = mixed::range(from, to);
            return K::range(&[], from.as_ref().map(|parts| &parts[..]), to.as_ref().map(|parts| &parts[..]));
        }
        self.key_range(&[], Some((from, to)))
    }

    fn rows_within(&self, range: KeyRange<K>) -> RowSet {
        let mut cursor = Cursor::new(range, false);
        let mut rows = Collector::new();
        while cursor.next(&self.leaves, rows.buffer()) {}
        rows.finish()
    }

    /// How many entries the leaves have.
    fn entries(&self) -> usize {
        self.entries.load(SeqCst) as usize
    }
}

impl<K: IndexKey> Index for OrderedIndex<K> {
    fn head(&self) -> &IndexHead {
        &self.head
    }

    fn rows(&self, value: ValueRef<'_>) -> RowSet {
        if value.is_null() { self.null.read().clone() } else { self.rows_within(self.equal(value)) }
    }

    fn count(&self, value: ValueRef<'_>) -> usize {
        if value.is_null() {
            return self.null.read().len();
        }
        self.leaves.estimate(&self.equal(value), self.entries())
    }

    fn range(&self, from: Bound<&Value>, to: Bound<&Value>) -> Option<RowSet> {
        Some(self.rows_within(self.between(from, to)))
    }

    fn prefix_range(&self, prefix: &[ValueRef<'_>], next: Option<(Bound<&Value>, Bound<&Value>)>) -> Option<RowSet> {
        Some(self.rows_within(self.key_range(prefix, next)))
    }

    fn walk(&self, spec: WalkSpec) -> Option<Box<dyn Walk + '_>> {
        if !spec.fits(self.head.shape.fields.len()) || self.head.shape.is_many() {
            return None;
        }
        let cursor = Cursor::new(walk_range(&spec), spec.descending);
        Some(Box::new(OrderedWalk { index: self, prefix: spec.prefix, cursor, descending: spec.descending }))
    }

    fn estimate_range(&self, sought: &Sought<'_>) -> Option<usize> {
        let fields = self.head.shape.fields.len();
        let range = match sought {
            Sought::Range(from, to) => self.between(*from, *to),
            Sought::Prefix(prefix, next) if prefix.len() <= fields => self.key_range(prefix, *next),
            Sought::Walk(spec) if spec.fits(fields) => walk_range(spec),
            _ => return None,
        };
        Some(self.leaves.estimate(&range, self.entries()))
    }

    fn distinct_estimate(&self) -> usize {
        self.leaves.distinct_estimate(self.entries())
    }

    fn heap_bytes(&self) -> usize {
        self.leaves.bytes.get()
    }
}

struct OrderedWalk<'a, K> {
    index: &'a OrderedIndex<K>,
    prefix: Vec<Value>,
    cursor: Cursor<K>,
    descending: bool,
}

impl<K: IndexKey> Walk for OrderedWalk<'_, K> {
    fn next(&mut self, rows: &mut Vec<Row>) -> bool {
        self.cursor.next(&self.index.leaves, rows)
    }

    fn limit_to(&mut self, bound: Bound<&[Value]>) {
        let prefix: Vec<_> = self.prefix.iter().map(Value::as_ref).collect();
        self.cursor.limit_to(K::bound(&prefix, bound, self.descending));
    }
}

fn walk_range<K: IndexKey>(WalkSpec { prefix, from, to, .. }: &WalkSpec) -> KeyRange<K> {
    let prefix: Vec<_> = prefix.iter().map(Value::as_ref).collect();
    K::range(&prefix, from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice))
}

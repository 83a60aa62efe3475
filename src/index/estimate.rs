//! How many rows will an index give? Without reading them: what a planner asks before it chooses.
//!
//! All of it is as of the newest commit, published or in flight, and may have changed by the time the rows are read.

use super::any_index::{Index, Kind};
use super::guess::{self, COUNTED_VALUES};
use super::ordered::{OrderedIndex, WalkSpec};
use crate::sync::Ordering::Relaxed;
use crate::value::{Value, ValueRef};
use std::ops::Bound;

/// What an index is asked for.
pub(crate) enum Sought<'a> {
    /// One value, which may be missing; of several fields a [`tuple`](super::tuple).
    Value(ValueRef<'a>),
    /// Any of these values.
    AnyOf(&'a [Value]),
    /// As in [`Index::range`].
    Range(Bound<&'a Value>, Bound<&'a Value>),
    /// As in [`Index::prefix_range`].
    Prefix(&'a [ValueRef<'a>], Option<(Bound<&'a Value>, Bound<&'a Value>)>),
    /// All that a walk gives.
    Walk(&'a WalkSpec),
}

impl Index {
    /// How many rows that will be; `None` if the index can't answer it.
    ///
    /// Exact at rest are single values in equality and unique indexes (the length of the posting), lists of a few values there, and in an
    /// ordered index what lies in one leaf or two. What spans more is guessed by the number of leaves and their mean fill, a
    /// long list by its first values. Costs a look-up or two; O(blocks of the directory) in an ordered index.
    pub(crate) fn estimate(&self, sought: &Sought<'_>) -> Option<usize> {
        match sought {
            Sought::Value(value) => return Some(self.estimate_value(*value)),
            Sought::AnyOf(values) => return Some(self.estimate_any(values)),
            _ => {}
        }
        let Kind::Ordered(index) = &self.kind else { return None };
        let span = match sought {
            Sought::Range(from, to) => index.prefix_span(&[], Some((*from, *to))),
            Sought::Prefix(prefix, next) if prefix.len() <= self.shape.fields.len() => index.prefix_span(prefix, *next),
            Sought::Walk(spec) if self.fits(spec) => spec.span(index),
            _ => return None,
        };
        Some(index.estimate_span(&span, self.entries(index)))
    }

    fn estimate_value(&self, value: ValueRef<'_>) -> usize {
        match &self.kind {
            Kind::Equality(index) => index.count(&self.seed, value),
            Kind::Unique(index) if value.is_null() => index.null_len(),
            Kind::Unique(index) => usize::from(index.row(&self.seed, value).is_some()),
            Kind::Ordered(index) if value.is_null() => index.null_len(),
            Kind::Ordered(index) => {
                let value = value.to_value();
                let span = index.prefix_span(&[], Some((Bound::Included(&value), Bound::Included(&value))));
                index.estimate_span(&span, self.entries(index))
            }
        }
    }

    fn estimate_any(&self, values: &[Value]) -> usize {
        let rows = values.iter().take(COUNTED_VALUES).map(|value| self.estimate_value(value.as_ref())).sum();
        if values.len() <= COUNTED_VALUES {
            return self.filed().min(rows);
        }
        guess::of_values(rows, COUNTED_VALUES, values.len(), self.filed(), self.distinct_estimate())
    }

    /// How many values have rows; a guess but for a unique index, by looks at a few shards or leaves. Of an ordered index of several
    /// fields: how many tuples.
    pub(crate) fn distinct_estimate(&self) -> usize {
        match &self.kind {
            Kind::Equality(index) => guess::of_shards(index.values_of_shards()),
            Kind::Unique(index) => self.filed().saturating_sub(index.null_len()),
            Kind::Ordered(index) => index.distinct_estimate(self.entries(index)),
        }
    }

    /// The same, guessed anew only when the number of rows has changed by an eighth since: for who asks each time.
    pub(crate) fn distinct_lately(&self) -> usize {
        let (lately, filed) = (self.distinct.load(Relaxed), self.filed() as u64);
        let (then, distinct) = (lately >> 32, lately & u64::from(u32::MAX));
        if filed.abs_diff(then) <= then / 8 {
            return distinct as usize;
        }
        let distinct = self.distinct_estimate();
        self.distinct.store(filed << 32 | distinct as u64 & u64::from(u32::MAX), Relaxed);
        distinct
    }

    /// How many entries its leaves have.
    fn entries(&self, index: &OrderedIndex) -> usize {
        self.filed().saturating_sub(index.null_len())
    }
}

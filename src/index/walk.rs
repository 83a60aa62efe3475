//! Rows in the order of an index, a leaf at a time.

use crate::rowset::Row;
use memdex_query::value::Value;
use std::ops::Bound;

/// Which entries a walk passes, and in which direction.
///
/// A bound is a tuple of values for the fields that follow those of `prefix`; it may name fewer than there are. A shorter tuple
/// stands for all entries that begin with it, so an *included* bound takes in all of them at either end. `from` is the lower end
/// and `to` the upper end, in either direction.
///
/// In an index of several fields a missing value sorts below all others, and a bound may name it; without a bound the walk passes
/// rows with a missing value too, and `from` *excluded* a missing value leaves them out. An index of one field has no entries for
/// rows without a value: these are [`null_rows`](super::Index::null_rows).
#[derive(Clone, Debug)]
pub(crate) struct WalkSpec {
    /// The values of the first fields.
    pub(crate) prefix: Vec<Value>,
    pub(crate) from: Bound<Vec<Value>>,
    pub(crate) to: Bound<Vec<Value>>,
    pub(crate) descending: bool,
}

/// A walk over the entries of an ordered index. It passes each entry that is there all the time once, in order; one that is added
/// or removed meanwhile, at most once. Load the marks after the last leaf that you use.
pub(crate) trait Walk {
    /// Adds the rows of the next leaf that lie within the bounds, in the walk's direction; rows of equal values are ordered by row
    /// number in that direction. A leaf may add none. Returns `false`, and adds nothing, at the end.
    fn next(&mut self, rows: &mut Vec<Row>) -> bool;

    /// Moves the far end nearer: `to` of an ascending walk, `from` of a descending one. A bound beyond it changes nothing. Rows
    /// of the last leaf may lie beyond the new bound: the caller drops them.
    fn limit_to(&mut self, bound: Bound<&[Value]>);
}

impl WalkSpec {
    /// Whether an index of `fields` fields can answer it. Nothing precedes the bounds of a single field.
    pub(super) fn fits(&self, fields: usize) -> bool {
        let len = |bound: &Bound<Vec<Value>>| match bound {
            Bound::Included(tuple) | Bound::Excluded(tuple) => tuple.len(),
            Bound::Unbounded => 0,
        };
        (fields > 1 || self.prefix.is_empty()) && self.prefix.len() + len(&self.from).max(len(&self.to)) <= fields
    }
}

//! Rows in the order of an index, a leaf at a time: what is asked for, and where a walk stands.

use super::index::{KeyCursor, KeySpan, OrderedIndex};
use crate::rowset::Row;
use crate::value::Value;
use std::ops::Bound;

/// Which entries a walk gives, and in which direction.
///
/// Bounds are tuples of the values of the fields that follow those of `prefix`, as many as one likes: a shorter tuple stands for all that
/// begin with it, so that *included* it takes in all of them as the lower end and as the upper end. `from` is the lower end and
/// `to` the upper end in either direction.
///
/// In an index of several fields a missing value stands below all others, and a bound may name it; without a bound the walk
/// gives rows with a missing value too, and `from` *excluded* a missing value leaves them out. An index of one field has no entries
/// for rows without a value: these are `Index::null_rows`.
#[derive(Clone, Debug)]
pub(crate) struct WalkSpec {
    /// What the first fields equal.
    pub(crate) prefix: Vec<Value>,
    pub(crate) from: Bound<Vec<Value>>,
    pub(crate) to: Bound<Vec<Value>>,
    pub(crate) descending: bool,
}

/// A walk over the entries of an ordered index: each that is there all the time is given once, in order, one that comes or goes
/// meanwhile at most once. Load the marks after the last part that you use.
pub(crate) struct Walk<'a> {
    index: &'a OrderedIndex,
    prefix: Vec<Value>,
    cursor: KeyCursor,
    descending: bool,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(index: &'a OrderedIndex, spec: WalkSpec) -> Self {
        let WalkSpec { prefix, from, to, descending } = spec;
        let span = span(index, &prefix, as_slice(&from), as_slice(&to));
        Walk { index, cursor: index.cursor(span, descending), prefix, descending }
    }

    /// Adds the rows of the next leaf that lie within the bounds, in the order of the index, or in its reverse: rows of equal values by
    /// number, or by number downwards. There may be none, where a leaf has none. `false`, and nothing added, at the end.
    pub(crate) fn next(&mut self, rows: &mut Vec<Row>) -> bool {
        self.index.next(&mut self.cursor, rows)
    }

    /// Brings the far end nearer, `to` of an ascending walk and `from` of a descending one; a bound beyond it changes nothing.
    /// What has been given stays given: the rows of a leaf come together, so those beyond the bound are to be left out by who asks.
    pub(crate) fn limit_to(&mut self, bound: Bound<&[Value]>) {
        let (from, to) = if self.descending { (bound, Bound::Unbounded) } else { (Bound::Unbounded, bound) };
        let span = span(self.index, &self.prefix, from, to);
        match (&mut self.cursor, span) {
            (KeyCursor::Narrow(cursor), KeySpan::Narrow(span)) => {
                cursor.limit_to(if self.descending { span.from } else { span.to });
            }
            (KeyCursor::Wide(cursor), KeySpan::Wide(span)) => {
                cursor.limit_to(if self.descending { span.from } else { span.to });
            }
            _ => unreachable!("a cursor has the keys of its index"),
        }
    }
}

fn as_slice(bound: &Bound<Vec<Value>>) -> Bound<&[Value]> {
    bound.as_ref().map(Vec::as_slice)
}

pub(super) fn span(index: &OrderedIndex, prefix: &[Value], from: Bound<&[Value]>, to: Bound<&[Value]>) -> KeySpan {
    let prefix: Vec<_> = prefix.iter().map(Value::as_ref).collect();
    index.span(&prefix, from, to)
}

impl WalkSpec {
    pub(crate) fn span(&self, index: &OrderedIndex) -> KeySpan {
        span(index, &self.prefix, as_slice(&self.from), as_slice(&self.to))
    }
}

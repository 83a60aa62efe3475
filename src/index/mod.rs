//! Which rows hold a value? Indexes from the values of a field to row sets.

mod equality;

pub(crate) use equality::{EqualityIndex, IndexWriter, NULL_CODE, NewValue};

//! What a commit tells an index: which rows move, from which of its words to which.
//!
//! Words are what the committer remembers of each row and index, so that a row leaves an index by them and never by asking
//! its old record again. Their meaning is each index's own; two are common to all.

use crate::rowset::Row;

/// The record has no value here.
pub(crate) const NULL: u32 = 0;
/// The index does not hold the record.
pub(crate) const ABSENT: u32 = u32::MAX;
/// Set in provisional words: the place of something new in what the batch brings.
pub(super) const NEW: u32 = 1 << 31;

/// A batch that brings more than this gives its room back.
pub(super) const ROOM_KEPT: usize = 16_384;

/// A row whose record has changed; `None` where there is no record.
pub(crate) struct Move<'a> {
    pub(crate) row: Row,
    pub(crate) old: Option<&'a [u32]>,
    pub(crate) new: Option<&'a [u32]>,
}

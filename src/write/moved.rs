//! Plain data that the collections of one commit exchange when they refer to each other.

use memdex_query::value::Key;
use smallvec::SmallVec;

/// A key whose record a batch has taken away, and where it has moved.
pub(super) struct Moved {
    pub(super) key: Key,
    pub(super) to: Option<Key>,
}

/// Why a record is changed by a reference.
#[derive(Clone, Copy)]
pub(super) struct Because {
    /// The position of the operation that took the other record away.
    pub(super) position: usize,
    /// That record had expired: it was gone before all operations.
    pub(super) before_all: bool,
}

/// What a batch leaves of a record to which others may refer.
#[derive(Clone, Copy)]
pub(super) enum Standing {
    /// As it is committed.
    Untouched,
    Present,
    /// Taken away by the operation at this place.
    Gone(usize),
}

/// A record that a batch changes, with a key to which it then refers.
pub(super) struct Referring {
    pub(super) net: usize,
    pub(super) key: Key,
    pub(super) hash: u32,
}

/// The net changes that an operation touches.
pub(super) struct Touched {
    pub(super) position: usize,
    pub(super) nets: SmallVec<[usize; 2]>,
    /// It depends on each of these what becomes of the others, and of what references do because of the operation.
    pub(super) depends: bool,
}

//! Positions among the entries of an ordered index, and ranges of them.

use crate::rowset::Row;

/// A place in the order: rows of equal keys are ordered by number.
pub(super) type Position<K> = (K, Row);

/// A place between entries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyBound<K> {
    /// Before all entries.
    Start,
    /// Right before a position.
    At(Position<K>),
    /// Behind all entries.
    End,
}

impl<K> KeyBound<K> {
    /// Before the entries of a key.
    pub(super) fn before(key: K) -> Self {
        KeyBound::At((key, 0))
    }

    /// Behind the entries of a key.
    pub(super) fn behind(key: K) -> Self {
        // No row has this number.
        KeyBound::At((key, Row::MAX))
    }

    pub(super) fn position(&self) -> Option<&Position<K>> {
        match self {
            KeyBound::At(at) => Some(at),
            KeyBound::Start | KeyBound::End => None,
        }
    }
}

/// The entries between two bounds; none if the bounds are not in order.
#[derive(Clone, Debug)]
pub(super) struct KeyRange<K> {
    pub(super) from: KeyBound<K>,
    pub(super) to: KeyBound<K>,
}

impl<K: Ord> KeyRange<K> {
    pub(super) fn is_empty(&self) -> bool {
        self.from >= self.to
    }
}

//! The number of records at each commit that some reader may have pinned.
//!
//! A length can't be re-checked row by row, so it is versioned like a row. A commit pushes an entry when it applies its
//! changes, and reclamation drops entries that no pinned commit sees.

use crate::error::Commit;
use crate::reclaim::Pins;
use crate::sync::RwLock;
use std::collections::BTreeMap;

/// By the commits with which they begin.
pub(crate) struct Lengths(RwLock<BTreeMap<Commit, usize>>);

impl Lengths {
    pub(crate) fn new() -> Self {
        Lengths(RwLock::new(BTreeMap::from([(Commit::ZERO, 0)])))
    }

    pub(crate) fn push(&self, commit: Commit, len: usize) {
        let mut lengths = self.0.write();
        if lengths.last_key_value().is_none_or(|(_, last)| *last != len) {
            lengths.insert(commit, len);
        }
    }

    /// The length at `epoch`, which the caller has pinned.
    pub(crate) fn at(&self, epoch: Commit) -> usize {
        find(&self.0.read(), epoch)
    }

    /// The length at the newest published commit. This needs no pin: the map is locked before `published` is read, so
    /// it contains the entry of any commit that was published by then.
    pub(crate) fn newest(&self, published: impl FnOnce() -> Commit) -> usize {
        let lengths = self.0.read();
        find(&lengths, published())
    }

    /// The number of retained lengths.
    pub(crate) fn len(&self) -> usize {
        self.0.read().len()
    }

    /// Drops the length that lasts until the newest one if no reader sees it.
    pub(crate) fn tidy(&self, pins: &Pins<'_>) {
        let mut lengths = self.0.write();
        let before = lengths.keys().rev().nth(1).copied();
        before.into_iter().for_each(|before| drop_unseen(&mut lengths, before, pins));
    }

    /// No reader is at `ended` any longer: drops the length at that commit if no other reader sees it.
    pub(crate) fn end(&self, ended: Commit, pins: &Pins<'_>) {
        drop_unseen(&mut self.0.write(), ended, pins);
    }
}

fn find(lengths: &BTreeMap<Commit, usize>, epoch: Commit) -> usize {
    // The first entry is newer than the epoch only if the collection was empty before it.
    lengths.range(..=epoch).next_back().map_or(0, |(_, len)| *len)
}

/// Drops the length at a commit unless it is the newest or a pinned commit sees it.
fn drop_unseen(lengths: &mut BTreeMap<Commit, usize>, at: Commit, pins: &Pins<'_>) {
    let Some(begin) = lengths.range(..=at).next_back().map(|(begin, _)| *begin) else { return };
    let Some(until) = lengths.range(begin.next()..).next().map(|(until, _)| *until) else { return };
    if pins.newest_within(begin, until).is_none() {
        lengths.remove(&begin);
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;

    #[test]
    fn each_pinned_commit_keeps_its_length() {
        let lengths = Lengths::new();
        let pins = Pins::on(&[3, 5].map(Commit::from_number));
        for (commit, len) in [(1, 10), (2, 10), (4, 11), (5, 9), (7, 12)] {
            lengths.push(Commit::from_number(commit), len);
            lengths.tidy(&pins);
        }
        assert_eq!([3, 5, 7].map(|e| lengths.at(Commit::from_number(e))), [10, 9, 12]);
        assert_eq!(lengths.len(), 3, "the initial entry and commit 4 are dropped, and commit 2 changed nothing");
        assert_eq!(lengths.newest(|| Commit::from_number(6)), 9, "a commit in flight is not counted");
        lengths.end(Commit::from_number(3), &Pins::on(&[Commit::from_number(5)]));
        assert_eq!((lengths.len(), lengths.at(Commit::from_number(5))), (2, 9));
        lengths.end(Commit::from_number(5), &Pins::on(&[]));
        assert_eq!((lengths.len(), lengths.at(Commit::from_number(7))), (1, 12));
    }
}

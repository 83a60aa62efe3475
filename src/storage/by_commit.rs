//! A value at each commit that some reader may have pinned: the number of records, for instance.
//!
//! Such a value can't be re-checked row by row, so it is versioned like a row. A commit pushes an entry when it applies its
//! changes, and reclamation drops entries that no pinned commit sees.

use crate::error::Commit;
use crate::reclaim::Pins;
use crate::sync::RwLock;
use std::collections::BTreeMap;

/// By the commits with which they begin.
pub(crate) struct ByCommit<T>(RwLock<BTreeMap<Commit, T>>);

impl<T: Clone> ByCommit<T> {
    pub(crate) fn new(first: T) -> Self {
        ByCommit(RwLock::new(BTreeMap::from([(Commit::ZERO, first)])))
    }

    pub(crate) fn push(&self, commit: Commit, value: T) {
        self.0.write().insert(commit, value);
    }

    /// Replaces the newest value by one that means the same.
    pub(crate) fn replace_newest(&self, value: T) {
        if let Some(mut newest) = self.0.write().last_entry() {
            newest.insert(value);
        }
    }

    /// The value at `epoch`, which the caller has pinned.
    pub(crate) fn at(&self, epoch: Commit) -> T {
        find(&self.0.read(), epoch)
    }

    /// The value at the newest published commit. This needs no pin: the map is locked before `published` is read, so
    /// it contains the entry of any commit that was published by then.
    pub(crate) fn newest(&self, published: impl FnOnce() -> Commit) -> T {
        let values = self.0.read();
        find(&values, published())
    }

    /// The number of retained values.
    pub(crate) fn len(&self) -> usize {
        self.0.read().len()
    }

    /// Drops the value that lasts until the newest one if no reader sees it.
    pub(crate) fn tidy(&self, pins: &Pins<'_>) {
        let mut values = self.0.write();
        let before = values.keys().rev().nth(1).copied();
        before.into_iter().for_each(|before| drop_unseen(&mut values, before, pins));
    }

    /// No reader is at `ended` any longer: drops the value at that commit if no other reader sees it.
    pub(crate) fn end(&self, ended: Commit, pins: &Pins<'_>) {
        drop_unseen(&mut self.0.write(), ended, pins);
    }
}

fn find<T: Clone>(values: &BTreeMap<Commit, T>, epoch: Commit) -> T {
    // If reclamation has dropped the first entry, a later one lasts from before every reader's commit on.
    let visible = values.range(..=epoch).next_back().or_else(|| values.first_key_value());
    match visible {
        Some((_, value)) => value.clone(),
        None => unreachable!("the newest value is never dropped"),
    }
}

/// Drops the value at a commit unless it is the newest or a pinned commit sees it.
fn drop_unseen<T>(values: &mut BTreeMap<Commit, T>, at: Commit, pins: &Pins<'_>) {
    let Some(begin) = values.range(..=at).next_back().map(|(begin, _)| *begin) else { return };
    let Some(until) = values.range(begin.next()..).next().map(|(until, _)| *until) else { return };
    if pins.newest_within(begin, until).is_none() {
        values.remove(&begin);
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;

    #[test]
    fn each_pinned_commit_keeps_its_length() {
        let lengths = ByCommit::new(0);
        let pins = Pins::on(&[3, 5].map(Commit::from_number));
        for (commit, len) in [(1, 10), (4, 11), (5, 9), (7, 12)] {
            lengths.push(Commit::from_number(commit), len);
            lengths.tidy(&pins);
        }
        assert_eq!([3, 5, 7].map(|e| lengths.at(Commit::from_number(e))), [10, 9, 12]);
        assert_eq!(lengths.len(), 3, "the initial entry and commit 4 are dropped, whose length nobody has pinned");
        assert_eq!(lengths.newest(|| Commit::from_number(6)), 9, "a commit in flight is not counted");
        lengths.end(Commit::from_number(3), &Pins::on(&[Commit::from_number(5)]));
        assert_eq!((lengths.len(), lengths.at(Commit::from_number(5))), (2, 9));
        lengths.end(Commit::from_number(5), &Pins::on(&[]));
        assert_eq!((lengths.len(), lengths.at(Commit::from_number(7))), (1, 12));
    }
}

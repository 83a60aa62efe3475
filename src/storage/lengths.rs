//! The number of records at each commit that some reader may have pinned.
//!
//! A length can't be re-checked row by row, so it is versioned like a row. A commit pushes an entry when it applies its
//! changes, and reclamation drops entries that no pinned commit sees.

use crate::error::Commit;
use crate::reclaim::newest_within;
use crate::sync::RwLock;

pub(crate) struct Lengths(RwLock<Vec<(Commit, usize)>>);

impl Lengths {
    pub(crate) fn new() -> Self {
        Lengths(RwLock::new(vec![(Commit::ZERO, 0)]))
    }

    pub(crate) fn push(&self, commit: Commit, len: usize) {
        let mut list = self.0.write();
        if list.last().is_none_or(|(_, last)| *last != len) {
            list.push((commit, len));
        }
    }

    /// The length at `epoch`, which the caller has pinned.
    pub(crate) fn at(&self, epoch: Commit) -> usize {
        find(&self.0.read(), epoch)
    }

    /// The length at the newest published commit. This needs no pin: the list is locked before `published` is read, so
    /// it contains the entry of any commit that was published by then.
    pub(crate) fn newest(&self, published: impl FnOnce() -> Commit) -> usize {
        let list = self.0.read();
        find(&list, published())
    }

    /// The number of retained lengths.
    pub(crate) fn len(&self) -> usize {
        self.0.read().len()
    }

    pub(crate) fn reclaim(&self, pinned: &[Commit]) {
        let mut list = self.0.write();
        if list.len() == 1 {
            return;
        }
        let begins: Vec<Commit> = list.iter().map(|(begin, _)| *begin).collect();
        let mut at = 0;
        list.retain(|(begin, _)| {
            at += 1;
            begins.get(at).is_none_or(|until| newest_within(pinned, *begin, *until).is_some())
        });
    }
}

fn find(list: &[(Commit, usize)], epoch: Commit) -> usize {
    let later = list.partition_point(|(begin, _)| *begin <= epoch);
    // The first entry is newer than the epoch only if the collection was empty before it.
    later.checked_sub(1).map_or(0, |at| list[at].1)
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;

    #[test]
    fn each_pinned_commit_keeps_its_length() {
        let lengths = Lengths::new();
        for (commit, len) in [(1, 10), (2, 10), (4, 11), (5, 9), (7, 12)] {
            lengths.push(Commit::from_number(commit), len);
        }
        lengths.reclaim(&[3, 5].map(Commit::from_number));
        assert_eq!([3, 5, 7].map(|e| lengths.at(Commit::from_number(e))), [10, 9, 12]);
        assert_eq!(lengths.len(), 3, "the initial entry and commit 4 are dropped, and commit 2 changed nothing");
        assert_eq!(lengths.newest(|| Commit::from_number(6)), 9, "a commit in flight is not counted");
        lengths.reclaim(&[]);
        assert_eq!((lengths.len(), lengths.at(Commit::from_number(7))), (1, 12));
    }
}

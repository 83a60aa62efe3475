//! The number of a commit.

use std::fmt;

/// The number of a commit of one store: 1, 2, 3 …; [`Commit::ZERO`] is the empty store before the first.
///
/// Later commits are greater. Numbers of different stores say nothing about each other.
///
/// ```
/// # use memdex::{Commit, Record, Store};
/// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32 }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// assert_eq!(store.newest_commit(), Commit::ZERO);
/// let receipt = users.store(User { id: 1 })?;
/// assert_eq!(receipt.commit.get(), 1);
/// assert_eq!(users.get(1).unwrap().commit(), receipt.commit);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Commit(u64);

impl Commit {
    /// The empty store, before its first commit.
    pub const ZERO: Commit = Commit(0);

    /// Later than every commit.
    pub(crate) const MAX: Commit = Commit(u64::MAX);

    /// The commit with this number: to take a number back that left the program, as a version that a client saw.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Commit(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The commit after this one.
    ///
    /// # Panics
    /// If the number is `u64::MAX`, which no store reaches.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.0.checked_add(1) {
            Some(number) => Commit(number),
            None => panic!("there is no commit after the greatest number"),
        }
    }
}

impl From<Commit> for u64 {
    fn from(commit: Commit) -> u64 {
        commit.0
    }
}

impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Compares with a plain number, so that a test can say `assert_eq!(receipt.commit, 1)`.
impl PartialEq<u64> for Commit {
    fn eq(&self, number: &u64) -> bool {
        self.0 == *number
    }
}

//! Transactions, as a checker of isolation sees them.

use crate::row::{Row, RowKey};
use memdex::Value;
use std::fmt;
use std::sync::Arc;

/// A record, or a part of one: what a transaction reads and writes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// The collection.
    pub collection: String,
    /// The key.
    pub key: RowKey,
    /// A field that has versions of its own, such as a counter; empty for the record.
    pub part: String,
}

impl Item {
    /// A record.
    pub fn new(collection: impl Into<String>, key: impl Into<RowKey>) -> Self {
        Item { collection: collection.into(), key: key.into(), part: String::new() }
    }

    /// A field of it with versions of its own.
    #[must_use]
    pub fn part(self, field: impl Into<String>) -> Self {
        Item { part: field.into(), ..self }
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.part.is_empty() { "" } else { "." };
        write!(f, "{} {:?}{dot}{}", self.collection, self.key, self.part)
    }
}

/// A version of an item: something that only one write has written. `Null` is an item that does not exist.
pub type Version = Value;

/// A condition on versions, by which a scan selects.
pub type Condition = Arc<dyn Fn(&Version, Option<&Row>) -> bool + Send + Sync>;

/// One access of a [`Transaction`].
#[derive(Clone)]
#[non_exhaustive]
pub enum Access {
    /// It read this version.
    Read(Item, Version),
    /// It wrote this version.
    Write(Item, Version),
    /// It read all items of a collection that match, and found these.
    Scan {
        /// The collection.
        collection: String,
        /// The items that it found, with their versions.
        found: Vec<(Item, Version)>,
        /// Whether a version matches; the row is that of [`Transaction::rows`], if it is known.
        matches: Condition,
        /// The condition, for people.
        text: String,
    },
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Access::Read(item, version) => write!(f, "read {item:?} = {version:?}"),
            Access::Write(item, version) => write!(f, "write {item:?} = {version:?}"),
            Access::Scan { collection, found, text, .. } => write!(f, "scan {collection} where {text} = {found:?}"),
        }
    }
}

/// The end of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was committed.
    Committed,
    /// It was refused or rolled back: nobody may see its writes.
    Aborted,
    /// The client does not know, because of an error. Its writes may be seen.
    Unknown,
}

/// A transaction that a client observed: what it read and wrote, in order.
///
/// Each write needs a version that no other write of the item has; else its readers can't be told apart and are left out of the check.
/// Put a different number into each record.
///
/// ```
/// use memdex_test::history::{Access, Item, Transaction};
///
/// let account = Item::new("Account", [1.into()]);
/// let deposit = Transaction::new(0, 10, 20)
///     .with(Access::Read(account.clone(), 7.into()))
///     .with(Access::Write(account, 8.into()));
/// assert_eq!(deposit.to_string(), "client 0 [10, 20] read Account [1] = 7; write Account [1] = 8");
/// ```
#[derive(Clone, Debug)]
pub struct Transaction {
    /// The client.
    pub client: usize,
    /// When it began, in ticks of a [`Recorder`](super::Recorder).
    pub began: u64,
    /// When it ended, as far as the client knows.
    pub ended: Option<u64>,
    /// What it read and wrote.
    pub accesses: Vec<Access>,
    /// Its end.
    pub end: End,
    /// The position of its commit among all commits, if the store tells it. Then the order of versions is known.
    pub commit: Option<u64>,
    /// The records that it wrote, for the conditions of scans.
    pub rows: Vec<(Item, Row)>,
}

impl Transaction {
    /// A committed transaction without accesses.
    pub fn new(client: usize, began: u64, ended: u64) -> Self {
        let ended = Some(ended);
        Transaction { client, began, ended, accesses: Vec::new(), end: End::Committed, commit: None, rows: Vec::new() }
    }

    /// Adds an access.
    #[must_use]
    pub fn with(mut self, access: Access) -> Self {
        self.accesses.push(access);
        self
    }

    /// Sets its end.
    #[must_use]
    pub fn ending(self, end: End) -> Self {
        Transaction { end, ..self }
    }

    /// Sets the position of its commit.
    #[must_use]
    pub fn at_commit(self, commit: u64) -> Self {
        Transaction { commit: Some(commit), ..self }
    }
}

impl fmt::Display for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.ended.map_or_else(|| "…".to_owned(), |end| end.to_string());
        write!(f, "client {} [{}, {ended}]", self.client, self.began)?;
        for (at, access) in self.accesses.iter().enumerate() {
            write!(f, "{} {access:?}", if at == 0 { "" } else { ";" })?;
        }
        match self.end {
            End::Committed => Ok(()),
            End::Aborted => f.write_str(" (aborted)"),
            End::Unknown => f.write_str(" (unknown)"),
        }
    }
}

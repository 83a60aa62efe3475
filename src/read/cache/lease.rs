//! Who uses an entry: the shelf, for each way in which its question is written, and prepared queries. Commits keep its answer exact until the
//! last of them lets go.

use super::entry::Entry;
use super::settings::Class;
use crate::sync::{Arc, Mutex, Weak};
use hashbrown::HashMap;
use memdex_query::query::Fingerprint;
use std::time::Duration;

/// What is asked about the records that a query selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Asked {
    Records,
    Count,
    Statistics,
}

/// Identifies a question: equal for all ways to write it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct QuestionKey {
    /// The address of the name of its collection.
    pub(super) table: usize,
    pub(super) asked: Asked,
    pub(super) fingerprint: Fingerprint,
    pub(super) class: Class,
    /// Whether the answer may be old.
    pub(super) age: Option<Duration>,
}

pub(super) type ByQuestion = Mutex<HashMap<QuestionKey, Weak<Lease>, ahash::RandomState>>;

pub(super) struct Lease {
    pub(super) entry: Arc<Entry>,
    pub(super) key: QuestionKey,
    /// Keeps the address in the key from being reused.
    pub(super) _table: Arc<str>,
    pub(super) by_question: Weak<ByQuestion>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.entry.retire();
        let Some(by_question) = self.by_question.upgrade() else { return };
        let mut by_question = by_question.lock();
        // Another lease may have taken the place by now.
        if by_question.get(&self.key).is_some_and(|lease| lease.strong_count() == 0) {
            by_question.remove(&self.key);
        }
    }
}

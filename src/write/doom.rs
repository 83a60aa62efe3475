//! How an operation is to fail in a commit, because a fault plan says so.

use crate::error::{Cause, Commit, Failure};
use crate::record::FieldSource;
use crate::storage::TableCore;
use memdex_query::value::Key;

/// How an operation fails in a commit.
pub(super) enum Doom {
    Fails { rule: String, failure: Failure },
    Stale,
}

impl Doom {
    /// The cause of the refusal; the operation finds the record that commit `found` wrote.
    pub(super) fn cause(&self, seen: Option<Commit>, found: Option<Commit>) -> Cause {
        match self {
            Doom::Fails { rule, failure } => Cause::Injected { rule: rule.clone(), failure: *failure },
            Doom::Stale => {
                let seen = seen.unwrap_or_default();
                Cause::Stale { seen, now: Some(found.map_or(seen, |found| found.max(seen)).next()) }
            }
        }
    }
}

/// An operation, as rules see it.
pub(super) struct Subject<'a> {
    pub(super) table: &'a TableCore,
    pub(super) position: usize,
    pub(super) key: Option<&'a Key>,
    pub(super) command: &'static str,
    pub(super) is_conditional: bool,
    /// The record that it brings.
    pub(super) record: Option<&'a dyn FieldSource>,
}

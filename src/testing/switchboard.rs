//! The testing state of one store.

use super::faults::Faults;
use super::plan::OperationKind;
use super::strictness::Strictness;
use crate::clock::Jumps;
use crate::sync::{
    Arc, AtomicBool,
    Ordering::{Relaxed, SeqCst},
    RwLock,
};
use std::collections::BTreeMap;

/// See the head of this file.
pub(crate) struct Testing {
    pub(crate) faults: Faults,
    /// Whether some collection has limits for reads, or for writes.
    judges_reads: AtomicBool,
    judges_writes: AtomicBool,
    strictness: RwLock<Arc<Strict>>,
}

#[derive(Default)]
struct Strict {
    of_store: Strictness,
    of_collections: BTreeMap<String, Strictness>,
}

impl Testing {
    pub(crate) fn new(jumps: Jumps) -> Self {
        Testing {
            faults: Faults::new(jumps),
            judges_reads: AtomicBool::new(false),
            judges_writes: AtomicBool::new(false),
            strictness: RwLock::default(),
        }
    }

    /// Whether commits are judged by a fault plan, or by limits of batches.
    pub(crate) fn judges_commits(&self) -> bool {
        use OperationKind::{Commit, Flusher, Write};
        [Commit, Write, Flusher].into_iter().any(|kind| self.faults.has(kind)) || self.judges_writes.load(Relaxed)
    }

    /// The limits for reads of a collection, if it has any.
    #[inline]
    pub(crate) fn for_reads(&self, collection: &str) -> Option<Strictness> {
        if !self.judges_reads.load(Relaxed) {
            return None;
        }
        Some(self.of_collection(collection)).filter(Strictness::is_of_reads)
    }

    /// The limits for writes to a collection, if it has any.
    #[inline]
    pub(crate) fn for_writes(&self, collection: &str) -> Option<Strictness> {
        if !self.judges_writes.load(Relaxed) {
            return None;
        }
        Some(self.of_collection(collection)).filter(Strictness::is_of_writes)
    }

    /// The limits for batches.
    pub(crate) fn for_batches(&self) -> Option<Strictness> {
        self.judges_writes.load(Relaxed).then(|| self.strictness.read().of_store)
    }

    pub(crate) fn of_store(&self) -> Strictness {
        self.strictness.read().of_store
    }

    pub(crate) fn of_collection(&self, collection: &str) -> Strictness {
        let strict = self.strictness.read();
        strict.of_collections.get(collection).copied().unwrap_or(strict.of_store)
    }

    /// Sets the limits of the store, or those of one collection; `None` gives it the store's again.
    pub(crate) fn set_strictness(&self, collection: Option<&str>, strictness: Option<Strictness>) {
        let mut strict = self.strictness.write();
        let mut of_collections = strict.of_collections.clone();
        let mut of_store = strict.of_store;
        match (collection, strictness) {
            (None, strictness) => of_store = strictness.unwrap_or_default(),
            (Some(name), Some(strictness)) => drop(of_collections.insert(name.to_owned(), strictness)),
            (Some(name), None) => drop(of_collections.remove(name)),
        }
        let any = |is: fn(&Strictness) -> bool| is(&of_store) || of_collections.values().any(is);
        self.judges_reads.store(any(Strictness::is_of_reads), SeqCst);
        self.judges_writes.store(any(Strictness::is_of_writes), SeqCst);
        *strict = Arc::new(Strict { of_store, of_collections });
    }
}

//! The collections of the base that a fork has not opened yet. A fork allocates nothing else for them.

use crate::error::Cause;
use crate::sync::Mutex;

/// Collections in the order in which the base has opened them.
pub(crate) struct Unopened<C>(Mutex<Vec<Entry<C>>>);

#[derive(Clone)]
struct Entry<C> {
    name: Box<str>,
    collection: C,
    /// Why the fork can't open it, if it can't.
    failed: Option<String>,
}

impl<C: Clone> Unopened<C> {
    pub(crate) fn new(collections: impl Iterator<Item = (Box<str>, C)>) -> Self {
        let entry = |(name, collection)| Entry { name, collection, failed: None };
        Unopened(Mutex::new(collections.map(entry).collect()))
    }

    pub(crate) fn all(&self) -> Vec<(Box<str>, C)> {
        self.0.lock().iter().map(|entry| (entry.name.clone(), entry.collection.clone())).collect()
    }

    /// The collection of this name.
    ///
    /// # Errors
    /// If it can't be opened.
    pub(crate) fn find(&self, name: &str) -> Result<Option<C>, Cause> {
        let entry = self.0.lock().iter().find(|entry| &*entry.name == name).cloned();
        match entry {
            Some(Entry { failed: Some(message), .. }) => Err(Cause::Panicked { what: "field extractor", message }),
            entry => Ok(entry.map(|entry| entry.collection)),
        }
    }

    /// From here on a collection can't be opened.
    pub(crate) fn fail(&self, name: &str, cause: &Cause) {
        if let Some(entry) = self.0.lock().iter_mut().find(|entry| &*entry.name == name) {
            entry.failed = Some(cause.to_string());
        }
    }

    /// Forgets a collection: it is open, or dropped. Returns whether it was there.
    pub(crate) fn forget(&self, name: &str) -> bool {
        let mut entries = self.0.lock();
        let at = entries.iter().position(|entry| &*entry.name == name);
        // It is dropped outside of the lock.
        let gone = at.map(|at| entries.remove(at));
        drop(entries);
        gone.is_some()
    }
}

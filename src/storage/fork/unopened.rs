//! The collections of the base that a fork has not opened yet. A fork allocates nothing else for them.

use crate::error::{Cause, CollectionError};
use crate::sync::Mutex;

/// Why a fork can't open a collection of its base.
#[derive(Clone)]
pub(crate) enum CannotOpen {
    /// User code panicked during the copy.
    Panicked(String),
    /// The base has extended lifetimes since the fork was made, and the versions have only the later deadlines.
    LifetimesExtended,
}

impl CannotOpen {
    pub(crate) fn of(self, collection: &str) -> CollectionError {
        let collection = collection.to_owned();
        match self {
            CannotOpen::Panicked(message) => CollectionError::Panicked { collection, message },
            CannotOpen::LifetimesExtended => CollectionError::LifetimesExtended { collection },
        }
    }
}

impl From<Cause> for CannotOpen {
    fn from(cause: Cause) -> Self {
        CannotOpen::Panicked(cause.to_string())
    }
}

/// Collections in the order in which the base has opened them.
pub(crate) struct Unopened<C>(Mutex<Vec<Entry<C>>>);

#[derive(Clone)]
struct Entry<C> {
    name: Box<str>,
    collection: C,
    failed: Option<CannotOpen>,
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
    pub(crate) fn find(&self, name: &str) -> Result<Option<C>, CannotOpen> {
        let entry = self.0.lock().iter().find(|entry| &*entry.name == name).cloned();
        match entry {
            Some(Entry { failed: Some(cause), .. }) => Err(cause),
            entry => Ok(entry.map(|entry| entry.collection)),
        }
    }

    /// From here on a collection can't be opened.
    pub(crate) fn fail(&self, name: &str, cause: CannotOpen) {
        if let Some(entry) = self.0.lock().iter_mut().find(|entry| &*entry.name == name) {
            entry.failed = Some(cause);
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

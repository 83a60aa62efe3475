//! Observers of reads, for audits: who asks is known to the program, and what is asked is told here.

use crate::error::{Commit, QueryError};
use crate::sync::{Arc, AtomicBool, Ordering::SeqCst, RwLock};
#[cfg(feature = "testing")]
use crate::testing::{OperationKind, Stop, Target, Testing};
use crate::user_code;
use memdex_query::query::Query;
use memdex_query::value::{Key, Value};

/// A read, as [`Store::observe_reads`](crate::Store::observe_reads) reports it.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReadInfo<'a> {
    /// The name of the collection; of a search over several, one report for each.
    pub collection: &'a str,
    /// What is read.
    pub what: ReadOf<'a>,
    /// The commit of the snapshot that is read; `None` for the newest commit at that moment.
    pub commit: Option<Commit>,
}

/// What is read.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadOf<'a> {
    /// The record of a key.
    Key(Key),
    /// The record with this value in a field with a unique index.
    Value(&'a str, Value),
    /// A query for records, for their number, or for statistics. For statistics, it may have the filter only.
    Query(&'a Query),
    /// The result of a materialized aggregate.
    Aggregate(&'a str),
    /// All records.
    All,
}

type Observer = Arc<dyn Fn(&ReadInfo<'_>) + Send + Sync>;

#[cfg_attr(not(feature = "testing"), derive(Default))]
pub(crate) struct Reads {
    any: AtomicBool,
    list: RwLock<Arc<Vec<Observer>>>,
    #[cfg(feature = "testing")]
    testing: Arc<Testing>,
}

impl Reads {
    #[cfg(feature = "testing")]
    pub(super) fn new(testing: Arc<Testing>) -> Self {
        Reads { any: AtomicBool::default(), list: RwLock::default(), testing }
    }

    /// Has reads reported also if nobody observes them: a fault plan has rules for them.
    #[cfg(feature = "testing")]
    pub(crate) fn arm(&self, for_faults: bool) {
        let list = self.list.write();
        self.any.store(for_faults || !list.is_empty(), SeqCst);
    }

    pub(crate) fn observe(&self, observer: Observer) {
        let mut list = self.list.write();
        let more = list.iter().cloned().chain([observer]).collect();
        let before = std::mem::replace(&mut *list, Arc::new(more));
        self.any.store(true, SeqCst);
        drop(list);
        drop(before);
    }

    /// Reports a read, before it is executed. One load if nobody observes reads. The error is one that a fault plan injects; reads by key
    /// and of all records, which have no error, get none.
    #[inline]
    pub(crate) fn tell<'a>(&self, read: impl FnOnce() -> ReadInfo<'a>) -> Result<(), QueryError> {
        if self.any.load(SeqCst) { self.tell_all(&read()) } else { Ok(()) }
    }

    #[cold]
    fn tell_all(&self, read: &ReadInfo<'_>) -> Result<(), QueryError> {
        let list = self.list.read().clone();
        // A panic is that of the caller's own code.
        let scope = user_code::Scope::enter();
        list.iter().for_each(|observer| observer(read));
        drop(scope);
        #[cfg(feature = "testing")]
        self.meet(read)?;
        Ok(())
    }

    #[cfg(feature = "testing")]
    fn meet(&self, read: &ReadInfo<'_>) -> Result<(), QueryError> {
        let (kind, key) = match &read.what {
            ReadOf::Key(key) => (OperationKind::Get, Some(key)),
            ReadOf::Value(..) => (OperationKind::Lookup, None),
            ReadOf::Query(_) | ReadOf::Aggregate(_) => (OperationKind::Query, None),
            ReadOf::All => (OperationKind::Scan, None),
        };
        let target = Target { collection: read.collection, key, command: "" };
        match self.testing.faults.meet(kind, &[target], |_| Ok(true))? {
            Some(Stop::Fails { rule, failure }) => Err(QueryError::injected(read.collection, rule, failure)),
            _ => Ok(()),
        }
    }
}

impl Drop for Reads {
    /// Drops each observer by itself: it is the user's.
    fn drop(&mut self) {
        user_code::drop_each(Arc::into_inner(std::mem::take(&mut *self.list.write())).into_iter().flatten());
    }
}

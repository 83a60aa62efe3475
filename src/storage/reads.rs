//! Observers of reads, for audits: who asks is known to the program, and what is asked is told here.

use crate::error::Commit;
use crate::sync::{Arc, AtomicBool, Ordering::SeqCst, RwLock};
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

#[derive(Default)]
pub(crate) struct Reads {
    any: AtomicBool,
    list: RwLock<Arc<Vec<Observer>>>,
}

impl Reads {
    pub(crate) fn observe(&self, observer: Observer) {
        let mut list = self.list.write();
        let more = list.iter().cloned().chain([observer]).collect();
        let before = std::mem::replace(&mut *list, Arc::new(more));
        drop(list);
        drop(before);
        self.any.store(true, SeqCst);
    }

    /// Reports a read, before it is executed. One load if nobody observes reads.
    #[inline]
    pub(crate) fn tell<'a>(&self, read: impl FnOnce() -> ReadInfo<'a>) {
        if self.any.load(SeqCst) {
            self.tell_all(&read());
        }
    }

    #[cold]
    fn tell_all(&self, read: &ReadInfo<'_>) {
        let list = self.list.read().clone();
        // A panic is that of the caller's own code.
        let _scope = user_code::Scope::enter();
        list.iter().for_each(|observer| observer(read));
    }
}

impl Drop for Reads {
    /// Drops each observer by itself: it is the user's.
    fn drop(&mut self) {
        user_code::drop_each(Arc::into_inner(std::mem::take(&mut *self.list.write())).into_iter().flatten());
    }
}

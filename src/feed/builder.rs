//! What a subscription follows, and how much it may queue.

use super::subscription::Subscription;
use crate::error::{Cause, Refusal};
use crate::limits::{DEFAULT_PROGRESS_COMMITS, DEFAULT_SUBSCRIBED_BYTES, DEFAULT_SUBSCRIBED_OPERATIONS};
use crate::read::Snapshot;
use crate::record::{Condition, Record};
use crate::storage::{Collection, Engine, Settings, Size, Spec, Table};
use crate::sync::Arc;
use memdex_query::query::Filter;
use std::fmt;
use std::time::Duration;

/// Builder of a [`Subscription`]; [`Store::subscribe`](crate::Store::subscribe) makes it.
///
/// Without [`collection`](Self::collection) and [`matching`](Self::matching) the subscription follows all collections, and gets every
/// commit, also one that changes no record.
#[must_use = "it does nothing until `start` is called"]
pub struct SubscriptionBuilder {
    engine: Arc<Engine>,
    spec: Spec,
    /// The tables of the conditions.
    tables: Vec<Arc<Table>>,
    /// The first fault of a condition, for `start`.
    fault: Option<Refusal>,
}

impl SubscriptionBuilder {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let limit = Size { operations: DEFAULT_SUBSCRIBED_OPERATIONS, bytes: DEFAULT_SUBSCRIBED_BYTES };
        let name = "subscription".to_owned();
        let settings = Settings { name, limit, writers_wait: None, progress_every: DEFAULT_PROGRESS_COMMITS };
        SubscriptionBuilder { engine, spec: Spec::new(settings), tables: Vec::new(), fault: None }
    }

    /// Names the subscription, for errors and statistics. Default: `subscription`.
    pub fn named(mut self, name: &str) -> Self {
        self.spec.settings.name = name.to_owned();
        self
    }

    /// Follows a collection by its name. It need not exist; if it is dropped and opened again, the subscription follows the new one.
    pub fn collection(mut self, name: &str) -> Self {
        self.spec.add_collection(name);
        self
    }

    /// Follows the changes of a collection whose record matches the filter *before or after* the commit. So a record that begins to
    /// match is reported, and one that ceases to match; [`Matches`](crate::query::Matches) evaluates the filter on either of them.
    ///
    /// The filter is evaluated outside of every lock, after the commit, by the thread that delivers. If an extractor panics, the change
    /// is passed on, since it may match, and [`Stats::hook_panics`](crate::stats::Stats::hook_panics) grows. It follows this
    /// collection, not a later one of the same name.
    ///
    /// A commit finds the subscriptions that it concerns by the values of their filters. A filter is filed under its most selective
    /// conjunct: the values of an equality or `is_in`, or a range. So any number of subscriptions with such a conjunct cost a commit
    /// little, if few of them match. A filter without one is evaluated on each change of the collection.
    pub fn matching<R: Record>(mut self, collection: &Collection<R>, filter: impl Into<Filter<R>>) -> Self {
        let table = &collection.table;
        let bound = if Arc::ptr_eq(&self.engine, &collection.engine) {
            Condition::new(&table.name, &table.schema, filter.into().predicate()).map_err(Cause::from)
        } else {
            Err(Cause::OtherStore)
        };
        match bound {
            Ok(condition) => {
                self.spec.add_condition(table, condition);
                self.tables.push(table.shared());
            }
            Err(cause) => self.fault = self.fault.or_else(|| Some(Refusal::new("subscribe", &table.name, cause))),
        }
        self
    }

    /// Queues at most this many changes of records. Default:
    /// [`limits::DEFAULT_SUBSCRIBED_OPERATIONS`](crate::limits::DEFAULT_SUBSCRIBED_OPERATIONS). With 0 the subscription misses every
    /// commit.
    pub fn max_operations(mut self, operations: usize) -> Self {
        self.spec.settings.limit.operations = operations;
        self
    }

    /// Queues changes whose records, before and after, take at most this many bytes, by
    /// [`heap_size`](crate::Record::heap_size). Default:
    /// [`limits::DEFAULT_SUBSCRIBED_BYTES`](crate::limits::DEFAULT_SUBSCRIBED_BYTES).
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.spec.settings.limit.bytes = bytes;
        self
    }

    /// Makes writers wait while the queue is full, up to `timeout`; then their batch is refused with
    /// [`Cause::SubscriptionFull`](crate::error::Cause::SubscriptionFull). Without this, a subscription whose queue is full
    /// [misses](crate::hook::FeedEvent::Missed) commits.
    ///
    /// A batch reserves room for its operations on the followed collections, and their bytes, before it waits for other commits and
    /// before any closure of it runs. So it waits whether its changes match a filter or not. A commit that turns out larger, such as
    /// a write by filter, still fits, and later ones wait longer.
    ///
    /// The subscription misses commits all the same if they are larger than its limits by themselves, or if they come from the thread
    /// that has read from the subscription last and find the queue full: nobody else would make room.
    pub fn writers_wait(mut self, timeout: Duration) -> Self {
        self.spec.settings.writers_wait = Some(timeout);
        self
    }

    /// Reports its [progress](crate::hook::FeedEvent::Progress) if nothing has matched for this many commits; 0 for never. Default:
    /// [`limits::DEFAULT_PROGRESS_COMMITS`](crate::limits::DEFAULT_PROGRESS_COMMITS). A subscription to everything has no need
    /// of it.
    pub fn progress_every(mut self, commits: u64) -> Self {
        self.spec.settings.progress_every = commits;
        self
    }

    /// Starts the subscription: the store as it is now, and every later commit. Waits for other commits.
    ///
    /// # Errors
    /// A [`Refusal`] if a filter does not fit the schema of its collection, if a collection belongs to another store or was dropped, if the
    /// store is poisoned, and inside an update closure, an extractor, a hook or `get_with`.
    pub fn start(self) -> Result<(Snapshot, Subscription), Refusal> {
        let SubscriptionBuilder { engine, spec, tables, fault } = self;
        if let Some(fault) = fault {
            return Err(fault);
        }
        #[cfg(feature = "testing")]
        {
            let names = spec.collections().unwrap_or_default();
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            engine.meet(crate::testing::OperationKind::Subscribe, "subscribe", &names)?;
        }
        let (pinned, queue) = engine.subscribe(spec, &tables)?;
        let snapshot = Snapshot::of_pinned(pinned);
        let subscription = Subscription::new(&engine, queue, snapshot.commit());
        Ok((snapshot, subscription))
    }
}

impl fmt::Debug for SubscriptionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionBuilder").field("settings", &self.spec.settings).finish_non_exhaustive()
    }
}

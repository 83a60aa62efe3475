//! The subscriptions of a store, filed by what they follow.
//!
//! The lock of the registry is held for look-ups by values that memdex has already read, and for copying pointers: never while user code
//! runs, and never together with the lock of a queue.

use super::super::filings::{FiledFields, FiledValues, Filing, Filings};
use super::super::table_core::TableCore;
use super::part::{Part, Parts};
use super::queue::{Queue, Settings, Size, SubscriptionStats};
use super::room::{Full, Room};
use crate::error::Commit;
use crate::hash;
use crate::record::Condition;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering::SeqCst};
use crate::user_code;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// What a subscription follows.
pub(crate) struct Spec {
    pub(crate) settings: Settings,
    /// Collections by name, also ones that do not exist yet.
    names: Vec<Arc<str>>,
    conditions: Vec<SpecCondition>,
}

struct SpecCondition {
    /// The name of the table, whose allocation identifies it.
    table: Arc<str>,
    condition: Condition,
    filings: Option<Vec<Filing>>,
}

impl Spec {
    /// Everything, until something is added.
    pub(crate) fn new(settings: Settings) -> Self {
        Spec { settings, names: Vec::new(), conditions: Vec::new() }
    }

    pub(crate) fn add_collection(&mut self, name: &str) {
        self.names.push(name.into());
    }

    /// Chooses where to file the condition, from the current cardinalities of indexes.
    pub(crate) fn add_condition(&mut self, table: &TableCore, condition: Condition) {
        let filings = table.filings(&condition);
        self.conditions.push(SpecCondition { table: table.name.clone(), condition, filings });
    }

    /// The names of the collections that it follows; `None` for all.
    pub(crate) fn collections(&self) -> Option<Vec<Arc<str>>> {
        let tables = self.conditions.iter().map(|of| &of.table);
        let collections: Vec<Arc<str>> = self.names.iter().chain(tables).cloned().collect();
        (!collections.is_empty()).then_some(collections)
    }
}

/// The change feed of a store.
pub(crate) struct Feed {
    registry: Mutex<Registry>,
    /// How many subscriptions there are. Changed under the commit lock, or when one ends.
    subscriptions: AtomicU64,
    /// How many of them make writers wait.
    waiting: AtomicU64,
}

#[derive(Default)]
pub(super) struct Registry {
    seed: hash::RandomState,
    next_id: u64,
    registered: BTreeMap<u64, Registered>,
    /// Those that follow everything.
    everything: Queues,
    by_name: BTreeMap<Arc<str>, Queues>,
    /// By the address of the table's name, which the parts keep alive.
    by_table: BTreeMap<usize, Filings<Part>>,
    /// Those for which writers wait.
    waiting: Queues,
    /// The commits at which subscriptions may need a progress mark.
    due: BinaryHeap<Reverse<(Commit, u64)>>,
}

/// Copied as a pointer; a change copies the list only while a copy is in use.
pub(super) type Queues = Arc<Vec<Arc<Queue>>>;

struct Registered {
    queue: Arc<Queue>,
    names: Vec<Arc<str>>,
    parts: Vec<(Arc<str>, Arc<Part>)>,
}

impl Default for Feed {
    fn default() -> Self {
        let registry = Registry { seed: hash::random(), ..Registry::default() };
        Feed { registry: Mutex::new(registry), subscriptions: AtomicU64::new(0), waiting: AtomicU64::new(0) }
    }
}

fn remove(queues: &mut Queues, id: u64) {
    Arc::make_mut(queues).retain(|queue| queue.id != id);
}

fn address(table: &Arc<str>) -> usize {
    Arc::as_ptr(table).addr()
}

impl Feed {
    /// Whether there are subscriptions.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.subscriptions.load(SeqCst) > 0
    }

    /// Registers a subscription to every commit after `newest`. Under the commit lock.
    pub(crate) fn register(&self, spec: Spec, newest: Commit) -> Arc<Queue> {
        let mut registry = self.registry.lock();
        let queue = registry.add(spec, newest);
        drop(registry);
        self.subscriptions.fetch_add(1, SeqCst);
        self.waiting.fetch_add(u64::from(queue.settings.writers_wait.is_some()), SeqCst);
        queue
    }

    /// Ends a subscription.
    pub(crate) fn unregister(&self, queue: &Queue) {
        let removed = self.registry.lock().remove(queue.id);
        if removed.is_some() {
            self.subscriptions.fetch_sub(1, SeqCst);
            self.waiting.fetch_sub(u64::from(queue.settings.writers_wait.is_some()), SeqCst);
        }
    }

    /// Waits for room in the queues of the subscriptions that make writers wait, for a commit that brings operations of this size
    /// to the collections that a subscription follows. Before the commit lock.
    pub(crate) fn reserve(&self, size_in: impl Fn(&Queue) -> Size) -> Result<Room, Full> {
        // Inside user code the commit is refused.
        if self.waiting.load(SeqCst) == 0 || user_code::inside() {
            return Ok(Room::default());
        }
        let queues = self.registry.lock().waiting.clone();
        Room::reserve(&queues, size_in)
    }

    pub(crate) fn stats(&self) -> Vec<SubscriptionStats> {
        let queues: Vec<Arc<Queue>> = self.registry.lock().registered.values().map(|of| of.queue.clone()).collect();
        queues.iter().map(|queue| queue.stats()).collect()
    }

    pub(super) fn lock(&self) -> crate::sync::MutexGuard<'_, Registry> {
        self.registry.lock()
    }

    /// The store is gone: readers get what is queued, then the end.
    pub(crate) fn end(&self) {
        let queues: Vec<Arc<Queue>> = self.registry.lock().registered.values().map(|of| of.queue.clone()).collect();
        queues.iter().for_each(|queue| queue.end());
    }
}

impl Registry {
    fn add(&mut self, spec: Spec, newest: Commit) -> Arc<Queue> {
        let id = self.next_id;
        self.next_id += 1;
        let collections = spec.collections();
        let Spec { settings, names, conditions } = spec;
        let every = settings.progress_every;
        let queue = Arc::new(Queue::new(id, settings, collections, newest));
        if queue.collections.is_none() {
            Arc::make_mut(&mut self.everything).push(queue.clone());
        } else if every > 0 {
            // Not all at the same commit, if many subscribe at once.
            let first = newest.get().saturating_add(1 + id % every);
            self.due.push(Reverse((Commit::from_number(first), id)));
        }
        for name in &names {
            Arc::make_mut(self.by_name.entry(name.clone()).or_default()).push(queue.clone());
        }
        if queue.settings.writers_wait.is_some() {
            Arc::make_mut(&mut self.waiting).push(queue.clone());
        }
        let mut parts = Vec::with_capacity(conditions.len());
        for (number, SpecCondition { table, condition, filings }) in conditions.into_iter().enumerate() {
            let part = Arc::new(Part::new(queue.clone(), number, condition, filings));
            let seed = &self.seed;
            self.by_table.entry(address(&table)).or_insert_with(|| Filings::new(seed.clone())).add(&part);
            parts.push((table, part));
        }
        self.registered.insert(id, Registered { queue: queue.clone(), names, parts });
        queue
    }

    fn remove(&mut self, id: u64) -> Option<Registered> {
        let removed = self.registered.remove(&id)?;
        remove(&mut self.everything, id);
        if removed.queue.settings.writers_wait.is_some() {
            remove(&mut self.waiting, id);
        }
        for name in &removed.names {
            let Some(queues) = self.by_name.get_mut(name) else { continue };
            remove(queues, id);
            if queues.is_empty() {
                self.by_name.remove(name);
            }
        }
        for (table, part) in &removed.parts {
            let Some(filings) = self.by_table.get_mut(&address(table)) else { continue };
            filings.remove(part);
            if filings.is_empty() {
                self.by_table.remove(&address(table));
            }
        }
        Some(removed)
    }

    /// The subscriptions to everything.
    pub(super) fn everything(&self) -> Queues {
        self.everything.clone()
    }

    /// The subscriptions to all changes of a collection.
    pub(super) fn of_name(&self, name: &str) -> Option<Queues> {
        self.by_name.get(name).cloned()
    }

    /// The fields by whose values conditions on a table are filed, and the conditions that can't be filed.
    pub(super) fn of_table(&self, table: &Arc<str>) -> Option<(FiledFields, Parts)> {
        self.by_table.get(&address(table)).map(|filings| (filings.fields(), filings.others()))
    }

    /// Passes the conditions on a table that are filed under values to `found`, each with the change that has the value.
    pub(super) fn look_up(&self, table: &Arc<str>, values: &FiledValues<'_>, found: impl FnMut(usize, Parts)) {
        if let Some(filings) = self.by_table.get(&address(table)) {
            values.look_up(filings, found);
        }
    }

    /// All conditions on a table.
    pub(super) fn all_of_table(&self, table: &Arc<str>) -> Parts {
        Arc::new(self.by_table.get(&address(table)).into_iter().flat_map(Filings::all).cloned().collect())
    }

    /// All conditions on a table that can be filed.
    pub(super) fn filed_of_table(&self, table: &Arc<str>) -> Parts {
        Arc::new(self.by_table.get(&address(table)).into_iter().flat_map(Filings::filed).cloned().collect())
    }

    /// The subscriptions that may need a progress mark at this commit. The caller gives them [back](Self::due_again).
    pub(super) fn due(&mut self, commit: Commit) -> Vec<Arc<Queue>> {
        let mut due = Vec::new();
        while let Some(Reverse((at, id))) = self.due.peek().copied()
            && at <= commit
        {
            self.due.pop();
            due.extend(self.registered.get(&id).map(|of| of.queue.clone()));
        }
        due
    }

    pub(super) fn due_again(&mut self, queues: impl IntoIterator<Item = (Commit, u64)>) {
        self.due.extend(queues.into_iter().map(Reverse));
    }
}

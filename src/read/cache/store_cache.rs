//! The cache of a store: which entry answers a question, and how many there may be.

use super::entry::Entry;
use super::lease::{Asked, ByQuestion, Lease, QuestionKey};
use super::settings::{CacheSettings, Class, ClassCounters, add};
use super::shelf::{Shelf, Spelled};
use crate::clock::Timestamp;
use crate::hash::{self, RandomState};
use crate::storage::{AnswerCache, CacheStats, Engine};
use crate::sync::{Arc, AtomicU64, Mutex, Ordering::Relaxed};
use hashbrown::HashMap;
use memdex_query::query::{Ask, Query};
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::time::Duration;

/// The [cache](crate::query::cache) of a store, from [`Store::cache`](crate::Store::cache). Cheap to clone.
#[derive(Clone)]
pub struct Cache {
    pub(super) inner: Arc<Inner>,
    pub(super) engine: Arc<Engine>,
}

/// The cache, without the store that has it.
pub(crate) struct Inner {
    pub(super) settings: CacheSettings,
    shelf: Shelf,
    pub(super) by_question: Arc<ByQuestion>,
    classes: Mutex<BTreeMap<Class, Arc<ClassCounters>>>,
    /// The hashes of the questions with a name.
    names: Mutex<HashMap<Arc<str>, Vec<u64>, RandomState>>,
    next_id: AtomicU64,
    seed: RandomState,
}

impl AnswerCache for Inner {
    fn stats(&self) -> CacheStats {
        let leases = self.leases();
        let computing = leases.iter().filter(|lease| lease.entry.report()).count();
        let classes: Vec<_> = self.classes.lock().iter().map(|(class, of)| (class.clone(), of.clone())).collect();
        let classes = classes.iter().map(|(class, figures)| figures.stats(class)).collect();
        CacheStats { entries: leases.len(), bytes: self.shelf.weight(), computing, classes }
    }
}

impl Inner {
    pub(crate) fn new(settings: CacheSettings) -> Self {
        let seed = hash::random();
        Inner {
            shelf: Shelf::new(settings.entries, settings.bytes),
            settings,
            by_question: Arc::new(Mutex::new(HashMap::with_hasher(seed.clone()))),
            classes: Mutex::default(),
            names: Mutex::new(HashMap::with_hasher(seed.clone())),
            next_id: AtomicU64::new(0),
            seed,
        }
    }

    /// The cache of an engine.
    pub(super) fn of(engine: &Engine) -> Arc<Self> {
        let any: Arc<dyn Any + Send + Sync> = engine.answers.clone();
        match any.downcast() {
            Ok(inner) => inner,
            Err(_) => unreachable!("the store makes its engine with this cache"),
        }
    }

    pub(super) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Relaxed)
    }

    pub(super) fn figures(&self, class: &Class) -> Arc<ClassCounters> {
        let mut classes = self.classes.lock();
        match classes.get(class) {
            Some(figures) => figures.clone(),
            None => classes.entry(class.clone()).or_default().clone(),
        }
    }

    fn leases(&self) -> Vec<Arc<Lease>> {
        let by_question = self.by_question.lock();
        by_question.values().filter_map(|lease| lease.upgrade()).collect()
    }

    // ---- questions as they are written ------------------------------------------------------------------------------

    /// The hash of a question as it is written.
    #[inline]
    pub(super) fn hash(
        &self,
        table: &Arc<str>,
        asked: (Asked, &Option<Class>, Option<Duration>),
        name: Option<&Arc<str>>,
        query: &Query,
    ) -> u64 {
        let mut hasher = self.seed.build_hasher();
        (Arc::as_ptr(table).addr(), asked).hash(&mut hasher);
        if let Some(name) = name {
            name.hash(&mut hasher);
            return hasher.finish();
        }
        query.filter.hash(&mut hasher);
        match &query.ask {
            Ask::Records(paging) => {
                // The question is compared, so what is seldom written need not be hashed apart.
                let numbers = [paging.limit, Some(paging.offset), paging.page].map(|number| number.unwrap_or(0) as u64);
                let numbers = numbers.into_iter().fold(0_u64, |sum, number| sum.rotate_left(21) ^ number);
                hasher.write_u64(numbers ^ u64::from(paging.total) << 63);
                if !paging.order.is_empty() {
                    paging.order.hash(&mut hasher);
                }
                for cursor in [&paging.after, &paging.before].into_iter().flatten() {
                    cursor.hash(&mut hasher);
                }
                paging.around.iter().for_each(|key| key.hash(&mut hasher));
            }
            Ask::Statistics(statistics) => {
                statistics.metrics.len().hash(&mut hasher);
                statistics.metrics.iter().for_each(|metric| metric.name.hash(&mut hasher));
                statistics.groups.iter().flat_map(|groups| &groups.by).for_each(|by| by.field().hash(&mut hasher));
            }
        }
        hasher.finish()
    }

    #[inline]
    pub(super) fn get(&self, hash: u64) -> Option<Arc<Spelled>> {
        self.shelf.get(hash)
    }

    /// Puts a question on the shelf, and drops what has to leave it.
    pub(super) fn put(&self, hash: u64, spelled: Spelled) {
        if let Some(name) = &spelled.name {
            let mut names = self.names.lock();
            let hashes = names.entry(name.clone()).or_default();
            if !hashes.contains(&hash) {
                hashes.push(hash);
            }
        }
        let (evicted, replaced) = self.shelf.put(hash, Arc::new(spelled));
        for spelled in evicted {
            add(&spelled.lease.entry.figures.evictions, 1);
            if let Some(name) = &spelled.name {
                self.forget_name(name);
            }
        }
        drop(replaced);
    }

    /// Forgets a name that no question on the shelf has.
    fn forget_name(&self, name: &Arc<str>) {
        let mut names = self.names.lock();
        if let Some(hashes) = names.get_mut(name) {
            hashes.retain(|hash| self.shelf.contains(*hash));
            if hashes.is_empty() {
                names.remove(name);
            }
        }
    }

    /// The entry of a question; `make` makes it if there is none.
    pub(super) fn lease(&self, key: QuestionKey, table: &Arc<str>, make: impl FnOnce(u64) -> Entry) -> Arc<Lease> {
        if let Some(lease) = self.by_question.lock().get(&key).and_then(|lease| lease.upgrade()) {
            return lease;
        }
        let entry = Arc::new(make(self.next_id()));
        entry.register();
        let by_question = Arc::downgrade(&self.by_question);
        let lease = Arc::new(Lease { entry, key: key.clone(), _table: table.clone(), by_question });
        let mut by_question = self.by_question.lock();
        match by_question.get(&key).and_then(|other| other.upgrade()) {
            Some(other) => {
                // Another thread was first.
                drop(by_question);
                other
            }
            None => {
                by_question.insert(key, Arc::downgrade(&lease));
                lease
            }
        }
    }

    /// Takes a question and its answer off the shelf.
    fn remove(&self, hash: u64) -> bool {
        let removed = self.shelf.remove(hash);
        removed.iter().for_each(|spelled| spelled.lease.entry.forget());
        removed.is_some()
    }
}

impl Cache {
    pub(crate) fn of_store(engine: &Arc<Engine>) -> Self {
        Cache { inner: Inner::of(engine), engine: engine.clone() }
    }

    /// Drops the answers of the queries that have this [name](crate::query::cache::CachedFind::named). Returns whether there was one.
    ///
    /// Exact answers need no invalidation: commits change or drop them.
    pub fn invalidate(&self, name: &str) -> bool {
        let hashes = self.inner.names.lock().remove(name);
        let removed = hashes.into_iter().flatten().filter(|hash| self.inner.remove(*hash));
        removed.count() > 0
    }

    /// Drops all answers.
    pub fn clear(&self) {
        self.inner.names.lock().clear();
        let leases = self.inner.leases();
        leases.iter().for_each(|lease| lease.entry.forget());
        drop(self.inner.shelf.take_all());
    }

    /// Drops the answers whose lifetime has ended, and returns how many it was. They are never returned to a query, so this is a matter of
    /// memory.
    pub fn clean_expired(&self) -> usize {
        let time: Timestamp = self.engine.clock.now();
        let leases = self.inner.leases();
        let cleaned = leases.iter().filter(|lease| lease.entry.clean(time)).count();
        for (hash, spelled) in self.inner.shelf.all() {
            if spelled.lease.entry.is_empty() {
                drop(self.inner.shelf.remove(hash));
                spelled.name.iter().for_each(|name| self.inner.forget_name(name));
            }
        }
        cleaned
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

//! The settings of a cache, and its statistics.

use crate::storage::ClassStats;
use crate::sync::{Ordering::Relaxed, StatsCounter};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// The class of a cached query. It decides how long the answer is kept, and its figures are counted apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Queries for records. Their answers are kept for 1,800 s unless the settings say otherwise.
    Search,
    /// Counts and statistics, kept for 3,600 s.
    Statistics,
    /// A class of the program's own, kept for 300 s. See [`CachedCollection::class`](crate::query::cache::CachedCollection::class).
    Named(Cow<'static, str>),
}

impl From<&'static str> for Class {
    fn from(name: &'static str) -> Self {
        Class::Named(name.into())
    }
}

/// The settings of the [cache](crate::query::cache) of a store; see [`StoreBuilder::cache`](crate::StoreBuilder::cache).
///
/// ```
/// use memdex::Store;
/// use memdex::query::cache::{CacheSettings, Class};
/// use std::time::Duration;
///
/// let settings = CacheSettings::default()
///     .bytes(16 << 20)
///     .entries(10_000)
///     .lifetime(Class::Search, Duration::from_secs(60))
///     .lifetime("dashboard", Duration::from_secs(5));
/// let store = Store::builder().cache(settings).build();
/// assert_eq!(store.stats().cache.entries, 0);
/// ```
#[derive(Clone, Debug)]
pub struct CacheSettings {
    pub(super) bytes: usize,
    pub(super) entries: usize,
    lifetimes: BTreeMap<Class, Duration>,
}

impl Default for CacheSettings {
    /// 64 MiB, 100,000 answers, and the lifetimes that [`Class`] names.
    fn default() -> Self {
        CacheSettings { bytes: 64 << 20, entries: 100_000, lifetimes: BTreeMap::new() }
    }
}

impl CacheSettings {
    /// Limits the memory of the answers, as the cache estimates it, without their records: those are shared with the store until they are
    /// replaced. An answer that needs more than a sixteenth of it is not kept. With 0 nothing is cached.
    #[must_use]
    pub fn bytes(self, bytes: usize) -> Self {
        CacheSettings { bytes, ..self }
    }

    /// Limits the number of answers, and so that of the questions that commits keep exact. With 0 nothing is cached.
    #[must_use]
    pub fn entries(self, entries: usize) -> Self {
        CacheSettings { entries, ..self }
    }

    /// Sets how long answers of a class are kept, by the clock of the store. With a lifetime of zero, queries of the class are not cached.
    #[must_use]
    pub fn lifetime(mut self, class: impl Into<Class>, lifetime: Duration) -> Self {
        self.lifetimes.insert(class.into(), lifetime);
        self
    }

    pub(super) fn lifetime_of(&self, class: &Class) -> Duration {
        let default = match class {
            Class::Search => 1_800,
            Class::Statistics => 3_600,
            Class::Named(_) => 300,
        };
        self.lifetimes.get(class).copied().unwrap_or(Duration::from_secs(default))
    }

    /// The least that an answer weighs, so that a cache full of small answers has at most the allowed number.
    pub(super) fn least_weight(&self) -> usize {
        self.bytes.div_ceil(self.entries.max(1)).max(1)
    }

    /// The most that an answer may need.
    pub(super) fn largest(&self) -> usize {
        self.bytes / 16
    }

    pub(super) fn caches_nothing(&self) -> bool {
        self.bytes == 0 || self.entries == 0
    }
}

/// The figures of a class.
#[derive(Debug, Default)]
pub(super) struct ClassCounters {
    /// Without those that entries still count.
    pub(super) hits: StatsCounter,
    pub(super) misses: StatsCounter,
    pub(super) repairs: StatsCounter,
    pub(super) drops: StatsCounter,
    pub(super) sampled_drops: StatsCounter,
    pub(super) false_drops: StatsCounter,
    pub(super) expirations: StatsCounter,
    pub(super) evictions: StatsCounter,
}

pub(super) fn add(counter: &StatsCounter, more: u64) {
    counter.fetch_add(more, Relaxed);
}

impl ClassCounters {
    pub(super) fn stats(&self, class: &Class) -> ClassStats {
        let of = |counter: &StatsCounter| counter.load(Relaxed);
        ClassStats {
            class: match class {
                Class::Search => "search".to_owned(),
                Class::Statistics => "statistics".to_owned(),
                Class::Named(name) => name.to_string(),
            },
            hits: of(&self.hits),
            misses: of(&self.misses),
            repairs: of(&self.repairs),
            drops: of(&self.drops),
            sampled_drops: of(&self.sampled_drops),
            false_drops: of(&self.false_drops),
            expirations: of(&self.expirations),
            evictions: of(&self.evictions),
        }
    }
}

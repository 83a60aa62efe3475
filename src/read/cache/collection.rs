//! Queries through the cache. The way of a query is [`CachedCollection::answer`], top to bottom.

use super::super::snapshot::{Snapshot, View};
use super::super::strict::{self, Purpose};
use super::answer::Answer;
use super::entry::{AnyAnswer, Entry, Filled, Found};
use super::kept::{Kept, Shape};
use super::lease::{Asked, Lease, QuestionKey};
use super::settings::{Class, add};
use super::shelf::Spelled;
use super::store_cache::Inner;
use super::wanted::{Bound, Computed, Metrics, Records, Wanted};
use crate::clock::Timestamp;
use crate::error::{Commit, QueryError};
use crate::record::{Condition, KeyBuffer, Record};
use crate::storage::{At, Collection, ReadInfo, ReadOf};
use crate::sync::{Arc, Weak};
use memdex_query::query::{Ask, Query};
use memdex_query::value::{IntoKey, Key};
use std::fmt;
use std::time::{Duration, Instant};

/// A collection whose queries are answered from the [cache](crate::query::cache), from [`Collection::cached`] and [`View::cached`].
pub struct CachedCollection<R: Record>(Arc<Parts<R>>);

/// Behind one pointer, so that a query costs one reference count.
struct Parts<R: Record> {
    collection: Collection<R>,
    cache: Arc<Inner>,
    snapshot: Option<Snapshot>,
    age: Option<Duration>,
    class: Option<Class>,
}

impl<R: Record> Collection<R> {
    /// This collection with its queries answered from the cache of the store. See the module [`cache`](crate::query::cache).
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Clone, Record)]
    /// # struct User { #[record(key)] id: u32, #[record(index)] city: String, #[record(field)] age: u8 }
    /// # let users = Store::new().collection::<User>("User")?;
    /// # users.store(User { id: 1, city: "Bern".into(), age: 40 })?;
    /// let cached = users.cached();
    /// let of_bern = || cached.find(user::CITY.eq("Bern"));
    /// assert!(!of_bern().fetch()?.is_cached());
    /// assert!(of_bern().fetch()?.is_cached());
    /// users.store(User { id: 2, city: "Bern".into(), age: 30 })?;
    /// let both = of_bern().fetch()?;
    /// assert_eq!((both.len(), both.is_cached()), (2, true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cached(&self) -> CachedCollection<R> {
        let (collection, cache) = (self.clone(), Inner::of(&self.engine));
        CachedCollection(Arc::new(Parts { collection, cache, snapshot: None, age: None, class: None }))
    }
}

impl<R: Record> View<R> {
    /// This view with its queries answered from the cache of the store, where an answer holds at this snapshot. Answers are always exact.
    pub fn cached(&self) -> CachedCollection<R> {
        let engine = self.snapshot.engine().clone();
        let cached = Collection { engine, table: self.table.clone() }.cached();
        cached.with(|parts| parts.snapshot = Some(self.snapshot.clone()))
    }
}

impl<R: Record> CachedCollection<R> {
    /// Allows answers that were exact at most so long ago, by the clock of the store. Commits don't keep them exact, so they cost writers
    /// nothing, and what one caller gets may go back in time. Through a snapshot, answers are exact all the same.
    ///
    /// ```
    /// # use memdex::{Filter, Record, Store};
    /// # use memdex::clock::ManualClock;
    /// # use std::time::Duration;
    /// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32 }
    /// let clock = ManualClock::default();
    /// let users = Store::builder().clock(clock.clone()).build().collection::<User>("User")?;
    /// let about = users.cached().within(Duration::from_secs(5));
    /// assert_eq!(*about.find(Filter::all()).count()?, 0);
    /// users.store(User { id: 1 })?;
    /// assert_eq!(*about.find(Filter::all()).count()?, 0);
    /// clock.advance(Duration::from_secs(5));
    /// assert_eq!(*about.find(Filter::all()).count()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn within(self, age: Duration) -> Self {
        self.with(|parts| parts.age = if parts.snapshot.is_none() { Some(age) } else { None })
    }

    /// Puts the queries into a class. Each class has its own lifetime and its own figures.
    #[must_use]
    pub fn class(self, class: impl Into<Class>) -> Self {
        self.with(|parts| parts.class = Some(class.into()))
    }

    fn with(&self, change: impl FnOnce(&mut Parts<R>)) -> Self {
        let Parts { collection, cache, snapshot, age, class } = &*self.0;
        let (collection, cache, snapshot) = (collection.clone(), cache.clone(), snapshot.clone());
        let mut parts = Parts { collection, cache, snapshot, age: *age, class: class.clone() };
        change(&mut parts);
        CachedCollection(Arc::new(parts))
    }

    /// Where a record with this key would be in a query.
    pub(super) fn key<Q: IntoKey<R::Key>>(&self, key: &Q) -> Key {
        let table = &self.0.collection.table;
        KeyBuffer::of(&table.seed, &table.key_kinds, key).to_key()
    }

    /// Executes queries, so that their answers are in the cache. The collections that a query names are ignored. Returns how many
    /// answers were computed.
    ///
    /// ```
    /// # use memdex::{Metric, Query, Record, Store, field};
    /// # #[derive(Clone, Record)]
    /// # struct Payment { #[record(key)] id: u32, #[record(ordered)] cents: i64 }
    /// # let payments = Store::new().collection::<Payment>("Payment")?;
    /// let largest = Query::over(["Payment"]).order_by(field("cents").desc()).limit(100);
    /// let total = Query::over(["Payment"]).statistics(payment::CENTS.sum());
    /// assert_eq!(payments.cached().warm_up([largest, total])?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// That of the first query that fails; those before it are in the cache.
    pub fn warm_up(&self, queries: impl IntoIterator<Item = Query>) -> Result<usize, QueryError> {
        let mut computed = 0;
        for mut query in queries {
            query.collections.clear();
            let is_cached = match &query.ask {
                Ask::Records(_) => self.answer::<Records<R>>(&query, None)?.is_cached(),
                Ask::Statistics(_) => self.answer::<Metrics>(&query, None)?.is_cached(),
            };
            computed += usize::from(!is_cached);
        }
        Ok(computed)
    }

    // ---- the way of a query -------------------------------------------------------------------------------------------

    /// The answer to a query.
    pub(super) fn answer<W: Wanted<R>>(
        &self,
        query: &Query,
        name: Option<&Arc<str>>,
    ) -> Result<Answer<W::Answer>, QueryError> {
        // 1. The question as it is written leads to its entry.
        let table = &self.0.collection.table.name;
        let hash = self.0.cache.hash(table, (W::ASKED, &self.0.class, self.0.age), name, query);
        let known = self.0.cache.get(hash).filter(|spelled| self.is_it::<W>(spelled, query, name));
        if let Some(spelled) = known {
            self.tell(query)?;
            let answer = self.answer_of::<W>(&spelled.lease, query)?;
            let entry = &spelled.lease.entry;
            if entry.has_grown() || (!answer.is_cached && entry.bytes() > 2 * spelled.weight) {
                self.put::<W>(hash, query, name, &spelled.lease);
            }
            return Ok(answer);
        }
        // 2. Otherwise its meaning does.
        let Some(lease) = self.lease::<W>(query)? else {
            return self.ask::<W>(query);
        };
        self.tell(query)?;
        let answer = self.answer_of::<W>(&lease, query)?;
        if !lease.entry.is_empty() {
            self.put::<W>(hash, query, name, &lease);
        }
        Ok(answer)
    }

    /// The answer from an entry: the one that it has, or a new one.
    pub(super) fn answer_of<W: Wanted<R>>(
        &self,
        lease: &Lease,
        query: &Query,
    ) -> Result<Answer<W::Answer>, QueryError> {
        if let Some(answer) = self.found::<W>(&lease.entry, query)? {
            return Ok(answer);
        }
        // 3. One reader computes it; the others wait for a moment, and look again.
        let computing = lease.entry.compute();
        if computing.is_none()
            && let Some(answer) = self.found::<W>(&lease.entry, query)?
        {
            return Ok(answer);
        }
        // 4. The question is registered by now: pin, and compute.
        add(&lease.entry.figures.misses, 1);
        let started = Instant::now();
        let view = self.view();
        let entry = &lease.entry;
        let bound = (&entry.condition, &entry.shape);
        let Computed { kept, answer, rows, is_too_large } = self.computed::<W>(&view, query, bound)?;
        let At { epoch, time } = view.snapshot().at();
        let answer = finished::<R, W>(answer, query, (&entry.shape, &kept), epoch, started)?;
        // 5. Fill it in, unless a commit since the pin concerns it.
        let answer_bytes = size_of::<W::Answer>() + W::heap_bytes(&answer);
        if !is_too_large && answer_bytes + kept.heap_bytes() <= self.0.cache.settings.largest() {
            let deadlines = &self.0.collection.table.deadlines;
            let before = match (&kept, rows) {
                (Kept::Set(_), _) | (Kept::Page(_), None) => kept.next_deadline(),
                (_, Some(rows)) => deadlines.next_of(&rows, time),
                // All of them may be part of it.
                (_, None) => deadlines.next_of(&self.0.collection.table.all_rows.read().clone(), time),
            };
            // A commit since may have moved deadlines that the answer depends on: it marks first.
            let marks = &self.0.collection.table.marks;
            if deadlines.have_been_used() && !marks.is_nothing_after(epoch) {
                return Ok(Answer { answer, is_cached: false, from: epoch, commit: epoch });
            }
            let records = kept.len();
            entry.fill(
                Filled {
                    kept,
                    answer: Some(answer.clone()),
                    from: epoch,
                    seen: if entry.filings.is_some() { Commit::MAX } else { epoch },
                    since: if deadlines.have_been_used() { time } else { Timestamp::MIN },
                    before: before.unwrap_or(Timestamp::MAX),
                    made: time,
                    records,
                    answer_bytes,
                },
                &|one, other| match (one.downcast_ref(), other.downcast_ref()) {
                    (Some(one), Some(other)) => W::same(one, other),
                    _ => false,
                },
            );
        }
        drop(computing);
        Ok(Answer { answer, is_cached: false, from: epoch, commit: epoch })
    }

    /// Computes an answer, and refuses the query if the store is too strict for it.
    fn computed<W: Wanted<R>>(
        &self,
        view: &View<R>,
        query: &Query,
        bound: (&Condition, &Shape),
    ) -> Result<Computed, QueryError> {
        let purpose = match W::ASKED {
            Asked::Records => Purpose::Records,
            Asked::Count => Purpose::Count,
            Asked::Statistics => Purpose::Statistics,
        };
        let size = |computed: &Computed| computed.kept.len();
        strict::judged(view.snapshot(), &[view.any()], query, purpose, size, || W::compute(view, query, bound))
    }

    /// The answer that an entry has, if it holds for this reader.
    fn found<W: Wanted<R>>(&self, entry: &Entry, query: &Query) -> Result<Option<Answer<W::Answer>>, QueryError> {
        let at = self.at();
        if entry.filings.is_none() && self.0.age.is_none() {
            entry.catch_up(at.epoch);
        }
        let finish = |shape: &Shape, kept: &Kept, commit| -> Result<AnyAnswer, QueryError> {
            Ok(Arc::new(W::finish(query, shape, kept, commit)?))
        };
        let found = entry.find(at, self.0.age, &finish)?;
        Ok(found.map(|Found { answer, from }| Answer { answer: own(answer), is_cached: true, from, commit: at.epoch }))
    }

    /// Reports the read of a query.
    #[inline]
    pub(super) fn tell(&self, query: &Query) -> Result<(), QueryError> {
        let Parts { collection, snapshot, .. } = &*self.0;
        collection.engine.reads.tell(|| ReadInfo {
            collection: &collection.table.name,
            what: ReadOf::Query(query),
            commit: snapshot.as_ref().map(Snapshot::commit),
        })
    }

    /// The commit and the time for which this reader asks.
    fn at(&self) -> At {
        if let Some(snapshot) = &self.0.snapshot {
            return snapshot.at();
        }
        let engine = &self.0.collection.engine;
        engine.refresh_if_due();
        let mut epoch = engine.timeline.published();
        loop {
            // The time belongs to a commit only if no other one has been published meanwhile.
            let time = engine.clock.for_reader();
            let newest = engine.timeline.published();
            if newest == epoch {
                return At { epoch, time };
            }
            epoch = newest;
        }
    }

    fn view(&self) -> View<R> {
        match &self.0.snapshot {
            Some(snapshot) => View::new(snapshot.clone(), self.0.collection.table.clone()),
            None => self.0.collection.view(),
        }
    }

    fn class_of<W: Wanted<R>>(&self) -> Class {
        self.0.class.clone().unwrap_or(match W::ASKED {
            Asked::Records => Class::Search,
            Asked::Count | Asked::Statistics => Class::Statistics,
        })
    }

    /// Whether a question on the shelf is this one.
    fn is_it<W: Wanted<R>>(&self, spelled: &Spelled, query: &Query, name: Option<&Arc<str>>) -> bool {
        let key = &spelled.lease.key;
        let same_class = match &self.0.class {
            Some(class) => *class == key.class,
            None => !matches!(key.class, Class::Named(_)),
        };
        Arc::ptr_eq(&spelled.table, &self.0.collection.table.name)
            && spelled.asked == W::ASKED
            && spelled.name.as_ref() == name
            && same_class
            && key.age == self.0.age
            && spelled.query.filter == query.filter
            && spelled.query.ask == query.ask
    }

    /// The entry of a question, which is registered; `None` if it is not to be cached.
    pub(super) fn lease<W: Wanted<R>>(&self, query: &Query) -> Result<Option<Arc<Lease>>, QueryError> {
        let bound = W::bind(self.view().any(), query)?;
        let class = self.class_of::<W>();
        let lifetime = self.0.cache.settings.lifetime_of(&class);
        if self.caches_nothing() || lifetime.is_zero() {
            return Ok(None);
        }
        let table = &self.0.collection.table;
        let key = QuestionKey {
            table: Arc::as_ptr(&table.name).addr(),
            asked: W::ASKED,
            fingerprint: bound.fingerprint,
            class,
            age: self.0.age,
        };
        let figures = self.0.cache.figures(&key.class);
        Ok(Some(self.0.cache.lease(key, &table.name, |id| {
            let Bound { condition, shape, .. } = bound;
            let (filings, questions) = match self.0.age {
                None => (table.filings(&condition), Arc::downgrade(&table.questions)),
                Some(_) => (None, Weak::new()),
            };
            let counters = table.counters.clone();
            Entry::new(id, questions, counters, condition, filings, shape, (figures, lifetime))
        })))
    }

    fn put<W: Wanted<R>>(&self, hash: u64, query: &Query, name: Option<&Arc<str>>, lease: &Arc<Lease>) {
        let (table, query, name, lease) =
            (self.0.collection.table.name.clone(), query.clone(), name.cloned(), lease.clone());
        let weight = lease.entry.bytes().max(self.0.cache.settings.least_weight());
        self.0.cache.put(hash, Spelled { table, asked: W::ASKED, name, query, lease, weight });
    }

    /// Entries identify records by their rows, which the layers of a fork number each for themselves.
    fn caches_nothing(&self) -> bool {
        self.0.collection.table.base.is_some() || self.0.cache.settings.caches_nothing()
    }

    /// The answer of a query that is not cached.
    fn ask<W: Wanted<R>>(&self, query: &Query) -> Result<Answer<W::Answer>, QueryError> {
        let view = self.view();
        let (answer, commit) = (Arc::new(W::ask(&view, query)?), view.snapshot().commit());
        Ok(Answer { answer, is_cached: false, from: commit, commit })
    }
}

/// A computed answer: the one that there is, or the one that what is kept makes.
fn finished<R: Record, W: Wanted<R>>(
    answer: Option<AnyAnswer>,
    query: &Query,
    (shape, kept): (&Shape, &Kept),
    commit: Commit,
    started: Instant,
) -> Result<Arc<W::Answer>, QueryError> {
    if let Some(answer) = answer {
        return Ok(own(answer));
    }
    let mut answer = W::finish(query, shape, kept, commit)?;
    W::set_took(&mut answer, started.elapsed());
    Ok(Arc::new(answer))
}

/// An answer with its type, which the kind of the question determines.
fn own<T: Send + Sync + 'static>(answer: AnyAnswer) -> Arc<T> {
    match answer.downcast() {
        Ok(answer) => answer,
        Err(_) => unreachable!("an entry has answers of one type"),
    }
}

impl<R: Record> Clone for CachedCollection<R> {
    fn clone(&self) -> Self {
        CachedCollection(self.0.clone())
    }
}

impl<R: Record> fmt::Debug for CachedCollection<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedCollection").field("name", &self.0.collection.name()).finish_non_exhaustive()
    }
}

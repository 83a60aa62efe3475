//! Starts watches.

use super::error::WatchError;
use super::follow::{Follow, WatchedRecords, WatchedStatistics};
use super::hub::Hub;
use super::reader::Watch;
use crate::error::Refusal;
use crate::feed::SubscriptionBuilder;
use crate::limits::MAX_WATCHED_RECORDS;
use crate::read::{LiveRecords, LiveStatistics, Snapshot, TooMany, View};
use crate::record::Record;
use crate::storage::{Collection, Which};
use crate::sync::{Arc, Weak};
use memdex_query::query::{Ask, FieldName, Filter, Fingerprint, IntoOrder, Query, Statistics};
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

/// A query to be watched, from [`Collection::watch`].
#[must_use = "it does nothing until `start` or `statistics` is called"]
pub struct WatchBuilder<R: Record> {
    collection: Collection<R>,
    filter: Filter<R>,
    query: Query,
}

impl<R: Record> Collection<R> {
    /// Watches the records that match a filter: the answer now, and how each commit changes it.
    ///
    /// ```
    /// use memdex::{Record, Store};
    /// use memdex::hook::watch::Difference;
    ///
    /// #[derive(Clone, Record)]
    /// struct Player { #[record(key)] id: u32, #[record(index)] team: String, #[record(ordered)] points: u32 }
    ///
    /// let players = Store::new().collection::<Player>("Player")?;
    /// players.store(Player { id: 1, team: "red".into(), points: 5 })?;
    /// players.store(Player { id: 2, team: "red".into(), points: 9 })?;
    ///
    /// let mut best = players.watch(player::TEAM.eq("red")).order_by(player::POINTS.desc()).limit(10).start()?;
    /// assert_eq!(best.answer().iter().map(|player| player.id).collect::<Vec<_>>(), [2, 1]);
    /// players.update(1, |player| player.points = 20)?;
    /// let update = best.try_next().unwrap();
    /// assert!(matches!(update.differences[..], [Difference::Moved { from: 1, to: 0, .. }]));
    /// assert_eq!(best.answer()[0].points, 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn watch(&self, filter: impl Into<Filter<R>>) -> WatchBuilder<R> {
        let filter = filter.into();
        let query = Query::over::<FieldName>([]).filter(filter.predicate().clone());
        WatchBuilder { collection: self.clone(), filter, query }
    }
}

impl<R: Record> WatchBuilder<R> {
    /// Sorts the records; ties are broken by key. Without an order they are sorted by key.
    pub fn order_by(self, order: impl IntoOrder) -> Self {
        WatchBuilder { query: self.query.order_by(order), ..self }
    }

    /// Shows at most this many records: 1 to [`limits::MAX_PAGE`](crate::limits::MAX_PAGE). All that match are kept in memory.
    pub fn limit(self, limit: usize) -> Self {
        WatchBuilder { query: self.query.limit(limit), ..self }
    }

    /// Skips the first records.
    pub fn offset(self, offset: usize) -> Self {
        WatchBuilder { query: self.query.offset(offset), ..self }
    }

    /// Starts to watch the records. Waits for other commits.
    ///
    /// # Errors
    /// A [`WatchError`].
    pub fn start(self) -> Result<Watch<WatchedRecords<R>>, WatchError> {
        self.watch(|view, query| {
            let (live, fingerprint) = LiveRecords::new(view, query)?;
            Ok((WatchedRecords { live, of: PhantomData }, fingerprint))
        })
    }

    /// Starts to watch statistics of the records. All statistics that a materialized aggregate can have follow changes; see
    /// [`AggregateDef`](crate::schema::AggregateDef).
    ///
    /// # Errors
    /// A [`WatchError`].
    pub fn statistics(mut self, statistics: impl Into<Statistics>) -> Result<Watch<WatchedStatistics<R>>, WatchError> {
        let statistics = statistics.into();
        self.query.ask = Ask::default();
        self.watch(|view, query| {
            let made = LiveStatistics::new(view, query, &statistics)?.map_err(WatchError::Statistics)?;
            let (live, fingerprint) = made;
            Ok((WatchedStatistics { live, last: None, of: PhantomData }, fingerprint))
        })
    }

    fn watch<F: Follow<Record = R>>(
        self,
        make: impl FnOnce(&View<R>, &Query) -> Result<(F, Fingerprint), WatchError>,
    ) -> Result<Watch<F>, WatchError> {
        let WatchBuilder { collection, filter, query } = self;
        let Collection { engine, table } = &collection;
        // Bind it first: what makes no sense starts nothing.
        let (mut follow, fingerprint) = make(&Snapshot::new(engine).of_table(table), &query)?;
        // Watches identify records by their rows, which the layers of a fork number each for themselves.
        let refused = |cause| Refusal::new("watch", &table.name, cause);
        table.take_over(engine, Which::All).map_err(refused)?;
        let key = (Arc::as_ptr(&table.name).addr(), fingerprint.0);
        let known = engine.watched.lock().get(&key).and_then(Weak::upgrade);
        if let Some(hub) = known.and_then(|any| any.downcast::<Hub<F>>().ok()) {
            // Everything that was committed before this call is part of the first answer.
            engine.deliver_now();
            if let Some(watch) = Watch::new(hub) {
                return Ok(watch);
            }
        }
        let subscribe = SubscriptionBuilder::new(engine.clone()).named("watch").matching(&collection, filter);
        let (snapshot, subscription) = subscribe.start()?;
        let too_many = || WatchError::TooMany { collection: table.name.to_string(), limit: MAX_WATCHED_RECORDS };
        follow.load(&snapshot.of_table(table)).map_err(|TooMany| too_many())?;
        let hub = Arc::new(Hub::new(engine, table.clone(), subscription, follow, snapshot.commit()));
        drop(snapshot);
        let any: Arc<dyn Any + Send + Sync> = hub.clone();
        let mut watched = engine.watched.lock();
        watched.retain(|_, hub| hub.strong_count() > 0);
        watched.insert(key, Arc::downgrade(&any));
        drop(watched);
        Watch::new(hub).ok_or_else(too_many)
    }
}

impl<R: Record> fmt::Debug for WatchBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchBuilder").field("query", &self.query).finish_non_exhaustive()
    }
}

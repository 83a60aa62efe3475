//! The handle to a collection. Its commands are in `write`, its queries in `read`.

use super::{Engine, TableOf, Version};
use crate::clock::Timestamp;
use crate::error::{AggregateError, IndexError};
use crate::record::{AggregateDef, IndexDef, Lookup, Record, Schema};
use crate::sync::Arc;
use memdex_query::value::IntoKey;
use std::fmt;
use std::time::Duration;

/// Records of one type with their key and indexes. Cheap to clone; clones refer to the same collection. A handle keeps
/// its store alive.
///
/// Get one from [`Store::collection`](crate::Store::collection).
pub struct Collection<R: Record> {
    pub(crate) engine: Arc<Engine>,
    pub(crate) table: TableOf<R>,
}

/// Whether a read is a use of the record: then it counts where the collection has a bound, and extends the lifetime where reads do so.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Use {
    Extends,
    Leaves,
}

impl<R: Record> Collection<R> {
    /// The name of the collection.
    pub fn name(&self) -> &str {
        &self.table.name
    }

    /// The schema of its records.
    pub fn schema(&self) -> &Schema {
        &self.table.schema
    }

    /// Whether [`Store::drop_collection`](crate::Store::drop_collection) has dropped it.
    pub fn is_dropped(&self) -> bool {
        self.table.gauges.is_dropped()
    }

    /// The version of a key at the newest commit. Takes no pin in the common case.
    #[inline]
    pub(crate) fn newest<Q: IntoKey<R::Key>>(&self, lookup: &Lookup<'_, Q>, use_it: Use) -> Option<Arc<Version<R>>> {
        let Some(newest) = self.table.newest(lookup) else { return self.of_base(lookup) };
        // Read `published` after finding the version: otherwise the batch in flight could become visible.
        if newest.begin <= self.engine.timeline.published() {
            return if newest.deadline.is_plain() { Some(newest) } else { self.newest_living(newest, lookup, use_it) };
        }
        self.table.let_go(newest);
        self.newest_pinned(lookup, use_it)
    }

    /// For a key that the collection's own table does not know: only a fork has a record of it.
    #[inline]
    fn of_base<Q: IntoKey<R::Key>>(&self, lookup: &Lookup<'_, Q>) -> Option<Arc<Version<R>>> {
        if self.table.base.is_none() { None } else { self.table.of_base(lookup) }
    }

    fn newest_living<Q: IntoKey<R::Key>>(
        &self,
        newest: Arc<Version<R>>,
        lookup: &Lookup<'_, Q>,
        use_it: Use,
    ) -> Option<Arc<Version<R>>> {
        // A commit may have replaced it before the time was drawn. Then it was never missing.
        self.living(newest, use_it).or_else(|| self.newest_pinned(lookup, use_it))
    }

    /// For a key that a commit in flight has just changed, and for a version that has expired. The version that such a commit has
    /// replaced can be looked up safely only under a pin, and its time must be that of the pin.
    #[cold]
    fn newest_pinned<Q: IntoKey<R::Key>>(&self, lookup: &Lookup<'_, Q>, use_it: Use) -> Option<Arc<Version<R>>> {
        let lifetime = self.extended_by(use_it);
        #[cfg(feature = "testing")]
        let pinned = self.engine.pin_for_key();
        #[cfg(not(feature = "testing"))]
        let pinned = self.engine.pin();
        let version = self.table.version_at(lookup, pinned.at())?;
        self.extended(version, pinned.time, lifetime, use_it)
    }

    /// The version unless its record has expired. Extends its lifetime if that is what such a read does.
    pub(crate) fn living(&self, version: Arc<Version<R>>, use_it: Use) -> Option<Arc<Version<R>>> {
        if !version.deadline.exists() {
            return Some(counted(version, use_it));
        }
        let lifetime = self.extended_by(use_it);
        self.extended(version, self.engine.clock.for_reader(), lifetime, use_it)
    }

    /// The lifetime from the time of a read on. Load it before that time is drawn.
    fn extended_by(&self, use_it: Use) -> Option<Duration> {
        self.table.deadlines.sliding().filter(|_| use_it == Use::Extends)
    }

    fn extended(
        &self,
        version: Arc<Version<R>>,
        time: Timestamp,
        by: Option<Duration>,
        use_it: Use,
    ) -> Option<Arc<Version<R>>> {
        let is_alive = match by {
            Some(lifetime) => version.deadline.slide(time, time + lifetime),
            None => !version.deadline.is_past(time),
        };
        if is_alive {
            return Some(counted(version, use_it));
        }
        self.table.let_go(version);
        None
    }
}

/// Counts the use of a version.
#[inline]
fn counted<R>(version: Arc<Version<R>>, use_it: Use) -> Arc<Version<R>> {
    if use_it == Use::Extends {
        version.deadline.count_use();
    }
    version
}

impl<R: Record> Clone for Collection<R> {
    fn clone(&self) -> Self {
        Collection { engine: self.engine.clone(), table: self.table.clone() }
    }
}

impl<R: Record> fmt::Debug for Collection<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collection").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// Adding and dropping indexes. Neither blocks readers or writers.
impl<R: Record> Collection<R> {
    /// Builds an index over the existing records, and maintains it from then on. Writers continue meanwhile, except for
    /// a moment at the end. Queries use the index as soon as it is complete, including those of older snapshots.
    ///
    /// ```
    /// # use memdex::{IndexDef, Record, Store};
    /// # use memdex::error::IndexError;
    /// # #[derive(Record)]
    /// # struct User { #[record(key)] id: u32, #[record(field)] email: String, #[record(field)] age: u8 }
    /// # let users = Store::new().collection::<User>("User")?;
    /// # users.store(User { id: 1, email: "ada@example.org".into(), age: 36 })?;
    /// users.add_index(IndexDef::ordered("age"))?;
    /// users.add_index(IndexDef::unique("email").named("one address"))?;
    /// assert_eq!(users.find(user::AGE.between(30, 40)).count()?, 1);
    /// assert!(users.store(User { id: 2, email: "ada@example.org".into(), age: 7 }).is_err());
    /// users.drop_index("one address")?;
    /// assert!(matches!(users.add_index(IndexDef::equality("height")), Err(IndexError::Schema { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Reads every record; O(records), and O(records × log records) for an ordered index.
    ///
    /// # Errors
    /// An [`IndexError`], with nothing changed: the definition is invalid or names an unknown field, its name is taken,
    /// a record can't be indexed, two records violate its uniqueness, or the call comes from inside an update closure,
    /// an extractor, a hook or `get_with`.
    pub fn add_index(&self, index: IndexDef) -> Result<(), IndexError> {
        self.table.add_index(&self.engine, index)
    }

    /// Drops the index `name`, declared by the schema or added later. Running queries continue to use it. Waits for
    /// other commits.
    ///
    /// # Errors
    /// An [`IndexError`] if the collection has no such index, or the store refuses writes.
    pub fn drop_index(&self, name: &str) -> Result<(), IndexError> {
        self.table.drop_index(&self.engine, name)
    }

    /// The indexes that queries may use, in the order in which they were added; those of the schema first.
    pub fn indexes(&self) -> Vec<IndexDef> {
        self.table.indexes().iter().map(|index| index.shape.def.clone()).collect()
    }
}

/// Materialized aggregates.
impl<R: Record> Collection<R> {
    /// Adds a materialized aggregate: a grouping whose result every commit maintains. See [`AggregateDef`] for what can be
    /// materialized and what it costs. Built from the existing records without blocking writers, except for a moment at the end.
    ///
    /// ```
    /// # use memdex::{GroupBy, Metric, Record, Store, field};
    /// # use memdex::error::AggregateError;
    /// # use memdex::schema::AggregateDef;
    /// # #[derive(Clone, Record)]
    /// # struct Job { #[record(key)] id: u32, #[record(field)] queue: String, #[record(field)] seconds: f64 }
    /// # let jobs = Store::new().collection::<Job>("Job")?;
    /// jobs.store(Job { id: 1, queue: "mail".into(), seconds: 0.5 })?;
    /// let before = jobs.clone();
    /// jobs.add_aggregate(AggregateDef::new("by_queue", GroupBy::values("queue").metrics([job::SECONDS.sum()])))?;
    /// jobs.update(1, |job| job.seconds += 1.0)?;
    /// assert_eq!(jobs.aggregate("by_queue")?.group("mail").unwrap().float("sum(seconds)"), Some(1.5));
    /// jobs.drop_aggregate("by_queue")?;
    /// assert!(jobs.aggregate("by_queue").is_err());
    /// let percentile = AggregateDef::new("median", [job::SECONDS.percentile(50.0)]);
    /// assert!(matches!(jobs.add_aggregate(percentile), Err(AggregateError::Schema { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Reads every record; O(records).
    ///
    /// # Errors
    /// An [`AggregateError`], with nothing changed: the definition is invalid or can't be materialized, its name is taken, a record
    /// can't be aggregated, or the call comes from inside an update closure, an extractor, a hook or `get_with`.
    pub fn add_aggregate(&self, aggregate: AggregateDef) -> Result<(), AggregateError> {
        self.table.add_aggregate(&self.engine, aggregate)
    }

    /// Drops the materialized aggregate `name`, declared by the schema or added later. Waits for other commits.
    ///
    /// # Errors
    /// An [`AggregateError`] if the collection has no such aggregate, or the store refuses writes.
    pub fn drop_aggregate(&self, name: &str) -> Result<(), AggregateError> {
        self.table.drop_aggregate(&self.engine, name)
    }

    /// The materialized aggregates, in the order in which they were added; those of the schema first.
    pub fn aggregates(&self) -> Vec<AggregateDef> {
        self.table.all_aggregates().iter().map(|aggregate| aggregate.plan.def.clone()).collect()
    }
}

//! The handle to a collection. Its commands are in `write`, its queries in `read`.

use super::{Engine, Table, Version};
use crate::error::{AggregateError, IndexError};
use crate::record::{AggregateDef, IndexDef, Lookup, Record, Schema};
use crate::sync::Arc;
use memdex_query::value::IntoKey;
use std::fmt;

/// Records of one type with their key and indexes. Cheap to clone; clones refer to the same collection. A handle keeps
/// its store alive.
///
/// Get one from [`Store::collection`](crate::Store::collection).
pub struct Collection<R: Record> {
    pub(crate) engine: Arc<Engine>,
    pub(crate) table: Arc<Table<R>>,
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

    /// The version of a key at the newest commit. Takes no pin in the common case.
    #[inline]
    pub(crate) fn newest<Q: IntoKey<R::Key>>(&self, lookup: &Lookup<'_, Q>) -> Option<Arc<Version<R>>> {
        let newest = self.table.newest(lookup)?;
        // Read `published` after finding the version: otherwise the batch in flight could become visible.
        if newest.begin <= self.engine.timeline.published() {
            return Some(newest);
        }
        self.newest_beside_commit(newest, lookup)
    }

    /// A commit in flight has just changed this key. The version before it can be looked up safely only under a pin.
    #[cold]
    fn newest_beside_commit<Q: IntoKey<R::Key>>(
        &self,
        in_flight: Arc<Version<R>>,
        lookup: &Lookup<'_, Q>,
    ) -> Option<Arc<Version<R>>> {
        self.table.let_go(in_flight);
        let pinned = self.engine.pin();
        self.table.version_at(lookup, pinned.epoch())
    }
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
        self.table.aggregates().iter().map(|aggregate| aggregate.plan.def.clone()).collect()
    }
}

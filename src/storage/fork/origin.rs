//! Making a fork: its engine, and the tables that it has not opened yet.

use super::super::engine::{Engine, Pinned, Registered};
use super::super::table::Table;
use super::super::table_core::TableCore;
use super::base::Base;
use crate::error::Cause;
use crate::index::{self, AggregatePlan, Catalog};
use crate::limits::{FORK_SHARDS, KEY_SHARDS, VALUE_SHARDS};
use crate::record::Record;
use crate::sync::{Arc, Mutex};

/// A table of the base as a fork finds it.
#[derive(Clone)]
pub(crate) struct ForkPoint {
    pub(crate) registered: Registered,
    /// The commit of the base.
    pub(crate) pinned: Arc<Pinned>,
    /// The indexes and materialized aggregates at that time.
    pub(crate) catalog: Catalog,
    /// Why the fork can't open it, if it can't.
    pub(crate) failed: Option<String>,
}

/// The tables of the base that a fork has not opened yet. A fork allocates nothing for them.
pub(crate) struct Origin(Mutex<Vec<ForkPoint>>);

impl Origin {
    pub(crate) fn new(tables: Vec<ForkPoint>) -> Self {
        Origin(Mutex::new(tables))
    }

    pub(crate) fn all(&self) -> Vec<ForkPoint> {
        self.0.lock().clone()
    }

    /// The table of this name.
    ///
    /// # Errors
    /// If it can't be opened.
    pub(crate) fn find(&self, name: &str) -> Result<Option<ForkPoint>, Cause> {
        let point = self.0.lock().iter().find(|point| point.registered.table.name() == name).cloned();
        match point.as_ref().and_then(|point| point.failed.clone()) {
            Some(message) => Err(Cause::Panicked { what: "field extractor", message }),
            None => Ok(point),
        }
    }

    /// From here on a table can't be opened.
    pub(crate) fn fail(&self, name: &str, cause: &Cause) {
        let mut tables = self.0.lock();
        if let Some(point) = tables.iter_mut().find(|point| point.registered.table.name() == name) {
            point.failed = Some(cause.to_string());
        }
    }

    /// Forgets a table: it is open, or dropped. Returns whether it was there.
    pub(crate) fn forget(&self, name: &str) -> bool {
        let mut tables = self.0.lock();
        let at = tables.iter().position(|point| point.registered.table.name() == name);
        let gone = at.map(|at| tables.remove(at));
        drop(tables);
        gone.is_some()
    }
}

impl<R: Record> Table<R> {
    /// The table of a fork over this one.
    pub(crate) fn forked(self: Arc<Self>, engine: &Engine, point: &ForkPoint) -> Result<Arc<Self>, Cause> {
        let (name, schema) = (&*self.name, self.schema.clone());
        let (seed, counters) = (self.seed.clone(), engine.counters.clone());
        // Records that expire or make room for others change without a commit of the fork, so such a collection is copied.
        let bound = self.bound();
        let is_copied = self.deadlines.have_been_used() || bound.is_some();
        let base = Base::new(self.clone(), point.pinned.clone(), &point.catalog);
        if !is_copied {
            let core = TableCore::deferred(name, schema, seed, counters, point.catalog.indexes.clone());
            let table = Table::with(core, FORK_SHARDS, Some(base));
            self.deadlines.pass_lifetime_to(&table.deadlines);
            return Ok(Arc::new(table));
        }
        let defs = point.catalog.indexes.iter().map(|index| index.shape.def.clone());
        let indexes = defs.map(|def| index::index(def, &schema, seed.clone(), VALUE_SHARDS));
        let plans = base.aggregates();
        let plans = plans.iter().filter_map(|of| AggregatePlan::new(of.plan.def.clone(), &schema).ok());
        let structures = indexes.chain(plans.map(|plan| index::aggregate(plan, seed.clone()))).collect();
        let core = TableCore::new(name, schema.clone(), seed.clone(), counters, structures);
        let table = Arc::new(Table::with(core, KEY_SHARDS, None));
        self.deadlines.pass_lifetime_to(&table.deadlines);
        table.load(&self, point.pinned.at(), point.pinned.epoch())?;
        if bound.is_some() {
            table.set_bound(engine, bound)?;
        }
        Ok(table)
    }
}

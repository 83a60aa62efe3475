//! Opens the table of a fork.

use super::super::counters::Counters;
use super::super::table::{Base, Table};
use super::super::table_core::TableCore;
use super::point::BasePoint;
use super::unopened::CannotOpen;
use crate::index::{self, AggregatePlan};
use crate::limits::{FORK_SHARDS, KEY_SHARDS, VALUE_SHARDS};
use crate::sync::Arc;

impl Table {
    /// The table of a fork over this one.
    ///
    /// # Errors
    /// If it must be copied, and user code panics or the deadlines have moved since.
    pub(crate) fn forked(self: Arc<Self>, point: &BasePoint, counters: Arc<Counters>) -> Result<Arc<Self>, CannotOpen> {
        let (name, schema, seed) = (&*self.name, self.schema.clone(), self.seed.clone());
        // Records that expire or make room for others change without a commit of the fork, so such a collection is copied.
        let bound = self.bound();
        let is_copied = self.deadlines.have_been_used() || bound.is_some();
        let base = Base::new(self.clone(), point);
        if !is_copied {
            let core = TableCore::deferred(name, schema, seed, counters, point.catalog.indexes.clone());
            let table = Table::with(self.record_type, core, FORK_SHARDS, Some(base));
            self.deadlines.pass_lifetime_to(&table.deadlines);
            return Ok(Arc::new(table));
        }
        let defs = point.catalog.indexes.iter().map(|index| index.shape.def.clone());
        let indexes = defs.map(|def| index::index(def, &schema, seed.clone(), VALUE_SHARDS));
        let plans = base.aggregates();
        let plans = plans.iter().filter_map(|of| AggregatePlan::new(of.plan.def.clone(), &schema).ok());
        let structures = indexes.chain(plans.map(|plan| index::aggregate(plan, seed.clone()))).collect();
        let core = TableCore::new(name, schema.clone(), seed.clone(), counters, structures);
        let table = Arc::new(Table::with(self.record_type, core, KEY_SHARDS, None));
        self.deadlines.pass_lifetime_to(&table.deadlines);
        table.load(&self, point.at)?;
        if self.deadlines.have_slid() && !point.has_slid {
            return Err(CannotOpen::LifetimesExtended);
        }
        table.bound_new(bound)?;
        Ok(table)
    }
}

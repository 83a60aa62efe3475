//! Definitions that come and go while the collection is in use: adding and dropping indexes and materialized aggregates.

use super::build::NotBuilt;
use super::engine::Engine;
use super::table::Table;
use crate::error::{AggregateError, Cause, IndexError, SchemaError};
use crate::index::{self, AggregatePlan, Role};
use crate::limits::VALUE_SHARDS;
use crate::record::{AggregateDef, IndexDef};
use crate::sync::Arc;

impl Table {
    /// Builds an index, and lists it for readers once it is complete.
    pub(crate) fn add_index(self: &Arc<Self>, engine: &Arc<Engine>, def: IndexDef) -> Result<(), IndexError> {
        let (collection, index) = (self.name.to_string(), def.name().to_owned());
        let check = || {
            let present: Vec<IndexDef> = self.indexes().iter().map(|index| index.shape.def.clone()).collect();
            let unsound = |source| IndexError::Schema { collection: self.name.to_string(), source };
            self.schema.check_index(&def, &present).map_err(unsound)
        };
        let failed = |why| match why {
            NotBuilt::Refused(cause) => IndexError::Refused { collection, index, cause: Box::new(cause) },
            NotBuilt::Record { key, cause } => IndexError::Record { collection, index, key, cause: Box::new(cause) },
            NotBuilt::NotUnique { key, other } => IndexError::NotUnique { collection, index, key, other },
        };
        let make = || index::index(def.clone(), &self.schema, self.seed.clone(), VALUE_SHARDS);
        self.build(engine, &check, make)?.map_err(failed)
    }

    /// Builds a materialized aggregate, and lists it for readers once it is complete.
    pub(crate) fn add_aggregate(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        def: AggregateDef,
    ) -> Result<(), AggregateError> {
        let (collection, aggregate) = (self.name.to_string(), def.name().to_owned());
        let unsound = |source| {
            let source = SchemaError::aggregate(def.name(), source);
            AggregateError::Schema { collection: self.name.to_string(), source }
        };
        let check = || {
            let present: Vec<AggregateDef> = self.all_aggregates().iter().map(|of| of.plan.def.clone()).collect();
            self.schema.check_aggregate(&def, &present).map_err(unsound)
        };
        let failed = |why| match why {
            NotBuilt::Refused(cause) => AggregateError::Refused { collection, aggregate, cause: Box::new(cause) },
            NotBuilt::Record { key, cause } => {
                AggregateError::Record { collection, aggregate, key, cause: Box::new(cause) }
            }
            // An aggregate has no constraint, so it reports no clash.
            NotBuilt::NotUnique { key, other } => {
                let cause =
                    Cause::NotUnique { index: aggregate.clone(), value: String::new(), key: key.clone(), other };
                AggregateError::Record { collection, aggregate, key, cause: Box::new(cause) }
            }
        };
        let plan = AggregatePlan::new(def.clone(), &self.schema).map_err(unsound)?;
        let make = || index::aggregate(plan, self.seed.clone());
        self.build(engine, &check, make)?.map_err(failed)
    }

    /// Takes an index away, from the committer and from readers to come. Its memory goes with the last reader that uses it.
    pub(crate) fn drop_index(self: &Arc<Self>, engine: &Arc<Engine>, name: &str) -> Result<(), IndexError> {
        let (collection, index) = (self.name.to_string(), name.to_owned());
        match self.drop_structure(engine, Role::Index, name) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let known = self.indexes().iter().map(|index| index.name().to_owned()).collect();
                Err(IndexError::Unknown { collection, index, known })
            }
            Err(cause) => Err(IndexError::Refused { collection, index, cause: Box::new(cause) }),
        }
    }

    /// Takes a materialized aggregate away, likewise.
    pub(crate) fn drop_aggregate(self: &Arc<Self>, engine: &Arc<Engine>, name: &str) -> Result<(), AggregateError> {
        let (collection, aggregate) = (self.name.to_string(), name.to_owned());
        match self.drop_structure(engine, Role::Aggregate, name) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let known = self.all_aggregates().iter().map(|of| of.plan.name().to_owned()).collect();
                Err(AggregateError::Unknown { collection, aggregate, known })
            }
            Err(cause) => Err(AggregateError::Refused { collection, aggregate, cause: Box::new(cause) }),
        }
    }

    /// Returns whether there was one.
    fn drop_structure(&self, engine: &Arc<Engine>, role: Role, name: &str) -> Result<bool, Cause> {
        let guard = engine.lock_to_write()?;
        self.make_structures(engine);
        if self.writer().position(role, name).is_none() {
            return Ok(role == Role::Aggregate && self.base.as_ref().is_some_and(|base| base.drop_aggregate(name)));
        }
        let gone = self.remove(&mut self.writer(), role, name, engine.timeline.newest());
        engine.recount(self);
        drop(guard);
        // Its memory is freed outside of the lock.
        Ok(gone.is_some())
    }
}

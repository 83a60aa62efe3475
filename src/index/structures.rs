//! Creates the structures that definitions request: the only place that chooses.

use super::aggregate::{AggregatePlan, AggregateWriter};
use super::catalog::{Catalog, Listing};
use super::equality::EqualityWriter;
use super::maintain::Maintain;
use super::ordered::ordered;
use super::read::IndexHead;
use super::shape::IndexShape;
use super::unique::UniqueWriter;
use crate::hash::RandomState;
use crate::limits::VALUE_SHARDS;
use crate::record::{IndexDef, IndexKind, Schema};

/// The structures of a schema, which has been checked: its indexes, then its aggregates.
pub(crate) fn of_schema(schema: &Schema, seed: &RandomState) -> Vec<Box<dyn Maintain>> {
    let indexes = schema.indexes().into_iter().map(|def| index(def, schema, seed.clone(), VALUE_SHARDS));
    let plans = schema.aggregates().iter().filter_map(|def| AggregatePlan::new(def.clone(), schema).ok());
    indexes.chain(plans.map(|plan| aggregate(plan, seed.clone()))).collect()
}

/// The index of a definition that the schema has checked. A table by value has so many shards.
pub(crate) fn index(def: IndexDef, schema: &Schema, seed: RandomState, shards: usize) -> Box<dyn Maintain> {
    let kind = def.kind();
    let head = IndexHead::new(IndexShape::new(def, schema), seed, shards);
    match kind {
        IndexKind::Equality => Box::new(EqualityWriter::new(head)),
        IndexKind::Unique => Box::new(UniqueWriter::new(head)),
        IndexKind::Ordered => ordered(head),
    }
}

pub(crate) fn aggregate(plan: AggregatePlan, seed: RandomState) -> Box<dyn Maintain> {
    Box::new(AggregateWriter::new(plan, seed))
}

/// The catalog in which readers find these structures.
pub(crate) fn catalog<'a>(structures: impl Iterator<Item = &'a dyn Maintain>) -> Catalog {
    let mut listing = Listing::default();
    structures.for_each(|structure| structure.list(&mut listing));
    listing.finish()
}

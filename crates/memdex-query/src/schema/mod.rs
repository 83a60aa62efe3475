//! Schemas: the fields and indexes of a collection, and predicates and statistics bound to them.

mod aggregate_def;
mod bind;
pub mod bound;
mod bound_aggregate;
mod bucketer;
mod check;
mod condition;
mod constraint;
mod field_def;
mod having;
mod index_def;
mod normal_form;
mod path;
mod pattern;
#[expect(clippy::module_inception)]
mod schema;
mod source;
mod test;
mod truth;
mod undeclared;
mod values;

pub use crate::value::Collation;
pub use aggregate_def::AggregateDef;
pub use bind::{fit, operand};
pub use bound::{Bound, Bucketer, Function, Level};
pub use bound_aggregate::{BoundAggregate, overlap};
pub use bucketer::range_name;
pub use condition::Condition;
pub use constraint::{Check, OnDelete, OnUpdate, Reference};
pub use field_def::FieldDef;
pub use index_def::{FieldNames, IndexDef, IndexKind};
pub use path::{FieldAt, Path, as_kind};
pub use schema::Schema;
pub use source::FieldSource;
pub use test::Test;
pub use truth::{ThreeValued, Truth};
pub use undeclared::{by_number, number_order, order_of_all};
pub use values::Values;

//! Which fields and indexes does a collection have, and what do a predicate and a statistic mean on them?

mod aggregate_def;
mod bind;
pub mod bound;
mod bucketer;
mod condition;
mod index_def;
mod normal_form;
mod path;
mod pattern;
#[expect(clippy::module_inception)]
mod schema;
mod source;
mod test;
mod undeclared;
mod values;

pub use aggregate_def::{AggregateDef, BoundAggregate};
pub use bind::fit;
pub use bound::{Bound, Figure, Level};
pub use bucketer::{Bucketer, range_name};
pub use condition::Condition;
pub use index_def::{FieldNames, IndexDef, IndexKind};
pub use path::Path;
pub use schema::{FieldAt, FieldDef, Schema};
pub use source::FieldSource;
pub use test::Test;
pub use undeclared::order_of_all;
pub use values::Values;

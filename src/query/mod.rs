//! What can be asked? Questions as plain data, and the typed fields that make them.

mod cursor;
mod field;
mod filter;
mod order;
mod predicate;
mod question;
mod statistics;

pub use cursor::{Cursor, CursorError};
pub use field::{Field, NamedField, field};
pub use filter::Filter;
pub use order::{Direction, IntoOrder, Nulls, OrderBy};
pub use predicate::{FieldName, Predicate};
pub use question::{Ask, Paging, Query};
pub use statistics::{Aggregate, Bucket, DateUnit, GroupBy, Metric, Statistics, Top};

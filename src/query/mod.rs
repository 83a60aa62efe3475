//! What can be asked? Questions as plain data, the typed fields and the JSON that make them, and their fingerprints.

#[cfg(feature = "documents")]
mod criteria;
mod deep;
mod field;
mod filter;
mod fingerprint;
mod predicate;
mod text;

pub use field::{Field, NamedField, field};
pub use filter::Filter;
pub use fingerprint::Fingerprint;
pub use predicate::{FieldName, Predicate};
pub use text::{TextOp, TextTest};

pub(crate) use fingerprint::Fingerprinter;

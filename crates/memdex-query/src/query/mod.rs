//! Queries as plain data; the typed fields, names and JSON that build them; their fingerprints and serde forms.

mod bucket;
#[cfg(feature = "json")]
mod criteria;
mod cursor;
mod field;
mod filter;
mod fingerprint;
mod form;
mod metric;
#[cfg(feature = "serde")]
mod metric_form;
#[cfg(feature = "serde")]
mod operator;
mod order;
mod predicate;
#[cfg(feature = "serde")]
mod predicate_form;
mod question;
mod statistics;
mod target;
mod text;
mod text_methods;

pub use bucket::{Bucket, DateStep, DateUnit, Weekday};
pub use cursor::{Cursor, CursorError};
pub use field::{Field, NamedField, field};
pub use filter::Filter;
pub use fingerprint::Fingerprint;
#[cfg(feature = "serde")]
pub use form::{FORM_VERSION, FormVersionError, Versioned};
pub use metric::{Aggregate, Metric};
pub use order::{Direction, IntoOrder, Nulls, OrderBy};
pub use predicate::{FieldName, Part, Parts, Predicate};
pub use question::{Ask, Paging, Query};
pub use statistics::{GroupBy, Statistics, Top, TopHits};
pub use target::{ListField, NumberField, ValueField};
pub use text::{TextOp, TextTest};

pub use fingerprint::Fingerprinter;
pub use question::Window;

pub(crate) use form::FormVersion;

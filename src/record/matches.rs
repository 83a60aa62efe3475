//! Evaluates a predicate on one record.

use super::{Fields, Record};
use crate::error::QueryError;
use memdex_query::query::{Filter, Predicate};
use memdex_query::schema::Condition;

/// Evaluates a filter on one record, without a collection.
///
/// ```
/// use memdex::Record;
/// use memdex::query::Matches;
///
/// #[derive(Record)]
/// struct User { #[record(key)] id: u32, #[record(field)] age: u8 }
///
/// let adult = user::AGE.ge(18);
/// assert!(adult.matches(&User { id: 1, age: 30 })?);
/// assert!(!adult.matches(&User { id: 2, age: 3 })?);
/// # Ok::<(), memdex::error::QueryError>(())
/// ```
///
/// Documents and key/value records have no schema of their own, so here every filter on a field of theirs is an error.
pub trait Matches<R> {
    /// Whether the record matches, as in a query on a collection. Binds the filter to the schema of `R` at each call.
    ///
    /// # Errors
    /// [`QueryError`] if the filter does not fit the schema of `R`; not for filters from typed fields only.
    fn matches(&self, record: &R) -> Result<bool, QueryError>;
}

impl<R: Record> Matches<R> for Predicate {
    fn matches(&self, record: &R) -> Result<bool, QueryError> {
        let collection = std::any::type_name::<R>().rsplit("::").next().unwrap_or_default();
        Ok(Condition::new(collection, &R::schema(), self)?.holds(&Fields(record)))
    }
}

impl<R: Record> Matches<R> for Filter<R> {
    fn matches(&self, record: &R) -> Result<bool, QueryError> {
        self.predicate().matches(record)
    }
}

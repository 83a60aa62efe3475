//! Collections without their record type, for generic tools.

use super::batch::Batch;
use super::operation::{Action, Operation};
use crate::error::{Cause, QueryError, Refusal};
use crate::read::{Hit, QueryResult, Snapshot};
use crate::record::{Access, FieldValues, Record, Schema};
use crate::storage::Collection;
use crate::user_code;
use memdex_query::query::Query;
use memdex_query::value::Key;
use std::any::type_name;

/// A [`Collection`] without its record type. Every `Collection` is one;
/// [`Store::any_collection`](crate::Store::any_collection) finds one by name.
///
/// ```
/// use memdex::{Key, Query, Record, Store, Value, field};
/// use memdex::typing::{AnyCollection, FieldValues};
///
/// #[derive(Record)]
/// #[record(from_values)]
/// struct User { #[record(key)] id: u32, #[record(index)] city: String, #[record(field)] tags: Vec<String> }
///
/// let store = Store::new();
/// store.collection::<User>("User")?;
///
/// // From here on, nothing knows the type.
/// let users = store.any_collection("User").unwrap();
/// store.commit(|batch| {
///     users.store_values(batch, &FieldValues::new().with("id", 1).with("city", "Bern").with_each("tags", ["a", "b"]))?;
///     users.store_values(batch, &FieldValues::new().with("id", 2).with("city", "Thun"))
/// })?;
/// let page = users.query(&Query::over(["User"]).filter(field("city").eq("Bern")))?.records().unwrap();
/// assert_eq!(page[0].values_of("tags"), [Value::from("a"), Value::from("b")]);
///
/// let key = page[0].key();
/// assert_eq!(users.get(key).unwrap().value("city"), Some(Value::from("Bern")));
/// store.commit(|batch| users.delete_key(batch, key))?;
/// assert_eq!(users.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Values by field name are not the whole record: fields without an attribute, undeclared parts of documents, and the order of values
/// within nested lists are not among them. So do not read a record by [`Hit::to_values`](crate::query::Hit::to_values), change a value
/// and store the result over the record: the rest of it would be lost. Change such records through their type.
///
/// The trait is sealed: collections of memdex are its only implementations.
pub trait AnyCollection: Send + Sync + sealed::Sealed {
    /// The name of the collection.
    fn name(&self) -> &str;

    /// The schema of its records.
    fn schema(&self) -> &Schema;

    /// The Rust type of its records, as `std::any::type_name` names it.
    fn record_type(&self) -> &'static str;

    /// The number of records at the newest commit.
    fn len(&self) -> usize;

    /// Whether it has no records at the newest commit.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The record of a key at the newest commit.
    fn get(&self, key: &Key) -> Option<Hit>;

    /// Executes a query over this collection at the newest commit; see [`Store::query`](crate::Store::query), which executes queries
    /// over several.
    ///
    /// # Errors
    /// [`QueryError::UnknownCollection`] if the query names another collection; else as [`Store::query`](crate::Store::query).
    fn query(&self, query: &Query) -> Result<QueryResult, QueryError>;

    /// Adds an operation to a batch that stores the record with these values: it inserts the record or replaces the one that has its
    /// key. Fields without a value are missing in the new record, those without an attribute get their `Default`. Documents take values
    /// at any path, other records only at their fields.
    ///
    /// # Errors
    /// A [`Refusal`], and the operation is not added: the record can't be built from the values
    /// ([`Cause::NotFromValues`](crate::error::Cause::NotFromValues) if records of its type can't be), or as for
    /// [`Batch::store`].
    fn store_values(&self, batch: &mut Batch, values: &FieldValues) -> Result<(), Refusal>;

    /// Adds an operation to a batch that deletes the record of a key.
    ///
    /// # Errors
    /// As [`Batch::delete`].
    fn delete_key(&self, batch: &mut Batch, key: &Key) -> Result<(), Refusal>;
}

impl<R: Record> AnyCollection for Collection<R> {
    fn name(&self) -> &str {
        self.name()
    }

    fn schema(&self) -> &Schema {
        self.schema()
    }

    fn record_type(&self) -> &'static str {
        type_name::<R>()
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn get(&self, key: &Key) -> Option<Hit> {
        self.hit(key)
    }

    fn query(&self, query: &Query) -> Result<QueryResult, QueryError> {
        if let Some(other) = query.collections.iter().find(|name| **name != *self.name()) {
            let known = vec![self.name().to_owned()];
            return Err(QueryError::unknown_collection(other.to_string(), known));
        }
        Snapshot::new(&self.engine).query_of(self.table.clone(), query)
    }

    fn store_values(&self, batch: &mut Batch, values: &FieldValues) -> Result<(), Refusal> {
        let built = user_code::run(|| R::built_by(self.schema(), values));
        let record =
            built.unwrap_or_else(|message| Err(Cause::Panicked { what: "`from_values` of a record", message }));
        let refused = |cause| Refusal::new("store", self.name(), cause);
        let operation =
            record.map_err(refused).and_then(|record| Operation::of_record(&self.table, None, Action::Store(record)));
        batch.add(self, operation)
    }

    fn delete_key(&self, batch: &mut Batch, key: &Key) -> Result<(), Refusal> {
        batch.delete(self, key)
    }
}

mod sealed {
    pub trait Sealed {}

    impl<R: crate::record::Record> Sealed for crate::storage::Collection<R> {}
}

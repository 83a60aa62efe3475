//! Collections without their record type, for generic tools.

use super::action::Action;
use super::batch::Batch;
use super::operation::Operation;
use super::returned::PendingHits;
use crate::error::{Cause, QueryError, Refusal};
use crate::read::{Hit, QueryResult, Snapshot};
use crate::record::{Access, FieldValues, Record, Schema};
use crate::storage::Collection;
use crate::user_code;
use memdex_query::query::{Ask, Paging, Query};
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
    /// at any path, other records only at their fields. In a document, values of kinds that JSON does not have become text, as
    /// [`Document`](crate::Document) reads it.
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

    /// Adds an operation to a batch that deletes the records that a query selects, and returns them once the batch is committed: all that
    /// match its filter, or the first ones in its order if it has a limit. It sees the records as the earlier operations of the batch leave
    /// them.
    ///
    /// ```
    /// use memdex::{Query, Record, Store, Value, field};
    /// # #[derive(Record)] struct Job { #[record(key)] id: u32, #[record(ordered)] due: u32 }
    /// # let store = Store::new();
    /// # let typed = store.collection::<Job>("Job")?;
    /// # for id in 0..5 { typed.insert(Job { id, due: 10 - id })?; }
    /// let jobs = store.any_collection("Job").unwrap();
    /// let due = Query::over(["Job"]).filter(field("due").le(8)).order_by(field("due").asc()).limit(1);
    /// let mut batch = store.batch();
    /// let taken = jobs.delete_matching(&mut batch, &due)?;
    /// batch.commit()?;
    /// let taken = taken.get().unwrap();
    /// assert_eq!((taken.len(), taken[0].value("due")), (1, Some(Value::from(6))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Batch::delete_where`], and [`QueryError::WriteWithPart`](crate::error::QueryError::WriteWithPart) if the query is for
    /// statistics, skips records or counts them.
    fn delete_matching(&self, batch: &mut Batch, query: &Query) -> Result<PendingHits, Refusal>;
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
        check_name(self.name(), query)?;
        Snapshot::new(&self.engine).query_of((*self.table).clone(), query)
    }

    fn store_values(&self, batch: &mut Batch, values: &FieldValues) -> Result<(), Refusal> {
        let built = user_code::run(|| R::built_by(self.schema(), values));
        let record =
            built.unwrap_or_else(|message| Err(Cause::Panicked { what: "`from_values` of a record", message }));
        let refused = |cause| Refusal::new("store", self.name(), cause);
        let operation =
            record.map_err(refused).and_then(|record| Operation::of_record(&self.table, None, Action::store(record)));
        batch.add(self, operation)
    }

    fn delete_key(&self, batch: &mut Batch, key: &Key) -> Result<(), Refusal> {
        batch.delete(self, key)
    }

    fn delete_matching(&self, batch: &mut Batch, query: &Query) -> Result<PendingHits, Refusal> {
        let refused = |error| Refusal::new("delete_where", self.name(), error);
        let paging = deletable(self.name(), query).map_err(refused)?;
        let all = batch.matching(self, query.filter.clone()).order_by(paging.order.clone());
        let pending = if let Some(limit) = paging.limit { all.first(limit) } else { all }.delete()?;
        Ok(PendingHits::new(pending, self.clone(), paging.select))
    }
}

fn check_name(name: &str, query: &Query) -> Result<(), QueryError> {
    match query.collections.iter().find(|other| ***other != *name) {
        None => Ok(()),
        Some(other) => Err(QueryError::unknown_collection(other.to_string(), vec![name.to_owned()])),
    }
}

/// The order, the limit and the fields of a query that selects records to delete.
fn deletable(name: &str, query: &Query) -> Result<Paging, QueryError> {
    check_name(name, query)?;
    let part = |part| Err(QueryError::write_with_part(name, part));
    match &query.ask {
        Ask::Statistics(_) => part("statistics"),
        Ask::Records(Paging { page: Some(_), .. }) => part("a page number"),
        Ask::Records(Paging { after: Some(_), .. } | Paging { before: Some(_), .. }) => part("a cursor"),
        Ask::Records(Paging { around: Some(_), .. }) => part("a page around a key"),
        Ask::Records(Paging { offset: 1.., .. }) => part("an offset"),
        Ask::Records(Paging { total: true, .. } | Paging { total_up_to: Some(_), .. }) => part("a total"),
        Ask::Records(paging) => Ok(paging.clone()),
    }
}

mod sealed {
    use crate::write::batch::Batch;
    use std::any::Any;

    pub trait Sealed {
        #[doc(hidden)]
        fn new_batch(&self) -> Batch;

        #[doc(hidden)]
        fn as_any(&self) -> &dyn Any;
    }

    impl<R: crate::record::Record> Sealed for crate::storage::Collection<R> {
        fn new_batch(&self) -> Batch {
            Batch::new(self.engine.clone())
        }

        fn as_any(&self) -> &dyn Any {
            self
        }
    }
}

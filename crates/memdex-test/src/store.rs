//! Collections of memdex as a repository.

use crate::model::Summary;
use crate::operation::{Operation, Outcome, RefusalKind};
use crate::repository::Repository;
use crate::row::{Row, RowKey};
use crate::strategy::{Domain, Form};
use memdex::error::{Cause, CollectionError, Refusal};
use memdex::query::{Ask, Predicate, QueryResult};
use memdex::write::Refused;
use memdex::{Batch, Collection, FieldDef, Key, KeyValue, Query, Record, Schema, Store, Value, field};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Collections of a [`Store`] as a [`Repository`]: the reference backend of a suite, and a way to test a store against the model.
///
/// ```
/// use memdex::{Record, Store};
/// use memdex_test::{Domain, Form, Machine, StoreRepository, Workload};
///
/// #[derive(Clone, Debug, Record)]
/// #[record(from_values)]
/// struct User { #[record(key)] id: u8, #[record(unique)] email: String, #[record(ordered)] age: Option<u8> }
///
/// let machine = Machine::new(Workload::new([Domain::of::<User>("User")?]));
/// machine.check(|| {
///     let store = Store::new();
///     let users = store.collection::<User>("User").unwrap();
///     StoreRepository::new(store).with(users, Form::of())
/// }).unwrap();
/// # Ok::<(), memdex_test::DomainError>(())
/// ```
///
/// An update builds the record from its values, so fields without an attribute get their defaults.
pub struct StoreRepository {
    store: Store,
    collections: BTreeMap<String, Box<dyn Held>>,
}

impl StoreRepository {
    /// A repository without collections.
    pub fn new(store: Store) -> Self {
        StoreRepository { store, collections: BTreeMap::new() }
    }

    /// Key/value collections for the domains, in a new store.
    ///
    /// # Errors
    /// As [`Store::key_values`].
    pub fn key_values<'a>(domains: impl IntoIterator<Item = &'a Domain>) -> Result<Self, CollectionError> {
        let store = Store::new();
        domains.into_iter().try_fold(StoreRepository::new(store.clone()), |repository, domain| {
            let collection = store.key_values::<()>(domain.name(), domain.schema().clone())?;
            Ok(repository.with(collection, Form::<KeyValue<()>>::key_values(domain.schema().clone())))
        })
    }

    /// Adds a collection of the store.
    #[must_use]
    pub fn with<R: Record + Clone>(mut self, collection: Collection<R>, form: Form<R>) -> Self {
        let name = collection.name().to_owned();
        let keys = Keys::new(collection.schema());
        self.collections.insert(name, Box::new(Typed { collection, form: Arc::new(form), keys }));
        self
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    fn walk(&self, query: &Query) -> Outcome {
        let (mut rows, mut query) = (Vec::new(), query.clone());
        loop {
            match self.store.query(&query) {
                Ok(QueryResult::Records(page)) => {
                    rows.extend(page.iter().map(|hit| Row::from(&hit.to_values())));
                    match page.next {
                        Some(next) => query = query.after(next).offset(0),
                        None => return Outcome::records(rows),
                    }
                }
                Ok(_) => return Outcome::Unsupported,
                Err(error) => return Outcome::Failed(error.to_string()),
            }
        }
    }

    fn find(&self, query: &Query) -> Outcome {
        match (self.store.query(query), &query.ask) {
            (Ok(QueryResult::Records(page)), _) => {
                let rows = page.iter().map(|hit| Row::from(&hit.to_values())).collect();
                Outcome::Records { rows, total: page.total }
            }
            (Ok(QueryResult::Aggregation(result)), Ask::Statistics(requested)) => {
                Outcome::Summary(Summary::of(&result.values, requested))
            }
            (Ok(_), _) => Outcome::Unsupported,
            (Err(error), _) => Outcome::Failed(error.to_string()),
        }
    }
}

impl Repository for StoreRepository {
    fn apply(&self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Find(query) => self.find(query),
            Operation::Walk(query) => self.walk(query),
            Operation::Get { collection, key } => match self.collections.get(&**collection) {
                Some(held) => match self.store.query(&Query::over([collection.clone()]).filter(held.key_filter(key))) {
                    Ok(result) => {
                        let found = result.records().and_then(|page| page.iter().next().map(|hit| hit.to_values()));
                        Outcome::Record(found.as_ref().map(Row::from))
                    }
                    Err(error) => Outcome::Failed(error.to_string()),
                },
                None => Outcome::Unsupported,
            },
            Operation::DeleteWhere(query) => {
                let held = query.collections.first().and_then(|name| self.collections.get(&**name));
                held.map_or(Outcome::Unsupported, |held| held.delete_where(query))
            }
            Operation::Call { .. } => Outcome::Unsupported,
            Operation::Batch(operations) => match self.commit(operations) {
                Outcome::Number(_) => Outcome::Done,
                outcome => outcome,
            },
            single => self.commit(std::slice::from_ref(single)),
        }
    }
}

impl StoreRepository {
    fn commit(&self, operations: &[Operation]) -> Outcome {
        let mut batch = self.store.batch();
        let reported = Arc::new(Mutex::new(None));
        for operation in operations {
            let Some(held) = collection_of(operation).and_then(|name| self.collections.get(name)) else {
                return Outcome::Unsupported;
            };
            match held.stage(&mut batch, operation, &reported) {
                Ok(true) => {}
                Ok(false) => return Outcome::Unsupported,
                Err(why) => return Outcome::Refused(why),
            }
        }
        match batch.commit() {
            Ok(receipt) => match (operations, reported.lock().unwrap_or_else(PoisonError::into_inner).take()) {
                ([Operation::Delete { .. }], _) => Outcome::Number(receipt.counts.deleted as i64),
                ([_], Some(number)) => Outcome::Number(number),
                _ => Outcome::Done,
            },
            Err(refused) => refused_outcome(&refused),
        }
    }
}

impl fmt::Debug for StoreRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreRepository").field("collections", &self.collections.keys()).finish_non_exhaustive()
    }
}

fn collection_of(operation: &Operation) -> Option<&str> {
    match operation {
        Operation::Insert { collection, .. }
        | Operation::Store { collection, .. }
        | Operation::Update { collection, .. }
        | Operation::Add { collection, .. }
        | Operation::Delete { collection, .. } => Some(collection),
        _ => None,
    }
}

/// The number that an `add` reports.
type Reported = Arc<Mutex<Option<i64>>>;

/// A collection without its record type.
trait Held: Send + Sync {
    fn key_filter(&self, key: &RowKey) -> Predicate;
    /// Adds an operation to a batch; false if there is no such operation.
    fn stage(&self, batch: &mut Batch, operation: &Operation, reported: &Reported) -> Result<bool, RefusalKind>;
    fn delete_where(&self, query: &Query) -> Outcome;
}

struct Typed<R: Record> {
    collection: Collection<R>,
    form: Arc<Form<R>>,
    keys: Keys,
}

impl<R: Record + Clone> Held for Typed<R> {
    fn key_filter(&self, key: &RowKey) -> Predicate {
        let parts = self.collection.schema().fields().iter().filter(|field| field.is_key()).zip(key);
        Predicate::all_of(parts.map(|(part, value)| field(part.name().to_owned()).eq(value.clone())))
    }

    fn stage(&self, batch: &mut Batch, operation: &Operation, reported: &Reported) -> Result<bool, RefusalKind> {
        let build = |row: &Row| self.form.build(&row.to_values()).map_err(|_| RefusalKind::Invalid);
        let staged = match operation {
            Operation::Insert { row, .. } => batch.insert(&self.collection, build(row)?),
            Operation::Store { row, .. } => batch.store(&self.collection, build(row)?),
            Operation::Delete { key, .. } => batch.delete(&self.collection, &self.keys.find(key)?),
            Operation::Update { key, set, .. } => {
                let set = set.clone();
                self.update(batch, key, move |row| {
                    set.iter().for_each(|(name, values)| row.set(name.clone(), values.iter().cloned()));
                    Ok(())
                })?
            }
            Operation::Add { key, field, by, .. } => {
                let (field, by, reported) = (field.clone(), *by, reported.clone());
                self.update(batch, key, move |row| {
                    let value = row.one(&field).and_then(Value::as_i64).ok_or(RefusalKind::Missing)?;
                    let sum = value.checked_add(by).ok_or(RefusalKind::Invalid)?;
                    row.set(field.clone(), [sum]);
                    *reported.lock().unwrap_or_else(PoisonError::into_inner) = Some(sum);
                    Ok(())
                })?
            }
            _ => return Ok(false),
        };
        staged.map(|()| true).map_err(|refusal| kind_of(&refusal))
    }

    fn delete_where(&self, query: &Query) -> Outcome {
        let Ask::Records(paging) = &query.ask else { return Outcome::Unsupported };
        let matching = self.collection.matching(query.filter.clone()).order_by(paging.order.clone());
        let matching = if let Some(limit) = paging.limit { matching.first(limit) } else { matching };
        match matching.delete() {
            Ok(changes) => Outcome::Number(changes.records.len() as i64),
            Err(refused) => refused_outcome(&refused),
        }
    }
}

impl<R: Record + Clone> Typed<R> {
    fn update(
        &self,
        batch: &mut Batch,
        key: &RowKey,
        change: impl Fn(&mut Row) -> Result<(), RefusalKind> + Send + 'static,
    ) -> Result<Result<(), Refusal>, RefusalKind> {
        let (form, parts) = (self.form.clone(), key.clone());
        let names: Vec<String> = self
            .collection
            .schema()
            .fields()
            .iter()
            .filter(|field| field.is_key())
            .map(|f| f.name().to_owned())
            .collect();
        let key = self.keys.find(key)?;
        Ok(batch.update(&self.collection, &key, move |record: &mut R| {
            let mut row = form.read(record);
            for (name, part) in names.iter().zip(&parts) {
                row.set(name.clone(), [part.clone()]);
            }
            change(&mut row)?;
            *record = form.build(&row.to_values()).map_err(|_| RefusalKind::Invalid)?;
            Ok::<(), Box<dyn Error + Send + Sync>>(())
        }))
    }
}

fn refused_outcome(refused: &Refused) -> Outcome {
    match refused.cause() {
        Cause::Hook(error) => Outcome::Failed(error.to_string()),
        _ => Outcome::Refused(kind_of(refused.refusal())),
    }
}

fn kind_of(refusal: &Refusal) -> RefusalKind {
    match refusal.cause() {
        Cause::KeyExists | Cause::NotUnique { .. } => RefusalKind::Duplicate,
        Cause::KeyMissing => RefusalKind::Missing,
        Cause::Closure(error) => error.downcast_ref::<RefusalKind>().copied().unwrap_or(RefusalKind::Rule),
        _ => RefusalKind::Invalid,
    }
}

/// Makes keys of their parts: a store of its own stores a record with each key, and shows the key.
struct Keys {
    records: Collection<KeyValue<()>>,
}

impl Keys {
    fn new(schema: &Schema) -> Self {
        let parts = schema.fields().iter().filter(|field| field.is_key());
        let parts = parts.map(|field| FieldDef::new(field.name().to_owned(), field.kind()).key());
        let records = Store::new().key_values("keys", Schema::new(parts)).expect("the key fields of a schema are one");
        Keys { records }
    }

    fn find(&self, key: &RowKey) -> Result<Key, RefusalKind> {
        if let Some(known) = self.records.get(key.as_slice()) {
            return Ok(known.key().clone());
        }
        self.records.store(KeyValue::new(key.as_slice(), ())).map_err(|_| RefusalKind::Missing)?;
        self.records.get(key.as_slice()).map(|record| record.key().clone()).ok_or(RefusalKind::Missing)
    }
}

//! Why a write was refused.

#[cfg(feature = "documents")]
use super::DocumentError;
use super::now::Now;
use super::{Commit, KeyError, QueryError};
use crate::user_code;
use memdex_query::error::{Conflict, Failure, FieldError};
use memdex_query::value::{Key, Kind, Timestamp, Value};
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Why an operation, and with it its batch, was refused. Nothing of the batch was applied.
///
/// ```
/// use memdex::{Record, Store};
/// use memdex::error::Cause;
///
/// #[derive(Clone, Record)]
/// struct User { #[record(key)] id: u32 }
///
/// let users = Store::new().collection::<User>("User")?;
/// users.insert(User { id: 1 })?;
/// match users.insert(User { id: 1 }) {
///     Err(refused) if matches!(refused.cause(), Cause::KeyExists) => {}
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// An insert found a record with its key.
    #[error("a record with this key exists: use store to replace it, or upsert to change it")]
    KeyExists,
    /// An update found no record with its key.
    #[error("no record has this key: use store or upsert to create it")]
    KeyMissing,
    /// The closure of an update changed the key.
    #[error("the closure changed the key to {to:?}: use rekey to move a record to another key")]
    #[non_exhaustive]
    KeyChanged {
        /// The new key.
        to: Key,
    },
    /// The closure of a `rekey` did not give the record its new key.
    #[error(
        "rekey moves the record to the key {expected:?}, but the closure left it with {found:?}: set the key in the closure"
    )]
    #[non_exhaustive]
    NotRekeyed {
        /// The new key.
        expected: Key,
        /// The key of the record after the closure.
        found: Key,
    },
    /// The record has changed since the caller read it.
    #[error("the caller read this record as commit {seen} wrote it, but {}: read it again", Now(*now))]
    #[non_exhaustive]
    Stale {
        /// The commit that the caller passed to `if_unchanged`.
        seen: Commit,
        /// The commit that wrote the current record; `None` if there is no record.
        now: Option<Commit>,
    },
    /// A lifetime ends before the commit: the record would never be there.
    #[error(
        "its lifetime ends at {deadline}, and the commit's time is {now}: give it a later deadline, or delete the record"
    )]
    #[non_exhaustive]
    Expired {
        /// The end of the lifetime.
        deadline: Timestamp,
        /// The time of the commit.
        now: Timestamp,
    },
    /// A field that holds no single timestamps can't have deadlines.
    #[error(
        "field {field:?} can't hold deadlines: {}",
        match kind {
            None => "the schema has no such field".to_owned(),
            Some((_, true)) => "it has many values, and a record has one deadline".to_owned(),
            Some((kind, false)) => format!("it is of kind {kind}, and a deadline is a timestamp"),
        }
    )]
    #[non_exhaustive]
    NotADeadline {
        /// The field.
        field: String,
        /// The kind of its values, and whether it has many; `None` if there is no such field.
        kind: Option<(Kind, bool)>,
    },
    /// A default lifetime of less than a microsecond.
    #[error(
        "records can't have a lifetime of less than a microsecond: use a longer one, or `DefaultLifetime::Forever`"
    )]
    NoLifetime,
    /// A [`Bound`](crate::write::Bound) of 0.
    #[error("a bound of 0 leaves no record in the collection: use a bound of 1 or more, or `clear`")]
    ZeroBound,
    /// A bound of weight for records that have none.
    #[error(
        "a bound of weight needs the weights of the records: mark a field with #[record(weight)], or give the bound a closure with `weigh`"
    )]
    NoWeight,
    /// A field that holds no single integers can't have weights.
    #[error(
        "field {field:?} can't hold weights: {}",
        if *is_many { "it has many values, and a record has one weight".to_owned() } else { format!("it is of kind {kind}, and a weight is an integer") }
    )]
    #[non_exhaustive]
    NotAWeight {
        /// The field.
        field: String,
        /// The kind of its values.
        kind: Kind,
        /// Whether it has many values.
        is_many: bool,
    },
    /// A record is heavier than the [`Bound`](crate::write::Bound) of the collection.
    #[error(
        "the record weighs {weight}, and the collection has a bound of {limit}: raise the bound, or split the record"
    )]
    #[non_exhaustive]
    TooHeavy {
        /// The weight of the record.
        weight: u64,
        /// The bound.
        limit: u64,
    },
    /// The records that a batch writes do not fit into the [`Bound`](crate::write::Bound) of the collection, whatever leaves it.
    #[error(
        "the batch writes {written} {unit}, and {protected} are protected, but the collection has a bound of {limit}: commit smaller \
         batches, raise the bound, or protect fewer records"
    )]
    #[non_exhaustive]
    BeyondBound {
        /// What is counted: `records`, or `units of weight`.
        unit: &'static str,
        /// Those that the batch writes.
        written: u64,
        /// Those that can't be evicted, without the ones that the batch writes.
        protected: u64,
        /// The bound.
        limit: u64,
    },
    /// The key is invalid.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The filter does not fit the collection's schema.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// An indexed value is longer than [`limits::MAX_INDEXED_BYTES`](crate::limits::MAX_INDEXED_BYTES).
    #[error("indexed field {field:?} takes {bytes} bytes, the limit is {limit}: shorten it, or drop the index")]
    #[non_exhaustive]
    ValueTooLong {
        /// The field.
        field: String,
        /// The size of the value.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A field of many values holds more than [`limits::MAX_FIELD_VALUES`](crate::limits::MAX_FIELD_VALUES).
    #[error("indexed field {field:?} holds {values} values, the limit is {limit}: split the record, or drop the index")]
    #[non_exhaustive]
    TooManyValues {
        /// The field.
        field: String,
        /// The number of its values.
        values: usize,
        /// The limit.
        limit: usize,
    },
    /// A field with an ordered index is NaN, and is not [`nan_last`](crate::FieldDef::nan_last).
    #[error(
        "field {field:?} is not a number (NaN), which the ordered index {index:?} accepts only if the field is declared `nan_last`: store \
         a missing value instead, or declare it so"
    )]
    #[non_exhaustive]
    NotANumber {
        /// The field.
        field: String,
        /// The index.
        index: String,
    },
    /// Two records would have the same values in a unique index.
    #[error("unique index {index:?}: {value} would belong to {key:?} and to {other:?}")]
    #[non_exhaustive]
    NotUnique {
        /// The index.
        index: String,
        /// The value; a tuple if the index has several fields.
        value: String,
        /// The key of one record.
        key: Key,
        /// The key of the other record.
        other: Key,
    },
    /// A check of the schema is false for the record.
    #[error("the record violates check {constraint:?}, which is {condition}: change the record, or the check")]
    #[non_exhaustive]
    CheckFailed {
        /// The name of the check.
        constraint: String,
        /// Its condition.
        condition: String,
    },
    /// The record refers to one that does not exist, or has expired.
    #[error(
        "reference {constraint:?}: no record of {collection:?} has the key {key:?}: add it in the same batch or before, or leave the \
         reference out"
    )]
    #[non_exhaustive]
    ParentMissing {
        /// The name of the reference.
        constraint: String,
        /// The collection to which it refers.
        collection: String,
        /// The key of the missing record.
        key: Key,
    },
    /// The commit would delete a record, or move it to another key, to which another one still refers.
    #[error(
        "reference {constraint:?}: record {key:?} of {collection:?} still refers to this one: delete or change it in the same batch, or \
         declare what the reference does on delete and on update"
    )]
    #[non_exhaustive]
    StillReferred {
        /// The name of the reference.
        constraint: String,
        /// The collection of the record that refers to this one.
        collection: String,
        /// The key of that record.
        key: Key,
    },
    /// References change more records than [`limits::MAX_CASCADED`](crate::limits::MAX_CASCADED) in one commit.
    #[error(
        "references change more than {limit} other records in this commit, which is the limit: delete those in smaller commits first"
    )]
    #[non_exhaustive]
    TooManyCascaded {
        /// The limit.
        limit: usize,
    },
    /// Others refer to the records of the collection, so it can't be dropped, have a bound, or have lifetimes as long as one of the references
    /// restricts deletions.
    #[error("reference {constraint:?} of {collection:?} refers to these records: {what}")]
    #[non_exhaustive]
    IsReferredTo {
        /// The name of the reference.
        constraint: String,
        /// The collection with the reference.
        collection: String,
        /// What to do.
        what: &'static str,
    },
    /// A hand-written [`Record`](crate::Record) returned a value whose kind differs from its schema.
    #[error("field {field:?} is of kind {expected}, but its value is {given:?}: fix the schema or the extractor")]
    #[non_exhaustive]
    WrongKind {
        /// The field.
        field: String,
        /// The kind in the schema.
        expected: Kind,
        /// The value.
        given: Value,
    },
    /// A declared field of a document or a key/value record holds a value of another kind.
    #[error(
        "field {field:?} is declared {expected}, but the record has {found}: fix the record, or declare the field with \
         skip_conflicts"
    )]
    #[non_exhaustive]
    Conflict {
        /// The field.
        field: String,
        /// The declaration in the schema.
        expected: String,
        /// The value in the record.
        found: String,
    },
    /// A field that the schema requires is missing.
    #[error("field {field:?} is required, but missing: add it, or declare the field without required")]
    #[non_exhaustive]
    MissingField {
        /// The field.
        field: String,
    },
    /// A key/value record, or a record given as values, has a field that the schema does not declare.
    #[error("the schema declares no field {field:?} that a record may set; it declares {}", known.join(", "))]
    #[non_exhaustive]
    UndeclaredField {
        /// The name.
        field: String,
        /// The fields that exist.
        known: Vec<String>,
    },
    /// A value given for a field of a Rust type is not one of that type.
    #[error("field {field:?} is a {expected}, which can't be {found}")]
    #[non_exhaustive]
    DoesNotFit {
        /// The field.
        field: String,
        /// The Rust type.
        expected: &'static str,
        /// The value, or the values.
        found: String,
    },
    /// A command that changes one field, such as [`increment`](crate::Collection::increment), can't change this one.
    #[error("field {field:?} {error}")]
    #[non_exhaustive]
    Field {
        /// The field.
        field: String,
        /// What is wrong.
        error: FieldError,
    },
    /// The records of the collection can't be built from values by field name.
    #[error("{record} can't be built from values: put #[record(from_values)] on it, or implement Record::from_values")]
    #[non_exhaustive]
    NotFromValues {
        /// The Rust type of the record, or of a struct nested in it.
        record: &'static str,
    },
    /// The JSON is not a valid document, or not a valid patch of one.
    #[cfg(feature = "documents")]
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// An earlier edit of the operation failed, so its record and its key may differ.
    #[error("an earlier edit of this operation failed: edit it again, or remove it")]
    HalfEdited,
    /// The caller's closure returned an error.
    #[error("{0}")]
    Closure(Box<dyn Error + Send + Sync>),
    /// In a [lenient](crate::Batch::commit_lenient) commit, earlier operations on the same record were left out one after the other, so that
    /// the closure of this one would have to run a third time, or an operation without a closure too often. Or the operation changes the
    /// first records in an order, and an earlier one was left out, so that others might be the first. Or it changes a key, and an earlier
    /// one on one of the two keys was left out.
    #[error(
        "earlier operations on which this one depends were left out, and it was not tried again without the last of them: commit it again"
    )]
    DependsOnLeftOut,
    /// [`Batch::get`](crate::Batch::get): an operation of the batch changes the first records in an order, and only the commit decides
    /// whether this record is one of them.
    #[error(
        "only the commit decides which records come first: commit the batch, then read the changes that this operation returns"
    )]
    DecidedAtCommit,
    /// A subscription for which [writers wait](crate::hook::SubscriptionBuilder::writers_wait) had no room for the batch in time.
    #[error(
        "subscription {subscription:?} had no room for the batch within {waited:?}: its queue has {queued} of {limit} {unit}; read it \
         faster, raise its limit, or let it miss commits"
    )]
    #[non_exhaustive]
    SubscriptionFull {
        /// The name of the subscription.
        subscription: String,
        /// How long the batch has waited.
        waited: Duration,
        /// Which limit leaves no room: `operations` or `bytes`.
        unit: &'static str,
        /// How many of them are in the queue or reserved for other commits.
        queued: usize,
        /// The limit.
        limit: usize,
    },
    /// A [`CommitHook`](crate::hook::CommitHook) refused the batch.
    #[error("a commit hook refused the batch: {0}")]
    Hook(Box<dyn Error + Send + Sync>),
    /// The caller's code panicked.
    #[error("the {what} panicked: {message}")]
    #[non_exhaustive]
    Panicked {
        /// Which code: `update closure`, `key extractor`, `field extractor` …
        what: &'static str,
        /// The message of the panic.
        message: String,
    },
    /// The write was tried from inside an update closure, an extractor, an observer or `get_with`. No store can be written there.
    #[error(
        "writes don't work inside a closure, an extractor or an observer: write after it has returned; reads work there"
    )]
    InsideUserCode,
    /// A fault plan has failed the operation.
    #[error(
        "injected by rule {rule:?} of the fault plan: {failure}; handle it as the failure that it imitates, or change the plan"
    )]
    #[non_exhaustive]
    Injected {
        /// The rule.
        rule: String,
        /// The failure that it imitates.
        failure: Failure,
    },
    /// A value, a record or a batch exceeds a limit of the store's strictness.
    #[error("{what} has {size} {unit}, the store allows {limit}: make it smaller, or raise the limit")]
    #[non_exhaustive]
    BeyondLimit {
        /// What exceeds the limit: `the batch`, `the record`, `field "note"`.
        what: String,
        /// Its size.
        size: usize,
        /// The unit of the size: `operations` or `bytes`.
        unit: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The collection belongs to another store.
    #[error("the collection belongs to another store: open it on this one")]
    OtherStore,
    /// [`Store::drop_collection`](crate::Store::drop_collection) has dropped the collection.
    #[error("the collection was dropped: open it again by its name, which makes a new one")]
    CollectionDropped,
    /// The batch is full.
    #[error("the batch holds {limit} operations, which is the limit: commit it and start another")]
    #[non_exhaustive]
    BatchFull {
        /// The limit.
        limit: usize,
    },
    /// The collection is full.
    #[error("the collection holds {limit} rows, which is the limit: delete records, or spread them over collections")]
    #[non_exhaustive]
    CollectionFull {
        /// The limit.
        limit: usize,
    },
    /// The store is poisoned: an earlier commit failed because of a bug in memdex. It refuses writes; reads work.
    #[error(
        "the store refuses writes because an earlier commit failed: {why}; reads work, so copy the data into another store"
    )]
    #[non_exhaustive]
    Poisoned {
        /// What failed.
        why: String,
    },
}

impl From<Conflict> for Cause {
    fn from(Conflict { field, expected, found }: Conflict) -> Self {
        Cause::Conflict { field, expected, found }
    }
}

/// Which operation was refused, and why.
///
/// [`Refused`](crate::write::Refused) is a refusal with the batch.
#[derive(Debug)]
pub struct Refusal {
    inner: Box<Details>,
}

#[derive(Debug)]
struct Details {
    position: Option<usize>,
    operation: &'static str,
    collection: String,
    key: Option<Key>,
    injected: bool,
    cause: Cause,
    /// The violated constraint, if the cause does not name it.
    constraint: Option<String>,
}

impl Refusal {
    pub(crate) fn new(operation: &'static str, collection: &str, cause: impl Into<Cause>) -> Self {
        let collection = collection.to_owned();
        let cause = cause.into();
        let injected = matches!(&cause, Cause::Injected { .. } | Cause::Query(QueryError::Injected { .. }));
        let (position, key, constraint) = (None, None, None);
        Refusal { inner: Box::new(Details { position, operation, collection, key, injected, cause, constraint }) }
    }

    pub(crate) fn of_batch(cause: impl Into<Cause>) -> Self {
        Refusal::new("commit", "", cause)
    }

    pub(crate) fn with_key(mut self, key: &Key) -> Self {
        self.inner.key = Some(key.clone());
        self
    }

    /// Names the violated constraint.
    pub(crate) fn violating(mut self, constraint: String) -> Self {
        self.inner.constraint = Some(constraint);
        self
    }

    pub(super) fn given_constraint(&self) -> Option<&str> {
        self.inner.constraint.as_deref()
    }

    /// Without a position: the operation is in no batch that the user knows of.
    pub(crate) fn without_position(mut self) -> Self {
        self.inner.position = None;
        self
    }

    /// The cause is a real one, but a fault plan has forced it.
    #[cfg(feature = "testing")]
    pub(crate) fn forced(mut self) -> Self {
        self.inner.injected = true;
        self
    }

    pub(crate) fn at(mut self, position: usize) -> Self {
        self.inner.position = Some(position);
        self
    }

    /// A refusal for a reason of yours: return it from the closure of [`Store::commit`](crate::Store::commit) to roll the batch
    /// back.
    ///
    /// ```
    /// # use memdex::Store;
    /// # use memdex::error::Refusal;
    /// let refused = Store::new().commit(|_| Err(Refusal::because("the till is closed"))).unwrap_err();
    /// assert!(refused.to_string().contains("the till is closed"));
    /// ```
    pub fn because(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Refusal::of_batch(Cause::Closure(error.into()))
    }

    /// The position of the operation in its batch, counted from 0. `None` for a command on a collection, or if no single operation
    /// is at fault.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        self.inner.position
    }

    /// The command: `store`, `insert`, `update` …; `commit` if no single operation is at fault.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.inner.operation
    }

    /// The name of the collection; empty if no single operation is at fault.
    #[must_use]
    pub fn collection(&self) -> &str {
        &self.inner.collection
    }

    /// The key of the record, if it is known.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.inner.key.as_ref()
    }

    /// Whether a fault plan has injected it: [`Cause::Injected`], or a forced [`Cause::Stale`].
    #[must_use]
    pub fn is_injected(&self) -> bool {
        self.inner.injected
    }

    /// The cause.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.inner.cause
    }
}

impl Drop for Refusal {
    /// The error of a closure or of a hook is the user's.
    fn drop(&mut self) {
        user_code::drop_while_unwinding(|| std::mem::replace(&mut self.inner.cause, Cause::HalfEdited));
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { position, operation, collection, key, cause, .. } = &*self.inner;
        f.write_str(operation)?;
        if let Some(key) = key {
            write!(f, " of {key:?}")?;
        }
        if !collection.is_empty() {
            write!(f, " in {collection:?}")?;
        }
        if let Some(position) = position {
            write!(f, " (operation {position} of the batch)")?;
        }
        write!(f, " refused: {cause}")
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.inner.cause {
            Cause::Closure(error) | Cause::Hook(error) => Some(&**error),
            Cause::Query(error) => Some(error),
            _ => None,
        }
    }
}

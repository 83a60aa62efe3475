//! How the records of one type are written and read.

use super::codec::{decode, encode};
use super::document::{decode_document, encode_document};
use super::error::SaveError;
use super::head::{Encoding, RecordKind};
use super::probe::fields_of;
use crate::clock::Timestamp;
use crate::error::{AggregateError, Cause, CollectionError, IndexError, Refusal};
use crate::limits::{MAX_SAVED_BLOCK_BYTES, SAVED_BLOCK_BYTES, SAVED_BLOCK_RECORDS};
use crate::read::Snapshot;
use crate::record::{AggregateDef, Document, FieldValues, IndexDef, KeyValue, Record, Schema};
use crate::storage::{Collection, Table, TableOf};
use crate::store::Store;
use crate::sync::Arc;
use crate::user_code;
use crate::write::{Batch, DefaultLifetime, Lifetime};
use memdex_query::value::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::type_name;

/// Takes the content of a block, and the number of its records.
pub(super) type Sink<'a> = dyn FnMut(&[u8], usize) -> Result<(), SaveError> + 'a;

/// What an archive says of a collection.
#[derive(Clone)]
pub(super) enum Declared {
    As(Arc<dyn Form>),
    Undeclared,
    LeftOut,
}

/// The form of the records of a collection, without their type.
pub(super) trait Form: Send + Sync {
    fn record_type(&self) -> &'static str;
    fn kind(&self) -> RecordKind;
    fn encoding(&self) -> Encoding;
    fn fields(&self) -> Vec<String>;
    /// Passes the records of the table to `sink`, block by block.
    fn save(&self, snapshot: &Snapshot, table: Arc<Table>, sink: &mut Sink<'_>) -> Result<(), SaveError>;
    /// Opens the collection: with the program's schema, or if there is none with the saved one.
    fn open(&self, store: &Store, name: &str, saved: &Schema) -> Result<Box<dyn Loading>, CollectionError>;
}

/// A collection that is being loaded.
pub(super) trait Loading {
    fn schema(&self) -> &Schema;
    fn add_index(&self, index: IndexDef) -> Result<(), IndexError>;
    fn drop_index(&self, name: &str) -> Result<(), IndexError>;
    fn add_aggregate(&self, aggregate: AggregateDef) -> Result<(), AggregateError>;
    fn drop_aggregate(&self, name: &str) -> Result<(), AggregateError>;
    fn set_default_lifetime(&self, lifetime: DefaultLifetime) -> Result<(), Refusal>;
    /// Inserts the records of a block, and returns how many there are, with those that have expired at `now` and so are left out.
    fn insert(&self, store: &Store, content: &[u8], encoding: Encoding, now: Timestamp) -> Result<u64, NotInserted>;
}

/// Why a block was not inserted.
pub(super) enum NotInserted {
    /// The record at this place of the content can't be read.
    Record(usize, String),
    Refused(Refusal),
}

type Encode<R> = fn(&R, Encoding, &mut Vec<u8>) -> Result<(), String>;
type Decode<R> = fn(&mut &[u8], Encoding) -> Result<R, String>;
type Open<R> = Box<dyn Fn(&Store, &str, &Schema) -> Result<Collection<R>, CollectionError> + Send + Sync>;

struct FormOf<R: Record> {
    kind: RecordKind,
    encoding: Encoding,
    fields: Vec<String>,
    encode: Encode<R>,
    decode: Decode<R>,
    /// Whether the code of the user writes and reads the records.
    is_by_user: bool,
    open: Open<R>,
}

/// The form of a Rust type.
pub(super) fn of_type<R: Record + Serialize + DeserializeOwned>(encoding: Encoding) -> Arc<dyn Form> {
    Arc::new(FormOf::<R> {
        kind: RecordKind::Typed,
        encoding,
        fields: if encoding == Encoding::Binary { fields_of::<R>() } else { Vec::new() },
        encode: encode_as,
        decode: decode_as,
        is_by_user: true,
        open: Box::new(|store, name, _| store.collection(name)),
    })
}

/// The form of documents.
pub(super) fn of_documents(schema: Option<Schema>) -> Arc<dyn Form> {
    Arc::new(FormOf::<Document> {
        kind: RecordKind::Document,
        encoding: Encoding::Binary,
        fields: Vec::new(),
        encode: |document, _, to| encode_document(document, to),
        decode: |from, _| decode_document(from),
        is_by_user: false,
        open: Box::new(move |store, name, saved| store.documents(name, schema.as_ref().unwrap_or(saved).clone())),
    })
}

/// The form of key/value records.
pub(super) fn of_key_values<V>(schema: Option<Schema>, encoding: Encoding) -> Arc<dyn Form>
where
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    Arc::new(FormOf::<KeyValue<V>> {
        kind: RecordKind::KeyValue,
        encoding,
        fields: if encoding == Encoding::Binary { fields_of::<V>() } else { Vec::new() },
        encode: |record, encoding, to| {
            let (key, value, fields) = record.parts();
            encode(key, to)?;
            encode(&fields.iter().collect::<Vec<(&str, &Value)>>(), to)?;
            encode_as(value, encoding, to)
        },
        decode: |from, encoding| {
            let key: Vec<Value> = decode(from)?;
            let fields: Vec<(String, Value)> = decode(from)?;
            Ok(KeyValue::from_parts(key, decode_as(from, encoding)?, FieldValues::from_iter(fields)))
        },
        is_by_user: true,
        open: Box::new(move |store, name, saved| store.key_values(name, schema.as_ref().unwrap_or(saved).clone())),
    })
}

fn encode_as<T: Serialize>(value: &T, encoding: Encoding, to: &mut Vec<u8>) -> Result<(), String> {
    match encoding {
        Encoding::Binary => encode(value, to),
        Encoding::Json => encode(&serde_json::to_string(value).map_err(|error| error.to_string())?, to),
    }
}

fn decode_as<T: DeserializeOwned>(from: &mut &[u8], encoding: Encoding) -> Result<T, String> {
    match encoding {
        Encoding::Binary => decode(from),
        Encoding::Json => {
            let mut rest = *from;
            let value = serde_json::from_str(decode(&mut rest)?).map_err(|error| error.to_string())?;
            *from = rest;
            Ok(value)
        }
    }
}

impl<R: Record> Form for FormOf<R> {
    fn record_type(&self) -> &'static str {
        type_name::<R>()
    }

    fn kind(&self) -> RecordKind {
        self.kind
    }

    fn encoding(&self) -> Encoding {
        self.encoding
    }

    fn fields(&self) -> Vec<String> {
        self.fields.clone()
    }

    fn save(&self, snapshot: &Snapshot, table: Arc<Table>, sink: &mut Sink<'_>) -> Result<(), SaveError> {
        let (name, record_type) = (table.name.to_string(), table.record_type.name);
        let Some(table) = TableOf::<R>::new(table) else {
            return Err(SaveError::OtherType { collection: name, record_type, declared: type_name::<R>() });
        };
        let collection = Collection { engine: snapshot.engine().clone(), table };
        let (mut block, mut records) = (Vec::new(), 0);
        for record in &snapshot.of(&collection) {
            let start = block.len();
            let key = || (name.clone(), record.key().clone());
            let encoded = encode(&record.expires_at(), &mut block).and_then(|()| {
                let at = block.len();
                user_code::run(|| (self.encode)(&record, self.encoding, &mut block)).flatten().map(|()| at)
            });
            let at = encoded.map_err(|message| {
                let (collection, key) = key();
                SaveError::Record { collection, key, message }
            })?;
            if self.is_by_user {
                self.read_back(&block[at..]).map_err(|message| {
                    let (collection, key) = key();
                    SaveError::NotReadBack { collection, key, message }
                })?;
            }
            let bytes = block.len() - start;
            if bytes > MAX_SAVED_BLOCK_BYTES - SAVED_BLOCK_BYTES {
                let (collection, key) = key();
                let limit = MAX_SAVED_BLOCK_BYTES - SAVED_BLOCK_BYTES;
                return Err(SaveError::TooLong { collection, key, bytes, limit });
            }
            records += 1;
            if block.len() >= SAVED_BLOCK_BYTES || records == SAVED_BLOCK_RECORDS {
                sink(&block, records)?;
                block.clear();
                records = 0;
            }
        }
        if records > 0 { sink(&block, records) } else { Ok(()) }
    }

    fn open(&self, store: &Store, name: &str, saved: &Schema) -> Result<Box<dyn Loading>, CollectionError> {
        let collection = (self.open)(store, name, saved)?;
        Ok(Box::new(LoadingOf { collection, decode: self.decode }))
    }
}

impl<R: Record> FormOf<R> {
    /// Whether a record comes back from its bytes, and from all of them. Otherwise only the load would find it.
    fn read_back(&self, mut bytes: &[u8]) -> Result<(), String> {
        user_code::run(|| (self.decode)(&mut bytes, self.encoding).map(drop)).flatten()?;
        if bytes.is_empty() { Ok(()) } else { Err(format!("{} of its bytes are left over", bytes.len())) }
    }
}

struct LoadingOf<R: Record> {
    collection: Collection<R>,
    decode: Decode<R>,
}

impl<R: Record> Loading for LoadingOf<R> {
    fn schema(&self) -> &Schema {
        self.collection.schema()
    }

    fn add_index(&self, index: IndexDef) -> Result<(), IndexError> {
        self.collection.add_index(index)
    }

    fn drop_index(&self, name: &str) -> Result<(), IndexError> {
        self.collection.drop_index(name)
    }

    fn add_aggregate(&self, aggregate: AggregateDef) -> Result<(), AggregateError> {
        self.collection.add_aggregate(aggregate)
    }

    fn drop_aggregate(&self, name: &str) -> Result<(), AggregateError> {
        self.collection.drop_aggregate(name)
    }

    fn set_default_lifetime(&self, lifetime: DefaultLifetime) -> Result<(), Refusal> {
        self.collection.set_default_lifetime(lifetime)
    }

    fn insert(&self, store: &Store, content: &[u8], encoding: Encoding, now: Timestamp) -> Result<u64, NotInserted> {
        let mut rest = content;
        let mut count = 0;
        let mut batch = store.batch();
        while !rest.is_empty() {
            let at = content.len() - rest.len();
            let unreadable = |message| NotInserted::Record(at, message);
            let deadline: Option<Timestamp> = decode(&mut rest).map_err(unreadable)?;
            let decoded = user_code::run(|| (self.decode)(&mut rest, encoding));
            let record = decoded.map_err(|message| unreadable(format!("its `Deserialize` panicked: {message}")))?;
            let record = record.map_err(unreadable)?;
            count += 1;
            if deadline.is_some_and(|deadline| deadline <= now) {
                continue;
            }
            // Explicit for every record: the default lifetime of the collection would give those without a deadline a new one.
            let lifetime = deadline.map_or(Lifetime::Forever, Lifetime::Until);
            batch.with_lifetime(lifetime).insert(&self.collection, record).map_err(NotInserted::Refused)?;
        }
        commit(batch).map_err(NotInserted::Refused)?;
        Ok(count)
    }
}

/// Commits the batch without the records that have expired since it was filled.
fn commit(batch: Batch) -> Result<(), Refusal> {
    let (refusal, batch) = match batch.commit() {
        Ok(_) => return Ok(()),
        Err(refused) => refused.into_parts(),
    };
    if !matches!(refusal.cause(), Cause::Expired { .. }) {
        return Err(refusal);
    }
    let report = batch.commit_lenient().map_err(|refused| refused.into_refusal())?;
    let other = report.refused.into_iter().find(|of| !matches!(of.refusal.cause(), Cause::Expired { .. }));
    other.map_or(Ok(()), |other| Err(other.refusal))
}

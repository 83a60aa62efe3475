//! An in-memory store of typed records with secondary indexes: atomic batches over many indexes, snapshot reads that
//! wait for nobody.
//!
//! ```
//! use memdex::{FieldValue, Record, Store};
//!
//! #[derive(Clone, Debug, Record)]
//! struct Payment {
//!     #[record(key)]     payment_id: String,
//!     #[record(index)]   organization_id: String, // equality index
//!     #[record(index)]   status: Status,
//!     #[record(index)]   currency: Option<String>,
//!     #[record(ordered)] amount_cents: i64,       // ordered index: ranges too
//!                        description: String,     // invisible to queries, no trait asked of it
//! }
//!
//! #[derive(Clone, Copy, Debug, PartialEq, FieldValue)]
//! #[field(rename_all = "snake_case")]
//! enum Status { Pending, Completed, Refunded }
//!
//! # fn payment(id: &str) -> Payment {
//! #     let id = id.to_owned();
//! #     Payment { payment_id: id, organization_id: "org-456".into(), status: Status::Pending, currency: None,
//! #               amount_cents: 500, description: String::new() }
//! # }
//! let store = Store::new();
//! let payments = store.collection::<Payment>("Payment")?;
//!
//! payments.store(payment("payment-1"))?;                        // one operation, one commit
//!
//! store.commit(|batch| {                                        // all of it becomes visible at once, or none of it
//!     batch.update(&payments, "payment-1", |p| p.status = Status::Completed)?;
//!     batch.delete(&payments, "payment-9")
//! })?;
//!
//! let mut writer = store.writer();                              // bulk: buffers, flushes itself every 100 operations
//! for n in 2..500 {
//!     writer.store(&payments, payment(&format!("payment-{n}")))?;
//! }
//! writer.flush()?;
//!
//! let p = payments.get("payment-1").unwrap();                   // an owned handle; holds no lock
//! assert_eq!(p.status, Status::Completed);
//! let now = store.snapshot();                                   // every answer below is as of one commit
//! let hits = now.of(&payments)
//!     .find(payment::ORGANIZATION_ID.eq("org-456") & payment::STATUS.is_in([Status::Completed, Status::Refunded]))
//!     .fetch()?;
//! assert_eq!(hits.len(), 1);
//! assert_eq!(now.of(&payments).find(payment::AMOUNT_CENTS.between(400, 600)).count()?, 499);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A tour
//!
//! * **Records** are types with [`#[derive(Record)]`](macro@Record), structs within them with [`Nested`](macro@Nested), enums
//!   and newtypes in fields with [`FieldValue`](macro@FieldValue). JSON documents (`Store::documents`) and plain values
//!   ([`Store::key_values`]) take a [`Schema`] at run time instead.
//! * **Indexes** are equality, unique or ordered ones: of one field, of several, of each of many values, or of those records
//!   alone that meet a condition. They are declared by attributes, or while all goes on by [`Collection::add_index`] and an [`IndexDef`]. Fields
//!   without one are found by a scan, of their column if they have one.
//! * **Writes**: commands on a [`Collection`] are a commit each, a [`Batch`] is one commit of many. [`Batch::commit_reported`]
//!   tells what each operation did, [`Batch::commit_lenient`] leaves out what is refused.
//!   [`update_where`](Collection::update_where) and [`delete_where`](Collection::delete_where) take a filter in place of a key. In
//!   bulk write by a [`Writer`], or by a [`BackgroundWriter`] with its [`Ticket`]s.
//! * **Reads**: [`get`](Collection::get) by key, [`get_by`](Collection::get_by) by a unique field, [`find`](Collection::find) by
//!   a [`Filter`] of typed [`Field`]s or by names at run time ([`field`]), by JSON too (`Predicate::from_criteria`): equality, ranges,
//!   texts ([`TextTest`]), joined by `&`, `|` and `!`. A [`Snapshot`] answers all of these as of one commit, and
//!   [searches](Snapshot::search) several collections at once.
//! * **Statistics**: [`find(…).statistics(…)`](Find::statistics) answers with exact [`Metric`]s of all records that are meant, and of
//!   groups of them ([`GroupBy`]): by values, histograms, ranges and the calendar, and groups within groups. Quick where fields have columns.
//! * **Standing statistics** ([`AggregateDef`]) are questions whose answers every commit keeps up: declared with the schema or added while
//!   all goes on, read as of any snapshot by [`Collection::standing`] in time that depends on the number of groups alone.
//! * **Order and pages**: [`order_by`](Find::order_by), [`limit`](Find::limit) and [`after`](Find::after) give [`Page`]s with cursors;
//!   [`explain`](Find::explain) tells how a query was answered.
//! * **Questions as data**: a [`Query`] is answered by [`Store::query`], sent with serde, and said in SQL by [`Query::to_sql`].
//! * **Keys** can be generated ([`Store::sequence`]), or name their type ([`EntityKey`]).
//! * **Upkeep**: [`Store::stats`], [`Store::verify`], [`Store::optimize`]; [`Store::observe`] tells of every commit.
//!
//! # Features
//!
//! `documents` is on by default: `Store::documents` and `Document`. Four are off: `uuid` makes `uuid::Uuid` a type of fields, and
//! adds `Store::uuid_v7`; `jiff` does so for `jiff::Timestamp` and `jiff::civil::Date`, `rust_decimal` for
//! `rust_decimal::Decimal`; `time-zones` brings time zones by name, for buckets of time.
//!
//! # What is promised
//!
//! * A batch is visible whole or not at all, over all its collections and all their indexes.
//! * A snapshot answers everything as of one commit, for as long as it is held. Readers never wait for a commit, only,
//!   briefly, for a change of the very part that they read.
//! * A refused batch has touched nothing, and is given back. Code of yours that panics never harms the store.
//! * Everything is in memory: at exit it is gone.

#![forbid(unsafe_code)]

/// The README's programs are tests.
#[cfg(all(doctest, feature = "documents"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// So are the guide's.
#[cfg(all(doctest, feature = "documents"))]
#[doc = include_str!("../docs/guide/queries.md")]
struct QueriesGuide;

#[cfg(all(doctest, feature = "documents"))]
#[doc = include_str!("../docs/guide/statistics.md")]
struct StatisticsGuide;

// The derive macros name this crate by its name, also where they are used inside it.
extern crate self as memdex;

mod clock;
mod error;
mod hash;
mod index;
mod keys;
mod latency;
pub mod limits;
mod read;
mod record;
mod rowset;
mod storage;
mod store;
mod sync;
mod user_code;
mod write;

// The engine names the plain data by the modules of `memdex_query`.
use memdex_query::{aggregate, query, value};

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{
    AggregateDefError, AggregateError, Cause, CollectionError, Commit, IndexError, KeyError, QueryError, Refusal,
    SchemaError, StatisticsError,
};
#[cfg(feature = "documents")]
pub use error::{CriteriaError, DocumentError};
pub use keys::Sequence;
pub use latency::{LatencyFigures, LatencyStats};
pub use memdex_derive::{FieldValue, Nested, Record};
pub use query::{
    Aggregate, Ask, Bucket, Cursor, CursorError, DateUnit, Direction, Field, FieldName, Filter, Fingerprint, GroupBy,
    IntoOrder, Metric, NamedField, Nulls, OrderBy, Paging, Part, Parts, Predicate, Query, Statistics, TextOp, TextTest,
    Top, field,
};
pub use read::{
    Answer, ExplainStep, Explanation, Figures, Find, Group, Hit, Page, Records, Search, Snapshot, Summary, View,
};
#[cfg(feature = "documents")]
pub use record::Document;
pub use record::{
    AggregateDef, FieldAt, FieldDef, FieldNames, IndexDef, IndexKind, KeyBuffer, KeyValue, Matches, Nested, Record,
    Schema,
};
#[cfg(feature = "documents")]
pub use serde_json::{Value as Json, json};
pub use storage::{
    Collection, CollectionStats, CommitHook, CommitInfo, CommitObserver, Handle, IndexStats, MemoryFigures,
    MemoryStats, ProposedChange, ProposedCommit, RecordChange, StandingStats, Stats, VerifyError, VerifyReport,
};
pub use store::{Store, StoreBuilder};
#[doc(hidden)]
pub use value::probe;
pub use value::{
    AnyKey, DecimalError, DecimalValue, Each, Element, EntityKey, EntityKeyError, FieldValue, FromKey, FromValue,
    HeapSize, IntoKey, Key, KeySink, Kind, Many, Maybe, Multi, Nest, Nullable, Number, Operand, Single, Text,
    Timestamp, TimestampError, Value, ValueRef,
};
pub use write::{
    Applied, BackgroundWriter, BackgroundWriterBuilder, Batch, Counts, Died, FlushError, LenientWriter, NotApplied,
    NotSubmitted, OperationInfo, Outcome, Pending, Queued, Receipt, Refused, RefusedOperation, Report, StartError,
    SubmitError, TakenOperation, Ticket, Writer, WriterError,
};

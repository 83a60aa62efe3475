//! An in-memory store of typed records with secondary indexes, atomic commits over several collections, and snapshot reads that never block
//! on writers.
//!
//! ```
//! use memdex::{Record, Store};
//!
//! #[derive(Clone, Debug, Record)]
//! struct User {
//!     #[record(key)]     id: u32,
//!     #[record(unique)]  email: String,
//!     #[record(index)]   city: String,         // equality index
//!     #[record(ordered)] age: u8,              // ordered index: ranges and `order_by` too
//!                        notes: Vec<String>,   // not indexed, any type
//! }
//!
//! let store = Store::new();
//! let users = store.collection::<User>("User")?;
//! for (id, name, age) in [(1, "ada", 36), (2, "bob", 17), (3, "eve", 52)] {
//!     users.insert(User { id, email: format!("{name}@example.org"), city: "Bern".into(), age, notes: vec![] })?;
//! }
//!
//! let before = store.snapshot();
//! store.commit(|batch| {                       // both changes become visible at once, or neither
//!     batch.update(&users, 1, |user| user.age += 1)?;
//!     batch.delete(&users, 2)
//! })?;
//!
//! let adults = users.find(user::CITY.eq("Bern") & user::AGE.ge(18)).order_by(user::AGE.desc()).fetch()?;
//! assert_eq!(adults.iter().map(|user| user.age).collect::<Vec<_>>(), [52, 37]);
//! assert_eq!(users.get_by(user::EMAIL, "eve@example.org")?.map(|user| user.id), Some(3));
//! assert_eq!((before.of(&users).len(), users.len()), (3, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Tour
//!
//! * **Records** are types with [`#[derive(Record)]`](macro@Record). Structs inside them derive [`Nested`](macro@Nested), enums and newtypes in their
//!   fields [`FieldValue`](macro@FieldValue). JSON documents (`Store::documents`) and key/value records ([`Store::key_values`]) take a
//!   [`Schema`] at run time instead.
//! * **Indexes** are equality, unique or ordered; on one field, several fields, each of many values, or only on records that match a condition. Attributes
//!   declare them, or [`Collection::add_index`] adds one at run time. Fields without an index are scanned, through their column if they have one.
//! * **Writes**: each command on a [`Collection`] is a commit; a [`Batch`] is one commit of many operations. [`Batch::commit_lenient`] leaves out the
//!   operations that are refused. [`Collection::update_where`] and [`Collection::delete_where`] take a filter instead of a key.
//!   [`Collection::increment`] adds to one field. For bulk loads use a
//!   [`Writer`], or a [`BackgroundWriter`] with its [`Ticket`](write::Ticket)s.
//! * **Reads**: [`Collection::get`] by key, [`Collection::get_by`] by a unique field, [`Collection::find`] by a [`Filter`] of typed fields or names
//!   ([`field`]). A [`Snapshot`] reads all collections at one commit, and [`Snapshot::search`] queries several of them.
//! * **Pages**: [`Find::order_by`](query::Find::order_by) sorts, a [`Page`] has a cursor for the next one, and [`Find::explain`](query::Find::explain) describes how a query was executed.
//! * **Statistics**: [`Find::statistics`](query::Find::statistics) computes exact [`Metric`]s of all selected records or of groups ([`GroupBy`]). Materialized aggregates
//!   ([`AggregateDef`](schema::AggregateDef)) are updated by every commit.
//! * **Queries as data**: a [`Query`] can be sent with serde and executed by [`Store::query`]; the crate `memdex-sql` translates it to SQL.
//! * **Hooks**: a [`CommitHook`](hook::CommitHook) can refuse commits, [`Store::observe`] reports each one to a closure.
//! * **Change feed**: [`Store::subscribe`] returns a snapshot and a bounded, filtered [`Subscription`](hook::Subscription) to the later commits.
//! * **Operation**: [`Store::stats`], [`Store::verify`], [`Store::optimize`], and `tracing` spans.
//!
//! The guide, in the module `guide` of this documentation, has a page for each task.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `documents` | yes | JSON documents, filters as JSON; includes `serde` |
//! | `serde` | yes | serde for queries and results |
//! | `uuid` | no | `uuid::Uuid` in fields, `Store::uuid_v7` |
//! | `jiff` | no | `jiff::Timestamp` and `jiff::civil::Date` in fields |
//! | `rust_decimal` | no | `rust_decimal::Decimal` in fields |
//! | `accents` | no | collations that ignore accents |
//! | `time-zones` | no | date buckets in IANA time zones |
//! | `windows` | no | `aggregate::Window`: counts, sums and percentiles of the last minutes |
//! | `fixtures` | no | `typing::fixtures`: records from JSON, JSON Lines and CSV |
//! | `saved` | no | `typing::saved`: snapshots as files |
//! | `testing` | no | faults, strictness and delayed visibility, for test doubles: `hook::testing` |
//!
//! # Promises
//!
//! * A commit becomes visible at one moment over all collections and indexes, or changes nothing.
//! * A snapshot describes all collections at one commit, for as long as it is held. Readers never wait for a commit to finish; they may wait
//!   briefly for the lock of the one index part that they read.
//! * A refused batch has changed nothing, and is returned. A panic in your code never damages the store.
//! * Everything is in memory: at exit it is gone.

#![forbid(unsafe_code)]
// The locks of the concurrency checkers are big, and errors that give a batch back hold one.
#![cfg_attr(any(memdex_shuttle, memdex_loom), allow(clippy::result_large_err, clippy::large_enum_variant))]

/// The README's programs are tests.
#[cfg(all(doctest, feature = "documents"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(all(any(doc, doctest), feature = "documents"))]
pub mod guide;

// The derive macros name this crate by its name, also where they are used inside it.
extern crate self as memdex;

pub mod clock;
pub mod error;
mod feed;
#[cfg(feature = "fixtures")]
mod fixtures;
mod hash;
mod index;
mod keys;
mod latency;
pub mod limits;
mod memory;
mod read;
mod reclaim;
mod record;
mod rowset;
#[cfg(feature = "saved")]
mod saved;
mod storage;
mod store;
mod sync;
mod testing;
mod trace;
mod user_code;
#[cfg(feature = "windows")]
mod window;
pub mod write;

pub use error::commit::Commit;
pub use keys::Sequence;
pub use memdex_derive::{FieldValue, Nested, Record, record_for};
pub use memdex_query::query::{Bucket, Field, Filter, GroupBy, Metric, Query, field};
pub use memdex_query::schema::{FieldDef, IndexDef, Schema};
pub use memdex_query::value::{FieldValue, Key, Kind, Timestamp, Value};
pub use read::{Page, Snapshot, View};
#[cfg(feature = "documents")]
pub use record::Document;
pub use record::{KeyValue, Nested, Record};
#[cfg(feature = "documents")]
pub use serde_json::{Value as Json, json};
pub use storage::{Collection, Handle};
pub use store::{Store, StoreBuilder};
pub use write::background::BackgroundWriter;
pub use write::batch::Batch;
pub use write::writer::Writer;

/// Queries as plain data, how they are executed, and their results.
///
/// [`Query`] and [`Filter`], with which most programs start, are at the root of the crate.
pub mod query {
    pub use crate::read::{ExplainStep, Explanation, Find, Hit, Hits, QueryResult, Records, Search};
    pub use crate::record::Matches;
    pub use memdex_query::query::{
        Ask, Cursor, CursorError, Direction, FieldName, Fingerprint, IntoOrder, ListField, NamedField, Nulls,
        NumberField, OrderBy, Paging, Part, Parts, Predicate, TextOp, TextTest, ValueField,
    };

    /// The cache of query results: exact answers to questions that are asked again.
    ///
    /// Queries go through the cache if you ask for it: [`Collection::cached`](crate::Collection::cached) and [`View::cached`](crate::View::cached) return the collection with the same queries. A
    /// cached answer is the answer that the query would compute at that moment. Each commit finds the answers that its changes concern, and
    /// brings them to the new state, or drops those that it can't: it changes counts, sums, groups and sets by the difference, and
    /// pages as long as they have spare records. A record that expires leaves the answers at its deadline.
    ///
    /// A hit costs 100 to 500 nanoseconds and shares the answer, so it pays off for queries that cost more than that: pages, statistics, conditions
    /// without an index. A lookup by key does not.
    ///
    /// ```
    /// use memdex::{GroupBy, Metric, Record, Store};
    ///
    /// #[derive(Clone, Record)]
    /// struct Payment { #[record(key)] id: u32, #[record(index)] status: String, #[record(field)] cents: i64 }
    ///
    /// let store = Store::new();
    /// let payments = store.collection::<Payment>("Payment")?;
    /// payments.store(Payment { id: 1, status: "paid".into(), cents: 500 })?;
    ///
    /// let paid = payments.cached().find(payment::STATUS.eq("paid"));
    /// assert_eq!(paid.statistics(payment::CENTS.sum())?.int("sum(cents)"), Some(500));
    /// payments.update(1, |payment| payment.cents += 100)?;
    /// let answer = paid.statistics(payment::CENTS.sum())?;
    /// assert_eq!((answer.int("sum(cents)"), answer.is_cached()), (Some(600), true));
    ///
    /// let class = &store.stats().cache.classes[0];
    /// assert_eq!((class.class.as_str(), class.hits, class.misses, class.repairs), ("statistics", 1, 1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub mod cache {
        pub use crate::read::cache::{Answer, Cache, CacheSettings, CachedCollection, CachedFind, Class, Prepared};
    }
}

/// Statistics: counts, sums, groups and histograms, and their results; with the feature `windows` also sliding windows of values.
///
/// [`GroupBy`], [`Metric`] and [`Bucket`] are at the root of the crate.
pub mod aggregate {
    pub use crate::read::{AggregationResult, Group, MetricValues};
    #[cfg(feature = "windows")]
    pub use crate::window::{Window, WindowBucket, WindowError, WindowSummary};
    pub use memdex_query::query::{Aggregate, DateStep, DateUnit, Statistics, Top, TopHits, Weekday};
}

/// Parts of a [`Schema`].
pub mod schema {
    pub use crate::store::CollectionInfo;
    pub use memdex_query::schema::{
        AggregateDef, Check, Collation, FieldAt, FieldNames, IndexKind, OnDelete, OnUpdate, Reference,
    };
}

/// Types of fields and keys: the traits that connect Rust types with [`Value`], values that Rust has no type for, and collections
/// and records without their Rust type.
pub mod typing {
    pub use crate::record::{FieldValues, KeyBuffer};
    pub use crate::write::any_collection::AnyCollection;
    pub use memdex_query::value::{
        AnyKey, AnyNumber, Collated, DecimalError, DecimalValue, Each, Element, EntityKey, EntityKeyError, FromKey,
        FromValue, HeapSize, IntoKey, KeyPart, KeySink, Many, Maybe, Multi, Nest, Nullable, Number, Operand, Single,
        Text, TimestampError, ValueRef,
    };

    /// Records from JSON, JSON Lines and CSV (feature `fixtures`). Start at [`Fixtures`](fixtures::Fixtures).
    #[cfg(feature = "fixtures")]
    pub mod fixtures {
        pub use crate::fixtures::{FixtureError, FixturePlace, Fixtures, Format, Loaded, load_folder};
    }

    /// Snapshots as files (feature `saved`). Start at [`Archive`](saved::Archive).
    #[cfg(feature = "saved")]
    pub mod saved {
        pub use crate::saved::{Archive, Damage, LoadError, Place, Progress, SaveError, Saved};
    }
}

/// Commit hooks, which take part in every commit of a store, and the change feed, which reports commits to subscribers.
pub mod hook {
    pub use crate::feed::{FeedEvent, Missed, Subscription, SubscriptionBuilder};
    pub use crate::storage::{
        ChangeKind, CommitHook, CommitInfo, ProposedChange, ProposedCommit, ReadInfo, ReadOf, RecordChange,
    };

    /// Makes a store that stands in for a production database as unkind as production: faults on demand, refusals of what production
    /// refuses or should, and readers that see commits late.
    ///
    /// Start at [`Store::set_faults`](crate::Store::set_faults), [`Store::set_strictness`](crate::Store::set_strictness) and
    /// [`Store::set_visibility`](crate::Store::set_visibility).
    #[cfg(feature = "testing")]
    pub mod testing {
        pub use crate::testing::{
            Fault, FaultAction, FaultPlan, FaultPlanError, FaultRule, OperationKind, Strictness, Visibility, When,
        };
    }

    /// Live queries: an answer, and then how each commit changes it. Start at [`Collection::watch`](crate::Collection::watch).
    pub mod watch {
        pub use crate::feed::watch::{
            Follow, Update, Watch, WatchBuilder, WatchError, WatchThread, WatchedRecords, WatchedStatistics,
        };
        pub use crate::read::Difference;
    }
}

/// Statistics of a store: counts, memory, latencies, and the result of an audit.
pub mod stats {
    pub use crate::latency::{CallLatency, LatencyStats};
    pub use crate::storage::{
        AggregateStats, BoundStats, CacheStats, ClassStats, CollectionStats, IndexStats, MemoryStats, MemoryUse, Stats,
        SubscriptionStats, VerifyError, VerifyProgress, VerifyReport,
    };
}

#[doc(hidden)]
pub use memdex_query::value::{NoAttribute, probe, set_probe};

//! What does a collection hold, and which of its states may a reader see? The shared state and its invariants.

mod answers;
mod any_table;
mod any_version;
mod back_refs;
mod backlog;
mod bounding;
mod build;
mod by_commit;
mod changes;
mod checks;
mod collection;
mod column;
mod counters;
mod deadline;
mod deadlines;
mod definitions;
mod engine;
mod eviction;
#[cfg(feature = "testing")]
mod faults;
mod feed;
mod filings;
mod fork;
mod garbage;
mod gauges;
mod handle;
mod hooks;
#[cfg(feature = "testing")]
mod injected;
mod key_table;
mod links;
mod mark_tree;
mod marks;
mod pages;
mod questions;
mod reads;
mod reaper;
mod reclaimer;
mod record_change;
mod rows;
mod segments;
#[cfg(feature = "testing")]
mod shown;
#[cfg(feature = "testing")]
mod sizes;
mod stats;
mod table;
mod table_core;
mod table_writer;
mod timeline;
mod upkeep;
mod verify;
mod version;
#[cfg(feature = "testing")]
mod visibility;
mod wheel;

pub use answers::{CacheStats, ClassStats};
pub use changes::{CommitInfo, ProposedChange, ProposedCommit};
pub use collection::Collection;
pub use eviction::{Bound, EvictionPolicy};
pub use feed::SubscriptionStats;
pub use handle::Handle;
pub use hooks::CommitHook;
pub use reads::{ReadInfo, ReadOf};
pub use record_change::{ChangeKind, RecordChange};
pub use stats::{AggregateStats, BoundStats, CollectionStats, IndexStats, MemoryStats, MemoryUse, Stats};
pub use verify::{VerifyError, VerifyProgress, VerifyReport};

pub(crate) use answers::AnswerCache;
pub(crate) use any_table::AnyTable;
pub(crate) use any_version::{AnyVersion, SharedVersion, typed};
pub(crate) use changes::ProposedChanges;
pub(crate) use collection::Use;
pub(crate) use column::{Column, Encoding, Packed, PackedCells, PageCells, RowCells, with_cells};
pub(crate) use counters::{Counters, Held};
pub(crate) use deadline::Deadline;
pub(crate) use engine::{Drain, Engine, Pinned, Registered};
pub(crate) use eviction::{Bounded, Measured, Usage};
pub(crate) use feed::{Event, Feed, Full, Patience, Queue, Room, Settings, Size, Spec, Taken};
pub(crate) use filings::{Filed, Filing};
pub(crate) use fork::{BaseRow, Covered, Which};
pub(crate) use garbage::Garbage;
pub(crate) use hooks::Registration;
pub(crate) use links::{Edge, ReferredKeys};
pub(crate) use marks::{Changed, Watch};
pub(crate) use pages::FETCHED_TOGETHER;
pub(crate) use questions::{Effect, Effects, Logged, Look, Question, Questions};
pub(crate) use record_change::CollectionChanges;
pub(crate) use rows::{LayerView, Rows, Under};
pub(crate) use table::{Applied, Table};
pub(crate) use table_core::TableCore;
pub(crate) use table_writer::TableWriter;
pub(crate) use verify::Meter;
pub(crate) use version::{At, Change, Stored, Version};

//! What does a collection hold, and which of its states may a reader see? The shared state and its invariants.

mod any_table;
mod back_refs;
mod build;
mod changes;
mod collection;
mod column;
mod definitions;
mod engine;
mod garbage;
mod gauges;
mod handle;
mod hooks;
mod key_table;
mod lengths;
mod marks;
mod pages;
mod rows;
mod segments;
mod stats;
mod table;
mod table_core;
mod table_writer;
mod timeline;
mod upkeep;
mod verify;
mod version;

pub use changes::{CommitInfo, ProposedChange, ProposedCommit, RecordChange};
pub use collection::Collection;
pub use handle::Handle;
pub use hooks::CommitHook;
pub use stats::{AggregateStats, CollectionStats, IndexStats, MemoryStats, MemoryUse, Stats};
pub use verify::{VerifyError, VerifyReport};

pub(crate) use any_table::AnyTable;
pub(crate) use changes::{CollectionChanges, ProposedChanges};
pub(crate) use column::{Column, Encoding, Packed, PackedCells, PageCells, RowCells, with_cells};
pub(crate) use engine::{Engine, Pinned, Registered};
pub(crate) use garbage::Garbage;
pub(crate) use hooks::Registration;
pub(crate) use marks::{Changed, Watch};
pub(crate) use pages::FETCHED_TOGETHER;
pub(crate) use rows::{AnyVersion, Rows, SharedVersion, typed};
pub(crate) use table::{Applied, Table};
pub(crate) use table_core::TableCore;
pub(crate) use table_writer::TableWriter;
pub(crate) use version::{Change, Version};

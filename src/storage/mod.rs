//! What does a collection hold, and which of its states may a reader see? The shared state and its invariants.

mod any_table;
mod build;
mod changes;
mod collection;
mod column;
mod engine;
mod figures;
mod garbage;
mod handle;
mod hooks;
mod key_table;
mod lengths;
mod marks;
mod pages;
mod peak;
mod segments;
mod standing;
mod stats;
mod table;
mod timeline;
mod upkeep;
mod verify;
mod verify_standing;
mod version;
mod words;

pub use changes::{CommitInfo, ProposedChange, ProposedCommit, RecordChange};
pub use collection::Collection;
pub use handle::Handle;
pub use hooks::{CommitHook, CommitObserver};
pub use stats::{CollectionStats, IndexStats, MemoryFigures, MemoryStats, StandingStats, Stats};
pub use verify::{VerifyError, VerifyReport};

pub(crate) use any_table::{AnyTable, Asker};
pub(crate) use changes::{CollectionChanges, ProposedChanges};
pub(crate) use column::{Cell, Column, Packed, PackedCells, PageCells, Reads, RowCells, with_cells};
pub(crate) use engine::{Engine, Pinned};
pub(crate) use garbage::Garbage;
pub(crate) use hooks::Registration;
pub(crate) use marks::{Changed, Watch};
pub(crate) use standing::{Shown as ShownGroup, StandingFigures};
pub(crate) use table::{Applied, Maintained, Table, TableWriter};
pub(crate) use version::{Change, Version};

//! What does a collection hold, and which of its states may a reader see? The shared state and its invariants.

mod codes;
mod collection;
mod engine;
mod handle;
mod key_table;
mod lengths;
mod marks;
mod observers;
mod pages;
mod stats;
mod table;
mod timeline;
mod verify;
mod version;

pub use collection::Collection;
pub use handle::Handle;
pub use observers::{CommitInfo, CommitObserver, RecordChange};
pub use stats::{CollectionStats, MemoryStats, Stats};
pub use verify::{VerifyError, VerifyReport};

pub(crate) use engine::{Engine, Garbage, Pinned};
pub(crate) use marks::Changed;
pub(crate) use observers::CollectionChanges;
pub(crate) use table::{AnyTable, Applied, Change, Table, TableWriter};
pub(crate) use version::Version;

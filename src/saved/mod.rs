//! Snapshots of a store as files: saved in one pass, and loaded into a new store, which builds its indexes again.
//!
//! The layout of a file is in ARCHITECTURE.md, *Saved snapshots*.

mod archive;
mod codec;
mod document;
mod error;
mod file;
mod forms;
mod guard;
mod head;
mod layout;
mod load;
mod probe;
mod progress;
mod save;
mod schema;

pub use archive::Archive;
pub use error::{Damage, LoadError, Place, SaveError};
pub use progress::{Progress, Saved};

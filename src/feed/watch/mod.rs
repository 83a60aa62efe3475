//! Live queries: an answer, and then its differences, commit by commit. The way of an update is [`hub::Hub::poll`].

mod builder;
mod error;
mod follow;
mod hub;
mod reader;

pub use builder::WatchBuilder;
pub use error::WatchError;
pub use follow::{Follow, Update, WatchedRecords, WatchedStatistics};
pub use reader::{Watch, WatchThread};

//! Which answers are remembered, and how do commits keep them exact?
//!
//! The way of a query is `CachedCollection::answer` in `collection`. How a commit finds the answers that it concerns is in
//! `src/storage/questions.rs`; how one of them takes a change in, in `entry` and `kept`.

mod answer;
mod collection;
mod entry;
mod find;
mod kept;
mod lease;
mod prepared;
mod settings;
mod shelf;
mod store_cache;
mod wanted;

pub use answer::Answer;
pub use collection::CachedCollection;
pub use find::CachedFind;
pub use prepared::Prepared;
pub use settings::{CacheSettings, Class};
pub use store_cache::Cache;
pub(crate) use store_cache::Inner as AnswersOfStore;

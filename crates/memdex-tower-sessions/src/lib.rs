//! A [`SessionStore`] for [tower-sessions] that keeps sessions in a [memdex] collection, with an index on their user:
//! a user's sessions can be listed, and revoked in one commit.
//!
//! ```
//! use memdex::Store;
//! use memdex_tower_sessions::MemdexStore;
//! use serde_json::json;
//! use time::{Duration, OffsetDateTime};
//! use tower_sessions_core::session::{Id, Record};
//! use tower_sessions_core::SessionStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Store::builder().expire_in_background().build();
//! let sessions = MemdexStore::new(&store, "Session")?.user_key("user_id");
//! // `SessionManagerLayer::new(sessions.clone())` makes it the session store of an application. The layer calls `create`:
//! for user in ["ada", "ada", "bob"] {
//!     let data = [("user_id".to_owned(), json!(user))].into();
//!     let expiry_date = OffsetDateTime::now_utc() + Duration::minutes(30);
//!     sessions.create(&mut Record { id: Id::default(), data, expiry_date }).await?;
//! }
//!
//! assert_eq!(sessions.sessions_of("ada")?.len(), 2);
//! assert_eq!(sessions.revoke_all("ada")?, 2); // signs Ada out everywhere
//! assert_eq!((sessions.sessions_of("ada")?.len(), sessions.count()), (0, 1));
//! # Ok(())
//! # }
//! ```
//!
//! The example `devices` of this crate is a web application with sign-in, a list of devices and "sign out everywhere".
//!
//! # Expiry
//!
//! The expiry date of a session is the lifetime of its record, to the microsecond: an expired session is missing to every read, whether or not its
//! memory has been freed. A store with [`expire_in_background`](memdex::StoreBuilder::expire_in_background) frees it in a background thread; otherwise
//! call [`delete_expired`](tower_sessions_core::ExpiredDeletion::delete_expired) from time to time. The time is that of the store's
//! [`Clock`](memdex::clock::Clock), so a test can move it.
//!
//! # Revoked sessions stay revoked
//!
//! A request that has loaded a session saves it at its end. If the session is revoked meanwhile, [`save`](tower_sessions_core::SessionStore::save) leaves it revoked: it
//! changes sessions that exist, and creates none. (A request that calls `cycle_id` afterwards creates a new session with the data that it has
//! loaded, which no store can tell from a sign-in.) See [`MemdexStore::as_cache`] for the use in a `CachingSessionStore`.
//!
//! # Async code
//!
//! The methods return without awaiting anything. A read takes microseconds and never waits for a commit. A commit of one session takes microseconds, after
//! the commits before it; `revoke_all` takes time by the number of the user's sessions. If the same [`Store`](memdex::Store) also takes commits of many
//! records, give the sessions a store of their own: its commits wait for no others. Sessions are in memory and are lost when the process ends.
//!
//! [tower-sessions]: https://docs.rs/tower-sessions
//! [`SessionStore`]: tower_sessions_core::SessionStore

#![forbid(unsafe_code)]

mod data;
mod error;
mod store;
mod stored;
mod user;

pub use error::Error;
pub use store::MemdexStore;
pub use stored::{StoredSession, stored_session};

//! The settings of a store.

use crate::clock::{Clock, SystemClock};
use crate::read::cache::CacheSettings;
use crate::sync::Arc;
use std::fmt;

/// Builder of a [`Store`](crate::Store); see [`Store::builder`](crate::Store::builder).
pub struct StoreBuilder {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) reclaims_in_background: bool,
    pub(super) expires_in_background: bool,
    pub(super) cache: CacheSettings,
}

impl Default for StoreBuilder {
    /// The settings of [`Store::new`](crate::Store::new).
    fn default() -> Self {
        StoreBuilder {
            clock: Arc::new(SystemClock),
            reclaims_in_background: false,
            expires_in_background: false,
            cache: CacheSettings::default(),
        }
    }
}

impl StoreBuilder {
    /// Sets the clock that the store takes all times from.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        StoreBuilder { clock: Arc::new(clock), ..self }
    }

    /// Sets the bounds and the lifetimes of the [cache](crate::query::cache) of query results.
    #[must_use]
    pub fn cache(self, cache: CacheSettings) -> Self {
        StoreBuilder { cache, ..self }
    }

    /// Gives the store a thread that drops what a snapshot retained, soon after the snapshot has ended.
    ///
    /// A snapshot retains the records that it sees and that later commits have replaced or deleted. Dropping it returns at once,
    /// and never runs a `Drop` of a record. Without this thread, each later commit drops at most as many of these records as it
    /// has operations, or 512; [`Store::optimize`](crate::Store::optimize) drops all of them. Use the thread if large snapshots end while no commits
    /// follow. It ends with the store.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)] struct User { #[record(key)] id: u32 }
    /// let store = Store::builder().reclaim_in_background().build();
    /// # let users = store.collection::<User>("User")?;
    /// # users.store(User { id: 1 })?;
    /// let snapshot = store.snapshot();
    /// users.delete(1)?;
    /// assert_eq!(store.stats().collections[0].versions_retained, 1);
    /// drop(snapshot);
    /// while store.stats().collections[0].versions_retained > 0 {
    ///     std::thread::yield_now();
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn reclaim_in_background(self) -> Self {
        StoreBuilder { reclaims_in_background: true, ..self }
    }

    /// Gives the store a thread that removes records whose [lifetime](crate::write::Lifetime) has ended, soon after it has.
    ///
    /// Removing them is a matter of memory only: reads and commands never see a record that has expired. The thread removes up to 100
    /// records in one commit, and takes at most half of the time of the commit lock. It looks at the clock every 5 ms. Without it,
    /// [`Store::expire_now`](crate::Store::expire_now) removes them, and so does each command on their keys. The thread ends with the store.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # use std::time::Duration;
    /// # #[derive(Record)] struct Session { #[record(key)] id: u32 }
    /// let store = Store::builder().expire_in_background().build();
    /// let sessions = store.collection::<Session>("Session")?;
    /// sessions.with_lifetime(Duration::from_millis(20)).store(Session { id: 1 })?;
    /// while store.stats().collections[0].records > 0 {
    ///     std::thread::yield_now();
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn expire_in_background(self) -> Self {
        StoreBuilder { expires_in_background: true, ..self }
    }
}

impl fmt::Debug for StoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreBuilder").finish_non_exhaustive()
    }
}

//! When readers see a commit, as plain data.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// When readers see a commit. Writes always judge the newest state, and subscriptions, watches and hooks get each commit as it happens.
///
/// A reader sees whole commits in their order, only later. Every read is delayed alike: by key and by unique value, `len`, queries,
/// statistics, materialized aggregates, cached answers and snapshots. Lifetimes go by the clock: a record whose deadline has passed is gone, whether
/// or not the commit is shown that has extended it. [`Store::set_visibility`](crate::Store::set_visibility) sets it.
///
/// ```
/// use memdex::{Record, Store};
/// use memdex::hook::testing::Visibility;
///
/// #[derive(Clone, Record)]
/// struct User { #[record(key)] id: u32 }
///
/// let store = Store::new();
/// let users = store.collection::<User>("User")?;
/// store.set_visibility(Visibility::on_refresh())?;
/// users.insert(User { id: 1 })?;
/// assert_eq!((users.len(), users.get(1).is_some()), (0, false));
/// assert!(users.insert(User { id: 1 }).is_err(), "writes see it");
/// store.refresh();
/// assert_eq!((users.len(), users.get(1).is_some()), (1, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Visibility {
    /// How many of the newest commits readers don't see; `None` for all since the last refresh.
    pub lag: Option<u64>,
    /// The time of the store's clock after which the store refreshes.
    pub every: Option<Duration>,
    /// Whether reads by key see the newest commit all the same, as Elasticsearch's `GET` does.
    pub real_time_keys: bool,
}

impl Default for Visibility {
    fn default() -> Self {
        Visibility::immediate()
    }
}

impl Visibility {
    /// Readers see each commit at once.
    #[must_use]
    pub fn immediate() -> Self {
        Visibility { lag: Some(0), every: None, real_time_keys: false }
    }

    /// Readers see commits after [`Store::refresh`](crate::Store::refresh), as in a search engine.
    #[must_use]
    pub fn on_refresh() -> Self {
        Visibility { lag: None, every: None, real_time_keys: false }
    }

    /// Readers don't see the newest commits, as on a replica that lags behind.
    #[must_use]
    pub fn lag(commits: u64) -> Self {
        Visibility { lag: Some(commits), every: None, real_time_keys: false }
    }

    /// Refreshes, before a read, if this time of the store's clock has passed since the last refresh.
    #[must_use]
    pub fn every(self, time: Duration) -> Self {
        Visibility { every: Some(time), ..self }
    }

    /// Lets `get`, `peek`, `get_with` and `contains` of collections see the newest commit.
    #[must_use]
    pub fn real_time_keys(self) -> Self {
        Visibility { real_time_keys: true, ..self }
    }

    /// Whether readers see each commit at once.
    #[must_use]
    pub fn is_immediate(&self) -> bool {
        self.lag == Some(0)
    }
}

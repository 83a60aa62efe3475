//! Forks: independent stores over a shared base.

use super::Store;
use crate::clock::Clock;
use crate::error::QueryError;
use crate::read::Snapshot;
use crate::read::cache::{AnswersOfStore, CacheSettings};
use crate::sync::Arc;

impl Store {
    /// Creates an independent store that begins with the records of this one, at its newest commit. It copies no records, and costs some
    /// microseconds, however many there are: for a test that writes, from a store that many tests share.
    ///
    /// ```
    /// use memdex::{Record, Store};
    ///
    /// #[derive(Clone, Record)]
    /// struct Account { #[record(key)] id: u32, #[record(index)] owner: String, #[record(field)] cents: i64 }
    ///
    /// // Once for all tests.
    /// let fixtures = Store::new();
    /// let accounts = fixtures.collection::<Account>("Account")?;
    /// for id in 0..1_000 {
    ///     accounts.insert(Account { id, owner: format!("owner {}", id % 10), cents: 500 })?;
    /// }
    ///
    /// // In each test.
    /// let store = fixtures.fork();
    /// let forked = store.collection::<Account>("Account")?;
    /// forked.update(7, |account| account.cents = 0)?;
    /// forked.delete(8)?;
    /// assert_eq!((forked.len(), forked.find(account::OWNER.eq("owner 7")).fetch()?.len()), (999, 100));
    /// assert_eq!((accounts.len(), accounts.get(7).unwrap().cents), (1_000, 500));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A fork has the collections of its base with their indexes, aggregates and lifetimes, the sequences at their numbers, and the clock.
    /// It has no hooks, subscriptions, watches, background threads or cached answers. Neither sees what the other does afterwards. A fork
    /// can be forked. Base and forks can be dropped in any order; a fork keeps the records that it began with, as a snapshot does.
    ///
    /// A collection of a fork is read in two parts, the records of the base that the fork has not changed, and its own; so a query costs up
    /// to twice as much. The collections of the base that a fork does not open cost it nothing. Some things are exact only on a copy, which
    /// refers to the records of the base: a collection with a [bound](crate::Collection::set_bound), or whose records have had lifetimes,
    /// is copied when the fork opens it, one whose reads [extend](crate::write::DefaultLifetime::Sliding) lifetimes when the fork is made.
    /// If reads of the base begin to extend lifetimes only then, open such a collection before, or the fork refuses to open it.
    /// Adding an index or an aggregate to a fork, setting a bound, and watching a query copy the collection too. Cached queries are computed each time.
    ///
    /// The numbers of a fork's commits continue those of its base. If the base changes records that the fork has not changed, the fork takes
    /// them over as they were, by a commit that changes nothing else and that no hook sees, so its numbers may have gaps.
    pub fn fork(&self) -> Store {
        self.forked(&self.snapshot(), None)
    }

    /// As [`fork`](Store::fork), with another clock. Its time begins no earlier than the time of this store.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # use memdex::clock::ManualClock;
    /// # use std::time::Duration;
    /// # #[derive(Clone, Record)] struct Session { #[record(key)] id: u32 }
    /// let clock = ManualClock::default();
    /// let fixtures = Store::builder().clock(clock.clone()).build();
    /// let sessions = fixtures.collection::<Session>("Session")?;
    /// sessions.with_lifetime(Duration::from_secs(60)).store(Session { id: 1 })?;
    ///
    /// let own = ManualClock::default();
    /// let store = fixtures.fork_with_clock(own.clone());
    /// own.advance(Duration::from_secs(60));
    /// assert!(store.collection::<Session>("Session")?.is_empty());
    /// assert_eq!(sessions.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fork_with_clock(&self, clock: impl Clock) -> Store {
        self.forked(&self.snapshot(), Some(Arc::new(clock)))
    }

    /// As [`fork`](Store::fork), at the commit of a snapshot. Collections that have been dropped since, indexes and sequences are as they
    /// are now.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)] struct User { #[record(key)] id: u32 }
    /// # let store = Store::new();
    /// let users = store.collection::<User>("User")?;
    /// users.insert(User { id: 1 })?;
    /// let before = store.snapshot();
    /// users.delete(1)?;
    /// let fork = store.fork_at(&before)?;
    /// assert!(fork.collection::<User>("User")?.contains(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`QueryError::OtherStore`] if the snapshot is of another store.
    pub fn fork_at(&self, snapshot: &Snapshot) -> Result<Store, QueryError> {
        if !snapshot.is_of(&self.engine) {
            return Err(QueryError::other_store("*"));
        }
        Ok(self.forked(snapshot, None))
    }

    fn forked(&self, snapshot: &Snapshot, clock: Option<Arc<dyn Clock>>) -> Store {
        let answers = Arc::new(AnswersOfStore::new(CacheSettings::default().entries(0)));
        let engine = self.engine.fork(snapshot.pinned(), clock, answers);
        Store { engine, undone: Arc::default() }
    }
}

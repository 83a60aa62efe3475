//! The session store: sessions are records of a collection, with their expiry date as lifetime.

use crate::data::SharedData;
use crate::error::Error;
use crate::stored::{StoredSession, deadline, expiry_date, stored_session};
use crate::user::UserPath;
use async_trait::async_trait;
use memdex::error::Cause;
use memdex::{Collection, Handle, Store};
use std::fmt;
use std::sync::Arc;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::{self, ExpiredDeletion, SessionStore};

/// A session store in a memdex collection. Cheap to clone; clones refer to the same sessions. See the [crate's documentation](crate).
#[derive(Clone)]
pub struct MemdexStore {
    store: Store,
    sessions: Collection<StoredSession>,
    user: UserPath,
    missing: Missing,
}

/// The effect of `save` on a session that is not there.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Missing {
    Stays,
    IsStored,
}

impl MemdexStore {
    /// The sessions in the collection `name`, which is created if there is none. Sessions of several applications can be in one store, by different names.
    ///
    /// # Errors
    /// [`Error::Collection`], above all if the collection holds other records.
    pub fn new(store: &Store, name: &str) -> Result<Self, Error> {
        let sessions = store.collection(name)?;
        let user = UserPath::key("user_id".to_owned());
        Ok(MemdexStore { store: store.clone(), sessions, user, missing: Missing::Stays })
    }

    /// The key of the user in the data of sessions; `"user_id"` by default. The value is a string or an integer. A session without
    /// it, or with null, has no user; other values are errors of `create` and `save`.
    ///
    /// `create` and `save` read it, so call this before there are sessions.
    pub fn user_key(mut self, key: impl Into<String>) -> Self {
        self.user = UserPath::key(key.into());
        self
    }

    /// The user is in an object of the data: `user_in("axum-login.data", ["user_id"])` has it at `user_id` in the object `axum-login.data`. Otherwise as
    /// [`user_key`](Self::user_key).
    pub fn user_in<K: Into<String>>(mut self, object: impl Into<String>, path: impl IntoIterator<Item = K>) -> Self {
        let start = UserPath::key(object.into());
        self.user = path.into_iter().fold(start, |path, key| path.inside(key.into()));
        self
    }

    /// Lets `save` store sessions that are missing, as a [`CachingSessionStore`](tower_sessions_core::CachingSessionStore) asks of its cache.
    ///
    /// A request that runs while its session is revoked then brings the session back, and so does the store behind the cache. Don't use this for
    /// a store whose sessions you revoke.
    pub fn as_cache(mut self) -> Self {
        self.missing = Missing::IsStored;
        self
    }

    /// The collection of the sessions, for queries, hooks and subscriptions.
    ///
    /// ```
    /// # use memdex::Store;
    /// use memdex_tower_sessions::{MemdexStore, stored_session};
    ///
    /// let sessions = MemdexStore::new(&Store::new(), "Session")?;
    /// let anonymous = sessions.collection().find(stored_session::USER.is_null()).count()?;
    /// assert_eq!(anonymous, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn collection(&self) -> &Collection<StoredSession> {
        &self.sessions
    }

    /// The number of sessions that have not expired.
    pub fn count(&self) -> usize {
        self.sessions.len()
    }

    /// The sessions of a user, oldest first, as they are at one commit. The user is compared as text: 7 is the user `"7"`.
    ///
    /// Costs by the number of that user's sessions.
    ///
    /// # Errors
    /// [`Error::Query`].
    pub fn sessions_of(&self, user: impl fmt::Display) -> Result<Vec<Handle<StoredSession>>, Error> {
        let mut sessions: Vec<_> = self.sessions.find(stored_session::USER.eq(user.to_string())).iter()?.collect();
        sessions.sort_by_key(|session| (session.created, session.id));
        Ok(sessions)
    }

    /// Ends all sessions of a user, in one commit, and returns how many. No reader sees some of them ended and others not.
    ///
    /// ```
    /// # use memdex::Store;
    /// # use memdex_tower_sessions::MemdexStore;
    /// let sessions = MemdexStore::new(&Store::new(), "Session")?;
    /// assert_eq!(sessions.revoke_all("ada")?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`]; then no session has ended.
    pub fn revoke_all(&self, user: impl fmt::Display) -> Result<usize, Error> {
        let of_user = stored_session::USER.eq(user.to_string());
        Ok(self.sessions.delete_where(of_user)?.counts.deleted)
    }

    /// Ends all sessions of a user but `kept`, in one commit, and returns how many: "sign out my other devices".
    ///
    /// # Errors
    /// [`Error::Refused`]; then no session has ended.
    pub fn revoke_others(&self, user: impl fmt::Display, kept: &Id) -> Result<usize, Error> {
        let others = stored_session::USER.eq(user.to_string()) & stored_session::ID.ne(kept.0);
        Ok(self.sessions.delete_where(others)?.counts.deleted)
    }

    /// Ends a session. Returns whether there was one.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn revoke(&self, id: &Id) -> Result<bool, Error> {
        Ok(self.sessions.delete(id.0)?.counts.deleted > 0)
    }

    fn stored(&self, record: &Record) -> Result<StoredSession, Error> {
        Ok(StoredSession {
            id: record.id.0,
            user: self.user.user(&record.data)?,
            created: self.store.snapshot().time(),
            data: SharedData(Arc::new(record.data.clone())),
        })
    }

    fn insert(&self, record: &mut Record) -> Result<(), Error> {
        let mut session = self.stored(record)?;
        let lifetime = deadline(record.expiry_date);
        loop {
            match self.sessions.with_lifetime(lifetime).insert(session.clone()) {
                Ok(_) => return Ok(()),
                Err(refused) => match refused.cause() {
                    Cause::KeyExists => {
                        record.id = Id::default();
                        session.id = record.id.0;
                    }
                    // It would be missing already.
                    Cause::Expired { .. } => return Ok(()),
                    _ => return Err(refused.into()),
                },
            }
        }
    }

    fn update(&self, record: &Record) -> Result<(), Error> {
        let session = self.stored(record)?;
        let (user, data) = (session.user.clone(), session.data.clone());
        let change = move |session: &mut StoredSession| {
            session.user.clone_from(&user);
            session.data = data.clone();
        };
        let sessions = self.sessions.with_lifetime(deadline(record.expiry_date));
        let saved = match self.missing {
            Missing::Stays => sessions.update(session.id, change),
            Missing::IsStored => sessions.upsert(session, change),
        };
        match saved {
            Ok(_) => Ok(()),
            Err(refused) => match refused.cause() {
                Cause::KeyMissing => Ok(()),
                Cause::Expired { .. } => self.revoke(&record.id).map(drop),
                _ => Err(refused.into()),
            },
        }
    }
}

impl fmt::Debug for MemdexStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("MemdexStore");
        debug.field("collection", &self.sessions.name()).field("user", &self.user).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for MemdexStore {
    /// Stores a new session. If a session has its ID, the record gets another ID.
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        Ok(self.insert(record)?)
    }

    /// Replaces the data, the user and the expiry date of a session. A missing session stays missing, unless the store is used
    /// [`as_cache`](MemdexStore::as_cache); an expiry date in the past ends the session.
    async fn save(&self, record: &Record) -> session_store::Result<()> {
        Ok(self.update(record)?)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let session = self.sessions.get(id.0);
        Ok(session.map(|session| Record {
            id: *id,
            data: session.data().clone(),
            expiry_date: expiry_date(session.expires_at()),
        }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.revoke(id)?;
        Ok(())
    }
}

#[async_trait]
impl ExpiredDeletion for MemdexStore {
    /// Frees the memory of expired records: of all collections of the store, in commits of some records each.
    async fn delete_expired(&self) -> session_store::Result<()> {
        self.store.expire_now().map_err(Error::from)?;
        Ok(())
    }
}

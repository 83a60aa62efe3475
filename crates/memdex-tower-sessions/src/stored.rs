//! The record of a session.

use crate::data::{Data, SharedData};
use memdex::{Record, Timestamp};
use serde_json::Value;
use std::fmt;
use time::{OffsetDateTime, PrimitiveDateTime};
use tower_sessions_core::session;

/// A session as memdex stores it: the records of [`MemdexStore::collection`](crate::MemdexStore::collection). Queries name its fields by the constants of
/// [`stored_session`].
///
/// Its expiry date is the lifetime of the record: [`Handle::expires_at`](memdex::Handle::expires_at).
#[derive(Clone, Record)]
pub struct StoredSession {
    #[record(key)]
    pub(crate) id: i128,
    #[record(index)]
    pub(crate) user: Option<String>,
    #[record(ordered)]
    pub(crate) created: Timestamp,
    pub(crate) data: SharedData,
}

impl StoredSession {
    /// The ID, which is the secret in the user's cookie: show it to nobody.
    pub fn id(&self) -> session::Id {
        session::Id(self.id)
    }

    /// The user: the string or integer at the [`user_key`](crate::MemdexStore::user_key) of the data, as text.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// When it was created, by the store's clock.
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// A value of its data.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.data().get(key)
    }

    pub(crate) fn data(&self) -> &Data {
        &self.data.0
    }
}

/// Without the ID, which is a secret, and the values of the data, which may be.
impl fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&String> = self.data().keys().collect();
        let mut debug = f.debug_struct("StoredSession");
        debug.field("user", &self.user).field("created", &self.created).field("keys", &keys).finish_non_exhaustive()
    }
}

/// The deadline of a session: its expiry date, rounded down to the microsecond.
pub(crate) fn deadline(expiry_date: OffsetDateTime) -> Timestamp {
    let nanos = expiry_date.unix_timestamp_nanos();
    Timestamp::from_nanos(nanos).unwrap_or(if nanos < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// The expiry date of a session: its deadline, or the last date there is.
pub(crate) fn expiry_date(deadline: Option<Timestamp>) -> OffsetDateTime {
    let date = deadline.and_then(|time| OffsetDateTime::from_unix_timestamp_nanos(time.as_nanos()).ok());
    date.unwrap_or(PrimitiveDateTime::MAX.assume_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_deadlines_to_the_microsecond() {
        let date = OffsetDateTime::from_unix_timestamp_nanos(1_800_000_000_123_456_789).unwrap();
        assert_eq!(deadline(date), Timestamp::from_micros(1_800_000_000_123_456));
        assert_eq!(expiry_date(Some(deadline(date))).unix_timestamp_nanos(), 1_800_000_000_123_456_000);
    }

    #[test]
    fn the_last_date_stands_for_no_deadline() {
        let last = PrimitiveDateTime::MAX.assume_utc();
        assert_eq!((expiry_date(None), expiry_date(Some(Timestamp::MAX))), (last, last));
    }
}

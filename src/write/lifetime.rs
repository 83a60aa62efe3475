//! Lifetimes of records.

use crate::clock::Timestamp;
use crate::storage::Edge;
use memdex_query::query::FieldName;
use memdex_query::schema::OnDelete;
use std::time::Duration;

/// How long a record lives. From its deadline on it counts as missing to every read and every command, and the store removes it.
///
/// See [`with_lifetime`](crate::Collection::with_lifetime) and [`set_lifetime`](crate::Collection::set_lifetime).
///
/// ```
/// use memdex::{Record, Store};
/// use memdex::write::Lifetime;
/// use memdex::clock::ManualClock;
/// use std::time::Duration;
///
/// #[derive(Clone, Record)]
/// struct Session { #[record(key)] id: u32, #[record(index)] user: String }
///
/// let clock = ManualClock::default();
/// let store = Store::builder().clock(clock.clone()).build();
/// let sessions = store.collection::<Session>("Session")?;
/// sessions.with_lifetime(Duration::from_secs(1_800)).store(Session { id: 1, user: "ada".into() })?;
/// sessions.store(Session { id: 2, user: "ada".into() })?;
/// sessions.set_lifetime(2, Duration::from_secs(60))?;
/// clock.advance(Duration::from_secs(60));
/// assert!(sessions.contains(1) && !sessions.contains(2));
/// sessions.set_lifetime(1, Lifetime::Forever)?;
/// clock.advance(Duration::from_secs(86_400));
/// assert_eq!(sessions.find(session::USER.eq("ada")).count()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// From the time of the commit on. A deadline after the year 38,000 counts as none.
    For(Duration),
    /// Up to, but not at, this time.
    Until(Timestamp),
    /// Until it is deleted.
    Forever,
}

impl From<Duration> for Lifetime {
    fn from(duration: Duration) -> Self {
        Lifetime::For(duration)
    }
}

impl From<Timestamp> for Lifetime {
    fn from(time: Timestamp) -> Self {
        Lifetime::Until(time)
    }
}

impl Lifetime {
    /// The deadline of a record that is written at `time`.
    pub(super) fn deadline(self, time: Timestamp) -> Option<Timestamp> {
        match self {
            Lifetime::For(duration) => Some(time + duration),
            Lifetime::Until(deadline) => Some(deadline),
            Lifetime::Forever => None,
        }
    }
}

/// The lifetime of records that are stored without another one; see
/// [`set_default_lifetime`](crate::Collection::set_default_lifetime).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DefaultLifetime {
    /// They stay until they are deleted.
    #[default]
    Forever,
    /// From the commit that stores them on. An update keeps the deadline.
    Fixed(Duration),
    /// From their last use on: that is the commit that stored or updated them, or the last read by `get`, `get_with`, `get_by` or
    /// `get_many` of the collection. Such a read moves every deadline of a record that is nearer. Queries, snapshots, `contains` and `peek`
    /// don't.
    Sliding(Duration),
    /// Up to the time in this field, which has single timestamps. A record without a value in it never expires. Each command that writes
    /// the record and gives no lifetime sets this deadline, an update too. If the deadline is not after the commit, the command is refused.
    /// Records that are in the collection already keep the deadline that they have.
    Field(FieldName),
}

/// The lifetime that an operation gives its record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    pub(super) lifetime: Lifetime,
    /// Only if that is later than the deadline that the record has.
    pub(super) only_later: bool,
}

/// What to do about a lifetime that a reference forbids.
pub(super) const NO_LIFETIMES: &str =
    "it restricts deletions, so they can't have lifetimes: use none, or cascade or set_null on delete";

/// Whether records to which others refer by this must not vanish by themselves.
pub(super) fn restricts(edge: &Edge) -> bool {
    edge.on_delete == OnDelete::Restrict
}

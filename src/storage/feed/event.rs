//! What the queue of a subscription holds.

use super::super::changes::CommitInfo;
use crate::error::Commit;
use crate::sync::Arc;

#[derive(Clone)]
pub(crate) enum Event {
    /// A commit, with the changes that concern the subscription.
    Commit(Arc<CommitInfo>),
    /// A collection was dropped, after this commit and before the next.
    Dropped { collection: Arc<str>, after: Commit },
}

impl Event {
    /// Its place in the order of the commits. A snapshot of this commit, or of a later one, shows what the event reports. A collection is
    /// dropped between two commits: only the second shows it for certain. Reporting a drop after a snapshot that shows it does no
    /// harm, since no commit up to that snapshot has put anything into another collection of the name.
    pub(crate) fn position(&self) -> Commit {
        match self {
            Event::Commit(info) => info.number(),
            Event::Dropped { after, .. } => after.next(),
        }
    }

    /// The number of its changes.
    pub(crate) fn changed(&self) -> usize {
        match self {
            Event::Commit(info) => info.changed(),
            Event::Dropped { .. } => 0,
        }
    }

    /// Drops the event, each record by itself if this is their last reference. Returns the number of panics.
    pub(crate) fn let_go(self) -> u64 {
        match self {
            Event::Commit(info) => info.let_go(),
            Event::Dropped { .. } => 0,
        }
    }
}

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
    /// The first commit of which a reader that misses this event may miss something.
    pub(super) fn commit(&self) -> Commit {
        match self {
            Event::Commit(info) => info.number(),
            Event::Dropped { after, .. } => *after,
        }
    }

    /// The number of its changes.
    pub(crate) fn changed(&self) -> usize {
        match self {
            Event::Commit(info) => info.changed(),
            Event::Dropped { .. } => 0,
        }
    }

    /// Whether a snapshot of `commit` shows it. A drop right after that commit is not shown, and reporting it twice does no harm:
    /// no commit up to it has put anything into another collection of that name.
    pub(crate) fn is_within(&self, commit: Commit) -> bool {
        match self {
            Event::Commit(info) => info.number() <= commit,
            Event::Dropped { after, .. } => *after < commit,
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

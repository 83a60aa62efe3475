//! Reclamation: which old states no pinned reader can see, and what a pass leaves over.

use crate::error::Commit;

/// The work that is left after a reclamation pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Backlog {
    Nothing,
    /// States that pinned readers see.
    Pinned,
    /// States that no reader sees, beyond the budget of the pass.
    CutShort,
}

/// The newest commit of `pinned` (ascending) within `from..until`.
pub(crate) fn newest_within(pinned: &[Commit], from: Commit, until: Commit) -> Option<Commit> {
    debug_assert!(from <= until);
    let before = pinned.partition_point(|e| *e < until);
    pinned[..before].last().copied().filter(|e| *e >= from)
}

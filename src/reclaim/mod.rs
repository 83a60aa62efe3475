//! Reclamation: which commits are pinned, which old states they retain, and what a pass leaves over.
//!
//! A state begins with a commit and lasts until the next one that changes it. A pass retains it under the newest pinned commit
//! that sees it. When that commit has lost its last pin, the state passes to the next older pinned commit, or nobody sees it any
//! longer. So commits never look at what older snapshots retain, and the end of a pin finds exactly what it retained.

mod pins;
mod retained;

use crate::error::Commit;

pub(crate) use pins::{Overflow, Pins};
pub(crate) use retained::Retained;

/// What one pass of reclamation knows.
pub(crate) struct Pass<'a> {
    pub(crate) pins: Pins<'a>,
    /// The newest commit.
    pub(crate) published: Commit,
}

/// The work that is left after a reclamation pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Backlog {
    Nothing,
    /// States that pinned readers see.
    Pinned,
    /// States that no reader sees, beyond the budget of the pass.
    CutShort,
}

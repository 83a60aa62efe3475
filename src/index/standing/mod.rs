//! Which figures do the records come to? Standing statistics as the committer keeps them: groups, what their records have
//! accumulated, and what it remembers of each row.

mod audit;
mod interned;
mod layout;
mod plan;
mod recompute;
mod statistics;
mod tally;

pub(crate) use layout::MAX_STANDING_WIDTH;
pub(crate) use plan::{GroupKey, Held, Standing};
pub(crate) use recompute::Recomputed;
pub(crate) use statistics::{StandingChange, StandingStaging, StandingWriter};
pub(crate) use tally::GroupFigures;

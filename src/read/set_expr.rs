//! Set algebra to be done once all parts are taken.

use crate::rowset::RowSet;

/// A set to compute.
pub(super) enum SetExpr {
    Set(RowSet),
    And(Vec<SetExpr>),
    Or(Vec<SetExpr>),
    Minus(Box<SetExpr>, Box<SetExpr>),
}

impl SetExpr {
    /// No more rows than these, as far as that is known without computing.
    pub(super) fn at_most(&self) -> Option<usize> {
        match self {
            SetExpr::Set(set) => Some(set.len()),
            SetExpr::And(parts) => parts.iter().filter_map(SetExpr::at_most).min(),
            SetExpr::Or(parts) => parts.iter().map(SetExpr::at_most).sum(),
            SetExpr::Minus(from, _) => from.at_most(),
        }
    }

    pub(super) fn evaluate(self) -> RowSet {
        match self {
            SetExpr::Set(set) => set,
            SetExpr::And(parts) => {
                let mut sets = ascending(parts);
                let first = if sets.is_empty() { RowSet::new() } else { sets.remove(0) };
                // The smallest first, so that what remains can only be smaller still.
                sets.iter().fold(first, |left, set| if left.is_empty() { left } else { left.and(set) })
            }
            SetExpr::Or(parts) => {
                let sets: Vec<RowSet> = parts.into_iter().map(SetExpr::evaluate).collect();
                RowSet::union(&sets)
            }
            SetExpr::Minus(from, less) => from.evaluate().minus(&less.evaluate()),
        }
    }

    /// The length of what [`evaluate`](SetExpr::evaluate) would give, without building its last step.
    pub(super) fn count(self) -> usize {
        match self {
            SetExpr::And(parts) => {
                let mut sets = ascending(parts);
                let Some(largest) = sets.pop() else { return 0 };
                let rest = sets.into_iter().reduce(|left, set| left.and(&set));
                rest.map_or_else(|| largest.len(), |rest| rest.and_len(&largest))
            }
            SetExpr::Minus(from, less) => from.evaluate().minus_len(&less.evaluate()),
            other => other.evaluate().len(),
        }
    }
}

fn ascending(parts: Vec<SetExpr>) -> Vec<RowSet> {
    let mut sets: Vec<RowSet> = parts.into_iter().map(SetExpr::evaluate).collect();
    sets.sort_by_key(RowSet::len);
    sets
}

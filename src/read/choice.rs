//! The planner's choices between alternatives.

use std::cell::{Cell, RefCell};

/// Decides between alternatives. Results must not depend on the decision: tests run every plan by scripting it.
#[derive(Debug)]
pub(super) enum Chooser {
    /// The lowest expected cost.
    Cheapest,
    /// Follows the script, decision by decision; past its end, takes the first alternative.
    Scripted { script: Vec<usize>, at: Cell<usize>, alternatives: RefCell<Vec<usize>> },
}

impl Chooser {
    pub(super) fn new(script: Option<&[usize]>) -> Self {
        match script {
            None => Chooser::Cheapest,
            Some(script) => {
                Chooser::Scripted { script: script.to_vec(), at: Cell::new(0), alternatives: RefCell::new(Vec::new()) }
            }
        }
    }

    /// Picks an alternative; `best` flags those that the planner prefers.
    pub(super) fn pick(&self, best: &[bool]) -> usize {
        match self {
            Chooser::Cheapest => best.iter().position(|best| *best).unwrap_or(0),
            Chooser::Scripted { script, at, alternatives } => {
                alternatives.borrow_mut().push(best.len());
                let picked = script.get(at.replace(at.get() + 1)).copied().unwrap_or(0);
                picked.min(best.len() - 1)
            }
        }
    }

    /// The number of alternatives at each decision.
    #[cfg(any(test, feature = "test-hooks"))]
    pub(super) fn alternatives(self) -> Vec<usize> {
        match self {
            Chooser::Cheapest => Vec::new(),
            Chooser::Scripted { alternatives, .. } => alternatives.into_inner(),
        }
    }
}

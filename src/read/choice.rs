//! Who decides where a plan could go several ways.

use std::cell::{Cell, RefCell};

/// Decides what the planner takes. Answers must not depend on it: tests have every legal plan run by scripts.
#[derive(Debug)]
pub(super) enum Chooser {
    /// What is expected to cost least.
    Cheapest,
    /// Decision by decision as written, and the first way where nothing is written any longer.
    Scripted { script: Vec<usize>, at: Cell<usize>, ways: RefCell<Vec<usize>> },
}

impl Chooser {
    pub(super) fn new(script: Option<&[usize]>) -> Self {
        match script {
            None => Chooser::Cheapest,
            Some(script) => {
                Chooser::Scripted { script: script.to_vec(), at: Cell::new(0), ways: RefCell::new(Vec::new()) }
            }
        }
    }

    /// One of several legal ways; `best` says which ones are wanted.
    pub(super) fn pick(&self, best: &[bool]) -> usize {
        match self {
            Chooser::Cheapest => best.iter().position(|best| *best).unwrap_or(0),
            Chooser::Scripted { script, at, ways } => {
                ways.borrow_mut().push(best.len());
                let way = script.get(at.replace(at.get() + 1)).copied().unwrap_or(0);
                way.min(best.len() - 1)
            }
        }
    }

    /// How many ways there were at each decision.
    pub(super) fn ways(self) -> Vec<usize> {
        match self {
            Chooser::Cheapest => Vec::new(),
            Chooser::Scripted { ways, .. } => ways.into_inner(),
        }
    }
}

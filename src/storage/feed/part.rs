//! One condition of a subscription.

use super::super::filings::{Filed, Filing, List, is_exact};
use super::queue::Queue;
use crate::record::{Condition, FieldSource};
use crate::sync::Arc;
use crate::user_code;

/// One condition of a subscription.
pub(super) struct Part {
    pub(super) queue: Arc<Queue>,
    /// Its place among the conditions of the subscription.
    number: usize,
    condition: Condition,
    /// `None` if it can't be filed.
    filings: Option<Vec<Filing>>,
    /// Whether its filings decide it.
    pub(super) is_exact: bool,
}

pub(super) type Parts = List<Part>;

impl Part {
    pub(super) fn new(queue: Arc<Queue>, number: usize, condition: Condition, filings: Option<Vec<Filing>>) -> Self {
        let is_exact = filings.is_some() && is_exact(&condition);
        Part { queue, number, condition, filings, is_exact }
    }

    /// Whether one of the images of a change matches. A change on which the condition panics is passed on, since it may match. Runs
    /// user code.
    pub(super) fn selects(&self, images: [Option<&dyn FieldSource>; 2], panics: &mut u64) -> bool {
        images.into_iter().flatten().any(|image| {
            user_code::run(|| self.condition.holds(image)).unwrap_or_else(|_| {
                *panics += 1;
                true
            })
        })
    }
}

impl Filed for Part {
    fn id(&self) -> (u64, usize) {
        (self.queue.id, self.number)
    }

    fn filings(&self) -> Option<&[Filing]> {
        self.filings.as_deref()
    }
}

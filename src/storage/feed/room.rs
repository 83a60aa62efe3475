//! Room that a commit has reserved in the queues of subscriptions for which writers wait.

use super::queue::{Queue, Settings, Size};
use crate::sync::Arc;
use smallvec::SmallVec;
use std::time::Duration;

/// Reserved before the commit lock, kept until the commit is delivered or refused.
#[derive(Default)]
pub(crate) struct Room(SmallVec<[(Arc<Queue>, Size); 1]>);

/// A subscription had no room in time.
pub(crate) struct Full {
    pub(crate) subscription: String,
    pub(crate) waited: Duration,
    pub(crate) unit: &'static str,
    pub(crate) queued: usize,
    pub(crate) limit: usize,
}

impl Room {
    /// Reserves in one queue after the other, in the order of registration, so that two commits never wait for each other.
    pub(super) fn reserve(queues: &[Arc<Queue>], size_in: impl Fn(&Queue) -> Size) -> Result<Room, Full> {
        let mut room = Room::default();
        for queue in queues {
            let size = size_in(queue);
            let Some(timeout) = queue.settings.writers_wait.filter(|_| size.operations > 0) else { continue };
            match queue.reserve(size, timeout) {
                Ok(true) => room.0.push((queue.clone(), size)),
                Ok(false) => {}
                Err(taken) => return Err(Full::new(&queue.settings, taken, size, timeout)),
            }
        }
        Ok(room)
    }

    pub(super) fn is_in(&self, queue: &Queue) -> bool {
        self.0.iter().any(|(of, _)| of.id == queue.id)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.0.iter().for_each(|(queue, size)| queue.release(*size));
    }
}

impl Full {
    fn new(settings: &Settings, taken: Size, size: Size, waited: Duration) -> Self {
        let Settings { name, limit, .. } = settings;
        let by_operations = taken.operations.saturating_add(size.operations) > limit.operations;
        let (unit, queued, limit) = if by_operations {
            ("operations", taken.operations, limit.operations)
        } else {
            ("bytes", taken.bytes, limit.bytes)
        };
        Full { subscription: name.clone(), waited, unit, queued, limit }
    }
}

//! The thread that removes records that have expired, for stores that are configured to have one.

use crate::limits::LOOK_AT_CLOCK;
use crate::sync::{Arc, Condvar, Mutex, thread};
use std::time::Instant;

/// The store's side. The thread ends with it.
#[derive(Default)]
pub(crate) struct Reaper(Arc<Shared>);

#[derive(Default)]
struct Shared {
    ends: Mutex<bool>,
    changed: Condvar,
}

impl Reaper {
    /// Starts the thread. It calls `round`, which makes a small commit for each collection with expired records and returns whether
    /// there may be more of them; `None` once the store is gone.
    ///
    /// The thread looks at the clock again and again: a clock is injected, so nobody tells when it has moved. After a commit the thread
    /// rests as long as that took, so that other commits get at least half of the commit lock.
    ///
    /// # Panics
    /// If the system cannot start a thread.
    pub(super) fn start(&self, round: impl Fn() -> Option<bool> + Send + 'static) {
        let shared = self.0.clone();
        thread::spawn(move || {
            loop {
                let started = Instant::now();
                let Some(more) = round() else { return };
                let rest = if more { started.elapsed() } else { LOOK_AT_CLOCK };
                let (ends, _) = shared.changed.wait_until(&shared.ends, shared.ends.lock(), Instant::now() + rest);
                if *ends {
                    return;
                }
            }
        });
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        *self.0.ends.lock() = true;
        self.0.changed.notify_one();
    }
}

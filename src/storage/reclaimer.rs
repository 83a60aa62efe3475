//! The thread that reclaims after the end of a pin, for stores that are configured to have one.
//!
//! Without it, what an ended pin retained is left to later commits and to `optimize`.

use crate::reclaim::Backlog;
use crate::sync::{Arc, AtomicBool, Condvar, Mutex, Ordering::SeqCst, thread};

/// The store's side. The thread ends with it.
#[derive(Default)]
pub(crate) struct Reclaimer {
    /// Set while pins retain anything: only then does the end of a pin wake the thread.
    blocked: AtomicBool,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    signal: Mutex<Signal>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Signal {
    #[default]
    Sleep,
    Reclaim,
    End,
}

impl Reclaimer {
    /// Starts the thread. It calls `slice`, which drops a bounded number of old states, until nothing is left that no reader sees;
    /// then it waits for the end of a pin.
    ///
    /// # Panics
    /// If the system cannot start a thread.
    pub(super) fn start(&self, slice: impl Fn() -> Backlog + Send + 'static) {
        let shared = self.shared.clone();
        thread::spawn(move || {
            while shared.receive() == Signal::Reclaim {
                while slice() == Backlog::CutShort {
                    thread::yield_now();
                }
            }
        });
    }

    /// A pin has ended. It stored that before; a pass that retains something for it sets `blocked` and then reads the pins
    /// again. So one of the two sees the other.
    pub(super) fn pin_ended(&self) {
        if self.blocked.load(SeqCst) {
            self.wake();
        }
    }

    pub(super) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, SeqCst);
    }

    pub(super) fn wake(&self) {
        self.shared.send(Signal::Reclaim);
    }
}

impl Drop for Reclaimer {
    fn drop(&mut self) {
        self.shared.send(Signal::End);
    }
}

impl Shared {
    fn send(&self, signal: Signal) {
        *self.signal.lock() = signal;
        self.changed.notify_one();
    }

    /// Waits for a signal.
    fn receive(&self) -> Signal {
        let mut signal = self.signal.lock();
        while *signal == Signal::Sleep {
            signal = self.changed.wait(signal);
        }
        if *signal == Signal::Reclaim {
            return std::mem::take(&mut *signal);
        }
        *signal
    }
}

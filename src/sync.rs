//! The one place that names locks, atomics and threads, so that a concurrency checker can replace them.
//!
//! Plain builds use `parking_lot` and `std`. `RUSTFLAGS="--cfg memdex_shuttle"` puts shuttle's stand-ins here and
//! `--cfg memdex_loom` loom's; both imitate `std`'s locks, so thin wrappers give them `parking_lot`'s interface.

#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod chosen {
    pub(crate) use super::waiting::Condvar;
    pub(crate) use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard};
    pub(crate) use std::sync::OnceLock;
    pub(super) use std::sync::atomic::fence as fence_of;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
    pub(crate) use std::thread;
}

#[cfg(memdex_shuttle)]
mod chosen {
    pub(crate) use super::stand_in::{Condvar, Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard};
    pub(super) use shuttle::sync::atomic::fence as fence_of;
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
    pub(crate) use shuttle::thread;
}

#[cfg(memdex_loom)]
mod chosen {
    pub(crate) use super::stand_in::{Condvar, Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard};
    pub(super) use loom::sync::atomic::fence as fence_of;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
    pub(crate) use loom::thread;
}

/// Thread locals that need no drop and no lazy start where the checkers don't ask for it.
macro_rules! per_thread {
    ($($(#[$attribute:meta])* static $name:ident: $t:ty = $value:expr;)*) => {
        #[cfg(not(any(memdex_shuttle, memdex_loom)))]
        std::thread_local! { $($(#[$attribute])* static $name: $t = const { $value };)* }
        #[cfg(memdex_shuttle)]
        shuttle::thread_local! { $($(#[$attribute])* static $name: $t = $value;)* }
        #[cfg(memdex_loom)]
        loom::thread_local! { $($(#[$attribute])* static $name: $t = $value;)* }
    };
}

mod name_map;

pub(crate) use name_map::NameMap;
pub(crate) use per_thread;

pub(crate) use chosen::*;
pub(crate) use std::sync::Arc;

/// As [`Tally`], for what may be negative.
pub(crate) use std::sync::atomic::AtomicI64 as SignedTally;
/// An atomic counter on which no query result and no decision about a record depends. It is `std`'s under the checkers too: they
/// would only try all orders of its steps and find nothing.
pub(crate) use std::sync::atomic::AtomicU64 as Tally;

/// Loom knows sequentially consistent fences but treats such accesses as acquire and release only; where the engine
/// needs their single total order, loom is given a fence. Elsewhere the accesses themselves suffice.
#[inline]
pub(crate) fn fence() {
    #[cfg(memdex_loom)]
    loom::sync::atomic::fence(Ordering::SeqCst);
}

/// Relaxed stores after it are seen by nobody who does not see all that was stored before it: see [`fence_acquire`].
#[inline]
pub(crate) fn fence_release() {
    chosen::fence_of(Ordering::Release);
}

/// Who has read, relaxed, what was stored after a [`fence_release`], reads after this one whatever was stored before that one.
#[inline]
pub(crate) fn fence_acquire() {
    chosen::fence_of(Ordering::Acquire);
}

/// `parking_lot`'s condition variable, which hands the guard through as `std`'s does: the checkers' ask for that.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod waiting {
    use super::{Mutex, MutexGuard};
    use std::time::Instant;

    #[derive(Default)]
    pub(crate) struct Condvar(parking_lot::Condvar);

    impl Condvar {
        pub(crate) fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(&mut guard);
            guard
        }

        /// Also says whether the time is up. `_of` is the mutex of the guard.
        pub(crate) fn wait_until<'a, T>(
            &self,
            _of: &'a Mutex<T>,
            mut guard: MutexGuard<'a, T>,
            deadline: Instant,
        ) -> (MutexGuard<'a, T>, bool) {
            let timed_out = self.0.wait_until(&mut guard, deadline).timed_out();
            (guard, timed_out)
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}

/// `parking_lot`'s interface over the checkers' locks, which are made after `std`'s.
#[cfg(any(memdex_shuttle, memdex_loom))]
mod stand_in {
    use super::{AtomicBool, Ordering};
    pub(crate) use checked::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};
    #[cfg(memdex_loom)]
    use loom::sync as checked;
    #[cfg(memdex_shuttle)]
    use shuttle::sync as checked;
    use std::sync::PoisonError;
    use std::time::Instant;

    #[derive(Default)]
    pub(crate) struct Condvar(checked::Condvar);

    impl Condvar {
        pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
        }

        /// The checkers know no time: others may run, and then the time is up.
        pub(crate) fn wait_until<'a, T>(
            &self,
            of: &'a Mutex<T>,
            guard: MutexGuard<'a, T>,
            _deadline: Instant,
        ) -> (MutexGuard<'a, T>, bool) {
            drop(guard);
            super::thread::yield_now();
            (of.lock(), true)
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    #[derive(Default)]
    pub(crate) struct Mutex<T>(checked::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Mutex(checked::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }

        pub(crate) fn into_inner(self) -> T {
            self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
        }
    }

    #[derive(Default)]
    pub(crate) struct RwLock<T>(checked::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            RwLock(checked::RwLock::new(value))
        }

        pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn read_recursive(&self) -> RwLockReadGuard<'_, T> {
            self.read()
        }

        pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// `std`'s cell, with a step that the checker sees before each look.
    pub(crate) struct OnceLock<T> {
        cell: std::sync::OnceLock<T>,
        set: AtomicBool,
    }

    impl<T> OnceLock<T> {
        pub(crate) fn new() -> Self {
            OnceLock { cell: std::sync::OnceLock::new(), set: AtomicBool::new(false) }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            if self.set.load(Ordering::SeqCst) { self.cell.get() } else { None }
        }

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            let set = self.cell.set(value);
            self.set.store(true, Ordering::SeqCst);
            set
        }

        pub(crate) fn into_inner(self) -> Option<T> {
            self.cell.into_inner()
        }
    }
}

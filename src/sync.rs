//! The only module that names locks, atomics and threads, so that a concurrency checker can replace them.
//!
//! Plain builds use `parking_lot` and `std`. `RUSTFLAGS="--cfg memdex_shuttle"` selects shuttle's replacements, and
//! `--cfg memdex_loom` selects loom's. Both imitate the locks of `std`, so thin wrappers give them the interface of
//! `parking_lot`.

/// A cell that the process sets once. Checkers don't see it.
pub(crate) use std::sync::OnceLock as ProcessCell;

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

/// Thread locals with a constant initializer; under the checkers, whose macros accept no other, with a lazy one. Only for types
/// without `Drop`.
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

/// A sharded map from names: the registry of collections.
mod name_map;

pub(crate) use name_map::NameMap;
pub(crate) use per_thread;

pub(crate) use chosen::*;
pub(crate) use std::sync::{Arc, Weak};
pub(crate) use std::thread::panicking;

/// Like [`StatsCounter`], for signed values.
pub(crate) use std::sync::atomic::AtomicI64 as SignedStatsCounter;
/// An atomic counter on which no query result and no decision about a record depends. It is from `std` under the
/// checkers too: exploring its interleavings would find nothing.
pub(crate) use std::sync::atomic::AtomicU64 as StatsCounter;

/// A sequentially consistent fence under loom, otherwise nothing. Loom treats sequentially consistent accesses as acquire and
/// release only, so code that relies on their single total order calls this.
#[inline]
pub(crate) fn loom_fence() {
    #[cfg(memdex_loom)]
    loom::sync::atomic::fence(Ordering::SeqCst);
}

/// A thread that sees a relaxed store made after this fence also sees all stores made before it, if it uses
/// [`fence_acquire`].
#[inline]
pub(crate) fn fence_release() {
    chosen::fence_of(Ordering::Release);
}

/// After this fence, a thread that has read a relaxed store made after a [`fence_release`] sees all stores made before
/// that fence.
#[inline]
pub(crate) fn fence_acquire() {
    chosen::fence_of(Ordering::Acquire);
}

/// Work that [`run_in_parallel`] does.
pub(crate) type Job<'a, T> = Box<dyn FnOnce() -> T + Send + 'a>;

/// Runs all jobs, on as many threads as there are cores, and returns their results in their order. A panic of a job ends the call
/// once the other threads have stopped.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) fn run_in_parallel<T: Send>(jobs: Vec<Job<'_, T>>) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, |cores| cores.get()).min(jobs.len());
    let queue = Mutex::new(jobs.into_iter().enumerate());
    let work = || {
        let next = || queue.lock().next();
        let mut done = Vec::new();
        while let Some((at, job)) = next() {
            done.push((at, job()));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// One after the other: the checkers explore the threads that use the store.
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) fn run_in_parallel<T: Send>(jobs: Vec<Job<'_, T>>) -> Vec<T> {
    jobs.into_iter().map(|job| job()).collect()
}

/// The condition variable of `parking_lot`, with the signatures of `std`, which the checkers' variables have too.
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

        /// Also returns whether the deadline has passed. `_of` is the mutex of the guard.
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

/// The interface of `parking_lot` over the checkers' locks, which imitate those of `std`.
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

        /// The checkers have no clock: other threads may run, and then the deadline has passed.
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

        pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// A cell of `std`, with an atomic access that the checker sees before each read.
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

//! The one place that names lock and atomic types, so that a concurrency checker can replace them.
//!
//! Plain builds use `parking_lot` and `std`. `RUSTFLAGS="--cfg memdex_shuttle"` puts shuttle's stand-ins here and
//! `--cfg memdex_loom` loom's; both imitate `std`'s locks, so thin wrappers give them `parking_lot`'s interface.

#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod chosen {
    pub(crate) use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard};
    pub(crate) use std::sync::OnceLock;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(crate) use std::thread_local;
}

#[cfg(memdex_shuttle)]
mod chosen {
    pub(crate) use super::stand_in::{Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard};
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(crate) use shuttle::thread_local;
}

#[cfg(memdex_loom)]
mod chosen {
    pub(crate) use super::stand_in::{Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard};
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(crate) use loom::thread_local;
}

pub(crate) use chosen::*;
pub(crate) use std::sync::Arc;

/// Loom knows sequentially consistent fences but treats such accesses as acquire and release only; where the engine
/// needs their single total order, loom is given a fence. Elsewhere the accesses themselves suffice.
#[inline]
pub(crate) fn fence() {
    #[cfg(memdex_loom)]
    loom::sync::atomic::fence(Ordering::SeqCst);
}

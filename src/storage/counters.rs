//! Events that no other structure counts, shared by a store and its collections.

use crate::sync::{AtomicU64, Ordering::SeqCst};
use crate::trace::{self, Tracer};

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) refusals: AtomicU64,
    pub(crate) lost_operations: AtomicU64,
    pub(super) drop_panics: AtomicU64,
    pub(super) hook_panics: AtomicU64,
    pub(crate) tracer: Tracer,
}

impl Counters {
    pub(crate) fn report_hook_panics(&self, panics: u64) {
        if panics > 0 {
            self.hook_panics.fetch_add(panics, SeqCst);
            trace::event!(self.tracer, ERROR, panics, "commit hooks panicked; the commit was not affected");
        }
    }

    pub(crate) fn report_drop_panics(&self, panics: u64) {
        if panics > 0 {
            self.drop_panics.fetch_add(panics, SeqCst);
            trace::event!(self.tracer, ERROR, panics, "records panicked in their Drop; the store is unharmed");
        }
    }
}

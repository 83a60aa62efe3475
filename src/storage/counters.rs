//! Events that no other structure counts, shared by a store and its collections.

#[cfg(feature = "testing")]
use crate::sync::Arc;
use crate::sync::{AtomicU64, Ordering::SeqCst};
#[cfg(feature = "testing")]
use crate::testing::Testing;
use crate::trace::{self, Tracer};
use crate::user_code;
use std::mem::needs_drop;
use std::ops::{Deref, DerefMut};

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) refusals: AtomicU64,
    pub(crate) lost_operations: AtomicU64,
    pub(super) drop_panics: AtomicU64,
    pub(super) hook_panics: AtomicU64,
    pub(crate) tracer: Tracer,
    #[cfg(feature = "testing")]
    pub(super) testing: Option<Arc<Testing>>,
}

impl Counters {
    /// Drops values of the user, each by itself, and counts the panics.
    pub(crate) fn drop_each<T>(&self, values: impl IntoIterator<Item = T>) {
        self.report_drop_panics(user_code::drop_each(values));
    }

    /// Holds a value of the user: wherever the holder is dropped, a panic of the value is caught and counted.
    pub(crate) fn hold<T>(&self, value: T) -> Held<'_, T> {
        Held { value: Some(value), counters: self }
    }

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

/// A value of the user, from [`Counters::hold`].
pub(crate) struct Held<'a, T> {
    /// Empty only in `into_inner` and `drop`.
    value: Option<T>,
    counters: &'a Counters,
}

const EMPTY: &str = "a held value is taken only with its holder";

impl<T> Held<'_, T> {
    pub(crate) fn into_inner(mut self) -> T {
        match self.value.take() {
            Some(value) => value,
            None => unreachable!("{EMPTY}"),
        }
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.value {
            Some(value) => value,
            None => unreachable!("{EMPTY}"),
        }
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.value {
            Some(value) => value,
            None => unreachable!("{EMPTY}"),
        }
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        if needs_drop::<T>() {
            self.counters.drop_each(self.value.take());
        }
    }
}

//! User code that runs inside a call to memdex: closures, extractors, hooks, observers, `Drop`s.
//!
//! No guard of a shared structure is held while it runs, but the commit lock may be. A flag of the thread is set meanwhile. Writes
//! are refused, as they would wait for a lock that their own thread holds.

use crate::sync::{panicking, per_thread};
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

per_thread! {
    static DEPTH: Cell<u32> = Cell::new(0);
}

/// While a scope exists, its thread is inside user code.
pub(crate) struct Scope(());

impl Scope {
    #[inline]
    pub(crate) fn enter() -> Self {
        DEPTH.with(|depth| depth.set(depth.get() + 1));
        Scope(())
    }
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}

/// Whether this thread is inside user code. Returns false on a thread that is exiting.
#[inline]
pub(crate) fn inside() -> bool {
    DEPTH.try_with(Cell::get).unwrap_or(0) > 0
}

/// Runs user code, and converts its panic to the panic message.
pub(crate) fn run<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    let _scope = Scope::enter();
    caught(code)
}

/// Converts a panic to its message. Unlike [`run`], this is for memdex's own code, so that code may write.
pub(crate) fn caught<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(code)).map_err(into_message)
}

fn into_message(payload: Box<dyn Any + Send>) -> String {
    let message = message(&*payload);
    // The payload belongs to the user as well: if its `Drop` panics, the payload of that panic is never dropped.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
    message
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// Drops each value separately, and counts the `Drop`s that panicked.
pub(crate) fn drop_each<T>(values: impl IntoIterator<Item = T>) -> u64 {
    values.into_iter().map(|value| u64::from(run(|| drop(value)).is_err())).sum()
}

/// For the `Drop` of what holds a value of the user. While a panic unwinds, a second one would abort the process, so this drops the
/// value here and catches it. Otherwise the value is left where it is, and its panic reaches the caller.
#[inline]
pub(crate) fn drop_while_unwinding<T>(take: impl FnOnce() -> T) {
    if panicking() {
        drop_each([take()]);
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message_and_leaves_the_scope() {
        assert_eq!(run(|| panic!("no {}", 1)), Err::<(), _>("no 1".to_owned()));
        assert!(!inside());
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("bomb");
            }
        }
        assert_eq!(drop_each([Bomb, Bomb]), 2);
        assert_eq!(
            run(|| std::panic::panic_any(Bomb)),
            Err::<(), _>("no message".to_owned()),
            "dropping a payload may panic"
        );
    }
}

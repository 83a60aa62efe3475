//! How many records, index entries and column cells a query has looked at, on this thread.

#[cfg(feature = "testing")]
pub(crate) use counted::{Meter, look};

/// Without the feature nothing is counted.
#[cfg(not(feature = "testing"))]
#[inline(always)]
pub(crate) fn look(_: usize) {}

#[cfg(feature = "testing")]
mod counted {
    use crate::sync::per_thread;
    use std::cell::Cell;

    per_thread! {
        static LOOKED: Cell<usize> = Cell::new(0);
    }

    /// Counts what the query of this thread has looked at.
    #[inline]
    pub(crate) fn look(at: usize) {
        LOOKED.with(|looked| looked.set(looked.get().saturating_add(at)));
    }

    /// Measures one query. Its extractors may run others, which don't count.
    pub(crate) struct Meter {
        outer: usize,
    }

    impl Meter {
        pub(crate) fn start() -> Self {
            Meter { outer: LOOKED.with(|looked| looked.replace(0)) }
        }

        pub(crate) fn looked(&self) -> usize {
            LOOKED.with(Cell::get)
        }
    }

    impl Drop for Meter {
        fn drop(&mut self) {
            LOOKED.with(|looked| looked.set(self.outer));
        }
    }
}

//! Values that commits and reclamation passes have removed, to be dropped after every lock is released.

use super::any_version::SharedVersion;
use super::gauges::Gauges;
use crate::sync::Arc;
use crate::user_code;
use smallvec::SmallVec;

/// See the module documentation.
#[derive(Default)]
pub(crate) struct Garbage {
    parts: SmallVec<[Box<dyn FnOnce() -> Dropped>; 2]>,
    /// The change of the memory of the collections, without the heap memory of the records in the garbage.
    pub(super) memory: i64,
}

/// The result of dropping garbage.
pub(super) struct Dropped {
    /// Calls of user code that panicked.
    pub(super) panics: u64,
    /// The change of the memory.
    pub(super) memory: i64,
}

impl Garbage {
    /// Each value is dropped separately.
    pub(crate) fn add<T: 'static>(
        &mut self,
        values: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator + 'static>,
    ) {
        let values = values.into_iter();
        if values.len() > 0 {
            self.add_dropping(|| user_code::drop_each(values));
        }
    }

    /// `drop_all` drops values, each separately, and returns the number of panics.
    pub(crate) fn add_dropping(&mut self, drop_all: impl FnOnce() -> u64 + 'static) {
        self.parts.push(Box::new(|| Dropped { panics: drop_all(), memory: 0 }));
    }

    /// Versions that no reader sees any longer. The heap memory of their records is subtracted when they are dropped,
    /// since only user code can measure it.
    pub(super) fn add_versions(&mut self, versions: SmallVec<[SharedVersion; 2]>, gauges: &Arc<Gauges>) {
        match versions.first() {
            None => return,
            Some(version) if !version.owns_heap() => return self.add(versions),
            Some(_) => {}
        }
        let gauges = gauges.clone();
        self.parts.push(Box::new(move || {
            let (mut heap, mut panics) = (0, 0);
            versions.into_iter().for_each(|version| panics += drop_measured(version, &mut heap));
            Dropped { panics, memory: gauges.subtract_heap(heap) }
        }));
    }

    /// Drops all values. The caller holds no lock.
    pub(super) fn drop_all(self) -> Dropped {
        let mut sum = Dropped { panics: 0, memory: 0 };
        for drop_all in self.parts {
            let Dropped { panics, memory } = drop_all();
            sum.panics += panics;
            sum.memory += memory;
        }
        sum
    }
}

/// Adds the heap memory of a record to `heap` and drops it. Returns how many of the two panicked.
fn drop_measured(version: SharedVersion, heap: &mut usize) -> u64 {
    let mut left = Some(version);
    let measure_and_drop = || {
        *heap = heap.saturating_add(left.as_ref().map_or(0, |version| version.counted_heap()));
        drop(left.take());
    };
    let panics = u64::from(user_code::run(measure_and_drop).is_err());
    panics + user_code::drop_each(left)
}

//! Values that commits and reclamation passes have removed, to be dropped after every lock is released.

use crate::user_code;
use smallvec::SmallVec;

/// Versions that no reader sees any longer, to be dropped after every lock is released.
#[derive(Default)]
pub(crate) struct Garbage(SmallVec<[Box<dyn FnOnce() -> u64>; 2]>);

impl Garbage {
    /// Each value is dropped separately.
    pub(crate) fn add<T: 'static>(
        &mut self,
        values: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator + 'static>,
    ) {
        let values = values.into_iter();
        if values.len() > 0 {
            self.0.push(Box::new(|| user_code::drop_each(values)));
        }
    }

    /// Drops all values. The caller holds no lock. Returns the number of panics.
    pub(crate) fn drop_all(self) -> u64 {
        self.0.into_iter().map(|drop_all| drop_all()).sum()
    }
}

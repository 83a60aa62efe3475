//! A set of values to compare with: sorted and distinct. A lookup allocates nothing.

use crate::value::{Value, ValueRef};
use std::ops::Deref;

/// A sorted set of distinct values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values(Vec<Value>);

impl Values {
    /// O(n log n).
    pub fn new(mut values: Vec<Value>) -> Self {
        values.sort_unstable();
        values.dedup();
        Values(values)
    }

    /// A set of values that are sorted and distinct already.
    pub(super) fn sorted(values: Vec<Value>) -> Self {
        debug_assert!(values.is_sorted_by(|a, b| a < b));
        Values(values)
    }

    /// O(log n).
    pub fn has(&self, value: ValueRef<'_>) -> bool {
        self.place(value).is_some()
    }

    fn place(&self, value: ValueRef<'_>) -> Option<usize> {
        self.0.binary_search_by(|own| own.as_ref().cmp(&value)).ok()
    }

    /// Whether `for_each` passes every value of the set. O(values passed * log n); allocates for more than 32 values
    /// only.
    pub fn all_among(&self, for_each: impl FnOnce(&mut dyn FnMut(ValueRef<'_>))) -> bool {
        let mut left = self.0.len();
        let (mut few, mut many) = ([false; 32], Vec::new());
        let found: &mut [bool] = if left <= few.len() {
            &mut few
        } else {
            many.resize(left, false);
            &mut many
        };
        for_each(&mut |value| {
            if let Some(place) = self.place(value).filter(|_| left > 0) {
                left -= usize::from(!std::mem::replace(&mut found[place], true));
            }
        });
        left == 0
    }

    pub(super) fn into_vec(self) -> Vec<Value> {
        self.0
    }
}

impl Deref for Values {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0
    }
}

//! Values with their counts: minimum, maximum and the number of distinct values when values can be removed.

use crate::value::{Value, ValueRef};
use std::collections::BTreeMap;

/// An ordered multiset of values. Adding and removing cost `O(log n)` in the number of distinct values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Multiset {
    counts: BTreeMap<Value, u64>,
}

impl Multiset {
    /// Adds a value; true if it is new.
    pub fn add(&mut self, value: ValueRef<'_>) -> bool {
        let count = self.counts.entry(value.to_value()).or_insert(0);
        *count += 1;
        *count == 1
    }

    /// Removes a value that was added before; true if it was the last one of its kind.
    pub fn remove(&mut self, value: ValueRef<'_>) -> bool {
        let value = value.to_value();
        let Some(count) = self.counts.get_mut(&value) else {
            debug_assert!(false, "removed {value:?}, which is not in the set");
            return false;
        };
        *count -= 1;
        let last = *count == 0;
        if last {
            self.counts.remove(&value);
        }
        last
    }

    /// The lowest value.
    pub fn first(&self) -> Option<&Value> {
        self.counts.first_key_value().map(|(value, _)| value)
    }

    /// The highest value; NaN, if there is one.
    pub fn last(&self) -> Option<&Value> {
        self.counts.last_key_value().map(|(value, _)| value)
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of distinct values.
    pub fn len(&self) -> usize {
        self.counts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_multiset_answers_as_a_list_does(steps in prop::collection::vec((any::<bool>(), 0i64..8), 0..60)) {
            let (mut set, mut list) = (Multiset::default(), Vec::new());
            for (add, n) in steps {
                let value = ValueRef::from(n);
                if add {
                    prop_assert_eq!(set.add(value), !list.contains(&n));
                    list.push(n);
                } else if let Some(at) = list.iter().position(|held| *held == n) {
                    list.swap_remove(at);
                    prop_assert_eq!(set.remove(value), !list.contains(&n));
                }
                prop_assert_eq!(set.first().cloned(), list.iter().min().map(|n| Value::from(*n)));
                prop_assert_eq!(set.last().cloned(), list.iter().max().map(|n| Value::from(*n)));
                prop_assert_eq!(set.len(), list.iter().collect::<std::collections::BTreeSet<_>>().len());
            }
        }
    }
}

//! A step function of time with a lookup in two or three memory accesses. A grid of equal slots has the step at the
//! beginning of each slot, and one comparison without a branch decides whether the next step has begun.

/// The number of grid slots for each step, so that few slots contain two beginnings.
const SLOTS_PER_STEP: usize = 4;
/// Limits a grid to a quarter of a megabyte. With more steps, some slots contain several beginnings, which a lookup
/// scans.
const MOST_SLOTS: usize = 1 << 16;

/// The steps that cover a range of seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    /// The first second and the value of each step, and an end marker.
    steps: Vec<(i64, i64)>,
    /// For each slot, the index of the step that contains its first second.
    grid: Vec<u32>,
    low: i64,
    /// A slot spans two to the power of `shift` seconds.
    shift: u32,
}

impl Steps {
    /// Builds the function from (first second, value) pairs, ascending. The first must not begin after `low`. Lookups
    /// must be from `low` to `high`.
    pub(super) fn new(mut steps: Vec<(i64, i64)>, low: i64, high: i64) -> Self {
        debug_assert!(steps.first().is_some_and(|first| first.0 <= low) && low <= high);
        debug_assert!(steps.is_sorted_by(|a, b| a.0 < b.0));
        let slots = (steps.len() * SLOTS_PER_STEP).next_power_of_two().min(MOST_SLOTS);
        let length = high.abs_diff(low) / slots as u64 + 1;
        let shift = length.next_power_of_two().trailing_zeros();
        let mut at = 0;
        let mut first_step = |slot: u64| {
            let second = low + (slot << shift) as i64;
            while steps.get(at + 1).is_some_and(|next| next.0 <= second) {
                at += 1;
            }
            at as u32
        };
        let grid = (0..=high.abs_diff(low) >> shift).map(&mut first_step).collect();
        steps.push((i64::MAX, 0));
        Steps { steps, grid, low, shift }
    }

    /// The value at a second.
    #[inline]
    pub(super) fn find(&self, second: i64) -> i64 {
        self.steps[self.place(second)].1
    }

    /// The value at two seconds if one step contains both.
    pub(super) fn find_both(&self, least: i64, greatest: i64) -> Option<i64> {
        let place = self.place(least);
        (greatest < self.steps[place + 1].0).then(|| self.steps[place].1)
    }

    #[inline]
    fn place(&self, second: i64) -> usize {
        let mut at = self.grid[((second - self.low) >> self.shift) as usize] as usize;
        at += usize::from(self.steps[at + 1].0 <= second);
        while self.steps[at + 1].0 <= second {
            at += 1;
        }
        at
    }

    /// The steps, without the end marker.
    pub(super) fn all(&self) -> &[(i64, i64)] {
        self.steps.split_last().map_or(&[], |(_, steps)| steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn steps_are_found_as_in_a_map(
            steps in prop::collection::btree_map(prop_oneof![0i64..100, 0i64..1_000_000], any::<i64>(), 1..60),
            low in -10i64..10,
            length in prop_oneof![0i64..100, 0i64..2_000_000],
            lookups in prop::collection::vec(any::<u64>(), 50),
        ) {
            let first = steps.keys().next().copied().unwrap();
            let (low, high) = (first.max(low), first.max(low) + length);
            let map: BTreeMap<i64, i64> = steps;
            let found = Steps::new(map.clone().into_iter().collect(), low, high);
            let near = map.keys().flat_map(|start| [start - 1, *start, start + 1]).filter(|s| (low..=high).contains(s));
            for second in near.chain(lookups.iter().map(|n| low + (n % (length as u64 + 1)) as i64)) {
                let step = *map.range(..=second).next_back().unwrap().1;
                prop_assert_eq!(found.find(second), step);
                prop_assert_eq!(found.find_both(second, high), Some(step).filter(|_| second == high || map.range(second + 1..=high).next().is_none()));
            }
            prop_assert_eq!(found.all().len(), map.len());
        }
    }
}

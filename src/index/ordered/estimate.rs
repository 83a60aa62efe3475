//! Estimates of the number of entries between two bounds, and of the number of keys, from a few leaves: their ranks in the directory
//! give the number of leaves between them. Leaves may change between two reads, so the estimates are exact only if nothing moves.

use super::super::cardinality::{self, Sample};
use super::leaves::Leaves;
use super::position::KeyRange;
use crate::sync::Arc;

/// The number of leaves from which the number of keys is estimated.
const SAMPLED_LEAVES: usize = 16;

impl<K: Ord + Clone> Leaves<K> {
    /// The number of entries in a range, out of `entries`: counted in the leaves at its ends, which is exact if no other leaf lies
    /// between.
    pub(super) fn estimate(&self, span: &KeyRange<K>, entries: usize) -> usize {
        if span.is_empty() {
            return 0;
        }
        let (first, last, between, leaves) = {
            let directory = self.directory.read();
            let (from, first) = directory.ranked(span.from.position());
            let (to, last) = directory.ranked_below(span.to.position());
            (first.clone(), last.clone(), (to - from).saturating_sub(1), directory.len())
        };
        let count = first.0.read().places(span).len();
        if Arc::ptr_eq(&first, &last) {
            return count;
        }
        cardinality::of_stretch(count + last.0.read().places(span).len(), between, entries, leaves)
    }

    /// The number of distinct keys of `entries` entries, estimated from how often keys change in leaves at equal distances.
    pub(super) fn distinct_estimate(&self, entries: usize) -> usize {
        let leaves: Vec<_> = {
            let directory = self.directory.read();
            let count = directory.len().min(SAMPLED_LEAVES);
            (0..count).filter_map(|n| directory.nth(n * directory.len() / count)).cloned().collect()
        };
        let mut sample = Sample::default();
        let mut last_first = None;
        for leaf in &leaves {
            let entries = leaf.0.read();
            let Some((first, last)) = entries.keys.first().zip(entries.keys.last()) else { continue };
            sample.leaves += 1;
            sample.pairs += entries.len() - 1;
            sample.changes += entries.keys.windows(2).filter(|pair| pair[0] != pair[1]).count();
            // The next leaf begins with its first entry, or did when it was made.
            if let Some((next, _)) = &entries.upper {
                sample.pairs += 1;
                sample.changes += usize::from(next != last);
            }
            if last_first.as_ref() != Some(first) {
                sample.firsts += 1;
                last_first = Some(first.clone());
            }
        }
        cardinality::of_distinct(sample, entries)
    }
}

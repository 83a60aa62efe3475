//! Cardinality estimates: exact counts of a part, extrapolated to the whole. Pure arithmetic.

/// The rows of that many values are counted; of the others the mean is taken.
pub(crate) const COUNTED_VALUES: usize = 16;

/// If none of the counted values has a row, the others may yet have: one of so many is taken to have as many rows as values have on
/// average.
const VALUES_TO_A_HIT: usize = 8;

/// The number of shards of a table whose values are counted.
const SAMPLED_SHARDS: usize = 16;

/// With fewer values in these, all shards are counted: few values are spread unevenly.
const FEW_VALUES: usize = 256;

/// The rows of `wanted` values, of which `counted` values have `rows`, among `filed` rows that all values have together.
pub(crate) fn of_values(rows: usize, counted: usize, wanted: usize, filed: usize, distinct: usize) -> usize {
    debug_assert!(counted <= wanted);
    let others = wanted - counted;
    let of_others = if counted > 0 && rows > 0 {
        scale(rows, others, counted)
    } else {
        scale(filed, others.div_ceil(VALUES_TO_A_HIT), distinct)
    };
    rows.saturating_add(if others == 0 { 0 } else { of_others }).min(filed)
}

/// The entries of a stretch of leaves whose ends are counted: `ends` entries of `end_leaves` leaves are in it, `between` leaves lie
/// between. All leaves together, the ends too, are `leaves` with `entries` entries.
pub(crate) fn of_stretch(ends: usize, between: usize, entries: usize, leaves: usize) -> usize {
    ends.saturating_add(scale(entries, between, leaves)).min(entries)
}

/// The sample of leaves from which the number of keys is estimated.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sample {
    pub(crate) leaves: usize,
    /// Pairs of neighbouring entries, and how many of these have different keys.
    pub(crate) pairs: usize,
    pub(crate) changes: usize,
    /// Different keys among the first ones of the leaves.
    pub(crate) firsts: usize,
}

/// The number of distinct keys of `entries` entries, if they change elsewhere as often as in the sample. But if most leaves of the
/// sample have no change and share their first keys, each key fills many leaves, and the number of changes in the sample is chance;
/// then the first keys are counted.
pub(crate) fn of_distinct(sample: Sample, entries: usize) -> usize {
    let Sample { leaves, pairs, changes, firsts } = sample;
    let by_changes = 1 + scale(entries.saturating_sub(1), changes, pairs);
    let few = changes <= leaves && firsts * 2 <= leaves;
    if few { firsts } else { by_changes.max(firsts) }.min(entries)
}

/// The number of values in a table, from the sizes of some of its shards, which a hash fills evenly.
pub(crate) fn of_shards(mut lens: impl ExactSizeIterator<Item = usize>) -> usize {
    let shards = lens.len();
    let asked: usize = lens.by_ref().take(SAMPLED_SHARDS).sum();
    if asked < FEW_VALUES { asked + lens.sum::<usize>() } else { scale(asked, shards, SAMPLED_SHARDS.min(shards)) }
}

/// `amount * part / whole`, rounded to the nearest; all of it if there is no whole.
fn scale(amount: usize, part: usize, whole: usize) -> usize {
    if whole == 0 {
        return if part == 0 { 0 } else { amount };
    }
    ((amount as f64) * (part as f64) / (whole as f64)).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_exact() {
        assert_eq!(of_values(7, 3, 3, 100, 10), 7);
        assert_eq!(of_values(0, 3, 3, 100, 10), 0);
        assert_eq!(of_values(0, 0, 0, 100, 10), 0);
        assert_eq!(of_stretch(12, 0, 1_000, 5), 12);
        assert_eq!(of_stretch(0, 0, 0, 1), 0);
    }

    #[test]
    fn values_that_are_not_counted_have_as_many_rows_as_the_others() {
        assert_eq!(of_values(32, 16, 100, 1_000, 500), 200);
        assert_eq!(of_values(32, 16, 100, 150, 500), 150, "no more than there are");
        assert_eq!(of_values(0, 16, 16 + 80, 1_000, 500), 20, "ten of them are taken to have two rows each");
        assert_eq!(of_values(0, 16, 17, 1_000, 0), 1_000, "nothing is known");
        assert_eq!(of_values(usize::MAX, 16, usize::MAX, usize::MAX, 1), usize::MAX);
    }

    #[test]
    fn shards_that_are_not_asked_have_as_many_values_as_the_others() {
        assert_eq!(of_shards([0; 256].into_iter()), 0);
        assert_eq!(of_shards([1; 256].into_iter()), 256, "all are asked");
        assert_eq!(of_shards([100; 256].into_iter()), 25_600);
        assert_eq!(of_shards([1_000, 3_000].into_iter()), 4_000);
        assert_eq!(of_shards((0..256).map(|n| if n < 16 { 20 } else { 0 })), 5_120, "a guess");
    }

    #[test]
    fn leaves_between_are_as_full_as_all() {
        assert_eq!(of_stretch(30, 10, 20_000, 100), 2_030);
        assert_eq!(of_stretch(300, 98, 20_000, 100), 19_900);
        assert_eq!(of_stretch(500, 99, 20_000, 100), 20_000, "no more than there are");
    }

    #[test]
    fn keys_change_elsewhere_as_often_as_in_the_sample() {
        let sample = |pairs, changes, firsts| Sample { leaves: 8, pairs, changes, firsts };
        assert_eq!(of_distinct(sample(0, 0, 0), 0), 0);
        assert_eq!(of_distinct(Sample { leaves: 1, pairs: 0, changes: 0, firsts: 1 }, 1), 1);
        assert_eq!(of_distinct(Sample { leaves: 1, pairs: 99, changes: 0, firsts: 1 }, 100), 1);
        assert_eq!(of_distinct(sample(999, 999, 8), 100_000), 100_000, "all differ");
        assert_eq!(of_distinct(sample(1_000, 100, 8), 100_001), 10_001);
        assert_eq!(of_distinct(sample(2_000, 0, 4), 100_000), 4, "each fills many leaves");
        assert_eq!(of_distinct(sample(2_000, 2, 4), 100_000), 4, "it is chance to meet a change");
        assert_eq!(of_distinct(sample(2_000, 4, 8), 100_001), 201, "each fills a leaf or two");
        assert_eq!(of_distinct(sample(2_000, 1_000, 4), 100_001), 50_001, "one fills half of all leaves");
        assert_eq!(of_distinct(sample(10, 10, 1), 5), 5, "no more than there are");
    }
}

//! Cost estimates of plan steps, in nanoseconds. Only their ratios matter, and an error of 50 % does no harm.
//! Measured on a machine where a random memory access takes 100 to 170 ns.

/// Evaluating a record: page, version and fields are separate memory accesses.
pub(super) const EVALUATION: f64 = 220.0;
/// Evaluating a record in a full scan, which reads pages sequentially.
pub(super) const SCAN: f64 = 110.0;
/// Looking up one value: hash, shard, posting.
pub(super) const LOOKUP: f64 = 300.0;
/// Set algebra, per row: most sets are bitmaps.
const ALGEBRA: f64 = 0.1;
/// Copying an entry of an ordered index into a set.
const ENTRY: f64 = 6.0;
/// Reading a cell in a scan of the whole column.
const CELL: f64 = 0.7;
/// Reading the cell of a single row.
pub(super) const SCATTERED_CELL: f64 = 12.0;
/// Sorting one record among others.
pub(super) const COMPARED: f64 = 100.0;
/// Reading an entry in an index walk that also tests its row for set membership.
pub(super) const WALKED: f64 = 40.0;

/// Cost of looking up `values` values that have `rows` rows in total.
pub(super) fn of_values(values: usize, rows: usize) -> f64 {
    values as f64 * LOOKUP + rows as f64 * ALGEBRA
}

/// Cost of a range of an ordered index.
pub(super) fn of_range(rows: usize) -> f64 {
    2.0 * LOOKUP + rows as f64 * ENTRY
}

/// Cost of scanning the column of a table with `rows` rows.
pub(super) fn of_column(rows: usize) -> f64 {
    LOOKUP + rows as f64 * CELL
}

/// Expected number of `rows` that are also in a set of `part` out of `total` rows, assuming independence. At least 1
/// unless either is empty: an estimate of 0 would make every later step look free.
pub(super) fn among(rows: usize, part: usize, total: usize) -> usize {
    if rows == 0 || part == 0 {
        return 0;
    }
    let share = (part as f64 / total.max(1) as f64).min(1.0);
    ((rows as f64 * share) as usize).max(1)
}

/// Expected number of entries to read until `wanted` matches are found, if `matching` of `total` entries match,
/// spread evenly.
pub(super) fn walked(wanted: usize, matching: usize, total: usize) -> usize {
    let share = (matching as f64 / total.max(1) as f64).clamp(1e-9, 1.0);
    ((wanted as f64 / share) as usize).min(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_stay_within_the_total() {
        assert_eq!(among(1_000, 250, 1_000), 250);
        assert_eq!(among(10, 1, 1_000_000), 1, "at least one row");
        assert_eq!((among(0, 5, 10), among(5, 0, 10)), (0, 0));
        assert_eq!(among(7, 20, 10), 7, "a part larger than the total");
        assert_eq!(among(7, 3, 0), 7);
        assert_eq!(walked(10, 250, 1_000), 40);
        assert_eq!(walked(10, 0, 1_000), 1_000, "without a match, every entry is read");
        assert_eq!(walked(usize::MAX, 1, 1_000), 1_000);
        assert_eq!(walked(5, 0, 0), 0);
    }

    #[test]
    fn a_narrow_range_costs_less_than_its_column_and_a_wide_one_more() {
        assert!(of_range(10_000) < of_column(1_000_000));
        assert!(of_range(500_000) > of_column(1_000_000));
    }
}

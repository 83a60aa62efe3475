//! What steps of a plan are expected to cost, in nanoseconds. Pure guesses: only their proportions matter, and being wrong by half does no
//! harm. Measured on a machine where a random step to memory takes 100 to 170 ns.

/// A look at a record: its page, its version, its fields, each somewhere else in memory.
pub(super) const LOOK: f64 = 220.0;
/// A record in a scan of all, whose pages are read one after the other.
pub(super) const SCAN: f64 = 110.0;
/// A look-up of one value: hash, shard, posting.
pub(super) const LOOKUP: f64 = 300.0;
/// Set algebra, a row of the set: most sets are bitmaps.
const ALGEBRA: f64 = 0.1;
/// An entry of an ordered index that is copied out and put into a set.
const ENTRY: f64 = 6.0;
/// A cell of a column in a scan of all.
const CELL: f64 = 0.7;
/// A cell of a column, of rows that lie scattered.
pub(super) const SCATTERED_CELL: f64 = 12.0;
/// A record that is put in order among others.
pub(super) const COMPARED: f64 = 100.0;
/// An entry of an ordered index in a walk that looks into sets for its row.
pub(super) const WALKED: f64 = 40.0;

/// The rows of one value or several, by so many look-ups.
pub(super) fn of_values(values: usize, rows: usize) -> f64 {
    values as f64 * LOOKUP + rows as f64 * ALGEBRA
}

/// The rows of a range of an ordered index.
pub(super) fn of_range(rows: usize) -> f64 {
    2.0 * LOOKUP + rows as f64 * ENTRY
}

/// A column of a table of so many rows, as a whole.
pub(super) fn of_column(rows: usize) -> f64 {
    LOOKUP + rows as f64 * CELL
}

/// How many of `rows` are expected to be in a set of `part` out of `total` rows too, if the two have nothing to do with each other. At
/// least one of any: a guess of none would make whatever comes next look free.
pub(super) fn among(rows: usize, part: usize, total: usize) -> usize {
    if rows == 0 || part == 0 {
        return 0;
    }
    let share = (part as f64 / total.max(1) as f64).min(1.0);
    ((rows as f64 * share) as usize).max(1)
}

/// How many entries are gone through until `wanted` of them are among the `matching` ones out of `total`, spread evenly.
pub(super) fn walked(wanted: usize, matching: usize, total: usize) -> usize {
    let share = (matching as f64 / total.max(1) as f64).clamp(1e-9, 1.0);
    ((wanted as f64 / share) as usize).min(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_stay_within_what_there_is() {
        assert_eq!(among(1_000, 250, 1_000), 250);
        assert_eq!(among(10, 1, 1_000_000), 1, "not none");
        assert_eq!((among(0, 5, 10), among(5, 0, 10)), (0, 0));
        assert_eq!(among(7, 20, 10), 7, "a part that seems larger than the whole");
        assert_eq!(among(7, 3, 0), 7);
        assert_eq!(walked(10, 250, 1_000), 40);
        assert_eq!(walked(10, 0, 1_000), 1_000, "nothing matches: all of it");
        assert_eq!(walked(usize::MAX, 1, 1_000), 1_000);
        assert_eq!(walked(5, 0, 0), 0);
    }

    #[test]
    fn a_narrow_range_is_walked_and_a_wide_one_read_from_its_column() {
        assert!(of_range(10_000) < of_column(1_000_000));
        assert!(of_range(500_000) > of_column(1_000_000));
    }
}

//! The rows of a collection by deadline: a hierarchical timing wheel of row sets.
//!
//! A slice is a stretch of time with the rows whose deadlines lie in it. Slices have widths of about 1 ms, 65 ms, 4 s, 268 s and so on,
//! each 64 times as wide as the one before. A row is filed in a slice as wide as its deadline is far away; before the time reaches a
//! wide slice, its rows move to narrower ones, some thousand at a time. Slices that are past are joined, so that a million overdue rows
//! are a few sets. (G. Varghese and T. Lauck, *Hashed and hierarchical timing wheels*, 1987.)
//!
//! All of it is guarded by one lock, and each step is short.

use crate::rowset::{Row, RowSet};
use std::collections::BTreeMap;

/// Microseconds of the narrowest slice, as a power of two.
const NARROWEST: u32 = 10;
/// The ratio of two widths, as a power of two.
const RATIO: u32 = 6;
/// Enough for all times.
const LEVELS: usize = 9;
/// Rows that one step moves.
const STEP: usize = 4_096;
/// Slices are joined so long after they are past, since a reader with an earlier time looks at the rows of a joined one.
const JOIN_AFTER: i64 = 5_000;

/// Of a row that is not filed.
const NOWHERE: i64 = i64::MAX;

#[derive(Default)]
pub(super) struct Wheel {
    /// By row: the time under which it is filed, and the level of its slice.
    filed: Vec<(i64, u8)>,
    /// The number of filed rows.
    rows: usize,
    /// By level and beginning.
    slices: [BTreeMap<i64, RowSet>; LEVELS],
    /// Slices that are past, and joined ones. Not sorted.
    past: Vec<Past>,
    /// The time up to which slices have been moved to `past`.
    reached: i64,
    /// The heap bytes of all row sets.
    set_bytes: usize,
}

/// Changes a row set, and counts its heap bytes.
fn edit<T>(set: &mut RowSet, bytes: &mut usize, change: impl FnOnce(&mut RowSet) -> T) -> T {
    let before = set.heap_bytes();
    let changed = change(set);
    *bytes = *bytes + set.heap_bytes() - before;
    changed
}

struct Past {
    from: i64,
    /// The last microsecond.
    to: i64,
    rows: RowSet,
}

/// The rows that are overdue at a time.
#[derive(Default)]
pub(super) struct Due {
    /// Sets of rows, all of which are overdue.
    pub(super) sets: Vec<RowSet>,
    /// More of them.
    pub(super) rows: Vec<Row>,
}

fn width(level: usize) -> i64 {
    1 << (NARROWEST + RATIO * level as u32)
}

/// The beginning of the slice of a time.
fn start(time: i64, level: usize) -> i64 {
    time & !(width(level) - 1)
}

impl Wheel {
    pub(super) fn new() -> Self {
        Wheel { reached: i64::MIN, ..Wheel::default() }
    }

    /// The time that it has kept up with.
    pub(super) fn reached(&self) -> i64 {
        self.reached
    }

    /// The number of filed rows.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// The time under which a row is filed.
    pub(super) fn filed(&self, row: Row) -> Option<i64> {
        self.filed.get(row as usize).map(|(time, _)| *time).filter(|time| *time != NOWHERE)
    }

    /// Files a row, which is not filed.
    pub(super) fn file(&mut self, row: Row, time: i64) {
        let at = row as usize;
        if at >= self.filed.len() {
            self.filed.resize(at + 1, (NOWHERE, 0));
        }
        debug_assert!(self.filed[at].0 == NOWHERE, "a row is filed once");
        let level = self.level(time);
        self.filed[at] = (time, level as u8);
        self.rows += 1;
        let slice = self.slices[level].entry(start(time, level)).or_default();
        edit(slice, &mut self.set_bytes, |slice| slice.insert(row));
    }

    /// The level of the narrowest slice in which a time may be filed: it is less than 64 of these slices away.
    fn level(&self, time: i64) -> usize {
        let distance = time.saturating_sub(self.reached).max(0) as u64;
        let narrow = (u64::BITS - distance.leading_zeros()).saturating_sub(NARROWEST);
        (narrow.saturating_sub(1) / RATIO) as usize
    }

    /// Takes a row out, if it is filed.
    pub(super) fn unfile(&mut self, row: Row) {
        let Some(filed) = self.filed.get_mut(row as usize) else { return };
        let (time, level) = std::mem::replace(filed, (NOWHERE, 0));
        if time == NOWHERE {
            return;
        }
        self.rows -= 1;
        let (slices, from) = (&mut self.slices[usize::from(level)], start(time, level.into()));
        if let Some(slice) = slices.get_mut(&from)
            && edit(slice, &mut self.set_bytes, |slice| slice.remove(row))
        {
            if slice.is_empty() {
                self.set_bytes -= slice.heap_bytes();
                slices.remove(&from);
            }
            return;
        }
        let place = self.past.iter().position(|past| past.from <= time && time <= past.to && past.rows.contains(row));
        debug_assert!(place.is_some(), "a filed row is in a slice");
        if let Some(place) = place {
            edit(&mut self.past[place].rows, &mut self.set_bytes, |rows| rows.remove(row));
            if self.past[place].rows.is_empty() {
                self.set_bytes -= self.past.swap_remove(place).rows.heap_bytes();
            }
        }
    }

    /// No row is filed under an earlier time. `i64::MAX` if none is filed.
    pub(super) fn earliest(&self) -> i64 {
        let slices = self.slices.iter().filter_map(|slices| slices.first_key_value().map(|(from, _)| *from));
        slices.chain(self.past.iter().map(|past| past.from)).min().unwrap_or(NOWHERE)
    }

    /// The rows that are filed at or before a time.
    pub(super) fn due(&self, time: i64) -> Due {
        let mut due = Due::default();
        for past in self.past.iter().filter(|past| past.from <= time) {
            self.take(&past.rows, past.to <= time, time, &mut due);
        }
        for (level, slices) in self.slices.iter().enumerate() {
            for (from, rows) in slices.range(..=time) {
                self.take(rows, from.saturating_add(width(level) - 1) <= time, time, &mut due);
            }
        }
        due
    }

    fn take(&self, rows: &RowSet, all: bool, time: i64, due: &mut Due) {
        if all {
            due.sets.push(rows.clone());
        } else {
            due.rows.extend(rows.iter().filter(|row| self.filed[*row as usize].0 <= time));
        }
    }

    /// At most `most` rows that are filed at or before a time, the earliest slices first, each with that time.
    pub(super) fn first_due(&self, time: i64, most: usize) -> Vec<(Row, i64)> {
        let past = self.past.iter().map(|past| (past.from, &past.rows));
        let slices = self.slices.iter().flat_map(|slices| slices.range(..=time).take(most));
        let mut stretches: Vec<(i64, &RowSet)> = past.chain(slices.map(|(from, rows)| (*from, rows))).collect();
        stretches.sort_unstable_by_key(|(from, _)| *from);
        let rows = stretches.into_iter().flat_map(|(_, rows)| rows.iter());
        let filed = rows.map(|row| (row, self.filed[row as usize].0));
        filed.filter(|(_, filed)| *filed <= time).take(most).collect()
    }

    /// A time after `time` and no later than those under which these rows are filed; a row that is filed earlier has been extended, so the
    /// next moment decides. `None` if none is filed.
    pub(super) fn next_of(&self, rows: &RowSet, time: i64) -> Option<i64> {
        let next = time.saturating_add(1);
        if self.past.iter().any(|past| past.rows.and_len(rows) > 0) {
            return Some(next);
        }
        let first = |slices: &BTreeMap<i64, RowSet>| {
            slices.iter().find(|(_, slice)| slice.and_len(rows) > 0).map(|(from, _)| (*from).max(next))
        };
        self.slices.iter().filter_map(first).min()
    }

    /// One step of keeping up with the time: joins what is past, and moves rows of wide slices that begin soon. Returns whether
    /// there is more to do.
    pub(super) fn advance(&mut self, time: i64) -> bool {
        self.reached = self.reached.max(start(time, 0));
        for level in 0..LEVELS {
            while let Some(first) = self.slices[level].first_entry() {
                let (from, to) = (*first.key(), first.key().saturating_add(width(level) - 1));
                if to >= self.reached {
                    break;
                }
                self.past.push(Past { from, to, rows: first.remove() });
            }
        }
        self.join(time);
        for level in (1..LEVELS).rev() {
            let Some(mut first) = self.slices[level].first_entry() else { continue };
            // So many narrower slices before it begins.
            if *first.key() > time.saturating_add(8 * width(level - 1)) {
                continue;
            }
            let rows: Vec<Row> = first.get().iter().take(STEP).collect();
            edit(first.get_mut(), &mut self.set_bytes, |slice| slice.remove_all(&rows));
            if first.get().is_empty() {
                self.set_bytes -= first.remove().heap_bytes();
            }
            let mut moved: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
            for row in rows {
                let (filed, of) = &mut self.filed[row as usize];
                *of = level as u8 - 1;
                moved.entry(start(*filed, level - 1)).or_default().push(row);
            }
            for (from, rows) in moved {
                let slice = self.slices[level - 1].entry(from).or_default();
                edit(slice, &mut self.set_bytes, |slice| slice.insert_all(&rows));
            }
            return true;
        }
        false
    }

    /// Joins past slices, so that each set is several times as large as the next. Each row moves O(log n) times.
    fn join(&mut self, time: i64) {
        let old = time.saturating_sub(JOIN_AFTER);
        self.past.sort_unstable_by_key(|past| past.from);
        let mut joined: Vec<Past> = Vec::with_capacity(self.past.len());
        for mut past in self.past.drain(..) {
            while let Some(before) = joined.last()
                && past.to <= old
                && before.rows.len() < 4 * past.rows.len()
            {
                let rows = before.rows.or(&past.rows);
                self.set_bytes = self.set_bytes + rows.heap_bytes() - before.rows.heap_bytes() - past.rows.heap_bytes();
                past = Past { from: before.from.min(past.from), to: before.to.max(past.to), rows };
                joined.pop();
            }
            joined.push(past);
        }
        self.past = joined;
    }

    /// Heap bytes. O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        // A node of a B-tree is about two thirds full.
        let entries = self.slices.iter().map(BTreeMap::len).sum::<usize>() * (size_of::<(i64, RowSet)>() * 3 / 2);
        self.filed.capacity() * size_of::<(i64, u8)>()
            + self.past.capacity() * size_of::<Past>()
            + entries
            + self.set_bytes
    }

    /// The heap bytes, by a walk; for audits.
    pub(super) fn walk_bytes(&self) -> usize {
        let sets = self.slices.iter().flat_map(BTreeMap::values).chain(self.past.iter().map(|past| &past.rows));
        self.heap_bytes() - self.set_bytes + sets.map(RowSet::heap_bytes).sum::<usize>()
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn due(wheel: &Wheel, time: i64) -> Vec<Row> {
        let Due { sets, mut rows } = wheel.due(time);
        rows.extend(sets.iter().flat_map(|set| set.iter()));
        rows.sort_unstable();
        rows
    }

    fn times() -> impl Strategy<Value = i64> {
        prop_oneof![
            4 => -50_000..2_000_000_i64,
            1 => (0..62_u32, -3..3_i64).prop_map(|(power, more)| (1_i64 << power) + more),
            1 => Just(i64::MIN / 2),
            1 => Just((i64::MAX >> 1) - 1),
        ]
    }

    #[derive(Clone, Debug)]
    enum Step {
        File(Row, i64),
        Unfile(Row),
        Advance(i64),
    }

    proptest! {
        #[test]
        fn rows_are_due_as_in_a_map(
            steps in prop::collection::vec(prop_oneof![
                5 => (0..200_u32, times()).prop_map(|(row, time)| Step::File(row, time)),
                2 => (0..200_u32).prop_map(Step::Unfile),
                2 => times().prop_map(Step::Advance),
            ], 1..300),
            asked in prop::collection::vec(times(), 8),
        ) {
            let (mut wheel, mut model) = (Wheel::new(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::File(row, time) => {
                        wheel.unfile(row);
                        wheel.file(row, time);
                        model.insert(row, time);
                    }
                    Step::Unfile(row) => {
                        wheel.unfile(row);
                        model.remove(&row);
                    }
                    Step::Advance(time) => while wheel.advance(time) {},
                }
                prop_assert_eq!(wheel.len(), model.len());
                prop_assert_eq!(wheel.heap_bytes(), wheel.walk_bytes());
            }
            prop_assert!(model.values().all(|time| *time >= wheel.earliest()));
            for time in asked {
                let expected: Vec<Row> = model.iter().filter(|(_, filed)| **filed <= time).map(|(row, _)| *row).collect();
                prop_assert_eq!(&due(&wheel, time), &expected);
                let first = wheel.first_due(time, 3);
                prop_assert_eq!(first.len(), expected.len().min(3));
                prop_assert!(first.iter().all(|(row, filed)| model[row] == *filed && *filed <= time));
            }
        }
    }

    #[test]
    fn the_next_deadline_of_some_rows_is_not_that_of_others() {
        let mut wheel = Wheel::new();
        wheel.advance(0);
        wheel.file(1, 1_000);
        wheel.file(2, 80_000_000);
        while wheel.advance(50_000) {}
        let next = |row: Row| wheel.next_of(&RowSet::from_sorted(&[row]), 50_000);
        assert_eq!((next(1), next(3)), (Some(50_001), None));
        assert!(next(2).is_some_and(|time| time > 60_000_000 && time <= 80_000_000), "{:?}", next(2));
    }

    #[test]
    fn a_million_overdue_rows_are_a_few_sets() {
        let mut wheel = Wheel::new();
        wheel.advance(0);
        (0..1_000_000).for_each(|row| wheel.file(row, 60_000_000 + i64::from(row)));
        let mut steps = 0;
        for time in (0..62_000_000).step_by(50_000) {
            while wheel.advance(time) {
                steps += 1;
            }
        }
        assert!(steps < 2_000, "{steps} steps");
        let Due { sets, rows } = wheel.due(62_000_000);
        assert_eq!(sets.iter().map(RowSet::len).sum::<usize>() + rows.len(), 1_000_000);
        assert!(sets.len() < 120 && rows.is_empty(), "{} sets", sets.len());
        let Due { sets, rows } = wheel.due(60_500_500);
        assert_eq!(sets.iter().map(RowSet::len).sum::<usize>() + rows.len(), 500_501);
        (0..1_000_000).for_each(|row| wheel.unfile(row));
        assert!(wheel.len() == 0 && wheel.earliest() == i64::MAX && wheel.past.is_empty());
    }
}

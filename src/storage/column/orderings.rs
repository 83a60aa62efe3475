//! Loom tests of the orderings that lock-free readers need: the committer stores cells after the mark, the reader loads
//! the marks after the cells. Run with `RUSTFLAGS="--cfg memdex_loom" cargo test --release --lib orderings`.

use super::read::PageCells;
use super::{Cell, Column, ColumnWriter};
use crate::error::Commit;
use crate::record::{FieldDef, Test};
use crate::rowset::RowSet;
use crate::storage::mark_tree::Mark;
use crate::storage::marks::Marks;
use crate::storage::timeline::Timeline;
use crate::sync::{Arc, Mutex};
use loom::thread;
use memdex_query::value::{Kind, Value, ValueRef, saturated_bits};
use std::ops::Bound;

struct Shared {
    timeline: Timeline,
    marks: Marks,
    column: Column,
    writer: Mutex<ColumnWriter>,
}

impl Shared {
    fn new() -> Self {
        let (column, writer) = Column::new(0, &FieldDef::new("field", Kind::Int));
        Shared { timeline: Timeline::new(), marks: Marks::new(), column, writer: Mutex::new(writer) }
    }

    /// Commits a new value of row 0.
    fn commit(&self, number: u64, value: i64) {
        let commit = Commit::from_number(number);
        let first_new_row = u32::from(number > 1);
        let rows = RowSet::from_sorted(if number > 1 { &[0] } else { &[] });
        self.marks.add(Mark { commit, first_new_row, rows });
        let bits = saturated_bits(ValueRef::Int(value)).unwrap();
        self.column.apply(&mut self.writer.lock(), commit, &[(0, Cell::Bits(bits))]);
        self.timeline.publish(commit);
    }

    /// A reader loads what its commit wrote, or the marks say not to trust the cell.
    fn check(&self, values: [i64; 2], read: impl FnOnce() -> Option<i64>) {
        let (pin, ()) = self.timeline.pin(|| ());
        let found = read();
        if self.marks.is_nothing_after(pin.epoch) {
            assert_eq!(found, Some(values[pin.epoch.get() as usize - 1]), "at {}", pin.epoch);
        }
        self.timeline.unpin(&pin);
    }

    fn by_page(&self) -> Option<i64> {
        let mut page = PageCells::default();
        self.column.read_page(0, &mut page);
        let present = page.present[0] & 1 == 1;
        present.then(|| (page.bits().get(0) ^ (1 << 63)).cast_signed())
    }

    /// Searches for the higher of the values first: a page whose zone lies in the range matches without a load of its cells.
    fn by_scan(&self, mut values: [i64; 2]) -> Option<i64> {
        values.sort_unstable_by(|a, b| b.cmp(a));
        let from_here = |value: i64| Test::Range(Bound::Included(Value::from(value)), Bound::Unbounded);
        values.into_iter().find(|value| !self.column.rows(&from_here(*value)).is_empty())
    }
}

fn race(values: [i64; 2], upkeep: bool, read: fn(&Shared, [i64; 2]) -> Option<i64>) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(move || {
        let shared = Arc::new(Shared::new());
        shared.commit(1, values[0]);
        let committer = {
            let shared = shared.clone();
            thread::spawn(move || shared.commit(2, values[1]))
        };
        // On a third thread, because after the committer's fence upkeep would need no fence.
        let upkeep = upkeep.then(|| {
            let shared = shared.clone();
            thread::spawn(move || {
                let writer = shared.writer.lock();
                shared.column.tidy_page(&writer, 0);
            })
        });
        shared.check(values, || read(&shared, values));
        committer.join().unwrap();
        upkeep.into_iter().for_each(|upkeep| upkeep.join().unwrap());
        shared.check(values, || read(&shared, values));
    });
}

#[test]
fn a_cell_is_read_with_its_mark() {
    race([3, 5], false, |shared, _| shared.by_page());
}

#[test]
fn a_wider_level_is_complete() {
    race([3, 5_000], false, |shared, _| shared.by_page());
}

#[test]
fn a_zone_is_read_with_its_mark() {
    race([3, 5], false, Shared::by_scan);
}

/// Upkeep narrows the zone to exclude the value that the commit replaced.
#[test]
fn a_narrowed_zone_is_read_with_the_mark() {
    race([5, 3], true, Shared::by_scan);
}

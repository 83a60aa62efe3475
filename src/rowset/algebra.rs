//! And, or and minus of two sets, and the sizes of `and` and `minus` without building them.
//!
//! Only chunks that both sets have are combined; the others are skipped or shared. The longer vector of slots is
//! searched by galloping, so the cost is proportional to the set with fewer chunks. The rows of a tiny set are looked up
//! one by one in a bigger set.

use super::row::{Row, low};
use super::set::{Repr, RowSet, TINY};
use super::slot::{Slot, find, runs};
use super::{capacity, sorted};

impl RowSet {
    /// Rows that are in both.
    pub(crate) fn and(&self, other: &RowSet) -> RowSet {
        match (&self.repr, &other.repr) {
            (Repr::Tiny(a), Repr::Tiny(b)) => tiny(sorted::and(a, b)),
            (Repr::Tiny(a), Repr::Slots(b)) | (Repr::Slots(b), Repr::Tiny(a)) => tiny(pick(a, b, true)),
            (Repr::Slots(a), Repr::Slots(b)) => {
                RowSet::from_slots(common(a, b).filter_map(|(a, b)| a.and(b)).collect())
            }
        }
    }

    /// Number of rows that are in both.
    pub(crate) fn and_len(&self, other: &RowSet) -> usize {
        match (&self.repr, &other.repr) {
            (Repr::Tiny(a), Repr::Tiny(b)) => sorted::and_len(a, b),
            (Repr::Tiny(a), Repr::Slots(b)) | (Repr::Slots(b), Repr::Tiny(a)) => {
                lookup(a, b).map(|(_, found)| usize::from(found)).sum()
            }
            (Repr::Slots(a), Repr::Slots(b)) => common(a, b).map(|(a, b)| a.and_len(b)).sum(),
        }
    }

    /// Rows that are in either.
    pub(crate) fn or(&self, other: &RowSet) -> RowSet {
        match (&self.repr, &other.repr) {
            (Repr::Tiny(a), Repr::Tiny(b)) => {
                let merged = sorted::or(a, b);
                if merged.len() <= TINY { tiny(merged) } else { RowSet::from_sorted(&merged) }
            }
            (Repr::Tiny(rows), Repr::Slots(_)) => {
                let mut out = other.clone();
                out.insert_all(rows);
                out
            }
            (Repr::Slots(_), Repr::Tiny(_)) => other.or(self),
            (Repr::Slots(a), Repr::Slots(b)) => RowSet::from_slots(merge(a, b)),
        }
    }

    /// Rows of `self` that are not in `other`.
    pub(crate) fn minus(&self, other: &RowSet) -> RowSet {
        match (&self.repr, &other.repr) {
            (Repr::Tiny(a), Repr::Tiny(b)) => tiny(sorted::minus(a, b)),
            (Repr::Tiny(a), Repr::Slots(b)) => tiny(pick(a, b, false)),
            (Repr::Slots(_), Repr::Tiny(rows)) => {
                let mut out = self.clone();
                out.remove_all(rows);
                out
            }
            (Repr::Slots(a), Repr::Slots(b)) => {
                let mut at = 0;
                let rest = a.iter().filter_map(|slot| {
                    at = sorted::gallop(b, at, |other| other.key() < slot.key());
                    match b.get(at) {
                        Some(other) if other.key() == slot.key() => slot.minus(other),
                        _ => Some(slot.clone()),
                    }
                });
                RowSet::from_slots(rest.collect())
            }
        }
    }

    /// Number of rows of `self` that are not in `other`.
    pub(crate) fn minus_len(&self, other: &RowSet) -> usize {
        self.len() - self.and_len(other)
    }
}

fn tiny(mut rows: Vec<Row>) -> RowSet {
    debug_assert!(rows.len() <= TINY && sorted::is_ascending(&rows));
    capacity::trim(&mut rows);
    RowSet { repr: Repr::Tiny(rows) }
}

/// Each of the rows, and whether the slots contain it.
fn lookup(rows: &[Row], slots: &[Slot]) -> impl Iterator<Item = (Row, bool)> {
    runs(rows).flat_map(|(key, run)| {
        let chunk = find(slots, key).ok().map(|at| slots[at].chunk());
        run.iter().map(move |row| (*row, chunk.is_some_and(|chunk| chunk.contains(low(row)))))
    })
}

/// The rows that the slots contain (`present`), or the others.
fn pick(rows: &[Row], slots: &[Slot], present: bool) -> Vec<Row> {
    let mut out = Vec::with_capacity(rows.len());
    out.extend(lookup(rows, slots).filter(|&(_, found)| found == present).map(|(row, _)| row));
    out
}

/// The pairs of slots that have the same key.
fn common<'a>(a: &'a [Slot], b: &'a [Slot]) -> impl Iterator<Item = (&'a Slot, &'a Slot)> {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let mut at = 0;
    short.iter().filter_map(move |slot| {
        at = sorted::gallop(long, at, |other| other.key() < slot.key());
        long.get(at).filter(|other| other.key() == slot.key()).map(|other| (slot, other))
    })
}

/// The slots of both vectors; slots of the same key are united.
fn merge(a: &[Slot], b: &[Slot]) -> Vec<Slot> {
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        if x.key() == y.key() {
            out.extend(x.or(y));
            a.next();
            b.next();
        } else if x.key() < y.key() {
            out.extend(a.next().cloned());
        } else {
            out.extend(b.next().cloned());
        }
    }
    out.extend(a.cloned());
    out.extend(b.cloned());
    out
}

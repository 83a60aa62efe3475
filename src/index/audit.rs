//! The audit of what commits maintain: every structure against every record, and the committer's memory against both.

use super::read::Index;
use super::shape::Entry;
use crate::error::Commit;
use crate::record::FieldSource;
use crate::rowset::Row;
use crate::user_code;
use memdex_query::value::Key;

/// The rows of a collection, without the type of their records, while nothing is in flight.
pub(crate) trait AuditRows {
    /// The newest commit.
    fn published(&self) -> Commit;

    /// Passes every row that holds a record.
    fn each(&self, visit: &mut dyn FnMut(&AuditRow<'_>));

    /// Passes one row, if it holds a record.
    fn row(&self, row: Row, visit: &mut dyn FnMut(Option<&AuditRow<'_>>));
}

/// A row that holds a record.
pub(crate) struct AuditRow<'a> {
    pub(crate) key: &'a Key,
    pub(crate) record: &'a dyn FieldSource,
    /// The structure's back-references of the row.
    pub(crate) refs: &'a [u32],
}

const MOST_REPORTED: usize = 10;

/// The problems that an audit has found: all are counted, the first ones reported.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) reported: Vec<String>,
    pub(crate) count: usize,
}

impl Findings {
    pub(crate) fn expect(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.count += 1;
            if self.reported.len() < MOST_REPORTED {
                self.reported.push(problem());
            }
        }
    }

    /// Adds those of a part that comes after this one.
    pub(crate) fn absorb(&mut self, later: Findings) {
        let room = MOST_REPORTED - self.reported.len();
        self.reported.extend(later.reported.into_iter().take(room));
        self.count += later.count;
    }

    /// Compares the counted memory of a structure with that which a walk has found.
    pub(crate) fn expect_bytes(&mut self, what: &str, counted: usize, walked: usize) {
        self.expect(counted == walked, || format!("the memory of {what} is {walked} bytes, but counted as {counted}"));
    }
}

/// The functions that an audit needs from a kind of index. `F` is an entry as the index holds it.
pub(super) struct IndexAudit<'a, F> {
    /// Passes every entry with its row; returns the number of values without rows.
    #[expect(clippy::type_complexity, reason = "an audit of every entry")]
    pub(super) each: &'a dyn Fn(&mut dyn FnMut(Row, F)) -> usize,
    /// Whether a record with this entry must be held so.
    pub(super) is_of: &'a dyn Fn(&Entry<'_>, &F) -> bool,
    /// Whether the committer's memory of the row agrees.
    pub(super) is_remembered: &'a dyn Fn(&[u32], &F) -> bool,
}

impl<F> IndexAudit<'_, F> {
    /// Compares every entry with its record and with the committer's memory of it, and the counted bytes with the
    /// walked ones. Returns the number of entries.
    pub(super) fn run(
        &self,
        index: &dyn Index,
        rows: &dyn AuditRows,
        (counted, walked): (usize, usize),
        found: &mut Findings,
    ) -> usize {
        let name = index.name();
        found.expect_bytes(&format!("index {name:?}"), counted, walked);
        let mut expected = 0;
        rows.each(&mut |row| match user_code::run(|| index.shape.entry(row.record).map(|entry| entry.len())) {
            Ok(Ok(entries)) => expected += entries,
            other => found.expect(false, || format!("{:?} can't be in index {name:?}: {other:?}", row.key)),
        });
        let mut count = 0;
        // `held` are entries of one row.
        let mut check = |held: &[(Row, F)]| {
            let number = held[0].0;
            count += held.len();
            rows.row(number, &mut |row| {
                let Some(AuditRow { key, record, refs }) = row else {
                    return found.expect(false, || format!("index {name:?} holds row {number}, which has no record"));
                };
                let is_held = |entry: Entry<'_>| held.iter().all(|(_, held)| (self.is_of)(&entry, held));
                let holds = user_code::run(|| index.shape.entry(*record).map(is_held));
                found.expect(matches!(holds, Ok(Ok(true))), || {
                    format!("{key:?} is in index {name:?} under a value that it does not have")
                });
                found.expect(held.iter().all(|(_, held)| (self.is_remembered)(refs, held)), || {
                    format!("index {name:?} has row {number} where its committer does not know it")
                });
            });
        };
        let empty = if index.shape.is_many() {
            // Ordered by row, so that the entry of a record with many values is computed once.
            let mut entries = Vec::new();
            let empty = (self.each)(&mut |number, held| entries.push((number, held)));
            entries.sort_unstable_by_key(|(number, _)| *number);
            entries.chunk_by(|a, b| a.0 == b.0).for_each(check);
            empty
        } else {
            (self.each)(&mut |number, held| check(&[(number, held)]))
        };
        found.expect(empty == 0, || format!("index {name:?} keeps {empty} values without rows"));
        found.expect(count == expected, || format!("index {name:?} has {count} entries, not {expected}"));
        let records = index.records();
        found.expect(index.shape.is_many() || records == expected, || {
            format!("index {name:?} says it holds {records} records, not {expected}")
        });
        expected
    }
}

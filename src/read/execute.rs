//! The read path: which records meet a predicate, as of one commit.

use super::access::{Candidates, candidates};
use super::snapshot::View;
use crate::record::{Condition, Record};
use crate::rowset::{Row, RowSet};
use crate::storage::{Changed, Table, Version};
use crate::sync::Arc;
use crate::user_code;

/// What a query has found.
pub(super) struct Matches<R> {
    /// Rows that are known to match without a look at their records.
    pub(super) rows: RowSet,
    /// Records that were looked at and match; none of `rows`.
    pub(super) versions: Vec<Arc<Version<R>>>,
}

/// Finds the records that meet `condition` as of the view's commit, which is pinned.
pub(super) fn execute<R: Record>(view: &View<R>, condition: &Condition) -> Matches<R> {
    let (table, epoch) = (&*view.table, view.snapshot.commit());

    // 1. Parts: of each leaf that an index answers take the chunks, by reference count.
    let Some(Candidates { set, exact }) = candidates(table, condition) else {
        return scan(view, condition);
    };

    // 2. After the last part, the marks: which rows the parts can't be trusted for.
    let changed = table.marks.after(epoch);

    // 3. Set algebra, outside of every lock; less what changed and what is not there yet.
    let rows = trusted(set.evaluate(), &changed);

    // 4. Every changed row, candidate or not: the whole predicate on the version that the epoch sees.
    let mut versions = look(table, epoch, changed.rows.iter(), condition);

    // 5. Where an index could not answer all of the predicate, the candidates are looked at too.
    if exact {
        return Matches { rows, versions };
    }
    versions.extend(look(table, epoch, rows.iter(), condition));
    Matches { rows: RowSet::new(), versions }
}

/// How many records meet `condition`. Fetches no record that the indexes decide.
pub(super) fn count<R: Record>(view: &View<R>, condition: &Condition) -> usize {
    let (table, epoch) = (&*view.table, view.snapshot.commit());
    let Some(Candidates { set, exact: true }) = candidates(table, condition) else {
        return execute(view, condition).len();
    };
    let changed = table.marks.after(epoch);
    if changed.is_nothing() {
        return set.count();
    }
    trusted(set.evaluate(), &changed).len() + look(table, epoch, changed.rows.iter(), condition).len()
}

impl<R: Record> Matches<R> {
    pub(super) fn len(&self) -> usize {
        self.rows.len() + self.versions.len()
    }

    /// 6. Fetch: the version of each row that the epoch sees.
    pub(super) fn fetch(self, view: &View<R>) -> Vec<Arc<Version<R>>> {
        let Matches { rows, mut versions } = self;
        let looked_at = versions.len();
        versions.reserve_exact(rows.len());
        versions.extend(rows.iter().filter_map(|row| view.table.pages.at(row, view.snapshot.commit())));
        debug_assert_eq!(versions.len(), looked_at + rows.len(), "a row that is not marked has a record at the epoch");
        versions
    }
}

fn trusted(mut rows: RowSet, changed: &Changed) -> RowSet {
    if changed.is_nothing() {
        return rows;
    }
    rows.truncate(changed.first_new_row);
    if changed.rows.is_empty() { rows } else { rows.minus(&changed.rows) }
}

/// The records of these rows that the epoch sees and that meet the predicate. No guard is held while extractors run.
fn look<R: Record>(
    table: &Table<R>,
    epoch: u64,
    rows: impl Iterator<Item = Row>,
    condition: &Condition,
) -> Vec<Arc<Version<R>>> {
    let _scope = user_code::Scope::enter();
    rows.filter_map(|row| table.pages.at(row, epoch)).filter(|version| meets(condition, version)).collect()
}

/// Without any index: all records, page by page. Each row is decided when its page is read, so no marks are needed.
fn scan<R: Record>(view: &View<R>, condition: &Condition) -> Matches<R> {
    let _scope = user_code::Scope::enter();
    let mut records = view.iter();
    let versions = std::iter::from_fn(|| records.next_version()).filter(|version| meets(condition, version)).collect();
    Matches { rows: RowSet::new(), versions }
}

fn meets<R: Record>(condition: &Condition, version: &Version<R>) -> bool {
    version.record.as_ref().is_some_and(|record| condition.holds(record))
}

//! The read path: which records meet a predicate, as of one commit.

use super::access::take;
use super::plan::Plan;
use super::snapshot::View;
use crate::error::Commit;
use crate::record::{Condition, Fields, Record};
use crate::rowset::{Row, RowSet};
use crate::storage::{Changed, Table, Version};
use crate::sync::Arc;
use crate::user_code;

/// What a query has found.
pub(super) struct Matches<R> {
    /// Rows that are known to match without a look at their records, and that nothing has changed since the epoch as of the marks that
    /// were loaded.
    pub(super) rows: RowSet,
    /// Records that were looked at and match; none of `rows`.
    pub(super) versions: Vec<Arc<Version<R>>>,
}

/// Finds the records that meet `condition` as of the view's commit, which is pinned, as `plan` says.
pub(super) fn execute<R: Record>(view: &View<R>, condition: &Condition, plan: &Plan) -> Matches<R> {
    let (table, epoch) = (&*view.table, view.snapshot.commit());

    // 1. Parts: of each step of the plan take the chunks, by reference count.
    let Some(access) = &plan.access else {
        return scan(view, condition);
    };
    let set = take(table, access);

    // 2. After the last part, the marks: which rows the parts can't be trusted for.
    let changed = table.marks.after(epoch);

    // 3. Set algebra, outside of every lock; less what changed and what is not there yet.
    let rows = trusted(set.evaluate(), &changed);

    // 4. Every changed row, candidate or not: the whole predicate on the version that the epoch sees.
    let mut versions = look(table, epoch, changed.rows.iter(), condition);

    // 5. Where the steps do not answer all of the predicate, the candidates are asked the rest.
    match &plan.residual {
        None => Matches { rows, versions },
        Some(residual) => {
            versions.extend(look(table, epoch, rows.iter(), residual));
            Matches { rows: RowSet::new(), versions }
        }
    }
}

/// How many records meet `condition`. Fetches no record that the plan's steps decide.
pub(super) fn count<R: Record>(view: &View<R>, condition: &Condition, plan: &Plan) -> usize {
    let (table, epoch) = (&*view.table, view.snapshot.commit());
    let Some(access) = plan.access.as_ref().filter(|_| plan.is_exact()) else {
        return execute(view, condition, plan).len();
    };
    let set = take(table, access);
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
        view.table.pages.fetch(rows.iter(), view.snapshot.commit(), |version| versions.push(version));
        debug_assert_eq!(versions.len(), looked_at + rows.len(), "a row that is not marked has a record at the epoch");
        versions
    }
}

/// Less what has changed and what is not there yet.
pub(super) fn trusted(mut rows: RowSet, changed: &Changed) -> RowSet {
    if changed.is_nothing() {
        return rows;
    }
    rows.truncate(changed.first_new_row);
    if changed.rows.is_empty() { rows } else { rows.minus(&changed.rows) }
}

/// The records of these rows, which ascend, that the epoch sees and that meet the condition. No guard is held while extractors run.
pub(super) fn look<R: Record>(
    table: &Table<R>,
    epoch: Commit,
    rows: impl Iterator<Item = Row>,
    condition: &Condition,
) -> Vec<Arc<Version<R>>> {
    let _scope = user_code::Scope::enter();
    let mut met = Vec::new();
    table.pages.fetch(rows, epoch, |version| {
        if meets(condition, &version) {
            met.push(version);
        }
    });
    met
}

/// Without any step: all records, page by page. Each row is decided when its page is read, so no marks are needed.
fn scan<R: Record>(view: &View<R>, condition: &Condition) -> Matches<R> {
    let _scope = user_code::Scope::enter();
    let mut records = view.iter();
    let versions = std::iter::from_fn(|| records.next_version()).filter(|version| meets(condition, version)).collect();
    Matches { rows: RowSet::new(), versions }
}

pub(super) fn meets<R: Record>(condition: &Condition, version: &Version<R>) -> bool {
    version.record.as_ref().is_some_and(|record| condition.holds(&Fields(record)))
}

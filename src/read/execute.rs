//! The read path: which records match a predicate at one commit.

use super::access;
use super::plan::{Plan, Step};
use super::set_expr::SetExpr;
use super::snapshot::AnyView;
use crate::record::Condition;
use crate::rowset::{Row, RowSet};
use crate::storage::{AnyVersion, Changed, FETCHED_TOGETHER, SharedVersion};
use crate::testing::meter;
use crate::user_code;
use smallvec::SmallVec;

/// The matches of a query.
#[derive(Default)]
pub(super) struct Matches {
    /// Matches decided by indexes and columns; unmarked by later commits when the marks were loaded.
    pub(super) rows: RowSet,
    /// Matches decided by evaluating their record; disjoint from `rows`.
    pub(super) versions: Vec<SharedVersion>,
}

/// Takes the rows of a step: [`access::take`], or a wrapper that profiles it.
pub(super) type Take<'a> = dyn FnMut(&Step) -> SetExpr + 'a;

/// Finds the records that match `condition` at the view's pinned commit, following `plan`.
pub(super) fn execute(view: AnyView<'_>, condition: &Condition, plan: &Plan) -> Matches {
    execute_with(view, condition, plan, &mut |step| access::take(view, step))
}

pub(super) fn execute_with(view: AnyView<'_>, condition: &Condition, plan: &Plan, take: &mut Take<'_>) -> Matches {
    let Some(access) = &plan.access else {
        return Matches { rows: RowSet::new(), versions: scan(view, condition) };
    };
    let Candidates { rows, changed } = candidates(view, condition, access, take);

    // 5. Where the steps do not decide the whole predicate, evaluate the rest on each candidate.
    let mut versions = changed;
    match &plan.residual {
        None => Matches { rows, versions },
        Some(residual) => {
            meter::look(rows.len());
            matching(view, rows.iter(), residual, &mut versions);
            Matches { rows: RowSet::new(), versions }
        }
    }
}

/// The result of a plan's steps.
pub(super) struct Candidates {
    /// Unchanged rows, still to be filtered by the plan's residual.
    pub(super) rows: RowSet,
    /// The matches among the changed rows.
    pub(super) changed: Vec<SharedVersion>,
}

pub(super) fn candidates(view: AnyView<'_>, condition: &Condition, access: &Step, take: &mut Take<'_>) -> Candidates {
    // 1. Take the chunks of each step, by reference count.
    let set = take(access);

    // 2. Then load the marks: the rows for which the steps can't be trusted.
    let marked = view.changed();

    // 3. Evaluate the sets outside of every lock. Remove rows that changed or did not exist at the epoch.
    let rows = trusted(set.evaluate(), &marked);

    // 4. Evaluate the whole predicate on each changed row's version at the epoch, candidate or not.
    let mut changed = Vec::new();
    matching(view, marked.undecided().iter(), condition, &mut changed);
    Candidates { rows, changed }
}

/// The number of records that match `condition`. Reads no record if the plan's steps decide it.
pub(super) fn count(view: AnyView<'_>, condition: &Condition, plan: &Plan) -> usize {
    let Some(access) = plan.access.as_ref().filter(|_| plan.is_exact()) else {
        return execute(view, condition, plan).len();
    };
    let set = access::take(view, access);
    let marked = view.changed();
    if marked.is_nothing() {
        return set.count();
    }
    let mut changed = Vec::new();
    matching(view, marked.undecided().iter(), condition, &mut changed);
    trusted(set.evaluate(), &marked).len() + changed.len()
}

/// As [`count`]; any number above `most` if there are more. Reads no more records than it needs to know that.
pub(super) fn count_up_to(view: AnyView<'_>, condition: &Condition, plan: &Plan, most: usize) -> usize {
    let Some(access) = &plan.access else { return scan_up_to(view, condition, most).len() };
    let Some(residual) = &plan.residual else { return count(view, condition, plan) };
    let Candidates { rows, changed: mut found } =
        candidates(view, condition, access, &mut |step| access::take(view, step));
    let mut rows = rows.iter().peekable();
    while found.len() <= most && rows.peek().is_some() {
        let candidates = rows.by_ref().take(ROWS_PER_CALL).inspect(|_| meter::look(1));
        matching(view, candidates, residual, &mut found);
    }
    found.len()
}

impl Matches {
    pub(super) fn len(&self) -> usize {
        self.rows.len() + self.versions.len()
    }

    /// 6. Fetch each row's version at the epoch.
    pub(super) fn fetch(self, view: AnyView<'_>) -> Vec<SharedVersion> {
        let Matches { rows, mut versions } = self;
        let expected = versions.len() + rows.len();
        versions.reserve_exact(rows.len());
        meter::look(rows.len());
        fetch_rows(&rows, |some| view.table.fetch(some, view.at, &mut versions));
        debug_assert_eq!(versions.len(), expected, "an unmarked row must have a record at the epoch");
        versions
    }
}

/// Number of rows per call of `fetch`.
const ROWS_PER_CALL: usize = 32 * FETCHED_TOGETHER;

/// Calls `fetch` with the rows of a set, in ascending batches.
pub(super) fn fetch_rows(rows: &RowSet, mut fetch: impl FnMut(&[Row])) {
    let mut some = Vec::with_capacity(rows.len().min(ROWS_PER_CALL));
    let mut rows = rows.iter();
    loop {
        some.extend(rows.by_ref().take(ROWS_PER_CALL));
        if some.is_empty() {
            return;
        }
        fetch(&some);
        some.clear();
    }
}

/// Removes rows that have changed or that did not exist at the epoch.
pub(super) fn trusted(mut rows: RowSet, marked: &Changed) -> RowSet {
    if marked.is_nothing() {
        return rows;
    }
    rows.truncate(marked.first_new_row);
    if marked.rows.is_empty() { rows } else { rows.minus(&marked.rows) }
}

/// Adds the matching records at the epoch, for ascending `rows`. Holds no guard while extractors run.
pub(super) fn matching(
    view: AnyView<'_>,
    rows: impl Iterator<Item = Row>,
    condition: &Condition,
    matches: &mut Vec<SharedVersion>,
) {
    let mut rows = rows.fuse();
    let mut fetched = Vec::new();
    let _scope = user_code::Scope::enter();
    loop {
        let some: SmallVec<[Row; FETCHED_TOGETHER]> = rows.by_ref().take(FETCHED_TOGETHER).collect();
        if some.is_empty() {
            return;
        }
        view.table.fetch(&some, view.at, &mut fetched);
        matches.extend(fetched.drain(..).filter(|version| is_match(condition, &**version)));
    }
}

/// Full scan, page by page. Each row is decided when its page is read, so no marks are needed.
fn scan(view: AnyView<'_>, condition: &Condition) -> Vec<SharedVersion> {
    scan_up_to(view, condition, usize::MAX)
}

/// As [`scan`], but ends after the page on which it finds more than `most`.
fn scan_up_to(view: AnyView<'_>, condition: &Condition, most: usize) -> Vec<SharedVersion> {
    let _scope = user_code::Scope::enter();
    let (mut page, mut matches) = (Vec::new(), Vec::new());
    for number in 0.. {
        if !view.table.read_page(number, view.at, &mut page) {
            break;
        }
        meter::look(page.len());
        let of_view = page.drain(..).filter(|version| !view.hides(version.row));
        matches.extend(of_view.filter(|version| is_match(condition, &**version)));
        if matches.len() > most {
            break;
        }
    }
    matches
}

/// Evaluates a condition on a version. Runs extractors.
pub(super) fn is_match(condition: &Condition, version: &dyn AnyVersion) -> bool {
    version.record().is_some_and(|record| condition.holds(record))
}

//! The read path: which records meet a predicate, as of one commit.

use super::snapshot::View;
use crate::record::{Condition, Record, Test};
use crate::rowset::{Row, RowSet};
use crate::storage::{Changed, Table, Version};
use crate::sync::Arc;
use crate::user_code;
use crate::value::Value;

/// What a query has found.
pub(super) struct Matches<R> {
    /// Rows that are known to match without a look at their records.
    rows: RowSet,
    /// Records that were looked at and match; none of `rows`.
    versions: Vec<Arc<Version<R>>>,
}

/// Finds the records that meet `condition` as of the view's commit, which is pinned.
pub(super) fn execute<R: Record>(view: &View<R>, condition: &Condition) -> Matches<R> {
    let (table, epoch) = (&*view.table, view.snapshot.commit());

    // 1. Parts: of each leaf that an index answers take the chunks, by reference count.
    let Some(Candidates { set, exact }) = candidates(table, condition, false) else {
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
    let Some(Candidates { set, exact: true }) = candidates(table, condition, false) else {
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

/// Rows among which all matches are, and whether all of them are matches.
struct Candidates {
    set: SetExpr,
    exact: bool,
}

/// What to compute once all parts are taken.
enum SetExpr {
    Set(RowSet),
    And(Vec<SetExpr>),
    Or(Vec<SetExpr>),
    Minus(Box<SetExpr>, Box<SetExpr>),
}

/// What the indexes know of `condition`, or of its opposite; `None` if that is nothing.
///
/// Negation is pushed down to the leaves by De Morgan's laws, which hold as each leaf is either true or false; a leaf's
/// own negation is the set of all rows less the leaf's: never another comparison, as a missing value makes both false.
fn candidates<R: Record>(table: &Table<R>, condition: &Condition, negated: bool) -> Option<Candidates> {
    match condition {
        Condition::Not(part) => candidates(table, part, !negated),
        Condition::All => {
            let set = if negated { RowSet::new() } else { all_rows(table) };
            Some(Candidates { set: SetExpr::Set(set), exact: true })
        }
        Condition::Test(field, test) => {
            let set = leaf(table, field.position(), test)?;
            let all = || Box::new(SetExpr::Set(all_rows(table)));
            let set = if negated { SetExpr::Minus(all(), Box::new(set)) } else { set };
            Some(Candidates { set, exact: true })
        }
        Condition::Loose(..) => None,
        Condition::And(parts) if !negated => every(table, parts, negated),
        Condition::Or(parts) if negated => every(table, parts, negated),
        Condition::And(parts) | Condition::Or(parts) => any(table, parts, negated),
    }
}

/// All of the parts: those that indexes know narrow the candidates, the others make them inexact.
fn every<R: Record>(table: &Table<R>, parts: &[Condition], negated: bool) -> Option<Candidates> {
    if parts.is_empty() {
        return Some(Candidates { set: SetExpr::Set(all_rows(table)), exact: true });
    }
    let known: Vec<Candidates> = parts.iter().filter_map(|part| candidates(table, part, negated)).collect();
    if known.is_empty() {
        return None;
    }
    let exact = known.len() == parts.len() && known.iter().all(|part| part.exact);
    Some(Candidates { set: SetExpr::And(known.into_iter().map(|part| part.set).collect()), exact })
}

/// One of the parts at least: only if indexes know all of them.
fn any<R: Record>(table: &Table<R>, parts: &[Condition], negated: bool) -> Option<Candidates> {
    let known: Vec<Candidates> = parts.iter().map(|part| candidates(table, part, negated)).collect::<Option<_>>()?;
    let exact = known.iter().all(|part| part.exact);
    Some(Candidates { set: SetExpr::Or(known.into_iter().map(|part| part.set).collect()), exact })
}

fn leaf<R: Record>(table: &Table<R>, position: usize, test: &Test) -> Option<SetExpr> {
    let index = table.index(position)?;
    let rows = |value: &Value| SetExpr::Set(index.rows(&table.seed, value.as_ref()));
    Some(match test {
        Test::Eq(value) => rows(value),
        Test::In(values) => SetExpr::Or(values.iter().map(rows).collect()),
        Test::IsNull => rows(&Value::NULL),
        Test::Ne(value) => {
            let without = SetExpr::Or(vec![rows(value), rows(&Value::NULL)]);
            SetExpr::Minus(Box::new(SetExpr::Set(all_rows(table))), Box::new(without))
        }
        _ => return None,
    })
}

fn all_rows<R>(table: &Table<R>) -> RowSet {
    table.all_rows.read().clone()
}

impl SetExpr {
    fn evaluate(self) -> RowSet {
        match self {
            SetExpr::Set(set) => set,
            SetExpr::And(parts) => {
                let mut sets = ascending(parts);
                let first = if sets.is_empty() { RowSet::new() } else { sets.remove(0) };
                // The smallest first, so that what remains can only be smaller still.
                sets.iter().fold(first, |left, set| if left.is_empty() { left } else { left.and(set) })
            }
            SetExpr::Or(parts) => {
                let sets: Vec<RowSet> = parts.into_iter().map(SetExpr::evaluate).collect();
                RowSet::union(&sets)
            }
            SetExpr::Minus(from, less) => from.evaluate().minus(&less.evaluate()),
        }
    }

    /// The length of what [`evaluate`](SetExpr::evaluate) would give, without building its last step.
    fn count(self) -> usize {
        match self {
            SetExpr::And(parts) => {
                let mut sets = ascending(parts);
                let Some(largest) = sets.pop() else { return 0 };
                let rest = sets.into_iter().reduce(|left, set| left.and(&set));
                rest.map_or_else(|| largest.len(), |rest| rest.and_len(&largest))
            }
            SetExpr::Minus(from, less) => from.evaluate().minus_len(&less.evaluate()),
            other => other.evaluate().len(),
        }
    }
}

fn ascending(parts: Vec<SetExpr>) -> Vec<RowSet> {
    let mut sets: Vec<RowSet> = parts.into_iter().map(SetExpr::evaluate).collect();
    sets.sort_by_key(RowSet::len);
    sets
}

//! Access paths: what the indexes know of a condition.
//!
//! Parts that must all hold are taken together first, since an index of several fields, or one that holds only what meets a
//! condition, answers some of them at once. What is left is answered part by part, and what no index answers is left to a look at
//! the candidates.

use super::set_expr::SetExpr;
use crate::error::Commit;
use crate::index::{Index, tuple};
use crate::record::{Condition, FieldAt, IndexKind, Record, Test};
use crate::rowset::RowSet;
use crate::storage::Table;
use crate::sync::Arc;
use crate::value::{Value, ValueRef};
use std::ops::Bound;

/// Rows among which all matches are, and whether all of them are matches.
pub(super) struct Candidates {
    pub(super) set: SetExpr,
    pub(super) exact: bool,
}

/// Takes the parts, by reference count, that indexes have for `condition`; `None` if they know nothing of it.
pub(super) fn candidates<R: Record>(table: &Table<R>, condition: &Condition) -> Option<Candidates> {
    let access = Access { table, indexes: table.indexes() };
    match condition {
        Condition::And(_) | Condition::Test(..) | Condition::Not(_) => access.together(condition),
        other => access.alone(other, false),
    }
}

/// A look at a candidate costs as much as reading so many cells of a column.
const ROWS_READ_FOR_A_LOOK: usize = 256;

struct Access<'a, R: Record> {
    table: &'a Table<R>,
    indexes: Arc<[Arc<Index>]>,
}

/// What one index answers of several parts.
struct Path {
    set: SetExpr,
    /// The parts, by their places.
    answered: Vec<usize>,
}

impl<R: Record> Access<'_, R> {
    /// All parts of a condition that must hold together.
    fn together(&self, condition: &Condition) -> Option<Candidates> {
        let parts = condition.conjuncts();
        let mut open: Vec<usize> = (0..parts.len()).collect();
        let mut sets = Vec::new();
        while let Some(path) = self.best_path(condition, parts, &open, 2) {
            open.retain(|part| !path.answered.contains(part));
            sets.push(path.set);
        }
        let mut exact = true;
        let mut unknown = Vec::new();
        for part in open {
            match self.alone(&parts[part], false) {
                Some(known) => {
                    exact &= known.exact;
                    sets.push(known.set);
                }
                None => unknown.push(part),
            }
        }
        // What no index of its own knows may be the beginning of one of several fields.
        while let Some(path) = self.best_path(condition, parts, &unknown, 1) {
            unknown.retain(|part| !path.answered.contains(part));
            sets.push(path.set);
        }
        // A column is read as a whole: worth it unless few candidates are left to be looked at.
        let few = self.table.lengths.newest(|| Commit::MAX) / ROWS_READ_FOR_A_LOOK;
        let left = sets.iter().filter_map(SetExpr::at_most).min();
        for part in unknown {
            let of_column = if left.is_some_and(|left| left < few) { None } else { self.by_columns(&parts[part]) };
            match of_column {
                Some(set) => sets.push(set),
                None => exact = false,
            }
        }
        match sets.len() {
            0 => None,
            1 => sets.pop().map(|set| Candidates { set, exact }),
            _ => Some(Candidates { set: SetExpr::And(sets), exact }),
        }
    }

    /// Of the indexes of several fields or of a condition the one that answers the most of the open parts, so many at least.
    fn best_path(&self, condition: &Condition, parts: &[Condition], open: &[usize], least: usize) -> Option<Path> {
        let special =
            self.indexes.iter().filter(|index| index.shape.fields.len() > 1 || index.shape.condition.is_some());
        let usable = special.filter(|index| index.shape.condition.as_ref().is_none_or(|when| condition.implies(when)));
        let paths = usable.filter_map(|index| self.path(index, parts, open));
        paths.filter(|path| path.answered.len() >= least).max_by_key(|path| path.answered.len())
    }

    fn path(&self, index: &Index, parts: &[Condition], open: &[usize]) -> Option<Path> {
        let shape = &index.shape;
        let mut path = match shape.fields.as_slice() {
            [(field, _)] => {
                // `ne` would need the rows that the index does not hold.
                let mut tests = tests_of(parts, open, field).filter(|(_, test)| !matches!(test, Test::Ne(_)));
                tests.find_map(|(part, test)| Some(Path { set: self.leaf(index, test)?, answered: vec![part] }))?
            }
            fields => {
                let mut answered = Vec::new();
                let mut values: Vec<ValueRef<'_>> = Vec::new();
                for (field, _) in fields {
                    let Some((part, Test::Eq(value))) =
                        tests_of(parts, open, field).find(|(_, test)| matches!(test, Test::Eq(_)))
                    else {
                        break;
                    };
                    answered.push(part);
                    values.push(value.as_ref());
                }
                let next = fields.get(values.len()).and_then(|(field, _)| {
                    tests_of(parts, open, field).find_map(|(part, test)| match test {
                        Test::Range(from, to) => Some((part, (from.as_ref(), to.as_ref()))),
                        _ => None,
                    })
                });
                let set = if shape.def.kind() == IndexKind::Ordered {
                    if values.is_empty() && next.is_none() {
                        return None;
                    }
                    answered.extend(next.map(|(part, _)| part));
                    index.prefix_range(&values, next.map(|(_, bounds)| bounds))?
                } else if values.len() == fields.len() {
                    index.rows(tuple(&values).as_ref())
                } else {
                    return None;
                };
                Path { set: SetExpr::Set(set), answered }
            }
        };
        // What it holds meets its condition, and what follows from that. (What the query asks may be more: that is left open.)
        if let Some(when) = &shape.condition {
            let known = |part: &Condition| when.conjuncts().iter().any(|met| met.is_stronger(part));
            let met = open.iter().copied().filter(|part| known(&parts[*part]) && !path.answered.contains(part));
            let met: Vec<usize> = met.collect();
            path.answered.extend(met);
        }
        Some(path)
    }

    /// What the indexes of single fields know of a part, or of its opposite.
    ///
    /// Negation is pushed down to the leaves by De Morgan's laws, which hold as each leaf is either true or false; a leaf's
    /// own negation is the set of all rows less the leaf's: never another comparison, as a missing value makes both false.
    fn alone(&self, condition: &Condition, negated: bool) -> Option<Candidates> {
        match condition {
            Condition::Not(part) => self.alone(part, !negated),
            Condition::All | Condition::Nothing => {
                let none = negated == matches!(condition, Condition::All);
                let set = if none { RowSet::new() } else { self.all_rows() };
                Some(Candidates { set: SetExpr::Set(set), exact: true })
            }
            Condition::Test(field, test) => {
                let of_field = |index: &&Arc<Index>| {
                    index.shape.condition.is_none() && matches!(&index.shape.fields[..], [(of, _)] if of == field)
                };
                let set = self.indexes.iter().filter(of_field).find_map(|index| self.leaf(index, test))?;
                let all = || Box::new(SetExpr::Set(self.all_rows()));
                let set = if negated { SetExpr::Minus(all(), Box::new(set)) } else { set };
                Some(Candidates { set, exact: true })
            }
            Condition::Loose(..) => None,
            Condition::And(parts) if !negated => self.every(parts, negated),
            Condition::Or(parts) if negated => self.every(parts, negated),
            Condition::And(parts) | Condition::Or(parts) => self.any(parts, negated),
        }
    }

    /// All of the parts: those that indexes know narrow the candidates, the others make them inexact.
    fn every(&self, parts: &[Condition], negated: bool) -> Option<Candidates> {
        if parts.is_empty() {
            return Some(Candidates { set: SetExpr::Set(self.all_rows()), exact: true });
        }
        let known: Vec<Candidates> = parts.iter().filter_map(|part| self.alone(part, negated)).collect();
        if known.is_empty() {
            return None;
        }
        let exact = known.len() == parts.len() && known.iter().all(|part| part.exact);
        Some(Candidates { set: SetExpr::And(known.into_iter().map(|part| part.set).collect()), exact })
    }

    /// One of the parts at least: only if indexes know all of them.
    fn any(&self, parts: &[Condition], negated: bool) -> Option<Candidates> {
        let known: Vec<Candidates> = parts.iter().map(|part| self.alone(part, negated)).collect::<Option<_>>()?;
        let exact = known.iter().all(|part| part.exact);
        Some(Candidates { set: SetExpr::Or(known.into_iter().map(|part| part.set).collect()), exact })
    }

    /// What a column knows of a test on its field.
    fn by_columns(&self, condition: &Condition) -> Option<SetExpr> {
        if let Condition::Not(part) = condition {
            let without = self.by_columns(part)?;
            return Some(SetExpr::Minus(Box::new(SetExpr::Set(self.all_rows())), Box::new(without)));
        }
        let Condition::Test(field, test) = condition else { return None };
        let column = self.table.columns.iter().find(|column| column.field == field.position())?;
        let rows = SetExpr::Set(column.rows(test));
        // Where a value is missing there may be no record either.
        Some(if *test == Test::IsNull { SetExpr::And(vec![rows, SetExpr::Set(self.all_rows())]) } else { rows })
    }

    /// The rows that meet a test, of those that an index of one field holds; `None` if it can't tell.
    fn leaf(&self, index: &Index, test: &Test) -> Option<SetExpr> {
        let rows = |value: &Value| SetExpr::Set(index.rows(value.as_ref()));
        Some(match test {
            Test::Eq(value) => rows(value),
            Test::In(values) | Test::Any(values) => SetExpr::Or(values.iter().map(rows).collect()),
            Test::IsNull | Test::HasNone => rows(&Value::NULL),
            Test::Ne(value) => {
                let without = SetExpr::Or(vec![rows(value), rows(&Value::NULL)]);
                SetExpr::Minus(Box::new(SetExpr::Set(self.all_rows())), Box::new(without))
            }
            Test::All(values) => SetExpr::And(values.iter().map(rows).collect()),
            Test::Range(from, to) => SetExpr::Set(index.range(bound(from), bound(to))?),
            Test::Text(_) => return None,
        })
    }

    fn all_rows(&self) -> RowSet {
        self.table.all_rows.read().clone()
    }
}

/// The tests of a field among the open parts, each with its place.
fn tests_of<'a>(
    parts: &'a [Condition],
    open: &'a [usize],
    field: &'a FieldAt,
) -> impl Iterator<Item = (usize, &'a Test)> {
    open.iter().filter_map(move |part| match &parts[*part] {
        Condition::Test(of, test) if of == field => Some((*part, test)),
        _ => None,
    })
}

fn bound(bound: &Bound<Value>) -> Bound<&Value> {
    bound.as_ref()
}

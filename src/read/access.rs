//! Access: the rows that a step of a plan gives, part by part, by reference count. Nothing is computed under a guard.

use super::plan::{Lookup, Source, Step};
use super::set_expr::SetExpr;
use crate::index::{Index, Sought, WalkSpec, tuple};
use crate::record::{IndexKind, Record};
use crate::rowset::RowSet;
use crate::storage::Table;
use crate::value::{Value, ValueRef};
use std::ops::Bound;

/// Takes the parts of a step. Where one of those that must all hold is empty, the rest is not looked at.
pub(super) fn take<R: Record>(table: &Table<R>, step: &Step) -> SetExpr {
    let all = |steps: &[Step]| steps.iter().map(|step| take(table, step)).collect();
    match &step.source {
        Source::Nothing => SetExpr::Set(RowSet::new()),
        Source::All => SetExpr::Set(table.all_rows.read().clone()),
        Source::Keys(keys) => SetExpr::Set(table.rows_of_keys(keys)),
        Source::Index(index, lookup) => look_up(&**index, lookup),
        Source::Column(column, test) => SetExpr::Set(table.columns[*column].rows(test)),
        Source::Among(step, column, test) => {
            SetExpr::Set(table.columns[*column].rows_among(&take(table, step).evaluate(), test))
        }
        Source::Or(steps) => SetExpr::Or(all(steps)),
        Source::Without(from, less) => SetExpr::Minus(Box::new(take(table, from)), Box::new(take(table, less))),
        Source::And(steps) => {
            let mut parts = Vec::with_capacity(steps.len());
            for step in steps {
                let part = take(table, step);
                if part.at_most() == Some(0) {
                    return SetExpr::Set(RowSet::new());
                }
                parts.push(part);
            }
            SetExpr::And(parts)
        }
    }
}

fn look_up(index: &dyn Index, lookup: &Lookup) -> SetExpr {
    let rows = |value: &Value| SetExpr::Set(index.rows(value.as_ref()));
    match lookup {
        Lookup::Value(value) => rows(value),
        Lookup::Any(values) => SetExpr::Or(values.iter().map(rows).collect()),
        Lookup::Every(values) => SetExpr::And(values.iter().map(rows).collect()),
        Lookup::Null => rows(&Value::NULL),
        Lookup::Range(from, to) => SetExpr::Set(index.range(from.as_ref(), to.as_ref()).unwrap_or_default()),
        Lookup::Prefix(values, next) => {
            let values: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
            let next = next.as_ref().map(|(from, to)| (from.as_ref(), to.as_ref()));
            SetExpr::Set(match index.shape.def.kind() {
                IndexKind::Ordered => index.prefix_range(&values, next).unwrap_or_default(),
                _ => index.rows(tuple(&values).as_ref()),
            })
        }
        Lookup::Whole => {
            let valued = index.range(Bound::Unbounded, Bound::Unbounded).unwrap_or_default();
            SetExpr::Or(vec![SetExpr::Set(valued), rows(&Value::NULL)])
        }
    }
}

/// How many rows a look-up is expected to give.
pub(super) fn expected(index: &dyn Index, lookup: &Lookup, total: usize) -> usize {
    let one = |value: &Value| index.estimate(&Sought::Value(value.as_ref()));
    let rows = match lookup {
        Lookup::Value(value) => one(value),
        Lookup::Any(values) => index.estimate(&Sought::AnyOf(values)),
        Lookup::Every(values) => values.iter().filter_map(one).min(),
        Lookup::Null => one(&Value::NULL),
        Lookup::Range(from, to) => index.estimate(&Sought::Range(from.as_ref(), to.as_ref())),
        Lookup::Prefix(values, next) => {
            let values: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
            match index.shape.def.kind() {
                IndexKind::Ordered => {
                    let next = next.as_ref().map(|(from, to)| (from.as_ref(), to.as_ref()));
                    index.estimate(&Sought::Prefix(&values, next))
                }
                _ => one(&tuple(&values)),
            }
        }
        Lookup::Whole => Some(index.records()),
    };
    rows.unwrap_or(total).min(total)
}

/// How many entries a walk has to the end.
pub(super) fn expected_of_walk(index: &dyn Index, spec: &WalkSpec, total: usize) -> usize {
    index.estimate(&Sought::Walk(spec)).unwrap_or(total).min(total)
}

//! Access: takes the rows of each plan step from the shared structures, by reference count. Computes nothing under a
//! guard.

use super::plan::{Lookup, Source, Step};
use super::set_expr::SetExpr;
use super::snapshot::AnyView;
use crate::error::Commit;
use crate::index::{Index, tuple};
use crate::record::IndexKind;
use crate::rowset::RowSet;
use crate::testing::meter;
use memdex_query::value::{Value, ValueRef};
use std::ops::Bound;

/// Takes the rows of a step. An intersection stops at its first empty part.
pub(super) fn take(view: AnyView<'_>, step: &Step) -> SetExpr {
    let table = view.table;
    let all = |steps: &[Step]| steps.iter().map(|step| take(view, step)).collect();
    match &step.source {
        Source::Nothing => SetExpr::Set(RowSet::new()),
        Source::All => SetExpr::Set(table.all_rows.read().clone()),
        Source::Keys(keys) => SetExpr::Set(view.table.rows_of_keys(keys)),
        Source::Index(index, lookup) => look_up(&**index, lookup),
        Source::Column(column, test) => {
            meter::look(table.lengths.newest(|| Commit::MAX));
            SetExpr::Set(table.columns[*column].rows(test))
        }
        Source::Among(step, column, test) => {
            let among = take(view, step).evaluate();
            meter::look(among.len());
            SetExpr::Set(table.columns[*column].rows_among(&among, test))
        }
        Source::Or(steps) => SetExpr::Or(all(steps)),
        Source::Without(from, less) => SetExpr::Minus(Box::new(take(view, from)), Box::new(take(view, less))),
        Source::And(steps) => {
            let mut parts = Vec::with_capacity(steps.len());
            for step in steps {
                let part = take(view, step);
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

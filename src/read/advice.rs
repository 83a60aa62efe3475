//! Suggests indexes and columns that would save a query from evaluating records.

use super::condition_text::{TestText, name};
use super::order::Order;
use super::plan::Plan;
use crate::index::Index;
use crate::record::{Condition, FieldAt, IndexKind, Test};
use crate::storage::TableCore;

/// Maximum number of suggestions.
const MOST: usize = 16;

pub(super) struct Advisor<'a> {
    pub(super) table: &'a TableCore,
}

impl Advisor<'_> {
    /// Suggestions for the residual filter of a plan.
    pub(super) fn of_plan(&self, plan: &Plan) -> Vec<String> {
        plan.residual.as_ref().map_or(Vec::new(), |residual| self.of_looks(residual))
    }

    /// Suggestions for a condition that is evaluated record by record.
    pub(super) fn of_looks(&self, residual: &Condition) -> Vec<String> {
        let mut advice: Vec<String> = Vec::new();
        residual.each_test(&mut |field, test| {
            let Some(what) = self.what(field, test).filter(|_| advice.len() < MOST) else { return };
            let field = name(&self.table.schema, field);
            let line = format!("{what} on {field:?} would answer {}", TestText { field, test });
            if !advice.contains(&line) {
                advice.push(line);
            }
        });
        advice
    }

    /// Suggestions for a query that fetches and sorts all matches.
    pub(super) fn of_sort(&self, plan: &Plan, order: &Order) -> Vec<String> {
        let mut advice = self.of_plan(plan);
        if let Some(first) = order.0.first().filter(|first| !self.has(&first.at, true)) {
            advice.push(format!("an ordered index on {:?} would have the order", first.name));
        }
        advice
    }

    /// The index or column that would evaluate a test; `None` if it exists.
    fn what(&self, field: &FieldAt, test: &Test) -> Option<&'static str> {
        if field.undeclared().is_some() {
            return Some("a declared field with an index");
        }
        let has_column = self.table.columns.iter().any(|column| column.field == field.position());
        match test {
            Test::Range(..) => (!self.has(field, true)).then_some("an ordered index"),
            Test::Ne(_) | Test::Text(_) => (!has_column).then_some("a column"),
            Test::Eq(_) | Test::In(_) | Test::IsNull | Test::Any(_) | Test::All(_) | Test::HasNone => {
                (!self.has(field, false)).then_some("an index")
            }
        }
    }

    /// Whether a single-field index over all records exists for this field.
    fn has(&self, field: &FieldAt, ordered: bool) -> bool {
        let fits = |index: &dyn Index| {
            let alone = matches!(&index.shape.fields[..], [(of, _)] if of == field);
            alone && index.shape.condition.is_none() && (!ordered || index.shape.def.kind() == IndexKind::Ordered)
        };
        self.table.indexes().iter().any(|index| fits(&**index))
    }
}

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
        if let Some(first) = order.fields.first().filter(|first| !self.has(&first.at, true)) {
            advice.push(format!("an ordered index on {:?} would have the order", first.name));
            if self.lacks_column(&first.at) {
                advice.push(format!("a column on {:?} would sort without reading the records", first.name));
            }
        }
        advice
    }

    /// The index or column that would evaluate a test; `None` if it exists.
    fn what(&self, field: &FieldAt, test: &Test) -> Option<&'static str> {
        if field.is_as_written() {
            return None;
        }
        let or_column = |with: &'static str, without| if self.lacks_column(field) { with } else { without };
        match test {
            Test::Range(..) => {
                (!self.has(field, true)).then(|| or_column("an ordered index or a column", "an ordered index"))
            }
            Test::Has(test) => self.what(field, test),
            Test::Text(_) if field.undeclared().is_some() => Some("a declared field with a column"),
            Test::Ne(_) | Test::Text(_) => self.lacks_column(field).then_some("a column"),
            Test::Eq(_) | Test::In(_) | Test::IsNull | Test::Any(_) | Test::All(_) | Test::HasNone => {
                (!self.has(field, false)).then(|| or_column("an index or a column", "an index"))
            }
        }
    }

    /// Whether the field could have a column and has none.
    fn lacks_column(&self, field: &FieldAt) -> bool {
        let declared = self.table.schema.fields().get(field.position());
        declared.is_some_and(|declared| !declared.is_column() && !declared.is_many())
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

//! The first records in an order, for writes by predicate: they look for them among committed records, then merge these with
//! the records that their batch has changed.

use super::bound_query;
use super::choice::Chooser;
use super::order::Order;
use super::snapshot::{AnyView, Snapshot};
use super::sort::TopK;
use super::strict;
use crate::error::QueryError;
use crate::record::{Condition, FieldSource};
use crate::storage::{Engine, SharedVersion, Table, TableCore};
use crate::sync::Arc;
use memdex_query::query::OrderBy;
use memdex_query::value::{Key, Value};
use std::cmp::Ordering;

/// An order, and how many of the first records in it are requested.
pub(crate) struct Ranking {
    order: Order,
    pub(crate) first: usize,
}

impl Ranking {
    /// Checks the order against the schema.
    pub(crate) fn new(table: &TableCore, order: &[OrderBy], first: usize) -> Result<Self, QueryError> {
        Ok(Ranking { order: Order::new(&table.name, &table.schema, order)?, first })
    }

    /// The first committed records that match, in the order, and `more` behind them. Under the commit lock no commit is in flight.
    pub(crate) fn evaluate(
        &self,
        engine: &Arc<Engine>,
        table: &Table,
        condition: &Condition,
        more: usize,
    ) -> Result<Vec<SharedVersion>, QueryError> {
        let snapshot = Snapshot::of_newest(engine);
        let under = table.under(snapshot.commit());
        let view = AnyView::new(&snapshot, table, &under);
        let top = TopK { order: &self.order, after: None, first: self.first.saturating_add(more) };
        strict::judged_write(&snapshot, view, condition, || {
            bound_query::first(view, condition, &top, &Chooser::Cheapest)
        })
    }

    /// The sort values of a record. Runs its extractors.
    pub(crate) fn values(&self, record: &dyn FieldSource) -> Vec<Value> {
        self.order.values_of(record)
    }

    /// Which of two records with these sort values and keys comes first.
    pub(crate) fn compare(&self, a: (&[Value], &Key), b: (&[Value], &Key)) -> Ordering {
        self.order.compare_values(a.0, b.0).then_with(|| a.1.cmp(b.1))
    }
}

//! The records of one collection, in a map by key, and the rules of its schema.

use super::compare::compare;
use super::predicate::{collation, matches};
use super::statistics::aggregate;
use crate::operation::{Outcome, RefusalKind};
use crate::row::{Row, RowKey};
use memdex::query::{Ask, Direction, FieldName, Nulls, OrderBy, Paging};
use memdex::schema::IndexKind;
use memdex::typing::ValueRef;
use memdex::{IndexDef, Kind, Query, Schema};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The row as a record of the collection's type holds it; `None` if the type refuses it.
pub(crate) type Accept = Arc<dyn Fn(&Row) -> Option<Row> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) schema: Schema,
    indexes: Vec<IndexDef>,
    /// What the type of the records adds to the rules of the schema.
    pub(super) accept: Option<Accept>,
    pub(crate) rows: BTreeMap<RowKey, Row>,
}

impl Table {
    pub(super) fn new(schema: Schema) -> Self {
        let indexes = schema.indexes();
        Table { schema, indexes, accept: None, rows: BTreeMap::new() }
    }

    /// The key of a record that fits the schema.
    pub(super) fn admit(&self, row: &Row) -> Result<RowKey, RefusalKind> {
        for (name, values) in row.iter() {
            let at = self.schema.position(name).ok_or(RefusalKind::Invalid)?;
            let field = &self.schema.fields()[at];
            let fits = values.iter().all(|value| value.kind() == Some(field.kind()));
            if !fits || values.len() > 1 && !field.is_many() {
                return Err(RefusalKind::Invalid);
            }
        }
        let is_missing = |name: &str| row.all(name).is_empty();
        if self.schema.fields().iter().any(|field| !field.is_nullable() && is_missing(field.name())) {
            return Err(RefusalKind::Invalid);
        }
        let refuses = |index: &&IndexDef| index.kind() == IndexKind::Ordered && self.holds(index, row);
        for name in self.indexes.iter().filter(refuses).flat_map(IndexDef::fields) {
            let is_nan_last = self.schema.find(name).is_some_and(|(_, field)| field.is_nan_last());
            let is_nan = |value: &memdex::Value| matches!(value.as_ref(), ValueRef::Float(x) if x.is_nan());
            if !is_nan_last && row.all(name).iter().any(is_nan) {
                return Err(RefusalKind::Invalid);
            }
        }
        row.key(&self.schema).ok_or(RefusalKind::Invalid)
    }

    /// Whether an index holds a record: its condition is true.
    fn holds(&self, index: &IndexDef, row: &Row) -> bool {
        index.condition().is_none_or(|condition| matches(&self.schema, row, condition))
    }

    /// Whether another record has a unique value of this one.
    pub(super) fn is_duplicate(&self, key: &RowKey, row: &Row) -> bool {
        self.indexes.iter().filter(|index| index.kind() == IndexKind::Unique && self.holds(index, row)).any(|index| {
            let same = |other: &Row| {
                index.fields().iter().all(|name| match (row.one(name), other.one(name)) {
                    (Some(a), Some(b)) => compare(a, b, collation(&self.schema, name)).is_eq(),
                    // A record that lacks a value is exempt.
                    _ => false,
                })
            };
            self.rows.iter().any(|(other, with)| other != key && self.holds(index, with) && same(with))
        })
    }

    pub(super) fn is_integer(&self, field: &FieldName) -> bool {
        self.schema
            .find(field)
            .is_some_and(|(_, field)| field.kind() == Kind::Int && !field.is_many() && !field.is_key())
    }

    fn order(&self, a: &Row, b: &Row, order: &[OrderBy]) -> Ordering {
        for by in order {
            let nulls = if by.nulls == Nulls::First { Ordering::Less } else { Ordering::Greater };
            let order = match (a.one(&by.field), b.one(&by.field)) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => nulls,
                (Some(_), None) => nulls.reverse(),
                (Some(a), Some(b)) => {
                    let order = compare(a, b, collation(&self.schema, &by.field));
                    if by.direction == Direction::Descending { order.reverse() } else { order }
                }
            };
            if order.is_ne() {
                return order;
            }
        }
        a.key(&self.schema).cmp(&b.key(&self.schema))
    }

    /// All selected records, in the order of the query; by key without one.
    pub(super) fn selected(&self, query: &Query, order: &[OrderBy]) -> Vec<&Row> {
        let matching = self.rows.values().filter(|row| matches(&self.schema, row, &query.filter));
        let mut rows: Vec<&Row> = matching.collect();
        rows.sort_by(|a, b| self.order(a, b, order));
        rows
    }

    /// The keys that a write by predicate selects.
    pub(super) fn chosen(&self, query: &Query) -> Vec<RowKey> {
        let Ask::Records(Paging { order, limit, .. }) = &query.ask else { return Vec::new() };
        let rows = self.selected(query, order).into_iter().take(limit.unwrap_or(usize::MAX));
        rows.filter_map(|row| row.key(&self.schema)).collect()
    }

    /// The answer of a query; without cursors and keys, which only backends have. A walk returns all pages.
    pub(super) fn find(&self, query: &Query, whole: bool) -> Outcome {
        match &query.ask {
            Ask::Statistics(statistics) => {
                let rows = self.selected(query, &[]);
                match aggregate(&self.schema, &rows, statistics) {
                    Ok(summary) => Outcome::Summary(summary),
                    Err(_) => Outcome::Unsupported,
                }
            }
            Ask::Records(Paging { after: None, before: None, around: None, .. }) => {
                let Ask::Records(paging) = &query.ask else { return Outcome::Unsupported };
                let rows = self.selected(query, &paging.order);
                let total = (paging.total && !whole).then_some(rows.len());
                let size = paging.limit.or(paging.page.map(|_| memdex::limits::DEFAULT_PAGE_SIZE));
                let skipped = paging.page.map_or(paging.offset, |page| (page - 1) * size.unwrap_or(0));
                let limit = if whole { usize::MAX } else { size.unwrap_or(usize::MAX) };
                let rows = rows.into_iter().skip(skipped).take(limit).map(|row| row.select(&paging.select));
                Outcome::Records { rows: rows.collect(), total }
            }
            Ask::Records(_) => Outcome::Unsupported,
        }
    }
}

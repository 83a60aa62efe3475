//! A query for records, bound to one collection: its fields are found, and what makes no sense is refused before anything is read.

use super::choice::Chooser;
use super::execute::{self, Matches};
use super::order::{Order, Place, Tie};
use super::planner;
use super::snapshot::AnyView;
use super::sort::TopK;
use super::top_k;
use crate::error::QueryError;
use crate::record::{Condition, Schema};
use crate::storage::{AnyVersion, SharedVersion};
use crate::user_code;
use memdex_query::query::{Cursor, FieldName, Fingerprint, Fingerprinter, Paging, Predicate, Window};
use std::cmp::Ordering;

/// See the head of this file.
pub(super) struct BoundQuery<'q> {
    pub(super) view: AnyView<'q>,
    pub(super) condition: Condition,
    pub(super) order: Order,
    pub(super) window: Window,
    pub(super) after: Option<Place<'q>>,
    /// Identifies the query to cursors: its predicate, its order and its collection.
    pub(super) fingerprint: Fingerprint,
}

/// The records of a page, in their order, and the cursor of the next page if there is one.
pub(super) struct Found {
    pub(super) versions: Vec<SharedVersion>,
    pub(super) next: Option<Cursor>,
}

/// Binds a predicate.
pub(super) fn condition(view: AnyView<'_>, filter: &Predicate) -> Result<Condition, QueryError> {
    Condition::new(&view.table.name, &view.table.schema, filter)
}

/// How many records match, whatever the page.
pub(super) fn count(view: AnyView<'_>, condition: &Condition, chooser: &Chooser) -> usize {
    execute::count(view, condition, &planner::plan(view.table, condition, chooser))
}

/// All records that match.
pub(super) fn matches(view: AnyView<'_>, condition: &Condition, chooser: &Chooser) -> Matches {
    execute::execute(view, condition, &planner::plan(view.table, condition, chooser))
}

/// Refuses fields to return that no record has.
fn check_selected(view: AnyView<'_>, paging: &Paging) -> Result<(), QueryError> {
    let schema: &Schema = &view.table.schema;
    let is_unknown = |name: &&FieldName| schema.find(name).is_none() && schema.undeclared(name).is_none();
    match paging.select.iter().find(is_unknown) {
        None => Ok(()),
        Some(name) => Err(schema.unknown_field(&view.table.name, name)),
    }
}

/// Refuses fields to return or to sort by that no record has.
pub(super) fn check_fields(view: AnyView<'_>, paging: &Paging) -> Result<(), QueryError> {
    check_selected(view, paging)?;
    Order::new(&view.table.name, &view.table.schema, &paging.order).map(drop)
}

impl<'q> BoundQuery<'q> {
    /// Binds a query, except for its cursor.
    pub(super) fn new(view: AnyView<'q>, filter: &Predicate, paging: &Paging) -> Result<Self, QueryError> {
        let (name, schema) = (&*view.table.name, &view.table.schema);
        let window = paging.window(name)?;
        check_selected(view, paging)?;
        let (condition, of_predicate) = Condition::with_fingerprint(name, schema, filter)?;
        let order = Order::new(name, schema, &paging.order)?;
        let fingerprint = Fingerprinter::new("page").text(name).print(of_predicate).number(order.0.len());
        let fingerprint = order
            .0
            .iter()
            .fold(fingerprint, |print, field| print.text(&field.name).flag(field.descending).flag(field.nulls_first));
        Ok(BoundQuery { view, condition, order, window, after: None, fingerprint: fingerprint.finish() })
    }

    /// Binds a query of one collection.
    pub(super) fn of_one(view: AnyView<'q>, filter: &Predicate, paging: &'q Paging) -> Result<Self, QueryError> {
        let mut bound = BoundQuery::new(view, filter, paging)?;
        if let Some(cursor) = &paging.after {
            let is_own = cursor.query == bound.fingerprint.0
                && cursor.collection.is_none()
                && bound.order.has_values_of(cursor)
                && bound.order.has_kinds_of(cursor);
            if !is_own {
                return Err(QueryError::foreign_cursor(&*view.table.name));
            }
            let tie = Tie::Key(&cursor.key);
            bound.after = Some(Place { values: &cursor.values, tie, same_kinds: true });
        }
        Ok(bound)
    }

    /// Continues behind a cursor of a query of several collections. `position` says whether this collection comes before that of the
    /// cursor, or behind it.
    pub(super) fn continue_behind(&mut self, cursor: &'q Cursor, position: Ordering) {
        let tie = if position.is_eq() { Tie::Key(&cursor.key) } else { Tie::Always(position) };
        self.after = Some(Place { values: &cursor.values, tie, same_kinds: self.order.has_kinds_of(cursor) });
    }

    /// The request for at most `first` records.
    pub(super) fn top(&self, first: usize) -> TopK<'_> {
        TopK { order: &self.order, after: self.after, first }
    }

    /// As many records as the page needs, with those that it skips, and one more that shows whether another page follows.
    pub(super) fn needed(&self) -> usize {
        self.window.limit.map_or(usize::MAX, |limit| self.window.offset.saturating_add(limit).saturating_add(1))
    }

    /// The first records in the order.
    pub(super) fn first(&self, first: usize, chooser: &Chooser) -> Vec<SharedVersion> {
        let top = self.top(first);
        let path = top_k::choose(self.view, &self.condition, &top, chooser);
        top_k::first(self.view, &self.condition, &top, &path)
    }

    /// The page.
    pub(super) fn page(&self, chooser: &Chooser) -> Found {
        let needed = self.needed();
        let mut versions = self.first(needed, chooser);
        let more = self.window.limit.is_some() && versions.len() == needed;
        if more {
            versions.pop();
        }
        let next = versions.last().filter(|_| more).map(|last| self.cursor(&**last));
        versions.drain(..versions.len().min(self.window.offset));
        Found { versions, next }
    }

    fn cursor(&self, last: &dyn AnyVersion) -> Cursor {
        let _scope = user_code::Scope::enter();
        let (query, values, key) = (self.fingerprint.0, self.order.values(last), last.key().clone());
        Cursor { query, values, collection: None, key }
    }
}

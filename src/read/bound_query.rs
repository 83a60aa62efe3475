//! A query for records, bound to one collection: its fields are found, and what makes no sense is refused before anything is read.

use super::choice::Chooser;
use super::execute::{self, Matches};
use super::order::{Order, Place, Tie};
use super::planner;
use super::snapshot::AnyView;
use super::sort::{TopK, in_order};
use super::through;
use super::top_k;
use crate::error::QueryError;
use crate::record::{Condition, Schema};
use crate::storage::{AnyVersion, SharedVersion};
use crate::user_code;
use memdex_query::query::{Cursor, FieldName, Fingerprint, Fingerprinter, Paging, Predicate, Window};
use memdex_query::value::{Key, Value, encode};
use std::borrow::Cow;
use std::cmp::Ordering;

/// See the head of this file.
pub(super) struct BoundQuery<'q> {
    pub(super) view: AnyView<'q>,
    pub(super) condition: Condition,
    pub(super) order: Order,
    pub(super) window: Window,
    pub(super) after: Option<Place<'q>>,
    /// Whether the page ends at its place. Then `order` is the opposite of the query's order.
    backwards: bool,
    /// The record around which the page is, with its sort values.
    anchor: Option<(Vec<Value>, SharedVersion)>,
    /// Identifies the query to cursors: its predicate, its order and its collection.
    pub(super) fingerprint: Fingerprint,
}

/// The records of a page, in their order, and the cursors of the pages before and behind it, if there are such.
pub(super) struct Found {
    pub(super) versions: Vec<SharedVersion>,
    pub(super) prev: Option<Cursor>,
    pub(super) next: Option<Cursor>,
}

/// The number of records on all pages together.
#[derive(Clone, Copy)]
pub(super) struct Total {
    pub(super) records: Option<usize>,
    pub(super) is_exact: bool,
}

impl Total {
    /// Of so many records, of which no more than requested were counted.
    pub(super) fn of(counted: usize, paging: &Paging) -> Self {
        let is_exact = paging.total_up_to.is_none_or(|most| counted <= most);
        Total { records: Some(if is_exact { counted } else { paging.total_up_to.unwrap_or(counted) }), is_exact }
    }

    pub(super) const NONE: Self = Total { records: None, is_exact: true };
}

/// The number beyond which a query does not count; `None` if it does not count at all.
pub(super) fn counts_up_to(paging: &Paging) -> Option<usize> {
    if paging.total { Some(usize::MAX) } else { paging.total_up_to }
}

/// Binds a predicate.
pub(super) fn condition(view: AnyView<'_>, filter: &Predicate) -> Result<Condition, QueryError> {
    Condition::new(&view.table.name, &view.table.schema, &*through::replaced(view, filter)?)
}

/// Refuses a predicate whose answers depend on other collections.
pub(super) fn check_own(view: AnyView<'_>, filter: &Predicate) -> Result<(), QueryError> {
    through::refuse(view, filter)
}

/// How many records match, whatever the page.
pub(super) fn count(view: AnyView<'_>, condition: &Condition, chooser: &Chooser) -> usize {
    let of_part = |part: AnyView<'_>| execute::count(part, condition, &planner::plan(part.table, condition, chooser));
    view.parts().into_iter().map(of_part).sum()
}

/// How many records match, whatever the page; any number above `most` if there are more.
pub(super) fn count_up_to(view: AnyView<'_>, condition: &Condition, most: usize, chooser: &Chooser) -> usize {
    let mut count = 0;
    for part in view.parts() {
        if count <= most {
            let plan = planner::plan(part.table, condition, chooser);
            count += execute::count_up_to(part, condition, &plan, most - count);
        }
    }
    count
}

/// All records that match.
pub(super) fn matches(view: AnyView<'_>, condition: &Condition, chooser: &Chooser) -> Matches {
    let mut all = Matches::default();
    for part in view.parts() {
        let matches = execute::execute(part, condition, &planner::plan(part.table, condition, chooser));
        // The rows are those of the view's own table.
        if part.layer().is_some() {
            all.versions.append(&mut matches.fetch(part));
        } else {
            all = matches;
        }
    }
    all
}

/// The first records in an order that match.
pub(super) fn first(view: AnyView<'_>, condition: &Condition, top: &TopK<'_>, chooser: &Chooser) -> Vec<SharedVersion> {
    let of_part = |part: AnyView<'_>| top_k::first(part, condition, top, &top_k::choose(part, condition, top, chooser));
    match &view.parts()[..] {
        [part] => of_part(*part),
        // The first of all are among the first of each.
        parts => in_order(parts.iter().flat_map(|part| of_part(*part)).collect(), top),
    }
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
        let own = through::replaced(view, filter)?;
        let (condition, of_predicate) = Condition::with_fingerprint(name, schema, &own)?;
        let of_predicate = match own {
            Cow::Borrowed(_) => of_predicate,
            // The cursor is of the query, not of the keys that it has found.
            Cow::Owned(_) => Fingerprinter::new("through").text(&format!("{filter:?}")).finish(),
        };
        let order = Order::new(name, schema, &paging.order)?;
        let fingerprint = Fingerprinter::new("page").text(name).print(of_predicate).number(order.fields.len());
        let fingerprint = order
            .fields
            .iter()
            .fold(fingerprint, |print, field| print.text(&field.name).flag(field.descending).flag(field.nulls_first));
        let (order, backwards) = if paging.before.is_some() { (order.reversed(), true) } else { (order, false) };
        let fingerprint = fingerprint.finish();
        Ok(BoundQuery { view, condition, order, window, after: None, backwards, anchor: None, fingerprint })
    }

    /// Binds a query of one collection.
    pub(super) fn of_one(view: AnyView<'q>, filter: &Predicate, paging: &'q Paging) -> Result<Self, QueryError> {
        let mut bound = BoundQuery::new(view, filter, paging)?;
        if let Some(key) = &paging.around {
            bound.anchor = Some(bound.selected(key)?);
        }
        if let Some(cursor) = paging.after.as_ref().or(paging.before.as_ref()) {
            let is_own = cursor.query == bound.fingerprint.0
                && cursor.collection.is_none()
                && bound.order.has_values_of(cursor)
                && bound.order.has_kinds_of(cursor)
                && bound.has_key_of(cursor);
            if !is_own {
                return Err(QueryError::foreign_cursor(&*view.table.name));
            }
            let tie = Tie::Key(&cursor.key);
            bound.after = Some(Place { values: &cursor.values, tie, same_kinds: true });
        }
        Ok(bound)
    }

    /// Whether the key of a cursor could be that of a record here. One that was made elsewhere may be any.
    pub(super) fn has_key_of(&self, cursor: &Cursor) -> bool {
        let (fields, parts) = (self.view.table.schema.fields().iter(), cursor.key.parts());
        let kinds = fields.filter(|field| field.is_key()).map(|field| Some(field.kind()));
        // Bytes that are no part end the parts.
        let (mut bytes, mut open) = (Vec::new(), false);
        parts.iter().for_each(|part| encode(part.as_ref(), &mut open, |more| bytes.extend_from_slice(more)));
        bytes == cursor.key.bytes() && kinds.eq(parts.iter().map(|part| part.as_ref().kind()))
    }

    /// Continues behind a cursor of a query of several collections. `position` says whether this collection comes before that of the
    /// cursor, or behind it.
    pub(super) fn continue_behind(&mut self, cursor: &'q Cursor, position: Ordering) {
        let position = if self.backwards { position.reverse() } else { position };
        let tie = if position.is_eq() { Tie::Key(&cursor.key) } else { Tie::Always(position) };
        self.after = Some(Place { values: &cursor.values, tie, same_kinds: self.order.has_kinds_of(cursor) });
    }

    /// The request for at most `first` records.
    pub(super) fn top(&self, first: usize) -> TopK<'_> {
        TopK { order: &self.order, after: self.place(), first }
    }

    fn place(&self) -> Option<Place<'_>> {
        match &self.anchor {
            Some((values, version)) => Some(Place { values, tie: Tie::Key(&version.key), same_kinds: true }),
            None => self.after,
        }
    }

    /// The record of a key, if the query selects it, with its sort values.
    fn selected(&self, key: &Key) -> Result<(Vec<Value>, SharedVersion), QueryError> {
        let (view, schema) = (self.view, &self.view.table.schema);
        let not_selected = || QueryError::not_selected(&*view.table.name, format!("{key:?}"));
        let (fields, parts) = (schema.fields().iter().filter(|field| field.is_key()), key.parts());
        let names: Vec<FieldName> = fields.map(|field| field.name().to_owned().into()).collect();
        if names.len() != parts.len() {
            return Err(not_selected());
        }
        let is_it = names.into_iter().zip(parts).map(|(name, part)| Predicate::Eq(name, part));
        let by_key = condition(view, &Predicate::all_of(is_it))?;
        let found = matches(view, &by_key, &Chooser::Cheapest).fetch(view).pop();
        let _scope = user_code::Scope::enter();
        let found = found.filter(|version| execute::is_match(&self.condition, &**version)).ok_or_else(not_selected)?;
        Ok((self.order.values(&*found), found))
    }

    /// As many records as the page needs, with those that it skips, and one more that shows whether another page follows.
    pub(super) fn needed(&self) -> usize {
        self.window.limit.map_or(usize::MAX, |limit| self.window.offset.saturating_add(limit).saturating_add(1))
    }

    /// The first records in the order.
    pub(super) fn first(&self, first: usize, chooser: &Chooser) -> Vec<SharedVersion> {
        self::first(self.view, &self.condition, &self.top(first), chooser)
    }

    /// The page.
    pub(super) fn page(&self, chooser: &Chooser) -> Found {
        if let Some((_, anchor)) = &self.anchor {
            return self.page_around(anchor.clone(), chooser);
        }
        let mut versions = self.first(self.needed(), chooser);
        let ends = self.cut(&mut versions);
        self.with_cursors(versions, ends)
    }

    /// Cuts what was read to the page. Returns whether there are records before it, and behind it.
    pub(super) fn cut<T>(&self, read: &mut Vec<T>) -> (bool, bool) {
        let more = self.window.limit.is_some() && read.len() == self.needed();
        if more {
            read.pop();
        }
        read.drain(..read.len().min(self.window.offset));
        if self.backwards {
            read.reverse();
            return (more, true);
        }
        (self.after.is_some() || self.window.offset > 0, more)
    }

    /// The record with as many before it as behind it, or more on one side where the other has fewer.
    fn page_around(&self, anchor: SharedVersion, chooser: &Chooser) -> Found {
        let others = self.window.limit.unwrap_or(usize::MAX).saturating_sub(1);
        let reversed = self.order.reversed();
        let first = |order| {
            let top = TopK { order, after: self.place(), first: others.saturating_add(1) };
            self::first(self.view, &self.condition, &top, chooser)
        };
        let (mut before, mut behind) = (first(&reversed), first(&self.order));
        let (all_before, all_behind) = (before.len(), behind.len());
        behind.truncate((others - others / 2).max(others.saturating_sub(all_before)));
        before.truncate(others - behind.len());
        let ends = (before.len() < all_before, behind.len() < all_behind);
        let versions = before.into_iter().rev().chain([anchor]).chain(behind).collect();
        self.with_cursors(versions, ends)
    }

    fn with_cursors(&self, versions: Vec<SharedVersion>, (before, behind): (bool, bool)) -> Found {
        let prev = versions.first().filter(|_| before).map(|first| self.cursor(&**first));
        let next = versions.last().filter(|_| behind).map(|last| self.cursor(&**last));
        Found { versions, prev, next }
    }

    fn cursor(&self, at: &dyn AnyVersion) -> Cursor {
        let _scope = user_code::Scope::enter();
        let (query, values, key) = (self.fingerprint.0, self.order.values(at), at.key.clone());
        Cursor { query, values, collection: None, key }
    }
}

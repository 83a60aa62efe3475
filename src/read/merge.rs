//! A page of several collections together: each is read up to the page's end, and what they give is merged.

use super::bound_query::BoundQuery;
use super::choice::Chooser;
use super::order::{Tie, compare};
use crate::storage::{SharedVersion, Table};
use crate::sync::Arc;
use crate::user_code;
use memdex_query::query::{Cursor, Fingerprint, OrderBy, Paging};
use memdex_query::value::Value;

/// The cursors of the pages before and behind a page.
#[derive(Default)]
pub(super) struct Ends {
    pub(super) prev: Option<Cursor>,
    pub(super) next: Option<Cursor>,
}

/// A query for a page of several collections together.
pub(super) struct Merge<'s> {
    pub(super) bound: Vec<(&'s Arc<Table>, BoundQuery<'s>)>,
    /// Identifies the query to cursors.
    pub(super) fingerprint: Fingerprint,
}

/// A record that was found, with the table that holds it.
pub(super) type Found<'s> = (&'s Arc<Table>, SharedVersion);

impl<'s> Merge<'s> {
    /// Starts each collection behind the cursor. `None` if the cursor was made by another query.
    pub(super) fn continue_behind(&mut self, cursor: &'s Cursor) -> Option<()> {
        let name = cursor.collection.as_deref()?;
        let position = (0..self.bound.len()).find(|at| self.name_of(*at) == name)?;
        let has_values = self.bound.iter().all(|(_, bound)| bound.order.has_values_of(cursor));
        let has_key = self.bound[position].1.has_key_of(cursor);
        (cursor.query == self.fingerprint.0 && has_values && has_key).then_some(())?;
        for (at, (_, bound)) in self.bound.iter_mut().enumerate() {
            bound.continue_behind(cursor, at.cmp(&position));
        }
        Some(())
    }

    /// The name of a collection in cursors. A number distinguishes a dropped collection from the one that took its name.
    fn name_of(&self, at: usize) -> String {
        let name = |at: usize| &*self.bound[at].1.view.table.name;
        match (0..at).filter(|earlier| name(*earlier) == name(at)).count() {
            0 => name(at).to_owned(),
            earlier => format!("{}\0{earlier}", name(at)),
        }
    }

    /// The records of the page, and the cursors of the pages before and behind it.
    pub(super) fn page(self, paging: &Paging) -> (Vec<Found<'s>>, Ends) {
        let Some((_, first)) = self.bound.first() else { return (Vec::new(), Ends::default()) };
        let needed = first.needed();
        let mut hits: Vec<(Vec<Value>, usize, SharedVersion)> = Vec::new();
        // Each collection reads as many records as all of them together may return.
        for (at, (_, bound)) in self.bound.iter().enumerate() {
            let _span = bound.view.span();
            let is_done = bound.after.is_some_and(|place| matches!(place.tie, Tie::Always(order) if order.is_lt()));
            if is_done && bound.order.fields.is_empty() {
                continue;
            }
            let versions = bound.first(needed, &Chooser::Cheapest);
            let _scope = user_code::Scope::enter();
            hits.extend(versions.into_iter().map(|version| (bound.order.values(&*version), at, version)));
        }
        // Stable: ties are broken by collection, and within one by its order.
        if paging.before.is_some() {
            let opposite: Vec<_> = paging.order.iter().cloned().map(OrderBy::reversed).collect();
            hits.sort_by(|(a, of_a, _), (b, of_b, _)| compare(&opposite, a, b).then(of_b.cmp(of_a)));
        } else {
            hits.sort_by(|(a, ..), (b, ..)| compare(&paging.order, a, b));
        }
        hits.truncate(needed);
        let (before, behind) = first.cut(&mut hits);
        let cursor = |(values, at, version): &(Vec<Value>, usize, SharedVersion)| Cursor {
            query: self.fingerprint.0,
            values: values.clone(),
            collection: Some(self.name_of(*at)),
            key: version.key.clone(),
        };
        let prev = hits.first().filter(|_| before).map(cursor);
        let ends = Ends { prev, next: hits.last().filter(|_| behind).map(cursor) };
        (hits.into_iter().map(|(_, at, version)| (self.bound[at].0, version)).collect(), ends)
    }
}

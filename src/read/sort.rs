//! Sorting: the first records in an order, of records that were all fetched.

use super::order::{Order, Place, value_of};
use crate::storage::{AnyVersion, SharedVersion};
use crate::user_code;
use memdex_query::value::ValueRef;
use std::cmp::Ordering;

/// A top-k request.
pub(super) struct TopK<'a> {
    pub(super) order: &'a Order,
    /// Only records behind this place.
    pub(super) after: Option<Place<'a>>,
    /// At most this many.
    pub(super) first: usize,
}

impl TopK<'_> {
    /// Whether a record lies behind the place after which records are requested. Runs its extractors.
    pub(super) fn is_behind(&self, version: &dyn AnyVersion) -> bool {
        self.after.is_none_or(|place| self.order.compare_to_place(version, &place).is_gt())
    }
}

/// A record by its first sort value, read once: extractors are not run again for each comparison.
struct Keyed<'a> {
    value: ValueRef<'a>,
    /// Its place among the records.
    at: usize,
}

/// The first of these records, in their order.
pub(super) fn in_order(mut versions: Vec<SharedVersion>, top: &TopK<'_>) -> Vec<SharedVersion> {
    let _scope = user_code::Scope::enter();
    if top.after.is_some() {
        versions.retain(|version| top.is_behind(&**version));
    }
    let Some(lead) = top.order.fields.first() else {
        select(&mut versions, top.first, |a, b| top.order.tie(&a.key, &b.key));
        return versions;
    };
    let keyed = versions.iter().enumerate().map(|(at, version)| Keyed { value: value_of(&**version, lead), at });
    let mut keyed: Vec<Keyed<'_>> = keyed.collect();
    select(&mut keyed, top.first, |a, b| {
        let by_lead = lead.compare(a.value, b.value);
        by_lead.then_with(|| top.order.compare_from(1, &*versions[a.at], &*versions[b.at]))
    });
    let sorted: Vec<usize> = keyed.into_iter().map(|keyed| keyed.at).collect();
    let mut versions: Vec<Option<SharedVersion>> = versions.into_iter().map(Some).collect();
    sorted.into_iter().filter_map(|at| versions[at].take()).collect()
}

/// Keeps the first of some items, sorted.
fn select<T>(items: &mut Vec<T>, first: usize, compare: impl Fn(&T, &T) -> Ordering) {
    if first < items.len() {
        items.select_nth_unstable_by(first, &compare);
        items.truncate(first);
    }
    items.sort_unstable_by(compare);
}

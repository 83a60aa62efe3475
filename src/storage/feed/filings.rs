//! The conditions on the records of one collection, filed by the values of fields.

use super::filing::{Filing, Place, is_exact};
use super::queue::Queue;
use super::ranges::Ranges;
use crate::hash::{RandomState, short, spread};
use crate::record::{Condition, FieldAt, FieldSource};
use crate::sync::Arc;
use crate::user_code;
use hashbrown::HashTable;
use memdex_query::value::{Value, ValueRef};
use std::collections::BTreeMap;

/// One condition of a subscription.
pub(super) struct Part {
    pub(super) queue: Arc<Queue>,
    /// Its place among the conditions of the subscription.
    number: usize,
    condition: Condition,
    /// `None` if it can't be filed.
    filings: Option<Vec<Filing>>,
    /// Whether its filings decide it.
    pub(super) is_exact: bool,
}

/// Conditions, copied as a pointer: each part of a subscription has its own cache lines, which nobody touches without need.
pub(super) type Parts = Arc<Vec<Arc<Part>>>;

impl Part {
    pub(super) fn new(queue: Arc<Queue>, number: usize, condition: Condition, filings: Option<Vec<Filing>>) -> Self {
        let is_exact = filings.is_some() && is_exact(&condition);
        Part { queue, number, condition, filings, is_exact }
    }

    /// Orders the conditions of all subscriptions.
    fn id(&self) -> (u64, usize) {
        (self.queue.id, self.number)
    }

    /// Whether one of the images of a change matches. A change on which the condition panics is passed on, since it may match. Runs
    /// user code.
    pub(super) fn selects(&self, images: [Option<&dyn FieldSource>; 2], panics: &mut u64) -> bool {
        images.into_iter().flatten().any(|image| {
            user_code::run(|| self.condition.holds(image)).unwrap_or_else(|_| {
                *panics += 1;
                true
            })
        })
    }
}

/// A field under whose values conditions are filed, and whether it can have many.
pub(super) type Filed = (FieldAt, bool);

/// The conditions of one collection.
#[derive(Default)]
pub(super) struct Filings {
    all: BTreeMap<(u64, usize), Arc<Part>>,
    /// Those that can't be filed.
    others: Parts,
    /// The fields, in the order of `by_field`.
    fields: Arc<Vec<Filed>>,
    by_field: Vec<ByField>,
    seed: RandomState,
}

#[derive(Default)]
struct ByField {
    values: HashTable<(Value, Parts)>,
    ranges: Ranges<Arc<Part>>,
}

impl Filings {
    pub(super) fn new(seed: RandomState) -> Self {
        Filings { seed, ..Filings::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Part>> {
        self.all.values()
    }

    /// Those that can be filed.
    pub(super) fn filed(&self) -> impl Iterator<Item = &Arc<Part>> {
        self.all().filter(|part| part.filings.is_some())
    }

    pub(super) fn others(&self) -> Parts {
        self.others.clone()
    }

    pub(super) fn fields(&self) -> Arc<Vec<Filed>> {
        self.fields.clone()
    }

    pub(super) fn add(&mut self, part: &Arc<Part>) {
        self.all.insert(part.id(), part.clone());
        let Some(filings) = &part.filings else { return Arc::make_mut(&mut self.others).push(part.clone()) };
        for Filing { field, is_many, place } in filings {
            let of_field = self.of_field(field, *is_many);
            let ByField { values, ranges } = &mut self.by_field[of_field];
            match place {
                Place::Range(from, to) => ranges.insert(from.clone(), to.clone(), part.clone()),
                Place::Value(value) => {
                    let hash = |value: &Value| spread(short(&self.seed, &value.as_ref()));
                    let entry = values.entry(hash(value), |(other, _)| other == value, |(other, _)| hash(other));
                    Arc::make_mut(&mut entry.or_insert_with(|| (value.clone(), Parts::default())).into_mut().1)
                        .push(part.clone());
                }
            }
        }
    }

    fn of_field(&mut self, field: &FieldAt, is_many: bool) -> usize {
        let found = self.fields.iter().position(|(of, many)| of == field && *many == is_many);
        found.unwrap_or_else(|| {
            Arc::make_mut(&mut self.fields).push((field.clone(), is_many));
            self.by_field.push(ByField::default());
            self.by_field.len() - 1
        })
    }

    pub(super) fn remove(&mut self, part: &Part) {
        let is_it = |other: &Arc<Part>| other.id() == part.id();
        self.all.remove(&part.id());
        let Some(filings) = &part.filings else { return Arc::make_mut(&mut self.others).retain(|of| !is_it(of)) };
        for Filing { field, is_many, place } in filings {
            let of_field = self.of_field(field, *is_many);
            let ByField { values, ranges } = &mut self.by_field[of_field];
            match place {
                Place::Range(from, _) => ranges.remove(from, is_it),
                Place::Value(value) => {
                    let hash = spread(short(&self.seed, &value.as_ref()));
                    let Ok(mut entry) = values.find_entry(hash, |(other, _)| other == value) else { continue };
                    Arc::make_mut(&mut entry.get_mut().1).retain(|of| !is_it(of));
                    if entry.get().1.is_empty() {
                        entry.remove();
                    }
                }
            }
        }
    }

    /// Passes the conditions that are filed under this value of the field at `of_field` to `found`. Runs no user code.
    pub(super) fn find(&self, of_field: usize, value: ValueRef<'_>, mut found: impl FnMut(Parts)) {
        // The list of fields may be older than a subscription that has ended since.
        let Some(ByField { values, ranges }) = self.by_field.get(of_field) else { return };
        if !values.is_empty() {
            let hash = spread(short(&self.seed, &value));
            let parts = values.find(hash, |(of, _)| of.as_ref() == value);
            parts.into_iter().for_each(|(_, parts)| found(parts.clone()));
        }
        if !ranges.is_empty() {
            let mut parts = Vec::new();
            ranges.find(value, |part| parts.push(part.clone()));
            found(Arc::new(parts));
        }
    }
}

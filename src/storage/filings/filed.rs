//! What has a condition on the records of one collection, filed by the values of fields.

use super::filing::{Filing, Place};
use super::ranges::Ranges;
use crate::hash::{RandomState, short, spread};
use crate::record::{FieldAt, FieldSource};
use crate::sync::Arc;
use crate::user_code;
use hashbrown::HashTable;
use memdex_query::value::{Value, ValueRef};
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// What can be filed: it has a condition on the records of one collection.
pub(crate) trait Filed: Send + Sync {
    /// Orders all that are filed for one collection.
    fn id(&self) -> (u64, usize);

    /// The places of its condition; `None` if it can't be filed.
    fn filings(&self) -> Option<&[Filing]>;
}

/// Copied as a pointer: what is filed has its own cache lines, which nobody touches without need.
pub(in crate::storage) type List<T> = Arc<Vec<Arc<T>>>;

/// The fields by whose values something is filed, each with whether it can have many.
pub(in crate::storage) type FiledFields = Arc<Vec<(FieldAt, bool)>>;

/// All of one collection.
pub(in crate::storage) struct Filings<T: Filed + ?Sized> {
    all: BTreeMap<(u64, usize), Arc<T>>,
    /// Those that can't be filed.
    others: List<T>,
    /// In the order of `by_field`.
    fields: FiledFields,
    by_field: Vec<ByField<T>>,
    seed: RandomState,
}

struct ByField<T: ?Sized> {
    values: HashTable<(Value, List<T>)>,
    ranges: Ranges<Arc<T>>,
}

/// The values of the filed fields in the images of some changes.
pub(in crate::storage) struct FiledValues<'a> {
    fields: &'a FiledFields,
    /// The number of a change, the place of a field, and a value that the record has before or after the change.
    values: SmallVec<[(usize, usize, ValueRef<'a>); 8]>,
}

impl<'a> FiledValues<'a> {
    pub(in crate::storage) fn new(fields: &'a FiledFields) -> Self {
        FiledValues { fields, values: SmallVec::new() }
    }

    /// Reads the fields of one image of a change. Runs user code; returns whether it panicked.
    pub(in crate::storage) fn read(&mut self, change: usize, image: &'a dyn FieldSource) -> Result<(), String> {
        let FiledValues { fields, values } = self;
        user_code::run(|| {
            for (at, (field, is_many)) in fields.iter().enumerate() {
                match is_many {
                    true => image.values_at(field, &mut |value| values.push((change, at, value))),
                    false => values.push((change, at, image.value_at(field))),
                }
            }
        })
    }

    /// Passes each change with what is filed under one of its values to `found`. Only values of memdex are hashed and compared.
    pub(in crate::storage) fn look_up<T: Filed + ?Sized>(
        &self,
        filings: &Filings<T>,
        mut found: impl FnMut(usize, List<T>),
    ) {
        for (at, value @ (change, field, read)) in self.values.iter().enumerate() {
            // Most updates leave a value as it was.
            let was_seen = self.values[at.saturating_sub(self.fields.len())..at].contains(value);
            if !was_seen {
                filings.find(*field, *read, |list| found(*change, list));
            }
        }
    }
}

impl<T: Filed + ?Sized> Filings<T> {
    pub(in crate::storage) fn new(seed: RandomState) -> Self {
        let (all, others, fields, by_field) = (BTreeMap::new(), List::default(), FiledFields::default(), Vec::new());
        Filings { all, others, fields, by_field, seed }
    }

    pub(in crate::storage) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(in crate::storage) fn all(&self) -> impl Iterator<Item = &Arc<T>> {
        self.all.values()
    }

    /// Those that can be filed.
    pub(in crate::storage) fn filed(&self) -> impl Iterator<Item = &Arc<T>> {
        self.all().filter(|of| of.filings().is_some())
    }

    pub(in crate::storage) fn others(&self) -> List<T> {
        self.others.clone()
    }

    pub(in crate::storage) fn fields(&self) -> FiledFields {
        self.fields.clone()
    }

    pub(in crate::storage) fn add(&mut self, part: &Arc<T>) {
        self.all.insert(part.id(), part.clone());
        let Some(filings) = part.filings() else { return Arc::make_mut(&mut self.others).push(part.clone()) };
        for Filing { field, is_many, place } in filings {
            let of_field = self.of_field(field, *is_many);
            let ByField { values, ranges } = &mut self.by_field[of_field];
            match place {
                Place::Range(from, to) => ranges.insert(from.clone(), to.clone(), part.clone()),
                Place::Value(value) => {
                    let hash = |value: &Value| spread(short(&self.seed, &value.as_ref()));
                    let entry = values.entry(hash(value), |(other, _)| other == value, |(other, _)| hash(other));
                    Arc::make_mut(&mut entry.or_insert_with(|| (value.clone(), List::default())).into_mut().1)
                        .push(part.clone());
                }
            }
        }
    }

    fn of_field(&mut self, field: &FieldAt, is_many: bool) -> usize {
        let found = self.fields.iter().position(|(of, many)| of == field && *many == is_many);
        found.unwrap_or_else(|| {
            Arc::make_mut(&mut self.fields).push((field.clone(), is_many));
            self.by_field.push(ByField { values: HashTable::new(), ranges: Ranges::default() });
            self.by_field.len() - 1
        })
    }

    pub(in crate::storage) fn remove(&mut self, part: &T) {
        let is_it = |other: &Arc<T>| other.id() == part.id();
        self.all.remove(&part.id());
        let Some(filings) = part.filings() else { return Arc::make_mut(&mut self.others).retain(|of| !is_it(of)) };
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

    /// Passes what is filed under this value of the field at `of_field` to `found`. Runs no user code.
    fn find(&self, of_field: usize, value: ValueRef<'_>, mut found: impl FnMut(List<T>)) {
        // The list of fields may be older than what has been removed since.
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

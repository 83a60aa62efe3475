//! Accumulates statistics: for each level its groups, their record counts, and the measures of their fields.

use super::bind::{Bound, FieldUse, Function, Level};
use super::firsts::{Candidate, Firsts};
use super::groups::{self, Groups};
use super::measures::{Measures, Needs};
use super::parts::BucketIds;
use super::spellings::Spellings;
use crate::error::QueryError;
use crate::read::order::Order;
use crate::record::{FieldSource, by_number};
use crate::storage::SharedVersion;
use memdex_query::value::{Value, ValueRef};
use smallvec::{SmallVec, smallvec};

pub(super) struct Accumulated<'b> {
    /// The query, bound to the first collection.
    pub(super) bound: &'b Bound,
    /// The fields of the collection being read.
    pub(super) fields: &'b [FieldUse],
    /// The orders of first values and hits, in the collection being read.
    orders: &'b [Order],
    /// The position of the collection being read.
    collection: usize,
    /// Whether the records are those of a filter of metrics.
    is_filtered: bool,
    pub(super) levels: Vec<OfLevel>,
}

/// One level. The first level has a single group that contains all records.
pub(super) struct OfLevel {
    pub(super) parts: Vec<BucketIds>,
    pub(super) groups: Groups,
    spellings: Vec<Spellings>,
    /// Number of records, by group.
    pub(super) counts: Vec<u64>,
    pub(super) measures: Vec<Measured>,
    /// By filter: counts and measures of the metrics that have it.
    pub(super) filtered: Vec<(Vec<u64>, Vec<Measured>)>,
    /// The position of their order, and the records.
    pub(super) hits: Option<(usize, Firsts<SharedVersion>)>,
}

pub(super) struct Measured {
    /// Position of the field.
    pub(super) field: usize,
    pub(super) measures: Measures,
    /// The first values, by the position of their order.
    pub(super) firsts: Vec<(usize, Firsts<Value>)>,
}

impl Measured {
    pub(super) fn grow(&mut self, groups: usize) {
        self.measures.grow(groups);
        self.firsts.iter_mut().for_each(|(_, firsts)| firsts.grow(groups));
    }
}

impl<'b> Accumulated<'b> {
    pub(super) fn new(bound: &'b Bound) -> Self {
        let levels = bound.levels.iter().enumerate().map(|(at, level)| OfLevel::new(bound, at, level));
        let levels = levels.collect();
        Accumulated { bound, fields: &bound.fields, orders: &[], collection: 0, is_filtered: false, levels }
    }

    /// Continues with the collection at this position, whose fields have the same kinds.
    pub(super) fn continue_with(&mut self, collection: usize, fields: &'b [FieldUse], orders: &'b [Order]) {
        debug_assert_eq!(fields.len(), self.bound.fields.len());
        (self.collection, self.fields, self.orders) = (collection, fields, orders);
        // Each collection has its own dictionaries.
        self.levels.iter_mut().flat_map(|level| &mut level.parts).for_each(BucketIds::forget_codes);
    }

    /// Exchanges the counts and measures of a filter with those of the metrics without one: records are accumulated for
    /// the former until the next call.
    pub(super) fn exchange(&mut self, filter: usize) {
        self.is_filtered = !self.is_filtered;
        for level in &mut self.levels {
            let (counts, measures) = &mut level.filtered[filter];
            std::mem::swap(&mut level.counts, counts);
            std::mem::swap(&mut level.measures, measures);
            level.grow(level.groups.len().max(level.counts.len()));
        }
    }

    /// Reserves capacity for all numbered groups. Fails if there are too many.
    pub(super) fn grow(&mut self) -> Result<(), QueryError> {
        let mut grown = false;
        for level in &mut self.levels[1..] {
            let groups = level.groups.len();
            if groups > level.counts.len() {
                level.grow(groups);
                grown = true;
            }
        }
        if grown { groups::at_most(self.bound, self.groups()) } else { Ok(()) }
    }

    /// The number of groups of all levels.
    pub(super) fn groups(&self) -> usize {
        self.levels[1..].iter().map(|level| level.counts.len()).sum()
    }

    /// Adds one record. Runs its extractors.
    pub(super) fn add_record(&mut self, version: &SharedVersion) -> Result<(), QueryError> {
        let Some(record) = version.record() else { return Ok(()) };
        let candidate = Candidate { version, collection: self.collection };
        let values = Values::of(self.fields, record);
        let mut before: SmallVec<[u32; 8]> = smallvec![0];
        for at in 0..self.levels.len() {
            if at > 0 {
                before = self.fall(at, &before, &values)?;
                self.grow()?;
            }
            let level = &mut self.levels[at];
            let OfLevel { parts, groups, spellings, .. } = level;
            for of_part in spellings {
                let part = &mut parts[of_part.part];
                let of_field = values.of_field(part.field);
                of_part.add(part, groups, &before, of_field);
            }
            for group in &before {
                level.counts[*group as usize] += 1;
                for measured in &mut level.measures {
                    let of_field = values.of_field(measured.field);
                    for value in of_field {
                        measured.measures.add(*group, *value, 1);
                    }
                    if let Some(value) = of_field.first().filter(|value| !value.is_null()) {
                        for (order, firsts) in &mut measured.firsts {
                            firsts.add(*group, &self.orders[*order], candidate, || value.as_written().to_value());
                        }
                    }
                }
                if let Some((order, firsts)) = level.hits.as_mut().filter(|_| !self.is_filtered) {
                    firsts.add(*group, &self.orders[*order], candidate, || version.clone());
                }
            }
            if before.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// The groups of a level that a record falls into, given its groups of the previous level.
    fn fall(&mut self, at: usize, before: &[u32], values: &Values<'_>) -> Result<SmallVec<[u32; 8]>, QueryError> {
        let bound = self.bound;
        let OfLevel { parts, groups, .. } = &mut self.levels[at];
        let mut joined: SmallVec<[u32; 8]> = SmallVec::from_slice(before);
        let mut numbers: SmallVec<[u32; 8]> = SmallVec::new();
        for (place, part) in parts.iter_mut().enumerate() {
            numbers.clear();
            part.each(values.of_field(part.field), |number| numbers.push(number));
            if numbers.len() > 1 {
                // Count a record once in a group, even if it has the value twice.
                numbers.sort_unstable();
                numbers.dedup();
            }
            if place == 0 {
                groups.has(part.len());
            }
            groups::at_most(bound, joined.len().saturating_mul(numbers.len()))?;
            let mut next: SmallVec<[u32; 8]> = SmallVec::with_capacity(joined.len() * numbers.len());
            for group in &joined {
                next.extend(numbers.iter().map(|number| groups.join_one(place, *group, *number)));
            }
            joined = next;
        }
        Ok(joined)
    }
}

impl OfLevel {
    fn new(bound: &Bound, at: usize, level: &Level) -> Self {
        let measures = |filter: Option<usize>| -> Vec<Measured> {
            let measured = |field: usize| {
                let of_field =
                    level.metrics.iter().filter(|asked| asked.field == Some(field) && asked.filter == filter);
                let orders = of_field.clone().filter_map(|asked| match asked.function {
                    Function::First(order) => Some(order),
                    _ => None,
                });
                let mut orders: Vec<usize> = orders.collect();
                orders.sort_unstable();
                orders.dedup();
                let firsts = orders.into_iter().map(|order| (order, Firsts::new(1))).collect();
                let mut asked = of_field.peekable();
                asked.peek()?;
                let measures = Measures::new(&bound.fields[field], Needs::of(asked));
                Some(Measured { field, measures, firsts })
            };
            (0..bound.fields.len()).filter_map(measured).collect()
        };
        let parts: Vec<BucketIds> = level.buckets.iter().map(|part| BucketIds::new(bound, part)).collect();
        let groups = Groups::new(parts.len().max(1), at <= 1);
        let spellings = Spellings::of(&parts);
        let filtered = (0..bound.filters.len()).map(|filter| (Vec::new(), measures(Some(filter)))).collect();
        let hits = level.hits.map(|(most, order)| (order, Firsts::new(most)));
        let mut level =
            OfLevel { parts, groups, spellings, counts: Vec::new(), measures: measures(None), filtered, hits };
        if at == 0 {
            level.grow(1);
            for (counts, measures) in &mut level.filtered {
                counts.resize(1, 0);
                measures.iter_mut().for_each(|measured| measured.grow(1));
            }
        }
        level
    }

    fn grow(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
        self.measures.iter_mut().for_each(|measured| measured.grow(groups));
        self.hits.iter_mut().for_each(|(_, firsts)| firsts.grow(groups));
        self.spellings.iter_mut().for_each(|spellings| spellings.grow(groups));
    }

    /// A part of the key of a group, by its position and its number.
    pub(super) fn key(&self, group: u32, part: usize, number: u32) -> Value {
        let spelled = self.spellings.iter().find(|spellings| spellings.part == part);
        spelled.map_or_else(|| self.parts[part].key(number), |spellings| spellings.get(group))
    }
}

/// The values of one record, for each field in use. A single-valued field has one value, which may be null.
struct Values<'a> {
    all: SmallVec<[ValueRef<'a>; 8]>,
    /// End of the values, by field.
    ends: SmallVec<[usize; 8]>,
}

impl<'a> Values<'a> {
    fn of(fields: &[FieldUse], record: &'a dyn FieldSource) -> Self {
        let mut values = Values { all: SmallVec::new(), ends: SmallVec::new() };
        for field in fields {
            let all = &mut values.all;
            let mut add = |value: ValueRef<'a>| {
                if !value.is_null() {
                    all.push(value);
                }
            };
            match &field.def {
                Some(def) if !def.is_many() => all.push(record.value_at(&field.at)),
                Some(_) => record.values_at(&field.at, &mut add),
                None => record.values_at(&field.at, &mut |value| add(by_number(value))),
            }
            values.ends.push(values.all.len());
        }
        values
    }

    fn of_field(&self, field: usize) -> &[ValueRef<'a>] {
        let from = field.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.all[from..self.ends[field]]
    }
}

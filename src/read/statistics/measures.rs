//! Accumulates the measures of one field on one level, by group. Computes only what the metrics need, each measure
//! once: sum, mean, deviation and count of a field share one accumulator.
//!
//! Values with an order-preserving 64-bit form are kept as these bits, as in columns; others as values. The form
//! depends only on the value, not on where it was read.

use super::bind::{BoundMetric, FieldUse, Function};
use super::groups::NONE;
use crate::hash::{self, RandomState};
use crate::record::order_of_all;
use hashbrown::HashTable;
use memdex_query::aggregate::Moments;
use memdex_query::schema::as_kind;
use memdex_query::value::{Collation, Kind, Value, ValueRef, saturated_bits, value_of_bits};
use std::cmp::Ordering;

/// The accumulators that the metrics of one field need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) moments: bool,
    pub(super) squares: bool,
    pub(super) extremes: bool,
    pub(super) distinct: bool,
    pub(super) numbers: bool,
}

impl Needs {
    pub(super) fn of<'a>(asked: impl Iterator<Item = &'a BoundMetric>) -> Self {
        let mut needs = Needs::default();
        for asked in asked {
            match asked.function {
                Function::Count | Function::Ratio(..) | Function::First(_) => {}
                Function::Sum | Function::Avg => needs.moments = true,
                Function::StdDev | Function::StdDevPop => (needs.moments, needs.squares) = (true, true),
                Function::Min | Function::Max => needs.extremes = true,
                Function::Distinct => needs.distinct = true,
                Function::Percentile(_) | Function::Mode => needs.numbers = true,
            }
        }
        needs
    }

    /// Whether only counts and sums are needed.
    pub(super) fn is_sums(self) -> bool {
        self == Needs { moments: true, ..Needs::default() }
    }

    /// Whether only the number of values is needed.
    pub(super) fn is_nothing(self) -> bool {
        self == Needs::default()
    }
}

/// The measures, by group.
pub(super) struct Measures {
    /// The kind of the values; `None` for an undeclared path, whose values are of any kind and have no bits.
    pub(super) kind: Option<Kind>,
    /// The collation by which values are compared. Among equal values, the lowest spelling counts.
    collation: Option<Collation>,
    pub(super) needs: Needs,
    /// Number of values.
    pub(super) counts: Vec<u64>,
    pub(super) moments: Vec<Moments>,
    pub(super) bits: KeptBits,
    pub(super) values: KeptValues,
}

/// Measures of the values that have bits, by group.
#[derive(Default)]
pub(super) struct KeptBits {
    /// Minimum and maximum; minimum > maximum if there is no value.
    pub(super) extremes: Vec<(u64, u64)>,
    distinct: HashTable<(u32, u64)>,
    pub(super) numbers: Vec<Vec<u64>>,
    seed: Option<RandomState>,
}

/// Measures of the other values, by group.
#[derive(Default)]
pub(super) struct KeptValues {
    extremes: Vec<(Value, Value)>,
    distinct: HashTable<(u32, Value)>,
    pub(super) numbers: Vec<Vec<Value>>,
    seed: Option<RandomState>,
}

/// The bits of a value, if they represent only that value.
pub(super) fn bits_of(value: ValueRef<'_>) -> Option<u64> {
    saturated_bits(value).filter(|bits| !value.kind().is_some_and(|kind| is_escape(kind, *bits)))
}

/// Whether bits are an escape that may represent several overflow values; see columns.
pub(super) fn is_escape(kind: Kind, bits: u64) -> bool {
    matches!(kind, Kind::Int | Kind::Timestamp) && (bits == 0 || bits == u64::MAX)
}

impl Measures {
    pub(super) fn new(field: &FieldUse, needs: Needs) -> Self {
        let (bits, values) = (KeptBits::default(), KeptValues::default());
        let (kind, collation) = (field.kind(), field.at.collation());
        Measures { kind, collation, needs, counts: Vec::new(), moments: Vec::new(), bits, values }
    }

    /// Reserves capacity for `groups` groups.
    pub(super) fn grow(&mut self, groups: usize) {
        let Needs { moments, squares, extremes, numbers, .. } = self.needs;
        if groups <= self.counts.len() {
            return;
        }
        self.counts.resize(groups, 0);
        let none = self.kind.map_or_else(|| Some(Moments::mixed(squares)), |kind| Moments::new(kind, squares));
        if moments && let Some(none) = none {
            self.moments.resize(groups, none);
        }
        if extremes {
            self.bits.extremes.resize(groups, (u64::MAX, 0));
            self.values.extremes.resize(groups, (Value::NULL, Value::NULL));
        }
        if numbers {
            self.bits.numbers.resize(groups, Vec::new());
            self.values.numbers.resize(groups, Vec::new());
        }
    }

    /// Adds a value to a group, `times` times; ignores a missing value.
    pub(super) fn add(&mut self, group: u32, value: ValueRef<'_>, times: u64) {
        debug_assert!(group != NONE);
        if value.is_null() || times == 0 {
            return;
        }
        let at = group as usize;
        self.counts[at] += times;
        if self.needs.moments {
            self.moments[at].add_times(value, times);
        }
        if self.needs.extremes || self.needs.distinct || self.needs.numbers {
            match self.kind.and_then(|_| bits_of(value)) {
                Some(bits) => self.bits.add(self.needs, group, bits, times),
                None => self.values.add(self.needs, self.collation, group, value, times),
            }
        }
    }

    /// Number of distinct values, by group.
    pub(super) fn distinct(&self) -> Vec<u64> {
        let mut counts = vec![0; self.counts.len()];
        self.bits.distinct.iter().for_each(|(group, _)| counts[*group as usize] += 1);
        self.values.distinct.iter().for_each(|(group, _)| counts[*group as usize] += 1);
        counts
    }

    /// The most frequent value of a group, and the lowest of several; null without values. Sorts the collected ones.
    pub(super) fn mode(&mut self, group: usize) -> Value {
        let bits = &mut self.bits.numbers[group];
        bits.sort_unstable();
        let of_bits = most_frequent_by(bits, |a, b| a == b).map(|(bits, times)| (value_of(self.kind, *bits), times));
        let values = &mut self.values.numbers[group];
        let collation = self.collation;
        values.sort_unstable_by(|a, b| order_of_all(read(collation, a), read(collation, b)).then_with(|| a.cmp(b)));
        let of_values = most_frequent_by(values, |a, b| read(collation, a) == read(collation, b))
            .map(|(value, times)| (value.clone(), times));
        let best = of_bits.into_iter().chain(of_values).reduce(|a, b| match a.1.cmp(&b.1) {
            Ordering::Less => b,
            Ordering::Greater => a,
            Ordering::Equal => (a.0.min(b.0), a.1),
        });
        best.map_or(Value::NULL, |(value, _)| value)
    }

    /// The minimum and maximum of a group that has values.
    pub(super) fn extremes(&self, group: usize) -> (Value, Value) {
        let (low, high) = self.bits.extremes[group];
        let (least, most) = self.values.extremes[group].clone();
        if low > high {
            return (least, most);
        }
        let (low, high) = (value_of(self.kind, low), value_of(self.kind, high));
        if least.as_ref().is_null() { (low, high) } else { (least.min(low), most.max(high)) }
    }
}

fn value_of(kind: Option<Kind>, bits: u64) -> Value {
    kind.and_then(|kind| value_of_bits(kind, bits)).unwrap_or(ValueRef::Null).to_value()
}

/// The numbers among values of any kind: integers if all of them are, otherwise floats.
pub(super) fn numbers_of(values: &[Value]) -> Vec<ValueRef<'_>> {
    let of_kind = |kind| values.iter().filter_map(move |value| as_kind(value.as_ref(), kind));
    let (ints, numbers): (Vec<_>, Vec<_>) = (of_kind(Kind::Int).collect(), of_kind(Kind::Float).collect());
    if ints.len() == numbers.len() { ints } else { numbers }
}

/// A value as it is written, to be compared by a collation.
fn read(collation: Option<Collation>, value: &Value) -> ValueRef<'_> {
    value.as_ref().collated(collation)
}

/// The value that occurs most often in a sorted list, the first of several, and how often.
fn most_frequent_by<T>(sorted: &[T], is_same: impl Fn(&T, &T) -> bool) -> Option<(&T, usize)> {
    let runs = sorted.chunk_by(is_same).map(|run| (&run[0], run.len()));
    runs.reduce(|best, run| if run.1 > best.1 { run } else { best })
}

impl KeptBits {
    fn add(&mut self, needs: Needs, group: u32, bits: u64, times: u64) {
        let at = group as usize;
        if needs.extremes {
            let (least, most) = &mut self.extremes[at];
            (*least, *most) = ((*least).min(bits), (*most).max(bits));
        }
        if needs.distinct {
            self.see(group, bits);
        }
        if needs.numbers {
            self.numbers[at].extend(std::iter::repeat_n(bits, times as usize));
        }
    }

    pub(super) fn see(&mut self, group: u32, bits: u64) {
        let KeptBits { distinct, seed, .. } = self;
        let seed = seed.get_or_insert_with(hash::random);
        let hash = seed.hash_one((group, bits));
        if distinct.find(hash, |seen| *seen == (group, bits)).is_none() {
            distinct.insert_unique(hash, (group, bits), |seen| seed.hash_one(seen));
        }
    }
}

impl KeptValues {
    /// Adds a value, as it is written if the field has a collation.
    fn add(&mut self, needs: Needs, collation: Option<Collation>, group: u32, value: ValueRef<'_>, times: u64) {
        let at = group as usize;
        let written = value.as_written();
        if needs.extremes {
            let replaces = |known: &Value, order: Ordering| match order_of_all(value, read(collation, known)) {
                // Only spellings differ.
                Ordering::Equal => collation.is_some() && written < known.as_ref(),
                of_value => of_value == order || known.as_ref().is_null(),
            };
            let (least, most) = &mut self.extremes[at];
            if replaces(least, Ordering::Less) {
                *least = written.to_value();
            }
            if replaces(most, Ordering::Greater) {
                *most = written.to_value();
            }
        }
        if needs.distinct {
            let KeptValues { distinct, seed, .. } = self;
            let seed = seed.get_or_insert_with(hash::random);
            let hash = seed.hash_one((group, value));
            if distinct.find(hash, |(of, other)| *of == group && other.as_ref() == value).is_none() {
                let hash_of = |(of, value): &(u32, Value)| seed.hash_one((*of, value.as_ref()));
                distinct.insert_unique(hash, (group, value.to_value()), hash_of);
            }
        }
        if needs.numbers {
            self.numbers[at].extend(std::iter::repeat_n(written.to_value(), times as usize));
        }
    }
}

//! One part of the keys of a level's groups: which bucket a value falls into, and the number of that bucket.

use super::bind::{Bound, Cut, Part, Range};
use super::groups::{NONE, Values};
use super::measures::bits_of;
use crate::error::QueryError;
use crate::hash::{self, RandomState};
use crate::value::{Kind, Value, ValueRef, value_of_bits};
use hashbrown::HashTable;

pub(super) struct Numbers {
    /// Its place among the fields.
    pub(super) field: usize,
    kind: Kind,
    cutter: Cutter,
    /// Of buckets that are named by a value: those that were met.
    values: Values,
    /// Of values that have bits: the numbers of those that were met.
    of_bits: Ordinals,
    /// By code: its number, or that it is not known yet.
    of_codes: Vec<u32>,
    null: Option<u32>,
}

enum Cutter {
    Values,
    Ranges(Vec<Range>),
}

/// Of a code: its number is not known yet.
pub(super) const UNKNOWN: u32 = u32::MAX - 1;

impl Numbers {
    pub(super) fn new(bound: &Bound, part: &Part) -> Result<Self, QueryError> {
        let cutter = match &part.cut {
            Cut::Values => Cutter::Values,
            Cut::Ranges(ranges) => Cutter::Ranges(ranges.clone()),
            _ => todo!(),
        };
        Ok(Numbers {
            field: part.field,
            kind: bound.fields[part.field].def.kind(),
            cutter,
            values: Values::new(),
            of_bits: Ordinals::new(),
            of_codes: Vec::new(),
            null: None,
        })
    }

    /// Whether a value may fall into several buckets.
    pub(super) fn overlap(&self) -> bool {
        let Cutter::Ranges(ranges) = &self.cutter else { return false };
        let mut ascending: Vec<&Range> = ranges.iter().filter(|(from, to)| from != to || from.is_none()).collect();
        ascending.sort_by(|a, b| a.0.cmp(&b.0));
        ascending.windows(2).any(|pair| match (&pair[0].1, &pair[1].0) {
            (Some(to), Some(from)) => to > from,
            _ => true,
        })
    }

    /// Tells the number of each bucket that a record falls into, given its values of the field.
    pub(super) fn each(&mut self, values: &[ValueRef<'_>], mut tell: impl FnMut(u32)) {
        match &self.cutter {
            Cutter::Values if values.is_empty() => tell(self.of_missing()),
            Cutter::Ranges(ranges) => {
                for value in values.iter().filter(|value| !value.is_null()) {
                    let containing = ranges.iter().zip(0..).filter(|(range, _)| contains(range, *value));
                    containing.for_each(|(_, number)| tell(number));
                }
            }
            _ => values.iter().map(|value| self.of_value(*value)).filter(|number| *number != NONE).for_each(tell),
        }
    }

    /// The number of a missing value; `NONE` where it has no bucket.
    pub(super) fn of_missing(&mut self) -> u32 {
        match &self.cutter {
            Cutter::Values => *self.null.get_or_insert_with(|| self.values.number(ValueRef::Null)),
            _ => NONE,
        }
    }

    /// The number of the only bucket of a value; `NONE` if it has none.
    pub(super) fn of_value(&mut self, value: ValueRef<'_>) -> u32 {
        match &self.cutter {
            _ if value.is_null() => self.of_missing(),
            Cutter::Values => match bits_of(value) {
                Some(bits) => self.of_bits(bits),
                None => self.values.number(value),
            },
            Cutter::Ranges(ranges) => {
                let place = ranges.iter().position(|range| contains(range, value));
                place.map_or(NONE, |place| place as u32)
            }
        }
    }

    /// The same of a value that has bits.
    #[inline]
    pub(super) fn of_bits(&mut self, bits: u64) -> u32 {
        match &self.cutter {
            Cutter::Values => {
                let (values, kind) = (&mut self.values, self.kind);
                self.of_bits.number(bits, || values.number(value_of_bits(kind, bits).unwrap_or(ValueRef::Null)))
            }
            Cutter::Ranges(_) => self.of_value(value_of_bits(self.kind, bits).unwrap_or(ValueRef::Null)),
        }
    }

    /// By code: its number, [`NONE`] or [`UNKNOWN`]; so many of them at least.
    pub(super) fn of_codes(&mut self, codes: usize) -> &mut [u32] {
        if self.of_codes.len() < codes {
            self.of_codes.resize(codes.next_power_of_two(), UNKNOWN);
        }
        &mut self.of_codes
    }

    /// How many buckets have a number.
    pub(super) fn len(&self) -> usize {
        match &self.cutter {
            Cutter::Ranges(ranges) => ranges.len(),
            _ => self.values.len(),
        }
    }

    /// The bucket of a number, as groups are named by it.
    pub(super) fn key(&self, number: u32) -> Value {
        match &self.cutter {
            Cutter::Ranges(ranges) => {
                let (from, to) = &ranges[number as usize];
                let text = |bound: &Option<Value>| bound.as_ref().map_or_else(String::new, plain);
                Value::from(format!("{}..{}", text(from), text(to)))
            }
            _ => self.values.get(number).clone(),
        }
    }

    /// By number, the place of each bucket in their order.
    pub(super) fn ranks(&self) -> Vec<u32> {
        if let Cutter::Ranges(ranges) = &self.cutter {
            return (0..ranges.len() as u32).collect();
        }
        let mut order: Vec<u32> = (0..self.values.len() as u32).collect();
        order.sort_unstable_by_key(|number| self.values.get(*number).as_ref());
        let mut ranks = vec![0; order.len()];
        order.iter().zip(0..).for_each(|(number, rank)| ranks[*number as usize] = rank);
        ranks
    }

    /// The buckets from one to another, both included; `None` if there are more than `limit`.
    pub(super) fn between(&self, first: u32, last: u32, limit: usize) -> Option<Vec<Value>> {
        let _ = (first, last, limit);
        None
    }
}

fn contains((from, to): &Range, value: ValueRef<'_>) -> bool {
    from.as_ref().is_none_or(|from| from.as_ref() <= value) && to.as_ref().is_none_or(|to| value < to.as_ref())
}

/// A bound as text: strings without quotes.
fn plain(value: &Value) -> String {
    match value.as_ref() {
        ValueRef::Str(text) => text.to_owned(),
        other => other.to_string(),
    }
}

/// How many numbers in a row are looked up directly.
const NEAR: usize = 1 << 12;

/// Numbers of 64-bit ordinals: of those near the first one that was met by place, of others in a table.
struct Ordinals {
    from: u64,
    near: Vec<u32>,
    far: HashTable<(u64, u32)>,
    seed: RandomState,
}

impl Ordinals {
    fn new() -> Self {
        Ordinals { from: 0, near: Vec::new(), far: HashTable::new(), seed: hash::random() }
    }

    #[inline]
    fn number(&mut self, ordinal: u64, new: impl FnOnce() -> u32) -> u32 {
        match self.near.get(ordinal.wrapping_sub(self.from) as usize) {
            Some(number) if *number != UNKNOWN => *number,
            _ => self.number_slowly(ordinal, new),
        }
    }

    #[inline(never)]
    fn number_slowly(&mut self, ordinal: u64, new: impl FnOnce() -> u32) -> u32 {
        if self.near.is_empty() {
            self.from = ordinal.saturating_sub(NEAR as u64 / 2);
            self.near.resize(NEAR, UNKNOWN);
        }
        if let Some(number) = self.near.get_mut(ordinal.wrapping_sub(self.from) as usize) {
            *number = new();
            return *number;
        }
        let Ordinals { far, seed, .. } = self;
        let hash = seed.hash_one(ordinal);
        if let Some((_, number)) = far.find(hash, |(known, _)| *known == ordinal) {
            return *number;
        }
        let number = new();
        far.insert_unique(hash, (ordinal, number), |(known, _)| seed.hash_one(*known));
        number
    }
}

//! One key part of a level's groups: maps values to buckets, and buckets to numbers.

use super::bind::{Bound, BoundBucket, Bucketer};
use super::groups::{NONE, Values};
use super::measures::{bits_of, is_escape};
use crate::error::StatisticsError;
use crate::hash::{self, RandomState};
use crate::record::order_of_all;
use crate::storage::{Packed, with_cells};
use hashbrown::HashTable;
use memdex_query::aggregate::{Buckets, DAY, Even, HOUR, MINUTE, WEEK};
use memdex_query::schema::overlap;
use memdex_query::value::{Collation, Kind, Value, ValueRef, bits_of_int, float_of, int_of, value_of_bits};
use smallvec::SmallVec;
use std::cell::RefCell;

pub(super) struct BucketIds {
    /// Position of the field.
    pub(super) field: usize,
    /// The kind of the values; `None` for the values of an undeclared path, which have no bits.
    kind: Option<Kind>,
    /// The collation of groups by value.
    pub(super) collation: Option<Collation>,
    /// In a `RefCell`, because names of dates may extend the times that it has cached.
    bucketer: RefCell<Bucketer>,
    /// Distinct values or bucket steps seen so far, by number.
    values: Values,
    /// Ids by the bits or bucket steps seen so far.
    of_bits: IdsByBits,
    /// Number by code; [`UNKNOWN`] if not assigned yet.
    of_codes: Vec<u32>,
    null: Option<u32>,
}

/// The code has no number yet.
pub(super) const UNKNOWN: u32 = u32::MAX - 1;

impl BucketIds {
    pub(super) fn new(bound: &Bound, part: &Bucketer) -> Self {
        BucketIds {
            field: part.field,
            kind: bound.fields[part.field].kind().or(part.numbers),
            collation: bound.fields[part.field].at.collation().filter(|_| matches!(part.bucket, BoundBucket::Values)),
            bucketer: RefCell::new(part.clone()),
            values: Values::new(),
            of_bits: IdsByBits::new(),
            of_codes: Vec::new(),
            null: None,
        }
    }

    /// Whether a value may fall into several buckets.
    pub(super) fn overlap(&self) -> bool {
        matches!(&self.bucketer.borrow().bucket, BoundBucket::Ranges(_, bounds) if overlap(bounds))
    }

    /// Calls `visit` with the number of each bucket of a record, given its values of the field.
    pub(super) fn each(&mut self, values: &[ValueRef<'_>], mut visit: impl FnMut(u32)) {
        let bucketer = self.bucketer.get_mut();
        if bucketer.numbers.is_some() {
            let numbers: SmallVec<[Value; 4]> = values.iter().filter_map(|value| bucketer.as_bounds(*value)).collect();
            let numbers: SmallVec<[ValueRef<'_>; 4]> = numbers.iter().map(Value::as_ref).collect();
            return self.each_fitting(&numbers, visit);
        }
        self.each_fitting(values, &mut visit);
    }

    fn each_fitting(&mut self, values: &[ValueRef<'_>], mut visit: impl FnMut(u32)) {
        match &self.bucketer.get_mut().bucket {
            BoundBucket::Values if values.is_empty() => visit(self.of_missing()),
            BoundBucket::Ranges(ranges, _) => {
                values.iter().for_each(|value| ranges.of(*value).iter().copied().for_each(&mut visit))
            }
            _ => values.iter().map(|value| self.of_value(*value)).filter(|number| *number != NONE).for_each(visit),
        }
    }

    /// The name of a missing value in groups by value.
    pub(super) fn missing(&self) -> Value {
        self.bucketer.borrow().missing.clone()
    }

    /// The number of a missing value; `NONE` if it has no bucket.
    pub(super) fn of_missing(&mut self) -> u32 {
        match self.bucketer.get_mut() {
            Bucketer { bucket: BoundBucket::Values, missing, .. } => {
                let missing = missing.as_ref().collated(self.collation);
                *self.null.get_or_insert_with(|| self.values.number(missing))
            }
            _ => NONE,
        }
    }

    /// The number of the only bucket of a value; `NONE` if it has none.
    pub(super) fn of_value(&mut self, value: ValueRef<'_>) -> u32 {
        if value.is_null() {
            return self.of_missing();
        }
        if let Some(bits) = self.kind.and_then(|_| bits_of(value)) {
            let mut number = [NONE];
            self.of_bits(Packed::plain(&[bits]), None, &mut number);
            return number[0];
        }
        let step = match &mut self.bucketer.get_mut().bucket {
            BoundBucket::Values => return self.values.number(value),
            BoundBucket::Ranges(ranges, _) => return ranges.of(value).first().copied().unwrap_or(NONE),
            BoundBucket::Width(buckets) => buckets.number_of(value),
            BoundBucket::Dates(buckets) => match value {
                ValueRef::Timestamp(nanos) => buckets.number_of_wide(nanos).map(i128::from),
                _ => None,
            },
            // Every date has bits.
            BoundBucket::Days(_) => None,
        };
        step.map_or(NONE, |step| self.values.number(ValueRef::Int128(step)))
    }

    /// Like `of_value`, for values that have bits; `zone` is their bounds, if known.
    pub(super) fn of_bits(&mut self, bits: Packed<'_>, zone: Option<(u64, u64)>, numbers: &mut [u32]) {
        let Some(kind) = self.kind else { return };
        let zone = zone.filter(|(low, high)| !is_escape(kind, *low) && !is_escape(kind, *high));
        if bits.len() > 1 && self.of_even(bits, zone, numbers) {
            return;
        }
        let BucketIds { bucketer, values, of_bits, .. } = self;
        let value = |bits: u64| value_of_bits(kind, bits).unwrap_or(ValueRef::Null);
        let mut of_step = |step: i64| of_bits.number(step.cast_unsigned(), || values.number(ValueRef::Int(step)));
        let rows = (0..bits.len()).map(|row| bits.get(row)).zip(numbers);
        match &mut bucketer.get_mut().bucket {
            BoundBucket::Values => {
                rows.for_each(|(bits, number)| *number = of_bits.number(bits, || values.number(value(bits))));
            }
            BoundBucket::Ranges(ranges, _) => {
                rows.for_each(|(bits, number)| *number = ranges.of(value(bits)).first().copied().unwrap_or(NONE));
            }
            BoundBucket::Width(Buckets::Ints(buckets) | Buckets::Times(buckets)) => {
                rows.for_each(|(bits, number)| *number = of_step(buckets.number_of(int_of(bits))));
            }
            BoundBucket::Width(Buckets::Floats(buckets)) => rows.for_each(|(bits, number)| {
                *number = buckets.number_of(float_of(bits)).map_or(NONE, &mut of_step);
            }),
            BoundBucket::Width(Buckets::Decimals(_)) => debug_assert!(false, "decimals have no bits"),
            BoundBucket::Dates(buckets) => {
                rows.for_each(|(bits, number)| *number = of_step(buckets.number_of(int_of(bits))));
            }
            BoundBucket::Days(buckets) => rows.for_each(|(bits, number)| {
                let ValueRef::Date(days) = value(bits) else { return };
                let step = buckets.number_of(days);
                // The first day of the first bucket may be out of range.
                *number = buckets.first_day(step).map_or(NONE, |_| of_step(step));
            }),
        }
    }

    /// Finds the bucket ids of a page of values in few, equally long buckets, with one division each. Returns `false` if the buckets
    /// are not.
    fn of_even(&mut self, bits: Packed<'_>, zone: Option<(u64, u64)>, numbers: &mut [u32]) -> bool {
        let Some((low, high)) = zone.or_else(|| bits.extremes()) else { return false };
        let BucketIds { bucketer, values, of_bits, .. } = self;
        let even = match &mut bucketer.get_mut().bucket {
            BoundBucket::Width(Buckets::Ints(buckets) | Buckets::Times(buckets)) => {
                buckets.even(int_of(low), int_of(high))
            }
            BoundBucket::Dates(buckets) => buckets.even(int_of(low), int_of(high)),
            _ => None,
        };
        let Some(Even { first, start, length }) = even else { return false };
        let start = bits_of_int(start);
        let count = high.wrapping_sub(start) / length + 1;
        let Some(near) = of_bits.row(first.cast_unsigned(), count) else { return false };
        let behind = bits.base.wrapping_sub(start);
        match length {
            // The compiler turns division by a constant into a multiplication.
            MINUTE => by_place(bits, near, numbers, |cell| cell.wrapping_add(behind) / MINUTE),
            HOUR => by_place(bits, near, numbers, |cell| cell.wrapping_add(behind) / HOUR),
            DAY => by_place(bits, near, numbers, |cell| cell.wrapping_add(behind) / DAY),
            WEEK => by_place(bits, near, numbers, |cell| cell.wrapping_add(behind) / WEEK),
            _ => match (u32::try_from(length), u32::try_from(high.wrapping_sub(start))) {
                // A 32-bit division is faster.
                (Ok(length), Ok(_)) => {
                    by_place(bits, near, numbers, |cell| u64::from(cell.wrapping_add(behind) as u32 / length));
                }
                _ => by_place(bits, near, numbers, |cell| cell.wrapping_add(behind) / length),
            },
        }
        for (row, number) in numbers.iter_mut().enumerate().filter(|(_, number)| **number == UNKNOWN) {
            let step = first + (bits.get(row).wrapping_sub(start) / length) as i64;
            *number = of_bits.number(step.cast_unsigned(), || values.number(ValueRef::Int(step)));
        }
        true
    }

    /// The number of the single bucket that contains all values between these bits, inclusive, if there is one. At
    /// least one such value must exist, as only buckets with values get numbers.
    pub(super) fn of_zone(&mut self, (low, high): (u64, u64)) -> Option<u32> {
        let kind = self.kind.filter(|kind| !is_escape(*kind, low) && !is_escape(*kind, high))?;
        // Bucket order follows value order.
        let one = match &mut self.bucketer.get_mut().bucket {
            BoundBucket::Values => low == high && value_of_bits(kind, low).is_some(),
            BoundBucket::Width(Buckets::Ints(buckets) | Buckets::Times(buckets)) => {
                buckets.number_of(int_of(low)) == buckets.number_of(int_of(high))
            }
            BoundBucket::Dates(buckets) => buckets.number_of(int_of(low)) == buckets.number_of(int_of(high)),
            BoundBucket::Width(_) | BoundBucket::Days(_) | BoundBucket::Ranges(..) => false,
        };
        let mut number = [NONE];
        if one {
            self.of_bits(Packed::plain(&[low]), None, &mut number);
        }
        Some(number[0]).filter(|number| *number != NONE)
    }

    /// Whether every value has a bucket, even a missing one.
    pub(super) fn takes_all(&self) -> bool {
        matches!(self.bucketer.borrow().bucket, BoundBucket::Values)
    }

    /// By code: its number, [`NONE`] or [`UNKNOWN`]; at least `codes` entries.
    pub(super) fn of_codes(&mut self, codes: usize) -> &mut [u32] {
        if self.of_codes.len() < codes {
            self.of_codes.resize(codes.next_power_of_two(), UNKNOWN);
        }
        &mut self.of_codes
    }

    /// Forgets the numbers of codes, as the next column has another dictionary.
    pub(super) fn forget_codes(&mut self) {
        self.of_codes.clear();
    }

    /// Number of buckets that have a number.
    pub(super) fn len(&self) -> usize {
        match &self.bucketer.borrow().bucket {
            BoundBucket::Ranges(_, bounds) => bounds.len(),
            _ => self.values.len(),
        }
    }

    /// The group key of a bucket.
    pub(super) fn key(&self, number: u32) -> Value {
        let is_range = matches!(self.bucketer.borrow().bucket, BoundBucket::Ranges(..));
        let part = if is_range { &Value::from(number) } else { self.values.get(number) };
        self.bucketer.borrow_mut().name(part)
    }

    /// By number: the rank of each bucket.
    pub(super) fn ranks(&self) -> Vec<u32> {
        if let BoundBucket::Ranges(_, bounds) = &self.bucketer.borrow().bucket {
            return (0..bounds.len() as u32).collect();
        }
        let mut order: Vec<u32> = (0..self.values.len() as u32).collect();
        let value = |number: &u32| self.values.get(*number).as_ref();
        match self.kind {
            Some(_) => order.sort_unstable_by_key(value),
            None => order.sort_unstable_by(|a, b| order_of_all(value(a), value(b))),
        }
        let mut ranks = vec![0; order.len()];
        order.iter().zip(0..).for_each(|(number, rank)| ranks[*number as usize] = rank);
        ranks
    }

    /// The value, or the number among all buckets, that a bucket stands for.
    pub(super) fn get(&self, number: u32) -> &Value {
        self.values.get(number)
    }

    /// The names of all buckets from `first` to `last`, inclusive, by their numbers among all buckets.
    pub(super) fn between(&self, first: &Value, last: &Value) -> Result<Vec<Value>, StatisticsError> {
        let all = self.bucketer.borrow_mut().all_between(Some((first, last)))?;
        Ok(all.into_iter().map(|(_, name)| name).collect())
    }
}

/// Sets the number of each cell by direct lookup, including unknown ones.
fn by_place(bits: Packed<'_>, near: &[u32], numbers: &mut [u32], place: impl Fn(u64) -> u64) {
    with_cells!(bits, |cells| for (cell, number) in cells.iter().zip(numbers) {
        *number = near.get(place(u64::from(*cell)) as usize).copied().unwrap_or(UNKNOWN);
    });
}

/// Number of consecutive ordinals that are looked up directly.
const NEAR: usize = 1 << 12;

/// Bucket ids by 64-bit ordinals: those near the first one in an array, others in a hash table.
struct IdsByBits {
    from: u64,
    near: Vec<u32>,
    far: HashTable<(u64, u32)>,
    seed: RandomState,
}

impl IdsByBits {
    fn new() -> Self {
        IdsByBits { from: 0, near: Vec::new(), far: HashTable::new(), seed: hash::random() }
    }

    /// The numbers of `count` ordinals from `first` on; `None` if the array does not contain all of them.
    fn row(&mut self, first: u64, count: u64) -> Option<&[u32]> {
        let count = usize::try_from(count).ok().filter(|count| *count <= NEAR)?;
        if self.near.is_empty() {
            self.begin(first.wrapping_sub((NEAR - count) as u64 / 2));
        }
        let at = usize::try_from(first.wrapping_sub(self.from)).ok()?;
        self.near.get(at..at.checked_add(count)?)
    }

    fn begin(&mut self, from: u64) {
        self.from = from;
        self.near.resize(NEAR, UNKNOWN);
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
            self.begin(ordinal.wrapping_sub(NEAR as u64 / 2));
        }
        if let Some(number) = self.near.get_mut(ordinal.wrapping_sub(self.from) as usize) {
            if *number == UNKNOWN {
                *number = new();
            }
            return *number;
        }
        let IdsByBits { far, seed, .. } = self;
        let hash = seed.hash_one(ordinal);
        if let Some((_, number)) = far.find(hash, |(known, _)| *known == ordinal) {
            return *number;
        }
        let number = new();
        far.insert_unique(hash, (ordinal, number), |(known, _)| seed.hash_one(*known));
        number
    }
}

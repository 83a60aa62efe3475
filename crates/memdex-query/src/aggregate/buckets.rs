//! Buckets of one width: maps a number, or a time, to its bucket.
//!
//! Bucket `k` holds the numbers from `offset + k·width`, its lower bound, to below that of the next bucket. The lower
//! bound is the bucket's name in results; `k` is its number inside a grouping.

use crate::error::StatisticsError;
use crate::limits::MAX_BUCKETS;
use crate::value::{DecimalValue, Kind, Value, ValueRef};

/// Adjacent buckets of one length. The start of the first may be below `i64::MIN`; it then wraps around, and
/// differences are right modulo 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Even {
    /// The number of the first bucket.
    pub first: i64,
    /// The start of the first bucket.
    pub start: i64,
    /// The length of each bucket.
    pub length: u64,
}

/// Buckets of one width over a numeric field.
#[derive(Clone, Debug)]
pub enum Buckets {
    /// Over integers.
    Ints(IntBuckets),
    /// Over floats.
    Floats(FloatBuckets),
    /// Over decimals.
    Decimals(DecimalBuckets),
    /// Over timestamps, in nanoseconds since 1970.
    Times(IntBuckets),
}

impl Buckets {
    /// Buckets over a field of this kind. Integers are converted to floats and decimals. Timestamps take integers, in
    /// nanoseconds.
    ///
    /// # Errors
    /// [`StatisticsError::BadWidth`] unless the width is above 0, both are finite, and the kind is numeric or a timestamp.
    pub fn new(kind: Kind, width: ValueRef<'_>, offset: ValueRef<'_>) -> Result<Self, StatisticsError> {
        let int = ValueRef::as_i128;
        let decimal = ValueRef::as_decimal;
        let buckets = match kind {
            Kind::Timestamp => int(width).zip(int(offset)).and_then(|(w, o)| IntBuckets::new(w, o)).map(Buckets::Times),
            Kind::Int => int(width).zip(int(offset)).and_then(|(w, o)| IntBuckets::new(w, o)).map(Buckets::Ints),
            Kind::Float => {
                float(width).zip(float(offset)).and_then(|(w, o)| FloatBuckets::new(w, o)).map(Buckets::Floats)
            }
            Kind::Decimal => {
                decimal(width).zip(decimal(offset)).and_then(|(w, o)| DecimalBuckets::new(w, o)).map(Buckets::Decimals)
            }
            _ => None,
        };
        buckets.ok_or_else(|| StatisticsError::BadWidth { width: width.to_value(), offset: offset.to_value() })
    }

    /// The bucket of a value. `None` for null, another kind, NaN and infinities, and if the bucket's lower bound is not
    /// a value of the kind: below the lowest integer, or a decimal of more than 38 digits.
    pub fn number_of(&self, value: ValueRef<'_>) -> Option<i128> {
        match (self, value) {
            (Buckets::Ints(ints), value) => ints.number_of_value(value),
            (Buckets::Times(ints), ValueRef::Timestamp(nanos)) => ints.number_if_named(nanos),
            (Buckets::Floats(floats), ValueRef::Float(x)) => floats.number_of(x).map(i128::from),
            (Buckets::Decimals(decimals), ValueRef::Decimal(number)) => decimals.number_of(number),
            (Buckets::Floats(_) | Buckets::Decimals(_) | Buckets::Times(_), _) => None,
        }
    }

    /// The lower bound of a bucket, which is its name; `None` if it is not a value of the field's kind.
    pub fn lower_bound(&self, number: i128) -> Option<Value> {
        match self {
            Buckets::Ints(ints) => ints.lower_bound(number),
            Buckets::Times(ints) => {
                let nanos = ints.lower_bound(number)?.as_i128()?;
                Some(ValueRef::Timestamp(nanos).to_value())
            }
            Buckets::Floats(floats) => {
                let bound = floats.lower_bound(number as f64);
                bound.is_finite().then(|| bound.into())
            }
            Buckets::Decimals(decimals) => decimals.lower_bound(number),
        }
    }

    /// All buckets from one to another, including empty ones, with their lower bounds.
    ///
    /// # Errors
    /// [`StatisticsError::TooManyBuckets`] above [`MAX_BUCKETS`].
    pub fn between(&self, first: i128, last: i128) -> Result<impl Iterator<Item = (i128, Value)>, StatisticsError> {
        count_buckets(first, last)?;
        Ok((first..=last).filter_map(|number| Some((number, self.lower_bound(number)?))))
    }
}

/// Fails if there are too many buckets from one to another.
pub(super) fn count_buckets(first: i128, last: i128) -> Result<(), StatisticsError> {
    let buckets = if first <= last { last.abs_diff(first).saturating_add(1) } else { 0 };
    if buckets > MAX_BUCKETS as u128 {
        return Err(StatisticsError::TooManyBuckets { buckets, limit: MAX_BUCKETS });
    }
    Ok(())
}

fn float(value: ValueRef<'_>) -> Option<f64> {
    match value {
        ValueRef::Float(x) => Some(x),
        integer => integer.as_i128().map(|n| n as f64),
    }
}

/// Buckets of integers.
#[derive(Clone, Debug)]
pub struct IntBuckets {
    width: i128,
    /// From 0 to below the width, so that no difference overflows.
    offset: i128,
    /// Both, if 64 bits hold them, which is usual.
    narrow: Option<(i64, i64)>,
}

impl IntBuckets {
    /// `None` unless the width is above 0.
    pub fn new(width: i128, offset: i128) -> Option<Self> {
        if width <= 0 {
            return None;
        }
        let offset = offset.rem_euclid(width);
        let narrow = i64::try_from(width).ok().zip(i64::try_from(offset).ok());
        Some(IntBuckets { width, offset, narrow })
    }

    /// The bucket of an integer. With a width beyond 64 bits it may have no name, see [`Buckets::number_of`].
    #[inline]
    pub fn number_of(&self, n: i64) -> i64 {
        match self.narrow {
            Some((width, offset)) => {
                // With an offset the width is at least 2, and the quotient far from the least integer.
                n.div_euclid(width) - i64::from(n.rem_euclid(width) < offset)
            }
            // The width is beyond 64 bits.
            None => self.number_of_128(n.into()) as i64,
        }
    }

    /// The buckets between two integers, both included: the number of an integer between them is `first` plus the
    /// number of whole `length`s since `start`. `None` if they are too far apart for 64 bits.
    pub fn even(&self, least: i64, greatest: i64) -> Option<Even> {
        let (width, offset) = self.narrow?;
        let first = self.number_of(least);
        let start = first.wrapping_mul(width).wrapping_add(offset);
        let length = width.cast_unsigned();
        // The first begins less than a width below the least.
        (greatest.abs_diff(least) < 1 << 63).then_some(Even { first, start, length })
    }

    fn number_of_128(&self, n: i128) -> i128 {
        n.div_euclid(self.width) - i128::from(n.rem_euclid(self.width) < self.offset)
    }

    /// The bucket of an integer, if its lower bound is a value.
    fn number_if_named(&self, n: i128) -> Option<i128> {
        match i64::try_from(n) {
            Ok(n) if self.narrow.is_some() => Some(self.number_of(n).into()),
            _ => Some(self.number_of_128(n)).filter(|number| self.lower_bound(*number).is_some()),
        }
    }

    fn number_of_value(&self, value: ValueRef<'_>) -> Option<i128> {
        match value.canonical() {
            ValueRef::Int(n) => self.number_if_named(n.into()),
            ValueRef::Int128(n) => self.number_if_named(n),
            ValueRef::UInt128(n) => {
                let (width, offset) = (self.width as u128, self.offset as u128);
                // The value is above any width, so that nothing is below 0 here.
                i128::try_from(n / width - u128::from(n % width < offset)).ok()
            }
            _ => None,
        }
    }

    fn lower_bound(&self, number: i128) -> Option<Value> {
        if let Ok(number) = u128::try_from(number) {
            let bound = number.checked_mul(self.width as u128)?.checked_add(self.offset as u128)?;
            return Some(bound.into());
        }
        // The product could be below the least integer.
        let next = (number + 1).checked_mul(self.width)?;
        next.checked_add(self.offset - self.width).map(Value::from)
    }
}

/// Buckets of floats. Their bounds are `offset + k·width`, rounded, and a number is exactly between the two bounds
/// around it. So `0.3` in widths of `0.1` is in the bucket `0.2`, since `3·0.1` is a little more than `0.3`.
#[derive(Clone, Debug)]
pub struct FloatBuckets {
    width: f64,
    offset: f64,
}

impl FloatBuckets {
    /// `None` unless the width is above 0 and both are finite.
    pub fn new(width: f64, offset: f64) -> Option<Self> {
        (width > 0.0 && width.is_finite() && offset.is_finite()).then_some(FloatBuckets { width, offset })
    }

    /// `None` for NaN and infinities, if the width is too small for two bounds to differ, and if the lower bound is
    /// infinite.
    #[inline]
    pub fn number_of(&self, x: f64) -> Option<i64> {
        const MOST: f64 = (1u64 << 52) as f64;
        let mut estimate = ((x - self.offset) / self.width).floor();
        if !estimate.is_finite() {
            // The difference overflows.
            estimate = (x / self.width - self.offset / self.width).floor();
        }
        // No bucket contains NaN.
        if !(-MOST..=MOST).contains(&estimate) {
            return None;
        }
        // Rounding may have moved the estimate to a neighboring bucket.
        for number in [estimate, estimate - 1.0, estimate + 1.0] {
            let bound = self.lower_bound(number);
            if bound <= x && x < self.lower_bound(number + 1.0) && bound.is_finite() {
                return Some(number as i64);
            }
        }
        None
    }

    #[inline]
    fn lower_bound(&self, number: f64) -> f64 {
        self.offset + number * self.width
    }
}

/// Buckets of decimals, as integers in units of the last digit of the finer of width and offset.
#[derive(Clone, Debug)]
pub struct DecimalBuckets {
    scale: u8,
    units: IntBuckets,
}

impl DecimalBuckets {
    /// `None` unless the width is above 0, and both have at most 38 digits at the finer scale.
    pub fn new(width: DecimalValue, offset: DecimalValue) -> Option<Self> {
        let scale = width.scale().max(offset.scale());
        Some(DecimalBuckets { scale, units: IntBuckets::new(at_scale(width, scale)?, at_scale(offset, scale)?)? })
    }

    #[inline]
    pub fn number_of(&self, number: DecimalValue) -> Option<i128> {
        self.units.number_if_named(at_scale(number, self.scale)?)
    }

    fn lower_bound(&self, number: i128) -> Option<Value> {
        let units = self.units.lower_bound(number)?.as_i128()?;
        Some(ValueRef::Decimal(DecimalValue::new(units, self.scale)?).to_value())
    }
}

/// A decimal in units of the given scale, rounded down.
#[inline]
fn at_scale(number: DecimalValue, scale: u8) -> Option<i128> {
    let power = 10i128.pow(number.scale().abs_diff(scale).into());
    match number.scale() {
        finer if finer > scale => Some(number.units().div_euclid(power)),
        same if same == scale => Some(number.units()),
        _ => number.units().checked_mul(power),
    }
}

#[cfg(test)]
mod tests;

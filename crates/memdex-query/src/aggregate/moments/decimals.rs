//! Decimals: sums in units of 10^-28, the finest scale.

use super::super::natural::{multiply, to_limbs};
use super::super::wide::{Wide, to_i128};
use super::{DECIMAL_UNITS, deviation};
use crate::error::StatisticsError;
use crate::value::{DecimalValue, Kind, Value, ValueRef};
use std::cmp::Ordering;

/// The units of a number, by its scale.
const UNITS: [u128; DecimalValue::MAX_SCALE as usize + 1] = {
    let mut units = [1; DecimalValue::MAX_SCALE as usize + 1];
    let mut at = units.len() - 1;
    while at > 0 {
        units[at - 1] = units[at] * 10;
        at -= 1;
    }
    units
};

/// The moments of decimals.
#[derive(Clone, Debug)]
pub struct DecimalMoments {
    pub(super) count: u64,
    /// Holds 2^64 times 2^127 times 10^28, which is less than 2^94.
    sum: Wide<5>,
    /// Holds 2^64 times the square of 2^221.
    pub(super) squares: Option<Box<Wide<8>>>,
}

impl DecimalMoments {
    pub fn new(squares: bool) -> Self {
        DecimalMoments { count: 0, sum: Wide::ZERO, squares: squares.then(|| Box::new(Wide::ZERO)) }
    }

    #[inline]
    pub fn add(&mut self, number: DecimalValue) {
        self.count = self.count.wrapping_add(1);
        self.put(number, false);
    }

    /// Removes a value that was added before.
    #[inline]
    pub fn remove(&mut self, number: DecimalValue) {
        self.count = self.count.wrapping_sub(1);
        self.put(number, true);
    }

    #[inline]
    fn put(&mut self, number: DecimalValue, leaves: bool) {
        let (magnitude, unit) = (number.units().unsigned_abs(), UNITS[usize::from(number.scale())]);
        let negative = (number.units() < 0) ^ leaves;
        let fits = magnitude.leading_zeros() + unit.leading_zeros() >= u128::BITS;
        if fits {
            // The usual case: the units fit 128 bits.
            let units = magnitude.wrapping_mul(unit);
            if negative {
                self.sum.sub_u128(units)
            } else {
                self.sum.add_u128(units)
            }
            if let Some(squares) = &mut self.squares {
                let mut square = [0; 4];
                multiply(&to_limbs(units), &to_limbs(units), &mut square);
                squares.add_limbs(&square, leaves);
            }
        } else {
            self.put_wide(magnitude, unit, negative, leaves);
        }
    }

    #[cold]
    fn put_wide(&mut self, magnitude: u128, unit: u128, negative: bool, leaves: bool) {
        let (mut units, mut square) = ([0; 4], [0; 8]);
        multiply(&to_limbs(magnitude), &to_limbs(unit), &mut units);
        self.sum.add_limbs(&units, negative);
        if let Some(squares) = &mut self.squares {
            multiply(&units, &units, &mut square);
            squares.add_limbs(&square, leaves);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.count = self.count.wrapping_add(other.count);
        self.sum.add(&other.sum);
        if let (Some(squares), Some(more)) = (&mut self.squares, &other.squares) {
            squares.add(more);
        }
    }

    /// See [`Moments::sum`](super::Moments::sum).
    pub fn sum(&self) -> Result<Value, StatisticsError> {
        let (negative, mut magnitude) = self.sum.magnitude();
        let mut scale = DecimalValue::MAX_SCALE;
        loop {
            let fits = to_i128(negative, &magnitude).and_then(|units| DecimalValue::new(units, scale));
            if let Some(sum) = fits {
                return Ok(ValueRef::Decimal(sum).to_value());
            }
            // Drop trailing zeros.
            if scale == 0 || magnitude.divide(10) != 0 {
                return Err(StatisticsError::Overflow { kind: Kind::Decimal });
            }
            scale -= 1;
        }
    }

    /// See [`Moments::avg`](super::Moments::avg).
    pub fn avg(&self) -> Option<Value> {
        let count = Some(self.count).filter(|count| *count > 0)?;
        let (negative, mut whole) = self.sum.magnitude();
        let rest = whole.divide(count);
        // How the digits cut off compare with a half, and whether there are any.
        let mut cut = u128::from(rest).saturating_mul(2).cmp(&count.into());
        let mut inexact = rest != 0;
        for scale in (0..=DecimalValue::MAX_SCALE).rev() {
            let up = cut.is_gt() || (cut.is_eq() && whole.is_odd());
            let rounded = if up { whole.plus(&1.into()) } else { whole.clone() };
            let fits = to_i128(negative, &rounded).and_then(|units| DecimalValue::new(units, scale));
            if let Some(mean) = fits {
                return Some(ValueRef::Decimal(mean).to_value());
            }
            let digit = whole.divide(10);
            cut = digit.cmp(&5).then(if inexact { Ordering::Greater } else { Ordering::Equal });
            inexact |= digit != 0;
        }
        debug_assert!(false, "a mean lies between values that fit");
        None
    }

    pub(super) fn deviation(&self, less: u64) -> Option<f64> {
        let squares = self.squares.as_deref()?.magnitude().1;
        deviation(self.count, less, &self.sum.magnitude().1, &squares, 0, &DECIMAL_UNITS)
    }
}

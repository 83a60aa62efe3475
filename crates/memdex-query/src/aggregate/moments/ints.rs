//! Integers. Nearly all fit 64 bits and use flat fields; wider ones are stored separately.

use super::super::natural::{Natural, multiply, to_limbs};
use super::super::wide::{Wide, to_i128};
use super::{deviation, mean};
use crate::error::StatisticsError;
use crate::value::{Kind, Value, ValueRef};

/// The moments of integers.
#[derive(Clone, Debug)]
pub struct IntMoments {
    /// The number of values, including wide ones.
    pub count: u64,
    /// The sum of the 64-bit values; 2^64 of them don't overflow it.
    pub sum: i128,
    /// The sum of squares of the 64-bit values: holds 2^64 times 2^126.
    pub(super) squares: Option<Box<Wide<4>>>,
    wide: Option<Box<WideInts>>,
}

/// The moments of integers that don't fit 64 bits.
#[derive(Clone, Debug)]
struct WideInts {
    count: u64,
    /// Holds 2^64 times 2^128.
    sum: Wide<4>,
    /// Holds 2^64 times 2^256.
    squares: Wide<6>,
}

impl IntMoments {
    pub fn new(squares: bool) -> Self {
        IntMoments { count: 0, sum: 0, squares: squares.then(|| Box::new(Wide::ZERO)), wide: None }
    }

    #[inline]
    pub fn add(&mut self, n: i64) {
        self.add_partial(1, n.into());
        if let Some(squares) = &mut self.squares {
            squares.add_u128(square(n));
        }
    }

    /// Removes a value that was added before.
    #[inline]
    pub fn remove(&mut self, n: i64) {
        self.count = self.count.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(n.into());
        if let Some(squares) = &mut self.squares {
            squares.sub_u128(square(n));
        }
    }

    /// Adds a count and a sum that the caller has computed, of a page for example.
    #[inline]
    pub fn add_partial(&mut self, count: u64, sum: i128) {
        self.count = self.count.wrapping_add(count);
        self.sum = self.sum.wrapping_add(sum);
    }

    /// Adds an integer of any width, or removes it if it `leaves`; ignores other values.
    pub(super) fn change(&mut self, value: ValueRef<'_>, leaves: bool) {
        match value.canonical() {
            ValueRef::Int(n) if leaves => self.remove(n),
            ValueRef::Int(n) => self.add(n),
            ValueRef::Int128(n) => self.put(n < 0, n.unsigned_abs(), leaves),
            ValueRef::UInt128(n) => self.put(false, n, leaves),
            _ => {}
        }
    }

    #[cold]
    fn put(&mut self, negative: bool, magnitude: u128, leaves: bool) {
        let wide =
            self.wide.get_or_insert_with(|| Box::new(WideInts { count: 0, sum: Wide::ZERO, squares: Wide::ZERO }));
        let (limbs, mut square) = (to_limbs(magnitude), [0; 4]);
        wide.sum.add_limbs(&limbs, negative ^ leaves);
        if self.squares.is_some() {
            multiply(&limbs, &limbs, &mut square);
            wide.squares.add_limbs(&square, leaves);
        }
        let one = if leaves { u64::MAX } else { 1 };
        self.count = self.count.wrapping_add(one);
        wide.count = wide.count.wrapping_add(one);
        if wide.count == 0 {
            self.wide = None;
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.add_partial(other.count, other.sum);
        if let (Some(squares), Some(more)) = (&mut self.squares, &other.squares) {
            squares.add(more);
        }
        match (&mut self.wide, &other.wide) {
            (_, None) => {}
            (none @ None, Some(more)) => *none = Some(more.clone()),
            (Some(wide), Some(more)) => {
                wide.count = wide.count.wrapping_add(more.count);
                wide.sum.add(&more.sum);
                wide.squares.add(&more.squares);
            }
        }
    }

    /// The sum, as sign and magnitude.
    fn magnitude(&self) -> (bool, Natural) {
        let Some(wide) = &self.wide else { return (self.sum < 0, self.sum.unsigned_abs().into()) };
        let mut sum = wide.sum;
        sum.add(&self.sum.into());
        sum.magnitude()
    }

    /// See [`Moments::sum`](super::Moments::sum).
    pub fn sum(&self) -> Result<Value, StatisticsError> {
        let (negative, magnitude) = self.magnitude();
        match (to_i128(negative, &magnitude), magnitude.to_u128()) {
            (Some(sum), _) => Ok(sum.into()),
            (None, Some(sum)) if !negative => Ok(sum.into()),
            _ => Err(StatisticsError::Overflow { kind: Kind::Int }),
        }
    }

    /// See [`Moments::avg`](super::Moments::avg).
    pub fn avg(&self) -> Option<f64> {
        const EXACT: u64 = 1 << 53;
        if self.wide.is_none() && self.sum.unsigned_abs() <= EXACT.into() && (1..=EXACT).contains(&self.count) {
            // Both are exact in `f64`, so the division rounds once.
            return Some(self.sum as f64 / self.count as f64);
        }
        mean(self.count, self.magnitude(), 0)
    }

    pub(super) fn deviation(&self, less: u64) -> Option<f64> {
        let mut squares = Wide::<6>::ZERO;
        squares.add_limbs(self.squares.as_deref()?.magnitude().1.limbs(), false);
        if let Some(wide) = &self.wide {
            squares.add(&wide.squares);
        }
        deviation(self.count, less, &self.magnitude().1, &squares.magnitude().1, 0, &[])
    }
}

#[inline]
fn square(n: i64) -> u128 {
    u128::from(n.unsigned_abs()) * u128::from(n.unsigned_abs())
}

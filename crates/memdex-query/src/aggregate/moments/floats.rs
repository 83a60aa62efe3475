//! Floats: sums and sums of squares without rounding.

use super::super::float_sum::{FloatSum, SquareSum};
use super::super::natural::LEAST_EXPONENT;
use super::{deviation, mean};

/// The moments of floats.
#[derive(Clone, Debug)]
pub struct FloatMoments {
    pub(super) count: u64,
    sum: FloatSum,
    pub(super) squares: Option<SquareSum>,
}

impl FloatMoments {
    pub fn new(squares: bool) -> Self {
        FloatMoments { count: 0, sum: FloatSum::default(), squares: squares.then(SquareSum::default) }
    }

    #[inline]
    pub fn add(&mut self, x: f64) {
        self.count = self.count.wrapping_add(1);
        self.sum.add(x);
        if let Some(squares) = &mut self.squares {
            squares.add(x);
        }
    }

    /// Removes a value that was added before.
    #[inline]
    pub fn remove(&mut self, x: f64) {
        self.count = self.count.wrapping_sub(1);
        self.sum.remove(x);
        if let Some(squares) = &mut self.squares {
            squares.remove(x);
        }
        if self.count == 0 {
            // No value is left, so free the memory too.
            *self = FloatMoments::new(self.squares.is_some());
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.count = self.count.wrapping_add(other.count);
        self.sum.merge(&other.sum);
        if let (Some(squares), Some(more)) = (&mut self.squares, &other.squares) {
            squares.merge(more);
        }
    }

    /// The sum, rounded once; infinite above the greatest `f64`, and NaN if a value is NaN or the values include both
    /// infinities.
    pub fn sum(&self) -> f64 {
        self.sum.round()
    }

    /// See [`Moments::avg`](super::Moments::avg).
    pub fn avg(&self) -> Option<f64> {
        match self.sum.special() {
            Some(special) if self.count > 0 => Some(special),
            _ => mean(self.count, self.sum.magnitude(), LEAST_EXPONENT),
        }
    }

    /// NaN if a value is not finite.
    pub(super) fn deviation(&self, less: u64) -> Option<f64> {
        let squares = self.squares.as_ref()?;
        if self.sum.special().is_some() {
            return (self.count > less).then_some(f64::NAN);
        }
        deviation(self.count, less, &self.sum.magnitude().1, &squares.magnitude(), LEAST_EXPONENT, &[])
    }
}

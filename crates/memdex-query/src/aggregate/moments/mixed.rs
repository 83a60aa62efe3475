//! The numbers among values of several kinds.

use super::super::ratio::nearest_float;
use super::{FloatMoments, IntMoments};
use crate::error::StatisticsError;
use crate::value::{Value, ValueRef};

/// The moments of the numbers among values of several kinds: both of the integers, and of all numbers as floats.
#[derive(Clone, Debug)]
pub struct MixedMoments {
    ints: IntMoments,
    pub(super) all: FloatMoments,
}

impl MixedMoments {
    pub(super) fn new(squares: bool) -> Self {
        MixedMoments { ints: IntMoments::new(squares), all: FloatMoments::new(squares) }
    }

    pub(super) fn empty(&self) -> Self {
        MixedMoments::new(self.all.squares.is_some())
    }

    pub(super) fn add(&mut self, value: ValueRef<'_>) {
        self.ints.change(value, false);
        nearest_float(value).into_iter().for_each(|x| self.all.add(x));
    }

    pub(super) fn remove(&mut self, value: ValueRef<'_>) {
        self.ints.change(value, true);
        nearest_float(value).into_iter().for_each(|x| self.all.remove(x));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.ints.merge(&other.ints);
        self.all.merge(&other.all);
    }

    fn are_integers(&self) -> bool {
        self.ints.count == self.all.count
    }

    pub(super) fn sum(&self) -> Result<Value, StatisticsError> {
        match self.all.count {
            0 => Ok(Value::NULL),
            // Whole floats are integers here, and may exceed them together.
            _ if self.are_integers() => self.ints.sum().or_else(|_| Ok(self.all.sum().into())),
            _ => Ok(self.all.sum().into()),
        }
    }

    pub(super) fn avg(&self) -> Option<f64> {
        if self.are_integers() { self.ints.avg() } else { self.all.avg() }
    }

    pub(super) fn deviation(&self, less: u64) -> Option<f64> {
        if self.are_integers() { self.ints.deviation(less) } else { self.all.deviation(less) }
    }
}

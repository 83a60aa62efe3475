//! The numbers among values of several kinds.

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
        float(value).into_iter().for_each(|x| self.all.add(x));
    }

    pub(super) fn remove(&mut self, value: ValueRef<'_>) {
        self.ints.change(value, true);
        float(value).into_iter().for_each(|x| self.all.remove(x));
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
            _ if self.are_integers() => self.ints.sum(),
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

/// The nearest float of an integer or a float.
fn float(value: ValueRef<'_>) -> Option<f64> {
    match value {
        ValueRef::Int(n) => Some(n as f64),
        ValueRef::Int128(n) => Some(n as f64),
        ValueRef::UInt128(n) => Some(n as f64),
        ValueRef::Float(x) => Some(x),
        _ => None,
    }
}

//! Count, sum and sum of squares of one field's values in one group, and the metrics computed from them.
//!
//! All three are exact, and values can be removed. A metric is a fraction of two integers, rounded once: the variance
//! of n values is (n·Σx² - (Σx)²) / n², which is never negative as nothing was rounded before.

mod decimals;
mod floats;
mod ints;
mod mixed;

pub(super) use decimals::DecimalMoments;
pub(super) use floats::FloatMoments;
pub(super) use ints::IntMoments;
pub(super) use mixed::MixedMoments;

use super::float_sum::signed;
use super::natural::Natural;
use crate::error::StatisticsError;
use crate::value::{Kind, Value, ValueRef};

/// The moments of a numeric field's values.
#[derive(Clone, Debug)]
pub enum Moments {
    /// Integers.
    Ints(IntMoments),
    /// Floats.
    Floats(FloatMoments),
    /// Decimals.
    Decimals(DecimalMoments),
    /// Values of any kind, of which the numbers count.
    Mixed(MixedMoments),
}

macro_rules! of_any_kind {
    ($all:expr, $moments:ident => $result:expr) => {
        match $all {
            Moments::Ints($moments) => $result,
            Moments::Floats($moments) => $result,
            Moments::Decimals($moments) => $result,
            Moments::Mixed($moments) => $result,
        }
    };
}

impl Moments {
    /// Moments of no values; with `squares` if deviations are needed. `None` for a kind that is not numeric.
    pub fn new(kind: Kind, squares: bool) -> Option<Self> {
        match kind {
            Kind::Int => Some(Moments::Ints(IntMoments::new(squares))),
            Kind::Float => Some(Moments::Floats(FloatMoments::new(squares))),
            Kind::Decimal => Some(Moments::Decimals(DecimalMoments::new(squares))),
            _ => None,
        }
    }

    /// Moments of the numbers among values of any kind, for a field whose kind is not known. As long as all of them are
    /// integers, they are those of integers; otherwise those of floats, in which an integer counts as the nearest float.
    pub fn mixed(squares: bool) -> Self {
        Moments::Mixed(MixedMoments::new(squares))
    }

    /// Adds a value; ignores null and other kinds.
    pub fn add(&mut self, value: ValueRef<'_>) {
        match (self, value) {
            (Moments::Ints(ints), ValueRef::Int(n)) => ints.add(n),
            (Moments::Ints(ints), wide) => ints.change(wide, false),
            (Moments::Floats(floats), ValueRef::Float(x)) => floats.add(x),
            (Moments::Decimals(decimals), ValueRef::Decimal(number)) => decimals.add(number),
            (Moments::Mixed(mixed), value) => mixed.add(value),
            (Moments::Floats(_) | Moments::Decimals(_), _) => {}
        }
    }

    /// Adds a value `times` times. O(log times).
    pub fn add_times(&mut self, value: ValueRef<'_>, times: u64) {
        match (&mut *self, value) {
            (_, _) if times == 1 => self.add(value),
            (Moments::Ints(ints), ValueRef::Int(n)) if ints.squares.is_none() => {
                ints.add_partial(times, i128::from(n) * i128::from(times))
            }
            _ => {
                // By doubling. Merging is exact, so the result is the same.
                let mut doubled = self.empty();
                doubled.add(value);
                let mut left = times;
                while left > 0 {
                    if left % 2 == 1 {
                        self.merge(&doubled);
                    }
                    left /= 2;
                    if left > 0 {
                        doubled.merge(&doubled.clone());
                    }
                }
            }
        }
    }

    /// Moments of no values, with squares if these have them.
    fn empty(&self) -> Self {
        match self {
            Moments::Ints(ints) => Moments::Ints(IntMoments::new(ints.squares.is_some())),
            Moments::Floats(floats) => Moments::Floats(FloatMoments::new(floats.squares.is_some())),
            Moments::Decimals(decimals) => Moments::Decimals(DecimalMoments::new(decimals.squares.is_some())),
            Moments::Mixed(mixed) => Moments::Mixed(mixed.empty()),
        }
    }

    /// Removes a value that was added before.
    pub fn remove(&mut self, value: ValueRef<'_>) {
        match (self, value) {
            (Moments::Ints(ints), ValueRef::Int(n)) => ints.remove(n),
            (Moments::Ints(ints), wide) => ints.change(wide, true),
            (Moments::Floats(floats), ValueRef::Float(x)) => floats.remove(x),
            (Moments::Decimals(decimals), ValueRef::Decimal(number)) => decimals.remove(number),
            (Moments::Mixed(mixed), value) => mixed.remove(value),
            (Moments::Floats(_) | Moments::Decimals(_), _) => {}
        }
    }

    /// Adds the moments of another group of the same field.
    pub fn merge(&mut self, other: &Moments) {
        match (self, other) {
            (Moments::Ints(a), Moments::Ints(b)) => a.merge(b),
            (Moments::Floats(a), Moments::Floats(b)) => a.merge(b),
            (Moments::Decimals(a), Moments::Decimals(b)) => a.merge(b),
            (Moments::Mixed(a), Moments::Mixed(b)) => a.merge(b),
            _ => debug_assert!(false, "merged the moments of two fields of different kinds"),
        }
    }

    /// The sum, of the field's kind; 0 for no values, but null if no value of several kinds is a number. A sum of floats
    /// may be infinite.
    ///
    /// # Errors
    /// [`StatisticsError::Overflow`] if it has more digits than a value of its kind.
    pub fn sum(&self) -> Result<Value, StatisticsError> {
        match self {
            Moments::Ints(ints) => ints.sum(),
            Moments::Floats(floats) => Ok(floats.sum().into()),
            Moments::Decimals(decimals) => decimals.sum(),
            Moments::Mixed(mixed) => mixed.sum(),
        }
    }

    /// The mean; `None` for no values. For integers and floats, the nearest `f64`. For decimals, the nearest decimal, ties to even,
    /// with as many digits after the point as fit, up to [`MAX_SCALE`](crate::value::DecimalValue::MAX_SCALE).
    pub fn avg(&self) -> Option<Value> {
        match self {
            Moments::Ints(ints) => ints.avg().map(Value::from),
            Moments::Floats(floats) => floats.avg().map(Value::from),
            Moments::Decimals(decimals) => decimals.avg(),
            Moments::Mixed(mixed) => mixed.avg().map(Value::from),
        }
    }

    /// The sample standard deviation, as the nearest `f64`: squared deviations are divided by the number of values
    /// minus one. `None` for fewer than two values, or without squares.
    pub fn stddev(&self) -> Option<f64> {
        self.deviation(1)
    }

    /// The population standard deviation, as the nearest `f64`. `None` for no values, or without squares.
    pub fn stddev_pop(&self) -> Option<f64> {
        self.deviation(0)
    }

    fn deviation(&self, less: u64) -> Option<f64> {
        of_any_kind!(self, moments => moments.deviation(less))
    }
}

/// The unit of decimals, 10^-28, as two factors of 64 bits.
pub(super) const DECIMAL_UNITS: [u64; 2] = [10u64.pow(14); 2];

/// The mean of `count` values, from the sign and magnitude of their sum in units of two to the power of `exponent`.
fn mean(count: u64, (negative, sum): (bool, Natural), exponent: i64) -> Option<f64> {
    (count > 0).then(|| signed(negative, sum.over(exponent, &[count]).round()))
}

/// The standard deviation, from the sum in units of two to the power of `exponent` divided by `units`, and the sum of squares in
/// squared units. Squared deviations are divided by `count - less`.
fn deviation(count: u64, less: u64, sum: &Natural, squares: &Natural, exponent: i64, units: &[u64]) -> Option<f64> {
    if count <= less {
        return None;
    }
    let counted = squares.times(&u128::from(count).into());
    let squared = sum.times(sum);
    debug_assert!(counted >= squared, "the inequality of Cauchy and Schwarz");
    let divisors: Vec<u64> = [count, count - less].iter().chain(units).chain(units).copied().collect();
    Some(counted.minus(&squared).over(2 * exponent, &divisors).round_root())
}

#[cfg(test)]
mod tests;

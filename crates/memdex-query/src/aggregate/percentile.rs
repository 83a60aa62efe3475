//! Percentiles with linear interpolation between the two nearest values, like NumPy's default and PostgreSQL's
//! `percentile_cont`.
//!
//! The rank of a percentile is an exact fraction. Integers and decimals are interpolated exactly, and the result is
//! rounded once. Floats are interpolated in floats.

use super::float_sum::signed;
use super::moments::DECIMAL_UNITS;
use super::natural::Natural;
use crate::value::{DecimalValue, ValueRef};

/// The percentiles of these values, each from 0 to 100, in their order; `None` for no values. `number` gives the number
/// of a value, in canonical form. All numbers have one kind, and the values sort as they do: NaN is above the others.
///
/// Reorders the values. O(n) for each percentile.
pub fn percentiles<T: Ord>(
    values: &mut [T],
    percentiles: &[f64],
    number: impl Fn(&T) -> ValueRef<'_>,
) -> Option<Vec<f64>> {
    let last = values.len().checked_sub(1)?;
    let ranks: Vec<Rank> = percentiles.iter().map(|p| Rank::new(*p, last)).collect();
    let mut needed: Vec<usize> = Vec::with_capacity(2 * ranks.len());
    for rank in &ranks {
        needed.push(rank.low);
        if rank.part > 0 {
            needed.push(rank.low + 1);
        }
    }
    needed.sort_unstable();
    needed.dedup();
    // Values before a selected place are not above it, so the next one is selected from the rest.
    let mut sorted_to = 0;
    for at in needed {
        values[sorted_to..].select_nth_unstable(at - sorted_to);
        sorted_to = at + 1;
    }
    let percentile = |rank: &Rank| {
        let low = number(&values[rank.low]);
        if rank.part == 0 { nearest(low) } else { rank.between(low, number(&values[rank.low + 1])) }
    };
    Some(ranks.iter().map(percentile).collect())
}

/// A place among sorted values: `low`, and from there `part / (100 * 2^halvings)` of the way to the next one.
#[derive(Debug)]
struct Rank {
    low: usize,
    part: u128,
    halvings: u32,
}

impl Rank {
    /// The place of a percentile, where `last` is that of 100.
    fn new(percentile: f64, last: usize) -> Self {
        let bits = percentile.abs().to_bits();
        let (exponent, fraction) = ((bits >> 52) as u32, bits & ((1 << 52) - 1));
        let mantissa = if exponent == 0 { fraction } else { fraction | 1 << 52 };
        // Positive, as the percentile is below 2^7.
        let halvings = 1_075 - exponent.max(1);
        let product = u128::from(mantissa) * last as u128;
        // The product is below 2^117, so with more halvings the place is before the second value.
        let (low, part) = match 100_u128.checked_mul(1_u128.checked_shl(halvings).unwrap_or(u128::MAX)) {
            Some(whole) => (product / whole, product % whole),
            None => (0, product),
        };
        Rank { low: low as usize, part, halvings }
    }

    /// The `f64` nearest to the number at this rank.
    fn between(&self, low: ValueRef<'_>, high: ValueRef<'_>) -> f64 {
        let exponent = -i64::from(self.halvings);
        let part = Natural::from(self.part);
        if let (ValueRef::Float(low), ValueRef::Float(high)) = (low, high) {
            let part = part.over(exponent, &[100]).round();
            // Neither 0 nor 1, so that no infinity is multiplied by 0.
            return between_floats(low, high, part.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON / 2.0));
        }
        let divisors: Vec<u64> = [100].iter().chain(units(low)).copied().collect();
        let ((low_negative, low), (high_negative, high)) = (magnitude(low), magnitude(high));
        // low * (1 - part) + high * part
        let rest = Natural::from(100).shifted_left(self.halvings.into()).minus(&part);
        let (low, high) = (low.times(&rest), high.times(&part));
        let (negative, sum) = if low_negative == high_negative {
            (low_negative, low.plus(&high))
        } else if low >= high {
            (low_negative, low.minus(&high))
        } else {
            (high_negative, high.minus(&low))
        };
        signed(negative, sum.over(exponent, &divisors).round())
    }
}

/// The `f64` nearest to a number.
fn nearest(number: ValueRef<'_>) -> f64 {
    match number {
        ValueRef::Int(n) => n as f64,
        ValueRef::Int128(n) => n as f64,
        ValueRef::UInt128(n) => n as f64,
        ValueRef::Float(x) => x,
        ValueRef::Decimal(_) => {
            let (negative, magnitude) = magnitude(number);
            signed(negative, magnitude.over(0, units(number)).round())
        }
        _ => f64::NAN,
    }
}

/// The divisors of [`magnitude`].
fn units(number: ValueRef<'_>) -> &'static [u64] {
    if matches!(number, ValueRef::Decimal(_)) { &DECIMAL_UNITS } else { &[] }
}

/// Whether an integer or decimal is negative, and its magnitude; that of a decimal in units of its finest scale.
fn magnitude(number: ValueRef<'_>) -> (bool, Natural) {
    match number {
        ValueRef::Int(n) => (n < 0, u128::from(n.unsigned_abs()).into()),
        ValueRef::Int128(n) => (n < 0, n.unsigned_abs().into()),
        ValueRef::UInt128(n) => (false, n.into()),
        ValueRef::Decimal(n) => {
            let scale = 10_u128.pow((DecimalValue::MAX_SCALE - n.scale()).into());
            (n.units() < 0, Natural::from(n.units().unsigned_abs()).times(&scale.into()))
        }
        other => {
            debug_assert!(false, "{other} is no number");
            (false, Natural::default())
        }
    }
}

/// The number at a fraction of the distance from one number to a greater one; never outside of the two.
fn between_floats(low: f64, high: f64, part: f64) -> f64 {
    if low == high {
        return low;
    }
    let distance = high - low;
    // If one of them is infinite, so is the result; between both infinities it is NaN.
    if distance.is_infinite() {
        return low * (1.0 - part) + high * part;
    }
    let number = if part < 0.5 { low + distance * part } else { high - distance * (1.0 - part) };
    // Not `clamp`, which panics for NaN.
    if number < low {
        low
    } else if number > high {
        high
    } else {
        number
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{Big, is_nearest};
    use super::*;
    use proptest::prelude::*;

    fn of_numbers(numbers: &[ValueRef<'_>], at: &[f64]) -> Vec<f64> {
        percentiles(&mut numbers.to_vec(), at, |number| *number).unwrap()
    }

    fn of(values: &[f64], at: &[f64]) -> Vec<f64> {
        of_numbers(&values.iter().map(|x| ValueRef::Float(*x).canonical()).collect::<Vec<_>>(), at)
    }

    /// Units of the reference, two to the power of minus this.
    const UNITS: i32 = 1_080;

    /// Compares the percentile `eighths / 8` of numbers, given as sorted integers in units of `1 / divisor`.
    fn check_exact(
        numbers: &[ValueRef<'_>],
        sorted: &[Big],
        divisor: &Big,
        eighths: usize,
    ) -> Result<(), TestCaseError> {
        let place = eighths * (sorted.len() - 1);
        let (low, part) = (place / 800, (place % 800) as i128);
        let high = &sorted[(low + 1).min(sorted.len() - 1)];
        let sum = sorted[low].times(&Big::new(800 - part)).plus(&high.times(&Big::new(part)));
        let result = of_numbers(numbers, &[eighths as f64 / 8.0])[0];
        let divisor = Big::new(800).times(divisor);
        prop_assert!(is_nearest(result, &sum.shifted(UNITS), &divisor, UNITS), "{result} at {eighths} / 8");
        Ok(())
    }

    fn integers() -> impl Strategy<Value = i128> {
        let near = |n: i128| (-9_i128..=9).prop_map(move |more| n.saturating_add(more));
        let bounds = [0, 1 << 53, -1 << 53, i64::MAX.into(), i64::MIN.into(), i128::MAX, i128::MIN];
        prop_oneof![
            prop::sample::select(bounds.to_vec()).prop_flat_map(near),
            any::<i128>(),
            any::<i64>().prop_map(i128::from)
        ]
    }

    #[test]
    fn a_percentile_next_to_infinity_is_infinite() {
        let infinity = f64::INFINITY;
        assert_eq!(of(&[1.0, infinity], &[25.0, 50.0, 75.0]), [infinity; 3]);
        assert_eq!(of(&[-infinity, 1.0], &[25.0, 50.0, 75.0]), [-infinity; 3]);
        assert!(of(&[-infinity, infinity], &[50.0])[0].is_nan());
        assert_eq!(of(&[-f64::MAX, f64::MAX], &[50.0]), [0.0]);
    }

    proptest! {
        #[test]
        fn percentiles_of_integers_are_the_nearest_floats(
            mut values in prop::collection::vec(integers(), 1..20),
            eighths in 0usize..=800,
        ) {
            let numbers: Vec<_> = values.iter().map(|n| ValueRef::Int128(*n).canonical()).collect();
            values.sort_unstable();
            let sorted: Vec<Big> = values.into_iter().map(Big::new).collect();
            check_exact(&numbers, &sorted, &Big::new(1), eighths)?;
        }

        #[test]
        fn percentiles_of_decimals_are_the_nearest_floats(
            mut values in prop::collection::vec((integers(), 0..=DecimalValue::MAX_SCALE), 1..20),
            eighths in 0usize..=800,
        ) {
            let numbers = values.iter().map(|(units, scale)| DecimalValue::new(*units, *scale).unwrap());
            let numbers: Vec<_> = numbers.map(ValueRef::Decimal).collect();
            let finest = 10_i128.pow(DecimalValue::MAX_SCALE.into());
            let units = |(units, scale): (i128, u8)| Big::new(units).times(&Big::new(finest / 10_i128.pow(scale.into())));
            let mut sorted: Vec<Big> = values.drain(..).map(units).collect();
            sorted.sort_by(Big::compare);
            check_exact(&numbers, &sorted, &Big::new(finest), eighths)?;
        }

        #[test]
        fn percentiles_are_those_of_the_sorted_values(
            values in prop::collection::vec(prop_oneof![-5.0..5.0, (0i32..4).prop_map(f64::from), any::<f64>()], 1..80),
            percentiles in prop::collection::vec(prop_oneof![0.0..=100.0, Just(0.0), Just(50.0), Just(100.0)], 0..6),
            turn in any::<usize>(),
        ) {
            let mut sorted = values.clone();
            sorted.sort_by(|a: &f64, b| a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(b)));
            let results = of(&values, &percentiles);
            for (p, result) in percentiles.iter().zip(&results) {
                let place = p / 100.0 * (values.len() - 1) as f64;
                let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
                if place.fract() == 0.0 || low == high {
                    prop_assert!(*result == low || result.is_nan() && low.is_nan());
                } else if low.is_finite() && high.is_finite() {
                    let expected = low * (1.0 - place.fract()) + high * place.fract();
                    // The place is rounded here.
                    let error = (low.abs() + high.abs()) * (4.0 + 2.0 * place) * f64::EPSILON;
                    prop_assert!(low <= *result && *result <= high && (result / 2.0 - expected / 2.0).abs() <= error.max(1e-300));
                }
            }
            let mut turned = values.clone();
            turned.rotate_left(turn % values.len());
            let bits = |results: Vec<f64>| results.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(of(&turned, &percentiles)), bits(results));
        }
    }

    #[test]
    fn percentiles_as_others_compute_them() {
        // numpy.percentile([1, 2, 3, 4], [0, 25, 50, 75, 100])
        assert_eq!(of(&[4.0, 1.0, 3.0, 2.0], &[0.0, 25.0, 50.0, 75.0, 100.0]), [1.0, 1.75, 2.5, 3.25, 4.0]);
        assert_eq!(of(&[7.0], &[0.0, 33.0, 100.0]), [7.0; 3]);
        assert_eq!(of(&[f64::MAX, f64::MIN], &[50.0]), [0.0]);
        assert_eq!(of(&[f64::INFINITY, f64::INFINITY, 1.0], &[60.0, 0.0]), [f64::INFINITY, 1.0]);
        assert!(of(&[1.0, -f64::NAN], &[100.0])[0].is_nan());
        assert_eq!(of(&[1.0, -f64::NAN], &[0.0]), [1.0]);
        assert!(percentiles(&mut [], &[50.0], |n: &u8| i64::from(*n).into()).is_none());
    }

    #[test]
    fn integers_beyond_the_mantissa_of_a_float_are_interpolated_exactly() {
        let two_to_53 = 1_i64 << 53;
        let numbers = [two_to_53 + 7, two_to_53 + 3].map(ValueRef::Int);
        assert_eq!(of_numbers(&numbers, &[75.0]), [(two_to_53 + 6) as f64]);
        let wide = [ValueRef::UInt128(u128::MAX), ValueRef::Int128(i128::MIN)];
        assert_eq!(of_numbers(&wide, &[0.0, 50.0, 100.0]), [-(2f64.powi(127)), 2f64.powi(126), 2f64.powi(128)]);
    }

    #[test]
    fn a_percentile_may_be_as_small_as_a_float() {
        let result = of_numbers(&[ValueRef::Int(0), ValueRef::Int(100)], &[f64::MIN_POSITIVE, 5e-324, 1e-30]);
        assert_eq!(result, [f64::MIN_POSITIVE, 5e-324, 1e-30]);
        assert_eq!(of(&[f64::NEG_INFINITY, 1.0], &[5e-324, 100.0_f64.next_down()]), [f64::NEG_INFINITY; 2]);
    }
}

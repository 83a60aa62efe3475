use super::super::reference::{Big, is_nearest};
use super::*;
use proptest::prelude::*;

/// The units are at most half of the least positive `f64`.
const UNITS: i32 = 1_080;

fn naive(values: &[f64]) -> Big {
    values.iter().fold(Big::default(), |sum, x| sum.plus(&Big::of_float(*x, UNITS)))
}

fn sum(values: impl IntoIterator<Item = f64>) -> FloatSum {
    let mut sum = FloatSum::default();
    values.into_iter().for_each(|x| sum.add(x));
    sum
}

/// Finite numbers with any bits, uniform over the exponents.
fn any_bits() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |x| x.is_finite())
}

/// Numbers close to each other, so that they cancel and tie, and extreme numbers.
fn close() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-3i32..=3, 0u64..4).prop_map(|(n, low)| f64::from_bits((f64::from(n) * 0.75).to_bits() ^ low)),
        (-4i64..4).prop_map(|n| f64::from_bits(n.unsigned_abs()) * n.signum() as f64),
        Just(f64::MAX),
        Just(f64::MIN),
        Just(f64::MIN_POSITIVE),
        (50i32..56, any::<bool>()).prop_map(|(e, minus)| if minus { -(2f64.powi(e)) } else { 2f64.powi(-e) }),
        Just(2f64.powi(970)),
    ]
}

/// The sum divided by a number that is not 0, rounded once.
fn round_over(sum: &FloatSum, divisor: u64) -> f64 {
    sum.special().unwrap_or_else(|| {
        let (negative, magnitude) = sum.magnitude();
        signed(negative, magnitude.over(LEAST_EXPONENT, &[divisor]).round())
    })
}

proptest! {
    // Each case compares numbers of thousands of bits digit by digit.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn sums_and_means_are_the_nearest_floats(
        values in prop::collection::vec(prop_oneof![any_bits(), close(), -1e6..1e6], 0..30),
        divisor in prop_oneof![1u64..10, any::<u64>().prop_map(|n| n.max(1))],
        seed in any::<usize>(),
    ) {
        let exact = sum(values.iter().copied());
        let (one, rounded) = (Big::new(1), exact.round());
        prop_assert!(is_nearest(rounded, &naive(&values), &one, UNITS), "{rounded:e}");
        let mean = round_over(&exact, divisor);
        prop_assert!(is_nearest(mean, &naive(&values), &Big::new(divisor.into()), UNITS), "{mean:e}");

        // In another order, merged from two parts.
        let mut turned = values.clone();
        turned.rotate_left(seed % values.len().max(1));
        turned.reverse();
        let (some, others) = turned.split_at(seed % (values.len() + 1));
        let mut merged = sum(some.iter().copied());
        merged.merge(&sum(others.iter().copied()));
        prop_assert_eq!(merged.round().to_bits(), rounded.to_bits());

        // Remove some values, then all.
        some.iter().for_each(|x| merged.remove(*x));
        prop_assert_eq!(merged.round().to_bits(), sum(others.iter().copied()).round().to_bits());
        others.iter().for_each(|x| merged.remove(*x));
        prop_assert!(merged.magnitude().1 == Natural::default());
        prop_assert_eq!(merged.round().to_bits(), 0);
    }

    #[test]
    fn sums_of_squares_are_exact(values in prop::collection::vec(prop_oneof![any_bits(), close()], 0..20)) {
        let mut squares = SquareSum::default();
        values.iter().for_each(|x| squares.add(*x));
        let naive = values.iter().fold(Big::default(), |sum, x| {
            let x = Big::of_float(*x, 1_074);
            sum.plus(&x.times(&x))
        });
        prop_assert!(big(&squares.magnitude()).minus(&naive).is_zero());
        let (first, second) = values.split_at(values.len() / 3);
        let mut merged = SquareSum::default();
        first.iter().for_each(|x| merged.add(*x));
        let mut more = SquareSum::default();
        second.iter().for_each(|x| more.add(*x));
        merged.merge(&more);
        prop_assert_eq!(merged.magnitude(), squares.magnitude());
        values.iter().for_each(|x| merged.remove(*x));
        prop_assert!(merged.magnitude() == Natural::default());
    }
}

fn big(natural: &Natural) -> Big {
    natural.limbs().iter().rev().fold(Big::default(), |big, limb| big.shifted(64).plus(&Big::new((*limb).into())))
}

#[test]
fn intermediate_sums_may_exceed_the_range_of_floats() {
    assert_eq!(sum([1e308, 1e308]).round(), f64::INFINITY);
    assert_eq!(sum([1e308, 1e308, -1e308]).round(), 1e308);
    assert_eq!(sum([-1e308, -1e308]).round(), f64::NEG_INFINITY);
    assert_eq!(round_over(&sum([1e308, 1e308]), 2), 1e308);
    assert_eq!(sum([1.0, 1e100, 1.0, -1e100]).round(), 2.0);
    assert_eq!(sum([0.1; 10]).round(), 1.0);
    assert_eq!(sum([-0.0, -0.0]).round().to_bits(), 0);
    assert_eq!(round_over(&sum([-f64::from_bits(1)]), 3).to_bits(), 0);
}

#[test]
fn thousands_of_summands_carry() {
    for x in [f64::MAX, -f64::MAX, 1.0 - f64::EPSILON / 2.0, -f64::from_bits(1), 2f64.powi(31) - 1.0] {
        let mut all = sum(std::iter::repeat_n(x, 5_000));
        let mut squares = SquareSum::default();
        (0..5_000).for_each(|_| squares.add(x));
        assert_eq!(round_over(&all, 5_000), x);
        let square = Big::of_float(x, 1_074).times(&Big::of_float(x, 1_074)).times(&Big::new(5_000));
        assert!(big(&squares.magnitude()).minus(&square).is_zero());
        (0..5_000).for_each(|_| all.remove(x));
        assert!(all.magnitude().1 == Natural::default());
        (0..5_000).for_each(|_| squares.remove(x));
        assert!(squares.magnitude() == Natural::default());
    }
}

#[test]
fn infinities_and_nan_can_be_removed() {
    let mut all = sum([1.0, f64::INFINITY]);
    assert_eq!(all.round(), f64::INFINITY);
    all.add(f64::NEG_INFINITY);
    assert!(all.round().is_nan());
    all.remove(f64::INFINITY);
    assert_eq!(all.round(), f64::NEG_INFINITY);
    all.add(f64::NAN);
    assert!(round_over(&all, 3).is_nan());
    all.remove(-f64::NAN);
    all.remove(f64::NEG_INFINITY);
    assert_eq!(all.round(), 1.0);
    let mut merged = sum([f64::INFINITY, f64::NAN]);
    merged.merge(&sum([f64::NEG_INFINITY]));
    merged.merge(&FloatSum::default());
    merged.remove(f64::NAN);
    merged.remove(f64::INFINITY);
    assert_eq!(merged.round(), f64::NEG_INFINITY);
}

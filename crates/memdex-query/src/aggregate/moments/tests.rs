use super::super::reference::{Big, is_nearest, is_nearest_root};
use super::*;
use crate::value::DecimalValue;
use proptest::prelude::*;

/// A value as an integer, in units of 2^-1080 for floats and of 10^-28 for decimals.
fn exact(value: &Value) -> Big {
    match value.as_ref() {
        ValueRef::Int(n) => Big::new(n.into()),
        ValueRef::Int128(n) => Big::new(n),
        ValueRef::UInt128(n) => Big::of_u128(n),
        ValueRef::Float(x) => Big::of_float(x, 1_080),
        ValueRef::Decimal(number) => {
            Big::new(number.units()).times(&Big::new(10i128.pow(28 - u32::from(number.scale()))))
        }
        other => panic!("{other}"),
    }
}

/// The divisor that converts `exact` to plain values; floats keep their unit of 2^-1080.
fn unit(kind: Kind) -> Big {
    match kind {
        Kind::Float => Big::new(1),
        Kind::Decimal => Big::new(10i128.pow(28)).shifted(0),
        _ => Big::new(1),
    }
}

fn values() -> impl Strategy<Value = (Kind, Vec<Value>)> {
    let small = (-5i64..1_000).prop_map(Value::from);
    let int = prop_oneof![
        4 => small.clone(),
        2 => any::<i64>().prop_map(Value::from),
        1 => any::<i128>().prop_map(Value::from),
        1 => any::<u128>().prop_map(Value::from),
        1 => prop::sample::select(vec![i128::MIN, i128::MAX, i64::MIN.into()]).prop_map(Value::from),
    ];
    let ints = prop_oneof![prop::collection::vec(small, 0..20), prop::collection::vec(int, 0..12)];
    let float = prop_oneof![
        (-1e3..1e3).prop_map(Value::from),
        (0..5u32).prop_map(|n| Value::from(1e9 + f64::from(n) * 1e-3)),
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |x| x.is_finite()).prop_map(Value::from),
        Just(Value::from(f64::MAX)),
        Just(Value::from(f64::from_bits(1))),
    ];
    let near = (0..50u32).prop_map(|n| Value::from(1e9 + f64::from(n) * 1e-3));
    let floats = prop_oneof![prop::collection::vec(near, 0..12), prop::collection::vec(float, 0..12)];
    let units = prop_oneof![-100_000i128..100_000, any::<i64>().prop_map(i128::from), any::<i128>()];
    let decimal = (units, prop_oneof![Just(2u8), 0u8..=28])
        .prop_map(|(units, scale)| ValueRef::Decimal(DecimalValue::new(units, scale).unwrap()).to_value());
    prop_oneof![
        ints.prop_map(|values| (Kind::Int, values)),
        floats.prop_map(|values| (Kind::Float, values)),
        prop::collection::vec(decimal, 0..12).prop_map(|values| (Kind::Decimal, values)),
    ]
}

fn moments<'a>(kind: Kind, values: impl IntoIterator<Item = &'a Value>) -> Moments {
    let mut moments = Moments::new(kind, true).unwrap();
    values.into_iter().for_each(|value| moments.add(value.as_ref()));
    moments
}

fn count(moments: &Moments) -> u64 {
    match moments {
        Moments::Ints(ints) => ints.count,
        Moments::Floats(floats) => floats.count,
        Moments::Decimals(decimals) => decimals.count,
        Moments::Mixed(mixed) => mixed.all.count,
    }
}

/// Whether a mean in units of 10^-28 is as near to the quotient as the digits of a decimal allow.
fn is_nearest_decimal(mean: &Big, sum: &Big, count: i128) -> bool {
    let magnitude = |n: &Big| if n.is_negative() { Big::default().minus(n) } else { n.clone() };
    let (mut last_digit, mut most) = (Big::new(1), Big::new(i128::MAX));
    while magnitude(mean).compare(&most).is_gt() {
        (last_digit, most) = (last_digit.times(&Big::new(10)), most.times(&Big::new(10)));
    }
    let error = magnitude(&mean.times(&Big::new(count)).minus(sum));
    error.times(&Big::new(2)).compare(&last_digit.times(&Big::new(count))).is_le()
}

type Results = (u64, Result<Value, StatisticsError>, Option<Value>, [Option<u64>; 2]);

fn results(moments: &Moments) -> Results {
    let bits = [moments.stddev(), moments.stddev_pop()].map(|result| result.map(f64::to_bits));
    (count(moments), moments.sum(), moments.avg(), bits)
}

proptest! {
    // Each case compares numbers of thousands of bits digit by digit.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn results_are_right_to_the_last_bit((kind, values) in values()) {
        let all = moments(kind, &values);
        let n = values.len() as i128;
        prop_assert_eq!(count(&all), n as u64);
        let sum = values.iter().fold(Big::default(), |sum, value| sum.plus(&exact(value)));
        match all.sum() {
            Ok(result) if kind == Kind::Float => {
                let ValueRef::Float(result) = result.as_ref() else { panic!("{result}") };
                prop_assert!(is_nearest(result, &sum, &Big::new(1), 1_080));
            }
            Ok(result) => prop_assert!(exact(&result).minus(&sum).is_zero(), "{}", result),
            Err(error) => {
                // At least 2^127 units, or a decimal with too many digits.
                prop_assert!(kind != Kind::Float && n > 1);
                let limit = if kind == Kind::Int { Big::of_u128(u128::MAX) } else { Big::new(i128::MAX) };
                let beyond = sum.is_negative() || sum.compare(&limit).is_gt();
                prop_assert!(beyond, "{error}");
            }
        }
        // All in the unit that `is_nearest` expects.
        let scale = if kind == Kind::Float { Big::new(1) } else { Big::new(1).shifted(1_080) };
        match all.avg() {
            None => prop_assert_eq!(n, 0),
            Some(avg) => match avg.as_ref() {
                ValueRef::Float(avg) => {
                    let divisor = unit(kind).times(&Big::new(n));
                    prop_assert!(is_nearest(avg, &sum.times(&scale), &divisor, 1_080), "{}", avg);
                }
                _ => prop_assert!(is_nearest_decimal(&exact(&avg), &sum, n), "{}", avg),
            }
        }
        let squares = values.iter().fold(Big::default(), |sum, value| sum.plus(&exact(value).times(&exact(value))));
        let spread = squares.times(&Big::new(n)).minus(&sum.times(&sum)).times(&scale).times(&scale);
        for (deviation, less) in [(all.stddev(), 1), (all.stddev_pop(), 0)] {
            match deviation {
                None => prop_assert!(n <= less),
                Some(deviation) => {
                    let divisor = unit(kind).times(&unit(kind)).times(&Big::new(n)).times(&Big::new(n - less));
                    prop_assert!(is_nearest_root(deviation, &spread, &divisor, 1_080), "{}", deviation);
                }
            }
        }
    }

    #[test]
    fn removed_values_leave_no_trace((kind, values) in values(), at in any::<prop::sample::Index>(), order in any::<u64>()) {
        let at = if values.is_empty() { 0 } else { at.index(values.len()) };
        let (stay, leave) = values.split_at(at);
        let mut all = moments(kind, leave.iter().rev().chain(stay));
        prop_assert_eq!(results(&all), results(&moments(kind, &values)));
        let mut merged = moments(kind, leave);
        merged.merge(&moments(kind, stay));
        prop_assert_eq!(results(&merged), results(&all));
        for value in leave {
            if order % 2 == 0 { all.remove(value.as_ref()) } else { merged.remove(value.as_ref()) }
        }
        let left = if order % 2 == 0 { &mut all } else { &mut merged };
        prop_assert_eq!(results(left), results(&moments(kind, stay)));
        stay.iter().for_each(|value| left.remove(value.as_ref()));
        prop_assert_eq!(format!("{left:?}"), format!("{:?}", Moments::new(kind, true).unwrap()));
    }
}

#[test]
fn results_of_few_values_and_of_none() {
    for kind in [Kind::Int, Kind::Float, Kind::Decimal] {
        let none = Moments::new(kind, true).unwrap();
        assert_eq!(none.sum().unwrap().as_ref().kind(), Some(kind));
        assert_eq!((none.avg(), none.stddev(), none.stddev_pop()), (None, None, None));
    }
    let one = moments(Kind::Int, &[Value::from(7)]);
    assert_eq!((one.avg(), one.stddev(), one.stddev_pop()), (Some(7.0.into()), None, Some(0.0)));
    let mut known = moments(Kind::Int, [2, 4, 4, 4, 5, 5, 7, 9].map(Value::from).iter());
    assert_eq!(known.stddev_pop(), Some(2.0));
    known.add(ValueRef::Null);
    assert_eq!((count(&known), known.avg()), (8, Some(5.0.into())));
    assert!(Moments::new(Kind::Str, false).is_none());
    let mut without = Moments::new(Kind::Int, false).unwrap();
    without.add(ValueRef::Int(1));
    without.add(ValueRef::Int(2));
    assert_eq!((without.avg(), without.stddev()), (Some(1.5.into()), None));
}

#[test]
fn a_sum_that_overflows_is_refused_but_has_a_mean() {
    let mut wide = moments(Kind::Int, [u128::MAX, 1].map(Value::from).iter());
    assert_eq!(wide.sum(), Err(StatisticsError::Overflow { kind: Kind::Int }));
    assert_eq!(wide.avg(), Some(2f64.powi(127).into()));
    wide.add(ValueRef::Int(-1));
    assert_eq!(wide.sum(), Ok(Value::from(u128::MAX)));
    let low = moments(Kind::Int, [i128::MIN, -1].map(Value::from).iter());
    assert_eq!(low.sum(), Err(StatisticsError::Overflow { kind: Kind::Int }));
    let decimals =
        ["99999999999999999999999999999999999999", "0.1"].map(|text| Value::from_text(Kind::Decimal, text).unwrap());
    let error = moments(Kind::Decimal, &decimals).sum().unwrap_err();
    assert!(error.to_string().contains("a decimal"), "{error}");
    let infinite = moments(Kind::Float, [1.0, f64::INFINITY].map(Value::from).iter());
    assert_eq!((infinite.avg(), infinite.sum()), (Some(f64::INFINITY.into()), Ok(Value::from(f64::INFINITY))));
    assert!(infinite.stddev().is_some_and(f64::is_nan));
}

#[test]
fn numbers_among_other_values_are_integers_or_floats() {
    let mut mixed = Moments::mixed(true);
    assert_eq!((mixed.sum(), mixed.avg()), (Ok(Value::NULL), None));
    let all =
        [Value::from("x"), Value::from(true), Value::from(1_i64 << 60), Value::from(-3), Value::from(u128::MAX / 2)];
    all.iter().for_each(|value| mixed.add(value.as_ref()));
    let ints = moments(Kind::Int, &all[2..]);
    assert_eq!(results(&mixed), results(&ints), "exactly");
    mixed.add_times(ValueRef::Float(0.5), 3);
    let floats: Vec<Value> = [(1u64 << 60) as f64, -3.0, (u128::MAX / 2) as f64, 0.5, 0.5, 0.5].map(Value::from).into();
    assert_eq!(results(&mixed), results(&moments(Kind::Float, &floats)));
    (0..3).for_each(|_| mixed.remove(ValueRef::Float(0.5)));
    assert_eq!(results(&mixed), results(&ints));
    let mut wide = mixed.clone();
    wide.add(ValueRef::from(u128::MAX));
    assert_eq!(wide.sum(), Ok(Value::from(1.5 * 2f64.powi(128))), "integers together may be too large for one");
    let mut merged = Moments::mixed(true);
    merged.merge(&mixed);
    all.iter().for_each(|value| merged.remove(value.as_ref()));
    assert_eq!((count(&merged), merged.sum()), (0, Ok(Value::NULL)));
}

#[test]
fn partial_sums_are_sums() {
    let mut parts = IntMoments::new(false);
    parts.add_partial(3, 6);
    let mut whole = Moments::new(Kind::Int, false).unwrap();
    [1, 2, 3].iter().for_each(|n| whole.add(ValueRef::Int(*n)));
    assert_eq!(results(&Moments::Ints(parts)), results(&whole));
}

#[test]
fn means_of_decimals_are_rounded_to_even_at_the_last_digit_that_fits() {
    let mean = |texts: &[&str]| {
        let values: Vec<Value> = texts.iter().map(|text| Value::from_text(Kind::Decimal, text).unwrap()).collect();
        moments(Kind::Decimal, &values).avg().unwrap().as_ref().to_string()
    };
    let tiny = |digit: u8| format!("0.000000000000000000000000000{digit}");
    assert_eq!(mean(&["0.1", "0.2"]), "0.15");
    assert_eq!(mean(&["1", "0", "0"]), format!("0.{}", "3".repeat(28)));
    assert_eq!(mean(&["-2", "0", "0"]), format!("-0.{}7", "6".repeat(27)));
    // Halves of the last digit.
    assert_eq!(mean(&[&tiny(1), &tiny(2)]), tiny(2));
    assert_eq!(mean(&[&tiny(2), &tiny(3)]), tiny(2));
    // Fewer digits fit behind the point of a great number.
    let great = "9999999999999999999999999999999999";
    assert_eq!(mean(&[great, great, "1"]), "6666666666666666666666666666666666.3333");
    let max = i128::MAX.to_string();
    assert_eq!(mean(&[&max, &max]), max);
    assert_eq!(mean(&[&max, "0"]), "85070591730234615865843651857942052864");
    let min = i128::MIN.to_string();
    assert_eq!(mean(&[&min, &min, &min]), min);
}

use super::*;
use proptest::prelude::*;

fn any_int() -> impl Strategy<Value = i128> {
    prop_oneof![
        -50i128..50,
        any::<i64>().prop_map(i128::from),
        any::<i128>(),
        prop::sample::select(vec![i128::MIN, i128::MAX, i64::MIN.into(), i64::MAX.into()]),
    ]
}

proptest! {
    #[test]
    fn an_integer_lies_between_its_bounds(n in any_int(), width in any_int(), offset in any_int(), narrow in any::<bool>()) {
        let (width, offset) = if narrow { (width % 100, offset % 1_000) } else { (width, offset) };
        let buckets = Buckets::new(Kind::Int, ValueRef::from(width), ValueRef::from(offset));
        prop_assert_eq!(buckets.is_ok(), width > 0);
        let Ok(buckets) = buckets else { return Ok(()) };
        let Some(number) = buckets.number_of(ValueRef::from(n)) else {
            // Only a bound below the least integer is missing.
            prop_assert!(n.checked_sub(width).is_none());
            return Ok(());
        };
        let bound = |number| buckets.lower_bound(number).and_then(|bound| bound.as_i128());
        let lower = bound(number).unwrap();
        prop_assert!(lower <= n && n.abs_diff(lower) < width.unsigned_abs());
        prop_assert!(number.checked_add(1).and_then(bound).is_none_or(|next| n < next && next.abs_diff(lower) == width.unsigned_abs()));
        // The bound is the offset plus a whole number of widths.
        prop_assert_eq!(lower.rem_euclid(width), offset.rem_euclid(width));
    }

    #[test]
    fn a_float_lies_between_its_bounds(
        x in prop_oneof![-1e3..1e3, (-50i32..50).prop_map(|n| f64::from(n) * 0.1), any::<f64>()],
        width in prop_oneof![0.01..10.0, Just(0.1), any::<f64>()],
        offset in prop_oneof![Just(0.0), -10.0..10.0, any::<f64>()],
    ) {
        let buckets = Buckets::new(Kind::Float, ValueRef::Float(width), ValueRef::Float(offset));
        prop_assert_eq!(buckets.is_ok(), width > 0.0 && width.is_finite() && offset.is_finite());
        let Ok(buckets) = buckets else { return Ok(()) };
        match buckets.number_of(ValueRef::from(x)) {
            Some(number) => {
                let bound = |k: i128| offset + k as f64 * width;
                prop_assert!(bound(number) <= x && x < bound(number + 1));
                prop_assert_eq!(buckets.lower_bound(number), Some(Value::from(bound(number))));
            }
            None => prop_assert!(!x.is_finite() || (x / width - offset / width).abs() > 1e6 || (offset / width).abs() > 1e6),
        }
    }

    #[test]
    fn a_decimal_lies_between_its_bounds(
        (units, scale) in (prop_oneof![-10_000i128..10_000, any::<i64>().prop_map(i128::from)], 0u8..=28),
        (width, width_scale) in (1i128..5_000, 0u8..=9),
        (offset, offset_scale) in (-5_000i128..5_000, 0u8..=9),
    ) {
        let decimal = |units, scale| DecimalValue::new(units, scale).unwrap();
        let (number, width, offset) = (decimal(units, scale), decimal(width, width_scale), decimal(offset, offset_scale));
        let buckets = Buckets::new(Kind::Decimal, ValueRef::Decimal(width), ValueRef::Decimal(offset)).unwrap();
        let k = buckets.number_of(ValueRef::Decimal(number)).unwrap();
        let bounds = [k, k + 1].map(|k| buckets.lower_bound(k).unwrap());
        let value = ValueRef::Decimal(number).to_value();
        prop_assert!(bounds[0] <= value && value < bounds[1]);
        // The widths below are integers in units of 10^-9.
        let nanos = |value: &Value| match value.as_ref() {
            ValueRef::Decimal(number) => number.units() * 10i128.pow(9 - u32::from(number.scale())),
            other => panic!("{other}"),
        };
        let [width, offset] = [width, offset].map(|number| nanos(&ValueRef::Decimal(number).to_value()));
        prop_assert_eq!(nanos(&bounds[1]) - nanos(&bounds[0]), width);
        prop_assert_eq!((nanos(&bounds[0]) - offset).rem_euclid(width), 0);
    }
}

#[test]
fn values_without_a_bucket() {
    let ints = Buckets::new(Kind::Int, ValueRef::from(10), ValueRef::from(5)).unwrap();
    let of = |value: ValueRef<'_>| ints.number_of(value).and_then(|number| ints.lower_bound(number));
    assert_eq!(of(ValueRef::from(4)), Some(Value::from(-5)));
    assert_eq!(of(ValueRef::from(i64::MIN)), Some(Value::from(i128::from(i64::MIN) - 7)));
    // The bound ends in 5.
    assert_eq!(of(ValueRef::from(u128::MAX)), Some(Value::from(u128::MAX)));
    assert_eq!(of(ValueRef::from(i128::MIN)), None);
    assert_eq!((of(ValueRef::Null), of(ValueRef::from(1.0))), (None, None));
    // The width is so great that the lower bound of a small number is below the least integer.
    let number = |n: i64, less: i128| {
        let offset = ValueRef::from(i128::MAX - less);
        Buckets::new(Kind::Int, ValueRef::from(i128::MAX), offset).unwrap().number_of(ValueRef::from(n))
    };
    assert_eq!((number(-1, 1), number(-2, 1)), (Some(-1), Some(-2)));
    assert_eq!((number(-2, 2), number(-3, 2)), (Some(-1), None));
    let ones = Buckets::new(Kind::Int, ValueRef::from(1), ValueRef::from(0)).unwrap();
    assert_eq!(ones.number_of(ValueRef::from(i64::MIN)), Some(i64::MIN.into()));
    let floats = Buckets::new(Kind::Float, ValueRef::from(1), ValueRef::from(0)).unwrap();
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        assert_eq!(floats.number_of(ValueRef::from(x)), None);
    }
    assert_eq!(floats.number_of(ValueRef::from(-0.5)), Some(-1));
    for (kind, width) in
        [(Kind::Int, ValueRef::from(0)), (Kind::Str, ValueRef::from(1)), (Kind::Int, ValueRef::from(1.5))]
    {
        let error = Buckets::new(kind, width, ValueRef::from(0)).unwrap_err();
        assert!(error.to_string().contains("above 0"), "{error}");
    }
}

#[test]
fn empty_buckets_are_filled_in_up_to_a_limit() {
    let tens = Buckets::new(Kind::Int, ValueRef::from(10), ValueRef::from(0)).unwrap();
    let all: Vec<_> = tens.between(-1, 1).unwrap().map(|(_, bound)| bound).collect();
    assert_eq!(all, [-10, 0, 10].map(Value::from));
    assert_eq!(tens.between(1, 0).unwrap().count(), 0);
    assert_eq!(tens.between(1, MAX_BUCKETS as i128).unwrap().count(), MAX_BUCKETS);
    let error = tens.between(0, MAX_BUCKETS as i128).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("100001 buckets"), "{error}");
    assert!(tens.between(i128::MIN, i128::MAX).is_err());
}

#[test]
fn a_float_has_no_bucket_with_an_infinite_bound() {
    for (x, width) in [(f64::MIN, 1e300), (-1e308, 0.7 * f64::MAX), (f64::MIN, 0.7 * f64::MAX)] {
        let buckets = FloatBuckets::new(width, 0.0).unwrap();
        let bound = buckets.number_of(x).map(|number| buckets.lower_bound(number as f64));
        assert!(bound.is_none_or(|bound| bound.is_finite() && bound <= x), "{x} in widths of {width}: {bound:?}");
    }
    assert_eq!(FloatBuckets::new(1e300, 0.0).unwrap().number_of(f64::MIN), None);
    assert_eq!(FloatBuckets::new(1e300, 0.0).unwrap().number_of(-1.5e300), Some(-2));
}

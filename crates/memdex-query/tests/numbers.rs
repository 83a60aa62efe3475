//! Numbers of all kinds, compared by value: each pair, by every test of a field, against the digits that Rust prints.

use memdex_query::query::{Predicate, field};
use memdex_query::schema::{Condition, FieldAt, FieldDef, FieldSource, Schema};
use memdex_query::value::{DecimalValue, Fitted, Kind, Value, ValueRef, compare_numbers};
use proptest::prelude::*;
use std::cmp::Ordering;
use std::ops::Bound;

/// The digits of a number: whether it is negative, those before the point, those behind it. Rust prints the exact
/// digits of a float.
fn digits(value: ValueRef<'_>) -> Option<(bool, String, String)> {
    let text = match value {
        ValueRef::Float(x) if !x.is_finite() => return None,
        ValueRef::Float(x) => format!("{x:.1100}"),
        other => other.to_string(),
    };
    let magnitude = text.trim_start_matches('-');
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let zero = whole.is_empty() && fraction.is_empty();
    Some((text.starts_with('-') && !zero, whole.to_owned(), fraction.to_owned()))
}

/// The order by digits.
fn by_digits(a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
    let beyond = |value: ValueRef<'_>| match value {
        ValueRef::Float(x) if x == f64::NEG_INFINITY => -1,
        ValueRef::Float(x) if x == f64::INFINITY => 1,
        ValueRef::Float(x) if x.is_nan() => 2,
        _ => 0,
    };
    let (Some((not_a, a_whole, a_fraction)), Some((not_b, b_whole, b_fraction))) = (digits(a), digits(b)) else {
        return beyond(a).cmp(&beyond(b));
    };
    let magnitude = (a_whole.len(), a_whole, a_fraction).cmp(&(b_whole.len(), b_whole, b_fraction));
    match (not_a, not_b) {
        (false, false) => magnitude,
        (true, true) => magnitude.reverse(),
        (not_a, _) => {
            if not_a {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
    }
}

fn numbers() -> Vec<Value> {
    let decimal = |units, scale| Value::from(DecimalValue::new(units, scale).unwrap());
    let mut numbers: Vec<Value> = [
        0,
        1,
        2,
        10,
        499,
        500,
        501,
        (1 << 53) - 1,
        1 << 53,
        (1 << 53) + 1,
        (1 << 53) + 2,
        i64::MAX as i128,
        i64::MAX as i128 + 1,
        u64::MAX as i128,
        1 << 100,
        (1 << 100) + 1,
        i128::MAX - 1,
        i128::MAX,
    ]
    .into_iter()
    .flat_map(|n: i128| [Value::from(n), Value::from(-n)])
    .collect();
    numbers.extend([i128::MIN, i128::MIN + 1, i64::MIN as i128, i64::MIN as i128 - 1].map(Value::from));
    numbers.extend([1 << 127, (1 << 127) + 1, u128::MAX - 1, u128::MAX].map(Value::from));
    let two = |power| 2.0_f64.powi(power);
    let floats = [
        0.0,
        0.1,
        0.25,
        0.3,
        0.5,
        1.0,
        1.5,
        499.5,
        500.0,
        0.1 + 0.2,
        5e-324,
        f64::MIN_POSITIVE,
        1e-28,
        1e-29,
        1e15,
        9_007_199_254_740_993.0,
        two(-28),
        two(-29),
        two(-94),
        two(62),
        two(63),
        two(64),
        two(100),
        two(127),
        two(127).next_down(),
        two(128),
        two(128).next_down(),
        1e300,
        f64::MAX,
        f64::INFINITY,
    ];
    numbers.extend(floats.into_iter().flat_map(|x| [Value::from(x), Value::from(-x)]));
    numbers.push(Value::from(f64::NAN));
    let decimals = [
        (0, 0),
        (1, 1),
        (5, 1),
        (25, 2),
        (3, 1),
        (4995, 1),
        (500, 0),
        (1, 28),
        (9, 28),
        (i128::MAX, 0),
        (i128::MAX, 1),
        (i128::MAX, 28),
        (9_007_199_254_740_993, 0),
        (90_071_992_547_409_925, 1),
        (1 << 100, 0),
        (1 << 100, 5),
        (1_000_000_000_000_000_055_511_151_231, 28),
    ];
    numbers.extend(decimals.into_iter().flat_map(|(units, scale)| [decimal(units, scale), decimal(-units, scale)]));
    numbers.extend([(i128::MIN, 0), (i128::MIN, 1), (i128::MIN, 28)].map(|(units, scale)| decimal(units, scale)));
    numbers
}

fn check(a: ValueRef<'_>, b: ValueRef<'_>) {
    assert_eq!(compare_numbers(a, b), Some(by_digits(a, b)), "{a:?} and {b:?}");
    for kind in [Kind::Int, Kind::Float, Kind::Decimal] {
        match Fitted::new(a, kind).unwrap() {
            Fitted::Exact(value) => {
                assert_eq!(value.as_ref().kind(), Some(kind));
                assert_eq!(by_digits(value.as_ref(), a), Ordering::Equal, "{a:?} as {value:?}");
            }
            Fitted::Between(below, above) => {
                assert!(below.is_some() || above.is_some());
                let ends = [(&below, Ordering::Less), (&above, Ordering::Greater)];
                for (end, order) in ends.into_iter().filter_map(|(end, order)| Some((end.as_ref()?, order))) {
                    assert_eq!(end.as_ref().kind(), Some(kind));
                    assert_eq!(by_digits(end.as_ref(), a), order, "{a:?} next to {end:?}");
                }
                // No value of the kind is between the two.
                if b.kind() == Some(kind) {
                    let is = |end: &Option<Value>, order| {
                        end.as_ref().is_some_and(|end| by_digits(b, end.as_ref()) == order)
                    };
                    let not_above = below.as_ref().is_some_and(|_| !is(&below, Ordering::Greater));
                    let not_below = above.as_ref().is_some_and(|_| !is(&above, Ordering::Less));
                    assert!(not_above || not_below, "{b:?} is between {below:?} and {above:?}");
                }
            }
        }
    }
}

#[test]
fn numbers_are_compared_by_value() {
    let numbers = numbers();
    for a in &numbers {
        for b in &numbers {
            check(a.as_ref(), b.as_ref());
        }
    }
    assert_eq!(compare_numbers(ValueRef::from(1), ValueRef::Str("1")), None);
    assert_eq!(Fitted::new(ValueRef::from(1), Kind::Str), None);
    assert_eq!(Fitted::new(ValueRef::Str("1"), Kind::Int), None);
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<i128>().prop_map(Value::from),
        any::<u128>().prop_map(Value::from),
        any::<u64>().prop_map(|bits| Value::from(f64::from_bits(bits))),
        (-1_000_000_i64..1_000_000, -60_i32..130).prop_map(|(n, power)| Value::from(n as f64 * 2.0_f64.powi(power))),
        (any::<i128>(), 0_u8..=28, 0_u32..128).prop_map(|(units, scale, down)| {
            DecimalValue::new(units >> down, scale).map_or(Value::from(0), Value::from)
        }),
    ]
}

proptest! {
    #[test]
    fn random_numbers_are_compared_by_value(a in number(), b in number()) {
        check(a.as_ref(), b.as_ref());
        // Numbers that are near each other.
        for kind in [Kind::Int, Kind::Float, Kind::Decimal] {
            if let Some(Fitted::Exact(near)) | Some(Fitted::Between(Some(near), _)) = Fitted::new(a.as_ref(), kind) {
                check(a.as_ref(), near.as_ref());
                check(near.as_ref(), a.as_ref());
            }
        }
    }
}

const KINDS: [Kind; 3] = [Kind::Int, Kind::Float, Kind::Decimal];

/// A field of each kind: the first three have one value, the others two. The last one is missing.
fn schema() -> Schema {
    let of = |name, kind| FieldDef::new(name, kind).optional();
    Schema::new([
        of("integer", Kind::Int),
        of("float", Kind::Float),
        of("decimal", Kind::Decimal),
        FieldDef::new("integers", Kind::Int).many(),
        FieldDef::new("floats", Kind::Float).many(),
        FieldDef::new("decimals", Kind::Decimal).many(),
    ])
}

/// A record with one value in the field of its kind, or in that of many values, where 7 is another one.
struct Record<'a> {
    value: &'a Value,
    many: bool,
}

impl Record<'_> {
    fn position(&self) -> usize {
        let kind = self.value.as_ref().kind();
        KINDS.iter().position(|of| Some(*of) == kind).unwrap() + if self.many { 3 } else { 0 }
    }

    fn name(&self) -> &'static str {
        ["integer", "float", "decimal", "integers", "floats", "decimals"][self.position()]
    }
}

impl FieldSource for Record<'_> {
    fn value_at(&self, field: &FieldAt) -> ValueRef<'_> {
        if field.position() == self.position() { self.value.as_ref() } else { ValueRef::Null }
    }

    fn values_at<'a>(&'a self, field: &FieldAt, each: &mut dyn FnMut(ValueRef<'a>)) {
        if field.position() == self.position() {
            let kind = self.value.as_ref().kind().unwrap();
            let seven: [ValueRef<'static>; 3] = [ValueRef::Int(7), ValueRef::Float(7.0), ValueRef::Decimal(7.into())];
            each(seven[KINDS.iter().position(|of| *of == kind).unwrap()]);
            each(self.value.as_ref());
        }
    }

    fn elements_at(&self, _: &FieldAt, _: &mut dyn FnMut(&dyn FieldSource)) {}
}

#[test]
fn every_test_compares_numbers_by_value() {
    let (schema, numbers) = (schema(), numbers());
    // Few, since each is combined with each: all kinds, and neighbours beyond the exact range of floats.
    let others: Vec<&Value> = numbers.iter().step_by(19).collect();
    for value in &numbers {
        let (single, many) = (Record { value, many: false }, Record { value, many: true });
        let missing = Record {
            value: if single.name() == "integer" { others[others.len() - 1] } else { &numbers[0] },
            many: false,
        };
        assert_ne!(single.name(), missing.name());
        let holds = |predicate: Predicate, record: &Record<'_>| {
            Condition::new("numbers", &schema, &predicate).unwrap_or_else(|error| panic!("{error}")).holds(record)
        };
        let name = || field(single.name());
        for operand in &numbers {
            let order = by_digits(value.as_ref(), operand.as_ref());
            let tests: [(Predicate, bool); 8] = [
                (name().eq(operand.clone()), order.is_eq()),
                (name().ne(operand.clone()), order.is_ne()),
                (name().lt(operand.clone()), order.is_lt()),
                (name().le(operand.clone()), order.is_le()),
                (name().gt(operand.clone()), order.is_gt()),
                (name().ge(operand.clone()), order.is_ge()),
                (name().is_in([operand.clone()]), order.is_eq()),
                (Predicate::Range(single.name().into(), Bound::Unbounded, Bound::Unbounded), true),
            ];
            for (predicate, expected) in tests {
                assert_eq!(holds(predicate.clone(), &single), expected, "{predicate:?} for {value:?}");
                assert_eq!(holds(!predicate.clone(), &single), !expected, "not {predicate:?} for {value:?}");
                assert!(!holds(predicate, &missing));
            }
            let seven = by_digits(operand.as_ref(), ValueRef::Int(7)).is_eq();
            let all = |values: Vec<Value>| field(many.name()).all(values);
            assert_eq!(holds(field(many.name()).contains(operand.clone()), &many), order.is_eq() || seven);
            assert_eq!(holds(all(vec![operand.clone(), 7.0.into()]), &many), order.is_eq() || seven);
            for other in &others {
                let other_order = by_digits(value.as_ref(), other.as_ref());
                let both = || [operand.clone(), (*other).clone()];
                assert_eq!(holds(name().is_in(both()), &single), order.is_eq() || other_order.is_eq());
                let between = name().between(operand.clone(), (*other).clone());
                assert_eq!(holds(between, &single), order.is_ge() && other_order.is_le());
            }
        }
    }
}

#[test]
fn comparisons_with_one_meaning_have_one_fingerprint() {
    let schema = schema();
    let print = |predicate: Predicate| Condition::with_fingerprint("numbers", &schema, &predicate).unwrap().1;
    let (integer, float, decimal) = (|| field("integer"), || field("float"), || field("decimal"));
    let exact = |text: &str| text.parse::<DecimalValue>().unwrap();
    let same = [
        vec![integer().eq(500), integer().eq(500.0), integer().eq(exact("500.0")), integer().is_in([500.0])],
        vec![
            integer().gt(499),
            integer().ge(500),
            integer().ge(499.5),
            integer().gt(499.5),
            integer().gt(exact("499.01")),
        ],
        vec![integer().lt(500), integer().le(499.5), integer().lt(499.5)],
        vec![integer().ge(f64::NEG_INFINITY), integer().le(f64::NAN), integer().ne(0.5), !integer().is_null()],
        vec![integer().eq(499.5), integer().gt(f64::INFINITY), integer().between(499.2, 499.8), Predicate::none()],
        vec![integer().between(499.5, 501.5), integer().between(500, 501), integer().between(500.0, 501)],
        vec![integer().is_in([500, 501]), integer().is_in([500.0, 501.0, 500.5])],
        vec![float().eq(500), float().eq(500.0), float().eq(exact("500"))],
        vec![float().gt((1_i64 << 53) + 1), float().ge((1_i64 << 53) + 1), float().gt(1_i64 << 53)],
        vec![float().eq((1_i64 << 53) + 1), float().eq(exact("0.1")), Predicate::none()],
        vec![decimal().eq(500.0), decimal().eq(500), decimal().eq("500")],
        vec![decimal().eq(0.5), decimal().eq("0.5")],
        vec![decimal().eq(0.1), decimal().gt(1e300), decimal().lt(f64::NEG_INFINITY), Predicate::none()],
        vec![field("integers").contains(5.0), field("integers").any([5.0, 5.5]), field("integers").all([5])],
        vec![field("integers").all([5.0, 5.5]), field("integers").contains(5.5), Predicate::none()],
    ];
    for (at, meaning) in same.iter().enumerate() {
        for (other_at, other) in same.iter().enumerate() {
            for predicate in other {
                let none = |meaning: &[Predicate]| meaning.last() == Some(&Predicate::none());
                let equal = at == other_at || none(meaning) && none(other);
                assert_eq!(
                    print(predicate.clone()) == print(meaning[0].clone()),
                    equal,
                    "{predicate:?}, {:?}",
                    meaning[0]
                );
            }
        }
    }
}

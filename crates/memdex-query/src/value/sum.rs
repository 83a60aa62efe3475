//! Sums of two numbers of one kind.

use super::{DecimalValue, Value, ValueRef};

/// The sum of two integers, two floats or two decimals; `None` if they are of different kinds, if they are no numbers, or if
/// the sum is out of range: beyond 128 bits or 38 digits, or not finite.
///
/// ```
/// use memdex_query::value::{Value, ValueRef, checked_sum};
/// assert_eq!(checked_sum(ValueRef::Int(i64::MAX), ValueRef::Int(1)), Some(Value::from(1_u64 << 63)));
/// assert_eq!(checked_sum(ValueRef::Float(f64::MAX), ValueRef::Float(f64::MAX)), None);
/// ```
pub fn checked_sum(a: ValueRef<'_>, b: ValueRef<'_>) -> Option<Value> {
    match (a, b) {
        (ValueRef::Int(a), ValueRef::Int(b)) if let Some(sum) = a.checked_add(b) => Some(Value::from(sum)),
        (ValueRef::Float(a), ValueRef::Float(b)) => Some(a + b).filter(|sum| sum.is_finite()).map(Value::from),
        (ValueRef::Decimal(a), ValueRef::Decimal(b)) => decimals(a, b).map(Value::from),
        _ => integers(a, b),
    }
}

fn integers(a: ValueRef<'_>, b: ValueRef<'_>) -> Option<Value> {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => match a.checked_add(b) {
            Some(sum) => Some(Value::from(sum)),
            None if a > 0 => Some(Value::from(a.unsigned_abs() + b.unsigned_abs())),
            None => None,
        },
        // One of them is above every `i128`.
        (Some(signed), None) => Some(Value::from(b.as_u128()?.checked_add_signed(signed)?)),
        (None, Some(signed)) => Some(Value::from(a.as_u128()?.checked_add_signed(signed)?)),
        (None, None) => Some(Value::from(a.as_u128()?.checked_add(b.as_u128()?)?)),
    }
}

fn decimals(a: DecimalValue, b: DecimalValue) -> Option<DecimalValue> {
    let scale = a.scale().max(b.scale());
    let units = |number: DecimalValue| number.units().checked_mul(10_i128.pow((scale - number.scale()).into()));
    DecimalValue::new(units(a)?.checked_add(units(b)?)?, scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_summed_beyond_every_width() {
        let sum = |a: i128, b: u128| checked_sum(ValueRef::from(a), ValueRef::from(b));
        assert_eq!(sum(-1, 1 << 64), Some(Value::from((1_u128 << 64) - 1)));
        assert_eq!(sum(i128::MAX, 1), Some(Value::from(1_u128 << 127)));
        assert_eq!(sum(-1, u128::MAX), Some(Value::from(u128::MAX - 1)));
        assert_eq!(sum(1, u128::MAX), None);
        assert_eq!(checked_sum(ValueRef::from(i128::MIN), ValueRef::Int(-1)), None);
        assert_eq!(checked_sum(ValueRef::from(u128::MAX), ValueRef::from(u128::MAX)), None);
        assert_eq!(
            checked_sum(ValueRef::Int(i64::MIN), ValueRef::Int(-1)),
            Some(Value::from(i128::from(i64::MIN) - 1))
        );
        assert_eq!(checked_sum(ValueRef::Int(1), ValueRef::Float(1.0)), None);
        assert_eq!(checked_sum(ValueRef::Str("1"), ValueRef::Str("1")), None);
    }

    #[test]
    fn decimals_are_summed_exactly() {
        let sum = |a: &str, b: &str| {
            let [a, b] = [a, b].map(|text| ValueRef::Decimal(text.parse().unwrap()));
            checked_sum(a, b).map(|sum| sum.to_string())
        };
        assert_eq!(sum("0.1", "0.2"), Some("0.3".into()));
        assert_eq!(sum("12.5", "-12.5"), Some("0".into()));
        assert_eq!(sum("170141183460469231731687303715884105727", "1"), None);
        assert_eq!(sum("170141183460469231731687303715884105727", "0.1"), None);
    }
}

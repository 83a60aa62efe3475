//! Quotients of finished metrics, and metrics as floats.

use crate::value::ValueRef;

/// The quotient of two numbers, each rounded to a float; `None` if one of them is missing or the second is zero.
pub fn ratio(numerator: ValueRef<'_>, denominator: ValueRef<'_>) -> Option<f64> {
    let (numerator, denominator) = (nearest_float(numerator)?, nearest_float(denominator)?);
    (denominator != 0.0).then(|| numerator / denominator)
}

/// The float that is nearest to a number.
pub fn nearest_float(number: ValueRef<'_>) -> Option<f64> {
    match number.canonical() {
        ValueRef::Float(x) => Some(x),
        ValueRef::Int(n) => Some(n as f64),
        ValueRef::Int128(n) => Some(n as f64),
        ValueRef::UInt128(n) => Some(n as f64),
        // The parser rounds once; a quotient of two floats would twice.
        ValueRef::Decimal(number) => format!("{}e-{}", number.units(), number.scale()).parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::DecimalValue;

    #[test]
    fn nothing_is_divided_by_zero() {
        let decimal = |units, scale| ValueRef::Decimal(DecimalValue::new(units, scale).unwrap());
        assert_eq!(ratio(ValueRef::Int(1), ValueRef::Int(4)), Some(0.25));
        assert_eq!(ratio(decimal(-75, 1), ValueRef::Float(2.5)), Some(-3.0));
        for zero in [ValueRef::Int(0), ValueRef::Float(-0.0), decimal(0, 2), ValueRef::Null] {
            assert_eq!(ratio(ValueRef::Int(1), zero), None);
        }
        assert_eq!(ratio(ValueRef::Null, ValueRef::Int(1)), None);
        assert_eq!(ratio(decimal(12_345_678_901_234_567_890_123, 20), ValueRef::Int(1)), Some(123.45678901234568));
    }
}

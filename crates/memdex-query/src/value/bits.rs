//! Converts values to 64 bits in the same order, and back.

use super::{Kind, ValueRef};

const SIGN: u64 = 1 << 63;

/// Bits of a float, in the order of floats.
pub(super) fn ordered_bits(x: f64) -> u64 {
    let bits = x.to_bits();
    if bits & SIGN == 0 { bits ^ SIGN } else { !bits }
}

/// The integer of ordered bits.
#[inline(always)]
pub fn int_of(bits: u64) -> i64 {
    (bits ^ SIGN).cast_signed()
}

/// The ordered bits of an integer.
#[inline(always)]
pub fn bits_of_int(n: i64) -> u64 {
    n.cast_unsigned() ^ SIGN
}

/// The float of ordered bits.
#[inline(always)]
pub fn float_of(bits: u64) -> f64 {
    f64::from_bits(if bits & SIGN == 0 { !bits } else { bits ^ SIGN })
}

/// The order-preserving bits of a value; `None` if it needs more than 64 bits.
#[inline]
pub fn narrow_bits(value: ValueRef<'_>) -> Option<u64> {
    Some(match value.canonical() {
        ValueRef::Bool(b) => b.into(),
        ValueRef::Char(c) => u32::from(c).into(),
        ValueRef::Float(x) => ordered_bits(x),
        ValueRef::Int(n) => n.cast_unsigned() ^ SIGN,
        ValueRef::Date(days) => (days ^ i32::MIN).cast_unsigned().into(),
        _ => return None,
    })
}

/// As [`narrow_bits`], but integers and timestamps out of range saturate: they share the lowest or highest bits with
/// the extreme values that fit. `None` for kinds without such bits.
#[inline]
pub fn saturated_bits(value: ValueRef<'_>) -> Option<u64> {
    let clamped = |wide: i128| (wide.clamp(i64::MIN.into(), i64::MAX.into()) as i64).cast_unsigned() ^ SIGN;
    Some(match value.canonical() {
        ValueRef::Int128(n) | ValueRef::Timestamp(n) => clamped(n),
        ValueRef::UInt128(_) => u64::MAX,
        other => return narrow_bits(other),
    })
}

/// The value of this kind with these bits, if there is one.
pub fn value_of_bits(kind: Kind, bits: u64) -> Option<ValueRef<'static>> {
    let signed = (bits ^ SIGN).cast_signed();
    Some(match kind {
        Kind::Bool => ValueRef::Bool(bits == 1),
        Kind::Char => ValueRef::Char(char::from_u32(bits.try_into().ok()?)?),
        Kind::Float => ValueRef::Float(float_of(bits)),
        Kind::Int => ValueRef::Int(signed),
        Kind::Timestamp => ValueRef::Timestamp(signed.into()),
        Kind::Date => ValueRef::Date(u32::try_from(bits).ok()?.cast_signed() ^ i32::MIN),
        Kind::Str | Kind::Bytes | Kind::Uuid | Kind::Decimal => return None,
    })
}

/// The bits of a kind's zero; most values lie above it. `None` for kinds without bits.
pub fn zero_bits(kind: Kind) -> Option<u64> {
    Some(match kind {
        Kind::Bool | Kind::Char => 0,
        Kind::Float | Kind::Int | Kind::Timestamp => SIGN,
        Kind::Date => 1 << 31,
        Kind::Str | Kind::Bytes | Kind::Uuid | Kind::Decimal => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_ordered_as_their_values_and_convert_back() {
        let of_kinds: [&[ValueRef<'_>]; 6] = [
            &[ValueRef::Bool(false), ValueRef::Bool(true)],
            &[ValueRef::Char('\0'), ValueRef::Char('a'), ValueRef::Char(char::MAX)],
            &[
                ValueRef::Float(f64::NEG_INFINITY),
                ValueRef::Float(-1.5),
                ValueRef::Float(0.0),
                ValueRef::Float(f64::MIN_POSITIVE),
                ValueRef::Float(f64::INFINITY),
                ValueRef::Float(f64::NAN),
            ],
            &[ValueRef::Int(i64::MIN), ValueRef::Int(-1), ValueRef::Int(0), ValueRef::Int(i64::MAX)],
            &[
                ValueRef::Timestamp(i64::MIN.into()),
                ValueRef::Timestamp(-1),
                ValueRef::Timestamp(0),
                ValueRef::Timestamp(i64::MAX.into()),
            ],
            &[ValueRef::Date(i32::MIN), ValueRef::Date(-1), ValueRef::Date(0), ValueRef::Date(i32::MAX)],
        ];
        for ascending in of_kinds {
            let kind = ascending[0].kind().unwrap();
            let bits: Vec<u64> = ascending.iter().map(|value| saturated_bits(*value).unwrap()).collect();
            assert!(bits.is_sorted_by(|a, b| a < b), "{kind}");
            let back: Vec<_> = bits.iter().map(|bits| value_of_bits(kind, *bits).unwrap()).collect();
            assert_eq!(back, ascending);
            let zero = value_of_bits(kind, zero_bits(kind).unwrap()).unwrap();
            assert_eq!(saturated_bits(zero), zero_bits(kind));
        }
        assert_eq!(saturated_bits(ValueRef::Float(-0.0)), saturated_bits(ValueRef::Float(0.0)));
        assert_eq!(saturated_bits(ValueRef::Str("")), None);
    }

    #[test]
    fn values_out_of_range_saturate() {
        for low in [ValueRef::Int128(i128::MIN), ValueRef::Timestamp(i128::MIN), ValueRef::Int(i64::MIN)] {
            assert_eq!(saturated_bits(low), Some(0));
        }
        let highest = [ValueRef::from(u64::MAX), ValueRef::from(u128::MAX), ValueRef::Timestamp(i128::MAX)];
        for high in highest {
            assert_eq!(saturated_bits(high), Some(u64::MAX));
            assert_eq!(narrow_bits(high), None);
        }
    }
}

//! Exact decimals: `units` times ten to the power of minus `scale`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Ten to the power of [`DecimalValue::MAX_SCALE`]: below 2^94, so a fraction in this unit fits a `u128`.
const ONE: u128 = 10u128.pow(DecimalValue::MAX_SCALE as u32);

/// An exact decimal number of up to 38 digits, up to 28 of them after the point.
///
/// Comparison, order and hash go by number, so `1.5` equals `1.50`. Queries compare decimal fields with integers and
/// floats by value; few floats are decimals, so write `"0.1"` in JSON instead of `0.1`. This type is a field type without any feature; with the feature `rust_decimal`,
/// `rust_decimal::Decimal` is one too. With the feature `serde` its form in readable formats is its text (`"12.5"`), so
/// that no digit is lost.
///
/// ```
/// use memdex::typing::DecimalValue;
/// let price: DecimalValue = "12.50".parse()?;
/// assert_eq!(price, DecimalValue::new(1_250, 2).unwrap());
/// assert_eq!((price.units(), price.scale()), (125, 1));
/// assert_eq!(price.to_string(), "12.5");
/// assert!(price < DecimalValue::from(13));
/// # Ok::<(), memdex::typing::DecimalError>(())
/// ```
// Bytes: an `i128` would align every value to 16 bytes. The fraction never ends in a zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecimalValue {
    units: [u8; 16],
    scale: u8,
}

/// A text that is not a decimal number, or one with too many digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecimalError {
    text: String,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        write!(f, "{text:?} is not a decimal of at most 38 digits, 28 of them after the point; write it like -12.50")
    }
}

impl std::error::Error for DecimalError {}

impl DecimalValue {
    /// The most digits after the point.
    pub const MAX_SCALE: u8 = 28;

    /// `units` times ten to the power of minus `scale`; `None` if, after removal of trailing zeros, `scale` is above
    /// [`MAX_SCALE`](DecimalValue::MAX_SCALE).
    pub fn new(mut units: i128, mut scale: u8) -> Option<Self> {
        if units == 0 {
            scale = 0;
        }
        while scale > 0 && units % 10 == 0 {
            units /= 10;
            scale -= 1;
        }
        (scale <= DecimalValue::MAX_SCALE).then(|| DecimalValue { units: units.to_ne_bytes(), scale })
    }

    /// The number without its point and without trailing zeros of its fraction.
    pub fn units(self) -> i128 {
        i128::from_ne_bytes(self.units)
    }

    /// The number of digits after the point.
    pub fn scale(self) -> u8 {
        self.scale
    }

    /// Its floor, and the rest in units of 10^-28.
    pub(super) fn split(self) -> (i128, u128) {
        let unit = 10i128.pow(self.scale.into());
        let rest = self.units().rem_euclid(unit).unsigned_abs();
        (self.units().div_euclid(unit), rest * 10u128.pow((DecimalValue::MAX_SCALE - self.scale).into()))
    }

    /// The inverse of [`split`](DecimalValue::split).
    pub(super) fn join(floor: i128, mut fraction: u128) -> Option<Self> {
        if fraction >= ONE {
            return None;
        }
        let mut scale = if fraction == 0 { 0 } else { DecimalValue::MAX_SCALE };
        while scale > 0 && fraction.is_multiple_of(10) {
            fraction /= 10;
            scale -= 1;
        }
        // Wrapping, because below zero the product may overflow where the sum does not.
        let units = floor.wrapping_mul(10i128.pow(scale.into())).wrapping_add(fraction as i128);
        DecimalValue::new(units, scale)
    }
}

impl PartialOrd for DecimalValue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DecimalValue {
    /// By number.
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale == other.scale { self.units().cmp(&other.units()) } else { self.split().cmp(&other.split()) }
    }
}

macro_rules! from_integers {
    ($($t:ty)*) => {$(
        impl From<$t> for DecimalValue {
            fn from(n: $t) -> Self {
                DecimalValue { units: i128::from(n).to_ne_bytes(), scale: 0 }
            }
        }
    )*};
}

from_integers! { i8 i16 i32 i64 i128 u8 u16 u32 u64 }

impl FromStr for DecimalValue {
    type Err = DecimalError;

    /// Reads digits with an optional sign and an optional point.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let negative = text.starts_with('-');
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let fraction = fraction.trim_end_matches('0');
        let pointless = digits.contains('.') && digits.ends_with('.');
        let read = || {
            let mut units = 0i128;
            for digit in whole.bytes().chain(fraction.bytes()) {
                let digit = i128::from(digit.is_ascii_digit().then(|| digit - b'0')?);
                // Accumulates negatively, so that `i128::MIN` can be read.
                units = units.checked_mul(10)?.checked_add(if negative { -digit } else { digit })?;
            }
            DecimalValue::new(units, u8::try_from(fraction.len()).ok()?)
        };
        let number = if whole.is_empty() || pointless { None } else { read() };
        number.ok_or_else(|| DecimalError { text: text.to_owned() })
    }
}

impl fmt::Display for DecimalValue {
    /// Without trailing zeros of the fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (magnitude, unit) = (self.units().unsigned_abs(), 10u128.pow(self.scale.into()));
        let sign = if self.units() < 0 { "-" } else { "" };
        write!(f, "{sign}{}", magnitude / unit)?;
        match self.scale {
            0 => Ok(()),
            scale => write!(f, ".{:0width$}", magnitude % unit, width = usize::from(scale)),
        }
    }
}

impl fmt::Debug for DecimalValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn decimal(text: &str) -> DecimalValue {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    /// In ascending order, with the extremes.
    pub(in crate::value) fn ascending() -> Vec<DecimalValue> {
        let max = i128::MAX.to_string();
        let min = i128::MIN.to_string();
        let with_point =
            |text: &str, scale: usize| format!("{}.{}", &text[..text.len() - scale], &text[text.len() - scale..]);
        let texts = [
            min.clone(),
            with_point(&min, 1),
            "-100".into(),
            "-99.99".into(),
            "-1.5".into(),
            "-1.4999".into(),
            "-1".into(),
            "-0.0000000000000000000000000001".into(),
            "0".into(),
            "0.0000000000000000000000000001".into(),
            "0.1".into(),
            "0.11".into(),
            "0.2".into(),
            "1".into(),
            "1.01".into(),
            "12.5".into(),
            with_point(&max, 28),
            "79228162514264337593543950335".into(),
            with_point(&max, 1),
            max.clone(),
        ];
        texts.iter().map(|text| decimal(text)).collect()
    }

    #[test]
    fn decimals_are_ordered_by_number_and_survive_split_and_join() {
        let all = ascending();
        for (at, a) in all.iter().enumerate() {
            for (bt, b) in all.iter().enumerate() {
                assert_eq!(a.cmp(b), at.cmp(&bt), "{a} and {b}");
            }
            let (floor, fraction) = a.split();
            assert_eq!(DecimalValue::join(floor, fraction), Some(*a));
            assert_eq!(a.to_string().parse(), Ok(*a));
        }
        assert_eq!(DecimalValue::join(0, ONE), None);
    }

    #[test]
    fn one_number_has_one_form() {
        let forms = ["1.5", "1.50", "+1.5", "01.5000", "1.50000000000000000000000000000000000000000000"];
        assert!(forms.iter().all(|text| decimal(text) == DecimalValue::new(15, 1).unwrap()));
        assert_eq!(decimal("-0.00"), DecimalValue::from(0u8));
        assert_eq!(DecimalValue::new(0, 255), Some(DecimalValue::from(0)));
        assert_eq!(DecimalValue::new(1_000, 31), DecimalValue::new(1, 28));
        assert_eq!(decimal("-0.05").to_string(), "-0.05");
        assert_eq!(decimal("120").to_string(), "120");
    }

    #[test]
    fn texts_that_are_not_decimals_or_have_too_many_digits_are_refused() {
        let too_fine = format!("0.{}1", "0".repeat(28));
        let too_great = "170141183460469231731687303715884105728";
        for text in ["", "-", ".", "1.", ".5", "1e3", "1,5", "--1", "1.2.3", "٣", &too_fine, too_great] {
            let error = text.parse::<DecimalValue>().unwrap_err();
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
        assert_eq!(DecimalValue::new(1, 29), None);
    }
}

//! Numbers of different kinds, compared by value: integers, floats and decimals, exactly.
//!
//! A number is split into its sign, its whole part, and its fraction in units of 10^-28, the finest decimal. A float may
//! have a finer fraction; then all that matters is that there is more, since no integer and no decimal has one.

use super::{DecimalValue, Kind, Value, ValueRef};
use std::cmp::Ordering;
use std::ops::Bound;

/// The place of a number among the values of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fitted {
    /// The kind has a value with this number.
    Exact(Value),
    /// The number lies between two adjacent values of the kind; `None` if it is below or above all of them.
    Between(Option<Value>, Option<Value>),
}

/// A finite number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    negative: bool,
    whole: u128,
    /// In units of 10^-28.
    fraction: u128,
    /// Whether there is more than these units: less than one.
    more: bool,
}

/// A number without regard to its kind.
enum Number {
    Finite(Parts),
    /// Below all integers and decimals.
    Low,
    /// Above all integers and decimals. NaN is such a number.
    High,
}

const SCALE: u8 = DecimalValue::MAX_SCALE;
/// The lowest float above all integers, 2^128.
const ABOVE_INTEGERS: f64 = -2.0 * (i128::MIN as f64);
const ABOVE_POSITIVE: u128 = 1 << 127;

impl Number {
    /// `None` if the value is not a number.
    fn of(value: ValueRef<'_>) -> Option<Self> {
        let whole = |negative, whole| Parts { negative, whole, fraction: 0, more: false };
        Some(Number::Finite(match value {
            ValueRef::Int(n) => whole(n < 0, n.unsigned_abs().into()),
            ValueRef::Int128(n) => whole(n < 0, n.unsigned_abs()),
            ValueRef::UInt128(n) => whole(false, n),
            ValueRef::Decimal(number) => {
                let (magnitude, unit) = (number.units().unsigned_abs(), 10u128.pow(number.scale().into()));
                let fraction = magnitude % unit * 10u128.pow((SCALE - number.scale()).into());
                Parts { negative: number.units() < 0, whole: magnitude / unit, fraction, more: false }
            }
            ValueRef::Float(x) if x <= -ABOVE_INTEGERS => return Some(Number::Low),
            ValueRef::Float(x) if x < ABOVE_INTEGERS => Parts::of_float(x),
            ValueRef::Float(_) => return Some(Number::High),
            _ => return None,
        }))
    }
}

impl Parts {
    /// The parts of a float whose whole part fits.
    fn of_float(x: f64) -> Self {
        let (fraction, more) = units_of_fraction(x.abs().fract());
        // The cast truncates, and is exact.
        Parts { negative: x < 0.0, whole: x.abs() as u128, fraction, more }
    }

    /// By number, for the magnitudes.
    fn magnitude(self) -> (u128, u128, bool) {
        (self.whole, self.fraction, self.more)
    }

    fn cmp(self, other: Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.magnitude().cmp(&other.magnitude()),
            (true, true) => other.magnitude().cmp(&self.magnitude()),
            // A negative number is not zero.
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }

    /// The integers next to the number, first that nearer to zero; both are the number itself if it is one.
    fn integers(self) -> [Option<Value>; 2] {
        let away = if self.fraction > 0 || self.more { self.whole.checked_add(1) } else { Some(self.whole) };
        [Some(self.whole), away].map(|magnitude| {
            let magnitude = magnitude?;
            match self.negative {
                false => Some(Value::from(magnitude)),
                true => (magnitude <= ABOVE_POSITIVE).then(|| Value::from(0_i128.wrapping_sub_unsigned(magnitude))),
            }
        })
    }

    /// The same for decimals.
    fn decimals(self) -> [Option<Value>; 2] {
        // The finest decimal that has enough digits is the nearest.
        [false, true].map(|away| (0..=SCALE).rev().find_map(|scale| self.decimal(scale, away)).map(Value::from))
    }

    /// The number with `scale` digits after the point, rounded towards zero or away from it; `None` if it has too many
    /// digits.
    fn decimal(self, scale: u8, away: bool) -> Option<DecimalValue> {
        let unit = 10u128.pow((SCALE - scale).into());
        let rest = self.more || !self.fraction.is_multiple_of(unit);
        let magnitude = self.whole.checked_mul(10u128.pow(scale.into()))?.checked_add(self.fraction / unit)?;
        let magnitude = magnitude.checked_add((away && rest).into())?;
        let units = if self.negative {
            (magnitude <= ABOVE_POSITIVE).then(|| 0_i128.wrapping_sub_unsigned(magnitude))
        } else {
            i128::try_from(magnitude).ok()
        };
        DecimalValue::new(units?, scale)
    }
}

/// A fraction in units of 10^-28, and whether there is more.
fn units_of_fraction(x: f64) -> (u128, bool) {
    // x = mantissa / 2^exponent. Below 1, the exponent is above 52.
    let bits = x.to_bits();
    let biased = (bits >> 52) as u32;
    let mantissa = if biased == 0 { bits } else { bits & ((1 << 52) - 1) | 1 << 52 };
    let exponent = 1_075 - biased.max(1);
    // Of 10^28 = 5^28 * 2^28, the powers of two only move the point. Below 2^53 * 2^66.
    let product = u128::from(mantissa) * 5u128.pow(SCALE.into());
    match exponent.saturating_sub(SCALE.into()) {
        down if down < u128::BITS => (product >> down, product & ((1 << down) - 1) != 0),
        _ => (0, product != 0),
    }
}

/// Compares two numbers of any kinds by value. NaN equals NaN and is above all other numbers, and there is one zero.
/// `None` if one is not a number.
pub fn compare_numbers(a: ValueRef<'_>, b: ValueRef<'_>) -> Option<Ordering> {
    // The usual cases first: they are exact too.
    let float_of = |n: i64| (n.unsigned_abs() <= 1 << 53).then_some(n as f64);
    match (a, b) {
        (ValueRef::Int(a), ValueRef::Int(b)) => return Some(a.cmp(&b)),
        (ValueRef::Float(a), ValueRef::Int(n)) if let Some(b) = float_of(n) => {
            return a.partial_cmp(&b).or(Some(Ordering::Greater));
        }
        (ValueRef::Int(n), ValueRef::Float(b)) if let Some(a) = float_of(n) => {
            return a.partial_cmp(&b).or(Some(Ordering::Less));
        }
        _ if a.kind() == b.kind() => return Number::of(a).map(|_| a.cmp(&b)),
        _ => {}
    }
    Some(match (Number::of(a)?, Number::of(b)?) {
        (Number::Finite(a), Number::Finite(b)) => a.cmp(b),
        // Only floats are low or high, and the other one is none.
        (Number::Low, _) | (_, Number::High) => Ordering::Less,
        (Number::High, _) | (_, Number::Low) => Ordering::Greater,
    })
}

impl Fitted {
    /// The place of a number among the values of a kind; `None` if the value or the kind is not one of numbers.
    ///
    /// ```
    /// use memdex::{Kind, Value};
    /// use memdex_query::value::{Fitted, ValueRef};
    /// let among_integers = |x: f64| Fitted::new(ValueRef::Float(x), Kind::Int).unwrap();
    /// assert_eq!(among_integers(500.0), Fitted::Exact(Value::from(500)));
    /// assert_eq!(among_integers(499.5), Fitted::Between(Some(Value::from(499)), Some(Value::from(500))));
    /// assert_eq!(among_integers(f64::NAN), Fitted::Between(Some(Value::from(u128::MAX)), None));
    /// ```
    pub fn new(value: ValueRef<'_>, kind: Kind) -> Option<Self> {
        let number = Number::of(value)?;
        if value.kind() == Some(kind) {
            return Some(Fitted::Exact(value.to_value()));
        }
        let (least, greatest) = match kind {
            Kind::Int => (Value::from(i128::MIN), Value::from(u128::MAX)),
            Kind::Decimal => (DecimalValue::from(i128::MIN).into(), DecimalValue::from(i128::MAX).into()),
            Kind::Float => return Some(among_floats(value)),
            _ => return None,
        };
        let parts = match number {
            Number::Finite(parts) => parts,
            Number::Low => return Some(Fitted::Between(None, Some(least))),
            Number::High => return Some(Fitted::Between(Some(greatest), None)),
        };
        let [near, away] = if kind == Kind::Int { parts.integers() } else { parts.decimals() };
        Some(match (near, away) {
            (Some(near), Some(away)) if near == away => Fitted::Exact(near),
            // Beyond the last value that fits.
            (None, _) if parts.negative => Fitted::Between(None, Some(least)),
            (None, _) => Fitted::Between(Some(greatest), None),
            (near, away) if parts.negative => Fitted::Between(away, near),
            (near, away) => Fitted::Between(near, away),
        })
    }
}

impl Fitted {
    /// The value that is equal to the number, if the kind has one.
    pub fn exact(self) -> Option<Value> {
        match self {
            Fitted::Exact(value) => Some(value),
            Fitted::Between(..) => None,
        }
    }

    /// The lowest value of the kind that is not below the number, if there is one.
    pub fn at_or_above(self) -> Option<Value> {
        match self {
            Fitted::Exact(value) => Some(value),
            Fitted::Between(_, above) => above,
        }
    }

    /// The range of the kind's values between two numbers; `None` if no value lies between them.
    pub fn range(from: Bound<Fitted>, to: Bound<Fitted>) -> Option<(Bound<Value>, Bound<Value>)> {
        let bound = |bound, is_lower| {
            let (value, is_included) = match bound {
                Bound::Unbounded => return Some(Bound::Unbounded),
                Bound::Included(value) => (value, true),
                Bound::Excluded(value) => (value, false),
            };
            match value {
                Fitted::Exact(value) if is_included => Some(Bound::Included(value)),
                Fitted::Exact(value) => Some(Bound::Excluded(value)),
                Fitted::Between(below, above) => {
                    let (behind, ahead) = if is_lower { (below, above) } else { (above, below) };
                    ahead.map(|_| behind.map_or(Bound::Unbounded, Bound::Excluded))
                }
            }
        };
        bound(from, true).zip(bound(to, false))
    }
}

/// The place of an integer or a decimal among floats, all of which are finite there.
fn among_floats(value: ValueRef<'_>) -> Fitted {
    let mut x = match value {
        ValueRef::Int(n) => n as f64,
        ValueRef::Int128(n) => n as f64,
        ValueRef::UInt128(n) => n as f64,
        ValueRef::Decimal(number) => number.units() as f64 / 10f64.powi(number.scale().into()),
        _ => f64::NAN,
    };
    // The quotient is off by few floats at most.
    let order = |x: f64| compare_numbers(ValueRef::Float(x), value);
    while order(x) == Some(Ordering::Less) {
        x = x.next_up();
    }
    while order(x) == Some(Ordering::Greater) {
        x = x.next_down();
    }
    match order(x) {
        Some(Ordering::Less) => Fitted::Between(Some(Value::from(x)), Some(Value::from(x.next_up()))),
        _ => Fitted::Exact(Value::from(x)),
    }
}

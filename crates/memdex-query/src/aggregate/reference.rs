//! A reference implementation for tests: plain integer arithmetic, digit by digit, that shares no code with the tested
//! one.

use std::cmp::Ordering;

/// A signed integer with little-endian digits of 16 bits.
#[derive(Clone, Debug, Default)]
pub(super) struct Big {
    negative: bool,
    digits: Vec<u32>,
}

const BASE: u32 = 1 << 16;

impl Big {
    pub(super) fn new(n: i128) -> Self {
        let mut digits = Vec::new();
        let mut rest = n.unsigned_abs();
        while rest > 0 {
            digits.push((rest % u128::from(BASE)) as u32);
            rest /= u128::from(BASE);
        }
        Big { negative: n < 0, digits }
    }

    pub(super) fn of_u128(n: u128) -> Self {
        Big::new((n / 2) as i128).plus(&Big::new((n / 2 + n % 2) as i128))
    }

    /// A finite float in units of two to the power of `-units`.
    pub(super) fn of_float(x: f64, units: i32) -> Self {
        let (bits, mut exponent) = (x.to_bits(), (x.to_bits() >> 52 & 0x7ff) as i32);
        let mut mantissa = i128::from(bits & ((1 << 52) - 1));
        if exponent == 0 {
            exponent = 1
        } else {
            mantissa += 1 << 52
        }
        let mut big = Big::new(mantissa).shifted(exponent - 1_075 + units);
        big.negative = x < 0.0;
        big
    }

    pub(super) fn shifted(&self, by: i32) -> Self {
        let by = usize::try_from(by).expect("whole units");
        let mut digits = vec![0; by / 16];
        digits.extend(&self.digits);
        Big { negative: self.negative, digits }.times(&Big::new(1 << (by % 16)))
    }

    fn compare_digits(&self, other: &Big) -> Ordering {
        let digit = |big: &Big, at: usize| big.digits.get(at).copied().unwrap_or(0);
        let length = self.digits.len().max(other.digits.len());
        (0..length)
            .rev()
            .map(|at| digit(self, at).cmp(&digit(other, at)))
            .find(|o| o.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    pub(super) fn plus(&self, other: &Big) -> Self {
        if self.compare_digits(other).is_lt() {
            return other.plus(self);
        }
        let same = self.negative == other.negative;
        let (mut digits, mut carry) = (Vec::new(), 0i64);
        for at in 0..=self.digits.len() {
            let theirs = i64::from(other.digits.get(at).copied().unwrap_or(0));
            let sum =
                i64::from(self.digits.get(at).copied().unwrap_or(0)) + if same { theirs } else { -theirs } + carry;
            digits.push(sum.rem_euclid(i64::from(BASE)) as u32);
            carry = sum.div_euclid(i64::from(BASE));
        }
        Big { negative: self.negative, digits }
    }

    pub(super) fn minus(&self, other: &Big) -> Self {
        self.plus(&Big { negative: !other.negative, digits: other.digits.clone() })
    }

    pub(super) fn times(&self, other: &Big) -> Self {
        let mut sums = vec![0u64; self.digits.len() + other.digits.len() + 1];
        for (at, a) in self.digits.iter().enumerate().filter(|(_, a)| **a != 0) {
            for (bt, b) in other.digits.iter().enumerate() {
                sums[at + bt] += u64::from(*a) * u64::from(*b);
            }
            for at in 0..sums.len() - 1 {
                sums[at + 1] += sums[at] / u64::from(BASE);
                sums[at] %= u64::from(BASE);
            }
        }
        Big { negative: self.negative != other.negative, digits: sums.iter().map(|digit| *digit as u32).collect() }
    }

    pub(super) fn magnitude(&self) -> Self {
        Big { negative: false, digits: self.digits.clone() }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits.iter().all(|digit| *digit == 0)
    }

    pub(super) fn is_negative(&self) -> bool {
        self.negative && !self.is_zero()
    }

    pub(super) fn compare(&self, other: &Big) -> Ordering {
        let less = self.minus(other);
        if less.is_zero() {
            Ordering::Equal
        } else if less.negative {
            Ordering::Less
        } else {
            Ordering::Greater
        }
    }
}

/// Whether `result` is the `f64` nearest to `number / divisor`, ties to even. `number` is in units of two to the power
/// of `-units`, which must be at most half of the least positive `f64`.
pub(super) fn is_nearest(result: f64, number: &Big, divisor: &Big, units: i32) -> bool {
    if result.is_infinite() {
        // More than half a unit above the greatest `f64`.
        let limit = Big::of_float(f64::MAX, units).plus(&Big::new(1).shifted(970 + units));
        return number.magnitude().compare(&limit.times(divisor)).is_ge()
            && number.is_negative() == result.is_sign_negative();
    }
    let twice = number.plus(number);
    let between = |a: f64, b: f64| Big::of_float(a, units).plus(&Big::of_float(b, units)).times(divisor);
    let even = result.to_bits().is_multiple_of(2);
    let (up, down) = (result.next_up(), result.next_down());
    let below = up.is_infinite() || {
        let o = twice.compare(&between(result, up));
        o.is_lt() || o.is_eq() && even
    };
    let above = down.is_infinite() || {
        let o = twice.compare(&between(result, down));
        o.is_gt() || o.is_eq() && even
    };
    below && above
}

/// Whether `result` is the `f64` nearest to the square root of `number / divisor`, which are in squared units.
pub(super) fn is_nearest_root(result: f64, number: &Big, divisor: &Big, units: i32) -> bool {
    let four = number.times(&Big::new(4));
    let squared = |a: f64, b: f64| {
        let sum = Big::of_float(a, units).plus(&Big::of_float(b, units));
        sum.times(&sum).times(divisor)
    };
    let below = four.compare(&squared(result, result.next_up())).is_le();
    let above = result == 0.0 || four.compare(&squared(result, result.next_down())).is_ge();
    below && above
}

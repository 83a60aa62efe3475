//! Natural numbers of any size, and the rounding of their quotients and square roots to an `f64`.
//!
//! Exactly accumulated results become a fraction of two such numbers, which is rounded once, to nearest, ties to even.
//! The numbers are short (an integer sum takes two limbs, the widest sum of squares about seventy), so schoolbook
//! arithmetic suffices.

use super::limbs::Limbs;
use std::cmp::Ordering;

/// The exponent of the least positive `f64`.
pub(super) const LEAST_EXPONENT: i64 = -1_074;
/// The number of bits of a quotient, more than a root needs. Of the bits below, only whether all are zero is known.
const QUOTIENT_BITS: u64 = 128;

/// A natural number. Limbs are little-endian, without leading zeros.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Natural(Limbs);

impl Natural {
    pub(super) fn from_limbs(limbs: impl IntoIterator<Item = u64>) -> Self {
        Natural(limbs.into_iter().collect()).trimmed()
    }

    fn trimmed(mut self) -> Self {
        self.0.trim();
        self
    }

    pub(super) fn limbs(&self) -> &[u64] {
        &self.0
    }

    /// The number of significant bits.
    pub(super) fn bits(&self) -> u64 {
        match self.0.last() {
            None => 0,
            Some(top) => self.0.len() as u64 * 64 - u64::from(top.leading_zeros()),
        }
    }

    pub(super) fn is_odd(&self) -> bool {
        self.bit(0)
    }

    fn bit(&self, at: u64) -> bool {
        self.0.get((at / 64) as usize).is_some_and(|limb| limb >> (at % 64) & 1 == 1)
    }

    /// 128 bits, starting at this bit.
    fn window(&self, from: u64) -> u128 {
        let limb = |at: u64| u128::from(self.0.get(at as usize).copied().unwrap_or(0));
        let (at, low) = (from / 64, from % 64);
        let near = (limb(at) | limb(at + 1) << 64) >> low;
        if low == 0 { near } else { near | limb(at + 2) << (128 - low) }
    }

    /// Whether any bit below this one is set.
    fn any_below(&self, at: u64) -> bool {
        let whole = ((at / 64) as usize).min(self.0.len());
        self.0[..whole].iter().any(|limb| *limb != 0)
            || self.0.get(whole).is_some_and(|limb| whole as u64 == at / 64 && limb & ((1 << (at % 64)) - 1) != 0)
    }

    pub(super) fn shifted_left(&self, by: u64) -> Self {
        let (whole, low) = ((by / 64) as usize, by % 64);
        let mut limbs = Limbs::zeros(whole);
        let mut carry = 0;
        for limb in &*self.0 {
            limbs.push(limb << low | carry);
            carry = if low == 0 { 0 } else { limb >> (64 - low) };
        }
        limbs.push(carry);
        Natural(limbs).trimmed()
    }

    pub(super) fn times(&self, other: &Natural) -> Self {
        let mut limbs = Limbs::zeros(self.0.len() + other.0.len());
        multiply(&self.0, &other.0, &mut limbs);
        Natural(limbs).trimmed()
    }

    pub(super) fn plus(&self, other: &Natural) -> Self {
        let mut limbs = Limbs::default();
        let limb = |of: &Natural, at: usize| u128::from(of.0.get(at).copied().unwrap_or(0));
        let mut carry = 0;
        for at in 0..=self.0.len().max(other.0.len()) {
            let sum = limb(self, at) + limb(other, at) + carry;
            limbs.push(sum as u64);
            carry = sum >> 64;
        }
        Natural(limbs).trimmed()
    }

    /// Subtracts a number that is not greater.
    pub(super) fn minus(&self, other: &Natural) -> Self {
        debug_assert!(*self >= *other);
        let mut limbs = self.0.clone();
        subtract(&mut limbs, &other.0);
        Natural(limbs).trimmed()
    }

    /// Divides by a number that is not 0, and returns the remainder.
    pub(super) fn divide(&mut self, by: u64) -> u64 {
        let mut remainder = 0;
        for limb in self.0.iter_mut().rev() {
            if remainder == 0 {
                // Most divisions are of this kind, and much cheaper than one of 128 bits.
                (*limb, remainder) = (*limb / by, *limb % by);
                continue;
            }
            let part = u128::from(remainder) << 64 | u128::from(*limb);
            (*limb, remainder) = ((part / u128::from(by)) as u64, (part % u128::from(by)) as u64);
        }
        self.0.trim();
        remainder
    }

    /// Converts to a `u128`, if the number fits.
    pub(super) fn to_u128(&self) -> Option<u128> {
        (self.0.len() <= 2).then(|| self.window(0))
    }

    /// This number times two to the power of `exponent`, divided by all divisors.
    pub(super) fn over(&self, exponent: i64, divisors: &[u64]) -> Exact {
        let below: u64 = divisors.iter().map(|divisor| u64::from(64 - divisor.leading_zeros())).sum();
        let shift = (QUOTIENT_BITS + below).saturating_sub(self.bits());
        let mut whole = self.shifted_left(shift);
        let mut sticky = false;
        for divisor in divisors {
            sticky |= whole.divide(*divisor) != 0;
        }
        Exact { whole, exponent: exponent - shift as i64, sticky }
    }
}

impl From<u128> for Natural {
    fn from(n: u128) -> Self {
        Natural::from_limbs(to_limbs(n))
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

pub(super) fn to_limbs(n: u128) -> [u64; 2] {
    [n as u64, (n >> 64) as u64]
}

/// Writes the product to `into`, which must be zero and long enough.
#[inline]
pub(super) fn multiply(a: &[u64], b: &[u64], into: &mut [u64]) {
    for (at, x) in a.iter().enumerate() {
        let mut carry = 0u64;
        for (y, place) in b.iter().zip(&mut into[at..]) {
            let part = u128::from(*x) * u128::from(*y) + u128::from(*place) + u128::from(carry);
            (*place, carry) = (part as u64, (part >> 64) as u64);
        }
        if let Some(place) = into.get_mut(at + b.len()) {
            *place = carry;
        }
    }
}

/// Subtracts `other` from `limbs`. Returns whether it was greater, so that the result wrapped around.
pub(super) fn subtract(limbs: &mut [u64], other: &[u64]) -> bool {
    let mut borrow = false;
    for (at, limb) in limbs.iter_mut().enumerate() {
        if !borrow && at >= other.len() {
            break;
        }
        let (less, first) = limb.overflowing_sub(other.get(at).copied().unwrap_or(0));
        let (less, second) = less.overflowing_sub(borrow.into());
        (*limb, borrow) = (less, first | second);
    }
    borrow
}

/// A nonnegative number: `whole` times two to the power of `exponent`. If it is `sticky`, the number is greater by less
/// than a unit of `whole`, and `whole` has more bits than a result needs.
#[derive(Debug)]
pub(super) struct Exact {
    whole: Natural,
    exponent: i64,
    sticky: bool,
}

impl Exact {
    pub(super) fn new(whole: Natural, exponent: i64) -> Self {
        Exact { whole, exponent, sticky: false }
    }

    /// The nearest `f64`, ties to even; infinity above the greatest.
    pub(super) fn round(&self) -> f64 {
        let bits = self.whole.bits() as i64;
        if bits == 0 {
            return 0.0;
        }
        // The exponent of the result's last bit: 53 bits in all, fewer for subnormal numbers.
        let last = (self.exponent + bits - 53).max(LEAST_EXPONENT);
        let drop = last - self.exponent;
        let kept = if drop <= 0 {
            debug_assert!(!self.sticky, "{self:?}");
            (self.whole.window(0) as u64) << -drop
        } else {
            let drop = drop as u64;
            let kept = self.whole.window(drop) as u64;
            let more = self.sticky || self.whole.any_below(drop - 1);
            kept + u64::from(self.whole.bit(drop - 1) && (more || kept & 1 == 1))
        };
        let field = last - LEAST_EXPONENT;
        if field > 2_045 {
            return f64::INFINITY;
        }
        // The leading bit, if there is one, adds one to the exponent field; so does rounding up to a power of two.
        f64::from_bits(((field as u64) << 52) + kept)
    }

    /// The `f64` nearest to the square root.
    pub(super) fn round_root(&self) -> f64 {
        let bits = self.whole.bits() as i64;
        if bits == 0 {
            return 0.0;
        }
        // Use 127 or 128 bits, so that the exponent is even. Their root has 64 bits, and the remainder is included in
        // `sticky`.
        let mut drop = bits - 128;
        drop += (self.exponent + drop).rem_euclid(2);
        let (window, below) = if drop >= 0 {
            (self.whole.window(drop as u64), self.whole.any_below(drop as u64))
        } else {
            debug_assert!(!self.sticky, "{self:?}");
            (self.whole.window(0) << -drop, false)
        };
        let root = window.isqrt();
        let sticky = self.sticky || below || root * root != window;
        Exact { whole: root.into(), exponent: (self.exponent + drop) / 2, sticky }.round()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn naturals_count_as_integers_do(a in any::<u128>(), b in any::<u64>(), by in 0u64..200) {
            let (wide, narrow) = (Natural::from(a), Natural::from(u128::from(b)));
            let product = wide.times(&narrow);
            let shifted = product.shifted_left(by);
            prop_assert_eq!(shifted.bits(), if product == Natural::default() { 0 } else { product.bits() + by });
            prop_assert_eq!(shifted.window(by) as u64, (a as u64).wrapping_mul(b));
            prop_assert!(!shifted.any_below(by));
            prop_assert_eq!(wide.plus(&product).minus(&product), wide.clone());
            prop_assert_eq!(wide.plus(&wide), wide.shifted_left(1));
            if b > 0 {
                let mut quotient = product.clone();
                prop_assert_eq!(quotient.divide(b), 0);
                prop_assert_eq!(&quotient, &wide);
                if product != Natural::default() {
                    let mut rest = product.minus(&Natural::from(1));
                    prop_assert!(rest < product);
                    prop_assert_eq!(rest.divide(b), b - 1);
                }
            }
        }
    }

    #[test]
    fn ties_go_to_the_even_float() {
        let round = |n: u128, exponent: i64| Exact::new(n.into(), exponent).round();
        let one = 1u128 << 53;
        assert_eq!(round(one + 1, 0), one as f64);
        assert_eq!(round(one + 3, 0), (one + 4) as f64);
        assert_eq!(round(((one + 1) << 60) + 1, -60), (one + 2) as f64);
        assert_eq!(round(1, -1_074), f64::from_bits(1));
        assert_eq!(round(1, -1_075), 0.0);
        assert_eq!(round(3, -1_075), f64::from_bits(2));
        assert_eq!(round(3, -1_076), f64::from_bits(1));
        assert_eq!(round(one - 1, -1_075), f64::MIN_POSITIVE);
        assert_eq!(round(one - 1, 971), f64::MAX);
        assert_eq!(round(2 * one - 1, 970), f64::INFINITY);
        assert_eq!(round(4 * one - 3, 969), f64::MAX);
        assert_eq!(round(1, 5_000), f64::INFINITY);
    }

    #[test]
    fn roots_are_the_nearest_floats() {
        for n in [0u32, 1, 2, 3, 4, 99, 1 << 20, u32::MAX] {
            let root = Natural::from(u128::from(n)).over(0, &[1]).round_root();
            assert_eq!(root, f64::from(n).sqrt(), "{n}");
        }
        // The root of an odd number of 54 bits is halfway between two floats, so the difference of the square decides.
        let half = (1u128 << 53) + 1;
        let [even, next] = [half - 1, half + 1].map(|n| n as f64);
        for (square, root) in [(half * half - 1, even), (half * half, even), (half * half + 1, next)] {
            assert_eq!(Natural::from(square).over(0, &[1]).round_root(), root);
            assert_eq!(Natural::from(square).over(0, &[4]).round_root(), root / 2.0);
        }
        assert_eq!(Natural::from(1).over(-2_148, &[1]).round_root(), f64::from_bits(1));
        assert_eq!(Natural::from(9).over(2_000, &[4]).round_root(), 1.5 * 2f64.powi(1_000));
    }
}

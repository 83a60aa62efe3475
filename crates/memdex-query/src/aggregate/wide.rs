//! Signed integers of several limbs, for sums that exceed 128 bits.

use super::natural::{Natural, subtract};

/// A signed integer of `N` limbs of 64 bits in two's complement, little-endian. The caller ensures that sums fit; each
/// use has a comment why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wide<const N: usize>([u64; N]);

impl<const N: usize> Wide<N> {
    pub(super) const ZERO: Self = Wide([0; N]);

    #[inline]
    pub(super) fn add_u128(&mut self, n: u128) {
        let (low, carry) = self.low().overflowing_add(n);
        self.set_low(low);
        if carry {
            self.0[2..].iter_mut().any(|limb| {
                *limb = limb.wrapping_add(1);
                *limb != 0
            });
        }
    }

    #[inline]
    pub(super) fn sub_u128(&mut self, n: u128) {
        let (low, borrow) = self.low().overflowing_sub(n);
        self.set_low(low);
        if borrow {
            self.0[2..].iter_mut().any(|limb| {
                *limb = limb.wrapping_sub(1);
                *limb != u64::MAX
            });
        }
    }

    /// Adds or subtracts a magnitude.
    pub(super) fn add_limbs(&mut self, limbs: &[u64], negative: bool) {
        if negative {
            subtract(&mut self.0, limbs);
            return;
        }
        let mut carry = false;
        for (at, limb) in self.0.iter_mut().enumerate() {
            if !carry && at >= limbs.len() {
                break;
            }
            let (more, first) = limb.overflowing_add(limbs.get(at).copied().unwrap_or(0));
            let (more, second) = more.overflowing_add(carry.into());
            (*limb, carry) = (more, first | second);
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.add_limbs(&other.0, false);
    }

    pub(super) fn is_negative(&self) -> bool {
        self.0[N - 1] >> 63 == 1
    }

    /// Whether the number is negative, and its magnitude.
    pub(super) fn magnitude(&self) -> (bool, Natural) {
        let mut limbs = self.0;
        if self.is_negative() {
            limbs = [0; N];
            subtract(&mut limbs, &self.0);
        }
        (self.is_negative(), Natural::from_limbs(limbs))
    }

    #[inline]
    fn low(&self) -> u128 {
        u128::from(self.0[0]) | u128::from(self.0[1]) << 64
    }

    #[inline]
    fn set_low(&mut self, low: u128) {
        (self.0[0], self.0[1]) = (low as u64, (low >> 64) as u64);
    }
}

impl<const N: usize> From<i128> for Wide<N> {
    fn from(n: i128) -> Self {
        let mut wide = Wide::ZERO;
        if n < 0 {
            wide.sub_u128(n.unsigned_abs())
        } else {
            wide.add_u128(n.unsigned_abs())
        }
        wide
    }
}

/// Converts a sign and a magnitude to an `i128`, if the number fits.
pub(super) fn to_i128(negative: bool, magnitude: &Natural) -> Option<i128> {
    let magnitude = magnitude.to_u128()?;
    if negative { 0i128.checked_sub_unsigned(magnitude) } else { i128::try_from(magnitude).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn wide_integers_count_as_narrow_ones_do(start in any::<i64>(), steps in prop::collection::vec(any::<i64>(), 0..40)) {
            let mut wide = Wide::<4>::from(i128::from(start));
            let mut narrow = i128::from(start);
            for step in steps {
                let square = u128::from(step.unsigned_abs()).pow(2) >> 8;
                if step % 2 == 0 { wide.sub_u128(square) } else { wide.add_u128(square) }
                narrow += if step % 2 == 0 { -(square as i128) } else { square as i128 };
                wide.add_limbs(&[step.unsigned_abs()], step < 0);
                narrow += i128::from(step);
                let mut twice = wide;
                twice.add(&wide);
                prop_assert_eq!(wide, Wide::from(narrow));
                prop_assert_eq!(twice, Wide::from(2 * narrow));
                let (negative, magnitude) = wide.magnitude();
                prop_assert_eq!((negative, magnitude.to_u128()), (narrow < 0, Some(narrow.unsigned_abs())));
                prop_assert_eq!(to_i128(negative, &magnitude), Some(narrow));
            }
        }
    }

    #[test]
    fn conversions_to_128_bits_detect_overflow() {
        let mut wide = Wide::<4>::ZERO;
        let summands = [i128::MAX, 1, i128::MAX];
        let mut converted = Vec::new();
        for n in summands {
            wide.add_u128(n.unsigned_abs());
            let (negative, magnitude) = wide.magnitude();
            converted.push((to_i128(negative, &magnitude), magnitude.to_u128()));
        }
        assert_eq!(
            converted,
            [(Some(i128::MAX), Some(1 << 127).map(|n: u128| n - 1)), (None, Some(1 << 127)), (None, Some(u128::MAX))]
        );
        wide.add_u128(1);
        assert_eq!(wide.magnitude().1.to_u128(), None);
        wide.sub_u128(u128::MAX);
        wide.sub_u128(1 << 127);
        wide.sub_u128(1);
        let (negative, magnitude) = wide.magnitude();
        assert_eq!(to_i128(negative, &magnitude), Some(i128::MIN));
    }
}

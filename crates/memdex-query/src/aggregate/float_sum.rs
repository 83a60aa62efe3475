//! Sums of `f64`s without rounding.
//!
//! The small superaccumulator of Radford Neal, "Fast exact summation using small and large superaccumulators" (2015): a
//! fixed-point number that spans all exponents, in chunks of 32 bits. A chunk is an `i64`, so that a summand changes
//! only the two chunks of its mantissa, without a carry; carries are resolved every thousand summands. Removing a
//! summand is adding its negation.

use super::natural::{Exact, LEAST_EXPONENT, Natural};

/// 32 bits a chunk: 2,098 bits for all finite numbers, and the sum of 2^46 of the greatest.
const CHUNKS: usize = 67;
/// Squares have twice the exponents, 4,196 bits.
const SQUARE_CHUNKS: usize = 134;
const CHUNK_BITS: u64 = 32;
const LOW: u64 = (1 << CHUNK_BITS) - 1;
/// A summand moves a chunk by less than 2^52 + 2^32.
const SUMMANDS_TO_CARRY: u32 = 1_024;
const MANTISSA_BITS: u32 = 52;
const SPECIAL: u64 = 0x7ff;

/// A fixed-point number of `N` chunks. Once carried, all but the top chunk are in `0..2^32`, and the top one has the
/// sign.
#[derive(Clone, Debug)]
struct Chunks<const N: usize> {
    chunks: [i64; N],
    /// Summands until the next carry.
    capacity: u32,
}

impl<const N: usize> Chunks<N> {
    const ZERO: Self = Chunks { chunks: [0; N], capacity: SUMMANDS_TO_CARRY };

    /// Carries if one more summand might overflow a chunk.
    #[inline]
    fn prepare(&mut self) {
        if self.capacity == 0 {
            self.carry();
        }
        self.capacity -= 1;
    }

    #[inline(never)]
    fn carry(&mut self) {
        let mut carry = 0;
        for chunk in &mut self.chunks[..N - 1] {
            let sum = *chunk + carry;
            *chunk = sum & LOW as i64;
            carry = sum >> CHUNK_BITS;
        }
        self.chunks[N - 1] += carry;
        self.capacity = SUMMANDS_TO_CARRY;
    }

    fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        other.carry();
        self.carry();
        for (chunk, more) in self.chunks.iter_mut().zip(other.chunks) {
            *chunk += more;
        }
        self.carry();
    }

    /// The sign (true if negative) and the magnitude, in units of the lowest chunk.
    fn magnitude(&self) -> (bool, Natural) {
        let mut positive = self.clone();
        positive.carry();
        let negative = positive.chunks[N - 1] < 0;
        if negative {
            positive.chunks.iter_mut().for_each(|chunk| *chunk = -*chunk);
            positive.carry();
        }
        let top = positive.chunks[N - 1] as u64;
        let chunk = |at: usize| if at < N - 1 { positive.chunks[at] as u64 } else { 0 };
        let mut limbs: Vec<u64> =
            (0..N.div_ceil(2)).map(|at| chunk(2 * at) | chunk(2 * at + 1) << CHUNK_BITS).collect();
        // The top chunk may have more than 32 bits.
        if N % 2 == 1 {
            limbs[N / 2] += top;
        } else {
            limbs[N / 2 - 1] += top << CHUNK_BITS;
            limbs.push(top >> CHUNK_BITS);
        }
        (negative, Natural::from_limbs(limbs))
    }
}

/// A sum and the counts of summands that are not finite, so that these can be removed too.
#[derive(Clone, Debug)]
struct Parts {
    finite: Chunks<CHUNKS>,
    infinite: u64,
    negative_infinite: u64,
    not_numbers: u64,
}

/// An exact sum of floats, including NaNs and infinities. An empty sum takes a pointer, any other about 570 bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct FloatSum(Option<Box<Parts>>);

/// The mantissa of a finite number, and its shift in bits above the least positive `f64`.
#[inline]
fn parts(bits: u64) -> (u64, u64) {
    let exponent = bits >> MANTISSA_BITS & SPECIAL;
    let normal = u64::from(exponent != 0);
    (bits & ((1 << MANTISSA_BITS) - 1) | normal << MANTISSA_BITS, exponent - normal)
}

impl FloatSum {
    #[inline]
    pub(super) fn add(&mut self, x: f64) {
        self.put(x.to_bits(), x.to_bits(), 1);
    }

    /// Removes a summand that was added before.
    #[inline]
    pub(super) fn remove(&mut self, x: f64) {
        self.put(x.to_bits(), x.to_bits() ^ 1 << 63, u64::MAX);
    }

    /// Adds `summand`, which is `bits` or its negation; if it is not finite, counts it `times`.
    #[inline]
    fn put(&mut self, bits: u64, summand: u64, times: u64) {
        let all = match &mut self.0 {
            Some(all) => all,
            none => none.insert(empty()),
        };
        if bits >> MANTISSA_BITS & SPECIAL == SPECIAL {
            return all.count(bits, times);
        }
        all.finite.prepare();
        let (mantissa, position) = parts(bits);
        let (at, shift) = ((position / CHUNK_BITS) as usize, position % CHUNK_BITS);
        let (low, high) = ((mantissa << shift & LOW) as i64, (mantissa >> (CHUNK_BITS - shift)) as i64);
        // All ones for a negative summand: then this is the negation.
        let sign = (summand as i64) >> 63;
        all.finite.chunks[at] += (low ^ sign) - sign;
        all.finite.chunks[at + 1] += (high ^ sign) - sign;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let Some(other) = &other.0 else { return };
        let Some(all) = &mut self.0 else {
            self.0 = Some(other.clone());
            return;
        };
        all.finite.merge(&other.finite);
        all.infinite = all.infinite.wrapping_add(other.infinite);
        all.negative_infinite = all.negative_infinite.wrapping_add(other.negative_infinite);
        all.not_numbers = all.not_numbers.wrapping_add(other.not_numbers);
    }

    /// The sum, rounded once to nearest, ties to even; infinite above the greatest `f64`.
    pub(super) fn round(&self) -> f64 {
        self.special().unwrap_or_else(|| {
            let (negative, magnitude) = self.magnitude();
            signed(negative, Exact::new(magnitude, LEAST_EXPONENT).round())
        })
    }

    /// The sum, if it is not finite.
    pub(super) fn special(&self) -> Option<f64> {
        let all = self.0.as_deref()?;
        match (all.not_numbers, all.infinite, all.negative_infinite) {
            (0, 0, 0) => None,
            (0, _, 0) => Some(f64::INFINITY),
            (0, 0, _) => Some(f64::NEG_INFINITY),
            _ => Some(f64::NAN),
        }
    }

    /// The sign (true if negative) and the magnitude of the sum of all finite summands, in units of the least positive
    /// `f64`.
    pub(super) fn magnitude(&self) -> (bool, Natural) {
        self.0.as_deref().map_or_else(Default::default, |all| all.finite.magnitude())
    }
}

#[cold]
fn empty() -> Box<Parts> {
    Box::new(Parts { finite: Chunks::ZERO, infinite: 0, negative_infinite: 0, not_numbers: 0 })
}

impl Parts {
    #[cold]
    fn count(&mut self, bits: u64, times: u64) {
        let x = f64::from_bits(bits);
        let count = match x {
            _ if x.is_nan() => &mut self.not_numbers,
            f64::INFINITY => &mut self.infinite,
            _ => &mut self.negative_infinite,
        };
        *count = count.wrapping_add(times);
    }
}

/// Applies a sign; zero is always positive.
pub(super) fn signed(negative: bool, magnitude: f64) -> f64 {
    if negative && magnitude != 0.0 { -magnitude } else { magnitude }
}

/// An exact sum of squares of finite floats; ignored if other floats occur.
///
/// A square is computed as an integer of 106 bits, so that none overflows or underflows.
#[derive(Clone, Debug, Default)]
pub(super) struct SquareSum(Option<Box<Chunks<SQUARE_CHUNKS>>>);

impl SquareSum {
    #[inline]
    pub(super) fn add(&mut self, x: f64) {
        self.put(x, 0);
    }

    #[inline]
    pub(super) fn remove(&mut self, x: f64) {
        self.put(x, -1);
    }

    /// `sign` is -1 to remove the square.
    #[inline]
    fn put(&mut self, x: f64, sign: i64) {
        if !x.is_finite() {
            return;
        }
        let all = match &mut self.0 {
            Some(all) => all,
            none => none.insert(Box::new(Chunks::ZERO)),
        };
        all.prepare();
        let (mantissa, position) = parts(x.to_bits());
        let (at, shift) = ((2 * position / CHUNK_BITS) as usize, 2 * position % CHUNK_BITS);
        let square = u128::from(mantissa) * u128::from(mantissa);
        // 106 bits shifted by up to 31 span five chunks. The upper three come from the carry of the lower two.
        let lower = (square as u64 as u128) << shift;
        let upper = (square >> 64 << shift) + (lower >> 64);
        let pieces =
            [lower as u64 & LOW, lower as u64 >> 32, upper as u64 & LOW, upper as u64 >> 32, (upper >> 64) as u64];
        let chunks = &mut all.chunks[at..at + 5];
        for (chunk, piece) in chunks.iter_mut().zip(pieces) {
            *chunk += (piece as i64 ^ sign) - sign;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (_, None) => {}
            (Some(all), Some(other)) => all.merge(other),
            (none, Some(other)) => *none = Some(other.clone()),
        }
    }

    /// The sum in units of the square of the least positive `f64`.
    pub(super) fn magnitude(&self) -> Natural {
        self.0.as_deref().map_or_else(Natural::default, |all| all.magnitude().1)
    }
}

#[cfg(test)]
mod tests;

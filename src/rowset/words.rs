//! The 65,536 bits of a dense chunk as 1,024 words: bit `low % 64` of word `low / 64`.

/// Words of a bitmap.
pub(super) const WORDS: usize = 1 << 16 >> 6;

pub(super) type Words = [u64; WORDS];

/// Words without a bit set.
pub(super) fn zeroed() -> Box<Words> {
    Box::new([0; WORDS])
}

/// Word index and mask of a bit; the index is below `WORDS` for every `u16`.
#[inline(always)]
pub(super) fn place(low: u16) -> (usize, u64) {
    (usize::from(low >> 6), 1 << (low & 63))
}

#[inline(always)]
pub(super) fn has(words: &Words, low: u16) -> bool {
    let (word, mask) = place(low);
    words[word] & mask != 0
}

/// Sets the bits of `lows`.
#[inline]
pub(super) fn mark(words: &mut Words, lows: impl IntoIterator<Item = u16>) {
    for low in lows {
        let (word, mask) = place(low);
        words[word] |= mask;
    }
}

/// Calls `visit` with each set bit, in order.
#[inline]
pub(super) fn each_bit(words: &Words, mut visit: impl FnMut(u16)) {
    for (base, &word) in (0..).step_by(64).zip(words) {
        let mut rest = word;
        while rest != 0 {
            visit((base + rest.trailing_zeros()) as u16);
            rest &= rest - 1;
        }
    }
}

/// The `len` bits set in `words`, as a sorted array.
pub(super) fn to_array(words: &Words, len: u32) -> Vec<u16> {
    let mut out = Vec::with_capacity(len as usize);
    each_bit(words, |low| out.push(low));
    debug_assert_eq!(out.len(), len as usize);
    out
}

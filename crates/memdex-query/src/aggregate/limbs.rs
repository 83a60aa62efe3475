//! A short list of 64-bit limbs. Up to [`INLINE`] of them need no allocation, which is enough for integers and
//! decimals.

use std::ops::{Deref, DerefMut};

const INLINE: usize = 12;

/// Invariant: if `heap` is empty, the limbs are the first `len` of `inline`; otherwise they are `heap`, and `len` is
/// its length.
#[derive(Clone, Debug, Default)]
pub(super) struct Limbs {
    inline: [u64; INLINE],
    len: usize,
    heap: Vec<u64>,
}

impl Limbs {
    pub(super) fn zeros(len: usize) -> Self {
        let heap = if len > INLINE { vec![0; len] } else { Vec::new() };
        Limbs { inline: [0; INLINE], len, heap }
    }

    pub(super) fn push(&mut self, limb: u64) {
        if self.heap.is_empty() && self.len < INLINE {
            self.inline[self.len] = limb;
        } else {
            if self.heap.is_empty() {
                self.heap.extend_from_slice(&self.inline);
            }
            self.heap.push(limb);
        }
        self.len += 1;
    }

    /// Drops zeros at the end.
    pub(super) fn trim(&mut self) {
        self.len = self.iter().rposition(|limb| *limb != 0).map_or(0, |last| last + 1);
        self.heap.truncate(self.len);
    }
}

impl Deref for Limbs {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        if self.heap.is_empty() { &self.inline[..self.len] } else { &self.heap }
    }
}

impl DerefMut for Limbs {
    fn deref_mut(&mut self) -> &mut [u64] {
        if self.heap.is_empty() { &mut self.inline[..self.len] } else { &mut self.heap }
    }
}

impl PartialEq for Limbs {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Limbs {}

impl FromIterator<u64> for Limbs {
    fn from_iter<I: IntoIterator<Item = u64>>(limbs: I) -> Self {
        let mut list = Limbs::default();
        limbs.into_iter().for_each(|limb| list.push(limb));
        list
    }
}

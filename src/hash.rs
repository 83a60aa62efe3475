//! The one hash function: aHash, randomly seeded a store, so that nobody can prepare keys that collide.
//!
//! A hash is 32 bits and lives only in memory: the upper bits choose a shard, the lower ones a place in it.

use ahash::AHasher;
use std::hash::{BuildHasher, Hash, Hasher};

pub(crate) use ahash::RandomState;

/// A seed of its own for every store.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) fn random() -> RandomState {
    RandomState::new()
}

/// A checker replays schedules, so the shards that it meets must be the same each time.
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) fn random() -> RandomState {
    seeded(1)
}

#[cfg(any(test, memdex_shuttle, memdex_loom))]
pub(crate) fn seeded(seed: usize) -> RandomState {
    RandomState::with_seed(seed)
}

/// The 32 bits that stand for `value` in memory.
pub(crate) fn short<T: Hash + ?Sized>(state: &RandomState, value: &T) -> u32 {
    (state.hash_one(value) >> 32) as u32
}

/// Hashes the parts of a key, one after the other.
pub(crate) struct KeyHasher(AHasher);

impl KeyHasher {
    #[inline]
    pub(crate) fn new(state: &RandomState) -> Self {
        KeyHasher(state.build_hasher())
    }

    #[inline]
    pub(crate) fn add<T: Hash>(&mut self, part: &T) {
        part.hash(&mut self.0);
    }

    #[inline]
    pub(crate) fn hash(&self) -> u32 {
        (self.0.finish() >> 32) as u32
    }
}

/// The 64 bits that a hashbrown table wants, from the 32 that are kept: it takes its tags from the top and places from
/// the bottom, and multiplying by an odd number spreads the first without losing the second.
pub(crate) const fn spread(hash: u32) -> u64 {
    (hash as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Which of `shards` (a power of two) a hash falls to: the top bits, which a table of up to four million entries a
/// shard does not use for places.
pub(crate) const fn shard(hash: u32, shards: usize) -> usize {
    debug_assert!(shards.is_power_of_two());
    ((hash as u64 * shards as u64) >> 32) as usize
}

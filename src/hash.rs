//! The hash function of the engine: aHash with a random seed for each store, so that an attacker can't prepare colliding
//! keys.
//!
//! A hash has 32 bits and lives only in memory. Its upper bits choose a shard, its lower bits a slot in the shard.

use ahash::AHasher;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hash, Hasher};

pub(crate) use ahash::RandomState;

/// A random seed for a new store.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
pub(crate) fn random() -> RandomState {
    RandomState::new()
}

/// Concurrency checkers replay schedules, so keys must fall to the same shards each time.
#[cfg(any(memdex_shuttle, memdex_loom))]
pub(crate) fn random() -> RandomState {
    seeded(1)
}

#[cfg(any(test, memdex_shuttle, memdex_loom))]
pub(crate) fn seeded(seed: usize) -> RandomState {
    RandomState::with_seed(seed)
}

/// The 32-bit hash of `value`.
pub(crate) fn short<T: Hash + ?Sized>(state: &RandomState, value: &T) -> u32 {
    (state.hash_one(value) >> 32) as u32
}

/// Hashes a key part by part.
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

/// The 64-bit hash for a hashbrown table, from the stored 32 bits. The table takes its tags from the top bits and its
/// slots from the bottom bits; multiplying by an odd number fills the top without losing the bottom.
pub(crate) const fn spread(hash: u32) -> u64 {
    (hash as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The shard of a hash, out of `shards` (a power of two). Uses the top bits, which a table with up to four million entries
/// a shard does not use for slots.
pub(crate) const fn shard(hash: u32, shards: usize) -> usize {
    debug_assert!(shards.is_power_of_two());
    ((hash as u64 * shards as u64) >> 32) as usize
}

/// Frees unused capacity of a table. Returns how many entries it moved.
pub(crate) fn shrink<T>(table: &mut HashTable<T>, hash_of: impl Fn(&T) -> u64) -> usize {
    let before = table.capacity();
    table.shrink_to_fit(hash_of);
    if table.capacity() == before { 0 } else { table.len() }
}

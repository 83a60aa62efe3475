//! Key → newest version, published or in flight: hash tables of pointers, in many small shards with a lock each.
//!
//! Finding a key costs three memory accesses: the tags of the shard, the pointer, and the version. The hashes are
//! stored in the versions, so a slot takes nine bytes. When a shard grows, it reads them again; only accesses to that
//! shard wait.
//!
//! A look-up compares keys by code of the user's key type, which may wait for other threads. So that code never runs under the
//! guard of a shard: there a look-up finds a version by its hash, or by the bytes of its key.

use super::Version;
use crate::hash::{self, shard, spread};
use crate::memory::HeapBytes;
use crate::sync::{Arc, RwLock, RwLockReadGuard};
use hashbrown::HashTable;

type Entries<R> = HashTable<Arc<Version<R>>>;

/// Fits in one cache line, so that a lookup touches only one line of the directory.
#[repr(align(64))]
struct Shard<R>(RwLock<Entries<R>>);

pub(crate) struct KeyTable<R> {
    shards: Box<[Shard<R>]>,
    bytes: HeapBytes,
}

impl<R> KeyTable<R> {
    /// The number of shards is a power of two.
    pub(crate) fn new(shards: usize) -> Self {
        let bytes = HeapBytes::new(shards * size_of::<Shard<R>>());
        KeyTable { shards: (0..shards).map(|_| Shard(RwLock::new(Entries::new()))).collect(), bytes }
    }

    #[inline]
    fn read(&self, hash: u32) -> RwLockReadGuard<'_, Entries<R>> {
        self.shards[shard(hash, self.shards.len())].0.read()
    }

    /// The newest version of a key. `None` proves that no epoch that may still be read has a record with that key.
    #[inline]
    pub(crate) fn newest(&self, hash: u32, key: &[u8]) -> Option<Arc<Version<R>>> {
        self.read(hash).find(spread(hash), |v| v.hash == hash && v.key.bytes() == key).cloned()
    }

    /// The newest version of some key with this hash. `None` proves as much as that of [`newest`](KeyTable::newest), for every
    /// such key.
    #[inline]
    pub(crate) fn newest_with_hash(&self, hash: u32) -> Option<Arc<Version<R>>> {
        self.read(hash).find(spread(hash), |v| v.hash == hash).cloned()
    }

    /// Replaces `old` by `new`, or inserts `new` if there is no old version. The old one is found by pointer, so no
    /// keys are compared.
    pub(crate) fn put(&self, old: Option<&Arc<Version<R>>>, new: &Arc<Version<R>>) {
        let hash = spread(new.hash);
        let mut entries = self.shards[shard(new.hash, self.shards.len())].0.write();
        match old {
            None => {
                self.bytes.track(&mut *entries, Entries::allocation_size, |entries| {
                    entries.insert_unique(hash, new.clone(), |v| spread(v.hash));
                });
            }
            Some(old) => match entries.find_mut(hash, |v| Arc::ptr_eq(v, old)) {
                // The row page still holds the old version, so nothing is dropped under the guard.
                Some(entry) => *entry = new.clone(),
                None => unreachable!("the newest version of a key is in the key table"),
            },
        }
    }

    /// Removes a key whose newest version is `tombstone`.
    pub(crate) fn forget(&self, tombstone: &Arc<Version<R>>) {
        let mut entries = self.shards[shard(tombstone.hash, self.shards.len())].0.write();
        match entries.find_entry(spread(tombstone.hash), |v| Arc::ptr_eq(v, tombstone)) {
            // The caller holds the tombstone, so nothing is dropped under the guard.
            Ok(entry) => drop(entry.remove()),
            Err(_) => unreachable!("a tombstone is in the key table until it is removed"),
        }
    }

    /// Frees unused capacity of a shard. Returns how many entries it moved; `None` past the last shard.
    pub(crate) fn shrink(&self, shard: usize) -> Option<usize> {
        let mut entries = self.shards.get(shard)?.0.write();
        Some(
            self.bytes
                .track(&mut *entries, Entries::allocation_size, |entries| hash::shrink(entries, |v| spread(v.hash))),
        )
    }

    /// The number of keys in the table, tombstones included.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.read().len()).sum()
    }

    /// O(1).
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.get()
    }

    /// The heap bytes, by a walk; for audits.
    pub(crate) fn walk_bytes(&self) -> usize {
        self.shards.iter().map(|shard| size_of::<Shard<R>>() + shard.0.read().allocation_size()).sum()
    }

    /// Removes and returns every version, when the collection is dropped.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Arc<Version<R>>> {
        let shards = std::mem::take(&mut self.shards);
        shards.into_iter().flat_map(|shard| std::mem::take(&mut *shard.0.write()).into_iter())
    }
}

//! Key → newest version, published or in flight: hash tables of pointers, in many small shards with a lock each.
//!
//! Finding a key costs three memory accesses: the tags of the shard, the pointer, and the version. The hashes are
//! stored in the versions, so a slot takes nine bytes. When a shard grows, it reads them again; only accesses to that
//! shard wait.
//!
//! A look-up compares keys by code of the user's key type, which may wait for other threads. So that code never runs under the
//! guard of a shard: there a look-up finds a version by its hash, or by the bytes of its key.

use super::any_version::{AnyVersion, SharedVersion};
use super::change::Change;
use super::pages::own;
use super::version::Version;
use crate::hash::{self, shard, spread};
use crate::memory::HeapBytes;
use crate::record::Record;
use crate::sync::{Arc, RwLock, RwLockReadGuard};
use crate::user_code;
use hashbrown::HashTable;
use smallvec::SmallVec;
use std::any::Any;

/// The number of keys that are found under guards held at the same time.
const FOUND_TOGETHER: usize = 16;

type Entries<R> = HashTable<Arc<Version<R>>>;

/// Fits in one cache line, so that a lookup touches only one line of the directory.
#[repr(align(64))]
struct Shard<R>(RwLock<Entries<R>>);

pub(crate) struct KeyTable<R> {
    shards: Box<[Shard<R>]>,
    bytes: HeapBytes,
}

impl<R: Record> KeyTable<R> {
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
    pub(crate) fn find(&self, hash: u32, key: &[u8]) -> Option<Arc<Version<R>>> {
        self.read(hash).find(spread(hash), |v| v.hash == hash && v.key.bytes() == key).cloned()
    }

    /// The newest version of some key with this hash. `None` proves as much as that of [`find`](KeyTable::find), for every
    /// such key.
    #[inline]
    pub(crate) fn newest_with_hash(&self, hash: u32) -> Option<Arc<Version<R>>> {
        self.read(hash).find(spread(hash), |v| v.hash == hash).cloned()
    }

    fn put(&self, old: Option<&SharedVersion>, new: Arc<Version<R>>) {
        let hash = spread(new.hash);
        let mut entries = self.shards[shard(new.hash, self.shards.len())].0.write();
        match old {
            None => {
                self.bytes.track(&mut *entries, Entries::allocation_size, |entries| {
                    entries.insert_unique(hash, new, |v| spread(v.hash));
                });
            }
            Some(old) => match entries.find_mut(hash, |v| is_same(v, &**old)) {
                // The row page still holds the old version, so nothing is dropped under the guard.
                Some(entry) => *entry = new,
                None => unreachable!("the newest version of a key is in the key table"),
            },
        }
    }
}

/// A key table without the record type.
pub(crate) trait AnyKeyTable: Any + Send + Sync {
    /// The newest version of a key. `None` proves that no epoch that may still be read has a record with that key.
    fn newest(&self, hash: u32, key: &[u8]) -> Option<SharedVersion>;

    /// The newest version of each key, for the committer. Costs less than one look-up after the other: the cache misses overlap.
    fn newest_of_each(&self, keys: &[(u32, &[u8])]) -> Vec<Option<SharedVersion>>;

    /// Replaces the old version of each change by the new one, or inserts the new one if there is no old one. The old one is found by
    /// pointer, so no keys are compared.
    fn apply(&self, changes: &[Change]);

    /// Removes a key whose newest version is `tombstone`.
    fn forget(&self, tombstone: &dyn AnyVersion);

    /// Frees unused capacity of a shard. Returns how many entries it moved; `None` past the last shard.
    fn shrink(&self, shard: usize) -> Option<usize>;

    /// The number of keys in the table, tombstones included.
    fn len(&self) -> usize;

    /// O(1).
    fn heap_bytes(&self) -> usize;

    /// The heap bytes, by a walk; for audits.
    fn walk_bytes(&self) -> usize;

    /// Drops every version by itself, when the collection is dropped. Returns the number of panics.
    fn drop_all(&self) -> u64;
}

impl<R: Record> AnyKeyTable for KeyTable<R> {
    fn newest(&self, hash: u32, key: &[u8]) -> Option<SharedVersion> {
        Some(self.find(hash, key)?)
    }

    fn newest_of_each(&self, keys: &[(u32, &[u8])]) -> Vec<Option<SharedVersion>> {
        let mut found = Vec::with_capacity(keys.len());
        for some in keys.chunks(FOUND_TOGETHER) {
            // Only the committer writes to shards, and it is the caller. So it never waits for one shard while it holds another.
            let mut shards: SmallVec<[usize; FOUND_TOGETHER]> = SmallVec::new();
            let mut guards: SmallVec<[_; FOUND_TOGETHER]> = SmallVec::new();
            let mut of_key: SmallVec<[usize; FOUND_TOGETHER]> = SmallVec::new();
            for (hash, _) in some {
                let shard = shard(*hash, self.shards.len());
                of_key.push(shards.iter().position(|held| *held == shard).unwrap_or(shards.len()));
                if of_key.last() == Some(&shards.len()) {
                    shards.push(shard);
                    guards.push(self.shards[shard].0.read());
                }
            }
            // Locking and counting references are separate loops, since an atomic change does not overlap with other accesses.
            let versions: SmallVec<[Option<&Arc<Version<R>>>; FOUND_TOGETHER]> = some
                .iter()
                .zip(of_key)
                .map(|((hash, key), guard)| {
                    guards[guard].find(spread(*hash), |v| v.hash == *hash && v.key.bytes() == *key)
                })
                .collect();
            found.extend(versions.into_iter().map(|version| version.map(|version| version.clone() as SharedVersion)));
        }
        found
    }

    fn apply(&self, changes: &[Change]) {
        changes.iter().for_each(|change| self.put(change.old.as_ref(), own(&change.new)));
    }

    fn forget(&self, tombstone: &dyn AnyVersion) {
        let mut entries = self.shards[shard(tombstone.hash, self.shards.len())].0.write();
        match entries.find_entry(spread(tombstone.hash), |v| is_same(v, tombstone)) {
            // The caller holds the tombstone, so nothing is dropped under the guard.
            Ok(entry) => drop(entry.remove()),
            Err(_) => unreachable!("a tombstone is in the key table until it is removed"),
        }
    }

    fn shrink(&self, shard: usize) -> Option<usize> {
        let mut entries = self.shards.get(shard)?.0.write();
        Some(
            self.bytes
                .track(&mut *entries, Entries::allocation_size, |entries| hash::shrink(entries, |v| spread(v.hash))),
        )
    }

    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.read().len()).sum()
    }

    fn heap_bytes(&self) -> usize {
        self.bytes.get()
    }

    fn walk_bytes(&self) -> usize {
        self.shards.iter().map(|shard| size_of::<Shard<R>>() + shard.0.read().allocation_size()).sum()
    }

    fn drop_all(&self) -> u64 {
        self.shards.iter().map(|shard| user_code::drop_each(std::mem::take(&mut *shard.0.write()))).sum()
    }
}

fn is_same<R>(version: &Arc<Version<R>>, other: &dyn AnyVersion) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(version), other)
}

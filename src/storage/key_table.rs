//! Key → newest version, published or in flight: hash tables of pointers, in many small shards with a lock each.
//!
//! Finding a key costs three memory accesses: the tags of the shard, the pointer, and the version. The hashes are
//! stored in the versions, so a slot takes nine bytes. When a shard grows, it reads them again; only accesses to that
//! shard wait.

use super::Version;
use crate::hash::{self, shard, spread};
use crate::limits::KEY_SHARDS;
use crate::memory::HeapBytes;
use crate::sync::{Arc, RwLock, RwLockReadGuard};
use crate::user_code;
use hashbrown::HashTable;
use memdex_query::value::Key;

type Entries<R> = HashTable<Arc<Version<R>>>;

/// Fits in one cache line, so that a lookup touches only one line of the directory.
#[repr(align(64))]
struct Shard<R>(RwLock<Entries<R>>);

impl<R> Shard<R> {
    /// Inside user code (`nested`), this thread may already hold a guard of the same shard. Waiting behind a writer,
    /// which waits for that guard, would then deadlock.
    #[inline]
    fn read(&self, nested: bool) -> RwLockReadGuard<'_, Entries<R>> {
        if nested { self.0.read_recursive() } else { self.0.read() }
    }
}

pub(crate) struct KeyTable<R> {
    shards: Box<[Shard<R>]>,
    bytes: HeapBytes,
}

impl<R> KeyTable<R> {
    pub(crate) fn new() -> Self {
        let shards = (0..KEY_SHARDS).map(|_| Shard(RwLock::new(Entries::new()))).collect();
        KeyTable { shards, bytes: HeapBytes::new(KEY_SHARDS * size_of::<Shard<R>>()) }
    }

    #[inline]
    fn read(&self, hash: u32, nested: bool) -> RwLockReadGuard<'_, Entries<R>> {
        self.shards[shard(hash, KEY_SHARDS)].read(nested)
    }

    /// The newest version of a key. `None` proves that no epoch that may still be read has a record with that key.
    #[inline]
    pub(crate) fn newest(&self, hash: u32, is: impl Fn(&Key) -> bool) -> Option<Arc<Version<R>>> {
        let nested = user_code::inside();
        // Comparing keys may call the user's code.
        let _scope = user_code::Scope::enter();
        let entries = self.read(hash, nested);
        entries.find(spread(hash), |v| v.hash == hash && is(&v.key)).cloned()
    }

    /// Passes the newest version of a key to `look`, which is user code, under the guard of the shard.
    #[inline]
    pub(crate) fn with_newest<T>(
        &self,
        hash: u32,
        is: impl Fn(&Key) -> bool,
        look: impl FnOnce(Option<&Version<R>>) -> T,
    ) -> T {
        let nested = user_code::inside();
        // Declared before the guard, so that deferred work runs after the guard is released.
        let _scope = user_code::Scope::enter();
        let entries = self.read(hash, nested);
        look(entries.find(spread(hash), |v| v.hash == hash && is(&v.key)).map(|v| &**v))
    }

    /// Replaces `old` by `new`, or inserts `new` if there is no old version. The old one is found by pointer, so no
    /// keys are compared.
    pub(crate) fn put(&self, old: Option<&Arc<Version<R>>>, new: &Arc<Version<R>>) {
        let hash = spread(new.hash);
        let mut entries = self.shards[shard(new.hash, KEY_SHARDS)].0.write();
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
        let mut entries = self.shards[shard(tombstone.hash, KEY_SHARDS)].0.write();
        match entries.find_entry(spread(tombstone.hash), |v| Arc::ptr_eq(v, tombstone)) {
            // The caller holds the tombstone, so nothing is dropped under the guard.
            Ok(entry) => drop(entry.remove()),
            Err(_) => unreachable!("a tombstone is in the key table until it is removed"),
        }
    }

    /// Frees unused capacity of a shard. Returns how many entries it moved.
    pub(crate) fn shrink(&self, shard: usize) -> usize {
        self.bytes.track(&mut *self.shards[shard].0.write(), Entries::allocation_size, |entries| {
            hash::shrink(entries, |v| spread(v.hash))
        })
    }

    /// The number of keys in the table, tombstones included.
    pub(crate) fn len(&self) -> usize {
        let nested = user_code::inside();
        self.shards.iter().map(|shard| shard.read(nested).len()).sum()
    }

    /// O(1).
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.get()
    }

    /// The heap bytes, by a walk; for audits.
    pub(crate) fn walk_bytes(&self) -> usize {
        let nested = user_code::inside();
        self.shards.iter().map(|shard| size_of::<Shard<R>>() + shard.read(nested).allocation_size()).sum()
    }

    /// Removes and returns every version, when the collection is dropped.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Arc<Version<R>>> {
        let shards = std::mem::take(&mut self.shards);
        shards.into_iter().flat_map(|shard| std::mem::take(&mut *shard.0.write()).into_iter())
    }
}

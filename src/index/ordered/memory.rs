//! The committer's copies of the keys of rows, by which rows leave the index without their records being read again.

use super::super::changes::{ABSENT, NEW, NULL, SCRATCH_KEPT, StagedRefs};
use super::super::shape::{Entry, IndexShape};
use super::super::slab::Slab;
use super::key::IndexKey;
use super::mixed;
use memdex_query::value::{Key, encode_parts};

pub(super) trait KeyMemory<K>: Send + Sync {
    /// Words of back references for each row.
    const WIDTH: usize;

    fn new(shape: &IndexShape) -> Self;

    /// Forgets what an earlier batch has staged.
    fn clear(&mut self);

    /// Writes the back references for an entry. `old` are those that the row has now.
    fn stage(&mut self, entry: &Entry<'_>, old: Option<&[u32]>, new: &mut [u32]);

    /// Makes provisional back references final.
    fn admit(&mut self, refs: &mut StagedRefs<'_>);

    /// Passes each key that a row loses, and with `true` each that it gains, when its back references change.
    fn each_change(&self, old: Option<&[u32]>, new: Option<&[u32]>, visit: impl FnMut(K, bool));

    /// Frees the back references of a row that has keys.
    fn free(&mut self, refs: &[u32]);

    /// Whether a row with these back references has this key.
    fn has(&self, refs: &[u32], key: &K) -> bool;

    /// Whether an entry has this key; `None` stands for an entry without a value. For audits.
    fn is_of(&self, entry: &Entry<'_>, key: Option<&K>) -> bool;

    /// O(1).
    fn heap_bytes(&self) -> usize;

    /// The heap bytes, by a walk; for audits.
    fn walk_bytes(&self) -> usize;

    fn shrink(&mut self);
}

/// Whether a row with these back references has a key.
pub(super) fn has_key(refs: &[u32]) -> bool {
    refs[0] != NULL && refs[0] != ABSENT
}

/// The back reference of an entry without a key.
fn no_key(entry: &Entry<'_>) -> u32 {
    if matches!(entry, Entry::Absent) { ABSENT } else { NULL }
}

/// Whether an entry of single values has this key.
fn is_single<K: IndexKey>(entry: &Entry<'_>, key: Option<&K>) -> bool {
    !matches!(entry, Entry::Absent | Entry::Many(_)) && K::of_entry(entry).as_ref() == key
}

/// Narrow keys are remembered as they are: in three words, whether there is a key, and the key.
pub(super) struct NarrowMemory;

/// In the first word of a row with a narrow key.
const KEY: u32 = 1;

impl NarrowMemory {
    #[inline]
    fn key(refs: &[u32]) -> Option<u64> {
        has_key(refs).then(|| u64::from(refs[1]) << 32 | u64::from(refs[2]))
    }
}

impl KeyMemory<u64> for NarrowMemory {
    const WIDTH: usize = 3;

    fn new(_: &IndexShape) -> Self {
        NarrowMemory
    }

    fn clear(&mut self) {}

    #[inline]
    fn stage(&mut self, entry: &Entry<'_>, _old: Option<&[u32]>, new: &mut [u32]) {
        match u64::of_entry(entry) {
            Some(key) => new.copy_from_slice(&[KEY, (key >> 32) as u32, key as u32]),
            None => new[0] = no_key(entry),
        }
    }

    fn admit(&mut self, _refs: &mut StagedRefs<'_>) {}

    #[inline]
    fn each_change(&self, old: Option<&[u32]>, new: Option<&[u32]>, mut visit: impl FnMut(u64, bool)) {
        old.and_then(Self::key).into_iter().for_each(|key| visit(key, false));
        new.and_then(Self::key).into_iter().for_each(|key| visit(key, true));
    }

    fn free(&mut self, _refs: &[u32]) {}

    fn has(&self, refs: &[u32], key: &u64) -> bool {
        Self::key(refs) == Some(*key)
    }

    fn is_of(&self, entry: &Entry<'_>, key: Option<&u64>) -> bool {
        is_single(entry, key)
    }

    fn heap_bytes(&self) -> usize {
        0
    }

    fn walk_bytes(&self) -> usize {
        0
    }

    fn shrink(&mut self) {}
}

/// What rows have, by number: each row's apart, never shared.
struct Numbered<T> {
    slab: Slab<T>,
    /// What a batch brings.
    new: Vec<T>,
}

impl<T: PartialEq> Numbered<T> {
    fn new(weigh: fn(&T) -> usize) -> Self {
        Numbered { slab: Slab::new(weigh), new: Vec::new() }
    }

    fn clear(&mut self) {
        self.new.clear();
        self.new.shrink_to(SCRATCH_KEPT);
    }

    /// The number of an equal one that the row has now, or else a provisional one.
    #[inline]
    fn stage(&mut self, value: T, old: Option<&[u32]>) -> u32 {
        match old {
            Some(old) if self.slab.get(old[0]) == Some(&value) => old[0],
            _ => {
                self.new.push(value);
                NEW | (self.new.len() - 1) as u32
            }
        }
    }

    /// `empty` takes the place of what has got a number.
    fn admit(&mut self, refs: &mut StagedRefs<'_>, empty: impl Fn() -> T) {
        if self.new.is_empty() {
            return;
        }
        for refs in refs.new_refs().filter(|refs| refs[0] != ABSENT && refs[0] & NEW != 0) {
            let value = std::mem::replace(&mut self.new[(refs[0] & !NEW) as usize], empty());
            refs[0] = self.slab.insert(value);
        }
    }

    fn get(&self, refs: Option<&[u32]>) -> Option<&T> {
        self.slab.get(refs.filter(|refs| has_key(refs))?[0])
    }
}

/// Wide keys are remembered by number.
pub(super) struct WideMemory(Numbered<Key>);

impl KeyMemory<Key> for WideMemory {
    const WIDTH: usize = 1;

    fn new(_: &IndexShape) -> Self {
        WideMemory(Numbered::new(Key::heap_bytes))
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    #[inline]
    fn stage(&mut self, entry: &Entry<'_>, old: Option<&[u32]>, new: &mut [u32]) {
        new[0] = match Key::of_entry(entry) {
            Some(key) => self.0.stage(key, old),
            None => no_key(entry),
        };
    }

    fn admit(&mut self, refs: &mut StagedRefs<'_>) {
        let empty = Key::from_bytes(&[]);
        self.0.admit(refs, || empty.clone());
    }

    fn each_change(&self, old: Option<&[u32]>, new: Option<&[u32]>, mut visit: impl FnMut(Key, bool)) {
        self.0.get(old).into_iter().for_each(|key| visit(key.clone(), false));
        self.0.get(new).into_iter().for_each(|key| visit(key.clone(), true));
    }

    fn free(&mut self, refs: &[u32]) {
        self.0.slab.free(refs[0]);
    }

    fn has(&self, refs: &[u32], key: &Key) -> bool {
        self.0.get(Some(refs)) == Some(key)
    }

    fn is_of(&self, entry: &Entry<'_>, key: Option<&Key>) -> bool {
        is_single(entry, key)
    }

    fn heap_bytes(&self) -> usize {
        self.0.slab.heap_bytes()
    }

    fn walk_bytes(&self) -> usize {
        self.0.slab.walk_bytes()
    }

    fn shrink(&mut self) {
        self.0.slab.shrink();
    }
}

/// The keys of a row of many values, ascending.
type Keys = Box<[Key]>;

/// Lists of wide keys, by number.
pub(super) struct ListMemory {
    lists: Numbered<Keys>,
    /// Whether the values are of several kinds.
    mixed: bool,
}

impl ListMemory {
    fn keys(&self, entry: &Entry<'_>) -> Keys {
        let Entry::Many(values) = entry else { return Keys::default() };
        let key = |value| {
            let bytes = if self.mixed { mixed::key(value) } else { encode_parts([value]) };
            Key::from_bytes(&bytes)
        };
        let mut keys: Keys = values.iter().map(|value| key(*value)).collect();
        keys.sort_unstable();
        keys
    }
}

fn list_bytes(keys: &Keys) -> usize {
    size_of_val::<[Key]>(keys) + keys.iter().map(Key::heap_bytes).sum::<usize>()
}

impl KeyMemory<Key> for ListMemory {
    const WIDTH: usize = 1;

    fn new(shape: &IndexShape) -> Self {
        ListMemory { lists: Numbered::new(list_bytes), mixed: shape.is_undeclared() }
    }

    fn clear(&mut self) {
        self.lists.clear();
    }

    fn stage(&mut self, entry: &Entry<'_>, old: Option<&[u32]>, new: &mut [u32]) {
        let keys = self.keys(entry);
        new[0] = if keys.is_empty() { no_key(entry) } else { self.lists.stage(keys, old) };
    }

    fn admit(&mut self, refs: &mut StagedRefs<'_>) {
        self.lists.admit(refs, Keys::default);
    }

    fn each_change(&self, old: Option<&[u32]>, new: Option<&[u32]>, mut visit: impl FnMut(Key, bool)) {
        let list = |refs| self.lists.get(refs).map_or(&[][..], |keys| keys);
        let (before, after) = (list(old), list(new));
        let mut each = |of: &[Key], without: &[Key], gained| {
            let changed = of.iter().filter(|key| without.binary_search(key).is_err());
            changed.for_each(|key| visit(key.clone(), gained));
        };
        each(before, after, false);
        each(after, before, true);
    }

    fn free(&mut self, refs: &[u32]) {
        self.lists.slab.free(refs[0]);
    }

    fn has(&self, refs: &[u32], key: &Key) -> bool {
        self.lists.get(Some(refs)).is_some_and(|keys| keys.binary_search(key).is_ok())
    }

    fn is_of(&self, entry: &Entry<'_>, key: Option<&Key>) -> bool {
        let keys = self.keys(entry);
        match key {
            Some(key) => keys.binary_search(key).is_ok(),
            None => !matches!(entry, Entry::Absent) && keys.is_empty(),
        }
    }

    fn heap_bytes(&self) -> usize {
        self.lists.slab.heap_bytes()
    }

    fn walk_bytes(&self) -> usize {
        self.lists.slab.walk_bytes()
    }

    fn shrink(&mut self) {
        self.lists.slab.shrink();
    }
}

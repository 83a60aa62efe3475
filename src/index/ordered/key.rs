//! The two widths of keys. A field whose values all fit 64 bits has narrow keys; every other field, and several together, have wide
//! ones: bytes whose order is the order of the values.
//!
//! A bound is a tuple of values, which stands for all keys that begin with it: *included* as the lower end it is right before the
//! first of them, *excluded* behind the last, and the other way round as the upper end. In encoded bytes, what begins with a tuple
//! is what begins with its bytes, since each part marks its own end; and no part begins with `ff`.

use super::super::changes::{ABSENT, NEW, NULL, SCRATCH_KEPT, StagedRefs};
use super::super::shape::Entry;
use super::super::slab::Slab;
use super::position::{KeyBound, KeyRange};
use memdex_query::value::{Key, Value, ValueRef, encode_parts, narrow_bits};
use std::ops::Bound;

/// A key of an ordered index.
pub(super) trait IndexKey: Ord + Clone + Send + Sync + 'static {
    type Memory: KeyMemory<Self> + Sync;

    /// The key of an entry; `None` if the entry has no value.
    fn of_entry(entry: &Entry<'_>) -> Option<Self>;

    /// The place of a bound on the values that follow those of `prefix`.
    fn bound(prefix: &[ValueRef<'_>], bound: Bound<&[Value]>, is_lower: bool) -> KeyBound<Self>;

    fn heap_bytes(&self) -> usize;

    /// The range between bounds on the values that follow those of `prefix`.
    fn range(prefix: &[ValueRef<'_>], from: Bound<&[Value]>, to: Bound<&[Value]>) -> KeyRange<Self> {
        KeyRange { from: Self::bound(prefix, from, true), to: Self::bound(prefix, to, false) }
    }
}

/// The committer's copy of the keys of rows.
pub(super) trait KeyMemory<K>: Default + Send {
    /// Words of back references for each row.
    const WIDTH: usize;
    /// Whether back references must be freed.
    const IS_NUMBERED: bool;

    /// Forgets what an earlier batch has staged.
    fn clear(&mut self);

    /// Writes the back references for a key. `old` are those that the row has now.
    fn stage(&mut self, key: K, old: Option<&[u32]>, new: &mut [u32]);

    /// Makes provisional back references final.
    fn admit(&mut self, refs: &mut StagedRefs<'_>);

    /// The key of a row that has one.
    fn key(&self, refs: &[u32]) -> Option<K>;

    /// Frees the back references of a row that has a key.
    fn free(&mut self, refs: &[u32]);

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

/// Narrow keys are remembered as they are: in three words, whether there is a key, and the key.
#[derive(Default)]
pub(super) struct NarrowMemory;

/// In the first word of a row with a narrow key.
const KEY: u32 = 1;

impl KeyMemory<u64> for NarrowMemory {
    const WIDTH: usize = 3;
    const IS_NUMBERED: bool = false;

    fn clear(&mut self) {}

    #[inline]
    fn stage(&mut self, key: u64, _old: Option<&[u32]>, new: &mut [u32]) {
        new.copy_from_slice(&[KEY, (key >> 32) as u32, key as u32]);
    }

    fn admit(&mut self, _refs: &mut StagedRefs<'_>) {}

    #[inline]
    fn key(&self, refs: &[u32]) -> Option<u64> {
        has_key(refs).then(|| u64::from(refs[1]) << 32 | u64::from(refs[2]))
    }

    fn free(&mut self, _refs: &[u32]) {}

    fn heap_bytes(&self) -> usize {
        0
    }

    fn walk_bytes(&self) -> usize {
        0
    }

    fn shrink(&mut self) {}
}

/// Wide keys are remembered by number, each row's apart.
pub(super) struct WideMemory {
    keys: Slab<Key>,
    /// The keys that a batch brings.
    new: Vec<Key>,
}

impl Default for WideMemory {
    fn default() -> Self {
        WideMemory { keys: Slab::new(Key::heap_bytes), new: Vec::new() }
    }
}

impl KeyMemory<Key> for WideMemory {
    const WIDTH: usize = 1;
    const IS_NUMBERED: bool = true;

    fn clear(&mut self) {
        self.new.clear();
        self.new.shrink_to(SCRATCH_KEPT);
    }

    #[inline]
    fn stage(&mut self, key: Key, old: Option<&[u32]>, new: &mut [u32]) {
        new[0] = match old {
            Some(old) if self.keys.get(old[0]) == Some(&key) => old[0],
            _ => {
                self.new.push(key);
                NEW | (self.new.len() - 1) as u32
            }
        };
    }

    fn admit(&mut self, refs: &mut StagedRefs<'_>) {
        if self.new.is_empty() {
            return;
        }
        let empty = Key::from_bytes(&[]);
        for refs in refs.new_refs().filter(|refs| refs[0] != ABSENT && refs[0] & NEW != 0) {
            let key = std::mem::replace(&mut self.new[(refs[0] & !NEW) as usize], empty.clone());
            refs[0] = self.keys.insert(key);
        }
    }

    fn key(&self, refs: &[u32]) -> Option<Key> {
        self.keys.get(refs[0]).cloned()
    }

    fn free(&mut self, refs: &[u32]) {
        self.keys.free(refs[0]);
    }

    fn heap_bytes(&self) -> usize {
        self.keys.heap_bytes()
    }

    fn walk_bytes(&self) -> usize {
        self.keys.walk_bytes()
    }

    fn shrink(&mut self) {
        self.keys.shrink();
    }
}

/// Which side of the keys that a bound stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    Behind,
}

fn with_side<T>(bound: Bound<T>, is_lower: bool) -> Option<(T, Side)> {
    match bound {
        Bound::Unbounded => None,
        Bound::Included(value) => Some((value, if is_lower { Side::Before } else { Side::Behind })),
        Bound::Excluded(value) => Some((value, if is_lower { Side::Behind } else { Side::Before })),
    }
}

impl IndexKey for u64 {
    type Memory = NarrowMemory;

    #[inline]
    fn of_entry(entry: &Entry<'_>) -> Option<Self> {
        if let Entry::One(value) = entry { narrow_bits(*value) } else { None }
    }

    /// Values of 64 bits have one part.
    fn bound(prefix: &[ValueRef<'_>], bound: Bound<&[Value]>, is_lower: bool) -> KeyBound<Self> {
        debug_assert!(prefix.is_empty(), "nothing precedes a single field");
        let open = if is_lower { KeyBound::Start } else { KeyBound::End };
        let Some((tuple, side)) = with_side(bound, is_lower) else { return open };
        match tuple.first().map(Value::as_ref) {
            // The empty tuple stands for all keys.
            None if side == Side::Before => KeyBound::Start,
            None => KeyBound::End,
            Some(ValueRef::Null) => KeyBound::Start,
            Some(value) => match narrow_bits(value) {
                Some(key) if side == Side::Before => KeyBound::before(key),
                Some(key) => KeyBound::behind(key),
                // An integer outside of 64 bits lies beyond all that fit.
                None if value > ValueRef::Int(0) => KeyBound::End,
                None => KeyBound::Start,
            },
        }
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

impl IndexKey for Key {
    type Memory = WideMemory;

    fn of_entry(entry: &Entry<'_>) -> Option<Self> {
        match entry {
            Entry::Absent | Entry::Many(_) | Entry::One(ValueRef::Null) => None,
            Entry::One(value) => Some(Key::from_bytes(&encode_parts([*value]))),
            Entry::Tuple { bytes, .. } => Some(Key::from_bytes(bytes)),
        }
    }

    /// Unbounded is the beginning, or the end, of all keys that begin with the prefix, those with missing values included.
    fn bound(prefix: &[ValueRef<'_>], bound: Bound<&[Value]>, is_lower: bool) -> KeyBound<Self> {
        let open = (&[][..], if is_lower { Side::Before } else { Side::Behind });
        let (tuple, side) = with_side(bound, is_lower).unwrap_or(open);
        let mut bytes = encode_parts(prefix.iter().copied());
        bytes.extend(encode_parts(tuple.iter().map(Value::as_ref)));
        if side == Side::Behind {
            // Behind all keys that begin with these whole parts: what follows them is a tag, and no tag is `ff`.
            bytes.push(0xff);
        }
        KeyBound::before(Key::from_bytes(&bytes))
    }

    fn heap_bytes(&self) -> usize {
        Key::heap_bytes(self)
    }
}

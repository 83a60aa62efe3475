//! The face of the ordered index: from values to keys, and what the committer remembers of each row.
//!
//! A field whose values all fit 64 bits has narrow keys, and three words a row: whether it has a key, and the key. Every other
//! field, and several together, have wide ones: encoded bytes; the word of a row is their number with the committer. Rows
//! without a value stand in a row set; in a tuple a missing value has its place before all others.

use super::super::moves::{ABSENT, Move, NEW, NULL, ROOM_KEPT};
use super::super::shape::{Entry, IndexShape};
use super::super::slab::Slab;
use super::cursor::{Cursor, Span};
use super::edges::{narrow_edge, wide_edge};
use super::leaf::Edit;
use super::leaves::Leaves;
use crate::rowset::{Collector, Row, RowSet};
use crate::sync::RwLock;
use crate::value::{Key, Value, ValueRef, encode_parts, narrow_bits};
use std::ops::Bound;
use std::slice;

pub(crate) struct OrderedIndex {
    pub(super) keys: Keys,
    null: RwLock<RowSet>,
}

pub(super) enum Keys {
    Narrow(Leaves<u64>),
    Wide(Leaves<Key>),
}

/// What lies between two edges, in keys of either width.
pub(crate) enum KeySpan {
    Narrow(Span<u64>),
    Wide(Span<Key>),
}

pub(super) enum KeyCursor {
    Narrow(Cursor<u64>),
    Wide(Cursor<Key>),
}

/// The committer's side: wide keys by number.
pub(crate) struct OrderedWriter {
    keys: Slab<Key>,
}

/// The wide keys that a batch brings.
#[derive(Default)]
pub(crate) struct OrderedStaging {
    keys: Vec<Key>,
}

/// In a narrow word: there is a key.
const KEY: u32 = 1;

fn wide(value: ValueRef<'_>) -> Key {
    Key::from_bytes(&encode_parts([value]))
}

fn key_of(words: &[u32]) -> u64 {
    u64::from(words[1]) << 32 | u64::from(words[2])
}

impl OrderedIndex {
    pub(crate) fn new(shape: &IndexShape) -> (Self, OrderedWriter) {
        let keys = match shape.single() {
            Some(field) if field.fits_64_bits() => Keys::Narrow(Leaves::new()),
            _ => Keys::Wide(Leaves::new()),
        };
        (OrderedIndex { keys, null: RwLock::new(RowSet::new()) }, OrderedWriter { keys: Slab::new(Key::heap_bytes) })
    }

    /// How many words it remembers a row by.
    pub(crate) fn width(&self) -> usize {
        match self.keys {
            Keys::Narrow(_) => 3,
            Keys::Wide(_) => 1,
        }
    }

    /// What a row is to be filed under.
    #[inline]
    pub(crate) fn stage(
        &self,
        writer: &OrderedWriter,
        staging: &mut OrderedStaging,
        entry: &Entry<'_>,
        old: Option<&[u32]>,
        new: &mut [u32],
    ) {
        let key = match (entry, &self.keys) {
            (Entry::Absent | Entry::Many(_), _) => return new[0] = ABSENT,
            (Entry::One(ValueRef::Null), _) => return new[0] = NULL,
            (Entry::One(value), Keys::Narrow(_)) => {
                let Some(key) = narrow_bits(*value) else { return new[0] = NULL };
                return new.copy_from_slice(&[KEY, (key >> 32) as u32, key as u32]);
            }
            (Entry::One(value), Keys::Wide(_)) => wide(*value),
            (Entry::Tuple { bytes, .. }, _) => Key::from_bytes(bytes),
        };
        new[0] = match old {
            Some(old) if writer.keys.get(old[0]) == Some(&key) => old[0],
            _ => {
                staging.keys.push(key);
                NEW | (staging.keys.len() - 1) as u32
            }
        };
    }

    /// Moves rows between keys. Frees the numbers of wide keys that are left.
    pub(crate) fn apply<'a>(&self, writer: &mut OrderedWriter, moves: impl Iterator<Item = Move<'a>>) {
        let (mut to_null, mut from_null) = (Vec::new(), Vec::new());
        let mut narrow: Vec<Edit<u64>> = Vec::new();
        let mut wide: Vec<Edit<Key>> = Vec::new();
        let mut left = Vec::new();
        for Move { row, old, new } in moves {
            if old == new {
                continue;
            }
            from_null.extend(old.filter(|words| words[0] == NULL).map(|_| row));
            to_null.extend(new.filter(|words| words[0] == NULL).map(|_| row));
            let has_key = |words: &&[u32]| words[0] != NULL && words[0] != ABSENT;
            match &self.keys {
                Keys::Narrow(_) => {
                    let (old, new) = (old.filter(has_key).map(key_of), new.filter(has_key).map(key_of));
                    if old != new {
                        narrow.extend(old.map(|key| Edit { at: (key, row), insert: false }));
                        narrow.extend(new.map(|key| Edit { at: (key, row), insert: true }));
                    }
                }
                Keys::Wide(_) => {
                    let key = |number: u32| writer.keys.get(number).cloned();
                    for (number, insert) in [(old, false), (new, true)] {
                        let Some(number) = number.filter(has_key).map(|words| words[0]) else { continue };
                        wide.extend(key(number).map(|key| Edit { at: (key, row), insert }));
                        left.extend((!insert).then_some(number));
                    }
                }
            }
        }
        match &self.keys {
            Keys::Narrow(leaves) => {
                narrow.sort_unstable();
                leaves.apply(&narrow);
            }
            Keys::Wide(leaves) => {
                wide.sort_unstable();
                leaves.apply(&wide);
            }
        }
        left.into_iter().for_each(|number| writer.keys.free(number));
        if !(to_null.is_empty() && from_null.is_empty()) {
            let mut null = self.null.write();
            null.remove_all(&from_null);
            null.insert_all(&to_null);
        }
    }

    // ---- the read path ---------------------------------------------------------------------------------------------

    /// The rows with this value; those without one if it is missing.
    pub(crate) fn rows(&self, value: ValueRef<'_>) -> RowSet {
        if value.is_null() {
            return self.null_rows();
        }
        let value = value.to_value();
        self.range(Bound::Included(&value), Bound::Included(&value))
    }

    /// The rows without a value, of an index of one field. (Of several, a missing value has a place in the order.)
    pub(crate) fn null_rows(&self) -> RowSet {
        self.null.read().clone()
    }

    /// How many rows have no value, of an index of one field.
    pub(crate) fn null_len(&self) -> usize {
        self.null.read().len()
    }

    /// The rows with a value between these bounds, of an index of one field.
    pub(crate) fn range(&self, from: Bound<&Value>, to: Bound<&Value>) -> RowSet {
        self.rows_within(self.span(&[], from.map(slice::from_ref), to.map(slice::from_ref)))
    }

    /// The rows of an index of several fields whose first ones have the values of `prefix` and whose next one lies between these
    /// bounds.
    pub(crate) fn prefix_range(&self, prefix: &[ValueRef<'_>], next: Option<(Bound<&Value>, Bound<&Value>)>) -> RowSet {
        self.rows_within(self.prefix_span(prefix, next))
    }

    /// What lies between bounds on the fields that follow those of `prefix`.
    pub(crate) fn span(&self, prefix: &[ValueRef<'_>], from: Bound<&[Value]>, to: Bound<&[Value]>) -> KeySpan {
        match &self.keys {
            Keys::Narrow(_) => {
                debug_assert!(prefix.is_empty(), "an index of one field has nothing before it");
                KeySpan::Narrow(Span { from: narrow_edge(from, true), to: narrow_edge(to, false) })
            }
            Keys::Wide(_) => {
                let prefix = encode_parts(prefix.iter().copied());
                KeySpan::Wide(Span { from: wide_edge(&prefix, from, true), to: wide_edge(&prefix, to, false) })
            }
        }
    }

    /// As a range is asked for: a missing value lies between no bounds.
    pub(crate) fn prefix_span(&self, prefix: &[ValueRef<'_>], next: Option<(Bound<&Value>, Bound<&Value>)>) -> KeySpan {
        let Some((from, to)) = next else { return self.span(prefix, Bound::Unbounded, Bound::Unbounded) };
        let missing = Value::NULL;
        let from = if from == Bound::Unbounded { Bound::Excluded(&missing) } else { from };
        self.span(prefix, from.map(slice::from_ref), to.map(slice::from_ref))
    }

    pub(super) fn cursor(&self, span: KeySpan, descending: bool) -> KeyCursor {
        match span {
            KeySpan::Narrow(span) => KeyCursor::Narrow(Cursor::new(span, descending)),
            KeySpan::Wide(span) => KeyCursor::Wide(Cursor::new(span, descending)),
        }
    }

    /// Adds the rows of one leaf; see [`Cursor::next`].
    pub(super) fn next(&self, cursor: &mut KeyCursor, rows: &mut Vec<Row>) -> bool {
        match (&self.keys, cursor) {
            (Keys::Narrow(leaves), KeyCursor::Narrow(cursor)) => cursor.next(leaves, rows),
            (Keys::Wide(leaves), KeyCursor::Wide(cursor)) => cursor.next(leaves, rows),
            _ => unreachable!("a cursor has the keys of its index"),
        }
    }

    fn rows_within(&self, span: KeySpan) -> RowSet {
        let mut cursor = self.cursor(span, false);
        let mut rows = Collector::new();
        while self.next(&mut cursor, rows.buffer()) {}
        rows.finish()
    }

    // ---- upkeep, figures, audits -----------------------------------------------------------------------------------

    pub(crate) fn heap_bytes(&self) -> usize {
        let leaves = match &self.keys {
            Keys::Narrow(leaves) => leaves.heap_bytes(|_| 0),
            Keys::Wide(leaves) => leaves.heap_bytes(Key::heap_bytes),
        };
        leaves + self.null.read().heap_bytes()
    }

    /// Joins small leaves, some hundred at a time: `at` is where to go on. Under the commit lock.
    pub(crate) fn compact(&self, at: CompactAt) -> Option<CompactAt> {
        const LEAVES: usize = 128;
        fn next<P>(at: Option<Option<P>>, of: impl Fn(P) -> CompactAt) -> Option<CompactAt> {
            at.map(|at| at.map_or(CompactAt::Start, of))
        }
        match (&self.keys, at) {
            (Keys::Narrow(leaves), CompactAt::Narrow(at)) => next(leaves.compact(Some(at), LEAVES), CompactAt::Narrow),
            (Keys::Wide(leaves), CompactAt::Wide(at)) => next(leaves.compact(Some(at), LEAVES), CompactAt::Wide),
            (Keys::Narrow(leaves), _) => next(leaves.compact(None, LEAVES), CompactAt::Narrow),
            (Keys::Wide(leaves), _) => next(leaves.compact(None, LEAVES), CompactAt::Wide),
        }
    }

    /// Shows each row with the words that its key makes, in the order of the keys, wide ones as bytes; then the rows without a
    /// key. For audits.
    pub(crate) fn audit(&self, mut look: impl FnMut(Audited<'_>, Row), null: impl FnOnce(&RowSet)) {
        match &self.keys {
            Keys::Narrow(leaves) => leaves.each(|entries| {
                entries.keys.iter().zip(&entries.rows).for_each(|(key, row)| look(Audited::Narrow(*key), *row));
            }),
            Keys::Wide(leaves) => leaves.each(|entries| {
                entries.keys.iter().zip(&entries.rows).for_each(|(key, row)| look(Audited::Wide(key), *row));
            }),
        }
        null(&self.null.read());
    }

    /// The key of an entry as an audit sees it.
    pub(crate) fn matches(&self, entry: &Entry<'_>, key: &Audited<'_>) -> bool {
        match (entry, key) {
            (Entry::One(value), Audited::Narrow(key)) => narrow_bits(*value) == Some(*key),
            (Entry::One(value), Audited::Wide(key)) => wide(*value) == **key,
            (Entry::Tuple { bytes, .. }, Audited::Wide(key)) => key.bytes() == bytes,
            _ => false,
        }
    }
}

/// A key as an audit is shown it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Audited<'a> {
    Narrow(u64),
    Wide(&'a Key),
}

/// Where a compaction goes on.
pub(crate) enum CompactAt {
    Start,
    Narrow((u64, Row)),
    Wide((Key, Row)),
}

impl OrderedStaging {
    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.keys.shrink_to(ROOM_KEPT);
    }
}

impl OrderedWriter {
    /// Gives out numbers for the keys that a batch brings. `words` are those of the batch in this index.
    pub(crate) fn admit<'a>(&mut self, staging: &mut OrderedStaging, words: impl Iterator<Item = &'a mut [u32]>) {
        if staging.keys.is_empty() {
            return;
        }
        let empty = Key::from_bytes(&[]);
        for words in words.filter(|words| words[0] != ABSENT && words[0] & NEW != 0) {
            let key = std::mem::replace(&mut staging.keys[(words[0] & !NEW) as usize], empty.clone());
            words[0] = self.keys.insert(key);
        }
    }

    /// Whether its memory of a row is this key.
    pub(crate) fn remembers(&self, words: &[u32], key: &Audited<'_>) -> bool {
        match key {
            Audited::Narrow(key) => words[0] == KEY && key_of(words) == *key,
            Audited::Wide(key) => self.keys.get(words[0]) == Some(*key),
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.keys.heap_bytes()
    }

    pub(crate) fn shrink(&mut self) {
        self.keys.shrink();
    }
}

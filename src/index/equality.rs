//! The equality index: value → row set, as of the newest commit. Of several fields a value is their tuple.
//!
//! Shared is a table of postings in shards; each posting holds its value and, behind a lock of its own, its rows. The
//! committer keeps the postings by code besides, so that it finds the entry that a row is in without hashing its value.
//! Rows whose value is missing have a posting too, with code 0; rows that the index does not hold have the code [`ABSENT`].
//! A row of a field of many values is in several postings: it has a list of codes, and the number of the list.
//!
//! A posting that has emptied is taken out at once, and its code given to another value: codes are the committer's own,
//! no reader holds one. A reader that still holds such a posting misses only rows that a mark after its epoch shows.

use super::moves::{ABSENT, Move, NEW, NULL, ROOM_KEPT};
use super::shape::Entry;
use super::slab::Slab;
use crate::hash::{self, RandomState, shard, spread};
use crate::limits::VALUE_SHARDS;
use crate::rowset::{Row, RowSet};
use crate::sync::{Arc, RwLock};
use crate::value::{Value, ValueRef};
use hashbrown::HashTable;
use smallvec::SmallVec;

/// The code of the missing value.
const NULL_CODE: u32 = NULL;

/// The rows that hold one value.
struct Posting {
    value: Value,
    hash: u32,
    code: u32,
    rows: RwLock<RowSet>,
}

type Entries = HashTable<Arc<Posting>>;

#[repr(align(64))]
struct Shard(RwLock<Entries>);

/// What readers see of the index.
pub(crate) struct EqualityIndex {
    shards: Box<[Shard]>,
    null: Arc<Posting>,
}

/// The committer's side of the index, under the commit lock.
pub(crate) struct EqualityWriter {
    /// By code; `None` is free.
    postings: Vec<Option<Arc<Posting>>>,
    /// Codes, by the hashes of their values, in shards as the values are: the committer finds them without a guard, so that its
    /// look-ups overlap.
    by_hash: Box<[HashTable<u32>]>,
    /// What those hold, kept up since it is asked at every commit.
    hash_bytes: usize,
    free: Vec<u32>,
    /// Of a field of many values: codes, ascending, of the rows that have any.
    lists: Slab<Codes>,
    many: bool,
    room: Room,
}

type Codes = SmallVec<[u32; 4]>;

/// Room that every commit needs again.
#[derive(Default)]
struct Room {
    leave: Vec<(u32, Row)>,
    join: Vec<(u32, Row)>,
    rows: Vec<Row>,
}

/// What a batch brings that is new to the index.
#[derive(Default)]
pub(crate) struct EqualityStaging {
    /// Places in `values`.
    by_hash: HashTable<u32>,
    values: Vec<NewValue>,
    /// Of rows of many values, with provisional codes.
    lists: Vec<Codes>,
    /// The codes that were given out.
    admitted: Vec<u32>,
}

struct NewValue {
    hash: u32,
    value: Value,
}

fn list_bytes(codes: &Codes) -> usize {
    if codes.spilled() { codes.capacity() * size_of::<u32>() } else { 0 }
}

impl EqualityStaging {
    pub(crate) fn clear(&mut self) {
        self.by_hash.clear();
        self.by_hash.shrink_to(ROOM_KEPT, |_| 0);
        self.values.clear();
        self.lists.clear();
        self.lists.shrink_to(ROOM_KEPT);
        self.admitted.clear();
    }

    /// The provisional code of a value.
    fn code(&mut self, hash: u32, value: ValueRef<'_>) -> u32 {
        let same = |at: &u32| {
            let new = &self.values[*at as usize];
            new.hash == hash && new.value.as_ref() == value
        };
        if let Some(known) = self.by_hash.find(spread(hash), same) {
            return NEW | known;
        }
        let at = self.values.len() as u32;
        self.values.push(NewValue { hash, value: value.to_value() });
        self.by_hash.insert_unique(spread(hash), at, |at| spread(self.values[*at as usize].hash));
        NEW | at
    }

    fn admitted(&self, code: u32) -> u32 {
        if code != ABSENT && code & NEW != 0 { self.admitted[(code & !NEW) as usize] } else { code }
    }
}

impl EqualityIndex {
    pub(crate) fn new(many: bool) -> (Self, EqualityWriter) {
        let null = Arc::new(Posting { value: Value::NULL, hash: 0, code: NULL_CODE, rows: RwLock::new(RowSet::new()) });
        let shards = (0..VALUE_SHARDS).map(|_| Shard(RwLock::new(Entries::new()))).collect();
        let postings = vec![Some(null.clone())];
        let by_hash = (0..VALUE_SHARDS).map(|_| HashTable::new()).collect();
        let (free, lists) = (Vec::new(), Slab::new(list_bytes));
        let writer = EqualityWriter { postings, by_hash, hash_bytes: 0, free, lists, many, room: Room::default() };
        (EqualityIndex { shards, null }, writer)
    }

    fn shard(&self, hash: u32) -> &RwLock<Entries> {
        &self.shards[shard(hash, VALUE_SHARDS)].0
    }

    /// Shows the posting of a value, under the shard's guard.
    fn with_posting<T>(&self, hash: u32, value: ValueRef<'_>, show: impl FnOnce(&Arc<Posting>) -> T) -> Option<T> {
        let entries = self.shard(hash).read();
        entries.find(spread(hash), |p| p.hash == hash && p.value.as_ref() == value).map(show)
    }

    /// The rows that hold `value`: the chunks by reference count, to be computed with outside of every lock.
    pub(crate) fn rows(&self, seed: &RandomState, value: ValueRef<'_>) -> RowSet {
        if value.is_null() {
            return self.null.rows.read().clone();
        }
        // The posting by reference count, so that no two guards are held at once.
        let posting = self.with_posting(hash::short(seed, &value), value, Arc::clone);
        posting.map_or_else(RowSet::new, |posting| posting.rows.read().clone())
    }

    /// How many rows hold `value`.
    pub(crate) fn count(&self, seed: &RandomState, value: ValueRef<'_>) -> usize {
        if value.is_null() {
            return self.null.rows.read().len();
        }
        let posting = self.with_posting(hash::short(seed, &value), value, Arc::clone);
        posting.map_or(0, |posting| posting.rows.read().len())
    }

    /// How many values each shard has.
    pub(crate) fn values_of_shards(&self) -> impl ExactSizeIterator<Item = usize> {
        self.shards.iter().map(|shard| shard.0.read().len())
    }

    /// How many values have rows.
    pub(crate) fn distinct(&self) -> usize {
        self.values_of_shards().sum()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let posting = |p: &Arc<Posting>| 16 + size_of::<Posting>() + p.value.heap_bytes() + p.rows.read().heap_bytes();
        let shards = self.shards.iter().map(|shard| {
            let entries = shard.0.read();
            size_of::<Shard>() + entries.allocation_size() + entries.iter().map(posting).sum::<usize>()
        });
        posting(&self.null) + shards.sum::<usize>()
    }

    /// The code of a value: the one that the row has now, if its value has not changed.
    #[inline]
    fn code_of(
        writer: &EqualityWriter,
        staging: &mut EqualityStaging,
        seed: &RandomState,
        value: ValueRef<'_>,
        old: Option<u32>,
    ) -> u32 {
        if value.is_null() {
            return NULL_CODE;
        }
        match old {
            Some(old) if writer.value(old) == Some(value) => old,
            _ => {
                let hash = hash::short(seed, &value);
                writer.code(hash, value).unwrap_or_else(|| staging.code(hash, value))
            }
        }
    }

    /// What a row is to be filed under.
    #[inline]
    pub(crate) fn stage(
        writer: &EqualityWriter,
        staging: &mut EqualityStaging,
        seed: &RandomState,
        entry: &Entry<'_>,
        old: Option<u32>,
    ) -> u32 {
        match entry {
            Entry::Absent => ABSENT,
            Entry::Many(values) if values.is_empty() => NULL_CODE,
            Entry::Many(values) => {
                let codes = values.iter().map(|value| Self::code_of(writer, staging, seed, *value, None));
                let mut codes: Codes = codes.collect();
                codes.sort_unstable();
                if let Some(old) = old.filter(|old| writer.list(*old) == codes.as_slice()) {
                    return old;
                }
                staging.lists.push(codes);
                NEW | (staging.lists.len() - 1) as u32
            }
            one => Self::code_of(writer, staging, seed, one.as_value(false), old),
        }
    }

    /// Moves rows between postings, one guard a posting. The postings of new values are seen from here on.
    pub(crate) fn apply<'a>(
        &self,
        writer: &mut EqualityWriter,
        staging: &EqualityStaging,
        moves: impl Iterator<Item = Move<'a>>,
    ) {
        for posting in staging.admitted.iter().filter_map(|code| writer.postings[*code as usize].as_ref()) {
            let mut entries = self.shard(posting.hash).write();
            entries.insert_unique(spread(posting.hash), posting.clone(), |p| spread(p.hash));
        }
        let mut room = std::mem::take(&mut writer.room);
        room.leave.clear();
        room.join.clear();
        for Move { row, old, new } in moves {
            let (old, new) = (old.map(|words| words[0]), new.map(|words| words[0]));
            if old == new {
                continue;
            }
            if writer.many {
                let codes = |word: Option<u32>| word.map_or(&[][..], |word| writer.list(word));
                let (before, after) = (codes(old), codes(new));
                room.leave.extend(before.iter().filter(|code| !after.contains(code)).map(|code| (*code, row)));
                room.join.extend(after.iter().filter(|code| !before.contains(code)).map(|code| (*code, row)));
                old.filter(|word| *word != NULL_CODE && *word != ABSENT)
                    .into_iter()
                    .for_each(|id| writer.lists.free(id));
            } else {
                room.leave.extend(old.filter(|code| *code != ABSENT).map(|code| (code, row)));
                room.join.extend(new.filter(|code| *code != ABSENT).map(|code| (code, row)));
            }
        }
        let Room { leave, join, rows } = &mut room;
        each_code(join, rows, |code, rows| {
            if let Some(posting) = &writer.postings[code as usize] {
                posting.rows.write().insert_all(rows);
            }
        });
        let mut emptied = Vec::new();
        each_code(leave, rows, |code, rows| {
            let Some(posting) = &writer.postings[code as usize] else { return };
            let mut set = posting.rows.write();
            set.remove_all(rows);
            if set.is_empty() && code != NULL_CODE {
                emptied.push(code);
            }
        });
        for code in emptied {
            self.remove(writer, code);
        }
        if room.leave.capacity().max(room.join.capacity()) <= ROOM_KEPT {
            writer.room = room;
        }
    }

    fn remove(&self, writer: &mut EqualityWriter, code: u32) {
        let Some(posting) = writer.postings[code as usize].take() else { return };
        let mut entries = self.shard(posting.hash).write();
        let entry = entries.find_entry(spread(posting.hash), |p| Arc::ptr_eq(p, &posting));
        debug_assert!(entry.is_ok(), "a posting stands in the table until it has emptied");
        if let Ok(entry) = entry {
            entry.remove();
        }
        let of_shard = &mut writer.by_hash[shard(posting.hash, VALUE_SHARDS)];
        let of_code = of_shard.find_entry(spread(posting.hash), |known| *known == code);
        debug_assert!(of_code.is_ok(), "a code is found by its value until it is free");
        if let Ok(known) = of_code {
            known.remove();
        }
        writer.free.push(code);
    }

    /// Gives back room of a shard that is not used, and compacts its row sets. `false` past the last.
    pub(crate) fn tidy_shard(&self, writer: &mut EqualityWriter, at: usize) -> bool {
        let Some(shard) = self.shards.get(at) else { return false };
        let EqualityWriter { postings, by_hash, hash_bytes, .. } = writer;
        *hash_bytes -= by_hash[at].allocation_size();
        by_hash[at].shrink_to_fit(|code| hash_of(postings, *code));
        *hash_bytes += by_hash[at].allocation_size();
        shard.0.write().shrink_to_fit(|p| spread(p.hash));
        let postings: Vec<Arc<Posting>> = shard.0.read().iter().cloned().collect();
        postings.iter().for_each(|posting| posting.rows.write().compact());
        if at == 0 {
            self.null.rows.write().compact();
        }
        true
    }

    /// Shows every value and its rows, the missing value among them, for audits.
    pub(crate) fn audit(&self, mut look: impl FnMut(u32, &Value, &RowSet)) {
        look(NULL_CODE, &self.null.value, &self.null.rows.read());
        for shard in &self.shards {
            for posting in shard.0.read().iter() {
                look(posting.code, &posting.value, &posting.rows.read());
            }
        }
    }
}

impl EqualityWriter {
    /// The code of a value that has a posting.
    #[inline]
    fn code(&self, hash: u32, value: ValueRef<'_>) -> Option<u32> {
        debug_assert!(!value.is_null());
        let is = |posting: &Arc<Posting>| posting.hash == hash && posting.value.as_ref() == value;
        let of_shard = &self.by_hash[shard(hash, VALUE_SHARDS)];
        let found = of_shard.find(spread(hash), |code| self.postings[*code as usize].as_ref().is_some_and(is));
        found.copied()
    }

    /// The value that a code stands for.
    fn value(&self, code: u32) -> Option<ValueRef<'_>> {
        self.postings.get(code as usize)?.as_ref().map(|posting| posting.value.as_ref())
    }

    /// The codes of a row of a field of many values.
    fn list(&self, word: u32) -> &[u32] {
        match word {
            NULL_CODE => &[NULL_CODE],
            ABSENT => &[],
            id => self.lists.get(id).map_or(&[], |codes| codes),
        }
    }

    /// The values that a row is filed under; for audits.
    pub(crate) fn values(&self, word: u32) -> Vec<(u32, Value)> {
        let codes = if self.many { self.list(word) } else { std::slice::from_ref(&word) };
        let known = codes.iter().filter(|code| **code != ABSENT);
        known.filter_map(|code| Some((*code, self.value(*code)?.to_value()))).collect()
    }

    /// Gives out codes and numbers of lists for what is new: postings that readers don't see before they are applied.
    /// `words` are those of the batch in this index; provisional ones become real.
    pub(crate) fn admit<'a>(&mut self, staging: &mut EqualityStaging, words: impl Iterator<Item = &'a mut [u32]>) {
        let EqualityStaging { values, admitted, .. } = staging;
        admitted.extend(values.drain(..).map(|new| self.admit_value(new)));
        values.shrink_to(ROOM_KEPT);
        let words = words.filter_map(|words| words.first_mut()).filter(|word| **word != ABSENT && **word & NEW != 0);
        for word in words {
            *word = if self.many {
                let mut codes = std::mem::take(&mut staging.lists[(*word & !NEW) as usize]);
                codes.iter_mut().for_each(|code| *code = staging.admitted(*code));
                codes.sort_unstable();
                self.lists.insert(codes)
            } else {
                staging.admitted(*word)
            };
        }
    }

    fn admit_value(&mut self, new: NewValue) -> u32 {
        let code = self.free.pop().unwrap_or(self.postings.len() as u32);
        let posting = Arc::new(Posting { value: new.value, hash: new.hash, code, rows: RwLock::new(RowSet::new()) });
        match self.postings.get_mut(code as usize) {
            Some(free) => *free = Some(posting),
            None => self.postings.push(Some(posting)),
        }
        let EqualityWriter { postings, by_hash, hash_bytes, .. } = self;
        let of_shard = &mut by_hash[shard(new.hash, VALUE_SHARDS)];
        let before = of_shard.allocation_size();
        of_shard.insert_unique(spread(new.hash), code, |code| hash_of(postings, *code));
        *hash_bytes += of_shard.allocation_size() - before;
        code
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let postings = self.postings.capacity() * size_of::<Option<Arc<Posting>>>();
        postings
            + VALUE_SHARDS * size_of::<HashTable<u32>>()
            + self.hash_bytes
            + self.free.capacity() * 4
            + self.lists.heap_bytes()
    }

    /// Gives back room that is not used.
    pub(crate) fn shrink(&mut self) {
        while self.postings.last().is_some_and(Option::is_none) {
            self.postings.pop();
        }
        let len = self.postings.len() as u32;
        self.free.retain(|code| *code < len);
        self.postings.shrink_to_fit();
        self.free.shrink_to_fit();
        self.lists.shrink();
        self.room = Room::default();
    }
}

fn hash_of(postings: &[Option<Arc<Posting>>], code: u32) -> u64 {
    postings[code as usize].as_ref().map_or(0, |posting| spread(posting.hash))
}

/// Shows the rows of each code, ascending.
fn each_code(pairs: &mut [(u32, Row)], rows: &mut Vec<Row>, mut show: impl FnMut(u32, &[Row])) {
    pairs.sort_unstable();
    for of_code in pairs.chunk_by(|a, b| a.0 == b.0) {
        rows.clear();
        rows.extend(of_code.iter().map(|(_, row)| *row));
        show(of_code[0].0, rows);
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;

    struct Filed {
        index: EqualityIndex,
        writer: EqualityWriter,
        words: std::collections::BTreeMap<Row, u32>,
    }

    impl Filed {
        fn new(many: bool) -> Self {
            let (index, writer) = EqualityIndex::new(many);
            Filed { index, writer, words: Default::default() }
        }

        /// One commit: what each row is to show.
        fn put(&mut self, entries: &[(Row, Entry<'_>)]) {
            let (seed, mut staging) = (hash::seeded(1), EqualityStaging::default());
            let mut stage = |(row, entry): &(Row, Entry<'_>)| {
                EqualityIndex::stage(&self.writer, &mut staging, &seed, entry, self.words.get(row).copied())
            };
            let mut words: Vec<[u32; 1]> = entries.iter().map(|entry| [stage(entry)]).collect();
            self.writer.admit(&mut staging, words.iter_mut().map(|words| &mut words[..]));
            let old: Vec<Option<[u32; 1]>> =
                entries.iter().map(|(row, _)| self.words.get(row).map(|word| [*word])).collect();
            let moves = entries.iter().zip(&words).zip(&old).map(|(((row, _), new), old)| Move {
                row: *row,
                old: old.as_ref().map(|words| &words[..]),
                new: Some(&new[..]),
            });
            self.index.apply(&mut self.writer, &staging, moves);
            self.words.extend(entries.iter().zip(&words).map(|((row, _), word)| (*row, word[0])));
        }

        fn rows(&self, value: impl Into<Value>) -> Vec<Row> {
            self.index.rows(&hash::seeded(1), value.into().as_ref()).iter().collect()
        }
    }

    fn one(text: &str) -> Entry<'_> {
        Entry::One(text.into())
    }

    #[test]
    fn rows_move_between_values_and_empty_values_go() {
        let mut filed = Filed::new(false);
        filed.put(&[(4, one("b")), (9, one("a")), (1, one("a")), (2, Entry::One(ValueRef::Null)), (7, Entry::Absent)]);
        assert_eq!((filed.rows("a"), filed.rows("b"), filed.rows(Value::NULL)), (vec![1, 9], vec![4], vec![2]));
        let (held, code_of_b) = (filed.index.rows(&hash::seeded(1), ValueRef::Str("b")), filed.words[&4]);
        filed.put(&[(4, one("a")), (1, Entry::One(ValueRef::Null)), (2, Entry::Absent), (7, one("a"))]);
        assert_eq!((filed.rows("a"), filed.rows("b"), filed.rows(Value::NULL)), (vec![4, 7, 9], vec![], vec![1]));
        assert_eq!((held.iter().collect::<Vec<_>>(), filed.index.distinct()), (vec![4], 1));
        filed.put(&[(4, one("c"))]);
        assert_eq!(filed.words[&4], code_of_b, "the code of an emptied value is used again");
    }

    #[test]
    fn a_row_of_many_values_is_under_each_of_them() {
        let mut filed = Filed::new(true);
        let many = |values: &[&'static str]| Entry::Many(values.iter().map(|text| ValueRef::Str(text)).collect());
        filed.put(&[(1, many(&["a", "b"])), (2, many(&["b"])), (3, many(&[]))]);
        assert_eq!((filed.rows("a"), filed.rows("b"), filed.rows(Value::NULL)), (vec![1], vec![1, 2], vec![3]));
        filed.put(&[(1, many(&["b", "c"])), (2, many(&[])), (3, many(&["a", "c"]))]);
        assert_eq!((filed.rows("a"), filed.rows("b"), filed.rows("c")), (vec![3], vec![1], vec![1, 3]));
        assert_eq!(filed.rows(Value::NULL), [2]);
        filed.put(&[(1, Entry::Absent), (3, many(&[]))]);
        assert_eq!((filed.index.distinct(), filed.rows(Value::NULL)), (0, vec![2, 3]));
    }
}

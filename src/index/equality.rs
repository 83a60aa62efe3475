//! The equality index of one field: value → row set, as of the newest commit.
//!
//! Shared is a table of postings in shards; each posting holds its value and, behind a lock of its own, its rows. The
//! committer keeps the postings by code besides, so that it finds the entry that a row is in without hashing its value.
//! Rows whose value is missing have a posting too, with code 0.
//!
//! A posting that has emptied is taken out at once, and its code given to another value: codes are the committer's own,
//! no reader holds one. A reader that still holds such a posting misses only rows that a mark after its epoch shows.

use crate::hash::{self, RandomState, shard, spread};
use crate::limits::VALUE_SHARDS;
use crate::rowset::{Row, RowSet};
use crate::sync::{Arc, RwLock};
use crate::value::{Value, ValueRef};
use hashbrown::HashTable;

/// The code of the missing value.
pub(crate) const NULL_CODE: u32 = 0;

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
pub(crate) struct IndexWriter {
    /// By code; `None` is free.
    postings: Vec<Option<Arc<Posting>>>,
    free: Vec<u32>,
}

/// A value that no posting holds yet.
pub(crate) struct NewValue {
    pub(crate) hash: u32,
    pub(crate) value: Value,
}

impl EqualityIndex {
    pub(crate) fn new() -> (Self, IndexWriter) {
        let null = Arc::new(Posting { value: Value::NULL, hash: 0, code: NULL_CODE, rows: RwLock::new(RowSet::new()) });
        let shards = (0..VALUE_SHARDS).map(|_| Shard(RwLock::new(Entries::new()))).collect();
        (EqualityIndex { shards, null: null.clone() }, IndexWriter { postings: vec![Some(null)], free: Vec::new() })
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

    /// How many values have rows.
    pub(crate) fn distinct(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.read().len()).sum()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let posting = |p: &Arc<Posting>| 16 + size_of::<Posting>() + p.value.heap_bytes() + p.rows.read().heap_bytes();
        let shards = self.shards.iter().map(|shard| {
            let entries = shard.0.read();
            size_of::<Shard>() + entries.allocation_size() + entries.iter().map(posting).sum::<usize>()
        });
        posting(&self.null) + shards.sum::<usize>()
    }

    /// The code of a value that has a posting. Under the commit lock.
    pub(crate) fn code(&self, hash: u32, value: ValueRef<'_>) -> Option<u32> {
        debug_assert!(!value.is_null());
        self.with_posting(hash, value, |posting| posting.code)
    }

    /// Moves rows between postings. `leave` and `join` are pairs of code and row, and are sorted here; `rows` is room; `new_codes` are
    /// those of the postings that [`IndexWriter::admit`] has made for this commit. One guard a posting.
    pub(crate) fn apply(
        &self,
        writer: &mut IndexWriter,
        new_codes: impl IntoIterator<Item = u32>,
        leave: &mut [(u32, Row)],
        join: &mut [(u32, Row)],
        rows: &mut Vec<Row>,
    ) {
        for posting in new_codes.into_iter().filter_map(|code| writer.postings[code as usize].as_ref()) {
            let mut entries = self.shard(posting.hash).write();
            entries.insert_unique(spread(posting.hash), posting.clone(), |p| spread(p.hash));
        }
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
    }

    fn remove(&self, writer: &mut IndexWriter, code: u32) {
        let Some(posting) = writer.postings[code as usize].take() else { return };
        let mut entries = self.shard(posting.hash).write();
        let entry = entries.find_entry(spread(posting.hash), |p| Arc::ptr_eq(p, &posting));
        debug_assert!(entry.is_ok(), "a posting stands in the table until it has emptied");
        if let Ok(entry) = entry {
            entry.remove();
        }
        writer.free.push(code);
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

impl IndexWriter {
    /// The value that a code stands for.
    pub(crate) fn value(&self, code: u32) -> Option<ValueRef<'_>> {
        self.postings.get(code as usize)?.as_ref().map(|posting| posting.value.as_ref())
    }

    /// Makes a posting for a value that has none, unseen by readers until it is applied.
    pub(crate) fn admit(&mut self, new: NewValue) -> u32 {
        let code = self.free.pop().unwrap_or(self.postings.len() as u32);
        let posting = Arc::new(Posting { value: new.value, hash: new.hash, code, rows: RwLock::new(RowSet::new()) });
        match self.postings.get_mut(code as usize) {
            Some(free) => *free = Some(posting),
            None => self.postings.push(Some(posting)),
        }
        code
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.postings.capacity() * size_of::<Option<Arc<Posting>>>() + self.free.capacity() * 4
    }
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

    fn rows(index: &EqualityIndex, seed: &RandomState, value: &str) -> Vec<Row> {
        index.rows(seed, ValueRef::Str(value)).iter().collect()
    }

    #[test]
    fn rows_move_between_values_and_empty_values_go() {
        let seed = hash::seeded(1);
        let (index, mut writer) = EqualityIndex::new();
        let new = |value: &str| NewValue { hash: hash::short(&seed, &ValueRef::Str(value)), value: value.into() };
        let (a, b) = (writer.admit(new("a")), writer.admit(new("b")));
        assert_eq!(index.code(new("a").hash, ValueRef::Str("a")), None, "not yet applied");
        let room = &mut Vec::new();
        index.apply(&mut writer, [a, b], &mut [], &mut [(b, 4), (a, 9), (a, 1), (NULL_CODE, 2)], room);
        assert_eq!((rows(&index, &seed, "a"), rows(&index, &seed, "b")), (vec![1, 9], vec![4]));
        assert_eq!(index.rows(&seed, ValueRef::Null).iter().collect::<Vec<_>>(), [2]);
        let held = index.rows(&seed, ValueRef::Str("b"));
        index.apply(&mut writer, [], &mut [(b, 4), (a, 1)], &mut [(a, 4), (NULL_CODE, 1)], room);
        assert_eq!((rows(&index, &seed, "a"), rows(&index, &seed, "b")), (vec![4, 9], vec![]));
        assert_eq!((held.iter().collect::<Vec<_>>(), index.distinct()), (vec![4], 1));
        assert_eq!((writer.value(b), writer.value(a)), (None, Some(ValueRef::Str("a"))));
        assert_eq!(writer.admit(new("c")), b, "the code of an emptied value is used again");
    }
}

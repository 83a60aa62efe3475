//! The union of any number of sets.
//!
//! An `IN` list unites thousands of tiny sets, so uniting them one after the other would be quadratic. Instead, one
//! counting pass groups the rows of all tiny sets by chunk, and each chunk is built once: few rows are sorted, many are
//! set as bits. Linear in rows, slots and keys. A chunk to which only one set contributes is shared.

use super::chunk::Chunk;
use super::collect::Collector;
use super::popcount;
use super::row::{Row, key, low};
use super::set::{Repr, RowSet};
use super::slot::Slot;
use super::words::{mark, zeroed};

/// Up to this many rows are sorted as a whole instead of grouped by chunk.
const SORT_WHOLE: usize = 1024;
/// Up to this many rows of a chunk are sorted; for more, setting bits and reading them back is faster.
const SORT_CHUNK: usize = 256;

impl RowSet {
    /// Rows that are in any of the sets.
    pub(crate) fn union<'a>(sets: impl IntoIterator<Item = &'a RowSet>) -> RowSet {
        let mut sets = sets.into_iter().filter(|set| !set.is_empty());
        let Some(first) = sets.next() else { return RowSet::new() };
        let Some(second) = sets.next() else { return first.clone() };
        let Some(third) = sets.next() else { return first.or(second) };
        let (mut rows, mut slots) = (Vec::new(), Vec::new());
        for set in [first, second, third].into_iter().chain(sets) {
            match &set.repr {
                Repr::Tiny(tiny) => rows.extend_from_slice(tiny),
                Repr::Slots(big) => slots.extend(big.iter()),
            }
        }
        unite(rows, slots)
    }
}

impl FromIterator<Row> for RowSet {
    fn from_iter<I: IntoIterator<Item = Row>>(rows: I) -> Self {
        Collector::of(rows.into_iter().collect()).finish()
    }
}

/// The union of rows, in any order and possibly repeated, and slots.
fn unite(mut rows: Vec<Row>, mut slots: Vec<&Slot>) -> RowSet {
    if slots.is_empty() && rows.len() <= SORT_WHOLE {
        rows.sort_unstable();
        rows.dedup();
        return RowSet::from_sorted(&rows);
    }
    slots.sort_by_key(|slot| slot.key());
    let by_chunk = ByChunk::new(rows);
    let mut groups = slots.chunk_by(|a, b| a.key() == b.key()).peekable();
    let mut out = Vec::with_capacity(by_chunk.ends.len());
    for (key, lows) in by_chunk.iter() {
        let key_of = |group: &&[&Slot]| group.first().map(|slot| slot.key());
        while let Some(group) = groups.next_if(|group| key_of(group) < Some(key)) {
            out.extend(join(group));
        }
        let group = groups.next_if(|group| key_of(group) == Some(key)).unwrap_or_default();
        out.extend(Slot::new(key, gather(group, lows)));
    }
    out.extend(groups.filter_map(join));
    RowSet::from_slots(out)
}

/// Rows grouped by chunk: the lower halves of all rows of one key, then of the next.
struct ByChunk {
    lows: Vec<u16>,
    /// Ascending keys, and the end of each key's rows in `lows`.
    ends: Vec<(u16, usize)>,
}

impl ByChunk {
    fn new(mut rows: Vec<Row>) -> Self {
        if rows.len() <= SORT_WHOLE {
            rows.sort_unstable();
            let mut end = 0;
            let ends = rows.chunk_by(|&a, &b| key(a) == key(b)).map(|run| {
                end += run.len();
                (key(run[0]), end)
            });
            return ByChunk { ends: ends.collect(), lows: rows.iter().map(low).collect() };
        }
        let keys = rows.iter().map(|&row| key(row)).max().map_or(0, |max| usize::from(max) + 1);
        let mut next = vec![0; keys];
        rows.iter().for_each(|&row| next[usize::from(key(row))] += 1);
        let (mut ends, mut end) = (Vec::new(), 0);
        for (key, next) in (0..=u16::MAX).zip(&mut next) {
            let count = std::mem::replace(next, end);
            end += count;
            if count != 0 {
                ends.push((key, end));
            }
        }
        let mut lows = vec![0; rows.len()];
        for row in &rows {
            let next = &mut next[usize::from(key(*row))];
            lows[*next] = low(row);
            *next += 1;
        }
        ByChunk { lows, ends }
    }

    fn iter(&self) -> impl Iterator<Item = (u16, &[u16])> {
        let mut start = 0;
        self.ends.iter().map(move |&(key, end)| {
            let lows = self.lows.get(start..end).unwrap_or_default();
            start = end;
            (key, lows)
        })
    }
}

/// The union of slots of one key.
fn join(group: &[&Slot]) -> Option<Slot> {
    match group {
        [] => None,
        [slot] => Some((*slot).clone()),
        [a, b] => a.or(b),
        [first, ..] => Slot::new(first.key(), gather(group, &[])),
    }
}

/// The chunk of slots of one key and of further rows of that key, in any order.
fn gather(group: &[&Slot], lows: &[u16]) -> Chunk {
    let total = group.iter().map(|slot| slot.len() as usize).sum::<usize>() + lows.len();
    if total <= SORT_CHUNK {
        let mut array = Vec::with_capacity(total);
        group.iter().for_each(|slot| slot.chunk().for_each(|low| array.push(low)));
        array.extend_from_slice(lows);
        array.sort_unstable();
        array.dedup();
        return Chunk::from_array(array);
    }
    // Set bits first, count once at the end.
    let mut words = zeroed();
    mark(&mut words, lows.iter().copied());
    for slot in group {
        match slot.chunk() {
            Chunk::Array(array) => mark(&mut words, array.iter().copied()),
            Chunk::Bitmap(bits) => words.iter_mut().zip(bits.words()).for_each(|(word, more)| *word |= more),
        }
    }
    let len = popcount::count(&words);
    Chunk::from_words(words, len)
}

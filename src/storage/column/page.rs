//! A page of a column: which of its rows have a value, the values' bits, between which bits they lie (its zone), and beside them
//! the values that 64 bits can't tell.
//!
//! A page begins without cells. The first values that come decide how wide they are; one that does not fit makes the committer fill
//! wider ones and show them as the next level. Readers take the widest level that is there; those which still read a narrower one
//! find each row there that no later commit has changed. Levels that are left stay as long as the page: somebody may
//! stand on them, and at worst they take as much again as the widest.

use super::cells::{Cells, WIDEST, Width, width_of};
use crate::limits::PAGE_ROWS;
use crate::sync::{
    AtomicU64, OnceLock,
    Ordering::{Acquire, Relaxed, Release},
    RwLock,
};
use crate::value::Value;

/// Words of a bitmap of a page's rows.
pub(crate) const PAGE_WORDS: usize = PAGE_ROWS.div_ceil(64);

/// In this order, so that whoever reads one row meets few cache lines.
#[repr(C, align(64))]
pub(super) struct Page {
    /// The width of the widest level.
    widest: AtomicU64,
    /// By width.
    levels: [OnceLock<Cells>; WIDEST + 1],
    present: [AtomicU64; PAGE_WORDS],
    /// The zone: all values of the page lie between these, both included, and perhaps not as far. None if `low` is the higher.
    low: AtomicU64,
    high: AtomicU64,
    /// By place in the page, ascending: the values of the cells whose bits are the lowest or the highest there are.
    beyond: RwLock<Vec<(u16, Value)>>,
}

impl Page {
    pub(super) fn new() -> Self {
        Page {
            widest: AtomicU64::new(0),
            levels: std::array::from_fn(|_| OnceLock::new()),
            present: std::array::from_fn(|_| AtomicU64::new(0)),
            low: AtomicU64::new(u64::MAX),
            high: AtomicU64::new(0),
            beyond: RwLock::new(Vec::new()),
        }
    }

    /// The widest cells.
    #[inline]
    pub(super) fn cells(&self) -> Option<&Cells> {
        self.levels[self.widest.load(Acquire) as usize % (WIDEST + 1)].get()
    }

    pub(super) fn present(&self) -> [u64; PAGE_WORDS] {
        std::array::from_fn(|word| self.present[word].load(Relaxed))
    }

    #[inline]
    pub(super) fn is_present(&self, at: usize) -> bool {
        self.present[at / 64].load(Relaxed) >> (at % 64) & 1 == 1
    }

    /// The bits of a row that has a value.
    #[inline]
    pub(super) fn bits(&self, at: usize) -> Option<u64> {
        if self.is_present(at) { self.cells().map(|cells| cells.get(at)) } else { None }
    }

    /// Between which bits all values lie, both included.
    pub(super) fn zone(&self) -> Option<(u64, u64)> {
        let (low, high) = (self.low.load(Relaxed), self.high.load(Relaxed));
        (low <= high).then_some((low, high))
    }

    /// The widths of the levels that there are.
    #[cfg(test)]
    pub(super) fn widths(&self) -> Vec<Width> {
        self.levels.iter().filter_map(OnceLock::get).map(Cells::width).collect()
    }

    /// Makes the zone wide enough for these bits. Under the commit lock, before the first cell with such bits.
    pub(super) fn widen_zone(&self, low: u64, high: u64) {
        if low < self.low.load(Relaxed) {
            self.low.store(low, Relaxed);
        }
        if high > self.high.load(Relaxed) {
            self.high.store(high, Relaxed);
        }
    }

    /// Makes the cells wide enough for all bits of the zone, and as wide as `likely` if there were none. Under the commit lock, after
    /// the zone was widened.
    pub(super) fn make_room(&self, zero: u64, likely: Width) {
        let Some((low, high)) = self.zone() else { return };
        let cells = self.cells();
        let least = match cells {
            Some(cells) if cells.take(low) && cells.take(high) => return,
            Some(cells) => cells.width() + 1,
            None => likely,
        };
        let wider = Cells::new(low, high, width_of(high - low).max(least), zero);
        if let Some(cells) = cells {
            let with_value = (0..PAGE_ROWS).filter(|at| self.is_present(*at));
            with_value.for_each(|at| wider.set(at, cells.get(at)));
        }
        // All of it is in place: whoever finds the level finds the cells.
        let width = wider.width();
        let added = self.levels[width].set(wider);
        debug_assert!(added.is_ok(), "levels are added under the commit lock, each wider than those before");
        self.widest.store(width as u64, Release);
    }

    /// Writes a cell; the bits that it had before. Under the commit lock.
    pub(super) fn put(&self, cells: Option<&Cells>, at: usize, bits: Option<u64>) -> Option<u64> {
        let (word, mask) = (&self.present[at / 64], 1 << (at % 64));
        debug_assert!(cells.is_some() || bits.is_none(), "room was made");
        let (present, cells) = (word.load(Relaxed), cells?);
        let before = (present & mask != 0).then(|| cells.get(at));
        match bits {
            Some(bits) => {
                cells.set(at, bits);
                word.store(present | mask, Relaxed);
            }
            None => word.store(present & !mask, Relaxed),
        }
        before
    }

    /// Keeps, or forgets, what a cell can't tell.
    pub(super) fn put_beyond(&self, at: usize, value: Option<Value>) {
        let mut beyond = self.beyond.write();
        match (beyond.binary_search_by_key(&at, |(at, _)| (*at).into()), value) {
            (Ok(place), Some(value)) => beyond[place].1 = value,
            (Err(place), Some(value)) => beyond.insert(place, (at as u16, value)),
            (Ok(place), None) => drop(beyond.remove(place)),
            (Err(_), None) => {}
        }
    }

    /// The value that a cell of the lowest or the highest bits stands for.
    pub(super) fn beyond(&self, at: usize) -> Option<Value> {
        let beyond = self.beyond.read();
        let place = beyond.binary_search_by_key(&at, |(at, _)| (*at).into()).ok()?;
        Some(beyond[place].1.clone())
    }

    /// Shows all values that their cells can't tell, in the order of their places.
    pub(super) fn each_beyond(&self, mut look: impl FnMut(usize, &Value)) {
        self.beyond.read().iter().for_each(|(at, value)| look((*at).into(), value));
    }

    /// Draws the zone to what is there, and gives back room that is not used. Under the commit lock.
    pub(super) fn tidy(&self) {
        let bits = || (0..PAGE_ROWS).filter_map(|at| self.bits(at));
        self.low.store(bits().min().unwrap_or(u64::MAX), Relaxed);
        self.high.store(bits().max().unwrap_or(0), Relaxed);
        self.beyond.write().shrink_to_fit();
    }

    /// Whether each of its values lies in its zone.
    pub(super) fn is_sound(&self) -> bool {
        let in_zone = |bits| self.zone().is_some_and(|(low, high)| low <= bits && bits <= high);
        (0..PAGE_ROWS).filter_map(|at| self.bits(at)).all(in_zone)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let beyond = self.beyond.read();
        let values: usize = beyond.iter().map(|(_, value)| value.heap_bytes()).sum();
        let cells: usize = self.levels.iter().filter_map(OnceLock::get).map(Cells::heap_bytes).sum();
        cells + beyond.capacity() * size_of::<(u16, Value)>() + values
    }
}

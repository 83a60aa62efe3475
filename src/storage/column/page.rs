//! A page of a column: a bitmap of the rows that have a value, the bits of the values, their bounds (the zone), and the
//! overflow values that do not fit 64 bits.
//!
//! A page starts without cells. Its first values decide their width. If a later value does not fit, the committer fills
//! wider cells and publishes them as the next level. Readers use the widest published level; a reader that still uses a
//! narrower one finds there every row that no later commit has changed. Narrower levels live as long as the page, since
//! readers may still use them; together they take at most as much memory as the widest.

use super::cells::{Cells, WIDEST, Width, width_of};
use crate::limits::PAGE_ROWS;
use crate::memory::HeapBytes;
use crate::sync::{
    AtomicU64, OnceLock,
    Ordering::{Acquire, Relaxed, Release},
    RwLock,
};
use memdex_query::value::Value;

/// Words of a bitmap of a page's rows.
pub(crate) const PAGE_WORDS: usize = PAGE_ROWS.div_ceil(64);

/// The fields are ordered so that reading one row touches few cache lines.
#[repr(C, align(64))]
pub(super) struct Page {
    /// The width of the widest level.
    widest: AtomicU64,
    /// Cells by width.
    levels: [OnceLock<Cells>; WIDEST + 1],
    present: [AtomicU64; PAGE_WORDS],
    /// The zone: the bits of all values are in `low..=high`, which may be wider than needed. Empty if `low > high`.
    low: AtomicU64,
    high: AtomicU64,
    /// The exact values of cells whose bits are an escape, by offset in the page, ascending.
    overflow: RwLock<Vec<(u16, Value)>>,
}

impl Page {
    pub(super) fn new() -> Self {
        Page {
            widest: AtomicU64::new(0),
            levels: std::array::from_fn(|_| OnceLock::new()),
            present: std::array::from_fn(|_| AtomicU64::new(0)),
            low: AtomicU64::new(u64::MAX),
            high: AtomicU64::new(0),
            overflow: RwLock::new(Vec::new()),
        }
    }

    /// The cells of the widest level.
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

    /// The bits of a row; `None` if it has no value.
    #[inline]
    pub(super) fn bits(&self, at: usize) -> Option<u64> {
        if self.is_present(at) { self.cells().map(|cells| cells.get(at)) } else { None }
    }

    /// Inclusive bounds on the bits of all values; `None` without values.
    pub(super) fn zone(&self) -> Option<(u64, u64)> {
        let (low, high) = (self.low.load(Relaxed), self.high.load(Relaxed));
        (low <= high).then_some((low, high))
    }

    /// The widths of all levels.
    #[cfg(all(test, not(memdex_loom)))]
    pub(super) fn widths(&self) -> Vec<Width> {
        self.levels.iter().filter_map(OnceLock::get).map(Cells::width).collect()
    }

    /// Widens the zone to include these bits. Under the commit lock, before the first cell with such bits is stored.
    pub(super) fn widen_zone(&self, low: u64, high: u64) {
        if low < self.low.load(Relaxed) {
            self.low.store(low, Relaxed);
        }
        if high > self.high.load(Relaxed) {
            self.high.store(high, Relaxed);
        }
    }

    /// Makes the cells wide enough for all bits of the zone; the first cells get at least the width `likely`. Under the
    /// commit lock, after the zone was widened.
    pub(super) fn widen_cells(&self, bytes: &HeapBytes, zero: u64, likely: Width) {
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
        bytes.change(0, wider.heap_bytes());
        // The level is complete before it is published, so a reader that finds it finds all cells.
        let width = wider.width();
        let added = self.levels[width].set(wider);
        debug_assert!(added.is_ok(), "levels are added under the commit lock, each wider than those before");
        self.widest.store(width as u64, Release);
    }

    /// Writes a cell and returns its previous bits. Under the commit lock.
    pub(super) fn put(&self, cells: Option<&Cells>, at: usize, bits: Option<u64>) -> Option<u64> {
        let (word, mask) = (&self.present[at / 64], 1 << (at % 64));
        debug_assert!(cells.is_some() || bits.is_none(), "the page must have cells before it gets a value");
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

    /// Sets or removes the overflow value of a row.
    pub(super) fn put_overflow(&self, bytes: &HeapBytes, at: usize, value: Option<Value>) {
        let of_value = |value: &Option<Value>| value.as_ref().map_or(0, Value::heap_bytes);
        let new = of_value(&value);
        let old = bytes.track(&mut *self.overflow.write(), overflow_list_bytes, |overflow| {
            match (overflow.binary_search_by_key(&at, |(at, _)| (*at).into()), value) {
                (Ok(place), Some(value)) => return Some(std::mem::replace(&mut overflow[place].1, value)),
                (Err(place), Some(value)) => overflow.insert(place, (at as u16, value)),
                (Ok(place), None) => return Some(overflow.remove(place).1),
                (Err(_), None) => {}
            }
            None
        });
        bytes.change(of_value(&old), new);
    }

    /// The overflow value of a row.
    pub(super) fn overflow(&self, at: usize) -> Option<Value> {
        let overflow = self.overflow.read();
        let place = overflow.binary_search_by_key(&at, |(at, _)| (*at).into()).ok()?;
        Some(overflow[place].1.clone())
    }

    /// Passes each overflow value to `visit`, ascending by row.
    pub(super) fn each_overflow(&self, mut visit: impl FnMut(usize, &Value)) {
        self.overflow.read().iter().for_each(|(at, value)| visit((*at).into(), value));
    }

    /// Narrows the zone to the present values, and releases unused memory. Returns whether there can be any values. Under the
    /// commit lock.
    pub(super) fn tidy(&self, bytes: &HeapBytes) -> bool {
        if self.zone().is_none() {
            return false;
        }
        let bits = || (0..PAGE_ROWS).filter_map(|at| self.bits(at));
        self.low.store(bits().min().unwrap_or(u64::MAX), Relaxed);
        self.high.store(bits().max().unwrap_or(0), Relaxed);
        bytes.track(&mut *self.overflow.write(), overflow_list_bytes, Vec::shrink_to_fit);
        true
    }

    /// Whether the bits of all values lie in the zone.
    pub(super) fn is_sound(&self) -> bool {
        let in_zone = |bits| self.zone().is_some_and(|(low, high)| low <= bits && bits <= high);
        (0..PAGE_ROWS).filter_map(|at| self.bits(at)).all(in_zone)
    }

    /// The heap bytes, by a walk; for audits.
    pub(super) fn walk_bytes(&self) -> usize {
        let overflow = self.overflow.read();
        let values: usize = overflow.iter().map(|(_, value)| value.heap_bytes()).sum();
        let cells: usize = self.levels.iter().filter_map(OnceLock::get).map(Cells::heap_bytes).sum();
        cells + overflow_list_bytes(&overflow) + values
    }
}

fn overflow_list_bytes(overflow: &Vec<(u16, Value)>) -> usize {
    overflow.capacity() * size_of::<(u16, Value)>()
}

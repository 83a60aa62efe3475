//! Row → versions: the newest version of each row, and the older ones that some pinned epoch may still see.
//!
//! Each page holds 1,024 rows and has its own lock. A page never moves. Rows past the last page do not exist.
//!
//! Older versions are in a map ordered by row and commit, not in a chain behind the newest one. So a reader finds its
//! version in O(log n) however long the history is, dropping them needs no recursion, and a record without history
//! costs nothing extra. The map retains only the versions that pinned epochs and the commit in flight need.

use super::deadline::Deadline;
use super::eviction::Newest;
use super::segments::Segments;
use super::version::{At, Change, Version};
use crate::error::Commit;
use crate::limits::PAGE_ROWS;
use crate::reclaim::Pins;
use crate::rowset::Row;
use crate::sync::{Arc, RwLock, RwLockReadGuard};
use smallvec::SmallVec;
use std::collections::BTreeMap;

pub(crate) struct Pages<R>(Segments<Page<R>>);

#[repr(align(64))]
struct Page<R>(RwLock<Rows<R>>);

struct Rows<R> {
    /// By slot in the page. Shorter than a page if the remaining slots were never used.
    newest: Vec<Option<Arc<Version<R>>>>,
    /// By slot in the page and first commit.
    older: BTreeMap<(u16, Commit), Arc<Version<R>>>,
}

/// The result of reclaiming an older version.
pub(crate) enum Fate<R> {
    /// A pin at this commit still sees the version.
    Kept(Commit),
    /// The version was removed from the page. If that left only a tombstone in its row, the tombstone was removed too
    /// and is the second value: the row is free.
    Forgotten(Arc<Version<R>>, Option<Arc<Version<R>>>),
}

/// A page after upkeep.
pub(crate) struct Shrunk {
    pub(crate) has_changed: bool,
    /// All its rows are free.
    pub(crate) is_free: bool,
}

/// The number of rows that are fetched under guards held at the same time.
pub(crate) const FETCHED_TOGETHER: usize = 32;

fn slot(row: Row) -> u16 {
    (row as usize % PAGE_ROWS) as u16
}

impl<R> Rows<R> {
    fn heap_bytes(&self) -> usize {
        self.newest.capacity() * size_of::<Option<Arc<Version<R>>>>()
    }

    /// The version of a row that `epoch` sees, possibly a tombstone.
    fn at(&self, slot: u16, epoch: Commit) -> Option<&Arc<Version<R>>> {
        let newest = self.newest.get(usize::from(slot))?.as_ref()?;
        if newest.begin <= epoch {
            return Some(newest);
        }
        self.older.range((slot, Commit::ZERO)..=(slot, epoch)).next_back().map(|(_, version)| version)
    }

    fn put(&mut self, slot: u16, old: Option<&Arc<Version<R>>>, new: &Arc<Version<R>>) {
        let index = usize::from(slot);
        if index >= self.newest.len() {
            self.newest.resize_with(index + 1, || None);
        }
        let displaced = self.newest[index].replace(new.clone());
        debug_assert!(
            displaced.as_ref().map(Arc::as_ptr) == old.map(Arc::as_ptr),
            "`old` must be the version that the row page held"
        );
        if let Some(displaced) = displaced {
            debug_assert!(displaced.begin < new.begin);
            self.older.insert((slot, displaced.begin), displaced);
        }
    }

    fn reclaim(&mut self, slot: u16, begin: Commit, pins: &Pins<'_>) -> Option<Fate<R>> {
        let next = self.older.range((slot, begin.next())..=(slot, Commit::MAX)).next();
        let until = next
            .map(|(_, version)| version.begin)
            .or_else(|| Some(self.newest.get(usize::from(slot))?.as_ref()?.begin))?;
        if let Some(pin) = pins.newest_within(begin, until) {
            return Some(Fate::Kept(pin));
        }
        let forgotten = self.older.remove(&(slot, begin))?;
        let alone = self.older.range((slot, Commit::ZERO)..=(slot, Commit::MAX)).next().is_none();
        let newest = &mut self.newest[usize::from(slot)];
        let tombstone = newest.take_if(|newest| alone && newest.is_removable());
        Some(Fate::Forgotten(forgotten, tombstone))
    }
}

impl<R: Send + Sync> Newest for Pages<R> {
    fn newest(&self, row: Row, read: &mut dyn FnMut(u32, &Deadline)) {
        let Some((page, slot)) = self.page(row) else { return };
        let rows = page.read();
        if let Some(Some(version)) = rows.newest.get(usize::from(slot)) {
            read(version.hash, &version.deadline);
        }
    }
}

impl<R> Pages<R> {
    pub(crate) fn new() -> Self {
        Pages(Segments::new())
    }

    fn page(&self, row: Row) -> Option<(&RwLock<Rows<R>>, u16)> {
        self.0.page(row as usize / PAGE_ROWS).map(|page| (&page.0, slot(row)))
    }

    /// The version of a row that a reader sees, unless it is a tombstone or has expired.
    pub(crate) fn at(&self, row: Row, at: At) -> Option<Arc<Version<R>>> {
        let (page, slot) = self.page(row)?;
        page.read().at(slot, at.epoch).filter(|version| version.is_alive(at.time)).cloned()
    }

    /// The version of a row that a reader sees, a tombstone too, expired or not.
    pub(crate) fn with_tombstone(&self, row: Row, epoch: Commit) -> Option<Arc<Version<R>>> {
        let (page, slot) = self.page(row)?;
        page.read().at(slot, epoch).cloned()
    }

    /// Appends the versions of these rows that a reader sees. `rows` ascends strictly. A row that is deleted by then
    /// adds a tombstone or nothing, so callers that pass such rows check the result; one that has expired adds nothing. The rows are read in steps of
    /// [`FETCHED_TOGETHER`] under the guards of their pages, in ascending order, so that the memory accesses of one
    /// step overlap. No guard is held while `found` is extended.
    pub(crate) fn fetch(&self, rows: &[Row], at: At, found: &mut impl Extend<Arc<Version<R>>>) {
        let mut step = SmallVec::new();
        for together in rows.chunks(FETCHED_TOGETHER) {
            self.fetch_together(together, at, &mut step);
            found.extend(step.drain(..));
        }
    }

    #[inline(never)]
    fn fetch_together(&self, together: &[Row], at: At, found: &mut SmallVec<[Arc<Version<R>>; FETCHED_TOGETHER]>) {
        let mut guards: SmallVec<[_; FETCHED_TOGETHER]> = SmallVec::new();
        for of_page in together.chunk_by(|a, b| *a as usize / PAGE_ROWS == *b as usize / PAGE_ROWS) {
            debug_assert!(of_page.is_sorted_by(|a, b| a < b), "a second guard of the same page could deadlock");
            guards.extend(self.page(of_page[0]).map(|(page, _)| (page.read(), of_page)));
        }
        Self::find(&guards, at, found);
    }

    /// Appends the versions that the reader sees, for the rows of these guards.
    fn find(
        guards: &[(RwLockReadGuard<'_, Rows<R>>, &[Row])],
        at: At,
        found: &mut SmallVec<[Arc<Version<R>>; FETCHED_TOGETHER]>,
    ) {
        // First collect the versions, then check when they began: loops this short let the memory accesses of all rows
        // overlap. Counting references is a separate loop, since an atomic increment does not overlap with other
        // accesses.
        let mut newest: SmallVec<[&Arc<Version<R>>; FETCHED_TOGETHER]> = SmallVec::new();
        for (page, rows) in guards {
            for row in *rows {
                if let Some(Some(version)) = page.newest.get(usize::from(slot(*row))) {
                    newest.push(version);
                }
            }
        }
        let seen = |version: &Version<R>| version.begin <= at.epoch && !version.deadline.is_past(at.time);
        if newest.iter().fold(true, |all, version| all & seen(version)) {
            return found.extend(newest.iter().map(|version| Arc::clone(version)));
        }
        let versions =
            guards.iter().flat_map(|(page, rows)| rows.iter().filter_map(|row| page.at(slot(*row), at.epoch)));
        found.extend(versions.filter(|version| version.is_alive(at.time)).cloned());
    }

    /// The newest version of a row, published or in flight, possibly a tombstone.
    pub(crate) fn newest(&self, row: Row) -> Option<Arc<Version<R>>> {
        let (page, slot) = self.page(row)?;
        page.read().newest.get(usize::from(slot))?.clone()
    }

    /// Calls `visit` with each record of the newest state, and its row, page by page under no guard.
    pub(crate) fn each_newest(&self, mut visit: impl FnMut(Row, &Arc<Version<R>>)) {
        let mut page = 0;
        let mut each = |row, newest: Option<&Arc<Version<R>>>, _: &[_]| {
            newest.filter(|newest| !newest.is_tombstone()).into_iter().for_each(|newest| visit(row, newest));
        };
        while self.audit_page(page, &mut each) {
            page += 1;
        }
    }

    /// Frees unused memory of a page: that behind its last row that is not free. `None` past the last page.
    pub(crate) fn shrink(&self, number: usize) -> Option<Shrunk> {
        let (page, _) = Row::try_from(number * PAGE_ROWS).ok().and_then(|row| self.page(row))?;
        let mut rows = page.write();
        let used = rows.newest.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let shrunk = Shrunk { has_changed: rows.newest.capacity() > used, is_free: used == 0 };
        self.0.bytes.track(&mut *rows, Rows::heap_bytes, |rows| {
            rows.newest.truncate(used);
            rows.newest.shrink_to_fit();
        });
        Some(shrunk)
    }

    /// The number of pages, used or not.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// One more than the highest row that has a slot.
    pub(crate) fn end(&self) -> usize {
        let used = self.0.pages().enumerate().filter_map(|(page, rows)| {
            let len = rows.0.read().newest.len();
            (len > 0).then_some(page * PAGE_ROWS + len)
        });
        used.last().unwrap_or(0)
    }

    /// Appends the records of a page that a reader sees, in row order. Returns `false` past the last page.
    pub(crate) fn read_page(&self, number: usize, at: At, versions: &mut impl Extend<Arc<Version<R>>>) -> bool {
        let Some((page, _)) = Row::try_from(number * PAGE_ROWS).ok().and_then(|row| self.page(row)) else {
            return false;
        };
        let rows = page.read();
        let visible = (0..rows.newest.len()).filter_map(|slot| rows.at(slot as u16, at.epoch));
        versions.extend(visible.filter(|version| version.is_alive(at.time)).cloned());
        true
    }

    /// Appends the records in these slots of a page that a reader sees, in slot order.
    pub(crate) fn read_places(
        &self,
        number: usize,
        places: &[u16],
        at: At,
        versions: &mut impl Extend<Arc<Version<R>>>,
    ) {
        let Some(page) = self.0.page(number) else { return };
        let rows = page.0.read();
        let visible = places.iter().filter_map(|place| rows.at(*place, at.epoch));
        versions.extend(visible.filter(|version| version.is_alive(at.time)).cloned());
    }

    /// Inserts the new versions, and moves the replaced ones to the older versions. Takes one guard for each page.
    pub(crate) fn apply(&self, changes: &[Change<R>]) {
        debug_assert!(changes.is_sorted_by(|a, b| a.row() < b.row()));
        for of_page in changes.chunk_by(|a, b| a.row() as usize / PAGE_ROWS == b.row() as usize / PAGE_ROWS) {
            let empty = || Page(RwLock::new(Rows { newest: Vec::new(), older: BTreeMap::new() }));
            let mut rows = self.0.page_to_write(of_page[0].row() as usize / PAGE_ROWS, empty).0.write();
            self.0.bytes.track(&mut *rows, Rows::heap_bytes, |rows| {
                of_page.iter().for_each(|change| rows.put(slot(change.row()), change.old.as_ref(), &change.new));
            });
        }
    }

    /// Reclaims older versions, given by row and first commit, unless a pin sees them. Adjacent entries of one page
    /// share a guard.
    pub(crate) fn reclaim(
        &self,
        versions: &[(Row, Commit)],
        pins: &Pins<'_>,
        mut report: impl FnMut(Row, Commit, Fate<R>),
    ) {
        for of_page in versions.chunk_by(|a, b| a.0 as usize / PAGE_ROWS == b.0 as usize / PAGE_ROWS) {
            let Some((page, _)) = self.page(of_page[0].0) else { continue };
            let mut rows = page.write();
            for &(row, begin) in of_page {
                if let Some(fate) = rows.reclaim(slot(row), begin, pins) {
                    report(row, begin, fate);
                }
            }
        }
    }

    /// Passes the newest version and the older ones of each row of a page to `look`, for audits and statistics. Under no guard,
    /// since an audit runs user code.
    pub(crate) fn audit_page(
        &self,
        number: usize,
        mut look: impl FnMut(Row, Option<&Arc<Version<R>>>, &[Arc<Version<R>>]),
    ) -> bool {
        let first = number * PAGE_ROWS;
        let Some((page, _)) = Row::try_from(first).ok().and_then(|row| self.page(row)) else { return false };
        let (newest, mut older) = {
            let rows = page.read();
            (rows.newest.clone(), rows.older.clone().into_iter().peekable())
        };
        for (slot, newest) in newest.iter().enumerate() {
            let of_slot = std::iter::from_fn(|| older.next_if(|((at, _), _)| usize::from(*at) == slot));
            let of_slot: Vec<_> = of_slot.map(|(_, version)| version).collect();
            look((first + slot) as Row, newest.as_ref(), &of_slot);
        }
        true
    }

    /// O(1).
    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.bytes.get()
    }

    /// The heap bytes, by a walk; for audits.
    pub(crate) fn walk_bytes(&self) -> usize {
        self.0.pages().map(|page| size_of::<Page<R>>() + page.0.read().heap_bytes()).sum()
    }

    /// Removes and returns every version, when the collection is dropped.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Arc<Version<R>>> {
        self.0.take().flat_map(|page| {
            let mut rows = page.0.write();
            let newest = std::mem::take(&mut rows.newest).into_iter().flatten();
            newest.chain(std::mem::take(&mut rows.older).into_values())
        })
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;
    use crate::hash;
    use crate::record::KeyBuffer;
    use crate::storage::Stored;
    use memdex_query::value::Key;

    fn key() -> Key {
        let mut buffer = KeyBuffer::new(&hash::seeded(1));
        buffer.push("the only one".into());
        buffer.to_key()
    }

    fn write(pages: &Pages<u64>, row: Row, begin: u64, old: Option<Arc<Version<u64>>>) -> Arc<Version<u64>> {
        let new = Arc::new(Version {
            begin: Commit::from_number(begin),
            row,
            hash: 0,
            deadline: Deadline::none(),
            key: key(),
            stored: Stored::Own(begin),
        });
        pages.apply(&[Change { expired: false, evicted: false, measured: None, old, under: None, new: new.clone() }]);
        new
    }

    #[test]
    fn rows_have_a_place_of_their_own() {
        let page = PAGE_ROWS as Row;
        let pages = Pages::new();
        assert!(pages.at(5 * page, At::any_time(Commit::from_number(9))).is_none(), "past the last page");
        write(&pages, 5 * page + 3, 1, None);
        let first = At::any_time(Commit::ZERO.next());
        assert!(pages.at(5 * page + 3, first).is_some() && pages.at(5 * page + 2, first).is_none());
    }

    #[test]
    fn a_million_versions_of_one_row_are_found_forgotten_and_dropped() {
        const VERSIONS: u64 = 1_000_000;
        let pages = Pages::new();
        let mut newest = None;
        for begin in 1..=VERSIONS {
            newest = Some(write(&pages, 7, begin, newest));
        }
        let seen = |epoch| pages.at(7, At::any_time(Commit::from_number(epoch))).map(|version| version.begin.get());
        assert_eq!(
            [0, 1, 499_999, VERSIONS, VERSIONS + 9].map(seen),
            [None, Some(1), Some(499_999), Some(VERSIONS), Some(VERSIONS)]
        );

        // Readers on every thousandth commit retain their version. The others are removed, from the oldest or the
        // newest on.
        let pinned: Vec<Commit> =
            (1..=VERSIONS).filter(|commit| commit % 1_000 == 0).map(Commit::from_number).collect();
        let mut forgotten = 0;
        let order = (1..VERSIONS / 2).chain((VERSIONS / 2..VERSIONS).rev());
        let all: Vec<(Row, Commit)> = order.map(|commit| (7, Commit::from_number(commit))).collect();
        pages.reclaim(&all, &Pins::on(&pinned), |_, begin, fate| match fate {
            Fate::Kept(pin) => assert_eq!(pin, begin, "a retained version is pinned at its own commit"),
            Fate::Forgotten(version, tombstone) => {
                assert!(version.begin == begin && begin.get() % 1_000 != 0 && tombstone.is_none());
                forgotten += 1;
            }
        });
        assert_eq!(forgotten, VERSIONS - VERSIONS / 1_000);
        assert_eq!([999, 1_000, 1_999, 2_000].map(seen), [None, Some(1_000), Some(1_000), Some(2_000)]);
        drop(pages);
    }
}

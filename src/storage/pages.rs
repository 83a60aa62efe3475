//! Row → versions: the newest version of each row, and the older ones that some pinned epoch may still see.
//!
//! Each page holds 1,024 rows and has its own lock. A page never moves. Rows past the last page do not exist.
//!
//! Older versions are in a map ordered by row and commit, not in a chain behind the newest one. So a reader finds its
//! version in O(log n) however long the history is, dropping them needs no recursion, and a record without history
//! costs nothing extra. The map retains only the versions that pinned epochs and the commit in flight need.

use super::any_version::{AnyVersion, SharedVersion, typed};
use super::change::Change;
use super::deadline::Deadline;
use super::eviction::Newest;
use super::segments::Segments;
use super::version::{At, Version};
use crate::error::Commit;
use crate::limits::PAGE_ROWS;
use crate::reclaim::Pins;
use crate::record::Record;
use crate::rowset::Row;
use crate::sync::{Arc, RwLock, RwLockReadGuard};
use crate::user_code;
use smallvec::SmallVec;
use std::any::Any;
use std::collections::BTreeMap;

pub(crate) struct Pages<R>(Segments<Page<R>>);

#[repr(align(64))]
struct Page<R>(RwLock<Rows<R>>);

struct Rows<R> {
    /// By slot in the page. Shorter than a page if the remaining slots were never used.
    newest: Vec<Option<Arc<Version<R>>>>,
    older: Older,
}

/// The older versions of the rows of a page, by slot and first commit.
type Older = BTreeMap<(u16, Commit), SharedVersion>;

/// The versions of a page, which no guard protects any longer.
pub(crate) struct PageCopy {
    first: Row,
    newest: Vec<Option<SharedVersion>>,
    older: Older,
}

impl PageCopy {
    /// Passes the newest version and the older ones of each row to `look`.
    pub(crate) fn each_row(self, mut look: impl FnMut(Row, Option<&SharedVersion>, &[SharedVersion])) {
        let mut older = self.older.into_iter().peekable();
        for (slot, newest) in self.newest.iter().enumerate() {
            let of_slot = std::iter::from_fn(|| older.next_if(|((at, _), _)| usize::from(*at) == slot));
            let of_slot: Vec<_> = of_slot.map(|(_, version)| version).collect();
            look(self.first + slot as Row, newest.as_ref(), &of_slot);
        }
    }
}

/// The result of reclaiming an older version.
pub(crate) enum Fate {
    /// A pin at this commit still sees the version.
    Kept(Commit),
    /// The version was removed from the page. If that left only a tombstone in its row, the tombstone was removed too
    /// and is the second value: the row is free.
    Forgotten(SharedVersion, Option<SharedVersion>),
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

    fn newest(&self, slot: u16) -> Option<&Arc<Version<R>>> {
        self.newest.get(usize::from(slot))?.as_ref()
    }
}

impl<R: Record> Rows<R> {
    /// The version of a row that `epoch` sees, possibly a tombstone.
    fn at(&self, slot: u16, epoch: Commit) -> Option<SharedVersion> {
        let newest = self.newest(slot)?;
        if newest.begin <= epoch { Some(newest.clone()) } else { older_at(&self.older, slot, epoch) }
    }

    /// Adds the version of a row that a reader sees, unless it is a tombstone or has expired.
    fn add_at(&self, slot: u16, at: At, found: &mut impl Found<R>) {
        let Some(newest) = self.newest(slot) else { return };
        if newest.begin > at.epoch {
            let older = older_at(&self.older, slot, at.epoch).filter(|version| version.is_alive(at.time));
            older.into_iter().for_each(|version| found.add_older(version));
        } else if !newest.is_tombstone() && !newest.deadline.is_past(at.time) {
            found.add(newest);
        }
    }

    fn put(&mut self, slot: u16, old: Option<&SharedVersion>, new: Arc<Version<R>>) {
        let index = usize::from(slot);
        if index >= self.newest.len() {
            self.newest.resize_with(index + 1, || None);
        }
        let begin = new.begin;
        let displaced = self.newest[index].replace(new);
        debug_assert!(
            match (&displaced, old) {
                (Some(displaced), Some(old)) => std::ptr::addr_eq(Arc::as_ptr(displaced), Arc::as_ptr(old)),
                (None, None) => true,
                _ => false,
            },
            "`old` must be the version that the row page held"
        );
        if let Some(displaced) = displaced {
            debug_assert!(displaced.begin < begin);
            self.older.insert((slot, displaced.begin), displaced);
        }
    }

    fn reclaim(&mut self, slot: u16, begin: Commit, pins: &Pins<'_>) -> Option<Fate> {
        let newest = self.newest(slot)?;
        let (removable, newest) = (AnyVersion::is_removable(&**newest), newest.begin);
        let (fate, is_alone) = reclaim_older(&mut self.older, slot, begin, newest, pins)?;
        let Fate::Forgotten(forgotten, _) = fate else { return Some(fate) };
        let tombstone = self.newest[usize::from(slot)].take_if(|_| is_alone && removable);
        Some(Fate::Forgotten(forgotten, tombstone.map(|tombstone| tombstone as SharedVersion)))
    }
}

// Without the record type, so that they are compiled once.

fn older_at(older: &Older, slot: u16, epoch: Commit) -> Option<SharedVersion> {
    older.range((slot, Commit::ZERO)..=(slot, epoch)).next_back().map(|(_, version)| version.clone())
}

/// Reclaims an older version of a row, whose newest one began at `newest`. Also returns whether the row has no other older version.
fn reclaim_older(older: &mut Older, slot: u16, begin: Commit, newest: Commit, pins: &Pins<'_>) -> Option<(Fate, bool)> {
    let next = older.range((slot, begin.next())..=(slot, Commit::MAX)).next();
    let until = next.map_or(newest, |(_, version)| version.begin);
    if let Some(pin) = pins.newest_within(begin, until) {
        return Some((Fate::Kept(pin), false));
    }
    let forgotten = older.remove(&(slot, begin))?;
    let is_alone = older.range((slot, Commit::ZERO)..=(slot, Commit::MAX)).next().is_none();
    Some((Fate::Forgotten(forgotten, None), is_alone))
}

impl<R: Record> Newest for Pages<R> {
    fn read_newest(&self, row: Row, read: &mut dyn FnMut(u32, &Deadline)) {
        let Some((page, slot)) = self.page(row) else { return };
        let rows = page.read();
        if let Some(version) = rows.newest(slot) {
            read(version.hash, &version.deadline);
        }
    }
}

/// Row pages without the record type.
pub(crate) trait AnyPages: Newest + Any + Send + Sync {
    /// The version of a row that a reader sees, unless it is a tombstone or has expired.
    fn at(&self, row: Row, at: At) -> Option<SharedVersion>;

    /// The version of a row that a reader sees, a tombstone too, expired or not.
    fn with_tombstone(&self, row: Row, epoch: Commit) -> Option<SharedVersion>;

    /// Appends the versions of these rows that a reader sees. `rows` ascends strictly. A row that is deleted by then
    /// adds a tombstone or nothing, so callers that pass such rows check the result; one that has expired adds nothing. The rows are read in steps of
    /// [`FETCHED_TOGETHER`] under the guards of their pages, in ascending order, so that the memory accesses of one
    /// step overlap.
    fn fetch(&self, rows: &[Row], at: At, found: &mut Vec<SharedVersion>);

    /// The newest version of a row, published or in flight, possibly a tombstone.
    fn newest(&self, row: Row) -> Option<SharedVersion>;

    /// Frees unused memory of a page: that behind its last row that is not free. `None` past the last page.
    fn shrink(&self, number: usize) -> Option<Shrunk>;

    /// The number of pages, used or not.
    fn len(&self) -> usize;

    /// One more than the highest row that has a slot.
    fn end(&self) -> usize;

    /// Appends the records of a page that a reader sees, in row order. Returns `false` past the last page.
    fn read_page(&self, number: usize, at: At, versions: &mut Vec<SharedVersion>) -> bool;

    /// Appends the records in these slots of a page that a reader sees, in slot order.
    fn read_places(&self, number: usize, places: &[u16], at: At, versions: &mut Vec<SharedVersion>);

    /// Inserts the new versions, and moves the replaced ones to the older versions. Takes one guard for each page.
    fn apply(&self, changes: &[Change]);

    /// Reclaims older versions, given by row and first commit, unless a pin sees them. Adjacent entries of one page
    /// share a guard.
    fn reclaim(&self, versions: &[(Row, Commit)], pins: &Pins<'_>, report: &mut dyn FnMut(Row, Commit, Fate));

    /// The newest version of each row of a page, and the older ones, for audits and statistics. `None` past the last page.
    fn copy_page(&self, number: usize) -> Option<PageCopy>;

    /// O(1).
    fn heap_bytes(&self) -> usize;

    /// The heap bytes, by a walk; for audits.
    fn walk_bytes(&self) -> usize;

    /// Drops every version by itself, when the collection is dropped. Returns the number of panics.
    fn drop_all(&self) -> u64;
}

impl<R: Record> Pages<R> {
    pub(crate) fn new() -> Self {
        Pages(Segments::new())
    }

    fn page(&self, row: Row) -> Option<(&RwLock<Rows<R>>, u16)> {
        self.0.page(row as usize / PAGE_ROWS).map(|page| (&page.0, slot(row)))
    }

    /// See [`AnyPages::fetch`].
    pub(super) fn fetch_into(&self, rows: &[Row], at: At, found: &mut impl Found<R>) {
        for together in rows.chunks(FETCHED_TOGETHER) {
            found.reserve(together.len());
            self.fetch_together(together, at, found);
        }
    }

    #[inline(never)]
    fn fetch_together(&self, together: &[Row], at: At, found: &mut impl Found<R>) {
        let mut guards: SmallVec<[_; FETCHED_TOGETHER]> = SmallVec::new();
        for of_page in together.chunk_by(|a, b| *a as usize / PAGE_ROWS == *b as usize / PAGE_ROWS) {
            debug_assert!(of_page.is_sorted_by(|a, b| a < b), "a second guard of the same page could deadlock");
            guards.extend(self.page(of_page[0]).map(|(page, _)| (page.read(), of_page)));
        }
        Self::find(&guards, at, found);
    }

    /// Appends the versions that the reader sees, for the rows of these guards.
    fn find(guards: &[(RwLockReadGuard<'_, Rows<R>>, &[Row])], at: At, found: &mut impl Found<R>) {
        // First collect the versions, then check when they began: loops this short let the memory accesses of all rows
        // overlap. Counting references is a separate loop, since an atomic increment does not overlap with other
        // accesses.
        let mut newest: SmallVec<[&Arc<Version<R>>; FETCHED_TOGETHER]> = SmallVec::new();
        for (page, rows) in guards {
            for row in *rows {
                if let Some(version) = page.newest(slot(*row)) {
                    newest.push(version);
                }
            }
        }
        let seen = |version: &Version<R>| version.begin <= at.epoch && !version.deadline.is_past(at.time);
        if newest.iter().fold(true, |all, version| all & seen(version)) {
            return newest.iter().for_each(|version| found.add(version));
        }
        for (page, rows) in guards {
            rows.iter().for_each(|row| page.add_at(slot(*row), at, found));
        }
    }
}

/// Collects versions with or without their type.
pub(super) trait Found<R> {
    fn reserve(&mut self, additional: usize);
    fn add(&mut self, version: &Arc<Version<R>>);
    fn add_older(&mut self, version: SharedVersion);
}

impl<R: Record> Found<R> for Vec<SharedVersion> {
    fn reserve(&mut self, additional: usize) {
        self.reserve(additional);
    }

    fn add(&mut self, version: &Arc<Version<R>>) {
        self.push(version.clone());
    }

    fn add_older(&mut self, version: SharedVersion) {
        self.push(version);
    }
}

impl<R: Record> Found<R> for Vec<Arc<Version<R>>> {
    fn reserve(&mut self, additional: usize) {
        self.reserve(additional);
    }

    fn add(&mut self, version: &Arc<Version<R>>) {
        self.push(version.clone());
    }

    fn add_older(&mut self, version: SharedVersion) {
        self.extend(typed(version));
    }
}

impl<R: Record> AnyPages for Pages<R> {
    fn at(&self, row: Row, at: At) -> Option<SharedVersion> {
        self.with_tombstone(row, at.epoch).filter(|version| version.is_alive(at.time))
    }

    fn with_tombstone(&self, row: Row, epoch: Commit) -> Option<SharedVersion> {
        let (page, slot) = self.page(row)?;
        page.read().at(slot, epoch)
    }

    fn fetch(&self, rows: &[Row], at: At, found: &mut Vec<SharedVersion>) {
        self.fetch_into(rows, at, found);
    }

    fn newest(&self, row: Row) -> Option<SharedVersion> {
        let (page, slot) = self.page(row)?;
        page.read().newest(slot).map(|newest| newest.clone() as SharedVersion)
    }

    fn shrink(&self, number: usize) -> Option<Shrunk> {
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

    fn len(&self) -> usize {
        self.0.len()
    }

    fn end(&self) -> usize {
        let used = self.0.pages().enumerate().filter_map(|(page, rows)| {
            let len = rows.0.read().newest.len();
            (len > 0).then_some(page * PAGE_ROWS + len)
        });
        used.last().unwrap_or(0)
    }

    fn read_page(&self, number: usize, at: At, versions: &mut Vec<SharedVersion>) -> bool {
        let Some((page, _)) = Row::try_from(number * PAGE_ROWS).ok().and_then(|row| self.page(row)) else {
            return false;
        };
        let rows = page.read();
        versions.reserve(rows.newest.len());
        (0..rows.newest.len()).for_each(|slot| rows.add_at(slot as u16, at, versions));
        true
    }

    fn read_places(&self, number: usize, places: &[u16], at: At, versions: &mut Vec<SharedVersion>) {
        let Some(page) = self.0.page(number) else { return };
        let rows = page.0.read();
        places.iter().for_each(|place| rows.add_at(*place, at, versions));
    }

    fn apply(&self, changes: &[Change]) {
        debug_assert!(changes.is_sorted_by(|a, b| a.row < b.row));
        for of_page in changes.chunk_by(|a, b| a.row as usize / PAGE_ROWS == b.row as usize / PAGE_ROWS) {
            let empty = || Page(RwLock::new(Rows { newest: Vec::new(), older: BTreeMap::new() }));
            let mut rows = self.0.page_to_write(of_page[0].row as usize / PAGE_ROWS, empty).0.write();
            self.0.bytes.track(&mut *rows, Rows::heap_bytes, |rows| {
                of_page.iter().for_each(|change| rows.put(slot(change.row), change.old.as_ref(), own(&change.new)));
            });
        }
    }

    fn reclaim(&self, versions: &[(Row, Commit)], pins: &Pins<'_>, report: &mut dyn FnMut(Row, Commit, Fate)) {
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

    fn copy_page(&self, number: usize) -> Option<PageCopy> {
        let (page, _) = Row::try_from(number * PAGE_ROWS).ok().and_then(|row| self.page(row))?;
        let rows = page.read();
        let newest = rows.newest.iter().map(|newest| newest.clone().map(|newest| newest as SharedVersion)).collect();
        Some(PageCopy { first: (number * PAGE_ROWS) as Row, newest, older: rows.older.clone() })
    }

    fn heap_bytes(&self) -> usize {
        self.0.bytes.get()
    }

    fn walk_bytes(&self) -> usize {
        self.0.pages().map(|page| size_of::<Page<R>>() + page.0.read().heap_bytes()).sum()
    }

    fn drop_all(&self) -> u64 {
        let drop_page = |page: &Page<R>| {
            let Rows { newest, older } =
                std::mem::replace(&mut *page.0.write(), Rows { newest: Vec::new(), older: Older::new() });
            user_code::drop_each(newest.into_iter().flatten()) + user_code::drop_each(older.into_values())
        };
        self.0.pages().map(drop_page).sum()
    }
}

/// The version with the type of its table.
pub(super) fn own<R: Record>(version: &SharedVersion) -> Arc<Version<R>> {
    match typed(version.clone()) {
        Some(version) => version,
        None => unreachable!("a table has records of one type"),
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;
    use crate::hash;
    use crate::record::{FieldDef, KeyBuffer, Schema};
    use crate::storage::draft::Draft;
    use crate::storage::version::Head;
    use memdex_query::value::{Key, ValueRef};

    struct Number;

    impl Record for Number {
        type Key = u64;

        fn schema() -> Schema {
            Schema::new([FieldDef::of::<u64>("number").key()])
        }

        fn key(&self, key: &mut KeyBuffer) {
            key.push(0.into());
        }

        fn value(&self, _: usize) -> ValueRef<'_> {
            0.into()
        }
    }

    fn key() -> Key {
        let mut buffer = KeyBuffer::new(&hash::seeded(1));
        buffer.push("the only one".into());
        buffer.to_key()
    }

    fn write(pages: &Pages<Number>, row: Row, begin: u64, old: Option<SharedVersion>) -> SharedVersion {
        let head = Head { begin: Commit::from_number(begin), row, hash: 0, deadline: Deadline::none(), key: key() };
        let new = Draft::new(Number).into_version(head);
        pages.apply(&[Change::new(old, None, new.clone())]);
        new
    }

    #[test]
    fn a_deleted_record_is_not_read_from_its_older_version() {
        let pages = Pages::<Number>::new();
        let first = write(&pages, 3, 1, None);
        let head = Head { begin: Commit::from_number(2), row: 3, hash: 0, deadline: Deadline::none(), key: key() };
        let tombstone = first.tombstone(head, false);
        pages.apply(&[Change::new(Some(first), None, tombstone)]);
        let read = |commit| {
            let (at, mut found) = (At::any_time(Commit::from_number(commit)), Vec::new());
            pages.read_page(0, at, &mut found);
            pages.read_places(0, &[2, 3], at, &mut found);
            pages.fetch(&[3], at, &mut found);
            found.extend(pages.at(3, at));
            found.iter().filter(|version| !version.is_tombstone()).count()
        };
        assert_eq!([0, 1, 2, 3].map(read), [0, 4, 0, 0]);
    }

    #[test]
    fn rows_have_a_place_of_their_own() {
        let page = PAGE_ROWS as Row;
        let pages = Pages::<Number>::new();
        assert!(pages.at(5 * page, At::any_time(Commit::from_number(9))).is_none(), "past the last page");
        write(&pages, 5 * page + 3, 1, None);
        let first = At::any_time(Commit::ZERO.next());
        assert!(pages.at(5 * page + 3, first).is_some() && pages.at(5 * page + 2, first).is_none());
    }

    #[test]
    fn a_million_versions_of_one_row_are_found_forgotten_and_dropped() {
        const VERSIONS: u64 = 1_000_000;
        let pages = Pages::<Number>::new();
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
        pages.reclaim(&all, &Pins::on(&pinned), &mut |_, begin, fate| match fate {
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

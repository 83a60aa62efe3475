//! Which records of a collection have expired: expired is like marked.
//!
//! The deadline belongs to the version, so that an old version keeps its own. In addition, the newest version of each row is filed in a
//! timing wheel under its deadline, so that a query takes the overdue rows out of its sets as it does with marked rows. The overdue rows
//! are a part of a query: it reads them before the marks. A row that is taken out of the wheel by a commit is marked first.
//!
//! A reader may move a deadline to a later time (`slide`). The row stays filed under the earlier one, so it may be overdue here and not be
//! expired: then its version decides. Filing it again holds the lock of the wheel, so no reader misses it between two places.

use super::any_version::AnyVersion;
use super::change::Change;
use super::wheel::{Due, Wheel};
use crate::clock::Timestamp;
use crate::record::FieldAt;
use crate::rowset::{Row, RowSet};
use crate::sync::{AtomicBool, AtomicI64, Ordering::SeqCst, RwLock};
use std::time::Duration;

pub(crate) struct Deadlines {
    wheel: RwLock<Wheel>,
    /// No row is filed under an earlier time: earlier readers find no overdue row.
    earliest: AtomicI64,
    /// The lifetime of records that are stored without another one, in microseconds; none if 0.
    lifetime: AtomicI64,
    /// The lifetime that a read gives a record; none if 0.
    slides: AtomicI64,
    /// The field whose values are the deadlines of records that are written without a lifetime.
    field: RwLock<Option<FieldAt>>,
    /// Whether any record has ever had a deadline.
    have_been_used: AtomicBool,
    /// Whether reads have ever extended lifetimes here, so that a row may be filed under an earlier time than its deadline.
    have_slid: AtomicBool,
}

/// The rows that are overdue at the time of a reader.
#[derive(Default)]
pub(crate) struct Overdue {
    /// Rows whose newest record has expired.
    pub(crate) certain: RowSet,
    /// Rows whose versions decide.
    pub(crate) doubtful: RowSet,
}

impl Overdue {
    pub(crate) fn is_nothing(&self) -> bool {
        self.certain.is_empty() && self.doubtful.is_empty()
    }

    /// The number of rows. Some of them may have been extended.
    pub(super) fn len(&self) -> usize {
        self.certain.len() + self.doubtful.len()
    }
}

/// The wheel is brought up to date by readers if it is so far behind.
const BEHIND: i64 = 50_000;

impl Deadlines {
    pub(super) fn new() -> Self {
        Deadlines {
            wheel: RwLock::new(Wheel::new()),
            earliest: AtomicI64::new(i64::MAX),
            lifetime: AtomicI64::new(0),
            slides: AtomicI64::new(0),
            field: RwLock::new(None),
            have_been_used: AtomicBool::new(false),
            have_slid: AtomicBool::new(false),
        }
    }

    // ---- lifetimes ------------------------------------------------------------------------------------------------

    /// The lifetime of records that are stored without another one, whether a read extends it, and the field that has deadlines instead.
    pub(crate) fn set_lifetime(&self, lifetime: Option<Duration>, slides: bool, field: Option<FieldAt>) {
        *self.field.write() = field;
        let micros = lifetime.map_or(0, |lifetime| i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX));
        self.lifetime.store(micros, SeqCst);
        self.have_slid.fetch_or(slides, SeqCst);
        self.slides.store(if slides { micros } else { 0 }, SeqCst);
    }

    /// Passes the settings of lifetimes to another collection of the same schema.
    pub(super) fn pass_lifetime_to(&self, other: &Deadlines) {
        other.set_lifetime(self.lifetime(), self.sliding().is_some(), self.field());
    }

    pub(crate) fn lifetime(&self) -> Option<Duration> {
        Some(self.lifetime.load(SeqCst)).filter(|micros| *micros > 0).map(|micros| Duration::from_micros(micros as u64))
    }

    /// The field that has the deadlines.
    pub(crate) fn field(&self) -> Option<FieldAt> {
        self.field.read().clone()
    }

    /// The lifetime that a read gives a record. Load it before the time of the read is drawn.
    #[inline]
    pub(crate) fn sliding(&self) -> Option<Duration> {
        let micros = self.slides.load(SeqCst);
        (micros > 0).then(|| Duration::from_micros(micros as u64))
    }

    // ---- reading --------------------------------------------------------------------------------------------------

    /// Whether any record has a deadline.
    #[inline]
    pub(crate) fn are_used(&self) -> bool {
        self.earliest.load(SeqCst) != i64::MAX
    }

    /// Whether any record has ever had one.
    pub(crate) fn have_been_used(&self) -> bool {
        self.have_been_used.load(SeqCst)
    }

    /// Whether reads may have extended deadlines here, since the beginning.
    pub(super) fn have_slid(&self) -> bool {
        self.have_slid.load(SeqCst)
    }

    /// The rows that are overdue at the time of a reader. Read them before the marks.
    pub(crate) fn overdue(&self, time: Timestamp) -> Overdue {
        let time = time.as_micros();
        if time < self.earliest.load(SeqCst) {
            return Overdue::default();
        }
        // The time has been drawn: if reads begin to extend lifetimes after this, they do it at times that are no earlier.
        let have_slid = self.have_slid.load(SeqCst);
        if time.saturating_sub(self.wheel.read().reached()) > BEHIND {
            self.advance(time);
        }
        let Due { sets, mut rows } = self.wheel.read().due(time);
        rows.sort_unstable();
        rows.dedup();
        let due = RowSet::union(sets.iter().chain([&RowSet::from_sorted(&rows)]));
        match have_slid {
            true => Overdue { certain: RowSet::new(), doubtful: due },
            false => Overdue { certain: due, doubtful: RowSet::new() },
        }
    }

    /// A time after `time` before which none of these rows expires, all of which are alive at `time`; `None` if none ever does.
    pub(crate) fn next_of(&self, rows: &RowSet, time: Timestamp) -> Option<Timestamp> {
        if !self.are_used() {
            return None;
        }
        self.wheel.read().next_of(rows, time.as_micros()).map(Timestamp::from_micros)
    }

    // ---- the steps of a commit, under the commit lock ---------------------------------------------------------------

    /// Files the rows of a batch under the deadlines of their new versions.
    pub(super) fn apply(&self, changes: &[Change]) {
        let is_filed = |version: &dyn AnyVersion| !version.is_tombstone() && version.deadline.exists();
        let old = |change: &Change| change.old.as_deref().is_some_and(is_filed);
        if !changes.iter().any(|change| old(change) || is_filed(&*change.new)) {
            return;
        }
        self.have_been_used.store(true, SeqCst);
        self.edit(|wheel| {
            for change in changes {
                wheel.unfile(change.row);
                let deadline = if change.new.is_tombstone() { None } else { change.new.deadline.time() };
                deadline.into_iter().for_each(|time| wheel.file(change.row, time.as_micros()));
            }
        });
    }

    /// Files a row again, whose deadline has moved.
    pub(super) fn file_again(&self, row: Row, time: Timestamp) {
        self.edit(|wheel| {
            wheel.unfile(row);
            wheel.file(row, time.as_micros());
        });
    }

    fn edit<T>(&self, edit: impl FnOnce(&mut Wheel) -> T) -> T {
        let mut wheel = self.wheel.write();
        let done = edit(&mut wheel);
        self.earliest.store(wheel.earliest(), SeqCst);
        done
    }

    // ---- maintenance ----------------------------------------------------------------------------------------------

    /// Keeps up with the time, in short steps.
    pub(crate) fn advance(&self, time: i64) {
        while self.edit(|wheel| wheel.advance(time)) {}
    }

    /// At most `most` rows that are filed at or before a time, the earliest first, each with that time.
    pub(crate) fn first_due(&self, time: Timestamp, most: usize) -> Vec<(Row, i64)> {
        if time.as_micros() < self.earliest.load(SeqCst) {
            return Vec::new();
        }
        self.advance(time.as_micros());
        self.wheel.read().first_due(time.as_micros(), most)
    }

    /// A time before which no record expires; `None` if none ever does.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        Some(self.earliest.load(SeqCst)).filter(|time| *time != i64::MAX).map(Timestamp::from_micros)
    }

    /// The records with a deadline.
    pub(crate) fn len(&self) -> usize {
        self.wheel.read().len()
    }

    /// O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        self.wheel.read().heap_bytes()
    }

    /// The heap bytes, counted and by a walk; for audits.
    pub(super) fn bytes(&self) -> (usize, usize) {
        let wheel = self.wheel.read();
        (wheel.heap_bytes(), wheel.walk_bytes())
    }

    /// The time under which a row is filed; for audits.
    pub(super) fn filed(&self, row: Row) -> Option<i64> {
        self.wheel.read().filed(row)
    }
}

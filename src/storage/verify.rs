//! The audit: checks every structure against every record, and the committer's private state against both.

use super::any_version::{AnyVersion, SharedVersion};
use super::stats::MemoryStats;
use super::table::Table;
use super::table_writer::TableWriter;
use super::version::At;
use crate::error::Commit;
use crate::index::{AuditRow, AuditRows, Findings, RefPlace};
use crate::record::{KeyBuffer, Lookup};
use crate::rowset::{Row, RowSet};
use crate::sync::{self, Arc, AtomicU64, Job, Mutex, Ordering::SeqCst, run_in_parallel};
use crate::user_code;
use memdex_query::value::{Key, ValueRef};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

/// The extent of an audit that found nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Collections.
    pub collections: usize,
    /// Records at the newest commit.
    pub records: usize,
    /// Older versions and tombstones that pinned readers retain.
    pub versions_retained: usize,
    /// Index entries: one value or key of one record each.
    pub index_entries: usize,
    /// Groups of materialized aggregates.
    pub aggregate_groups: usize,
    /// Cached answers that commits keep exact. Their conditions are evaluated on every record, unless that is more than
    /// [`limits::MAX_AUDITED_EVALUATIONS`](crate::limits::MAX_AUDITED_EVALUATIONS); then the rest is left out.
    pub cached_answers: usize,
}

impl AddAssign for VerifyReport {
    fn add_assign(&mut self, other: VerifyReport) {
        self.collections += other.collections;
        self.records += other.records;
        self.versions_retained += other.versions_retained;
        self.index_entries += other.index_entries;
        self.aggregate_groups += other.aggregate_groups;
        self.cached_answers += other.cached_answers;
    }
}

/// A finding of an audit: a bug in memdex, or a [`Record`](crate::Record) whose extractors now return another result
/// than when it was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Structures disagree.
    #[error("collection {collection:?}: {} (first findings of {findings})", problems.join("; "))]
    #[non_exhaustive]
    Inconsistent {
        /// The collection.
        collection: String,
        /// The first findings, as messages.
        problems: Vec<String>,
        /// The number of all findings.
        findings: usize,
    },
    /// The audit waits for the commit lock, which this thread may hold.
    #[error("verify can't run inside a closure, an extractor, a hook or an observer; call it after that has returned")]
    InsideUserCode,
}

/// How far an audit has come; see [`Store::verify_with`](crate::Store::verify_with).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyProgress {
    /// Checks that are done: one for each record, and one for each record in each index, aggregate and column.
    pub done: u64,
    /// All checks.
    pub total: u64,
}

/// Counts checks, and reports them from time to time.
pub(crate) struct Meter<'a> {
    done: AtomicU64,
    total: u64,
    /// `None` after it has panicked.
    report: Mutex<Option<&'a mut (dyn FnMut(VerifyProgress) + Send)>>,
}

/// After so many checks, a job reports them.
const CHECKS_A_REPORT: usize = 1 << 16;

impl<'a> Meter<'a> {
    pub(crate) fn new(total: u64, report: &'a mut (dyn FnMut(VerifyProgress) + Send)) -> Self {
        Meter { done: AtomicU64::new(0), total, report: Mutex::new(Some(report)) }
    }

    fn add(&self, checks: usize) {
        if checks > 0 {
            // Under the lock, so that the reports ascend.
            let mut place = self.report.lock();
            let done = (self.done.fetch_add(checks as u64, SeqCst) + checks as u64).min(self.total);
            let Some(report) = place.take() else { return };
            let _scope = user_code::Scope::enter();
            report(VerifyProgress { done, total: self.total });
            *place = Some(report);
        }
    }
}

/// How many checks the audit of a collection takes.
pub(super) fn checks(table: &Table) -> u64 {
    let writer = table.writer();
    writer.records as u64 * (1 + writer.structures.len() + table.columns.len()) as u64
}

/// Audits one collection, with as many threads as there are cores. The caller holds the commit lock, so no commit is in flight.
/// O(records × indexes).
pub(super) fn table(table: &Table, at: At, meter: &Meter<'_>) -> Result<VerifyReport, VerifyError> {
    let published = at.epoch;
    let guard = table.writer();
    let writer = &*guard;
    let pages = table.pages.len();
    let slices = (0..pages).step_by(PAGES_A_JOB).map(|first| first..(first + PAGES_A_JOB).min(pages));
    let of_slices = slices.map(|slice| -> Job<'_, AuditedRows> {
        Box::new(|| {
            let audited = audit_rows(table, writer, published, slice);
            meter.add(audited.live.len());
            audited
        })
    });
    let rows = run_in_parallel(of_slices.collect()).into_iter().fold(AuditedRows::default(), AuditedRows::followed_by);
    let AuditedRows { live, older, occupied, walked, mut found } = rows;
    found.expect(*table.all_rows.read() == RowSet::from_sorted(&live), || {
        "the set of all rows differs from the rows that have records".into()
    });

    let live = &*live;
    let of_structures = writer.structures.iter().map(|maintained| -> Job<'_, (usize, Findings)> {
        Box::new(|| {
            let mut found = Findings::default();
            let place = maintained.place(writer.width());
            let count = |checks| meter.add(checks);
            let rows = Rows { table, writer, live, published, place, meter: &count };
            let entries = maintained.structure.audit(&rows, &mut found);
            (entries, found)
        })
    });
    let of_columns = (0..table.columns.len()).map(|at| -> Job<'_, (usize, Findings)> {
        Box::new(move || {
            let mut found = Findings::default();
            audit_column(table, writer, at, &mut found);
            meter.add(live.len());
            (0, found)
        })
    });
    let mut index_entries = 0;
    for (entries, of_job) in run_in_parallel(of_structures.chain(of_columns).collect()) {
        index_entries += entries;
        found.absorb(of_job);
    }

    audit_memory(table, writer, &walked, &mut found);
    found.expect(table.is_listed(writer), || {
        "readers see other indexes or aggregates than the committer maintains".into()
    });
    audit_counts(table, writer, published, live.len(), occupied, &mut found);
    for flaw in writer.bound.iter().flat_map(|queue| queue.audit(live)) {
        found.expect(false, || flaw);
    }
    let mut filed: Vec<(Row, Commit)> = writer.kept.iter().map(|(begin, row)| (*row, begin)).collect();
    filed.sort_unstable();
    found.expect(filed == older, || {
        format!("{} older versions, but {} are registered for reclamation", older.len(), filed.len())
    });
    let mut cached_answers = 0;
    if table.questions.len() > 0 {
        let versions = live.iter().filter_map(|row| table.pages.newest(*row));
        let alive: Vec<SharedVersion> = versions.filter(|version| version.is_alive(at.time)).collect();
        for audited in table.questions.audit(at, &alive) {
            cached_answers += usize::from(audited.is_none());
            audited.into_iter().for_each(|problem| found.expect(false, || problem));
        }
    }
    if found.count > 0 {
        let Findings { reported: problems, count: findings } = found;
        return Err(VerifyError::Inconsistent { collection: table.name.to_string(), problems, findings });
    }
    let aggregate_groups = table.aggregates().iter().map(|aggregate| aggregate.groups()).sum();
    let (records, versions_retained) = (live.len(), filed.len());
    Ok(VerifyReport { collections: 1, records, versions_retained, index_entries, aggregate_groups, cached_answers })
}

/// Row pages that one job audits.
const PAGES_A_JOB: usize = 64;

/// Rows in ascending order, audited.
#[derive(Default)]
struct AuditedRows {
    /// Those that hold a record.
    live: Vec<Row>,
    /// The older versions.
    older: Vec<(Row, Commit)>,
    /// How many are not free.
    occupied: usize,
    walked: Walked,
    found: Findings,
}

impl AuditedRows {
    fn followed_by(mut self, mut later: AuditedRows) -> Self {
        self.live.append(&mut later.live);
        self.older.append(&mut later.older);
        self.occupied += later.occupied;
        self.walked.add_all(&later.walked);
        self.found.absorb(later.found);
        self
    }
}

fn audit_rows(table: &Table, writer: &TableWriter, published: Commit, pages: std::ops::Range<usize>) -> AuditedRows {
    let AuditedRows { mut live, mut older, mut occupied, mut walked, mut found } = AuditedRows::default();
    for page in pages {
        let Some(copy) = table.pages.copy_page(page) else { continue };
        copy.each_row(|row, newest, of_row| {
            occupied += usize::from(newest.is_some());
            older.extend(of_row.iter().map(|version| (row, version.begin)));
            of_row.iter().chain(newest).for_each(|version| walked.add(&**version));
            audit_row(table, published, row, newest, of_row, &mut found);
            if newest.is_some_and(|version| !version.is_tombstone()) {
                live.push(row);
            }
            let freed = newest.is_none() && (row as usize) < writer.used_rows as usize;
            found.expect(!freed || of_row.is_empty(), || format!("free row {row} has older versions"));
        });
    }
    AuditedRows { live, older, occupied, walked, found }
}

/// The memory that versions point to.
struct Walked {
    key_bytes: usize,
    /// `None` if a `heap_size` has panicked.
    record_heap: Option<usize>,
}

impl Default for Walked {
    fn default() -> Self {
        Walked { key_bytes: 0, record_heap: Some(0) }
    }
}

impl Walked {
    fn add_all(&mut self, other: &Walked) {
        self.key_bytes += other.key_bytes;
        self.record_heap = self.record_heap.zip(other.record_heap).map(|(one, other)| one.saturating_add(other));
    }

    fn add(&mut self, version: &dyn AnyVersion) {
        self.key_bytes += version.key.heap_bytes();
        let heap = if version.owns_heap() { user_code::run(|| version.counted_heap()) } else { Ok(0) };
        self.record_heap = self.record_heap.zip(heap.ok()).map(|(sum, heap)| heap.saturating_add(sum));
    }
}

/// Compares the counters of memory with walks. Indexes and aggregates compare their own.
fn audit_memory(table: &Table, writer: &TableWriter, walked: &Walked, found: &mut Findings) {
    found.expect_bytes("the keys", writer.key_bytes, walked.key_bytes);
    found.expect_bytes("the key table", table.keys.heap_bytes(), table.keys.walk_bytes());
    found.expect_bytes("the row pages", table.pages.heap_bytes(), table.pages.walk_bytes());
    found.expect_bytes("the set of all rows", table.all_rows_bytes.get(), table.all_rows.read().heap_bytes());
    found.expect_bytes("the marks", table.marks.heap_bytes(), table.marks.walk_bytes());
    let (counted, walked_bytes) = table.deadlines.bytes();
    found.expect_bytes("the deadlines", counted, walked_bytes);
    for (column, of_column) in table.columns.iter().zip(&writer.columns) {
        let what = format!("column {:?}", table.schema.fields()[column.field].name());
        found.expect_bytes(&what, column.heap_bytes(of_column), column.walk_bytes(of_column));
    }
    // Garbage holds a reference to the gauges until its records have been subtracted, which happens without the commit lock.
    let is_counted = Arc::strong_count(&table.gauges) == 1;
    sync::fence_acquire();
    if let (true, Some(heap)) = (is_counted, walked.record_heap) {
        found.expect_bytes("records on the heap", table.gauges.record_heap(), heap);
    }
    let reported = table.gauges.counts().memory;
    // A refused batch may have grown the hash table of a dictionary and the list of ghosts, and readers move rows of the wheel of deadlines.
    let MemoryStats { columns, deadlines, eviction, .. } = reported;
    let counted = MemoryStats { columns, deadlines, eviction, ..table.counts(writer).memory };
    found.expect(reported == counted, || format!("the memory is {counted:?}, but reported as {reported:?}"));
}

/// Checks the versions of one row for consistency, and against the key table.
fn audit_row(
    table: &Table,
    published: Commit,
    row: Row,
    newest: Option<&SharedVersion>,
    older: &[SharedVersion],
    found: &mut Findings,
) {
    let Some(newest) = newest else { return };
    let key = &newest.key;
    found.expect(newest.begin <= published, || {
        format!("{key:?} was written by commit {}, not yet published", newest.begin)
    });
    found.expect(older.iter().chain([newest]).is_sorted_by(|a, b| a.begin < b.begin), || {
        format!("the versions of {key:?} are out of order")
    });
    found.expect(older.iter().chain([newest]).all(|v| v.row == row), || {
        format!("a version of {key:?} has another row number than {row}")
    });
    found.expect(!newest.is_removable() || !older.is_empty(), || {
        format!("{key:?} is a tombstone without older versions")
    });
    found.expect(newest.hash == Lookup::new::<Key>(&table.seed, &table.key_kinds, &newest.key).hash, || {
        format!("{key:?} has a wrong hash")
    });
    let by_key = table.keys.newest(newest.hash, newest.key.bytes());
    found.expect(by_key.is_some_and(|v| Arc::ptr_eq(&v, newest)), || {
        format!("the key table does not map {key:?} to row {row}")
    });
    let (filed, deadline) = (table.deadlines.filed(row), newest.deadline.time());
    let is_filed = match (filed, deadline.filter(|_| !newest.is_tombstone())) {
        // A read may have moved the deadline.
        (Some(filed), Some(deadline)) => filed <= deadline.as_micros(),
        (None, None) => true,
        _ => false,
    };
    found.expect(is_filed, || format!("{key:?} expires at {deadline:?}, but is filed under {filed:?}"));
    if newest.is_tombstone() {
        return;
    }
    let mut buffer = KeyBuffer::new(&table.seed);
    let extracted = newest.read_key(&table.schema, &mut buffer).map(|()| buffer.to_key());
    found.expect(extracted.as_ref() == Ok(key), || {
        format!("the stored key is {key:?}, but the record's key is now {extracted:?}")
    });
}

/// The rows of a table, as the audit of one structure sees them.
struct Rows<'a> {
    table: &'a Table,
    writer: &'a TableWriter,
    live: &'a [Row],
    published: Commit,
    place: RefPlace,
    meter: &'a dyn Fn(usize),
}

impl Rows<'_> {
    fn with_row<T>(&self, row: Row, visit: impl FnOnce(Option<&AuditRow<'_>>) -> T) -> T {
        let version = self.table.pages.newest(row);
        let Some((version, record)) = version.as_ref().and_then(|v| Some((v, v.record()?))) else {
            return visit(None);
        };
        let mut refs = Vec::new();
        self.writer.back_refs.gather(row, &mut refs);
        let RefPlace { from, width, .. } = self.place;
        visit(Some(&AuditRow { key: &version.key, record, refs: &refs[from..from + width] }))
    }
}

impl AuditRows for Rows<'_> {
    fn published(&self) -> Commit {
        self.published
    }

    fn each(&self, visit: &mut dyn FnMut(&AuditRow<'_>)) {
        for rows in self.live.chunks(CHECKS_A_REPORT) {
            for row in rows {
                self.with_row(*row, |row| row.into_iter().for_each(&mut *visit));
            }
            (self.meter)(rows.len());
        }
    }

    fn row(&self, row: Row, visit: &mut dyn FnMut(Option<&AuditRow<'_>>)) {
        self.with_row(row, visit);
    }
}

/// Checks every cell of a column against the record, and the committer's counts against both.
fn audit_column(table: &Table, writer: &TableWriter, at: usize, found: &mut Findings) {
    let column = &table.columns[at];
    let field = &table.schema.fields()[column.field];
    let Some((field_at, _)) = table.schema.find(field.name()) else { return };
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    let flaws = column.audit(|row, held, code| {
        if let Some(code) = code {
            *counts.entry(code).or_default() += 1;
        }
        let version = table.pages.newest(row);
        let record = version.as_ref().and_then(|version| version.record());
        let agrees = user_code::run(|| record.map_or(ValueRef::Null, |record| record.value_at(&field_at)) == held);
        found.expect(agrees == Ok(true), || format!("column {:?} differs from the record in row {row}", field.name()));
    });
    for flaw in flaws {
        found.expect(false, || format!("column {:?}: {flaw}", field.name()));
    }
    found.expect(writer.columns[at].counts().eq(counts), || {
        format!("column {:?}: the counts of its codes are wrong", field.name())
    });
}

fn audit_counts(
    table: &Table,
    writer: &TableWriter,
    published: Commit,
    live: usize,
    occupied: usize,
    found: &mut Findings,
) {
    let keys = table.keys.len();
    found.expect(keys == occupied, || format!("{keys} keys for {occupied} rows"));
    let length = table.lengths.at(published);
    found.expect(length == live && writer.records == live, || {
        format!("there are {live} records, but the length is {length}")
    });
    let free: BTreeSet<Row> = writer.free_rows.iter().copied().collect();
    found.expect(free.len() == writer.free_rows.len(), || "a row is twice in the list of free rows".into());
    let used = writer.used_rows as usize;
    found.expect(free.len() + occupied == used, || {
        format!("{used} rows were ever used, but {occupied} are occupied and {} are free", free.len())
    });
}

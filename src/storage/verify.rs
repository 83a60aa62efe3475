//! The audit: every structure against every record, and the committer's memory against both.

use super::table::{Maintained, Table, TableWriter};
use super::verify_standing::audit_standing;
use super::version::Version;
use crate::error::Commit;
use crate::index::{Index, IndexWriter, Kept, KeptWriter};
use crate::limits::PAGE_ROWS;
use crate::record::{KeyBuffer, Lookup, Record};
use crate::rowset::{Row, RowSet};
use crate::sync::Arc;
use crate::user_code;
use crate::value::ValueRef;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

/// What a clean audit has looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Collections.
    pub collections: usize,
    /// Records, as of the newest commit.
    pub records: usize,
    /// Older versions and tombstones that pinned readers hold up.
    pub versions_kept: usize,
    /// Entries of indexes: a value or key of a record each.
    pub index_entries: usize,
    /// Groups of standing statistics.
    pub standing_groups: usize,
}

impl AddAssign for VerifyReport {
    fn add_assign(&mut self, other: VerifyReport) {
        self.collections += other.collections;
        self.records += other.records;
        self.versions_kept += other.versions_kept;
        self.index_entries += other.index_entries;
        self.standing_groups += other.standing_groups;
    }
}

/// What an audit has found: a bug of memdex, or a [`Record`](crate::Record) whose extractors give another answer than
/// they gave when it was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Structures disagree.
    #[error("collection {collection:?}: {} (first findings of {findings})", problems.join("; "))]
    Inconsistent {
        /// The collection.
        collection: String,
        /// The first findings, in words.
        problems: Vec<String>,
        /// How many there are in all.
        findings: usize,
    },
    /// The audit waits for the commit lock, which this thread may hold.
    #[error("an audit from inside a closure, an extractor or an observer: ask once it has returned")]
    InsideUserCode,
}

const PROBLEMS_TOLD: usize = 10;

#[derive(Default)]
pub(super) struct Findings {
    told: Vec<String>,
    count: usize,
}

impl Findings {
    pub(super) fn expect(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.count += 1;
            if self.told.len() < PROBLEMS_TOLD {
                self.told.push(problem());
            }
        }
    }
}

/// Audits one collection. Under the commit lock, so that nothing is in flight. O(records × indexes).
pub(super) fn table<R: Record>(table: &Table<R>, published: Commit) -> Result<VerifyReport, VerifyError> {
    let writer = table.writer();
    let mut found = Findings::default();
    let mut live = Vec::new();
    let mut older_versions = BTreeSet::new();
    let mut occupied = 0;
    let mut page = 0;
    let mut filings = vec![0; writer.kept_up.len()];
    while table.pages.audit_page(page, |row, newest, older| {
        occupied += usize::from(newest.is_some());
        older_versions.extend(older.iter().map(|version| (row, version.begin)));
        audit_row(table, published, row, newest, older, &mut found);
        if let Some(version) = newest.filter(|version| !version.is_tombstone()) {
            live.push(row);
            audit_entries(&writer, version, &mut filings, &mut found);
        }
        let freed = newest.is_none() && (row as usize) < writer.used_rows as usize;
        found.expect(!freed || older.is_empty(), || format!("free row {row} has older versions"));
    }) {
        page += 1;
    }
    debug_assert!(page * PAGE_ROWS >= live.len());
    let live_set = RowSet::from_sorted(&live);
    found.expect(*table.all_rows.read() == live_set, || {
        "the set of all rows is not that of the rows with records".into()
    });
    let index_entries = filings.iter().sum();
    for (maintained, expected) in writer.kept_up.iter().zip(filings) {
        if let (Kept::Index(index), KeptWriter::Index(of_index)) = (&maintained.kept, &maintained.writer) {
            audit_index(table, &writer, (maintained, index, of_index), expected, &mut found);
        }
        audit_standing(table, &writer, maintained, &live, published, &mut found);
    }
    for at in 0..table.columns.len() {
        audit_column(table, &writer, at, &mut found);
    }
    let shown: Vec<_> = table.indexes().iter().map(Arc::as_ptr).collect();
    let kept_up = writer.kept_up.iter().filter_map(|maintained| maintained.kept.as_index());
    found.expect(shown.iter().copied().eq(kept_up.map(Arc::as_ptr)), || {
        "readers find other indexes than those that are kept up".into()
    });
    let standing = table.standing();
    let shown = standing.iter().map(Arc::as_ptr);
    let kept_up = writer.kept_up.iter().filter_map(|maintained| Some(Arc::as_ptr(&maintained.figures.as_ref()?.0)));
    found.expect(shown.eq(kept_up), || "readers find other standing statistics than those that are kept up".into());
    audit_counts(table, &writer, published, live.len(), occupied, &mut found);
    let filed: Vec<(Row, Commit)> = writer.kept.values().flatten().copied().collect();
    let filed_once: BTreeSet<_> = filed.iter().copied().collect();
    found.expect(filed.len() == filed_once.len() && filed_once == older_versions, || {
        format!("{} older versions, but {} are filed for settling", older_versions.len(), filed.len())
    });
    if found.count > 0 {
        let Findings { told: problems, count: findings } = found;
        return Err(VerifyError::Inconsistent { collection: table.name.to_string(), problems, findings });
    }
    let standing_groups = standing.iter().map(|figures| figures.stats().0.groups).sum();
    let (records, versions_kept) = (live.len(), filed.len());
    Ok(VerifyReport { collections: 1, records, versions_kept, index_entries, standing_groups })
}

/// One row's versions among themselves, and against the key table.
fn audit_row<R: Record>(
    table: &Table<R>,
    published: Commit,
    row: Row,
    newest: Option<&Arc<Version<R>>>,
    older: &[Arc<Version<R>>],
    found: &mut Findings,
) {
    let Some(newest) = newest else { return };
    let key = &newest.key;
    found.expect(newest.begin <= published, || {
        format!("{key:?} was written by commit {}, not yet published", newest.begin)
    });
    found.expect(older.iter().chain([newest]).is_sorted_by(|a, b| a.begin < b.begin), || {
        format!("versions of {key:?} out of order")
    });
    found.expect(older.iter().chain([newest]).all(|v| v.row == row), || {
        format!("a version of {key:?} bears another row than {row}")
    });
    found.expect(!newest.is_tombstone() || !older.is_empty(), || format!("{key:?} is a tombstone that nobody needs"));
    found.expect(newest.hash == Lookup::new::<R::Key>(&table.seed, &newest.key).hash, || {
        format!("{key:?} bears a wrong hash")
    });
    let by_key = table.keys.newest(newest.hash, |key| *key == newest.key);
    found.expect(by_key.is_some_and(|v| Arc::ptr_eq(&v, newest)), || {
        format!("the key table does not lead to row {row} of {key:?}")
    });
    let Some(record) = &newest.record else { return };
    let extracted = user_code::run(|| {
        let mut buffer = KeyBuffer::new(&table.seed);
        record.key_by(&table.schema, &mut buffer);
        buffer.to_key()
    });
    found.expect(extracted.as_ref() == Ok(key), || format!("{key:?} is stored, but its record now says {extracted:?}"));
}

/// Counts how often each index must have filed a record.
fn audit_entries<R: Record>(writer: &TableWriter, version: &Version<R>, filings: &mut [usize], found: &mut Findings) {
    let Some(record) = &version.record else { return };
    for (maintained, filings) in writer.kept_up.iter().zip(filings) {
        let Some(index) = maintained.kept.as_index() else { continue };
        match user_code::run(|| index.shape.entry(record).map(|entry| entry.filings())) {
            Ok(Ok(count)) => *filings += count,
            other => {
                found.expect(false, || format!("{:?} can't be in index {:?}: {other:?}", version.key, index.name()))
            }
        }
    }
}

/// Every filing of an index against the record and the committer's memory of it.
fn audit_index<R: Record>(
    table: &Table<R>,
    writer: &TableWriter,
    (maintained, index, of_index): (&Maintained, &Index, &IndexWriter),
    expected: usize,
    found: &mut Findings,
) {
    let Maintained { from, width, .. } = maintained;
    let (mut count, mut words) = (0, Vec::new());
    let empty = index.audit(|row, filed| {
        count += 1;
        let version = table.pages.newest(row);
        let Some(record) = version.as_ref().and_then(|version| version.record.as_ref()) else {
            return found.expect(false, || format!("index {:?} holds row {row}, which has no record", index.name()));
        };
        let holds = user_code::run(|| index.shape.entry(record).map(|entry| index.is_filed(&entry, &filed)));
        found.expect(matches!(holds, Ok(Ok(true))), || {
            let key = version.as_ref().map(|version| format!("{:?}", version.key)).unwrap_or_default();
            format!("{key} is in index {:?} under what is not its value", index.name())
        });
        words.clear();
        writer.words.gather(row, &mut words);
        found.expect(of_index.remembers(&words[*from..*from + *width], &filed), || {
            format!("index {:?} has row {row} where its committer does not know it", index.name())
        });
    });
    found.expect(empty == 0, || format!("index {:?} keeps {empty} values without rows", index.name()));
    found.expect(count == expected, || format!("index {:?} has {count} entries, not {expected}", index.name()));
    let held = index.filed();
    found.expect(index.shape.is_many() || held == expected, || {
        format!("index {:?} says it holds {held} records, not {expected}", index.name())
    });
}

/// Every cell of a column against the record, and the committer's counts against both.
fn audit_column<R: Record>(table: &Table<R>, writer: &TableWriter, at: usize, found: &mut Findings) {
    let column = &table.columns[at];
    let field = &table.schema.fields()[column.field];
    let Some((field_at, _)) = table.schema.find(field.name()) else { return };
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    let flaws = column.audit(|row, held, code| {
        if let Some(code) = code {
            *counts.entry(code).or_default() += 1;
        }
        let version = table.pages.newest(row);
        let record = version.as_ref().and_then(|version| version.record.as_ref());
        let agrees = user_code::run(|| record.map_or(ValueRef::Null, |record| record.value_at(&field_at)) == held);
        found.expect(agrees == Ok(true), || format!("column {:?} of row {row} is not its value", field.name()));
    });
    for flaw in flaws {
        found.expect(false, || format!("column {:?}: {flaw}", field.name()));
    }
    found.expect(writer.columns[at].counts().eq(counts), || {
        format!("column {:?}: codes are counted wrongly", field.name())
    });
}

fn audit_counts<R: Record>(
    table: &Table<R>,
    writer: &TableWriter,
    published: Commit,
    live: usize,
    occupied: usize,
    found: &mut Findings,
) {
    let keys = table.keys.len();
    found.expect(keys == occupied, || format!("{keys} keys for {occupied} rows"));
    let length = table.lengths.at(published);
    found.expect(length == live && writer.records == live, || format!("{live} records, but the length says {length}"));
    let free: BTreeSet<Row> = writer.free_rows.iter().copied().collect();
    found.expect(free.len() == writer.free_rows.len(), || "a row is free twice".into());
    let used = writer.used_rows as usize;
    found.expect(free.len() + occupied == used, || {
        format!("{used} rows were used: {occupied} are, {} are free", free.len())
    });
}

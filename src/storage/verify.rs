//! The audit: every structure against every record, and the committer's memory against both.

use super::table::{Table, TableWriter};
use super::version::Version;
use crate::error::Commit;
use crate::limits::PAGE_ROWS;
use crate::record::Record;
use crate::rowset::{Row, RowSet};
use crate::sync::Arc;
use crate::user_code;
use crate::value::{KeyBuffer, Lookup};
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
    /// Values that indexes know, each with its row set.
    pub index_entries: usize,
}

impl AddAssign for VerifyReport {
    fn add_assign(&mut self, other: VerifyReport) {
        self.collections += other.collections;
        self.records += other.records;
        self.versions_kept += other.versions_kept;
        self.index_entries += other.index_entries;
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
struct Findings {
    told: Vec<String>,
    count: usize,
}

impl Findings {
    fn expect(&mut self, holds: bool, problem: impl FnOnce() -> String) {
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
    let mut postings: Vec<BTreeMap<u32, RowSet>> = Vec::new();
    for (_, index) in &table.indexes {
        let mut of_index = BTreeMap::new();
        index.audit(|code, _, rows| {
            of_index.insert(code, rows.clone());
        });
        postings.push(of_index);
    }
    while table.pages.audit_page(page, |row, newest, older| {
        occupied += usize::from(newest.is_some());
        older_versions.extend(older.iter().map(|version| (row, version.begin)));
        audit_row(table, published, row, newest, older, &mut found);
        if let Some(version) = newest.filter(|version| !version.is_tombstone()) {
            live.push(row);
            audit_codes(table, &writer, version, &postings, &mut found);
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
    for (at, of_index) in postings.iter().enumerate() {
        let name = || table.schema.fields()[table.indexes[at].0].name();
        let entries: usize = of_index.values().map(RowSet::len).sum();
        found.expect(entries == live.len(), || format!("index {:?} has {entries} rows, not {}", name(), live.len()));
        let empty = of_index.iter().any(|(code, rows)| *code != 0 && rows.is_empty());
        found.expect(!empty, || format!("index {:?} keeps a value without rows", name()));
    }
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
    Ok(VerifyReport {
        collections: 1,
        records: live.len(),
        versions_kept: filed.len(),
        index_entries: postings.iter().map(BTreeMap::len).sum(),
    })
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
        format!("{key} was written by commit {}, not yet published", newest.begin)
    });
    found.expect(older.iter().chain([newest]).is_sorted_by(|a, b| a.begin < b.begin), || {
        format!("versions of {key} out of order")
    });
    found.expect(older.iter().chain([newest]).all(|v| v.row == row), || {
        format!("a version of {key} bears another row than {row}")
    });
    found.expect(!newest.is_tombstone() || !older.is_empty(), || format!("{key} is a tombstone that nobody needs"));
    found.expect(newest.hash == Lookup::new::<R::Key>(&table.seed, &newest.key).hash, || {
        format!("{key} bears a wrong hash")
    });
    let by_key = table.keys.newest(newest.hash, |key| *key == newest.key);
    found.expect(by_key.is_some_and(|v| Arc::ptr_eq(&v, newest)), || {
        format!("the key table does not lead to row {row} of {key}")
    });
    let Some(record) = &newest.record else { return };
    let extracted = user_code::run(|| {
        let mut buffer = KeyBuffer::new(&table.seed);
        record.key_by(&table.schema, &mut buffer);
        buffer.to_key()
    });
    found.expect(extracted.as_ref() == Ok(key), || format!("{key} is stored, but its record now says {extracted:?}"));
}

/// One record's fields against the committer's codes, and these against the row sets.
fn audit_codes<R: Record>(
    table: &Table<R>,
    writer: &TableWriter,
    version: &Version<R>,
    postings: &[BTreeMap<u32, RowSet>],
    found: &mut Findings,
) {
    let Some(record) = &version.record else { return };
    for (at, (position, _)) in table.indexes.iter().enumerate() {
        let code = writer.codes_of(Some(version))[at];
        let name = || table.schema.fields()[*position].name();
        let key = &version.key;
        let indexed = writer.indexes[at].value(code).map(|value| value.to_value());
        let value = user_code::run(|| record.value_at(&table.schema.at(*position)).to_value());
        found.expect(indexed.is_some() && value.ok() == indexed, || {
            format!("{key} is indexed under {:?} = {indexed:?}, which is not its value", name())
        });
        let in_set = postings[at].get(&code).is_some_and(|rows| rows.contains(version.row));
        found.expect(in_set, || format!("{key} is missing in the rows of {:?} = {indexed:?}", name()));
    }
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

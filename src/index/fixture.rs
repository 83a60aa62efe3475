//! One structure, with records that are committed to it as a table would commit them; for tests.

use super::audit::{AuditRow, AuditRows, Findings};
use super::changes::{ChangeSet, Moves, NetChanges, RefPlace, RowChange, Staged, StagedRefs};
use super::maintain::{Clash, Maintain, StagedRecords};
use super::read::Index;
use super::structures::{catalog, index};
use crate::error::{Cause, Commit};
use crate::hash;
use crate::record::{FieldAt, FieldSource, IndexDef, Schema};
use crate::rowset::Row;
use crate::sync::Arc;
use memdex_query::value::{Key, Value, ValueRef};
use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::iter::once;
use std::ops::ControlFlow;

/// The values of each field.
#[derive(Clone, Debug)]
pub(super) struct TestRecord(pub(super) Vec<Vec<Value>>);

impl FieldSource for TestRecord {
    fn value_at(&self, field: &FieldAt) -> ValueRef<'_> {
        self.0[field.position()].first().map_or(ValueRef::Null, Value::as_ref)
    }

    fn values_at<'a>(&'a self, field: &FieldAt, each: &mut dyn FnMut(ValueRef<'a>)) {
        self.0[field.position()].iter().for_each(|value| each(value.as_ref()));
    }

    fn elements_at(&self, _: &FieldAt, _: &mut dyn FnMut(&dyn FieldSource)) {}
}

pub(super) struct Fixture {
    pub(super) structure: Box<dyn Maintain>,
    pub(super) index: Arc<dyn Index>,
    pub(super) refs: BTreeMap<Row, Vec<u32>>,
    records: BTreeMap<Row, TestRecord>,
    /// How many records an audit has read.
    pub(super) audited: Cell<usize>,
}

struct Batch<'a>(&'a [(Row, TestRecord)]);

impl StagedRecords for Batch<'_> {
    fn each(&mut self, visit: &mut dyn FnMut(usize, &dyn FieldSource) -> Result<(), Cause>) -> ControlFlow<()> {
        self.0.iter().enumerate().for_each(|(at, (_, record))| visit(at, record).unwrap());
        ControlFlow::Continue(())
    }
}

impl Fixture {
    pub(super) fn new(schema: &Schema, def: IndexDef) -> Self {
        let structure = index(def, schema, hash::seeded(1), crate::limits::VALUE_SHARDS);
        let index = catalog(once(&*structure)).indexes[0].clone();
        Fixture { structure, index, refs: BTreeMap::new(), records: BTreeMap::new(), audited: Cell::new(0) }
    }

    /// One commit that leaves these records; nothing is committed if any clash.
    pub(super) fn put(&mut self, mut batch: Vec<(Row, TestRecord)>) -> Vec<Clash> {
        batch.sort_by_key(|(row, _)| *row);
        let width = self.structure.width();
        let place = RefPlace { from: 0, width, stride: width };
        let mut changes = ChangeSet::default();
        for (row, _) in &batch {
            let old = self.refs.get(row);
            changes.staged.push(Staged { before: old.map(|_| *row), has_record: true, expired: false });
            changes.old_refs.extend(old.cloned().unwrap_or_else(|| vec![0; width]));
            changes.new_refs.extend(vec![0; width]);
        }
        let staged = self.structure.stage(&mut Batch(&batch), &mut StagedRefs { changes: &mut changes, place });
        assert!(staged.is_continue());
        let clashes = self.structure.clashes(&NetChanges::new(&changes, place, &OnceCell::new(), false));
        if !clashes.is_empty() {
            return clashes;
        }
        self.structure.admit(&mut StagedRefs { changes: &mut changes, place });
        let row_change = |(row, _): &(Row, TestRecord)| RowChange {
            row: *row,
            had_record: self.refs.contains_key(row),
            has_record: true,
        };
        changes.set_rows(batch.iter().map(row_change));
        self.structure.apply(Moves { changes: &changes, place });
        let refs = changes.new_refs.chunks_exact(width).map(<[u32]>::to_vec);
        self.refs.extend(batch.iter().map(|(row, _)| *row).zip(refs));
        self.records.extend(batch);
        Vec::new()
    }

    /// All upkeep, then an audit; returns the number of entries.
    pub(super) fn check(&mut self) -> usize {
        let mut restart = true;
        while self.structure.tidy(restart).is_some() {
            restart = false;
        }
        let mut found = Findings::default();
        let entries = self.structure.audit(&*self, &mut found);
        assert_eq!(found.count, 0, "{:?}", found.reported);
        entries
    }
}

impl AuditRows for Fixture {
    fn published(&self) -> Commit {
        Commit::ZERO
    }

    fn each(&self, visit: &mut dyn FnMut(&AuditRow<'_>)) {
        self.records.keys().for_each(|row| self.row(*row, &mut |row| row.into_iter().for_each(&mut *visit)));
    }

    fn row(&self, row: Row, visit: &mut dyn FnMut(Option<&AuditRow<'_>>)) {
        self.audited.update(|audited| audited + 1);
        let key = Key::none();
        let found = self.records.get(&row).zip(self.refs.get(&row));
        visit(found.map(|(record, refs)| AuditRow { key: &key, record, refs }).as_ref());
    }
}

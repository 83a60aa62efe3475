//! What every index, aggregate and column holds of the net records of a batch: extracted structure by structure over the whole batch,
//! so that look-ups overlap. A refusal blames the operation that made the record.

use super::net::Net;
use super::notes::Blame;
use super::operation::Operation;
use super::stage::Staged;
use crate::error::{Cause, Refusal};
use crate::index::{Other, StagedRecords};
use crate::record::{Access, FieldSource, Fields, Record};
use crate::storage::Table;
use memdex_query::value::Key;
use std::collections::HashSet;
use std::ops::ControlFlow;

impl<R: Record> Staged<'_, R> {
    /// Extracts what is derived from the net records.
    pub(super) fn stage_derived(&mut self) -> Result<(), Refusal> {
        let Staged { table, writer, operations, looked, applied, blame, .. } = self;
        for (staged, net) in applied.changes.staged.iter_mut().zip(&looked.nets) {
            staged.has_record = net.result(operations).is_some();
        }
        let mut records = NetRecords { table, operations, nets: &looked.nets, blame, refused: None };
        let staged = table.stage(writer, &mut applied.changes, &mut records);
        match (staged, records.refused) {
            (ControlFlow::Break(()), Some(refusal)) => Err(refusal),
            _ => Ok(()),
        }
    }

    /// Measures the heap memory of the net records.
    pub(super) fn stage_heap(&mut self) -> Result<(), Refusal> {
        let Staged { table, operations, looked, applied, blame, .. } = self;
        applied.record_heap = 0;
        for net in &looked.nets {
            let Some(record) = net.result(operations) else { continue };
            match record.measure_heap() {
                Ok(bytes) => applied.record_heap = applied.record_heap.saturating_add(bytes),
                Err(message) => {
                    let cause = Cause::Panicked { what: "heap_size", message };
                    let (culprit, refusal) = net.refusal(table, operations, cause);
                    blame.refuse(culprit, refusal)?;
                }
            }
        }
        Ok(())
    }

    /// Checks constraints between records by the net result of the batch. Not while records are refused for themselves: an operation
    /// that is left out clashes with none. For the same reason each change is judged only against earlier ones that are not refused.
    /// If the batch is of several submissions, none may rely on what another releases: by itself it might be refused.
    pub(super) fn check_constraints(&mut self) -> Result<(), Refusal> {
        let Staged { table, writer, operations, looked, applied, blame, several, .. } = self;
        if blame.has_records() {
            return Ok(());
        }
        let (table, operations, nets) = (*table, &**operations, &looked.nets);
        let mut clashes = table.clashes(writer, &applied.changes, *several);
        clashes.sort_by_key(|(_, clash)| clash.change);
        let mut out = HashSet::new();
        for (structure, clash) in clashes {
            let other = match clash.other {
                Other::Change(number) if out.contains(&number) => continue,
                Other::Change(number) => nets[number].key(operations).0.clone(),
                Other::Row(row) => table.pages.newest(row).map_or_else(Key::none, |version| version.key.clone()),
            };
            let net = &nets[clash.change];
            if out.insert(clash.change) {
                let key = net.key(operations).0.clone();
                let cause = table.clash_cause(writer, structure, &clash, key, other);
                let (culprit, refusal) = net.refusal(table, operations, cause);
                blame.refuse(culprit, refusal)?;
            }
        }
        Ok(())
    }
}

/// The records that a batch leaves, without their type.
struct NetRecords<'a, R: Record> {
    table: &'a Table<R>,
    operations: &'a [Operation<R>],
    nets: &'a [Net<R>],
    blame: &'a mut Blame,
    /// The refusal that ended the batch.
    refused: Option<Refusal>,
}

impl<R: Record> StagedRecords for NetRecords<'_, R> {
    fn each(&mut self, visit: &mut dyn FnMut(usize, &dyn FieldSource) -> Result<(), Cause>) -> ControlFlow<()> {
        for (number, net) in self.nets.iter().enumerate() {
            let Some(record) = net.result(self.operations) else { continue };
            let Err(cause) = visit(number, &Fields(record)) else { continue };
            let (culprit, refusal) = net.refusal(self.table, self.operations, cause);
            if let Err(refusal) = self.blame.refuse(culprit, refusal) {
                self.refused = Some(refusal);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}

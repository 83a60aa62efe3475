//! The second half of staging: extracts the entries of indexes, columns and aggregates from the records that a batch leaves, and
//! checks unique constraints between them. It goes structure by structure over the whole batch, so that look-ups overlap. A failure is
//! attributed to the operation that produced the record.

use super::attribution::Attribution;
use super::net::Net;
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
    /// Extracts the entries of every structure from the net records.
    pub(super) fn stage_derived(&mut self) -> Result<(), Refusal> {
        let Staged { table, writer, operations, resolution, applied, attribution, .. } = self;
        for (staged, net) in applied.changes.staged.iter_mut().zip(&resolution.nets) {
            staged.has_record = net.result(operations).is_some();
        }
        let mut records = NetRecords { table, operations, nets: &resolution.nets, attribution, refused: None };
        let staged = table.stage(writer, &mut applied.changes, &mut records);
        match (staged, records.refused) {
            (ControlFlow::Break(()), Some(refusal)) => Err(refusal),
            _ => Ok(()),
        }
    }

    /// Measures the heap memory of the net records.
    pub(super) fn stage_heap(&mut self) -> Result<(), Refusal> {
        let Staged { table, operations, resolution, applied, attribution, .. } = self;
        applied.record_heap = 0;
        for net in &resolution.nets {
            let Some(record) = net.result(operations) else { continue };
            match record.measure_heap() {
                Ok(bytes) => applied.record_heap = applied.record_heap.saturating_add(bytes),
                Err(message) => {
                    let cause = Cause::Panicked { what: "heap_size", message };
                    let (culprit, refusal) = net.refusal(table, operations, cause);
                    attribution.refuse(culprit, refusal)?;
                }
            }
        }
        Ok(())
    }

    /// Checks unique constraints on the net result of the batch. Skipped while a record has been refused by itself, since the batch is
    /// staged again without it. A change is compared only with earlier changes that are not refused. In a group of submissions, none
    /// may use a value that another releases: committed by itself it would be refused.
    pub(super) fn check_constraints(&mut self) -> Result<(), Refusal> {
        let Staged { table, writer, operations, resolution, applied, attribution, grouped, .. } = self;
        if attribution.has_records() {
            return Ok(());
        }
        let (table, operations, nets) = (*table, &**operations, &resolution.nets);
        let mut clashes = table.clashes(writer, &applied.changes, *grouped);
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
                attribution.refuse(culprit, refusal)?;
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
    attribution: &'a mut Attribution,
    /// The refusal that ended the batch.
    refused: Option<Refusal>,
}

impl<R: Record> StagedRecords for NetRecords<'_, R> {
    fn each(&mut self, visit: &mut dyn FnMut(usize, &dyn FieldSource) -> Result<(), Cause>) -> ControlFlow<()> {
        for (number, net) in self.nets.iter().enumerate() {
            let Some(record) = net.result(self.operations) else { continue };
            let Err(cause) = visit(number, &Fields(record)) else { continue };
            let (culprit, refusal) = net.refusal(self.table, self.operations, cause);
            if let Err(refusal) = self.attribution.refuse(culprit, refusal) {
                self.refused = Some(refusal);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}

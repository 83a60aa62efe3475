//! The second half of staging: extracts the entries of indexes, columns and aggregates from the records that a batch leaves, and
//! checks unique constraints between them. It goes structure by structure over the whole batch, so that look-ups overlap. Finds the
//! records at fault; the judgement finds the operations.

use super::net::Net;
use super::operation::Operation;
use super::stage::Staged;
use crate::clock::Timestamp;
use crate::error::Cause;
use crate::index::{Clash, Other, StagedRecords};
use crate::record::FieldSource;
use crate::rowset::Row;
use crate::storage::{AnyVersion, BaseRow, SharedVersion};
use crate::user_code;
use memdex_query::value::ValueRef;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

impl Staged<'_> {
    /// Extracts the entries of every structure from the net records. Returns the net changes whose records can't be indexed.
    pub(super) fn stage_derived(&mut self) -> Vec<(usize, Cause)> {
        let Staged { table, writer, operations, resolution, applied, .. } = self;
        for (staged, net) in applied.changes.staged.iter_mut().zip(&resolution.nets) {
            staged.has_record = net.result(operations).is_some();
            staged.expired = net.expired;
        }
        let mut records = NetRecords { operations, nets: &resolution.nets, spoilt: Vec::new() };
        let staged = table.stage(writer, &mut applied.changes, &mut records);
        debug_assert!(staged.is_continue());
        records.spoilt
    }

    /// Measures the heap memory of the net records. Returns those that can't be measured.
    pub(super) fn stage_heap(&mut self) -> Vec<(usize, Cause)> {
        let Staged { operations, resolution, applied, .. } = self;
        applied.record_heap = 0;
        let mut spoilt = Vec::new();
        for (number, net) in resolution.nets.iter().enumerate() {
            match net.result(operations).map(|record| record.measure_heap()) {
                Some(Ok(bytes)) => {
                    applied.record_heap = applied.record_heap.saturating_add(bytes);
                    #[cfg(feature = "testing")]
                    if let Some(record) = net.result(operations) {
                        spoilt.extend(self.table.check_size(record, bytes).err().map(|cause| (number, cause)));
                    }
                }
                Some(Err(message)) => spoilt.push((number, Cause::Panicked { what: "heap_size", message })),
                None => {}
            }
        }
        spoilt
    }

    /// Reads the deadlines of the net records from the field that has them. Returns those that can't be read, or are not after the commit.
    pub(super) fn stage_deadlines(&mut self) -> Vec<(usize, Cause)> {
        let Staged { table, operations, resolution, in_field, .. } = self;
        *in_field = None;
        let Some(field) = table.deadlines.field() else { return Vec::new() };
        let (mut spoilt, now) = (Vec::new(), resolution.time);
        let mut deadlines = vec![None; resolution.nets.len()];
        for (number, net) in resolution.nets.iter().enumerate() {
            let Some(record) = net.result(operations).filter(|_| !net.is_given(operations)) else { continue };
            match user_code::run(|| deadline_of(record.value_at(&field))) {
                Ok(Some(deadline)) if deadline <= now => spoilt.push((number, Cause::Expired { deadline, now })),
                Ok(deadline) => deadlines[number] = deadline,
                Err(message) => spoilt.push((number, Cause::Panicked { what: "field extractor", message })),
            }
        }
        *in_field = Some(deadlines);
        spoilt
    }

    /// Evaluates the checks of the collection on the net records. Returns those for which one is false.
    pub(super) fn stage_checks(&mut self) -> Vec<(usize, Cause)> {
        let Staged { table, operations, resolution, .. } = self;
        if table.checks.is_empty() {
            return Vec::new();
        }
        let results =
            resolution.nets.iter().enumerate().filter_map(|(number, net)| Some((number, net.result(operations)?)));
        results.filter_map(|(number, record)| Some((number, table.checks.check(record).err()?))).collect()
    }

    /// Checks unique constraints on the net result of the batch. Returns net changes that violate one; not all, if several want the
    /// same value. In a group of submissions, none may use a value that another releases: committed by itself it would be refused.
    ///
    /// Also returns the records that have expired, hold such a value, and have no net change yet, each once, with the net change that
    /// wants it.
    pub(super) fn clashing(&mut self) -> (Vec<usize>, Vec<Wanted>) {
        let Staged { table, writer, applied, grouped, resolution, .. } = self;
        let clashes = table.clashes(writer, &applied.changes, *grouped);
        let holder = |(_, clash): &(usize, Clash)| match clash.other {
            Other::Row(row) => Some((clash.change, table.expired_at(row, resolution.time)?)),
            Other::Change(_) => None,
        };
        let mut expired: Vec<Wanted> = clashes.iter().filter_map(holder).collect();
        if !expired.is_empty() {
            let mut known: HashSet<Row> =
                resolution.nets.iter().filter_map(|net| Some(net.old.as_ref()?.row)).collect();
            expired.retain(|(_, holder)| known.insert(holder.row));
        }
        let mut clashing: Vec<usize> = clashes.into_iter().map(|(_, clash)| clash.change).collect();
        clashing.extend(self.clashing_with_base());
        (clashing, expired)
    }

    /// The net changes whose records have a unique value that a record of a fork's base keeps. Those that clash with each other are found
    /// without the base.
    fn clashing_with_base(&self) -> Vec<usize> {
        let Staged { table, writer, operations, grouped, resolution, .. } = self;
        let Some(base) = &table.base else { return Vec::new() };
        let constraints = table.constraints(writer).into_iter();
        let constraints: Vec<_> = constraints.filter_map(|at| Some((at, table.constraint(writer, at)?))).collect();
        let changed: HashMap<BaseRow, usize> =
            resolution.nets.iter().enumerate().filter_map(|(number, net)| Some((net.under?, number))).collect();
        let clashes = |(number, net): (usize, &Net)| {
            let record = net.result(operations)?;
            let is_kept = constraints.iter().any(|(at, index)| {
                let value = |record: &dyn AnyVersion| table.unique_value(writer, *at, record).ok().flatten();
                let before = net.old.as_ref().filter(|_| net.under.is_some()).and_then(|old| value(&**old));
                // It keeps a value that it has before the batch.
                let value = value(record).filter(|value| before.as_ref() != Some(value));
                let holder = value.and_then(|value| base.holder(&index.shape, value.as_ref()));
                match holder.map(|(place, _)| changed.get(&place)) {
                    None => false,
                    Some(None) => true,
                    Some(Some(holder)) => *grouped && *holder != number,
                }
            });
            is_kept.then_some(number)
        };
        resolution.nets.iter().enumerate().filter_map(clashes).collect()
    }
}

/// A record that has expired and has a value that a net change wants.
pub(super) type Wanted = (usize, SharedVersion);

/// The first microsecond that is not before a time.
fn deadline_of(value: ValueRef<'_>) -> Option<Timestamp> {
    let ValueRef::Timestamp(nanos) = value else { return None };
    let micros = -(-nanos).div_euclid(1_000);
    Some(Timestamp::from_micros(micros.clamp(i64::MIN.into(), i64::MAX.into()) as i64))
}

/// The records that a batch leaves, without their type.
struct NetRecords<'a> {
    operations: &'a [Operation],
    nets: &'a [Net],
    spoilt: Vec<(usize, Cause)>,
}

impl StagedRecords for NetRecords<'_> {
    fn each(&mut self, visit: &mut dyn FnMut(usize, &dyn FieldSource) -> Result<(), Cause>) -> ControlFlow<()> {
        for (number, net) in self.nets.iter().enumerate() {
            let Some(record) = net.result(self.operations) else { continue };
            if let Err(cause) = visit(number, record) {
                self.spoilt.push((number, cause));
            }
        }
        ControlFlow::Continue(())
    }
}

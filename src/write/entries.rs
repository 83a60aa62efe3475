//! What each index and each column is to hold of the net records of a batch: index by index over the whole batch, so that look-ups
//! overlap. Refusals blame the operation that made the record.

use super::resolve::Net;
use super::stage::Staged;
use crate::error::{Cause, Refusal};
use crate::index::{Clash, Kept, KeptStaging, Other, Shown, checked};
use crate::record::{FieldAt, FieldDef, Record};
use crate::rowset::Row;
use crate::storage::{Cell, Maintained, Table};
use crate::user_code;
use crate::value::{Key, Value, ValueRef, decode_parts};
use smallvec::SmallVec;
use std::collections::{HashMap, HashSet};

impl<R: Record> Staged<'_, R> {
    /// Asks the net records for what each index and all standing statistics hold of them.
    pub(super) fn stage_indexes(&mut self) -> Result<(), Refusal> {
        let Staged { table, writer, operations, looked, applied, blame, .. } = self;
        let (table, operations, nets) = (*table, &**operations, &looked.nets);
        let width = writer.width();
        applied.words = SmallVec::from_elem(0, nets.len() * width);
        for maintained in &mut writer.kept_up {
            let Maintained { kept, writer, staging, from, width: own, .. } = maintained;
            let place = |number: usize| number * width + *from..number * width + *from + *own;
            staging.clear();
            for (number, net) in nets.iter().enumerate() {
                let Some(record) = net.result(operations) else { continue };
                let shown = match shown(kept, staging, record) {
                    Ok(shown) => shown,
                    Err(cause) => {
                        let (culprit, refusal) = net.refusal(table, operations, cause);
                        blame.refuse(culprit, refusal)?;
                        continue;
                    }
                };
                let old = net.begin().and(net.old.as_ref());
                let old = old.map(|old| (old.row, &applied.old_words[place(number)]));
                kept.stage(writer, staging, number, &shown, old, &mut applied.words[place(number)]);
            }
        }
        Ok(())
    }

    /// Judges what must be unique by what the batch would leave. Not while records are refused for themselves: what is left out
    /// clashes with nobody. For the same reason each is judged against those before it alone that stand. Of several submissions
    /// none may rest on what another gives up: by itself it might be refused.
    pub(super) fn stage_uniqueness(&mut self) -> Result<(), Refusal> {
        let Staged { table, writer, operations, looked, applied, blame, several, .. } = self;
        if blame.has_records() {
            return Ok(());
        }
        let (table, operations, nets) = (*table, &**operations, &looked.nets);
        let width = writer.width();
        let (mut clashes, mut by_row) = (Vec::new(), None);
        for Maintained { kept, staging, from, width: own, .. } in &mut writer.kept_up {
            let place = |number: usize| number * width + *from..number * width + *from + *own;
            let change_of = |row: Row| {
                if *several {
                    return None;
                }
                let number = *by_row.get_or_insert_with(|| rows_of(nets)).get(&row)?;
                let gone = nets[number].result(operations).is_none();
                Some((number, gone || applied.old_words[place(number)] != applied.words[place(number)]))
            };
            clashes.extend(kept.clashes(staging, change_of).into_iter().map(|clash| (kept.clone(), clash)));
        }
        clashes.sort_by_key(|(_, clash)| clash.change);
        let mut out = HashSet::new();
        for (index, Clash { change, value, other }) in clashes {
            let other = match other {
                Other::Change(number) if out.contains(&number) => continue,
                Other::Change(number) => nets[number].key(operations).0.clone(),
                Other::Row(row) => table.pages.newest(row).map_or_else(Key::none, |version| version.key.clone()),
            };
            if out.insert(change) {
                let key = nets[change].key(operations).0.clone();
                let cause = Cause::NotUnique { index: index.name().into(), value: display(&value), key, other };
                let (culprit, refusal) = nets[change].refusal(table, operations, cause);
                blame.refuse(culprit, refusal)?;
            }
        }
        Ok(())
    }

    /// Asks the net records for the values that columns hold.
    pub(super) fn stage_columns(&mut self) -> Result<(), Refusal> {
        let Staged { table, writer, operations, looked, blame, .. } = self;
        let (table, operations) = (*table, &**operations);
        for (column, of_column) in table.columns.iter().zip(&mut writer.columns) {
            let field = &table.schema.fields()[column.field];
            let Some((at, _)) = table.schema.find(field.name()) else { continue };
            of_column.clear();
            for net in &looked.nets {
                let cell = match net.result(operations).map(|record| value(field, &at, record)) {
                    None => Cell::Missing,
                    Some(Ok(value)) => column.stage(of_column, &table.seed, value),
                    Some(Err(cause)) => {
                        let (culprit, refusal) = net.refusal(table, operations, cause);
                        blame.refuse(culprit, refusal)?;
                        Cell::Missing
                    }
                };
                of_column.cells.push(cell);
            }
        }
        Ok(())
    }
}

/// Whether each index, each column and all standing statistics by themselves take a record.
pub(super) fn can_be_indexed<R: Record>(table: &Table<R>, record: &R) -> bool {
    let by_columns = table.columns.iter().all(|column| {
        let field = &table.schema.fields()[column.field];
        table.schema.find(field.name()).is_some_and(|(at, _)| value(field, &at, record).is_ok())
    });
    by_columns
        && table.indexes().iter().all(|index| caught(|| index.shape.entry(record)).is_ok())
        && table.standing().iter().all(|figures| caught(|| figures.standing.takes(record)).is_ok())
}

const EXTRACTOR: &str = "field extractor";

/// What an index holds of a record. Runs its extractors.
#[inline]
fn shown<'a, R: Record>(kept: &Kept, staging: &mut KeptStaging, record: &'a R) -> Result<Shown<'a>, Cause> {
    caught(|| kept.shown(staging, record))
}

#[inline]
fn caught<T>(ask: impl FnOnce() -> Result<T, Cause>) -> Result<T, Cause> {
    user_code::run(ask).map_err(|message| Cause::Panicked { what: EXTRACTOR, message })?
}

/// What a column holds of a record. Runs its extractor.
fn value<'a, R: Record>(field: &FieldDef, at: &FieldAt, record: &'a R) -> Result<ValueRef<'a>, Cause> {
    caught(|| checked(field, record.value_at(at)))
}

/// Net changes by the row that they change.
fn rows_of<R>(nets: &[Net<R>]) -> HashMap<Row, usize> {
    nets.iter().enumerate().filter_map(|(number, net)| Some((net.old.as_ref()?.row, number))).collect()
}

/// A value of an index as a message shows it: that of several fields is their tuple.
fn display(value: &Value) -> String {
    match value.as_ref() {
        ValueRef::Bytes(bytes) => match decode_parts(bytes).collect::<Vec<_>>().as_slice() {
            parts @ [_, _, ..] => {
                format!("({})", parts.iter().map(|part| format!("{part:?}")).collect::<Vec<_>>().join(", "))
            }
            _ => format!("{value:?}"),
        },
        _ => format!("{value:?}"),
    }
}

//! The operations of a batch on one collection, with their record type.

use super::attribution::CommitOptions;
#[cfg(feature = "testing")]
use super::doom::{Doom, Subject};
use super::linked::Linked;
use super::operation::{Action, Named, Operation, OperationInfo, Target, drop_operations};
use super::part::{EmptyPart, Member, Part, Single, StagedPart};
use super::stage::Staged;
use crate::clock::Timestamp;
use crate::error::Refusal;
use crate::record::{Access, IndexKind, Record};
#[cfg(feature = "testing")]
use crate::record::{FieldSource, Fields};
use crate::storage::{AnyTable, Collection, Edge, Engine, Table, Which};
use crate::sync::Arc;
use std::any::Any;

pub(super) struct Operations<R: Record> {
    pub(super) table: Arc<Table<R>>,
    pub(super) list: Vec<Operation<R>>,
}

impl<R: Record> Operations<R> {
    pub(super) fn new(table: Arc<Table<R>>) -> Self {
        Operations { table, list: Vec::with_capacity(1) }
    }

    /// The index in `list` of the operation at a position.
    pub(super) fn at(&self, position: usize) -> Option<usize> {
        self.list.binary_search_by_key(&position, |operation| operation.position).ok()
    }

    fn info(&self, operation: &Operation<R>) -> OperationInfo {
        OperationInfo {
            position: operation.position,
            operation: operation.name(),
            collection: self.table.name.to_string(),
            key: operation.key().cloned(),
        }
    }

    fn single(&self, operation: Operation<R>) -> Single {
        let info = self.info(&operation);
        let list = vec![Operation { position: 0, ..operation }];
        (info, Box::new(Operations { table: self.table.clone(), list }))
    }

    /// Drops the operations from this index on.
    fn drop_from(&mut self, at: usize) {
        let panics = drop_operations(self.list.drain(at..));
        self.table.counters.report_drop_panics(panics);
    }

    /// The other part with its type, if it is of the same collection.
    fn same<'a>(&self, other: &'a mut dyn Part) -> Option<&'a mut Self> {
        let other = (other as &mut dyn Any).downcast_mut::<Self>()?;
        Arc::ptr_eq(&self.table, &other.table).then_some(other)
    }
}

/// An [`EmptyPart`] of a table of `R`s.
pub(crate) fn empty_part<R: Record>(table: Arc<dyn AnyTable>) -> Box<dyn Any> {
    match table.into_any().downcast::<Table<R>>() {
        Ok(table) => Box::new(EmptyPart(Box::new(Operations::new(table)))),
        Err(other) => Box::new(other),
    }
}

impl<R: Record> Part for Operations<R> {
    fn len(&self) -> usize {
        self.list.len()
    }

    fn is_of_callers(&self) -> bool {
        self.list.iter().any(|operation| !matches!(operation.action, Action::Expire))
    }

    fn stage(&mut self, options: CommitOptions, time: Timestamp) -> Result<Box<dyn StagedPart + '_>, Refusal> {
        Ok(Box::new(Staged::new(&self.table, &mut self.list, options, time)?))
    }

    fn catch_up(&self, engine: &Engine) {
        if let Some(base) = &self.table.base
            && base.is_behind()
            && self.table.indexes().iter().any(|index| index.shape.def.kind() == IndexKind::Unique)
        {
            // If it is not possible now, staging compares one by one.
            let _ = self.table.take_over(engine, Which::Changed);
        }
    }

    fn make_structures(&self, engine: &Engine) {
        self.table.make_structures(engine);
    }

    fn link(
        &mut self,
        engine: &Arc<Engine>,
        edges: &[Arc<Edge>],
        options: CommitOptions,
        time: Timestamp,
    ) -> Result<Box<dyn Member<'_> + '_>, Refusal> {
        let collection = Collection { engine: engine.clone(), table: self.table.clone() };
        Ok(Box::new(Linked::new(collection, &self.table, &mut self.list, edges, options, time)?))
    }

    fn removes(&self) -> bool {
        let by_operation = |operation: &Operation<R>| {
            matches!(
                (&operation.target, &operation.action),
                (Target::Rekey(_), _) | (_, Action::Delete | Action::Expire)
            )
        };
        self.table.deadlines.are_used() || self.list.iter().any(by_operation)
    }

    fn is_of(&self, table: *const ()) -> bool {
        Arc::as_ptr(&self.table).cast() == table
    }

    fn collection(&self) -> &str {
        &self.table.name
    }

    fn truncate(&mut self, position: usize) {
        self.drop_from(self.list.partition_point(|operation| operation.position < position));
    }

    fn remove(&mut self, position: usize) -> Option<Single> {
        let operation = self.list.remove(self.at(position)?);
        Some(self.single(operation))
    }

    fn take_all(&mut self) -> Vec<Single> {
        if self.list.is_empty() {
            return Vec::new(); // The list keeps its capacity for the next batch.
        }
        std::mem::take(&mut self.list).into_iter().map(|operation| self.single(operation)).collect()
    }

    fn take_record(&mut self) -> Option<Box<dyn Any + Send>> {
        Some(Box::new(self.list.first_mut()?.action.take_record()?))
    }

    fn append(&mut self, other: &mut dyn Part, from: usize) -> bool {
        let Some(other) = self.same(other) else { return false };
        other.list.iter_mut().for_each(|operation| operation.position += from);
        self.list.append(&mut other.list);
        true
    }

    fn give_back(&mut self, other: &mut dyn Part, from: usize) -> bool {
        let Some(other) = self.same(other) else { return false };
        let at = self.list.partition_point(|operation| operation.position < from);
        other.list.extend(self.list.drain(at..).map(|o| Operation { position: o.position - from, ..o }));
        true
    }

    fn infos(&self, infos: &mut Vec<OperationInfo>) {
        infos.extend(self.list.iter().map(|operation| self.info(operation)));
    }

    fn bytes(&self) -> usize {
        let of_name = |operation: &Operation<R>, which| operation.named(which).map_or(0, |(key, _)| key.heap_bytes());
        let of_key = |operation: &Operation<R>| {
            [Named::First, Named::Second].map(|which| of_name(operation, which)).iter().sum::<usize>()
        };
        let of_record = |record: &R| record.measure_heap().unwrap_or(0);
        let of_action = |action: &Action<R>| action.change_bytes().saturating_add(action.record().map_or(0, of_record));
        let of_heap = |operation: &Operation<R>| of_key(operation).saturating_add(of_action(&operation.action));
        self.list.iter().map(of_heap).fold(size_of_val(&*self.list), usize::saturating_add)
    }

    fn key_hashes(&self, hashes: &mut Vec<u64>) -> bool {
        let table = (Arc::as_ptr(&self.table).addr() as u64).rotate_left(32);
        let hash = |operation: &Operation<R>, which| operation.named(which).map(|(_, hash)| table ^ u64::from(hash));
        let both = |operation| [Named::First, Named::Second].map(|which| hash(operation, which));
        hashes.extend(self.list.iter().flat_map(both).flatten());
        self.list.iter().all(|operation| operation.key().is_some())
    }

    #[cfg(feature = "testing")]
    fn doom(&mut self, judge: &mut dyn FnMut(&Subject<'_>) -> Result<Option<Doom>, Refusal>) -> Result<(), Refusal> {
        for operation in &mut self.list {
            let record = operation.action.record().map(Fields);
            let subject = Subject {
                table: &self.table,
                position: operation.position,
                key: operation.key(),
                command: operation.name(),
                is_conditional: operation.seen.is_some(),
                record: record.as_ref().map(|record| record as &dyn FieldSource),
            };
            operation.doom = judge(&subject)?;
        }
        Ok(())
    }

    fn empty(&self) -> Box<dyn Part> {
        Box::new(Operations { table: self.table.clone(), list: Vec::new() })
    }
}

impl<R: Record> Drop for Operations<R> {
    fn drop(&mut self) {
        self.drop_from(0);
    }
}

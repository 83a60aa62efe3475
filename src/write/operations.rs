//! The operations of a batch on one collection.

use super::action::Action;
use super::attribution::CommitOptions;
#[cfg(feature = "testing")]
use super::doom::{Doom, Subject};
use super::linked::Linked;
use super::operation::{Named, Operation, OperationInfo, Target, drop_operations};
use super::stage::Staged;
use crate::clock::Timestamp;
use crate::error::Refusal;
#[cfg(feature = "testing")]
use crate::record::FieldSource;
use crate::record::IndexKind;
use crate::storage::{Draft, Edge, Engine, Table};
use crate::sync::Arc;

/// The description of an operation, and the operation by itself at position 0.
pub(super) type Single = (OperationInfo, Operations);

/// Dropping it drops each value of the user by itself.
pub(super) struct Operations {
    pub(super) table: Arc<Table>,
    pub(super) list: Vec<Operation>,
}

impl Operations {
    pub(super) fn new(table: Arc<Table>) -> Self {
        Operations { table, list: Vec::with_capacity(1) }
    }

    /// The index in `list` of the operation at a position.
    pub(super) fn at(&self, position: usize) -> Option<usize> {
        self.list.binary_search_by_key(&position, |operation| operation.position).ok()
    }

    fn info(&self, operation: &Operation) -> OperationInfo {
        OperationInfo {
            position: operation.position,
            operation: operation.name(),
            collection: self.table.name.to_string(),
            key: operation.key().cloned(),
        }
    }

    fn single(&self, operation: Operation) -> Single {
        let info = self.info(&operation);
        let list = vec![Operation { position: 0, ..operation }];
        (info, Operations { table: self.table.clone(), list })
    }

    /// Drops the operations from this index on.
    fn drop_from(&mut self, at: usize) {
        let panics = drop_operations(self.list.drain(at..));
        self.table.counters.report_drop_panics(panics);
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether any operation is a caller's, not one of the store itself.
    pub(super) fn is_of_callers(&self) -> bool {
        self.list.iter().any(|operation| !matches!(operation.action, Action::Expire))
    }

    pub(super) fn stage(&mut self, options: CommitOptions, time: Timestamp) -> Result<Staged<'_>, Refusal> {
        Staged::new(&self.table, &mut self.list, options, time)
    }

    /// Has a fork take over what its base has changed, if the operations are to be compared with it. Not under the commit lock.
    pub(super) fn catch_up(&self, engine: &Engine) {
        // If it is not possible now, staging compares one by one.
        if self.table.base.is_some()
            && self.table.indexes().iter().any(|index| index.shape.def.kind() == IndexKind::Unique)
        {
            self.table.catch_up(engine);
        }
    }

    /// Makes the structures of the table of a fork, which are deferred until it is first written. Under the commit lock.
    pub(super) fn make_structures(&self, engine: &Engine) {
        self.table.make_structures(engine);
    }

    /// Begins to stage it as one of several collections that refer to each other; see [`Linked`].
    pub(super) fn link(
        &mut self,
        engine: &Arc<Engine>,
        edges: &[Arc<Edge>],
        options: CommitOptions,
        time: Timestamp,
    ) -> Result<Linked<'_>, Refusal> {
        Linked::new(engine.clone(), &self.table, &mut self.list, edges, options, time)
    }

    /// Whether it may take records away from their keys.
    pub(super) fn removes(&self) -> bool {
        let by_operation = |operation: &Operation| {
            matches!(
                (&operation.target, &operation.action),
                (Target::Rekey(_), _) | (_, Action::Delete | Action::Expire)
            )
        };
        self.table.deadlines.are_used() || self.list.iter().any(by_operation)
    }

    pub(super) fn is_of(&self, table: &Arc<Table>) -> bool {
        Arc::ptr_eq(&self.table, table)
    }

    /// The name of its collection.
    pub(super) fn collection(&self) -> &str {
        &self.table.name
    }

    /// Drops the operations from a position on.
    pub(super) fn truncate(&mut self, position: usize) {
        self.drop_from(self.list.partition_point(|operation| operation.position < position));
    }

    pub(super) fn remove(&mut self, position: usize) -> Option<Single> {
        let operation = self.list.remove(self.at(position)?);
        Some(self.single(operation))
    }

    /// Removes and returns all operations.
    pub(super) fn take_all(&mut self) -> Vec<Single> {
        if self.list.is_empty() {
            return Vec::new(); // The list keeps its capacity for the next batch.
        }
        std::mem::take(&mut self.list).into_iter().map(|operation| self.single(operation)).collect()
    }

    /// Removes and returns the record that the first operation brings.
    pub(super) fn take_record(&mut self) -> Option<Draft> {
        self.list.first_mut()?.action.take_record()
    }

    /// Moves the operations of another part of the same collection behind its own and adds `from` to their positions. Returns
    /// `false`, and does nothing, if the part is of another collection.
    pub(super) fn append(&mut self, other: &mut Operations, from: usize) -> bool {
        if !self.is_of(&other.table) {
            return false;
        }
        other.list.iter_mut().for_each(|operation| operation.position += from);
        self.list.append(&mut other.list);
        true
    }

    /// Undoes the last `append`.
    pub(super) fn give_back(&mut self, other: &mut Operations, from: usize) -> bool {
        if !self.is_of(&other.table) {
            return false;
        }
        let at = self.list.partition_point(|operation| operation.position < from);
        other.list.extend(self.list.drain(at..).map(|o| Operation { position: o.position - from, ..o }));
        true
    }

    pub(super) fn infos(&self, infos: &mut Vec<OperationInfo>) {
        infos.extend(self.list.iter().map(|operation| self.info(operation)));
    }

    /// The memory of its operations.
    pub(super) fn bytes(&self) -> usize {
        let of_name = |operation: &Operation, which| operation.named(which).map_or(0, |(key, _)| key.heap_bytes());
        let of_key = |operation: &Operation| {
            [Named::First, Named::Second].map(|which| of_name(operation, which)).iter().sum::<usize>()
        };
        let of_action = |action: &Action| action.change_bytes().saturating_add(action.record_bytes());
        let of_heap = |operation: &Operation| of_key(operation).saturating_add(of_action(&operation.action));
        self.list.iter().map(of_heap).fold(size_of_val(&*self.list), usize::saturating_add)
    }

    /// Adds a fingerprint of each operation's collection and key: equal for equal keys, most likely different for others.
    /// Returns `false` if one of the operations is by filter.
    pub(super) fn key_hashes(&self, hashes: &mut Vec<u64>) -> bool {
        let table = (Arc::as_ptr(&self.table).addr() as u64).rotate_left(32);
        let hash = |operation: &Operation, which| operation.named(which).map(|(_, hash)| table ^ u64::from(hash));
        let both = |operation| [Named::First, Named::Second].map(|which| hash(operation, which));
        hashes.extend(self.list.iter().flat_map(both).flatten());
        self.list.iter().all(|operation| operation.key().is_some())
    }

    /// Asks `judge` about each operation, whether it is to fail.
    #[cfg(feature = "testing")]
    pub(super) fn doom(
        &mut self,
        judge: &mut dyn FnMut(&Subject<'_>) -> Result<Option<Doom>, Refusal>,
    ) -> Result<(), Refusal> {
        for operation in &mut self.list {
            let subject = Subject {
                table: &self.table,
                position: operation.position,
                key: operation.key(),
                command: operation.name(),
                is_conditional: operation.seen.is_some(),
                record: operation.action.record().map(|record| record as &dyn FieldSource),
            };
            operation.doom = judge(&subject)?;
        }
        Ok(())
    }

    /// An empty part of the same collection.
    pub(super) fn empty(&self) -> Operations {
        Operations { table: self.table.clone(), list: Vec::new() }
    }
}

impl Drop for Operations {
    fn drop(&mut self) {
        self.drop_from(0);
    }
}

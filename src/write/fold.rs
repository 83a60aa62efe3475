//! Folding: successive edits of one record by a batch change one clone of it in place, so that a thousand increments cost one clone.
//!
//! The states between the edits are then not kept. The judgement, which finds the operations at fault, needs them: [`Resolution::unfold`]
//! repeats the edits on clones. It runs no closure, since only edits are folded.

use super::net::{State, Step};
use super::operation::{Operation, keeps_key};
use super::resolve::Resolution;
use crate::error::{Cause, Refusal};
use crate::storage::{Draft, Table};
use crate::user_code;

impl Resolution {
    /// Edits the record that an edit of the batch has made, in place. `None` if the operation or the record is of another sort.
    ///
    /// Records without a Rust type of their own are not folded, since a collection must read all their fields again after each edit.
    pub(super) fn fold(
        &mut self,
        table: &Table,
        operations: &[Operation],
        at: usize,
        number: usize,
    ) -> Option<Result<(), Cause>> {
        let operation = &operations[at];
        let edit = operation.action.edit().filter(|_| !table.record_type.is_untyped)?;
        let net = &mut self.nets[number];
        operations[net.last as usize].action.edit()?;
        if !matches!(net.state, State::Computed(_)) {
            return None;
        }
        if let Err(cause) = operation.check_lifetime(self.time).and_then(|()| operation.check(net.found())) {
            return Some(Err(cause));
        }
        let State::Computed(mut record) = std::mem::replace(&mut net.state, State::Folded) else { return None };
        let edited = user_code::run(|| edit.apply(table, &mut record));
        let edited = edited.unwrap_or_else(|message| Err(Cause::Panicked { what: "record's `set_value`", message }));
        let key = net.key(operations).0;
        let edited = edited.and_then(|()| keeps_key(table, &*record, key, |to| Cause::KeyChanged { to }));
        let before = std::mem::replace(&mut net.state, State::Computed(record));
        if edited.is_ok() {
            let step = self.steps.len() as u32;
            self.steps.push(Step { state: before, last: net.last, step: net.step, deleted: net.deleted });
            (net.step, net.last) = (step, at as u32);
        } else if let Err(refusal) = self.repeat_last(table, operations, number) {
            self.broken.get_or_insert(refusal);
        }
        Some(edited)
    }

    /// Restores the states that edits in place have not kept.
    pub(super) fn unfold(&mut self, table: &Table, operations: &[Operation]) -> Result<(), Refusal> {
        (0..self.nets.len()).try_for_each(|number| self.unfold_steps(table, operations, number, |_| true))
    }

    /// Restores the states of a record from the last one back to the first for which `goes_on` does not hold.
    fn unfold_steps(
        &mut self,
        table: &Table,
        operations: &[Operation],
        number: usize,
        goes_on: impl Fn(&State) -> bool,
    ) -> Result<(), Refusal> {
        let (mut folded, mut next) = (Vec::new(), self.nets[number].step);
        while let Some(Step { state, step, .. }) = self.steps.get(next as usize).filter(|step| goes_on(&step.state)) {
            folded.extend(matches!(state, State::Folded).then_some(next as usize));
            next = *step;
        }
        for at in folded.into_iter().rev() {
            let Step { last, step: below, .. } = self.steps[at];
            let record = self.edited(table, operations, number, (last, below))?;
            self.steps[at].state = State::Computed(record);
        }
        Ok(())
    }

    /// Makes the record again that an edit may have spoilt, by the edits before. All in all this repeats each edit at most once, and the
    /// last one of them for each that fails.
    fn repeat_last(&mut self, table: &Table, operations: &[Operation], number: usize) -> Result<(), Refusal> {
        self.unfold_steps(table, operations, number, |state| matches!(state, State::Folded))?;
        let (last, below) = (self.nets[number].last, self.nets[number].step);
        let record = self.edited(table, operations, number, (last, below))?;
        let spoilt = std::mem::replace(&mut self.nets[number].state, State::Computed(record));
        self.superseded.push(spoilt);
        Ok(())
    }

    /// The record that the edit of operation `last` makes of the state of the step `below`.
    fn edited(
        &self,
        table: &Table,
        operations: &[Operation],
        number: usize,
        (last, below): (u32, u32),
    ) -> Result<Draft, Refusal> {
        let (operation, net) = (&operations[last as usize], &self.nets[number]);
        let record = match self.steps.get(below as usize) {
            Some(Step { state: State::Unchanged, .. }) | None => net.old.as_deref().filter(|old| !old.is_tombstone()),
            Some(step) => step.state.record(operations),
        };
        let made = operation.action.change().zip(record).map(|(change, record)| change.of(table, record));
        made.unwrap_or(Err(Cause::KeyMissing)).map_err(|cause| operation.refusal(table, cause))
    }
}

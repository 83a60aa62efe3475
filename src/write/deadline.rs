//! The deadlines that a commit gives its records.

use super::net::{Net, State};
use super::operation::{Named, Operation, Target};
use super::resolve::Resolution;
use crate::clock::Timestamp;
use crate::storage::{Deadline, Table};
use smallvec::SmallVec;

impl Resolution {
    /// The deadlines of the records that the batch leaves, in the order of the net changes. `in_field` are those of the field that has
    /// them.
    pub(super) fn deadlines(
        &self,
        table: &Table,
        operations: &[Operation],
        in_field: Option<&[Option<Timestamp>]>,
    ) -> SmallVec<[Deadline; 1]> {
        let are_given = table.deadlines.lifetime().is_some() || operations.iter().any(|of| of.given.is_some());
        // A record that moves to another key takes its deadline along.
        let are_used = are_given || (table.deadlines.are_used() && !self.rekeys.is_empty());
        let of = |net: &Net| match are_used || net.old.as_ref().is_some_and(|old| old.deadline.exists()) {
            true => self.deadline(table, net, operations),
            false => Deadline::none(),
        };
        let Some(in_field) = in_field else { return self.nets.iter().map(of).collect() };
        let both = self.nets.iter().zip(in_field);
        both.map(|(net, deadline)| if net.is_given(operations) { of(net) } else { Deadline::new(*deadline) }).collect()
    }

    fn deadline(&self, table: &Table, net: &Net, operations: &[Operation]) -> Deadline {
        if !matches!(net.state, State::Brought(_) | State::Computed(_)) {
            return Deadline::none();
        }
        let deadline = self.deadline_before(table, net, operations, u32::MAX);
        let slides = table.deadlines.sliding().filter(|_| matches!(net.state, State::Computed(_)));
        Deadline::new(match slides {
            Some(lifetime) if !net.is_given(operations) => deadline.map(|deadline| deadline.max(self.time + lifetime)),
            _ => deadline,
        })
    }

    /// The deadline that the operations before one leave.
    fn deadline_before(&self, table: &Table, net: &Net, operations: &[Operation], before: u32) -> Option<Timestamp> {
        let mut extended = None;
        let latest = |deadline: Option<Timestamp>, extended: Option<Timestamp>| match (deadline, extended) {
            (Some(deadline), Some(extended)) => Some(deadline.max(extended)),
            (deadline, None) => deadline,
            (None, Some(_)) => None,
        };
        for (at, state) in self.steps_of(net).filter(|(at, _)| *at < before) {
            let operation = &operations[at as usize];
            match operation.given {
                Some(given) if given.only_later && matches!(state, State::Computed(_)) => {
                    match given.lifetime.deadline(self.time) {
                        None => return None,
                        later => extended = extended.max(later),
                    }
                }
                Some(given) => return latest(given.lifetime.deadline(self.time), extended),
                None => {}
            }
            match (state, &operation.target) {
                (State::Brought(_), _) => {
                    let lifetime = table.deadlines.lifetime();
                    return latest(lifetime.map(|lifetime| self.time + lifetime), extended);
                }
                // It keeps the deadline that it had under its old key.
                (State::Computed(_), Target::Rekey(keys))
                    if net.key(operations).0 == &keys[Named::Second as usize].0 =>
                {
                    let old = self.net_of_key(&keys[Named::First as usize].0, operations);
                    return latest(old.and_then(|old| self.deadline_before(table, old, operations, at)), extended);
                }
                _ => {}
            }
        }
        let old = net.old.as_ref().filter(|_| !net.expired);
        latest(old.and_then(|old| old.deadline.time()), extended)
    }
}

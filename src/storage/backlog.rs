//! The committer's knowledge of what old states are left: which tables retain some, and which pins have ended.

use super::garbage::Garbage;
use super::table::Table;
use super::table_ends::Ended;
use super::timeline::Timeline;
use crate::error::Commit;
use crate::limits::PIN_SLOTS;
use crate::reclaim::{Backlog, Pass};
use crate::sync::Arc;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// State that only the holder of the commit lock may touch.
#[derive(Default)]
pub(super) struct Committer {
    pub(super) backlog: Backlogged,
    /// The commits that were pinned in slots when the pins were last read.
    in_slots: SmallVec<[Commit; PIN_SLOTS]>,
    /// Commits that have lost their last pin, or a pin in a slot, and may still retain something.
    ended: VecDeque<Commit>,
}

/// Tables that retain old states.
#[derive(Default)]
pub(crate) struct Backlogged(Vec<Arc<Table>>);

impl Backlogged {
    pub(crate) fn add(&mut self, table: Arc<Table>) {
        if !self.0.iter().any(|known| Arc::ptr_eq(known, &table)) {
            self.0.push(table);
        }
    }
}

impl Committer {
    /// Reads the pins, after the newest commit is published.
    pub(super) fn begin_pass<'a>(&mut self, timeline: &'a Timeline) -> Pass<'a> {
        let published = timeline.newest();
        let (pins, ended) = timeline.pins();
        if self.backlog.0.is_empty() {
            // Nothing is retained under any of them.
            self.ended.clear();
        } else {
            self.ended.extend(self.in_slots.iter().filter(|epoch| pins.in_slots().binary_search(epoch).is_err()));
            self.ended.extend(ended);
        }
        self.in_slots.clear();
        self.in_slots.extend_from_slice(pins.in_slots());
        Pass { pins, published }
    }

    /// Drops at most `budget` old states that nobody sees any longer, because pins have ended.
    pub(super) fn end_pins(&mut self, pass: &Pass<'_>, budget: &mut usize, garbage: &mut Garbage) -> Backlog {
        let Committer { backlog: Backlogged(tables), ended, .. } = self;
        while let Some(epoch) = ended.front().copied()
            && !tables.is_empty()
        {
            if *budget == 0 {
                return Backlog::CutShort;
            }
            *budget -= 1;
            // Another pin may be on the same commit. Its end will be noticed too.
            if !pass.pins.contains(epoch) {
                let mut all_complete = true;
                tables.retain(|table| {
                    let Ended { complete, retains } = table.end_pin(epoch, pass, budget, garbage);
                    all_complete &= complete;
                    if !retains && table.is_dropped() {
                        // This may be the last reference, and records must not be dropped under the commit lock.
                        garbage.add([table.clone()]);
                    }
                    retains
                });
                if !all_complete {
                    return Backlog::CutShort;
                }
            }
            ended.pop_front();
        }
        if tables.is_empty() {
            ended.clear();
            return Backlog::Nothing;
        }
        Backlog::Pinned
    }

    /// What is left, given that the pins may have changed since the pass began.
    pub(super) fn pins_ended(&mut self, timeline: &Timeline) -> Backlog {
        self.begin_pass(timeline);
        if self.ended.is_empty() { Backlog::Pinned } else { Backlog::CutShort }
    }
}

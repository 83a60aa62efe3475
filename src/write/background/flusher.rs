//! The flusher: takes what is in the queue, commits as much of it together as it may, and answers each submission.
//!
//! What it does to the store is what it would do if it committed one submission after the other, and each learns what it
//! would have learned then. So submissions are committed together only if no two of them touch the same key: then none
//! can tell whether another one came before it. Where one takes a unique value that another gives up it could tell all the same:
//! such a commit is refused. If the commit of several is refused, they are committed in parts.

use super::super::batch::Batch;
use super::death::{Death, Step};
use super::error::NotApplied;
use super::gate::{Gate, Size};
use super::ticket::{Applied, Reply};
use crate::hash::spread;
use crate::limits::{MAX_BATCH_OPERATIONS, TRIES_TOGETHER};
use crate::sync::Arc;
use crate::user_code;
use crossbeam_channel::Receiver;
use hashbrown::HashTable;
use std::collections::VecDeque;

/// What travels through the channel.
pub(super) struct Submission {
    /// Not there while it is committed.
    pub(super) batch: Option<Batch>,
    pub(super) size: Size,
    pub(super) reply: Reply,
}

pub(super) struct Flusher {
    gate: Arc<Gate>,
    queue: Receiver<Submission>,
    /// Taken, but not to be committed with those before it.
    held: Option<Submission>,
    /// What is being committed and not answered yet.
    group: VecDeque<Submission>,
    /// Several submissions as one batch; its room is used again.
    together: Batch,
    /// Whose operations those are, and where theirs begin.
    lent: Vec<(usize, Batch)>,
    touched: Touched,
    death: Death,
}

impl Flusher {
    /// `empty` is an empty batch of the store.
    pub(super) fn new(gate: Arc<Gate>, queue: Receiver<Submission>, empty: Batch, death: Death) -> Self {
        let (held, group, lent, touched) = (None, VecDeque::new(), Vec::new(), Touched::default());
        Flusher { gate, queue, held, group, together: empty, lent, touched, death }
    }

    /// Until the last handle is gone and the queue is empty. Should it break off before, everybody is told.
    pub(super) fn run(mut self) {
        if let Err(why) = user_code::caught(|| self.work()) {
            self.tell_of_death(&why);
        }
    }

    fn work(&mut self) {
        loop {
            self.death.comes_at(Step::Look);
            if !self.gate.wait_for_work() {
                return;
            }
            self.gather();
            self.commit_group();
        }
    }

    /// Takes submissions until they are as many operations as one commit should have, or one touches what another touches.
    fn gather(&mut self) {
        debug_assert!(self.group.is_empty());
        let (mut operations, mut positions) = (0, 0);
        while operations < self.gate.settings().bulk_size {
            let Some(next) = self.held.take().or_else(|| self.queue.try_recv().ok()) else { break };
            let Some(batch) = &next.batch else { unreachable!("it travels with its batch") };
            operations += next.size.operations;
            positions += batch.next_position();
            match self.group.front().and_then(|first| first.batch.as_ref()) {
                None => self.touched.clear(),
                Some(first) => {
                    if self.group.len() == 1 {
                        self.touched.add_if_new(first);
                    }
                    if positions > MAX_BATCH_OPERATIONS || !self.touched.add_if_new(batch) {
                        self.held = Some(next);
                        break;
                    }
                }
            }
            self.group.push_back(next);
            self.death.comes_at(Step::Taken);
        }
        debug_assert!(!self.group.is_empty());
    }

    /// Commits the group, all together if that goes, otherwise in parts, in the order of the submissions.
    fn commit_group(&mut self) {
        let mut refusals = 0;
        // How many come before the one that seems to be at fault: these are tried together, then that one by itself.
        let mut before: Option<usize> = None;
        while !self.group.is_empty() {
            let count = match before {
                _ if refusals >= TRIES_TOGETHER => 1,
                None => self.group.len(),
                Some(before) => before.max(1),
            };
            if count == 1 {
                self.commit_first();
            } else if let Err(at_fault) = self.commit_first_of(count) {
                refusals += 1;
                before = Some(at_fault);
                continue;
            }
            before = before.and_then(|before| before.checked_sub(count));
        }
    }

    /// Commits the first of the group by itself.
    fn commit_first(&mut self) {
        self.death.comes_at(Step::Alone);
        let Some(batch) = self.group[0].batch.take() else { unreachable!("it is not being committed") };
        let answer = batch.commit().map(|receipt| Applied { commit: receipt.commit, at: receipt.at });
        self.death.comes_at(Step::Committed);
        self.answer_first([answer.map_err(NotApplied::Refused)]);
    }

    /// Commits the first `count` of the group together. If that is refused, nobody is told, all have their batches back, and
    /// it gives the place of one that seems to be at fault: it need not be, as it may rest on one that is refused too.
    fn commit_first_of(&mut self, count: usize) -> Result<(), usize> {
        self.death.comes_at(Step::Merge);
        for member in self.group.range_mut(..count) {
            let Some(mut batch) = member.batch.take() else { unreachable!("it is not being committed") };
            let from = self.together.next_position();
            self.together.append(&mut batch);
            self.lent.push((from, batch));
        }
        self.death.comes_at(Step::Merged);
        match self.together.flush_unheard() {
            Ok(receipt) => {
                self.death.comes_at(Step::Committed);
                self.lent.clear();
                let applied = Applied { commit: receipt.commit, at: receipt.at };
                self.answer_first(std::iter::repeat_with(|| Ok(applied)).take(count));
                Ok(())
            }
            Err(refusal) => {
                self.death.comes_at(Step::Split);
                let at_fault = refusal.position().map(|at| self.lent.partition_point(|(from, _)| *from <= at) - 1);
                for (member, (from, mut batch)) in self.group.range_mut(..count).zip(self.lent.drain(..)).rev() {
                    self.together.give_back(&mut batch, from);
                    member.batch = Some(batch);
                }
                // It may hold an error of the user's.
                user_code::drop_each([refusal]);
                Err(at_fault.unwrap_or(count / 2))
            }
        }
    }

    /// Answers the first of the group, then gives their room back.
    fn answer_first(&mut self, answers: impl IntoIterator<Item = Result<Applied, NotApplied>>) {
        let mut room = Size::default();
        for answer in answers {
            let Some(Submission { size, reply, .. }) = self.group.pop_front() else { break };
            room += size;
            self.death.comes_at(Step::Answer);
            reply.answer(answer);
        }
        self.death.comes_at(Step::Answered);
        self.gate.release(room);
        self.death.comes_at(Step::Released);
    }

    /// Should even this break off, each ticket hears of it when its reply is dropped.
    fn tell_of_death(mut self, why: &str) {
        self.gate.die(why);
        let _ = user_code::run(|| tracing::error!(why, "a background writer has died, which is a bug of memdex"));
        // Nothing gets into the queue any more.
        let queued = std::iter::from_fn(|| self.queue.try_recv().ok());
        for Submission { batch, reply, .. } in self.group.drain(..).chain(self.held.take()).chain(queued) {
            reply.died(why, batch);
        }
        self.together.discard();
    }
}

/// The keys that the submissions of a group touch, as fingerprints: two keys that share one only part a group.
#[derive(Default)]
struct Touched {
    table: HashTable<u64>,
    of_batch: Vec<u64>,
    /// A batch that changes whatever meets a condition stays alone.
    closed: bool,
}

impl Touched {
    fn clear(&mut self) {
        self.table.clear();
        self.closed = false;
    }

    /// Adds the keys of a batch, unless one of them is there already.
    fn add_if_new(&mut self, batch: &Batch) -> bool {
        let hash = |fingerprint: &u64| spread((fingerprint ^ (fingerprint >> 32)) as u32);
        self.of_batch.clear();
        let by_key = batch.fingerprints(&mut self.of_batch);
        let alone = self.table.is_empty() && !self.closed;
        if self.closed || !(by_key || alone) {
            return false;
        }
        self.closed = !by_key;
        if self.of_batch.iter().any(|new| self.table.find(hash(new), |old| old == new).is_some()) {
            return false;
        }
        for new in &self.of_batch {
            self.table.entry(hash(new), |old| old == new, hash).or_insert(*new);
        }
        true
    }
}

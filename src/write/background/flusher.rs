//! The flusher: takes submissions from the queue, commits as many together as it may, and answers each.
//!
//! Its effect on the store, and every answer, are the same as if it committed one submission after the other. So it commits
//! submissions together only if no two of them touch the same key, nor two sides of a reference: then none can detect whether another came before it. One could
//! still detect it by claiming a unique value that another releases: such a commit is refused. If the commit of several submissions is
//! refused, they are committed in smaller groups.

use super::super::batch::Batch;
#[cfg(feature = "testing")]
use super::super::faults;
use super::super::references::Sharing;
use super::death::{Death, Step};
use super::error::SubmitError;
use super::gate::{Gate, Size};
use super::ticket::{Applied, Reply};
use crate::hash::spread;
use crate::limits::{MAX_BATCH_OPERATIONS, TRIES_TOGETHER};
use crate::sync::Arc;
use crate::trace;
use crate::user_code;
use crossbeam_channel::Receiver;
use hashbrown::HashTable;
use std::collections::VecDeque;

/// The message of the channel.
pub(super) struct Submission {
    /// `None` while it is committed.
    pub(super) batch: Option<Batch>,
    pub(super) size: Size,
    pub(super) reply: Reply,
}

pub(super) struct Flusher {
    gate: Arc<Gate>,
    queue: Receiver<Submission>,
    /// Taken from the channel, but not to be committed with those before it.
    held: Option<Submission>,
    /// Submissions that are being committed and not answered yet.
    group: VecDeque<Submission>,
    /// Several submissions as one batch. Its memory is reused.
    together: Batch,
    /// The batches whose operations are in `together`, each with the position of its first one.
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

    /// Runs until the last handle is dropped and the queue is empty. If it panics before, it answers everybody.
    pub(super) fn run(mut self) {
        if let Err(why) = user_code::caught(|| self.work()) {
            self.report_death(&why);
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

    /// Takes submissions until they have as many operations as one commit should have, or until one touches a key of another.
    fn gather(&mut self) {
        debug_assert!(self.group.is_empty());
        let (mut operations, mut positions) = (0, 0);
        while operations < self.gate.settings().bulk_size {
            let Some(next) = self.held.take().or_else(|| self.queue.try_recv().ok()) else { break };
            let Some(batch) = &next.batch else { unreachable!("a submission comes with its batch") };
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
            #[cfg(feature = "testing")]
            if self.together.engine().testing.judges_commits() {
                // Each submission is judged as a commit of its own.
                break;
            }
        }
        debug_assert!(!self.group.is_empty());
    }

    /// Commits the group in the order of the submissions: all together if possible, otherwise in smaller groups.
    fn commit_group(&mut self) {
        let mut refusals = 0;
        // The number of submissions before the one that seems to be at fault. They are tried together, then that one by itself.
        let mut before: Option<usize> = None;
        while !self.group.is_empty() {
            #[cfg(feature = "testing")]
            faults::meet_flusher(self.together.engine(), "commit");
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
        let Some(batch) = self.group[0].batch.take() else { unreachable!("no other commit has its batch") };
        let answer = batch.commit().map(|receipt| Applied { commit: receipt.commit, at: receipt.at });
        self.death.comes_at(Step::Committed);
        self.answer_first([answer.map_err(SubmitError::refused)]);
    }

    /// Commits the first `count` of the group together. If the commit is refused, nobody is answered, all get their batches back,
    /// and the error is the index of the one that seems to be at fault. It may not be, since it may depend on another one that is
    /// refused.
    fn commit_first_of(&mut self, count: usize) -> Result<(), usize> {
        self.death.comes_at(Step::Merge);
        for member in self.group.range_mut(..count) {
            let Some(mut batch) = member.batch.take() else { unreachable!("no other commit has its batch") };
            let from = self.together.next_position();
            self.together.append(&mut batch);
            self.lent.push((from, batch));
        }
        self.death.comes_at(Step::Merged);
        match self.together.flush_together() {
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
                // It may hold an error of the user, whose drop may panic.
                self.together.engine().counters.drop_each([refusal]);
                Err(at_fault.unwrap_or(count / 2))
            }
        }
    }

    /// Answers the first submissions of the group, then releases their room.
    fn answer_first(&mut self, answers: impl IntoIterator<Item = Result<Applied, SubmitError>>) {
        // While it has the submissions, so that their tickets tell why it has died.
        #[cfg(feature = "testing")]
        faults::meet_flusher(self.together.engine(), "answer");
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

    /// If even this panics, each reply answers when it is dropped.
    fn report_death(mut self, why: &str) {
        self.gate.die(why);
        let tracer = &self.together.engine().counters.tracer;
        trace::event!(tracer, ERROR, why, "the thread of a background writer panicked, which is a bug of memdex");
        // The gate admits no more submissions.
        let queued = std::iter::from_fn(|| self.queue.try_recv().ok());
        for Submission { batch, reply, .. } in self.group.drain(..).chain(self.held.take()).chain(queued) {
            reply.died(why, batch);
        }
    }
}

/// The keys that the submissions of a group touch, as hashes. If two keys share one, the group is merely split.
#[derive(Default)]
struct Touched {
    table: HashTable<u64>,
    of_batch: Vec<u64>,
    /// The group has a batch by filter, which shares no commit.
    closed: bool,
    sharing: Sharing,
}

impl Touched {
    fn clear(&mut self) {
        self.table.clear();
        self.closed = false;
        self.sharing = Sharing::Any;
    }

    /// Adds the keys of a batch, unless one of them is there already.
    fn add_if_new(&mut self, batch: &Batch) -> bool {
        let hash = |fingerprint: &u64| spread((fingerprint ^ (fingerprint >> 32)) as u32);
        self.of_batch.clear();
        let by_key = batch.key_hashes(&mut self.of_batch);
        let alone = self.table.is_empty() && !self.closed;
        if self.closed || !(by_key || alone) {
            return false;
        }
        if self.of_batch.iter().any(|new| self.table.find(hash(new), |old| old == new).is_some()) {
            return false;
        }
        if !self.sharing.add(batch.sharing()) {
            return false;
        }
        self.closed = !by_key;
        for new in &self.of_batch {
            self.table.entry(hash(new), |old| old == new, hash).or_insert(*new);
        }
        true
    }
}

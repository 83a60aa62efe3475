//! The end of staging in a collection with a bound: which records leave so that the batch fits. Nothing refuses an operation after that
//! but a hook, so no operation is judged by a victim.

use super::net::Net;
use super::stage::Staged;
use crate::error::{Cause, Refusal};
use crate::limits::EVICTED_A_COMMIT;
use crate::rowset::Row;
use crate::storage::{Measured, Usage};
use smallvec::SmallVec;

impl Staged<'_> {
    /// Measures the net records for the bound. Returns those that can't be weighed, or are heavier than it.
    pub(super) fn stage_weights(&mut self) -> Vec<(usize, Cause)> {
        let Staged { table, writer, operations, resolution, measured, .. } = self;
        let mut spoilt = Vec::new();
        let Some(bound) = writer.bound.as_ref().and_then(|_| table.bound()) else { return spoilt };
        measured.clear();
        for (number, net) in resolution.nets.iter().enumerate() {
            let of_net = net.result(operations).map(|record| bound.measure(record)).transpose();
            measured.push(of_net.unwrap_or_else(|cause| {
                spoilt.push((number, cause));
                None
            }));
        }
        spoilt
    }

    /// Chooses the records that leave, among those that the batch does not change. Those that have expired leave first.
    pub(super) fn make_room(&mut self) -> Result<(), Refusal> {
        let Some(queue) = &self.writer.bound else { return Ok(()) };
        let Usage { limit, weight: before, protected, .. } = queue.usage();
        let written: u64 = self.measured.iter().flatten().map(|of| of.weight).fold(0, u64::saturating_add);
        if written > limit {
            return Err(self.beyond_bound(written, 0));
        }
        let mut exempt: SmallVec<[Row; 4]> =
            self.resolution.nets.iter().filter_map(|net| Some(net.old.as_ref()?.row)).collect();
        let displaced: u64 = exempt.iter().map(|row| queue.weight(*row)).sum();
        let protected_of = |rows: &[Row]| -> u64 { rows.iter().map(|row| queue.protected(*row)).sum() };
        let protects: u64 = self.measured.iter().flatten().filter(|of| of.is_protected).map(|of| of.weight).sum();
        let (others, changed) = (protected, protected_of(&exempt));
        let after = before - displaced + written;
        // While a collection shrinks to a new bound, a commit may leave it as heavy as it was.
        let needed = after.saturating_sub(limit.max(before));
        let wanted = after.saturating_sub(limit);
        if wanted == 0 {
            return Ok(());
        }
        exempt.sort_unstable();
        let (taken, expired) = self.take(&mut exempt, needed, wanted);
        // While it shrinks, protected records must not take its place for good.
        if taken < needed || others - changed - expired + protects > limit {
            return Err(self.beyond_bound(written, after - written - taken));
        }
        Ok(())
    }

    /// Takes victims that weigh `needed`, and some more until they weigh `wanted`. Returns what they weigh, and what the protected ones
    /// among them do, which have expired.
    fn take(&mut self, exempt: &mut SmallVec<[Row; 4]>, needed: u64, wanted: u64) -> (u64, u64) {
        let Staged { table, writer, resolution, applied, in_field, .. } = self;
        let Some(queue) = &mut writer.bound else { return (0, 0) };
        let (mut taken, mut protected, mut more) = (0, 0, EVICTED_A_COMMIT);
        let mut victims = Vec::new();
        for row in table.first_expired(resolution.time, exempt, needed as usize + more) {
            if taken >= needed && (taken >= wanted || more == 0) {
                break;
            }
            more -= usize::from(taken >= needed);
            taken += queue.weight(row);
            protected += queue.protected(row);
            victims.push(row);
        }
        exempt.extend(victims.iter().copied());
        exempt.sort_unstable();
        let left = (needed.saturating_sub(taken), wanted.saturating_sub(taken));
        taken += queue.take(exempt, left, more, &*table.pages);
        victims.extend_from_slice(queue.taken());
        let from = resolution.nets.len();
        let versions = victims.iter().filter_map(|row| table.pages.newest(*row));
        versions.for_each(|old| resolution.evict(old));
        let of_net = |net: &Net| Some((net.old.as_ref()?.row, net.expired));
        let removed = resolution.nets[from..].iter().filter_map(of_net);
        table.stage_removed(writer, &mut applied.changes, removed);
        if let Some(deadlines) = in_field {
            deadlines.resize(resolution.nets.len(), None);
        }
        (taken, protected)
    }

    /// The victims of a batch that is refused stay.
    pub(super) fn release_victims(&mut self) {
        if let Some(queue) = &mut self.writer.bound {
            queue.undo(&*self.table.pages);
        }
    }

    /// The refusal of a batch that does not fit. In a group of submissions it names the first operation that does not, so that the group
    /// is split there.
    fn beyond_bound(&self, written: u64, protected: u64) -> Refusal {
        let Some(bound) = self.table.bound() else { unreachable!("the collection has a bound") };
        let (unit, limit) = (bound.unit(), bound.limit);
        let refusal = Refusal::new("commit", &self.table.name, Cause::BeyondBound { unit, written, protected, limit });
        match self.first_beyond(limit.saturating_sub(protected)).filter(|_| self.grouped) {
            Some(at) => refusal.at(self.operations[at].position),
            None => refusal,
        }
    }

    /// The first operation whose record does not fit into `room` together with those of the operations before.
    fn first_beyond(&self, room: u64) -> Option<usize> {
        let weighed = |(net, of): (&Net, &Option<Measured>)| Some((net.maker()?, of.as_ref()?.weight));
        let mut weights: Vec<(u32, u64)> =
            self.resolution.nets.iter().zip(&self.measured).filter_map(weighed).collect();
        weights.sort_unstable();
        let mut sum = 0_u64;
        let beyond = weights.into_iter().find(|(_, weight)| {
            sum = sum.saturating_add(*weight);
            sum > room
        });
        beyond.map(|(at, _)| at as usize)
    }
}

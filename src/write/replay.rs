//! Replaying operations: those that follow one which was left out or has returned, on its records only, in their order.

use super::judge::Judge;
use super::operation::{Effect, Target};
use super::outcome::Outcome;
use super::resolve::Resolution;
use crate::error::{Cause, Refusal};

impl Judge<'_> {
    /// Replays the operations on the unfinished records.
    pub(super) fn replay(&mut self) {
        while let Some((from, net)) = self.unfinished.pop_first() {
            let on_key = self.on_key.range((net, from)..=(net, u32::MAX)).next().map(|(_, at)| *at);
            let by_filter = self.by_filter.range(from..).next().map(|(at, _)| *at);
            match on_key.into_iter().chain(by_filter).min() {
                None => self.look_at(net),
                Some(at) if at > from => drop(self.unfinished.insert((at, net))),
                Some(at) if Some(at) == on_key => {
                    self.replay_on_key(at, net);
                    self.unfinished.insert((at + 1, net));
                }
                Some(at) => {
                    let mut nets = vec![net];
                    while let Some((_, net)) = self.unfinished.first().copied().filter(|(other, _)| *other == at) {
                        self.unfinished.pop_first();
                        nets.push(net);
                    }
                    self.replay_by_filter(at, &nets);
                    self.unfinished.extend(nets.into_iter().map(|net| (at + 1, net)));
                }
            }
        }
    }

    /// Whether an operation runs its closure on a record.
    pub(super) fn runs_closure(&self, at: u32, net: u32) -> bool {
        let of = &self.resolution.nets[net as usize];
        self.operations[at as usize].runs_closure(of.present(self.operations).is_some(), of.found())
    }

    fn replay_on_key(&mut self, at: u32, net: u32) {
        let operation = &self.operations[at as usize];
        if matches!(operation.target, Target::Rekey(_)) {
            // It would have to be replayed on its other key too.
            return self.leave_out(at, operation.refusal(self.table, Cause::DependsOnLeftOut), false);
        }
        let runs_closure = self.runs_closure(at, net);
        if !self.attribution.judge_again(at, net, runs_closure) {
            return self.leave_out(at, operation.refusal(self.table, Cause::DependsOnLeftOut), false);
        }
        match self.resolution.effect_on_key(self.table, self.operations, at as usize, net as usize) {
            Ok(effect) => {
                self.outcomes[at as usize] = (!operation.by_reference).then(|| Outcome::from(&effect));
                self.attribution.accept(at as usize);
                self.resolution.put(net as usize, at as usize, effect);
            }
            Err(cause) => {
                self.outcomes[at as usize] = None;
                self.attribution.refuse(at as usize, operation.refusal(self.table, cause));
            }
        }
    }

    /// Replays an operation by filter on these records. If it is refused on one of them, it is left out whole; also if it is on the first
    /// records in an order, since these may be others now.
    fn replay_by_filter(&mut self, at: u32, nets: &[u32]) {
        let operation = &self.operations[at as usize];
        if operation.is_in_order() {
            return self.leave_out(at, operation.refusal(self.table, Cause::DependsOnLeftOut), false);
        }
        match self.effects_by_filter(at, nets) {
            Ok(effects) => {
                for (net, effect) in effects {
                    self.by_filter.entry(at).or_default().insert(net);
                    self.resolution.put(net as usize, at as usize, effect);
                }
            }
            Err(refusal) => self.leave_out(at, refusal, false),
        }
    }

    fn effects_by_filter(&mut self, at: u32, nets: &[u32]) -> Result<Vec<(u32, Effect)>, Refusal> {
        let operation = &self.operations[at as usize];
        let Target::Where(condition) = &operation.target else { unreachable!("it is by filter") };
        let Judge { table, operations, resolution, attribution, .. } = self;
        let refused = |resolution: &Resolution, net: u32, cause| {
            let key = resolution.nets[net as usize].key(operations).0;
            operation.refusal_at(table, Some(key), cause)
        };
        let mut selected = Vec::new();
        for net in nets {
            let Some(record) = resolution.nets[*net as usize].present(operations) else { continue };
            if condition.holds(record).map_err(|cause| refused(resolution, *net, cause))? {
                selected.push(*net);
            }
        }
        for net in &selected {
            if !attribution.judge_again(at, *net, operation.runs_closure(true, None)) {
                return Err(refused(resolution, *net, Cause::DependsOnLeftOut));
            }
        }
        let mut effects = Vec::with_capacity(selected.len());
        for net in selected {
            let of = &resolution.nets[net as usize];
            match operation.effect(table, of.key(operations).0, of.present(operations), of.found()) {
                Ok(effect) => effects.push((net, effect)),
                Err(cause) => {
                    let refusal = refused(resolution, net, cause);
                    resolution.discard(effects.into_iter().map(|(_, effect)| effect));
                    return Err(refusal);
                }
            }
        }
        Ok(effects)
    }
}

//! Which operations of a batch on one collection are refused, by the plainest procedure: after each decision all operations are applied
//! again, one by one, and all records that they leave are compared with each other.

use super::indexes::Def;
use super::operations::{Fault, Op, Verb};
use super::records::{Subject, Val};
use super::reference::{Dids, Shelf};
use super::steps::step;
use memdex::Commit;
use memdex::schema::IndexKind;
use memdex::write::{Counts, Outcome as Did};
use std::collections::{BTreeMap, BTreeSet};

/// A batch on one collection.
pub(super) struct Judgement<'a, R: Subject> {
    before: &'a Shelf<R>,
    /// With positions, and the commits that conditional forms name.
    ops: &'a [(usize, Commit, &'a Op<R>)],
    indexes: &'a [Def],
    commit: Commit,
    /// By operation, the causes that its refusal may have.
    left_out: BTreeMap<usize, Vec<Fault>>,
    returned: BTreeSet<usize>,
    /// The values that an operation needs to return, with their indexes.
    needed: BTreeMap<usize, Vec<(usize, Vec<Val>)>>,
    /// Operations whose closures have run twice on a record.
    ran_twice: BTreeSet<(usize, R::Id)>,
    /// The keys that each operation changed when all were applied last.
    changed: BTreeMap<usize, Vec<R::Id>>,
}

/// What the operations that are kept leave.
pub(super) struct Applied<R: Subject> {
    pub now: Shelf<R>,
    pub counts: Counts,
    pub dids: Dids,
    /// Operations that are refused as they come, by place.
    refused: BTreeMap<usize, Fault>,
    /// The records that the operations have made of each key, one after the other.
    made: BTreeMap<R::Id, Vec<(usize, Option<R>)>>,
    /// The keys that each write by predicate has changed, in its order, by position.
    pub selected: BTreeMap<usize, Vec<R::Id>>,
}

type Faults = Vec<(usize, Fault)>;

impl<'a, R: Subject> Judgement<'a, R> {
    pub(super) fn new(
        before: &'a Shelf<R>,
        ops: &'a [(usize, Commit, &'a Op<R>)],
        indexes: &'a [Def],
        commit: Commit,
    ) -> Self {
        let (left_out, returned, needed, ran_twice, changed) = Default::default();
        Judgement { before, ops, indexes, commit, left_out, returned, needed, ran_twice, changed }
    }

    /// The state after the operations, or the first operation at fault with the causes that its refusal may have.
    pub(super) fn strict(mut self) -> Result<Applied<R>, (usize, Vec<Fault>)> {
        let applied = self.apply(BTreeMap::new());
        let refused = applied.refused.first_key_value().map(|(at, fault)| (*at, fault.clone()));
        let by_filter = applied.refused.keys().any(|at| self.ops[*at].2.is_judged_once());
        let unsure: BTreeSet<R::Id> = applied.refused.keys().map(|at| self.ops[*at].2.id()).collect();
        let mut faults: Faults = applied.made.keys().flat_map(|id| self.faults(&applied, id, &unsure)).collect();
        faults.retain(|(_, fault)| !(by_filter && matches!(fault, Fault::NotUnique { .. })));
        faults.extend(refused);
        match faults.iter().map(|(at, _)| *at).min() {
            None => Ok(applied),
            Some(first) => {
                let causes = faults.into_iter().filter(|(at, _)| *at == first).map(|(_, fault)| fault);
                Err((self.ops[first].0, causes.collect()))
            }
        }
    }

    /// The state after the operations that a lenient commit keeps, and the others, by position.
    pub(super) fn lenient(mut self) -> (Applied<R>, BTreeMap<usize, Vec<Fault>>) {
        let mut applied = self.apply(BTreeMap::new());
        let mut judged = false;
        loop {
            let faults: Vec<Faults> =
                applied.made.keys().map(|id| self.faults(&applied, id, &BTreeSet::new())).collect();
            let first = faults.iter().flatten().map(|(at, _)| *at).min();
            if first.is_some() && !std::mem::replace(&mut judged, true) {
                // From now on, an operation by predicate or of two keys is refused for good.
                let refused = applied.refused.iter().filter(|(at, _)| self.ops[**at].2.is_judged_once());
                self.left_out.extend(refused.map(|(at, fault)| (*at, vec![fault.clone()])));
            }
            let again = match first {
                Some(first) => {
                    let of_first = faults.into_iter().filter(|of| of.iter().map(|(at, _)| *at).min() == Some(first));
                    self.leave_out(&applied, of_first.flatten().collect())
                }
                None => match self.return_one(&applied) {
                    Some(again) => again,
                    None => break,
                },
            };
            applied = self.apply(again);
        }
        let Judgement { ops, left_out, .. } = self;
        let refused = applied.refused.iter().map(|(at, fault)| (*at, vec![fault.clone()]));
        let all = left_out.into_iter().chain(refused).map(|(at, faults)| (ops[at].0, faults));
        let all = all.collect();
        (applied, all)
    }

    /// Applies the operations that are kept, in their order. Those on these keys, from these places on, are judged again.
    fn apply(&mut self, mut again: BTreeMap<R::Id, usize>) -> Applied<R> {
        let (now, counts, dids) = (self.before.clone(), Counts::default(), Dids::new());
        let (refused, made, selected) = Default::default();
        let mut applied = Applied { now, counts, dids, refused, made, selected };
        let mut gone = BTreeSet::new();
        for (at, (position, seen, op)) in self.ops.iter().enumerate() {
            if self.left_out.contains_key(&at) {
                continue;
            }
            let on: Vec<R::Id> = match op.is_by_predicate() {
                false if op.is_rekey() => vec![op.id(), op.to.clone()],
                false => vec![op.id()],
                true => op.selected(applied.now.values().map(|(record, _)| record)).into_iter().map(R::id).collect(),
            };
            let is_again = |id: &&R::Id| again.get(id).is_some_and(|from| *from <= at);
            let runs = |id: &&R::Id| {
                let found = self.before.get(id).filter(|_| !gone.contains(*id)).map(|(_, commit)| *commit);
                let stale = op.seen.is_some() && found != Some(*seen);
                !stale && applied.now.contains_key(id) && op.has_closure()
            };
            let rerun: Vec<_> = on.iter().filter(is_again).filter(runs).map(|id| (at, id.clone())).collect();
            let moves = op.is_rekey() && on.iter().any(|id| is_again(&id));
            // Which records come first depends on all that was before.
            let depends = op.first.is_some() && again.values().any(|from| *from <= at);
            let ran_out = depends || moves || rerun.iter().any(|run| self.ran_twice.contains(run));
            let (was, mut done) = (applied.now.clone(), Counts::default());
            let did = match ran_out {
                true => Err(Fault::DependsOnLeftOut),
                false => step(op, *seen, self.before, &mut applied.now, &mut gone, &mut done, self.commit),
            };
            match did {
                Ok(did) => {
                    self.ran_twice.extend(rerun);
                    applied.counts += done;
                    applied.dids.push((*position, did));
                    if did != Did::Missing {
                        let mut note = |id: R::Id| {
                            let record = applied.now.get(&id).map(|(record, _)| record.clone());
                            applied.made.entry(id).or_default().push((at, record));
                        };
                        on.iter().cloned().for_each(&mut note);
                    }
                    if op.is_by_predicate() {
                        applied.selected.insert(*position, on);
                    }
                }
                Err(fault) => {
                    applied.now = was;
                    let final_one = ran_out || (op.is_by_predicate() && !again.is_empty());
                    if !ran_out && !op.is_by_predicate() {
                        self.ran_twice.extend(rerun);
                    }
                    if final_one {
                        self.left_out.insert(at, vec![fault]);
                        // What it changed before is judged again.
                        for id in self.changed.remove(&at).into_iter().flatten() {
                            let from = again.entry(id).or_insert(at + 1);
                            *from = (*from).min(at + 1);
                        }
                    } else {
                        applied.refused.insert(at, fault);
                    }
                }
            }
        }
        self.changed.clear();
        for (id, made) in &applied.made {
            made.iter().for_each(|(at, _)| self.changed.entry(*at).or_default().push(id.clone()));
        }
        applied
    }

    /// The values of a record in a unique index, unless one is missing.
    fn unique(&self, index: usize, record: &R) -> Option<Vec<Val>> {
        let def = &self.indexes[index];
        let values = (def.kind == IndexKind::Unique).then(|| def.values(record)).flatten()?;
        (!values.iter().any(Val::is_null)).then_some(values)
    }

    fn spoilt(&self, record: &R) -> Vec<Fault> {
        let fault = |def: &Def| {
            let field = def.unordered(record)?;
            Some(Fault::NotANumber { index: def.name::<R>(), field })
        };
        self.indexes.iter().filter_map(fault).collect()
    }

    /// The operations at fault for the record of a key.
    fn faults(&self, applied: &Applied<R>, id: &R::Id, unsure: &BTreeSet<R::Id>) -> Faults {
        let made = &applied.made[id];
        let Some((_, Some(record))) = made.last() else { return Faults::new() };
        let since = |has: &dyn Fn(&R) -> bool| {
            let held = made.iter().rev().take_while(|(_, record)| record.as_ref().is_some_and(has));
            held.last().unwrap().0
        };
        let spoilt = self.spoilt(record);
        if !spoilt.is_empty() {
            let since = since(&|record| !self.spoilt(record).is_empty());
            return spoilt.into_iter().map(|fault| (since, fault)).collect();
        }
        let mut faults = Faults::new();
        for index in 0..self.indexes.len() {
            let Some(values) = self.unique(index, record) else { continue };
            let since = since(&|earlier| self.has(index, earlier, &values));
            if self.is_taken(applied, id, index, &values, Some(since), unsure) {
                faults.push((since, Fault::NotUnique { index: self.indexes[index].name::<R>() }));
            }
        }
        faults
    }

    fn has(&self, index: usize, record: &R, values: &[Val]) -> bool {
        self.unique(index, record).is_some_and(|of| super::indexes::same(&of, values))
    }

    /// Whether the record of a key can't have these values, because another keeps them or has got them before.
    fn is_taken(
        &self,
        applied: &Applied<R>,
        id: &R::Id,
        index: usize,
        values: &[Val],
        since: Option<usize>,
        unsure: &BTreeSet<R::Id>,
    ) -> bool {
        if self.before.get(id).is_some_and(|(record, _)| self.has(index, record, values)) {
            return false;
        }
        let keeps = |(other, (record, _)): (&R::Id, &(R, Commit))| {
            let stays = |of: &R| self.spoilt(of).is_empty() && self.has(index, of, values);
            let last = applied.made.get(other).and_then(|made| made.last());
            let keeps = last.is_none_or(|(_, record)| record.as_ref().is_some_and(stays));
            self.has(index, record, values) && keeps && !unsure.contains(other)
        };
        let got_it_before = |(other, made): (&R::Id, &Vec<(usize, Option<R>)>)| {
            let has = |record: &Option<R>| record.as_ref().is_some_and(|record| self.has(index, record, values));
            let Some((_, Some(last))) = made.last() else { return false };
            if other == id || unsure.contains(other) || !self.spoilt(last).is_empty() || !self.has(index, last, values)
            {
                return false;
            }
            let got = made.iter().rev().take_while(|(_, record)| has(record)).last().unwrap().0;
            since.is_none_or(|since| got <= since)
        };
        self.before.iter().any(keeps) || applied.made.iter().any(got_it_before)
    }

    /// Leaves out these operations. Returns the keys on which others are judged again.
    fn leave_out(&mut self, applied: &Applied<R>, faults: Faults) -> BTreeMap<R::Id, usize> {
        let mut again = BTreeMap::new();
        for (at, fault) in faults {
            let op = self.ops[at].2;
            let taken = matches!(fault, Fault::NotUnique { .. });
            self.left_out.entry(at).or_default().push(fault);
            for (id, made) in &applied.made {
                let Some((_, record)) = made.iter().find(|(by, _)| *by == at) else { continue };
                let from = again.entry(id.clone()).or_insert(at + 1);
                *from = (*from).min(at + 1);
                let (true, false, Some(record)) = (taken, op.is_judged_once(), record) else { continue };
                if !self.returned.contains(&at) {
                    let values = (0..self.indexes.len()).filter_map(|index| Some((index, self.unique(index, record)?)));
                    self.needed.insert(at, values.collect());
                }
            }
        }
        again
    }

    /// Takes the first operation back of which all values are free and on whose key no later one is kept.
    fn return_one(&mut self, applied: &Applied<R>) -> Option<BTreeMap<R::Id, usize>> {
        for (at, needed) in self.needed.clone() {
            let id = self.ops[at].2.id();
            let last = applied.made.get(&id).and_then(|made| made.last()).is_none_or(|(by, _)| *by < at);
            let is_free = |(index, values): &(usize, Vec<Val>)| {
                !self.is_taken(applied, &id, *index, values, None, &BTreeSet::new())
            };
            if last && needed.iter().all(is_free) {
                self.needed.remove(&at);
                let runs = self.ops[at].2.has_closure() && applied.now.contains_key(&id);
                if !(runs && self.ran_twice.contains(&(at, id.clone()))) {
                    self.left_out.remove(&at);
                    self.returned.insert(at);
                    return Some([(id, at)].into());
                }
            }
        }
        None
    }
}

impl<R: Subject> Op<R> {
    fn has_closure(&self) -> bool {
        !matches!(self.verb, Verb::Store | Verb::Insert | Verb::Delete | Verb::DeleteWhere)
    }
}

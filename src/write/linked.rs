//! One collection's part of a commit over collections that refer to each other.
//!
//! What a reference does to a record is an operation too: the store adds it behind the one that has caused it. While the operations of
//! all collections are resolved, the added ones are at the end of the list; then they move to their places, so that the judgement sees all
//! operations in their order.

use super::action::Action;
use super::attribution::CommitOptions;
use super::follow::Follow;
use super::lifetime::{Lifetime, NO_LIFETIMES, restricts};
use super::moved::{Because, Moved, Referring, Standing, Touched};
use super::net::{NO_STEP, Net};
use super::operation::{Named, Operation, Target};
use super::outcome::Outcome;
use super::resolve::Rows;
use super::stage::Staged;
use crate::clock::Timestamp;
use crate::error::{Cause, Refusal};
use crate::read;
use crate::record::Condition;
use crate::storage::{AnyVersion, Edge, Engine, ReferredKeys, SharedVersion, Table};
use crate::sync::Arc;
use crate::user_code;
use memdex_query::value::Key;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// One collection's part of a commit over collections that refer to each other: its operations are resolved in their order over all of
/// them. Operations are named by their place, as in [`Attribution`](super::attribution::Attribution).
pub(super) struct Linked<'a> {
    staged: Staged<'a>,
    engine: Arc<Engine>,
    options: CommitOptions,
    /// The references from this collection, and for each what the records that the batch has changed refer to.
    edges: Vec<(Arc<Edge>, Changed)>,
    /// A reference to this collection that restricts deletions.
    restricting: Option<Arc<Edge>>,
    is_referred_to: bool,
    /// The order of the added operations, which are behind the others: (1, position) of the operation that has caused it, or (0, position).
    order: Vec<(u8, usize)>,
    /// The net changes by their rows.
    rows: Rows,
    /// How many net changes have got their back-references.
    gathered: usize,
    /// What becomes of the records whose keys the batch touches, once it is judged.
    standing: HashMap<Key, Standing>,
    /// In a lenient commit, how many operations name each key.
    named: HashMap<Key, usize>,
    /// Nothing has been resolved yet.
    is_fresh: bool,
    /// The states between edits are known.
    is_unfolded: bool,
    /// What went wrong while a reference was followed, with the position of the operation that has caused it.
    failed: Vec<(usize, Refusal)>,
}

/// What the records that a batch has changed refer to.
#[derive(Default)]
struct Changed {
    by_net: HashMap<usize, ReferredKeys>,
    by_key: HashMap<Key, BTreeSet<usize>>,
}

impl Changed {
    fn set(&mut self, net: usize, keys: ReferredKeys) {
        for (key, _) in self.by_net.remove(&net).into_iter().flatten() {
            self.by_key.get_mut(&key).into_iter().for_each(|nets| {
                nets.remove(&net);
            });
        }
        keys.iter().for_each(|(key, _)| {
            self.by_key.entry(key.clone()).or_default().insert(net);
        });
        if !keys.is_empty() {
            self.by_net.insert(net, keys);
        }
    }
}

impl<'a> Linked<'a> {
    pub(super) fn new(
        engine: Arc<Engine>,
        table: &'a Arc<Table>,
        operations: &'a mut Vec<Operation>,
        edges: &[Arc<Edge>],
        options: CommitOptions,
        time: Timestamp,
    ) -> Result<Self, Refusal> {
        if table.is_dropped() {
            return Err(Refusal::new("commit", &table.name, Cause::CollectionDropped));
        }
        let mut to_this = edges.iter().filter(|edge| edge.to == table.name);
        let is_referred_to = to_this.clone().next().is_some();
        let restricting = to_this.find(|edge| restricts(edge)).cloned();
        let from_this = edges.iter().filter(|edge| edge.of == table.name);
        let mut staged = Staged::begin(table, operations, options, time);
        staged.to_expire = is_referred_to.then(Vec::new);
        Ok(Linked {
            staged,
            engine,
            options,
            edges: from_this.map(|edge| (edge.clone(), Changed::default())).collect(),
            restricting,
            is_referred_to,
            order: Vec::new(),
            rows: Rows::new(),
            gathered: 0,
            standing: HashMap::new(),
            named: HashMap::new(),
            is_fresh: true,
            is_unfolded: false,
            failed: Vec::new(),
        })
    }

    /// Notes what a record refers to that the batch has changed.
    fn note(&mut self, number: usize) {
        let Linked { staged, edges, .. } = self;
        let net = &staged.resolution.nets[number];
        let record = net.maker().and_then(|_| net.present(staged.operations));
        for (edge, changed) in edges {
            // What panics here will do so when the indexes are staged, and is refused then.
            let keys = record.and_then(|record| user_code::run(|| edge.keys(&staged.table.seed, record)).ok());
            changed.set(number, keys.unwrap_or_default());
        }
    }

    fn note_rows(&mut self, from: usize) {
        for (number, net) in self.staged.resolution.nets.iter().enumerate().skip(from) {
            net.old.iter().for_each(|old| self.rows.insert(old.row, number));
        }
    }

    /// The committed records that refer to a key.
    fn committed(&self, edge: &Edge, key: &Key) -> Result<Vec<SharedVersion>, Cause> {
        let table = self.staged.table;
        let condition = Condition::new(&table.name, &table.schema, &edge.predicate(key))?;
        let found = user_code::run(|| read::evaluate(&self.engine, table, &condition));
        Ok(found.map_err(|message| Cause::Panicked { what: "field extractor", message })??)
    }

    /// The net changes of the records that refer to a key now. Those of records that the batch has not changed are new.
    fn now_referring(&mut self, edge: usize, key: &Key) -> Result<BTreeSet<usize>, Cause> {
        let mut committed = self.committed(&self.edges[edge].0, key)?;
        self.staged.resolution.phantoms.locate(self.staged.table, &mut committed);
        let mut nets = self.edges[edge].1.by_key.get(key).cloned().unwrap_or_default();
        for old in committed {
            match self.rows.find(old.row) {
                Some(number) if self.staged.resolution.nets[number].maker().is_some() => {}
                Some(number) => drop(nets.insert(number)),
                None => {
                    let resolution = &mut self.staged.resolution;
                    let number = resolution.nets.len();
                    self.rows.insert(old.row, number);
                    // The operation that touches it first is added next.
                    let (first, time) = (self.staged.operations.len(), resolution.time);
                    let place = resolution.phantoms.place(old.row);
                    resolution.nets.push(Net::new(first, Named::First, Some(old), time).under(place));
                    nets.insert(number);
                }
            }
        }
        Ok(nets)
    }

    /// Moves the added operations to their places.
    fn put_in_order(&mut self) {
        if self.order.is_empty() {
            return;
        }
        let Staged { operations, resolution, attribution, .. } = &mut self.staged;
        let own = operations.len() - self.order.len();
        // Operations of the caller, and those that the store has put in front of them, are in their order.
        let mut places: Vec<(u8, usize, usize)> = (0..own).map(|at| (1, operations[at].position, at)).collect();
        places.extend(self.order.drain(..).enumerate().map(|(at, (phase, position))| (phase, position, own + at)));
        places.sort_unstable();
        let mut to = vec![0; places.len()];
        places.iter().enumerate().for_each(|(new, (.., old))| to[*old] = new as u32);
        let mut moved: Vec<_> = operations.drain(..).map(Some).collect();
        operations.extend(places.iter().filter_map(|(.., old)| moved[*old].take()));
        resolution.renumber(&to);
        attribution.renumber(&to);
    }

    /// Drops what has been resolved. Keeps the operations that have records expire first, and adds those for which it begins again.
    fn begin_again(&mut self) {
        let time = self.staged.resolution.time;
        let to_expire = self.staged.to_expire.as_mut().map(std::mem::take).unwrap_or_default();
        let is_kept = |operation: &Operation| !operation.by_reference || matches!(operation.action, Action::Expire);
        self.staged.drop_resolved();
        self.staged.operations.retain(is_kept);
        let expires = |(position, old): (usize, SharedVersion)| {
            Operation::of_reference(position, old.key.clone(), old.hash, Action::Expire)
        };
        self.staged.operations.splice(0..0, to_expire.into_iter().map(expires));
        self.staged.begin_again(self.options, time);
    }
}

impl<'a> Linked<'a> {
    pub(super) fn collection(&self) -> &str {
        &self.staged.table.name
    }

    /// Begins, or begins again, without the operations at these positions.
    pub(super) fn begin(&mut self, excluded: &dyn Fn(usize) -> bool) {
        if !std::mem::take(&mut self.is_fresh) {
            self.begin_again();
        }
        (self.order, self.standing, self.failed) = Default::default();
        self.rows = Rows::new();
        self.is_unfolded = false;
        self.edges.iter_mut().for_each(|(_, changed)| *changed = Changed::default());
        let Staged { operations, resolution, attribution, .. } = &mut self.staged;
        let mut touched = HashSet::new();
        for (at, operation) in operations.iter().enumerate() {
            if excluded(operation.position) {
                attribution.keep_out(at);
            } else {
                let both = resolution.rekeys.get(&at).copied().unwrap_or([resolution.net_of[at]; 2]);
                touched.extend(both);
            }
        }
        for (number, net) in resolution.nets.iter_mut().enumerate() {
            if net.expired && !touched.contains(&number) {
                net.leave_expired();
            }
        }
        self.gathered = resolution.nets.len();
        self.note_rows(0);
    }

    /// The positions of the operations.
    pub(super) fn positions(&self) -> Vec<usize> {
        self.staged.operations.iter().map(|operation| operation.position).collect()
    }

    /// The keys whose records have expired, and the position of the first operation on each.
    pub(super) fn expired(&self) -> Vec<(usize, Moved)> {
        let Staged { operations, resolution, attribution, .. } = &self.staged;
        let touches = |at: usize, number: usize| {
            let both = resolution.rekeys.get(&at).copied().unwrap_or([resolution.net_of[at]; 2]);
            both.contains(&number) && !attribution.is_left_out(at)
        };
        let expired = resolution.nets.iter().enumerate().filter(|(_, net)| self.is_referred_to && net.expired);
        let moved = expired.filter_map(|(number, net)| {
            let first = (net.first()..operations.len()).find(|at| touches(*at, number))?;
            Some((operations[first].position, Moved { key: net.key(operations).0.clone(), to: None }))
        });
        moved.collect()
    }

    /// Applies the operation at a place. Adds the keys that it has taken away.
    pub(super) fn resolve(&mut self, at: usize, moved: &mut Vec<Moved>) {
        let Staged { table, operations, resolution, attribution, counts, .. } = &mut self.staged;
        let operation = &operations[at];
        if attribution.is_left_out(at) {
            return;
        }
        let lives_on = operation.given.is_none_or(|given| given.lifetime == Lifetime::Forever);
        if let (Some(edge), false) = (&self.restricting, lives_on) {
            let (constraint, collection) = (edge.name.clone(), edge.of.to_string());
            let cause = Cause::IsReferredTo { constraint, collection, what: NO_LIFETIMES };
            return attribution.refuse(at, operation.refusal(table, cause));
        }
        let before = resolution.nets.len();
        let resolved = resolution.resolve_one(table, operations, at, &mut None);
        let touched: SmallVec<[usize; 2]> = match (&operation.target, resolved) {
            (_, Err(refusal)) => {
                attribution.refuse(at, refusal);
                SmallVec::new()
            }
            (_, Ok(_)) if operation.by_reference => SmallVec::new(),
            (target, Ok(outcome)) => {
                counts.add(outcome);
                attribution.did(at, outcome);
                let key = |number: usize| resolution.nets[number].key(operations).0.clone();
                let touched: SmallVec<[usize; 2]> = match target {
                    Target::Key { .. } => SmallVec::from_slice(&[resolution.net_of[at]]),
                    Target::Rekey(_) => SmallVec::from(resolution.rekeys[&at]),
                    Target::Where(_) => {
                        resolution.by_filter.last().map(|(_, nets)| nets.clone()).unwrap_or_default().into()
                    }
                };
                match (target, outcome) {
                    (Target::Rekey(_), _) => {
                        moved.push(Moved { key: key(touched[0]), to: Some(key(touched[1])) });
                    }
                    (_, Outcome::Deleted | Outcome::DeletedWhere(_)) => {
                        moved.extend(touched.iter().map(|net| Moved { key: key(*net), to: None }));
                    }
                    _ => {}
                }
                touched
            }
        };
        self.note_rows(before);
        touched.into_iter().for_each(|number| self.note(number));
    }

    /// Has the records that refer to a key do what the reference demands. Adds the keys that it has taken away. Returns how many records it
    /// was.
    pub(super) fn follow(&mut self, edge: &Arc<Edge>, of: &Moved, because: Because, moved: &mut Vec<Moved>) -> usize {
        let Some(edge) = self.edges.iter().position(|(own, _)| Arc::ptr_eq(own, edge)) else { return 0 };
        let table = self.staged.table;
        let follow = |edge: &Arc<Edge>| Follow::new(table, edge, &of.key, of.to.as_ref());
        if follow(&self.edges[edge].0).is_none() {
            return 0;
        }
        let nets = match self.now_referring(edge, &of.key) {
            Ok(nets) => nets,
            Err(cause) => {
                let refusal = Refusal::new("commit", &self.staged.table.name, cause).at(because.position);
                self.failed.push((because.position, refusal));
                return 0;
            }
        };
        let mut followed = 0;
        for number in nets {
            let Staged { table, operations, resolution, attribution, .. } = &mut self.staged;
            let Some(follow) = follow(&self.edges[edge].0) else { break };
            let at = operations.len();
            let (key, hash) = match &resolution.nets[number].old {
                Some(old) => (old.key.clone(), old.hash),
                None => {
                    let (key, hash) = resolution.nets[number].key(operations);
                    (key.clone(), hash)
                }
            };
            operations.push(Operation::of_reference(because.position, key.clone(), hash, Action::Follow(follow)));
            resolution.net_of.push(number);
            self.order.push((u8::from(!because.before_all), because.position));
            match resolution.effect_on_key(table, operations, at, number) {
                Ok(effect) => {
                    let outcome = Outcome::from(&effect);
                    resolution.put(number, at, effect);
                    followed += usize::from(outcome != Outcome::Missing);
                    moved.extend((outcome == Outcome::Deleted).then_some(Moved { key, to: None }));
                }
                Err(cause) => attribution.refuse(at, operations[at].refusal(table, cause)),
            }
            self.note(number);
        }
        self.staged.counts.cascaded += followed;
        followed
    }

    /// Judges the net changes by themselves, once all operations are resolved. Returns `false` if it must begin again.
    pub(super) fn complete(&mut self) -> Result<bool, Refusal> {
        if !self.options.lenient && !self.failed.is_empty() {
            let (_, refusal) = self.failed.remove(0);
            return Err(refusal);
        }
        self.put_in_order();
        let cascaded = self.staged.counts.cascaded;
        self.staged.complete(self.gathered)?;
        // Each judgement counts from zero.
        self.staged.counts.cascaded = cascaded;
        let Staged { operations, resolution, .. } = &self.staged;
        let taken_back = resolution.taken_back(operations).map(|(key, at)| (key.clone(), Standing::Gone(at)));
        let left = resolution.nets.iter().map(|net| {
            let standing = match net.result(operations) {
                Some(_) => Standing::Present,
                None => Standing::Gone(net.maker().map_or(net.first(), |at| at as usize)),
            };
            (net.key(operations).0.clone(), standing)
        });
        self.standing = taken_back.chain(left).collect();
        self.named.clear();
        let kept = operations.iter().enumerate().filter(|(at, _)| !self.staged.attribution.is_left_out(*at));
        for (_, operation) in kept.filter(|_| self.options.lenient) {
            for (key, _) in [Named::First, Named::Second].into_iter().filter_map(|which| operation.named(which)) {
                *self.named.entry(key.clone()).or_default() += 1;
            }
        }
        self.rows = Rows::new();
        self.note_rows(0);
        Ok(self.staged.to_expire.as_ref().is_none_or(Vec::is_empty))
    }

    /// Takes the refusals, with their positions, that are final or because of a reference: those operations must be excluded.
    pub(super) fn take_exclusions(&mut self) -> Vec<(usize, Refusal)> {
        let Staged { operations, attribution, .. } = &mut self.staged;
        let refused: Vec<usize> = attribution.refused().filter(|at| operations[*at].by_reference).collect();
        refused.into_iter().for_each(|at| attribution.keep_out(at));
        let taken = attribution.take_final_refusals().into_iter();
        self.failed.drain(..).chain(taken.map(|(at, refusal)| (operations[at].position, refusal))).collect()
    }

    /// Adds what the net records refer to.
    pub(super) fn referring(&self, edge: &Edge, found: &mut Vec<Referring>) {
        let Staged { table, operations, resolution, .. } = &self.staged;
        for (net, of) in resolution.nets.iter().enumerate() {
            let Some(record) = of.result(operations) else { continue };
            // What panics here has been refused by the index of the reference.
            let keys = user_code::run(|| edge.keys(&table.seed, record)).unwrap_or_default();
            found.extend(keys.into_iter().map(|(key, hash)| Referring { net, key, hash }));
        }
    }

    /// The operation since which a net record refers to a key; `None` if it did so before the batch.
    pub(super) fn since(&mut self, edge: &Edge, of: &Referring) -> Option<usize> {
        let Staged { table, operations, resolution, .. } = &mut self.staged;
        let refers = |record: &dyn AnyVersion| {
            let keys = user_code::run(|| edge.keys(&table.seed, record)).unwrap_or_default();
            keys.iter().any(|(key, _)| *key == of.key)
        };
        let net = &resolution.nets[of.net];
        let before = net.old.as_deref().filter(|old| !net.expired && !old.is_tombstone());
        if before.is_some_and(refers) {
            return None;
        }
        if !std::mem::replace(&mut self.is_unfolded, true) {
            // An edit that can't be repeated leaves an operation after it at fault.
            let _ = resolution.unfold(table, operations);
        }
        Some(resolution.since(of.net, operations, refers) as usize)
    }

    /// The net changes that each operation touches.
    pub(super) fn touched(&self) -> Vec<Touched> {
        let Staged { operations, resolution, .. } = &self.staged;
        let of_filter: HashMap<usize, &Vec<usize>> =
            resolution.by_filter.iter().map(|(at, nets)| (*at, nets)).collect();
        let touched = operations.iter().enumerate().map(|(at, operation)| {
            let nets = match &operation.target {
                Target::Key { .. } => SmallVec::from_slice(&[resolution.net_of[at]]),
                Target::Rekey(_) => SmallVec::from(resolution.rekeys[&at]),
                Target::Where(_) => of_filter.get(&at).copied().into_iter().flatten().copied().collect(),
            };
            let selects_all = matches!(&operation.target, Target::Where(of) if of.ranking.is_none());
            Touched { position: operation.position, nets, depends: !selects_all && !operation.by_reference }
        });
        touched.collect()
    }

    pub(super) fn standing(&self, key: &Key) -> Standing {
        self.standing.get(key).copied().unwrap_or(Standing::Untouched)
    }

    /// The keys whose records the batch takes away, with the operation, and whether that moves the record.
    pub(super) fn taken_away(&self) -> Vec<(Key, usize, bool)> {
        let Staged { operations, resolution, .. } = &self.staged;
        let gone = resolution.nets.iter().filter(|net| net.begin().is_some() && net.result(operations).is_none());
        let told = gone.map(|net| {
            let at = net.maker().map_or(net.first(), |at| at as usize);
            (net.key(operations).0.clone(), at, matches!(operations[at].target, Target::Rekey(_)))
        });
        told.collect()
    }

    /// A record that refers to a key and that the batch does not change.
    pub(super) fn unchanged_referring(&mut self, edge: &Edge, key: &Key) -> Result<Option<Key>, Refusal> {
        let committed = self.committed(edge, key);
        let mut committed = committed.map_err(|cause| Refusal::new("commit", &self.staged.table.name, cause))?;
        self.staged.resolution.phantoms.locate(self.staged.table, &mut committed);
        Ok(committed.iter().find(|old| self.rows.find(old.row).is_none()).map(|old| old.key.clone()))
    }

    /// If the operation has made the record of a net change, there was none before, and no other operation could make one: its key.
    pub(super) fn made_by(&self, net: usize, at: usize) -> Option<Key> {
        let of = &self.staged.resolution.nets[net];
        let is_new = of.begin().is_none() || of.expired;
        let is_made = of.maker() == Some(at as u32) && of.step == NO_STEP;
        let key = of.key(self.staged.operations).0;
        (is_new && is_made && self.named.get(key) == Some(&1)).then(|| key.clone())
    }

    pub(super) fn position(&self, at: usize) -> usize {
        self.staged.operations[at].position
    }

    pub(super) fn refusal(&self, at: usize, key: Option<&Key>, cause: Cause) -> Refusal {
        self.staged.operations[at].refusal_at(self.staged.table, key, cause)
    }

    pub(super) fn key(&self, net: usize) -> &Key {
        self.staged.resolution.nets[net].key(self.staged.operations).0
    }

    /// Ends the judgement: excludes the operations with these refusals. `None` if the commit does not concern the collection.
    pub(super) fn into_staged(mut self, excluded: &mut BTreeMap<usize, Refusal>) -> Option<Staged<'a>> {
        let Staged { operations, attribution, .. } = &mut self.staged;
        for (at, operation) in operations.iter().enumerate().filter(|(_, operation)| !operation.by_reference) {
            if let Some(refusal) = excluded.remove(&operation.position) {
                attribution.refuse(at, refusal);
            }
        }
        let concerns = !self.staged.resolution.nets.is_empty() || !self.staged.operations.is_empty();
        concerns.then_some(self.staged)
    }
}

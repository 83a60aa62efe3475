//! The judgement of references: by what the whole batch leaves of all collections.
//!
//! A record may not refer to a key without a record. Of the operation that had it refer there, and the one that took the other record away, the
//! later one is at fault. A reference that was there before the batch, to a record that was missing before it, is nobody's fault.

use super::linked::Linked;
use super::moved::{Referring, Standing};
use crate::clock::Timestamp;
use crate::error::{Cause, Refusal};
use crate::storage::{Edge, Engine};
use crate::sync::Arc;
use memdex_query::value::Key;
use std::collections::{BTreeMap, HashMap, HashSet};

/// All that is at fault in one pass.
pub(super) struct Faults {
    faults: Vec<Fault>,
    /// What the records of the batch refer to, by reference: the member, and each record.
    referring: Vec<(usize, usize, Referring)>,
}

struct Fault {
    /// The position of the operation at fault.
    position: usize,
    /// That of the other operation without which there were no fault.
    other: Option<usize>,
    refusal: Refusal,
    /// The record that refers, if its operation is at fault: its member, its net change, and the operation.
    child: Option<(usize, usize, usize)>,
}

type Members<'a> = [Linked<'a>];

/// Finds all faults. The error is that of user code.
pub(super) fn find(
    edges: &[Arc<Edge>],
    members: &mut Members<'_>,
    engine: &Engine,
    time: Timestamp,
) -> Result<Faults, Refusal> {
    let (mut faults, mut known) = (Vec::new(), Vec::new());
    for (number, edge) in edges.iter().enumerate() {
        let Some(child) = member(members, &edge.of) else { continue };
        let (parent, table) = (member(members, &edge.to), engine.table(&edge.to));
        let mut referring = Vec::new();
        members[child].referring(edge, &mut referring);
        for of in referring {
            let gone = match parent.map_or(Standing::Untouched, |parent| members[parent].standing(&of.key)) {
                Standing::Gone(at) => parent.map(|parent| (parent, at)),
                Standing::Untouched if !table.as_ref().is_some_and(|to| to.has_key(&of.key, of.hash, time)) => None,
                Standing::Untouched | Standing::Present => {
                    known.push((number, child, of));
                    continue;
                }
            };
            let since = members[child].since(edge, &of);
            let since = since.map(|at| (at, members[child].position(at)));
            let gone = gone.map(|(parent, at)| (parent, at, members[parent].position(at)));
            match (since, gone) {
                (None, None) => {}
                (Some((at, position)), gone) if gone.is_none_or(|(.., taken)| position >= taken) => {
                    let other = gone.map(|(.., taken)| taken).filter(|taken| *taken != position);
                    let refusal = missing(members, edge, (child, at), &of);
                    faults.push(Fault { position, other, refusal, child: Some((child, of.net, at)) });
                }
                (since, Some((parent, at, position))) => {
                    let referring = members[child].key(of.net).clone();
                    let refusal = still_referred(members, edge, (parent, at), (&of.key, referring));
                    faults.push(Fault { position, other: since.map(|(_, at)| at), refusal, child: None });
                }
                (Some(_), None) => unreachable!("the arm above has it"),
            }
        }
    }
    for parent in 0..members.len() {
        for (key, at, moves) in members[parent].taken_away() {
            for edge in edges {
                // Of the others, those that referred to the key have been changed.
                if *edge.to != *members[parent].collection() || !edge.restricts(moves) {
                    continue;
                }
                let Some(child) = member(members, &edge.of) else { continue };
                if let Some(referring) = members[child].unchanged_referring(edge, &key)? {
                    let position = members[parent].position(at);
                    let refusal = still_referred(members, edge, (parent, at), (&key, referring));
                    faults.push(Fault { position, other: None, refusal, child: None });
                }
            }
        }
    }
    faults.sort_by_key(|fault| fault.position);
    Ok(Faults { faults, referring: known })
}

fn member(members: &Members<'_>, collection: &str) -> Option<usize> {
    members.iter().position(|member| *member.collection() == *collection)
}

fn missing(members: &Members<'_>, edge: &Edge, (child, at): (usize, usize), of: &Referring) -> Refusal {
    let (constraint, collection) = (edge.name.clone(), edge.to.to_string());
    let cause = Cause::ParentMissing { constraint, collection, key: of.key.clone() };
    members[child].refusal(at, Some(members[child].key(of.net)), cause)
}

fn still_referred(members: &Members<'_>, edge: &Edge, (parent, at): (usize, usize), (to, key): (&Key, Key)) -> Refusal {
    let cause = Cause::StillReferred { constraint: edge.name.clone(), collection: edge.of.to_string(), key };
    members[parent].refusal(at, Some(to), cause)
}

/// The net changes, by member, that may be others without the operations that are excluded.
struct Changing {
    changed: HashSet<(usize, usize)>,
    /// All that the operation at a position touches.
    touched: HashMap<usize, Vec<(usize, usize)>>,
    /// The positions of the operations that depend on a net change.
    dependent: HashMap<(usize, usize), Vec<usize>>,
}

impl Changing {
    fn new(members: &Members<'_>) -> Self {
        let (changed, mut touched, mut dependent) = (HashSet::new(), HashMap::new(), HashMap::new());
        for (number, member) in members.iter().enumerate() {
            for of in member.touched() {
                let nets = of.nets.iter().map(|net| (number, *net));
                touched.entry(of.position).or_insert_with(Vec::new).extend(nets.clone());
                nets.filter(|_| of.depends)
                    .for_each(|net| dependent.entry(net).or_insert_with(Vec::new).push(of.position));
            }
        }
        Changing { changed, touched, dependent }
    }

    /// Whether the operation at a position may do something else.
    fn concerns(&self, position: usize) -> bool {
        let nets = self.touched.get(&position);
        nets.is_some_and(|nets| nets.iter().any(|net| self.changed.contains(net)))
    }

    /// Notes that the operation at a position is excluded.
    fn without(&mut self, position: usize) {
        let mut left = vec![position];
        while let Some(position) = left.pop() {
            for net in self.touched.get(&position).into_iter().flatten() {
                if self.changed.insert(*net) {
                    left.extend(self.dependent.get(net).into_iter().flatten());
                }
            }
        }
    }
}

impl Faults {
    /// The first operation at fault.
    pub(super) fn into_first(self) -> Vec<(usize, Refusal)> {
        self.faults.into_iter().take(1).map(|fault| (fault.position, fault.refusal)).collect()
    }

    /// The operations at fault, and those that refer to a record which one of them would have made. A fault that is one only because of
    /// another of them is left for the next pass.
    pub(super) fn exclude(self, edges: &[Arc<Edge>], members: &mut Members<'_>) -> Vec<(usize, Refusal)> {
        if self.faults.is_empty() {
            return Vec::new();
        }
        let mut excluded: BTreeMap<usize, Refusal> = BTreeMap::new();
        let mut by_key: HashMap<(usize, Key), Vec<usize>> = HashMap::new();
        for (at, (edge, _, of)) in self.referring.iter().enumerate() {
            let Some(parent) = member(members, &edges[*edge].to) else { continue };
            by_key.entry((parent, of.key.clone())).or_default().push(at);
        }
        let mut changing = Changing::new(members);
        for Fault { position, other, refusal, child } in self.faults {
            // Without an earlier operation, this one may do something else.
            if changing.concerns(position) {
                continue;
            }
            if excluded.contains_key(&position) || other.is_some_and(|other| excluded.contains_key(&other)) {
                continue;
            }
            excluded.insert(position, refusal);
            changing.without(position);
            let mut made: Vec<_> = child.into_iter().collect();
            while let Some((number, net, at)) = made.pop() {
                let Some(key) = members[number].made_by(net, at) else { continue };
                for resting in by_key.remove(&(number, key)).into_iter().flatten() {
                    let (edge, child, of) = &self.referring[resting];
                    let Some(at) = members[*child].since(&edges[*edge], of) else { continue };
                    let position = members[*child].position(at);
                    if excluded.contains_key(&position) || changing.concerns(position) {
                        continue;
                    }
                    excluded.insert(position, missing(members, &edges[*edge], (*child, at), of));
                    changing.without(position);
                    made.push((*child, of.net, at));
                }
            }
        }
        excluded.into_iter().collect()
    }
}

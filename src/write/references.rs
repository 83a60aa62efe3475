//! A commit over collections that refer to each other.
//!
//! The operations of all these collections are resolved in their order. What a reference does to other records when one is deleted, or
//! moves to another key, happens in the place of the operation that does it, before the operations behind it; it may reach collections of
//! which the batch has no operation. Then each collection is judged by itself, as ever. Last, the references are judged by what the whole
//! batch leaves: each record that refers to a key, and each key that is gone.
//!
//! A lenient commit excludes the operations at fault, with those that rest on them, and begins again without them.

use super::attribution::CommitOptions;
use super::linked::Linked;
use super::moved::{Because, Moved};
use super::operations::Operations;
use super::reference_faults::find;
use super::stage::Staged;
use crate::clock::Timestamp;
use crate::error::{Cause, Refusal};
use crate::limits::MAX_CASCADED;
use crate::storage::{Edge, Engine};
use crate::sync::Arc;
use memdex_query::schema::OnDelete;
use smallvec::SmallVec;
use std::collections::{BTreeMap, HashSet, VecDeque};

/// The references of a store, for a commit that concerns some of them.
pub(super) struct Graph {
    edges: Arc<[Arc<Edge>]>,
}

type Members<'a> = Vec<Linked<'a>>;
type StagedParts<'a> = SmallVec<[Staged<'a>; 2]>;

/// With which other submissions one may share a commit, so that none can notice the other by a reference.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Sharing {
    /// It touches no collection with references.
    #[default]
    Any,
    /// Of those that touch such collections, with others that touch this one only.
    Of(String),
    /// With none that touches such a collection.
    Alone,
}

impl Sharing {
    /// Those of a batch.
    pub(super) fn new(engine: &Engine, parts: &[Operations]) -> Self {
        let Some(graph) = Graph::of(engine, parts) else { return Sharing::Any };
        let mut touched = parts.iter().filter(|part| part.len() > 0 && graph.concerns(part.collection()));
        let (Some(part), None) = (touched.next(), touched.next()) else { return Sharing::Alone };
        let refers = graph.edges.iter().any(|edge| *edge.of == *part.collection());
        let is_referred_to = graph.edges.iter().any(|edge| *edge.to == *part.collection());
        match (refers, is_referred_to) {
            (true, true) => Sharing::Alone,
            (false, true) if part.removes() => Sharing::Alone,
            _ => Sharing::Of(part.collection().to_owned()),
        }
    }

    /// Adds another one, if they may share a commit.
    pub(super) fn add(&mut self, other: Sharing) -> bool {
        match (&*self, &other) {
            (_, Sharing::Any) => {}
            (Sharing::Any, _) => *self = other,
            (Sharing::Of(one), Sharing::Of(other)) if one == other => {}
            _ => return false,
        }
        true
    }
}

impl Graph {
    /// `None` if the commit concerns no reference.
    pub(super) fn of(engine: &Engine, parts: &[Operations]) -> Option<Self> {
        if !engine.links.any() {
            return None;
        }
        let graph = Graph { edges: engine.links.edges() };
        parts.iter().any(|part| part.len() > 0 && graph.concerns(part.collection())).then_some(graph)
    }

    fn concerns(&self, collection: &str) -> bool {
        self.edges.iter().any(|edge| *edge.of == *collection || *edge.to == *collection)
    }

    /// Parts without operations, of the other collections whose records refer to some that may be taken away.
    pub(super) fn pull_in(&self, engine: &Arc<Engine>, parts: &[Operations]) -> Vec<Operations> {
        let present: HashSet<&str> = parts.iter().filter(|part| part.len() > 0).map(|part| part.collection()).collect();
        let removing = parts.iter().filter(|part| part.len() > 0 && part.removes()).map(|part| part.collection());
        let mut losing: Vec<&str> = removing.collect();
        let (mut pulled, mut at) = (Vec::new(), 0);
        while let Some(collection) = losing.get(at).copied() {
            at += 1;
            for edge in self.edges.iter().filter(|edge| *edge.to == *collection) {
                if edge.on_delete == OnDelete::Cascade && !losing.contains(&&*edge.of) {
                    losing.push(&edge.of);
                }
                if !present.contains(&*edge.of) && !pulled.contains(&&*edge.of) {
                    pulled.push(&*edge.of);
                }
            }
        }
        let table = |name: &str| Some(engine.find(name).ok().flatten()?.table);
        pulled.into_iter().filter_map(table).map(Operations::new).collect()
    }

    /// Stages parts that have operations or were pulled in. The error has a refusal of each part at fault.
    pub(super) fn stage<'p>(
        &self,
        engine: &Arc<Engine>,
        parts: impl Iterator<Item = &'p mut Operations>,
        options: CommitOptions,
        time: Timestamp,
    ) -> Result<StagedParts<'p>, Vec<Refusal>> {
        let (mut members, mut staged, mut refusals) = (Members::new(), StagedParts::new(), Vec::<Refusal>::new());
        let mut removes = false;
        for part in parts {
            if !self.concerns(part.collection()) {
                part.stage(options, time).map_or_else(|refusal| refusals.push(refusal), |part| staged.push(part));
                continue;
            }
            removes |= part.removes();
            let member = part.link(engine, &self.edges, options, time);
            member.map_or_else(|refusal| refusals.push(refusal), |member| members.push(member));
        }
        let mut excluded = BTreeMap::new();
        loop {
            members.iter_mut().for_each(|member| member.begin(&|position| excluded.contains_key(&position)));
            // References are judged if nothing else is at fault.
            let found = self.pass(&mut members, options, removes).and_then(|()| match refusals.is_empty() {
                true => self.judge(engine, &mut members, options, time),
                false => Ok(()),
            });
            match found {
                Err(Again::Refused(more)) => refusals.extend(more),
                Err(Again::Without(more)) if options.lenient => {
                    debug_assert!(more.iter().any(|(position, _)| !excluded.contains_key(position)));
                    for (position, refusal) in more {
                        excluded.entry(position).or_insert(refusal);
                    }
                    continue;
                }
                Err(Again::Without(more)) => refusals.extend(more.into_iter().map(|(_, refusal)| refusal)),
                Err(Again::Expired) => continue,
                Ok(()) => {}
            }
            break;
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        staged.extend(members.into_iter().filter_map(|member| member.into_staged(&mut excluded)));
        Ok(staged)
    }

    /// Resolves the operations of all members, and has each judge what it is left.
    fn pass(&self, members: &mut Members<'_>, options: CommitOptions, removes: bool) -> Result<(), Again> {
        self.resolve(members)?;
        let (mut refused, mut expired) = (Vec::new(), false);
        for member in members.iter_mut() {
            match member.complete() {
                Ok(complete) => expired |= !complete,
                Err(refusal) => refused.push(refusal),
            }
        }
        if !refused.is_empty() {
            return Err(Again::Refused(refused));
        }
        if expired {
            return Err(Again::Expired);
        }
        if options.lenient && removes {
            // Without these, references would have done something else.
            let exclusions: Vec<_> = members.iter_mut().flat_map(|member| member.take_exclusions()).collect();
            if !exclusions.is_empty() {
                return Err(Again::Without(exclusions));
            }
        }
        Ok(())
    }

    /// Judges the references by what the batch leaves of all collections.
    fn judge(
        &self,
        engine: &Engine,
        members: &mut Members<'_>,
        options: CommitOptions,
        time: Timestamp,
    ) -> Result<(), Again> {
        let faults = find(&self.edges, members, engine, time).map_err(|refusal| Again::Refused(vec![refusal]))?;
        match options.lenient {
            true => {
                let at_fault = faults.exclude(&self.edges, members);
                // What was left out before stays so: it was judged with these.
                let before =
                    members.iter_mut().filter(|_| !at_fault.is_empty()).flat_map(|member| member.take_exclusions());
                let before: Vec<_> = before.collect();
                Again::without(before.into_iter().chain(at_fault).collect())
            }
            false => Again::without(faults.into_first()),
        }
    }

    /// Resolves the operations of all members in their order.
    fn resolve(&self, members: &mut Members<'_>) -> Result<(), Again> {
        let mut left = MAX_CASCADED;
        let mut queue = VecDeque::new();
        for (number, member) in members.iter().enumerate() {
            let expired = member.expired().into_iter();
            queue.extend(expired.map(|(position, moved)| (number, moved, Because { position, before_all: true })));
        }
        self.follow(members, &mut queue, &mut left)?;
        let mut operations = Vec::new();
        for (number, member) in members.iter().enumerate() {
            let positions = member.positions().into_iter().enumerate();
            operations.extend(positions.map(|(at, position)| (position, number, at)));
        }
        operations.sort_unstable();
        let mut moved = Vec::new();
        for (position, number, at) in operations {
            members[number].resolve(at, &mut moved);
            let because = Because { position, before_all: false };
            queue.extend(moved.drain(..).map(|moved| (number, moved, because)));
            self.follow(members, &mut queue, &mut left)?;
        }
        Ok(())
    }

    /// Follows all references to keys whose records were taken away, and to those that are taken away for that.
    fn follow(
        &self,
        members: &mut Members<'_>,
        queue: &mut VecDeque<(usize, Moved, Because)>,
        left: &mut usize,
    ) -> Result<(), Again> {
        let mut moved = Vec::new();
        while let Some((number, of, because)) = queue.pop_front() {
            for edge in self.edges.iter() {
                if *edge.to != *members[number].collection() {
                    continue;
                }
                let Some(child) = members.iter().position(|member| *member.collection() == *edge.of) else { continue };
                let followed = members[child].follow(edge, &of, because, &mut moved);
                queue.extend(moved.drain(..).map(|moved| (child, moved, because)));
                let Some(rest) = left.checked_sub(followed) else {
                    let cause = Cause::TooManyCascaded { limit: MAX_CASCADED };
                    let refusal = Refusal::new("commit", &edge.of, cause).at(because.position);
                    return Err(Again::Without(vec![(because.position, refusal)]));
                };
                *left = rest;
            }
        }
        Ok(())
    }
}

/// Why a pass was not the last one.
enum Again {
    /// The commit is refused.
    Refused(Vec<Refusal>),
    /// These operations are at fault, by position.
    Without(Vec<(usize, Refusal)>),
    /// Records are to expire first.
    Expired,
}

impl Again {
    fn without(at_fault: Vec<(usize, Refusal)>) -> Result<(), Self> {
        if at_fault.is_empty() { Ok(()) } else { Err(Again::Without(at_fault)) }
    }
}

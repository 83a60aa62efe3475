//! The committer's memory: groups by number, what their records have accumulated, and the values that have numbers.

use super::super::changes::{ABSENT, Move, Moves, NEW, NULL, SCRATCH_KEPT, StagedRefs};
use super::super::slab::Slab;
use super::interned::{Interned, NewValues};
use super::layout::{self, How};
use super::materialized::GroupChange;
use super::plan::{AggregatePlan, Extracted, GroupKey};
use super::tally::{LevelPlan, Tally};
use crate::error::Cause;
use crate::hash::{self, RandomState, spread};
use crate::record::{Bucketer, FieldSource};
use crate::sync::Arc;
use hashbrown::HashTable;
use memdex_query::value::{Value, ValueRef, narrow_bits, value_of_bits};

pub(super) struct Groups {
    pub(super) total: Tally,
    /// Whether the batch has changed it.
    total_touched: bool,
    pub(super) groups: Slab<Group>,
    pub(super) by_key: HashTable<u32>,
    /// Groups that the batch has changed, some that are empty now among them.
    touched: Vec<u32>,
    /// One for each field of numbered values.
    pub(super) interned: Vec<Interned>,
    /// Numbers of values that lost their last row in this batch, with the place of their field.
    left: Vec<(usize, u32)>,
    /// The memory of a group without its sets, and that of the sets of all groups.
    group_bytes: usize,
    set_bytes: usize,
    seed: RandomState,
}

pub(super) struct Group {
    pub(super) key: Arc<GroupKey>,
    /// The key as answers show it.
    name: Arc<[Value]>,
    hash: u32,
    pub(super) tally: Tally,
    touched: bool,
}

/// The new entries of a batch.
pub(super) struct NewEntries {
    bucketers: Vec<Bucketer>,
    groups: Vec<(u32, GroupKey)>,
    by_hash: HashTable<u32>,
    /// The numbers that were given out.
    admitted: Vec<u32>,
    values: Vec<NewValues>,
}

impl NewEntries {
    pub(super) fn new(plan: &AggregatePlan) -> Self {
        let values = (0..plan.layout.interned).map(|_| NewValues::default()).collect();
        let (groups, by_hash, admitted) = (Vec::new(), HashTable::new(), Vec::new());
        NewEntries { bucketers: plan.bucketers(), groups, by_hash, admitted, values }
    }

    pub(super) fn clear(&mut self) {
        self.groups.clear();
        self.groups.shrink_to(SCRATCH_KEPT);
        self.by_hash.clear();
        self.by_hash.shrink_to(SCRATCH_KEPT, |_| 0);
        self.admitted.clear();
        self.admitted.shrink_to(SCRATCH_KEPT);
        self.values.iter_mut().for_each(NewValues::clear);
    }

    /// The contribution of a record; `None` if the condition is false. Runs its extractors. A value that can't be stored is a refusal.
    pub(super) fn extract<'a>(
        &mut self,
        plan: &AggregatePlan,
        record: &'a dyn FieldSource,
    ) -> Result<Option<Extracted<'a>>, Cause> {
        let Some(extracted) = plan.extract(&mut self.bucketers, record) else { return Ok(None) };
        plan.check(&extracted)?;
        Ok(Some(extracted))
    }

    /// The provisional number of a group.
    fn group(&mut self, hash: u32, key: &[ValueRef<'_>]) -> u32 {
        let NewEntries { groups, by_hash, .. } = self;
        if let Some(at) =
            by_hash.find(spread(hash), |at| groups[*at as usize].0 == hash && is(&groups[*at as usize].1, key))
        {
            return NEW | *at;
        }
        let at = groups.len() as u32;
        groups.push((hash, key.iter().map(|part| part.to_value()).collect()));
        by_hash.insert_unique(spread(hash), at, |at| spread(groups[*at as usize].0));
        NEW | at
    }
}

/// A key behind two counts.
const GROUP_BYTES: usize = 16 + size_of::<GroupKey>();

pub(super) fn is(known: &GroupKey, key: &[ValueRef<'_>]) -> bool {
    known.len() == key.len() && known.iter().zip(key).all(|(known, part)| known.as_ref() == *part)
}

pub(super) fn is_group(word: u32) -> bool {
    word != NULL && word != ABSENT
}

impl Groups {
    pub(super) fn new(plan: &AggregatePlan, seed: RandomState) -> Self {
        Groups {
            total: Tally::new(&plan.total),
            // So that there are results from the start.
            total_touched: true,
            groups: Slab::new(|_| 0),
            by_key: HashTable::new(),
            touched: Vec::new(),
            interned: (0..plan.layout.interned).map(|_| Interned::new()).collect(),
            left: Vec::new(),
            group_bytes: GROUP_BYTES + plan.within.tally_bytes(),
            set_bytes: 0,
            seed,
        }
    }

    /// Writes a row's back references to `new`, which is zero. `old` are those that it has now, if it has a record.
    pub(super) fn stage(
        &self,
        plan: &AggregatePlan,
        staging: &mut NewEntries,
        extracted: Option<&Extracted<'_>>,
        old: Option<&[u32]>,
        new: &mut [u32],
    ) {
        let Some(Extracted { key, values }) = extracted else { return new[0] = ABSENT };
        let old = old.filter(|old| old[0] != ABSENT);
        new[0] = match key {
            None => NULL,
            Some(key) => self.group_of(staging, key, old.map(|old| old[0])),
        };
        for (place, kept) in plan.layout.kept.iter().enumerate() {
            let value = values[kept.field];
            if value.is_null() {
                continue;
            }
            layout::set(new, place);
            match kept.how {
                How::Presence => {}
                How::Bits { at, .. } => {
                    let bits = narrow_bits(value).unwrap_or(0);
                    (new[at], new[at + 1]) = ((bits >> 32) as u32, bits as u32);
                }
                How::Number { at, of } => {
                    let old = old.filter(|old| layout::has(old, place)).map(|old| old[at]);
                    new[at] = self.interned[of].stage(&mut staging.values[of], &self.seed, value, old);
                }
            }
        }
    }

    fn group_of(&self, staging: &mut NewEntries, key: &[ValueRef<'_>], old: Option<u32>) -> u32 {
        let has = |number: u32| self.groups.get(number).is_some_and(|group| is(&group.key, key));
        if let Some(old) = old.filter(|old| is_group(*old) && has(*old)) {
            return old;
        }
        let hash = (self.seed.hash_one(key) >> 32) as u32;
        match self.by_key.find(spread(hash), |number| has(*number)) {
            Some(known) => *known,
            None => staging.group(hash, key),
        }
    }

    /// Gives numbers to the groups and values that are new, and makes back references final.
    pub(super) fn admit(&mut self, plan: &AggregatePlan, staging: &mut NewEntries, refs: &mut StagedRefs<'_>) {
        let NewEntries { bucketers, groups, admitted, values, .. } = staging;
        for (hash, key) in groups.drain(..) {
            let name = key.iter().zip(&mut *bucketers).map(|(part, bucketer)| bucketer.name(part)).collect();
            let group = Group { key: Arc::new(key), name, hash, tally: Tally::new(&plan.within), touched: false };
            let number = self.groups.insert(group);
            let groups = &self.groups;
            self.by_key.insert_unique(spread(hash), number, |number| hash_of(groups, *number));
            admitted.push(number);
        }
        self.interned.iter_mut().zip(&mut *values).for_each(|(interned, new)| interned.admit(new));
        let numbered = |kept: &layout::Kept| match kept.how {
            How::Number { at, of } => Some((at, of)),
            _ => None,
        };
        if admitted.is_empty() && self.interned.is_empty() {
            return;
        }
        for words in refs.new_refs().filter(|words| words[0] != ABSENT) {
            if words[0] & NEW != 0 {
                words[0] = admitted[(words[0] & !NEW) as usize];
            }
            for (at, of) in plan.layout.kept.iter().filter_map(numbered) {
                words[at] = values[of].admitted(words[at]);
            }
        }
    }

    /// Moves rows between groups, by their back references. Cannot fail.
    pub(super) fn apply(&mut self, plan: &AggregatePlan, moves: Moves<'_>) {
        for Move { old, new, .. } in moves.iter() {
            if old == new {
                continue;
            }
            let (old, new) = (old.filter(|old| old[0] != ABSENT), new.filter(|new| new[0] != ABSENT));
            self.count_values(plan, old, new);
            if plan.total.has_metrics() {
                self.total_touched = true;
                let mover = Mover { plan, level: &plan.total, interned: &self.interned };
                mover.shift(&mut self.total, old, new);
            }
            let group = |words: Option<&[u32]>| words.map(|words| words[0]).filter(|word| is_group(*word));
            let (from, to) = (group(old), group(new));
            if from == to {
                self.shift(plan, to, old, new);
            } else {
                self.shift(plan, from, old, None);
                self.shift(plan, to, None, new);
            }
        }
        for (of, number) in self.left.drain(..) {
            self.interned[of].free_if_unused(number);
        }
        self.left.shrink_to(SCRATCH_KEPT);
    }

    /// Values without a row are needed until all moves are made, and may have one again by then.
    fn count_values(&mut self, plan: &AggregatePlan, old: Option<&[u32]>, new: Option<&[u32]>) {
        for (place, kept) in plan.layout.kept.iter().enumerate() {
            let How::Number { at, of } = kept.how else { continue };
            let number = |words: Option<&[u32]>| words.filter(|words| layout::has(words, place)).map(|words| words[at]);
            let (old, new) = (number(old), number(new));
            if old != new {
                new.into_iter().for_each(|number| self.interned[of].join(number));
                if let Some(old) = old.filter(|old| self.interned[of].leave(*old)) {
                    self.left.push((of, old));
                }
            }
        }
    }

    fn shift(&mut self, plan: &AggregatePlan, group: Option<u32>, old: Option<&[u32]>, new: Option<&[u32]>) {
        let Some((number, group)) = group.and_then(|number| Some((number, self.groups.get_mut(number)?))) else {
            return;
        };
        if !group.touched {
            group.touched = true;
            self.touched.push(number);
        }
        let before = group.tally.set_bytes();
        Mover { plan, level: &plan.within, interned: &self.interned }.shift(&mut group.tally, old, new);
        self.set_bytes = self.set_bytes + group.tally.set_bytes() - before;
    }

    /// The changes since the last call. Frees the numbers of groups without records.
    pub(super) fn changes(&mut self, plan: &AggregatePlan) -> Vec<GroupChange> {
        let mut changes = Vec::with_capacity(self.touched.len() + 1);
        if std::mem::take(&mut self.total_touched) && plan.total.has_metrics() {
            changes.push(GroupChange { key: None, result: Some(self.total.finish(&plan.total)) });
        }
        for number in std::mem::take(&mut self.touched) {
            let Some(group) = self.groups.get_mut(number) else { continue };
            group.touched = false;
            let (key, hash) = (Some((group.key.clone(), group.name.clone())), group.hash);
            if group.tally.records > 0 {
                changes.push(GroupChange { key, result: Some(group.tally.finish(&plan.within)) });
                continue;
            }
            changes.push(GroupChange { key, result: None });
            if let Ok(entry) = self.by_key.find_entry(spread(hash), |known| *known == number) {
                entry.remove();
            }
            self.groups.free(number);
        }
        changes
    }

    /// O(fields).
    pub(super) fn heap_bytes(&self) -> usize {
        self.table_bytes() + self.set_bytes + self.interned.iter().map(Interned::heap_bytes).sum::<usize>()
    }

    /// The heap bytes, by a walk; for audits.
    pub(super) fn walk_bytes(&self) -> usize {
        let sets: usize = self.groups.iter().map(|group| group.tally.set_bytes()).sum();
        self.table_bytes() + sets + self.interned.iter().map(Interned::walk_bytes).sum::<usize>()
    }

    fn table_bytes(&self) -> usize {
        let groups = self.groups.heap_bytes() + self.by_key.len() * self.group_bytes + self.by_key.allocation_size();
        groups + self.total.set_bytes()
    }

    /// Gives unused memory back. Returns how many entries it moved, and one more.
    pub(super) fn shrink(&mut self) -> usize {
        self.groups.shrink();
        let groups = &self.groups;
        let moved = hash::shrink(&mut self.by_key, |number| hash_of(groups, *number));
        self.touched.shrink_to_fit();
        1 + moved + self.interned.iter_mut().map(Interned::shrink).sum::<usize>()
    }
}

fn hash_of(groups: &Slab<Group>, number: u32) -> u64 {
    groups.get(number).map_or(0, |group| spread(group.hash))
}

/// Moves one row in one group.
pub(super) struct Mover<'a> {
    pub(super) plan: &'a AggregatePlan,
    pub(super) level: &'a LevelPlan,
    pub(super) interned: &'a [Interned],
}

impl Mover<'_> {
    fn shift(&self, tally: &mut Tally, old: Option<&[u32]>, new: Option<&[u32]>) {
        match (old, new) {
            (None, Some(_)) => tally.records += 1,
            (Some(_), None) => tally.records -= 1,
            _ => {}
        }
        for (place, measured) in self.level.measured.iter().enumerate() {
            let value = |words: Option<&[u32]>| words.and_then(|words| self.value(measured.kept, words));
            let (old, new) = (value(old), value(new));
            if old != new {
                old.into_iter().for_each(|value| tally.remove(place, value));
                new.into_iter().for_each(|value| tally.add(place, value));
            }
        }
    }

    /// The value of a field, decoded from the back-references.
    pub(super) fn value(&self, place: usize, words: &[u32]) -> Option<ValueRef<'_>> {
        if !layout::has(words, place) {
            return None;
        }
        Some(match self.plan.layout.kept[place].how {
            // Any value will do: it is counted.
            How::Presence => ValueRef::Bool(true),
            How::Bits { at, kind } => {
                let bits = u64::from(words[at]) << 32 | u64::from(words[at + 1]);
                value_of_bits(kind, bits).unwrap_or(ValueRef::Null)
            }
            How::Number { at, of } => self.interned[of].get(words[at]),
        })
    }
}

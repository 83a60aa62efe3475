//! The committer's memory as an audit reads it.

use super::super::changes::{ABSENT, NULL};
use super::groups::{Groups, Mover, is, is_group};
use super::layout::{self, How};
use super::plan::{AggregatePlan, Extracted, GroupKey};
use super::tally::GroupResult;
use crate::record::{Bucketer, FieldSource};
use crate::value::ValueRef;

pub(super) struct Audit<'a> {
    memory: &'a Groups,
    plan: &'a AggregatePlan,
    bucketers: Vec<Bucketer>,
}

impl Groups {
    pub(super) fn audit<'a>(&'a self, plan: &'a AggregatePlan) -> Audit<'a> {
        Audit { memory: self, plan, bucketers: plan.bucketers() }
    }
}

impl Audit<'_> {
    /// Whether the back references of a row are those of its record. Runs its extractors.
    pub(super) fn remembers(&mut self, refs: &[u32], record: &dyn FieldSource) -> bool {
        let Some(Extracted { key, values }) = self.plan.extract(&mut self.bucketers, record) else {
            return refs[0] == ABSENT;
        };
        let group = self.memory.groups.get(refs[0]);
        let same_group = match &key {
            None => refs[0] == NULL,
            Some(key) => is_group(refs[0]) && group.is_some_and(|group| is(&group.key, key)),
        };
        let mover = Mover { plan: self.plan, level: &self.plan.total, interned: &self.memory.interned };
        let same = |(place, kept): (usize, &layout::Kept)| match (mover.value(place, refs), values[kept.field]) {
            (known, value) if kept.how == How::Presence => known.is_some() != value.is_null(),
            (known, value) => known.unwrap_or(ValueRef::Null) == value,
        };
        same_group && self.plan.layout.kept.iter().enumerate().all(same)
    }

    /// The results that the committer has now: of all records together, if the definition has any, and by the keys of the groups.
    pub(super) fn results(&self) -> (Option<GroupResult>, Vec<(&GroupKey, GroupResult)>) {
        let numbers = self.memory.by_key.iter();
        let groups = numbers.filter_map(|number| self.memory.groups.get(*number));
        let groups = groups.map(|group| (&*group.key, group.tally.finish(&self.plan.within)));
        let mut groups: Vec<_> = groups.collect();
        groups.sort_unstable_by_key(|(key, _)| *key);
        let total = self.plan.total.has_metrics().then(|| self.memory.total.finish(&self.plan.total));
        (total, groups)
    }

    /// Each number of a value, with the place of its field among those with numbered values, and the number of rows it counts.
    pub(super) fn counted(&self) -> Vec<((usize, u32), u32)> {
        let all = self.memory.interned.iter().enumerate();
        let mut counted: Vec<_> =
            all.flat_map(|(of, values)| values.iter().map(move |(number, rows)| ((of, number), rows))).collect();
        counted.sort_unstable();
        counted
    }

    /// The numbers of values in a row's back references, each with the place of its field among those with numbered values.
    pub(super) fn numbers<'w>(&'w self, refs: &'w [u32]) -> impl Iterator<Item = (usize, u32)> + 'w {
        let held = refs[0] != ABSENT;
        self.plan.layout.kept.iter().enumerate().filter_map(move |(place, kept)| match kept.how {
            How::Number { at, of } if held && layout::has(refs, place) => Some((of, refs[at])),
            _ => None,
        })
    }
}

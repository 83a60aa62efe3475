//! The committer's memory, as an audit sees it.

use super::super::changes::{ABSENT, NULL};
use super::groups::{Groups, Mover, is, is_group};
use super::layout::{self, How};
use super::plan::{AggregatePlan, Extracted, GroupKey};
use super::tally::GroupResult;
use crate::record::{Bucketer, FieldSource};
use memdex_query::value::ValueRef;

/// See the head of this file.
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
    /// Whether the words of a row are those of its record. Runs its extractors.
    pub(super) fn remembers(&mut self, words: &[u32], record: &dyn FieldSource) -> bool {
        let Some(Extracted { key, values }) = self.plan.extract(&mut self.bucketers, record) else {
            return words[0] == ABSENT;
        };
        let group = self.memory.groups.get(words[0]);
        let same_group = match &key {
            None => words[0] == NULL,
            Some(key) => is_group(words[0]) && group.is_some_and(|group| is(&group.key, key)),
        };
        let mover = Mover { plan: self.plan, level: &self.plan.total, interned: &self.memory.interned };
        let same = |(place, kept): (usize, &layout::Kept)| match (mover.value(place, words), values[kept.field]) {
            (known, value) if kept.how == How::Presence => known.is_some() != value.is_null(),
            (known, value) => known.unwrap_or(ValueRef::Null) == value,
        };
        same_group && self.plan.layout.kept.iter().enumerate().all(same)
    }

    /// The results that the committer would give now: of all records together, if any are requested, and by the keys of the groups.
    pub(super) fn results(&self) -> (Option<GroupResult>, Vec<(&GroupKey, GroupResult)>) {
        let numbers = self.memory.by_key.iter();
        let groups = numbers.filter_map(|number| self.memory.groups.get(*number));
        let groups = groups.map(|group| (&*group.key, group.tally.finish(&self.plan.within)));
        let mut groups: Vec<_> = groups.collect();
        groups.sort_unstable_by_key(|(key, _)| *key);
        let total = self.plan.total.has_metrics().then(|| self.memory.total.finish(&self.plan.total));
        (total, groups)
    }

    /// Each number of a value with the place of its field among those of numbered values, and how many rows it counts.
    pub(super) fn counted(&self) -> Vec<((usize, u32), u32)> {
        let all = self.memory.interned.iter().enumerate();
        let mut counted: Vec<_> =
            all.flat_map(|(of, values)| values.iter().map(move |(number, rows)| ((of, number), rows))).collect();
        counted.sort_unstable();
        counted
    }

    /// The numbers of values that a row's words name, each with the place of its field among those of numbered values.
    pub(super) fn numbers<'w>(&'w self, words: &'w [u32]) -> impl Iterator<Item = (usize, u32)> + 'w {
        let held = words[0] != ABSENT;
        self.plan.layout.kept.iter().enumerate().filter_map(move |(place, kept)| match kept.how {
            How::Number { at, of } if held && layout::has(words, place) => Some((of, words[at])),
            _ => None,
        })
    }
}

//! What an audit sees of the committer's memory.

use super::super::moves::{ABSENT, NULL};
use super::layout::{self, How};
use super::plan::{GroupKey, Held, Standing};
use super::statistics::{Mover, StandingWriter, is, is_group};
use super::tally::GroupFigures;
use crate::record::{Bucketer, Record};
use crate::value::ValueRef;

/// See the head of this file.
pub(crate) struct Audit<'a> {
    writer: &'a StandingWriter,
    standing: &'a Standing,
    cutters: Vec<Bucketer>,
}

impl StandingWriter {
    pub(crate) fn audit<'a>(&'a self, standing: &'a Standing) -> Audit<'a> {
        Audit { writer: self, standing, cutters: standing.cutters() }
    }
}

impl Audit<'_> {
    /// Whether the words of a row are those of its record. Runs its extractors.
    pub(crate) fn remembers<R: Record>(&mut self, words: &[u32], record: &R) -> bool {
        let Some(Held { key, values }) = self.standing.held(&mut self.cutters, record) else {
            return words[0] == ABSENT;
        };
        let group = self.writer.groups.get(words[0]);
        let same_group = match &key {
            None => words[0] == NULL,
            Some(key) => is_group(words[0]) && group.is_some_and(|group| is(&group.key, key)),
        };
        let mover = Mover { standing: self.standing, level: &self.standing.total, interned: &self.writer.interned };
        let same = |(place, kept): (usize, &layout::Kept)| match (mover.value(place, words), values[kept.field]) {
            (known, value) if kept.how == How::Presence => known.is_some() != value.is_null(),
            (known, value) => known.unwrap_or(ValueRef::Null) == value,
        };
        same_group && self.standing.layout.kept.iter().enumerate().all(same)
    }

    /// The figures that the committer would show now, of all records together, if any are asked for, and by the groups' keys.
    pub(crate) fn figures(&self) -> (Option<GroupFigures>, Vec<(&GroupKey, GroupFigures)>) {
        let numbers = self.writer.by_key.iter();
        let groups = numbers.filter_map(|number| self.writer.groups.get(*number));
        let groups = groups.map(|group| (&*group.key, group.tally.finish(&self.standing.within)));
        let mut groups: Vec<_> = groups.collect();
        groups.sort_unstable_by_key(|(key, _)| *key);
        let total = self.standing.total.has_metrics().then(|| self.writer.total.finish(&self.standing.total));
        (total, groups)
    }

    /// Each number of a value with the place of its field among those of numbered values, and how many rows it counts.
    pub(crate) fn counted(&self) -> Vec<((usize, u32), u32)> {
        let all = self.writer.interned.iter().enumerate();
        let mut counted: Vec<_> =
            all.flat_map(|(of, values)| values.iter().map(move |(number, rows)| ((of, number), rows))).collect();
        counted.sort_unstable();
        counted
    }

    /// The numbers of values that a row's words name, each with the place of its field among those of numbered values.
    pub(crate) fn numbers<'w>(&'w self, words: &'w [u32]) -> impl Iterator<Item = (usize, u32)> + 'w {
        let held = words[0] != ABSENT;
        self.standing.layout.kept.iter().enumerate().filter_map(move |(place, kept)| match kept.how {
            How::Number { at, of } if held && layout::has(words, place) => Some((of, words[at])),
            _ => None,
        })
    }
}

//! The same figures from the records alone: for audits, and for readers of commits before the statistics were kept up.

use super::plan::{GroupKey, Held, Standing};
use super::tally::{GroupFigures, LevelPlan, Tally};
use crate::record::{Bucketer, Record};
use crate::value::ValueRef;
use std::collections::BTreeMap;

/// What some records come to.
pub(crate) struct Recomputed<'s> {
    standing: &'s Standing,
    cutters: Vec<Bucketer>,
    total: Tally,
    groups: BTreeMap<GroupKey, Tally>,
}

impl<'s> Recomputed<'s> {
    /// No records.
    pub(crate) fn new(standing: &'s Standing) -> Self {
        let total = Tally::new(&standing.total);
        Recomputed { standing, cutters: standing.cutters(), total, groups: BTreeMap::new() }
    }

    /// Adds a record if it meets the condition. Runs its extractors.
    pub(crate) fn add<R: Record>(&mut self, record: &R) {
        let Recomputed { standing, cutters, total, groups } = self;
        let Some(Held { key, values }) = standing.held(cutters, record) else { return };
        add(total, &standing.total, &values);
        if let Some(key) = key {
            let key = key.into_iter().map(ValueRef::to_value).collect();
            let tally = groups.entry(key).or_insert_with(|| Tally::new(&standing.within));
            add(tally, &standing.within, &values);
        }
    }

    /// Of all records together.
    pub(crate) fn total(&self) -> GroupFigures {
        self.total.finish(&self.standing.total)
    }

    /// In the order of their keys.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&GroupKey, GroupFigures)> {
        self.groups.iter().map(|(key, tally)| (key, tally.finish(&self.standing.within)))
    }
}

fn add(tally: &mut Tally, plan: &LevelPlan, values: &[ValueRef<'_>]) {
    tally.records += 1;
    for (place, measured) in plan.measured.iter().enumerate() {
        if !values[measured.field].is_null() {
            tally.add(place, values[measured.field]);
        }
    }
}

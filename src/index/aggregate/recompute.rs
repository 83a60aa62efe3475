//! The same results computed from the records: for audits, and for readers of commits before the aggregate was complete.

use super::plan::{AggregatePlan, Extracted, GroupKey};
use super::tally::{GroupResult, LevelPlan, Tally};
use crate::record::{Bucketer, FieldSource};
use memdex_query::value::ValueRef;
use std::collections::BTreeMap;

/// The results of some records, computed from them.
pub(crate) struct Recomputed<'s> {
    plan: &'s AggregatePlan,
    bucketers: Vec<Bucketer>,
    total: Tally,
    groups: BTreeMap<GroupKey, Tally>,
}

impl<'s> Recomputed<'s> {
    /// No records.
    pub(crate) fn new(plan: &'s AggregatePlan) -> Self {
        let total = Tally::new(&plan.total);
        Recomputed { plan, bucketers: plan.bucketers(), total, groups: BTreeMap::new() }
    }

    /// Adds a record if it matches the condition. Runs its extractors.
    pub(crate) fn add(&mut self, record: &dyn FieldSource) {
        let Recomputed { plan, bucketers, total, groups } = self;
        let Some(Extracted { key, values }) = plan.extract(bucketers, record) else { return };
        add(total, &plan.total, &values);
        if let Some(key) = key {
            let key = key.into_iter().map(ValueRef::to_value).collect();
            let tally = groups.entry(key).or_insert_with(|| Tally::new(&plan.within));
            add(tally, &plan.within, &values);
        }
    }

    /// The result of all records together.
    pub(crate) fn total(&self) -> GroupResult {
        self.total.finish(&self.plan.total)
    }

    /// In the order of their keys.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&GroupKey, GroupResult)> {
        self.groups.iter().map(|(key, tally)| (key, tally.finish(&self.plan.within)))
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

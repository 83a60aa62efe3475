//! The results of some rows, with what each has contributed: so that a row can leave without a look at its record.

use super::plan::{AggregatePlan, GroupKey};
use super::tally::{GroupResult, LevelPlan, Tally};
use crate::record::FieldSource;
use crate::rowset::{Row, RowSet};
use crate::sync::Arc;
use hashbrown::HashMap;
use memdex_query::value::Value;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// See the head of this file. The plan has no condition.
pub(crate) struct Tallied {
    plan: Arc<AggregatePlan>,
    rows: HashMap<Row, Contribution, ahash::RandomState>,
    total: Tally,
    groups: BTreeMap<GroupKey, Tally>,
}

/// What a record contributes.
pub(crate) struct Contribution {
    /// Its group; `None` if it falls into none.
    key: Option<GroupKey>,
    values: SmallVec<[Value; 2]>,
}

impl Contribution {
    /// Runs extractors.
    pub(crate) fn of(plan: &AggregatePlan, record: &dyn FieldSource) -> Option<Self> {
        let extracted = plan.extract(&mut plan.bucketers(), record)?;
        let key = extracted.key.map(|key| key.into_iter().map(|part| part.to_value()).collect());
        Some(Contribution { key, values: extracted.values.into_iter().map(|value| value.to_value()).collect() })
    }
}

impl Tallied {
    pub(crate) fn new(plan: Arc<AggregatePlan>, seed: ahash::RandomState) -> Self {
        let (rows, groups) = (HashMap::with_hasher(seed), BTreeMap::new());
        Tallied { total: Tally::new(&plan.total), plan, rows, groups }
    }

    pub(crate) fn plan(&self) -> &AggregatePlan {
        &self.plan
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn contains(&self, row: Row) -> bool {
        self.rows.contains_key(&row)
    }

    pub(crate) fn rows(&self) -> RowSet {
        let mut rows: Vec<Row> = self.rows.keys().copied().collect();
        rows.sort_unstable();
        RowSet::from_sorted(&rows)
    }

    /// Takes a row out and puts it in with another contribution, if it has one.
    pub(crate) fn replace(&mut self, row: Row, contribution: Option<Contribution>) {
        let plan = self.plan.clone();
        if let Some(Contribution { key, values }) = self.rows.remove(&row) {
            shift(&mut self.total, &plan.total, &values, Tally::remove);
            self.total.records -= 1;
            if let Some(key) = key
                && let Some(tally) = self.groups.get_mut(&key)
            {
                shift(tally, &plan.within, &values, Tally::remove);
                tally.records -= 1;
                if tally.records == 0 {
                    self.groups.remove(&key);
                }
            }
        }
        if let Some(contribution) = contribution {
            let Contribution { key, values } = &contribution;
            shift(&mut self.total, &plan.total, values, Tally::add);
            self.total.records += 1;
            if let Some(key) = key {
                let tally = self.groups.entry(key.clone()).or_insert_with(|| Tally::new(&plan.within));
                shift(tally, &plan.within, values, Tally::add);
                tally.records += 1;
            }
            self.rows.insert(row, contribution);
        }
    }

    /// The result of all rows together.
    pub(crate) fn total(&self) -> GroupResult {
        self.total.finish(&self.plan.total)
    }

    /// In the order of their keys.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&GroupKey, GroupResult)> {
        self.groups.iter().map(|(key, tally)| (key, tally.finish(&self.plan.within)))
    }

    /// An estimate of its memory.
    pub(crate) fn heap_bytes(&self) -> usize {
        let row = size_of::<(Row, Contribution)>() + 1;
        let group = size_of::<(GroupKey, Tally)>() + self.plan.within.tally_bytes();
        let sets: usize = self.groups.values().map(Tally::set_bytes).sum();
        self.rows.capacity() * row + self.groups.len() * group + sets + self.total.set_bytes()
    }
}

fn shift(
    tally: &mut Tally,
    plan: &LevelPlan,
    values: &[Value],
    by: impl Fn(&mut Tally, usize, memdex_query::value::ValueRef<'_>),
) {
    for (place, measured) in plan.measured.iter().enumerate() {
        if !values[measured.field].as_ref().is_null() {
            by(tally, place, values[measured.field].as_ref());
        }
    }
}

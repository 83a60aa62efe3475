//! The definition of a materialized aggregate, bound to a schema: what each record contributes.

use super::super::shape::checked;
use super::layout::Layout;
use super::tally::LevelPlan;
use crate::error::{AggregateDefError, Cause, StatisticsError};
use crate::record::{AggregateDef, Bound, BoundAggregate, Bucketer, Condition, FieldSource, Schema};
use memdex_query::value::{Value, ValueRef};
use smallvec::SmallVec;

/// Never changes.
pub(crate) struct AggregatePlan {
    pub(crate) def: AggregateDef,
    pub(crate) bound: Bound,
    pub(crate) condition: Option<Condition>,
    /// The plan for all records together.
    pub(super) total: LevelPlan,
    /// The plan for each group; unused if there are no groups.
    pub(super) within: LevelPlan,
    pub(super) layout: Layout,
    bucketers: Vec<Bucketer>,
}

/// The key of a group, part by part: a value, or the number of a step, a range or a date. Groups are ordered by it.
pub(crate) type GroupKey = SmallVec<[Value; 1]>;

/// The contribution of a record that matches the condition.
#[derive(Debug)]
pub(crate) struct Extracted<'a> {
    /// Its group; `None` if it falls into none.
    pub(super) key: Option<SmallVec<[ValueRef<'a>; 2]>>,
    /// The value of each field that has metrics.
    pub(super) values: SmallVec<[ValueRef<'a>; 4]>,
}

impl AggregatePlan {
    pub(crate) fn new(def: AggregateDef, schema: &Schema) -> Result<Self, AggregateDefError> {
        let BoundAggregate { bound, condition, bucketers } = def.bind(schema)?;
        let mut total = LevelPlan::new(&bound, bound.levels.first());
        let mut within = LevelPlan::new(&bound, bound.levels.get(1));
        let layout = Layout::new(&bound, &mut [&mut total, &mut within]);
        Ok(AggregatePlan { def, bound, condition, total, within, layout, bucketers })
    }

    pub(crate) fn name(&self) -> &str {
        self.def.name()
    }

    pub(crate) fn has_groups(&self) -> bool {
        !self.bucketers.is_empty()
    }

    /// The number of back-references that it keeps for a row.
    pub(crate) fn width(&self) -> usize {
        self.layout.width()
    }

    /// The bucketers. Each user gets its own, since those of dates have a cache.
    pub(super) fn bucketers(&self) -> Vec<Bucketer> {
        self.bucketers.clone()
    }

    /// What `record` contributes; `None` if the condition is false. Runs its extractors.
    pub(super) fn extract<'a>(&self, bucketers: &mut [Bucketer], record: &'a dyn FieldSource) -> Option<Extracted<'a>> {
        if self.condition.as_ref().is_some_and(|condition| !condition.holds(record)) {
            return None;
        }
        let fields = self.bound.fields.iter();
        let values: SmallVec<[ValueRef<'a>; 4]> = fields.map(|field| record.value_at(&field.at).canonical()).collect();
        let key = if bucketers.is_empty() {
            None
        } else {
            bucketers.iter_mut().map(|bucketer| bucketer.bucket(&values)).collect()
        };
        Some(Extracted { key, values })
    }

    /// Refuses what a field can't hold or nobody can keep.
    pub(super) fn check(&self, extracted: &Extracted<'_>) -> Result<(), Cause> {
        let fields = self.bound.fields.iter().filter_map(|field| field.def.as_ref());
        fields.zip(&extracted.values).try_for_each(|(def, value)| checked(def, *value).map(drop))
    }

    /// Whether each of a record's values can be stored. Runs its extractors.
    pub(crate) fn accepts(&self, record: &dyn FieldSource) -> Result<(), Cause> {
        self.extract(&mut [], record).map_or(Ok(()), |extracted| self.check(&extracted))
    }

    /// All groups of a single part that there may be, those that no record falls into included: all ranges, or the steps of a histogram
    /// between the first and the last that are known; each as the part of its key and as answers show it.
    pub(crate) fn all_between(&self, known: Option<(&Value, &Value)>) -> Result<Vec<(Value, Value)>, StatisticsError> {
        let [bucketer] = &mut self.bucketers()[..] else { return Ok(Vec::new()) };
        bucketer.all_between(known)
    }

    /// The key of a group as answers show it.
    pub(crate) fn named(&self, key: &GroupKey) -> Vec<Value> {
        let mut bucketers = self.bucketers();
        key.iter().zip(&mut bucketers).map(|(part, bucketer)| bucketer.name(part)).collect()
    }
}

//! Standing statistics bound to a schema: what they hold of a record.

use super::super::shape::checked;
use super::layout::Layout;
use super::tally::LevelPlan;
use crate::error::{AggregateDefError, Cause, StatisticsError};
use crate::record::{AggregateDef, Bound, BoundAggregate, Bucketer, Condition, Fields, Record, Schema};
use crate::value::{Value, ValueRef};
use smallvec::SmallVec;

/// The side of standing statistics that never changes.
pub(crate) struct Standing {
    pub(crate) def: AggregateDef,
    pub(crate) bound: Bound,
    pub(crate) condition: Option<Condition>,
    /// Of all records together.
    pub(super) total: LevelPlan,
    /// Of each group; without groups of no meaning.
    pub(super) within: LevelPlan,
    pub(super) layout: Layout,
    cutters: Vec<Bucketer>,
}

/// What tells a group from all others, part by part: a value, or the number of a step, a range, a date. In the order of the groups.
pub(crate) type GroupKey = SmallVec<[Value; 1]>;

/// What one record for which the condition is true shows to standing statistics.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    /// Its group; `None` if it falls into none.
    pub(super) key: Option<SmallVec<[ValueRef<'a>; 2]>>,
    /// Of each field that is asked for.
    pub(super) values: SmallVec<[ValueRef<'a>; 4]>,
}

impl Standing {
    pub(crate) fn new(def: AggregateDef, schema: &Schema) -> Result<Self, AggregateDefError> {
        let BoundAggregate { bound, condition, bucketers: cutters } = def.bind(schema)?;
        let mut total = LevelPlan::new(&bound, bound.levels.first());
        let mut within = LevelPlan::new(&bound, bound.levels.get(1));
        let layout = Layout::new(&bound, &mut [&mut total, &mut within]);
        Ok(Standing { def, bound, condition, total, within, layout, cutters })
    }

    pub(crate) fn name(&self) -> &str {
        self.def.name()
    }

    pub(crate) fn has_groups(&self) -> bool {
        !self.cutters.is_empty()
    }

    /// How many words it remembers a row by.
    pub(crate) fn width(&self) -> usize {
        self.layout.width()
    }

    /// What parts values: each user has its own, since those of dates learn.
    pub(super) fn cutters(&self) -> Vec<Bucketer> {
        self.cutters.clone()
    }

    /// What `record` shows; `None` if the condition is false. Runs its extractors.
    pub(super) fn held<'a, R: Record>(&self, cutters: &mut [Bucketer], record: &'a R) -> Option<Held<'a>> {
        if self.condition.as_ref().is_some_and(|condition| !condition.holds(&Fields(record))) {
            return None;
        }
        let fields = self.bound.fields.iter();
        let values: SmallVec<[ValueRef<'a>; 4]> = fields.map(|field| record.value_at(&field.at).canonical()).collect();
        let key =
            if cutters.is_empty() { None } else { cutters.iter_mut().map(|cutter| cutter.cut(&values)).collect() };
        Some(Held { key, values })
    }

    /// Refuses what a field can't hold or nobody can keep.
    pub(super) fn check(&self, held: &Held<'_>) -> Result<(), Cause> {
        let mut fields = self.bound.fields.iter().zip(&held.values);
        fields.try_for_each(|(field, value)| checked(&field.def, *value).map(drop))
    }

    /// Whether it takes a record. Runs its extractors.
    pub(crate) fn takes<R: Record>(&self, record: &R) -> Result<(), Cause> {
        self.held(&mut [], record).map_or(Ok(()), |held| self.check(&held))
    }

    /// All groups of a single part that there may be, those that no record falls into included: all ranges, or the steps of a histogram
    /// between the first and the last that are known; each as the part of its key and as answers show it.
    pub(crate) fn all_between(&self, known: Option<(&Value, &Value)>) -> Result<Vec<(Value, Value)>, StatisticsError> {
        let [cutter] = &mut self.cutters()[..] else { return Ok(Vec::new()) };
        cutter.all_between(known)
    }

    /// The key of a group as answers show it.
    pub(crate) fn named(&self, key: &GroupKey) -> Vec<Value> {
        let mut cutters = self.cutters();
        key.iter().zip(&mut cutters).map(|(part, cutter)| cutter.name(part)).collect()
    }
}

//! The accumulators of one group and the results that they give. Everything is exact and values can be taken out again, so that
//! results equal those of a recomputation to the last bit.

use crate::record::{Bound, Function, Level};
use crate::sync::Arc;
use memdex_query::aggregate::{Moments, Multiset};
use memdex_query::value::{Kind, Value, ValueRef};

/// The accumulators of each group of a level, and the results that are made of them.
pub(crate) struct LevelPlan {
    pub(super) measured: Vec<Measured>,
    /// Metric by metric: what it is, and the place of its field among the measured ones; of the count of records none.
    metrics: Vec<(Function, Option<usize>)>,
}

/// The accumulators of one field.
pub(super) struct Measured {
    /// Its place among the fields of the question.
    pub(super) field: usize,
    /// Its place among those that are remembered of a row.
    pub(super) kept: usize,
    kind: Option<Kind>,
    moments: bool,
    squares: bool,
    set: bool,
}

/// The accumulated values of one group.
pub(super) struct Tally {
    pub(super) records: u64,
    /// Entries of all sets.
    entries: usize,
    measures: Box<[Measure]>,
}

struct Measure {
    count: u64,
    moments: Option<Moments>,
    set: Option<Multiset>,
}

/// The finished results of one group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GroupResult {
    pub(crate) records: u64,
    /// Metric by metric. Floats are compared by their bits.
    pub(crate) values: Arc<[Value]>,
    /// The metrics whose sums are out of reach: errors at the answer, and their values are of no meaning.
    pub(crate) overflowed: Vec<usize>,
}

impl Measured {
    /// Whether a count of values is not enough.
    pub(super) fn needs_values(&self) -> bool {
        self.moments || self.set
    }
}

impl LevelPlan {
    /// The plan of a level, which may be missing.
    pub(super) fn new(bound: &Bound, level: Option<&Level>) -> Self {
        let (mut measured, mut metrics): (Vec<Measured>, Vec<_>) = (Vec::new(), Vec::new());
        for asked in level.map_or(&[][..], |level| &level.metrics) {
            let place = asked.field.map(|field| {
                measured.iter().position(|of| of.field == field).unwrap_or_else(|| {
                    let kind = bound.fields[field].kind();
                    measured.push(Measured { field, kept: 0, kind, moments: false, squares: false, set: false });
                    measured.len() - 1
                })
            });
            if let Some(of) = place.and_then(|place| measured.get_mut(place)) {
                match asked.function {
                    Function::Sum | Function::Avg => of.moments = true,
                    Function::StdDev | Function::StdDevPop => (of.moments, of.squares) = (true, true),
                    Function::Min | Function::Max | Function::Distinct => of.set = true,
                    Function::Count
                    | Function::Percentile(_)
                    | Function::Mode
                    | Function::First(_)
                    | Function::Ratio(..) => {}
                }
            }
            metrics.push((asked.function, place));
        }
        LevelPlan { measured, metrics }
    }

    /// The most heap memory that a tally holds, without its sets.
    pub(super) fn tally_bytes(&self) -> usize {
        let moments =
            self.measured.iter().filter(|of| of.moments && of.kind == Some(Kind::Float)).count() * FLOAT_SUM_BYTES;
        self.measured.len() * size_of::<Measure>() + moments
    }

    pub(super) fn has_metrics(&self) -> bool {
        !self.metrics.is_empty()
    }
}

impl Tally {
    pub(super) fn new(plan: &LevelPlan) -> Self {
        let measure = |of: &Measured| Measure {
            count: 0,
            moments: of.kind.filter(|_| of.moments).and_then(|kind| Moments::new(kind, of.squares)),
            set: of.set.then(Multiset::default),
        };
        Tally { records: 0, entries: 0, measures: plan.measured.iter().map(measure).collect() }
    }

    /// Adds a value of the measured field at a place, which is not missing.
    pub(super) fn add(&mut self, place: usize, value: ValueRef<'_>) {
        let measure = &mut self.measures[place];
        measure.count += 1;
        if let Some(moments) = &mut measure.moments {
            moments.add(value);
        }
        if let Some(set) = &mut measure.set {
            self.entries += usize::from(set.add(value));
        }
    }

    /// Takes away a value that was added before.
    pub(super) fn remove(&mut self, place: usize, value: ValueRef<'_>) {
        let measure = &mut self.measures[place];
        debug_assert!(measure.count > 0, "a value leaves that was added");
        measure.count -= 1;
        if let Some(moments) = &mut measure.moments {
            moments.remove(value);
        }
        if let Some(set) = &mut measure.set {
            self.entries -= usize::from(set.remove(value));
        }
    }

    /// The finished result.
    pub(super) fn finish(&self, plan: &LevelPlan) -> GroupResult {
        let mut overflowed = Vec::new();
        let float = |x: Option<f64>| x.map_or(Value::NULL, Value::from);
        let values = plan.metrics.iter().enumerate().map(|(metric, (figure, place))| {
            let Some(measure) = place.and_then(|place| self.measures.get(place)) else {
                return Value::from(self.records);
            };
            let (moments, set) = (measure.moments.as_ref(), measure.set.as_ref());
            match figure {
                Function::Count => Value::from(measure.count),
                Function::Distinct => Value::from(set.map_or(0, Multiset::len)),
                _ if measure.count == 0 => Value::NULL,
                Function::Sum => moments.map_or(Ok(Value::NULL), Moments::sum).unwrap_or_else(|_| {
                    overflowed.push(metric);
                    Value::NULL
                }),
                Function::Avg => moments.and_then(Moments::avg).unwrap_or(Value::NULL),
                Function::StdDev => float(moments.and_then(Moments::stddev)),
                Function::StdDevPop => float(moments.and_then(Moments::stddev_pop)),
                Function::Min => set.and_then(Multiset::first).cloned().unwrap_or(Value::NULL),
                Function::Max => set.and_then(Multiset::last).cloned().unwrap_or(Value::NULL),
                // Not maintained.
                Function::Percentile(_) | Function::Mode | Function::First(_) | Function::Ratio(..) => Value::NULL,
            }
        });
        let values = values.collect();
        GroupResult { records: self.records, values, overflowed }
    }

    /// An estimate of the heap memory of its sets.
    pub(super) fn set_bytes(&self) -> usize {
        self.entries * VALUE_BYTES
    }
}

/// At most so many, for floats: a fixed-point number over all exponents.
const FLOAT_SUM_BYTES: usize = 570;
/// A value and its count in a tree of them.
const VALUE_BYTES: usize = 48;

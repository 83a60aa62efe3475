//! The first records in an order, along an index that has it: leaf by leaf, until there are enough.
//!
//! **Beside concurrent commits.** A row that a leaf gives is trusted if the marks that were loaded after the leaf was read don't show it.
//! So the walk reads each row that no later commit changes at its place, once. When the walk has ended, it evaluates the rows that have
//! changed on the version that the epoch sees. A row that the walk has read and that changes afterwards is among them, with the version that
//! was read: so the walk has gone far enough.

use super::choice::Chooser;
use super::cost;
use super::estimate;
use super::execute::{Take, is_match, matching};
use super::order::{Order, SortField, is_constant};
use super::plan::Step;
use super::planner::{Known, Planner};
use super::snapshot::AnyView;
use super::sort::{TopK, in_order};
use crate::index::{Index, WalkSpec};
use crate::record::{Condition, FieldAt, FieldDef, IndexKind, Test};
use crate::rowset::{Row, RowSet};
use crate::storage::{SharedVersion, TableCore};
use crate::sync::Arc;
use crate::testing::meter;
use crate::user_code;
use memdex_query::value::Value;
use std::cmp::Ordering;
use std::ops::Bound;

/// A walk along one index.
pub(super) struct WalkPlan {
    pub(super) index: Arc<dyn Index>,
    pub(super) spec: WalkSpec,
    /// The order of the records that match the condition.
    order: Order,
    /// How many of its fields the index has in order.
    covers: usize,
    /// Whether the rows without a value, which the index keeps apart, come before the walk, behind it, or not at all.
    nulls: Option<Ordering>,
    /// Rows among which all matches are, of parts of the condition that the walk does not answer.
    pub(super) within: Option<Step>,
    /// The residual filter to evaluate on each row.
    pub(super) residual: Option<Condition>,
    /// The expected number of entries that the walk reads.
    pub(super) walked: usize,
    pub(super) cost: f64,
}

/// All walks that give the requested order. `matches` is the expected number of matches.
pub(super) fn plans(
    table: &TableCore,
    condition: &Condition,
    top: &TopK<'_>,
    chooser: &Chooser,
    matches: usize,
) -> Vec<WalkPlan> {
    let order = top.order.effective(&table.schema, |field| is_constant(condition, field));
    let planner = Planner::new(table, chooser);
    let ordered = planner.indexes.iter().filter(|index| {
        // A record is in an index of many values once for each.
        index.shape.def.kind() == IndexKind::Ordered && !index.shape.is_many()
    });
    ordered.filter_map(|index| plan(&planner, index, condition, top, &order, matches)).collect()
}

fn plan(
    planner: &Planner<'_>,
    index: &Arc<dyn Index>,
    condition: &Condition,
    top: &TopK<'_>,
    order: &Order,
    matches: usize,
) -> Option<WalkPlan> {
    let (shape, parts) = (&index.shape, condition.conjuncts());
    if shape.condition.as_ref().is_some_and(|when| !condition.implies(when)) {
        return None;
    }
    let test_of = |field| {
        parts.iter().enumerate().filter_map(move |(at, part)| match part {
            Condition::Test(of, test) if of == field => Some((at, test)),
            _ => None,
        })
    };

    // The first fields that the condition gives one value each, then those that the order goes by.
    let (mut prefix, mut answered) = (Vec::new(), Vec::new());
    for (field, _) in &shape.fields {
        let given =
            test_of(field).find_map(|(at, test)| if let Test::Eq(value) = test { Some((at, value)) } else { None });
        let Some((at, value)) = given.filter(|_| shape.fields.len() > 1) else { break };
        prefix.push(value.clone());
        answered.push(at);
    }
    let alone = shape.fields.len() == 1;
    let descending = order.fields.first()?.descending;
    let in_place = |(sort, (field, def)): &(&SortField, &(FieldAt, Option<FieldDef>))| {
        // Several fields together have missing values in their order, as the least.
        let nulls = alone || !is_nullable(def) || sort.nulls_first != sort.descending;
        sort.at == *field && sort.descending == descending && nulls
    };
    let covers = order.fields.iter().zip(&shape.fields[prefix.len()..]).take_while(in_place).count();
    if covers == 0 {
        return None;
    }

    // From where to where.
    let (first, first_def) = &shape.fields[prefix.len()];
    let range = test_of(first).find_map(|(at, test)| match test {
        Test::Range(from, to) => Some((at, from, to)),
        _ => None,
    });
    let one = |bound: &Bound<Value>| bound.as_ref().map(|value| vec![value.clone()]);
    let (mut from, mut to) = match range {
        Some((at, from, to)) => {
            answered.push(at);
            (one(from), one(to))
        }
        None => (Bound::Unbounded, Bound::Unbounded),
    };
    if range.is_some() && !alone && from == Bound::Unbounded {
        from = Bound::Excluded(vec![Value::NULL]);
    }
    let mut nulls = (alone && range.is_none() && is_nullable(first_def)).then_some(if order.fields[0].nulls_first {
        Ordering::Less
    } else {
        Ordering::Greater
    });
    if let Some(after) = top.after.filter(|place| place.same_kinds) {
        let value_of = |field: &SortField| {
            let place = top.order.fields.iter().position(|own| own.at == field.at)?;
            after.values.get(place).cloned()
        };
        // The key's fields are no values of the cursor: the tuple is of those before them.
        let tuple: Vec<Value> = order.fields[..covers].iter().map_while(value_of).collect();
        if let Some(head) = tuple.first() {
            if alone && head.as_ref().is_null() {
                // It is among the nulls: before the walk, or behind all of it.
                if nulls == Some(Ordering::Greater) {
                    from = Bound::Excluded(vec![Value::NULL]);
                    to = Bound::Excluded(vec![Value::NULL]);
                }
            } else {
                nulls = nulls.filter(|side| side.is_gt());
                let near = if descending { &mut to } else { &mut from };
                let beyond = match &*near {
                    Bound::Unbounded => true,
                    Bound::Included(bound) => further(head, &bound[0], descending).is_ge(),
                    Bound::Excluded(bound) => further(head, &bound[0], descending).is_gt(),
                };
                if beyond {
                    *near = Bound::Included(tuple);
                }
            }
        }
    }
    let spec = WalkSpec { prefix, from, to, descending };

    // The conditions that the walk does not answer, and how far it goes.
    let rest: Vec<Condition> =
        parts.iter().enumerate().filter(|(at, _)| !answered.contains(at)).map(|(_, part)| part.clone()).collect();
    let there = estimate::of_walk(&**index, &spec, planner.total);
    // All entries that are equal in the indexed fields are read, since other fields decide their order.
    let equal = if covers < order.fields.len() { there / index.distinct_lately().max(1) } else { 0 };
    let walked = cost::walked(top.first, matches, there.max(matches)).max(equal);
    let known = if rest.is_empty() { None } else { planner.every(condition, &rest, (walked, cost::EVALUATION)) };
    let (within, residual) = match known {
        Some(Known { step, residual }) => (Some(step), residual),
        None => (None, Condition::all_of(rest)),
    };
    let share = within.as_ref().map_or(1.0, |within| within.rows as f64 / planner.total.max(1) as f64);
    let evaluations = walked as f64 * share.min(1.0) * cost::EVALUATION;
    let cost =
        2.0 * cost::LOOKUP + walked as f64 * cost::WALKED + evaluations + within.as_ref().map_or(0.0, |step| step.cost);
    Some(WalkPlan { index: index.clone(), spec, order: order.clone(), covers, nulls, within, residual, walked, cost })
}

fn is_nullable(field: &Option<FieldDef>) -> bool {
    field.as_ref().is_none_or(FieldDef::is_nullable)
}

/// Whether a value lies beyond another in the direction of a walk.
fn further(value: &Value, than: &Value, descending: bool) -> Ordering {
    if descending { than.cmp(value) } else { value.cmp(than) }
}

/// A walk in progress.
struct Walking<'a> {
    view: AnyView<'a>,
    plan: &'a WalkPlan,
    top: &'a TopK<'a>,
    within: Option<RowSet>,
    /// In the order of the index, as far as that goes.
    hits: Vec<SharedVersion>,
    /// How many entries were read.
    read: usize,
    /// Scratch buffer.
    fetched: Vec<SharedVersion>,
}

/// The result of a walk.
pub(super) struct Walked {
    /// The requested records, in their order.
    pub(super) found: Vec<SharedVersion>,
    /// How many entries of the index were read.
    pub(super) read: usize,
}

pub(super) fn first(
    view: AnyView<'_>,
    condition: &Condition,
    top: &TopK<'_>,
    plan: &WalkPlan,
    take: &mut Take<'_>,
) -> Walked {
    let within = plan.within.as_ref().map(|step| take(step).evaluate());
    let mut walking = Walking { view, plan, top, within, hits: Vec::new(), read: 0, fetched: Vec::new() };
    let mut end = None;
    if plan.nulls == Some(Ordering::Less) {
        end = walking.read_nulls();
    }
    if end.is_none() {
        end = walking.read_index();
    }
    if end.is_none() && plan.nulls == Some(Ordering::Greater) {
        walking.read_nulls();
    }

    // After the last part, the marks: rows that the walk may have read at a place that is not the epoch's.
    let changed = view.changed();
    let Walking { hits: mut found, read, .. } = walking;
    if !changed.is_nothing() {
        found.retain(|version| !changed.has(version.row));
        matching(view, changed.undecided().iter(), condition, &mut found);
    }
    let found = in_order(found, top);
    debug_assert!(end.is_none() || found.len() >= top.first, "what was read is still there, on its own version");
    Walked { found, read }
}

impl Walking<'_> {
    /// Reads along the index until there are enough hits. Then returns the last one that counts; all that are equal to it in the fields that
    /// the index orders have been read too.
    fn read_index(&mut self) -> Option<SharedVersion> {
        let mut walk = self.plan.index.walk(self.plan.spec.clone())?;
        let mut rows = Vec::new();
        let mut end = None;
        while walk.next(&mut rows) {
            self.read_rows(&rows);
            rows.clear();
            if end.is_none() && self.hits.len() >= self.top.first {
                let last = self.hits[self.top.first - 1].clone();
                let _scope = user_code::Scope::enter();
                let tuple =
                    Order { fields: self.plan.order.fields[..self.plan.covers].to_vec(), ..self.plan.order.clone() }
                        .values(&*last);
                walk.limit_to(Bound::Included(&tuple));
                end = Some(last);
            }
        }
        end
    }

    /// Reads the rows without a value. They are equal to each other, so none of them is the last to count before all are read.
    fn read_nulls(&mut self) -> Option<SharedVersion> {
        let rows: Vec<Row> = self.plan.index.null_rows().iter().collect();
        self.read_rows(&rows);
        self.hits.get(self.top.first.checked_sub(1)?).cloned()
    }

    /// Keeps those rows of one part that match and can be trusted.
    fn read_rows(&mut self, rows: &[Row]) {
        let Walking { view, plan, top, within, hits, read, fetched } = self;
        *read += rows.len();
        meter::look(rows.len());
        // After the part, the marks.
        let changed = view.changed();
        let candidates: Vec<Row> = rows
            .iter()
            .copied()
            .filter(|row| !changed.has(*row) && within.as_ref().is_none_or(|within| within.contains(*row)))
            .collect();
        view.table.fetch_in_order(&candidates, view.at, fetched);
        let _scope = user_code::Scope::enter();
        hits.extend(fetched.drain(..).filter(|version| {
            let matches = plan.residual.as_ref().is_none_or(|residual| is_match(residual, &**version));
            matches && top.is_behind(&**version)
        }));
    }
}

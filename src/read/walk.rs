//! The first records in an order, along an index that has it: leaf by leaf, as far as it takes.
//!
//! **With commits beside.** What a leaf gives is trusted if no mark shows it that was loaded after the leaf was read. So each row that no
//! later commit changes is met at its place, once. Rows that change are looked at on the version that the epoch sees, once the walk
//! has ended. A row that was met and changes then is among them with the version that was met: so the walk has gone far enough.

use super::access::{expected_of_walk, take};
use super::choice::Chooser;
use super::cost;
use super::execute::{look, meets};
use super::order::Order;
use super::plan::Step;
use super::planner::{Known, Planner};
use super::snapshot::View;
use super::sorted::{Wanted, in_order, is_constant};
use crate::index::{Index, WalkSpec};
use crate::record::{Condition, IndexKind, Record, Test};
use crate::rowset::{Row, RowSet};
use crate::storage::{Changed, Table, Version};
use crate::sync::Arc;
use crate::user_code;
use crate::value::Value;
use std::cmp::Ordering;
use std::ops::Bound;

/// A walk along one index.
pub(super) struct WalkPlan {
    pub(super) index: Arc<dyn Index>,
    pub(super) spec: WalkSpec,
    /// What decides the order among the records that meet the condition.
    order: Order,
    /// How many of its fields the index has in order.
    covers: usize,
    /// Whether rows without a value, which the index has aside, come before the walk, behind it, or not at all.
    aside: Option<Ordering>,
    /// Rows among which all matches are, of parts of the condition that the walk does not answer.
    pub(super) within: Option<Step>,
    /// What each of the rows is yet to be asked.
    pub(super) residual: Option<Condition>,
    /// How many entries are expected to be gone through.
    pub(super) walked: usize,
    pub(super) cost: f64,
}

/// All walks that give the wanted order. `matches` is how many records are expected to meet the condition.
pub(super) fn plans<R: Record>(
    table: &Table<R>,
    condition: &Condition,
    wanted: &Wanted<'_>,
    chooser: &Chooser,
    matches: usize,
) -> Vec<WalkPlan> {
    let order = wanted.order.effective(&table.schema, |field| is_constant(condition, field));
    let planner = Planner::new(table, chooser);
    let ordered = planner.indexes.iter().filter(|index| index.shape.def.kind() == IndexKind::Ordered);
    ordered.filter_map(|index| plan(&planner, index, condition, wanted, &order, matches)).collect()
}

fn plan<R: Record>(
    planner: &Planner<'_, R>,
    index: &Arc<dyn Index>,
    condition: &Condition,
    wanted: &Wanted<'_>,
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
    let descending = order.0.first()?.descending;
    let in_place = |(sort, (field, def)): &(&super::order::SortField, &(_, crate::record::FieldDef))| {
        // Several fields together have missing values in their order, as the least.
        let nulls = alone || !def.is_nullable() || sort.nulls_first != sort.descending;
        sort.at == *field && sort.descending == descending && nulls
    };
    let covers = order.0.iter().zip(&shape.fields[prefix.len()..]).take_while(in_place).count();
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
    let mut aside = (alone && range.is_none() && first_def.is_nullable()).then_some(if order.0[0].nulls_first {
        Ordering::Less
    } else {
        Ordering::Greater
    });
    if let Some(after) = wanted.after {
        let value_of = |field: &super::order::SortField| {
            let place = wanted.order.0.iter().position(|own| own.at == field.at)?;
            after.values.get(place).cloned()
        };
        // The key's fields are no values of the cursor: the tuple is of those before them.
        let tuple: Vec<Value> = order.0[..covers].iter().map_while(value_of).collect();
        if let Some(head) = tuple.first() {
            if alone && head.as_ref().is_null() {
                // It stands among those aside: before the walk, or behind all of it.
                if aside == Some(Ordering::Greater) {
                    from = Bound::Excluded(vec![Value::NULL]);
                    to = Bound::Excluded(vec![Value::NULL]);
                }
            } else {
                aside = aside.filter(|side| side.is_gt());
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

    // What the walk does not answer, and how far it goes.
    let rest: Vec<Condition> =
        parts.iter().enumerate().filter(|(at, _)| !answered.contains(at)).map(|(_, part)| part.clone()).collect();
    let there = expected_of_walk(&**index, &spec, planner.total);
    // All that are equal in what the index has in order are gone through, since something else decides among them.
    let equal = if covers < order.0.len() { there / index.distinct_lately().max(1) } else { 0 };
    let walked = cost::walked(wanted.first, matches, there.max(matches)).max(equal);
    let known = if rest.is_empty() { None } else { planner.every(condition, &rest, (walked, cost::LOOK)) };
    let (within, residual) = match known {
        Some(Known { step, residual }) => (Some(step), residual),
        None => (None, Condition::all_of(rest)),
    };
    let share = within.as_ref().map_or(1.0, |within| within.rows as f64 / planner.total.max(1) as f64);
    let looks = walked as f64 * share.min(1.0) * cost::LOOK;
    let cost =
        2.0 * cost::LOOKUP + walked as f64 * cost::WALKED + looks + within.as_ref().map_or(0.0, |step| step.cost);
    Some(WalkPlan { index: index.clone(), spec, order: order.clone(), covers, aside, within, residual, walked, cost })
}

/// Whether a value lies beyond another in the direction of a walk.
fn further(value: &Value, than: &Value, descending: bool) -> Ordering {
    if descending { than.cmp(value) } else { value.cmp(than) }
}

/// A walk under way.
struct Walking<'a, R: Record> {
    view: &'a View<R>,
    plan: &'a WalkPlan,
    within: Option<RowSet>,
    /// In the order of the index, as far as that goes.
    hits: Vec<Arc<Version<R>>>,
    /// How many entries were gone through.
    met: usize,
}

/// What a walk has given.
pub(super) struct Walked<R> {
    /// The wanted records, in their order.
    pub(super) found: Vec<Arc<Version<R>>>,
    /// How many entries of the index were gone through.
    pub(super) met: usize,
}

/// Walks.
pub(super) fn first<R: Record>(
    view: &View<R>,
    condition: &Condition,
    wanted: &Wanted<'_>,
    plan: &WalkPlan,
) -> Walked<R> {
    let (table, epoch) = (&*view.table, view.snapshot.commit());
    let within = plan.within.as_ref().map(|step| take(table, step).evaluate());
    let mut walking = Walking { view, plan, within, hits: Vec::new(), met: 0 };
    let mut end = None;
    if plan.aside == Some(Ordering::Less) {
        end = walking.aside(wanted);
    }
    if end.is_none() {
        end = walking.along(wanted);
    }
    if end.is_none() && plan.aside == Some(Ordering::Greater) {
        walking.aside(wanted);
    }

    // After the last part, the marks: what the walk has met at a place that may not be the epoch's.
    let changed = table.marks.after(epoch);
    let (mut found, met) = (walking.hits, walking.met);
    if !changed.is_nothing() {
        found.retain(|version| !changed.has(version.row));
        found.extend(look(table, epoch, changed.rows.iter(), condition));
    }
    let found = in_order(found, wanted);
    debug_assert!(end.is_none() || found.len() >= wanted.first, "what was met is still there, on its own version");
    Walked { found, met }
}

impl<R: Record> Walking<'_, R> {
    /// Goes along the index until there are enough. Then gives the last one that counts: all that are equal to it in the fields that the index
    /// orders are there too.
    fn along(&mut self, wanted: &Wanted<'_>) -> Option<Arc<Version<R>>> {
        let mut walk = self.plan.index.walk(self.plan.spec.clone())?;
        let mut rows = Vec::new();
        let mut end = None;
        while walk.next(&mut rows) {
            self.meet(&rows, wanted);
            rows.clear();
            if end.is_none() && self.hits.len() >= wanted.first {
                let last = self.hits[wanted.first - 1].clone();
                let _scope = user_code::Scope::enter();
                let tuple = Order(self.plan.order.0[..self.plan.covers].to_vec()).values(&last);
                walk.limit_to(Bound::Included(&tuple));
                end = Some(last);
            }
        }
        end
    }

    /// The rows without a value. They are equal to each other, so none of them is the last to count before all are there.
    fn aside(&mut self, wanted: &Wanted<'_>) -> Option<Arc<Version<R>>> {
        let rows: Vec<Row> = self.plan.index.null_rows().iter().collect();
        self.meet(&rows, wanted);
        self.hits.get(wanted.first.checked_sub(1)?).cloned()
    }

    /// Keeps those of the rows of one part that match and can be trusted.
    fn meet(&mut self, rows: &[Row], wanted: &Wanted<'_>) {
        let (table, epoch) = (&*self.view.table, self.view.snapshot.commit());
        self.met += rows.len();
        // After the part, the marks.
        let changed: Changed = table.marks.after(epoch);
        let candidates: Vec<Row> = rows
            .iter()
            .copied()
            .filter(|row| !changed.has(*row) && self.within.as_ref().is_none_or(|within| within.contains(*row)))
            .collect();
        // In the order of the index, one by one.
        let _scope = user_code::Scope::enter();
        for row in candidates {
            let Some(version) = table.pages.at(row, epoch) else { continue };
            let behind = |after: &crate::query::Cursor| {
                wanted.order.compare_to_place(&version, &after.values, &after.key).is_gt()
            };
            if self.plan.residual.as_ref().is_none_or(|residual| meets(residual, &version))
                && wanted.after.is_none_or(behind)
            {
                self.hits.push(version);
            }
        }
    }
}

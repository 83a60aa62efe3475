//! The first records in an order: chooses the cheapest access path and reads along it.

use super::access;
use super::by_columns;
use super::choice::Chooser;
use super::cost;
use super::execute::execute;
use super::plan::Plan;
use super::planner;
use super::snapshot::AnyView;
use super::sort::{TopK, in_order};
use super::walk::{self, WalkPlan};
use crate::record::Condition;
use crate::storage::SharedVersion;

/// An access path to the first records in an order.
pub(super) enum AccessPath {
    /// Fetches all matches and sorts them.
    Sort(Plan),
    /// Selects the first of all matches by these columns, one for each sort field, then fetches them.
    Columns(Plan, Vec<usize>),
    /// Walks along an index that has the order.
    Walk(Box<WalkPlan>),
}

/// Chooses the path with the lowest expected cost.
pub(super) fn choose(view: AnyView<'_>, condition: &Condition, top: &TopK<'_>, chooser: &Chooser) -> AccessPath {
    let plan = planner::plan(view.table, condition, chooser);
    let matches = plan.rows as f64;
    // A record that a residual filter has read needs no second fetch.
    let fetch = if plan.is_exact() { cost::EVALUATION } else { 0.0 };
    let sort = plan.cost + matches * (fetch + cost::COMPARED);
    let usable = top.first < plan.rows && plan.is_exact();
    let columns = by_columns::columns_of(view.table, condition, top).filter(|_| usable);
    let by_columns = columns.as_ref().map(|columns| {
        plan.cost + matches * columns.len().max(1) as f64 * cost::SCATTERED_CELL + top.first as f64 * cost::EVALUATION
    });
    let mut walks = walk::plans(view.table, condition, top, chooser, plan.rows);
    let mut costs = vec![sort];
    costs.extend(by_columns);
    costs.extend(walks.iter().map(|walk| walk.cost));
    let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
    let picked = chooser.pick(&costs.iter().map(|cost| *cost <= least).collect::<Vec<_>>());
    match (picked, columns) {
        (0, _) => AccessPath::Sort(plan),
        (1, Some(columns)) => AccessPath::Columns(plan, columns),
        (at, columns) => AccessPath::Walk(Box::new(walks.swap_remove(at - 1 - usize::from(columns.is_some())))),
    }
}

/// The requested records, in their order.
pub(super) fn first(view: AnyView<'_>, condition: &Condition, top: &TopK<'_>, path: &AccessPath) -> Vec<SharedVersion> {
    match path {
        AccessPath::Sort(plan) => in_order(execute(view, condition, plan).fetch(view), top),
        AccessPath::Columns(plan, columns) => {
            in_order(by_columns::select(view, top, columns, execute(view, condition, plan)), top)
        }
        AccessPath::Walk(plan) => walk::first(view, condition, top, plan, &mut |step| access::take(view, step)).found,
    }
}

//! Explanations: executes a query once and records what each step was expected to give, what it gave, and how long it took.

use super::access;
use super::advice::Advisor;
use super::bound_query::BoundQuery;
use super::by_columns;
use super::choice::Chooser;
use super::condition_text::{ConditionText, TestText};
use super::execute::{Matches, execute_with, trusted};
use super::order::Order;
use super::plan::{Plan, Source, Step};
use super::planner;
use super::set_expr::SetExpr;
use super::snapshot::AnyView;
use super::sort::in_order;
use super::top_k::{self, AccessPath};
use super::walk;
use crate::error::Commit;
use crate::record::{Condition, Test};
use crate::rowset::RowSet;
use crate::storage::TableCore;
use memdex_query::value::Value;
use std::fmt;
use std::time::{Duration, Instant};

/// How a query was executed, as [`Find::explain`](crate::query::Find::explain) returns it: a tree of steps. Prints as one, a line per step.
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Record)] struct User { #[record(key)] id: u32, #[record(index)] city: String }
/// # let users = Store::new().collection::<User>("User")?;
/// # users.store(User { id: 1, city: "Bern".into() })?;
/// let explanation = users.find(user::CITY.eq("Bern")).explain()?;
/// println!("{explanation}");
/// assert_eq!((explanation.root.actual, explanation.advice.len()), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The commit that the query read.
    pub commit: Commit,
    /// The last step, which gives the result; `root.from` has the steps that it reads from.
    pub root: ExplainStep,
    /// Missing indexes with which the query would have read fewer records.
    pub advice: Vec<String>,
}

/// One step of an [`Explanation`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExplainStep {
    /// The step: `index "status" = "paid"`, `scan: …`, `filter candidates: …`.
    pub what: String,
    /// The expected number of rows.
    pub expected: usize,
    /// The actual number of rows.
    pub actual: usize,
    /// How long it took, together with the steps that it reads from.
    pub took: Duration,
    /// The steps that it reads from.
    pub from: Vec<ExplainStep>,
}

/// How one collection was read.
pub(super) struct Explained {
    root: ExplainStep,
    advice: Vec<String>,
}

/// Joins the parts of a query of several collections.
pub(super) fn together(commit: Commit, mut parts: Vec<Explained>, took: Duration) -> Explanation {
    if parts.len() == 1
        && let Some(Explained { root, advice }) = parts.pop()
    {
        return Explanation { commit, root, advice };
    }
    let advice = parts.iter().flat_map(|part| part.advice.iter().cloned()).collect();
    let from: Vec<ExplainStep> = parts.into_iter().map(|part| part.root).collect();
    let sum = |rows: fn(&ExplainStep) -> usize| from.iter().map(rows).sum();
    let (what, expected, actual) = ("all collections".to_owned(), sum(|step| step.expected), sum(|step| step.actual));
    Explanation { commit, advice, root: ExplainStep { what, expected, actual, took, from } }
}

/// Executes a query for all records, in no order, part by part.
pub(super) fn records(view: AnyView<'_>, condition: &Condition, chooser: &Chooser) -> Vec<Explained> {
    view.parts().into_iter().map(|part| records_of_part(part, condition, chooser)).collect()
}

fn records_of_part(view: AnyView<'_>, condition: &Condition, chooser: &Chooser) -> Explained {
    let plan = planner::plan(view.table, condition, chooser);
    let started = Instant::now();
    let (mut step, matches) = of_plan(view, condition, &plan);
    let found = matches.fetch(view).len();
    (step.actual, step.took) = (found, started.elapsed());
    Explained { root: step, advice: Advisor { table: view.table }.of_plan(&plan) }
}

/// Executes a query for a page, part by part.
pub(super) fn page(bound: &BoundQuery<'_>, chooser: &Chooser) -> Vec<Explained> {
    bound.view.parts().into_iter().map(|part| page_of_part(part, bound, chooser)).collect()
}

fn page_of_part(view: AnyView<'_>, bound: &BoundQuery<'_>, chooser: &Chooser) -> Explained {
    let BoundQuery { condition, order, window, .. } = bound;
    let started = Instant::now();
    let top = bound.top(bound.needed());
    let advisor = Advisor { table: view.table };
    let (what, from, advice, found) = match top_k::choose(view, condition, &top, chooser) {
        AccessPath::Sort(plan) => {
            let (from, matches) = of_plan(view, condition, &plan);
            let what =
                if order.fields.is_empty() { "sort by key".to_owned() } else { format!("sort by {}", names(order)) };
            (what, from, advisor.of_sort(&plan, order), in_order(matches.fetch(view), &top))
        }
        AccessPath::Columns(plan, columns) => {
            let (from, matches) = of_plan(view, condition, &plan);
            let name = |column: &usize| field_name(view.table, view.table.columns[*column].field);
            let by = columns.iter().map(name).collect::<Vec<_>>().join(", ");
            let what = if by.is_empty() { "first by key".to_owned() } else { format!("first by columns {by}") };
            let found = in_order(by_columns::select(view, &top, &columns, matches), &top);
            (what, from, advisor.of_plan(&plan), found)
        }
        AccessPath::Walk(plan) => {
            let direction = if plan.spec.descending { "down" } else { "up" };
            let mut what = format!("walk {direction} index {:?}", plan.index.name());
            if let Some(residual) = &plan.residual {
                what += &format!(", filter candidates: {}", in_words(view.table, residual));
            }
            let (mut within, walk_started) = (Vec::new(), Instant::now());
            let walked = walk::first(view, condition, &top, &plan, &mut |step| profiled(view, step, &mut within));
            let (actual, took) = (walked.read, walk_started.elapsed());
            let from = ExplainStep { what, expected: plan.walked, actual, took, from: within };
            let advice = plan.residual.as_ref().map_or(Vec::new(), |residual| advisor.of_looks(residual));
            (format!("first by {}", names(order)), from, advice, walked.found)
        }
    };
    // Without the extra record that shows whether another page follows, and those that are skipped.
    let of_page = |rows: usize| {
        let most = window.limit.map_or(rows, |limit| rows.min(window.offset.saturating_add(limit)));
        most.saturating_sub(window.offset)
    };
    let (expected, actual) = (of_page(from.expected), of_page(found.len()));
    Explained { root: ExplainStep { what, expected, actual, took: started.elapsed(), from: vec![from] }, advice }
}

fn names(order: &Order) -> String {
    order.fields.iter().map(|field| &*field.name).collect::<Vec<_>>().join(", ")
}

fn field_name(table: &TableCore, position: usize) -> &str {
    table.schema.fields().get(position).map_or("?", |field| field.name())
}

fn in_words(table: &TableCore, condition: &Condition) -> String {
    ConditionText { schema: &table.schema, condition }.to_string()
}

fn of_plan(view: AnyView<'_>, condition: &Condition, plan: &Plan) -> (ExplainStep, Matches) {
    let (started, mut from) = (Instant::now(), Vec::new());
    let matches = execute_with(view, condition, plan, &mut |step| profiled(view, step, &mut from));
    let what = match (&plan.access, &plan.residual) {
        (None, _) => format!("scan: {}", in_words(view.table, condition)),
        (Some(_), Some(residual)) => format!("filter candidates: {}", in_words(view.table, residual)),
        (Some(_), None) => "fetch".to_owned(),
    };
    (ExplainStep { what, expected: plan.rows, actual: matches.len(), took: started.elapsed(), from }, matches)
}

/// Takes a step and records it.
fn profiled(view: AnyView<'_>, step: &Step, into: &mut Vec<ExplainStep>) -> SetExpr {
    let (rows, explained) = of_step(view, step);
    into.push(explained);
    SetExpr::Set(rows)
}

/// Takes a step, completing each step that it reads from.
fn of_step(view: AnyView<'_>, step: &Step) -> (RowSet, ExplainStep) {
    let mut from = Vec::new();
    let mut sets = |steps: &mut dyn Iterator<Item = &Step>, until_empty: bool| {
        let mut sets = Vec::new();
        for step in steps {
            let (rows, explained) = of_step(view, step);
            from.push(explained);
            let is_empty = rows.is_empty();
            sets.push(SetExpr::Set(rows));
            if is_empty && until_empty {
                break;
            }
        }
        sets
    };
    let in_words = |column: usize, test: &Test| {
        TestText { field: field_name(view.table, view.table.columns[column].field), test }.to_string()
    };
    let listed = |values: &[Value]| values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", ");
    let what = match &step.source {
        Source::Nothing => "nothing can match".to_owned(),
        Source::All => "all records".to_owned(),
        Source::Keys(keys) => match &keys[..] {
            [key] => format!("key {}", listed(key)),
            keys => format!("{} keys", keys.len()),
        },
        Source::Index(index, lookup) => format!("{} index {:?} {lookup}", index.shape.def.kind(), index.name()),
        Source::Column(column, test) => format!("column {}", in_words(*column, test)),
        Source::Among(_, column, test) => format!("cells of column {}", in_words(*column, test)),
        Source::And(_) => "and".to_owned(),
        Source::Or(_) => "or".to_owned(),
        Source::Without(..) => "without".to_owned(),
    };
    // Before the step's own time begins.
    let mut read = match &step.source {
        Source::Among(step, ..) => sets(&mut std::iter::once(&**step), false),
        Source::And(steps) => sets(&mut steps.iter(), true),
        Source::Or(steps) => sets(&mut steps.iter(), false),
        Source::Without(of, less) => sets(&mut [&**of, &**less].into_iter(), false),
        _ => Vec::new(),
    };
    let started = Instant::now();
    let rows = match &step.source {
        Source::Among(_, column, test) => {
            let among = read.pop().map(SetExpr::evaluate).unwrap_or_default();
            view.table.columns[*column].rows_among(&among, test)
        }
        Source::And(_) => SetExpr::And(read).evaluate(),
        Source::Or(_) => SetExpr::Or(read).evaluate(),
        Source::Without(..) => match (read.pop(), read.pop()) {
            (Some(less), Some(of)) => SetExpr::Minus(Box::new(of), Box::new(less)).evaluate(),
            _ => RowSet::new(),
        },
        _ => access::take(view, step).evaluate(),
    };
    let took = started.elapsed() + from.iter().map(|step| step.took).sum::<Duration>();
    let actual = trusted(rows.clone(), &view.changed()).len();
    (rows, ExplainStep { what, expected: step.rows, actual, took, from })
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "at commit {}", self.commit)?;
        self.root.write(f, 0)?;
        self.advice.iter().try_for_each(|advice| writeln!(f, "advice: {advice}"))
    }
}

impl ExplainStep {
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let ExplainStep { what, expected, actual, took, from } = self;
        writeln!(
            f,
            "{:indent$}{what}  ({expected} rows expected, {actual} found, {took:.1?})",
            "",
            indent = 2 * depth
        )?;
        from.iter().try_for_each(|step| step.write(f, depth + 1))
    }
}

impl fmt::Display for ExplainStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

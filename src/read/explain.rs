//! How a query is answered, step by step: what was expected, and what came of it.

use super::access::take;
use super::advice::Advisor;
use super::execute::{execute, trusted};
use super::find::Find;
use super::page::check_limit;
use super::plan::{Plan, Source, Step};
use super::planner;
use super::snapshot::View;
use super::sorted::{self, Way};
use super::walk;
use super::words::{TestWords, Words};
use crate::error::{Commit, QueryError};
use crate::query::Paging;
use crate::record::{Condition, Record, Test};
use crate::value::Value;
use std::fmt;
use std::time::{Duration, Instant};

/// How a query was answered: a tree of steps, as [`Find::explain`] gives it. Prints as one, a line each.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The commit as of which it was answered.
    pub commit: Commit,
    /// The last step, which gives the answer; those that it rests on are within.
    pub root: ExplainStep,
    /// Indexes that there are not, and with which fewer records would have been looked at.
    pub advice: Vec<String>,
}

/// One step of an [`Explanation`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExplainStep {
    /// What it does: `index "status" = "paid"`, `scan`, `look at candidates: …`.
    pub what: String,
    /// How many rows were expected of it.
    pub expected: usize,
    /// How many it gave.
    pub actual: usize,
    /// How long it took, with the steps that it rests on.
    pub took: Duration,
    /// The steps that it rests on.
    pub from: Vec<ExplainStep>,
}

impl<R: Record> Find<R> {
    /// Answers the query, and tells how: the access paths that were chosen, how many rows were expected and found, and the time of each
    /// step. Where all records had to be looked at it says which index would have helped.
    ///
    /// Costs more than the answer alone, as each step is finished by itself.
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Record)]
    /// # struct User { #[record(key)] id: u32, #[record(index)] city: String, #[record(field)] age: u8 }
    /// let store = Store::new();
    /// let users = store.collection::<User>("User")?;
    /// store.commit(|batch| {
    ///     let city = |id| if id % 500 == 7 { "Bern".into() } else { format!("city {id}") };
    ///     (0..1_000).try_for_each(|id| batch.store(&users, User { id, city: city(id), age: (id / 10) as u8 }))
    /// })?;
    /// let explanation = users.find(user::CITY.eq("Bern") & user::AGE.gt(30)).explain()?;
    /// assert_eq!(explanation.root.actual, 1);
    /// assert!(explanation.to_string().contains("index \"city\" = \"Bern\""));
    /// let scanned = users.find(user::AGE.gt(30)).explain()?;
    /// assert!(scanned.advice[0].contains("age"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`page`](Find::page).
    pub fn explain(&self) -> Result<Explanation, QueryError> {
        self.run(|condition| {
            let commit = self.snapshot().commit();
            let chooser = self.chooser();
            if !self.is_paged() {
                let plan = planner::plan(&self.view.table, condition, &chooser);
                let root = of_plan(&self.view, condition, &plan);
                return Ok(Explanation { commit, advice: Advisor { table: &self.view.table }.of_plan(&plan), root });
            }
            check_limit(&self.view.table.name, self.paging.limit)?;
            self.with_wanted(condition, |wanted, _| {
                let started = Instant::now();
                let way = sorted::way(&self.view, condition, wanted, &chooser);
                let advisor = Advisor { table: &self.view.table };
                let ordered = || self.paging.order.iter().map(|by| by.field.to_string()).collect::<Vec<_>>().join(", ");
                let (what, from, advice, found) = match &way {
                    Way::Sort(plan) => {
                        let from = of_plan(&self.view, condition, plan);
                        let what = if self.paging.order.is_empty() {
                            "sort by key".to_owned()
                        } else {
                            format!("sort by {}", ordered())
                        };
                        (what, from, advisor.of_sort(plan, wanted.order), None)
                    }
                    Way::Columns(plan, columns) => {
                        let name = |column: &usize| self.field_name(self.view.table.columns[*column].field);
                        let by = columns.iter().map(name).collect::<Vec<_>>().join(", ");
                        let from = of_plan(&self.view, condition, plan);
                        let what =
                            if by.is_empty() { "first by key".to_owned() } else { format!("first by columns {by}") };
                        (what, from, advisor.of_plan(plan), None)
                    }
                    Way::Walk(walk) => {
                        let direction = if walk.spec.descending { "down" } else { "up" };
                        let mut what = format!("walk {direction} index {:?}", walk.index.name());
                        if let Some(residual) = &walk.residual {
                            what += &format!(", look at candidates: {}", self.words(residual));
                        }
                        let walked = walk::first(&self.view, condition, wanted, walk);
                        let within = walk.within.iter().map(|step| of_step(&self.view, step)).collect();
                        let (actual, took) = (walked.met, started.elapsed());
                        let from = ExplainStep { what, expected: walk.walked, actual, took, from: within };
                        let advice = walk.residual.as_ref().map_or(Vec::new(), |residual| advisor.of_looks(residual));
                        (format!("first by {}", ordered()), from, advice, Some(walked.found))
                    }
                };
                let found = found.unwrap_or_else(|| sorted::first(&self.view, condition, wanted, &way)).len();
                // Without the one that shows whether any follow, and those that are passed over.
                let Paging { limit, offset, .. } = self.paging;
                let of_page = |rows: usize| {
                    limit.map_or(rows, |limit| rows.min(offset.saturating_add(limit))).saturating_sub(offset)
                };
                let (expected, actual) = (of_page(from.expected), of_page(found));
                let root = ExplainStep { what, expected, actual, took: started.elapsed(), from: vec![from] };
                Explanation { commit, root, advice }
            })
        })?
    }

    fn field_name(&self, position: usize) -> &str {
        self.view.table.schema.fields().get(position).map_or("?", |field| field.name())
    }

    fn words(&self, condition: &Condition) -> String {
        Words { schema: &self.view.table.schema, condition }.to_string()
    }
}

fn of_plan<R: Record>(view: &View<R>, condition: &Condition, plan: &Plan) -> ExplainStep {
    let started = Instant::now();
    let from: Vec<ExplainStep> = plan.access.iter().map(|step| of_step(view, step)).collect();
    let words = |condition: &Condition| Words { schema: &view.table.schema, condition }.to_string();
    let what = match (&plan.access, &plan.residual) {
        (None, _) => format!("scan: {}", words(condition)),
        (Some(_), Some(residual)) => format!("look at candidates: {}", words(residual)),
        (Some(_), None) => "fetch".to_owned(),
    };
    let actual = execute(view, condition, plan).fetch(view).len();
    ExplainStep { what, expected: plan.rows, actual, took: started.elapsed(), from }
}

/// Values in words.
fn listed_as<'a>(what: &str, values: impl Iterator<Item = &'a Value>) -> String {
    format!("{what} {}", values.map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", "))
}

fn of_step<R: Record>(view: &View<R>, step: &Step) -> ExplainStep {
    let started = Instant::now();
    let all = |steps: &[Step]| steps.iter().map(|step| of_step(view, step)).collect::<Vec<_>>();
    let words = |column: usize, test: &Test| {
        let field = view.table.schema.fields().get(view.table.columns[column].field);
        TestWords { field: field.map_or("?", |field| field.name()), test }.to_string()
    };
    let (what, from) = match &step.source {
        Source::Nothing => ("nothing can match".to_owned(), Vec::new()),
        Source::All => ("all records".to_owned(), Vec::new()),
        Source::Keys(keys) => match &keys[..] {
            [key] => (listed_as("key", key.iter()), Vec::new()),
            keys => (format!("{} keys", keys.len()), Vec::new()),
        },
        Source::Index(index, lookup) => {
            (format!("{} index {:?} {lookup}", index.shape.def.kind(), index.name()), Vec::new())
        }
        Source::Column(column, test) => (format!("column {}", words(*column, test)), Vec::new()),
        Source::Among(step, column, test) => {
            (format!("cells of column {}", words(*column, test)), vec![of_step(view, step)])
        }
        Source::And(steps) => ("and".to_owned(), all(steps)),
        Source::Or(steps) => ("or".to_owned(), all(steps)),
        Source::Without(from, less) => ("without".to_owned(), vec![of_step(view, from), of_step(view, less)]),
    };
    let rows = take(&view.table, step).evaluate();
    let actual = trusted(rows, &view.table.marks.after(view.snapshot.commit())).len();
    ExplainStep { what, expected: step.rows, actual, took: started.elapsed(), from }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "as of commit {}", self.commit)?;
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

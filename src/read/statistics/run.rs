//! Statistics, step by step.

use super::accumulate::Accumulated;
use super::answer::Summary;
use super::bind::Bound;
use crate::error::QueryError;
use crate::limits::PAGE_ROWS;
use crate::query::Statistics;
use crate::read::execute::{self, Matches};
use crate::read::find::Find;
use crate::read::snapshot::View;
use crate::record::{Condition, Record};
use crate::rowset::OfPage;
use crate::storage::Version;
use crate::sync::Arc;
use crate::user_code;
use std::time::Instant;

impl<R: Record> Find<R> {
    /// Figures.
    pub fn statistics(&self, statistics: impl Into<Statistics>) -> Result<Summary, QueryError> {
        let started = Instant::now();
        let statistics = statistics.into();
        self.run(|condition| {
            let table = &self.view.table;
            let bound = Bound::new(&table.name, &table.schema, &statistics)?;
            let figures = run(&self.view, condition, &bound)?.figures()?;
            let commit = self.snapshot().commit();
            Ok(Summary { figures, commit, took: started.elapsed(), cached: false })
        })?
    }
}

/// Accumulates all that is asked of the records that meet a condition.
fn run<'b, R: Record>(
    view: &View<R>,
    condition: &Condition,
    bound: &'b Bound,
) -> Result<Accumulated<'b>, QueryError> {
    let mut accumulated = Accumulated::new(bound)?;
    accumulated.grow()?;
    let Matches { rows, versions } = execute::execute(view, condition);
    let mut places = Vec::new();
    let mut fetched: Vec<Arc<Version<R>>> = Vec::new();
    let mut pages = rows.pages();
    while let Some((page, of_page)) = pages.next(&mut places) {
        if of_page == OfPage::All {
            places.extend(0..PAGE_ROWS as u16);
        }
        fetched.clear();
        view.table.pages.read_places(page, &places, view.snapshot.commit(), &mut fetched);
        let _scope = user_code::Scope::enter();
        for record in fetched.iter().filter_map(|version| version.record.as_ref()) {
            accumulated.add_record(record)?;
        }
    }
    let _scope = user_code::Scope::enter();
    for record in versions.iter().filter_map(|version| version.record.as_ref()) {
        accumulated.add_record(record)?;
    }
    Ok(accumulated)
}

//! All records that a query selects, read lazily on the held snapshot: in memory are the candidate rows, as a set, and one page of records.

use super::choice::Chooser;
use super::execute::{Candidates, candidates, is_match};
use super::planner;
use super::snapshot::{AnyView, Snapshot};
use super::{access, bound_query};
use crate::error::QueryError;
use crate::limits::PAGE_ROWS;
use crate::record::Condition;
use crate::rowset::{PageRows, RowSet};
use crate::storage::{Rows, SharedVersion};
use crate::sync::Arc;
use crate::user_code;
use memdex_query::query::Predicate;

/// See the head of this file. Holds its snapshot, but no lock, between two records.
pub(super) struct Stream {
    pub(super) snapshot: Snapshot,
    pub(super) rows: Arc<dyn Rows>,
    source: Source,
    next_page: usize,
    /// Records that were read and not yet returned, reversed.
    ready: Vec<SharedVersion>,
}

enum Source {
    /// All records, page by page. Each row is decided when its page is read.
    Scan(Option<Condition>),
    /// These rows, of which `left` are still to be read. They were trusted when the marks were loaded, and the pin keeps their versions.
    Candidates { rows: RowSet, residual: Option<Condition>, left: usize },
}

impl Stream {
    /// All records.
    pub(super) fn all(snapshot: Snapshot, rows: Arc<dyn Rows>) -> Self {
        Stream { snapshot, rows, source: Source::Scan(None), next_page: 0, ready: Vec::new() }
    }

    /// The records that match, in no particular order.
    pub(super) fn matching(
        snapshot: Snapshot,
        rows: Arc<dyn Rows>,
        filter: &Predicate,
        chooser: &Chooser,
    ) -> Result<Self, QueryError> {
        let view = AnyView::new(&snapshot, &*rows);
        let condition = bound_query::condition(view, filter)?;
        let plan = planner::plan(view.table, &condition, chooser);
        let (source, ready) = match plan.access {
            None => (Source::Scan(Some(condition)), Vec::new()),
            Some(step) => {
                let Candidates { rows, changed } =
                    candidates(view, &condition, &step, &mut |step| access::take(view, step));
                (Source::Candidates { left: rows.len(), rows, residual: plan.residual }, changed)
            }
        };
        Ok(Stream { snapshot, rows, source, next_page: 0, ready })
    }

    pub(super) fn next(&mut self) -> Option<SharedVersion> {
        while self.ready.is_empty() {
            if !self.read_page() {
                return None;
            }
        }
        self.ready.pop()
    }

    /// Reads the next page. `false` if there is none.
    fn read_page(&mut self) -> bool {
        let Stream { snapshot, rows, source, next_page, ready } = self;
        let (at, page) = (snapshot.at(), *next_page);
        *next_page += 1;
        let filter = match source {
            Source::Scan(condition) => {
                if !rows.read_page(page, at, ready) {
                    return false;
                }
                condition
            }
            Source::Candidates { rows: candidates, residual, left } => {
                if *left == 0 {
                    return false;
                }
                let mut places = Vec::new();
                match candidates.rows_of_page(page, &mut places) {
                    PageRows::Nothing => return true,
                    PageRows::Some => {}
                    PageRows::All => places.extend(0..PAGE_ROWS as u16),
                }
                *left = left.saturating_sub(places.len());
                rows.read_places(page, &places, at, ready);
                residual
            }
        };
        if let Some(filter) = filter {
            let _scope = user_code::Scope::enter();
            ready.retain(|version| is_match(filter, &**version));
        }
        ready.reverse();
        true
    }
}

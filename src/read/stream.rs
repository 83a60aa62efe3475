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
use crate::storage::{At, Covered, SharedVersion, Table};
use crate::sync::Arc;
use crate::user_code;
use memdex_query::query::Predicate;

/// See the head of this file. Holds its snapshot, but no lock, between two records.
pub(super) struct Stream {
    _snapshot: Snapshot,
    /// The collection.
    pub(super) rows: Arc<Table>,
    /// The parts of the collection that are still to be read, the next one last. Only forks have several.
    parts: Vec<Part>,
    /// Records that were read and not yet returned, reversed.
    ready: Vec<SharedVersion>,
}

struct Part {
    rows: Arc<Table>,
    at: At,
    covered: Option<Arc<Covered>>,
    source: Source,
    next_page: usize,
}

enum Source {
    /// All records, page by page. Each row is decided when its page is read.
    Scan(Option<Condition>),
    /// These rows, of which `left` are still to be read. They were trusted when the marks were loaded, and the pin keeps their versions.
    Candidates { rows: RowSet, residual: Option<Condition>, left: usize },
}

impl Stream {
    /// All records.
    pub(super) fn all(snapshot: &Snapshot, view: AnyView<'_>, rows: Arc<Table>) -> Self {
        Stream::new(snapshot, view, rows, |_, _| Source::Scan(None))
    }

    /// The records that match, in no particular order.
    pub(super) fn matching(
        snapshot: &Snapshot,
        view: AnyView<'_>,
        rows: Arc<Table>,
        filter: &Predicate,
        chooser: &Chooser,
    ) -> Result<Self, QueryError> {
        let condition = bound_query::condition(view, filter)?;
        Ok(Stream::new(snapshot, view, rows, |part, ready| {
            let plan = planner::plan(part.table, &condition, chooser);
            let Some(step) = plan.access else { return Source::Scan(Some(condition.clone())) };
            let Candidates { rows, changed } =
                candidates(part, &condition, &step, &mut |step| access::take(part, step));
            ready.extend(changed);
            Source::Candidates { left: rows.len(), rows, residual: plan.residual }
        }))
    }

    fn new(
        snapshot: &Snapshot,
        view: AnyView<'_>,
        rows: Arc<Table>,
        mut source: impl FnMut(AnyView<'_>, &mut Vec<SharedVersion>) -> Source,
    ) -> Self {
        let mut ready = Vec::new();
        let parts = view.parts().into_iter().map(|part| Part {
            rows: part.layer().map_or_else(|| rows.clone(), |layer| layer.table.clone()),
            at: part.at,
            covered: part.layer().map(|layer| layer.covered.clone()),
            source: source(part, &mut ready),
            next_page: 0,
        });
        let parts = parts.collect();
        Stream { _snapshot: snapshot.clone(), rows, parts, ready }
    }

    pub(super) fn next(&mut self) -> Option<SharedVersion> {
        while self.ready.is_empty() {
            if !self.parts.last_mut()?.read_page(&mut self.ready) {
                self.parts.pop();
            }
        }
        self.ready.pop()
    }
}

impl Part {
    /// Reads the next page. `false` if there is none.
    fn read_page(&mut self, ready: &mut Vec<SharedVersion>) -> bool {
        let Part { rows, at, covered, source, next_page } = self;
        let (at, page) = (*at, *next_page);
        *next_page += 1;
        let filter = match source {
            Source::Scan(condition) => {
                if !rows.read_page(page, at, ready) {
                    return false;
                }
                if let Some(covered) = covered {
                    ready.retain(|version| !covered.rows.contains(version.row));
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

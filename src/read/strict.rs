//! Strictness of queries: a store that stands in for production refuses queries that production would answer badly.
//!
//! Whether an index answers a query depends on its condition and its order only, never on costs: with few records a scan may be cheapest, and
//! a test has few records. What a query looks at is measured while it is executed.

#[cfg(feature = "testing")]
pub(super) use judge::{judged, judged_write};

/// The purpose of a query.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Purpose {
    Records,
    /// A number, or whether there is any.
    Count,
    Statistics,
}

/// The size of an answer that is no list of records.
pub(super) fn no_records<T>(_: &T) -> usize {
    0
}

/// Runs a query, and refuses it if the store is too strict for it. `size` is the number of records that it returns.
#[cfg(not(feature = "testing"))]
#[inline(always)]
pub(super) fn judged<'v, T>(
    _: &super::snapshot::Snapshot,
    _: &[super::snapshot::AnyView<'v>],
    _: &memdex_query::query::Query,
    _: Purpose,
    _: impl FnOnce(&T) -> usize,
    run: impl FnOnce() -> Result<T, crate::error::QueryError>,
) -> Result<T, crate::error::QueryError> {
    run()
}

/// Runs the query of a write by filter, likewise.
#[cfg(not(feature = "testing"))]
#[inline(always)]
pub(super) fn judged_write<'v, T>(
    _: &super::snapshot::Snapshot,
    _: super::snapshot::AnyView<'v>,
    _: &crate::record::Condition,
    run: impl FnOnce() -> T,
) -> Result<T, crate::error::QueryError> {
    Ok(run())
}

#[cfg(feature = "testing")]
mod judge {
    use super::super::advice::Advisor;
    use super::super::bound_query::{self, BoundQuery};
    use super::super::builder::paging;
    use super::super::choice::Chooser;
    use super::super::explain;
    use super::super::plan::{Source, Step};
    use super::super::planner;
    use super::super::snapshot::{AnyView, Snapshot};
    use super::super::walk;
    use super::Purpose;
    use crate::error::QueryError;
    use crate::record::Condition;
    use crate::testing::Strictness;
    use crate::testing::meter::Meter;
    use memdex_query::query::{Paging, Predicate, Query};
    use std::time::Duration;

    /// Runs a query, and refuses it if the store is too strict for it. `size` is the number of records that it returns.
    pub(in super::super) fn judged<T>(
        snapshot: &Snapshot,
        views: &[AnyView<'_>],
        query: &Query,
        purpose: Purpose,
        size: impl FnOnce(&T) -> usize,
        run: impl FnOnce() -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let testing = &snapshot.engine().testing;
        let limited = |view: &AnyView<'_>| testing.for_reads(&view.table.name).is_some();
        if !views.iter().any(limited) {
            return run();
        }
        let limits = |view: &AnyView<'_>| testing.for_reads(&view.table.name);
        let mut judges = Vec::new();
        for view in views {
            // If a filter does not fit the collection, the query says so itself.
            if let (Some(limits), Ok(condition)) = (limits(view), bound_query::condition(*view, &query.filter)) {
                judges.push(Judge { snapshot, view: *view, limits, condition, paging: Some(paging(query)), purpose });
            }
        }
        judges.iter().try_for_each(|judge| judge.before(&query.filter))?;
        let meter = Meter::start();
        let answer = run()?;
        let looked = meter.looked();
        drop(meter);
        let size = size(&answer);
        judges.iter().try_for_each(|judge| judge.after(looked, size))?;
        Ok(answer)
    }

    /// Runs the query of a write by filter, likewise.
    pub(in super::super) fn judged_write<T>(
        snapshot: &Snapshot,
        view: AnyView<'_>,
        condition: &Condition,
        run: impl FnOnce() -> T,
    ) -> Result<T, QueryError> {
        let Some(limits) = snapshot.engine().testing.for_reads(&view.table.name) else { return Ok(run()) };
        let limits = Strictness { max_unbounded: None, ..limits };
        let (condition, purpose) = (condition.clone(), Purpose::Count);
        let judge = Judge { snapshot, view, limits, condition, paging: None, purpose };
        judge.before(&Predicate::All)?;
        let meter = Meter::start();
        let answer = run();
        let looked = meter.looked();
        drop(meter);
        judge.after(looked, 0)?;
        Ok(answer)
    }

    /// Judges the part of a query on one collection.
    struct Judge<'a> {
        snapshot: &'a Snapshot,
        view: AnyView<'a>,
        limits: Strictness,
        condition: Condition,
        paging: Option<&'a Paging>,
        purpose: Purpose,
    }

    impl Judge<'_> {
        fn name(&self) -> &str {
            &self.view.table.name
        }

        /// What can be said before the query is executed.
        fn before(&self, filter: &Predicate) -> Result<(), QueryError> {
            let Strictness { max_listed, result_window, refuse_scans, .. } = self.limits;
            if let Some(limit) = max_listed {
                self.check_lists(filter, limit)?;
            }
            if let (Some(limit), Some(paging)) = (result_window, self.paging) {
                let window = paging.window(self.name())?;
                let end = window.offset.saturating_add(window.limit.unwrap_or(0));
                if end > limit {
                    return Err(QueryError::beyond_window(self.name(), end, limit));
                }
            }
            // A materialized aggregate may answer statistics.
            if refuse_scans && self.purpose != Purpose::Statistics && !self.is_indexed() {
                return Err(self.full_scan());
            }
            Ok(())
        }

        /// What it has looked at, and returned.
        fn after(&self, looked: usize, size: usize) -> Result<(), QueryError> {
            let Strictness { max_examined, max_unbounded, refuse_scans, .. } = self.limits;
            if refuse_scans && self.purpose == Purpose::Statistics && looked > 0 && !self.is_indexed() {
                return Err(self.full_scan());
            }
            if let Some(limit) = max_examined.filter(|limit| looked > *limit) {
                let (plan, advice) = self.explained();
                return Err(QueryError::too_many_examined(self.name(), plan, looked, limit, advice));
            }
            let no_limit = |paging: &Paging| paging.window(self.name()).is_ok_and(|window| window.limit.is_none());
            let is_unbounded = self.purpose == Purpose::Records && self.paging.is_some_and(no_limit);
            match max_unbounded.filter(|limit| is_unbounded && size > *limit) {
                Some(limit) => Err(QueryError::unbounded(self.name(), size, limit)),
                None => Ok(()),
            }
        }

        fn check_lists(&self, predicate: &Predicate, limit: usize) -> Result<(), QueryError> {
            match predicate {
                Predicate::In(name, values) | Predicate::AnyOf(name, values) | Predicate::AllOf(name, values)
                    if values.len() > limit =>
                {
                    Err(QueryError::too_many_values(self.name(), name.to_string(), values.len(), limit))
                }
                Predicate::And(parts) | Predicate::Or(parts) => {
                    parts.iter().try_for_each(|part| self.check_lists(part, limit))
                }
                Predicate::Not(part) | Predicate::ElemMatch(_, part) => self.check_lists(part, limit),
                _ => Ok(()),
            }
        }

        /// Whether an index, or the key, answers the query or gives its order.
        fn is_indexed(&self) -> bool {
            let (view, condition) = (self.view, &self.condition);
            match (condition, self.purpose, self.paging) {
                (Condition::Nothing, ..) | (Condition::All, Purpose::Count, _) => return true,
                (Condition::All, Purpose::Statistics, _) => return false,
                (Condition::All, Purpose::Records, paging) => return paging.is_some_and(|of| self.has_order(of)),
                _ => {}
            }
            // Takes every step that there is, whatever it costs.
            let plan = planner::plan(view.table, condition, &Chooser::new(Some(&[])));
            plan.access.is_some_and(|step| narrows(&step))
        }

        /// Whether a page of all records is in an order that is there.
        fn has_order(&self, paging: &Paging) -> bool {
            if !paging.is_paged() {
                return false;
            }
            let Ok(bound) = BoundQuery::new(self.view, &Predicate::All, paging) else { return true };
            let schema = &self.view.table.schema;
            let is_key = |at: usize| schema.fields().get(at).is_some_and(|field| field.is_key());
            if bound.order.fields.iter().all(|field| is_key(field.at.position())) {
                return true;
            }
            let top = bound.top(1);
            !walk::plans(self.view.table, &self.condition, &top, &Chooser::Cheapest, 1).is_empty()
        }

        fn full_scan(&self) -> QueryError {
            let (plan, advice) = self.explained();
            QueryError::full_scan(self.name(), plan, advice)
        }

        /// How the query is executed, and the indexes that would help.
        fn explained(&self) -> (String, Vec<String>) {
            let (view, condition) = (self.view, &self.condition);
            let advisor = Advisor { table: view.table };
            let mut advice = advisor.of_looks(condition);
            let paged = self.paging.filter(|paging| self.purpose == Purpose::Records && paging.is_paged());
            let bound = paged.and_then(|paging| BoundQuery::new(view, &Predicate::All, paging).ok());
            let explained = match bound {
                Some(mut bound) => {
                    bound.condition = condition.clone();
                    let plan = planner::plan(view.table, condition, &Chooser::Cheapest);
                    advice.extend(advisor.of_sort(&plan, &bound.order));
                    explain::page(&bound, &Chooser::Cheapest)
                }
                None => explain::records(view, condition, &Chooser::Cheapest),
            };
            let explanation = explain::together(self.snapshot.commit(), explained, Duration::ZERO);
            advice.extend(explanation.advice);
            let mut seen = std::collections::BTreeSet::new();
            advice.retain(|line| seen.insert(line.clone()));
            (explanation.root.to_string(), advice)
        }
    }

    /// Whether an index, or the key, decides which rows a step gives.
    fn narrows(step: &Step) -> bool {
        match &step.source {
            Source::Nothing | Source::Keys(_) | Source::Index(..) => true,
            Source::All | Source::Column(..) => false,
            Source::And(steps) => steps.iter().any(narrows),
            Source::Or(steps) => steps.iter().all(narrows),
            Source::Among(step, ..) => narrows(step),
            Source::Without(_, less) => narrows(less),
        }
    }
}

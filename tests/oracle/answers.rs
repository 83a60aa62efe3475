//! Compares aggregation results of memdex with plain loops.

use super::figures::{self, shown};
use super::naive::Val;
use crate::every_plan::by_every_plan_and;
use memdex::limits::MAX_GROUPS;
use memdex::{Aggregate, Find, Metric, MetricValues, Query, QueryError, QueryResult, Record, Statistics, Value};

/// Executes a statistics query by at most `most` plans, and as an ordinary query; all results must equal the expected
/// one.
pub(super) fn compare_results<R: Record>(
    found: &Find<R>,
    query: &Query,
    requested: &Statistics,
    naive: &figures::Figures,
    most: usize,
) {
    let first = match found.statistics(requested.clone()) {
        Ok(summary) => summary.values,
        Err(QueryError::TooManyGroups { .. }) if all_groups(naive) > MAX_GROUPS => return,
        // NaN is not a valid bound of a range.
        Err(QueryError::BadBucket { .. }) if format!("{requested:?}").contains("NaN") => return,
        Err(error) => panic!("{error}: {query:?}"),
    };
    if let Err(wrong) = is_same(requested, naive, &first) {
        panic!("{wrong}: {query:?}");
    }
    let QueryResult::Aggregation(summary) = found.snapshot().query(query).unwrap() else {
        panic!("no statistics: {query:?}")
    };
    // Compared as text, in which NaN equals NaN.
    let first = format!("{first:?}");
    assert_eq!(format!("{:?}", summary.values), first, "{query:?}");
    // Columns or records is the last decision of the planner.
    by_every_plan_and(found, &[2], most, |planned| {
        let figures = planned.statistics(requested.clone()).unwrap().values;
        assert_eq!(format!("{figures:?}"), first, "by {planned:?}: {query:?}");
    });
}

fn all_groups(figures: &figures::Figures) -> usize {
    let groups = figures.groups.iter().flatten();
    figures.groups_in_all + groups.map(|(_, group)| all_groups(group)).sum::<usize>()
}

/// An error that says where two results differ.
fn is_same(requested: &Statistics, naive: &figures::Figures, given: &MetricValues) -> Result<(), String> {
    let (metrics, names) = (given.metrics(), requested.metrics.iter().map(|metric| &*metric.name));
    if !given.metrics().map(|(name, _)| name).eq(names) || metrics.len() != naive.metrics.len() {
        return Err(format!("metrics {:?}", given.metrics().collect::<Vec<_>>()));
    }
    for ((metric, naive), (_, given)) in requested.metrics.iter().zip(&naive.metrics).zip(metrics) {
        if !is_same_metric(metric, naive.as_ref(), val(given).as_ref()) {
            return Err(format!("{metric:?} is {given:?}, not {naive:?}"));
        }
    }
    if given.groups_in_all() != naive.groups_in_all {
        return Err(format!("{} groups in all, not {}", given.groups_in_all(), naive.groups_in_all));
    }
    let (Some(by), Some(groups)) = (&requested.groups, &naive.groups) else {
        return if given.groups().is_empty() { Ok(()) } else { Err("unexpected groups".to_owned()) };
    };
    let keys = || format!("{:?}, not {:?}", keys_of(given), groups.iter().map(|(key, _)| key).collect::<Vec<_>>());
    if given.groups().len() != groups.len() {
        return Err(format!("groups {}", keys()));
    }
    for ((key, naive), given) in groups.iter().zip(given.groups()) {
        let naive_key = key.iter().zip(&by.by).map(|(part, bucket)| shown(part.clone(), bucket));
        let same = |(naive, given): (Option<Val>, &Value)| match (naive, val(given)) {
            // The names of bounds depend on the field's type, so only their order is compared.
            (Some(Val::Text(naive)), Some(Val::Text(given))) if naive.contains("..") => given.contains(".."),
            (Some(naive), Some(given)) => naive.is(&given),
            (naive, given) => naive.is_none() && given.is_none(),
        };
        if key.len() != given.key.len() || !naive_key.zip(&given.key).all(same) {
            return Err(format!("group {:?}, not {key:?}, of {}", given.key, keys()));
        }
        is_same(&by.within, naive, &given.values).map_err(|wrong| format!("{:?}: {wrong}", given.key))?;
    }
    Ok(())
}

fn keys_of(figures: &MetricValues) -> Vec<&[Value]> {
    figures.groups().iter().map(|group| &*group.key).collect()
}

fn val(value: &Value) -> Option<Val> {
    value.as_ref().kind().and_then(|kind| Val::of(value.as_ref(), kind))
}

/// Compares floats to nine digits and everything else exactly.
fn is_same_metric(metric: &Metric, naive: Option<&Val>, given: Option<&Val>) -> bool {
    let computed = !matches!(metric.aggregate, Aggregate::Min(_) | Aggregate::Max(_));
    match (naive, given) {
        (None, None) => true,
        (Some(Val::Float(a)), Some(Val::Float(b))) if computed => {
            a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
        }
        (Some(a), Some(b)) => std::mem::discriminant(a) == std::mem::discriminant(b) && a.is(b),
        _ => false,
    }
}

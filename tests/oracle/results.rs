//! Compares aggregation results of memdex with those of the naive evaluator.

use super::aggregation::{NaiveResult, result_part};
use super::naive::Val;
use crate::every_plan::by_every_plan_and;
use memdex::aggregate::{Aggregate, MetricValues, Statistics};
use memdex::error::QueryError;
use memdex::limits::MAX_GROUPS;
use memdex::query::{Find, QueryResult};
use memdex::typing::ValueRef;
use memdex::{Metric, Query, Record, Value};

/// Executes a statistics query by at most `max_plans` plans, and through `Snapshot::query`. All results must equal the
/// naive one.
pub(super) fn compare_results<R: Record>(
    found: &Find<R>,
    query: &Query,
    requested: &Statistics,
    naive: &NaiveResult,
    max_plans: usize,
) {
    let first = match found.statistics(requested.clone()) {
        Ok(aggregation) => aggregation.values,
        Err(QueryError::TooManyGroups { .. }) if count_groups(naive) > MAX_GROUPS => return,
        // NaN is not a valid bound of a range.
        Err(QueryError::BadBucket { .. }) if format!("{requested:?}").contains("NaN") => return,
        Err(error) => panic!("{error}: {query:?}"),
    };
    if let Err(difference) = compare_result(requested, naive, &first) {
        panic!("{difference}: {query:?}");
    }
    let QueryResult::Aggregation(aggregation) = found.snapshot().query(query).unwrap() else {
        panic!("no statistics: {query:?}")
    };
    // Compared as text, in which NaN equals NaN.
    let first = format!("{first:?}");
    assert_eq!(format!("{:?}", aggregation.values), first, "{query:?}");
    // The last decision is whether to read columns or records.
    by_every_plan_and(found, &[2], max_plans, |planned| {
        let values = planned.statistics(requested.clone()).unwrap().values;
        assert_eq!(format!("{values:?}"), first, "by {planned:?}: {query:?}");
    });
}

fn count_groups(result: &NaiveResult) -> usize {
    let groups = result.groups.iter().flatten();
    result.total_groups + groups.map(|(_, group)| count_groups(group)).sum::<usize>()
}

/// Returns an error that describes the first difference of two results.
fn compare_result(requested: &Statistics, naive: &NaiveResult, given: &MetricValues) -> Result<(), String> {
    let (metrics, names) = (given.metrics(), requested.metrics.iter().map(|metric| &*metric.name));
    if !given.metrics().map(|(name, _)| name).eq(names) || metrics.len() != naive.metrics.len() {
        return Err(format!("metrics {:?}", given.metrics().collect::<Vec<_>>()));
    }
    for ((metric, naive), (_, given)) in requested.metrics.iter().zip(&naive.metrics).zip(metrics) {
        // The naive mean of decimals is a float.
        let own = match (&metric.aggregate, given.as_ref()) {
            (Aggregate::Avg(_), ValueRef::Decimal(mean)) => Some(Val::Float(mean.to_string().parse().unwrap())),
            _ => val(given),
        };
        if !is_same_metric(metric, naive.clone().map(Val::into_written).as_ref(), own.as_ref()) {
            return Err(format!("{metric:?} is {given:?}, not {naive:?}"));
        }
    }
    if given.groups_in_all() != naive.total_groups {
        return Err(format!("{} groups in all, not {}", given.groups_in_all(), naive.total_groups));
    }
    let (Some(by), Some(groups)) = (&requested.groups, &naive.groups) else {
        return if given.groups().is_empty() { Ok(()) } else { Err("unexpected groups".to_owned()) };
    };
    let keys = || format!("{:?}, not {:?}", group_keys(given), groups.iter().map(|(key, _)| key).collect::<Vec<_>>());
    if given.groups().len() != groups.len() {
        return Err(format!("groups {}", keys()));
    }
    for ((key, naive), given) in groups.iter().zip(given.groups()) {
        let naive_key = key.iter().zip(&by.by).map(|(part, bucket)| result_part(part.clone(), bucket));
        let same = |(naive, given): (Option<Val>, &Value)| match (naive, val(given)) {
            // The labels of ranges depend on the type of the field, so only their form is compared.
            (Some(Val::Text(naive)), Some(Val::Text(given))) if naive.contains("..") => given.contains(".."),
            (Some(naive), Some(given)) => naive.into_written().equals(&given),
            (naive, given) => naive.is_none() && given.is_none(),
        };
        if key.len() != given.key.len() || !naive_key.zip(&given.key).all(same) {
            return Err(format!("group {:?}, not {key:?}, of {}", given.key, keys()));
        }
        compare_result(&by.within, naive, &given.values)
            .map_err(|difference| format!("{:?}: {difference}", given.key))?;
    }
    Ok(())
}

fn group_keys(values: &MetricValues) -> Vec<&[Value]> {
    values.groups().iter().map(|group| &*group.key).collect()
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
        (Some(a), Some(b)) => std::mem::discriminant(a) == std::mem::discriminant(b) && a.equals(b),
        _ => false,
    }
}

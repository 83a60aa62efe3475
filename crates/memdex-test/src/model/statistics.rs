//! Statistics by plain loops: a group is a list of records, and each metric is computed from the list of its values.

use super::calendar;
use super::compare::{compare, compare_as_written};
use super::metrics::{Numbers, as_float};
use super::predicate::{collation, matches};
use super::summary::Summary;
use crate::row::Row;
use memdex::aggregate::{Aggregate, DateStep, Statistics};
use memdex::schema::Collation;
use memdex::typing::{DecimalValue, ValueRef};
use memdex::{Bucket, GroupBy, Metric, Schema, Value};
use std::cmp::Ordering;

/// A key of a group. A range is its position.
type GroupKey = Vec<Value>;

/// Groups, and their number with those left out.
type Groups = (Vec<(GroupKey, Summary)>, usize);

/// Computes statistics of these records; the error names a part that the model does not have.
pub(super) fn aggregate(schema: &Schema, rows: &[&Row], requested: &Statistics) -> Result<Summary, &'static str> {
    let mut metrics: Vec<Value> =
        requested.metrics.iter().map(|metric| compute(schema, rows, metric)).collect::<Result<_, _>>()?;
    for (at, metric) in requested.metrics.iter().enumerate() {
        if let Aggregate::Ratio(of, by) = &metric.aggregate {
            let find = |name: &str| {
                let at = requested.metrics.iter().position(|metric| metric.name == name);
                at.map(|at| &metrics[at]).filter(|value| !value.is_null()).map(as_float)
            };
            let quotient = find(of).zip(find(by)).filter(|(_, by)| *by != 0.0).map(|(of, by)| of / by);
            metrics[at] = quotient.map_or(Value::NULL, Value::from);
        }
    }
    let Some(groups) = requested.groups.as_deref() else {
        return Ok(Summary { metrics, ..Summary::default() });
    };
    let (groups, groups_in_all) = group(schema, rows, groups)?;
    Ok(Summary { metrics, groups, groups_in_all })
}

fn group(schema: &Schema, rows: &[&Row], requested: &GroupBy) -> Result<Groups, &'static str> {
    if requested.hits.is_some() || requested.extended.is_some() || requested.hard.is_some() {
        return Err("hits, extended and hard bounds of groups");
    }
    let collations: Vec<_> = requested.by.iter().map(|bucket| collation(schema, bucket.field())).collect();
    let order = |a: &GroupKey, b: &GroupKey| {
        let parts = a.iter().zip(b).zip(&collations);
        parts.map(|((a, b), by)| compare(a, b, *by)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    };
    let mut members: Vec<(GroupKey, &Row)> = Vec::new();
    for row in rows {
        members.extend(keys(schema, row, &requested.by)?.into_iter().map(|key| (key, *row)));
    }
    members.sort_by(|(a, _), (b, _)| order(a, b));
    let mut groups: Vec<(GroupKey, Vec<&Row>)> = Vec::new();
    for (key, row) in members {
        match groups.last_mut() {
            Some((last, rows)) if order(&key, last).is_eq() => {
                for ((lowest, part), by) in last.iter_mut().zip(key).zip(&collations) {
                    if compare_as_written(&part, lowest, *by).is_lt() {
                        *lowest = part;
                    }
                }
                rows.push(row);
            }
            _ => groups.push((key, vec![row])),
        }
    }
    for key in without_records(schema, &groups, requested)? {
        if let Err(at) = groups.binary_search_by(|(other, _)| order(other, &key)) {
            groups.insert(at, (key, Vec::new()));
        }
    }
    let mut results = Vec::new();
    for (key, members) in groups {
        let summary = aggregate(schema, &members, &requested.within)?;
        let named = requested.within.metrics.iter().zip(&summary.metrics);
        let row = named.fold(Row::new(), |row, (metric, value)| row.with(metric.name.clone(), value.clone()));
        if requested.having.as_ref().is_none_or(|having| matches(&Schema::new([]), &row, having)) {
            results.push((key, summary));
        }
    }
    let total = results.len();
    if let Some(top) = &requested.top {
        let at = requested.within.metrics.iter().position(|metric| metric.name == top.metric).unwrap_or(0);
        let field = requested.within.metrics.get(at).and_then(|metric| metric.aggregate.field());
        let by = field.and_then(|field| collation(schema, field));
        // A stable sort, so that ties stay in the order of their keys. Groups without the metric come last.
        results.sort_by(|(_, a), (_, b)| match (&a.metrics[at], &b.metrics[at]) {
            (a, b) if a.is_null() || b.is_null() => a.is_null().cmp(&b.is_null()),
            (a, b) if top.descending => compare(b, a, by),
            (a, b) => compare(a, b, by),
        });
        results.truncate(top.groups);
    }
    Ok((results, total))
}

/// The groups that contain a record.
fn keys(schema: &Schema, row: &Row, by: &[Bucket]) -> Result<Vec<GroupKey>, &'static str> {
    let mut keys = vec![Vec::new()];
    for bucket in by {
        let parts = parts(schema, row, bucket)?;
        let with_part = |key: &GroupKey, part: &Value| key.iter().chain([part]).cloned().collect();
        keys = keys.iter().flat_map(|key| parts.iter().map(move |part| with_part(key, part))).collect();
    }
    Ok(keys)
}

fn parts(schema: &Schema, row: &Row, bucket: &Bucket) -> Result<Vec<Value>, &'static str> {
    let (values, collation) = (row.all(bucket.field()), collation(schema, bucket.field()));
    let mut parts: Vec<Value> = Vec::new();
    for value in values {
        let here: Vec<Value> = match bucket {
            Bucket::Values { .. } => vec![value.clone()],
            Bucket::Width { width, offset, .. } => {
                step(value, width, offset)?.map(|step| start(step, width, offset, value)).into_iter().collect()
            }
            Bucket::Date { unit, zone, every, offset_seconds, .. } => {
                let step = DateStep { unit: *unit, every: *every, offset_seconds: *offset_seconds };
                let zone = calendar::offset(zone).ok_or("named time zones")?;
                vec![dated(
                    value,
                    |nanos| calendar::start(nanos, step, zone),
                    |days| {
                        let later = calendar::days_later(step);
                        calendar::first_day(days - later, step) + later
                    },
                )]
            }
            Bucket::Ranges { ranges, .. } => {
                let contains = |(from, to): &(Option<Value>, Option<Value>)| {
                    from.as_ref().is_none_or(|from| compare(value, from, collation).is_ge())
                        && to.as_ref().is_none_or(|to| compare(value, to, collation).is_lt())
                };
                // NaN belongs to no range.
                let is_nan = value.as_f64().is_some_and(f64::is_nan);
                let within = (0..ranges.len()).filter(|at| !is_nan && contains(&ranges[*at]));
                within.map(Value::from).collect()
            }
        };
        let collation = collation.filter(|_| !matches!(bucket, Bucket::Ranges { .. }));
        for part in here {
            match parts.iter_mut().find(|known| compare(known, &part, collation).is_eq()) {
                Some(known) if compare_as_written(&part, known, collation).is_lt() => *known = part,
                Some(_) => {}
                None => parts.push(part),
            }
        }
    }
    if let (true, Bucket::Values { missing, .. }) = (values.is_empty(), bucket) {
        parts.push(missing.clone().unwrap_or(Value::NULL));
    }
    Ok(parts)
}

fn dated(value: &Value, time: impl Fn(i128) -> i128, date: impl Fn(i64) -> i64) -> Value {
    match value.as_ref() {
        ValueRef::Timestamp(nanos) => ValueRef::Timestamp(time(nanos)).to_value(),
        ValueRef::Date(days) => ValueRef::Date(date(days.into()) as i32).to_value(),
        other => other.to_value(),
    }
}

/// An integer or the units of a decimal at a scale.
fn units(value: &Value, scale: u8) -> Option<i128> {
    let number = value.as_decimal()?;
    Some(number.units() * 10_i128.pow((scale - number.scale()).into()))
}

fn scale_of(values: [&Value; 3]) -> u8 {
    values.into_iter().filter_map(Value::as_decimal).map(DecimalValue::scale).max().unwrap_or(0)
}

/// The number of the bucket that contains a value, counted from the offset; `None` if none does.
fn step(value: &Value, width: &Value, offset: &Value) -> Result<Option<i128>, &'static str> {
    if let (Some(x), true) = (value.as_f64(), matches!(value.as_ref(), ValueRef::Float(_))) {
        let (width, offset) = (as_float(width), as_float(offset));
        let step = ((x - offset) / width).floor();
        if step.is_nan() || step.abs() > (1_u64 << 52) as f64 {
            return Ok(None);
        }
        // The quotient is rounded, so the bucket may be the previous or the next one.
        let start = |step: f64| offset + step * width;
        let near = [step, step - 1.0, step + 1.0].into_iter();
        return Ok(near.into_iter().find(|step| start(*step) <= x && x < start(step + 1.0)).map(|step| step as i128));
    }
    let scale = scale_of([value, width, offset]);
    let parts = (units(value, scale), units(width, scale), units(offset, scale));
    let (Some(value), Some(width), Some(offset)) = parts else { return Err("buckets of this width") };
    Ok(Some((value - offset).div_euclid(width)))
}

/// The start of a bucket, of the kind of `like`.
fn start(step: i128, width: &Value, offset: &Value, like: &Value) -> Value {
    match like.as_ref() {
        ValueRef::Float(_) => Value::from(as_float(offset) + step as f64 * as_float(width)),
        ValueRef::Decimal(_) => {
            let scale = scale_of([width, offset, like]);
            let units = step * units(width, scale).unwrap_or(1) + units(offset, scale).unwrap_or(0);
            DecimalValue::new(units, scale).map_or(Value::NULL, Value::from)
        }
        _ => Value::from(step * width.as_i128().unwrap_or(1) + offset.as_i128().unwrap_or(0)),
    }
}

/// Groups that appear even without records.
fn without_records(
    schema: &Schema,
    groups: &[(GroupKey, Vec<&Row>)],
    requested: &GroupBy,
) -> Result<Vec<GroupKey>, &'static str> {
    if let [Bucket::Ranges { ranges, .. }] = requested.by.as_slice() {
        return Ok((0..ranges.len()).map(|at| vec![Value::from(at)]).collect());
    }
    let mut starts: Vec<&Value> =
        groups.iter().filter_map(|(key, _)| key.first()).filter(|start| !start.is_null()).collect();
    starts.sort_by(|a, b| compare(a, b, None));
    let (Some(first), Some(last), true) = (starts.first(), starts.last(), requested.empty) else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    match requested.by.first() {
        Some(Bucket::Width { width, offset, .. }) => {
            // A float start may round into the previous bucket; the middle of the bucket does not.
            let number = |start: &Value| match start.as_ref() {
                ValueRef::Float(x) => step(&Value::from(x + as_float(width) / 2.0), width, offset),
                _ => step(start, width, offset),
            };
            let (from, to) = (number(first)?.unwrap_or(0), number(last)?.unwrap_or(-1));
            all.extend((from..=to).map(|at| vec![start(at, width, offset, first)]));
        }
        Some(Bucket::Date { unit, zone, every, offset_seconds, .. }) => {
            let step = DateStep { unit: *unit, every: *every, offset_seconds: *offset_seconds };
            let zone = calendar::offset(zone).ok_or("named time zones")?;
            let later = calendar::days_later(step);
            let mut at = (*first).clone();
            while at <= **last {
                all.push(vec![at.clone()]);
                at = dated(
                    &at,
                    |nanos| calendar::next(nanos, step, zone),
                    |days| calendar::next_day(days - later, step) + later,
                );
            }
        }
        _ => {
            let _ = schema;
            return Err("empty groups of these buckets");
        }
    }
    Ok(all)
}

fn compute(schema: &Schema, rows: &[&Row], metric: &Metric) -> Result<Value, &'static str> {
    let kept = rows.iter().filter(|row| metric.filter.iter().all(|filter| matches(schema, row, filter)));
    let rows: Vec<&Row> = kept.copied().collect();
    let Some(field) = metric.aggregate.field() else { return Ok(Value::from(rows.len())) };
    let by = collation(schema, field);
    let mut values: Vec<Value> = rows.iter().flat_map(|row| row.all(field).iter().cloned()).collect();
    let or_null = |value: Option<Value>| Ok(value.unwrap_or(Value::NULL));
    match metric.aggregate {
        Aggregate::CountOf(_) => return Ok(Value::from(values.len())),
        Aggregate::Distinct(_) => {
            values.sort_by(|a, b| compare(a, b, by));
            values.dedup_by(|a, b| compare(a, b, by).is_eq());
            return Ok(Value::from(values.len()));
        }
        Aggregate::Min(_) => return or_null(values.into_iter().min_by(|a, b| compare_as_written(a, b, by))),
        // Of equal texts, the lowest spelling.
        Aggregate::Max(_) => return or_null(values.into_iter().max_by(|a, b| highest(a, b, by))),
        Aggregate::Mode(_) => {
            values.sort_by(|a, b| compare_as_written(a, b, by));
            let runs = values.chunk_by(|a, b| compare(a, b, by).is_eq());
            let longest = runs.reduce(|best, run| if run.len() > best.len() { run } else { best });
            return or_null(longest.map(|run| run[0].clone()));
        }
        Aggregate::First(..) => return Err("the metric `first`"),
        _ => {}
    }
    values.sort_by(|a, b| compare(a, b, None));
    let Some(numbers) = Numbers::of(&values) else { return Ok(Value::NULL) };
    or_null(match metric.aggregate {
        Aggregate::Sum(_) => numbers.sum(),
        Aggregate::Avg(_) => Some(numbers.mean()),
        Aggregate::StdDev(_) => numbers.deviation(1),
        Aggregate::StdDevPop(_) => numbers.deviation(0),
        Aggregate::Percentile(_, percent) => Some(numbers.percentile(percent)),
        _ => None,
    })
}

fn highest(a: &Value, b: &Value, by: Option<Collation>) -> Ordering {
    compare(a, b, by).then_with(|| b.as_str().cmp(&a.as_str()))
}

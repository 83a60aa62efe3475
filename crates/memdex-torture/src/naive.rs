//! The naive evaluator: computes the expected result of a query record by record, without the engine's arithmetic.

use memdex::aggregate::{Aggregate, DateStep, DateUnit, MetricValues, Statistics};
use memdex::query::{Direction, Nulls, OrderBy, Predicate};
use memdex::typing::{DecimalValue, ValueRef};
use memdex::{Bucket, GroupBy, Kind, Metric, Value};
use std::collections::BTreeMap;
use std::ops::Bound;

/// The values of a record's field, including the missing value of a single-valued field.
pub trait Fields {
    /// The values of a field; that of a single-valued field may be missing.
    fn values(&self, field: &str) -> Vec<Value>;
    /// The kind of the values of a field.
    fn kind(field: &str) -> Kind;
    /// The form of a value by which the field is compared: the key of its collation.
    fn compared(field: &str, value: &Value) -> Value {
        let _ = field;
        value.clone()
    }
    /// Whether the filter of a metric matches.
    fn holds(&self, filter: &Predicate) -> bool {
        panic!("{filter:?} is not one of the filters of the tests")
    }
}

/// The expected result of metrics, for all records and for each group.
#[derive(Debug, PartialEq)]
pub struct Expected {
    /// By the name of the metric.
    pub metrics: Vec<(String, Value)>,
    /// By their keys.
    pub groups: Vec<(Vec<Value>, Expected)>,
    /// The number of groups before the limit.
    pub in_all: usize,
    /// The keys of the first records of a group.
    pub hits: Vec<Value>,
}

/// One part of a key: its position in the order of keys, and its name.
type Part = (Value, Value);

/// The expected result of a query over these records.
pub fn expected<S: Fields>(rows: &[&S], requested: &Statistics) -> Expected {
    let mut metrics: Vec<(String, Value)> = Vec::new();
    for metric in &requested.metrics {
        let value = match &metric.aggregate {
            Aggregate::Ratio(..) => Value::NULL,
            _ => figure(rows, metric),
        };
        metrics.push((metric.name.to_string(), value));
    }
    let find = |name: &str| metrics.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap();
    let ratios: Vec<(usize, Value)> = requested
        .metrics
        .iter()
        .enumerate()
        .filter_map(|(at, metric)| {
            let Aggregate::Ratio(of, by) = &metric.aggregate else { return None };
            let (of, by) = (find(of), find(by));
            let missing = of == Value::NULL || by == Value::NULL || number(&by) == 0.0;
            Some((at, if missing { Value::NULL } else { (number(&of) / number(&by)).into() }))
        })
        .collect();
    ratios.into_iter().for_each(|(at, ratio)| metrics[at].1 = ratio);
    let (groups, in_all) = requested.groups.as_ref().map_or((Vec::new(), 0), |by| groups(rows, by));
    Expected { metrics, groups, in_all, hits: Vec::new() }
}

fn groups<S: Fields>(rows: &[&S], by: &GroupBy) -> (Vec<(Vec<Value>, Expected)>, usize) {
    // By the place among the groups: the name, and the records.
    let mut members: BTreeMap<Vec<Value>, (Vec<Value>, Vec<&S>)> = BTreeMap::new();
    if let [Bucket::Ranges { ranges, .. }] = &by.by[..] {
        let ranges = (0..ranges.len()).map(|at| range(ranges, at));
        members.extend(ranges.map(|(place, name)| (vec![place], (vec![name], Vec::new()))));
    }
    for row in rows {
        let mut keys: Vec<Vec<Part>> = vec![Vec::new()];
        for bucket in &by.by {
            let mut parts = parts(*row, bucket);
            // The lowest spelling comes first.
            parts.sort();
            parts.dedup_by(|a, b| a.0 == b.0);
            keys = keys
                .iter()
                .flat_map(|key| parts.iter().map(|p| [&key[..], std::slice::from_ref(p)].concat()))
                .collect();
        }
        for key in keys {
            let (places, names): (Vec<Value>, Vec<Value>) = key.into_iter().unzip();
            let group = members.entry(places).or_insert_with(|| (names.clone(), Vec::new()));
            group.0.iter_mut().zip(names).for_each(|(lowest, name)| *lowest = name.min(lowest.clone()));
            group.1.push(row);
        }
    }
    let bucket = &by.by[0];
    let begin = |value: &Value| start(value, bucket);
    if let Some((from, to)) = &by.hard {
        members.retain(|key, _| begin(from) <= key[0] && key[0] <= begin(to));
    }
    if by.empty {
        let extended = by.extended.iter().flat_map(|(from, to)| [begin(from), begin(to)]);
        let mut all: Vec<Value> = members.keys().map(|key| key[0].clone()).chain(extended).collect();
        if let Some((from, to)) = &by.hard {
            let (from, to) = (begin(from), begin(to));
            all.iter_mut().for_each(|at| *at = at.clone().max(from.clone()).min(to.clone()));
        }
        if let (Some(first), Some(last)) = (all.iter().min(), all.iter().max()) {
            let mut at = first.clone();
            // With disjoint bounds nothing is left.
            let none = by.extended.iter().zip(&by.hard).any(|((from, to), hard)| {
                members.is_empty() && (begin(to) < begin(&hard.0) || begin(from) > begin(&hard.1))
            });
            while at <= *last && !none {
                members.entry(vec![at.clone()]).or_insert_with(|| (vec![at.clone()], Vec::new()));
                at = next(&at, bucket);
            }
        }
    }
    let mut groups: Vec<(Vec<Value>, Expected)> = members
        .into_values()
        .map(|(names, rows)| {
            let hits = by.hits.iter().flat_map(|hits| in_order(&rows, &hits.order).into_iter().take(hits.records));
            let hits = hits.map(|row| value(row, "id")).collect();
            (names, Expected { hits, ..expected(&rows, &by.within) })
        })
        .collect();
    if let Some(having) = &by.having {
        groups.retain(|(_, group)| keeps(group, having));
    }
    let in_all = groups.len();
    if let Some(top) = &by.top {
        let figure = |group: &(Vec<Value>, Expected)| {
            let value = &group.1.metrics.iter().find(|(name, _)| *name == top.metric).unwrap().1;
            match by.within.metrics.iter().find(|metric| metric.name == top.metric).map(|metric| &metric.aggregate) {
                Some(Aggregate::Min(field) | Aggregate::Max(field)) => S::compared(field, value),
                _ => value.clone(),
            }
        };
        // A stable sort, so that ties stay in the order of the keys.
        groups.sort_by(|a, b| {
            let (a, b) = (figure(a), figure(b));
            let by_null = (a == Value::NULL).cmp(&(b == Value::NULL));
            by_null.then(if top.descending { b.cmp(&a) } else { a.cmp(&b) })
        });
        groups.truncate(top.groups);
    }
    (groups, in_all)
}

/// Whether a group's metrics match one of the conditions that the tests use.
fn keeps(group: &Expected, having: &Predicate) -> bool {
    let metric = |name: &str| &group.metrics.iter().find(|(known, _)| known == name).unwrap().1;
    match having {
        Predicate::Range(name, Bound::Included(from), Bound::Unbounded) => {
            *metric(name) != Value::NULL && number(metric(name)) >= number(from)
        }
        Predicate::IsNull(name) => *metric(name) == Value::NULL,
        other => panic!("{other:?}"),
    }
}

fn range(ranges: &[(Option<Value>, Option<Value>)], at: usize) -> Part {
    let text = |bound: &Option<Value>| bound.as_ref().map_or(String::new(), |bound| bound.to_string().replace('"', ""));
    (Value::from(at), Value::from(format!("{}..{}", text(&ranges[at].0), text(&ranges[at].1))))
}

fn parts<S: Fields>(row: &S, bucket: &Bucket) -> Vec<Part> {
    let values = row.values(bucket.field());
    match bucket {
        Bucket::Values { field, missing } => {
            let named = |value: Value| (S::compared(field, &value), value);
            let missing = missing.clone().unwrap_or(Value::NULL);
            let values = if values.is_empty() { vec![Value::NULL] } else { values };
            values.into_iter().map(|v| named(if v == Value::NULL { missing.clone() } else { v })).collect()
        }
        _ => values.iter().filter(|value| **value != Value::NULL).flat_map(|value| parts_of(value, bucket)).collect(),
    }
}

/// The buckets of one value.
fn parts_of(value: &Value, bucket: &Bucket) -> Vec<Part> {
    match bucket {
        Bucket::Width { .. } if matches!(value.as_ref(), ValueRef::Float(x) if !x.is_finite()) => Vec::new(),
        Bucket::Width { .. } | Bucket::Date { .. } => {
            let start = start(value, bucket);
            vec![(start.clone(), start)]
        }
        Bucket::Ranges { ranges, .. } => {
            let within = |(from, to): &(Option<Value>, Option<Value>)| {
                from.as_ref().is_none_or(|from| from <= value) && to.as_ref().is_none_or(|to| value < to)
            };
            (0..ranges.len()).filter(|at| within(&ranges[*at])).map(|at| range(ranges, at)).collect()
        }
        Bucket::Values { .. } => panic!("{bucket:?}"),
    }
}

/// The start of the bucket of a value in a histogram.
fn start(value: &Value, bucket: &Bucket) -> Value {
    match bucket {
        Bucket::Width { width, offset, .. } => match value.as_ref() {
            ValueRef::Float(x) => {
                let (width, offset) = (float(width), float(offset));
                (((x - offset) / width).floor() * width + offset).into()
            }
            ValueRef::Decimal(_) => {
                let (x, width, offset) = (cents(value), cents(width), cents(offset));
                let units = (x - offset).div_euclid(width) * width + offset;
                DecimalValue::new(units, 2).unwrap().into()
            }
            ValueRef::Timestamp(nanos) => {
                let (width, offset) = (int(width), int(offset));
                ValueRef::Timestamp((nanos - offset).div_euclid(width) * width + offset).to_value()
            }
            _ => {
                let (x, width, offset) = (int(value), int(width), int(offset));
                ((x - offset).div_euclid(width) * width + offset).into()
            }
        },
        Bucket::Date { unit, every, offset_seconds, .. } => {
            begin(value, DateStep { unit: *unit, every: *every, offset_seconds: *offset_seconds })
        }
        other => panic!("{other:?}"),
    }
}

const MINUTE: i128 = 60_000_000_000;
const DAY: i128 = 24 * 60 * MINUTE;

/// The start of the units of the calendar that contain a time.
fn begin(value: &Value, step: DateStep) -> Value {
    if let ValueRef::Date(days) = value.as_ref() {
        let time = begin(&ValueRef::Timestamp(i128::from(days) * DAY).to_value(), step);
        let ValueRef::Timestamp(nanos) = time.as_ref() else { panic!("{time}") };
        return ValueRef::Date((nanos / DAY) as i32).to_value();
    }
    let ValueRef::Timestamp(nanos) = value.as_ref() else { panic!("{value}") };
    let DateStep { unit, every, offset_seconds } = step;
    let later = i128::from(offset_seconds) * 1_000_000_000;
    let at = |nanos: i128| ValueRef::Timestamp(nanos + later).to_value();
    let nanos = nanos - later;
    let floor = |width: i128, from: i128| {
        let width = width * i128::from(every);
        at((nanos - from).div_euclid(width) * width + from)
    };
    let months = |count: u32| {
        let text = ValueRef::Timestamp(nanos).to_value().to_string();
        let (year, month): (i64, i64) = (text[..4].parse().unwrap(), text[5..7].parse().unwrap());
        let number = (year - 1_970) * 12 + month - 1;
        let first = number - number.rem_euclid(i64::from(count * every));
        let (year, month) = (1_970 + first.div_euclid(12), first.rem_euclid(12) + 1);
        let begin = Value::from_text(Kind::Timestamp, &format!("{year:04}-{month:02}-01T00:00:00Z")).unwrap();
        let ValueRef::Timestamp(nanos) = begin.as_ref() else { panic!("{begin}") };
        at(nanos)
    };
    match unit {
        DateUnit::Minute => floor(MINUTE, 0),
        DateUnit::Hour => floor(60 * MINUTE, 0),
        DateUnit::Day => floor(DAY, 0),
        // A Monday.
        DateUnit::Week => floor(7 * DAY, -3 * DAY),
        DateUnit::Month => months(1),
        DateUnit::Quarter => months(3),
        DateUnit::Year => months(12),
    }
}

/// The bucket after one.
fn next(at: &Value, bucket: &Bucket) -> Value {
    match bucket {
        Bucket::Width { width, .. } => match at.as_ref() {
            ValueRef::Float(x) => (x + float(width)).into(),
            ValueRef::Decimal(_) => DecimalValue::new(cents(at) + cents(width), 2).unwrap().into(),
            ValueRef::Timestamp(nanos) => ValueRef::Timestamp(nanos + int(width)).to_value(),
            _ => (int(at) + int(width)).into(),
        },
        Bucket::Date { unit, every, .. } => {
            // At least as long as the longest bucket, and shorter than twice the shortest.
            let length = i128::from(*every)
                * match unit {
                    DateUnit::Minute => MINUTE,
                    DateUnit::Hour => 60 * MINUTE,
                    DateUnit::Day => DAY,
                    DateUnit::Week => 7 * DAY,
                    DateUnit::Month => 31 * DAY,
                    DateUnit::Quarter => 92 * DAY,
                    DateUnit::Year => 366 * DAY,
                };
            match at.as_ref() {
                ValueRef::Timestamp(nanos) => start(&ValueRef::Timestamp(nanos + length).to_value(), bucket),
                ValueRef::Date(day) => start(&ValueRef::Date(day + (length / DAY) as i32).to_value(), bucket),
                _ => panic!("{at}"),
            }
        }
        _ => panic!("{bucket:?}"),
    }
}

/// The first value of a field; null without one.
fn value<S: Fields>(row: &S, field: &str) -> Value {
    row.values(field).into_iter().next().unwrap_or(Value::NULL)
}

/// Sorted by an order, then by `id`.
fn in_order<'a, S: Fields>(rows: &[&'a S], order: &[OrderBy]) -> Vec<&'a S> {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| value(*row, "id"));
    for by in order.iter().rev() {
        rows.sort_by(|a, b| {
            let compared = |row: &S| S::compared(&by.field, &value(row, &by.field));
            let (a, b) = (compared(a), compared(b));
            let by_null = (a == Value::NULL).cmp(&(b == Value::NULL));
            let by_null = if by.nulls == Nulls::First { by_null.reverse() } else { by_null };
            by_null.then(if by.direction == Direction::Descending { b.cmp(&a) } else { a.cmp(&b) })
        });
    }
    rows
}

fn figure<S: Fields>(rows: &[&S], metric: &Metric) -> Value {
    let kept: Vec<&S> = rows.iter().copied().filter(|row| metric.filter.iter().all(|f| row.holds(f))).collect();
    let rows = &kept[..];
    let Some(field) = metric.aggregate.field() else { return Value::from(rows.len()) };
    if let Aggregate::First(_, order) = &metric.aggregate {
        let mut values = in_order(rows, order).into_iter().map(|row| value(row, field));
        return values.find(|value| *value != Value::NULL).unwrap_or(Value::NULL);
    }
    let mut values: Vec<Value> = rows.iter().flat_map(|row| row.values(field)).filter(|v| *v != Value::NULL).collect();
    values.sort_by_cached_key(|value| (S::compared(field, value), value.clone()));
    let same = |a: &Value, b: &Value| S::compared(field, a) == S::compared(field, b);
    let n = values.len() as f64;
    let sum = || -> (i128, f64) {
        match S::kind(field) {
            Kind::Float => (0, values.iter().map(float).sum()),
            Kind::Decimal => (values.iter().map(cents).sum(), values.iter().map(cents).sum::<i128>() as f64 / 100.0),
            _ => (values.iter().map(int).sum(), values.iter().map(int).sum::<i128>() as f64),
        }
    };
    let deviation = |less: f64| -> Value {
        let mean = sum().1 / n;
        let squares: f64 = values.iter().map(|value| (number(value) - mean).powi(2)).sum();
        if n > less { (squares / (n - less)).sqrt().into() } else { Value::NULL }
    };
    match &metric.aggregate {
        Aggregate::CountOf(_) => return Value::from(values.len()),
        Aggregate::Distinct(_) => {
            values.dedup_by(|a, b| same(a, b));
            return Value::from(values.len());
        }
        _ if values.is_empty() => return Value::NULL,
        Aggregate::Mode(_) => {
            let times = |value: &Value| values.iter().filter(|other| same(other, value)).count();
            let most = values.iter().map(times).max().unwrap();
            return values.iter().find(|value| times(value) == most).unwrap().clone();
        }
        _ => {}
    }
    match &metric.aggregate {
        Aggregate::Sum(_) => match S::kind(field) {
            Kind::Float => sum().1.into(),
            Kind::Decimal => DecimalValue::new(sum().0, 2).unwrap().into(),
            _ => sum().0.into(),
        },
        Aggregate::Avg(_) if S::kind(field) == Kind::Decimal => mean_of_cents(sum().0, values.len() as i128),
        Aggregate::Avg(_) => (sum().1 / n).into(),
        Aggregate::Min(_) => values[0].clone(),
        Aggregate::Max(_) => values.iter().find(|value| same(value, &values[values.len() - 1])).unwrap().clone(),
        Aggregate::StdDev(_) => deviation(1.0),
        Aggregate::StdDevPop(_) => deviation(0.0),
        Aggregate::Percentile(_, percent) if S::kind(field) != Kind::Float => {
            // All percentiles of the tests are multiples of a half.
            let place = (percent * 2.0) as usize * (values.len() - 1);
            let (low, part) = (place / 200, (place % 200) as i128);
            let exact = |value: &Value| if S::kind(field) == Kind::Decimal { cents(value) } else { int(value) };
            let (low, high) = (exact(&values[low]), exact(&values[(low + 1).min(values.len() - 1)]));
            let unit = if S::kind(field) == Kind::Decimal { 20_000.0 } else { 200.0 };
            ((low * (200 - part) + high * part) as f64 / unit).into()
        }
        Aggregate::Percentile(_, percent) => {
            let place = percent / 100.0 * (n - 1.0);
            let (low, high) = (number(&values[place.floor() as usize]), number(&values[place.ceil() as usize]));
            match place.fract() {
                0.0 => low.into(),
                _ if low == high => low.into(),
                // Interpolation with an infinite value is infinite, and between both infinities it is NaN.
                part if (high - low).is_infinite() => (low * (1.0 - part) + high * part).into(),
                part => (low + (high - low) * part).into(),
            }
        }
        other => panic!("{other:?}"),
    }
}

/// To 28 digits behind the point, ties to even.
fn mean_of_cents(sum: i128, count: i128) -> Value {
    let units = sum * 10i128.pow(26);
    let (whole, rest) = (units.div_euclid(count), units.rem_euclid(count));
    let up = 2 * rest > count || 2 * rest == count && whole % 2 != 0;
    DecimalValue::new(whole + i128::from(up), 28).unwrap().into()
}

fn int(value: &Value) -> i128 {
    match value.as_ref() {
        ValueRef::Int(n) => n.into(),
        ValueRef::Int128(n) => n,
        other => panic!("{other}"),
    }
}

fn float(value: &Value) -> f64 {
    match value.as_ref() {
        ValueRef::Float(x) => x,
        ValueRef::Int(n) => n as f64,
        other => panic!("{other}"),
    }
}

fn cents(value: &Value) -> i128 {
    match value.as_ref() {
        ValueRef::Decimal(number) => number.units() * 10i128.pow(2 - u32::from(number.scale())),
        ValueRef::Int(n) => i128::from(n) * 100,
        other => panic!("{other}"),
    }
}

fn number(value: &Value) -> f64 {
    match value.as_ref() {
        ValueRef::Float(x) => x,
        ValueRef::Decimal(_) => cents(value) as f64 / 100.0,
        _ => int(value) as f64,
    }
}

/// The naive evaluator rounds floats more than once, so they may differ in the last digits of the summands; a sum of
/// zero may be slightly off.
fn near(a: &Value, b: &Value) -> bool {
    match (a.as_ref(), b.as_ref()) {
        (ValueRef::Float(x), ValueRef::Float(y)) => a == b || (x - y).abs() <= 1e-9 * x.abs().max(y.abs()).max(1e-3),
        _ => a == b,
    }
}

/// Compares a result with the expected one.
///
/// # Errors
/// The first difference, in words.
pub fn compare(found: &MetricValues, expected: &Expected) -> Result<(), String> {
    let names: Vec<&str> = found.metrics().map(|(name, _)| name).collect();
    if names != expected.metrics.iter().map(|(name, _)| &**name).collect::<Vec<_>>() {
        return Err(format!("metrics {names:?}"));
    }
    for ((name, value), (_, wanted)) in found.metrics().zip(&expected.metrics) {
        if !near(value, wanted) {
            return Err(format!("{name} is {value}, expected {wanted}"));
        }
    }
    let hits: Vec<Value> = found.hits().iter().map(|hit| hit.value("id").unwrap()).collect();
    if hits != expected.hits {
        return Err(format!("the hits are {hits:?}, expected {:?}", expected.hits));
    }
    let keys: Vec<&Vec<Value>> = found.groups().iter().map(|group| &group.key).collect();
    let wanted: Vec<&Vec<Value>> = expected.groups.iter().map(|(key, _)| key).collect();
    if keys != wanted || found.groups_in_all() != expected.in_all {
        return Err(format!(
            "groups {keys:?} of {}, expected {wanted:?} of {}",
            found.groups_in_all(),
            expected.in_all
        ));
    }
    for (group, (key, wanted)) in found.groups().iter().zip(&expected.groups) {
        compare(group, wanted).map_err(|error| format!("in {key:?}: {error}"))?;
    }
    Ok(())
}

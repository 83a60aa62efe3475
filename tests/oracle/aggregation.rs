//! Statistics by plain loops: a group is a list of records, and each metric is computed from the list of its values.

use super::calendar;
use super::naive::{Row, Table, Val};
use memdex::aggregate::{Aggregate, DateStep, Statistics};
use memdex::typing::ValueRef;
use memdex::{Bucket, GroupBy, Kind, Metric, Value};
use std::cmp::Ordering;

/// The expected aggregation result.
#[derive(Clone, Debug)]
pub(super) struct NaiveResult {
    pub(super) metrics: Vec<Option<Val>>,
    pub(super) groups: Option<Vec<(Vec<Part>, NaiveResult)>>,
    /// Includes groups that `top` leaves out.
    pub(super) total_groups: usize,
}

/// A part of a group key.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Missing,
    Value(Val),
    /// Position in the list of ranges.
    Range(usize),
}

impl Part {
    fn order(&self, other: &Part) -> Ordering {
        match (self, other) {
            (Part::Missing, Part::Missing) => Ordering::Equal,
            (Part::Missing, _) => Ordering::Less,
            (_, Part::Missing) => Ordering::Greater,
            (Part::Value(a), Part::Value(b)) => a.order(b),
            (Part::Range(a), Part::Range(b)) => a.cmp(b),
            (a, b) => panic!("{a:?} compared with {b:?}"),
        }
    }
}

impl Part {
    /// Replaces it by an equal part with a lower spelling.
    fn lower(&mut self, other: Part) {
        if let (Part::Value(a), Part::Value(b)) = (&*self, &other)
            && b.spelling_order(a).is_lt()
        {
            *self = other;
        }
    }
}

fn order_keys(a: &[Part], b: &[Part]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| a.order(b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

impl Table<'_> {
    pub(super) fn aggregate(&self, rows: &[&Row], requested: &Statistics) -> NaiveResult {
        let mut metrics: Vec<_> = requested.metrics.iter().map(|metric| self.metric(rows, metric)).collect();
        for (at, metric) in requested.metrics.iter().enumerate() {
            if let Aggregate::Ratio(of, by) = &metric.aggregate {
                let find = |name: &str| requested.metrics.iter().position(|metric| metric.name == name).unwrap();
                let quotient = metrics[find(of)].as_ref().zip(metrics[find(by)].as_ref());
                let quotient = quotient.map(|(of, by)| (of.as_float(), by.as_float())).filter(|(_, by)| *by != 0.0);
                metrics[at] = quotient.map(|(of, by)| Val::Float(of / by));
            }
        }
        let groups = requested.groups.as_ref().map(|groups| self.groups(rows, groups));
        let (groups, total_groups) = groups.unzip();
        NaiveResult { metrics, groups, total_groups: total_groups.unwrap_or(0) }
    }

    /// The groups, and their number before `top`.
    fn groups(&self, rows: &[&Row], requested: &GroupBy) -> (Vec<(Vec<Part>, NaiveResult)>, usize) {
        let mut members: Vec<(Vec<Part>, &Row)> = Vec::new();
        for row in rows {
            members.extend(self.keys(row, &requested.by).into_iter().map(|key| (key, *row)));
        }
        members.sort_by(|(a, _), (b, _)| order_keys(a, b));
        let mut groups: Vec<(Vec<Part>, Vec<&Row>)> = Vec::new();
        for (key, row) in members {
            match groups.last_mut() {
                Some((last, rows)) if order_keys(&key, last).is_eq() => {
                    last.iter_mut().zip(key).for_each(|(lowest, part)| lowest.lower(part));
                    rows.push(row);
                }
                _ => groups.push((key, vec![row])),
            }
        }
        for key in self.groups_without_records(&groups, requested) {
            if let Err(at) = groups.binary_search_by(|(other, _)| order_keys(other, &key)) {
                groups.insert(at, (key, Vec::new()));
            }
        }
        let results = groups.into_iter().map(|(key, members)| (key, self.aggregate(&members, &requested.within)));
        let mut results: Vec<_> = results.collect();
        let total = results.len();
        if let Some(top) = &requested.top {
            let at = requested.within.metrics.iter().position(|metric| metric.name == top.metric).unwrap();
            // A stable sort, so that ties stay in the order of their keys.
            results.sort_by(|(_, a), (_, b)| match (&a.metrics[at], &b.metrics[at]) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(a), Some(b)) if top.descending => b.order(a),
                (Some(a), Some(b)) => a.order(b),
            });
            results.truncate(top.groups);
        }
        (results, total)
    }

    /// The groups that contain a record.
    fn keys(&self, row: &Row, by: &[Bucket]) -> Vec<Vec<Part>> {
        let mut keys = vec![Vec::new()];
        for bucket in by {
            let parts = self.parts(row, bucket);
            keys = keys
                .iter()
                .flat_map(|key: &Vec<Part>| parts.iter().map(|part| key.iter().chain([part]).cloned().collect()))
                .collect();
        }
        keys
    }

    fn parts(&self, row: &Row, bucket: &Bucket) -> Vec<Part> {
        let column = self.column(bucket.field());
        let mut parts: Vec<Part> = Vec::new();
        for value in &row[column] {
            let here: Vec<Part> = match bucket {
                Bucket::Values { .. } => vec![Part::Value(value.clone())],
                Bucket::Width { width, offset, .. } => {
                    let step = self.step(value, width, offset, column);
                    step.map(|step| Part::Value(self.start(step, width, offset, column))).into_iter().collect()
                }
                Bucket::Date { unit, zone, every, offset_seconds, .. } => {
                    let step = DateStep { unit: *unit, every: *every, offset_seconds: *offset_seconds };
                    let later = calendar::days_later(step);
                    vec![Part::Value(match value {
                        Val::Time(nanos) => Val::Time(calendar::start(*nanos, step, zone)),
                        Val::Date(days) => Val::Date(calendar::first_day(*days - later, step) + later),
                        other => panic!("{other:?} by date"),
                    })]
                }
                Bucket::Ranges { ranges, .. } => {
                    let read = |bound: &Option<Value>| bound.as_ref().and_then(|bound| self.value(bound, column));
                    let contains = |(from, to): &(Option<Value>, Option<Value>)| {
                        read(from).is_none_or(|from| value.order(&from).is_ge())
                            && read(to).is_none_or(|to| value.order(&to).is_lt())
                    };
                    // NaN belongs to no range.
                    let is_number = !matches!(value, Val::Float(x) if x.is_nan());
                    (0..ranges.len()).filter(|at| is_number && contains(&ranges[*at])).map(Part::Range).collect()
                }
            };
            for part in here {
                match parts.iter_mut().find(|other| other.order(&part).is_eq()) {
                    Some(known) => known.lower(part),
                    None => parts.push(part),
                }
            }
        }
        if row[column].is_empty() && matches!(bucket, Bucket::Values { .. }) {
            parts.push(Part::Missing);
        }
        parts
    }

    /// The number of the bucket that contains a value, counted from the offset.
    fn step(&self, value: &Val, width: &Value, offset: &Value, column: usize) -> Option<i128> {
        match (value, self.value(width, column)?, self.value(offset, column)?) {
            (Val::Int(n), Val::Int(width), Val::Int(offset)) => Some((n - offset).div_euclid(width)),
            (Val::Decimal(n), Val::Decimal(width), Val::Decimal(offset)) => Some((n - offset).div_euclid(width)),
            (Val::Float(x), Val::Float(width), Val::Float(offset)) => {
                let step = ((x - offset) / width).floor();
                if step.is_nan() || step.abs() > (1_u64 << 52) as f64 {
                    return None;
                }
                // The quotient is rounded, so the bucket may be the previous or the next one.
                let start = |step: f64| offset + step * width;
                let near = [step, step - 1.0, step + 1.0];
                near.into_iter().find(|step| start(*step) <= *x && *x < start(step + 1.0)).map(|step| step as i128)
            }
            other => panic!("{other:?}"),
        }
    }

    fn start(&self, step: i128, width: &Value, offset: &Value, column: usize) -> Val {
        match (self.value(width, column).unwrap(), self.value(offset, column).unwrap()) {
            (Val::Int(width), Val::Int(offset)) => Val::Int(step * width + offset),
            (Val::Decimal(width), Val::Decimal(offset)) => Val::Decimal(step * width + offset),
            (Val::Float(width), Val::Float(offset)) => Val::Float(offset + step as f64 * width),
            other => panic!("{other:?}"),
        }
    }

    /// Groups that appear even without records.
    fn groups_without_records(&self, groups: &[(Vec<Part>, Vec<&Row>)], requested: &GroupBy) -> Vec<Vec<Part>> {
        if let [Bucket::Ranges { ranges, .. }] = requested.by.as_slice() {
            return (0..ranges.len()).map(|at| vec![Part::Range(at)]).collect();
        }
        let mut starts: Vec<&Val> =
            groups.iter().filter_map(|(key, _)| if let [Part::Value(v)] = &key[..] { Some(v) } else { None }).collect();
        starts.sort_by(|a, b| a.order(b));
        let (Some(first), Some(last), true) = (starts.first(), starts.last(), requested.empty) else {
            return Vec::new();
        };
        let mut all = Vec::new();
        match &requested.by[0] {
            Bucket::Width { field, width, offset } => {
                let column = self.column(field);
                let step = |start: &Val| {
                    // A float start may round into the previous bucket; the middle of the bucket does not.
                    let inside = match (start, self.value(width, column)) {
                        (Val::Float(x), Some(Val::Float(width))) => Val::Float(x + width / 2.0),
                        (other, _) => other.clone(),
                    };
                    self.step(&inside, width, offset, column).unwrap()
                };
                for at in step(first)..=step(last) {
                    all.push(vec![Part::Value(self.start(at, width, offset, column))]);
                }
            }
            Bucket::Date { unit, zone, every, offset_seconds, .. } => {
                let step = DateStep { unit: *unit, every: *every, offset_seconds: *offset_seconds };
                let later = calendar::days_later(step);
                let mut at = (*first).clone();
                while at.order(last).is_le() {
                    all.push(vec![Part::Value(at.clone())]);
                    at = match at {
                        Val::Time(nanos) => Val::Time(calendar::next(nanos, step, zone)),
                        Val::Date(days) => Val::Date(calendar::next_day(days - later, step) + later),
                        other => panic!("{other:?} by date"),
                    };
                }
            }
            other => panic!("{other:?} has no empty buckets"),
        }
        all
    }

    fn metric(&self, rows: &[&Row], metric: &Metric) -> Option<Val> {
        let kept = rows.iter().copied().filter(|row| metric.filter.iter().all(|filter| self.matches(row, filter)));
        let rows = &kept.collect::<Vec<_>>()[..];
        let Some(field) = metric.aggregate.field() else { return Some(Val::Int(rows.len() as i128)) };
        let column = self.column(field);
        let mut values: Vec<Val> = rows.iter().flat_map(|row| row[column].iter().cloned()).collect();
        let counted = |count: usize| Some(Val::Int(count as i128));
        match metric.aggregate {
            Aggregate::CountOf(_) => return counted(values.len()),
            Aggregate::Distinct(_) => {
                values.sort_by(Val::order);
                values.dedup_by(|a, b| a.equals(b));
                return counted(values.len());
            }
            Aggregate::Min(_) => return values.into_iter().min_by(Val::order_as_written),
            // Of equal texts, the lowest spelling.
            Aggregate::Max(_) => {
                return values.into_iter().max_by(|a, b| a.order(b).then_with(|| b.spelling_order(a)));
            }
            Aggregate::Mode(_) => {
                values.sort_by(Val::order_as_written);
                let runs = values.chunk_by(|a, b| a.equals(b));
                return runs
                    .reduce(|best, run| if run.len() > best.len() { run } else { best })
                    .map(|run| run[0].clone());
            }
            _ => {}
        }
        let numbers: Vec<f64> = values.iter().map(Val::as_float).collect();
        let count = numbers.len() as f64;
        if numbers.is_empty() {
            return None;
        }
        // Relative to the first value, so that equal numbers have a deviation of exactly 0.
        let from_first: Vec<f64> = values.iter().map(|value| value.difference(&values[0])).collect();
        let mean_from_first = exact_sum(&from_first) / count;
        let squares: Vec<f64> = from_first.iter().map(|x| (x - mean_from_first).powi(2)).collect();
        match metric.aggregate {
            Aggregate::Sum(_) => Some(match self.shapes[column].kind {
                Kind::Float => Val::Float(exact_sum(&numbers)),
                Kind::Int => Val::Int(values.iter().map(Val::as_int).sum()),
                _ => Val::Decimal(values.iter().map(Val::as_int).sum()),
            }),
            Aggregate::Avg(_) => Some(Val::Float(match self.shapes[column].kind {
                Kind::Float => exact_sum(&numbers) / count,
                // Wide integers lose precision as floats, so their sum is exact.
                Kind::Int => Val::Int(values.iter().map(Val::as_int).sum()).as_float() / count,
                _ => Val::Decimal(values.iter().map(Val::as_int).sum()).as_float() / count,
            })),
            Aggregate::StdDev(_) if numbers.len() < 2 => None,
            Aggregate::StdDev(_) => Some(Val::Float((exact_sum(&squares) / (count - 1.0)).sqrt())),
            Aggregate::StdDevPop(_) => Some(Val::Float((exact_sum(&squares) / count).sqrt())),
            Aggregate::Percentile(_, percent) if self.shapes[column].kind != Kind::Float => {
                values.sort_by(Val::order);
                // All percentiles of the tests are multiples of a half.
                let place = (percent * 2.0) as usize * (values.len() - 1);
                let (low, part) = (place / 200, (place % 200) as i128);
                let (low, high) = (values[low].as_int(), values[(low + 1).min(values.len() - 1)].as_int());
                // In 200ths, without overflow.
                let (whole, rest) = ((high - low) / 200, (high - low) % 200 * part);
                let (whole, rest) = ((low + whole * part + rest / 200) as f64, (rest % 200) as f64 / 200.0);
                let unit = if self.shapes[column].kind == Kind::Int { 1.0 } else { 1e6 };
                Some(Val::Float((whole + rest) / unit))
            }
            Aggregate::Percentile(_, percent) => {
                values.sort_by(Val::order);
                let place = percent / 100.0 * (count - 1.0);
                let (below, above) = (&values[place.floor() as usize], &values[place.ceil() as usize]);
                let (below, above) = (below.as_float(), above.as_float());
                Some(Val::Float(if below == above { below } else { below + (above - below) * place.fract() }))
            }
            ref other => panic!("{other:?}"),
        }
    }
}

impl Val {
    fn as_float(&self) -> f64 {
        match self {
            Val::Int(n) => *n as f64,
            Val::Float(x) => *x,
            Val::Decimal(millionths) => *millionths as f64 / 1e6,
            other => panic!("{other:?} is not a number"),
        }
    }

    /// The difference to another number.
    fn difference(&self, other: &Val) -> f64 {
        match (self, other) {
            (Val::Int(a), Val::Int(b)) => (a - b) as f64,
            (Val::Decimal(a), Val::Decimal(b)) => Val::Decimal(a - b).as_float(),
            (a, b) => a.as_float() - b.as_float(),
        }
    }

    fn as_int(&self) -> i128 {
        match self {
            Val::Int(n) | Val::Decimal(n) => *n,
            other => panic!("{other:?} is not an integer"),
        }
    }
}

/// The sum, rounded once, by Shewchuk's algorithm, which retains the error of each addition.
fn exact_sum(numbers: &[f64]) -> f64 {
    if numbers.iter().any(|x| !x.is_finite()) {
        return numbers.iter().sum();
    }
    let mut parts: Vec<f64> = Vec::new();
    for number in numbers {
        let mut carried = *number;
        let mut partials = Vec::new();
        for part in parts {
            let (larger, smaller) = if carried.abs() < part.abs() { (part, carried) } else { (carried, part) };
            let sum = larger + smaller;
            let error = smaller - (sum - larger);
            if error != 0.0 {
                partials.push(error);
            }
            carried = sum;
        }
        partials.push(carried);
        parts = partials;
    }
    parts.iter().rev().fold(0.0, |sum, part| sum + part)
}

/// A part of a group key as the result of memdex has it; `None` if it is missing.
pub(super) fn result_part(part: Part, bucket: &Bucket) -> Option<Val> {
    match (part, bucket) {
        (Part::Missing, _) => None,
        (Part::Value(value), _) => Some(value),
        (Part::Range(at), Bucket::Ranges { ranges, .. }) => {
            let text_of = |bound: &Option<Value>| match bound.as_ref().map(Value::as_ref) {
                None => String::new(),
                Some(ValueRef::Str(text)) => text.to_owned(),
                Some(other) => other.to_string(),
            };
            let (from, to) = &ranges[at];
            Some(Val::Text(format!("{}..{}", text_of(from), text_of(to))))
        }
        (part, bucket) => panic!("{part:?} of {bucket:?}"),
    }
}

/// A result as SQL rows: one row, or one row for each group with its key first.
pub(super) fn flatten(requested: &Statistics, result: NaiveResult) -> Vec<Vec<Option<Val>>> {
    let Some(groups) = result.groups else { return vec![result.metrics] };
    let buckets = &requested.groups.as_ref().unwrap().by;
    let row = |(key, group): (Vec<Part>, NaiveResult)| {
        let key = key.into_iter().zip(buckets).map(|(part, bucket)| result_part(part, bucket));
        key.chain(group.metrics).collect()
    };
    groups.into_iter().map(row).collect()
}

//! Builds the result from accumulated statistics: metric values, ordered groups, top groups and empty groups.

use super::accumulate::{Accumulated, Measured, OfLevel};
use super::answer::{Group, MetricValues};
use super::bind::{Bound, BoundBucket, BoundMetric, BoundTop, Function, Level};
use super::groups;
use super::measures::{Measures, numbers_of};
use crate::error::QueryError;
use crate::read::hit::{Hit, Selected};
use crate::record::order_of_all;
use crate::storage::{SharedVersion, Table};
use crate::sync::Arc;
use memdex_query::aggregate::{percentiles, ratio};
use memdex_query::value::{Value, ValueRef, value_of_bits};
use std::cmp::Ordering;

impl Accumulated<'_> {
    /// The result. The tables are those of the collections, by their positions.
    pub(super) fn finish(self, tables: &[Arc<Table>]) -> Result<MetricValues, QueryError> {
        let mut given = self.groups();
        let bound = self.bound;
        let levels: Vec<Finished> = self
            .levels
            .into_iter()
            .zip(&bound.levels)
            .enumerate()
            .map(|(at, (accumulated, asked))| Finished::new(bound, at, asked, accumulated))
            .collect::<Result<_, _>>()?;
        Assembly { bound, levels: &levels, tables, groups: &mut given }.of_group(0, Some(0))
    }
}

/// A level with its metrics computed.
struct Finished<'b> {
    asked: &'b Level,
    accumulated: OfLevel,
    /// By group, then by metric.
    values: Vec<Value>,
    /// The groups, ordered by parent group, then by key.
    order: Vec<u32>,
    /// By parent group: where its groups end in `order`.
    ends: Vec<usize>,
}

impl<'b> Finished<'b> {
    fn new(bound: &Bound, at: usize, asked: &'b Level, mut accumulated: OfLevel) -> Result<Self, QueryError> {
        let groups = accumulated.counts.len();
        let metrics = asked.metrics.len();
        let mut values = vec![Value::NULL; groups * metrics];
        let OfLevel { counts, measures, filtered, .. } = &mut accumulated;
        let all = (None, &*counts, measures);
        let filtered = filtered.iter_mut().enumerate().map(|(filter, (counts, measures))| {
            counts.resize(groups, 0);
            measures.iter_mut().for_each(|measured| measured.grow(groups));
            (Some(filter), &*counts, measures)
        });
        for (filter, counts, measures) in std::iter::once(all).chain(filtered) {
            for (metric, of) in asked.metrics.iter().enumerate().filter(|(_, of)| of.filter == filter) {
                let mut put = |group: usize, value: Value| values[group * metrics + metric] = value;
                if of.field.is_none() {
                    counts.iter().enumerate().for_each(|(group, count)| put(group, Value::from(*count)));
                }
                let measured = measures.iter_mut().find(|measured| Some(measured.field) == of.field);
                let Some(measured) = measured else { continue };
                let name = || asked.names[metric].to_string();
                measured.each_figure(bound, of, &name, &mut put)?;
            }
            for measured in measures {
                measured.collected(asked, filter, |group, metric, value| values[group * metrics + metric] = value);
            }
        }
        let ratios = asked.metrics.iter().enumerate().filter_map(|(metric, of)| match of.function {
            Function::Ratio(numerator, denominator) => Some((metric, numerator, denominator)),
            _ => None,
        });
        for (metric, numerator, denominator) in ratios {
            for of_group in values.chunks_exact_mut(metrics) {
                let ratio = ratio(of_group[numerator].as_ref(), of_group[denominator].as_ref());
                of_group[metric] = ratio.map_or(Value::NULL, Value::from);
            }
        }
        let ranks: Vec<Vec<u32>> = accumulated.parts.iter().map(|part| part.ranks()).collect();
        let (order, ends) = if at == 0 { (Vec::new(), Vec::new()) } else { in_order(&accumulated, &ranks) };
        Ok(Finished { asked, accumulated, values, order, ends })
    }

    /// The groups within a parent group.
    fn within(&self, before: usize) -> &[u32] {
        let end = |at: usize| self.ends.get(at).copied().unwrap_or(self.order.len());
        let from = before.checked_sub(1).map_or(0, end);
        self.order.get(from..end(before)).unwrap_or_default()
    }

    fn values(&self, group: u32) -> &[Value] {
        let metrics = self.asked.metrics.len();
        &self.values[group as usize * metrics..][..metrics]
    }
}

/// All groups, ordered by parent group, then by key; and the end of each parent's groups.
fn in_order(accumulated: &OfLevel, ranks: &[Vec<u32>]) -> (Vec<u32>, Vec<usize>) {
    let groups = accumulated.counts.len() as u32;
    let width = ranks.len() + 1;
    let mut keys: Vec<u32> = Vec::with_capacity(groups as usize * width);
    let mut parts = Vec::new();
    for group in 0..groups {
        keys.push(accumulated.groups.take_apart(group, &mut parts));
        keys.extend(parts.iter().zip(ranks).map(|(part, ranks)| ranks[*part as usize]));
    }
    let key = |group: &u32| &keys[*group as usize * width..][..width];
    // Includes ranges without records.
    let mut order: Vec<u32> = (0..groups).collect();
    order.sort_unstable_by(|a, b| key(a).cmp(key(b)));
    let mut ends = Vec::new();
    for (at, group) in order.iter().enumerate() {
        let before = key(group)[0] as usize;
        ends.resize(ends.len().max(before), at);
        if ends.len() == before {
            ends.push(at);
        }
        ends[before] = at + 1;
    }
    (order, ends)
}

impl Measured {
    /// Computes one metric for every group that has a value.
    fn each_figure(
        &mut self,
        bound: &Bound,
        asked: &BoundMetric,
        name: &dyn Fn() -> String,
        put: &mut dyn FnMut(usize, Value),
    ) -> Result<(), QueryError> {
        let measures = &mut self.measures;
        let groups = measures.counts.len();
        if let Function::First(order) = asked.function {
            if let Some((_, firsts)) = self.firsts.iter().find(|(of, _)| *of == order) {
                (0..groups).for_each(|at| firsts.of(at).for_each(|(_, value)| put(at, value.clone())));
            }
            return Ok(());
        }
        if asked.function == Function::Distinct {
            measures.distinct().into_iter().enumerate().for_each(|(at, count)| put(at, count.into()));
            return Ok(());
        }
        let float = |x: Option<f64>| x.map_or(Value::NULL, Value::from);
        for at in 0..groups {
            let count = measures.counts[at];
            if asked.function == Function::Count {
                put(at, count.into());
                continue;
            }
            if count == 0 {
                continue;
            }
            let value = match asked.function {
                Function::Count | Function::Distinct => continue,
                Function::Percentile(_) | Function::Mode | Function::First(_) | Function::Ratio(..) => continue,
                Function::Sum => measures.moments[at]
                    .sum()
                    .map_err(|_| QueryError::overflow(&*bound.collection, name(), bound.fields[self.field].name()))?,
                Function::Avg => measures.moments[at].avg().unwrap_or(Value::NULL),
                Function::StdDev => float(measures.moments[at].stddev()),
                Function::StdDevPop => float(measures.moments[at].stddev_pop()),
                Function::Min => measures.extremes(at).0,
                Function::Max => measures.extremes(at).1,
            };
            put(at, value);
        }
        Ok(())
    }
}

impl Measured {
    /// Computes modes and percentiles for every group that has a value. Frees the collected values.
    fn collected(&mut self, asked: &Level, filter: Option<usize>, mut put: impl FnMut(usize, usize, Value)) {
        let of_field = asked.metrics.iter().enumerate();
        let of_field = of_field.filter(|(_, of)| of.field == Some(self.field) && of.filter == filter);
        for (metric, _) in of_field.clone().filter(|(_, of)| of.function == Function::Mode) {
            (0..self.measures.counts.len()).for_each(|group| put(group, metric, self.measures.mode(group)));
        }
        let wanted = of_field.filter_map(|(metric, of)| match of.function {
            Function::Percentile(percent) => Some((metric, percent)),
            _ => None,
        });
        let (metrics, percents): (Vec<usize>, Vec<f64>) = wanted.unzip();
        if percents.is_empty() {
            return;
        }
        let Measures { kind, bits, values, .. } = &mut self.measures;
        for (group, (bits, values)) in bits.numbers.iter_mut().zip(&mut values.numbers).enumerate() {
            let (mut bits, values) = (std::mem::take(bits), std::mem::take(values));
            let found = match *kind {
                None => percentiles(&mut numbers_of(&values), &percents, |number| *number),
                Some(kind) if values.is_empty() => {
                    percentiles(&mut bits, &percents, |bits| value_of_bits(kind, *bits).unwrap_or(ValueRef::Null))
                }
                Some(kind) => {
                    let of_bits = bits.iter().filter_map(|bits| value_of_bits(kind, *bits));
                    let mut numbers: Vec<ValueRef<'_>> = of_bits.chain(values.iter().map(Value::as_ref)).collect();
                    percentiles(&mut numbers, &percents, |number| *number)
                }
            };
            let found = found.unwrap_or_default();
            metrics.iter().zip(found).for_each(|(metric, number)| put(group, *metric, number.into()));
        }
    }
}

/// Assembles the result.
struct Assembly<'a, 'b> {
    bound: &'b Bound,
    levels: &'a [Finished<'b>],
    tables: &'a [Arc<Table>],
    /// The number of groups so far, empty ones included.
    groups: &'a mut usize,
}

impl Assembly<'_, '_> {
    /// The metrics of a group and its subgroups; `None` is an empty group.
    fn of_group(&mut self, level: usize, group: Option<u32>) -> Result<MetricValues, QueryError> {
        let finished = &self.levels[level];
        let values = match group {
            Some(group) => finished.values(group).into(),
            None => finished.asked.metrics.iter().map(of_nothing).collect(),
        };
        let names = finished.asked.names.clone();
        let firsts = finished.accumulated.hits.iter().map(|(_, firsts)| firsts);
        let records = firsts.zip(group).flat_map(|(firsts, group)| firsts.of(group as usize));
        let hit = |(table, version): (usize, &SharedVersion)| {
            Hit::new(self.tables[table].clone(), version.clone(), Selected::Declared)
        };
        let hits = records.map(hit).collect();
        let (groups, groups_in_all) = self.groups(level + 1, group)?;
        Ok(MetricValues { names, values, hits, groups, groups_in_all })
    }

    /// The groups of a level within a parent group.
    fn groups(&mut self, level: usize, before: Option<u32>) -> Result<(Vec<Group>, usize), QueryError> {
        let Some(finished) = self.levels.get(level) else { return Ok((Vec::new(), 0)) };
        let known = before.map_or(&[][..], |before| finished.within(before as usize));
        let mut wanted = self.wanted(finished, known)?;
        if finished.asked.having.is_some() {
            let of_none: Vec<Value> = finished.asked.metrics.iter().map(of_nothing).collect();
            let metrics = |of: &Wanted| of.group.map_or(&of_none[..], |group| finished.values(group));
            wanted.retain(|of| finished.asked.keeps(metrics(of)));
        }
        let in_all = wanted.len();
        if let Some(best) = &finished.asked.top {
            let first = |a: &Wanted, b: &Wanted| finished.compare(self.bound, best, a, b);
            if best.groups < wanted.len() {
                wanted.select_nth_unstable_by(best.groups, first);
                wanted.truncate(best.groups);
            }
            wanted.sort_unstable_by(first);
        }
        let mut groups = Vec::with_capacity(wanted.len());
        for Wanted { key, group, .. } in wanted {
            groups.push(Group { key, values: self.of_group(level, group)? });
        }
        Ok((groups, in_all))
    }

    /// Groups with records, all ranges, and the empty buckets of a histogram if requested, ordered by key.
    fn wanted(&mut self, finished: &Finished<'_>, known: &[u32]) -> Result<Vec<Wanted>, QueryError> {
        let OfLevel { parts, groups, .. } = &finished.accumulated;
        let mut numbers = Vec::new();
        let mut wanted: Vec<Wanted> = Vec::with_capacity(known.len());
        let [part] = &parts[..] else {
            for group in known {
                groups.take_apart(*group, &mut numbers);
                let part = |(part, number): (usize, &u32)| finished.accumulated.key(*group, part, *number);
                let key = numbers.iter().enumerate().map(part).collect();
                wanted.push(Wanted { key, group: Some(*group), place: wanted.len() });
            }
            return Ok(wanted);
        };
        let known = known.iter().map(|group| {
            groups.take_apart(*group, &mut numbers);
            (numbers[0], *group)
        });
        let mut known: Vec<(u32, u32)> = known.collect();
        let found = known.len();
        let asked = finished.asked;
        let is_histogram = !matches!(asked.buckets[0].bucket, BoundBucket::Values | BoundBucket::Ranges(..));
        if is_histogram && asked.hard.is_some() {
            known.retain(|(number, _)| asked.has_bucket(part.get(*number)));
        }
        let mut put = |key: Value, group| wanted.push(Wanted { key: vec![key], group, place: wanted.len() });
        match &asked.buckets[0].bucket {
            BoundBucket::Ranges(_, ranges) => {
                let mut known = known.into_iter().peekable();
                for range in 0..ranges.len() as u32 {
                    put(part.key(range), known.next_if(|(number, _)| *number == range).map(|(_, group)| group));
                }
            }
            BoundBucket::Width(_) | BoundBucket::Dates(_) | BoundBucket::Days(_) if asked.empty => {
                let ends = known.first().zip(known.last());
                let ends = ends.map(|(first, last)| (part.get(first.0), part.get(last.0)));
                let steps = asked.filled(ends).map_or(Ok(Vec::new()), |(first, last)| part.between(&first, &last));
                let steps = steps.map_err(|source| {
                    QueryError::bad_bucket(&*self.bound.collection, self.bound.fields[part.field].name(), source)
                })?;
                let mut known = known.drain(..).peekable();
                for step in steps {
                    let group = known.next_if(|(number, _)| part.key(*number) == step).map(|(_, group)| group);
                    put(step, group);
                }
                debug_assert!(known.next().is_none(), "every bucket must be one of the steps");
            }
            _ => known.into_iter().for_each(|(number, group)| {
                put(finished.accumulated.key(group, 0, number), Some(group));
            }),
        }
        *self.groups += wanted.len().saturating_sub(found);
        groups::at_most(self.bound, *self.groups)?;
        Ok(wanted)
    }
}

/// A group that may be part of the result.
struct Wanted {
    key: Vec<Value>,
    /// `None` if the group is empty.
    group: Option<u32>,
    /// Position in key order.
    place: usize,
}

impl Finished<'_> {
    /// Order by a metric, missing values last; ties are broken by key.
    fn compare(&self, bound: &Bound, best: &BoundTop, a: &Wanted, b: &Wanted) -> Ordering {
        let metric = &self.asked.metrics[best.metric];
        let of_none = of_nothing(metric);
        let value = |wanted: &Wanted| {
            let value = wanted.group.map_or(&of_none, |group| &self.values(group)[best.metric]).as_ref();
            metric.field.map_or(value, |field| bound.fields[field].at.read(value))
        };
        let by_metric = match (value(a), value(b)) {
            (ValueRef::Null, ValueRef::Null) => Ordering::Equal,
            (ValueRef::Null, _) => Ordering::Greater,
            (_, ValueRef::Null) => Ordering::Less,
            (x, y) if best.descending => order_of_all(y, x),
            (x, y) => order_of_all(x, y),
        };
        by_metric.then_with(|| a.place.cmp(&b.place))
    }
}

/// The value of a metric over no records.
fn of_nothing(asked: &BoundMetric) -> Value {
    match asked.function {
        Function::Count | Function::Distinct => Value::from(0),
        _ => Value::NULL,
    }
}

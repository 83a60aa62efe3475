//! Statistics that are valid for a schema.

use super::domain::{Domain, FieldDomain};
use super::predicates::is_numeric;
use memdex::aggregate::{DateStep, DateUnit, Statistics};
use memdex::query::{FieldName, Predicate};
use memdex::typing::DecimalValue;
use memdex::{Bucket, GroupBy, Kind, Metric, Query, Value, field};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Deepest nesting of drawn groups.
const LEVELS: u32 = 2;

impl Domain {
    /// Statistics queries: metrics of every kind that the [`Model`](crate::Model) has, some with a filter, and groups within groups by
    /// value, width, range and date, some restricted by `having` or to the first ones.
    pub fn statistics(&self) -> BoxedStrategy<Query> {
        let name = self.name().clone();
        let query = move |(filter, statistics): (Predicate, Statistics)| {
            Query::over([name.clone()]).filter(filter).statistics(statistics)
        };
        (self.predicates(), self.aggregations(LEVELS)).prop_map(query).boxed()
    }

    fn aggregations(&self, levels: u32) -> BoxedStrategy<Statistics> {
        let only_metrics = self.metrics().prop_map(Statistics::of);
        if levels == 0 {
            return only_metrics.boxed();
        }
        let grouped = (self.metrics(), self.groups(levels - 1));
        let grouped = grouped.prop_map(|(metrics, groups)| Statistics::of(metrics).group_by(groups));
        prop_oneof![only_metrics, grouped].boxed()
    }

    fn metrics(&self) -> BoxedStrategy<Vec<Metric>> {
        let (fields, filters) = (self.fields.clone(), self.predicates());
        let all = fields.iter().filter(|field| !field.pool.is_empty()).flat_map(metrics_of);
        let all: Vec<Metric> = std::iter::once(Metric::count()).chain(all).collect();
        let metric = (select(all), prop::option::weighted(0.2, filters));
        let metric = metric.prop_map(|(metric, filter)| match filter {
            Some(filter) => metric.filter(filter),
            None => metric,
        });
        let named = |metrics: Vec<Metric>| {
            metrics.into_iter().enumerate().map(|(at, metric)| metric.named(format!("m{at}"))).collect()
        };
        vec(metric, 1..4).prop_map(named).boxed()
    }

    fn groups(&self, levels: u32) -> BoxedStrategy<GroupBy> {
        let single: Vec<_> = self.fields.iter().filter(|field| !field.pool.is_empty()).map(buckets).collect();
        let bucket = select(single).prop_flat_map(|bucket| bucket);
        let within = self.aggregations(levels);
        (vec(bucket, 1..=2), within, 0..6_u8, 1..4_usize)
            .prop_map(|(by, within, way, groups)| {
                let is_ranges = |bucket: &Bucket| matches!(bucket, Bucket::Ranges { .. });
                // Ranges stand alone: their empty groups appear too.
                let by = match by.iter().position(is_ranges) {
                    Some(at) => vec![by[at].clone()],
                    None => by,
                };
                let fillable = matches!(
                    by.as_slice(),
                    [Bucket::Date { unit: DateUnit::Month | DateUnit::Quarter | DateUnit::Year, .. }]
                );
                let ranked_by = within.metrics[0].name.clone();
                let groups_by = GroupBy { within, ..GroupBy::new(by) };
                match way {
                    0 => groups_by.top(groups, ranked_by),
                    1 => groups_by.bottom(groups, ranked_by),
                    2 if fillable => groups_by.with_empty(),
                    _ => groups_by,
                }
            })
            .boxed()
    }
}

fn metrics_of(of: &FieldDomain) -> Vec<Metric> {
    let named = || field(of.def.name().to_owned());
    let mut metrics = vec![named().count(), named().min(), named().max(), named().distinct(), named().mode()];
    if is_numeric(of.def.kind()) {
        metrics.extend([named().sum(), named().avg(), named().stddev(), named().stddev_pop()]);
        metrics.extend([0.0, 25.0, 50.0, 99.5, 100.0].map(|percent| named().percentile(percent)));
    }
    metrics
}

/// Buckets of one field.
fn buckets(of: &FieldDomain) -> BoxedStrategy<Bucket> {
    let name: FieldName = of.def.name().to_owned().into();
    let values = Just(Bucket::values(name.clone()));
    if of.def.is_many() {
        return values.boxed();
    }
    let mut sorted: Vec<Value> = of.pool.clone();
    sorted.retain(|value| value.as_f64().is_none_or(|x| !x.is_nan()));
    sorted.sort_by(|a, b| crate::model::compare::compare(a, b, of.def.collation()));
    sorted.dedup_by(|a, b| crate::model::compare::compare(a, b, of.def.collation()).is_eq());
    let ranged = name.clone();
    let ranges = vec((0..sorted.len(), 1..=sorted.len(), any::<bool>()), 1..=3).prop_map(move |ranges| {
        let bounds = |(from, len, open): (usize, usize, bool)| {
            let to = sorted.get(from + len).cloned();
            // A range without both bounds is not one.
            ((!open || to.is_none()).then(|| sorted[from].clone()), to)
        };
        Bucket::ranges(ranged.clone(), ranges.into_iter().map(bounds).collect::<Vec<_>>())
    });
    let widths: Vec<Value> = match of.def.kind() {
        Kind::Int => [1, 3, 100].map(Value::from).to_vec(),
        Kind::Float => [0.25, 10.0].map(Value::from).to_vec(),
        Kind::Decimal => vec![DecimalValue::from(3).into()],
        Kind::Timestamp | Kind::Date => return prop_oneof![1 => values, 2 => dates(of, name), 1 => ranges].boxed(),
        _ => return prop_oneof![values, ranges].boxed(),
    };
    let widths = select(widths).prop_map(move |width| Bucket::width(name.clone(), width));
    prop_oneof![values, ranges, widths].boxed()
}

fn dates(of: &FieldDomain, name: FieldName) -> BoxedStrategy<Bucket> {
    let mut units = vec![DateUnit::Year, DateUnit::Quarter, DateUnit::Month, DateUnit::Week, DateUnit::Day];
    let zones = if of.def.kind() == Kind::Date {
        vec!["UTC"]
    } else {
        units.extend([DateUnit::Hour, DateUnit::Minute]);
        vec!["UTC", "+05:45", "-11:00"]
    };
    (select(units), 1..4_u32, select(zones))
        .prop_map(move |(unit, every, zone)| Bucket::date_in(name.clone(), DateStep::from(unit).every(every), zone))
        .boxed()
}

//! The model's aggregates: declared as data, drawn at random, and never maintained. The naive evaluator computes their
//! expected results record by record.

use super::books::Book;
use super::predicates::{Tree, leaf};
use super::records::Subject;
use super::reference::Shelf;
use crate::naive::{self, Fields};
use memdex::aggregate::{Aggregate, MetricValues, Statistics};
use memdex::query::FieldName;
use memdex::schema::AggregateDef;
use memdex::{Bucket, GroupBy, Kind, Metric, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Clone, Debug)]
pub(super) struct ModelAggregate {
    pub name: &'static str,
    pub statistics: Statistics,
    pub when: Option<Tree>,
}

impl ModelAggregate {
    pub(super) fn to_store(&self) -> AggregateDef {
        let def = AggregateDef::new(self.name, self.statistics.clone());
        match &self.when {
            Some(when) => def.when(when.filter::<Book>()),
            None => def,
        }
    }

    /// Checks a result against a state.
    pub(super) fn check(&self, figures: &MetricValues, books: &Shelf<Book>) {
        let held =
            books.values().map(|(book, _)| book).filter(|book| self.when.as_ref().is_none_or(|when| when.holds(*book)));
        check_statistics(figures, &held.collect::<Vec<_>>(), &self.statistics);
    }
}

/// Checks a result against the records that it is about.
pub(super) fn check_statistics(figures: &MetricValues, held: &[&Book], statistics: &Statistics) {
    if let Err(error) = naive::compare(figures, &naive::expected(held, statistics)) {
        panic!("{statistics:?}: {error}");
    }
}

impl Fields for Book {
    fn values(&self, field: &str) -> Vec<Value> {
        let at = Book::FIELDS.iter().position(|name| *name == field).unwrap();
        vec![self.see(at).to_value()]
    }

    fn kind(field: &str) -> Kind {
        match field {
            "price" | "rating" => Kind::Float,
            "fee" => Kind::Decimal,
            "shelf" | "id" | "depot.zip" | "publisher.zip" => Kind::Int,
            _ => Kind::Str,
        }
    }

    fn compared(field: &str, value: &Value) -> Value {
        value.as_str().filter(|_| is_folded(field)).map_or_else(|| value.clone(), |text| text.to_lowercase().into())
    }
}

/// Whether the field ignores case.
fn is_folded(field: &str) -> bool {
    field.ends_with(".city")
}

fn singles() -> Vec<&'static str> {
    Book::FIELDS.iter().copied().filter(|name| !Book::MANY.contains(name)).collect()
}

/// Fields whose values an aggregate can show.
fn shown() -> Vec<&'static str> {
    singles().into_iter().filter(|name| !is_folded(name)).collect()
}

fn any_metrics() -> BoxedStrategy<Vec<Metric>> {
    let numbers = || select(vec!["shelf", "price", "rating", "fee", "depot.zip"]).prop_map(FieldName::from);
    let all = || select(singles()).prop_map(FieldName::from);
    let shown = || select(shown()).prop_map(FieldName::from);
    let metric = prop_oneof![
        2 => Just(Aggregate::Count),
        1 => all().prop_map(Aggregate::CountOf),
        3 => numbers().prop_map(Aggregate::Sum),
        1 => numbers().prop_map(Aggregate::Avg),
        1 => numbers().prop_map(Aggregate::StdDev),
        2 => shown().prop_map(Aggregate::Min),
        2 => shown().prop_map(Aggregate::Max),
        2 => all().prop_map(Aggregate::Distinct),
    ];
    let distinct = |mut metrics: Vec<Metric>| {
        metrics.sort_by(|a, b| a.name.cmp(&b.name));
        metrics.dedup_by(|a, b| a.name == b.name);
        metrics
    };
    vec(metric.prop_map(Metric::from), 0..4).prop_map(distinct).boxed()
}

/// Valid statistics.
pub(super) fn any_statistics() -> BoxedStrategy<Statistics> {
    let bucket = prop_oneof![
        4 => select(shown()).prop_map(Bucket::values),
        1 => (1..4_i64).prop_map(|width| Bucket::width("shelf", width)),
        1 => Just(Bucket::ranges("shelf", [(None, Some(0)), (Some(0), Some(2))])),
    ];
    let groups = (vec(bucket, 1..3), any_metrics()).prop_map(|(by, metrics)| GroupBy::new(by).metrics(metrics));
    let make = |(metrics, groups): (Vec<Metric>, Option<GroupBy>)| {
        let metrics = if groups.is_none() && metrics.is_empty() { vec![Metric::count()] } else { metrics };
        groups.into_iter().fold(Statistics::of(metrics), Statistics::group_by)
    };
    (any_metrics(), proptest::option::weighted(0.8, groups)).prop_map(make).boxed()
}

/// Valid aggregates, under one of a few names.
pub(super) fn any_aggregate() -> BoxedStrategy<ModelAggregate> {
    let when = proptest::option::weighted(0.4, leaf::<Book>());
    let name = select(vec!["one", "two", "three"]);
    let make = |(name, statistics, when)| ModelAggregate { name, statistics, when };
    (name, any_statistics(), when).prop_map(make).boxed()
}

/// The aggregates of a schema, at most one for each name.
pub(super) fn any_aggregates() -> BoxedStrategy<Vec<ModelAggregate>> {
    let each_once = |drawn: Vec<ModelAggregate>| {
        let mut all: Vec<ModelAggregate> = Vec::new();
        for aggregate in drawn {
            if all.iter().all(|other| other.name != aggregate.name) {
                all.push(aggregate);
            }
        }
        all
    };
    vec(any_aggregate(), 0..3).prop_map(each_once).boxed()
}

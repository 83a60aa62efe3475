//! Answers of stores in a form that compares.

use crate::tally;
use memdex::aggregate::Statistics;
use memdex::query::{Ask, Hit, Predicate, QueryResult};
use memdex::typing::ValueRef;
use memdex::{Bucket, Key, Kind, Page, Query, Schema, Store, Value};
use memdex_test::{Model, Operation, Outcome, Row, Summary};
use std::ops::Bound;

/// The answer of a store.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Records {
        rows: Vec<(String, Key, Row)>,
        total: Option<usize>,
        is_exact: bool,
        has_next: bool,
        has_prev: bool,
    },
    /// With its serde form, which also has the names of ranges and the first records of groups.
    Statistics(Summary, serde_json::Value),
    Refused(String),
}

/// Whether the order of the records is part of the answer.
pub(crate) fn is_ordered(query: &Query) -> bool {
    matches!(&query.ask, Ask::Records(paging) if paging.is_paged())
}

/// The rows of a page.
pub(crate) fn rows(page: &Page<Hit>) -> Vec<Row> {
    page.iter().map(|hit| Row::from(&hit.to_values())).collect()
}

/// Asks a store.
pub(crate) fn answer(store: &Store, query: &Query) -> Answer {
    match (store.query(query), &query.ask) {
        (Ok(QueryResult::Records(page)), _) => {
            let hit = |hit: &Hit| (hit.collection().to_owned(), hit.key().clone(), Row::from(&hit.to_values()));
            let mut rows: Vec<_> = page.iter().map(hit).collect();
            if !is_ordered(query) {
                rows.sort_by(|(a, key, _), (b, other, _)| (a, key).cmp(&(b, other)));
            }
            let (has_next, has_prev) = (page.next.is_some(), page.prev.is_some());
            Answer::Records { rows, total: page.total, is_exact: page.total_is_exact, has_next, has_prev }
        }
        (Ok(QueryResult::Aggregation(result)), Ask::Statistics(requested)) => {
            let form = serde_json::to_value(&result.values).expect("results have a JSON form");
            Answer::Statistics(Summary::of(&result.values, requested), form)
        }
        (Ok(other), _) => panic!("{other:?} is no answer to {query:?}"),
        (Err(error), _) => {
            let text = error.to_string();
            assert!(!text.is_empty(), "{error:?} has no text");
            Answer::Refused(text)
        }
    }
}

/// Compares the answer of a store with that of the naive model, if the model has all parts of the query.
pub(crate) fn compare_with_model(model: &Model, schema: &Schema, query: &Query, given: &Answer) {
    let Some(query) = of_the_model(schema, query) else { return };
    match (model.clone().apply(&Operation::Find(query.clone())), given) {
        (_, Answer::Refused(_)) | (Outcome::Unsupported, _) => {}
        (Outcome::Records { rows: mut expected, total }, Answer::Records { rows, total: counted, .. }) => {
            assert_eq!(total.or(*counted), *counted, "the total of {query:?}");
            let mut rows: Vec<Row> = rows.iter().map(|(_, _, row)| row.clone()).collect();
            if !is_ordered(&query) {
                rows.sort();
                expected.sort();
            }
            assert_eq!(rows, expected, "by {query:?}");
            tally::count();
        }
        (Outcome::Summary(expected), Answer::Statistics(summary, _)) => {
            let Ask::Statistics(requested) = &query.ask else { return };
            if let Err(difference) = expected.compare(summary, requested) {
                panic!("{difference}, by {query:?}\n{summary:?}\nnot {expected:?}");
            }
            tally::count();
        }
        (expected, given) => panic!("{given:?}, not {expected:?}, by {query:?}"),
    }
}

/// The query with operands of the kinds of their fields; `None` if the model does not have a part of it.
fn of_the_model(schema: &Schema, query: &Query) -> Option<Query> {
    let [_] = query.collections.as_slice() else { return None };
    let mut query = query.clone();
    query.filter = in_kinds(schema, &query.filter)?;
    if let Ask::Statistics(statistics) = &mut query.ask {
        statistics_of_the_model(schema, statistics)?;
    }
    Some(query)
}

fn statistics_of_the_model(schema: &Schema, statistics: &mut Statistics) -> Option<()> {
    for metric in &mut statistics.metrics {
        metric.filter = match metric.filter.take() {
            Some(filter) => Some(in_kinds(schema, &filter)?),
            None => None,
        };
    }
    let Some(groups) = statistics.groups.as_deref_mut() else { return Some(()) };
    // The arithmetic of the model is plain: it has no numbers near the limits, and it lists all empty groups.
    let is_small = |value: &Value| {
        value.as_f64().is_some_and(|x| x.abs() < 1e12) || value.as_i64().is_some_and(|n| n.abs() < 1 << 40)
    };
    let is_direct = |field: &str, value: &Value| kind(schema, field).is_some_and(|of| of == value.kind().unwrap_or(of));
    for bucket in &groups.by {
        let fits = match bucket {
            Bucket::Values { field, missing } => missing.iter().all(|missing| is_direct(field, missing)),
            // A timestamp in buckets of nanoseconds is left to the comparison of stores.
            Bucket::Width { field, width, offset } => {
                kind(schema, field) != Some(Kind::Timestamp) && !groups.empty && is_small(width) && is_small(offset)
            }
            Bucket::Ranges { field, ranges } => {
                let mut bounds = ranges.iter().flat_map(|(from, to)| [from, to]).flatten();
                bounds.all(|bound| is_direct(field, bound) && !bound.is_null())
            }
            Bucket::Date { every, offset_seconds, .. } => {
                *every < 100 && offset_seconds.abs() < 1 << 30 && !groups.empty
            }
        };
        if !fits {
            return None;
        }
    }
    if let Some(having) = &groups.having {
        // On metrics, whose kinds the model does not know.
        let mut is_plain = true;
        visit(having, &mut |_, value| is_plain = is_plain && (value.as_i64().is_some() || value.as_f64().is_some()));
        is_plain.then_some(())?;
    }
    statistics_of_the_model(schema, &mut groups.within)
}

fn kind(schema: &Schema, field: &str) -> Option<Kind> {
    schema.position(field).map(|at| schema.fields()[at].kind())
}

/// Passes the operands of a predicate to `each`; a text test as null.
fn visit(predicate: &Predicate, each: &mut dyn FnMut(&str, &Value)) {
    match predicate {
        Predicate::And(parts) | Predicate::Or(parts) => parts.iter().for_each(|part| visit(part, each)),
        Predicate::Not(part) | Predicate::ElemMatch(_, part) => visit(part, each),
        Predicate::Eq(name, value) | Predicate::Ne(name, value) => each(name, value),
        Predicate::In(name, values) | Predicate::AnyOf(name, values) | Predicate::AllOf(name, values) => {
            values.iter().for_each(|value| each(name, value));
        }
        Predicate::Range(name, from, to) => {
            for bound in [from, to] {
                if let Bound::Included(value) | Bound::Excluded(value) = bound {
                    each(name, value);
                }
            }
        }
        Predicate::Text(name, _) => each(name, &Value::NULL),
        Predicate::All | Predicate::IsNull(_) | Predicate::TooDeep => {}
    }
}

/// The predicate with operands of the kinds of their fields, as a naive reader of the documentation converts them. `None` if the model
/// has no such test.
pub(crate) fn in_kinds(schema: &Schema, predicate: &Predicate) -> Option<Predicate> {
    let fit = |name: &str, value: &Value| fit(kind(schema, name)?, value);
    let all = |name: &str, values: &[Value]| values.iter().map(|value| fit(name, value)).collect::<Option<Vec<_>>>();
    let bound = |name: &str, bound: &Bound<Value>| {
        Some(match bound {
            Bound::Unbounded => Bound::Unbounded,
            Bound::Included(value) => Bound::Included(fit(name, value)?),
            Bound::Excluded(value) => Bound::Excluded(fit(name, value)?),
        })
    };
    Some(match predicate {
        Predicate::And(parts) => {
            Predicate::all_of(parts.iter().map(|part| in_kinds(schema, part)).collect::<Option<Vec<_>>>()?)
        }
        Predicate::Or(parts) => {
            Predicate::any_of(parts.iter().map(|part| in_kinds(schema, part)).collect::<Option<Vec<_>>>()?)
        }
        Predicate::Not(part) => !in_kinds(schema, part)?,
        Predicate::Eq(name, value) => Predicate::Eq(name.clone(), fit(name, value)?),
        Predicate::Ne(name, value) => Predicate::Ne(name.clone(), fit(name, value)?),
        Predicate::In(name, values) => Predicate::In(name.clone(), all(name, values)?),
        Predicate::AnyOf(name, values) => Predicate::AnyOf(name.clone(), all(name, values)?),
        Predicate::AllOf(name, values) => Predicate::AllOf(name.clone(), all(name, values)?),
        Predicate::Range(name, from, to) => Predicate::Range(name.clone(), bound(name, from)?, bound(name, to)?),
        Predicate::All | Predicate::IsNull(_) | Predicate::Text(..) => predicate.clone(),
        Predicate::ElemMatch(..) | Predicate::TooDeep => return None,
    })
}

/// An operand as a value of this kind, or as a number if it is one.
pub(crate) fn fit(kind: Kind, value: &Value) -> Option<Value> {
    let is_number = |kind: Kind| matches!(kind, Kind::Int | Kind::Float | Kind::Decimal);
    match value.as_ref() {
        _ if value.kind() == Some(kind) => Some(value.clone()),
        ValueRef::Str(text) => Value::from_text(kind, text),
        _ if value.kind().is_some_and(is_number) && is_number(kind) => Some(value.clone()),
        _ => None,
    }
}

//! Criteria and serialized queries, statistics and metrics: what can be read is written and read again as the same, and has one answer in
//! a store without indexes, in one with many, and in the naive model.

use crate::draw::{draw, predicate};
use crate::input::Input;
use crate::results::{answer, compare_with_model};
use crate::world::{OTHER, THING, World};
use memdex::aggregate::Statistics;
use memdex::query::Predicate;
use memdex::{Metric, Query};
use proptest::strategy::BoxedStrategy;
use serde_json::Value as Json;

/// The first byte is the form, the rest its JSON text; or four bytes that draw a query, and the program of a predicate.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let form = input.byte();
    let rest = input.rest();
    let query = match form {
        b'q' => read::<Query>(rest),
        b'p' => read::<Predicate>(rest).map(|predicate| over().filter(predicate)),
        b's' => read::<Statistics>(rest).map(|statistics| over().statistics(statistics)),
        b'm' => read::<Metric>(rest).map(|metric| over().statistics(metric)),
        b'c' => criteria(rest).map(|predicate| over().filter(predicate)),
        b'd' => World::with(|world| drawn(rest, world, &world.queries)),
        b'b' => World::with(|world| draw(rest, &world.of_both)).map(over_both),
        b'a' => World::with(|world| drawn(rest, world, &world.statistics)),
        _ => None,
    };
    if let Some(query) = query {
        check(&query);
    }
}

fn drawn(bytes: &[u8], world: &World, queries: &BoxedStrategy<Query>) -> Option<Query> {
    let mut input = Input::new(bytes);
    let query = draw(input.bytes(4), queries)?;
    Some(if input.is_empty() { query } else { query.filter(predicate(input.rest(), &world.predicates)) })
}

/// The query over both collections.
pub(crate) fn over_both(mut query: Query) -> Query {
    query.collections = vec![THING.into(), OTHER.into()];
    query
}

fn over() -> Query {
    Query::over([THING])
}

/// Reads a form, which is written and read again as the same.
fn read<T: serde::de::DeserializeOwned + serde::Serialize + PartialEq + std::fmt::Debug>(text: &[u8]) -> Option<T> {
    match serde_json::from_slice::<T>(text) {
        Ok(form) => {
            round_trip(&form);
            Some(form)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fn round_trip<T: serde::de::DeserializeOwned + serde::Serialize + PartialEq + std::fmt::Debug>(form: &T) {
    let text = match serde_json::to_string(form) {
        Ok(text) => text,
        // A predicate that is too deep is not written.
        Err(error) => return assert!(error.to_string().contains("deep"), "{error}: {form:?}"),
    };
    let again: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(&again, form, "{text}");
    let value = serde_json::to_value(form).expect("what has a text has a value");
    let again: T = serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(&again, form, "{text}");
}

fn criteria(text: &[u8]) -> Option<Predicate> {
    let json: Json = serde_json::from_slice(text).ok()?;
    match Predicate::from_criteria(&json) {
        Ok(predicate) => {
            round_trip(&predicate);
            Some(predicate)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fn check(query: &Query) {
    round_trip(query);
    World::with(|world| {
        let plain = answer(&world.plain.store, query);
        let indexed = answer(&world.indexed.store, query);
        assert_eq!(indexed, plain, "with indexes and without, by {query:?}");
        compare_with_model(&world.model, world.domain.schema(), query, &plain);
    });
}

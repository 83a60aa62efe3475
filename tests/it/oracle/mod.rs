//! Questions put to memdex and to others that know the answer: to SQLite over January's flights, and to a naive evaluator.

mod by_hand;
mod calendar;
mod corpus;
mod figures;
mod flights;
mod generate;
mod naive;
mod postgres;
mod random;
mod sqlite;
mod things;

use flights::load;
use memdex::SqlError;

/// Questions to SQLite, those by hand included.
const QUESTIONS: usize = 400;

#[test]
fn sqlite_gives_the_same_answers() {
    let flights = load();
    assert_eq!(flights.collection.len(), 27_004);
    flights.store.verify().unwrap();
    let by_hand = by_hand::queries();
    assert!(by_hand.len() >= 100, "{}", by_hand.len());
    for query in &by_hand {
        flights.compare(query).unwrap_or_else(|error| panic!("{error}: {query:?}"));
    }
    let mut corpus = corpus::Corpus::of(&flights);
    let (mut answered, mut not_said) = (by_hand.len(), 0);
    while answered < QUESTIONS {
        let query = corpus.question();
        match flights.compare(&query) {
            Ok(()) => answered += 1,
            // What SQLite has no words for, or no value.
            Err(SqlError::Unsupported { .. } | SqlError::Value { .. }) => not_said += 1,
            Err(error) => panic!("{error}: {query:?}"),
        }
        assert!(not_said < QUESTIONS, "only {answered} were answered");
    }
}

/// How many random questions: from the variable PROPTEST_CASES, else a thousand.
fn cases() -> usize {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000)
}

#[test]
fn a_naive_evaluator_gives_the_same_answers() {
    random::race(1, cases());
}

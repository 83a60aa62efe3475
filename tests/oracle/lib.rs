//! Compares memdex with other implementations of the same queries.
//!
//! * **SQLite** over January's 27,004 flights, by `Query::to_sql` in tables of `Schema::to_sql`: hand-written queries
//!   (`by_hand.rs`), then random ones (`corpus.rs`), the same in every run. Records are compared in order, page by page with
//!   cursors; integers, strings and times exactly, floats that SQLite computes to nine digits.
//! * **PostgreSQL** does the same, if a server is available (`postgres.rs`).
//! * Both ignore case like memdex, over words of several scripts and every letter (`words.rs`).
//! * **A naive evaluator** (`naive.rs`, `aggregation.rs`): plain loops over a list, with their own comparisons and arithmetic. It
//!   runs random queries over random records, on the newest state and on pinned snapshots, while commits happen. SQLite and
//!   PostgreSQL are checked against it too. Metrics and groups are compared part by part (`results.rs`): computed floats to
//!   nine digits, everything else exactly.
//!
//! Every legal plan of memdex must return the result that SQLite returns.
//!
//! The following differences are intended or unavoidable; the queries avoid them:
//!
//! | difference | memdex | SQLite | PostgreSQL |
//! | --- | --- | --- | --- |
//! | NaN | a number above all others | stored as NULL, so missing; refused in conditions | like memdex |
//! | sums of floats | rounded once | rounded at each step, equal to nine digits | like SQLite |
//! | sums beyond 64 bits | exact | the statement fails | exact |
//! | buckets of widths at the limits of 64 bits | exact | the lowest number may become a float | exact |
//! | NUL in strings | a character | `like` treats it as the end | refused |
//! | decimals in ranges, orders, sums and buckets | exact | refused: they are stored as text | exact |
//! | integers beyond 64 bits | exact | refused | numeric |
//! | times finer than a microsecond | exact | exact | refused |
//! | times outside 1677 to 2262 | exact | refused | like memdex, in the years 1 to 9999 |
//! | months and longer, for dates outside the years 0 to 9999 | exact | missing | like memdex, from 4713 BC |
//! | fields with many values | any, all, counted and grouped | no column: refused | no column: refused |
//! | standard deviations, percentiles | exact, rounded once | refused | its own arithmetic |
//! | nested groups, empty groups, time zones | supported | refused | refused |
//! | a cursor of another query | refused | refused if it does not fit the order, else accepted | like SQLite |

#![cfg(test)]

mod aggregation;
mod by_hand;
mod calendar;
mod corpus;
#[path = "../it/every_plan.rs"]
mod every_plan;
mod flights;
mod generate;
mod naive;
mod postgres;
mod random;
mod references;
mod results;
mod sqlite;
mod things;
mod words;

use flights::load;
use memdex_sql::SqlError;

/// Number of queries compared with SQLite, including the hand-written ones.
const QUERIES: usize = 400;

#[test]
fn sqlite_returns_the_same_results() {
    let flights = load();
    assert_eq!(flights.collection.len(), 27_004);
    flights.store.verify().unwrap();
    let by_hand = by_hand::queries();
    assert!(by_hand.len() >= 100, "{}", by_hand.len());
    for query in &by_hand {
        flights.with_sqlite().compare(query).unwrap_or_else(|error| panic!("{error}: {query:?}"));
    }
    let mut corpus = corpus::Corpus::of(&flights);
    let (mut compared, mut untranslatable) = (by_hand.len(), 0);
    while compared < QUERIES {
        let query = corpus.next_query();
        match flights.with_sqlite().compare(&query) {
            Ok(()) => compared += 1,
            // No equivalent SQL exists.
            Err(SqlError::Unsupported { .. } | SqlError::Value { .. }) => untranslatable += 1,
            Err(error) => panic!("{error}: {query:?}"),
        }
        assert!(untranslatable < QUERIES, "only {compared} queries were compared");
    }
}

#[test]
fn sqlite_returns_the_same_results_for_edge_values() {
    let mut compared = 0;
    for seed in 0..4 {
        compared += random::compare_with_sqlite(seed, 100);
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn sqlite_ignores_case_alike() {
    let words = words::load();
    for query in words::queries() {
        words.with_sqlite().compare(&query).unwrap_or_else(|error| panic!("{error}: {query:?}"));
    }
}

/// Number of random queries: PROPTEST_CASES, or 1,000 by default.
fn cases() -> usize {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000)
}

#[test]
fn a_naive_evaluator_returns_the_same_results() {
    random::compare_with_naive_evaluator(1, cases());
}

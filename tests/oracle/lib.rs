//! Questions put to memdex and to others that know the answer.
//!
//! * **SQLite** over January's 27,004 flights, by `Query::to_sql` in tables of `Schema::to_sql`: those that a person would ask
//!   (`by_hand.rs`), then random ones (`corpus.rs`), the same each time. Records are compared in their order, page after page behind
//!   cursors; whole numbers, texts and times exactly, floats that SQLite has reckoned to nine digits.
//! * **PostgreSQL** the same, where a server is at hand (`postgres.rs`).
//! * **A naive evaluator** (`naive.rs`, `figures.rs`): plain loops over a list, with comparisons and arithmetic of their own. It is asked
//!   random questions about random things, of the newest state and of held snapshots, while commits go on. SQLite and PostgreSQL are
//!   held against it too. Figures and groups are compared part by part (`answers.rs`): floats that were reckoned to nine
//!   digits, all else exactly.
//!
//! What SQLite is asked, every legal plan of memdex answers as well, and the same.
//!
//! Where the others differ, on purpose or by their nature; nothing of this is among the questions:
//!
//! | difference | memdex | SQLite | PostgreSQL |
//! | --- | --- | --- | --- |
//! | NaN | a number above all others | kept as NULL, so missing; asked for: refused | as memdex |
//! | sums of floats | rounded once | rounded in between, to nine digits the same | the same |
//! | sums beyond 64 bits | exact | the statement fails | exact |
//! | buckets of widths at the ends of 64 bits | exact | the lowest number may come as a float | exact |
//! | upper and lower case, where ignored | of Unicode, character by character | of ASCII | of the data base's locale |
//! | NUL in texts | a character | `like`, and tests that ignore case, take the text for ended | refused |
//! | decimals in ranges, orders, sums and buckets | exact | refused: they are kept as text | exact |
//! | integers beyond 64 bits | exact | refused | numeric |
//! | times finer than a microsecond | exact | exact | refused |
//! | times outside of 1677 to 2262 | exact | refused | as memdex, in the years 1 to 9999 |
//! | months and longer, of dates outside of the years 0 to 9999 | exact | missing | as memdex, from 4713 BC on |
//! | fields of many values | any, all, counted and grouped | have no column: refused | the same |
//! | standard deviations, percentiles | exact, by rounding once | refused | by its own arithmetic |
//! | groups within groups, empty ones, time zones | answered | refused | refused |
//! | a cursor of another query | refused | refused if it does not fit the order, else a place like any other | the same |

#![cfg(test)]

mod answers;
mod by_hand;
mod calendar;
mod corpus;
#[path = "../it/every_plan.rs"]
mod every_plan;
mod figures;
mod flights;
mod generate;
mod naive;
mod postgres;
mod random;
mod sqlite;
mod things;

use flights::load;
use memdex_sql::SqlError;

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
        flights.beside().compare(query).unwrap_or_else(|error| panic!("{error}: {query:?}"));
    }
    let mut corpus = corpus::Corpus::of(&flights);
    let (mut answered, mut not_said) = (by_hand.len(), 0);
    while answered < QUESTIONS {
        let query = corpus.question();
        match flights.beside().compare(&query) {
            Ok(()) => answered += 1,
            // What SQLite has no words for, or no value.
            Err(SqlError::Unsupported { .. } | SqlError::Value { .. }) => not_said += 1,
            Err(error) => panic!("{error}: {query:?}"),
        }
        assert!(not_said < QUESTIONS, "only {answered} were answered");
    }
}

#[test]
fn sqlite_gives_the_same_answers_about_values_at_the_edge() {
    let mut answered = 0;
    for seed in 0..4 {
        answered += random::beside_sqlite(seed, 100);
    }
    assert!(answered > 100, "{answered}");
}

/// How many random questions: from the variable PROPTEST_CASES, else a thousand.
fn cases() -> usize {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000)
}

#[test]
fn a_naive_evaluator_gives_the_same_answers() {
    random::race(1, cases());
}

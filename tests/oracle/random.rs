//! Compares random queries over random records in memdex and the naive evaluator, on the newest state and on pinned
//! snapshots, while other commits change the records.

use super::generate::{Generator, Rng};
use super::naive::{Row, Shape, Table};
use super::results::compare_results;
use super::sqlite::{Comparison, fill, find};
use super::things::{self, Thing, choose_schema, columns, shapes, thing};
use memdex::error::QueryError;
use memdex::query::{Ask, Find, Paging};
use memdex::{Collection, Query, Snapshot, Store};
use memdex_sql::SqlError;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::ops::Deref;

/// Number of queries for each schema.
const QUERIES_PER_SCHEMA: usize = 50;

/// A state of the collection, by key.
type State = BTreeMap<(String, u16), Thing>;

pub(super) fn compare_with_naive_evaluator(seed: u64, queries: usize) {
    let mut compared = 0;
    for round in 0.. {
        if compared >= queries {
            break;
        }
        let mut rng = Rng(seed ^ (round << 32));
        choose_schema(&mut rng);
        let store = Store::new();
        let collection = store.collection::<Thing>("Thing").unwrap();
        let zones = vec!["UTC", "UTC", "+05:45", "-11:00"];
        let generator = Generator { rng, collection: "Thing", columns: columns(), levels: 3, zones, patterns: true };
        let mut race =
            Race { store, collection, generator, shapes: shapes(), newest: State::new(), pinned: Vec::new() };
        race.write(150);
        for number in 0..QUERIES_PER_SCHEMA {
            if number % 5 == 0 {
                race.pinned.push((race.store.snapshot(), race.newest.clone()));
                race.write(20);
            }
            if race.pinned.len() > 3 {
                race.pinned.remove(0);
            }
            race.compare_query();
            compared += 1;
        }
    }
}

/// Compares random queries with SQLite, and returns the number of those that SQLite can execute.
pub(super) fn compare_with_sqlite(seed: u64, queries: usize) -> usize {
    // The strings have NULs, at which SQLite's patterns end.
    with_things(seed, queries, false, things::for_sqlite, |comparison, queries| {
        let things: Vec<Thing> = comparison.collection.iter().map(|thing| Thing::clone(&thing)).collect();
        fill(comparison.sqlite, "Thing", comparison.schema, &things);
        let mut compared = 0;
        for query in &queries {
            match comparison.compare(query) {
                Ok(()) => compared += 1,
                Err(SqlError::Unsupported { .. } | SqlError::Value { .. }) => {}
                Err(error) if is_expected(&error, query) => {}
                Err(error) => panic!("{error}: {query:?}"),
            }
        }
        compared
    })
}

/// Passes random records that PostgreSQL can store, and random queries, to `compare`.
pub(super) fn with_things_of_postgres(
    seed: u64,
    queries: usize,
    compare: impl FnOnce(&Comparison<'_, Thing>, Vec<Query>) -> usize,
) -> usize {
    with_things(seed, queries, true, things::for_postgres, compare)
}

/// Whether the engine refuses a random query too.
pub(super) fn is_expected(error: &SqlError, query: &Query) -> bool {
    // NaN is not a valid bound of a range.
    matches!(error, SqlError::Query(QueryError::BadBucket { .. })) && format!("{query:?}").contains("NaN")
}

fn with_things(
    seed: u64,
    queries: usize,
    patterns: bool,
    storable: fn(Thing) -> Thing,
    compare: impl FnOnce(&Comparison<'_, Thing>, Vec<Query>) -> usize,
) -> usize {
    let mut rng = Rng(seed);
    choose_schema(&mut rng);
    let (store, mut state) = (Store::new(), State::new());
    let collection = store.collection::<Thing>("Thing").unwrap();
    for _ in 0..150 {
        let thing = storable(thing(&mut rng));
        state.insert(thing.id(), thing.clone());
        collection.store(thing).unwrap();
    }
    let things: Vec<Thing> = state.into_values().collect();
    let rows: Vec<Row> = things.iter().map(Thing::row).collect();
    let (sqlite, shapes, schema) = (Connection::open_in_memory().unwrap(), shapes(), collection.schema());
    let comparison = Comparison {
        collection: &collection,
        schema,
        sqlite: &sqlite,
        shapes: &shapes,
        rows: &rows,
        id_field: "number",
    };
    let (columns, zones) = (columns(), vec!["UTC"]);
    let mut generator = Generator { rng, collection: "Thing", columns, levels: 1, zones, patterns };
    let queries = (0..queries)
        .map(|_| if generator.rng.once_in(2) { generator.record_query(12) } else { generator.aggregation_query() });
    compare(&comparison, queries.collect())
}

struct Race {
    store: Store,
    collection: Collection<Thing>,
    generator: Generator,
    shapes: Vec<Shape>,
    newest: State,
    pinned: Vec<(Snapshot, State)>,
}

impl Race {
    /// Stores and deletes random records in one commit.
    fn write(&mut self, operations: usize) {
        let mut batch = self.store.batch();
        for _ in 0..operations {
            let thing = thing(&mut self.generator.rng);
            let id = thing.id();
            if self.generator.rng.once_in(4) {
                if self.newest.remove(&id).is_some() {
                    batch.delete(&self.collection, id).unwrap();
                }
            } else {
                self.newest.insert(id, thing.clone());
                batch.store(&self.collection, thing).unwrap();
            }
        }
        batch.commit().unwrap();
    }

    /// Compares one query, on the newest state or on a pinned snapshot.
    fn compare_query(&mut self) {
        let at = self.generator.rng.below(2 * self.pinned.len());
        let (snapshot, state) = match self.pinned.get(at) {
            Some((snapshot, state)) => (snapshot.clone(), state.clone()),
            None => (self.store.snapshot(), self.newest.clone()),
        };
        let records = self.generator.rng.once_in(2);
        let query = if records { self.generator.record_query(12) } else { self.generator.aggregation_query() };
        let find_in_snapshot = |query: &Query| snapshot.of(&self.collection).find(query.filter.clone());
        let rows: Vec<Row> = state.values().map(Thing::row).collect();
        let table = Table { shapes: &self.shapes, rows: &rows };
        match &query.ask {
            Ask::Records(paging) => {
                let paging = paging.clone();
                let on_one_snapshot = self.generator.rng.once_in(2);
                compare_unordered(&table, &state, &query, &find_in_snapshot(&query));
                if on_one_snapshot {
                    compare_pages(&table, &query, &paging, &find_in_snapshot(&query));
                } else {
                    self.pages_between_commits(query, paging);
                }
            }
            Ask::Statistics(statistics) => {
                let naive = table.aggregate(&table.selected(&query.filter), statistics);
                compare_results(&find_in_snapshot(&query), &query, statistics, &naive, 4);
            }
        }
    }

    /// Compares pages of the newest state, which changes between the pages. Each page starts after the last record of the
    /// previous page, at the position that the record had then.
    fn pages_between_commits(&mut self, query: Query, mut paging: Paging) {
        let mut after: Option<Row> = None;
        for _ in 0..4 {
            let rows: Vec<Row> = self.newest.values().map(Thing::row).collect();
            let table = Table { shapes: &self.shapes, rows: &rows };
            let expected = table.ordered(&query.filter, &paging.order, after.as_ref());
            let found = find(self.collection.find(query.filter.clone()), &paging);
            let page = found.fetch().unwrap();
            let end = paging.limit.map_or(usize::MAX, |limit| paging.offset.saturating_add(limit)).min(expected.len());
            let expected_page = &expected[paging.offset.min(end)..end];
            let records = rows_of(&table, &paging, &page.records);
            assert_rows(&table, expected_page, &records, &query);
            assert_eq!(page.next.is_some(), end < expected.len(), "{query:?}");
            assert_eq!(page.total, paging.total.then(|| table.selected(&query.filter).len()), "{query:?}");
            let Some(next) = page.next else { return };
            // A page that is empty because of its offset ends where its last record would be.
            after = Some(expected[end - 1].clone());
            (paging.after, paging.offset) = (Some(next.to_string().parse().unwrap()), 0);
            self.write(5);
        }
    }
}

fn compare_unordered(table: &Table<'_>, state: &State, query: &Query, found: &Find<Thing>) {
    let expected = table.selected(&query.filter);
    assert_eq!(found.count().unwrap(), expected.len(), "{query:?}");
    let mut keys: Vec<_> = found.keys().unwrap().iter().map(Thing::id_of).collect();
    keys.sort();
    let selected = state.iter().filter(|(_, thing)| {
        let row = thing.row();
        expected.iter().any(|other| table.compare(other, &row, &[]).is_eq())
    });
    assert!(selected.map(|(id, _)| id).eq(&keys), "{query:?}: {keys:?}");
}

/// Compares all pages of one state.
fn compare_pages(table: &Table<'_>, query: &Query, paging: &Paging, found: &Find<Thing>) {
    let mut paging = paging.clone();
    let expected = table.ordered(&query.filter, &paging.order, None);
    let mut at = paging.offset.min(expected.len());
    loop {
        let page = find(found.clone(), &paging).fetch().unwrap();
        let records = rows_of(table, &paging, &page.records);
        let end = paging.limit.map_or(usize::MAX, |limit| at.saturating_add(limit)).min(expected.len());
        assert_rows(table, &expected[at..end], &records, query);
        assert_eq!(page.total, paging.total.then_some(expected.len()), "{query:?}");
        assert_eq!(page.next.is_some(), end < expected.len(), "{query:?} at {at}");
        let Some(next) = page.next else { return };
        (paging.after, paging.offset, at) = (Some(next), 0, end);
    }
}

/// The rows of fetched records. Without an order or a page, fetched records are unordered, so their rows are sorted by key.
fn rows_of(table: &Table<'_>, paging: &Paging, records: &[impl Deref<Target = Thing>]) -> Vec<Row> {
    let mut rows: Vec<Row> = records.iter().map(|record| record.row()).collect();
    if !paging.is_paged() {
        rows.sort_by(|a, b| table.compare(a, b, &[]));
    }
    rows
}

fn assert_rows(table: &Table<'_>, expected: &[&Row], given: &[Row], query: &Query) {
    assert_eq!(expected.len(), given.len(), "{query:?}");
    for (at, (expected, given)) in expected.iter().zip(given).enumerate() {
        assert!(table.compare(expected, given, &[]).is_eq(), "record {at} is {given:?}, not {expected:?}: {query:?}");
        let same = format!("{expected:?}") == format!("{given:?}");
        assert!(same, "record {at} is {given:?}, not {expected:?}: {query:?}");
    }
}

#[test]
fn queries_have_the_columns_of_the_records() {
    let names = |of: &mut dyn Iterator<Item = &'static str>| of.collect::<Vec<_>>();
    assert_eq!(
        names(&mut things::columns().iter().map(|column| column.name)),
        names(&mut things::shapes().iter().map(|shape| shape.name))
    );
}

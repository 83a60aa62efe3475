//! Random questions about random things, to memdex and to the naive evaluator: of the newest state and of held snapshots, while
//! other commits change the things.

use super::answers::compare_figures;
use super::generate::{Asker, Rng};
use super::naive::{Row, Shape, Table};
use super::sqlite::{Beside, fill, find};
use super::things::{self, Thing, columns, draw_schema, shapes, thing};
use memdex::{Ask, Collection, Find, Paging, Query, QueryError, Snapshot, Store};
use memdex_sql::SqlError;
use rusqlite::Connection;
use std::collections::BTreeMap;

/// Questions under one schema.
const QUESTIONS: usize = 50;

/// A state of the collection, by keys.
type State = BTreeMap<(String, u16), Thing>;

pub(super) fn race(seed: u64, questions: usize) {
    let mut asked = 0;
    for round in 0.. {
        if asked >= questions {
            break;
        }
        let mut rng = Rng(seed ^ (round << 32));
        draw_schema(&mut rng);
        let store = Store::new();
        let collection = store.collection::<Thing>("Thing").unwrap();
        let zones = vec!["UTC", "UTC", "+05:45", "-11:00"];
        let asker = Asker { rng, collection: "Thing", columns: columns(), levels: 3, zones, patterns: true };
        let mut race = Race { store, collection, asker, shapes: shapes(), newest: State::new(), held: Vec::new() };
        race.write(150);
        for question in 0..QUESTIONS {
            if question % 5 == 0 {
                race.held.push((race.store.snapshot(), race.newest.clone()));
                race.write(20);
            }
            if race.held.len() > 3 {
                race.held.remove(0);
            }
            race.ask();
            asked += 1;
        }
    }
}

/// Puts random questions about things to SQLite, those that it can be asked. Gives how many these are.
pub(super) fn beside_sqlite(seed: u64, questions: usize) -> usize {
    let mut rng = Rng(seed);
    draw_schema(&mut rng);
    let (store, mut state) = (Store::new(), State::new());
    let collection = store.collection::<Thing>("Thing").unwrap();
    for _ in 0..150 {
        let thing = things::for_sqlite(thing(&mut rng));
        state.insert(thing.id(), thing.clone());
        collection.store(thing).unwrap();
    }
    let things: Vec<Thing> = state.into_values().collect();
    let rows: Vec<Row> = things.iter().map(Thing::row).collect();
    let (sqlite, shapes, schema) = (Connection::open_in_memory().unwrap(), shapes(), collection.schema());
    fill(&sqlite, "Thing", schema, &things);
    let beside =
        Beside { collection: &collection, schema, sqlite: &sqlite, shapes: &shapes, rows: &rows, short: "number" };
    // There are NULs in the texts, at which its patterns end.
    let (columns, zones) = (columns(), vec!["UTC"]);
    let mut asker = Asker { rng, collection: "Thing", columns, levels: 1, zones, patterns: false };
    let mut answered = 0;
    for _ in 0..questions {
        let query = if asker.rng.once_in(2) { asker.records(12) } else { asker.figures() };
        match beside.compare(&query) {
            Ok(()) => answered += 1,
            Err(SqlError::Unsupported { .. } | SqlError::Value { .. }) => {}
            // A range from NaN on holds nothing.
            Err(SqlError::Query(QueryError::BadBucket { .. })) if format!("{query:?}").contains("NaN") => {}
            Err(error) => panic!("{error}: {query:?}"),
        }
    }
    answered
}

struct Race {
    store: Store,
    collection: Collection<Thing>,
    asker: Asker,
    shapes: Vec<Shape>,
    newest: State,
    held: Vec<(Snapshot, State)>,
}

impl Race {
    /// Stores and deletes at random, in one commit.
    fn write(&mut self, operations: usize) {
        let mut batch = self.store.batch();
        for _ in 0..operations {
            let thing = thing(&mut self.asker.rng);
            let id = thing.id();
            if self.asker.rng.once_in(4) {
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

    /// One question: to the newest state, or to one that is held.
    fn ask(&mut self) {
        let of_held = self.asker.rng.below(2 * self.held.len());
        let (snapshot, state) = match self.held.get(of_held) {
            Some((snapshot, state)) => (snapshot.clone(), state.clone()),
            None => (self.store.snapshot(), self.newest.clone()),
        };
        let records = self.asker.rng.once_in(2);
        let query = if records { self.asker.records(12) } else { self.asker.figures() };
        let asked = |query: &Query| snapshot.of(&self.collection).find(query.filter.clone());
        let rows: Vec<Row> = state.values().map(Thing::row).collect();
        let table = Table { shapes: &self.shapes, rows: &rows };
        match &query.ask {
            Ask::Records(paging) => {
                let paging = paging.clone();
                let pages_of_one_state = self.asker.rng.once_in(2);
                compare_unordered(&table, &state, &query, &asked(&query));
                if pages_of_one_state {
                    compare_pages(&table, &query, &paging, &asked(&query));
                } else {
                    self.pages_between_commits(query, paging);
                }
            }
            Ask::Statistics(statistics) => {
                let figures = table.figures(&table.meant(&query.filter), statistics);
                compare_figures(&asked(&query), &query, statistics, &figures, 4);
            }
        }
    }

    /// Pages of the newest state, which changes between them: each begins behind the last record of the one before, as that was.
    fn pages_between_commits(&mut self, query: Query, mut paging: Paging) {
        let mut behind: Option<Row> = None;
        for _ in 0..4 {
            let rows: Vec<Row> = self.newest.values().map(Thing::row).collect();
            let table = Table { shapes: &self.shapes, rows: &rows };
            let expected = table.ordered(&query.filter, &paging.order, behind.as_ref());
            let found = find(self.collection.find(query.filter.clone()), &paging);
            let page = found.page().unwrap();
            let end = paging.limit.map_or(usize::MAX, |limit| paging.offset.saturating_add(limit)).min(expected.len());
            let expected_page = &expected[paging.offset.min(end)..end];
            let records: Vec<Row> = page.records.iter().map(|record| record.row()).collect();
            assert_rows(&table, expected_page, &records, &query);
            assert_eq!(page.next.is_some(), end < expected.len(), "{query:?}");
            assert_eq!(page.total, paging.total.then(|| table.meant(&query.filter).len()), "{query:?}");
            let Some(next) = page.next else { return };
            // A page that its offset leaves nothing of ends where its last one would.
            behind = Some(expected[end - 1].clone());
            (paging.after, paging.offset) = (Some(next.to_string().parse().unwrap()), 0);
            self.write(5);
        }
    }
}

fn compare_unordered(table: &Table<'_>, state: &State, query: &Query, found: &Find<Thing>) {
    let expected = table.meant(&query.filter);
    assert_eq!(found.count().unwrap(), expected.len(), "{query:?}");
    let mut keys: Vec<_> = found.keys().unwrap().iter().map(Thing::id_of).collect();
    keys.sort();
    let meant = state.iter().filter(|(_, thing)| {
        let row = thing.row();
        expected.iter().any(|other| table.compare(other, &row, &[]).is_eq())
    });
    assert!(meant.map(|(id, _)| id).eq(&keys), "{query:?}: {keys:?}");
}

/// All pages one after the other, of one state.
fn compare_pages(table: &Table<'_>, query: &Query, paging: &Paging, found: &Find<Thing>) {
    let mut paging = paging.clone();
    let expected = table.ordered(&query.filter, &paging.order, None);
    let mut at = paging.offset.min(expected.len());
    loop {
        let page = find(found.clone(), &paging).page().unwrap();
        let records: Vec<Row> = page.records.iter().map(|record| record.row()).collect();
        let end = paging.limit.map_or(usize::MAX, |limit| at.saturating_add(limit)).min(expected.len());
        assert_rows(table, &expected[at..end], &records, query);
        assert_eq!(page.total, paging.total.then_some(expected.len()), "{query:?}");
        assert_eq!(page.next.is_some(), end < expected.len(), "{query:?} at {at}");
        let Some(next) = page.next else { return };
        (paging.after, paging.offset, at) = (Some(next), 0, end);
    }
}

fn assert_rows(table: &Table<'_>, expected: &[&Row], given: &[Row], query: &Query) {
    assert_eq!(expected.len(), given.len(), "{query:?}");
    for (at, (expected, given)) in expected.iter().zip(given).enumerate() {
        assert!(table.compare(expected, given, &[]).is_eq(), "record {at} is {given:?}, not {expected:?}: {query:?}");
        let same = format!("{expected:?}") == format!("{given:?}");
        assert!(same, "record {at} is {given:?}, not {expected:?}: {query:?}");
    }
}

/// A place where the columns of questions and those of records are seen to be the same.
#[test]
fn questions_are_about_the_things() {
    let names = |of: &mut dyn Iterator<Item = &'static str>| of.collect::<Vec<_>>();
    assert_eq!(
        names(&mut things::columns().iter().map(|column| column.name)),
        names(&mut things::shapes().iter().map(|shape| shape.name))
    );
}

//! A world of records with every kind of index, and its scenarios: leaves that split and merge, unique values that
//! change rows, codes that are reused, indexes that are added and dropped.

use super::{explore, spawn_on};
use memdex::hook::{CommitHook, CommitInfo, RecordChange};
use memdex::{Collection, Filter, Handle, IndexDef, Record, Snapshot, Store, field};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug, PartialEq, Eq, Record)]
#[record(ordered(shelf, place), ordered(pages, name = "pages of the lent", when = book::LENT.eq(true)))]
struct Book {
    #[record(key)]
    key: u8,
    #[record(ordered)]
    place: u8,
    #[record(field)]
    shelf: Option<u8>,
    #[record(unique)]
    code: Option<u8>,
    #[record(index)]
    tags: Vec<u16>,
    #[record(column)]
    title: Option<&'static str>,
    #[record(column)]
    pages: Option<u8>,
    #[record(field)]
    lent: bool,
}

const KEYS: u8 = 6;
const TITLES: [Option<&str>; 3] = [None, Some("a"), Some("b")];

fn book(key: u8, place: u8) -> Book {
    let (shelf, code) = ((place % 3 > 0).then_some(place % 3), Some(key));
    let (tags, title, pages) = (vec![u16::from(place % 2), 7], TITLES[usize::from(place) % 3], Some(place));
    Book { key, place, shelf, code, tags, title, pages, lent: place % 2 == 0 }
}

fn random_book(key: u8) -> Book {
    let mut rng = thread_rng();
    let tags = (0..rng.gen_range(0..3)).map(|_| rng.gen_range(0..2)).collect();
    Book { tags, lent: rng.gen_range(0..2) == 0, ..book(key, rng.gen_range(0..6)) }
}

type State = BTreeMap<u8, Book>;

struct Truth(Mutex<Vec<State>>);

impl CommitHook for Truth {
    fn invalidate(&self, commit: &CommitInfo) {
        let mut states = self.0.lock().unwrap();
        let mut state = states.last().unwrap().clone();
        for RecordChange { before, after, .. } in commit.changes::<Book>("books") {
            before.iter().for_each(|book| assert_eq!(state.remove(&book.key).as_ref(), Some(&**book)));
            state.extend(after.iter().map(|book| (book.key, Book::clone(book))));
        }
        states.push(state);
    }
}

#[derive(Clone)]
struct Shelves {
    store: Store,
    books: Collection<Book>,
    truth: Arc<Truth>,
}

type TestQuery = (Filter<Book>, fn(&Book) -> bool);

fn queries() -> Vec<TestQuery> {
    vec![
        (book::PLACE.between(1, 3), |b| (1..=3).contains(&b.place)),
        (book::PLACE.lt(2), |b| b.place < 2),
        (book::PLACE.ge(3), |b| b.place >= 3),
        (!book::PLACE.eq(2), |b| b.place != 2),
        (book::SHELF.eq(1) & book::PLACE.gt(1), |b| b.shelf == Some(1) && b.place > 1),
        (book::CODE.is_in([0, 2, 4]), |b| b.code.is_some_and(|code| code % 2 == 0)),
        (book::CODE.is_null(), |b| b.code.is_none()),
        (book::TAGS.contains(0) | book::TAGS.is_null(), |b| b.tags.contains(&0) || b.tags.is_empty()),
        (book::TAGS.all([0, 1]), |b| b.tags.contains(&0) && b.tags.contains(&1)),
        (book::TITLE.eq("a"), |b| b.title == Some("a")),
        (book::TITLE.ge("b"), |b| b.title >= Some("b")),
        (book::TITLE.is_null(), |b| b.title.is_none()),
        (book::PAGES.gt(2) & book::TITLE.ne("a"), |b| b.pages > Some(2) && b.title.is_some_and(|title| title != "a")),
        (book::LENT.eq(true) & book::PAGES.le(3), |b| b.lent && b.pages.is_some_and(|pages| pages <= 3)),
        (book::LENT.eq(false), |b| !b.lent),
    ]
}

impl Shelves {
    fn new(places: &[u8]) -> Self {
        let store = Store::new();
        let books = store.collection("books").unwrap();
        let truth = Arc::new(Truth(Mutex::new(vec![State::new()])));
        store.add_hook(truth.clone()).unwrap();
        let shelves = Shelves { store, books, truth };
        shelves.put(places.iter().enumerate().map(|(key, place)| book(key as u8, *place)));
        shelves
    }

    fn put(&self, books: impl IntoIterator<Item = Book>) {
        self.store.commit(|batch| books.into_iter().try_for_each(|book| batch.store(&self.books, book))).unwrap();
    }

    fn random_commit(&self) {
        let key = thread_rng().gen_range(0..KEYS);
        match thread_rng().gen_range(0..4) {
            0 => assert_eq!(self.books.delete(key).unwrap().counts.total(), 1),
            _ => self.put([random_book(key)]),
        }
    }

    fn check(&self, snapshot: &Snapshot, (filter, holds): &TestQuery) {
        let state = self.truth.0.lock().unwrap()[snapshot.commit().get() as usize].clone();
        let expected: Vec<&Book> = state.values().filter(|book| holds(book)).collect();
        let find = snapshot.of(&self.books).find(filter);
        let mut found: Vec<Handle<Book>> = find.fetch().unwrap().into_iter().collect();
        found.sort_by_key(|book| book.key);
        let found: Vec<&Book> = found.iter().map(|book| &**book).collect();
        assert_eq!(found, expected, "at {}: {filter:?}", snapshot.commit());
        assert_eq!(find.count().unwrap(), expected.len(), "at {}: {filter:?}", snapshot.commit());
    }

    fn check_some(&self, snapshot: &Snapshot, count: usize) {
        let queries = queries();
        (0..count).for_each(|_| self.check(snapshot, &queries[thread_rng().gen_range(0..queries.len())]));
    }

    /// Checks which record has a code, at a snapshot.
    fn check_code(&self, snapshot: &Snapshot, code: u8) {
        let state = self.truth.0.lock().unwrap()[snapshot.commit().get() as usize].clone();
        let expected = state.values().find(|book| book.code == Some(code));
        let found = snapshot.of(&self.books).get_by(book::CODE, code).unwrap();
        assert_eq!(found.as_deref(), expected, "code {code} at {}", snapshot.commit());
    }

    /// Checks which record has a code, without a snapshot: at some commit of that time.
    fn check_code_now(&self, code: u8) {
        let from = self.store.newest_commit().get() as usize;
        let found = self.books.get_by(book::CODE, code).unwrap();
        let to = self.store.newest_commit().get() as usize;
        let states = self.truth.0.lock().unwrap()[from..=to].to_vec();
        let holder = |state: &State| state.values().find(|book| book.code == Some(code)).cloned();
        let reported = found.as_deref();
        assert!(
            states.iter().any(|state| holder(state).as_ref() == reported),
            "code {code} in {from} to {to}: {reported:?}"
        );
    }

    fn check_at_rest(&self) {
        self.store.verify().unwrap();
        self.store.optimize().unwrap();
        let stats = self.store.stats();
        let kept = (stats.collections[0].versions_retained, stats.collections[0].marks, stats.poisoned);
        assert_eq!(kept, (0, 0, None));
        let snapshot = self.store.snapshot();
        queries().iter().for_each(|query| self.check(&snapshot, query));
        (0..KEYS).for_each(|code| self.check_code(&snapshot, code));
    }
}

fn run(shelves: &Shelves, threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    shelves.check_at_rest();
}

/// Ordered leaves of two entries: insertions split them and removals merge them, under scans of ranges.
#[test]
fn leaves_split_and_merge() {
    explore(|| {
        let shelves = Shelves::new(&[0, 3]);
        let writer = spawn_on(&shelves, |shelves| {
            shelves.put([book(2, 1), book(3, 2), book(4, 4)]);
            shelves.put([book(0, 5), book(2, 4)]);
            shelves.books.delete(3).unwrap();
            shelves.store.commit(|batch| [1, 4].iter().try_for_each(|key| batch.delete(&shelves.books, *key))).unwrap();
            shelves.put([book(5, 0)]);
        });
        let reader = |shelves: Shelves| {
            let snapshot = shelves.store.snapshot();
            let queries = queries();
            (0..2).for_each(|_| shelves.check(&snapshot, &queries[thread_rng().gen_range(0..5)]));
        };
        let readers = [spawn_on(&shelves, reader), spawn_on(&shelves, reader)];
        run(&shelves, readers.into_iter().chain([writer]).collect());
    });
}

/// Leaves become empty one after the other and merge with their neighbours, under walks over all of them.
#[test]
fn leaves_merge() {
    explore(|| {
        let shelves = Shelves::new(&[0, 1, 2, 3, 4, 5]);
        let writer = spawn_on(&shelves, |shelves| {
            // First remove one entry of each leaf, so that the next removal leaves two neighbours that fit in one
            // leaf.
            let other = thread_rng().gen_range(0..2);
            for key in [0, 2, 4, 1, 3] {
                assert_eq!(shelves.books.delete(key ^ other).unwrap().counts.deleted, 1);
            }
        });
        let reader = |shelves: Shelves| {
            let snapshot = shelves.store.snapshot();
            let queries = queries();
            (0..2).for_each(|_| shelves.check(&snapshot, &queries[thread_rng().gen_range(0..4)]));
        };
        let readers = [spawn_on(&shelves, reader), spawn_on(&shelves, reader)];
        run(&shelves, readers.into_iter().chain([writer]).collect());
    });
}

/// Everything at once.
#[test]
fn every_kind_of_index() {
    explore(|| {
        let shelves = Shelves::new(&[0, 3, 1]);
        let writer = spawn_on(&shelves, |shelves| (0..4).for_each(|_| shelves.random_commit()));
        let reader = |shelves: Shelves| {
            for _ in 0..2 {
                let snapshot = shelves.store.snapshot();
                shelves.check_some(&snapshot, 2);
            }
        };
        let readers = [spawn_on(&shelves, reader), spawn_on(&shelves, reader)];
        run(&shelves, readers.into_iter().chain([writer]).collect());
    });
}

/// Unique values are moved, swapped and returned, under look-ups by them.
#[test]
fn unique_values_change_rows() {
    explore(|| {
        let shelves = Shelves::new(&[0, 1]);
        let writer = spawn_on(&shelves, |shelves| {
            let with = |key, code| Book { code, ..book(key, 2) };
            shelves.put([with(0, Some(1)), with(1, Some(0))]);
            shelves.put([with(1, None), with(2, Some(0))]);
            shelves.books.delete(0).unwrap();
            shelves.put([with(1, Some(1))]);
        });
        let reader = |shelves: Shelves| {
            let snapshot = shelves.store.snapshot();
            (0..3).for_each(|code| shelves.check_code(&snapshot, code));
            (0..3).for_each(|code| shelves.check_code_now(code));
            let queries = queries();
            shelves.check(&snapshot, &queries[thread_rng().gen_range(5..7)]);
        };
        let readers = [spawn_on(&shelves, reader), spawn_on(&shelves, reader)];
        run(&shelves, readers.into_iter().chain([writer]).collect());
    });
}

/// A code of a column loses its last row and is assigned to another value, under snapshots that saw the first value.
#[test]
fn codes_are_reused() {
    explore(|| {
        let shelves = Shelves::new(&[1]);
        let writer = spawn_on(&shelves, |shelves| {
            let with = |title| Book { title: Some(title), ..book(0, 1) };
            ["b", "c", "a", "b"].into_iter().for_each(|title| shelves.put([with(title)]));
        });
        let reader = |shelves: Shelves| {
            let snapshot = shelves.store.snapshot();
            let queries = queries();
            (0..2).for_each(|_| shelves.check(&snapshot, &queries[thread_rng().gen_range(9..13)]));
        };
        let readers = [spawn_on(&shelves, reader), spawn_on(&shelves, reader)];
        run(&shelves, readers.into_iter().chain([writer]).collect());
    });
}

/// An index is built under commits: a reader that finds it finds it complete, even from an older snapshot.
#[test]
fn built_under_commits() {
    explore(|| {
        let shelves = Shelves::new(&[0, 3, 1]);
        let writer = spawn_on(&shelves, |shelves| (0..3).for_each(|_| shelves.random_commit()));
        let builder = spawn_on(&shelves, |shelves| {
            // A held snapshot keeps marks alive that the builder must keep alive by itself.
            let before = (thread_rng().gen_range(0..2) == 0).then(|| shelves.store.snapshot());
            shelves.books.add_index(IndexDef::equality("lent")).unwrap();
            shelves.books.add_index(IndexDef::unique("key").named("again")).unwrap();
            for snapshot in before.into_iter().chain([shelves.store.snapshot()]) {
                shelves.check(&snapshot, queries().last().unwrap());
                let count = snapshot.of(&shelves.books).find(field("key").lt(KEYS)).count().unwrap();
                assert_eq!(count, snapshot.of(&shelves.books).len());
            }
        });
        let reader = spawn_on(&shelves, |shelves| {
            for _ in 0..2 {
                let snapshot = shelves.store.snapshot();
                shelves.check(&snapshot, queries().last().unwrap());
            }
        });
        run(&shelves, vec![writer, builder, reader]);
    });
}

/// A record without indexes at first.
#[derive(Clone, Record)]
struct Seat {
    #[record(key)]
    key: u8,
    #[record(field)]
    number: u8,
}

/// An index is built between commits that change everything: a reader that finds it gets correct results.
#[test]
fn built_between_commits() {
    explore(|| {
        let store = Store::new();
        let seats = store.collection::<Seat>("seats").unwrap();
        let of_builder = seats.clone();
        let builder = thread::spawn(move || of_builder.add_index(IndexDef::equality("number")).unwrap());
        let of_reader = store.clone();
        let reader = thread::spawn(move || {
            let seats = of_reader.collection::<Seat>("seats").unwrap();
            for _ in 0..4 {
                let snapshot = of_reader.snapshot();
                let commit = snapshot.commit().get() as u8;
                let found = snapshot.of(&seats).find(seat::NUMBER.eq(commit)).count().unwrap();
                assert_eq!(found, if commit > 0 { 2 } else { 0 }, "at {commit}");
            }
        });
        for number in 1..5 {
            store.commit(|batch| (0..2).try_for_each(|key| batch.store(&seats, Seat { key, number }))).unwrap();
        }
        builder.join().unwrap();
        reader.join().unwrap();
        store.verify().unwrap();
    });
}

/// A unique index is built while records pass on their values, more of them than one slice of the build.
#[test]
fn built_while_values_rotate() {
    const SEATS: u8 = 6;

    explore(|| {
        let store = Store::new();
        let seats = store.collection::<Seat>("seats").unwrap();
        let turned = |by: u8| {
            let seat = |key| Seat { key, number: (key + by) % SEATS };
            store.commit(|batch| (0..SEATS).try_for_each(|key| batch.store(&seats, seat(key)))).unwrap();
        };
        turned(0);
        let of_builder = seats.clone();
        let builder = thread::spawn(move || of_builder.add_index(IndexDef::unique("number")).unwrap());
        turned(1);
        builder.join().unwrap();
        for key in 0..SEATS {
            let found = seats.get_by(seat::NUMBER, (key + 1) % SEATS).unwrap();
            assert_eq!(found.map(|seat| seat.key), Some(key));
        }
        store.verify().unwrap();
    });
}

/// An index is dropped under commits: a query that has started with it still returns correct results.
#[test]
fn dropped_under_commits() {
    explore(|| {
        let shelves = Shelves::new(&[0, 3, 1]);
        let writer = spawn_on(&shelves, |shelves| (0..3).for_each(|_| shelves.random_commit()));
        let dropper = spawn_on(&shelves, |shelves| {
            shelves.books.drop_index("place").unwrap();
            shelves.books.drop_index("tags").unwrap();
        });
        let reader = spawn_on(&shelves, |shelves| {
            let snapshot = shelves.store.snapshot();
            let queries = queries();
            [0, 3, 7].iter().for_each(|at| shelves.check(&snapshot, &queries[*at]));
        });
        run(&shelves, vec![writer, dropper, reader]);
    });
}

/// Upkeep shortens the dictionary of a column whose values are removed and added, under queries.
#[test]
fn upkeep_of_a_column() {
    #[derive(Clone, Record)]
    struct Label {
        #[record(key)]
        key: u8,
        #[record(column)]
        text: Option<&'static str>,
    }

    explore(|| {
        let store = Store::new();
        let labels = store.collection::<Label>("labels").unwrap();
        // By commit, starting with the first.
        const TEXTS: [Option<&str>; 4] = [Some("a"), Some("b"), None, Some("a")];
        labels.store(Label { key: 0, text: TEXTS[0] }).unwrap();
        let of_upkeep = store.clone();
        let upkeep = thread::spawn(move || (0..2).for_each(|_| of_upkeep.optimize().unwrap()));
        let (of_reader, requested) = (store.clone(), labels.clone());
        let reader = thread::spawn(move || {
            for text in ["a", "b", "a"] {
                let snapshot = of_reader.snapshot();
                let expected = usize::from(TEXTS[snapshot.commit().get() as usize - 1] == Some(text));
                let found = snapshot.of(&requested).find(label::TEXT.eq(text)).count().unwrap();
                assert_eq!(found, expected, "{text} at {}", snapshot.commit());
            }
        });
        for text in &TEXTS[1..] {
            labels.store(Label { key: 0, text: *text }).unwrap();
        }
        upkeep.join().unwrap();
        reader.join().unwrap();
        store.verify().unwrap();
    });
}

/// Upkeep moves entries of rows that no mark lists, under scans and commits.
#[test]
fn upkeep_under_everything() {
    explore(|| {
        let shelves = Shelves::new(&[0, 1, 2, 3, 4, 5]);
        shelves.store.commit(|batch| [0, 2, 4].iter().try_for_each(|key| batch.delete(&shelves.books, *key))).unwrap();
        let upkeep = spawn_on(&shelves, |shelves| shelves.store.optimize().unwrap());
        let writer = spawn_on(&shelves, |shelves| (0..2).for_each(|_| shelves.random_commit()));
        let reader = spawn_on(&shelves, |shelves| {
            let snapshot = shelves.store.snapshot();
            shelves.check_some(&snapshot, 3);
        });
        run(&shelves, vec![upkeep, writer, reader]);
    });
}

//! Materialized aggregates: a snapshot reads the result at its commit, while commits move values between groups and
//! while aggregates are built and dropped.

use super::{explore, spawn_on};
use memdex::aggregate::{MetricValues, Statistics};
use memdex::error::QueryError;
use memdex::hook::{CommitHook, CommitInfo, RecordChange};
use memdex::schema::AggregateDef;
use memdex::{Collection, Commit, GroupBy, Metric, Record, Snapshot, Store};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug, PartialEq, Record)]
struct Coin {
    #[record(key)]
    key: u8,
    #[record(field)]
    purse: u8,
    #[record(field)]
    worth: f64,
    #[record(field)]
    name: String,
}

const KEYS: u8 = 4;
const PURSES: u8 = 3;

type State = BTreeMap<u8, Coin>;

struct Truth(Mutex<Vec<State>>);

impl CommitHook for Truth {
    fn invalidate(&self, commit: &CommitInfo) {
        let mut states = self.0.lock().unwrap();
        let mut state = states.last().unwrap().clone();
        for RecordChange { before, after, .. } in commit.changes::<Coin>("coins") {
            before.iter().for_each(|coin| assert_eq!(state.remove(&coin.key).as_ref(), Some(&**coin)));
            state.extend(after.iter().map(|coin| (coin.key, Coin::clone(coin))));
        }
        states.push(state);
    }
}

#[derive(Clone)]
struct Purses {
    store: Store,
    coins: Collection<Coin>,
    truth: Arc<Truth>,
}

fn by_purse() -> AggregateDef {
    let metrics = [Metric::count(), coin::WORTH.sum(), coin::WORTH.max(), coin::NAME.distinct(), coin::NAME.min()];
    let groups = GroupBy::values(coin::PURSE).metrics(metrics);
    AggregateDef::new("by purse", Statistics::of([Metric::count(), coin::WORTH.sum()]).group_by(groups))
}

/// The expected result as text.
fn expected(state: &State) -> Vec<String> {
    let worth = |coins: &[&Coin]| coins.iter().map(|coin| coin.worth).sum::<f64>();
    let all: Vec<&Coin> = state.values().collect();
    let total = format!("all {} {:?}", all.len(), (!all.is_empty()).then(|| worth(&all)));
    let purse = |purse: u8| {
        let coins: Vec<&Coin> = all.iter().filter(|coin| coin.purse == purse).copied().collect();
        let mut names: Vec<&str> = coins.iter().map(|coin| &*coin.name).collect();
        names.sort_unstable();
        names.dedup();
        let most = coins.iter().map(|coin| coin.worth).fold(f64::MIN, f64::max);
        let first = names.first()?;
        Some(format!("{purse} {} {} {most} {} {first}", coins.len(), worth(&coins), names.len()))
    };
    [total].into_iter().chain((0..PURSES).filter_map(purse)).collect()
}

fn found(figures: &MetricValues) -> Vec<String> {
    let total = format!("all {} {:?}", figures.int("count").unwrap(), figures.float("sum(worth)"));
    let group = |group: &memdex::aggregate::Group| {
        let [count, distinct] = ["count", "distinct(name)"].map(|name| group.int(name).unwrap());
        let [sum, most] = ["sum(worth)", "max(worth)"].map(|name| group.float(name).unwrap());
        format!("{} {count} {sum} {most} {distinct} {}", group.key[0], group.get("min(name)").unwrap())
    };
    [total].into_iter().chain(figures.groups().iter().map(group)).collect()
}

impl Purses {
    fn new(declared: bool) -> Self {
        let store = Store::new();
        let coins = store.collection("coins").unwrap();
        let truth = Arc::new(Truth(Mutex::new(vec![State::new()])));
        store.add_hook(truth.clone()).unwrap();
        let purses = Purses { store, coins, truth };
        if declared {
            purses.coins.add_aggregate(by_purse()).unwrap();
        }
        purses
    }

    fn put(&self, coins: &[(u8, u8)]) {
        let coin = |(key, purse): &(u8, u8)| {
            let name = ["a", "b", "a name that is too long to be kept inline"][usize::from(key + purse) % 3].to_owned();
            Coin { key: *key, purse: *purse, worth: f64::from(*key) + 0.5, name }
        };
        self.store.commit(|batch| coins.iter().try_for_each(|of| batch.store(&self.coins, coin(of)))).unwrap();
    }

    fn random_commit(&self) {
        let mut rng = thread_rng();
        let key = rng.gen_range(0..KEYS);
        match rng.gen_range(0..4) {
            0 => drop(self.coins.delete(key).unwrap()),
            1 => self.put(&[(key, rng.gen_range(0..PURSES)), ((key + 1) % KEYS, rng.gen_range(0..PURSES))]),
            _ => self.put(&[(key, rng.gen_range(0..PURSES))]),
        }
    }

    fn state(&self, commit: Commit) -> State {
        self.truth.0.lock().unwrap()[commit.get() as usize].clone()
    }

    /// Checks the result of a snapshot.
    fn check(&self, snapshot: &Snapshot) {
        let figures = snapshot.of(&self.coins).aggregate("by purse").unwrap();
        assert_eq!(figures.commit, snapshot.commit());
        assert_eq!(found(&figures), expected(&self.state(snapshot.commit())), "at {}", snapshot.commit());
    }

    /// Checks a result without a pin. It must be correct at the commit that it names, which is not before `seen`.
    fn check_now(&self, seen: Commit) -> Commit {
        let from = self.store.newest_commit().max(seen);
        let figures = self.coins.aggregate("by purse").unwrap();
        assert!((from..=self.store.newest_commit()).contains(&figures.commit), "a session went back in time");
        assert_eq!(found(&figures), expected(&self.state(figures.commit)), "now, at {}", figures.commit);
        figures.commit
    }

    fn check_at_rest(&self) {
        self.store.optimize().unwrap();
        let stats = self.store.stats();
        assert_eq!((stats.oldest_pin, &stats.poisoned), (None, &None));
        let left = &stats.collections[0];
        assert_eq!(
            (left.versions_retained, left.marks, left.results_retained),
            (0, 0, 0),
            "without readers everything is reclaimed"
        );
        assert!(left.aggregates.iter().all(|of| of.groups <= usize::from(PURSES)));
        self.store.verify().unwrap();
    }
}

fn run(purses: &Purses, threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    purses.check_at_rest();
}

/// Coins move between purses under snapshots and readers without a pin.
#[test]
fn aggregates_at_each_commit() {
    explore(|| {
        let purses = Purses::new(true);
        purses.put(&[(0, 0), (1, 1)]);
        let writer = spawn_on(&purses, |purses| (0..4).for_each(|_| purses.random_commit()));
        let of_snapshots = spawn_on(&purses, |purses| {
            let first = purses.store.snapshot();
            purses.check(&first);
            let second = purses.store.snapshot();
            purses.check(&second);
            purses.check(&first);
        });
        let of_now = spawn_on(&purses, |purses| {
            (0..3).fold(Commit::ZERO, |seen, _| purses.check_now(seen));
        });
        run(&purses, vec![writer, of_snapshots, of_now]);
    });
}

/// A group becomes empty and fills again, under snapshots that saw it.
#[test]
fn groups_emptied_and_filled() {
    explore(|| {
        let purses = Purses::new(true);
        purses.put(&[(0, 0)]);
        let writer = spawn_on(&purses, |purses| [1, 0, 2, 0].iter().for_each(|purse| purses.put(&[(0, *purse)])));
        let reader = |purses: Purses| {
            let snapshot = purses.store.snapshot();
            thread::yield_now();
            purses.check(&snapshot);
            purses.check(&snapshot);
        };
        run(&purses, vec![writer, spawn_on(&purses, reader), spawn_on(&purses, reader)]);
    });
}

/// An aggregate is built under commits, and read by older and newer snapshots.
#[test]
fn aggregates_built_under_commits() {
    explore(|| {
        let purses = Purses::new(false);
        purses.put(&[(0, 0), (1, 1), (2, 0)]);
        let before = purses.store.snapshot();
        let writer = spawn_on(&purses, |purses| (0..3).for_each(|_| purses.random_commit()));
        let reader = spawn_on(&purses, |purses| {
            let snapshot = purses.store.snapshot();
            match snapshot.of(&purses.coins).aggregate("by purse") {
                Ok(_) => purses.check(&snapshot),
                Err(QueryError::UnknownAggregate { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        });
        purses.coins.add_aggregate(by_purse()).unwrap();
        let between = purses.store.snapshot();
        purses.check(&before);
        purses.check(&between);
        purses.check_now(Commit::ZERO);
        writer.join().unwrap();
        purses.check(&before);
        purses.check(&between);
        purses.check(&purses.store.snapshot());
        drop((before, between));
        run(&purses, vec![reader]);
    });
}

/// An aggregate is dropped under commits and readers: a read returns the correct result, or that it does not exist.
#[test]
fn aggregates_dropped_under_readers() {
    explore(|| {
        let purses = Purses::new(true);
        purses.put(&[(0, 0), (1, 1)]);
        let writer = spawn_on(&purses, |purses| (0..3).for_each(|_| purses.random_commit()));
        let dropper = spawn_on(&purses, |purses| purses.coins.drop_aggregate("by purse").unwrap());
        let of_now = |purses: Purses| {
            for _ in 0..2 {
                match purses.coins.aggregate("by purse") {
                    Ok(figures) => assert_eq!(found(&figures), expected(&purses.state(figures.commit))),
                    Err(QueryError::UnknownAggregate { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let of_snapshot = |purses: Purses| {
            let snapshot = purses.store.snapshot();
            if let Ok(figures) = snapshot.of(&purses.coins).aggregate("by purse") {
                assert_eq!(found(&figures), expected(&purses.state(snapshot.commit())));
            }
        };
        let readers = [spawn_on(&purses, of_now), spawn_on(&purses, of_snapshot)];
        run(&purses, [writer, dropper].into_iter().chain(readers).collect());
    });
}

/// A query for the same statistics uses the aggregate, and returns the same result.
#[test]
fn queries_use_aggregates() {
    explore(|| {
        let purses = Purses::new(true);
        purses.put(&[(0, 0), (1, 1)]);
        let writer = spawn_on(&purses, |purses| (0..3).for_each(|_| purses.random_commit()));
        let reader = spawn_on(&purses, |purses| {
            let snapshot = purses.store.snapshot();
            let requested = by_purse().statistics().clone();
            let answer = snapshot.of(&purses.coins).find(memdex::Filter::all()).statistics(requested).unwrap();
            assert_eq!(found(&answer), expected(&purses.state(snapshot.commit())));
            assert!(answer.materialized);
        });
        run(&purses, vec![writer, reader]);
    });
}

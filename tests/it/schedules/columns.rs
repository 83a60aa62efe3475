//! Scenarios about the cells of columns, which readers load without a lock.

use super::explore;
use memdex::{Collection, Filter, Record, Snapshot, Store};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

#[derive(Clone, Record)]
struct Gauge {
    #[record(key)]
    key: u8,
    #[record(column)]
    level: Option<u64>,
}

/// The level of each gauge at a commit, by key.
type Levels = [Option<u64>; 3];

type TestQuery = (Filter<Gauge>, fn(u64) -> bool);

/// Beyond 63 bits, so an overflow value.
const FAR: u64 = u64::MAX - 1;
/// The greatest value of a cell, whose bits equal the escape of greater ones.
const LAST: u64 = i64::MAX as u64;

fn queries() -> Vec<TestQuery> {
    vec![
        (gauge::LEVEL.ge(4_u64), |level| level >= 4),
        (gauge::LEVEL.between(1_u64, 400_u64), |level| (1..=400).contains(&level)),
        (gauge::LEVEL.lt(70_000_u64), |level| level < 70_000),
        (gauge::LEVEL.ne(5_u64), |level| level != 5),
        (gauge::LEVEL.is_in([3_u64, 5, LAST]), |level| [3, 5, LAST].contains(&level)),
        (gauge::LEVEL.gt(LAST), |level| level > LAST),
        (gauge::LEVEL.eq(FAR), |level| level == FAR),
    ]
}

fn check(gauges: &Collection<Gauge>, snapshot: &Snapshot, commits: &[Levels], (filter, holds): &TestQuery) {
    let levels = commits[snapshot.commit().get() as usize - 1];
    let expected: Vec<u8> = (0..3).filter(|key| levels[usize::from(*key)].is_some_and(holds)).collect();
    let mut found: Vec<u8> = snapshot.of(gauges).find(filter).fetch().unwrap().iter().map(|gauge| gauge.key).collect();
    found.sort_unstable();
    assert_eq!(found, expected, "{filter:?} at {}", snapshot.commit());
}

/// Runs the commits under two readers, with upkeep at the same time if `upkeep` is set.
fn under_scans(commits: &'static [Levels], upkeep: bool) {
    let store = Store::new();
    let gauges = store.collection::<Gauge>("gauges").unwrap();
    let put = |before: Option<&Levels>, levels: &Levels| {
        let changed = |key: &usize| before.is_none_or(|before| before[*key] != levels[*key]);
        let gauge = |key: usize| Gauge { key: key as u8, level: levels[key] };
        store.commit(|batch| (0..3).filter(changed).try_for_each(|key| batch.store(&gauges, gauge(key)))).unwrap();
    };
    put(None, &commits[0]);
    let reader = || {
        let (store, gauges) = (store.clone(), gauges.clone());
        thread::spawn(move || {
            let queries = queries();
            for _ in 0..2 {
                let snapshot = store.snapshot();
                let query = &queries[thread_rng().gen_range(0..queries.len())];
                check(&gauges, &snapshot, commits, query);
            }
        })
    };
    let mut threads = vec![reader(), reader()];
    if upkeep {
        let store = store.clone();
        threads.push(thread::spawn(move || store.optimize().unwrap()));
    }
    commits.windows(2).for_each(|pair| put(Some(&pair[0]), &pair[1]));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    store.verify().unwrap();
    let snapshot = store.snapshot();
    queries().iter().for_each(|query| check(&gauges, &snapshot, commits, query));
}

/// A value that does not fit widens its page under scans; the other cells keep their values.
#[test]
fn pages_are_widened() {
    const COMMITS: [Levels; 4] = [
        [Some(3), Some(5), Some(7)],
        [Some(3), Some(500), Some(7)],
        [Some(3), Some(90_000), None],
        [Some(300), Some(1 << 40), Some(90_000)],
    ];
    explore(|| under_scans(&COMMITS, false));
}

/// A cell changes between ordinary values and overflow values.
#[test]
fn overflow_values() {
    const COMMITS: [Levels; 5] = [
        [Some(FAR), Some(3), None],
        [Some(5), Some(3), Some(LAST)],
        [Some(FAR), Some(LAST), Some(FAR)],
        [Some(LAST), Some(FAR), Some(4)],
        [None, Some(5), Some(LAST)],
    ];
    explore(|| under_scans(&COMMITS, false));
}

/// Upkeep narrows zones to the newest state, under snapshots that see older values.
#[test]
fn zones_are_narrowed() {
    const COMMITS: [Levels; 4] = [
        [Some(3), Some(5), Some(1 << 40)],
        [Some(5), Some(5), Some(7)],
        [Some(5), None, Some(FAR)],
        [None, None, Some(300)],
    ];
    explore(|| under_scans(&COMMITS, true));
}

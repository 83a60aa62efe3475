//! Records with lifetimes: the cost of a look-up, sessions compared with `moka`, and a million records that expire in one second.
//!
//! `cargo bench --bench lifetimes`, or with one of `get`, `sessions`, `mass`, `log_out`.

use ahash::RandomState;
use dashmap::DashMap;
use memdex::write::{DefaultLifetime, Lifetime};
use memdex::{Collection, Record, Store, Timestamp};
use std::collections::HashSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

#[derive(Clone, Record)]
struct Session {
    #[record(key)]
    id: u64,
    #[record(index)]
    user: u32,
    data: [u8; 32],
}

const SESSIONS: u64 = 1_000_000;
const USERS: u32 = 100_000;
const HALF_AN_HOUR: Duration = Duration::from_secs(1_800);

fn session(id: u64) -> Session {
    Session { id, user: (id % u64::from(USERS)) as u32, data: [id as u8; 32] }
}

/// Numbers without a pattern.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Ranks with the distribution of Zipf, by a search in the table of its sums.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(items: u64, skew: f64) -> Self {
        let mut sum = 0.0;
        let weights = (1..=items).map(|rank| 1.0 / (rank as f64).powf(skew));
        let sums: Vec<f64> = weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        Zipf(sums.into_iter().map(|of| of / sum).collect())
    }

    fn draw(&self, random: &mut Random) -> u64 {
        let at = (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
        self.0.partition_point(|sum| *sum < at) as u64
    }
}

fn filled(lifetime: Option<DefaultLifetime>) -> (Store, Collection<Session>) {
    let store = Store::new();
    let sessions = store.collection::<Session>("sessions").expect("the schema is valid");
    sessions.set_default_lifetime(lifetime.unwrap_or_default()).expect("it is long enough");
    for from in (0..SESSIONS).step_by(1_000) {
        store
            .commit(|batch| (from..from + 1_000).try_for_each(|id| batch.store(&sessions, session(id))))
            .expect("all are valid");
    }
    (store, sessions)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// A look-up of a random record.
fn get() {
    println!("get of a random session, ns (medians of 9 runs of 1,000,000)");
    let kinds = [
        ("without lifetimes", None),
        ("with lifetimes", Some(DefaultLifetime::Fixed(HALF_AN_HOUR))),
        ("sliding", Some(DefaultLifetime::Sliding(HALF_AN_HOUR))),
    ];
    let stores: Vec<_> = kinds.iter().map(|(name, lifetime)| (*name, filled(lifetime.clone()))).collect();
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); stores.len()];
    for run in 0..9 {
        for (at, (_, (_, sessions))) in stores.iter().enumerate() {
            let mut random = Random(run + 1);
            let started = Instant::now();
            for _ in 0..1_000_000 {
                black_box(sessions.get_with(random.next() % SESSIONS, |session| session.user));
            }
            times[at].push(started.elapsed().as_nanos() as f64 / 1e6);
        }
    }
    for ((name, _), times) in stores.iter().zip(times) {
        println!("  {name:<20} {:6.1}", median(times));
    }
}

/// 90 % reads that extend a session, 10 % stores, on two threads; and one session of a user in a thousand operations.
fn sessions() {
    println!(
        "sessions: 90 % get (sliding), 10 % store, Zipf 0.99, 2 threads; million operations per second (medians of 5)"
    );
    const OPERATIONS: usize = 1_000_000;
    let zipf = Zipf::new(SESSIONS, 0.99);
    let draws: Vec<Vec<(u64, bool)>> = (0..2)
        .map(|thread| {
            let mut random = Random(thread + 7);
            (0..OPERATIONS).map(|_| (zipf.draw(&mut random), random.next().is_multiple_of(10))).collect()
        })
        .collect();
    let (store, ours) = filled(Some(DefaultLifetime::Sliding(HALF_AN_HOUR)));
    let theirs = moka::sync::Cache::builder().time_to_idle(HALF_AN_HOUR).build_with_hasher(RandomState::new());
    let by_user: DashMap<u32, HashSet<u64, RandomState>, RandomState> = DashMap::default();
    for id in 0..SESSIONS {
        theirs.insert(id, session(id));
        by_user.entry(session(id).user).or_default().insert(id);
    }
    type Run<'a> = dyn Fn(&[(u64, bool)]) + Sync + 'a;
    let timed = |run: &Run<'_>| {
        let started = Instant::now();
        std::thread::scope(|scope| draws.iter().for_each(|of| drop(scope.spawn(|| run(of)))));
        2.0 * OPERATIONS as f64 / started.elapsed().as_secs_f64() / 1e6
    };
    let (mut single, mut batched, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        single.push(timed(&|of| {
            for (id, stores) in of {
                match stores {
                    true => drop(ours.store(session(*id)).expect("it is valid").commit),
                    false => drop(black_box(ours.get_with(*id, |session| session.user))),
                }
            }
        }));
        batched.push(timed(&|of| {
            let mut writer = store.writer();
            for (id, stores) in of {
                match stores {
                    true => writer.store(&ours, session(*id)).expect("it is valid"),
                    false => drop(black_box(ours.get_with(*id, |session| session.user))),
                }
            }
            writer.flush().expect("all are valid");
        }));
        peer.push(timed(&|of| {
            for (id, stores) in of {
                if *stores {
                    theirs.insert(*id, session(*id));
                    by_user.entry(session(*id).user).or_default().insert(*id);
                } else {
                    black_box(theirs.get(id).map(|session| session.user));
                }
            }
        }));
    }
    let (single, batched, peer) = (median(single), median(batched), median(peer));
    println!("  moka with an index by hand   {peer:6.2}");
    println!("  single commits               {single:6.2}   {:.2} x", single / peer);
    println!("  batches of 100               {batched:6.2}   {:.2} x", batched / peer);
}

/// Ten sessions of a user end at once.
fn log_out() {
    let (_store, sessions) = filled(Some(DefaultLifetime::Sliding(HALF_AN_HOUR)));
    let mut times = Vec::new();
    for user in 0..2_000 {
        let started = Instant::now();
        let counts = sessions.delete_where(session::USER.eq(user * 37)).expect("nothing refuses it").counts;
        times.push(started.elapsed().as_nanos() as f64 / 1e3);
        assert_eq!(counts.deleted, 10);
    }
    println!("log out everywhere, 10 of 1,000,000 sessions: {:.1} us", median(times));
}

/// A million records expire within one second while a thread reads.
fn mass() {
    let store = Store::builder().expire_in_background().build();
    let sessions = store.collection::<Session>("sessions").expect("the schema is valid");
    let due = Timestamp::now() + Duration::from_secs(12);
    for from in (0..SESSIONS).step_by(1_000) {
        let mut batch = store.batch();
        for id in from..from + 1_000 {
            let until = Lifetime::Until(due + Duration::from_micros(id));
            batch.with_lifetime(until).store(&sessions, session(id)).expect("it fits");
        }
        batch.commit().expect("all are valid");
    }
    sessions.store(session(SESSIONS + 1)).expect("it is valid");
    let reads = |until: &dyn Fn() -> bool| {
        let (mut times, mut random) = (Vec::new(), Random(3));
        while until() {
            let user = (random.next() % u64::from(USERS)) as u32;
            let started = Instant::now();
            black_box(sessions.find(session::USER.eq(user)).count().expect("the query is valid"));
            times.push(started.elapsed().as_nanos() as f64 / 1e3);
        }
        times.sort_by(f64::total_cmp);
        (times[times.len() / 2], times[times.len() * 99 / 100], times[times.len() - 1])
    };
    assert!(Timestamp::now() + Duration::from_secs(2) < due, "loading took too long: use a later deadline");
    let before = due - Duration::from_millis(100);
    let idle = reads(&|| Timestamp::now() < before);
    let started = Instant::now();
    let busy = reads(&|| sessions.len() > 1 || store.stats().collections[0].records > 1);
    println!("a million records expire within a second; count of the sessions of a user, us: median, p99, longest");
    println!("  before      {:8.1} {:8.1} {:8.1}", idle.0, idle.1, idle.2);
    println!("  meanwhile   {:8.1} {:8.1} {:8.1}", busy.0, busy.1, busy.2);
    println!("  all removed {:.1} s after the first was due", started.elapsed().as_secs_f64() - 0.1);
}

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let groups: [(&str, fn()); 4] = [("get", get), ("sessions", sessions), ("log_out", log_out), ("mass", mass)];
    for (name, run) in groups {
        if chosen.is_empty() || chosen.iter().any(|of| of == name) {
            run();
        }
    }
}

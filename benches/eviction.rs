//! Hit ratios of the policies of eviction, compared with `moka`, and the cost of a look-up and of a write in a collection with a bound.
//!
//! `cargo bench --bench eviction`, or with one of `ratios`, `get`, `store`.

use memdex::write::{Bound, EvictionPolicy};
use memdex::{Collection, Record, Store};
use std::hint::black_box;
use std::time::{Duration, Instant};

#[derive(Clone, Record)]
struct Page {
    #[record(key)]
    id: u64,
    #[record(index)]
    site: u32,
    body: [u8; 32],
}

fn page(id: u64) -> Page {
    Page { id, site: (id % 1_000) as u32, body: [id as u8; 32] }
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

const KEYS: u64 = 100_000;
const REQUESTS: usize = 1_000_000;

/// Requests by Zipf; with scans, every fifth part of them is a run of keys that are requested once.
fn requests(skew: f64, scans: bool) -> Vec<u64> {
    let (zipf, mut random, mut fresh) = (Zipf::new(KEYS, skew), Random(7), KEYS);
    let mut all = Vec::with_capacity(REQUESTS);
    while all.len() < REQUESTS {
        all.extend((0..20_000).map(|_| zipf.draw(&mut random)));
        if scans {
            all.extend(fresh..fresh + 5_000);
            fresh += 5_000;
        }
    }
    all
}

/// The share of requests that find their record, in percent. A record that is missing is stored.
fn ratio(requests: &[u64], mut request: impl FnMut(u64) -> bool) -> f64 {
    let hits = requests.iter().filter(|id| request(**id)).count();
    100.0 * hits as f64 / requests.len() as f64
}

fn of_policy(requests: &[u64], bound: usize, policy: EvictionPolicy) -> f64 {
    let store = Store::new();
    let pages = store.collection::<Page>("pages").expect("the schema is valid");
    pages.set_bound(Bound::records(bound).policy(policy)).expect("the bound is valid");
    ratio(requests, |id| {
        let found = pages.get_with(id, |_| ()).is_some();
        if !found {
            pages.store(page(id)).expect("it is valid");
        }
        found
    })
}

fn of_moka(requests: &[u64], bound: usize) -> f64 {
    let pages = moka::sync::Cache::builder().max_capacity(bound as u64).build();
    ratio(requests, |id| {
        let found = pages.get(&id).is_some();
        if !found {
            pages.insert(id, page(id));
        }
        found
    })
}

fn ratios() {
    println!("hit ratio, %: {REQUESTS} requests over {KEYS} keys; a scan is 20 % of the requests, each key once");
    println!("  requests           bound  S3-FIFO   SIEVE  oldest first    moka  S3-FIFO - moka");
    let mut worst = f64::MAX;
    for (skew, scans) in [(0.7, false), (0.9, false), (1.1, false), (0.7, true), (0.9, true), (1.1, true)] {
        let requests = requests(skew, scans);
        for bound in [1_000, 10_000] {
            let [s3_fifo, sieve, oldest] = [EvictionPolicy::S3Fifo, EvictionPolicy::Sieve, EvictionPolicy::OldestFirst]
                .map(|policy| of_policy(&requests, bound, policy));
            let moka = of_moka(&requests, bound);
            worst = worst.min(s3_fifo - moka);
            let name = format!("Zipf {skew}{}", if scans { " + scans" } else { "" });
            println!(
                "  {name:<17} {bound:>6} {s3_fifo:>8.1} {sieve:>7.1} {oldest:>13.1} {moka:>7.1} {:>15.1}",
                s3_fifo - moka
            );
        }
    }
    println!("  limit: S3-FIFO at most 2 points below moka; the worst is {worst:+.1}");
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

const RECORDS: u64 = 1_000_000;

fn filled(bound: Option<EvictionPolicy>) -> (Store, Collection<Page>) {
    let store = Store::new();
    let pages = store.collection::<Page>("pages").expect("the schema is valid");
    if let Some(policy) = bound {
        pages.set_bound(Bound::records(RECORDS as usize).policy(policy)).expect("the bound is valid");
    }
    for from in (0..RECORDS).step_by(1_000) {
        store
            .commit(|batch| (from..from + 1_000).try_for_each(|id| batch.store(&pages, page(id))))
            .expect("all are valid");
    }
    (store, pages)
}

/// A look-up of a random record.
fn get() {
    println!("get of a random one of a million records, ns (medians of 9 runs of 1,000,000)");
    let stores = [("without a bound", filled(None)), ("with a bound", filled(Some(EvictionPolicy::S3Fifo)))];
    let mut times = [Vec::new(), Vec::new()];
    for run in 0..9 {
        for (times, (_, (_, pages))) in times.iter_mut().zip(&stores) {
            let mut random = Random(run + 1);
            let started = Instant::now();
            for _ in 0..1_000_000 {
                black_box(pages.get_with(random.next() % RECORDS, |page| page.site));
            }
            times.push(started.elapsed().as_nanos() as f64 / 1e6);
        }
    }
    for ((name, _), times) in stores.iter().zip(times) {
        println!("  {name:<17} {:6.1}", median(times));
    }
}

/// A commit that stores one new record, and displaces one where the collection is full.
fn store() {
    println!("store of a new record in a commit of its own, us: median, p99, longest of 200,000");
    let kinds = [
        ("without a bound", None),
        ("S3-FIFO", Some(EvictionPolicy::S3Fifo)),
        ("SIEVE", Some(EvictionPolicy::Sieve)),
        ("oldest first", Some(EvictionPolicy::OldestFirst)),
        ("soonest to expire", Some(EvictionPolicy::SoonestToExpire)),
    ];
    for (name, policy) in kinds {
        let (_store, pages) = filled(policy);
        let mut random = Random(5);
        let mut times: Vec<Duration> = Vec::with_capacity(200_000);
        for id in RECORDS..RECORDS + 200_000 {
            black_box(pages.get_with(random.next() % RECORDS, |page| page.site));
            let started = Instant::now();
            pages.store(page(id)).expect("it is valid");
            times.push(started.elapsed());
        }
        times.sort_unstable();
        let [median, p99, longest] =
            [times.len() / 2, times.len() * 99 / 100, times.len() - 1].map(|at| times[at].as_nanos() as f64 / 1e3);
        println!("  {name:<17} {median:8.1} {p99:8.1} {longest:8.1}");
    }
}

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let groups: [(&str, fn()); 3] = [("ratios", ratios), ("get", get), ("store", store)];
    for (name, run) in groups {
        if chosen.is_empty() || chosen.iter().any(|of| of == name) {
            run();
        }
    }
}

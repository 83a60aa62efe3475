//! Forks, full copies and rollbacks, on a base of 1,000,000 records. Prints medians; `FORK_RECORDS` sets another size.

use memdex::{Collection, Filter, GroupBy, IndexDef, Metric, Record, Store};
use std::hint::black_box;
use std::time::{Duration, Instant};

#[derive(Clone, Record)]
struct Payment {
    #[record(key)]
    id: u64,
    #[record(unique)]
    reference: String,
    #[record(index)]
    user: u32,
    #[record(ordered)]
    day: u32,
    #[record(column)]
    cents: i64,
}

fn payment(id: u64) -> Payment {
    let reference = format!("reference {id}");
    Payment { id, reference, user: (id % 1_000) as u32, day: (id % 365) as u32, cents: (id * 7 % 1_000) as i64 }
}

type Payments = Collection<Payment>;

fn open(store: &Store) -> Payments {
    store.collection("Payment").expect("the schema is valid")
}

/// The resident memory of the process, in KiB.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).map_or(0, |pages| pages * 4)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn timed(runs: usize, mut run: impl FnMut(usize)) -> Duration {
    let time = |at| {
        let started = Instant::now();
        run(at);
        started.elapsed()
    };
    median((0..runs).map(time).collect())
}

/// A hundred changed records in ten commits.
fn change_some(store: &Store, payments: &Payments, from: u64, records: u64) {
    for batch_no in 0..10 {
        let change = |batch: &mut memdex::Batch| {
            let ids = (0..10).map(|at| (from * 7_919 + batch_no * 1_000 + at * 37) % records);
            ids.into_iter().try_for_each(|id| batch.update(payments, id, |payment| payment.cents += 1))
        };
        store.commit(change).expect("all are valid");
    }
}

fn queries(of: &str, payments: &Payments, records: u64) {
    let mut at = 0;
    let mut next = || {
        at = (at + 7_919) % records;
        at
    };
    let get = timed(201, |_| (0..100).for_each(|_| drop(black_box(payments.get(next()))))) / 100;
    let by_value = |payments: &Payments, id: u64| payments.get_by(payment::REFERENCE, &*format!("reference {id}"));
    let get_by = timed(201, |_| (0..100).for_each(|_| drop(black_box(by_value(payments, next()))))) / 100;
    let count = timed(501, |at| drop(black_box(payments.find(payment::USER.eq(at as u32)).count())));
    let fetch = timed(201, |at| drop(black_box(payments.find(payment::USER.eq(at as u32)).fetch())));
    let page = timed(101, |at| {
        let days = payments.find(payment::DAY.ge(at as u32)).order_by(payment::DAY.asc()).limit(10);
        drop(black_box(days.fetch()));
    });
    let sums = GroupBy::values("user").metrics([payment::CENTS.sum(), Metric::count()]);
    let sums = timed(11, |_| drop(black_box(payments.find(Filter::all()).statistics(sums.clone()))));
    println!("| {of} | {get:.0?} | {get_by:.0?} | {count:.1?} | {fetch:.0?} | {page:.0?} | {sums:.1?} |");
}

fn main() {
    let records: u64 = std::env::var("FORK_RECORDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let store = Store::new();
    let payments = open(&store);
    let mut writer = store.writer().bulk_size(10_000);
    (0..records).try_for_each(|id| writer.store(&payments, payment(id))).expect("all are valid");
    writer.flush().expect("all are valid");
    drop(writer);

    println!("{records} records, with a unique, an equality and an ordered index and a column\n");
    println!("| step | time | memory |\n| --- | --- | --- |");
    let (before, started) = (resident(), Instant::now());
    let forks: Vec<Store> = (0..1_000).map(|_| store.fork()).collect();
    println!("| 1,000 forks | {:.2?} | {} KiB |", started.elapsed(), resident() - before);
    drop(forks);
    let (before, started) = (resident(), Instant::now());
    let copy = store.fork();
    open(&copy).add_index(IndexDef::ordered("cents")).expect("the index is new");
    println!(
        "| one full copy, which shares the records, and an index | {:.0?} | {} KiB |",
        started.elapsed(),
        resident() - before
    );
    drop(copy);
    let whole = timed(301, |at| {
        let fork = store.fork();
        let forked = open(&fork);
        change_some(&fork, &forked, at as u64, records);
    });
    println!("| fork, change 100 records in 10 commits, drop | {whole:.0?} | |");
    let (mut changes, mut rollbacks) = (Vec::new(), Vec::new());
    for at in 0..301 {
        let checkpoint = store.checkpoint().expect("no background writer");
        let started = Instant::now();
        change_some(&store, &payments, at, records);
        changes.push(started.elapsed());
        let started = Instant::now();
        store.rollback(&checkpoint).expect("nothing refuses it");
        rollbacks.push(started.elapsed());
    }
    println!("| the same 10 commits in the base | {:.0?} | |", median(changes));
    println!("| their rollback | {:.0?} | |", median(rollbacks));
    let checkpoint = store.checkpoint().expect("no background writer");
    let batch = |batch: &mut memdex::Batch| {
        (0..10_000).try_for_each(|id| batch.update(&payments, id * 61 % records, |payment| payment.day += 1))
    };
    let started = Instant::now();
    store.commit(batch).expect("all are valid");
    let changed = started.elapsed();
    let started = Instant::now();
    store.rollback(&checkpoint).expect("nothing refuses it");
    println!("| 10,000 records in one commit | {changed:.1?} | |\n| its rollback | {:.1?} | |", started.elapsed());
    drop(checkpoint);

    println!("\n| queries of | get | get_by | count | fetch 1,000 | first 10 in order | statistics of all |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    queries("the base", &payments, records);
    let fork = store.fork();
    let forked = open(&fork);
    change_some(&fork, &forked, 3, records);
    queries("a fork with 100 changes", &forked, records);
    let fewer = 100_000.min(records / 4);
    let change = |id: u64| payments.update(id * 3, |payment| payment.cents += 1);
    (0..fewer).try_for_each(|id| change(id).map(drop)).expect("all are valid");
    let started = Instant::now();
    black_box(forked.find(payment::USER.eq(1)).count()).expect("the query is valid");
    let first = started.elapsed();
    queries(&format!("the fork, {fewer} records changed in the base"), &forked, records);
    println!("\nthe first query after these changes, which takes them over: {first:.0?}");
}

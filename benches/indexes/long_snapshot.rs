//! Holds one snapshot through a million commits of one update each, on a hundred of a million keys: the time of a
//! commit at the beginning and at the end, the retained versions, and the cost of dropping the snapshot for later
//! commits.

use crate::data::{WidePayment, loaded, next, payments};
use crate::durations::{Durations, heading, line, ratio};
use memdex::stats::CollectionStats;
use memdex::{Collection, Store};
use std::time::{Duration, Instant};

const COMMITS: usize = 1_000_000;
const HOT_KEYS: usize = 100;
const ENDS: usize = 10_000;
const PAUSE_LIMIT: Duration = Duration::from_millis(1);

pub(crate) fn run() {
    heading("long_snapshot");
    let (store, payments) = loaded(payments());
    let hot: Vec<String> = (0..HOT_KEYS).map(|n| format!("payment-{:07}", n * 9_973)).collect();
    let without = commits(&payments, &hot, ENDS);
    let before = stats(&store);
    let snapshot = store.snapshot();
    let all = commits(&payments, &hot, COMMITS);
    let held = stats(&store);
    let sum: i64 = hot.iter().filter_map(|key| snapshot.of(&payments).get(key)).map(|p| p.amount_cents).sum();

    let started = Instant::now();
    drop(snapshot);
    let dropped = started.elapsed();
    let afterwards = commits(&payments, &hot, ENDS);
    let after = stats(&store);

    let (first, last) = all.ends(ENDS);
    line("commit without a snapshot, median", format_args!("{:.2?}", without.median()));
    line("first 10,000 commits under it, median", format_args!("{:.2?}", first.median()));
    line("last 10,000 commits under it, median", format_args!("{:.2?}", last.median()));
    ratio("last / first", last.median(), first.median(), "2");
    for (when, stats) in [("before", &before), ("held", &held), ("after", &after)] {
        let (versions, marks, memory) = (stats.versions_retained, stats.marks, stats.memory.total());
        line(&format!("kept {when}"), format_args!("{versions} versions, {marks} marks; {memory} bytes in all"));
    }
    line("the drop itself", format_args!("{dropped:.1?}"));
    let above = |times: &Durations| format!("{:.1?}, {} above 1 ms", times.max(), times.above(PAUSE_LIMIT));
    line("longest of 10,000 commits after it (limit 1 ms)", above(&afterwards));
    line("longest of the last 10,000 before it", above(&last));
    assert!(sum >= 0, "the snapshot answers to the end");
}

fn commits(payments: &Collection<WidePayment>, hot: &[String], count: usize) -> Durations {
    let mut times = Durations::with_capacity(count);
    for key in hot.iter().cycle().take(count) {
        let update = |payment: &mut WidePayment| {
            payment.status = next(payment.status);
            payment.amount_cents += 1;
        };
        times.time(|| payments.update(key, update).expect("the record exists"));
    }
    times
}

fn stats(store: &Store) -> CollectionStats {
    store.stats().collections.remove(0)
}

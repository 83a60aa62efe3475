//! Sliding windows of values: buckets under a manual clock, percentiles, refusals, random values against a list.

use crate::cases::default_cases;
use memdex::aggregate::{Window, WindowBucket, WindowError};
use memdex::clock::ManualClock;
use memdex::{Filter, GroupBy, Metric, Record, Store, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn window(buckets: usize) -> (Store, Window, ManualClock) {
    // In the middle of a bucket.
    let clock = ManualClock::starting_at(Timestamp::from_secs(90));
    let store = Store::builder().clock(clock.clone()).build();
    let window = Window::new(&store, "latencies", MINUTE, buckets).unwrap();
    (store, window, clock)
}

#[test]
fn values_leave_with_their_buckets() {
    let (store, window, clock) = window(3);
    window.record("a", 5).unwrap();
    window.record_all("a", [1, 9]).unwrap();
    window.record_all("b", []).unwrap();
    clock.advance(MINUTE / 2); // the next bucket
    window.record("a", 100).unwrap();
    let all = window.summary("a");
    assert_eq!((all.count(), all.sum(), all.min(), all.max(), all.mean()), (4, 115, Some(1), Some(100), Some(28.75)));
    assert_eq!((window.last("a", 1).sum(), window.last("a", 2).sum(), window.last("a", 99).sum()), (100, 115, 115));
    assert_eq!(window.last("a", 0).count(), 0);
    let series: Vec<_> = window.series("a", 3).iter().map(|(start, of)| (start.as_secs(), of.count())).collect();
    assert_eq!(series, [(0, 0), (60, 3), (120, 1)]);

    clock.advance(MINUTE * 2 - Duration::from_micros(1));
    assert_eq!(window.sum("a"), 115, "the present bucket is one of the three");
    clock.advance(Duration::from_micros(1));
    assert_eq!(window.sum("a"), 100);
    assert_eq!(window.buckets().len(), 1);
    clock.advance(MINUTE);
    assert_eq!((window.count("a"), window.percentile("a", 50.0), window.buckets().len()), (0, None, 0));
    store.expire_now().unwrap();
    assert_eq!(store.stats().collections[0].records, 0);
    window.record("a", 7).unwrap();
    assert_eq!(window.summary("a").mean(), Some(7.0));
    store.verify().unwrap();
}

#[test]
fn a_snapshot_of_all_buckets_is_queried_as_any_collection() {
    let (store, window, clock) = window(3);
    for (name, value) in [("a", 1), ("b", 2), ("a", 3)] {
        window.record(name, value).unwrap();
        clock.advance(MINUTE / 2);
    }
    let by_name = GroupBy::values(WindowBucket::NAME).metrics([WindowBucket::COUNT.sum(), Metric::count()]);
    let names = window.buckets().find(Filter::all()).statistics(by_name).unwrap();
    let of = |name: &str| names.group(name).unwrap().int("sum(count)");
    assert_eq!((names.groups().len(), of("a"), of("b")), (2, Some(2), Some(1)));
    let mut both = window.summary("a");
    both.merge(&window.clone().summary("b"));
    both.merge(&window.summary("c"));
    assert_eq!((both.count(), both.sum(), both.percentile(0.0), both.percentile(100.0)), (3, 6, Some(1), Some(3)));
    assert!(store.stats().memory.now > 3 * 1_000, "histograms are counted");
    store.verify().unwrap();
}

#[test]
fn percentiles_are_exact_within_one_percent() {
    let (_store, window, _) = window(2);
    window.record_all("a", 1..=100_000).unwrap();
    window.record("huge", u64::MAX).unwrap();
    window.record("huge", 0).unwrap();
    let all = window.summary("a");
    for percent in [0.0, 1.0, 50.0, 99.0, 99.9, 100.0] {
        let (found, exact) = (all.percentile(percent).unwrap() as f64, (percent * 1_000.0).max(1.0));
        assert!((found - exact).abs() <= exact * 0.01 + 1.0, "{percent}: {found} instead of {exact}");
    }
    for odd in [-5.0, 500.0, f64::INFINITY, f64::NAN] {
        let bound = if odd < 0.0 { all.min() } else { all.max() };
        assert_eq!(all.percentile(odd), bound, "{odd}");
    }
    let huge = window.summary("huge");
    assert_eq!((huge.sum(), huge.percentile(100.0), huge.min()), (u64::MAX.into(), Some(u64::MAX), Some(0)));
}

#[test]
fn what_is_no_window_is_refused() {
    let (store, ..) = window(3);
    let refused = |width, buckets| Window::new(&store, "w", width, buckets).unwrap_err();
    assert!(matches!(refused(MINUTE, 0), WindowError::Buckets { buckets: 0, .. }));
    assert!(matches!(refused(MINUTE, 10_001), WindowError::Buckets { limit: 10_000, .. }));
    assert!(matches!(refused(Duration::ZERO, 1), WindowError::Width { .. }));
    assert!(matches!(refused(Duration::from_nanos(999), 1), WindowError::Width { .. }));
    assert!(matches!(refused(Duration::MAX, 1), WindowError::Width { .. }));
    assert!(matches!(refused(Duration::from_secs(1 << 40), 10_000), WindowError::Width { .. }));
    #[derive(Record)]
    struct Other {
        #[record(key)]
        id: u32,
    }
    store.collection::<Other>("other").unwrap().insert(Other { id: 1 }).unwrap();
    assert!(matches!(Window::new(&store, "other", MINUTE, 1).unwrap_err(), WindowError::Open(_)));
    store.drop_collection("latencies").unwrap();
    let (store, window, _) = self::window(1);
    store.drop_collection("latencies").unwrap();
    assert!(window.record("a", 1).is_err());
}

proptest! {
    #![proptest_config(default_cases())]

    /// Steps: seconds that pass, a name, a value.
    #[test]
    fn random_values_equal_a_list(buckets in 1..5_usize, steps in vec((0..100_u64, 0..2_usize, 0..1_000_000_u64), 1..60)) {
        let (store, window, clock) = window(buckets);
        let mut recorded: Vec<(i64, usize, u64)> = Vec::new();
        let mut now = 90;
        for (seconds, name, value) in steps {
            clock.advance(Duration::from_secs(seconds));
            now += seconds as i64;
            window.record(["a", "b"][name], value).unwrap();
            recorded.push((now.div_euclid(60), name, value));
            for last in 1..=buckets {
                let is_in = |of: &&(i64, usize, u64)| of.1 == name && of.0 > now.div_euclid(60) - last as i64;
                let mut values: Vec<u64> = recorded.iter().filter(is_in).map(|(_, _, value)| *value).collect();
                values.sort_unstable();
                let found = window.last(["a", "b"][name], last);
                prop_assert_eq!(found.count(), values.len() as u64);
                prop_assert_eq!(found.sum(), values.iter().map(|value| u128::from(*value)).sum::<u128>());
                prop_assert_eq!((found.min(), found.max()), (values.first().copied(), values.last().copied()));
                let (median, exact) = (found.percentile(50.0).unwrap() as f64, values[(values.len() - 1) / 2] as f64);
                prop_assert!((median - exact).abs() <= exact * 0.01 + 1.0, "{} instead of {}", median, exact);
            }
        }
        store.verify().unwrap();
    }
}

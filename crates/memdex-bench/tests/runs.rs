//! Suites: the same operations for every target, interleaved rounds, rates, and errors.

use memdex_bench::{
    BenchError, BoxError, Item, Keys, Kind, MemdexTarget, Mix, Operation, Recorder, Suite, Target, Workload,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the targets of a test have seen: filled items, and operations.
type Log = Arc<Mutex<Vec<(Vec<Item>, Vec<Operation>)>>>;

/// A map that logs.
#[derive(Default)]
struct Logged {
    items: Mutex<BTreeMap<u64, Item>>,
    filled: Vec<Item>,
    operations: Mutex<Vec<Operation>>,
    log: Log,
    /// Queries answer one too many.
    is_wrong: bool,
}

impl Target for Logged {
    fn fill(&mut self, items: &mut dyn Iterator<Item = Item>) -> Result<(), BoxError> {
        self.filled = items.collect();
        self.items.get_mut().unwrap().extend(self.filled.iter().map(|item| (item.key, item.clone())));
        Ok(())
    }

    fn execute(&self, operation: Operation) -> Result<u64, BoxError> {
        self.operations.lock().unwrap().push(operation.clone());
        let mut items = self.items.lock().unwrap();
        let count = match operation {
            Operation::Get { key } => usize::from(items.contains_key(&key)),
            Operation::Insert(item) => {
                assert!(items.insert(item.key, item).is_none(), "an insert has a new key");
                1
            }
            Operation::Update { key, amount } => {
                usize::from(items.get_mut(&key).map(|item| item.amount += amount).is_some())
            }
            Operation::Delete { key } => usize::from(items.remove(&key).is_some()),
            Operation::Query { group } => {
                items.values().filter(|item| item.group == group).count() + usize::from(self.is_wrong)
            }
            other => return Err(format!("{other:?}").into()),
        };
        Ok(count as u64)
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let operations = std::mem::take(self.operations.get_mut().unwrap());
        self.log.lock().unwrap().push((std::mem::take(&mut self.filled), operations));
    }
}

fn logged(log: &Log) -> impl Fn() -> Result<Logged, BoxError> + 'static {
    let log = log.clone();
    move || {
        let mut target = Logged::default();
        target.log = log.clone();
        Ok(target)
    }
}

fn mixed() -> Workload {
    let mix = Mix::new().get(4).insert(2).update(2).delete(1).query(1);
    Workload::new("mixed")
        .records(200)
        .operations(2_000)
        .warm_up(100)
        .groups(7)
        .mix(mix)
        .keys(Keys::Zipf { exponent: 0.9 })
}

#[test]
fn every_target_and_every_round_gets_the_same_operations() {
    let log = Log::default();
    let suite = Suite::new("t").rounds(2).workload(mixed()).target("a", logged(&log)).target("b", logged(&log));
    let report = suite.run().unwrap();
    let runs = log.lock().unwrap();
    assert_eq!(runs.len(), 4);
    let (items, operations) = &runs[0];
    assert_eq!((items.len(), operations.len()), (200, 2_100));
    assert!(runs.iter().all(|run| run == &runs[0]));
    let workload = &report.workloads[0];
    assert_eq!(workload.targets.iter().map(|target| target.rounds.len()).collect::<Vec<_>>(), [2, 2]);
    for of in &workload.targets[0].operations {
        let measured = operations[100..].iter().filter(|operation| operation.kind() == of.kind).count();
        assert_eq!(of.latencies.count, 2 * measured as u64, "{}", of.kind);
    }
    // Another seed has other operations; the longer workload begins with those of the shorter one.
    let other = |workload: Workload| {
        let log = Log::default();
        Suite::new("t").rounds(1).workload(workload).target("a", logged(&log)).run().unwrap();
        let (_, operations) = log.lock().unwrap().remove(0);
        operations
    };
    assert_ne!(&other(mixed().seed(2)), operations);
    assert_eq!(&other(mixed().operations(3_000))[..2_100], &operations[..]);
}

#[test]
fn the_first_target_of_a_round_changes() {
    let order: Arc<Mutex<Vec<&str>>> = Arc::default();
    let make = |name: &'static str| {
        let (order, log) = (order.clone(), Log::default());
        move || {
            order.lock().unwrap().push(name);
            logged(&log)()
        }
    };
    let workload = Workload::new("w").records(1).operations(1).warm_up(0);
    Suite::new("t").rounds(3).workload(workload).target("a", make("a")).target("b", make("b")).run().unwrap();
    assert_eq!(*order.lock().unwrap(), ["a", "b", "b", "a", "a", "b"]);
}

#[test]
fn threads_insert_keys_of_their_own() {
    let log = Log::default();
    let workload = mixed().threads(3).mix(Mix::new().insert(1).get(1).delete(1)).operations(3_001);
    let report = Suite::new("t").rounds(1).workload(workload).target("a", logged(&log)).run().unwrap();
    let runs = log.lock().unwrap();
    let (_, operations) = &runs[0];
    assert_eq!(operations.len(), 3_101);
    let inserted: Vec<u64> = operations
        .iter()
        .filter_map(|operation| if let Operation::Insert(item) = operation { Some(item.key) } else { None })
        .collect();
    assert_eq!(inserted.iter().collect::<BTreeSet<_>>().len(), inserted.len());
    assert!(inserted.iter().all(|key| *key >= 200));
    let measured: u64 = report.workloads[0].targets[0].operations.iter().map(|of| of.latencies.count).sum();
    assert_eq!(measured, 3_001);
}

#[test]
fn memdex_does_the_same_work_as_a_map() {
    for keys in [Keys::Uniform, Keys::Zipf { exponent: 0.99 }, Keys::Latest { exponent: 1.1 }] {
        let report = Suite::new("t")
            .rounds(1)
            .workload(mixed().keys(keys))
            .target("memdex", || Ok(MemdexTarget::new()?))
            .target("map", logged(&Log::default()))
            .run()
            .unwrap();
        assert_eq!(report.workloads[0].targets[0].operations.len(), 5);
    }
}

#[test]
fn a_target_that_does_other_work_is_found_out() {
    let wrong = || {
        let mut target = Logged::default();
        target.is_wrong = true;
        Ok(target)
    };
    let error = Suite::new("t").workload(mixed()).target("map", logged(&Log::default())).target("lazy", wrong).run();
    let Err(BenchError::Disagreement { kind: Kind::Query, first, target, expected, count, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!((&*first, &*target), ("map", "lazy"));
    assert!(count > expected);
}

/// Stalls once.
struct Stalling(AtomicU64);

const STALL: Duration = Duration::from_millis(120);

impl Target for Stalling {
    fn fill(&mut self, _: &mut dyn Iterator<Item = Item>) -> Result<(), BoxError> {
        Ok(())
    }

    fn execute(&self, _: Operation) -> Result<u64, BoxError> {
        if self.0.fetch_add(1, SeqCst) == 100 {
            std::thread::sleep(STALL);
        }
        Ok(0)
    }
}

#[test]
fn a_stall_hits_all_operations_that_were_due() {
    let median = |workload: Workload| {
        let suite = Suite::new("t").rounds(1).workload(workload.records(1).operations(1_000).warm_up(0));
        let report = suite.target("stalling", || Ok(Stalling(AtomicU64::new(0)))).run().unwrap();
        report.workloads[0].targets[0].operations[0].latencies.clone()
    };
    // 1,000 operations are due in 100 ms, and the stall of 120 ms begins after 10 ms: the 500th is due 80 ms before its end.
    let open = median(Workload::new("open").rate(10_000.0));
    assert!(open.p50_nanos >= 50_000_000, "{open:?}");
    let closed = median(Workload::new("closed"));
    assert!(u128::from(closed.max_nanos) >= STALL.as_nanos() * 99 / 100, "{closed:?}");
    assert!(closed.p50_nanos < open.p50_nanos, "one operation of a closed loop has the whole stall: {closed:?}");
}

#[test]
fn merged_recorders_equal_one() {
    let latencies: Vec<Duration> = (1..5_000u64).map(|n| Duration::from_nanos(n * n % 7_919 * 1_000 + n)).collect();
    let mut one = Recorder::new();
    let mut parts = [Recorder::new(), Recorder::new(), Recorder::new()];
    for (at, latency) in latencies.iter().enumerate() {
        let kind = Kind::ALL[at % 2];
        one.record(kind, *latency);
        parts[at * 7 % 3].record(kind, *latency);
    }
    let [mut merged, others @ ..] = parts;
    others.iter().for_each(|other| merged.merge(other));
    merged.merge(&Recorder::new());
    for kind in Kind::ALL {
        assert_eq!(merged.latencies(kind), one.latencies(kind));
    }
    assert_eq!(merged.latencies(Kind::Query), None);
    assert_eq!(merged.at_quantiles(&[0.0, 0.5, 1.0]), one.at_quantiles(&[0.0, 0.5, 1.0]));
    // Three significant digits.
    let mut all: Vec<u64> = latencies.iter().map(|latency| latency.as_nanos() as u64).collect();
    all.sort_unstable();
    let median = one.at_quantiles(&[0.5])[0] as f64;
    assert!((median / all[all.len() / 2] as f64 - 1.0).abs() < 0.002);
    let mut extremes = Recorder::new();
    extremes.record(Kind::Get, Duration::ZERO);
    extremes.record(Kind::Get, Duration::MAX);
    assert_eq!(extremes.latencies(Kind::Get).unwrap().count, 2);
    assert!(Recorder::new().at_quantiles(&[0.5]).is_empty());
}

#[test]
fn workloads_that_cannot_run_are_refused() {
    let run = |workload: Workload| Suite::new("t").workload(workload).target("a", logged(&Log::default())).run();
    let valid = || Workload::new("w");
    for (workload, named) in [
        (valid().records(0), "no records"),
        (valid().operations(0), "no operations"),
        (valid().groups(0), "no group"),
        (valid().threads(0), "no threads"),
        (valid().mix(Mix::new()), "no weights"),
        (valid().keys(Keys::Zipf { exponent: 0.0 }), "exponent"),
        (valid().keys(Keys::Latest { exponent: f64::NAN }), "exponent"),
        (valid().rate(0.0), "rate"),
        (valid().rate(f64::INFINITY), "rate"),
    ] {
        let error = run(workload).unwrap_err();
        assert!(matches!(&error, BenchError::Workload { .. }) && error.to_string().contains(named), "{error}");
    }
    assert!(matches!(Suite::new("t").run(), Err(BenchError::Empty { what: "workloads", .. })));
    assert!(matches!(Suite::new("t").workload(valid()).run(), Err(BenchError::Empty { what: "targets", .. })));
}

/// Fails at one step.
struct Failing(&'static str, AtomicU64);

impl Target for Failing {
    fn fill(&mut self, _: &mut dyn Iterator<Item = Item>) -> Result<(), BoxError> {
        if self.0 == "be filled" { Err("full".into()) } else { Ok(()) }
    }

    fn execute(&self, _: Operation) -> Result<u64, BoxError> {
        let at = self.1.fetch_add(1, SeqCst);
        let fails = self.0 == "warm up" || self.0 == "execute an operation" && at == 150;
        if fails { Err("broken".into()) } else { Ok(0) }
    }
}

#[test]
fn errors_of_targets_end_the_benchmark_on_every_thread() {
    for threads in [1, 3] {
        for step in ["be made", "be filled", "warm up", "execute an operation"] {
            let make =
                move || if step == "be made" { Err("none".into()) } else { Ok(Failing(step, AtomicU64::new(0))) };
            let workload = Workload::new("w").records(1).operations(300).warm_up(100).threads(threads);
            let error = Suite::new("t").workload(workload).target("failing", make).run().unwrap_err();
            assert!(matches!(&error, BenchError::Target { action, .. } if *action == step), "{error}");
        }
    }
}

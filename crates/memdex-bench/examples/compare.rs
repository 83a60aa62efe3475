//! Compares memdex with a map behind a lock, in a few seconds, and writes the report:
//!
//! ```console
//! cargo run --release -p memdex-bench --example compare                       # into target/bench
//! cargo run --release -p memdex-bench --example compare -- /tmp/now           # into another folder
//! cargo run --release -p memdex-bench --example compare -- /tmp/now /tmp/before/report.json
//! ```
//!
//! With the report of an earlier run, it prints what has changed.

use memdex_bench::{BoxError, Item, Keys, MemdexTarget, Mix, Operation, Report, Suite, Target, Workload};
use std::collections::HashMap;
use std::sync::RwLock;

/// A map behind a lock, without an index.
#[derive(Default)]
struct Locked(RwLock<HashMap<u64, Item>>);

impl Target for Locked {
    fn fill(&mut self, items: &mut dyn Iterator<Item = Item>) -> Result<(), BoxError> {
        self.0.get_mut().map_err(|_| "poisoned")?.extend(items.map(|item| (item.key, item)));
        Ok(())
    }

    fn execute(&self, operation: Operation) -> Result<u64, BoxError> {
        let read = || self.0.read().map_err(|_| "poisoned");
        let write = || self.0.write().map_err(|_| "poisoned");
        let count = match operation {
            Operation::Get { key } => read()?.get(&key).map(|item| std::hint::black_box(item.amount)).is_some().into(),
            Operation::Insert(item) => write()?.insert(item.key, item).is_none().into(),
            Operation::Update { key, amount } => {
                write()?.get_mut(&key).map(|item| item.amount += amount).is_some().into()
            }
            Operation::Delete { key } => write()?.remove(&key).is_some().into(),
            Operation::Query { group } => read()?.values().filter(|item| item.group == group).count() as u64,
            other => return Err(format!("{other:?} is not supported").into()),
        };
        Ok(count)
    }
}

fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "target/bench".to_owned());
    let earlier = arguments.next().map(Report::read).transpose()?;

    let zipf = Keys::Zipf { exponent: 0.99 };
    let reads = Workload::new("reads").operations(100_000).keys(zipf).mix(Mix::new().get(95).update(5));
    let queries = Workload::new("queries").operations(2_000).warm_up(200).mix(Mix::new().query(9).insert(1));
    let latest = Keys::Latest { exponent: 0.99 };
    let rate = Workload::new("at a rate, two threads").operations(10_000).keys(latest).threads(2).rate(20_000.0);
    let rate = rate.mix(Mix::new().get(80).insert(10).delete(5).query(5));

    let report = Suite::new("memdex and a map behind a lock")
        .rounds(3)
        .workload(reads)
        .workload(queries)
        .workload(rate)
        .target("memdex", || Ok(MemdexTarget::new()?))
        .target("RwLock<HashMap>", || Ok(Locked::default()))
        .run()?;
    print!("{}", report.to_markdown());
    if let Some(earlier) = earlier {
        print!("\n{}", report.compare(&earlier));
    }
    report.write(&folder)?;
    println!("\nWritten to {folder}: report.html, report.md and report.json.");
    Ok(())
}

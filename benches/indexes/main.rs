//! Costs and benefits of indexes, over one million payments with four equality and two ordered indexes: loading
//! compared with SQLite in memory, look-ups by a unique field, building an index over live records, writers next to
//! readers and under an old snapshot. See `benches/README.md` for the meaning and the limit of each figure.
//!
//! Criterion times short, repeatable steps; long single runs are timed by hand and printed.

mod build;
mod data;
mod durations;
mod ingest;
mod long_snapshot;
mod reader;
mod sqlite;
mod unique;

use criterion::Criterion;

/// The selected group; all groups if none is named.
struct Wanted(Option<String>);

impl Wanted {
    fn has(&self, group: &str) -> bool {
        self.0.as_deref().is_none_or(|name| name == group)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only checks that the benchmarks start; these take minutes.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return println!("cargo bench --bench indexes");
    }
    let wanted = Wanted(arguments.into_iter().find(|argument| !argument.starts_with('-')));
    let groups: [(&str, fn()); 5] = [
        ("ingest", ingest::run),
        ("unique", unique_look_ups),
        ("build", build::run),
        ("reader", reader::run),
        ("long_snapshot", long_snapshot::run),
    ];
    for (_, run) in groups.iter().filter(|(group, _)| wanted.has(group)) {
        run();
    }
}

fn unique_look_ups() {
    let mut criterion = Criterion::default().configure_from_args();
    unique::benches(&mut criterion);
    criterion.final_summary();
}

//! Searches for ten planted bugs of a small repository, with many seeds each, and prints how often each is found.
//!
//! ```text
//! cargo run --release -p memdex-test --example planted_bugs -- 100
//! ```
//!
//! The number is that of the seeds. A second one is that of the operations of a search, 10,000 by default. The correct repository is
//! searched too, and nothing may be found. Exits with an error if a bug is found with fewer than 95 of 100 seeds.

mod bank;
mod search;

use bank::{BUGS, Bug};
use search::{Found, search};
use std::collections::BTreeMap;
use std::time::Instant;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
    let (seeds, operations) = (arguments.next().unwrap_or(100), arguments.next().unwrap_or(10_000));
    println!("{operations} operations a search, seeds 0 to {}\n", seeds - 1);
    println!("| bug | found | by | shortest history, median | seconds a search |");
    println!("| --- | --- | --- | --- | --- |");
    let mut is_good = measure(None, seeds, operations) == 0;
    for bug in BUGS {
        is_good &= measure(Some(bug), seeds, operations) * 100 >= seeds * 95;
    }
    if !is_good {
        eprintln!("a bug was missed too often, or something was found in the correct repository");
        std::process::exit(1);
    }
}

/// Prints a row of the table, and returns how often something was found.
fn measure(bug: Option<Bug>, seeds: u32, operations: u32) -> u32 {
    let began = Instant::now();
    let found: Vec<Found> = (0..seeds).filter_map(|seed| search(bug, seed.into(), operations)).collect();
    let mut names: BTreeMap<String, u32> = BTreeMap::new();
    found.iter().for_each(|found| *names.entry(format!("{}: {}", found.by, found.name)).or_default() += 1);
    let names: Vec<String> = names.into_iter().map(|(name, times)| format!("{name} {times}")).collect();
    let mut lengths: Vec<usize> = found.iter().map(|found| found.length).collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).map_or_else(|| "–".to_owned(), usize::to_string);
    let name = bug.map_or_else(|| "none".to_owned(), |bug| format!("{bug:?}"));
    let seconds = began.elapsed().as_secs_f64() / f64::from(seeds);
    println!("| {name} | {} of {seeds} | {} | {median} | {seconds:.2} |", found.len(), names.join(", "));
    if std::env::var_os("VERBOSE").is_some() {
        found.iter().take(1).for_each(|found| println!("\n{}\n", found.text));
    }
    found.len() as u32
}

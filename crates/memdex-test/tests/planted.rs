//! The sample repository: nothing is found in the correct one, and each of ten planted bugs is found. A reduced version of
//! `cargo run --release -p memdex-test --example planted_bugs`.

#[path = "../examples/planted_bugs/bank.rs"]
mod bank;
#[path = "../examples/planted_bugs/search.rs"]
mod search;

use bank::{BUGS, Bug};
use search::search;

/// Operations of a search.
const OPERATIONS: u32 = 10_000;

#[test]
fn nothing_is_found_in_the_correct_repository() {
    for seed in 1_000..1_002 {
        let found = search(None, seed, OPERATIONS);
        assert!(found.is_none(), "seed {seed}: {}", found.unwrap().text);
    }
}

/// With one of three seeds: threads interleave differently in each run.
#[test]
fn each_planted_bug_is_found() {
    for bug in BUGS {
        let mut found = (0..3).filter_map(|seed| search(Some(bug), seed, OPERATIONS));
        let found = found.next().unwrap_or_else(|| panic!("{bug:?} is not found"));
        let is_sequential = matches!(bug, Bug::RangeEnd | Bug::TieBreak | Bug::Resurrection);
        assert!(found.length <= if is_sequential { 12 } else { 60 }, "{bug:?}: {}", found.text);
        assert!(found.text.contains("seed ") && found.text.contains("Account"), "{bug:?}: {}", found.text);
        assert!(!found.by.is_empty() && !found.name.is_empty());
    }
}

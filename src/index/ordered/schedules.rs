//! Walks during the commits of a committer that splits and joins leaves, under the concurrency checker: leaves have two entries at most here, and
//! one that empties is joined with a neighbour.
//!
//! `RUSTFLAGS="--cfg memdex_shuttle" cargo test --release --lib walks`

use super::cursor::Cursor;
use super::leaf::Edit;
use super::leaves::Leaves;
use super::position::{KeyBound, KeyRange};
use crate::rowset::Row;
use crate::sync::Arc;
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;
use std::collections::BTreeSet;

/// Keys, each of one row of the same number.
const KEYS: u64 = 10;

type Shared = Arc<Leaves<u64>>;

fn explore(scenario: fn()) {
    let schedules = std::env::var("SCHEDULES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    shuttle::check_random(scenario, schedules);
    shuttle::check_pct(scenario, schedules, 3);
}

fn edit(key: u64, insert: bool) -> Edit<u64> {
    Edit { at: (key, key as Row), insert }
}

fn with(keys: &[u64]) -> Shared {
    let leaves = Leaves::new();
    keys.iter().for_each(|key| leaves.apply(&[edit(*key, true)]));
    Arc::new(leaves)
}

/// All that a walk gives: in order, each at most once, within its bounds, and each of `always`, which stay where they are.
fn check_walk(leaves: &Leaves<u64>, span: KeyRange<u64>, descending: bool, always: &[u64]) {
    let mut cursor = Cursor::new(span.clone(), descending);
    let mut rows = Vec::new();
    while cursor.next(leaves, &mut rows) {}
    let in_order = |pair: &[Row]| if descending { pair[0] > pair[1] } else { pair[0] < pair[1] };
    assert!(rows.windows(2).all(in_order), "{rows:?}");
    let within = |key: u64| (&span.from..&span.to).contains(&&KeyBound::At((key, key as Row)));
    assert!(rows.iter().all(|row| within((*row).into())), "{rows:?} of {span:?}");
    for key in always.iter().filter(|key| within(**key)) {
        assert!(
            rows.contains(&(*key as Row)),
            "{key} was there all the time: {rows:?} of {span:?}, down: {descending}"
        );
    }
}

fn all() -> KeyRange<u64> {
    KeyRange { from: KeyBound::Start, to: KeyBound::End }
}

/// Edits, one commit after the other, during two walks over all entries.
fn beside(leaves: &Shared, commits: Vec<Vec<Edit<u64>>>, always: &'static [u64]) {
    let writer = thread::spawn({
        let leaves = leaves.clone();
        move || commits.iter().for_each(|edits| leaves.apply(edits))
    });
    let walk = |descending| {
        let leaves = leaves.clone();
        thread::spawn(move || check_walk(&leaves, all(), descending, always))
    };
    let walks = [walk(true), walk(false)];
    walks.into_iter().chain([writer]).for_each(|thread| thread.join().unwrap());
    check_walk(leaves, all(), true, always);
}

/// Leaves to the left of where a walk downwards stands are joined, among each other and with its own.
#[test]
fn walks_beside_leaves_that_join_to_their_left() {
    explore(|| {
        let leaves = with(&[0, 1, 2, 3, 4, 5, 6, 7]);
        let gone = [3, 2, 5, 4, 1].map(|key| vec![edit(key, false)]);
        beside(&leaves, gone.into(), &[0, 6, 7]);
    });
}

/// The leaf that a walk reaches has been merged into another, and is dead.
#[test]
fn walks_onto_leaves_that_die() {
    explore(|| {
        let leaves = with(&[0, 1, 2, 3, 4, 5]);
        let gone = [vec![edit(0, false), edit(1, false)], vec![edit(2, false), edit(3, false)]];
        beside(&leaves, gone.into(), &[4, 5]);
    });
}

/// The entries that a walk would read next move to a new leaf.
#[test]
fn walks_beside_leaves_that_split() {
    explore(|| {
        let leaves = with(&[0, 2, 4, 6, 8]);
        let come = [7, 5, 3, 1, 9].map(|key| vec![edit(key, true)]);
        beside(&leaves, come.into(), &[0, 2, 4, 6, 8]);
    });
}

#[test]
fn walks_beside_everything() {
    explore(|| {
        let mut rng = thread_rng();
        let (mut always, mut others) = (Vec::new(), Vec::new());
        (0..KEYS).for_each(|key| if rng.gen_range(0..3) == 0 { always.push(key) } else { others.push(key) });
        let mut there: BTreeSet<u64> = others.iter().copied().filter(|_| rng.gen_range(0..2) == 0).collect();
        let first: Vec<u64> = always.iter().chain(&there).copied().collect();
        let leaves = with(&first);
        let writer = thread::spawn({
            let leaves = leaves.clone();
            move || {
                for _ in 0..6 {
                    let count = thread_rng().gen_range(1..4);
                    let keys: BTreeSet<u64> = (0..count)
                        .filter_map(|_| others.get(thread_rng().gen_range(0..KEYS) as usize).copied())
                        .collect();
                    let toggled = keys.into_iter().map(|key| edit(key, there.insert(key) || !there.remove(&key)));
                    leaves.apply(&toggled.collect::<Vec<_>>());
                }
            }
        });
        let walk = |descending| {
            let (leaves, always) = (leaves.clone(), always.clone());
            thread::spawn(move || {
                let mut edge = || match thread_rng().gen_range(0..4) {
                    0 => None,
                    1 => Some(KeyBound::before(thread_rng().gen_range(0..KEYS))),
                    _ => Some(KeyBound::behind(thread_rng().gen_range(0..KEYS))),
                };
                let span = KeyRange { from: edge().unwrap_or(KeyBound::Start), to: edge().unwrap_or(KeyBound::End) };
                check_walk(&leaves, span, descending, &always);
                check_walk(&leaves, all(), descending, &always);
            })
        };
        let walks = [walk(true), walk(thread_rng().gen_range(0..2) == 0)];
        walks.into_iter().chain([writer]).for_each(|thread| thread.join().unwrap());
    });
}

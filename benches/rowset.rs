//! The row sets of the engine, compared with `roaring`: intersection, union, iteration, and a change of one row while a
//! query holds the set.
//!
//! The row sets are private, so the benchmark compiles their source with the two names that they import.

#[path = "../src/rowset/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the benchmark calls only some of the operations")]
mod rowset;

/// Stands in for the engine's module.
mod sync {
    pub(crate) use std::sync::Arc;
}

/// Stands in for the engine's module.
mod limits {
    pub(crate) const PAGE_ROWS: usize = 1_024;
}

use criterion::{BatchSize, BenchmarkGroup, Criterion, measurement::WallTime};
use memdex_benches::Random;
use roaring::RoaringBitmap;
use rowset::{Row, RowSet};
use std::hint::black_box;
use std::time::Duration;

/// Rows of the table from which the sets are drawn.
const ROWS: u64 = 1_000_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("rowset");
    group.sample_size(30).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
    for count in [20_000, 250_000] {
        let mut random = Random::new(count);
        compare(&mut group, count, &rows(&mut random, count), &rows(&mut random, count));
    }
    group.finish();
    criterion.final_summary();
}

/// Distinct random rows, ascending.
fn rows(random: &mut Random, count: u64) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    while rows.len() < count as usize {
        rows.extend((rows.len() as u64..count).map(|_| random.below(ROWS) as Row));
        rows.sort_unstable();
        rows.dedup();
    }
    rows
}

fn compare(group: &mut BenchmarkGroup<'_, WallTime>, count: u64, a: &[Row], b: &[Row]) {
    let (x, y) = (RowSet::from_sorted(a), RowSet::from_sorted(b));
    let (p, q): (RoaringBitmap, RoaringBitmap) = (a.iter().collect(), b.iter().collect());
    assert!(x.and(&y).iter().eq(&p & &q) && x.or(&y).iter().eq(&p | &q));
    let mut pair = |operation: &str, ours: &mut dyn FnMut(), peer: &mut dyn FnMut()| {
        group.bench_function(format!("{operation}, {count} rows, memdex"), |bencher| bencher.iter(&mut *ours));
        group.bench_function(format!("{operation}, {count} rows, roaring"), |bencher| bencher.iter(&mut *peer));
    };
    pair("and", &mut || drop(black_box(x.and(&y))), &mut || drop(black_box(&p & &q)));
    pair("or", &mut || drop(black_box(x.or(&y))), &mut || drop(black_box(&p | &q)));
    let sum = || black_box(x.iter().map(u64::from).sum::<u64>());
    let peer_sum = || black_box(p.iter().map(u64::from).sum::<u64>());
    pair("iterate", &mut || _ = sum(), &mut || _ = peer_sum());

    // A query holds a clone of the set, so the insertion must copy what it changes.
    let row = (0..).find(|row| !x.contains(*row)).unwrap_or_default();
    group.bench_function(format!("insert while held, {count} rows, memdex"), |bencher| {
        bencher.iter_batched(
            || (x.clone(), x.clone()),
            |(mut set, held)| (set.insert(row), set, held),
            BatchSize::SmallInput,
        );
    });
    let held = std::sync::Arc::new(p.clone());
    group.bench_function(format!("insert while held, {count} rows, roaring"), |bencher| {
        bencher.iter_batched(
            || (held.clone(), held.clone()),
            |(mut set, held)| (std::sync::Arc::make_mut(&mut set).insert(row), set, held),
            BatchSize::SmallInput,
        );
    });
}

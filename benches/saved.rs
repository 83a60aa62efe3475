//! Saves a million payments as a file and loads them, compared with ingesting them by a writer in the same run. The rounds are
//! interleaved; the first one warms up.

use memdex::typing::saved::Archive;
use memdex_benches::{PAYMENTS, Payment, payments, stored};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;

/// Loading takes at most so many times as long as ingesting.
const LIMIT: f64 = 1.5;

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let result = work();
    (result, started.elapsed())
}

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let folder = std::env::temp_dir().join(format!("memdex-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder of temporary files is writable");
    let path = folder.join("payments.memdex");
    let archive = Archive::new().collection::<Payment>("Payment");
    let payments = payments();
    let mut took: [Vec<Duration>; 3] = Default::default();
    let mut bytes = 0;
    for round in 0..=ROUNDS {
        let records = payments.clone();
        let ((store, _collection), ingest) = timed(|| stored(records));
        let (saved, save) = timed(|| archive.save(&store.snapshot(), &path).expect("there is room for the file"));
        bytes = saved.bytes;
        drop((store, _collection));
        let (loaded, load) = timed(|| archive.load(&path).expect("the file is whole"));
        assert_eq!(loaded.collection::<Payment>("Payment").expect("the same schema").len(), PAYMENTS);
        if round == ROUNDS {
            loaded.verify().expect("the loaded store is sound");
        }
        if round > 0 {
            took.iter_mut().zip([ingest, save, load]).for_each(|(all, took)| all.push(took));
        }
    }
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
    println!("{PAYMENTS} payments, four equality indexes, {} MB, {ROUNDS} rounds", bytes / 1_000_000);
    let mut median = [0.0; 3];
    for (at, (what, all)) in ["ingest", "save", "load"].iter().zip(&mut took).enumerate() {
        all.sort_unstable();
        median[at] = all[ROUNDS / 2].as_secs_f64();
        println!(
            "{what:<8}{:>7.2} s   ({:.2} to {:.2})",
            median[at],
            all[0].as_secs_f64(),
            all[ROUNDS - 1].as_secs_f64()
        );
    }
    let ratio = median[2] / median[0];
    println!("load / ingest {ratio:.2}, the limit is {LIMIT}");
    assert!(ratio <= LIMIT, "loading takes too long");
}

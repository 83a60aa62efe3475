//! Runs random histories until the time is up, and prints each that differs from the model: shrunk, with the command that repeats it.
//!
//! ```console
//! $ cargo run --release -p memdex-torture -- --minutes 60 --seed 1
//! $ cargo run --release -p memdex-torture -- --seed 1 --case 4711      # one history again
//! ```

use memdex_torture::histories;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{panic, thread};

const USAGE: &str = "\
usage: memdex-torture [--minutes N] [--seed S] [--operations N] [--threads N] [--case N]

  --minutes     how long to run; 1 without it
  --seed        all histories follow from it; 1 without it
  --operations  most operations of a history; 120 without it
  --threads     histories at a time; one for each core without it
  --case        runs only the history of this number";

struct Settings {
    minutes: u64,
    seed: u64,
    operations: usize,
    threads: usize,
    case: Option<u64>,
}

impl Settings {
    fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let mut settings = Settings { minutes: 1, seed: 1, operations: 120, threads, case: None };
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} needs a number"))?;
            let number: u64 = value.parse().map_err(|_| format!("{name} needs a number, not {value:?}"))?;
            match &*name {
                "--minutes" => settings.minutes = number,
                "--seed" => settings.seed = number,
                "--operations" => settings.operations = (number as usize).max(1),
                "--threads" => settings.threads = (number as usize).max(1),
                "--case" => settings.case = Some(number),
                _ => return Err(format!("{name} is not known")),
            }
        }
        Ok(settings)
    }
}

/// Runs one history. Returns its operations by kind, or the report of a difference.
fn run(settings: &Settings, case: u64) -> Result<BTreeMap<&'static str, u64>, String> {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&settings.seed.to_le_bytes());
    seed[8..16].copy_from_slice(&case.to_le_bytes());
    let config = ProptestConfig {
        cases: 1,
        max_shrink_iters: 20_000,
        max_shrink_time: 60_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let first = Mutex::new(None);
    let done = runner.run(&histories(1..=settings.operations), |history| {
        first.lock().unwrap().get_or_insert_with(|| history.kinds());
        history.run();
        Ok(())
    });
    match done {
        Ok(()) => Ok(first.into_inner().unwrap().unwrap_or_default()),
        Err(TestError::Abort(reason)) => Err(format!("no history was drawn: {reason}")),
        Err(TestError::Fail(reason, history)) => {
            let Settings { seed, operations, .. } = settings;
            Err(format!(
                "{reason}\n\n{history:?}\nrun it again: cargo run --release -p memdex-torture -- \
                 --seed {seed} --operations {operations} --case {case}"
            ))
        }
    }
}

fn main() -> ExitCode {
    let settings = match Settings::from_args(std::env::args().skip(1)) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // A history that fails is run many times while it shrinks.
    panic::set_hook(Box::new(|_| ()));
    let (next, failures, operations) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::new(BTreeMap::new()));
    let (start, time) = (Instant::now(), Duration::from_secs(settings.minutes * 60));
    let one = |case| match run(&settings, case) {
        Ok(kinds) => kinds.into_iter().for_each(|(kind, n)| *operations.lock().unwrap().entry(kind).or_insert(0) += n),
        Err(report) => {
            failures.fetch_add(1, Relaxed);
            eprintln!("history {case} differs from the model: {report}\n");
        }
    };
    if let Some(case) = settings.case {
        one(case);
    } else {
        thread::scope(|scope| {
            for _ in 0..settings.threads {
                scope.spawn(|| {
                    while start.elapsed() < time {
                        let case = next.fetch_add(1, Relaxed);
                        one(case);
                        if case % 1_000 == 999 {
                            println!("{} histories, {} s", case + 1, start.elapsed().as_secs());
                        }
                    }
                });
            }
        });
    }
    let (failures, operations) = (failures.into_inner(), operations.into_inner().unwrap());
    let (histories, all) = (next.into_inner().max(settings.case.iter().len() as u64), operations.values().sum::<u64>());
    println!("{histories} histories, {all} operations, {failures} differences, {} s", start.elapsed().as_secs());
    operations.iter().for_each(|(kind, number)| println!("{number:>12} {kind}"));
    ExitCode::from(u8::from(failures > 0))
}

//! Runs every target over its seeds, its kept crashes, and random changes of the seeds: the smoke run, without libFuzzer.
//!
//! The changes are the same in each run. `FUZZ_RUNS` is their number for each target.

use memdex_fuzz::{TARGETS, compared};
use std::fs;
use std::path::{Path, PathBuf};

/// The longest input, as in libFuzzer by default.
const MOST_BYTES: usize = 4_096;

const DEFAULT_RUNS: usize = 500;

/// One of so many inputs must reach an oracle. Most changes of a saved file are refused.
const LEAST_COMPARED: usize = 50;

/// The files of a folder, by name.
fn inputs(folder: &str, target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(target);
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) as usize % limit.max(1)
    }
}

/// One to four changes: of bits, bytes and numbers; stretches that are left out, doubled, or taken from another seed.
fn changed(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        // The first byte is the form of most inputs.
        let at = random.below(bytes.len() + 1).max(1).min(bytes.len());
        let end = (at + 1 + random.below(12)).min(bytes.len());
        match random.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            2 if at < bytes.len() => bytes[at] = b"\0\x01\x7f\xff09\"{}[],:-.%_`'"[random.below(18)],
            3 => drop(bytes.drain(at..end)),
            4 => {
                let copy = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, copy));
            }
            5 if !other.is_empty() => {
                let from = random.below(other.len());
                let to = (from + 1 + random.below(24)).min(other.len());
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
            _ => {
                let number = [0, 1, 255, 1 << 31, u64::MAX][random.below(5)];
                drop(bytes.splice(at..at, number.to_string().into_bytes()));
            }
        }
    }
    bytes.truncate(MOST_BYTES);
    bytes
}

/// Names the input when the target panics.
struct Named<'a>(&'a str, String);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("target {}, input {}", self.0, self.1);
        }
    }
}

fn runs() -> usize {
    std::env::var("FUZZ_RUNS").map_or(DEFAULT_RUNS, |runs| runs.parse().expect("FUZZ_RUNS is a number"))
}

fn replay(target: &str) {
    let (_, run) = TARGETS.into_iter().find(|(name, _)| *name == target).expect("a target");
    let seeds = inputs("seeds", target);
    assert!(seeds.len() >= 3, "{target} has {} seeds", seeds.len());
    let before = compared();
    for (path, bytes) in seeds.iter().chain(&inputs("crashes", target)) {
        let _named = Named(target, path.display().to_string());
        run(bytes);
    }
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    // A history of operations takes as long as ten other inputs.
    let runs = if target == "operations" { runs().div_ceil(10) } else { runs() };
    for _ in 0..runs {
        let (seed, other) = (&seeds[random.below(seeds.len())].1, &seeds[random.below(seeds.len())].1);
        let bytes = changed(seed, other, &mut random);
        let _named = Named(target, format!("{:?}", bytes.escape_ascii().to_string()));
        run(&bytes);
    }
    let (compared, runs) = (compared() - before, seeds.len() + runs);
    println!("{target}: {compared} comparisons in {runs} runs");
    assert!(compared * LEAST_COMPARED > runs, "{target} has compared {compared} times in {runs} runs");
}

macro_rules! replays {
    ($($target:ident),*) => {
        $(#[test] fn $target() { replay(stringify!($target)); })*

        #[test]
        fn every_target_is_replayed() {
            assert_eq!(TARGETS.map(|(name, _)| name), [$(stringify!($target)),*]);
        }
    };
}

replays!(cursors, documents, operations, queries, saved, schemas, sql);

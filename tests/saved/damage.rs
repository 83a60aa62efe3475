//! Damaged files: cut short, with flipped bits, with foreign bytes.

use crate::allocator::peak_of;
use crate::world::{archive, clock, load, saved, small_file, store, tiny_file};
use memdex::typing::saved::{Damage, LoadError};

/// Xorshift.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn refused(file: &[u8], what: impl std::fmt::Display) -> LoadError {
    match load(file) {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            error
        }
        Ok(_) => panic!("loaded although {what}"),
    }
}

#[test]
fn every_truncation_is_refused() {
    truncate(&tiny_file(), 1);
    truncate(&small_file(), 7);
}

fn truncate(file: &[u8], step: usize) {
    for length in (0..file.len()).step_by(step) {
        let error = refused(&file[..length], format_args!("cut at {length}"));
        match error {
            LoadError::Foreign { found, .. } if length < 8 => assert_eq!(found, &file[..length]),
            LoadError::Damaged { place, damage: Damage::Truncated { .. }, .. } if length >= 8 => {
                assert_eq!(place.offset, length as u64, "{place}");
            }
            other => panic!("cut at {length}: {other}"),
        }
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let file = tiny_file();
    assert!((300..900).contains(&file.len()), "{}", file.len());
    flip(&file, 1);
    flip(&small_file(), 37);
}

/// `cargo test --release --features saved --test saved -- --ignored`.
#[test]
#[ignore = "takes a minute"]
fn every_damage_of_a_file_with_collections_of_every_form_is_refused() {
    truncate(&small_file(), 1);
    flip(&small_file(), 1);
}

fn flip(file: &[u8], step: usize) {
    for bit in (0..file.len() * 8).step_by(step) {
        let mut file = file.to_vec();
        file[bit / 8] ^= 1 << (bit % 8);
        let error = refused(&file, format_args!("bit {bit} is flipped"));
        let is_named = matches!(error, LoadError::Damaged { .. } | LoadError::Foreign { .. });
        assert!(is_named, "bit {bit}: {error}");
        if let LoadError::Damaged { place, .. } = error {
            // The place is the start of the block, or the end of the file if a length has grown.
            assert!(place.offset <= file.len() as u64);
        }
    }
}

#[test]
fn foreign_bytes_are_refused() {
    let file = small_file();
    for foreign in [&b""[..], b"{}", b"SQLite format 3\0", b"\x89PNG\r\n\x1a\n"] {
        assert!(matches!(refused(foreign, "foreign"), LoadError::Foreign { .. }));
    }
    let mut longer = file.clone();
    longer.push(0);
    let error = refused(&longer, "a byte follows");
    assert!(matches!(error, LoadError::Damaged { damage: Damage::Trailing, .. }), "{error}");
    let later = [&crate::blocks::header(2)[..], &file[16..]].concat();
    let error = refused(&later, "the version is later");
    assert!(matches!(error, LoadError::Version { found: 2, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("newer memdex"));
    let twice = [&file[..], &file[..]].concat();
    refused(&twice, "two files in one");
}

#[test]
fn the_error_names_offset_block_and_collection() {
    let file = small_file();
    let blocks = crate::blocks::parse(&file);
    // The records of the documents: the fourth collection's begin after its head.
    let mut offset = 16;
    for (number, block) in (1u64..).zip(&blocks) {
        let mut damaged = file.clone();
        if let Some(last) = (!block.content.is_empty()).then(|| offset + 9 + block.content.len() - 1) {
            damaged[last] ^= 0x80;
            let LoadError::Damaged { place, damage: Damage::Checksum { stored, computed, .. }, .. } =
                refused(&damaged, "damaged")
            else {
                panic!("another error");
            };
            assert_eq!((place.offset, place.block), (offset as u64, number));
            assert_eq!(place.collection.is_some(), block.kind == 3 || block.kind == 4, "{place}");
            assert_ne!(stored, computed);
        }
        offset += 9 + block.content.len();
    }
}

/// Random damage of a large file: one to three flipped bits, a cut, or a changed stretch.
fn damage_at_random(records: u32, cases: usize, seed: u64) {
    let clock = clock();
    let file = saved(&archive(&clock), &store(&clock, records));
    let mut random = Random(seed);
    for case in 0..cases {
        let mut damaged = file.clone();
        match random.below(3) {
            0 => damaged.truncate(random.below(file.len())),
            1 => (0..=random.below(3)).for_each(|_| damaged[random.below(file.len())] ^= 1 << random.below(8)),
            _ => {
                let at = random.below(file.len());
                let end = (at + 1 + random.below(300)).min(file.len());
                damaged[at..end].iter_mut().for_each(|byte| *byte = random.below(256) as u8);
            }
        }
        if damaged == file {
            continue;
        }
        let (error, peak) = peak_of(|| refused(&damaged, format_args!("case {case} of seed {seed}")));
        assert!(matches!(error, LoadError::Damaged { .. } | LoadError::Foreign { .. }), "case {case}: {error}");
        assert!(peak < 40 * file.len() + (1 << 22), "case {case}: {peak} bytes for a file of {}", file.len());
    }
}

#[test]
fn random_damage_of_a_large_file_is_refused() {
    damage_at_random(1_000, 60, 1);
}

/// `cargo test --release --features saved --test saved -- --ignored`.
#[test]
#[ignore = "takes minutes"]
fn ten_thousand_random_damages_of_a_large_file_are_refused() {
    damage_at_random(5_000, 10_000, 2);
}

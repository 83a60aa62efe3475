//! The header and the blocks of a saved file.
//!
//! A block is its kind (1 byte), the length of its content (4 bytes), a CRC-32 (4 bytes), and the content. The checksum also covers
//! the kind, the length and the number of the block, so blocks can't be left out, doubled or swapped. Numbers are little-endian.

use super::error::{Damage, LoadError, Place, SaveError};
use crate::limits::MAX_SAVED_BLOCK_BYTES;
use crc32fast::Hasher;
use std::io::{self, Read, Write};
use std::path::Path;

/// Like that of PNG: not ASCII, so that no text begins with it, and with a line end that transfers as text change.
const MAGIC: [u8; 8] = *b"\x89memdex\n";
const VERSION: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// The store: first.
    Store = 1,
    /// Begins a collection.
    Collection = 2,
    /// Records of the collection.
    Records = 3,
    /// Ends a collection.
    CollectionEnd = 4,
    /// Ends the file.
    End = 5,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Kind::Store, Kind::Collection, Kind::Records, Kind::CollectionEnd, Kind::End]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Store => "the store",
            Kind::Collection => "a collection",
            Kind::Records => "records",
            Kind::CollectionEnd => "the end of a collection",
            Kind::End => "the end of the file",
        }
    }
}

fn checksum(parts: &[&[u8]]) -> u32 {
    let mut hasher = Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

/// Writes blocks.
pub(super) struct Output<W> {
    to: W,
    block: u64,
    pub(super) bytes: u64,
}

impl<W: Write> Output<W> {
    /// Writes the header.
    pub(super) fn start(to: W) -> Result<Self, SaveError> {
        let mut output = Output { to, block: 0, bytes: 0 };
        let version = VERSION.to_le_bytes();
        let checksum = checksum(&[&MAGIC, &version]).to_le_bytes();
        output.write(&[&MAGIC, &version, &checksum])?;
        Ok(output)
    }

    pub(super) fn block(&mut self, kind: Kind, content: &[u8]) -> Result<(), SaveError> {
        debug_assert!(content.len() <= MAX_SAVED_BLOCK_BYTES);
        self.block += 1;
        let (kind, length) = ([kind as u8], (content.len() as u32).to_le_bytes());
        let checksum = checksum(&[&self.block.to_le_bytes(), &kind, &length, content]).to_le_bytes();
        self.write(&[&kind, &length, &checksum, content])
    }

    fn write(&mut self, parts: &[&[u8]]) -> Result<(), SaveError> {
        for part in parts {
            self.to.write_all(part).map_err(|source| SaveError::Io { action: "write", path: None, source })?;
            self.bytes += part.len() as u64;
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), SaveError> {
        self.to.flush().map_err(|source| SaveError::Io { action: "write", path: None, source })
    }
}

/// A block that has been read.
pub(super) struct Block {
    pub(super) kind: Kind,
    pub(super) content: Vec<u8>,
}

/// Reads blocks.
pub(super) struct Input<R> {
    from: R,
    /// The number of bytes that have been read.
    pub(super) offset: u64,
    block: u64,
    /// Where the content of the last block begins.
    content_at: u64,
}

impl<R: Read> Input<R> {
    /// Reads the header.
    pub(super) fn start(from: R) -> Result<Self, LoadError> {
        let mut input = Input { from, offset: 0, block: 0, content_at: 0 };
        let mut header = Vec::new();
        input.fill(&mut header, 16)?;
        let (magic, rest) = header.split_at(header.len().min(8));
        if magic != MAGIC {
            return Err(LoadError::Foreign { found: magic.to_vec() });
        }
        let place = input.place_at(header.len() as u64, None);
        let [version, stored] = match rest {
            [a, b, c, d, e, f, g, h] => [[*a, *b, *c, *d], [*e, *f, *g, *h]],
            _ => return Err(damaged(place, Damage::Truncated { part: "header", missing: 16 - header.len() as u64 })),
        };
        let (computed, stored) = (checksum(&[&MAGIC, &version]), u32::from_le_bytes(stored));
        if computed != stored {
            return Err(damaged(input.place_at(8, None), Damage::Checksum { part: "header", stored, computed }));
        }
        match u32::from_le_bytes(version) {
            VERSION => Ok(input),
            found => Err(LoadError::Version { found, known: VERSION }),
        }
    }

    /// Reads the next block, which belongs to this collection.
    pub(super) fn block(&mut self, collection: Option<&str>) -> Result<Block, LoadError> {
        let start = self.offset;
        self.block += 1;
        let mut head = Vec::new();
        self.fill(&mut head, 9)?;
        let Ok([kind, l0, l1, l2, l3, c0, c1, c2, c3]) = <[u8; 9]>::try_from(&head[..]) else {
            let missing = 9 - head.len() as u64;
            return Err(damaged(
                self.place_at(self.offset, collection),
                Damage::Truncated { part: "head of a block", missing },
            ));
        };
        let length = [l0, l1, l2, l3];
        let (bytes, stored) = (u32::from_le_bytes(length) as usize, u32::from_le_bytes([c0, c1, c2, c3]));
        if bytes > MAX_SAVED_BLOCK_BYTES {
            let damage = Damage::BlockTooLong { bytes, limit: MAX_SAVED_BLOCK_BYTES };
            return Err(damaged(self.place_at(start, collection), damage));
        }
        self.content_at = self.offset;
        let mut content = Vec::new();
        self.fill(&mut content, bytes)?;
        if content.len() < bytes {
            let damage = Damage::Truncated { part: "block", missing: (bytes - content.len()) as u64 };
            return Err(damaged(self.place_at(self.offset, collection), damage));
        }
        let computed = checksum(&[&self.block.to_le_bytes(), &[kind], &length, &content]);
        if computed != stored {
            return Err(damaged(
                self.place_at(start, collection),
                Damage::Checksum { part: "block", stored, computed },
            ));
        }
        let Some(kind) = Kind::of(kind) else {
            let damage = Damage::Order { found: format!("a block of kind {kind}"), expected: "a known block" };
            return Err(damaged(self.place_at(start, collection), damage));
        };
        Ok(Block { kind, content })
    }

    /// Nothing may follow the last block.
    pub(super) fn end(mut self) -> Result<(), LoadError> {
        let mut more = Vec::new();
        self.fill(&mut more, 1)?;
        match more.is_empty() {
            true => Ok(()),
            false => Err(damaged(self.place_at(self.offset - 1, None), Damage::Trailing)),
        }
    }

    /// A place in the last block, so many bytes after the start of its content.
    pub(super) fn place(&self, within: usize, collection: Option<&str>) -> Place {
        self.place_at(self.content_at + within as u64, collection)
    }

    fn place_at(&self, offset: u64, collection: Option<&str>) -> Place {
        Place { offset, block: self.block, collection: collection.map(str::to_owned) }
    }

    /// Reads so many bytes, or all that are left. The memory grows with what is there, not with what a length claims.
    fn fill(&mut self, to: &mut Vec<u8>, bytes: usize) -> Result<(), LoadError> {
        to.reserve(bytes.min(1 << 16));
        let read = self.from.by_ref().take(bytes as u64).read_to_end(to);
        self.offset += to.len() as u64;
        read.map(drop).map_err(|source: io::Error| LoadError::Io { action: "read", path: None, source })
    }
}

pub(super) fn damaged(place: Place, damage: Damage) -> LoadError {
    LoadError::Damaged { place, damage }
}

/// Names the file in errors of the system.
pub(super) fn in_file(error: LoadError, file: &Path) -> LoadError {
    match error {
        LoadError::Io { action, source, .. } => LoadError::Io { action, path: Some(file.to_owned()), source },
        other => other,
    }
}

//! The equality index: value → row set. Several fields are one value, their encoded tuple.
//!
//! Shared is a table of postings in shards; each posting holds its value and, behind its own lock, its rows. The committer also
//! finds postings by code, so it finds the entry of a row without hashing the row's value. Rows without a value have a posting
//! too, with code 0; rows that the index does not hold have the code [`ABSENT`](super::changes::ABSENT). A row of a field of many
//! values is in several postings: its back reference is the number of a list of codes.
//!
//! A posting that becomes empty is removed at once, and its code reused: codes are the committer's own, no reader holds one. A
//! reader that still holds such a posting misses only rows that a mark after its epoch shows.

mod codes;
mod postings;
#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests;
mod writer;

pub(super) use writer::EqualityWriter;

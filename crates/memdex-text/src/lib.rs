//! Analyzers: they turn a text into the terms by which it is found.
//!
//! The same analyzer reads the text of a record and that of a query, so both come to the same terms. A [`Chain`] is an analyzer of known parts: a
//! [`Tokenizer`] cuts a text into tokens, and filters change, drop or add some. [`Analyzers`] finds an analyzer by its name, as a schema
//! gives it. A type of your own can be one too: implement [`Analyzer`].
//!
//! ```
//! use memdex_text::Analyzers;
//!
//! let english = Analyzers::default().get("english")?.clone();
//! assert_eq!(english.terms("The Quick foxes' running-shoes"), ["quick", "fox", "run", "shoe"]);
//! # Ok::<(), memdex_text::UnknownAnalyzer>(())
//! ```
//!
//! This crate knows nothing of stores and indexes.

#![forbid(unsafe_code)]

mod analyzer;
mod chain;
mod error;
mod fold;
mod grams;
mod language;
mod names;
mod stems;
mod words;

pub use analyzer::{Analyzer, Token};
pub use chain::{Chain, Tokenizer};
pub use error::{InvalidGrams, NameTaken, UnknownAnalyzer};
pub use language::Language;
pub use names::Analyzers;
pub use words::MAX_WORD_CHARS;

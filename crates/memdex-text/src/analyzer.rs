//! The trait of analyzers, and what they make.

use std::fmt;

/// An occurrence of a term in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// The term, as an index has it.
    pub term: &'a str,
    /// Its number among the words of the text, from 0. Words that are dropped leave a gap, so that a phrase does not match across it. Several
    /// terms may share a position.
    pub position: u32,
    /// The bytes of the text that it stands for, from the first one.
    pub start: usize,
    /// The byte behind them.
    pub end: usize,
}

/// Turns a text into terms. An analyzer must return the same tokens for the same text each time.
///
/// ```
/// use memdex_text::{Analyzer, Token};
///
/// /// Codes such as `AB-12.c`, whatever their punctuation and case.
/// #[derive(Debug)]
/// struct Codes;
///
/// impl Analyzer for Codes {
///     fn analyze(&self, text: &str, each: &mut dyn FnMut(Token<'_>)) {
///         let code: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect();
///         if !code.is_empty() {
///             each(Token { term: &code, position: 0, start: 0, end: text.len() });
///         }
///     }
/// }
///
/// assert_eq!(Codes.terms("ab 12/C"), ["AB12C"]);
/// ```
pub trait Analyzer: fmt::Debug + Send + Sync + 'static {
    /// Calls `each` with the tokens of a text. Their positions do not descend.
    fn analyze(&self, text: &str, each: &mut dyn FnMut(Token<'_>));

    /// The terms of a text, in their order.
    fn terms(&self, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        self.analyze(text, &mut |token| terms.push(token.term.to_owned()));
        terms
    }
}

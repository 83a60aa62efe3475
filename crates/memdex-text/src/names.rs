//! Analyzers by their names.

use super::analyzer::Analyzer;
use super::chain::{Chain, Tokenizer};
use super::error::{NameTaken, UnknownAnalyzer};
use super::language::Language;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Analyzers by their names. At first there are:
///
/// | name | terms |
/// | --- | --- |
/// | `standard` | words in lower case |
/// | `folded` | words in lower case without accents |
/// | `whitespace` | what white space separates, as it is written |
/// | `keyword` | the whole text, as it is written |
/// | `english`, `french`, `german`, `spanish` | stems of words in lower case, without stop words |
///
/// ```
/// use memdex_text::{Analyzer, Analyzers, Chain, Tokenizer};
///
/// let mut analyzers = Analyzers::default();
/// analyzers.add("prefixes", Chain::new(Tokenizer::Words).lowercase().edge_ngrams(2..=4)?)?;
/// assert_eq!(analyzers.get("prefixes")?.terms("Münster"), ["mü", "mün", "müns"]);
/// assert!(analyzers.get("prefix").unwrap_err().to_string().contains("prefixes"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Analyzers(BTreeMap<String, Arc<dyn Analyzer>>);

impl Default for Analyzers {
    fn default() -> Self {
        let words = || Chain::new(Tokenizer::Words).lowercase();
        let own = [
            ("standard", words()),
            ("folded", Chain::new(Tokenizer::Words).fold().lowercase()),
            ("whitespace", Chain::new(Tokenizer::Whitespace)),
            ("keyword", Chain::new(Tokenizer::Whole)),
        ];
        let of_languages = Language::ALL.map(|language| (language.name(), Chain::of_language(language)));
        let all = own.into_iter().chain(of_languages);
        Analyzers(all.map(|(name, chain)| (name.to_owned(), Arc::new(chain) as Arc<dyn Analyzer>)).collect())
    }
}

impl Analyzers {
    /// The analyzer with a name.
    ///
    /// # Errors
    /// [`UnknownAnalyzer`], with the names that there are.
    pub fn get(&self, name: &str) -> Result<&Arc<dyn Analyzer>, UnknownAnalyzer> {
        let unknown = || UnknownAnalyzer { name: name.to_owned(), known: self.0.keys().cloned().collect() };
        self.0.get(name).ok_or_else(unknown)
    }

    /// Adds an analyzer.
    ///
    /// # Errors
    /// [`NameTaken`]: terms of an index and those of its queries come from analyzers of one name, so a name never gets another analyzer.
    pub fn add(&mut self, name: impl Into<String>, analyzer: impl Analyzer) -> Result<(), NameTaken> {
        let name = name.into();
        if self.0.contains_key(&name) {
            return Err(NameTaken { name });
        }
        self.0.insert(name, Arc::new(analyzer));
        Ok(())
    }

    /// The names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

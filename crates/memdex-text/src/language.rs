//! What depends on the language: stems, stop words, elisions.

use frostem::{Algorithm, Stemmer};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

/// A language with stems and stop words.
///
/// The stems are those of the [Snowball](https://snowballstem.org) algorithms; the stop words of English are Lucene's, the others are those
/// of the Snowball project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// English.
    English,
    /// French.
    French,
    /// German.
    German,
    /// Spanish.
    Spanish,
}

static ENGLISH: Words = Words::new(|| set(include_str!("../words/english.txt")));
static FRENCH: Words = Words::new(|| set(include_str!("../words/french.txt")));
static GERMAN: Words = Words::new(|| set(include_str!("../words/german.txt")));
static SPANISH: Words = Words::new(|| set(include_str!("../words/spanish.txt")));

type Words = LazyLock<HashSet<&'static str>>;

fn set(words: &'static str) -> HashSet<&'static str> {
    words.lines().collect()
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 4] = [Language::English, Language::French, Language::German, Language::Spanish];

    /// Its name, which is that of its analyzer.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Language::English => "english",
            Language::French => "french",
            Language::German => "german",
            Language::Spanish => "spanish",
        }
    }

    /// Whether a word in lower case is a stop word.
    #[must_use]
    pub fn is_stop_word(self, word: &str) -> bool {
        let words = match self {
            Language::English => &ENGLISH,
            Language::French => &FRENCH,
            Language::German => &GERMAN,
            Language::Spanish => &SPANISH,
        };
        words.contains(word)
    }

    /// The stem of a word in lower case.
    #[must_use]
    pub fn stem(self, word: &str) -> Cow<'_, str> {
        let algorithm = match self {
            Language::English => Algorithm::English,
            Language::French => Algorithm::French,
            Language::German => Algorithm::German,
            Language::Spanish => Algorithm::Spanish,
        };
        Stemmer::new(algorithm).stem(word)
    }
}

/// A French word without the article or pronoun before its apostrophe: `avion` of `l'avion`.
pub(crate) fn without_elision(word: &str) -> &str {
    const ELIDED: [&str; 13] = ["l", "m", "t", "qu", "n", "s", "j", "d", "c", "jusqu", "quoiqu", "lorsqu", "puisqu"];
    match word.find(['\'', '’']) {
        Some(at) if ELIDED.iter().any(|elided| word[..at].eq_ignore_ascii_case(elided)) => {
            word[at..].trim_start_matches(['\'', '’'])
        }
        _ => word,
    }
}

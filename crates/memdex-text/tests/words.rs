//! Words as Unicode breaks them.

use memdex_text::{Analyzer, Chain, MAX_WORD_CHARS, Token, Tokenizer};
use proptest::prelude::*;

fn words(text: &str) -> Vec<String> {
    Chain::new(Tokenizer::Words).terms(text)
}

/// The cases of Unicode, each with its segments.
fn cases() -> Vec<Vec<String>> {
    let text = |code: &str| char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap();
    let segment = |segment: &str| segment.split(" × ").map(text).collect::<String>();
    let lines = include_str!("data/WordBreakTest.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(" ÷ ").map(segment).collect()).collect()
}

#[test]
fn each_word_is_a_segment_of_unicode() {
    let mut found = 0;
    for segments in cases() {
        let words = words(&segments.concat());
        let mut left = segments.iter();
        for word in &words {
            assert!(left.any(|segment| segment == word), "{word:?} of {segments:?}");
        }
        found += words.len();
        // No segment with a letter or a digit of ASCII is missing.
        let plain = |segment: &&String| segment.chars().any(|c| c.is_ascii_alphanumeric());
        let plain: Vec<&String> = segments.iter().filter(plain).collect();
        assert!(plain.iter().all(|segment| words.contains(segment)), "{words:?} of {segments:?}");
    }
    assert!(found > 1_000, "{found}");
}

#[test]
fn words_of_many_scripts() {
    assert_eq!(
        words("can't 3.14 a_b naïve—café 1,000 e.g. C++ x@y.org"),
        ["can't", "3.14", "a_b", "naïve", "café", "1,000", "e.g", "C", "x", "y.org"]
    );
    assert_eq!(words("日本語 ひらがな カタカナ"), ["日", "本", "語", "ひ", "ら", "が", "な", "カタカナ"]);
    assert_eq!(words("한국어 Ελληνικά кириллица עברית"), ["한국어", "Ελληνικά", "кириллица", "עברית"]);
    assert_eq!(words("ภาษาไทย ພາສາລາວ abcไทย"), ["ภาษาไทย", "ພາສາລາວ", "abc", "ไทย"]);
    assert_eq!(words("½ № ___ ... © $"), ["©"]);
    assert_eq!(words("a 👍🏽 🇨🇭 👩‍👩‍👧 ☺️ ☺ 1️⃣"), ["a", "👍🏽", "🇨🇭", "👩‍👩‍👧", "☺️", "☺", "1️⃣"]);
    assert_eq!(words(""), [""; 0]);
}

#[test]
fn long_words_are_cut() {
    for letter in ["a", "ä", "ก"] {
        let lengths = |chars: usize| -> Vec<usize> {
            words(&letter.repeat(chars)).iter().map(|word| word.chars().count()).collect()
        };
        assert_eq!(lengths(MAX_WORD_CHARS), [MAX_WORD_CHARS]);
        assert_eq!(lengths(2 * MAX_WORD_CHARS + 1), [MAX_WORD_CHARS, MAX_WORD_CHARS, 1]);
    }
    let megabytes = "x".repeat(10 << 20);
    assert_eq!(words(&megabytes).len(), megabytes.len().div_ceil(MAX_WORD_CHARS));
}

proptest! {
    #[test]
    fn tokens_are_parts_of_the_text(text in r"(\PC|[a-cA-C 'ä́ßไ日.0-9]){0,40}") {
        for tokenizer in [Tokenizer::Words, Tokenizer::Whitespace, Tokenizer::Whole] {
            let (mut end, mut next) = (0, 0);
            Chain::new(tokenizer).analyze(&text, &mut |token: Token<'_>| {
                assert_eq!(&text[token.start..token.end], token.term);
                assert!(token.start >= end && token.position == next, "{token:?}");
                (end, next) = (token.end, next + 1);
            });
            prop_assert!(tokenizer != Tokenizer::Whole || end == text.len());
        }
    }
}

fn text(codes: &str) -> String {
    let char_of = |code: &str| char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap();
    codes.split_whitespace().map(char_of).collect()
}

/// Where Lucene 9.12, which has the rules of Unicode 12.1, finds other words.
const DIFFERENT: [(&str, &[&str]); 3] = [
    (
        "a sign before a number, or a mark of abbreviation, belongs to the word behind it since Unicode 15.1 and 17",
        &[
            "0671 0644 0631 064E 0651 062D 0650 064A 0645 0650 0020 06DD 0661",
            "0721 0719 0721 0718 072A 0710 0020 070F 071D 0717",
        ],
    ),
    (
        "a joiner joins a pictogram to what stands before it; scissors are no emoji",
        &["0061 200D 1F6D1", "2701 200D 2701", "0061 200D 2701"],
    ),
    (
        "an apostrophe after a Hebrew letter, with quotes between others",
        &[
            "05E9 0022 05E1 0027 0077 0077 0077 002E 0061 002D 0062 002E 006F 0072 0067 30AB 1F1E8 1F1ED 3007",
            "0078 002D 006C 0027 00A9 30AB 006C 0027 05E9 0022 05E1",
            "005A 05E9 0022 05E1 0027 0023 65E5",
            "005A 0027 017F 0027 05E9 0022 05E1 0E01 0E33 006C 0027",
            "05E9 0022 05E1 0027 002D 263A FE0F 0939 093F 0928 094D 0926 0940",
            "05DE 0031 002C 0030 0030 0030 002E 0035 05E9 0022 05E1 2019 D55C",
            "006C 0027 0077 0077 0077 002E 0061 002D 0062 002E 006F 0072 0067 263A FE0F 05E9 0022 05E1 0027",
        ],
    ),
];

/// `tests/lucene/README.md` says how the tokens were made.
#[test]
fn words_are_the_tokens_of_lucene() {
    let mut different = Vec::new();
    for line in include_str!("data/lucene_tokens.txt").lines() {
        let (of, tokens) = line.split_once(" :").unwrap();
        let tokens: Vec<String> = tokens.split('÷').map(text).filter(|token| !token.is_empty()).collect();
        let found = words(&text(of));
        if found != tokens {
            different.push(format!("{of}: {:?} {found:?}, not {tokens:?}", text(of)));
        }
    }
    let known =
        |line: &String| DIFFERENT.iter().flat_map(|(_, texts)| *texts).any(|of| line.starts_with(&format!("{of}:")));
    let new: Vec<&String> = different.iter().filter(|line| !known(line)).collect();
    assert!(new.is_empty(), "{new:#?}");
    assert_eq!(
        different.len(),
        DIFFERENT.iter().map(|(_, texts)| texts.len()).sum::<usize>(),
        "one of them is equal now"
    );
}

//! Patterns of text tests, compiled once when a query is bound. Every text test is the `like` of some pattern: pieces
//! with any run of characters between them, the first piece at the start of the text, the last at its end.
//!
//! A piece in the middle matches at its first occurrence. That suffices, as a later one leaves less text to the pieces
//! after it. So there is no backtracking, and the worst case is the length of the text times that of the pattern.

use crate::query::{TextOp, TextTest};
use std::fmt;

/// A compiled pattern. Equal patterns match the same texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    ignore_case: bool,
    /// A single piece is the whole text; otherwise the first, those in the middle, and the last.
    pieces: Box<[Piece]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    /// The expected characters; `None` is any.
    chars: Box<[Option<char>]>,
    /// The piece as a string, if case matters and no character is open.
    plain: Option<Box<str>>,
}

/// A simpler test that is equivalent to a pattern.
pub(super) enum Simple {
    /// Equality with this text.
    Exactly(Box<str>),
    /// Texts with this prefix, and the end of their range, if it has one.
    Prefix(Box<str>, Option<String>),
    /// Any text.
    Any,
}

impl fmt::Display for Pattern {
    /// As a `like`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut like = String::new();
        for (at, piece) in self.pieces.iter().enumerate() {
            like.push_str(if at == 0 { "" } else { "%" });
            for c in &piece.chars {
                match c {
                    Some(c @ ('%' | '_' | '\\')) => like.extend(['\\', *c]),
                    Some(c) => like.push(*c),
                    None => like.push('_'),
                }
            }
        }
        write!(f, "like {like:?}{}", if self.ignore_case { " ignoring case" } else { "" })
    }
}

impl Pattern {
    /// `None` if it ends in a backslash that escapes nothing.
    pub(super) fn compile(test: &TextTest) -> Option<Self> {
        let mut pieces: Vec<Vec<Option<char>>> = vec![Vec::new()];
        let push = |c: Option<char>, pieces: &mut Vec<Vec<Option<char>>>| pieces.last_mut().map(|p| p.push(c));
        let mut chars = test.pattern.chars();
        if matches!(test.op, TextOp::EndsWith | TextOp::Contains) {
            pieces.push(Vec::new());
        }
        while let Some(c) = chars.next() {
            match c {
                '%' if test.op == TextOp::Like => pieces.push(Vec::new()),
                '_' if test.op == TextOp::Like => _ = push(None, &mut pieces),
                '\\' if test.op == TextOp::Like => _ = push(Some(chars.next()?), &mut pieces),
                c => _ = push(Some(c), &mut pieces),
            }
        }
        if matches!(test.op, TextOp::StartsWith | TextOp::Contains) {
            pieces.push(Vec::new());
        }
        // `%_` equals `_%`: open characters move before the run, so that equal patterns have one form.
        for at in (1..pieces.len()).rev() {
            let open = pieces[at].iter().take_while(|c| c.is_none()).count();
            pieces[at].drain(..open);
            pieces[at - 1].extend(std::iter::repeat_n(None, open));
        }
        let mut number = 0..pieces.len();
        let last = pieces.len() - 1;
        pieces.retain(|piece| number.next().is_some_and(|at| at == 0 || at == last || !piece.is_empty()));
        // These characters have no case, and no other character folds to them.
        let without_case = |c: &char| c.is_ascii() && !c.is_ascii_alphabetic();
        let ignore_case = test.ignore_case && !pieces.iter().flatten().flatten().all(without_case);
        let piece = |chars: Vec<Option<char>>| {
            let plain = if ignore_case { None } else { chars.iter().copied().collect::<Option<String>>() };
            let chars = chars.into_iter().map(|c| if ignore_case { c.map(TextTest::fold_case) } else { c }).collect();
            Piece { chars, plain: plain.map(String::into_boxed_str) }
        };
        Some(Pattern { ignore_case, pieces: pieces.into_iter().map(piece).collect() })
    }

    /// The simpler equivalent, if there is one.
    pub(super) fn simple(&self) -> Option<Simple> {
        match &*self.pieces {
            [Piece { plain: Some(text), .. }] => Some(Simple::Exactly(text.clone())),
            [Piece { plain: Some(prefix), .. }, last] if last.chars.is_empty() => Some(if prefix.is_empty() {
                Simple::Any
            } else {
                Simple::Prefix(prefix.clone(), end_of_prefix(prefix))
            }),
            _ => None,
        }
    }

    /// Whether a text matches. Allocates nothing.
    pub(super) fn matches(&self, text: &str) -> bool {
        let [first, others @ ..] = &*self.pieces else { return false };
        let Some(mut text) = first.begins(text, self.ignore_case) else { return false };
        let [middle @ .., last] = others else { return text.is_empty() };
        for piece in middle {
            match piece.first_match(text, self.ignore_case) {
                Some(behind) => text = behind,
                None => return false,
            }
        }
        last.ends(text, self.ignore_case)
    }

    /// Whether it ignores case, and its characters: `None` for any character, and `Err` between two pieces.
    pub(super) fn parts(&self) -> (bool, impl Iterator<Item = Result<Option<char>, ()>>) {
        let pieces = self.pieces.iter().enumerate();
        let parts = pieces.flat_map(|(at, piece)| {
            let run = if at == 0 { None } else { Some(Err(())) };
            run.into_iter().chain(piece.chars.iter().map(|c| Ok(*c)))
        });
        (self.ignore_case, parts)
    }
}

impl Piece {
    /// The rest of a text that begins with it.
    fn begins<'t>(&self, text: &'t str, ignore_case: bool) -> Option<&'t str> {
        if let Some(plain) = &self.plain {
            return text.strip_prefix(&**plain);
        }
        let mut left = text.chars();
        for expected in &self.chars {
            let c = left.next()?;
            let matches =
                expected.is_none_or(|expected| expected == if ignore_case { TextTest::fold_case(c) } else { c });
            if !matches {
                return None;
            }
        }
        Some(left.as_str())
    }

    /// The text after the first occurrence.
    fn first_match<'t>(&self, text: &'t str, ignore_case: bool) -> Option<&'t str> {
        if let Some(plain) = &self.plain {
            return text.find(&**plain).map(|at| &text[at + plain.len()..]);
        }
        let mut from = text.chars();
        loop {
            if let Some(behind) = self.begins(from.as_str(), ignore_case) {
                return Some(behind);
            }
            from.next()?;
        }
    }

    fn ends(&self, text: &str, ignore_case: bool) -> bool {
        let Some(before_last) = self.chars.len().checked_sub(1) else { return true };
        if let Some(plain) = &self.plain {
            return text.ends_with(&**plain);
        }
        let start = text.char_indices().rev().nth(before_last);
        start.is_some_and(|(at, _)| self.begins(&text[at..], ignore_case).is_some())
    }
}

/// The lowest text above all texts with this prefix; `None` if there is none. (UTF-8 has the order of its characters.)
fn end_of_prefix(prefix: &str) -> Option<String> {
    let mut prefix = prefix.to_owned();
    while let Some(last) = prefix.pop() {
        // The numbers between these two are surrogates, not characters.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            prefix.push(next);
            return Some(prefix);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A definition by the standard library: two characters are the same if their sequences are, once their lower case has
    /// become upper case and lower case again; except `ı`, whose upper case is that of `i`.
    fn sequence(c: char) -> Vec<char> {
        match c {
            'ı' => vec![c],
            _ => c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect(),
        }
    }

    #[test]
    fn folding_is_comparing_sequences_of_all_cases() {
        let fold = TextTest::fold_case;
        let mut by_sequence: BTreeMap<Vec<char>, char> = BTreeMap::new();
        let mut of_folded: BTreeMap<char, Vec<char>> = BTreeMap::new();
        for c in '\0'..=char::MAX {
            let sequence = sequence(c);
            assert_eq!(*by_sequence.entry(sequence.clone()).or_insert(fold(c)), fold(c), "{c:?}");
            assert_eq!(*of_folded.entry(fold(c)).or_insert(sequence.clone()), sequence, "{c:?}");
            let without_case = c.is_ascii() && !c.is_ascii_alphabetic();
            assert!(!without_case || fold(c) == c);
            assert!(c.is_ascii() || !fold(c).is_ascii() || fold(c).is_ascii_alphabetic(), "{c:?}");
        }
    }

    /// The definition, with backtracking.
    fn naive(pattern: &[char], text: &[char], same: &dyn Fn(char, char) -> bool) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['%', rest @ ..], _) => naive(rest, text, same) || !text.is_empty() && naive(pattern, &text[1..], same),
            (['\\', c, rest @ ..], [t, text @ ..]) => same(*c, *t) && naive(rest, text, same),
            (['_', rest @ ..], [_, text @ ..]) => naive(rest, text, same),
            ([c, rest @ ..], [t, text @ ..]) => *c != '\\' && same(*c, *t) && naive(rest, text, same),
            _ => false,
        }
    }

    fn same(a: char, b: char) -> bool {
        sequence(a) == sequence(b)
    }

    fn like(pattern: &str, ignore_case: bool) -> Option<Pattern> {
        Pattern::compile(&TextTest { op: TextOp::Like, pattern: pattern.into(), ignore_case })
    }

    #[test]
    fn special_characters_and_case() {
        let is = |pattern: &str, text: &str| like(pattern, false).unwrap().matches(text);
        assert!(is("", "") && !is("", "a") && is("%", "") && !is("_", "") && is("_", "é") && !is("_", "e\u{301}"));
        assert!(is(r"100\%", "100%") && !is(r"100\%", "1000") && is(r"\\", r"\") && is(r"\a", "a"));
        assert!(is("%a%b%", "aba") && is("%a%", "cab") && is("a%a", "aa") && !is("a%a", "a") && is("%aab", "aaab"));
        assert!(like(r"a\", false).is_none() && like(r"a\\\", true).is_none() && like(r"a\\", true).is_some());
        let ignoring = |pattern: &str, text: &str| like(pattern, true).unwrap().matches(text);
        assert!(
            ignoring("É_σ%", "éxΣ") && ignoring("\u{212A}", "k") && ignoring("İ", "İ") && !ignoring("İ", "i\u{307}")
        );
        assert!(!ignoring("ß", "SS") && ignoring("ς", "σ") && ignoring("ẞ", "ß") && ignoring("S", "ſ"));
        assert!(!ignoring("ı", "I") && !ignoring("İ", "ı") && ignoring("\u{B5}", "Μ"));
    }

    #[test]
    fn equal_patterns_are_one() {
        let of = |op, pattern: &str| Pattern::compile(&TextTest::new(op, pattern)).unwrap();
        assert_eq!(of(TextOp::Contains, "a%"), of(TextOp::Like, r"%%a\%%"));
        assert_eq!(of(TextOp::StartsWith, "a"), of(TextOp::Like, "a%"));
        assert_eq!(of(TextOp::EndsWith, "_"), of(TextOp::Like, r"%\_"));
        assert_eq!(of(TextOp::Like, "_%_a%"), of(TextOp::Like, "%__%a%%"));
        assert_ne!(of(TextOp::Like, "_%_a"), of(TextOp::Like, "%_a"));
        assert_eq!(like("aB", true), like("Ab", true));
        assert_eq!(like("1%2_", true), like("1%2_", false));
        assert!(matches!(of(TextOp::Eq, "a%").simple(), Some(Simple::Exactly(text)) if &*text == "a%"));
        assert!(matches!(like("%%", true).unwrap().simple(), Some(Simple::Any)));
        assert!(like("%_", true).unwrap().simple().is_none());
    }

    /// A matcher with backtracking would take exponential time.
    #[test]
    fn matching_takes_little_time() {
        let text = "a".repeat(20_000);
        for ignore_case in [false, true] {
            assert!(!like(&"%a".repeat(50).replace('a', "aab_"), ignore_case).unwrap().matches(&text));
            assert!(!like(&format!("{}b", "%a".repeat(2_000)), ignore_case).unwrap().matches(&text));
            assert!(like(&"%a".repeat(2_000), ignore_case).unwrap().matches(&text));
        }
    }

    proptest! {
        #[test]
        fn patterns_match_as_defined(pattern in "[aAbéÉΣςsſ%_\\\\]{0,8}", text in "[aAbéÉΣςsſ%_\\\\]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<char>>();
            for ignore_case in [false, true] {
                let Some(compiled) = like(&pattern, ignore_case) else { continue };
                let same: &dyn Fn(char, char) -> bool = if ignore_case { &same } else { &|a, b| a == b };
                prop_assert_eq!(compiled.matches(&text), naive(&chars(&pattern), &chars(&text), same));
                match compiled.simple() {
                    Some(Simple::Exactly(exact)) => prop_assert_eq!(*exact == text, compiled.matches(&text)),
                    Some(Simple::Prefix(from, to)) => {
                        let within = *from <= *text && to.is_none_or(|to| text < to);
                        prop_assert_eq!(within, compiled.matches(&text));
                    }
                    Some(Simple::Any) => prop_assert!(compiled.matches(&text)),
                    None => {}
                }
            }
            for (op, holds) in [
                (TextOp::Eq, text == pattern),
                (TextOp::StartsWith, text.starts_with(&pattern)),
                (TextOp::EndsWith, text.ends_with(&pattern)),
                (TextOp::Contains, text.contains(&pattern)),
            ] {
                prop_assert_eq!(Pattern::compile(&TextTest::new(op, pattern.clone())).unwrap().matches(&text), holds);
            }
        }

        #[test]
        fn prefixes_are_ranges(prefix in "[a\u{D7FF}\u{10FFFF}]{1,3}", text in "[ab\u{D7FF}\u{E000}\u{10FFFF}]{0,4}") {
            let within = *prefix <= *text && end_of_prefix(&prefix).is_none_or(|to| text < to);
            prop_assert_eq!(within, text.starts_with(&prefix));
        }
    }
}

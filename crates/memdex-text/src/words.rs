//! Words by the default rules of [UAX #29](https://www.unicode.org/reports/tr29/), as Lucene's `StandardTokenizer` selects them.

use unicode_properties::emoji::{UnicodeEmoji, is_regional_indicator};
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_segmentation::UnicodeSegmentation;

/// The most characters of a word; a longer one becomes several words.
pub const MAX_WORD_CHARS: usize = 255;

const KEYCAP: char = '\u{20E3}';
/// The rules treat it as a digit.
const ARABIC_DECIMAL_SEPARATOR: char = '\u{66B}';

/// Calls `each` with the words of a text and where they begin.
pub(crate) fn each<'a>(text: &'a str, each: &mut dyn FnMut(usize, &'a str)) {
    // No word has white space.
    let mut start = 0;
    for part in text.split_inclusive(|c: char| c.is_ascii_whitespace()) {
        let words = part.trim_end_matches(|c: char| c.is_ascii_whitespace());
        match words.is_ascii() {
            true => of_ascii(start, words, each),
            false => of_all(start, words, each),
        }
        start += part.len();
    }
}

/// The same rules for ASCII, many times faster.
fn of_ascii<'a>(start: usize, text: &'a str, each: &mut dyn FnMut(usize, &'a str)) {
    let bytes = text.as_bytes();
    let is_inner = |at: usize| bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let is_joint = |at: usize| {
        let (Some(before), Some(after)) = (bytes.get(at - 1), bytes.get(at + 1)) else { return false };
        match bytes[at] {
            b'.' | b'\'' => both(before, after, u8::is_ascii_alphabetic) || both(before, after, u8::is_ascii_digit),
            b':' => both(before, after, u8::is_ascii_alphabetic),
            b',' | b';' => both(before, after, u8::is_ascii_digit),
            _ => false,
        }
    };
    let mut at = 0;
    while at < bytes.len() {
        let first = at;
        while is_inner(at) || (at > first && at < bytes.len() && is_joint(at)) {
            at += 1;
        }
        let word = &text[first..at];
        if word.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
            pieces(start + first, word, each);
        }
        at += usize::from(!is_inner(at));
    }
}

fn both(before: &u8, after: &u8, are: fn(&u8) -> bool) -> bool {
    are(before) && are(after)
}

fn of_all<'a>(first: usize, text: &'a str, each: &mut dyn FnMut(usize, &'a str)) {
    // Scripts without spaces, whose words only a dictionary knows: the whole run is one word.
    let mut run: Option<(usize, usize)> = None;
    for (start, segment) in text.split_word_bound_indices() {
        let end = start + segment.len();
        let joins = segment.chars().next().is_some_and(needs_dictionary);
        match &mut run {
            Some((_, last)) if joins && *last == start => *last = end,
            _ => {
                let before = run.take();
                before.into_iter().for_each(|(from, to)| pieces(first + from, &text[from..to], each));
                if joins {
                    run = Some((start, end));
                }
            }
        }
        if !joins && is_word(segment) {
            pieces(first + start, segment, each);
        }
    }
    run.into_iter().for_each(|(from, to)| pieces(first + from, &text[from..to], each));
}

/// Calls `each` with parts of a word that are short enough.
fn pieces<'a>(mut start: usize, mut word: &'a str, each: &mut dyn FnMut(usize, &'a str)) {
    // A word of fewer bytes has fewer characters.
    while word.len() > MAX_WORD_CHARS
        && let Some((at, _)) = word.char_indices().nth(MAX_WORD_CHARS)
    {
        each(start, &word[..at]);
        (start, word) = (start + at, &word[at..]);
    }
    each(start, word);
}

fn is_word(segment: &str) -> bool {
    segment.bytes().any(|byte| byte.is_ascii_alphanumeric())
        || (!segment.is_ascii() && (segment.chars().any(is_letter_or_digit) || is_emoji(segment)))
}

fn is_letter_or_digit(c: char) -> bool {
    match c.is_alphabetic() {
        // Vowel signs belong to the letter before them.
        true => c.general_category_group() != GeneralCategoryGroup::Mark,
        false => {
            c == ARABIC_DECIMAL_SEPARATOR || (c.is_numeric() && c.general_category() == GeneralCategory::DecimalNumber)
        }
    }
}

/// Whether a segment has a pictogram, is a digit or a sign in a keycap, or a flag.
fn is_emoji(segment: &str) -> bool {
    let is_pictogram =
        |c: char| c.is_emoji_char() && (!c.is_emoji_component() || ('\u{1F3FB}'..='\u{1F3FF}').contains(&c));
    let is_in_keycap = |c: char| matches!(c, '0'..='9' | '#' | '*') && segment.contains(KEYCAP);
    segment.chars().any(is_pictogram)
        || segment.chars().next().is_some_and(is_in_keycap)
        || segment.chars().filter(|c| is_regional_indicator(*c)).count() == 2
}

/// Letters, vowel signs and marks of Thai, Lao, Burmese, Khmer, Tai and Ahom: those with the line break class SA.
fn needs_dictionary(c: char) -> bool {
    matches!(c,
        '\u{0E01}'..='\u{0E3A}' | '\u{0E40}'..='\u{0E4E}' | '\u{0E81}'..='\u{0EBD}' | '\u{0EC0}'..='\u{0ECD}'
        | '\u{0EDC}'..='\u{0EDF}' | '\u{1000}'..='\u{103F}' | '\u{1050}'..='\u{108F}' | '\u{109A}'..='\u{109F}'
        | '\u{1780}'..='\u{17D3}' | '\u{17D7}' | '\u{17DC}'..='\u{17DD}' | '\u{1950}'..='\u{1974}'
        | '\u{1980}'..='\u{19C9}' | '\u{19DE}'..='\u{19DF}' | '\u{1A20}'..='\u{1A7C}' | '\u{1AA0}'..='\u{1AAD}'
        | '\u{A9E0}'..='\u{A9EF}' | '\u{A9FA}'..='\u{A9FE}' | '\u{AA60}'..='\u{AAC2}' | '\u{AADB}'..='\u{AADF}'
        | '\u{11700}'..='\u{1172B}' | '\u{1173A}'..='\u{11746}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(
        of: impl Fn(usize, &'static str, &mut dyn FnMut(usize, &'static str)),
        text: &'static str,
    ) -> Vec<(usize, &'static str)> {
        let mut words = Vec::new();
        of(7, text, &mut |start, word| words.push((start, word)));
        words
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_096, ..ProptestConfig::default() })]

        #[test]
        fn the_rules_for_ascii_are_the_same(text in r#"([a-b0-1_.:,;'"!@# -]|[ -~]){0,12}"#) {
            let text: &'static str = text.leak();
            prop_assert_eq!(words(of_ascii, text), words(of_all, text));
        }
    }
}

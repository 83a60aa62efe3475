//! Case and accents.

use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// In lower case, character by character: the last sigma of a word is one like any other.
pub(crate) fn lowercase(term: &str) -> Cow<'_, str> {
    if !term.is_ascii() {
        let lower = |c: char| c.to_lowercase().next().unwrap_or(c);
        return match term.chars().all(|c| lower(c) == c) {
            true => Cow::Borrowed(term),
            false => Cow::Owned(term.chars().map(lower).collect()),
        };
    }
    match term.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(term.to_ascii_lowercase()),
        false => Cow::Borrowed(term),
    }
}

/// Without accents and ligatures: `Ångström` becomes `Angstrom`, `straße` becomes `strasse`. Vowel signs of other scripts stay.
pub(crate) fn fold(term: &str) -> Cow<'_, str> {
    if term.is_ascii() {
        return Cow::Borrowed(term);
    }
    let mut folded = String::with_capacity(term.len());
    for c in term.nfkd().filter(|c| !is_accent(*c)) {
        match letters(c) {
            Some(letters) => folded.push_str(letters),
            None => folded.push(c),
        }
    }
    Cow::Owned(folded.nfc().collect())
}

/// Only marks that belong to no script: those of others are vowels.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}' | '\u{FE20}'..='\u{FE2F}')
}

/// What stands for a letter that is not a base letter with a mark.
fn letters(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'ẞ' => "SS",
        'æ' => "ae",
        'Æ' => "AE",
        'œ' => "oe",
        'Œ' => "OE",
        'ø' => "o",
        'Ø' => "O",
        'ł' => "l",
        'Ł' => "L",
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'þ' => "th",
        'Þ' => "TH",
        'ħ' => "h",
        'Ħ' => "H",
        'ŧ' => "t",
        'Ŧ' => "T",
        'ŋ' => "n",
        'Ŋ' => "N",
        'ı' => "i",
        'ĸ' => "q",
        _ => return None,
    })
}

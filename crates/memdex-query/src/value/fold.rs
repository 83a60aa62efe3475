//! Simple case folding: the statuses C and S of Unicode's `CaseFolding.txt`.

/// The representative of all characters that are equal when case is ignored. Folding it changes nothing.
///
/// It is the lower case, which the standard library knows, with few exceptions. Unicode's stability policy keeps these
/// as they are.
pub(crate) fn fold_case(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    match c {
        // Small letters that share their upper case with another small letter.
        '\u{B5}' => '\u{3BC}',
        'ſ' => 's',
        '\u{345}' | '\u{1FBE}' => 'ι',
        'ς' => 'σ',
        'ϐ' => 'β',
        'ϑ' => 'θ',
        'ϕ' => 'φ',
        'ϖ' => 'π',
        'ϰ' => 'κ',
        'ϱ' => 'ρ',
        'ϵ' => 'ε',
        '\u{1C80}' => '\u{432}',
        '\u{1C81}' => '\u{434}',
        '\u{1C82}' => '\u{43E}',
        '\u{1C83}' => '\u{441}',
        '\u{1C84}' | '\u{1C85}' => '\u{442}',
        '\u{1C86}' => '\u{44A}',
        '\u{1C87}' => '\u{463}',
        '\u{1C88}' => '\u{A64B}',
        'ẛ' => 'ṡ',
        // The same letters twice.
        '\u{1FD3}' => '\u{390}',
        '\u{1FE3}' => '\u{3B0}',
        '\u{FB05}' => '\u{FB06}',
        // Unicode had the capitals of Cherokee first, so they are the representatives.
        '\u{13A0}'..='\u{13F5}' => c,
        '\u{13F8}'..='\u{13FD}' | '\u{AB70}'..='\u{ABBF}' => one(c.to_uppercase()).unwrap_or(c),
        // Only the lower case of `İ` has several characters; it equals no other character.
        _ => one(c.to_lowercase()).unwrap_or(c),
    }
}

/// The character, if there is one only.
fn one(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next()?;
    chars.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};
    use std::collections::BTreeMap;

    /// The characters of all versions of Unicode up to `major`, if regex-syntax knows that version.
    fn of_age(major: u8) -> Option<ClassUnicode> {
        match regex_syntax::parse(&format!(r"\p{{age={major}.0}}")).ok()?.into_kind() {
            HirKind::Class(Class::Unicode(class)) => Some(class),
            other => panic!("an age is a class of characters: {other:?}"),
        }
    }

    /// All characters that are equal to `c`, by the table of regex-syntax.
    fn equal(c: char) -> impl Iterator<Item = char> {
        let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
        class.case_fold_simple();
        class.ranges().iter().flat_map(|range| range.start()..=range.end()).collect::<Vec<_>>().into_iter()
    }

    /// Two characters are equal if and only if they are in regex-syntax, a copy of Unicode's table.
    #[test]
    fn folding_is_that_of_unicode() {
        let (std, ..) = char::UNICODE_VERSION;
        let (version, known) = (0..=std).rev().find_map(|major| Some((major, of_age(major)?))).unwrap();
        assert!(version >= 16, "{version}");
        let mut is_known = vec![false; 0x11_0000];
        for range in known.ranges() {
            is_known[range.start() as usize..=range.end() as usize].fill(true);
        }
        let (mut folded, mut class) = (BTreeMap::new(), BTreeMap::new());
        for c in '\0'..=char::MAX {
            let representative = fold_case(c);
            assert_eq!(fold_case(representative), representative, "{c:?}");
            if is_known[c as usize] {
                let lowest = equal(c).find(|c| is_known[*c as usize]).unwrap();
                assert_eq!(*folded.entry(lowest).or_insert(representative), representative, "{c:?}");
                assert_eq!(*class.entry(representative).or_insert(lowest), lowest, "{c:?}");
                assert!(!is_known[representative as usize] || equal(c).any(|c| c == representative), "{c:?}");
            } else {
                // The standard library may know letters that regex-syntax does not. They are pairs of two cases.
                assert_eq!(representative, one(c.to_lowercase()).unwrap_or(c), "{c:?}");
            }
        }
        assert!(('\0'..=char::MAX).filter(|c| fold_case(*c) != *c).count() > 1_400);
    }

    #[test]
    fn representatives_are_those_of_unicode() {
        for (c, folded) in [
            ('K', 'k'),
            ('\u{212A}', 'k'),
            ('É', 'é'),
            ('\u{212B}', 'å'),
            ('Σ', 'σ'),
            ('ς', 'σ'),
            ('ſ', 's'),
            ('ẛ', 'ṡ'),
            ('\u{B5}', '\u{3BC}'),
            ('ẞ', 'ß'),
            ('ß', 'ß'),
            ('ϴ', 'θ'),
            ('ϑ', 'θ'),
            ('\u{345}', 'ι'),
            ('\u{1FBE}', 'ι'),
            ('ǅ', 'ǆ'),
            ('ᾈ', 'ᾀ'),
            ('ᾼ', 'ᾳ'),
            ('\u{1FD3}', '\u{390}'),
            ('\u{390}', '\u{390}'),
            ('\u{1FE3}', '\u{3B0}'),
            ('\u{FB05}', '\u{FB06}'),
            ('Ა', 'ა'),
            ('Ꭰ', 'Ꭰ'),
            ('\u{AB70}', 'Ꭰ'),
            ('\u{13F8}', '\u{13F0}'),
            ('İ', 'İ'),
            ('ı', 'ı'),
            ('ŉ', 'ŉ'),
            ('中', '中'),
        ] {
            assert_eq!(fold_case(c), folded, "{c:?}");
        }
    }
}

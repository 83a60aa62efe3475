//! Collations: texts that count as equal although their characters differ, and their order.

#[cfg(feature = "accents")]
use super::accents::{WithoutMarks, without_marks};
use super::fold::fold_case;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::Chars;

/// The comparison of the strings of a field: see [`FieldDef::collate`](crate::schema::FieldDef::collate).
///
/// A collation maps each text to a key. Texts are equal if their keys are, and have the order of their keys by bytes.
/// The records keep their spelling.
///
/// ```
/// use memdex::{FieldDef, Kind, schema::Collation};
///
/// assert_eq!(Collation::NoCase.key("Zoë@X"), "zoë@x");
/// assert_eq!(FieldDef::new("mail", Kind::Str).collate(Collation::NoCase).collation(), Some(Collation::NoCase));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Collation {
    /// Ignores case, character by character, by Unicode's simple case folding:
    /// [`TextTest::fold_case`](crate::query::TextTest::fold_case). The key is the folded text.
    #[cfg_attr(feature = "serde", serde(rename = "nocase"))]
    NoCase,
    /// Ignores accents: `é` equals `e`, in one character or in two, and `Å` equals `A`. The key is the canonical
    /// decomposition (NFD) of the text, without nonspacing marks (the general category Mn). Letters that do not
    /// decompose, such as `ø` and `ł`, differ from all others. Nonspacing marks are also the vowel points of Arabic and
    /// Hebrew, many vowels of the scripts of India, and the voiced sounds of Japanese, so `が` equals `か`. Needs the
    /// feature `accents`.
    #[cfg(feature = "accents")]
    #[cfg_attr(feature = "serde", serde(rename = "noaccents"))]
    NoAccents,
    /// Ignores accents and case. The key is that without accents, folded as [`NoCase`](Collation::NoCase) folds a text.
    /// Needs the feature `accents`.
    #[cfg(feature = "accents")]
    #[cfg_attr(feature = "serde", serde(rename = "nocase_noaccents"))]
    NoCaseNoAccents,
}

impl Collation {
    /// The key of a text. O(length); allocates only if the key differs from the text.
    pub fn key(self, text: &str) -> Cow<'_, str> {
        match self.chars(text).eq(text.chars()) {
            true => Cow::Borrowed(text),
            false => Cow::Owned(self.chars(text).collect()),
        }
    }

    /// The order of the key of `text` and another key.
    fn compare(self, text: &str, key: impl Iterator<Item = char>) -> Ordering {
        self.chars(text).cmp(key)
    }

    /// The characters of the key of a text. They have the order of the key's bytes.
    fn chars(self, text: &str) -> impl Iterator<Item = char> {
        let fold = self.ignores_case();
        self.letters(text).map(move |c| if fold { fold_case(c) } else { c })
    }

    fn ignores_case(self) -> bool {
        match self {
            Collation::NoCase => true,
            #[cfg(feature = "accents")]
            Collation::NoAccents => false,
            #[cfg(feature = "accents")]
            Collation::NoCaseNoAccents => true,
        }
    }

    /// The characters of the key of a text before their case is folded.
    fn letters(self, text: &str) -> Letters<'_> {
        match self {
            #[cfg(feature = "accents")]
            Collation::NoAccents | Collation::NoCaseNoAccents if !text.is_ascii() => {
                Letters::WithoutMarks(without_marks(text))
            }
            _ => Letters::Written(text.chars()),
        }
    }
}

enum Letters<'a> {
    Written(Chars<'a>),
    #[cfg(feature = "accents")]
    WithoutMarks(WithoutMarks<'a>),
}

impl Iterator for Letters<'_> {
    type Item = char;

    #[inline]
    fn next(&mut self) -> Option<char> {
        match self {
            Letters::Written(chars) => chars.next(),
            #[cfg(feature = "accents")]
            Letters::WithoutMarks(chars) => chars.next(),
        }
    }
}

impl fmt::Display for Collation {
    /// The name in the attribute of the derive macro and in the serde form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Collation::NoCase => "nocase",
            #[cfg(feature = "accents")]
            Collation::NoAccents => "noaccents",
            #[cfg(feature = "accents")]
            Collation::NoCaseNoAccents => "nocase_noaccents",
        })
    }
}

/// A text that is compared by the key of a collation. An owned copy of it is the key.
#[derive(Clone, Copy, Debug)]
pub struct Collated<'a> {
    text: &'a str,
    collation: Collation,
}

impl<'a> Collated<'a> {
    pub(super) fn new(text: &'a str, collation: Collation) -> Self {
        Collated { text, collation }
    }

    /// The text as it is written.
    pub fn text(self) -> &'a str {
        self.text
    }

    /// The key.
    pub fn key(self) -> Cow<'a, str> {
        self.collation.key(self.text)
    }

    pub(super) fn cmp_key(self, key: &str) -> Ordering {
        self.collation.compare(self.text, key.chars())
    }

    pub(super) fn cmp(self, other: Collated<'_>) -> Ordering {
        self.collation.compare(self.text, other.collation.chars(other.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "accents")]
    use Collation::{NoAccents, NoCaseNoAccents};
    use proptest::prelude::*;
    use proptest::sample::select;

    #[cfg(feature = "accents")]
    const ALL: [Collation; 3] = [Collation::NoCase, NoAccents, NoCaseNoAccents];
    #[cfg(not(feature = "accents"))]
    const ALL: [Collation; 1] = [Collation::NoCase];

    #[test]
    fn a_key_that_equals_the_text_is_borrowed() {
        for collation in ALL {
            for text in ["", "ada", "ø中"] {
                assert!(matches!(collation.key(text), Cow::Borrowed(key) if key == text), "{collation} {text}");
            }
        }
        assert!(matches!(Collation::NoCase.key("Ada"), Cow::Owned(key) if key == "ada"));
    }

    #[cfg(feature = "accents")]
    #[test]
    fn keys_without_accents() {
        for (text, no_accents, no_case_no_accents) in [
            ("Ada", "Ada", "ada"),
            ("É", "E", "e"),
            ("e\u{301}", "e", "e"),
            ("Zoë", "Zoe", "zoe"),
            // Two marks, in both orders.
            ("ệe\u{302}\u{323}e\u{323}\u{302}", "eee", "eee"),
            ("\u{C5}", "A", "a"),
            ("\u{212B}", "A", "a"),
            ("A\u{30A}", "A", "a"),
            ("\u{212A}", "K", "k"),
            ("\u{2126}ΆΣς", "ΩΑΣς", "ωασσ"),
            ("İıIi", "IıIi", "iıii"),
            ("ǅ", "ǅ", "ǆ"),
            ("ßẞ", "ßẞ", "ßß"),
            // Letters that do not decompose.
            ("øØłŁđæ", "øØłŁđæ", "øøłłđæ"),
            // A syllable of Hangul becomes its letters.
            ("가각", "\u{1100}\u{1161}\u{1100}\u{1161}\u{11A8}", "\u{1100}\u{1161}\u{1100}\u{1161}\u{11A8}"),
            ("がか", "かか", "かか"),
            ("й", "и", "и"),
            // Compatibility forms stay.
            ("ﬁ①", "ﬁ①", "ﬁ①"),
            ("\u{301}", "", ""),
            ("\u{345}\u{301}\u{20D0}", "", ""),
            // Marks of other categories stay, in canonical order: here without the mark that was between them.
            ("a\u{302E}\u{941}\u{1D165}", "a\u{1D165}\u{302E}", "a\u{1D165}\u{302E}"),
        ] {
            assert_eq!(NoAccents.key(text), no_accents, "{text}");
            assert_eq!(NoCaseNoAccents.key(text), no_case_no_accents, "{text}");
        }
    }

    #[cfg(feature = "accents")]
    #[test]
    fn texts_have_the_order_of_their_keys() {
        let mut texts = ["b", "É", "ø", "e", "Z", "\u{301}", "éa", "E", "ea\u{300}", "à", "中"];
        let mut by = |collation: Collation| {
            texts.sort_by(|a, b| collation.compare(a, collation.chars(b)).then_with(|| a.cmp(b)));
            texts.join(" ")
        };
        assert_eq!(by(NoAccents), "\u{301} E É Z à b e ea\u{300} éa ø 中");
        assert_eq!(by(NoCaseNoAccents), "\u{301} à b E e É ea\u{300} éa Z ø 中");
    }

    /// regex-syntax has Unicode's table of categories too.
    #[cfg(feature = "accents")]
    #[test]
    fn nonspacing_marks_have_an_empty_key() {
        use regex_syntax::hir::{Class, HirKind};
        let class = |pattern: &str| match regex_syntax::parse(pattern).unwrap().into_kind() {
            HirKind::Class(Class::Unicode(class)) => class,
            other => panic!("{pattern} is a class of characters: {other:?}"),
        };
        let (marks, known) = (class(r"\p{Mn}"), class(r"\p{age=16.0}"));
        let mut count = 0;
        for c in known.ranges().iter().flat_map(|range| range.start()..=range.end()) {
            let is_mark = marks.ranges().iter().any(|range| range.start() <= c && c <= range.end());
            assert_eq!(NoAccents.key(c.encode_utf8(&mut [0; 4])).is_empty(), is_mark, "{c:?}");
            count += usize::from(is_mark);
        }
        assert!(count > 2_000, "{count}");
    }

    #[test]
    fn keys_of_all_characters_are_their_own_keys() {
        for c in '\0'..=char::MAX {
            for collation in ALL {
                let text = String::from(c);
                let key = collation.key(&text);
                assert_eq!(collation.key(&key), key, "{collation} {c:?}");
            }
        }
    }

    /// Texts of few letters, some of which are marks with and without a canonical order, and of any others.
    fn texts() -> impl Strategy<Value = String> {
        let few = "aAeEéÉkK\u{212A}Å\u{212B}ςσΣßẞøİı가\u{1100}\u{1161}\u{11A8}\u{300}\u{301}\u{323}\u{345}\u{302E}\u{941}\u{93E}\u{94D}\u{1D165}\u{1D16D}\u{16FF0}\u{1F85}";
        let few = select(few.chars().collect::<Vec<char>>());
        prop::collection::vec(prop_oneof![6 => few, 1 => any::<char>()], 0..6).prop_map(String::from_iter)
    }

    proptest! {
        /// Equality and order of texts are those of their keys, and a key is its own key.
        #[test]
        fn comparisons_are_those_of_keys(a in texts(), b in texts()) {
            for collation in ALL {
                let (one, other) = (Collated::new(&a, collation), Collated::new(&b, collation));
                let (key_a, key_b) = (one.key(), other.key());
                prop_assert_eq!(&collation.key(&key_a), &key_a, "{}", collation);
                prop_assert_eq!(one.cmp(other), key_a.as_bytes().cmp(key_b.as_bytes()), "{}", collation);
                prop_assert_eq!(one.cmp_key(&key_b), key_a.as_bytes().cmp(key_b.as_bytes()), "{}", collation);
                prop_assert_eq!(one.cmp(Collated::new(&key_a, collation)), Ordering::Equal, "{}", collation);
            }
        }

        /// Canonically equivalent texts are equal, and marks never count.
        #[cfg(feature = "accents")]
        #[test]
        fn marks_never_count(text in texts(), at in any::<prop::sample::Index>(), mark in select(vec!['\u{301}', '\u{941}'])) {
            use unicode_normalization::UnicodeNormalization;
            let mut marked = text.clone();
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            marked.insert(*at.get(&places), mark);
            for collation in [NoAccents, NoCaseNoAccents] {
                prop_assert_eq!(collation.key(&marked), collation.key(&text), "{}", collation);
                let (composed, decomposed): (String, String) = (text.nfc().collect(), text.nfd().collect());
                prop_assert_eq!(collation.key(&composed), collation.key(&text), "{}", collation);
                prop_assert_eq!(collation.key(&decomposed), collation.key(&text), "{}", collation);
            }
            let folded: String = NoAccents.key(&text).chars().map(fold_case).collect();
            prop_assert_eq!(NoCaseNoAccents.key(&text), folded);
        }
    }
}

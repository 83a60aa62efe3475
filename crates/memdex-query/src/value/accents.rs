//! Texts without accents.

use std::iter::Filter;
use std::str::Chars;
use unicode_normalization::{Decompositions, UnicodeNormalization};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The characters of the canonical decomposition (NFD) of a text, without nonspacing marks (the general category Mn).
/// It allocates only where more than three marks in a row follow a character.
pub(super) type WithoutMarks<'a> = Decompositions<Filter<Decompositions<Chars<'a>>, fn(&char) -> bool>>;

pub(super) fn without_marks(text: &str) -> WithoutMarks<'_> {
    // Decomposed again, because marks of other categories can have another canonical order once no mark is between them.
    text.nfd().filter(not_a_mark as fn(&char) -> bool).nfd()
}

fn not_a_mark(c: &char) -> bool {
    *c < '\u{300}' || c.general_category() != GeneralCategory::NonspacingMark
}

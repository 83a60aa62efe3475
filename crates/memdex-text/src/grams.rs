//! N-grams: the parts of a term of some lengths.

use super::error::InvalidGrams;
use std::ops::RangeInclusive;

/// How many characters n-grams have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lengths {
    least: usize,
    most: usize,
}

impl Lengths {
    pub(crate) fn new(lengths: &RangeInclusive<usize>) -> Result<Self, InvalidGrams> {
        let (least, most) = (*lengths.start(), *lengths.end());
        match (1..=most).contains(&least) && most <= InvalidGrams::LONGEST {
            true => Ok(Lengths { least, most }),
            false => Err(InvalidGrams { least, most }),
        }
    }

    /// The n-grams at the beginning of a term.
    pub(crate) fn at_start(self, term: &str, each: &mut dyn FnMut(&str)) {
        let ends = term.char_indices().map(|(at, c)| at + c.len_utf8());
        ends.take(self.most).skip(self.least - 1).for_each(|end| each(&term[..end]));
    }

    /// All n-grams of a term, by where they begin.
    pub(crate) fn everywhere(self, term: &str, each: &mut dyn FnMut(&str)) {
        term.char_indices().for_each(|(start, _)| self.at_start(&term[start..], each));
    }
}

//! The back-references of a row for an aggregate: the words, and the place of each field among them.
//!
//! The first word is the number of the row's group; [`NULL`](super::super::changes::NULL) if it is in none,
//! [`ABSENT`](super::super::changes::ABSENT) if the condition is false. Then a bit for each field that has metrics, whether it has
//! a value; then the values: two words where 64 bits are enough, and otherwise one, the number that the committer has given it.

use super::tally::LevelPlan;
use crate::record::Bound;
use memdex_query::value::Kind;

/// Most words of one row: a group, the bits, and two words for each field.
pub(crate) const MAX_AGGREGATE_WIDTH: usize = 1 + MAX_MEASURED.div_ceil(32) + 2 * MAX_MEASURED;

/// As many fields as metrics.
const MAX_MEASURED: usize = crate::limits::MAX_METRICS;

pub(super) struct Layout {
    /// For each field that has metrics.
    pub(super) kept: Vec<Kept>,
    /// How many of them have numbered values.
    pub(super) interned: usize,
    width: usize,
}

/// The back-references of one field.
pub(super) struct Kept {
    /// Its place among the fields of the question.
    pub(super) field: usize,
    pub(super) how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Whether there is a value: only counted.
    Presence,
    /// Its 64 bits, from this word on.
    Bits { at: usize, kind: Kind },
    /// Its number, in this word, with the committer's values of this place.
    Number { at: usize, of: usize },
}

impl Layout {
    /// Gives the measured fields of all levels their places.
    pub(super) fn new(bound: &Bound, levels: &mut [&mut LevelPlan]) -> Self {
        let all = || levels.iter().flat_map(|level| &level.measured);
        let fields: Vec<usize> = (0..bound.fields.len()).filter(|at| all().any(|of| of.field == *at)).collect();
        let (mut width, mut interned) = (1 + fields.len().div_ceil(32), 0);
        let kept = fields.into_iter().map(|field| {
            // Undeclared paths are refused.
            let def = bound.fields[field].def.as_ref().filter(|def| def.fits_64_bits());
            let values = all().any(|of| of.field == field && of.needs_values());
            let at = width;
            let how = match (values, def) {
                (false, _) => How::Presence,
                (true, Some(def)) => {
                    width += 2;
                    How::Bits { at, kind: def.kind() }
                }
                (true, None) => {
                    (width, interned) = (width + 1, interned + 1);
                    How::Number { at, of: interned - 1 }
                }
            };
            Kept { field, how }
        });
        let kept: Vec<Kept> = kept.collect();
        for measured in levels.iter_mut().flat_map(|level| &mut level.measured) {
            measured.kept = kept.iter().position(|kept| kept.field == measured.field).unwrap_or_default();
        }
        Layout { kept, interned, width }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }
}

/// Whether a row has a value of the kept field at a place.
pub(super) fn has(words: &[u32], place: usize) -> bool {
    words[1 + place / 32] >> (place % 32) & 1 == 1
}

pub(super) fn set(words: &mut [u32], place: usize) {
    words[1 + place / 32] |= 1 << (place % 32);
}

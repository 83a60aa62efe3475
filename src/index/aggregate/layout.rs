//! The back references of a row, and the place of each field in them.
//!
//! The first word is the number of the row's group; [`NULL`](super::super::changes::NULL) if it is in none,
//! [`ABSENT`](super::super::changes::ABSENT) if the condition is false. Then, for each
//! measured field, a bit that says whether it has a value; then the values: two words if 64 bits are enough, otherwise one, the number
//! that the committer has given the value.

use super::tally::LevelPlan;
use crate::record::Bound;
use crate::value::Kind;

/// Most words of one row: a group, the bits, and two words for each field.
pub(crate) const MAX_AGGREGATE_WIDTH: usize = 1 + MAX_MEASURED.div_ceil(32) + 2 * MAX_MEASURED;

/// As many fields as metrics.
const MAX_MEASURED: usize = crate::limits::MAX_METRICS;

pub(super) struct Layout {
    /// One for each measured field.
    pub(super) kept: Vec<Kept>,
    /// How many of them have numbered values.
    pub(super) interned: usize,
    width: usize,
}

/// How one field is stored in the back references.
pub(super) struct Kept {
    /// Its place among the fields of the definition.
    pub(super) field: usize,
    pub(super) how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Only whether there is a value: values are only counted.
    Presence,
    /// Its 64 bits, from this word on.
    Bits { at: usize, kind: Kind },
    /// The value's number, in this word; `of` is the place of the field among those with numbered values.
    Number { at: usize, of: usize },
}

impl Layout {
    /// Assigns a place to each measured field of all levels.
    pub(super) fn new(bound: &Bound, levels: &mut [&mut LevelPlan]) -> Self {
        let all = || levels.iter().flat_map(|level| &level.measured);
        let fields: Vec<usize> = (0..bound.fields.len()).filter(|at| all().any(|of| of.field == *at)).collect();
        let (mut width, mut interned) = (1 + fields.len().div_ceil(32), 0);
        let kept = fields.into_iter().map(|field| {
            let def = &bound.fields[field].def;
            let values = all().any(|of| of.field == field && of.needs_values());
            let at = width;
            let how = match (values, def.fits_64_bits()) {
                (false, _) => How::Presence,
                (true, true) => {
                    width += 2;
                    How::Bits { at, kind: def.kind() }
                }
                (true, false) => {
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
pub(super) fn has(refs: &[u32], place: usize) -> bool {
    refs[1 + place / 32] >> (place % 32) & 1 == 1
}

pub(super) fn set(refs: &mut [u32], place: usize) {
    refs[1 + place / 32] |= 1 << (place % 32);
}

//! Loops over one page: group numbers, and for each the cell of its row, all present.
//!
//! If there are few groups, each has several partial sums used in turn, so that successive additions to one group
//! don't wait for each other. Page sums use 64 bits where that can't overflow.

use super::measures::{KeptBits, Measures};
use crate::limits::PAGE_ROWS;
use crate::storage::{Encoding, Packed, with_cells};
use memdex_query::aggregate::Moments;
use memdex_query::value::{Kind, float_of, int_of};

/// Maximum number of groups with partial sums.
pub(super) const FEW: usize = 16;
/// Number of partial sums per group.
const TURNS: usize = 4;
/// Not more partial sums than a page has cells.
type Partial<T> = [T; FEW * TURNS];

/// Adds the number of rows to each group.
pub(super) fn count(numbers: &[u32], counts: &mut [u64]) {
    match counts {
        [] => {}
        [all] => *all += numbers.len() as u64,
        _ if counts.len() <= FEW => {
            let few = count_few(numbers);
            counts.iter_mut().zip(few).for_each(|(count, more)| *count += more);
        }
        _ => numbers.iter().for_each(|number| counts[*number as usize] += 1),
    }
}

/// Number of rows in each of a few groups.
pub(super) fn count_few<N: Copy + Into<u32>>(numbers: &[N]) -> [u64; FEW] {
    let mut partial: Partial<u32> = [0; FEW * TURNS];
    let turns = numbers.chunks_exact(TURNS);
    for (number, turn) in turns.remainder().iter().zip(0..) {
        partial[place((*number).into(), turn)] += 1;
    }
    for numbers in turns {
        for turn in 0..TURNS {
            partial[place(numbers[turn].into(), turn)] += 1;
        }
    }
    let mut counts = [0; FEW];
    for (count, partial) in counts.iter_mut().zip(partial.chunks_exact(TURNS)) {
        *count = partial.iter().map(|count| u64::from(*count)).sum();
    }
    counts
}

/// The count is in the upper bits, the sum in the lower bits.
const ONE: u64 = 1 << 54;
/// A page adds a bounded number of cells to each partial sum. If the cells differ by less than this, neither the
/// lower nor the upper bits overflow.
const NARROW: u64 = ONE / (PAGE_ROWS.div_ceil(TURNS) as u64);

/// Whether counts and sums can be computed in one pass.
pub(super) fn count_with_sums(measures: &Measures, encoding: Encoding) -> bool {
    encoding == Encoding::Bits(Kind::Int) && measures.needs.moments && !measures.needs.squares
}

/// A lower bound of the bits, if they are so close together that the sum of a page fits in 64 bits.
pub(super) fn low_of_close(bits: Packed<'_>, zone: Option<(u64, u64)>) -> Option<u64> {
    let (low, high) = bits.reach().or(zone).or_else(|| bits.extremes())?;
    (high - low < NARROW).then_some(low)
}

/// Count and sum of each of a few groups. `low` comes from [`low_of_close`].
pub(super) fn count_and_sum<N: Copy + Into<u32>>(numbers: &[N], bits: Packed<'_>, low: u64) -> [(u64, i128); FEW] {
    let mut partial: Partial<u64> = [0; FEW * TURNS];
    let one_above = ONE.wrapping_add(bits.base).wrapping_sub(low);
    with_cells!(bits, |cells| by_turns(&mut partial, numbers, cells, |cell| u64::from(cell).wrapping_add(one_above)));
    let mut sums = [(0, 0); FEW];
    for ((count, sum), partial) in sums.iter_mut().zip(partial.chunks_exact(TURNS)) {
        *count = partial.iter().map(|both| both / ONE).sum();
        *sum = sum_above(low, *count, partial.iter().map(|both| both % ONE).sum());
    }
    sums
}

/// The sum of `count` integers that exceed `low` by `above` in total.
fn sum_above(low: u64, count: u64, above: u64) -> i128 {
    i128::from(int_of(low)) * i128::from(count) + i128::from(above)
}

/// Adds `added(cell)` for each cell to a partial sum of its group, in turn.
#[inline(always)]
fn by_turns<N: Copy + Into<u32>, C: Copy>(
    partial: &mut Partial<u64>,
    numbers: &[N],
    cells: &[C],
    added: impl Fn(C) -> u64,
) {
    let (turns, rest) = (numbers.chunks_exact(TURNS), cells.chunks_exact(TURNS));
    for ((number, cell), turn) in turns.remainder().iter().zip(rest.remainder()).zip(0..) {
        let sum = &mut partial[place((*number).into(), turn)];
        *sum = sum.wrapping_add(added(*cell));
    }
    for (numbers, cells) in turns.zip(rest) {
        for turn in 0..TURNS {
            let sum = &mut partial[place(numbers[turn].into(), turn)];
            *sum = sum.wrapping_add(added(cells[turn]));
        }
    }
}

/// Index of a partial sum. The modulo lets the compiler omit bounds checks.
#[inline(always)]
fn place(number: u32, turn: usize) -> usize {
    (number as usize % FEW) * TURNS + turn
}

/// Adds the bits of a column. `counts` is the number of bits per group, `zone` their bounds if known; `summed` if the
/// moments already include them.
pub(super) fn add_bits(
    measures: &mut Measures,
    numbers: &[u32],
    bits: Packed<'_>,
    counts: &[u64],
    zone: Option<(u64, u64)>,
    summed: bool,
) {
    debug_assert!(numbers.len() == bits.len());
    let groups = measures.counts.len();
    let mut counted = [0; FEW];
    let counts = if groups > FEW {
        count(numbers, &mut measures.counts);
        &[]
    } else {
        let counts = if counts.len() == groups {
            counts
        } else {
            count(numbers, &mut counted[..groups]);
            &counted[..groups]
        };
        measures.counts.iter_mut().zip(counts).for_each(|(all, count)| *all += count);
        counts
    };
    let needs = measures.needs;
    if needs.moments && !summed {
        match measures.kind {
            Some(Kind::Int) if !needs.squares => sum_ints(&mut measures.moments, numbers, bits, counts, zone),
            Some(Kind::Int) => each(&mut measures.moments, numbers, bits, |moments, bits| match moments {
                Moments::Ints(ints) => ints.add(int_of(bits)),
                _ => debug_assert!(false, "moments must match the kind of the field"),
            }),
            _ => each(&mut measures.moments, numbers, bits, |moments, bits| match moments {
                Moments::Floats(floats) => floats.add(float_of(bits)),
                _ => debug_assert!(false, "moments must match the kind of the field"),
            }),
        }
    }
    let kept = &mut measures.bits;
    if needs.extremes {
        extremes(kept, numbers, bits);
    }
    if needs.distinct {
        // Insert a run of equal values only once.
        let mut before = None;
        for seen in numbers.iter().copied().zip((0..bits.len()).map(|row| bits.get(row))) {
            if before.replace(seen) != Some(seen) {
                kept.see(seen.0, seen.1);
            }
        }
    }
    if needs.numbers {
        match &mut kept.numbers[..] {
            [all] => with_cells!(bits, |cells| all.extend(cells.iter().map(|cell| bits.base + u64::from(*cell)))),
            by_group => each(by_group, numbers, bits, |numbers, bits| numbers.push(bits)),
        }
    }
}

fn each<T>(by_group: &mut [T], numbers: &[u32], bits: Packed<'_>, mut add: impl FnMut(&mut T, u64)) {
    with_cells!(bits, |cells| for (number, cell) in numbers.iter().zip(cells) {
        add(&mut by_group[*number as usize], bits.base + u64::from(*cell));
    });
}

fn extremes(kept: &mut KeptBits, numbers: &[u32], bits: Packed<'_>) {
    if let [(least, most)] = &mut kept.extremes[..] {
        if let Some((low, high)) = bits.extremes() {
            (*least, *most) = ((*least).min(low), (*most).max(high));
        }
        return;
    }
    each(&mut kept.extremes, numbers, bits, |(least, most), bits| {
        *least = (*least).min(bits);
        *most = (*most).max(bits);
    });
}

/// Adds `count` integers with a known sum.
pub(super) fn add_ints(moments: &mut Moments, count: u64, sum: i128) {
    match moments {
        Moments::Ints(ints) => ints.add_partial(count, sum),
        _ => debug_assert!(false, "moments must match the kind of the field"),
    }
}

fn sum_ints(moments: &mut [Moments], numbers: &[u32], bits: Packed<'_>, counts: &[u64], zone: Option<(u64, u64)>) {
    let few = moments.len() <= FEW;
    let Some(low) = low_of_close(bits, zone).filter(|_| few) else {
        return each(moments, numbers, bits, |moments, bits| add_ints(moments, 1, int_of(bits).into()));
    };
    let above = bits.base.wrapping_sub(low);
    if let [all] = moments {
        let sum = with_cells!(bits, |cells| cells.iter().fold(0_u64, |sum, cell| sum.wrapping_add(u64::from(*cell))));
        let count = bits.len() as u64;
        return add_ints(all, count, sum_above(low, count, sum.wrapping_add(above.wrapping_mul(count))));
    }
    let mut partial: Partial<u64> = [0; FEW * TURNS];
    with_cells!(bits, |cells| by_turns(&mut partial, numbers, cells, |cell| u64::from(cell).wrapping_add(above)));
    for ((moments, partial), count) in moments.iter_mut().zip(partial.chunks_exact(TURNS)).zip(counts) {
        add_ints(moments, *count, sum_above(low, *count, partial.iter().sum()));
    }
}

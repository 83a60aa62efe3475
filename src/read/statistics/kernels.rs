//! The loops over one page: so many groups' numbers, and beside each the cell of its row, all of them present.
//!
//! Where groups are few, each has several partial sums that take turns, so that successive adds to one group don't wait for each
//! other. A page's sums are made in 64 bits where that can't overflow.

use super::measures::{KeptBits, Measures};
use crate::aggregate::Moments;
use crate::limits::PAGE_ROWS;
use crate::storage::Reads;
use crate::value::{Kind, float_of, int_of};

/// Groups that have several partial sums.
pub(super) const FEW: usize = 16;
/// How many each has.
const TURNS: usize = 4;
/// So many partial sums are no more than a page has cells.
type Partial<T> = [T; FEW * TURNS];

/// Adds to each group how many rows it has.
pub(super) fn count(numbers: &[u32], counts: &mut [u64]) {
    match counts {
        [] => {}
        [all] => *all += numbers.len() as u64,
        _ if counts.len() <= FEW => {
            let mut partial: Partial<u32> = [0; FEW * TURNS];
            let turns = numbers.chunks_exact(TURNS);
            for (number, turn) in turns.remainder().iter().zip(0..) {
                partial[place(*number, turn)] += 1;
            }
            for numbers in turns {
                for turn in 0..TURNS {
                    partial[place(numbers[turn], turn)] += 1;
                }
            }
            for (count, partial) in counts.iter_mut().zip(partial.chunks_exact(TURNS)) {
                *count += partial.iter().map(|count| u64::from(*count)).sum::<u64>();
            }
        }
        _ => numbers.iter().for_each(|number| counts[*number as usize] += 1),
    }
}

/// Counts in the upper bits of what is summed up in the lower ones.
const ONE: u64 = 1 << 54;
/// Of a page each partial sum gets so many cells at most, as far apart as this: so the lower bits don't overflow, nor the upper ones.
const NARROW: u64 = ONE / (PAGE_ROWS.div_ceil(TURNS) as u64);

/// Whether counts and sums of integers are made in the same steps: few groups, numbers close to each other.
pub(super) fn count_with_sums(measures: &Measures, reads: Reads, zone: Option<(u64, u64)>) -> bool {
    let close = zone.is_some_and(|(low, high)| high - low < NARROW);
    let few = (2..=FEW).contains(&measures.counts.len());
    few && close && reads == Reads::Bits(Kind::Int) && measures.needs.moments && !measures.needs.squares
}

/// Gives the count of each group, and adds counts and sums to their moments. No cell is below `low`.
pub(super) fn count_and_sum(moments: &mut [Moments], numbers: &[u32], cells: &[u64], low: u64, counts: &mut [u64]) {
    debug_assert!(cells.iter().all(|bits| bits.wrapping_sub(low) < NARROW));
    let mut partial: Partial<u64> = [0; FEW * TURNS];
    let (turns, rest) = (numbers.chunks_exact(TURNS), cells.chunks_exact(TURNS));
    for ((number, bits), turn) in turns.remainder().iter().zip(rest.remainder()).zip(0..) {
        partial[place(*number, turn)] += ONE + (bits - low);
    }
    for (numbers, cells) in turns.zip(rest) {
        for turn in 0..TURNS {
            partial[place(numbers[turn], turn)] += ONE + (cells[turn] - low);
        }
    }
    for ((moments, partial), count) in moments.iter_mut().zip(partial.chunks_exact(TURNS)).zip(counts) {
        *count = partial.iter().map(|both| both / ONE).sum();
        let above: u64 = partial.iter().map(|both| both % ONE).sum();
        if let Moments::Ints(ints) = moments {
            ints.add_partial(*count, i128::from(int_of(low)) * i128::from(*count) + i128::from(above));
        }
    }
}

/// A number that is below `FEW`, as the compiler sees.
#[inline(always)]
fn place(number: u32, turn: usize) -> usize {
    (number as usize % FEW) * TURNS + turn
}

/// Adds the cells of a column of 64 bits. `counts` is how many of them each group has, and `zone` between which bits they lie, if that
/// is known. `summed` if the moments have them already.
pub(super) fn add_bits(
    measures: &mut Measures,
    numbers: &[u32],
    cells: &[u64],
    counts: &[u64],
    zone: Option<(u64, u64)>,
    summed: bool,
) {
    debug_assert!(numbers.len() == cells.len());
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
            Kind::Int if !needs.squares => sum_ints(&mut measures.moments, numbers, cells, counts, zone),
            Kind::Int => each(&mut measures.moments, numbers, cells, |moments, bits| match moments {
                Moments::Ints(ints) => ints.add(int_of(bits)),
                _ => debug_assert!(false, "moments of another kind"),
            }),
            _ => each(&mut measures.moments, numbers, cells, |moments, bits| match moments {
                Moments::Floats(floats) => floats.add(float_of(bits)),
                _ => debug_assert!(false, "moments of another kind"),
            }),
        }
    }
    let kept = &mut measures.bits;
    if needs.extremes {
        extremes(kept, numbers, cells);
    }
    if needs.distinct {
        // What repeats itself row after row is seen once.
        let mut before = None;
        for seen in numbers.iter().copied().zip(cells.iter().copied()) {
            if before.replace(seen) != Some(seen) {
                kept.see(seen.0, seen.1);
            }
        }
    }
    if needs.numbers {
        match &mut kept.numbers[..] {
            [all] => all.extend_from_slice(cells),
            by_group => each(by_group, numbers, cells, |numbers, bits| numbers.push(bits)),
        }
    }
}

fn each<T>(by_group: &mut [T], numbers: &[u32], cells: &[u64], mut add: impl FnMut(&mut T, u64)) {
    for (number, bits) in numbers.iter().zip(cells) {
        add(&mut by_group[*number as usize], *bits);
    }
}

fn extremes(kept: &mut KeptBits, numbers: &[u32], cells: &[u64]) {
    if let [(least, most)] = &mut kept.extremes[..] {
        *least = cells.iter().fold(*least, |least, bits| least.min(*bits));
        *most = cells.iter().fold(*most, |most, bits| most.max(*bits));
        return;
    }
    each(&mut kept.extremes, numbers, cells, |(least, most), bits| {
        *least = (*least).min(bits);
        *most = (*most).max(bits);
    });
}

/// How far integers may be from zero so that 1,024 of them are summed up in 64 bits.
const NEAR: u64 = 1 << 53;

fn sum_ints(moments: &mut [Moments], numbers: &[u32], cells: &[u64], counts: &[u64], zone: Option<(u64, u64)>) {
    let add = |moments: &mut Moments, count: u64, sum: i128| match moments {
        Moments::Ints(ints) => ints.add_partial(count, sum),
        _ => debug_assert!(false, "moments of another kind"),
    };
    let far = |cells: &[u64]| cells.iter().fold(0, |far, bits| far | from_zero(int_of(*bits)));
    let far = zone.map_or_else(|| far(cells), |(low, high)| far(&[low, high]));
    if moments.len() > FEW || far >= NEAR {
        return each(moments, numbers, cells, |moments, bits| add(moments, 1, int_of(bits).into()));
    }
    if let [all] = moments {
        let sum: i64 = cells.iter().fold(0, |sum, bits| sum + int_of(*bits));
        return add(all, cells.len() as u64, sum.into());
    }
    let mut partial: Partial<i64> = [0; FEW * TURNS];
    let (turns, rest) = (numbers.chunks_exact(TURNS), cells.chunks_exact(TURNS));
    for ((number, bits), turn) in turns.remainder().iter().zip(rest.remainder()).zip(0..) {
        partial[place(*number, turn)] += int_of(*bits);
    }
    for (numbers, cells) in turns.zip(rest) {
        for turn in 0..TURNS {
            partial[place(numbers[turn], turn)] += int_of(cells[turn]);
        }
    }
    for ((moments, partial), count) in moments.iter_mut().zip(partial.chunks_exact(TURNS)).zip(counts) {
        add(moments, *count, partial.iter().map(|sum| i128::from(*sum)).sum());
    }
}

/// As many bits as how far it is from zero, about.
#[inline(always)]
fn from_zero(n: i64) -> u64 {
    (n ^ n >> 63).cast_unsigned()
}

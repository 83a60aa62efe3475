//! Statistics of rows whose fields all have columns, a page at a time: read the cells of all columns, load the marks again, and then, field
//! by field, go through what is left in loops over arrays that lie in the nearest cache (as in MonetDB/X100).
//!
//! Of a column with a dictionary nothing is accumulated but how often each group has each code. What these come to is
//! computed once, at the end.

use super::accumulate::{Accumulated, Measured, OfLevel};
use super::cells::{Cells, Has, Source};
use super::groups::{NONE, Pairs};
use super::kernels::{self, FEW};
use super::parts::{Numbers, UNKNOWN};
use crate::error::QueryError;
use crate::limits::PAGE_ROWS;
use crate::storage::{Column, Reads};
use crate::value::{Value, ValueRef};

pub(super) struct ByColumns<'t> {
    /// By field.
    pub(super) cells: Vec<Cells<'t>>,
    /// By row at hand: the number of its group on the level at hand.
    numbers: Vec<u32>,
    /// By row at hand: the number of one part.
    part: Vec<u32>,
    /// How many of the rows at hand each group has; where groups are few.
    counts: Vec<u64>,
    /// The field whose sums were made with the counts, by its place.
    summed: Option<usize>,
    /// Numbers and bits of those rows that have both.
    dense: (Vec<u32>, Vec<u64>),
    /// By level and by field measured there.
    tallies: Vec<Vec<Tally>>,
}

/// How often each group has each code.
struct Tally {
    pairs: Pairs,
    times: Vec<u64>,
}

impl<'t> ByColumns<'t> {
    pub(super) fn new(columns: &[&'t Column], accumulated: &Accumulated<'_>) -> Self {
        let tally = || Tally { pairs: Pairs::new(), times: Vec::new() };
        ByColumns {
            cells: columns.iter().map(|column| Cells::new(column)).collect(),
            numbers: Vec::with_capacity(PAGE_ROWS),
            part: Vec::with_capacity(PAGE_ROWS),
            counts: Vec::with_capacity(FEW),
            summed: None,
            dense: (Vec::with_capacity(PAGE_ROWS), Vec::with_capacity(PAGE_ROWS)),
            tallies: accumulated.levels.iter().map(|level| level.measures.iter().map(|_| tally()).collect()).collect(),
        }
    }

    /// Reads the cells.
    pub(super) fn read(&mut self, source: Source<'_>) {
        self.cells.iter_mut().for_each(|cells| cells.read(source));
    }

    /// Picks what was read of those rows that can be trusted; see [`Cells::pick`].
    pub(super) fn pick(&mut self, source: Source<'_>, picks: Option<&[u16]>) {
        self.cells.iter_mut().for_each(|cells| cells.pick(source, picks));
    }

    /// Adds as many rows as were picked.
    pub(super) fn add(&mut self, accumulated: &mut Accumulated<'_>, rows: usize) -> Result<(), QueryError> {
        debug_assert!(self.cells.iter().all(|cells| cells.bits().len() == rows));
        self.numbers.clear();
        self.numbers.resize(rows, 0);
        // Whether some rows are in no group.
        let mut sparse = false;
        for at in 0..accumulated.levels.len() {
            if at > 0 {
                sparse = self.fall(&mut accumulated.levels[at], sparse);
                accumulated.grow()?;
            }
            let level = &mut accumulated.levels[at];
            self.count(level, sparse);
            for place in 0..level.measures.len() {
                self.measure(level, at, place, sparse);
            }
        }
        Ok(())
    }

    /// From the groups of the level before to those of a level. Whether some rows have fallen out of all groups.
    fn fall(&mut self, level: &mut OfLevel, mut sparse: bool) -> bool {
        let OfLevel { parts, groups, .. } = level;
        for (place, part) in parts.iter_mut().enumerate() {
            number(part, &self.cells[part.field], &mut self.part);
            if place == 0 {
                groups.has(part.len());
            }
            sparse |= !part.takes_all() && self.part.contains(&NONE);
            if sparse {
                for (number, part) in self.numbers.iter_mut().zip(&self.part) {
                    let out = *number == NONE || *part == NONE;
                    *number = if out { NONE } else { groups.join_one(place, *number, *part) };
                }
            } else {
                groups.join(place, &mut self.numbers, &self.part);
            }
        }
        sparse
    }

    fn count(&mut self, level: &mut OfLevel, sparse: bool) {
        let dense = &mut self.dense.0;
        dense.clear();
        if sparse {
            dense.extend(self.numbers.iter().copied().filter(|number| *number != NONE));
        }
        let numbers = if sparse { dense } else { &self.numbers };
        self.counts.clear();
        self.summed = None;
        if level.counts.len() > FEW {
            return kernels::count(numbers, &mut level.counts);
        }
        self.counts.resize(level.counts.len(), 0);
        // The first field that can be summed up in the same steps is.
        let cells = &self.cells;
        let counted = |(_, measured): &(usize, &mut Measured)| {
            let cells = &cells[measured.field];
            !sparse && cells.are_whole() && kernels::count_with_sums(&measured.measures, cells.reads, cells.zone)
        };
        match level.measures.iter_mut().enumerate().find(counted) {
            Some((place, measured)) => {
                let cells = &self.cells[measured.field];
                let low = cells.zone.map_or(0, |(low, _)| low);
                kernels::count_and_sum(&mut measured.measures.moments, numbers, cells.bits(), low, &mut self.counts);
                self.summed = Some(place);
            }
            None => kernels::count(numbers, &mut self.counts),
        }
        level.counts.iter_mut().zip(&self.counts).for_each(|(all, count)| *all += count);
    }

    /// One field of one level.
    fn measure(&mut self, level: &mut OfLevel, at: usize, place: usize, sparse: bool) {
        let measured = &mut level.measures[place];
        let cells = &self.cells[measured.field];
        for (row, value) in &cells.odd {
            let number = self.numbers[*row as usize];
            if number != NONE {
                measured.measures.add(number, value.as_ref(), 1);
            }
        }
        let whole = !sparse && cells.are_whole();
        let (dense_numbers, dense_bits) = &mut self.dense;
        if !whole {
            dense_numbers.clear();
            dense_bits.clear();
            for (row, (number, bits)) in self.numbers.iter().zip(cells.bits()).enumerate() {
                if *number != NONE && cells.has.get(row).is_none_or(|has| *has == Has::Bits) {
                    dense_numbers.push(*number);
                    dense_bits.push(*bits);
                }
            }
        }
        let (numbers, bits) =
            if whole { (&self.numbers[..], cells.bits()) } else { (&dense_numbers[..], &dense_bits[..]) };
        if cells.reads == Reads::Codes && !measured.measures.needs.is_nothing() {
            self.tallies[at][place].add(numbers, bits);
        } else {
            let counts = if whole { &self.counts[..] } else { &[] };
            let summed = self.summed == Some(place);
            kernels::add_bits(&mut measured.measures, numbers, bits, counts, cells.zone, summed);
        }
    }

    /// Adds what the codes come to.
    pub(super) fn finish(self, accumulated: &mut Accumulated<'_>) {
        for (level, tallies) in accumulated.levels.iter_mut().zip(self.tallies) {
            for (measured, tally) in level.measures.iter_mut().zip(tallies) {
                let column = self.cells[measured.field].column;
                let mut values: Vec<Value> = Vec::new();
                for ((group, code), times) in tally.pairs.iter().zip(tally.times) {
                    if code as usize >= values.len() {
                        let from = values.len();
                        values.extend(copied(column, from..(code as usize + 1).next_power_of_two()));
                    }
                    let value = values.get(code as usize).map_or(ValueRef::Null, Value::as_ref);
                    debug_assert!(!value.is_null(), "codes of rows that are not marked stay as long as the pin");
                    measured.measures.add(group, value, times);
                }
            }
        }
    }
}

/// Values of a dictionary that are copied under one guard.
const SLICE: usize = 4_096;

/// A copy of a part of a dictionary; what is not there is missing.
fn copied(column: &Column, codes: std::ops::Range<usize>) -> Vec<Value> {
    let mut values = Vec::with_capacity(codes.len());
    for from in codes.clone().step_by(SLICE) {
        column.with_dictionary(|all| {
            let slice = all.get(from.min(all.len())..(from + SLICE).min(codes.end).min(all.len())).unwrap_or_default();
            values.extend(slice.iter().map(|value| value.clone().unwrap_or(Value::NULL)));
        });
    }
    values
}

/// The numbers of one part, by row; `NONE` where a value has no bucket.
fn number(part: &mut Numbers, cells: &Cells<'_>, numbers: &mut Vec<u32>) {
    numbers.clear();
    let bits = cells.bits();
    if cells.are_whole()
        && let Some(number) = cells.zone.and_then(|zone| part.of_zone(zone))
    {
        return numbers.resize(bits.len(), number);
    }
    match cells.reads {
        Reads::Bits(_) if cells.are_whole() => {
            numbers.resize(bits.len(), NONE);
            part.of_bits(bits, numbers);
        }
        Reads::Bits(_) => {
            for (bits, has) in bits.iter().zip(&cells.has) {
                let mut number = [NONE];
                match has {
                    Has::Bits => part.of_bits(&[*bits], &mut number),
                    Has::Nothing => number = [part.of_missing()],
                    Has::Odd => {}
                }
                numbers.extend(number);
            }
            for (row, value) in &cells.odd {
                numbers[*row as usize] = part.of_value(value.as_ref());
            }
        }
        Reads::Codes => number_codes(part, cells, numbers),
    }
}

fn number_codes(part: &mut Numbers, cells: &Cells<'_>, numbers: &mut Vec<u32>) {
    let bits = cells.bits();
    let has = |row: usize| cells.has.get(row).is_none_or(|has| *has == Has::Bits);
    // All that has a value lies in the zone.
    let highest = cells.zone.map_or_else(
        || bits.iter().enumerate().filter(|(row, _)| has(*row)).map(|(_, code)| *code).max().unwrap_or(0),
        |(_, high)| high,
    );
    let known = part.of_codes(highest as usize + 1);
    if cells.are_whole() {
        numbers.extend(bits.iter().map(|code| known[*code as usize]));
    } else {
        let of_row = |(row, code): (usize, &u64)| if has(row) { known[*code as usize] } else { NONE };
        numbers.extend(bits.iter().enumerate().map(of_row));
        if cells.has.contains(&Has::Nothing) {
            let missing = part.of_missing();
            let rows = numbers.iter_mut().zip(&cells.has);
            rows.filter(|(_, has)| **has == Has::Nothing).for_each(|(number, _)| *number = missing);
        }
    }
    if !numbers.contains(&UNKNOWN) {
        return;
    }
    let mut new: Vec<u64> =
        numbers.iter().zip(bits).filter(|(number, _)| **number == UNKNOWN).map(|(_, code)| *code).collect();
    new.sort_unstable();
    new.dedup();
    let values: Vec<Option<Value>> =
        cells.column.with_dictionary(|all| new.iter().map(|code| all.get(*code as usize).cloned().flatten()).collect());
    for (code, value) in new.iter().zip(&values) {
        debug_assert!(value.is_some(), "codes of rows that are not marked stay as long as the pin");
        let number = part.of_value(value.as_ref().map_or(ValueRef::Null, Value::as_ref));
        part.of_codes(0)[*code as usize] = number;
    }
    let known = part.of_codes(0);
    let unknown = numbers.iter_mut().zip(bits).filter(|(number, _)| **number == UNKNOWN);
    unknown.for_each(|(number, code)| *number = known[*code as usize]);
}

impl Tally {
    fn add(&mut self, numbers: &[u32], codes: &[u64]) {
        for (number, code) in numbers.iter().zip(codes) {
            let pair = self.pairs.number(*number, *code as u32) as usize;
            if pair == self.times.len() {
                self.times.push(0);
            }
            self.times[pair] += 1;
        }
    }
}

//! Statistics of rows whose fields all have columns, a page at a time: read the cells of all columns, reload the
//! marks, then process the trusted rows field by field, in loops over arrays that fit the L1 cache (as in
//! MonetDB/X100).
//!
//! For a dictionary column, only the frequency of each code in each group is accumulated. The metrics are computed
//! from these once, at the end.

use super::accumulate::{Accumulated, OfLevel};
use super::cells::{Cells, Has, Source};
use super::groups::{NONE, Pairs};
use super::kernels::{self, FEW};
use super::parts::{BucketIds, UNKNOWN};
use crate::error::QueryError;
use crate::limits::PAGE_ROWS;
use crate::storage::{Column, Encoding, Packed, PackedCells, with_cells};
use memdex_query::value::{Value, ValueRef};

pub(super) struct ByColumns<'t> {
    /// By field.
    pub(super) cells: Vec<Cells<'t>>,
    /// By row: the number of its group on the current level.
    numbers: Vec<u32>,
    /// By row: the number of one key part.
    part: Vec<u32>,
    /// Rows of the current page in each group, if there are few groups.
    counts: Vec<u64>,
    /// Position of the field that was summed together with the counts.
    summed: Option<usize>,
    /// Group numbers and bits of the rows that have both.
    dense: (Vec<u32>, Vec<u64>),
    /// By level, then by measured field.
    tallies: Vec<Vec<CodeCounts>>,
}

/// Frequency of each code in each group.
struct CodeCounts {
    pairs: Pairs,
    times: Vec<u64>,
}

impl<'t> ByColumns<'t> {
    pub(super) fn new(columns: &[&'t Column], accumulated: &Accumulated<'_>) -> Self {
        let tally = || CodeCounts { pairs: Pairs::new(), times: Vec::new() };
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

    /// Picks the cells of the trusted rows; see [`Cells::pick`].
    pub(super) fn pick(&mut self, source: Source<'_>, picks: Option<&[u16]>) {
        self.cells.iter_mut().for_each(|cells| cells.pick(source, picks));
    }

    /// Adds the picked rows; `rows` is their number.
    pub(super) fn add(&mut self, accumulated: &mut Accumulated<'_>, rows: usize) -> Result<(), QueryError> {
        debug_assert!(self.cells.iter().all(|cells| cells.bits().len() == rows));
        if let [all, level] = &mut accumulated.levels[..]
            && all.measures.is_empty()
            && let Some(sums) = self.by_code(level)
        {
            all.counts[0] += rows as u64;
            return self.add_by_code(accumulated, &sums);
        }
        self.numbers.clear();
        self.numbers.resize(rows, 0);
        // Whether some rows belong to no group.
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

    /// Count and sum by code, if the query needs nothing else and there are few codes. Saves a group lookup per row.
    fn by_code(&self, level: &OfLevel) -> Option<[(u64, i128); FEW]> {
        // Values without a bucket have no number.
        let [part] = &level.parts[..] else { return None };
        if !part.takes_all() {
            return None;
        }
        let codes = &self.cells[part.field];
        let few = codes.encoding == Encoding::Codes
            && codes.are_whole()
            && codes.zone.is_some_and(|(_, high)| high < FEW as u64);
        let Packed { base: 0, cells: PackedCells::One(codes) } = codes.bits() else { return None };
        match &level.measures[..] {
            _ if !few => None,
            [] => Some(kernels::count_few(codes).map(|count| (count, 0))),
            [measured] => {
                let cells = &self.cells[measured.field];
                let sums = cells.are_whole() && kernels::count_with_sums(&measured.measures, cells.encoding);
                let low = (sums && measured.measures.needs.is_sums())
                    .then(|| kernels::low_of_close(cells.bits(), cells.zone))??;
                Some(kernels::count_and_sum(codes, cells.bits(), low))
            }
            _ => None,
        }
    }

    fn add_by_code(&self, accumulated: &mut Accumulated<'_>, sums: &[(u64, i128); FEW]) -> Result<(), QueryError> {
        let OfLevel { parts, groups, .. } = &mut accumulated.levels[1];
        let part = &mut parts[0];
        let of_codes = part.of_codes(FEW);
        let new: Vec<usize> = (0..FEW).filter(|code| sums[*code].0 > 0 && of_codes[*code] == UNKNOWN).collect();
        if !new.is_empty() {
            learn(part, self.cells[part.field].column, &new);
            groups.has(part.len());
            accumulated.grow()?;
        }
        let OfLevel { parts, counts, measures, .. } = &mut accumulated.levels[1];
        let numbers = parts[0].of_codes(FEW);
        for (number, (count, sum)) in numbers.iter().zip(sums).filter(|(_, (count, _))| *count > 0) {
            let group = *number as usize;
            counts[group] += count;
            if let [measured] = &mut measures[..] {
                measured.measures.counts[group] += count;
                kernels::add_ints(&mut measured.measures.moments[group], *count, *sum);
            }
        }
        Ok(())
    }

    /// Moves rows from the groups of the previous level to those of this one. Returns whether some rows belong to no
    /// group.
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
                groups.join(place, &mut self.numbers, &mut self.part);
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
        // Sum the first field that can be summed in the same pass.
        let cells = &self.cells;
        let summed = level.measures.iter_mut().enumerate().find_map(|(place, measured)| {
            let cells = &cells[measured.field];
            let several = !sparse && level.counts.len() > 1;
            let together = several && cells.are_whole() && kernels::count_with_sums(&measured.measures, cells.encoding);
            let low = together.then(|| kernels::low_of_close(cells.bits(), cells.zone))??;
            Some((place, &mut measured.measures.moments, cells.bits(), low))
        });
        self.summed = summed.as_ref().map(|(place, ..)| *place);
        match summed {
            Some((_, moments, bits, low)) => {
                let sums = kernels::count_and_sum(numbers, bits, low);
                for ((moments, all), (count, sum)) in moments.iter_mut().zip(&mut self.counts).zip(sums) {
                    kernels::add_ints(moments, count, sum);
                    *all = count;
                }
            }
            None => kernels::count(numbers, &mut self.counts),
        }
        level.counts.iter_mut().zip(&self.counts).for_each(|(all, count)| *all += count);
    }

    /// Measures one field of one level.
    fn measure(&mut self, level: &mut OfLevel, at: usize, place: usize, sparse: bool) {
        let measured = &mut level.measures[place];
        let cells = &self.cells[measured.field];
        for (row, value) in &cells.overflow {
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
            let bits = cells.bits();
            for (row, number) in self.numbers.iter().enumerate() {
                if *number != NONE && cells.has.get(row).is_none_or(|has| *has == Has::Bits) {
                    dense_numbers.push(*number);
                    dense_bits.push(bits.get(row));
                }
            }
        }
        let (numbers, bits) =
            if whole { (&self.numbers[..], cells.bits()) } else { (&dense_numbers[..], Packed::plain(dense_bits)) };
        if cells.encoding == Encoding::Codes && !measured.measures.needs.is_nothing() {
            self.tallies[at][place].add(numbers, bits);
        } else {
            let counts = if whole { &self.counts[..] } else { &[] };
            let summed = self.summed == Some(place);
            kernels::add_bits(&mut measured.measures, numbers, bits, counts, cells.zone, summed);
        }
    }

    /// Adds the values of the counted codes.
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
                    debug_assert!(!value.is_null(), "a pinned snapshot must retain the codes of unmarked rows");
                    measured.measures.add(group, value, times);
                }
            }
        }
    }
}

/// Number of dictionary values to copy under one guard.
const SLICE: usize = 4_096;

/// Copies a part of a dictionary; absent values are null.
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

/// The numbers of one key part, by row; `NONE` for a value without a bucket.
fn number(part: &mut BucketIds, cells: &Cells<'_>, numbers: &mut Vec<u32>) {
    numbers.clear();
    let bits = cells.bits();
    if cells.are_whole()
        && let Some(number) = cells.zone.and_then(|zone| part.of_zone(zone))
    {
        return numbers.resize(bits.len(), number);
    }
    match cells.encoding {
        Encoding::Bits(_) if cells.are_whole() => {
            numbers.resize(bits.len(), NONE);
            part.of_bits(bits, cells.zone, numbers);
        }
        Encoding::Bits(_) => {
            for (row, has) in cells.has.iter().enumerate() {
                let mut number = [NONE];
                match has {
                    Has::Bits => part.of_bits(Packed::plain(&[bits.get(row)]), None, &mut number),
                    Has::Nothing => number = [part.of_missing()],
                    Has::Overflow => {}
                }
                numbers.extend(number);
            }
            for (row, value) in &cells.overflow {
                numbers[*row as usize] = part.of_value(value.as_ref());
            }
        }
        Encoding::Codes => number_codes(part, cells, numbers),
    }
}

/// Codes below this are looked up in an array.
const FEW_CODES: usize = 64;

fn number_codes(part: &mut BucketIds, cells: &Cells<'_>, numbers: &mut Vec<u32>) {
    let bits = cells.bits();
    let has = |row: usize| cells.has.get(row).is_none_or(|has| *has == Has::Bits);
    // The zone covers every row that has a value.
    let highest = cells.zone.map_or_else(
        || (0..bits.len()).filter(|row| has(*row)).map(|row| bits.get(row)).max().unwrap_or(0),
        |(_, high)| high,
    );
    let (known, base) = (part.of_codes(highest as usize + 1), bits.base as usize);
    if cells.are_whole() && highest < FEW_CODES as u64 {
        // A fixed-size array lets the compiler omit bounds checks.
        let mut few = [UNKNOWN; FEW_CODES];
        few.iter_mut().zip(&*known).for_each(|(few, known)| *few = *known);
        with_cells!(bits, |cells| numbers.extend(cells.iter().map(|code| few[(base + *code as usize) % FEW_CODES])));
    } else if cells.are_whole() {
        with_cells!(bits, |cells| numbers.extend(cells.iter().map(|code| known[base + *code as usize])));
    } else {
        numbers.extend((0..bits.len()).map(|row| if has(row) { known[bits.get(row) as usize] } else { NONE }));
        if cells.has.contains(&Has::Nothing) {
            let missing = part.of_missing();
            let rows = numbers.iter_mut().zip(&cells.has);
            rows.filter(|(_, has)| **has == Has::Nothing).for_each(|(number, _)| *number = missing);
        }
    }
    if numbers.contains(&UNKNOWN) {
        number_new_codes(part, cells, numbers);
    }
}

/// Assigns numbers to new codes.
fn number_new_codes(part: &mut BucketIds, cells: &Cells<'_>, numbers: &mut [u32]) {
    let bits = cells.bits();
    let known = part.of_codes(0);
    let mut new: Vec<usize> = Vec::new();
    for (row, _) in numbers.iter().enumerate().filter(|(_, number)| **number == UNKNOWN) {
        let code = bits.get(row) as usize;
        if std::mem::replace(&mut known[code], NONE) == UNKNOWN {
            new.push(code);
        }
    }
    learn(part, cells.column, &new);
    let known = part.of_codes(0);
    let unknown = numbers.iter_mut().enumerate().filter(|(_, number)| **number == UNKNOWN);
    unknown.for_each(|(row, number)| *number = known[bits.get(row) as usize]);
}

/// Looks up codes in the dictionary and stores their numbers.
fn learn(part: &mut BucketIds, column: &Column, codes: &[usize]) {
    let values: Vec<Option<Value>> =
        column.with_dictionary(|all| codes.iter().map(|code| all.get(*code).cloned().flatten()).collect());
    for (code, value) in codes.iter().zip(&values) {
        debug_assert!(value.is_some(), "a pinned snapshot must retain the codes of unmarked rows");
        let number = part.of_value(value.as_ref().map_or(ValueRef::Null, Value::as_ref));
        part.of_codes(0)[*code] = number;
    }
}

impl CodeCounts {
    fn add(&mut self, numbers: &[u32], codes: Packed<'_>) {
        with_cells!(codes, |cells| for (number, code) in numbers.iter().zip(cells) {
            let pair = self.pairs.number(*number, (codes.base + u64::from(*code)) as u32) as usize;
            if pair == self.times.len() {
                self.times.push(0);
            }
            self.times[pair] += 1;
        });
    }
}

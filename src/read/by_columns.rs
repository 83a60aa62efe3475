//! The first records in an order, selected by columns before any record is fetched.

use super::execute::Matches;
use super::order::{SortField, is_constant};
use super::snapshot::AnyView;
use super::sort::TopK;
use crate::record::Condition;
use crate::rowset::{Row, RowSet};
use crate::storage::{Column, Encoding, RowCells, SharedVersion, TableCore};
use crate::testing::meter;
use memdex_query::value::{Value, saturated_bits};

/// The records among which the first ones in an order are. `matches` are all that match.
pub(super) fn select(view: AnyView<'_>, top: &TopK<'_>, columns: &[usize], matches: Matches) -> Vec<SharedVersion> {
    let Matches { rows, versions } = matches;
    Selection { view, top, columns, versions }.select(&rows)
}

/// The columns of the fields of an order, by their places in the table; `None` if a field has no column.
pub(super) fn columns_of(table: &TableCore, condition: &Condition, top: &TopK<'_>) -> Option<Vec<usize>> {
    // The sort keys of columns have an order within one kind only.
    if top.after.is_some_and(|place| !place.same_kinds) {
        return None;
    }
    let deciding = top.order.fields.iter().filter(|field| !is_constant(condition, &field.at));
    let place = |field: &SortField| table.columns.iter().position(|column| column.field == field.at.position());
    deciding.map(place).collect()
}

/// Selects the first of many rows by columns. Keeps all rows that are equal in all columns: their keys decide later.
struct Selection<'a> {
    view: AnyView<'a>,
    top: &'a TopK<'a>,
    columns: &'a [usize],
    /// Records that are candidates in any case.
    versions: Vec<SharedVersion>,
}

impl Selection<'_> {
    fn select(mut self, rows: &RowSet) -> Vec<SharedVersion> {
        let mut kept = Vec::new();
        meter::look(rows.len());
        self.among(rows.iter().collect(), 0, self.top.first, self.top.after.is_some(), &mut kept);
        kept.sort_unstable();
        self.view.table.fetch(&kept, self.view.at, &mut self.versions);
        self.versions
    }

    /// Keeps the first of these rows, which are equal in the columns before this one. If `behind`, they are also equal to the place after
    /// which records are requested, so rows before it are dropped.
    fn among(&mut self, mut rows: Vec<Row>, level: usize, first: usize, behind: bool, kept: &mut Vec<Row>) {
        let Some(&place) = self.columns.get(level).filter(|_| behind || rows.len() > first) else {
            return kept.extend(rows);
        };
        rows.sort_unstable();
        let column = &self.view.table.columns[place];
        let fields = &self.top.order.fields;
        let Some(at) = fields.iter().position(|field| field.at.position() == column.field) else {
            return kept.extend(rows);
        };
        let from = self.top.after.filter(|_| behind).and_then(|after| after.values.get(at));
        let SortKeys { mut keys, from } = self.sort_keys(column, &fields[at], &rows, from);
        if let Some(from) = from {
            self.equal(&keys, from, level, first, true, kept);
            keys.retain(|(key, _)| *key > from);
        }
        if keys.len() > first {
            let (_, (last, _), _) = keys.select_nth_unstable(first.saturating_sub(1));
            let last = *last;
            let before = keys.iter().filter(|(key, _)| *key < last).count();
            self.equal(&keys, last, level, first.saturating_sub(before), false, kept);
            keys.retain(|(key, _)| *key < last);
        }
        kept.extend(keys.into_iter().map(|(_, row)| row));
    }

    /// Keeps the first of the rows with one sort key.
    fn equal(
        &mut self,
        keys: &[(SortKey, Row)],
        key: SortKey,
        level: usize,
        first: usize,
        behind: bool,
        kept: &mut Vec<Row>,
    ) {
        let rows = keys.iter().filter(|(own, _)| *own == key).map(|(_, row)| *row);
        if key.is_exact {
            self.among(rows.collect(), level + 1, first, behind, kept);
        } else {
            kept.extend(rows);
        }
    }

    /// The sort keys of rows, and that of the place `from`. Rows that commits have changed meanwhile become candidates.
    fn sort_keys(&mut self, column: &Column, field: &SortField, rows: &[Row], from: Option<&Value>) -> SortKeys {
        let mut cells = RowCells::default();
        // A part, and after it the marks.
        column.read_rows(rows, &mut cells);
        let changed = self.view.changed();
        let missing = SortKey { class: if field.nulls_first { 0 } else { 2 }, bits: 0, is_exact: true };
        let directed = |bits: u64| if field.descending { !bits } else { bits };
        let of_bits = |bits: u64| SortKey { class: 1, bits: directed(bits), is_exact: !column.is_escape(bits) };
        let (key, from): (Box<dyn Fn(u64) -> SortKey>, _) = match column.encoding() {
            Encoding::Bits(_) => {
                let of_value = |value: &Value| saturated_bits(value.as_ref()).map_or(missing, of_bits);
                (Box::new(of_bits), from.map(of_value))
            }
            Encoding::Codes => {
                let (ranks, from) = ranks(column, from);
                let of_rank = move |rank: u64| SortKey { class: 1, bits: directed(rank), is_exact: true };
                let of_code = move |code: u64| of_rank(ranks.get(code as usize).copied().unwrap_or(0));
                (Box::new(of_code), from.map(|rank| rank.map_or(missing, of_rank)))
            }
        };
        let mut keys = Vec::with_capacity(rows.len());
        let mut moved = Vec::new();
        for ((row, bits), present) in rows.iter().zip(&cells.bits).zip(&cells.present) {
            if changed.has(*row) {
                moved.push(*row);
            } else {
                keys.push((if *present { key(*bits) } else { missing }, *row));
            }
        }
        // They match: nothing had changed them when the marks were loaded after the last part of the condition.
        self.view.table.fetch(&moved, self.view.at, &mut self.versions);
        SortKeys { keys, from }
    }
}

struct SortKeys {
    keys: Vec<(SortKey, Row)>,
    from: Option<SortKey>,
}

/// The sort key of a row in one field: keys have the order of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SortKey {
    class: u8,
    bits: u64,
    /// Whether equal keys mean equal values.
    is_exact: bool,
}

/// By code the rank of its value in the order of values, and the rank of `from`; `Some(None)` if that is missing. Ranks are even, so that
/// the rank of a value that the dictionary lacks lies between two.
fn ranks(column: &Column, from: Option<&Value>) -> (Vec<u64>, Option<Option<u64>>) {
    column.with_dictionary(|values| {
        let mut codes: Vec<(&Value, usize)> =
            values.iter().enumerate().filter_map(|(code, value)| Some((value.as_ref()?, code))).collect();
        codes.sort_unstable();
        let mut ranks = vec![0; values.len()];
        codes.iter().enumerate().for_each(|(rank, (_, code))| ranks[*code] = 2 * rank as u64 + 2);
        let from = from.map(|from| {
            let rank = 2 * codes.partition_point(|(value, _)| *value < from) as u64 + 2;
            let is_there = codes.iter().any(|(value, _)| *value == from);
            (!from.as_ref().is_null()).then_some(if is_there { rank } else { rank - 1 })
        });
        (ranks, from)
    })
}

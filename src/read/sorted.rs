//! The first records in an order: which of the ways to them is expected to cost least, and the ones that begin with all matches. (The
//! way along an index is [`super::walk`].)

use super::choice::Chooser;
use super::cost;
use super::execute::{Matches, execute};
use super::order::{Order, SortField};
use super::plan::Plan;
use super::planner;
use super::snapshot::View;
use super::walk::{self, WalkPlan};
use crate::query::Cursor;
use crate::record::{Condition, Record, Test};
use crate::rowset::{Row, RowSet};
use crate::storage::{Column, Reads, RowCells, Version};
use crate::sync::Arc;
use crate::user_code;
use crate::value::{Value, saturated_bits};

/// Which records are wanted.
pub(super) struct Wanted<'a> {
    pub(super) order: &'a Order,
    /// Only those behind this place.
    pub(super) after: Option<&'a Cursor>,
    /// At most so many.
    pub(super) first: usize,
}

/// How they are found.
pub(super) enum Way {
    /// All matches are fetched and put in order.
    Sort(Plan),
    /// Of all matches the first are chosen by these columns, one for each field, then fetched.
    Columns(Plan, Vec<usize>),
    /// Along an index that has the order.
    Walk(Box<WalkPlan>),
}

/// Chooses the way. Says what it is expected to cost.
pub(super) fn way<R: Record>(view: &View<R>, condition: &Condition, wanted: &Wanted<'_>, chooser: &Chooser) -> Way {
    let table = &*view.table;
    let plan = planner::plan(table, condition, chooser);
    let matches = plan.rows as f64;
    // A record that was looked at is fetched.
    let fetch = if plan.is_exact() { cost::LOOK } else { 0.0 };
    let sort = plan.cost + matches * (fetch + cost::COMPARED);
    let columns = columns_of(view, condition, wanted.order).filter(|_| wanted.first < plan.rows && plan.is_exact());
    let by_columns = columns.as_ref().map(|columns| {
        plan.cost + matches * columns.len().max(1) as f64 * cost::SCATTERED_CELL + wanted.first as f64 * cost::LOOK
    });
    let mut walks = walk::plans(table, condition, wanted, chooser, plan.rows);
    let mut costs = vec![sort];
    costs.extend(by_columns);
    costs.extend(walks.iter().map(|walk| walk.cost));
    let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
    let picked = chooser.pick(&costs.iter().map(|cost| *cost <= least).collect::<Vec<_>>());
    match (picked, columns) {
        (0, _) => Way::Sort(plan),
        (1, Some(columns)) => Way::Columns(plan, columns),
        (at, columns) => Way::Walk(Box::new(walks.swap_remove(at - 1 - usize::from(columns.is_some())))),
    }
}

/// The wanted records, in their order.
pub(super) fn first<R: Record>(
    view: &View<R>,
    condition: &Condition,
    wanted: &Wanted<'_>,
    way: &Way,
) -> Vec<Arc<Version<R>>> {
    match way {
        Way::Sort(plan) => in_order(execute(view, condition, plan).fetch(view), wanted),
        Way::Columns(plan, columns) => {
            let Matches { rows, versions } = execute(view, condition, plan);
            let chosen = Selection { view, wanted, columns, versions }.choose(&rows);
            in_order(chosen, wanted)
        }
        Way::Walk(walk) => walk::first(view, condition, wanted, walk).found,
    }
}

/// Of these records the wanted ones, in their order.
pub(super) fn in_order<R: Record>(mut versions: Vec<Arc<Version<R>>>, wanted: &Wanted<'_>) -> Vec<Arc<Version<R>>> {
    let _scope = user_code::Scope::enter();
    let Wanted { order, after, first } = *wanted;
    if let Some(Cursor { values, key, .. }) = after {
        versions.retain(|version| order.compare_to_place(version, values, key).is_gt());
    }
    if first < versions.len() {
        versions.select_nth_unstable_by(first, |a, b| order.compare(a, b));
        versions.truncate(first);
    }
    versions.sort_unstable_by(|a, b| order.compare(a, b));
    versions
}

/// The fields for which all records that meet a condition have the same value.
pub(super) fn is_constant(condition: &Condition, field: &crate::record::FieldAt) -> bool {
    let constant = |part: &Condition| matches!(part, Condition::Test(of, Test::Eq(_) | Test::IsNull) if of == field);
    condition.conjuncts().iter().any(constant)
}

/// The columns of the fields of an order, by their places; `None` if one has none.
fn columns_of<R: Record>(view: &View<R>, condition: &Condition, order: &Order) -> Option<Vec<usize>> {
    let deciding = order.0.iter().filter(|field| !is_constant(condition, &field.at));
    let place = |field: &SortField| view.table.columns.iter().position(|column| column.field == field.at.position());
    deciding.map(place).collect()
}

/// Chooses the first of many rows by columns. Rows that are equal in all of them are all kept: their keys decide later.
struct Selection<'a, R: Record> {
    view: &'a View<R>,
    wanted: &'a Wanted<'a>,
    columns: &'a [usize],
    /// Records that are candidates in any case.
    versions: Vec<Arc<Version<R>>>,
}

impl<R: Record> Selection<'_, R> {
    /// Records among which the wanted ones are.
    fn choose(mut self, rows: &RowSet) -> Vec<Arc<Version<R>>> {
        let mut kept = Vec::new();
        self.among(rows.iter().collect(), 0, self.wanted.first, self.wanted.after.is_some(), &mut kept);
        kept.sort_unstable();
        let pages = &self.view.table.pages;
        pages.fetch(kept, self.view.snapshot.commit(), |version| self.versions.push(version));
        self.versions
    }

    /// Keeps the first of these rows, which are equal in the columns before this one; `behind` says that they are equal to the place behind
    /// which records are wanted, so that those before it are not.
    fn among(&mut self, mut rows: Vec<Row>, level: usize, first: usize, behind: bool, kept: &mut Vec<Row>) {
        let Some(&place) = self.columns.get(level).filter(|_| behind || rows.len() > first) else {
            return kept.extend(rows);
        };
        rows.sort_unstable();
        let column = &self.view.table.columns[place];
        let fields = &self.wanted.order.0;
        let Some(at) = fields.iter().position(|field| field.at.position() == column.field) else {
            return kept.extend(rows);
        };
        let from = self.wanted.after.filter(|_| behind).and_then(|after| after.values.get(at));
        let Leads { mut leads, from } = self.leads(column, &fields[at], &rows, from);
        if let Some(from) = from {
            self.equal(&leads, from, level, first, true, kept);
            leads.retain(|(lead, _)| *lead > from);
        }
        if leads.len() > first {
            let (_, (last, _), _) = leads.select_nth_unstable(first.saturating_sub(1));
            let last = *last;
            let before = leads.iter().filter(|(lead, _)| *lead < last).count();
            self.equal(&leads, last, level, first.saturating_sub(before), false, kept);
            leads.retain(|(lead, _)| *lead < last);
        }
        kept.extend(leads.into_iter().map(|(_, row)| row));
    }

    /// Keeps the first of the rows with a lead.
    fn equal(
        &mut self,
        leads: &[(Lead, Row)],
        lead: Lead,
        level: usize,
        first: usize,
        behind: bool,
        kept: &mut Vec<Row>,
    ) {
        let rows = leads.iter().filter(|(own, _)| *own == lead).map(|(_, row)| *row);
        if lead.is_exact {
            self.among(rows.collect(), level + 1, first, behind, kept);
        } else {
            kept.extend(rows);
        }
    }

    /// What rows are led by, and what the place `from` is led by. Rows that commits are changing meanwhile are candidates from here on.
    fn leads(&mut self, column: &Column, field: &SortField, rows: &[Row], from: Option<&Value>) -> Leads {
        let (table, epoch) = (&*self.view.table, self.view.snapshot.commit());
        let mut cells = RowCells::default();
        // A part, and after it the marks.
        column.read_rows(rows, &mut cells);
        let changed = table.marks.after(epoch);
        let missing = Lead { class: if field.nulls_first { 0 } else { 2 }, bits: 0, is_exact: true };
        let directed = |bits: u64| if field.descending { !bits } else { bits };
        let of_bits = |bits: u64| Lead { class: 1, bits: directed(bits), is_exact: !column.is_escape(bits) };
        let (lead, from): (Box<dyn Fn(u64) -> Lead>, _) = match column.reads() {
            Reads::Bits(_) => {
                let of_value = |value: &Value| saturated_bits(value.as_ref()).map_or(missing, of_bits);
                (Box::new(of_bits), from.map(of_value))
            }
            Reads::Codes => {
                let (ranks, from) = ranks(column, from);
                let of_rank = move |rank: u64| Lead { class: 1, bits: directed(rank), is_exact: true };
                let of_code = move |code: u64| of_rank(ranks.get(code as usize).copied().unwrap_or(0));
                (Box::new(of_code), from.map(|rank| rank.map_or(missing, of_rank)))
            }
        };
        let mut leads = Vec::with_capacity(rows.len());
        let mut moved = Vec::new();
        for ((row, bits), present) in rows.iter().zip(&cells.bits).zip(&cells.present) {
            if changed.has(*row) {
                moved.push(*row);
            } else {
                leads.push((if *present { lead(*bits) } else { missing }, *row));
            }
        }
        // They are known to match: nothing had changed them when the marks were loaded after the last part of the condition.
        table.pages.fetch(moved, epoch, |version| self.versions.push(version));
        Leads { leads, from }
    }
}

struct Leads {
    leads: Vec<(Lead, Row)>,
    from: Option<Lead>,
}

/// What a row is led by in one field: the order of leads is that of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lead {
    class: u8,
    bits: u64,
    /// Whether equal leads are those of equal values.
    is_exact: bool,
}

/// By code the place of its value in the order of values, and the place of `from`; `Some(None)` if that is missing. Places are even, so that
/// one for a value which the dictionary does not have lies between two.
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

//! The planner turns a condition into a plan. It is the only place that chooses which index, column or record scan
//! evaluates each part; every choice gives the same rows.
//!
//! For a conjunction, the planner takes steps by ascending row count, as long as a step costs less than the record
//! evaluations that it saves. Indexes provide the row counts (posting lengths, directory ranks); parts are assumed to
//! be independent.

use super::choice::Chooser;
use super::cost;
use super::estimate;
use super::plan::{Lookup, Plan, Source, Step};
use crate::error::Commit;
use crate::index::Index;
use crate::record::{Condition, FieldAt, FieldDef, IndexKind, Test};
use crate::storage::TableCore;
use crate::sync::Arc;
use memdex_query::value::Value;

/// Plans how to find the records of `table` that match `condition`.
pub(super) fn plan(table: &TableCore, condition: &Condition, chooser: &Chooser) -> Plan {
    let planner = Planner::new(table, chooser);
    let (rows, scan) = (planner.total, planner.total as f64 * cost::SCAN);
    match planner.known(condition) {
        Some(Known { step, residual }) => {
            let evaluations = if residual.is_some() { step.rows as f64 * cost::EVALUATION } else { 0.0 };
            Plan { rows: step.rows, cost: step.cost + evaluations, access: Some(step), residual }
        }
        None => Plan { access: None, residual: Some(condition.clone()), rows, cost: scan },
    }
}

pub(super) struct Planner<'a> {
    table: &'a TableCore,
    pub(super) indexes: Arc<[Arc<dyn Index>]>,
    chooser: &'a Chooser,
    /// Approximate number of records.
    pub(super) total: usize,
}

/// A step whose rows include every match.
pub(super) struct Known {
    pub(super) step: Step,
    /// Residual filter to evaluate on each candidate row.
    pub(super) residual: Option<Condition>,
}

/// A step that can evaluate some parts of a conjunction.
struct Candidate {
    step: Step,
    /// Positions of the parts that the step decides; empty if it only narrows.
    answers: Vec<usize>,
}

/// Maximum number of combinations of listed values for which a composite index is looked up.
const MOST_PREFIXES: usize = 64;

impl<'a> Planner<'a> {
    pub(super) fn new(table: &'a TableCore, chooser: &'a Chooser) -> Self {
        Planner { table, indexes: table.indexes(), chooser, total: table.lengths.newest(|| Commit::MAX) }
    }

    /// The step that indexes and columns provide for a condition, if any.
    pub(super) fn known(&self, condition: &Condition) -> Option<Known> {
        match condition {
            Condition::All => Some(self.exact(self.all())),
            Condition::Nothing => Some(self.exact(Step::nothing())),
            Condition::Or(parts) => self.any(condition, parts),
            Condition::Not(part) => self.opposite(part),
            Condition::And(_) | Condition::Test(..) | Condition::Undeclared(..) | Condition::Element(..) => {
                self.every(condition, condition.conjuncts(), (self.total, cost::SCAN))
            }
        }
    }

    fn exact(&self, step: Step) -> Known {
        Known { step, residual: None }
    }

    fn all(&self) -> Step {
        Step { source: Source::All, rows: self.total, cost: cost::LOOKUP }
    }

    /// Plans a conjunction. `without` is the number of rows to evaluate, and the cost of each, if no step is taken.
    pub(super) fn every(&self, whole: &Condition, parts: &[Condition], without: (usize, f64)) -> Option<Known> {
        let mut candidates = self.candidates(whole, parts);
        candidates.sort_by(|a, b| {
            (a.step.rows, a.step.cost).partial_cmp(&(b.step.rows, b.step.cost)).unwrap_or(std::cmp::Ordering::Equal)
        });
        let mut open = vec![true; parts.len()];
        let mut count = parts.len();
        let mut taken: Vec<Step> = Vec::new();
        let (mut rows, mut per_row) = without;
        for Candidate { step, answers } in candidates {
            let answered = answers.iter().filter(|part| open[**part]).count();
            if answered == 0 && !answers.is_empty() {
                continue;
            }
            let left = cost::among(rows, step.rows, self.total);
            let then = if answered == count { 0.0 } else { left as f64 * cost::EVALUATION };
            let saved = match step.source {
                // The alternative is to read only the cells of the rows selected so far.
                Source::Column(..) if !taken.is_empty() => rows as f64 * per_row.min(cost::SCATTERED_CELL),
                _ => rows as f64 * per_row - then,
            };
            let better = step.cost < saved;
            if self.chooser.pick(&[better, !better]) == 0 {
                answers.iter().for_each(|part| open[*part] = false);
                count -= answered;
                rows = left;
                per_row = if count == 0 { 0.0 } else { cost::EVALUATION };
                taken.push(step);
            }
        }
        let cost = taken.iter().map(|step| step.cost).sum();
        let step = match taken.len() {
            0 => return None,
            1 => taken.pop()?,
            _ => Step { source: Source::And(taken), rows, cost },
        };
        let step = self.among(step, parts, &mut open, rows);
        let open = parts.iter().zip(open).filter(|(_, open)| *open);
        let residual: Vec<Condition> = open.map(|(part, _)| part.clone()).collect();
        Some(Known { step, residual: Condition::all_of(residual) })
    }

    /// Filters the rows of a step by the open parts that a column can evaluate, as long as reading the cells costs
    /// less than evaluating that many records.
    fn among(&self, mut step: Step, parts: &[Condition], open: &mut [bool], mut evaluations: usize) -> Step {
        for (part, open) in parts.iter().zip(open).filter(|(_, open)| **open) {
            let Condition::Test(field, test) = part else { continue };
            let Some(column) = self.column(field, test) else { continue };
            let cells = step.rows as f64 * cost::SCATTERED_CELL;
            let better = cells < evaluations as f64 * cost::EVALUATION;
            if self.chooser.pick(&[better, !better]) > 0 {
                continue;
            }
            let matching = self.table.columns[column].estimate(test);
            let rows = cost::among(step.rows, matching, self.total);
            evaluations = cost::among(evaluations, matching, self.total);
            let cost = step.cost + cells;
            let of = std::mem::replace(&mut step, Step::nothing());
            step = Step { source: Source::Among(Box::new(of), column, test.clone()), rows, cost };
            *open = false;
        }
        step
    }

    /// All steps that can evaluate some of the parts.
    fn candidates(&self, whole: &Condition, parts: &[Condition]) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            match part {
                Condition::Test(field, test) | Condition::Undeclared(field, test) => {
                    candidates.extend(self.of_test(field, test).map(|step| Candidate { step, answers: vec![at] }));
                }
                Condition::Element(list, condition) => {
                    let step = |step| Candidate { step, answers: Vec::new() };
                    candidates.extend(self.of_element(list, condition).into_iter().map(step));
                }
                other => candidates.extend(self.known(other).map(|Known { step, residual }| Candidate {
                    step,
                    answers: if residual.is_none() { vec![at] } else { Vec::new() },
                })),
            }
        }
        candidates.extend(self.of_key(parts));
        for index in self.indexes.iter() {
            let shape = &index.shape;
            let usable = shape.condition.as_ref().is_none_or(|when| whole.implies(when));
            if usable && (shape.fields.len() > 1 || shape.condition.is_some()) {
                candidates.extend(self.of_special(index, parts));
            }
        }
        candidates
    }

    /// A key lookup, if the parts fix every key field.
    fn of_key(&self, parts: &[Condition]) -> Option<Candidate> {
        let schema = &self.table.schema;
        let is_key = |field: &FieldAt| schema.fields().get(field.position()).is_some_and(FieldDef::is_key);
        if !parts.iter().any(|part| matches!(part, Condition::Test(field, _) if is_key(field))) {
            return None;
        }
        let fields = (0..schema.fields().len()).map(|at| schema.at(at)).filter(is_key).collect::<Vec<_>>();
        let (keys, answers) = match &fields[..] {
            [field] => tests_of(parts, field).find_map(|(part, test)| match test {
                Test::Eq(value) => Some((vec![vec![value.clone()]], vec![part])),
                Test::In(values) => Some((values.iter().map(|value| vec![value.clone()]).collect(), vec![part])),
                _ => None,
            })?,
            fields => prefixes(parts, fields.iter()),
        };
        let (rows, cost) = (keys.len().min(self.total), keys.len() as f64 * cost::LOOKUP);
        let step = Step { source: Source::Keys(keys), rows, cost };
        (answers.len() == fields.len()).then_some(Candidate { step, answers })
    }

    /// Plans a disjunction; `None` unless every part has a step.
    fn any(&self, whole: &Condition, parts: &[Condition]) -> Option<Known> {
        let known: Vec<Known> = parts.iter().map(|part| self.known(part)).collect::<Option<_>>()?;
        let residual = known.iter().any(|part| part.residual.is_some()).then(|| whole.clone());
        let steps: Vec<Step> = known.into_iter().map(|part| part.step).collect();
        Some(Known { step: self.either(steps), residual })
    }

    fn either(&self, mut steps: Vec<Step>) -> Step {
        if steps.len() == 1 {
            return steps.remove(0);
        }
        let rows = steps.iter().map(|step| step.rows).sum::<usize>().min(self.total);
        let cost = steps.iter().map(|step| step.cost).sum();
        Step { source: Source::Or(steps), rows, cost }
    }

    /// Plans a negation: the set of all rows minus the rows of the condition. The opposite comparison would be wrong,
    /// as a missing value makes both false. De Morgan's laws apply, as each part is either true or false.
    fn opposite(&self, condition: &Condition) -> Option<Known> {
        match condition {
            Condition::Or(parts) => {
                let opposites: Vec<Condition> = parts.iter().cloned().map(Condition::negated).collect();
                self.every(&Condition::And(opposites.clone()), &opposites, (self.total, cost::SCAN))
            }
            Condition::And(parts) => {
                let opposites: Vec<Condition> = parts.iter().cloned().map(Condition::negated).collect();
                self.any(&Condition::Or(opposites.clone()), &opposites)
            }
            other => {
                let Known { step, residual: None } = self.known(other)? else { return None };
                Some(self.exact(self.without(step)))
            }
        }
    }

    fn without(&self, step: Step) -> Step {
        let (rows, cost) = (self.total.saturating_sub(step.rows), step.cost + cost::of_values(1, self.total));
        Step { source: Source::Without(Box::new(self.all()), Box::new(step)), rows, cost }
    }

    /// Steps that evaluate one test: single-field indexes and the column of its field.
    fn of_test(&self, field: &FieldAt, test: &Test) -> impl Iterator<Item = Step> {
        let of_field = |index: &&Arc<dyn Index>| {
            index.shape.condition.is_none() && matches!(&index.shape.fields[..], [(of, _)] if of == field)
        };
        let by_indexes = self.indexes.iter().filter(of_field).filter_map(|index| self.of_index(index, test));
        by_indexes.chain(self.of_column(field, test)).collect::<Vec<_>>().into_iter()
    }

    /// Steps whose rows include every record with a matching element: the element's values are among those of the whole list.
    fn of_element(&self, list: &FieldAt, condition: &Condition) -> Vec<Step> {
        let schema = &self.table.schema;
        let within = |field: &FieldAt| Some(format!("{}.{}", list.path()?.name, field.path()?.name));
        let of_part = |part: &Condition| -> Vec<Step> {
            match part {
                Condition::Test(field, test) | Condition::Undeclared(field, test)
                    if !field.is_as_written() && !matches!(test, Test::HasNone | Test::IsNull) =>
                {
                    let Some(name) = within(field) else { return Vec::new() };
                    let at = match schema.find(&name) {
                        Some((at, def)) => def.is_many().then_some(at),
                        None => schema.undeclared(&name),
                    };
                    at.map_or(Vec::new(), |at| self.of_test(&at, test).collect())
                }
                Condition::Element(inner, condition) => {
                    let inner = within(inner).and_then(|name| schema.undeclared(&name));
                    inner.map_or(Vec::new(), |inner| self.of_element(&inner, condition))
                }
                _ => Vec::new(),
            }
        };
        condition.conjuncts().iter().flat_map(of_part).collect()
    }

    /// The rows that match a test, among the rows of a single-field index; `None` if the index can't evaluate it.
    fn of_index(&self, index: &Arc<dyn Index>, test: &Test) -> Option<Step> {
        let step = |lookup| self.look_up(index, lookup);
        Some(match test {
            Test::Eq(value) => step(Lookup::Value(value.clone())),
            Test::In(values) | Test::Any(values) => step(Lookup::Any(values.clone())),
            Test::IsNull | Test::HasNone => step(Lookup::Null),
            Test::Ne(value) => {
                let with = self.either(vec![step(Lookup::Value(value.clone())), step(Lookup::Null)]);
                self.without(with)
            }
            Test::All(values) if values.is_empty() => self.all(),
            Test::All(values) => step(Lookup::Every(values.clone())),
            // Of a field of many values: one of them lies in the range.
            Test::Has(test) if let Test::Range(..) = **test => return self.of_index(index, test),
            Test::Range(from, to) if index.shape.def.kind() == IndexKind::Ordered => {
                step(Lookup::Range(from.clone(), to.clone()))
            }
            Test::Range(..) | Test::Text(_) | Test::Has(_) => return None,
        })
    }

    fn look_up(&self, index: &Arc<dyn Index>, lookup: Lookup) -> Step {
        let rows = estimate::of_lookup(&**index, &lookup, self.total);
        let ordered = index.shape.def.kind() == IndexKind::Ordered;
        let cost = match &lookup {
            Lookup::Any(values) | Lookup::Every(values) if !ordered => cost::of_values(values.len(), rows),
            Lookup::Value(_) | Lookup::Null if !ordered => cost::of_values(1, rows),
            _ => cost::of_range(rows),
        };
        Step { source: Source::Index(index.clone(), lookup), rows, cost }
    }

    /// Position of the column that can evaluate a test.
    fn column(&self, field: &FieldAt, test: &Test) -> Option<usize> {
        if field.is_as_written() || matches!(test, Test::Has(_) | Test::Any(_) | Test::All(_) | Test::HasNone) {
            return None;
        }
        self.table.columns.iter().position(|column| column.field == field.position())
    }

    fn of_column(&self, field: &FieldAt, test: &Test) -> Option<Step> {
        let place = self.column(field, test)?;
        let rows = self.table.columns[place].estimate(test).min(self.total);
        let cells = Step { source: Source::Column(place, test.clone()), rows, cost: cost::of_column(self.total) };
        if *test != Test::IsNull {
            return Some(cells);
        }
        // The column has no value for rows without a record either, so intersect with all rows.
        let cost = cells.cost + cost::of_values(1, self.total);
        Some(Step { rows, cost, source: Source::And(vec![cells, self.all()]) })
    }

    /// The step that a composite or partial index provides for several parts together.
    fn of_special(&self, index: &Arc<dyn Index>, parts: &[Condition]) -> Option<Candidate> {
        let shape = &index.shape;
        let tests = |field| tests_of(parts, field);
        let (step, mut answers) = match shape.fields.as_slice() {
            [(field, _)] => {
                // A partial index lacks the rows that `ne` and an empty `all` would also select.
                let by_rows =
                    |test: &Test| !matches!(test, Test::Ne(_)) && !matches!(test, Test::All(of) if of.is_empty());
                let mut usable = tests(field).filter(|(_, test)| by_rows(test));
                let found = usable.find_map(|(part, test)| Some((self.of_index(index, test)?, vec![part])));
                match found {
                    Some(found) => found,
                    // All rows of a partial index match its condition.
                    None if index.shape.def.kind() == IndexKind::Ordered => {
                        (self.look_up(index, Lookup::Whole), vec![])
                    }
                    None => return None,
                }
            }
            fields => {
                let (prefixes, mut answers) = prefixes(parts, fields.iter().map(|(field, _)| field));
                let known = prefixes[0].len();
                let next = fields.get(known).and_then(|(field, _)| {
                    tests(field).find_map(|(part, test)| match test {
                        Test::Range(from, to) => Some((part, (from.clone(), to.clone()))),
                        _ => None,
                    })
                });
                let lookups: Vec<Lookup> = if shape.def.kind() == IndexKind::Ordered {
                    answers.extend(next.as_ref().map(|(part, _)| *part));
                    let bounds = next.map(|(_, bounds)| bounds);
                    if known == 0 && bounds.is_none() {
                        shape.condition.as_ref()?;
                    }
                    prefixes.into_iter().map(|values| Lookup::Prefix(values, bounds.clone())).collect()
                } else if known == fields.len() {
                    prefixes.into_iter().map(|values| Lookup::Prefix(values, None)).collect()
                } else {
                    return None;
                };
                (self.either(lookups.into_iter().map(|lookup| self.look_up(index, lookup)).collect()), answers)
            }
        };
        // All rows of a partial index match its condition, so the condition's parts are decided.
        if let Some(when) = &shape.condition {
            let known = |part: &Condition| when.conjuncts().iter().any(|met| met.is_same(part));
            answers.extend((0..parts.len()).filter(|part| known(&parts[*part])));
            answers.sort_unstable();
            answers.dedup();
        }
        Some(Candidate { step, answers })
    }
}

/// The tests of a field among parts, with their positions.
fn tests_of<'p>(parts: &'p [Condition], field: &'p FieldAt) -> impl Iterator<Item = (usize, &'p Test)> {
    parts.iter().enumerate().filter_map(move |(at, part)| match part {
        Condition::Test(of, test) | Condition::Undeclared(of, test) if of == field => Some((at, test)),
        _ => None,
    })
}

/// All combinations of values that the parts require for the leading fields, and the positions of these parts.
pub(super) fn prefixes<'p>(
    parts: &'p [Condition],
    fields: impl Iterator<Item = &'p FieldAt>,
) -> (Vec<Vec<Value>>, Vec<usize>) {
    let mut prefixes = vec![Vec::new()];
    let mut answers = Vec::new();
    for field in fields {
        let demanded = tests_of(parts, field).find_map(|(part, test)| match test {
            Test::Eq(value) => Some((part, vec![value.clone()])),
            Test::In(values) if values.len() * prefixes.len() <= MOST_PREFIXES && !values.is_empty() => {
                Some((part, values.iter().cloned().collect()))
            }
            _ => None,
        });
        let Some((part, values)) = demanded else { break };
        let with = |prefix: &Vec<Value>, value: &Value| prefix.iter().chain([value]).cloned().collect();
        prefixes = prefixes.iter().flat_map(|prefix| values.iter().map(move |value| with(prefix, value))).collect();
        answers.push(part);
    }
    (prefixes, answers)
}

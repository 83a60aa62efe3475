//! A small repository of bank accounts, correct or with one of ten bugs.

use memdex::query::{Ask, Direction, Nulls, Paging, Predicate};
use memdex::{FieldDef, Kind, Query, Schema, Value};
use memdex_test::{Operation, Outcome, RefusalKind, Repository, Row};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};

/// Bugs as they occur in repositories: most are two statements where one transaction is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// `add` reads the balance, and writes the sum later.
    LostUpdate,
    /// A batch is written record by record.
    TornBatch,
    /// Reads by key use a cache, and a batch leaves the old records in it.
    StaleRead,
    /// A read by predicate reads one half of the table, then the other.
    Phantom,
    /// The upper bound of a range is left out.
    RangeEnd,
    /// Updates are buffered, and a delete forgets the buffer.
    Resurrection,
    /// An insert looks for duplicates, and inserts later.
    UniqueRace,
    /// Records with equal values come in the descending order of their keys.
    TieBreak,
    /// `move` withdraws, and deposits later.
    NonAtomicMove,
    /// A batch is written, checked, and undone if it is refused.
    UncommittedRead,
}

pub(crate) const BUGS: [Bug; 10] = [
    Bug::LostUpdate,
    Bug::TornBatch,
    Bug::StaleRead,
    Bug::Phantom,
    Bug::RangeEnd,
    Bug::Resurrection,
    Bug::UniqueRace,
    Bug::TieBreak,
    Bug::NonAtomicMove,
    Bug::UncommittedRead,
];

pub(crate) fn schema() -> Schema {
    Schema::new([
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("owner", Kind::Str).unique(),
        FieldDef::new("branch", Kind::Int).ordered(),
        FieldDef::new("cents", Kind::Int),
        FieldDef::new("version", Kind::Int),
    ])
}

type Accounts = BTreeMap<i64, Row>;

#[derive(Default)]
pub(crate) struct Bank {
    bug: Option<Bug>,
    accounts: Mutex<Accounts>,
    cache: Mutex<HashMap<i64, Row>>,
    /// Buffered updates, and the number of writes since they were applied.
    buffer: Mutex<(HashMap<i64, Row>, u32)>,
}

impl Bank {
    pub(crate) fn new(bug: Option<Bug>) -> Self {
        Bank { bug, ..Bank::default() }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn lock(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap()
    }

    fn write(&self, operation: &Operation) -> Outcome {
        let mut accounts = self.lock();
        match apply(&mut accounts, operation) {
            Ok(outcome) => outcome,
            Err(why) => Outcome::Refused(why),
        }
    }

    fn get(&self, id: i64) -> Option<Row> {
        if self.has(Bug::StaleRead) {
            let mut cache = self.cache.lock().unwrap();
            let found = cache.get(&id).cloned().or_else(|| self.lock().get(&id).cloned());
            found.iter().for_each(|row| drop(cache.insert(id, row.clone())));
            return found;
        }
        let accounts = self.lock();
        let buffered = self.buffer.lock().unwrap().0.get(&id).cloned();
        accounts.get(&id).map(|row| buffered.unwrap_or_else(|| row.clone()))
    }

    fn all(&self) -> Vec<Row> {
        if self.has(Bug::Phantom) {
            let (low, high) = (1..=2, 3..);
            let mut rows: Vec<Row> = self.lock().range(low).map(|(_, row)| row.clone()).collect();
            round_trip();
            rows.extend(self.lock().range(high).map(|(_, row)| row.clone()));
            return rows;
        }
        let accounts = self.lock();
        let buffer = self.buffer.lock().unwrap();
        accounts.iter().map(|(id, row)| buffer.0.get(id).unwrap_or(row).clone()).collect()
    }

    fn find(&self, query: &Query) -> Outcome {
        let Ask::Records(Paging { order, limit, offset, total, .. }) = &query.ask else { return Outcome::Unsupported };
        let filter = if self.has(Bug::RangeEnd) { without_end(&query.filter) } else { query.filter.clone() };
        let schema = schema();
        let mut rows: Vec<Row> = self.all().into_iter().filter(|row| row.matches(&schema, &filter)).collect();
        rows.sort_by(|a, b| {
            let mut orders = order.iter().map(|by| {
                let nulls = if by.nulls == Nulls::First { Ordering::Less } else { Ordering::Greater };
                match (a.one(&by.field), b.one(&by.field)) {
                    (None, None) => Ordering::Equal,
                    (None, _) => nulls,
                    (_, None) => nulls.reverse(),
                    (a, b) if by.direction == Direction::Descending => b.cmp(&a),
                    (a, b) => a.cmp(&b),
                }
            });
            let by_key = id_of(a).cmp(&id_of(b));
            let by_key = if self.has(Bug::TieBreak) && !order.is_empty() { by_key.reverse() } else { by_key };
            orders.find(|order| order.is_ne()).unwrap_or(by_key)
        });
        let total = total.then_some(rows.len());
        let rows = rows.into_iter().skip(*offset).take(limit.unwrap_or(usize::MAX)).collect();
        Outcome::Records { rows, total }
    }

    fn insert(&self, row: &Row) -> Outcome {
        let insert = Operation::insert("Account", row.clone());
        if !self.has(Bug::UniqueRace) {
            return self.write(&insert);
        }
        if is_taken(&self.lock(), row) || self.lock().contains_key(&id_of(row)) {
            return Outcome::Refused(RefusalKind::Duplicate);
        }
        round_trip();
        let mut accounts = self.lock();
        if accounts.contains_key(&id_of(row)) {
            return Outcome::Refused(RefusalKind::Duplicate);
        }
        accounts.insert(id_of(row), row.clone());
        Outcome::Done
    }

    fn update(&self, operation: &Operation, id: i64) -> Outcome {
        if !self.has(Bug::Resurrection) {
            return self.write(operation);
        }
        let mut accounts = self.lock();
        let mut buffer = self.buffer.lock().unwrap();
        flush(&mut accounts, &mut buffer);
        let mut changed = accounts.clone();
        match apply(&mut changed, operation) {
            Ok(outcome) => {
                buffer.0.extend(changed.remove(&id).map(|row| (id, row)));
                outcome
            }
            Err(why) => Outcome::Refused(why),
        }
    }

    fn add(&self, operation: &Operation, id: i64, field: &str, by: i64) -> Outcome {
        if !self.has(Bug::LostUpdate) {
            return self.write(operation);
        }
        let Some(row) = self.lock().get(&id).cloned() else { return Outcome::Refused(RefusalKind::Missing) };
        let sum = row.one(field).map_or(0, number) + by;
        round_trip();
        if let Some(account) = self.lock().get_mut(&id) {
            account.set(field.to_owned(), [sum]);
        }
        Outcome::Number(sum)
    }

    fn batch(&self, parts: &[Operation]) -> Outcome {
        let mut accounts = self.lock();
        let mut changed = accounts.clone();
        let refused = apply_all(&mut changed, parts).err();
        if let Some(why) = refused {
            if self.has(Bug::UncommittedRead) {
                let before = std::mem::replace(&mut *accounts, changed.clone());
                drop(accounts);
                round_trip();
                let mut accounts = self.lock();
                // Only what the batch changed, and nobody else since.
                let ids: Vec<i64> = before.keys().chain(changed.keys()).copied().collect();
                for id in ids.into_iter().filter(|id| before.get(id) != changed.get(id)) {
                    if accounts.get(&id) == changed.get(&id) {
                        match before.get(&id) {
                            Some(row) => drop(accounts.insert(id, row.clone())),
                            None => drop(accounts.remove(&id)),
                        }
                    }
                }
            }
            return Outcome::Refused(why);
        }
        if self.has(Bug::TornBatch) {
            drop(accounts);
            for part in parts {
                drop(apply_unjudged(&mut self.lock(), part));
                round_trip();
            }
        } else {
            *accounts = changed;
        }
        Outcome::Done
    }

    fn transfer(&self, from: i64, to: i64, cents: i64) -> Outcome {
        let mut accounts = self.lock();
        let balances = accounts.get(&from).zip(accounts.get(&to)).map(|(from, to)| (cents_of(from), cents_of(to)));
        let Some((balance, other)) = balances else { return Outcome::Refused(RefusalKind::Missing) };
        if from == to || balance < cents {
            return Outcome::Refused(RefusalKind::Rule);
        }
        accounts.entry(from).and_modify(|row| row.set("cents", [balance - cents]));
        if self.has(Bug::NonAtomicMove) {
            drop(accounts);
            round_trip();
            accounts = self.lock();
        }
        accounts.entry(to).and_modify(|row| row.set("cents", [other + cents]));
        Outcome::Done
    }
}

impl Repository for Bank {
    fn apply(&self, operation: &Operation) -> Outcome {
        let outcome = match operation {
            Operation::Get { key, .. } => Outcome::Record(self.get(id_in(key))),
            Operation::Find(query) => self.find(query),
            Operation::Insert { row, .. } => self.insert(row),
            Operation::Update { key, .. } => self.update(operation, id_in(key)),
            Operation::Add { key, by, field, .. } => self.add(operation, id_in(key), field, *by),
            Operation::Store { .. } | Operation::Delete { .. } => self.write(operation),
            Operation::Batch(parts) => self.batch(parts),
            Operation::Call { name, arguments } if *name == "move" => match arguments.as_slice() {
                [from, to, cents] => self.transfer(number(from), number(to), number(cents)),
                _ => Outcome::Unsupported,
            },
            _ => Outcome::Unsupported,
        };
        self.after_write(operation);
        outcome
    }
}

impl Bank {
    fn forget(&self, id: i64) {
        self.cache.lock().unwrap().remove(&id);
    }

    fn after_write(&self, operation: &Operation) {
        if operation.is_read() {
            return;
        }
        match operation {
            Operation::Insert { row, .. } | Operation::Store { row, .. } => self.forget(id_of(row)),
            Operation::Update { key, .. } | Operation::Add { key, .. } | Operation::Delete { key, .. } => {
                self.forget(id_in(key));
            }
            Operation::Call { arguments, .. } => arguments.iter().for_each(|id| self.forget(number(id))),
            _ => {}
        }
        let mut accounts = self.lock();
        let mut buffer = self.buffer.lock().unwrap();
        buffer.1 += 1;
        if buffer.1.is_multiple_of(3) {
            flush(&mut accounts, &mut buffer);
        }
    }
}

fn flush(accounts: &mut Accounts, buffer: &mut (HashMap<i64, Row>, u32)) {
    accounts.extend(buffer.0.drain());
}

/// Between two statements of a repository lies a trip to the database.
fn round_trip() {
    std::thread::yield_now();
}

/// Applies a write, or changes nothing.
fn apply(accounts: &mut Accounts, operation: &Operation) -> Result<Outcome, RefusalKind> {
    let mut changed = accounts.clone();
    let outcome = apply_unjudged(&mut changed, operation)?;
    if has_duplicates(&changed) {
        return Err(RefusalKind::Duplicate);
    }
    *accounts = changed;
    Ok(outcome)
}

/// Applies the parts one after the other; at an error, those before it stay.
fn apply_all(accounts: &mut Accounts, parts: &[Operation]) -> Result<(), RefusalKind> {
    parts.iter().try_for_each(|part| apply_unjudged(accounts, part).map(drop))?;
    if has_duplicates(accounts) { Err(RefusalKind::Duplicate) } else { Ok(()) }
}

fn apply_unjudged(accounts: &mut Accounts, operation: &Operation) -> Result<Outcome, RefusalKind> {
    match operation {
        Operation::Insert { row, .. } if accounts.contains_key(&id_of(row)) => return Err(RefusalKind::Duplicate),
        Operation::Insert { row, .. } | Operation::Store { row, .. } => drop(accounts.insert(id_of(row), row.clone())),
        Operation::Update { key, set, .. } => {
            let row = accounts.get_mut(&id_in(key)).ok_or(RefusalKind::Missing)?;
            set.iter().for_each(|(name, values)| row.set(name.clone(), values.iter().cloned()));
        }
        Operation::Add { key, field, by, .. } => {
            let row = accounts.get_mut(&id_in(key)).ok_or(RefusalKind::Missing)?;
            let sum = row.one(field).map_or(0, number) + by;
            row.set(field.clone(), [sum]);
            return Ok(Outcome::Number(sum));
        }
        Operation::Delete { key, .. } => return Ok(Outcome::Number(accounts.remove(&id_in(key)).is_some().into())),
        _ => return Ok(Outcome::Unsupported),
    }
    Ok(Outcome::Done)
}

fn is_taken(accounts: &Accounts, row: &Row) -> bool {
    accounts.values().any(|other| other.one("owner") == row.one("owner") && id_of(other) != id_of(row))
}

fn has_duplicates(accounts: &Accounts) -> bool {
    accounts.values().any(|row| is_taken(accounts, row))
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

fn id_in(key: &[Value]) -> i64 {
    key.first().map_or(0, number)
}

fn id_of(row: &Row) -> i64 {
    row.one("id").map_or(0, number)
}

fn cents_of(row: &Row) -> i64 {
    row.one("cents").map_or(0, number)
}

/// The same predicate with open upper bounds.
fn without_end(predicate: &Predicate) -> Predicate {
    match predicate {
        Predicate::Range(name, from, Bound::Included(to)) => {
            Predicate::Range(name.clone(), from.clone(), Bound::Excluded(to.clone()))
        }
        Predicate::And(parts) => Predicate::all_of(parts.iter().map(without_end)),
        Predicate::Or(parts) => Predicate::any_of(parts.iter().map(without_end)),
        Predicate::Not(part) => !without_end(part),
        other => other.clone(),
    }
}

//! The transactions in a history of operations, to name the anomaly in it.

use super::isolation::{Level, isolated};
use super::recorder::Event;
use super::transaction::{Access, End, Item, Transaction, Version};
use super::verdict::Violation;
use crate::model::Model;
use crate::model::predicate::matches;
use crate::operation::{Operation, Outcome};
use crate::row::Row;
use memdex::query::{Ask, Paging, Predicate};
use memdex::{Query, Schema, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The anomaly in a history of operations; `None` if none is found. `version` names a field that each write sets to another value.
///
/// Commands of the application and writes by predicate change records in ways that only the model knows, so histories with these are
/// not classified.
pub(crate) fn classify(history: &[Event], start: &Model, version: &str) -> Option<Violation> {
    let is_opaque = |event: &Event| {
        let opaque = matches!(event.operation, Operation::Call { .. } | Operation::DeleteWhere(_));
        opaque && !matches!(event.outcome, Outcome::Refused(_) | Outcome::Unsupported)
    };
    if history.iter().any(is_opaque) {
        return None;
    }
    let naming = Naming { version, counters: counters(history), start };
    let mut versions = BTreeMap::new();
    for (name, schema) in start.collections() {
        for (key, row) in start.rows(name) {
            debug_assert!(row.key(schema).is_some());
            versions.extend(naming.versions(&Item::new(name, key.clone()), Some(row)));
        }
    }
    let transactions: Vec<Transaction> = history.iter().map(|event| naming.transaction(event)).collect();
    let mut violation = isolated(&transactions, &versions, Level::Serializable).err()?;
    violation.explanation += "in the operations\n";
    for at in &violation.operations {
        violation.explanation += &format!("  T{at}: {}\n", history[*at]);
    }
    Some(violation)
}

/// The fields that `add` changes, each with a collection, if its outcome always tells the new value.
fn counters(history: &[Event]) -> BTreeSet<(String, String)> {
    let (mut counters, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for event in history {
        let name = |operation: &Operation| match operation {
            Operation::Add { collection, field, .. } => Some((collection.to_string(), field.to_string())),
            _ => None,
        };
        match (&event.operation, &event.outcome) {
            (Operation::Batch(parts), _) => unknown.extend(parts.iter().filter_map(name)),
            (add, Outcome::Number(_) | Outcome::Refused(_)) => counters.extend(name(add)),
            (add, _) => unknown.extend(name(add)),
        }
    }
    counters.retain(|counter| !unknown.contains(counter));
    counters
}

struct Naming<'a> {
    version: &'a str,
    counters: BTreeSet<(String, String)>,
    start: &'a Model,
}

impl Naming<'_> {
    /// The versions of a record and of its counters; without a row, those of a missing record.
    fn versions(&self, item: &Item, row: Option<&Row>) -> Vec<(Item, Version)> {
        let of = |field: &str| row.and_then(|row| row.one(field)).cloned().unwrap_or(Value::NULL);
        let whole = row.map_or(Value::NULL, |row| match of(self.version) {
            missing if missing.is_null() => Value::from(format!("{row:?}")),
            version => version,
        });
        let counters = self.counters.iter().filter(|(collection, _)| *collection == item.collection);
        let counters = counters.map(|(_, field)| (item.clone().part(field.clone()), of(field)));
        std::iter::once((item.clone(), whole)).chain(counters).collect()
    }

    fn transaction(&self, event: &Event) -> Transaction {
        let mut transaction = Transaction::new(event.client, event.invoked, 0);
        transaction.ended = event.returned;
        transaction.end = match &event.outcome {
            Outcome::Refused(_) => End::Aborted,
            Outcome::Unsupported => return transaction.ending(End::Aborted),
            _ if event.returned.is_none() => End::Unknown,
            _ => End::Committed,
        };
        self.add(&mut transaction, &event.operation, &event.outcome);
        transaction
    }

    fn schema(&self, collection: &str) -> Option<&Schema> {
        self.start.collections().find(|(name, _)| *name == collection).map(|(_, schema)| schema)
    }

    fn add(&self, transaction: &mut Transaction, operation: &Operation, outcome: &Outcome) {
        match (operation, outcome) {
            (Operation::Insert { collection, row } | Operation::Store { collection, row }, _) => {
                let Some(key) = self.schema(collection).and_then(|schema| row.key(schema)) else { return };
                let item = Item::new(collection.to_string(), key);
                let writes = self.versions(&item, Some(row)).into_iter();
                transaction.accesses.extend(writes.map(|(item, version)| Access::Write(item, version)));
                transaction.rows.push((item, row.clone()));
            }
            (Operation::Update { collection, key, set }, _) => {
                let item = Item::new(collection.to_string(), key.clone());
                for (name, values) in set {
                    let version = values.first().cloned().unwrap_or(Value::NULL);
                    if *name == *self.version {
                        transaction.accesses.push(Access::Write(item.clone(), version));
                    } else if self.counters.contains(&(collection.to_string(), name.to_string())) {
                        transaction.accesses.push(Access::Write(item.clone().part(name.to_string()), version));
                    }
                }
                // The other fields are unknown.
                transaction.rows.retain(|(of, _)| *of != item);
            }
            (Operation::Add { collection, key, field, by }, Outcome::Number(sum))
                if self.counters.contains(&(collection.to_string(), field.to_string())) =>
            {
                let item = Item::new(collection.to_string(), key.clone()).part(field.to_string());
                transaction.accesses.push(Access::Read(item.clone(), Value::from(sum - by)));
                transaction.accesses.push(Access::Write(item, Value::from(*sum)));
            }
            (Operation::Delete { collection, key }, Outcome::Number(1) | Outcome::Done) => {
                let item = Item::new(collection.to_string(), key.clone());
                let writes = self.versions(&item, None).into_iter();
                transaction.accesses.extend(writes.map(|(item, version)| Access::Write(item, version)));
            }
            (Operation::Batch(parts), outcome) => {
                for part in parts {
                    let outcome = if matches!(outcome, Outcome::Done) { &Outcome::Done } else { outcome };
                    self.add(transaction, part, outcome);
                }
            }
            (Operation::Get { collection, key }, Outcome::Record(row)) => {
                let item = Item::new(collection.to_string(), key.clone());
                let reads = self.versions(&item, row.as_ref()).into_iter();
                transaction.accesses.extend(reads.map(|(item, version)| Access::Read(item, version)));
            }
            (Operation::Find(query), Outcome::Records { rows, .. }) => self.add_scan(transaction, query, rows),
            _ => {}
        }
    }

    fn add_scan(&self, transaction: &mut Transaction, query: &Query, rows: &[Row]) {
        let (Some(collection), Ask::Records(paging)) = (query.collections.first(), &query.ask) else { return };
        let Some(schema) = self.schema(collection) else { return };
        let Paging { limit: None, offset: 0, page: None, after: None, before: None, around: None, select, .. } = paging
        else {
            return;
        };
        if !select.is_empty() {
            return;
        }
        let found = rows.iter().filter_map(|row| {
            let item = Item::new(collection.to_string(), row.key(schema)?);
            self.versions(&item, Some(row)).into_iter().next()
        });
        let (schema, filter): (_, Predicate) = (schema.clone(), query.filter.clone());
        let text = format!("{filter:?}");
        transaction.accesses.push(Access::Scan {
            collection: collection.to_string(),
            found: found.collect(),
            // A record whose fields are not known may match or not.
            matches: Arc::new(move |_, row| row.is_some_and(|row| matches(&schema, row, &filter))),
            text,
        });
    }
}

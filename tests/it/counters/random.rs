//! Random edits mixed with other commands: against a model; and on typed records, whose edits are folded, against key/value records,
//! whose edits are not.

use crate::cases::default_cases;
use memdex::error::Cause;
use memdex::write::{Outcome, Report};
use memdex::{Batch, Collection, FieldDef, KeyValue, Kind, Record, Schema, Store, field};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Record)]
struct Small {
    #[record(key)]
    id: u8,
    #[record(ordered)]
    n: i8,
    #[record(index)]
    m: Option<u8>,
    #[record(index)]
    list: Vec<u16>,
}

#[derive(Clone, Debug)]
enum Command {
    Increment(u8, i16),
    IncrementMissing(u8, i16),
    IncrementOrInsert(u8, i16),
    Max(u8, i8),
    Min(u8, u8),
    Append(u8, u16, usize),
    AppendOrInsert(u8, u16, usize),
    Store(u8, i8),
    Insert(u8, i8),
    Update(u8, i8),
    Delete(u8),
}

fn command() -> impl Strategy<Value = Command> {
    let (key, by) = (0..3_u8, || prop_oneof![4 => -20..20_i16, 1 => -200..200_i16]);
    prop_oneof![
        6 => (key.clone(), by()).prop_map(|(key, by)| Command::Increment(key, by)),
        3 => (key.clone(), by()).prop_map(|(key, by)| Command::IncrementMissing(key, by)),
        2 => (key.clone(), by()).prop_map(|(key, by)| Command::IncrementOrInsert(key, by)),
        2 => (key.clone(), any::<i8>()).prop_map(|(key, value)| Command::Max(key, value)),
        2 => (key.clone(), any::<u8>()).prop_map(|(key, value)| Command::Min(key, value)),
        2 => (key.clone(), 0..9_u16, 1..4_usize).prop_map(|(key, value, keep)| Command::Append(key, value, keep)),
        1 => (key.clone(), 0..9_u16, 1..4_usize).prop_map(|(key, value, keep)| Command::AppendOrInsert(key, value, keep)),
        1 => (key.clone(), any::<i8>()).prop_map(|(key, n)| Command::Store(key, n)),
        1 => (key.clone(), any::<i8>()).prop_map(|(key, n)| Command::Insert(key, n)),
        1 => (key.clone(), any::<i8>()).prop_map(|(key, n)| Command::Update(key, n)),
        1 => key.prop_map(Command::Delete),
    ]
}

fn small(id: u8, n: i8) -> Small {
    Small { id, n, m: None, list: Vec::new() }
}

fn incremented<T: TryFrom<i16> + Into<i16>>(value: T, by: i16) -> Option<T> {
    T::try_from(value.into() + by).ok()
}

fn append(list: &mut Vec<u16>, value: u16, keep: usize) {
    list.push(value);
    list.drain(..list.len().saturating_sub(keep));
}

type Model = BTreeMap<u8, Small>;

impl Command {
    /// Its outcome on the model; `None` if it is refused.
    fn apply(&self, model: &mut Model) -> Option<Outcome> {
        match *self {
            Command::Increment(key, by) => {
                let record = model.get_mut(&key)?;
                record.n = incremented(record.n, by)?;
            }
            Command::IncrementMissing(key, by) => {
                let record = model.get_mut(&key)?;
                record.m = Some(incremented(record.m.unwrap_or(0), by)?);
            }
            Command::IncrementOrInsert(key, by) => {
                // The record that it brings must be valid by itself.
                let default = Small { n: incremented(1, by)?, ..small(key, 1) };
                let Some(record) = model.get_mut(&key) else {
                    model.insert(key, default);
                    return Some(Outcome::Created);
                };
                record.n = incremented(record.n, by)?;
            }
            Command::Max(key, value) => {
                let record = model.get_mut(&key)?;
                record.n = record.n.max(value);
            }
            Command::Min(key, value) => {
                let record = model.get_mut(&key)?;
                record.m = Some(record.m.map_or(value, |m| m.min(value)));
            }
            Command::Append(key, value, keep) => append(&mut model.get_mut(&key)?.list, value, keep),
            Command::AppendOrInsert(key, value, keep) => {
                let outcome = if model.contains_key(&key) { Outcome::Updated } else { Outcome::Created };
                append(&mut model.entry(key).or_insert_with(|| small(key, 1)).list, value, keep);
                return Some(outcome);
            }
            Command::Store(key, n) => {
                let before = model.insert(key, small(key, n));
                return Some(if before.is_some() { Outcome::Replaced } else { Outcome::Created });
            }
            Command::Insert(key, n) => {
                if model.contains_key(&key) {
                    return None;
                }
                model.insert(key, small(key, n));
                return Some(Outcome::Created);
            }
            Command::Update(key, n) => model.get_mut(&key)?.n = n,
            Command::Delete(key) => {
                let before = model.remove(&key);
                return Some(if before.is_some() { Outcome::Deleted } else { Outcome::Missing });
            }
        }
        Some(Outcome::Updated)
    }

    /// Adds it to a batch. `false` if that is refused.
    fn add(&self, batch: &mut Batch, records: &Collection<Small>) -> bool {
        let added = match *self {
            Command::Increment(key, by) => batch.increment(records, key, small::N, by),
            Command::IncrementMissing(key, by) => batch.increment(records, key, field("m"), by),
            Command::IncrementOrInsert(key, by) => batch.increment_or_insert(records, small(key, 1), small::N, by),
            Command::Max(key, value) => batch.max(records, key, small::N, value),
            Command::Min(key, value) => batch.min(records, key, small::M, value),
            Command::Append(key, value, keep) => batch.append_bounded(records, key, small::LIST, value, keep),
            Command::AppendOrInsert(key, value, keep) => {
                batch.append_bounded_or_insert(records, small(key, 1), small::LIST, value, keep)
            }
            Command::Store(key, n) => batch.store(records, small(key, n)),
            Command::Insert(key, n) => batch.insert(records, small(key, n)),
            Command::Update(key, n) => batch.update(records, key, move |record| record.n = n),
            Command::Delete(key) => batch.delete(records, key),
        };
        match added {
            Ok(()) => true,
            Err(refusal) => {
                let of_a_default = matches!(self, Command::IncrementOrInsert(..));
                assert!(of_a_default && matches!(refusal.cause(), Cause::Field { .. }), "{refusal}");
                false
            }
        }
    }
}

proptest! {
    #![proptest_config(default_cases())]

    #[test]
    fn random_batches_equal_a_model(batches in vec((any::<bool>(), vec(command(), 1..24)), 1..12)) {
        let store = Store::new();
        let records = store.collection::<Small>("Small").unwrap();
        let mut model = Model::new();
        for (lenient, commands) in batches {
            let mut batch = store.batch();
            let commands: Vec<Command> = commands.into_iter().filter(|command| command.add(&mut batch, &records)).collect();
            let mut after = model.clone();
            let outcomes: Vec<Option<Outcome>> = commands.iter().map(|command| command.apply(&mut after)).collect();
            if lenient && !commands.is_empty() && outcomes.iter().any(Option::is_some) {
                let report = batch.commit_lenient().unwrap();
                let expected: Vec<_> = outcomes.iter().map(|of| of.unwrap_or(Outcome::Refused)).collect();
                let found: Vec<_> = report.outcomes.iter().map(|(_, outcome)| *outcome).collect();
                prop_assert_eq!(found, expected);
                model = after;
            } else {
                match (batch.commit(), outcomes.iter().position(Option::is_none)) {
                    (Ok(receipt), None) => {
                        let updated = outcomes.iter().filter(|of| **of == Some(Outcome::Updated)).count();
                        prop_assert_eq!(receipt.counts.updated, updated);
                        // All before a refused one is in `after` too.
                        model = after;
                    }
                    (Err(refused), Some(at)) => prop_assert_eq!(refused.refusal().position(), Some(at)),
                    (committed, expected) => prop_assert!(false, "{committed:?}, expected {expected:?}"),
                }
            }
            for (key, record) in &model {
                prop_assert_eq!(&*records.get(*key).unwrap(), record);
                prop_assert!(records.find(small::N.eq(record.n)).keys().unwrap().len() == model.values().filter(|of| of.n == record.n).count());
            }
            prop_assert_eq!(records.len(), model.len());
        }
        store.verify().unwrap();
    }
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Twin {
    #[record(key)]
    key: u8,
    #[record(unique)]
    place: i64,
    #[record(ordered)]
    n: i64,
}

#[derive(Clone, Debug)]
enum OfTwin {
    Increment(u8, bool, i64),
    Max(u8, bool, i64),
    IncrementOrInsert(u8, i64),
    Update(u8, i64),
    Refuses(u8),
    Store(u8, i64),
    Delete(u8),
    Rekey(u8, u8),
}

fn of_twin() -> impl Strategy<Value = OfTwin> {
    let (key, value) = (0..4_u8, -3..4_i64);
    prop_oneof![
        8 => (key.clone(), any::<bool>(), value.clone()).prop_map(|(key, place, by)| OfTwin::Increment(key, place, by)),
        2 => (key.clone(), any::<bool>(), value.clone()).prop_map(|(key, place, by)| OfTwin::Max(key, place, by)),
        2 => (key.clone(), value.clone()).prop_map(|(key, by)| OfTwin::IncrementOrInsert(key, by)),
        1 => (key.clone(), value.clone()).prop_map(|(key, by)| OfTwin::Update(key, by)),
        1 => key.clone().prop_map(OfTwin::Refuses),
        2 => (key.clone(), value).prop_map(|(key, place)| OfTwin::Store(key, place)),
        1 => key.clone().prop_map(OfTwin::Delete),
        1 => (key.clone(), key).prop_map(|(old, new)| OfTwin::Rekey(old, new)),
    ]
}

fn kv(key: u8, place: i64) -> KeyValue<()> {
    KeyValue::new(key, ()).with("place", place).with("n", 0)
}

fn value(record: &KeyValue<()>, name: &str) -> i64 {
    record.field(name).next().and_then(|value| value.as_i64()).unwrap()
}

impl OfTwin {
    fn add(&self, folded: &mut Batch, typed: &Collection<Twin>, plain: &mut Batch, untyped: &Collection<KeyValue<()>>) {
        let name = |place: bool| field(if place { "place" } else { "n" });
        match *self {
            OfTwin::Increment(key, place, by) => {
                folded.increment(typed, key, name(place), by).unwrap();
                plain.increment(untyped, key, name(place), by).unwrap();
            }
            OfTwin::Max(key, place, by) => {
                folded.max(typed, key, name(place), by).unwrap();
                plain.max(untyped, key, name(place), by).unwrap();
            }
            OfTwin::IncrementOrInsert(key, by) => {
                folded.increment_or_insert(typed, Twin { key, place: 2, n: 0 }, name(true), by).unwrap();
                plain.increment_or_insert(untyped, kv(key, 2), name(true), by).unwrap();
            }
            OfTwin::Update(key, by) => {
                folded.update(typed, key, move |record| record.place -= by).unwrap();
                plain.update(untyped, key, move |record| record.set("place", value(record, "place") - by)).unwrap();
            }
            OfTwin::Refuses(key) => {
                folded.update(typed, key, |record| if record.n > 3 { Err("no") } else { Ok(()) }).unwrap();
                plain.update(untyped, key, |record| if value(record, "n") > 3 { Err("no") } else { Ok(()) }).unwrap();
            }
            OfTwin::Store(key, place) => {
                folded.store(typed, Twin { key, place, n: 0 }).unwrap();
                plain.store(untyped, kv(key, place)).unwrap();
            }
            OfTwin::Delete(key) => {
                folded.delete(typed, key).unwrap();
                plain.delete(untyped, key).unwrap();
            }
            OfTwin::Rekey(old, new) => {
                folded.rekey(typed, old, new, move |record| record.key = new).unwrap();
                let rekeyed = move |record: &mut KeyValue<()>| {
                    let n = value(record, "n");
                    *record = kv(new, value(record, "place"));
                    record.set("n", n);
                };
                plain.rekey(untyped, old, new, rekeyed).unwrap();
            }
        }
    }
}

fn refused(report: &Report) -> Vec<(Option<usize>, String)> {
    report.refused.iter().map(|of| (of.refusal.position(), of.refusal.cause().to_string())).collect()
}

proptest! {
    #![proptest_config(default_cases())]

    #[test]
    fn random_folding_changes_no_judgement(batches in vec((any::<bool>(), vec(of_twin(), 1..20)), 1..10)) {
        let store = Store::new();
        let typed = store.collection::<Twin>("typed").unwrap();
        let schema = Schema::new([
            FieldDef::new("key", Kind::Int).key(),
            FieldDef::new("place", Kind::Int).unique(),
            FieldDef::new("n", Kind::Int).ordered(),
        ]);
        let untyped = store.key_values::<()>("untyped", schema).unwrap();
        for (lenient, commands) in batches {
            let (mut folded, mut plain) = (store.batch(), store.batch());
            commands.iter().for_each(|command| command.add(&mut folded, &typed, &mut plain, &untyped));
            if lenient {
                let (folded, plain) = (folded.commit_lenient().unwrap(), plain.commit_lenient().unwrap());
                prop_assert_eq!(&folded.outcomes, &plain.outcomes);
                prop_assert_eq!(folded.receipt.counts, plain.receipt.counts);
                prop_assert_eq!(refused(&folded).len(), refused(&plain).len());
            } else {
                match (folded.commit(), plain.commit()) {
                    (Ok(folded), Ok(plain)) => prop_assert_eq!(folded.counts, plain.counts),
                    (Err(folded), Err(plain)) => {
                        prop_assert_eq!(folded.refusal().position(), plain.refusal().position());
                    }
                    (folded, plain) => prop_assert!(false, "{folded:?} but {plain:?}"),
                }
            }
            prop_assert_eq!(typed.len(), untyped.len());
            for record in typed.iter() {
                let other = untyped.get(record.key).unwrap();
                prop_assert_eq!((record.place, record.n), (value(&other, "place"), value(&other, "n")));
            }
        }
        store.verify().unwrap();
    }
}

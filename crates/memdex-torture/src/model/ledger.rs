//! A ledger: owners, their notes, which are documents, and their loans. Each owner may have a parent; references are checked, set to null or
//! followed when an owner is deleted.

use super::machine::Race;
use super::reference::World;
use memdex::error::Cause;
use memdex::query::Predicate;
use memdex::schema::{OnDelete, Reference};
use memdex::{
    Batch, Collection, Commit, Document, FieldDef, Filter, Kind, Record, Schema, Snapshot, Store, View, field,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
pub(super) struct Owner {
    #[record(key)]
    id: u32,
    #[record(references = "owners")]
    parent: Option<u32>,
    #[record(ordered)]
    cents: i64,
}

#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
pub(super) struct Loan {
    #[record(key)]
    id: u32,
    #[record(references = "owners", on_delete = "set_null")]
    owner: Option<u32>,
    #[record(ordered)]
    cents: i64,
}

/// The form of a note.
#[derive(Serialize, Deserialize)]
struct Note {
    id: u32,
    owner: Option<u32>,
    cents: i64,
    tags: Vec<i64>,
}

pub(super) fn schema_of_notes() -> Schema {
    let fields = [FieldDef::new("id", Kind::Int).key(), FieldDef::new("cents", Kind::Int).ordered()];
    let lists = [FieldDef::new("owner", Kind::Int), FieldDef::new("tags", Kind::Int).many().index()];
    let schema = Schema::new(fields.into_iter().chain(lists));
    schema.with_reference(Reference::new("owner", "owners").on_delete(OnDelete::Cascade))
}

const IDS: u32 = 5;

/// One of the collections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    Owners,
    Notes,
    Loans,
}

const ALL: [Of; 3] = [Of::Owners, Of::Notes, Of::Loans];

/// Committed together.
pub(super) type Step = Vec<Command>;

#[derive(Clone, Debug)]
pub(super) enum Command {
    Insert(Of, u32, Entry),
    Store(Of, u32, Entry),
    /// Sets the reference.
    Refer(Of, u32, Option<u32>),
    Delete(Of, u32),
    /// Deletes those that refer to an owner.
    DeleteOf(Of, u32),
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    refers: Option<u32>,
    cents: i64,
}

pub(super) fn any_step() -> BoxedStrategy<Step> {
    let (of, id, to) = (|| select(&ALL[..]), || 0..IDS, || proptest::option::weighted(0.7, 0..IDS));
    let entry = move || (to(), 0..6_i64).prop_map(|(refers, cents)| Entry { refers, cents });
    let command = prop_oneof![
        6 => (of(), id(), entry()).prop_map(|(of, id, entry)| Command::Insert(of, id, entry)),
        4 => (of(), id(), entry()).prop_map(|(of, id, entry)| Command::Store(of, id, entry)),
        2 => (of(), id(), to()).prop_map(|(of, id, to)| Command::Refer(of, id, to)),
        4 => (of(), id()).prop_map(|(of, id)| Command::Delete(of, id)),
        1 => (of(), id()).prop_map(|(of, id)| Command::DeleteOf(of, id)),
    ];
    vec(command, 1..5).boxed()
}

// ---- the model ----------------------------------------------------------------------------------------------------------

type Key = (Of, u32);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    KeyExists,
    KeyMissing,
    ParentMissing,
    StillReferred,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// Each with the commit that wrote it.
    entries: BTreeMap<Key, (Entry, Commit)>,
    /// The refusal of the last step.
    refused: Option<(usize, Fault)>,
    /// The records that other operations than their own have changed in the last step.
    cascaded: usize,
}

/// A batch while it is applied.
struct Applied {
    now: BTreeMap<Key, Entry>,
    cascaded: usize,
    /// By key, what each command has left.
    made: BTreeMap<Key, Vec<(usize, Option<Entry>)>>,
}

impl Applied {
    fn put(&mut self, at: usize, key: Key, entry: Option<Entry>) {
        self.made.entry(key).or_default().push((at, entry.clone()));
        match entry {
            Some(entry) => drop(self.now.insert(key, entry)),
            None => drop(self.now.remove(&key)),
        }
    }

    fn referring(&self, of: Of, to: u32) -> Vec<Key> {
        let refers = |(key, entry): &(&Key, &Entry)| key.0 == of && entry.refers == Some(to);
        self.now.iter().filter(refers).map(|(key, _)| *key).collect()
    }

    fn delete(&mut self, at: usize, key: Key) {
        self.put(at, key, None);
        if key.0 != Of::Owners {
            return;
        }
        for note in self.referring(Of::Notes, key.1) {
            self.put(at, note, None);
            self.cascaded += 1;
        }
        for loan in self.referring(Of::Loans, key.1) {
            let cents = self.now[&loan].cents;
            self.put(at, loan, Some(Entry { refers: None, cents }));
            self.cascaded += 1;
        }
    }

    fn step(&mut self, at: usize, command: &Command) -> Result<(), Fault> {
        match command {
            Command::Insert(of, id, _) if self.now.contains_key(&(*of, *id)) => return Err(Fault::KeyExists),
            Command::Insert(of, id, entry) | Command::Store(of, id, entry) => {
                self.put(at, (*of, *id), Some(entry.clone()));
            }
            Command::Refer(of, id, to) => {
                let cents = self.now.get(&(*of, *id)).ok_or(Fault::KeyMissing)?.cents;
                self.put(at, (*of, *id), Some(Entry { refers: *to, cents }));
            }
            Command::Delete(of, id) if self.now.contains_key(&(*of, *id)) => self.delete(at, (*of, *id)),
            Command::Delete(..) => {}
            Command::DeleteOf(of, owner) => {
                // All that the condition selects are gone before others follow.
                let selected = self.referring(*of, *owner);
                selected.iter().for_each(|key| self.put(at, *key, None));
                selected.iter().filter(|key| key.0 == Of::Owners).for_each(|key| self.delete(at, *key));
            }
        }
        Ok(())
    }

    /// The first command that leaves a reference to nothing.
    fn dangling(&self, before: &BTreeMap<Key, (Entry, Commit)>) -> Option<(usize, Fault)> {
        let mut faults = Vec::new();
        for (key, entry) in &self.now {
            let Some(to) = entry.refers.filter(|to| !self.now.contains_key(&(Of::Owners, *to))) else { continue };
            let refers = |entry: &Entry| entry.refers == Some(to);
            let since = match (before.get(key), self.made.get(key)) {
                (Some((before, _)), _) if refers(before) => None,
                (_, made) => made?.iter().rev().take_while(|(_, entry)| entry.as_ref().is_some_and(refers)).last(),
            };
            let gone = self.made.get(&(Of::Owners, to)).and_then(|made| made.last()).map(|(at, _)| *at);
            faults.push(match (since.map(|(at, _)| *at), gone) {
                (Some(since), gone) if gone.is_none_or(|gone| since >= gone) => (since, Fault::ParentMissing),
                (_, gone) => (gone?, Fault::StillReferred),
            });
        }
        faults.into_iter().min_by_key(|(at, _)| *at)
    }
}

impl Ledger {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The records of a checkpoint again; `None` if these are they.
    pub(super) fn rolled_back(&self, to: &Ledger, commit: Commit) -> Option<Ledger> {
        let back = |(key, (entry, written)): (&Key, &(Entry, Commit))| {
            let is_same = self.entries.get(key).is_some_and(|(_, newest)| newest == written);
            (*key, (entry.clone(), if is_same { *written } else { commit }))
        };
        let entries: BTreeMap<_, _> = to.entries.iter().map(back).collect();
        (entries != self.entries).then_some(Ledger { entries, ..Ledger::default() })
    }
}

impl World {
    pub(super) fn ledger_step(&mut self, step: &Step) {
        let commit = self.newest().next();
        let of = &mut self.others.ledger;
        let now = of.entries.iter().map(|(key, (entry, _))| (*key, entry.clone())).collect();
        let mut applied = Applied { now, cascaded: 0, made: BTreeMap::new() };
        let mut done = step.iter().enumerate().map(|(at, command)| applied.step(at, command).map_err(|of| (at, of)));
        let refused = done.find_map(Result::err);
        of.refused = refused.or_else(|| applied.dangling(&of.entries));
        if of.refused.is_some() {
            return self.refuse(1);
        }
        of.cascaded = applied.cascaded;
        for (key, made) in applied.made {
            match made.into_iter().last() {
                Some((_, Some(entry))) => drop(of.entries.insert(key, (entry, commit))),
                _ => drop(of.entries.remove(&key)),
            }
        }
        self.repeat_newest();
    }
}

// ---- the store ----------------------------------------------------------------------------------------------------------

/// The collections of the ledger.
#[derive(Clone)]
pub(super) struct Books {
    owners: Collection<Owner>,
    notes: Collection<Document>,
    loans: Collection<Loan>,
}

fn owner(id: u32, entry: &Entry) -> Owner {
    Owner { id, parent: entry.refers, cents: entry.cents }
}

fn note(id: u32, entry: &Entry) -> Document {
    let tags = vec![entry.cents % 2, entry.cents % 3];
    Document::of(&Note { id, owner: entry.refers, cents: entry.cents, tags }).unwrap()
}

fn loan(id: u32, entry: &Entry) -> Loan {
    Loan { id, owner: entry.refers, cents: entry.cents }
}

impl Books {
    pub(super) fn open(store: &Store) -> Books {
        let (owners, loans) = (store.collection("owners").unwrap(), store.collection("loans").unwrap());
        Books { owners, notes: store.documents("notes", schema_of_notes()).unwrap(), loans }
    }

    fn add(&self, batch: &mut Batch, command: &Command) {
        let Books { owners, notes, loans } = self;
        match command {
            Command::Insert(Of::Owners, id, entry) => batch.insert(owners, owner(*id, entry)),
            Command::Insert(Of::Notes, id, entry) => batch.insert(notes, note(*id, entry)),
            Command::Insert(Of::Loans, id, entry) => batch.insert(loans, loan(*id, entry)),
            Command::Store(Of::Owners, id, entry) => batch.store(owners, owner(*id, entry)),
            Command::Store(Of::Notes, id, entry) => batch.store(notes, note(*id, entry)),
            Command::Store(Of::Loans, id, entry) => batch.store(loans, loan(*id, entry)),
            Command::Refer(of, id, to) => {
                let to = *to;
                match of {
                    Of::Owners => batch.update(owners, *id, move |of| of.parent = to),
                    Of::Notes => batch.update(notes, *id, move |of| of.set("owner", to).unwrap()),
                    Of::Loans => batch.update(loans, *id, move |of| of.owner = to),
                }
            }
            Command::Delete(Of::Owners, id) => batch.delete(owners, *id),
            Command::Delete(Of::Notes, id) => batch.delete(notes, *id),
            Command::Delete(Of::Loans, id) => batch.delete(loans, *id),
            Command::DeleteOf(Of::Owners, to) => batch.delete_where(owners, owner::PARENT.eq(*to)),
            Command::DeleteOf(Of::Notes, to) => batch.delete_where(notes, field("owner").eq(*to)),
            Command::DeleteOf(Of::Loans, to) => batch.delete_where(loans, loan::OWNER.eq(*to)),
        }
        .unwrap();
    }

    pub(super) fn check_at(&self, snapshot: &Snapshot, ledger: &Ledger, is_loaded: bool) {
        let Books { owners, notes, loans } = self;
        check(&snapshot.of(owners), Of::Owners, ledger, is_loaded, |found, id, entry| *found == owner(id, entry));
        check(&snapshot.of(notes), Of::Notes, ledger, is_loaded, |found, id, entry| *found == note(id, entry));
        check(&snapshot.of(loans), Of::Loans, ledger, is_loaded, |found, id, entry| *found == loan(id, entry));
    }
}

/// Checks a collection. The records of a loaded store have other commit numbers, so these are not compared there.
fn check<R: Record>(view: &View<R>, of: Of, ledger: &Ledger, is_loaded: bool, same: impl Fn(&R, u32, &Entry) -> bool) {
    let expected: BTreeMap<u32, &(Entry, Commit)> =
        ledger.entries.iter().filter(|((at, _), _)| *at == of).map(|((_, id), entry)| (*id, entry)).collect();
    let (to_owner, cents_of_owner) = match of {
        Of::Owners => ("parent", "parent.cents"),
        Of::Notes | Of::Loans => ("owner", "owner.cents"),
    };
    let count = |is: &dyn Fn(&Entry) -> bool| expected.values().filter(|(entry, _)| is(entry)).count();
    let counted = |by: Predicate| view.find(Filter::from(by)).count().unwrap();
    let all = view.find(Filter::all()).order_by(field("id").asc()).fetch().unwrap();
    assert_eq!((view.len(), all.len()), (expected.len(), expected.len()), "{of:?}");
    for (found, (id, (entry, commit))) in all.iter().zip(&expected) {
        assert!(same(found, *id, entry), "{of:?} {id} is not {entry:?}");
        assert!(is_loaded || found.commit() == *commit, "{of:?} {id} is not of {commit:?}");
    }
    for to in 0..IDS {
        let of_owner = field(to_owner).eq(to);
        assert_eq!(counted(of_owner), count(&|entry| entry.refers == Some(to)), "{of:?} of {to}");
    }
    assert_eq!(counted(field(to_owner).is_null()), count(&|entry| entry.refers.is_none()), "{of:?} of none");
    for cents in 0..6_i64 {
        assert_eq!(counted(field("cents").ge(cents)), count(&|entry| entry.cents >= cents), "{of:?} from {cents}");
        let is_rich = |entry: &Entry| {
            let to = entry.refers.and_then(|to| ledger.entries.get(&(Of::Owners, to)));
            to.is_some_and(|(owner, _)| owner.cents >= cents)
        };
        assert_eq!(counted(field(cents_of_owner).ge(cents)), count(&is_rich), "{of:?}, whose owners have {cents}");
        if of == Of::Notes {
            let tagged = |entry: &Entry| entry.cents % 2 == cents || entry.cents % 3 == cents;
            assert_eq!(counted(field("tags").contains(cents)), count(&tagged), "notes with the tag {cents}");
        }
    }
}

impl Race {
    pub(super) fn ledger_step(&self, world: &World, step: &Step) {
        let mut batch = self.store.batch();
        step.iter().for_each(|command| self.ledger.add(&mut batch, command));
        let expected = &world.others.ledger;
        match (batch.commit(), expected.refused) {
            (Ok(receipt), None) => {
                assert_eq!((receipt.commit, receipt.counts.cascaded), (world.newest(), expected.cascaded));
            }
            (Err(refused), Some((at, fault))) => {
                let refusal = refused.refusal();
                let found = match refusal.cause() {
                    Cause::KeyExists => Fault::KeyExists,
                    Cause::KeyMissing => Fault::KeyMissing,
                    Cause::ParentMissing { .. } => Fault::ParentMissing,
                    Cause::StillReferred { .. } => Fault::StillReferred,
                    other => panic!("{other:?}"),
                };
                assert_eq!((refusal.position(), found), (Some(at), fault), "{refusal}");
            }
            (done, predicted) => panic!("the model predicts {predicted:?}, the store: {done:?}"),
        }
    }
}

//! A bounded collection: the items that end first leave it, which are those that were stored first.

use super::branches::{Lasting, rolled_back};
use super::machine::Race;
use super::reference::World;
use memdex::write::{Bound, EvictionPolicy};
use memdex::{Collection, Commit, Record, Snapshot, Store, field};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Record)]
pub(super) struct Item {
    #[record(key)]
    id: u32,
    #[record(index)]
    number: i64,
}

const IDS: u32 = 8;
const ROOM: usize = 4;
/// No history ends an item: this many microseconds, and one more for each item before, so that no two end together.
const LIFETIME: i64 = 1_000_000_000_000_000_000;

/// Committed together; fewer than there is room for.
pub(super) type Step = Vec<Command>;

#[derive(Clone, Debug)]
pub(super) enum Command {
    Store(u32),
    Delete(u32),
}

pub(super) fn any_step() -> BoxedStrategy<Step> {
    let command = prop_oneof![4 => (0..IDS).prop_map(Command::Store), 1 => (0..IDS).prop_map(Command::Delete)];
    vec(command, 1..ROOM).boxed()
}

// ---- the model ----------------------------------------------------------------------------------------------------------

#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    items: BTreeMap<u32, Lasting<Item>>,
    /// The items that have been stored.
    stored: i64,
    /// Those of the last step, and what it has evicted.
    stored_now: i64,
    evicted: usize,
}

impl Recent {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn rolled_back(&self, to: &Recent, times: (i64, i64), at: Commit, commit: Commit) -> Option<Recent> {
        let items = rolled_back(&self.items, &to.items, times, at, commit)?;
        Some(Recent { items, ..self.clone() })
    }
}

fn item(id: u32, number: i64) -> Item {
    Item { id, number }
}

impl World {
    pub(super) fn recent_step(&mut self, step: &Step) {
        let (commit, now) = (self.newest().next(), self.others.sessions.now());
        let of = &mut self.others.recent;
        let mut written = Vec::new();
        (of.stored_now, of.evicted) = (0, 0);
        for command in step {
            match *command {
                Command::Store(id) => {
                    of.items.insert(id, (item(id, of.stored), Some(now + LIFETIME + of.stored), commit));
                    written.push(id);
                    of.stored += 1;
                    of.stored_now += 1;
                }
                Command::Delete(id) => drop(of.items.remove(&id)),
            }
        }
        while of.items.len() > ROOM {
            let others = of.items.iter().filter(|(id, _)| !written.contains(id));
            let first = others.min_by_key(|(_, (_, deadline, _))| *deadline).map(|(id, _)| *id).unwrap();
            of.items.remove(&first);
            of.evicted += 1;
        }
        self.repeat_newest();
    }
}

// ---- the store ----------------------------------------------------------------------------------------------------------

pub(super) fn open(store: &Store) -> Collection<Item> {
    let items = store.collection("items").unwrap();
    items.set_bound(Bound::records(ROOM).policy(EvictionPolicy::SoonestToExpire)).unwrap();
    items
}

impl Race {
    pub(super) fn recent_step(&self, world: &World, step: &Step) {
        let (items, mut batch) = (&self.items, self.store.batch());
        let of = &world.others.recent;
        let mut number = of.stored - of.stored_now;
        for command in step {
            match *command {
                Command::Store(id) => {
                    let lifetime = Duration::from_micros((LIFETIME + number) as u64);
                    batch.with_lifetime(lifetime).store(items, item(id, number)).unwrap();
                    number += 1;
                }
                Command::Delete(id) => batch.delete(items, id).unwrap(),
            }
        }
        let receipt = batch.commit().unwrap();
        assert_eq!((receipt.commit, receipt.counts.evicted), (world.newest(), of.evicted));
    }

    pub(super) fn check_recent_at(&self, snapshot: &Snapshot, recent: &Recent) {
        let view = snapshot.of(&self.items);
        assert_eq!(view.len(), recent.items.len());
        for id in 0..IDS {
            let found = view.get(id).map(|of| (of.cloned(), of.commit()));
            let expected = recent.items.get(&id).map(|(item, _, commit)| (item.clone(), *commit));
            assert_eq!(found, expected, "item {id} at {:?}", snapshot.commit());
        }
        for (id, (item, ..)) in &recent.items {
            let keys = view.find(field("number").eq(item.number)).fetch().unwrap();
            assert!(keys.iter().map(|of| of.id).eq([*id]), "items with the number {}", item.number);
        }
    }
}

//! Extractors that return a different value at each call. The stored data is then unreliable, and an audit may report
//! it. But nothing panics, no commit breaks, and once the extractors are stable and all records are stored again,
//! everything is consistent.

use super::every_kind::{Shelf, TEXTS, aggregate};
use memdex::error::Refusal;
use memdex::query::Predicate;
use memdex::{Batch, IndexDef, field};

fn predicates() -> [Predicate; 8] {
    [
        field("code").eq("a"),
        field("team").is_in(TEXTS),
        field("score").between(3, 30),
        field("club").is_null(),
        field("rate").lt(4.0),
        field("tags").all(["a", "b"]),
        !field("notes").contains("c") & field("team").ne("d"),
        field("team").eq("a") & field("rate").ge(0.0) & field("score").ge(2),
    ]
}

/// One random change of the store; its result does not matter.
fn step(shelf: &Shelf, chance: usize) {
    let (things, store) = (&shelf.things, &shelf.store);
    let (id, number) = ((chance % 9) as u32, chance / 9 % 50);
    match chance % 13 {
        0..=2 => drop(things.store(shelf.thing(id, number))),
        3 => drop(things.update(id, move |thing| thing.number = number)),
        4 => drop(things.delete(id)),
        5 => drop(things.update_where(predicates()[chance % 8].clone(), move |thing| thing.number += number)),
        6 => drop(things.delete_where(predicates()[chance % 8].clone() & field("id").lt(3))),
        7 => {
            let batch = |batch: &mut Batch| {
                (0..6).try_for_each(|n| batch.store(things, shelf.thing(id + n, number + n as usize)))
            };
            drop(store.commit(batch));
        }
        8 | 9 => {
            let mut batch = store.batch();
            (0..6).for_each(|n| batch.store(things, shelf.thing(id + n, number + n as usize)).unwrap());
            drop(batch.commit_lenient().unwrap());
        }
        10 => drop(things.add_index(IndexDef::ordered(["club", "rate"]).named("new"))),
        11 if chance.is_multiple_of(3) => drop(things.add_aggregate(aggregate("new"))),
        11 if chance.is_multiple_of(5) => drop(things.drop_aggregate("new")),
        11 => drop(things.add_index(IndexDef::equality("notes").named("notes").when(field("score").lt(20)))),
        _ if chance.is_multiple_of(2) => drop(things.drop_index(["new", "notes", "score", "both"][chance / 26 % 4])),
        _ => store.optimize().unwrap(),
    }
}

#[test]
fn fickle_extractors_break_nothing() {
    let mut chance = 1_usize;
    for round in 0..20 {
        let shelf = Shelf::new();
        let mut held = Vec::new();
        shelf.whim.set(true);
        for _ in 0..80 {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            step(&shelf, chance >> 33);
            for predicate in predicates() {
                let found = shelf.things.find(predicate.clone()).fetch().unwrap();
                assert!(found.len() <= shelf.things.len());
                held.iter().for_each(|snapshot: &memdex::Snapshot| {
                    snapshot.of(&shelf.things).find(predicate.clone()).count().unwrap();
                });
            }
            assert_eq!(shelf.things.iter().count(), shelf.things.len());
            let of_groups = shelf.things.aggregate("by club").unwrap();
            assert!(of_groups.groups().len() <= shelf.things.len());
            if chance >> 33 & 7 == 0 {
                held.push(shelf.store.snapshot());
                held.drain(..held.len().saturating_sub(3));
            }
        }
        assert_eq!(shelf.stats().poisoned, None);
        let _ = shelf.store.verify();

        shelf.whim.set(false);
        drop(held);
        let keys: Vec<u32> = shelf.things.iter().map(|thing| thing.id).collect();
        // Stores each record again with new numbers, whose unique values differ.
        let of_all = |with: fn(&mut Batch, &Shelf, u32) -> Result<(), Refusal>| {
            shelf.store.commit(|batch| keys.iter().try_for_each(|id| with(batch, &shelf, *id))).unwrap();
            shelf.store.verify().unwrap();
        };
        of_all(|batch, shelf, id| batch.store(&shelf.things, shelf.thing(id, 11 * id as usize + 10)));
        of_all(|batch, shelf, id| batch.delete(&shelf.things, id));
        shelf.is_well();
        shelf
            .store
            .commit(|batch| (1..=4).try_for_each(|id| batch.insert(&shelf.things, shelf.thing(id, id as usize + 1))))
            .unwrap();
        shelf.gather().commit().unwrap();
        assert_eq!(shelf.state(), Shelf::GATHERED, "round {round}");
        shelf.is_well();
        assert_eq!(shelf.stats().drop_panics, 0);
    }
}

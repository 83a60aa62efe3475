//! Writes that find their records themselves: the first ones in an order, as a queue of jobs takes them; and records that move to
//! another key.

use super::world::{World, item};
use super::{explore, join, spawn};
use memdex::hook::RecordChange;
use std::sync::{Arc, Mutex};

/// Takes the open item with the lowest `b`, and returns its key.
fn take(world: &World) -> Option<u8> {
    let stamps = world.clone();
    let open = world.left.matching(item::A.eq(0)).order_by(item::B.asc());
    let taken = open.first(1).update(move |item| (item.a, item.stamp) = (1, stamps.new_stamp())).unwrap();
    let [RecordChange { before, after, .. }] = &taken.records[..] else {
        assert!(taken.records.is_empty());
        return None;
    };
    let (before, after) = (before.as_ref().unwrap(), after.as_ref().unwrap());
    assert_eq!((before.key, before.a, after.a), (after.key, 0, 1));
    // It was the first at the commit before.
    let state = world.left_at(taken.receipt.commit.get() - 1);
    let first = state.iter().filter(|item| item.a == 0).min_by_key(|item| (item.b, item.key));
    assert_eq!(first, Some(&**before));
    Some(after.key)
}

/// Two threads take from one queue, while a third moves an item to its head: none is taken twice, and none is left.
#[test]
fn first_of_a_queue() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 1), (1, 0, 1), (2, 1, 0)]);
        let taken = Arc::new(Mutex::new(Vec::new()));
        let taker = |taken: Arc<Mutex<Vec<u8>>>| {
            move |world: World| {
                for _ in 0..2 {
                    let key = take(&world);
                    taken.lock().unwrap().extend(key);
                }
            }
        };
        let takers = [spawn(&world, taker(taken.clone())), spawn(&world, taker(taken.clone()))];
        let opener = spawn(&world, |world| world.put(&[(2, 0, 0)]));
        join(&world, takers.into_iter().chain([opener]));
        while let Some(key) = take(&world) {
            taken.lock().unwrap().push(key);
        }
        let mut taken = taken.lock().unwrap().clone();
        taken.sort_unstable();
        assert_eq!(taken, [0, 1, 2]);
    });
}

/// A record moves between keys under readers: each snapshot has it under exactly one of them.
#[test]
fn moved_to_another_key() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 0), (2, 1, 1)]);
        let rekey = |world: &World, from: u8, to: u8| {
            let stamps = world.clone();
            world.left.rekey(from, to, move |item| (item.key, item.stamp) = (to, stamps.new_stamp())).unwrap();
        };
        let writer = spawn(&world, move |world| {
            [(0, 1), (1, 0), (0, 1)].iter().for_each(|(from, to)| rekey(&world, *from, *to))
        });
        let other = spawn(&world, |world| world.put(&[(2, 0, 0)]));
        let reader = |world: World| {
            let snapshot = world.store.snapshot();
            let moved = snapshot.of(&world.left).get_many([0, 1]);
            assert_eq!(moved.iter().flatten().count(), 1, "at {}", snapshot.commit());
            world.check_keys(&snapshot);
            world.check_random_query(&snapshot);
            let seen = snapshot.commit();
            drop(snapshot);
            let seen = world.check_get(0, seen);
            world.check_get(1, seen);
        };
        join(&world, [writer, other, spawn(&world, reader), spawn(&world, reader)]);
    });
}

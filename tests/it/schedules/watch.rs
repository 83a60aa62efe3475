//! Live queries beside commits: readers that share an answer, start late, fall behind, wait, and are awaited.

use super::world::{Item, World, item};
use super::{explore, join, spawn};
use memdex::hook::watch::{Watch, WatchedRecords};
use shuttle::future::block_on;
use shuttle::thread;

type Watched = Watch<WatchedRecords<Item>>;

fn watch(world: &World) -> Watched {
    world.left.watch(item::A.eq(0)).order_by(item::C.asc()).start().unwrap()
}

/// The answer is that of its commit.
fn check(world: &World, watch: &Watched) {
    let mut expected: Vec<Item> = world.left_at(watch.commit().get()).into_iter().filter(|item| item.a == 0).collect();
    expected.sort_by_key(|item| (item.c, item.key));
    let found: Vec<Item> = watch.answer().iter().map(|item| Item::clone(item)).collect();
    assert_eq!(found, expected, "at {}", watch.commit());
}

fn read(world: &World, watch: &mut Watched, copy: &mut Vec<memdex::Handle<Item>>) {
    while let Some(update) = watch.try_next() {
        update.apply(copy);
        check(world, watch);
    }
    check(world, watch);
    let stamps = |list: &[memdex::Handle<Item>]| list.iter().map(|item| item.stamp).collect::<Vec<_>>();
    assert_eq!(stamps(copy), stamps(watch.answer()));
}

fn writer(commits: u32) -> impl FnOnce(World) + Send {
    move |world| (0..commits).for_each(|_| world.random_commit())
}

/// Readers start during commits and share an answer; the log keeps one update, so that some are joined.
#[test]
fn watch_beside_commits() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 0), (1, 1, 1)]);
        let reader = |world: World| {
            let before = world.store.newest_commit();
            let mut watch = watch(&world);
            let mut copy = watch.answer().clone();
            check(&world, &watch);
            // It begins with everything that was committed before.
            let of_a = |commit: memdex::Commit| world.left_at(commit.get()).into_iter().filter(|item| item.a == 0);
            assert!(watch.commit() >= before || of_a(before).eq(of_a(watch.commit())));
            for _ in 0..3 {
                read(&world, &mut watch, &mut copy);
                thread::yield_now();
            }
        };
        let threads = [spawn(&world, writer(4)), spawn(&world, reader), spawn(&world, reader)];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let mut watch = watch(&world);
        let mut copy = watch.answer().clone();
        read(&world, &mut watch, &mut copy);
        drop((watch, copy));
        join(&world, []);
    });
}

/// One reader blocks and one awaits, until an item appears; nobody sleeps for ever.
#[test]
fn watch_awaited_beside_commits() {
    explore(|| {
        let world = World::new();
        let until = |mut next: Box<dyn FnMut(&mut Watched) -> bool>| {
            move |world: World| {
                let mut watch = watch(&world);
                while !watch.answer().iter().any(|item| item.key == 2) {
                    assert!(next(&mut watch));
                }
                check(&world, &watch);
            }
        };
        let blocked = spawn(&world, move |world| until(Box::new(|watch| watch.next().is_some()))(world));
        let awaited =
            spawn(&world, move |world| until(Box::new(|watch| block_on(watch.next_async()).is_some()))(world));
        let writer = spawn(&world, |world| (0..3).for_each(|key| world.put(&[(key, 0, 0)])));
        join(&world, [blocked, awaited, writer]);
    });
}

/// Watches that join another during the last commit leave it delivered.
#[test]
fn watch_joined_beside_the_last_commit() {
    explore(|| {
        let world = World::new();
        let first = watch(&world);
        let joins = |world: World| drop(watch(&world));
        let writer = spawn(&world, |world| world.put(&[(0, 0, 0)]));
        let threads = [spawn(&world, joins), spawn(&world, joins), writer];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop(first);
        join(&world, []);
    });
}

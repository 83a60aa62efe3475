//! The change feed under the checker: registration beside commits, gaps, back-pressure, ends. Under the checker, waits with a
//! deadline end at once, so a writer that waits for room can be refused at any moment.

use super::world::{Item, World};
use super::{explore, join, spawn};
use memdex::error::Cause;
use memdex::hook::{FeedEvent, Subscription, SubscriptionBuilder};
use memdex::{Collection, Commit, Snapshot, Store};
use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;
use std::collections::BTreeMap;
use std::time::Duration;

/// Longer than a scenario, if time passed.
const LONG: Duration = Duration::from_secs(1_000);

/// Rebuilds the left collection from a subscription.
struct Follower {
    subscription: Subscription,
    state: BTreeMap<u8, Item>,
    at: Commit,
}

impl Follower {
    /// Checks that the snapshot shows the state of its commit.
    fn start(world: &World, builder: SubscriptionBuilder) -> Self {
        let (snapshot, subscription) = builder.start().unwrap();
        let mut follower = Follower { subscription, state: BTreeMap::new(), at: Commit::ZERO };
        follower.begin_at(world, &snapshot);
        follower
    }

    fn begin_at(&mut self, world: &World, snapshot: &Snapshot) {
        let items = snapshot.of(&world.left).iter().map(|item| (item.key, Item::clone(&item)));
        self.state = items.collect();
        self.at = snapshot.commit();
        self.check(world);
    }

    fn check(&self, world: &World) {
        let state: Vec<Item> = self.state.values().cloned().collect();
        assert_eq!(state, world.left_at(self.at.get()), "at {}", self.at);
    }

    /// Applies an event. Returns whether it was a gap.
    fn apply(&mut self, world: &World, event: FeedEvent) -> bool {
        match event {
            FeedEvent::Commit(commit) => {
                assert_eq!(commit.number(), self.at.next(), "commits come without gaps");
                self.at = commit.number();
                for change in commit.changes::<Item>("left") {
                    let key = change.key.to().unwrap();
                    assert_eq!(self.state.remove(&key).as_ref(), change.before.as_deref());
                    self.state.extend(change.after.as_deref().map(|item| (key, item.clone())));
                }
                self.check(world);
                false
            }
            FeedEvent::Missed(missed) => {
                assert_eq!(missed.from, self.at.next());
                assert!(missed.snapshot.commit() >= missed.from);
                self.begin_at(world, &missed.snapshot);
                true
            }
            other => panic!("{other:?}"),
        }
    }

    /// Reads what is there.
    fn drain(&mut self, world: &World) -> u32 {
        let mut gaps = 0;
        while let Some(event) = self.subscription.try_next() {
            gaps += u32::from(self.apply(world, event));
        }
        gaps
    }

    fn check_at_end(mut self, world: &World) {
        self.drain(world);
        assert_eq!(self.at, world.store.newest_commit());
    }
}

fn commit_some(commits: u32) -> impl FnOnce(World) + Send {
    move |world| (0..commits).for_each(|_| world.random_commit())
}

/// The first snapshot and the first event fit together, although commits are in flight and deliveries lag behind.
#[test]
fn feed_subscribed_beside_commits() {
    explore(|| {
        let world = World::new();
        world.put(&[(0, 0, 0)]);
        let writers = [spawn(&world, commit_some(2)), spawn(&world, commit_some(2))];
        let reader = spawn(&world, |world| {
            let mut follower = Follower::start(&world, world.store.subscribe());
            follower.drain(&world);
            let mut second = Follower::start(&world, world.store.subscribe());
            second.drain(&world);
            thread::yield_now();
            follower.drain(&world);
        });
        let follower = Follower::start(&world, world.store.subscribe());
        join(&world, writers.into_iter().chain([reader]));
        follower.check_at_end(&world);
    });
}

/// A gap is read while commits continue: those up to its snapshot are skipped, and none after it is lost.
#[test]
fn feed_gap_read_beside_commits() {
    explore(|| {
        let world = World::new();
        let mut follower = Follower::start(&world, world.store.subscribe().max_operations(1));
        world.put(&[(0, 0, 0)]);
        world.put(&[(1, 0, 0)]);
        let writers = [spawn(&world, commit_some(2)), spawn(&world, commit_some(1))];
        let reader = spawn(&world, move |world| {
            let first = follower.subscription.next().unwrap();
            assert!(!follower.apply(&world, first));
            let gap = follower.subscription.next().unwrap();
            assert!(follower.apply(&world, gap), "the second commit did not fit");
            follower.drain(&world);
            while follower.at < world.store.newest_commit() {
                follower.drain(&world);
                thread::yield_now();
            }
            follower.drain(&world);
        });
        join(&world, writers.into_iter().chain([reader]));
    });
}

/// A gap that nobody reads pins nothing: without readers everything is reclaimed.
#[test]
fn feed_unread_gap_pins_nothing() {
    explore(|| {
        let world = World::new();
        let follower = Follower::start(&world, world.store.subscribe().max_operations(1));
        join(&world, [spawn(&world, commit_some(2)), spawn(&world, commit_some(2))]);
        follower.check_at_end(&world);
    });
}

/// Tries to store a record until the subscription has room.
fn put_patiently(world: &World, key: u8) {
    loop {
        match world.left.store(world.item(key, 0, 0)) {
            Ok(_) => return,
            Err(refused) => assert!(matches!(refused.cause(), Cause::SubscriptionFull { .. }), "{refused}"),
        }
        thread::yield_now();
    }
}

/// Writers wait: the reader misses nothing, and the queue stays within its bound.
#[test]
fn feed_writers_wait() {
    explore(|| {
        let world = World::new();
        let mut follower = Follower::start(&world, world.store.subscribe().max_operations(1).writers_wait(LONG));
        let writer = |keys: [u8; 2]| move |world: World| keys.iter().for_each(|key| put_patiently(&world, *key));
        let reader = spawn(&world, move |world| {
            while follower.at.get() < 4 {
                let event = follower.subscription.next().unwrap();
                assert!(!follower.apply(&world, event), "writers wait");
                assert!(world.store.stats().subscriptions[0].queued_operations <= 1);
            }
        });
        join(&world, [spawn(&world, writer([0, 1])), spawn(&world, writer([1, 2])), reader]);
    });
}

/// The reader writes too, while others write: it is never refused, and never waits for itself.
#[test]
fn feed_reader_writes() {
    explore(|| {
        let world = World::new();
        let mut follower = Follower::start(&world, world.store.subscribe().max_operations(1).writers_wait(LONG));
        let writer = spawn(&world, |world| {
            world.right.store(world.item(0, 0, 0)).map(|_| ()).unwrap_or_else(|refused| {
                assert!(matches!(refused.cause(), Cause::SubscriptionFull { .. }));
            });
        });
        let reader = spawn(&world, move |world| {
            follower.drain(&world);
            (0..3).for_each(|key| world.put(&[(key, 1, 1)]));
            while follower.at < world.store.newest_commit() {
                follower.drain(&world);
                thread::yield_now();
            }
        });
        join(&world, [writer, reader]);
    });
}

/// A subscription is dropped while commits are delivered to it and writers wait for it.
#[test]
fn feed_dropped_beside_deliveries() {
    explore(|| {
        let world = World::new();
        let stays = Follower::start(&world, world.store.subscribe());
        let filter = memdex::field("a").eq(0);
        let (_, filtered) = world.store.subscribe().matching(&world.left, filter).max_operations(2).start().unwrap();
        let (_, waits) = world.store.subscribe().max_operations(1).writers_wait(LONG).start().unwrap();
        let writers = [0, 1].map(|key| spawn(&world, move |world| put_patiently(&world, key)));
        let dropped = spawn(&world, |_| drop(filtered));
        let last = spawn(&world, |_| drop(waits));
        writers.into_iter().chain([dropped, last]).for_each(|thread| thread.join().unwrap());
        assert_eq!(world.store.stats().subscriptions.len(), 1);
        stays.check_at_end(&world);
        assert_eq!(world.store.stats().subscriptions, []);
        world.check_at_rest();
    });
}

/// A reader that blocks or awaits learns of every event and of the end of the store.
#[test]
fn feed_ends_with_the_store() {
    explore(|| {
        let store = Store::new();
        let items: Collection<Item> = store.collection("items").unwrap();
        let (snapshot, mut subscription) = store.subscribe().start().unwrap();
        drop(snapshot);
        let awaits = thread_rng().gen_range(0..2) == 0;
        let reader = thread::spawn(move || {
            let mut commits = 0;
            loop {
                let next = if awaits { block_on(subscription.next_async()) } else { subscription.next() };
                match next {
                    Some(FeedEvent::Commit(commit)) => assert_eq!(commit.number(), commits + 1),
                    Some(other) => panic!("{other:?}"),
                    None => break,
                }
                commits += 1;
            }
            assert!(subscription.is_ended());
            commits
        });
        let writer = {
            let items = items.clone();
            thread::spawn(move || {
                items.store(Item { key: 0, a: 0, b: 0, c: 0, stamp: 0 }).unwrap();
            })
        };
        items.store(Item { key: 1, a: 0, b: 0, c: 0, stamp: 1 }).unwrap();
        drop((items, store));
        writer.join().unwrap();
        assert_eq!(reader.join().unwrap(), 2);
    });
}

/// Progress marks are true: what comes after one is of later commits, and what came before it is complete.
#[test]
fn feed_progress_beside_commits() {
    explore(|| {
        let world = World::new();
        let filter = memdex::field("a").eq(1);
        let builder = world.store.subscribe().matching(&world.left, filter).progress_every(1);
        let (_, mut subscription) = builder.start().unwrap();
        let writer = |key: u8| {
            move |world: World| {
                world.put(&[(key, 0, 0)]);
                world.put(&[(key, 1, 0)]);
                world.put(&[(key, 0, 0)]);
            }
        };
        let reader = spawn(&world, move |world| {
            let (mut told, mut matches) = (Commit::ZERO, 0);
            while told.get() < 6 || matches < 4 {
                let Some(event) = subscription.next() else { panic!("the store is there") };
                let at = match event {
                    FeedEvent::Commit(commit) => {
                        matches += 1;
                        commit.number()
                    }
                    FeedEvent::Progress(commit) => commit,
                    other => panic!("{other:?}"),
                };
                assert!(at > told, "{at} after {told}");
                told = at;
                // Each change from or to 1 up to here was reported.
                let ones = |commit| world.left_at(commit).into_iter().filter(|item| item.a == 1).count();
                let changed = (1..=told.get()).filter(|commit| ones(*commit) != ones(commit - 1)).count();
                assert!(matches >= changed, "{matches} of {changed} up to {told}");
            }
        });
        join(&world, [spawn(&world, writer(0)), spawn(&world, writer(1)), reader]);
    });
}

//! The background writer: its gate, its tickets, its end and its death. Under the checker, waits with a deadline end
//! at once, so a deadline can pass at any moment.

use super::explore;
use super::world::{Item, World};
use memdex::write::{BackgroundError, Queued, SubmitError, Ticket};
use memdex::{BackgroundWriter, Batch};
use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;
use std::time::Duration;

/// Longer than a scenario, if time passed.
const LONG: Duration = Duration::from_secs(1_000);

/// Two records that must be committed together: the same key in both collections.
fn pair(world: &World, key: u8) -> Batch {
    let item = world.item(key, 0, 0);
    let mut batch = world.store.batch();
    batch.insert(&world.left, item.clone()).unwrap();
    batch.insert(&world.right, item).unwrap();
    batch
}

fn has_pair(world: &World, key: u8) -> bool {
    let snapshot = world.store.snapshot();
    let (left, right) = (snapshot.of(&world.left).get(key), snapshot.of(&world.right).get(key));
    assert_eq!(left.is_some(), right.is_some(), "only half of a submission is visible");
    left.is_some()
}

fn check_bounds(background: &BackgroundWriter) {
    let Queued { operations, submissions, .. } = background.queued();
    assert!(operations <= 5 && submissions <= 5);
}

/// Submits in a random way; the last attempt is to wait. `None` if the flusher has died.
fn submit(background: &BackgroundWriter, batch: Batch) -> Option<Ticket> {
    let submitted = match thread_rng().gen_range(0..3) {
        0 => background.try_submit(batch),
        1 => background.submit_timeout(batch, LONG),
        _ => background.submit(batch),
    };
    check_bounds(background);
    let submitted = submitted.or_else(|error| match error.into_parts() {
        (BackgroundError::Full | BackgroundError::TimedOut { .. }, Some(batch)) => background.submit(batch),
        (BackgroundError::Died { .. }, Some(batch)) => {
            assert_eq!(batch.len(), 2);
            background.submit(batch)
        }
        (other, _) => panic!("{other}"),
    });
    check_bounds(background);
    submitted.inspect_err(|error| assert!(matches!(error.error(), BackgroundError::Died { .. }))).ok()
}

fn answer(mut ticket: Ticket) -> Result<memdex::write::Applied, SubmitError> {
    if thread_rng().gen_range(0..2) == 0 { ticket.wait() } else { block_on(ticket) }
}

/// Producers at a queue that holds two of their submissions, one of them invalid. The drop of the last handle drains
/// the queue.
#[test]
fn background() {
    explore(|| {
        let world = World::new();
        let linger = if thread_rng().gen_range(0..2) == 0 { Duration::ZERO } else { LONG };
        let builder = world.store.background_writer().bulk_size(3).max_operations(5).linger(linger);
        let background = builder.start().unwrap();
        // Both insert key 1, so one of them is refused, in any order.
        let producers = [[0, 1], [1, 2]].map(|keys| {
            let (world, background) = (world.clone(), background.clone());
            thread::spawn(move || {
                let tickets = keys.map(|key| submit(&background, pair(&world, key)).expect("the flusher must not die"));
                if thread_rng().gen_range(0..2) == 0 {
                    background.flush().unwrap();
                    assert!(tickets.iter().all(Ticket::is_answered));
                }
                drop(background);
                let mut commits = Vec::new();
                let mut refused = 0;
                for (key, ticket) in keys.into_iter().zip(tickets) {
                    match answer(ticket) {
                        Ok(applied) => {
                            assert!(world.store.newest_commit() >= applied.commit && has_pair(&world, key));
                            commits.push(applied.commit);
                        }
                        Err(error) => {
                            let (BackgroundError::Refused(_), Some(batch)) = error.into_parts() else {
                                panic!("not refused")
                            };
                            assert_eq!((key, batch.len()), (1, 2));
                            refused += 1;
                        }
                    }
                }
                assert!(commits.is_sorted());
                refused
            })
        });
        drop(background);
        let refused: usize = producers.into_iter().map(|producer| producer.join().unwrap()).sum();
        assert_eq!(refused, 1);
        assert!((0..3).all(|key| has_pair(&world, key)));
        world.check_at_rest();
    });
}

/// The last handle is dropped while its tickets are unanswered, and the drop waits for them.
#[test]
fn drained_by_the_drop() {
    explore(|| {
        let world = World::new();
        let background = world.store.background_writer().linger(LONG).start().unwrap();
        let other = background.clone();
        let of_other = world.clone();
        let thread = thread::spawn(move || {
            let ticket = other.submit(pair(&of_other, 0)).unwrap();
            drop(other);
            ticket
        });
        let ticket = background.submit(pair(&world, 1)).unwrap();
        drop(background);
        let other = thread.join().unwrap();
        assert!(ticket.is_answered() && other.is_answered());
        assert!(has_pair(&world, 0) && has_pair(&world, 1));
        world.check_at_rest();
    });
}

/// The flusher dies at a random step while producers wait for capacity, wait, await and flush: all of them get an
/// error.
#[test]
fn flusher_death() {
    explore(|| {
        let world = World::new();
        let (step, nth) = (thread_rng().gen_range(0..10), thread_rng().gen_range(1..3));
        let builder = world.store.background_writer().bulk_size(3).max_operations(5).linger(LONG);
        let background = builder.dies_at(step, nth).start().unwrap();
        let producers = [[0, 1], [1, 2]].map(|keys| {
            let (world, background) = (world.clone(), background.clone());
            thread::spawn(move || {
                let tickets = keys.map(|key| submit(&background, pair(&world, key)));
                let flushed = background.flush();
                for (key, ticket) in keys.into_iter().zip(tickets) {
                    let Some(ticket) = ticket else { continue };
                    assert!(ticket.is_answered() || flushed.is_err());
                    match answer(ticket) {
                        Ok(_) => assert!(has_pair(&world, key)),
                        Err(error) => match error.into_parts() {
                            (BackgroundError::Refused(_), Some(batch)) => assert_eq!((key, batch.len()), (1, 2)),
                            (BackgroundError::Died { .. }, batch) => {
                                has_pair(&world, key);
                                batch.into_iter().for_each(|batch| assert_eq!(batch.len(), 2));
                            }
                            (other, _) => panic!("{other}"),
                        },
                    }
                }
            })
        });
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        drop(background);
        // The store still works.
        world.left.store(Item { key: 0, a: 1, b: 1, c: 1, stamp: 0 }).unwrap();
        world.check_at_rest();
    });
}

//! Checkpoints, and what a rollback restores.

use super::{Task, base, open, task};
use memdex::Store;
use memdex::clock::ManualClock;
use memdex::write::RollbackError;
use std::time::Duration;

#[test]
fn what_a_rollback_has_undone_stays_undone() {
    let (store, tasks) = base(1);
    let first = store.checkpoint().unwrap();
    tasks.insert(task(1)).unwrap();
    let undone = store.checkpoint().unwrap();
    // A new record that a later commit has changed is one change.
    tasks.update(1, |task| task.points = -1).unwrap();
    tasks.insert(task(2)).unwrap();
    let counts = store.rollback(&first).unwrap().counts;
    assert_eq!((counts.deleted, counts.total(), counts.missing), (2, 2, 0));
    tasks.insert(task(3)).unwrap();
    let later = store.checkpoint().unwrap();
    tasks.insert(task(4)).unwrap();
    store.rollback(&later).unwrap();
    assert_eq!(tasks.len(), 2);
    assert!(matches!(store.rollback(&undone), Err(RollbackError::Undone { .. })));
    store.rollback(&first).unwrap();
    assert!(matches!(store.rollback(&later), Err(RollbackError::Undone { .. })));
    assert_eq!(tasks.len(), 1);
}

#[test]
fn a_rollback_gives_records_what_was_left_of_their_lifetimes() {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).build();
    let tasks = store.collection::<Task>("Task").unwrap();
    let second = Duration::from_secs(1);
    for (id, lifetime) in [(0, 60), (1, 30), (2, 100)] {
        tasks.with_lifetime(second * lifetime).store(task(id)).unwrap();
    }
    tasks.insert(task(3)).unwrap();
    clock.advance(second * 20);
    let before = store.checkpoint().unwrap();
    tasks.update(2, |task| task.points = 0).unwrap();
    clock.advance(second * 15);
    assert!(!tasks.contains(1), "it had 10 seconds left at the checkpoint");
    store.rollback(&before).unwrap();
    let ids = || (0..4).filter(|id| tasks.contains(*id)).collect::<Vec<u32>>();
    // They had 40, 10 and 80 seconds left.
    for (passes, expected) in
        [(9, &[0, 1, 2, 3][..]), (1, &[0, 2, 3]), (29, &[0, 2, 3]), (1, &[2, 3]), (39, &[2, 3]), (1, &[3])]
    {
        clock.advance(second * passes);
        assert_eq!(ids(), expected);
    }
    store.verify().unwrap();
}

#[test]
fn a_rollback_in_a_fork_leaves_the_base_as_it_is() {
    let (store, tasks) = base(3);
    let fork = store.fork();
    let forked = open(&fork);
    let before = fork.checkpoint().unwrap();
    forked.delete(0).unwrap();
    tasks.delete(1).unwrap();
    assert!(matches!(store.rollback(&before), Err(RollbackError::OtherStore)));
    fork.rollback(&before).unwrap();
    assert_eq!((forked.len(), tasks.len()), (3, 2));
}

/// The rollback takes a snapshot to compare the states. It must not outlive the comparison.
#[test]
fn a_rollback_retains_nothing_but_what_the_checkpoint_sees() {
    let (store, tasks) = base(5);
    let before = store.checkpoint().unwrap();
    tasks.update(1, |task| task.points = -1).unwrap();
    tasks.update(2, |task| task.points = -2).unwrap();
    store.rollback(&before).unwrap();
    assert_eq!(store.stats().collections[0].versions_retained, 2);
}

/// Danger: the fork and its base number their rows each for themselves, and the first record with a lifetime of the fork has the row of one of the base.
#[test]
fn a_rollback_in_a_fork_gives_no_record_the_lifetime_of_another() {
    let clock = ManualClock::default();
    let base = Store::builder().clock(clock.clone()).build();
    base.collection::<Task>("Task").unwrap().insert(task(1)).unwrap();
    let store = base.fork();
    let tasks = store.collection::<Task>("Task").unwrap();
    tasks.with_lifetime(Duration::from_secs(1)).insert(task(2)).unwrap();
    let checkpoint = store.checkpoint().unwrap();
    tasks.store(Task { points: 9, ..task(1) }).unwrap();
    store.rollback(&checkpoint).unwrap();
    let deadlines = [1, 2].map(|id| tasks.peek(id).unwrap().expires_at().is_some());
    assert_eq!((deadlines, tasks.get(1).unwrap().points), ([false, true], task(1).points));
    clock.advance(Duration::from_secs(1));
    assert_eq!((tasks.contains(1), tasks.contains(2)), (true, false));
    store.verify().unwrap();
}

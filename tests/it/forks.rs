//! Forks: what they share with their base and what they don't, and random forks that equal full copies. `model` forks its store too.

mod checkpoints;
mod random;

use memdex::clock::ManualClock;
use memdex::error::{CollectionError, QueryError};
use memdex::query::Predicate;
use memdex::schema::AggregateDef;
use memdex::write::{Bound, DefaultLifetime};
use memdex::{Collection, Filter, GroupBy, IndexDef, Metric, Query, Record, Store, field};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Record)]
struct Task {
    #[record(key)]
    id: u32,
    #[record(unique)]
    name: String,
    #[record(index)]
    team: u8,
    #[record(ordered, column)]
    points: i64,
}

fn task(id: u32) -> Task {
    Task { id, name: format!("task {id}"), team: (id % 5) as u8, points: i64::from(id) * 3 }
}

fn base(tasks: u32) -> (Store, Collection<Task>) {
    let store = Store::new();
    let collection = store.collection("Task").unwrap();
    store.commit(|batch| (0..tasks).try_for_each(|id| batch.insert(&collection, task(id)))).unwrap();
    (store, collection)
}

fn open(store: &Store) -> Collection<Task> {
    store.collection("Task").unwrap()
}

fn ids(of: &Collection<Task>, predicate: impl Into<Predicate>) -> Vec<u32> {
    let mut ids: Vec<u32> = of.find(predicate.into()).fetch().unwrap().iter().map(|task| task.id).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn neither_sees_what_the_other_writes() {
    let (store, tasks) = base(20);
    let (one, other) = (store.fork(), store.fork());
    let (of_one, of_other) = (open(&one), open(&other));
    of_one.update(3, |task| task.points = -1).unwrap();
    of_one.delete(4).unwrap();
    of_one.insert(task(100)).unwrap();
    tasks.update(5, |task| task.team = 9).unwrap();
    tasks.delete(6).unwrap();
    of_other.store(Task { team: 7, ..task(3) }).unwrap();

    assert_eq!((tasks.len(), of_one.len(), of_other.len()), (19, 20, 20));
    assert_eq!((tasks.get(3).unwrap().points, of_one.get(3).unwrap().points), (9, -1));
    assert_eq!((of_one.get(5).unwrap().team, of_other.get(5).unwrap().team, tasks.get(5).unwrap().team), (0, 0, 9));
    assert!(of_one.contains(6) && of_other.contains(6) && !tasks.contains(6));
    assert_eq!(ids(&of_one, field("team").eq(4)), [9, 14, 19]);
    assert_eq!(ids(&of_other, field("team").eq(7)), [3]);
    assert_eq!(ids(&of_one, field("points").lt(4)), [0, 1, 3]);
    for (store, collection) in [(&store, &tasks), (&one, &of_one), (&other, &of_other)] {
        store.verify().unwrap();
        assert_eq!(collection.iter().count(), collection.len());
    }
}

#[test]
fn a_fork_has_the_unique_values_of_its_base() {
    let (_store, tasks) = base(10);
    let fork = _store.fork();
    let forked = open(&fork);
    let taken = Task { name: "task 7".into(), ..task(50) };
    let refusal = forked.insert(taken.clone()).unwrap_err().into_refusal();
    assert!(refusal.to_string().contains("task 7"), "{refusal}");
    // What the base gives up later, the fork still has.
    tasks.delete(7).unwrap();
    assert!(forked.insert(taken.clone()).is_err());
    assert_eq!(forked.get_by(task::NAME, "task 7").unwrap().unwrap().id, 7);
    // And what it takes later, the fork does not have.
    tasks.insert(Task { name: "late".into(), ..task(60) }).unwrap();
    forked.insert(Task { name: "late".into(), ..task(61) }).unwrap();
    // Two records of the base swap their values.
    fork.commit(|batch| {
        batch.update(&forked, 1, |task| task.name = "task 2".into())?;
        batch.update(&forked, 2, |task| task.name = "task 1".into())
    })
    .unwrap();
    assert_eq!(forked.get_by(task::NAME, "task 1").unwrap().unwrap().id, 2);
    // The record that has the value leaves in the same batch.
    fork.commit(|batch| {
        batch.delete(&forked, 7)?;
        batch.insert(&forked, taken)
    })
    .unwrap();
    assert_eq!(forked.get_by(task::NAME, "task 7").unwrap().unwrap().id, 50);
    // A lenient batch leaves out only what is at fault.
    let mut batch = fork.batch();
    batch.insert(&forked, Task { name: "task 8".into(), ..task(70) }).unwrap();
    batch.insert(&forked, task(71)).unwrap();
    assert_eq!(batch.commit_lenient().unwrap().refused.len(), 1);
    assert!(forked.contains(71) && !forked.contains(70));
    fork.verify().unwrap();
}

#[test]
fn a_base_without_the_index_still_has_the_values() {
    let (store, tasks) = base(10);
    let fork = store.fork();
    let forked = open(&fork);
    tasks.drop_index("name").unwrap();
    tasks.store(Task { name: "task 1".into(), ..task(2) }).unwrap();
    assert!(forked.insert(Task { name: "task 2".into(), ..task(90) }).is_err());
    assert!(
        forked.insert(Task { name: "task 3".into(), ..task(91) }).is_err(),
        "a record that the base has not changed"
    );
    assert_eq!(forked.get_by(task::NAME, "task 2").unwrap().unwrap().id, 2);
    assert!(matches!(tasks.get_by(task::NAME, "task 2"), Err(QueryError::NoUniqueIndex { .. })));
}

#[test]
fn a_group_of_submissions_takes_no_value_that_another_gives_up() {
    let (store, _) = base(10);
    let fork = store.fork();
    let forked = open(&fork);
    let background = fork.background_writer().linger(Duration::from_secs(60)).start().unwrap();
    let mut one = background.submit_with(|batch| batch.delete(&forked, 1)).unwrap();
    let mut two =
        background.submit_with(|batch| batch.insert(&forked, Task { name: "task 1".into(), ..task(80) })).unwrap();
    background.flush().unwrap();
    assert!(one.wait().is_ok() && two.wait().is_ok());
    assert_eq!(forked.get_by(task::NAME, "task 1").unwrap().unwrap().id, 80);
}

#[test]
fn forks_of_forks_read_every_layer() {
    let (store, tasks) = base(12);
    let first = store.fork();
    let of_first = open(&first);
    of_first.delete(1).unwrap();
    of_first.update(2, |task| task.points = 1_000).unwrap();
    of_first.insert(task(20)).unwrap();
    let second = first.fork();
    let of_second = open(&second);
    of_second.insert(Task { points: -5, ..task(1) }).unwrap();
    of_second.delete(20).unwrap();
    of_second.update(3, |task| task.points = 2_000).unwrap();
    let third = second.fork();
    // What lies below goes on.
    tasks.clear().unwrap();
    of_first.clear().unwrap();
    of_second.clear().unwrap();
    drop((store, first, second));
    let of_third = open(&third);
    let expected: Vec<u32> = (0..12).collect();
    assert_eq!(ids(&of_third, field("id").ge(0)), expected);
    let points = [1, 2, 3, 4].map(|id| of_third.get(id).unwrap().points);
    assert_eq!(points, [-5, 1_000, 2_000, 12]);
    let ordered: Vec<u32> = of_third
        .find(Filter::all())
        .order_by(task::POINTS.desc())
        .limit(3)
        .fetch()
        .unwrap()
        .iter()
        .map(|t| t.id)
        .collect();
    assert_eq!(ordered, [3, 2, 11]);
    third.verify().unwrap();
}

#[test]
fn a_condition_on_a_commit_of_the_base_holds_in_the_fork() {
    let (store, tasks) = base(3);
    let seen = tasks.get(1).unwrap().commit();
    let fork = store.fork();
    let forked = open(&fork);
    tasks.update(1, |task| task.points += 1).unwrap();
    // A query has the fork take the record over.
    assert_eq!(ids(&forked, field("points").eq(3)), [1]);
    assert_eq!(forked.get(1).unwrap().commit(), seen);
    forked.if_unchanged(seen).store(task(1)).unwrap();
    assert!(forked.if_unchanged(seen).store(task(1)).is_err());
}

#[test]
fn what_the_base_changes_is_taken_over_once() {
    let (store, tasks) = base(3_000);
    let fork = store.fork();
    let forked = open(&fork);
    let before = fork.snapshot();
    for id in 0..1_000 {
        tasks.update(id, |task| task.points = -1).unwrap();
    }
    let commit = fork.newest_commit();
    assert_eq!(forked.find(field("points").eq(-1)).count().unwrap(), 0);
    assert_eq!(fork.newest_commit().get(), commit.get() + 1, "one commit took the records over");
    let records = || fork.stats().collections[0].records;
    assert_eq!(records(), 1_000);
    assert_eq!((forked.find(Filter::all()).count().unwrap(), forked.len()), (3_000, 3_000));
    assert_eq!((fork.newest_commit().get(), records()), (commit.get() + 1, 1_000));
    // The snapshot from before reads the records where they were.
    assert_eq!(
        (before.of(&forked).find(field("points").eq(-1)).count().unwrap(), before.of(&forked).len()),
        (0, 3_000)
    );
    assert_eq!(before.of(&forked).iter().count(), 3_000);
    tasks.delete_where(Filter::all()).unwrap();
    assert_eq!(forked.find(task::TEAM.eq(2)).count().unwrap(), 600);
    fork.verify().unwrap();
}

#[test]
fn a_query_takes_over_after_a_snapshot_of_the_fork_has_ended() {
    let (store, tasks) = base(20);
    let fork = store.fork();
    let of_fork = open(&fork);
    let snapshot = fork.snapshot();
    for id in 0..10 {
        of_fork.update(id, |task| task.points = -1).unwrap();
        tasks.update(id + 10, |task| task.team = 9).unwrap();
    }
    drop(snapshot);
    // This query commits what it takes over. The commit also frees the versions that the snapshot kept.
    assert_eq!(ids(&of_fork, field("team").eq(4)), [4, 9, 14, 19]);
    assert_eq!(ids(&of_fork, field("points").eq(-1)).len(), 10);
}

#[test]
fn cached_queries_of_a_fork_count_the_records_of_both_layers() {
    let (store, _) = base(3);
    let fork = store.fork();
    let forked = open(&fork);
    // Rows of the fork have the numbers of rows of the base.
    (10..13).for_each(|id| assert!(forked.insert(task(id)).is_ok()));
    let cached = forked.cached();
    let of_all = || cached.find(Filter::all());
    for _ in 0..2 {
        assert_eq!((*of_all().count().unwrap(), of_all().fetch().unwrap().len()), (6, 6));
        let page = of_all().order_by(task::POINTS.asc()).size(2).with_total().fetch().unwrap();
        assert_eq!((page.len(), page.total), (2, Some(6)));
        let sums = of_all().statistics([Metric::count(), task::POINTS.sum()]).unwrap();
        assert_eq!((sums.int("count"), sums.int("sum(points)")), (Some(6), Some(3 * (1 + 2 + 10 + 11 + 12))));
        assert_eq!(*of_all().prepare_count().unwrap().fetch().unwrap(), 6);
    }
}

#[test]
fn hooks_and_feeds_of_a_fork_see_only_its_own_changes() {
    let (store, tasks) = base(10);
    let mut of_base = store.subscribe().start().unwrap().1;
    let fork = store.fork();
    let forked = open(&fork);
    let mut of_fork = fork.subscribe().start().unwrap().1;
    tasks.update(1, |task| task.points = 0).unwrap();
    assert_eq!(forked.find(task::POINTS.eq(3)).count().unwrap(), 1);
    forked.update(2, |task| task.points = 7).unwrap();
    let changes = |subscription: &mut memdex::hook::Subscription| {
        let mut seen = Vec::new();
        while let Some(memdex::hook::FeedEvent::Commit(event)) = subscription.try_next() {
            let changes = event.changes::<Task>("Task");
            seen.extend(
                changes
                    .iter()
                    .map(|change| (change.before.as_ref().unwrap().points, change.after.as_ref().unwrap().points)),
            );
        }
        seen
    };
    assert_eq!(changes(&mut of_base), [(3, 0)]);
    assert_eq!(changes(&mut of_fork), [(6, 7)]);
}

#[test]
fn watches_and_new_structures_copy_the_collection() {
    let (store, tasks) = base(50);
    tasks.add_aggregate(AggregateDef::new("by team", GroupBy::values("team").metrics([Metric::count()]))).unwrap();
    let fork = store.fork();
    let forked = open(&fork);
    let count = |of: &Collection<Task>| of.aggregate("by team").unwrap().group(2).unwrap().int("count").unwrap();
    assert_eq!(count(&forked), 10);
    forked.delete(2).unwrap();
    assert_eq!((count(&forked), count(&tasks)), (9, 10));
    assert_eq!(forked.aggregates(), tasks.aggregates());
    let mut watch = forked.watch(task::TEAM.eq(2)).start().unwrap();
    forked.delete(7).unwrap();
    assert_eq!(fork.stats().collections[0].records, 48, "all records are in the fork's own table");
    assert!(watch.try_next().is_some());
    assert_eq!(watch.answer().len(), 8);
    forked.add_index(IndexDef::ordered("id")).unwrap();
    assert_eq!(count(&forked), 8);
    forked.drop_aggregate("by team").unwrap();
    assert!(forked.aggregate("by team").is_err() && tasks.aggregate("by team").is_ok());

    // A fork of a fork has them in the order in which they were added.
    let (middle, more) = (store.fork(), GroupBy::values("team").metrics([Metric::count()]));
    open(&middle).add_aggregate(AggregateDef::new("again", more)).unwrap();
    let above = middle.fork();
    let names: Vec<_> = open(&above).aggregates().into_iter().map(|def| def.name().to_owned()).collect();
    assert_eq!(names, ["by team", "again"]);
    fork.verify().unwrap();
}

#[test]
fn lifetimes_and_bounds_are_those_of_the_fork() {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).build();
    let tasks: Collection<Task> = store.collection("Task").unwrap();
    let minute = Duration::from_secs(60);
    tasks.set_default_lifetime(DefaultLifetime::Sliding(minute)).unwrap();
    for id in 0..10 {
        tasks.store(task(id)).unwrap();
    }
    let fork = store.fork();
    clock.advance(minute / 2);
    assert!(tasks.get(1).is_some(), "a read of the base extends only its own lifetime");
    let forked = open(&fork);
    assert!(forked.get(2).is_some());
    clock.advance(minute / 2);
    let alive = |of: &Collection<Task>| (0..10).filter(|id| of.peek(*id).is_some()).collect::<Vec<u32>>();
    assert_eq!((alive(&tasks), alive(&forked)), (vec![1], vec![2]));
    assert_eq!((fork.expire_now().unwrap(), forked.len(), store.expire_now().unwrap()), (9, 1, 9));

    // Reads of the base begin to extend lifetimes before the fork has copied them.
    let tasks: Collection<Task> = store.collection("Other").unwrap();
    tasks.with_lifetime(minute).store(task(1)).unwrap();
    let (fork, of_earlier) = (store.fork(), store.fork());
    let opened: Collection<Task> = of_earlier.collection("Other").unwrap();
    tasks.set_default_lifetime(DefaultLifetime::Sliding(minute)).unwrap();
    clock.advance(minute / 2);
    assert!(tasks.get(1).is_some());
    let refused = fork.collection::<Task>("Other");
    assert!(matches!(refused, Err(CollectionError::LifetimesExtended { .. })), "{refused:?}");
    assert!(matches!(fork.fork().collection::<Task>("Other"), Err(CollectionError::LifetimesExtended { .. })));
    clock.advance(minute / 2);
    assert_eq!((tasks.peek(1).is_some(), opened.peek(1).is_some()), (true, false));
    assert!(store.fork().collection::<Task>("Other").unwrap().peek(1).is_some());

    let (store, tasks) = base(10);
    let fork = store.fork();
    let forked = open(&fork);
    forked.set_bound(Bound::records(4)).unwrap();
    forked.insert(task(20)).unwrap();
    assert_eq!((forked.len(), tasks.len()), (4, 10));
    let of_bounded = fork.fork();
    let bounded = open(&of_bounded);
    bounded.insert(task(21)).unwrap();
    assert_eq!((bounded.len(), forked.len()), (4, 4));
    of_bounded.verify().unwrap();
}

#[test]
fn sequences_collections_and_queries_by_name() {
    let (store, _) = base(5);
    let ids = store.sequence("Task");
    ids.skip_to(6);
    let fork = store.fork();
    assert_eq!((fork.sequence("Task").next(), ids.next(), fork.sequence("Task").next()), (6, 6, 7));
    assert_eq!(fork.collections(), store.collections());
    let page = fork.query(&Query::over(["Task"]).filter(field("team").le(1))).unwrap().records().unwrap();
    assert_eq!(page.len(), 2);
    assert_eq!(fork.any_collection("Task").unwrap().len(), 5);
    assert!(fork.drop_collection("Task").unwrap());
    assert!(fork.any_collection("Task").is_none() && store.any_collection("Task").is_some());
    let again = open(&fork);
    assert!(again.is_empty());
    assert!(matches!(store.fork_at(&fork.snapshot()), Err(QueryError::OtherStore { .. })));
    #[derive(Record)]
    struct Other {
        #[record(key)]
        id: u32,
    }
    assert!(matches!(store.fork().collection::<Other>("Task"), Err(CollectionError::OtherType { .. })));
}

#[test]
fn records_need_no_clone_and_are_shared() {
    static LIVING: AtomicUsize = AtomicUsize::new(0);
    struct Counted(());
    impl Drop for Counted {
        fn drop(&mut self) {
            LIVING.fetch_sub(1, SeqCst);
        }
    }
    #[derive(Record)]
    struct Heavy {
        #[record(key)]
        id: u32,
        #[record(index)]
        team: u32,
        _of: Counted,
    }
    let heavy = |id| {
        LIVING.fetch_add(1, SeqCst);
        Heavy { id, team: id % 3, _of: Counted(()) }
    };
    let store = Store::new();
    let base = store.collection::<Heavy>("Heavy").unwrap();
    for id in 0..100 {
        base.insert(heavy(id)).unwrap();
    }
    let fork = store.fork();
    let forked = fork.collection::<Heavy>("Heavy").unwrap();
    base.clear().unwrap();
    assert_eq!((forked.find(heavy::TEAM.eq(1)).count().unwrap(), base.len()), (33, 0));
    let before = fork.checkpoint().unwrap();
    forked.clear().unwrap();
    fork.rollback(&before).unwrap();
    assert_eq!((forked.len(), LIVING.load(SeqCst)), (100, 100), "no record was copied");
    forked.insert(heavy(100)).unwrap();
    drop((before, forked));
    fork.drop_collection("Heavy").unwrap();
    fork.optimize().unwrap();
    store.optimize().unwrap();
    assert_eq!(LIVING.load(SeqCst), 0, "a dropped collection of a fork retains nothing");
}

#[test]
fn a_fork_is_exact_while_its_base_is_written() {
    let (store, tasks) = base(500);
    let (fork, stop) = (store.fork(), AtomicBool::new(false));
    let forked = open(&fork);
    forked.delete_where(task::TEAM.eq(1)).unwrap();
    let expected: Vec<u32> = (0..500).filter(|id| id % 5 != 1).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0.. {
                if stop.load(SeqCst) {
                    break;
                }
                let id = round * 7 % 500;
                match round % 3 {
                    0 => drop(tasks.delete(id)),
                    1 => drop(tasks.store(Task { team: 3, points: -1, ..task(id) })),
                    _ => drop(tasks.store(Task { name: format!("new {id}"), ..task(id + 1_000) })),
                }
            }
        });
        for round in 0..200 {
            assert_eq!(ids(&forked, field("id").ge(0)), expected);
            assert_eq!(forked.find(task::TEAM.eq(3)).count().unwrap(), 100);
            let id = expected[round % expected.len()];
            assert_eq!(forked.get(id).unwrap().name, format!("task {id}"));
            assert_eq!(forked.get_by(task::NAME, &*format!("task {id}")).unwrap().unwrap().id, id);
            let sum = forked.find(Filter::all()).statistics(task::POINTS.sum()).unwrap();
            assert_eq!(sum.int("sum(points)"), Some(expected.iter().map(|id| i64::from(*id) * 3).sum()));
        }
        stop.store(true, SeqCst);
    });
    fork.verify().unwrap();
    store.verify().unwrap();
}

/// Such a collection of a fork is copied, with the records that only the base has.
#[test]
fn a_fork_of_a_fork_with_lifetimes_has_the_records_of_the_base() {
    let (store, _) = base(10);
    let fork = store.fork();
    open(&fork).with_lifetime(Duration::from_secs(60)).store(task(20)).unwrap();
    open(&fork).delete(3).unwrap();
    let of_fork = fork.fork();
    assert_eq!(ids(&open(&of_fork), field("id").ge(0)), [0, 1, 2, 4, 5, 6, 7, 8, 9, 20]);
    of_fork.verify().unwrap();
}

#[test]
fn a_fork_caches_no_answers() {
    let (store, _) = base(10);
    let fork = store.fork();
    let cached = open(&fork).cached();
    let prepared = cached.find(task::TEAM.eq(2)).prepare().unwrap();
    for _ in 0..2 {
        assert!(!cached.find(task::TEAM.eq(1)).fetch().unwrap().is_cached());
        assert!(!prepared.fetch().unwrap().is_cached());
    }
    assert_eq!(fork.stats().cache.entries, 0);
}

#[test]
fn a_fork_begins_at_the_commit_of_a_snapshot() {
    let (store, tasks) = base(5);
    let before = store.snapshot();
    tasks.delete(1).unwrap();
    tasks.update(2, |task| task.points = -1).unwrap();
    tasks.insert(task(9)).unwrap();
    let fork = store.fork_at(&before).unwrap();
    drop(before);
    let forked = open(&fork);
    assert_eq!((ids(&forked, field("id").ge(0)), forked.get(2).unwrap().points), (vec![0, 1, 2, 3, 4], 6));
    forked.insert(Task { name: "task 9".into(), ..task(7) }).unwrap();
    assert_eq!((forked.len(), tasks.len()), (6, 5));
    fork.verify().unwrap();
}

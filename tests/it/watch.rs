//! Live queries.

use memdex::clock::ManualClock;
use memdex::hook::watch::{Difference, Watch, WatchError, WatchedRecords, WatchedStatistics};
use memdex::limits::KEPT_UPDATES;
use memdex::query::Predicate;
use memdex::{Collection, Filter, GroupBy, Handle, Metric, Record, Store, Timestamp, field};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Record)]
struct Task {
    #[record(key)]
    id: u32,
    #[record(index)]
    user: String,
    #[record(ordered)]
    points: i64,
}

fn task_of(id: u32, user: &str, points: i64) -> Task {
    Task { id, user: user.into(), points }
}

fn tasks() -> (Store, Collection<Task>) {
    let store = Store::new();
    let tasks = store.collection::<Task>("Task").unwrap();
    (store, tasks)
}

fn ids(list: &[Handle<Task>]) -> Vec<u32> {
    list.iter().map(|task| task.id).collect()
}

/// A watch, and a copy of its answer that only its updates change.
struct Follower {
    watch: Watch<WatchedRecords<Task>>,
    copy: Vec<Handle<Task>>,
    updates: usize,
}

impl Follower {
    fn new(watch: Watch<WatchedRecords<Task>>) -> Self {
        let copy = watch.answer().clone();
        Follower { watch, copy, updates: 0 }
    }

    fn read(&mut self) {
        let mut last = self.watch.commit();
        while let Some(update) = self.watch.try_next() {
            assert!(update.commit >= last && !update.differences.is_empty());
            last = update.commit;
            update.apply(&mut self.copy);
            self.updates += 1;
        }
        let same = |(a, b): (&Handle<Task>, &Handle<Task>)| a.commit() == b.commit() && a.key() == b.key();
        assert!(self.copy.len() == self.watch.answer().len() && self.copy.iter().zip(self.watch.answer()).all(same));
    }
}

#[test]
fn a_page_tells_who_enters_leaves_moves_and_changes() {
    let (store, tasks) = tasks();
    (1..=4).for_each(|id| assert!(tasks.store(task_of(id, "ada", i64::from(id) * 10)).is_ok()));
    let mut watch = tasks.watch(task::USER.eq("ada")).order_by(task::POINTS.desc()).limit(3).start().unwrap();
    assert_eq!(ids(watch.answer()), [4, 3, 2]);
    assert!(watch.try_next().is_none());
    tasks.store(task_of(9, "bob", 99)).unwrap();
    assert!(watch.try_next().is_none(), "it does not concern the answer");

    tasks.update(1, |task| task.points = 35).unwrap();
    let update = watch.try_next().unwrap();
    let kinds = |update: &memdex::hook::watch::Update<Task>| -> Vec<String> {
        let kind = |difference: &Difference<Task>| match difference {
            Difference::Entered { at, record, .. } => format!("+{}@{at}", record.id),
            Difference::Left { from, record, .. } => format!("-{}@{from}", record.id),
            Difference::Changed { at, after, .. } => format!("={}@{at}", after.id),
            Difference::Moved { from, to, after, .. } => format!("{}@{from}>{to}", after.id),
            _ => unreachable!(),
        };
        update.differences.iter().map(kind).collect()
    };
    assert_eq!(kinds(&update), ["-2@2", "+1@1"]);
    assert_eq!((ids(watch.answer()), update.commit), (vec![4, 1, 3], store.newest_commit()));

    tasks.update(3, |task| task.points = 50).unwrap();
    assert_eq!(kinds(&watch.try_next().unwrap()), ["3@2>0"]);
    tasks.store(task_of(4, "ada", 40)).unwrap();
    assert_eq!(kinds(&watch.try_next().unwrap()), ["=4@1"]);
    tasks.delete(3).unwrap();
    assert_eq!(kinds(&watch.try_next().unwrap()), ["-3@0", "+2@2"]);
    store
        .commit(|batch| {
            batch.update(&tasks, 4, |task| task.user = "eve".into())?;
            batch.store(&tasks, task_of(7, "ada", 1))
        })
        .unwrap();
    assert_eq!(kinds(&watch.try_next().unwrap()), ["-4@0", "+7@2"]);
    assert_eq!(ids(watch.answer()), [1, 2, 7]);
}

#[test]
fn equal_questions_share_their_work() {
    let (store, tasks) = tasks();
    tasks.store(task_of(1, "ada", 1)).unwrap();
    let watch = || tasks.watch(task::USER.eq("ada")).start().unwrap();
    let mut all: Vec<_> = (0..5).map(|_| watch()).collect();
    assert_eq!(store.stats().subscriptions.len(), 1);
    tasks.store(task_of(2, "ada", 1)).unwrap();
    let mut late = watch();
    assert_eq!((ids(late.answer()), late.try_next().is_none()), (vec![1, 2], true));
    all.iter_mut().for_each(|watch| assert_eq!((watch.count_updates(), ids(watch.answer())), (1, vec![1, 2])));
    let other = tasks.watch(task::USER.eq("ada")).limit(1).start().unwrap();
    assert_eq!(store.stats().subscriptions.len(), 2);
    drop((all, late, other));
    assert_eq!(store.stats().subscriptions.len(), 0);
}

trait CountUpdates {
    fn count_updates(&mut self) -> usize;
}

impl CountUpdates for Watch<WatchedRecords<Task>> {
    fn count_updates(&mut self) -> usize {
        std::iter::from_fn(|| self.try_next()).count()
    }
}

#[test]
fn statistics_change_commit_by_commit() {
    let (_, tasks) = tasks();
    let groups = GroupBy::values("user").metrics([Metric::count(), task::POINTS.sum()]);
    let mut watch: Watch<WatchedStatistics<Task>> = tasks.watch(task::POINTS.gt(0)).statistics(groups).unwrap();
    assert_eq!(watch.answer().as_ref().unwrap().groups().len(), 0);
    tasks.store(task_of(1, "ada", 5)).unwrap();
    tasks.store(task_of(2, "ada", 6)).unwrap();
    tasks.store(task_of(3, "ada", -1)).unwrap();
    let sums = std::iter::from_fn(|| watch.try_next()).map(|result| {
        let result = result.unwrap();
        (result.commit.get(), result.group("ada").unwrap().int("sum(points)").unwrap())
    });
    let sums: Vec<_> = sums.collect();
    assert_eq!(sums, [(1, 5), (2, 11)]);
    let refused = tasks.watch(Filter::all()).statistics(task::POINTS.percentile(50.0));
    assert!(matches!(refused, Err(WatchError::Statistics(_))), "{refused:?}");
    assert!(matches!(tasks.watch(field("none").eq(1)).start(), Err(WatchError::Query(_))));
    assert!(matches!(tasks.watch(Filter::all()).limit(0).start(), Err(WatchError::Query(_))));
}

#[test]
fn updates_are_awaited_blocked_for_and_called_back() {
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let (store, tasks) = tasks();
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(flag.clone());
    let mut context = Context::from_waker(&waker);
    let mut polled = tasks.watch(Filter::all()).start().unwrap();
    assert!(polled.poll_next(&mut context).is_pending());
    let (sender, receiver) = channel();
    let background = tasks.watch(Filter::all()).start().unwrap().in_background(move |update, answer| {
        sender.send((update.commit.get(), answer.len())).unwrap();
    });
    let mut blocked = tasks.watch(Filter::all()).start().unwrap();
    let waiting = std::thread::spawn(move || (blocked.next().unwrap().commit.get(), blocked));
    tasks.store(task_of(1, "ada", 1)).unwrap();
    assert_eq!(receiver.recv().unwrap(), (1, 1));
    let (commit, mut blocked) = waiting.join().unwrap();
    assert_eq!(commit, 1);
    assert!(flag.0.load(Ordering::SeqCst));
    assert!(matches!(polled.poll_next(&mut context), Poll::Ready(Some(_))));
    assert!(blocked.next_timeout(Duration::from_millis(5)).is_none());
    drop(background);
    assert!(receiver.recv().is_err(), "its closure is gone");
    let waiting = std::thread::spawn(move || blocked.next().is_none());
    drop((store, tasks));
    assert!(waiting.join().unwrap(), "the store is gone");
    assert!(matches!(polled.poll_next(&mut context), Poll::Ready(None)));
}

#[test]
fn who_reads_late_gets_one_joined_update() {
    let (_, tasks) = tasks();
    let watch = || tasks.watch(Filter::all()).order_by(task::POINTS.asc()).limit(5).start().unwrap();
    let (mut quick, mut slow) = (Follower::new(watch()), Follower::new(watch()));
    for round in 0..KEPT_UPDATES as u32 * 4 {
        tasks.store(task_of(round % 20, "ada", i64::from(round * 7 % 31))).unwrap();
        quick.read();
    }
    slow.read();
    assert_eq!(ids(&slow.copy), ids(&quick.copy));
    assert!(slow.updates == 1 && quick.updates > 100, "{} and {}", slow.updates, quick.updates);
}

#[test]
fn records_leave_with_the_commit_that_removes_them() {
    let clock = ManualClock::starting_at(Timestamp::from_secs(0));
    let store = Store::builder().clock(clock.clone()).build();
    let tasks = store.collection::<Task>("Task").unwrap();
    tasks.with_lifetime(Duration::from_secs(5)).store(task_of(1, "ada", 1)).unwrap();
    let mut watch = Follower::new(tasks.watch(Filter::all()).start().unwrap());
    clock.advance(Duration::from_secs(6));
    watch.read();
    assert_eq!((ids(&watch.copy), tasks.find(Filter::all()).count()), (vec![1], Ok(0)));
    store.expire_now().unwrap();
    watch.read();
    assert_eq!((ids(&watch.copy), watch.updates), (vec![], 1));
}

#[test]
fn an_extractor_that_panics_is_survived() {
    static PANICS: AtomicBool = AtomicBool::new(false);
    struct Moody(u32, i64);
    impl Record for Moody {
        type Key = u32;
        fn schema() -> memdex::Schema {
            let [id, points] = ["id", "points"].map(|name| memdex::FieldDef::new(name, memdex::Kind::Int));
            memdex::Schema::new([id.key(), points])
        }
        fn key(&self, key: &mut memdex::typing::KeyBuffer) {
            key.push(memdex::typing::ValueRef::Int(self.0.into()));
        }
        fn value(&self, position: usize) -> memdex::typing::ValueRef<'_> {
            assert!(position == 0 || !PANICS.load(Ordering::SeqCst), "moody");
            memdex::typing::ValueRef::Int(if position == 0 { self.0.into() } else { self.1 })
        }
    }
    let store = Store::new();
    let moody = store.collection::<Moody>("Moody").unwrap();
    let mut watch = moody.watch(field("points").eq(1)).start().unwrap();
    moody.store(Moody(1, 1)).unwrap();
    PANICS.store(true, Ordering::SeqCst);
    moody.store(Moody(2, 1)).unwrap();
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| watch.try_next().is_some()));
    assert!(read.is_err());
    PANICS.store(false, Ordering::SeqCst);
    while watch.try_next().is_some() {}
    assert_eq!(watch.answer().len(), 2);
    store.verify().unwrap();
}

thread_local! {
    /// Asked by the extractor of `Nosy`.
    static OWN: std::cell::RefCell<Option<Watch<WatchedRecords<Nosy>>>> = const { std::cell::RefCell::new(None) };
    static OF: std::cell::RefCell<Option<Collection<Nosy>>> = const { std::cell::RefCell::new(None) };
}

/// Its extractor reads the watch that it is called for, writes, and starts another watch.
struct Nosy(u32);

impl Record for Nosy {
    type Key = u32;

    fn schema() -> memdex::Schema {
        let [id, even] = ["id", "even"].map(|name| memdex::FieldDef::new(name, memdex::Kind::Int));
        memdex::Schema::new([id.key(), even])
    }

    fn key(&self, key: &mut memdex::typing::KeyBuffer) {
        key.push(memdex::typing::ValueRef::Int(self.0.into()));
    }

    fn value(&self, position: usize) -> memdex::typing::ValueRef<'_> {
        if position == 1
            && let Some(mut own) = OWN.take()
        {
            assert!(own.try_next().is_none(), "its own thread is at it");
            let collection = OF.with_borrow(|of| of.clone().unwrap());
            assert!(collection.delete(0).is_err(), "an extractor can't write");
            // It may be refused, but does not wait for itself.
            let _ = collection.watch(field("even").eq(0)).start();
            OWN.set(Some(own));
        }
        memdex::typing::ValueRef::Int(if position == 0 { self.0.into() } else { i64::from(self.0 % 2) })
    }
}

#[test]
fn an_extractor_may_read_the_watch_that_calls_it() {
    let store = Store::new();
    let nosy = store.collection::<Nosy>("Nosy").unwrap();
    let watch = || nosy.watch(field("even").eq(0)).start().unwrap();
    let mut watched = watch();
    nosy.store(Nosy(1)).unwrap();
    nosy.store(Nosy(2)).unwrap();
    OF.set(Some(nosy.clone()));
    OWN.set(Some(watch()));
    nosy.store(Nosy(4)).unwrap();
    while watched.try_next().is_some() {}
    let mut own = OWN.take().unwrap();
    OF.set(None);
    while own.try_next().is_some() {}
    assert_eq!((watched.answer().len(), own.answer().len()), (2, 2));
}

#[test]
fn watches_beside_writers_miss_nothing() {
    let (store, tasks) = tasks();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..2_u32 {
            let (tasks, stop) = (&tasks, &stop);
            scope.spawn(move || {
                for round in 0..1_500_u32 {
                    let id = round * 7 % 40 + writer * 40;
                    match round % 5 {
                        0 => assert!(tasks.delete(id).is_ok()),
                        _ => assert!(
                            tasks
                                .store(task_of(id, ["ada", "bob"][round as usize % 2], i64::from(round * 13 % 50)))
                                .is_ok()
                        ),
                    }
                }
                stop.store(true, Ordering::SeqCst);
            });
        }
        for limit in [3, 100] {
            let (tasks, stop, store) = (&tasks, &stop, &store);
            scope.spawn(move || {
                let find = || tasks.watch(task::USER.eq("ada")).order_by(task::POINTS.desc()).limit(limit);
                let mut watch = Follower::new(find().start().unwrap());
                while !stop.load(Ordering::SeqCst) {
                    watch.read();
                    // One that starts now begins where the others are.
                    let other = Follower::new(find().start().unwrap());
                    assert!(other.copy.len() <= limit);
                }
                let _ = store;
                watch.read();
            });
        }
    });
    let mut watch =
        Follower::new(tasks.watch(task::USER.eq("ada")).order_by(task::POINTS.desc()).limit(3).start().unwrap());
    watch.read();
    let fresh = tasks.find(task::USER.eq("ada")).order_by(task::POINTS.desc()).limit(3).fetch().unwrap();
    assert_eq!(ids(&watch.copy), ids(&fresh));
}

#[derive(Clone, Debug)]
enum Step {
    Store(u32, usize, i64, Option<u64>),
    Batch(Vec<(u32, usize, i64)>),
    Delete(u32),
    DeleteWhere(usize),
    Rekey(u32, u32),
    Advance(u64),
    Watch(usize),
    Read(usize),
}

const USERS: [&str; 3] = ["ada", "bob", "eve"];

fn step() -> impl Strategy<Value = Step> {
    let id = || 0..20_u32;
    prop_oneof![
        8 => (id(), 0..3_usize, 0..15_i64, prop::option::weighted(0.2, 1..5_u64))
            .prop_map(|(id, user, points, lifetime)| Step::Store(id, user, points, lifetime)),
        3 => vec((id(), 0..3_usize, 0..15_i64), 2..12).prop_map(Step::Batch),
        3 => id().prop_map(Step::Delete),
        1 => (0..3_usize).prop_map(Step::DeleteWhere),
        1 => (id(), id()).prop_map(|(old, new)| Step::Rekey(old, new)),
        1 => (0..3_u64).prop_map(Step::Advance),
        2 => (0..4_usize).prop_map(Step::Watch),
        8 => (0..6_usize).prop_map(Step::Read),
    ]
}

fn filter() -> impl Strategy<Value = Predicate> {
    prop_oneof![
        3 => select(&USERS[..]).prop_map(|user| field("user").eq(user)),
        2 => (0..12_i64).prop_map(|from| field("points").between(from, from + 5)),
        1 => select(&USERS[..]).prop_map(|user| !field("user").eq(user)),
        1 => Just(Predicate::All),
    ]
}

#[derive(Clone, Debug)]
struct Question {
    filter: Predicate,
    /// Direction, limit and offset.
    page: Option<(bool, usize, usize)>,
}

fn question() -> impl Strategy<Value = Question> {
    let page = prop::option::weighted(0.8, (any::<bool>(), 1..6_usize, 0..3_usize));
    (filter(), page).prop_map(|(filter, page)| Question { filter, page })
}

fn order(ascending: bool) -> memdex::query::OrderBy {
    if ascending { field("points").asc() } else { field("points").desc() }
}

fn watched(tasks: &Collection<Task>, question: &Question) -> Watch<WatchedRecords<Task>> {
    let watch = tasks.watch(question.filter.clone());
    match question.page {
        Some((ascending, limit, offset)) => watch.order_by(order(ascending)).limit(limit).offset(offset),
        None => watch,
    }
    .start()
    .unwrap()
}

fn fresh(tasks: &Collection<Task>, question: &Question) -> Vec<(u32, u64)> {
    let find = tasks.find(question.filter.clone());
    let page = match question.page {
        Some((ascending, limit, offset)) => find.order_by(order(ascending)).limit(limit).offset(offset).fetch(),
        None => find.order_by(field("id").asc()).fetch(),
    };
    page.unwrap().iter().map(|task| (task.id, task.commit().get())).collect()
}

proptest! {
    #![proptest_config(crate::cases::default_cases())]

    /// Whatever is committed: each watch, read at any time, shows what a fresh query finds in what has been removed by then.
    #[test]
    fn watched_answers_are_those_of_fresh_queries(
        questions in vec(question(), 4),
        steps in vec(step(), 1..100),
    ) {
        let clock = ManualClock::starting_at(Timestamp::from_secs(0));
        let store = Store::builder().clock(clock.clone()).build();
        let tasks = store.collection::<Task>("Task").unwrap();
        let mut followers: Vec<(usize, Follower)> = Vec::new();
        let groups = || GroupBy::values("user").metrics([Metric::count(), task::POINTS.sum(), task::POINTS.max()]);
        let mut figures = tasks.watch(task::POINTS.gt(3)).statistics(groups()).unwrap();
        for step in &steps {
            match step {
                Step::Store(id, user, points, None) => assert!(tasks.store(task_of(*id, USERS[*user], *points)).is_ok()),
                Step::Store(id, user, points, Some(lifetime)) => {
                    let lifetime = Duration::from_secs(*lifetime);
                    tasks.with_lifetime(lifetime).store(task_of(*id, USERS[*user], *points)).unwrap();
                }
                Step::Batch(many) => {
                    store.commit(|batch| many.iter().try_for_each(|(id, user, points)| {
                        batch.store(&tasks, task_of(*id, USERS[*user], *points))
                    })).unwrap();
                }
                Step::Delete(id) => assert!(tasks.delete(*id).is_ok()),
                Step::DeleteWhere(user) => assert!(tasks.delete_where(task::USER.eq(USERS[*user])).is_ok()),
                Step::Rekey(old, new) => {
                    let id = *new;
                    let _ = tasks.rekey(*old, *new, move |task| task.id = id);
                }
                Step::Advance(by) => {
                    clock.advance(Duration::from_secs(*by));
                    store.expire_now().unwrap();
                }
                Step::Watch(number) => {
                    let follower = Follower::new(watched(&tasks, &questions[*number]));
                    prop_assert_eq!(said(&follower), fresh(&tasks, &questions[*number]));
                    followers.truncate(5);
                    followers.push((*number, follower));
                }
                Step::Read(at) if *at < followers.len() => {
                    let (number, follower) = &mut followers[*at];
                    follower.read();
                    prop_assert_eq!(said(follower), fresh(&tasks, &questions[*number]), "{:?}", questions[*number]);
                }
                Step::Read(_) => {
                    while figures.try_next().is_some() {}
                    let expected = tasks.find(task::POINTS.gt(3)).statistics(groups()).unwrap();
                    prop_assert_eq!(&figures.answer().as_ref().unwrap().values, &expected.values);
                }
            }
        }
        for (number, mut follower) in followers {
            follower.read();
            prop_assert_eq!(said(&follower), fresh(&tasks, &questions[number]));
        }
    }
}

fn said(follower: &Follower) -> Vec<(u32, u64)> {
    follower.copy.iter().map(|task| (task.id, task.commit().get())).collect()
}

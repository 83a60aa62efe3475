//! Memory in use and its peak. `Store::verify` compares each counter with a walk.

use super::{User, user, users};
use crate::cases::rounds;
use memdex::aggregate::Statistics;
use memdex::error::Cause;
use memdex::schema::AggregateDef;
use memdex::typing::{KeyBuffer, ValueRef};
use memdex::{Collection, FieldDef, GroupBy, IndexDef, Metric, Record, Schema, Store, field};
use proptest::collection::vec;
use proptest::prelude::*;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[derive(Clone, Debug, Record)]
#[record(index(shelf, size), ordered(shelf, title))]
struct Item {
    #[record(key)]
    id: String,
    #[record(index, column)]
    shelf: u8,
    #[record(unique)]
    code: Option<String>,
    #[record(ordered, column)]
    title: String,
    #[record(ordered, column)]
    size: Option<i32>,
    #[record(index)]
    tags: Vec<String>,
    #[record(column)]
    serial: u128,
    notes: Vec<String>,
}

/// Some fields depend on the shape, so that a replaced record moves in each structure. Codes stay unique.
fn item(id: u32, shape: u32) -> Item {
    let long = "x".repeat(shape as usize % 60);
    Item {
        id: if id.is_multiple_of(3) { format!("item {id} with a long key {long}") } else { id.to_string() },
        shelf: (shape % 3) as u8,
        code: (!(id + shape).is_multiple_of(5)).then(|| format!("the code of item {id} in shape {shape}")),
        title: format!("{} {long}", (id * shape) % 97),
        size: (!shape.is_multiple_of(4)).then_some((id * 7 + shape) as i32 % 500),
        tags: (0..shape % 4).map(|n| format!("tag {} of many different ones", (id + n) % 40)).collect(),
        serial: if shape.is_multiple_of(2) { u128::from(id) } else { u128::MAX - u128::from(id) },
        notes: vec![long; id as usize % 3],
    }
}

#[derive(Clone, Debug)]
enum Step {
    Store { from: u32, count: u32, shape: u32 },
    Delete { from: u32, count: u32 },
    Clear,
    Refused,
    Snapshot,
    DropSnapshot(usize),
    AddIndex(usize),
    DropIndex(usize),
    AddAggregate,
    DropAggregate,
    Optimize,
    AddCollection,
    DropCollection,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some = || prop_oneof![3 => 1..20_u32, 1 => 100..700_u32];
    let step = prop_oneof![
        10 => (0..400_u32, some(), 0..1_000_u32).prop_map(|(from, count, shape)| Step::Store { from, count, shape }),
        5 => (0..400_u32, some()).prop_map(|(from, count)| Step::Delete { from, count }),
        1 => Just(Step::Clear),
        1 => Just(Step::Refused),
        3 => Just(Step::Snapshot),
        2 => (0..8_usize).prop_map(Step::DropSnapshot),
        2 => (0..6_usize).prop_map(Step::AddIndex),
        2 => (0..6_usize).prop_map(Step::DropIndex),
        1 => Just(Step::AddAggregate),
        1 => Just(Step::DropAggregate),
        2 => Just(Step::Optimize),
        1 => Just(Step::AddCollection),
        1 => Just(Step::DropCollection),
    ];
    vec(step, 1..20)
}

fn added_index(number: usize) -> IndexDef {
    match number {
        0 => IndexDef::equality("title").named("equal titles"),
        1 => IndexDef::unique("id"),
        2 => IndexDef::ordered("code").named("codes in order"),
        3 => IndexDef::equality("size").when(field("shelf").eq(1)).named("partial"),
        // These are in the schema at first.
        4 => IndexDef::ordered("title"),
        _ => IndexDef::equality("tags"),
    }
}

fn by_shelf() -> AggregateDef {
    let metrics = [Metric::count(), item::TITLE.max(), item::SIZE.avg()];
    AggregateDef::new("by shelf", Statistics::of([Metric::count()]).group_by(GroupBy::values("title").metrics(metrics)))
}

fn run(store: &Store, items: &Collection<Item>, snapshots: &mut Vec<memdex::Snapshot>, step: &Step) {
    match *step {
        Step::Store { from, count, shape } => {
            let stored =
                store.commit(|batch| (from..from + count).try_for_each(|id| batch.store(items, item(id, shape))));
            stored.unwrap();
        }
        Step::Delete { from, count } => {
            let keys = (from..from + count).flat_map(|id| [0, 25, 59].map(|shape| item(id, shape).id));
            store.commit(|batch| keys.into_iter().try_for_each(|key| batch.delete(items, key))).unwrap();
        }
        Step::Clear => drop(items.clear().unwrap()),
        Step::Refused => {
            let mut batch = store.batch();
            batch.store(items, item(1_000, 1)).unwrap();
            batch.store(items, Item { id: "another".into(), ..item(1_000, 1) }).unwrap();
            assert!(matches!(batch.commit().unwrap_err().cause(), Cause::NotUnique { .. }));
        }
        Step::Snapshot => snapshots.push(store.snapshot()),
        Step::DropSnapshot(at) if at < snapshots.len() => drop(snapshots.swap_remove(at)),
        Step::AddIndex(number) => drop(items.add_index(added_index(number))),
        Step::DropIndex(number) => drop(items.drop_index(added_index(number).name())),
        Step::AddAggregate => drop(items.add_aggregate(by_shelf())),
        Step::DropAggregate => drop(items.drop_aggregate("by shelf")),
        Step::Optimize => store.optimize().unwrap(),
        Step::AddCollection => {
            let users = store.collection::<User>("users").unwrap();
            store.commit(|batch| (0..300).try_for_each(|n| batch.store(&users, user(&n.to_string(), n)))).unwrap();
        }
        Step::DropCollection => drop(store.drop_collection("users").unwrap()),
        Step::DropSnapshot(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_memory_equals_a_walk_and_the_peak_is_its_maximum(steps in steps()) {
        let store = Store::new();
        let items = store.collection::<Item>("items").unwrap();
        let mut snapshots = Vec::new();
        let mut highest = store.stats().memory.now;
        for step in &steps {
            run(&store, &items, &mut snapshots, step);
            store.verify().unwrap();
            let stats = store.stats();
            let total: usize = stats.collections.iter().map(|of| of.memory.total()).sum();
            prop_assert_eq!(stats.memory.now, total, "after {:?}", step);
            highest = highest.max(total);
            match step {
                // Between two of these steps of several commits or slices nobody has read the memory.
                Step::Optimize | Step::AddCollection => highest = highest.max(stats.memory.peak),
                _ => prop_assert_eq!(stats.memory.peak, highest, "after {:?}", step),
            }
        }
        drop(snapshots);
        items.clear().unwrap();
        store.optimize().unwrap();
        store.verify().unwrap();
        let memory = store.stats().collections[0].memory;
        prop_assert_eq!((memory.records, memory.record_heap, memory.versions), (0, 0, 0));
    }
}

/// Fills a store and empties it again, and compares the peak with the memory of an equally full store.
fn emptied(fill: impl Fn(&Store, &Collection<User>), empty: impl Fn(&Store, &Collection<User>)) {
    let (full, of_full) = users();
    fill(&full, &of_full);
    let most = full.stats().memory;
    assert_eq!(most.peak, most.now);
    let (store, users) = users();
    fill(&store, &users);
    empty(&store, &users);
    assert_eq!(users.len(), 0);
    store.optimize().unwrap();
    let memory = store.stats().memory;
    assert!(memory.now < most.now / 10, "{memory:?} of {most:?}");
    assert!(memory.peak >= most.now / 100 * 99 && memory.peak <= most.now / 100 * 101, "{memory:?} of {most:?}");
}

const MANY: i64 = rounds(100_000) as i64;

/// Gives each user a different city, so that the index has a relevant size.
fn fill(store: &Store, users: &Collection<User>) {
    let mut writer = store.writer();
    for n in 0..MANY {
        writer.store(users, User { city: format!("City of number {n}"), ..user(&n.to_string(), n) }).unwrap();
    }
    writer.flush().unwrap();
}

#[test]
fn the_peak_outlives_deletes_one_by_one() {
    emptied(fill, |store, users| {
        let mut writer = store.writer();
        (0..MANY).for_each(|n| writer.delete(users, n.to_string()).unwrap());
        writer.flush().unwrap();
    });
}

#[test]
fn the_peak_outlives_a_delete_of_all_at_once() {
    emptied(fill, |_, users| {
        users.delete_where(field("visits").ge(0)).unwrap();
    });
}

#[test]
fn the_peak_outlives_versions_of_a_snapshot() {
    let (store, users) = users();
    store.commit(|batch| (0..500).try_for_each(|n| batch.store(&users, user(&n.to_string(), n)))).unwrap();
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(store.snapshot());
        users.update_where(field("visits").ge(0), |user| user.visits += 1).unwrap();
    }
    let most = store.stats().memory;
    assert_eq!(most.peak, most.now);
    drop(held);
    store.optimize().unwrap();
    let stats = store.stats();
    assert_eq!((stats.collections[0].versions_retained, stats.memory.peak), (0, most.now));
    assert!(stats.memory.now < most.now / 5, "{:?} of {most:?}", stats.memory);
}

#[test]
fn the_peak_outlives_an_index() {
    let (store, users) = users();
    fill(&store, &users);
    let without = store.stats().memory.now;
    users.add_index(IndexDef::unique("visits")).unwrap();
    users.drop_index("visits").unwrap();
    let with = store.stats().memory;
    assert!(with.peak > without + MANY as usize * 16 && with.now == without, "{with:?} of {without}");
}

#[test]
fn the_peak_is_never_below_a_reading_of_another_thread() {
    let (store, users) = users();
    std::thread::scope(|scope| {
        let writers = [0, 1].map(|of| {
            let (store, users) = (&store, &users);
            scope.spawn(move || {
                for round in 0..300_i64 {
                    let ids = of * 1_000..of * 1_000 + (round * 37) % 400;
                    let write = |batch: &mut memdex::Batch| match round % 3 {
                        0 | 1 => ids.clone().try_for_each(|n| batch.store(users, user(&n.to_string(), n))),
                        _ => ids.clone().try_for_each(|n| batch.delete(users, n.to_string())),
                    };
                    store.commit(write).unwrap();
                }
            })
        });
        let mut highest = 0;
        while !writers.iter().all(|writer| writer.is_finished()) {
            let memory = store.stats().memory;
            highest = highest.max(memory.now);
            assert!(memory.peak >= highest);
            store.verify().unwrap();
        }
    });
    let stats = store.stats();
    assert_eq!(stats.memory.now, stats.collections[0].memory.total());
    store.verify().unwrap();
}

#[test]
fn strings_of_records_are_included_as_long_as_a_version_holds_them() {
    let (store, users) = users();
    let heap = || store.stats().collections[0].memory.record_heap;
    let big = |n: usize| User { city: "x".repeat(n), ..user("1", 1) };
    users.store(big(10_000)).unwrap();
    let first = heap();
    assert!((10_000..10_100).contains(&first), "{first}");
    let snapshot = store.snapshot();
    users.store(big(30_000)).unwrap();
    assert!(heap() >= 40_000, "the snapshot sees the first city: {}", heap());
    drop(snapshot);
    store.optimize().unwrap();
    assert!((30_000..30_100).contains(&heap()), "{}", heap());
    users.update("1", |user| user.city = String::new()).unwrap();
    assert!(heap() < 1_000, "{}", heap());
    let peak = store.stats().memory.peak;
    users.delete("1").unwrap();
    assert_eq!((heap(), store.stats().memory.peak), (0, peak));
    assert!(peak >= store.stats().memory.now + 40_000);
    users.store(big(5_000)).unwrap();
    store.drop_collection("users").unwrap();
    assert_eq!(store.stats().memory.now, 0);
}

#[test]
fn a_batch_takes_the_heap_memory_of_its_records() {
    let (store, users) = users();
    let mut batch = store.batch();
    batch.store(&users, user("1", 1)).unwrap();
    let small = batch.bytes();
    batch.store(&users, User { city: "x".repeat(50_000), ..user("2", 2) }).unwrap();
    assert!((50_000..51_000).contains(&(batch.bytes() - small)), "{} and {small}", batch.bytes());
    let background = store.background_writer().max_bytes(40_000).start().unwrap();
    assert!(background.try_submit(batch).is_err(), "the batch is larger than the queue");
}

thread_local! {
    static PANICS: Cell<bool> = const { Cell::new(false) };
}

/// A record that reports what its owner sets, and panics on request.
struct Odd {
    id: u32,
    heap: Arc<AtomicUsize>,
}

impl Record for Odd {
    type Key = u32;

    fn schema() -> Schema {
        Schema::new([FieldDef::of::<u32>("id").key()])
    }

    fn key(&self, key: &mut KeyBuffer) {
        key.push(self.id.into());
    }

    fn value(&self, _: usize) -> ValueRef<'_> {
        self.id.into()
    }

    fn heap_size(&self) -> usize {
        assert!(!PANICS.get(), "no size today");
        self.heap.load(SeqCst)
    }
}

#[test]
fn a_heap_size_that_panics_or_changes_harms_nothing() {
    let store = Store::new();
    let odd = store.collection::<Odd>("odd").unwrap();
    let heap = Arc::new(AtomicUsize::new(100));
    let new = |id| Odd { id, heap: heap.clone() };
    let reported = || store.stats().collections[0].memory.record_heap;
    odd.store(new(1)).unwrap();
    odd.store(new(2)).unwrap();
    assert_eq!(reported(), 200);

    PANICS.set(true);
    let mut batch = store.batch();
    batch.store(&odd, new(3)).unwrap();
    batch.store(&odd, new(4)).unwrap();
    assert!(batch.bytes() < 1_000);
    let refused = batch.commit().unwrap_err();
    assert!(matches!(refused.cause(), Cause::Panicked { what: "heap_size", .. }), "{refused}");
    assert_eq!(refused.refusal().position(), Some(0));
    odd.delete(1).unwrap();
    assert_eq!((store.stats().drop_panics, reported(), odd.len()), (1, 200, 1));
    PANICS.set(false);

    // More is subtracted than was added.
    heap.store(usize::MAX, SeqCst);
    odd.delete(2).unwrap();
    assert_eq!((store.stats().drop_panics, reported(), odd.len()), (1, 0, 0));
    heap.store(7, SeqCst);
    odd.store(new(5)).unwrap();
    assert_eq!(reported(), 7);
    store.verify().unwrap();
}

/// Owns 1,000 bytes on the heap, by its own account. Its `Drop` waits for the gate, if there is one.
struct Waits {
    id: u32,
    gate: Option<Arc<std::sync::Barrier>>,
}

keyed_by_id!(Waits, |_| 1_000);

impl Drop for Waits {
    fn drop(&mut self) {
        if let Some(gate) = &self.gate {
            gate.wait();
            gate.wait();
        }
    }
}

/// The heap memory of a commit's records is counted before a later commit can subtract it, even if the thread of the
/// commit still drops what it replaced.
#[test]
fn heap_memory_is_added_before_it_can_be_subtracted() {
    let store = Store::new();
    let records = store.collection::<Waits>("Waits").unwrap();
    let gate = Arc::new(std::sync::Barrier::new(2));
    records.store(Waits { id: 1, gate: Some(gate.clone()) }).unwrap();
    std::thread::scope(|scope| {
        let replacing = scope.spawn(|| records.store(Waits { id: 1, gate: None }).unwrap());
        gate.wait();
        records.delete(1).unwrap();
        gate.wait();
        replacing.join().unwrap();
    });
    let stats = store.stats();
    assert_eq!((records.len(), stats.collections[0].memory.record_heap), (0, 0));
    assert_eq!(stats.memory.now, stats.collections[0].memory.total());
    store.verify().unwrap();
}

/// The size that a record claims cannot overflow a sum.
#[test]
fn absurd_heap_sizes_do_not_overflow() {
    struct Absurd {
        id: u32,
    }

    keyed_by_id!(Absurd, |_| usize::MAX);

    impl Drop for Absurd {
        fn drop(&mut self) {}
    }

    let store = Store::new();
    let records = store.collection::<Absurd>("Absurd").unwrap();
    let mut batch = store.batch();
    (0..10).for_each(|id| batch.store(&records, Absurd { id }).unwrap());
    assert!(batch.bytes() > 1 << 40);
    batch.commit().unwrap();
    assert!(store.stats().memory.now > 1 << 40);
    store.verify().unwrap();
    (0..10).try_for_each(|id| records.delete(id).map(drop)).unwrap();
    assert_eq!(store.stats().collections[0].memory.record_heap, 0);
}

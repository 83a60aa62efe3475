//! Lazy iterators: they return the state of their snapshot while writers commit and while the collection is cleared or
//! dropped, and they retain nothing once they are dropped.

use memdex::query::Predicate;
use memdex::{Collection, Filter, Record, Snapshot, Store, field};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

/// More than one page of rows, and more than the first chunks of an ordered iteration.
const RECORDS: u32 = 5_000;

#[derive(Clone, Debug, Record)]
struct Item {
    #[record(key)]
    id: u32,
    #[record(ordered)]
    group: u32,
    #[record(column)]
    weight: u32,
    /// The number of updates.
    #[record(field)]
    round: u32,
}

fn item(id: u32, round: u32) -> Item {
    Item { id, group: (id + round) % 7, weight: id.wrapping_mul(7_919) % 1_000, round }
}

fn items() -> (Store, Collection<Item>) {
    let store = Store::new();
    let items = store.collection::<Item>("Item").unwrap();
    store.commit(|batch| (0..RECORDS).try_for_each(|id| batch.store(&items, item(id, 0)))).unwrap();
    (store, items)
}

/// Replaces, deletes and adds records: after it, few rows are as they were.
fn change(store: &Store, items: &Collection<Item>, round: u32) {
    let ids = |of: u32| (0..RECORDS + 500).filter(move |id| (id + round) % 3 == of);
    store
        .commit(|batch| {
            ids(0).filter(|id| items.contains(*id)).try_for_each(|id| batch.delete(items, id))?;
            ids(1).try_for_each(|id| batch.store(items, item(id, round)))
        })
        .unwrap();
}

/// An iterator over the identifiers and rounds of a query, and whether it has an order.
type Lazily<'a> = (bool, Box<dyn Iterator<Item = (u32, u32)> + 'a>);

/// Every kind of iterator over the records with a weight below 600.
fn iterators(at: &Snapshot, items: &Collection<Item>) -> Vec<Lazily<'static>> {
    let view = at.of(items);
    let light = || view.find(item::WEIGHT.lt(600));
    let by_name = || at.search(field("weight").lt(600)).over(items);
    let typed = |item: memdex::Handle<Item>| (item.id, item.round);
    let hit = |hit: memdex::query::Hit| hit.record::<Item>().map(|item| (item.id, item.round)).unwrap();
    let by_group = [item::GROUP.desc(), item::WEIGHT.asc()];
    vec![
        (false, Box::new(view.iter().filter(|item| item.weight < 600).map(typed))),
        (false, Box::new(light().iter().unwrap().map(typed))),
        (false, Box::new(view.find(item::GROUP.lt(9) & item::WEIGHT.lt(600)).iter().unwrap().map(typed))),
        (false, Box::new(by_name().iter().unwrap().map(hit))),
        (true, Box::new(light().order_by(by_group.clone()).iter().unwrap().map(typed))),
        (true, Box::new(by_name().order_by(by_group.clone()).iter().unwrap().map(hit))),
        (true, Box::new(light().order_by(by_group).select(["id"]).iter().unwrap().map(hit))),
    ]
}

/// The identifiers of the light items before any change, in the order of `iterators`.
fn light() -> Vec<(u32, u32)> {
    let mut light: Vec<Item> = (0..RECORDS).map(|id| item(id, 0)).filter(|item| item.weight < 600).collect();
    light.sort_by_key(|item| (std::cmp::Reverse(item.group), item.weight, item.id));
    light.into_iter().map(|item| (item.id, 0)).collect()
}

fn check(got: Vec<(u32, u32)>, has_order: bool) {
    let mut expected = light();
    let mut got = got;
    if !has_order {
        expected.sort_unstable();
        got.sort_unstable();
    }
    assert_eq!(got, expected);
}

fn retained(store: &Store) -> (usize, usize) {
    let stats = store.stats();
    (stats.collections.iter().map(|of| of.versions_retained).sum(), stats.pinned_commits)
}

#[test]
fn iterators_return_one_state_while_records_change() {
    let (store, items) = items();
    let iterators = iterators(&store.snapshot(), &items);
    // A commit between every few hundred records.
    let mut running: Vec<_> = iterators.into_iter().map(|(has_order, of)| (has_order, of, Vec::new())).collect();
    for round in 1..6 {
        for (_, iterator, got) in &mut running {
            got.extend(iterator.by_ref().take(round as usize * 100));
        }
        change(&store, &items, round);
    }
    assert!(retained(&store).0 > 0);
    for (has_order, mut iterator, mut got) in running {
        got.extend(iterator.by_ref());
        assert_eq!((iterator.next(), iterator.next()), (None, None), "the end is final");
        check(got, has_order);
    }
    store.optimize().unwrap();
    assert_eq!(retained(&store), (0, 0));
    store.verify().unwrap();
}

#[test]
fn iterators_return_one_state_under_writers_in_other_threads() {
    let (store, items) = items();
    let (done, commits) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let iterators = iterators(&store.snapshot(), &items);
        scope.spawn(|| {
            for round in 1.. {
                change(&store, &items, round);
                commits.fetch_add(1, SeqCst);
                if done.load(SeqCst) {
                    return;
                }
            }
        });
        for (has_order, mut iterator) in iterators {
            let mut got: Vec<_> = iterator.by_ref().take(1_000).collect();
            let seen = commits.load(SeqCst);
            while commits.load(SeqCst) == seen {
                std::thread::yield_now();
            }
            got.extend(iterator);
            check(got, has_order);
        }
        done.store(true, SeqCst);
    });
    store.optimize().unwrap();
    assert_eq!(retained(&store), (0, 0));
    store.verify().unwrap();
}

#[test]
fn iterators_continue_when_the_collection_is_cleared_or_dropped() {
    let (store, items) = items();
    let mut running = Vec::new();
    for (has_order, mut iterator) in iterators(&store.snapshot(), &items) {
        let got: Vec<_> = iterator.by_ref().take(300).collect();
        running.push((has_order, iterator, got));
    }
    items.clear().unwrap();
    for (_, iterator, got) in &mut running {
        got.extend(iterator.by_ref().take(700));
    }
    assert!(store.drop_collection("Item").unwrap());
    let other = store.collection::<Item>("Item").unwrap();
    other.store(item(1, 99)).unwrap();
    drop(items);
    for (has_order, iterator, mut got) in running {
        got.extend(iterator);
        check(got, has_order);
    }
    assert_eq!(other.iter().map(|item| item.round).collect::<Vec<_>>(), [99]);
    assert_eq!(retained(&store), (0, 0));
    store.verify().unwrap();
}

#[test]
fn an_iterator_dropped_early_retains_nothing() {
    let (store, items) = items();
    let kinds = iterators(&store.snapshot(), &items).len();
    for at in 0..kinds {
        let (has_order, mut iterator) = iterators(&store.snapshot(), &items).swap_remove(at);
        assert!(iterator.next().is_some());
        change(&store, &items, 1);
        assert_eq!(retained(&store).1, 1, "ordered: {has_order}");
        drop(iterator);
        store.optimize().unwrap();
        assert_eq!(retained(&store), (0, 0), "ordered: {has_order}");
        store.commit(|batch| (0..RECORDS).try_for_each(|id| batch.store(&items, item(id, 0)))).unwrap();
    }
    // An iterator that is given no snapshot pins the commit that is newest when it is created.
    let iterator = items.iter();
    let pinned = store.stats().oldest_pin;
    assert_eq!(pinned, Some(store.newest_commit()));
    drop(iterator);
    assert_eq!(store.stats().oldest_pin, None);
}

/// The first chunk of an ordered iteration has 256 records, each later one twice as many.
#[test]
fn ordered_iterators_have_no_seams_between_chunks() {
    let (_store, items) = items();
    let ids: Vec<u32> = light().into_iter().map(|(id, _)| id).collect();
    let by_group = || items.find(item::WEIGHT.lt(600)).order_by([item::GROUP.desc(), item::WEIGHT.asc()]);
    for limit in [1, 255, 256, 257, 767, 768, 769, 1_792, 1_793, ids.len() - 1, ids.len(), ids.len() + 1] {
        for offset in [0, 1, 256, 1_000, ids.len() - 1, ids.len(), ids.len() + 10] {
            let expected: Vec<u32> = ids.iter().copied().skip(offset).take(limit).collect();
            let got: Vec<u32> = by_group().offset(offset).limit(limit).iter().unwrap().map(|item| item.id).collect();
            assert_eq!(got, expected, "limit {limit}, offset {offset}");
        }
    }
    let from_700: Vec<u32> = by_group().offset(700).iter().unwrap().map(|item| item.id).collect();
    assert_eq!(from_700, ids[700..], "an offset without a limit");
    let cursor = by_group().limit(700).fetch().unwrap().next.unwrap();
    let behind: Vec<u32> = by_group().after(cursor).offset(5).iter().unwrap().map(|item| item.id).collect();
    assert_eq!(behind, ids[705..], "an offset behind a cursor");
}

#[test]
fn iterators_over_several_collections_go_on_from_one_to_the_next() {
    let (store, items) = items();
    let others = store.collection::<Item>("Other").unwrap();
    store.commit(|batch| (0..RECORDS).step_by(2).try_for_each(|id| batch.store(&others, item(id, 1)))).unwrap();
    let snapshot = store.snapshot();
    let search = || snapshot.search(Predicate::All).over(&items).over(&others);
    let mut expected: Vec<(u32, usize, u32)> = (0..RECORDS).map(|id| (item(id, 0).group, 0, id)).collect();
    expected.extend((0..RECORDS).step_by(2).map(|id| (item(id, 1).group, 1, id)));
    let place = |hit: &memdex::query::Hit| {
        let item = hit.record::<Item>().unwrap();
        (item.group, usize::from(hit.collection() == "Other"), item.id)
    };
    let ordered = search().order_by(field("group").asc()).iter().unwrap();
    let unordered = search().iter().unwrap();
    items.clear().unwrap();
    store.drop_collection("Other").unwrap();
    let by_collection: Vec<usize> = unordered.map(|hit| place(&hit).1).collect();
    assert!(by_collection.is_sorted() && by_collection.len() == expected.len());
    expected.sort_unstable();
    assert_eq!(ordered.map(|hit| place(&hit)).collect::<Vec<_>>(), expected);
    assert_eq!(items.find(Filter::all()).iter().unwrap().count(), 0);
}

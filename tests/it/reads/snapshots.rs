//! Readers with snapshots, while collections are cleared, dropped and created again under the same name.

use memdex::aggregate::Statistics;
use memdex::error::Cause;
use memdex::query::{Hit, Predicate};
use memdex::{Collection, Filter, GroupBy, Key, Metric, Record, Snapshot, Store, View, field};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

const RECORDS: u32 = 600;

#[derive(Clone, Debug, PartialEq, Record)]
struct Item {
    #[record(key)]
    id: u32,
    #[record(unique)]
    code: u32,
    #[record(index, column)]
    group: u32,
    #[record(ordered, column)]
    weight: Option<u32>,
    #[record(field)]
    generation: u32,
}

fn item(id: u32, generation: u32) -> Item {
    let weight = (!id.is_multiple_of(4)).then_some((id * 31 + generation) % 100);
    Item { id, code: id + 1_000 * generation, group: (id + generation) % 5, weight, generation }
}

fn fill(store: &Store, items: &Collection<Item>, generation: u32) {
    store.commit(|batch| (0..RECORDS).try_for_each(|id| batch.store(items, item(id, generation)))).unwrap();
}

/// Reads a generation in every way, or that the collection is empty.
fn check(view: &View<Item>, generation: Option<u32>) {
    let items: Vec<Item> = generation.iter().flat_map(|of| (0..RECORDS).map(|id| item(id, *of))).collect();
    assert_eq!((view.len(), view.is_empty()), (items.len(), items.is_empty()));
    let mut all: Vec<Item> = view.iter().map(|item| item.cloned()).collect();
    all.sort_by_key(|item| item.id);
    assert_eq!(all, items);
    for id in [0, 7, RECORDS - 1, RECORDS] {
        let expected = items.get(id as usize);
        assert_eq!(view.get(id).as_deref(), expected);
        assert_eq!(view.contains(id), expected.is_some());
        let code = id + 1_000 * generation.unwrap_or(0);
        assert_eq!(view.get_by(item::CODE, code).unwrap().as_deref(), expected);
    }
    for group in 0..6 {
        let of_group = items.iter().filter(|item| item.group == group).count();
        let find = view.find(item::GROUP.eq(group));
        assert_eq!(
            (find.count(), find.exists(), find.fetch().unwrap().len()),
            (Ok(of_group), Ok(of_group > 0), of_group)
        );
    }
    let heavy = view.find(item::WEIGHT.ge(50)).order_by([item::WEIGHT.desc(), item::ID.desc()]);
    let mut expected: Vec<&Item> = items.iter().filter(|item| item.weight >= Some(50)).collect();
    expected.sort_by_key(|item| std::cmp::Reverse((item.weight, item.id)));
    let lazily: Vec<u32> = heavy.iter().unwrap().map(|item| item.id).collect();
    assert_eq!(lazily, expected.iter().map(|item| item.id).collect::<Vec<_>>());
    assert_eq!(heavy.first().unwrap().as_deref(), expected.first().copied());
    let by_group = GroupBy::values("group").metrics([field("weight").sum()]);
    let result = view.find(Filter::all()).statistics(Statistics::of([Metric::count()]).group_by(by_group)).unwrap();
    assert_eq!(
        (result.int("count"), result.groups().len()),
        (Some(items.len() as i64), if items.is_empty() { 0 } else { 5 })
    );
    for group in result.groups() {
        let of_group = items.iter().filter(|item| group.key == [item.group.into()]);
        let sum: u32 = of_group.filter_map(|item| item.weight).sum();
        assert_eq!(group.int("sum(weight)"), Some(sum.into()));
    }
}

#[test]
fn readers_with_snapshots_see_their_state_through_clears() {
    let store = Store::new();
    let items = store.collection::<Item>("Item").unwrap();
    let done = AtomicBool::new(false);
    // At an odd commit the records of a generation are there, at an even one the collection is empty.
    let state = |at: &Snapshot| match at.commit().get() {
        commit if commit % 2 == 1 => Some((commit / 2) as u32),
        _ => None,
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut held: Vec<Snapshot> = Vec::new();
                while !done.load(SeqCst) {
                    let now = store.snapshot();
                    check(&now.of(&items), state(&now));
                    held.push(now);
                    if held.len() > 3 {
                        held.remove(0);
                    }
                    check(&held[0].of(&items), state(&held[0]));
                }
            });
        }
        for generation in 0..15 {
            fill(&store, &items, generation);
            let cleared = items.clear().unwrap();
            assert_eq!(
                (cleared.commit.get(), cleared.counts.deleted),
                (2 * u64::from(generation) + 2, RECORDS as usize)
            );
        }
        done.store(true, SeqCst);
    });
    store.optimize().unwrap();
    assert_eq!(store.stats().collections[0].versions_retained, 0);
    store.verify().unwrap();
}

#[test]
fn readers_with_snapshots_see_their_collection_after_it_was_dropped() {
    let store = Store::new();
    let done = AtomicBool::new(false);
    let first = store.collection::<Item>("Item").unwrap();
    fill(&store, &first, 0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let view = store.snapshot().of(&first);
                while !done.load(SeqCst) {
                    check(&view, Some(0));
                    check(&store.snapshot().of(&first), Some(0));
                }
            });
        }
        for generation in 1..10 {
            assert!(store.drop_collection("Item").unwrap());
            let refused = first.clear().unwrap_err();
            assert!(matches!(refused.cause(), Cause::CollectionDropped), "{refused}");
            let next = store.collection::<Item>("Item").unwrap();
            let before = store.snapshot();
            fill(&store, &next, generation);
            check(&before.of(&next), None);
            check(&store.snapshot().of(&next), Some(generation));
        }
        done.store(true, SeqCst);
    });
    check(&store.snapshot().of(&first), Some(0));
    store.verify().unwrap();
}

/// A search can name a dropped collection and the one that took its name.
#[test]
fn pages_over_two_collections_of_one_name_neither_overlap_nor_leave_gaps() {
    let store = Store::new();
    let old = store.collection::<Item>("Item").unwrap();
    fill(&store, &old, 0);
    assert!(store.drop_collection("Item").unwrap());
    let new = store.collection::<Item>("Item").unwrap();
    fill(&store, &new, 1);
    let snapshot = store.snapshot();
    for by in [field("weight").asc(), field("group").desc()] {
        let search = snapshot.search(Predicate::All).over(&old).over(&new).order_by(by);
        let names = |hits: &[Hit]| -> Vec<(u32, Key)> {
            hits.iter().map(|hit| (hit.record::<Item>().unwrap().generation, hit.key().clone())).collect()
        };
        let expected = names(&search.fetch().unwrap());
        assert_eq!(expected.len(), 2 * RECORDS as usize);
        let mut found = Vec::new();
        let mut page = search.clone().limit(7).fetch().unwrap();
        loop {
            found.extend(names(&page));
            let Some(next) = page.next else { break };
            page = search.clone().limit(7).after(next).fetch().unwrap();
            assert!(found.len() < expected.len(), "the pages end");
        }
        assert_eq!(found, expected);
        assert_eq!(names(&search.iter().unwrap().collect::<Vec<_>>()), expected);
    }
}

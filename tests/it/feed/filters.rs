//! Which changes are passed on: compared with a naive evaluation of each filter on the record before and after.

use super::{Item, changes, commits, item, items, next_commit};
use memdex::error::Cause;
use memdex::hook::ChangeKind::{Deleted, Inserted, Updated};
use memdex::hook::{FeedEvent, Subscription};
use memdex::query::Matches;
use memdex::{Filter, Store, field};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[test]
fn a_change_is_passed_on_if_its_record_matches_before_or_after() {
    let (store, items) = items();
    let (_, mut ones) = store.subscribe().matching(&items, super::item::GROUP.eq(1)).start().unwrap();
    items.store(item(1, 1)).unwrap();
    items.store(item(1, 2)).unwrap();
    items.store(item(1, 3)).unwrap();
    items.store(item(1, 1)).unwrap();
    items.delete(1).unwrap();
    let expected = [
        (1, (1, Inserted, None, Some(1))),
        (2, (1, Updated, Some(1), Some(2))),
        (4, (1, Updated, Some(3), Some(1))),
        (5, (1, Deleted, Some(1), None)),
    ];
    for (number, change) in expected {
        let commit = next_commit(&mut ones);
        assert_eq!((commit.number().get(), changes(&commit, "items")), (number, vec![change]));
    }
    assert!(ones.try_next().is_none());
}

#[test]
fn a_subscription_gets_only_the_changes_that_it_follows() {
    let (store, items) = items();
    let others = store.collection::<Item>("others").unwrap();
    let builder = store.subscribe().collection("others").matching(&items, super::item::GROUP.eq(1));
    let (_, mut some) = builder.matching(&items, super::item::ID.eq(3)).start().unwrap();
    let (_, mut later) = store.subscribe().collection("later").start().unwrap();
    let (_, mut none) = store.subscribe().matching(&items, Filter::none()).start().unwrap();
    store
        .commit(|batch| {
            (1..=4).try_for_each(|id| batch.store(&items, item(id, id as u8 % 2)))?;
            (1..=2).try_for_each(|id| batch.store(&others, item(id, 0)))
        })
        .unwrap();
    let commit = next_commit(&mut some);
    let ids = |collection| changes(&commit, collection).iter().map(|(id, ..)| *id).collect::<Vec<_>>();
    assert_eq!((ids("items"), ids("others")), (vec![1, 3], vec![1, 2]));
    let mut named: Vec<_> = commit.collections().collect();
    named.sort_unstable();
    assert_eq!(named, [("items", 2), ("others", 2)]);
    items.store(item(2, 0)).unwrap();
    assert!(some.try_next().is_none());
    store.collection::<Item>("later").unwrap().store(item(1, 0)).unwrap();
    assert_eq!((commits(&mut later), commits(&mut none), commits(&mut some)), (vec![3], vec![], vec![]));
}

#[test]
fn filters_that_do_not_fit_are_refused() {
    let (store, items) = items();
    let refused = store.subscribe().matching(&items, field("height").eq(1)).start().unwrap_err();
    assert!(matches!(refused.cause(), Cause::Query(_)), "{refused}");
    assert_eq!((refused.operation(), refused.collection()), ("subscribe", "items"));
    let refused = Store::new().subscribe().matching(&items, Filter::all()).start().unwrap_err();
    assert!(matches!(refused.cause(), Cause::OtherStore), "{refused}");
    assert_eq!(store.stats().subscriptions, []);
}

fn any_item() -> impl Strategy<Value = Item> {
    let tags = prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 0..3);
    (0..6_u32, 0..4_u8, prop::option::of(-3..4_i64), tags).prop_map(|(id, group, score, tags)| {
        let tags = tags.into_iter().map(str::to_owned).collect();
        Item { id, group, score, tags, text: String::new() }
    })
}

fn any_filter() -> impl Strategy<Value = Filter<Item>> {
    let tag = || prop::sample::select(vec!["a", "b", "c"]);
    let test = prop_oneof![
        (0..4_u8).prop_map(|group| item::GROUP.eq(group)),
        (0..4_u8).prop_map(|group| item::GROUP.ne(group)),
        prop::collection::vec(0..6_u32, 0..4).prop_map(|ids| item::ID.is_in(ids)),
        (-3..4_i64, 0..4_i64).prop_map(|(low, more)| item::SCORE.between(low, low + more)),
        (-3..4_i64).prop_map(|low| item::SCORE.gt(low)),
        (-3..4_i64).prop_map(|high| item::SCORE.lt(high)),
        Just(item::SCORE.is_null()),
        tag().prop_map(|tag| item::TAGS.contains(tag)),
        (tag(), tag()).prop_map(|(a, b)| item::TAGS.all([a, b])),
        (tag(), tag()).prop_map(|(a, b)| item::TAGS.any([a, b])),
        Just(Filter::all()),
        Just(Filter::none()),
    ];
    test.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a & b),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a | b),
            inner.prop_map(|a| !a),
        ]
    })
}

#[derive(Clone, Debug)]
enum Step {
    /// Records to store, and keys to delete.
    Commit(Vec<Item>, Vec<u32>),
    Subscribe(Filter<Item>),
    Drop(prop::sample::Index),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (prop::collection::vec(any_item(), 0..4), prop::collection::vec(0..6_u32, 0..3))
            .prop_map(|(stored, deleted)| Step::Commit(stored, deleted)),
        2 => any_filter().prop_map(Step::Subscribe),
        1 => any::<prop::sample::Index>().prop_map(Step::Drop),
    ]
}

/// What a subscription has reported: by commit, the keys of the changes.
fn reported(subscription: &mut Subscription) -> Vec<(u64, Vec<u32>)> {
    let mut all = Vec::new();
    while let Some(event) = subscription.try_next() {
        match event {
            FeedEvent::Commit(commit) => {
                all.push((commit.number().get(), changes(&commit, "items").iter().map(|(id, ..)| *id).collect()));
            }
            other => panic!("{other:?}"),
        }
    }
    all
}

proptest! {
    #[test]
    fn subscriptions_report_what_a_naive_evaluation_selects(steps in prop::collection::vec(any_step(), 1..40)) {
        let (store, items) = items();
        type Images = BTreeMap<u32, [Option<Item>; 2]>;
        let truth: Arc<Mutex<BTreeMap<u64, Images>>> = Arc::default();
        let observed = truth.clone();
        store.observe(move |commit| {
            let image = |of: &Option<memdex::Handle<Item>>| of.as_deref().cloned();
            let images = commit.changes::<Item>("items").iter();
            let images = images.map(|change| (change.key.to().unwrap(), [image(&change.before), image(&change.after)]));
            observed.lock().unwrap().insert(commit.number().get(), images.collect());
        }).unwrap();
        let mut subscriptions = Vec::new();
        for step in steps {
            match step {
                Step::Commit(stored, deleted) => store.commit(|batch| {
                    stored.into_iter().try_for_each(|item| batch.store(&items, item))?;
                    deleted.into_iter().try_for_each(|id| batch.delete(&items, id))
                }).map(|_| ()).unwrap(),
                Step::Subscribe(filter) => {
                    let (snapshot, subscription) = store.subscribe().matching(&items, &filter).start().unwrap();
                    subscriptions.push((snapshot.commit().get(), filter, subscription));
                }
                Step::Drop(index) if !subscriptions.is_empty() => {
                    subscriptions.swap_remove(index.index(subscriptions.len()));
                }
                Step::Drop(_) => {}
            }
        }
        let truth = truth.lock().unwrap();
        for (since, filter, mut subscription) in subscriptions {
            let selects = |images: &[Option<Item>; 2]| {
                images.iter().flatten().any(|image| filter.matches(image).unwrap())
            };
            let selected = truth.iter().filter(|(number, _)| **number > since).map(|(number, images)| {
                let ids: Vec<u32> = images.iter().filter(|(_, images)| selects(images)).map(|(id, _)| *id).collect();
                (*number, ids)
            });
            let expected: Vec<_> = selected.filter(|(_, ids)| !ids.is_empty()).collect();
            prop_assert_eq!(reported(&mut subscription), expected, "{:?}", filter);
        }
        prop_assert_eq!(store.stats().subscriptions, vec![]);
    }
}

/// The index on `group` shows that its values select more than those of `id`: both filings must find the same.
#[test]
fn filings_by_cardinality_find_the_same() {
    let (store, items) = items();
    store.commit(|batch| (0..500).try_for_each(|id| batch.store(&items, item(id, id as u8)))).unwrap();
    let filter = super::item::GROUP.is_in([1, 2, 3, 4, 5]) & super::item::SCORE.eq(3);
    let (_, mut subscription) = store.subscribe().matching(&items, filter).start().unwrap();
    items.store(Item { score: Some(3), ..item(900, 4) }).unwrap();
    items.store(Item { score: Some(3), ..item(901, 6) }).unwrap();
    items.store(Item { score: Some(4), ..item(900, 4) }).unwrap();
    items.store(Item { score: Some(4), ..item(900, 5) }).unwrap();
    assert_eq!(commits(&mut subscription), [2, 4]);
}

//! What is reported: whole commits with kinds and images, dropped collections, progress, and what the statistics show.

use super::{Item, changes, commits, item, items, next, next_commit, put_each};
use memdex::Commit;
use memdex::error::Cause;
use memdex::hook::ChangeKind::{Deleted, Inserted, Updated};
use memdex::hook::FeedEvent;

#[test]
fn a_subscription_begins_after_its_snapshot_and_reports_whole_commits() {
    let (store, items) = items();
    let others = store.collection::<Item>("others").unwrap();
    items.store(item(1, 1)).unwrap();
    let (snapshot, mut subscription) = store.subscribe().start().unwrap();
    assert_eq!((snapshot.commit().get(), snapshot.of(&items).len()), (1, 1));
    assert!(subscription.try_next().is_none());
    store
        .commit(|batch| {
            batch.store(&items, item(1, 2))?;
            batch.insert(&items, item(2, 1))?;
            batch.insert(&items, item(3, 1))?;
            batch.delete(&items, 3)?;
            batch.insert(&others, item(9, 9))
        })
        .unwrap();
    items.insert(item(1, 1)).unwrap_err();
    items.delete(7).unwrap();
    store.commit(|batch| batch.rekey(&items, 2, 4, |item| item.id = 4)).unwrap();
    store
        .commit(|batch| {
            batch.delete(&items, 1)?;
            batch.insert(&items, item(1, 5))
        })
        .unwrap();
    let first = next_commit(&mut subscription);
    assert_eq!(first.number(), 2);
    assert_eq!(changes(&first, "items"), [(1, Updated, Some(1), Some(2)), (2, Inserted, None, Some(1))]);
    assert_eq!(changes(&first, "others"), [(9, Inserted, None, Some(9))]);
    let empty = next_commit(&mut subscription);
    assert_eq!((empty.number().get(), changes(&empty, "items")), (3, vec![]), "it deleted a missing key");
    let moved = next_commit(&mut subscription);
    assert_eq!(changes(&moved, "items"), [(2, Deleted, Some(1), None), (4, Inserted, None, Some(1))]);
    assert_eq!(changes(&next_commit(&mut subscription), "items"), [(1, Updated, Some(2), Some(5))]);
    assert!(subscription.try_next().is_none());
}

#[test]
fn dropped_collections_are_reported_in_order() {
    let (store, items) = items();
    let others = store.collection::<Item>("others").unwrap();
    let start = |build: memdex::hook::SubscriptionBuilder| build.start().unwrap().1;
    let mut all = start(store.subscribe());
    let mut by_name = start(store.subscribe().collection("items"));
    let mut by_filter = start(store.subscribe().matching(&items, super::item::GROUP.eq(1)));
    let mut of_others = start(store.subscribe().collection("others"));
    items.store(item(1, 1)).unwrap();
    store.drop_collection("items").unwrap();
    let again = store.collection::<Item>("items").unwrap();
    again.store(item(2, 1)).unwrap();
    others.store(item(3, 1)).unwrap();
    for (subscription, expected) in [
        (&mut all, &["1", "dropped", "2", "3"][..]),
        (&mut by_name, &["1", "dropped", "2"]),
        (&mut by_filter, &["1", "dropped"]),
        (&mut of_others, &["3"]),
    ] {
        let events: Vec<String> = std::iter::from_fn(|| subscription.try_next())
            .map(|event| match event {
                FeedEvent::Commit(commit) => commit.number().to_string(),
                FeedEvent::Dropped { collection, after, .. } => {
                    assert_eq!((&*collection, after.get()), ("items", 1));
                    "dropped".to_owned()
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(events, expected);
    }
    let refused = store.subscribe().matching(&items, memdex::Filter::all()).start().unwrap_err();
    assert!(matches!(refused.cause(), Cause::CollectionDropped), "{refused}");
}

#[test]
fn a_filtered_subscription_reports_its_progress() {
    let (store, items) = items();
    let filtered = || store.subscribe().matching(&items, super::item::GROUP.eq(7));
    let (_, mut often) = filtered().progress_every(10).start().unwrap();
    let (_, mut never) = filtered().progress_every(0).start().unwrap();
    let (_, mut all) = store.subscribe().progress_every(1).start().unwrap();
    put_each(&items, 0..35, 1);
    let mut told = Commit::ZERO;
    match next(&mut often) {
        FeedEvent::Progress(commit) => told = told.max(commit),
        other => panic!("{other:?}"),
    }
    assert!((26..=35).contains(&told.get()), "only the newest mark is kept: {told}");
    assert!(often.try_next().is_none());
    items.store(item(1, 7)).unwrap();
    assert_eq!(next_commit(&mut often).number(), 36);
    put_each(&items, 100..109, 1);
    assert!(often.try_next().is_none(), "nine commits after an event");
    put_each(&items, 200..220, 1);
    assert!(matches!(next(&mut often), FeedEvent::Progress(commit) if commit.get() > 45));
    assert_eq!(commits(&mut never), [36]);
    assert_eq!(commits(&mut all).len(), 65);
}

/// Marks that later events have overtaken are not reported.
#[test]
fn progress_never_goes_back() {
    let (store, items) = items();
    let (_, mut subscription) =
        store.subscribe().matching(&items, super::item::GROUP.eq(7)).progress_every(3).start().unwrap();
    let mut told = Commit::ZERO;
    for id in 0..200 {
        items.store(item(id, if id % 11 == 0 { 7 } else { 1 })).unwrap();
        if id % 5 == 0 {
            while let Some(event) = subscription.try_next() {
                let commit = match event {
                    FeedEvent::Commit(commit) => commit.number(),
                    FeedEvent::Progress(commit) => commit,
                    other => panic!("{other:?}"),
                };
                assert!(commit > told, "{commit} after {told}");
                told = commit;
            }
        }
    }
    assert!(told.get() > 190);
}

#[test]
fn statistics_show_each_subscription() {
    let (store, items) = items();
    assert_eq!(store.stats().subscriptions, []);
    let (_, mut audit) = store.subscribe().named("audit").max_operations(3).start().unwrap();
    let (_, other) = store.subscribe().start().unwrap();
    assert_eq!(audit.name(), "audit");
    store.commit(|batch| (0..2).try_for_each(|id| batch.store(&items, item(id, 1)))).unwrap();
    let stats = store.stats().subscriptions;
    assert_eq!((stats.len(), &*stats[0].name, &*stats[1].name), (2, "audit", "subscription"));
    assert_eq!((stats[0].queued_events, stats[0].queued_operations, stats[0].gaps), (1, 2, 0));
    let bytes = stats[0].queued_bytes;
    assert!(bytes > 2 * size_of::<Item>(), "{bytes}");
    store.commit(|batch| (0..2).try_for_each(|id| batch.store(&items, item(id, 2)))).unwrap();
    let stats = store.stats().subscriptions;
    assert_eq!((stats[0].queued_operations, stats[0].gaps, stats[1].queued_operations), (2, 1, 4));
    assert!(stats[1].queued_bytes > 2 * bytes, "an update holds two records");
    next(&mut audit);
    assert_eq!((store.stats().subscriptions[0].queued_bytes, store.stats().subscriptions[0].queued_events), (0, 0));
    drop(audit);
    assert_eq!(store.stats().subscriptions.len(), 1);
    drop(other);
    assert_eq!(store.stats().subscriptions, []);
}

//! Which record leaves: the order of each policy, and the reads that count as uses.

use super::{Item, bound_of, full, ids, item, items, put, seconds};
use memdex::write::{Bound, DefaultLifetime, EvictionPolicy, Lifetime};
use memdex::{Collection, Filter, Metric, Store};

/// Stores new records, from 100 on, and returns the ids of those that leave, one after the other.
fn leaving(store: &Store, items: &Collection<Item>, records: u32) -> Vec<u32> {
    let mut gone = Vec::new();
    for _ in 0..records {
        let before = ids(items);
        let next = 100 + bound_of(store).evictions as u32;
        items.store(item(next)).unwrap();
        gone.extend(before.into_iter().filter(|id| !items.iter().any(|of| of.id == *id)));
    }
    gone
}

#[test]
fn oldest_first_ignores_uses() {
    let (store, items, _) = full(EvictionPolicy::OldestFirst, 5);
    (0..3).for_each(|_| drop(items.get(0)));
    items.store(item(1)).unwrap();
    items.update(2, |of| of.rank = 70).unwrap();
    items.delete(3).unwrap();
    items.store(item(3)).unwrap();
    assert_eq!(leaving(&store, &items, 6), [0, 1, 2, 4, 3, 100]);
    store.verify().unwrap();
}

#[test]
fn soonest_to_expire_follows_the_deadlines() {
    let (store, items, clock) = full(EvictionPolicy::SoonestToExpire, 6);
    items.with_lifetime(seconds(50)).store(item(3)).unwrap();
    items.with_lifetime(seconds(20)).store(item(4)).unwrap();
    items.with_lifetime(seconds(30)).store(item(5)).unwrap();
    items.extend_lifetime(4, seconds(40)).unwrap();
    items.with_lifetime(seconds(60)).store(item(2)).unwrap();
    items.set_lifetime(2, Lifetime::Forever).unwrap();
    assert_eq!(leaving(&store, &items, 6), [5, 4, 3, 0, 1, 2]);
    store.verify().unwrap();
    // Reads move deadlines.
    items.clear().unwrap();
    items.set_default_lifetime(DefaultLifetime::Sliding(seconds(100))).unwrap();
    for id in 0..6 {
        items.store(item(id)).unwrap();
        clock.advance(seconds(1));
    }
    assert!(items.get(0).is_some() && items.get(2).is_some());
    assert_eq!(leaving(&store, &items, 4), [1, 3, 4, 5]);
    store.verify().unwrap();
}

#[test]
fn sieve_passes_over_what_was_used() {
    let (store, items, _) = full(EvictionPolicy::Sieve, 5);
    [0, 1, 3].iter().for_each(|id| drop(items.get(*id)));
    // The hand leaves 0 and 1 and takes 2, then it leaves 3 and takes 4.
    assert_eq!(leaving(&store, &items, 2), [2, 4]);
    items.get(0).unwrap();
    // It goes on to the new ones, and starts again from the oldest.
    assert_eq!(leaving(&store, &items, 3), [100, 101, 102]);
    items.get(104).unwrap();
    assert_eq!(leaving(&store, &items, 1), [103]);
    store.verify().unwrap();
}

#[test]
fn s3_fifo_keeps_the_working_set_through_a_scan() {
    let (store, items, _) = items();
    items.set_bound(Bound::records(100)).unwrap();
    for round in 0..5 {
        for id in 0..80 {
            if items.get(id).is_none() {
                items.store(item(id)).unwrap();
            }
        }
        assert!(round == 0 || (0..80).all(|id| items.peek(id).is_some()));
    }
    put(&items, (1_000..3_000).map(item));
    let kept = (0..80).filter(|id| items.peek(*id).is_some()).count();
    assert!(kept >= 70, "{kept} of 80");
    // A record that comes back soon after it was evicted joins the main queue.
    let last: Vec<u32> = (2_900..3_000).filter(|id| items.peek(*id).is_none()).collect();
    let back = *last.last().unwrap();
    items.store(item(back)).unwrap();
    put(&items, (5_000..5_060).map(item));
    assert!(items.peek(back).is_some());
    store.verify().unwrap();
}

#[test]
fn a_batch_that_changes_the_whole_main_queue_displaces_others() {
    let (store, items, _) = items();
    items.set_bound(Bound::records(20)).unwrap();
    put(&items, (0..18).map(item));
    (0..18).for_each(|id| (0..3).for_each(|_| drop(items.get(id))));
    put(&items, (18..21).map(item));
    items.delete(18).unwrap();
    assert_eq!(ids(&items), (1..18).chain([19, 20]).collect::<Vec<_>>(), "those that were used are in the main queue");
    let mut batch = store.batch();
    (1..18).for_each(|id| batch.update(&items, id, |of| of.rank += 1).unwrap());
    [50, 51].iter().for_each(|id| batch.store(&items, item(*id)).unwrap());
    assert_eq!(batch.commit().unwrap().counts.evicted, 1);
    assert!(!items.contains(19) && items.contains(20));
    store.verify().unwrap();
    // And if the batch changes all of the others, those of the main queue leave.
    let mut batch = store.batch();
    [20, 50, 51].iter().for_each(|id| batch.update(&items, *id, |of| of.rank += 1).unwrap());
    (60..65).for_each(|id| batch.store(&items, item(id)).unwrap());
    assert_eq!(batch.commit().unwrap().counts.evicted, 5);
    assert_eq!(ids(&items).iter().filter(|id| **id < 18).count(), 12);
    store.verify().unwrap();
}

/// Two records of which the older one is read: then the other one leaves if that was a use.
fn is_use(policy: EvictionPolicy, read: impl Fn(&Store, &Collection<Item>)) -> bool {
    let (store, items, _) = full(policy, 2);
    (0..2).for_each(|_| read(&store, &items));
    items.store(item(9)).unwrap();
    assert!(items.contains(9));
    items.contains(0)
}

#[test]
fn some_reads_are_uses() {
    type Read = fn(&Store, &Collection<Item>);
    let uses: [(&str, Read); 9] = [
        ("get", |_, items| drop(items.get(0))),
        ("get_with", |_, items| {
            items.get_with(0, |of| of.id);
        }),
        ("get_by", |_, items| drop(items.get_by(super::item::NAME, "n0").unwrap())),
        ("get_many", |_, items| drop(items.get_many([0]))),
        ("page", |_, items| drop(items.find(super::item::RANK.eq(0)).limit(1).fetch().unwrap())),
        ("first", |_, items| drop(items.find(super::item::RANK.lt(1)).first().unwrap())),
        ("one", |_, items| drop(items.find(super::item::RANK.lt(1)).one().unwrap())),
        ("store", |_, items| {
            items.store(item(0)).unwrap();
        }),
        ("update", |_, items| {
            items.update(0, |of| of.rank += 1).unwrap();
        }),
    ];
    let others: [(&str, Read); 11] = [
        ("peek", |_, items| drop(items.peek(0))),
        ("contains", |_, items| assert!(items.contains(0))),
        ("fetch", |_, items| drop(items.find(super::item::RANK.lt(1)).fetch().unwrap())),
        ("count", |_, items| {
            items.find(super::item::RANK.lt(1)).count().unwrap();
        }),
        ("exists", |_, items| {
            items.find(super::item::RANK.lt(1)).exists().unwrap();
        }),
        ("keys", |_, items| drop(items.find(super::item::RANK.lt(1)).limit(1).keys().unwrap())),
        ("iter", |_, items| assert_eq!(items.iter().count(), 2)),
        ("statistics", |_, items| drop(items.find(Filter::all()).statistics([Metric::count()]).unwrap())),
        ("snapshot", |store, items| drop(store.snapshot().of(items).get(0))),
        ("page of a snapshot", |store, items| {
            let page = store.snapshot().of(items).find(super::item::RANK.lt(1)).limit(1).fetch().unwrap();
            assert_eq!(page.len(), 1);
        }),
        ("get_many of a snapshot", |store, items| drop(store.snapshot().of(items).get_many([0]))),
    ];
    for policy in [EvictionPolicy::S3Fifo, EvictionPolicy::Sieve] {
        for (name, read) in uses {
            assert!(is_use(policy, read), "{name} under {policy:?}");
        }
        for (name, read) in others {
            assert!(!is_use(policy, read), "{name} under {policy:?}");
        }
    }
}

#[test]
fn uses_belong_to_a_record_and_not_to_its_row() {
    for policy in [EvictionPolicy::S3Fifo, EvictionPolicy::Sieve] {
        let (store, items, _) = full(policy, 3);
        (0..5).for_each(|_| drop(items.get(0)));
        items.delete(0).unwrap();
        items.store(item(50)).unwrap();
        assert_eq!(leaving(&store, &items, 3), [1, 2, 50], "{policy:?}");
        // While a snapshot holds the deleted record, a new one with its key takes its row.
        let held = store.snapshot();
        let newest = *ids(&items).last().unwrap();
        (0..5).for_each(|_| drop(items.get(newest)));
        items.delete(newest).unwrap();
        items.store(item(newest)).unwrap();
        let gone = leaving(&store, &items, 3);
        assert_eq!(gone.last(), Some(&newest), "{policy:?}");
        assert_eq!(held.of(&items).len(), 3);
        store.verify().unwrap();
    }
}

#[test]
fn uses_from_before_the_bound_do_not_count() {
    for policy in [EvictionPolicy::S3Fifo, EvictionPolicy::Sieve] {
        let (store, items, _) = items();
        put(&items, (0..4).map(item));
        items.set_bound(Bound::records(4).policy(policy)).unwrap();
        (0..3).for_each(|_| drop(items.get(1)));
        assert_eq!(leaving(&store, &items, 2), [0, 2], "{policy:?}");
        assert!(items.contains(1));
        items.set_bound(Bound::records(4).policy(EvictionPolicy::OldestFirst)).unwrap();
        assert_eq!((leaving(&store, &items, 1), bound_of(&store).evictions), (vec![1], 3));
        store.verify().unwrap();
    }
}

#[test]
fn a_commit_looks_at_few_used_records() {
    for policy in [EvictionPolicy::S3Fifo, EvictionPolicy::Sieve] {
        let (store, items, _) = items();
        items.set_bound(Bound::records(5_000).policy(policy)).unwrap();
        let mut batch = store.batch();
        (0..5_000).for_each(|id| batch.store(&items, item(id)).unwrap());
        batch.commit().unwrap();
        (0..5_000).for_each(|id| (0..3).for_each(|_| drop(items.get(id))));
        // All were used. After 256 of them, the next one leaves.
        items.store(item(9_000)).unwrap();
        assert!(items.contains(9_000) && !(0..257).all(|id| items.contains(id)), "{policy:?}");
        store.verify().unwrap();
    }
}

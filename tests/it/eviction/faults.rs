//! Bad input: bounds, fields and closures that are of no use, and code of the user that panics.

use super::{Item, bound_of, ids, item, items, pinned, put};
use memdex::error::{Cause, QueryError};
use memdex::write::{Bound, EvictionPolicy};
use memdex::{FieldDef, KeyValue, Kind, Record, Schema, Store, Value, field};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

#[derive(Clone, Record)]
struct Plain {
    #[record(key)]
    id: u32,
    #[record(field)]
    name: String,
}

#[test]
fn a_bound_that_makes_no_sense_is_refused() {
    let store = Store::new();
    let plain = store.collection::<Plain>("Plain").unwrap();
    plain.store(Plain { id: 1, name: "a".into() }).unwrap();
    let refused = |bound| plain.set_bound(bound).unwrap_err();
    assert!(matches!(refused(Bound::records(0)).cause(), Cause::ZeroBound));
    assert!(matches!(refused(Bound::weight(0).weigh(|_: &Plain| 1)).cause(), Cause::ZeroBound));
    let no_weight = refused(Bound::weight(9));
    assert!(matches!(no_weight.cause(), Cause::NoWeight) && no_weight.to_string().contains("#[record(weight)]"));
    let unknown = refused(Bound::records(9).protect(field("nmae").eq("a")));
    assert!(matches!(unknown.cause(), Cause::Query(QueryError::UnknownField { .. })), "{unknown}");
    assert_eq!(store.stats().collections[0].bound, None);
    plain.set_bound(Bound::weight(u64::MAX).weigh(|_: &Plain| u64::MAX)).unwrap_err();
    plain.set_bound(Bound::weight(u64::MAX).weigh(|of: &Plain| of.name.len() as u64)).unwrap();
    plain.store(Plain { id: 2, name: "abc".into() }).unwrap();
    assert_eq!(store.stats().collections[0].bound.unwrap().weight, 4);
    store.drop_collection("Plain").unwrap();
    assert!(matches!(plain.set_bound(Bound::records(1)).unwrap_err().cause(), Cause::CollectionDropped));
    assert!(matches!(plain.remove_bound().unwrap_err().cause(), Cause::CollectionDropped));
}

#[test]
fn a_field_with_weights_holds_single_integers() {
    let store = Store::new();
    for (n, def) in
        [FieldDef::new("w", Kind::Str).weight(), FieldDef::new("w", Kind::Int).many().weight()].into_iter().enumerate()
    {
        let of = store.key_values::<()>(&format!("kv{n}"), Schema::new([def])).unwrap();
        let refused = of.set_bound(Bound::weight(10)).unwrap_err();
        assert!(
            matches!(refused.cause(), Cause::NotAWeight { .. })
                && refused.to_string().contains("\"w\" can't hold weights"),
            "{refused}"
        );
    }
    let of = store.key_values::<()>("kv", Schema::new([FieldDef::new("w", Kind::Int).weight()])).unwrap();
    of.set_bound(Bound::weight(10)).unwrap();
    of.store(KeyValue::new("none", ())).unwrap();
    of.store(KeyValue::new("negative", ()).with("w", -5)).unwrap();
    of.store(KeyValue::new("four", ()).with("w", 4)).unwrap();
    assert_eq!(store.stats().collections[2].bound.unwrap().weight, 6);
    let huge = of.store(KeyValue::new("huge", ()).with("w", Value::from(i128::MAX))).unwrap_err();
    assert!(matches!(huge.cause(), Cause::TooHeavy { weight: u64::MAX, limit: 10, .. }), "{huge}");
    of.store(KeyValue::new("ten", ()).with("w", 10)).unwrap();
    assert_eq!(of.len(), 1);
    store.verify().unwrap();
}

#[test]
fn a_closure_that_panics_leaves_the_store_unharmed() {
    let (store, items, _) = items();
    put(&items, (0..4).map(item));
    let panics = Arc::new(AtomicBool::new(true));
    let weigh = |of: &Arc<AtomicBool>| {
        let of = of.clone();
        move |item: &Item| {
            assert!(!(of.load(SeqCst) && item.id % 2 == 1), "too odd to weigh");
            10
        }
    };
    let refused = items.set_bound(Bound::weight(40).weigh(weigh(&panics))).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Panicked { what: "weight of a record", .. }), "{refused}");
    assert_eq!(store.stats().collections[0].bound, None);
    panics.store(false, SeqCst);
    items.set_bound(Bound::weight(40).weigh(weigh(&panics))).unwrap();
    panics.store(true, SeqCst);
    for _ in 0..3 {
        let refused = items.store(item(11)).unwrap_err();
        assert!(refused.to_string().contains("too odd to weigh"), "{refused}");
        items.store(item(12)).unwrap();
    }
    let mut batch = store.batch();
    (20..26).for_each(|id| batch.store(&items, item(id)).unwrap());
    let refused = batch.commit().unwrap_err();
    assert_eq!(refused.refusal().position(), Some(1));
    let report = refused.into_batch().commit_lenient().unwrap();
    assert_eq!((report.refused.len(), report.receipt.counts.inserted, report.receipt.counts.evicted), (3, 3, 3));
    // Victims are not weighed again.
    put(&items, (30..60).step_by(2).map(item));
    assert_eq!((items.len(), bound_of(&store).weight), (4, 40));
    store.verify().unwrap();
}

#[test]
fn a_closure_that_never_gives_the_same_weight_twice() {
    for policy in super::POLICIES {
        let (store, items, _) = items();
        let next = Arc::new(AtomicU64::new(1));
        let of = next.clone();
        let weigh = move |_: &Item| of.fetch_add(7, SeqCst) % 13 + 1;
        items.set_bound(Bound::weight(50).policy(policy).weigh(weigh)).unwrap();
        for id in 0..200 {
            items.store(item(id % 23)).unwrap();
            if id % 5 == 0 {
                items.delete(id % 7).unwrap();
            }
            assert!(bound_of(&store).weight <= 50);
        }
        let asked = next.load(SeqCst);
        assert_eq!((asked - 1) / 7, 200, "each record is weighed once");
        store.verify().unwrap();
        items.clear().unwrap();
        assert_eq!(bound_of(&store).weight, 0);
        store.verify().unwrap();
    }
}

#[test]
fn closures_cannot_write_and_their_drop_may_panic() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("dropped");
            }
        }
    }
    let (store, items, _) = items();
    let (inner, bomb) = (items.clone(), Bomb);
    let weigh = move |_: &Item| {
        let _armed = &bomb;
        assert!(matches!(inner.store(item(99)).unwrap_err().cause(), Cause::InsideUserCode));
        assert!(inner.peek(99).is_none() && inner.set_bound(Bound::records(1)).is_err());
        1
    };
    items.set_bound(Bound::weight(5).weigh(weigh)).unwrap();
    items.store(item(1)).unwrap();
    assert_eq!(store.stats().drop_panics, 0);
    items.set_bound(Bound::records(5)).unwrap();
    assert_eq!(store.stats().drop_panics, 1);
    let bomb = Bomb;
    let refused = items.set_bound(Bound::records(0).weigh(move |_: &Item| {
        let _armed = &bomb;
        1
    }));
    assert!(matches!(refused.unwrap_err().cause(), Cause::ZeroBound));
    assert_eq!(store.stats().drop_panics, 2);
    items.store(item(2)).unwrap();
    store.verify().unwrap();
}

#[test]
fn a_record_that_is_too_heavy_for_a_new_bound_leaves() {
    let (store, items, _) = items();
    items.store(Item { weight: 500, ..item(0) }).unwrap();
    put(&items, (1..5).map(|id| Item { weight: 10, ..item(id) }));
    let refused = items.set_bound(Bound::weight(100).protect(super::item::ID.eq(0))).unwrap_err();
    assert!(matches!(refused.cause(), Cause::BeyondBound { protected: 500, limit: 100, .. }), "{refused}");
    items.set_bound(Bound::weight(100).policy(EvictionPolicy::OldestFirst)).unwrap();
    assert_eq!((ids(&items), bound_of(&store).weight), (vec![1, 2, 3, 4], 40));
    items.store(pinned(7)).unwrap();
    store.verify().unwrap();
}

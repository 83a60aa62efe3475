//! What is saved comes back, and what is not saved does not.

use crate::world::{User, archive, clock, content, load, saved, small_file, store, user};
use memdex::typing::saved::Archive;
use memdex::write::DefaultLifetime;
use memdex::{Document, FieldDef, KeyValue, Kind, Query, Record, Schema, Store, field, json};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn stores_come_back_with_all_that_is_saved() {
    let clock = clock();
    for records in [0, 1, 4, 300] {
        let before = store(&clock, records);
        let snapshot = before.snapshot();
        let expected = content(&before);
        // What comes after the snapshot is not in it.
        before.collection::<User>("User").unwrap().store(user(records + 7)).unwrap();
        before.collection::<User>("Later").unwrap();
        let archive = archive(&clock).without("Later");
        let mut file = Vec::new();
        let saved = archive.save_to(&snapshot, &mut file).unwrap();
        assert_eq!((saved.commit, saved.time), (snapshot.commit(), snapshot.time()));
        assert_eq!((saved.collections, saved.records), (4, u64::from(records) * 3 + 1));
        assert_eq!(saved.bytes, file.len() as u64);
        let after = archive.load_from(&file[..]).unwrap();
        assert_eq!(content(&after), expected, "{records} records");
        after.verify().unwrap();
        assert!(after.newest_commit() >= saved.commit);
        assert_eq!((after.sequence("User").next(), after.sequence("Payment").next()), (100, 2));
        // The loaded store takes writes, and enforces its indexes.
        let users = after.collection::<User>("User").unwrap();
        users.insert(user(1_000_000)).unwrap();
        assert!(users.insert(User { id: 1_000_001, ..user(1_000_000) }).is_err());
        after.verify().unwrap();
    }
}

#[test]
fn a_second_save_writes_the_same_file() {
    let file = small_file();
    let clock = clock();
    let again = saved(&archive(&clock), &load(&file).unwrap());
    // Apart from the number of the commit, and the order of the records.
    assert_eq!(again.len(), file.len());
    assert_eq!(content(&load(&again).unwrap()), content(&load(&file).unwrap()));
}

#[test]
fn lifetimes_go_on_by_the_clock() {
    let clock = clock();
    let before = store(&clock, 40);
    let file = saved(&archive(&clock), &before);
    let expired =
        |id: u32, seconds: u64| id % 4 == 1 && u64::from(id) + 5 <= seconds || id.is_multiple_of(4) && seconds >= 50;
    for seconds in [0, 10, 12, 60] {
        let clock = crate::world::clock();
        clock.advance(Duration::from_secs(seconds));
        let users = archive(&clock).load_from(&file[..]).unwrap().collection::<User>("User").unwrap();
        let mut left: Vec<u32> = users.iter().map(|user| user.id).collect();
        left.sort_unstable();
        assert_eq!(left, (0..40).filter(|id| !expired(*id, seconds)).collect::<Vec<_>>(), "after {seconds} s");
    }
    // All of them.
    let clock = crate::world::clock();
    let short = Store::builder().clock(clock.clone()).build();
    let codes = short.key_values::<()>("Code", Schema::new([])).unwrap();
    codes.with_lifetime(Duration::from_secs(1)).store(KeyValue::new("a", ())).unwrap();
    let file = saved(&archive(&clock), &short);
    clock.advance(Duration::from_secs(1));
    assert_eq!(archive(&clock).load_from(&file[..]).unwrap().any_collection("Code").unwrap().len(), 0);
    // The default lifetime too.
    let (file, clock) = (saved(&archive(&crate::world::clock()), &before), crate::world::clock());
    let loaded = archive(&clock).load_from(&file[..]).unwrap();
    let users = loaded.collection::<User>("User").unwrap();
    users.store(user(99)).unwrap();
    clock.advance(Duration::from_secs(40));
    assert!(users.get(99).is_some(), "a read extends it");
    clock.advance(Duration::from_secs(40));
    assert!(users.contains(99));
    clock.advance(Duration::from_secs(40));
    assert!(!users.contains(99));
}

#[test]
fn every_default_lifetime_comes_back() {
    #[derive(Clone, Record, Serialize, Deserialize)]
    struct Visit {
        #[record(key)]
        id: u32,
        #[record(field)]
        until: Option<memdex::Timestamp>,
    }
    let hour = Duration::from_secs(3_600);
    let lifetimes = [
        DefaultLifetime::Forever,
        DefaultLifetime::Fixed(hour),
        DefaultLifetime::Sliding(hour),
        DefaultLifetime::Field("until".into()),
    ];
    for lifetime in lifetimes {
        let clock = clock();
        let store = Store::builder().clock(clock.clone()).build();
        let visits = store.collection::<Visit>("Visit").unwrap();
        visits.set_default_lifetime(lifetime.clone()).unwrap();
        let archive = archive(&clock).collection::<Visit>("Visit");
        let loaded = archive.load_from(&saved(&archive, &store)[..]).unwrap();
        let deadline = |store: &Store| {
            let visits = store.collection::<Visit>("Visit").unwrap();
            visits.store(Visit { id: 1, until: Some(store.snapshot().time() + hour / 2) }).unwrap();
            clock.advance(Duration::from_secs(10));
            visits.get(1).unwrap().expires_at().map(|at| at.as_micros() - store.snapshot().time().as_micros())
        };
        assert_eq!(deadline(&loaded), deadline(&store), "{lifetime:?}");
    }
}

#[test]
fn snapshots_without_types_need_no_archive() {
    let folder = crate::files::Folder::new();
    let path = folder.path("store.memdex");
    let store = Store::new();
    let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("status", Kind::Str).index()]);
    store
        .documents("Payment", schema)
        .unwrap()
        .store(Document::new(json!({ "id": 1, "status": "paid" })).unwrap())
        .unwrap();
    store.key_values::<()>("Tag", Schema::new([])).unwrap().store(KeyValue::new("a", ())).unwrap();
    store.snapshot().save(&path).unwrap();
    let loaded = Store::load(&path).unwrap();
    let paid = Query::over(["Payment"]).filter(field("status").eq("paid"));
    assert_eq!(loaded.query(&paid).unwrap().records().unwrap().len(), 1);
    assert_eq!(loaded.collections(), store.collections());
}

#[test]
fn progress_is_reported_on_both_ways() {
    let clock = clock();
    let store = store(&clock, 5_000);
    let reports = Arc::new(Mutex::new(Vec::new()));
    let seen = reports.clone();
    let archive = archive(&clock).progress(move |progress| {
        seen.lock().unwrap().push((progress.collection.to_owned(), progress.records, progress.total));
    });
    let file = saved(&archive, &store);
    let total = 3 * 5_000 + 1;
    let saving = std::mem::take(&mut *reports.lock().unwrap());
    assert_eq!(saving.first().unwrap(), &("User".to_owned(), 4_096, total));
    assert_eq!(saving.last().unwrap(), &("Tag".to_owned(), total, total));
    assert!(saving.is_sorted_by_key(|(_, records, _)| *records));
    archive.load_from(&file[..]).unwrap();
    assert_eq!(*reports.lock().unwrap(), saving);
}

#[test]
fn a_panic_in_a_report_reaches_the_caller_and_leaves_no_file() {
    let folder = crate::files::Folder::new();
    let clock = clock();
    let store = store(&clock, 10);
    let file = saved(&archive(&clock), &store);
    let archive = archive(&clock).progress(|_| panic!("enough"));
    let save = || archive.save(&store.snapshot(), folder.path("a"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(save)).is_err());
    assert!(folder.names().is_empty(), "{:?}", folder.names());
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| archive.load_from(&file[..]))).is_err());
}

#[test]
fn saving_retains_nothing_and_writers_go_on() {
    let clock = clock();
    let store = store(&clock, 200);
    let users = store.collection::<User>("User").unwrap();
    let archive = archive(&clock);
    let expected = content(&store);
    let snapshot = store.snapshot();
    let file = std::thread::scope(|scope| {
        scope.spawn(|| {
            for id in (0..200).filter(|id| id % 4 > 1) {
                users.update(id, |user| user.score += 1.0).unwrap();
            }
        });
        let mut file = Vec::new();
        archive.save_to(&snapshot, &mut file).unwrap();
        file
    });
    drop(snapshot);
    assert_eq!(content(&archive.load_from(&file[..]).unwrap()), expected);
    store.optimize().unwrap();
    assert_eq!(store.stats().pinned_commits, 0);
}

#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
struct Wide {
    #[record(key)]
    id: u8,
    a: Option<Box<Wide>>,
    b: Vec<(char, bool, f32)>,
    c: Result<String, i64>,
    d: std::collections::HashMap<u16, [u8; 3]>,
    e: memdex::Timestamp,
    f: memdex::typing::DecimalValue,
    g: std::net::IpAddr,
}

fn wides() -> impl Strategy<Value = Wide> {
    let parts = (
        any::<u8>(),
        any::<Vec<(char, bool, f32)>>(),
        any::<Result<String, i64>>(),
        any::<u16>(),
        any::<i64>(),
        any::<i128>(),
    );
    let wide = parts.prop_map(|(id, b, c, d, e, f)| Wide {
        id,
        a: None,
        b,
        c,
        d: [(d, [1, 2, 3])].into(),
        e: memdex::Timestamp::from_micros(e),
        f: memdex::typing::DecimalValue::new(f, 3).unwrap(),
        g: std::net::Ipv6Addr::from(f as u128).into(),
    });
    (wide.clone(), proptest::option::of(wide)).prop_map(|(wide, a)| Wide { a: a.map(Box::new), ..wide })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn random_records_come_back(records in prop::collection::vec(wides(), 0..20)) {
        for archive in [Archive::new().collection::<Wide>("Wide"), Archive::new().collection_as_json::<Wide>("Wide")] {
            let store = Store::new();
            let wides = store.collection::<Wide>("Wide").unwrap();
            let finite = |wide: &Wide| wide.b.iter().all(|(_, _, x)| x.is_finite());
            for wide in &records {
                if finite(wide) && wide.a.as_ref().is_none_or(|a| finite(a)) {
                    wides.store(wide.clone()).unwrap();
                }
            }
            let loaded = archive.load_from(&saved(&archive, &store)[..]).unwrap().collection::<Wide>("Wide").unwrap();
            prop_assert_eq!(loaded.len(), wides.len());
            for wide in &wides {
                let back = loaded.get(wide.id).unwrap();
                prop_assert_eq!(&*back, &*wide);
            }
        }
    }
}

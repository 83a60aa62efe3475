//! Audits on several threads, and their progress.

use super::{user, users};
use memdex::error::Cause;
use memdex::{Collection, IndexDef, Record, Store};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Two hundred row pages, in jobs of 64.
#[derive(Record)]
struct Item {
    #[record(key)]
    id: u32,
    #[record(index)]
    group: u32,
    #[record(column)]
    score: u32,
}

const ITEMS: u32 = 200_000;

fn items() -> (Store, Collection<Item>) {
    let store = Store::new();
    let items = store.collection::<Item>("items").unwrap();
    items.add_index(IndexDef::ordered("score")).unwrap();
    store
        .commit(|batch| (0..ITEMS).try_for_each(|id| batch.store(&items, Item { id, group: id % 7, score: id })))
        .unwrap();
    (store, items)
}

#[test]
fn progress_ascends_to_the_total() {
    let (store, items) = items();
    let _held = store.snapshot();
    items.delete(3).unwrap();
    let mut reports = Vec::new();
    let report = store.verify_with(|progress| reports.push((progress.done, progress.total))).unwrap();
    assert_eq!((report.records, report.versions_retained), (ITEMS as usize - 1, 1));
    assert_eq!(report.index_entries, 2 * (ITEMS as usize - 1));
    // The records, two indexes, one column.
    let total = 4 * u64::from(ITEMS - 1);
    assert!(reports.iter().all(|(_, of)| *of == total) && reports.is_sorted(), "{reports:?}");
    assert!(reports.len() >= 10 && reports.last() == Some(&(total, total)), "{reports:?}");
}

#[test]
fn an_empty_store_has_nothing_to_report() {
    let (store, _users) = users();
    assert_eq!(store.verify_with(|progress| panic!("{progress:?}")).unwrap().records, 0);
}

#[test]
fn a_report_may_read_but_not_write() {
    let (store, users) = users();
    users.store(user("1", 1)).unwrap();
    let called = AtomicBool::new(false);
    let refused = |_| {
        assert_eq!(users.len(), 1);
        let refusal = users.store(user("2", 1)).unwrap_err();
        assert!(matches!(refusal.cause(), Cause::InsideUserCode), "{refusal}");
        called.store(true, SeqCst);
    };
    store.verify_with(refused).unwrap();
    assert!(called.load(SeqCst));
    users.store(user("2", 1)).unwrap();
}

#[test]
fn a_report_that_panics_harms_nothing() {
    let (store, items) = items();
    for nth in [1, 3, 6] {
        let mut reports = 0;
        let audit = catch_unwind(AssertUnwindSafe(|| {
            store.verify_with(|_| {
                reports += 1;
                assert!(reports < nth, "the panic of report {nth}");
            })
        }));
        let panic = *audit.unwrap_err().downcast::<String>().unwrap();
        assert_eq!(panic, format!("the panic of report {nth}"));
    }
    items.delete(5).unwrap();
    assert_eq!(store.verify().unwrap().records, ITEMS as usize - 1);
}

//! Upkeep gives the memory of deleted records back.

use super::{Player, player};
use memdex::Store;

/// After most records are deleted, upkeep releases their memory in every structure.
#[test]
fn upkeep_releases_unused_memory() {
    let store = Store::new();
    let players = store.collection::<Player>("Player").unwrap();
    let full = |id: u32| Player {
        club: Some(format!("club number {id}")),
        nick: Some(format!("{id}")),
        tags: vec![format!("tag {id}"), "all".into()],
        ..player(id)
    };
    store.commit(|batch| (0..4_000).try_for_each(|id| batch.store(&players, full(id)))).unwrap();
    let before = store.stats().collections[0].memory;
    store.commit(|batch| (20..4_000).try_for_each(|id| batch.delete(&players, id))).unwrap();
    store.optimize().unwrap();
    let after = store.stats().collections[0].memory;
    assert!(after.indexes < before.indexes / 2, "{before:?} {after:?}");
    assert!(after.columns < before.columns / 2, "{before:?} {after:?}");
    assert!(after.key_table < before.key_table / 2, "{before:?} {after:?}");
    assert!(after.row_pages < before.row_pages / 2, "{before:?} {after:?}");
    assert!(after.back_references < before.back_references / 2, "{before:?} {after:?}");
    assert!(after.bookkeeping < 1_000, "{before:?} {after:?}");
    let stats = &store.stats().collections[0];
    assert_eq!((stats.rows_used, stats.rows_free), (20, 0), "free rows at the end are forgotten");
    store.verify().unwrap();
    let held = store.snapshot();
    store.commit(|batch| (0..4_000).try_for_each(|id| batch.store(&players, full(id)))).unwrap();
    store.verify().unwrap();
    assert_eq!(players.find(player::CLUB.eq("club number 3999")).count().unwrap(), 1);
    // Rows that are new again are not those of the snapshot.
    assert_eq!(held.of(&players).find(player::CLUB.ge("")).count().unwrap(), 20);
    players.clear().unwrap();
    store.optimize().unwrap();
    let stats = &store.stats().collections[0];
    assert_eq!(
        (stats.rows_used, stats.rows_free, stats.versions_retained),
        (4_000, 3_980, 20),
        "marks protect the rows"
    );
    store.verify().unwrap();
    assert_eq!(held.of(&players).find(player::CLUB.ge("")).count().unwrap(), 20);
    drop(held);
    store.optimize().unwrap();
    let stats = &store.stats().collections[0];
    assert_eq!((stats.rows_used, stats.rows_free), (0, 0));
    let left = stats.memory;
    let pages = left.row_pages + left.columns + left.back_references + left.bookkeeping;
    assert!(pages < 2_000 && left.records + left.versions == 0, "{left:?}");
    assert!(left.indexes <= after.indexes, "upkeep begins again with the first index: {after:?} {left:?}");
    store.verify().unwrap();
    store.commit(|batch| (0..4_000).try_for_each(|id| batch.store(&players, full(id)))).unwrap();
    store.verify().unwrap();
}

//! The bulk writer: when it flushes, what it never parts, and what becomes of its buffer when something goes wrong.

use super::{ids, state, user, users};
use memdex::error::{Cause, Refusal};
use memdex::limits::MAX_KEY_BYTES;
use memdex::write::WriterError;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn it_flushes_at_its_bulk_size() {
    let (store, users) = users();
    let mut writer = store.writer();
    for n in 1..=memdex::limits::DEFAULT_BULK_SIZE as i64 {
        assert_eq!((users.len(), writer.len() as i64), (0, n - 1));
        writer.store(&users, user(&n.to_string(), n)).unwrap();
    }
    assert_eq!((users.len(), writer.len(), store.snapshot().commit().get()), (100, 0, 1));
    for bulk_size in [0, 1] {
        let mut writer = store.writer().bulk_size(bulk_size);
        writer.delete(&users, "1").unwrap();
        assert!(writer.is_empty());
    }
    assert_eq!(writer.flush().unwrap().commit, 3, "an empty flush makes no commit");
    assert_eq!(store.snapshot().commit(), 3);
    assert_eq!(writer.counts().total(), 100);
}

#[test]
fn a_group_is_never_parted() {
    let (store, users) = users();
    let mut writer = store.writer().bulk_size(3);
    let mut commits = 0;
    for n in 0..10 {
        let group = writer.group(|batch| {
            (0..4).try_for_each(|at| batch.insert(&users, user(&format!("{n}-{at}"), n)))?;
            assert_eq!(store.snapshot().commit(), commits, "not while it gathers");
            Ok(())
        });
        group.unwrap();
        commits += 1;
        assert_eq!((writer.len(), store.snapshot().commit().get(), users.len()), (0, commits, 4 * commits as usize));
    }
}

#[test]
fn a_group_that_refuses_or_panics_leaves_nothing() {
    let (store, users) = users();
    let mut writer = store.writer();
    writer.insert(&users, user("1", 1)).unwrap();
    let refused = writer.group(|batch| {
        batch.insert(&users, user("2", 2))?;
        batch.delete(&users, "1")?;
        Err(Refusal::because("the till is closed"))
    });
    let Err(WriterError::NotTaken(refusal)) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.to_string(), "commit refused: the till is closed");
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        writer.group(|batch| {
            batch.insert(&users, user("3", 3))?;
            panic!("in the middle of a group")
        })
    }));
    assert!(unwound.is_err());
    let broken = writer.group(|batch| {
        batch.insert(&users, user("4", 4))?;
        batch.insert(&users, user(&"k".repeat(MAX_KEY_BYTES), 5))
    });
    assert!(matches!(broken, Err(WriterError::NotTaken(_))));
    assert_eq!(writer.batch_mut().operations().len(), 1);
    writer.insert(&users, user("6", 6)).unwrap();
    let positions: Vec<usize> = writer.batch_mut().operations().iter().map(|info| info.position).collect();
    assert_eq!(positions, [0, 1]);
    writer.flush().unwrap();
    assert_eq!(state(&users), ids([1, 6]));
    writer.delete(&users, "6").unwrap();
    assert_eq!(writer.batch_mut().operations()[0].position, 0, "positions begin again after a flush");
    writer.flush().unwrap();
}

#[test]
fn it_can_be_read_back() {
    let (store, users) = users();
    users.store(user("1", 1)).unwrap();
    let mut writer = store.writer();
    writer.update(&users, "1", |user| user.visits += 1).unwrap();
    assert_eq!(writer.batch_mut().get(&users, "1").unwrap().unwrap().visits, 2);
    assert_eq!(users.get("1").unwrap().visits, 1);
}

#[test]
fn dropped_it_flushes() {
    let (store, users) = users();
    let mut writer = store.writer();
    writer.insert(&users, user("1", 1)).unwrap();
    drop(writer);
    assert_eq!((state(&users), store.stats().lost_operations), (ids([1]), 0));
}

#[test]
fn dropped_by_a_panic_it_does_not_flush() {
    let (store, users) = users();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let mut writer = store.writer();
        writer.insert(&users, user("1", 1)).unwrap();
        panic!("before the rest was written")
    }));
    assert!(unwound.is_err());
    assert_eq!((users.len(), store.snapshot().commit().get(), store.stats().lost_operations), (0, 0, 1));
}

#[test]
fn a_flush_that_fails_in_the_drop_is_counted() {
    let (store, users) = users();
    let mut writer = store.writer();
    writer.insert(&users, user("1", 1)).unwrap();
    writer.update(&users, "2", |_| ()).unwrap();
    drop(writer);
    let stats = store.stats();
    assert_eq!((users.len(), stats.commits, stats.lost_operations, stats.refusals), (0, 0, 2, 1));
}

/// Each further operation would stage the whole buffer again, only to be refused again.
#[test]
fn after_a_refusal_a_flush_is_tried_again_when_as_many_more_have_gathered() {
    let (store, users) = users();
    let mut writer = store.writer().bulk_size(10);
    writer.update(&users, "not there", |_| ()).unwrap();
    let refused: Vec<usize> = (1..100)
        .filter(|n| matches!(writer.insert(&users, user(&n.to_string(), 1)), Err(WriterError::NotFlushed(_))))
        .collect();
    assert_eq!(refused, [9, 19, 29, 39, 49, 59, 69, 79, 89, 99]);
    assert_eq!((writer.len(), store.stats().refusals), (100, 10));
    writer.batch_mut().remove(0).unwrap();
    writer.insert(&users, user("100", 1)).unwrap();
    assert_eq!((writer.len(), users.len()), (0, 100), "the buffer was mended, so it is tried again at once");
}

#[test]
fn after_a_refusal_the_operation_at_fault_can_be_taken_out() {
    let (store, users) = users();
    let mut writer = store.writer().bulk_size(3);
    writer.insert(&users, user("1", 1)).unwrap();
    writer.update(&users, "2", |_| ()).unwrap();
    let error = writer.insert(&users, user("3", 3)).unwrap_err();
    let WriterError::NotFlushed(refusal) = &error else { panic!("{error}") };
    assert!(matches!(refusal.cause(), Cause::KeyMissing));
    assert!(
        error.to_string().starts_with("the writer could not flush its buffer: update of \"2\" in \"users\""),
        "{error}"
    );
    let position = refusal.position().unwrap();
    assert_eq!((position, writer.len(), users.len()), (1, 3, 0));
    let taken = writer.batch_mut().remove(position).unwrap();
    assert_eq!((taken.info.operation, taken.info.key.clone().unwrap() == "2"), ("update", true));
    assert!(taken.into_record::<super::User>().is_none());
    assert_eq!(writer.flush().unwrap().counts.inserted, 2);
    assert_eq!(state(&users), ids([1, 3]));
}

#[test]
fn after_a_refusal_the_operation_at_fault_can_be_mended() {
    let (store, users) = users();
    users.store(user("1", 1)).unwrap();
    let mut writer = store.writer().bulk_size(2);
    writer.insert(&users, user("1", 2)).unwrap();
    writer.delete(&users, "9").unwrap_err();
    let batch = writer.batch_mut();
    assert!(batch.edit(&users, 0, |user| user.id = "2".to_owned()).unwrap());
    assert!(!batch.edit(&users, 1, |_| panic!("a delete brings no record")).unwrap());
    assert!(!batch.edit(&users, 2, |_| panic!("there is no such operation")).unwrap());
    assert_eq!(batch.operations()[0].key.clone().unwrap(), "2");
    let counts = writer.flush().unwrap().counts;
    assert_eq!((counts.inserted, counts.missing), (1, 1));
    assert_eq!(state(&users), ids([1, 2]));
}

#[test]
fn everything_can_be_taken_back() {
    let (store, users) = users();
    let mut writer = store.writer().bulk_size(2);
    writer.insert(&users, user("1", 1)).unwrap();
    writer.update(&users, "2", |_| ()).unwrap_err();
    let mut batch = writer.take();
    assert!(writer.is_empty());
    writer.insert(&users, user("3", 3)).unwrap();
    writer.flush().unwrap();
    assert_eq!(batch.remove(0).unwrap().into_record(), Some(user("1", 1)));
    assert_eq!((batch.len(), batch.commit().unwrap_err().refusal().position()), (1, Some(1)));
    assert_eq!(state(&users), ids([3]));
}

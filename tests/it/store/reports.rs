//! Reports: what each operation did, and lenient commits, which leave out what is refused and give it back.

use super::{User, ids, state, user, users};
use memdex::error::Cause;
use memdex::limits::MAX_KEY_BYTES;
use memdex::write::{Outcome, Report, WriterError};
use memdex::{Commit, Writer, field};

fn positions(report: &Report) -> Vec<usize> {
    report.refused.iter().map(|refused| refused.refusal.position().unwrap()).collect()
}

fn long() -> String {
    "c".repeat(memdex::limits::MAX_INDEXED_BYTES + 1)
}

#[test]
fn each_operation_tells_what_it_did_to_the_state_that_it_met() {
    let (store, users) = users();
    users.insert(user("1", 1)).unwrap();
    let mut batch = store.batch();
    batch.store(&users, user("1", 2)).unwrap();
    batch.insert(&users, user("2", 2)).unwrap();
    batch.upsert(&users, user("2", 3), |user| user.visits = 4).unwrap();
    batch.delete(&users, "2").unwrap();
    batch.delete(&users, "2").unwrap();
    batch.upsert(&users, user("2", 3), |_| ()).unwrap();
    batch.remove(1).unwrap();
    let report = batch.commit_reported().unwrap();
    use Outcome::*;
    let expected = [(0, Replaced), (2, Created), (3, Deleted), (4, Missing), (5, Created)];
    assert_eq!(report.outcomes, expected);
    assert_eq!((report.outcome(1), report.outcome(5), report.outcome(6)), (None, Some(Created), None));
    assert_eq!((report.receipt.commit.get(), report.receipt.counts.total(), report.refused.len()), (2, 5, 0));
    let empty = store.batch().commit_reported().unwrap();
    assert_eq!((empty.receipt.commit.get(), empty.outcomes.len()), (2, 0));
}

#[test]
fn a_reported_commit_is_all_or_nothing() {
    let (store, users) = users();
    let mut batch = store.batch();
    batch.insert(&users, user("1", 1)).unwrap();
    batch.update(&users, "2", |_| ()).unwrap();
    let refused = batch.commit_reported().unwrap_err();
    assert_eq!((refused.refusal().position(), users.len()), (Some(1), 0));
    assert_eq!(refused.into_batch().len(), 2);
}

#[test]
fn a_lenient_commit_leaves_out_what_is_refused_for_whatever_cause() {
    let (store, users) = users();
    let others = store.collection::<User>("others").unwrap();
    store.commit(|batch| (1..=9).try_for_each(|n| batch.insert(&users, user(&n.to_string(), n)))).unwrap();
    let mut batch = store.batch();
    batch.insert(&users, user("1", 0)).unwrap(); // exists
    batch.insert(&others, user("1", 0)).unwrap();
    batch.update(&users, "missing", |_| ()).unwrap(); // missing
    batch.update(&users, "2", |user| user.id.push('0')).unwrap(); // key changed
    batch.if_unchanged(Commit::from_number(7)).delete(&users, "3").unwrap(); // stale
    batch.update(&users, "4", |_| Err("no")).unwrap(); // closure
    batch.update(&users, "5", |_| panic!("no")).unwrap(); // panicked
    batch.store(&users, User { city: long(), ..user("6", 0) }).unwrap(); // too long
    batch
        .update_where(&users, user::VISITS.is_in([7, 8]), |user| if user.visits == 7 { Ok(()) } else { Err("no") })
        .unwrap();
    batch.update(&users, "9", |user| user.visits = 10).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!(positions(&report), [0, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!((report.outcome(1), report.outcome(7)), (Some(Outcome::Created), Some(Outcome::Refused)));
    assert_eq!((report.outcomes.len(), report.outcome(9)), (10, Some(Outcome::Updated)));
    assert_eq!((report.receipt.counts.inserted, report.receipt.counts.updated), (1, 1));
    assert_eq!(report.receipt.counts.total(), 2);
    let causes: Vec<&Cause> = report.refused.iter().map(|refused| refused.refusal.cause()).collect();
    use Cause::*;
    assert!(matches!(causes[..4], [KeyExists, KeyMissing, KeyChanged { .. }, Stale { .. }]), "{causes:?}");
    assert!(matches!(causes[4..], [Closure(_), Panicked { .. }, ValueTooLong { .. }, Closure(_)]), "{causes:?}");
    assert_eq!(
        state(&users),
        ids((1..9).chain([9])).into_iter().map(|(id, n)| (id, n + i64::from(n == 9))).collect::<Vec<_>>()
    );
    assert_eq!((state(&others).len(), store.stats().refusals), (1, 8));
    store.verify().unwrap();
}

#[test]
fn those_after_what_is_left_out_meet_the_state_without_it() {
    let (store, users) = users();
    users.insert(user("2", 2)).unwrap();
    let mut batch = store.batch();
    batch.insert(&users, User { city: long(), ..user("1", 1) }).unwrap(); // found only at the index
    batch.insert(&users, user("1", 2)).unwrap(); // then this one is not refused
    batch.update(&users, "2", |_| Err("no")).unwrap();
    batch.update(&users, "2", |user| user.visits += 1).unwrap();
    batch.delete_where(&users, user::VISITS.eq(3)).unwrap();
    batch.insert(&users, user("2", 7)).unwrap();
    // The update of "3" is not to blame for what it found, but without the insert it finds nothing.
    batch.insert(&users, User { city: long(), ..user("3", 1) }).unwrap();
    batch.update(&users, "3", |user| user.visits += 1).unwrap();
    // What is mended within the batch is never indexed as it was.
    batch.insert(&users, User { city: long(), ..user("4", 1) }).unwrap();
    batch.update(&users, "4", |user| user.city = "Thun".into()).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!(positions(&report), [0, 2, 6, 7]);
    assert_eq!((report.outcome(1), report.outcome(4)), (Some(Outcome::Created), Some(Outcome::DeletedWhere(1))));
    assert_eq!(state(&users), [("1", 2), ("2", 7), ("4", 1)].map(|(id, n)| (id.to_owned(), n)));
    assert_eq!(users.find(user::CITY.eq("Thun")).count(), Ok(1));
    store.verify().unwrap();
}

#[test]
fn a_write_by_predicate_is_left_out_whole() {
    let (store, users) = users();
    store.commit(|batch| (1..=5).try_for_each(|n| batch.insert(&users, user(&n.to_string(), 1)))).unwrap();
    let mut batch = store.batch();
    batch
        .update_where(&users, user::VISITS.eq(1), |user| {
            user.city = if user.id == "4" { long() } else { "Thun".into() }
        })
        .unwrap();
    batch.update(&users, "3", |user| user.visits += 1).unwrap();
    batch
        .update_where(&users, user::VISITS.eq(1), |user| {
            user.visits = 9;
            if user.id == "5" { Err("no") } else { Ok(()) }
        })
        .unwrap();
    batch.update_where(&users, user::VISITS.eq(1), |user| user.visits += 1).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!((positions(&report), report.outcome(3)), (vec![0, 2], Some(Outcome::UpdatedWhere(4))));
    assert_eq!(report.refused[0].refusal.key().unwrap(), &"4");
    assert!(users.iter().all(|user| user.visits == 2 && user.city == "Bern"));
    store.verify().unwrap();
}

#[test]
fn what_is_left_out_comes_back_and_can_be_put_back() {
    let (store, users) = users();
    store.commit(|batch| (1..=3).try_for_each(|n| batch.insert(&users, user(&n.to_string(), n)))).unwrap();
    let mut batch = store.batch();
    batch.insert(&users, user("1", 10)).unwrap();
    batch.upsert(&users, User { city: long(), ..user("9", 9) }, |user| user.visits += 1).unwrap();
    batch.update(&users, "8", |user| user.visits += 100).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!((positions(&report), report.receipt.commit.get(), store.newest_commit().get()), (vec![0, 1, 2], 1, 1));
    assert_eq!((report.receipt.counts.total(), report.outcomes.len()), (0, 3));
    let mut refused = report.refused.into_iter().map(|refused| refused.operation);
    let (insert, upsert, update) = (refused.next().unwrap(), refused.next().unwrap(), refused.next().unwrap());
    assert_eq!((insert.info.operation, upsert.info.key.clone().unwrap() == "9"), ("insert", true));
    assert_eq!(insert.into_record(), Some(user("1", 10)));
    users.insert(user("8", 1)).unwrap();
    let mut batch = store.batch();
    batch.delete(&users, "1").unwrap();
    batch.put_back(update).unwrap();
    batch.put_back(upsert).unwrap();
    assert!(batch.edit(&users, 2, |user| user.city.clear()).unwrap());
    let infos: Vec<_> = batch.operations().into_iter().map(|info| (info.position, info.operation)).collect();
    assert_eq!(infos, [(0, "delete"), (1, "update"), (2, "upsert")]);
    batch.commit().unwrap();
    assert_eq!(state(&users), [("2", 2), ("3", 3), ("8", 101), ("9", 9)].map(|(id, n)| (id.to_owned(), n)));
    let mut taken = memdex::Store::new().batch();
    let mut batch = store.batch();
    batch.delete(&users, "2").unwrap();
    let refusal = taken.put_back(batch.remove(0).unwrap()).unwrap_err();
    assert!(matches!(refusal.cause(), Cause::OtherStore));
    store.verify().unwrap();
}

#[test]
fn many_bad_ones_among_many_are_found_together() {
    let (store, users) = users();
    let mut batch = store.batch();
    for n in 0..20_000 {
        let city = if n % 10 == 3 { long() } else { "Bern".to_owned() };
        batch.store(&users, User { city, ..user(&(n % 19_000).to_string(), n) }).unwrap();
    }
    let report = batch.commit_lenient().unwrap();
    assert!(positions(&report).into_iter().eq((0..2_000).map(|n| 10 * n + 3)));
    assert_eq!((users.len(), report.receipt.counts.inserted), (17_100, 17_100));
    assert_eq!(report.receipt.counts.replaced, 900);
    store.verify().unwrap();
}

#[test]
fn a_writer_leaves_out_refused_operations_by_a_lenient_commit_of_its_buffer() {
    let (store, users) = users();
    users.insert(user("7", 0)).unwrap();
    let mut writer = store.writer().bulk_size(4);
    let (mut refused, mut inserted) = (Vec::new(), 0);
    let mut lenient = |writer: &mut Writer, done: Result<(), WriterError>| match done {
        Err(WriterError::NotFlushed(_)) => {
            let report = writer.take().commit_lenient().unwrap();
            inserted += report.receipt.counts.inserted;
            refused.extend(report.refused.into_iter().map(|refused| refused.operation.into_record::<User>().unwrap()));
        }
        other => other.unwrap(),
    };
    for n in 1..=9 {
        let done = writer.insert(&users, user(&n.to_string(), n));
        lenient(&mut writer, done);
    }
    let done = writer.group(|batch| (9..=12).try_for_each(|n| batch.insert(&users, user(&n.to_string(), n))));
    lenient(&mut writer, done);
    assert!(writer.group(|batch| batch.delete(&users, "k".repeat(MAX_KEY_BYTES))).is_err());
    writer.delete(&users, "1").unwrap();
    assert_eq!((writer.len(), writer.counts().inserted), (1, 4));
    assert_eq!(writer.flush().unwrap().counts.deleted, 1);
    assert_eq!((refused, inserted), (vec![user("7", 7), user("9", 9)], 7));
    drop(writer);
    assert_eq!(store.stats().lost_operations, 0);
    assert_eq!(users.len(), 11);
    store.verify().unwrap();
}

#[test]
fn a_writer_goes_on_after_a_lenient_commit_of_its_buffer() {
    let (store, users) = users();
    let mut writer = store.writer().bulk_size(2);
    writer.insert(&users, user("1", 1)).unwrap();
    writer.update(&users, "2", |_| ()).unwrap_err();
    assert_eq!(writer.batch_mut().len(), 2);
    let report = writer.take().commit_lenient().unwrap();
    assert_eq!((positions(&report), state(&users)), (vec![1], ids([1])));
    writer.insert(&users, user("3", 3)).unwrap();
    assert_eq!(writer.take().len(), 1);
    drop(writer);
    assert_eq!((users.len(), store.stats().lost_operations), (1, 0));
}

#[test]
fn what_concerns_no_single_operation_refuses_a_lenient_commit_whole() {
    let (store, users) = users();
    let (inner_store, inner_users) = (store.clone(), users.clone());
    users.insert(user("1", 1)).unwrap();
    users.get_with("1", |_| {
        let mut batch = inner_store.batch();
        batch.insert(&inner_users, user("2", 2)).unwrap();
        let refused = batch.commit_lenient().unwrap_err();
        assert!(matches!(refused.cause(), Cause::InsideUserCode));
        assert_eq!(refused.into_batch().len(), 1);
    });
    assert_eq!(users.find(field("visits").eq(2)).count(), Ok(0));
}

/// A record whose size on the heap can't be measured: the operation that brought it is at fault, not a later one that changed it.
#[test]
fn an_operation_with_an_unmeasurable_record_is_left_out_by_itself() {
    #[derive(Clone)]
    struct Sized {
        id: u32,
        size: Option<usize>,
        name: String,
    }

    keyed_by_id!(Sized, |record| record.size.expect("measurable"));

    let store = memdex::Store::new();
    let records = store.collection::<Sized>("Sized").unwrap();
    records.store(Sized { id: 1, size: Some(10), name: "old".into() }).unwrap();
    let mut batch = store.batch();
    batch.store(&records, Sized { id: 1, size: None, name: "unmeasurable".into() }).unwrap();
    batch.update(&records, 1, |record| record.name.push('!')).unwrap();
    let report = batch.commit_lenient().unwrap();
    let left_out: Vec<usize> = report.refused.iter().map(|refused| refused.operation.info.position).collect();
    assert_eq!((left_out, &*records.get(1).unwrap().name), (vec![0], "old!"));
}

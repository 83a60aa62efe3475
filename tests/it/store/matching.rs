//! Writes by predicate that return the records that they change: all of them, or the first ones in an order.

use super::{User, state, user, users};
use memdex::error::{Cause, QueryError};
use memdex::hook::RecordChange;
use memdex::typing::AnyCollection;
use memdex::write::Outcome;
use memdex::{Batch, Collection, Filter, Query, Record, Store, field};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

type Seen = (String, Option<i64>, Option<i64>);

/// Keys with the visits before and after.
fn seen(changes: &[RecordChange<User>]) -> Vec<Seen> {
    let visits = |user: &Option<memdex::Handle<User>>| user.as_ref().map(|user| user.visits);
    let key = |change: &RecordChange<User>| {
        let of = change.before.as_ref().or(change.after.as_ref());
        of.map_or_else(|| format!("{:?}", change.key), |user| user.id.clone())
    };
    changes.iter().map(|change| (key(change), visits(&change.before), visits(&change.after))).collect()
}

fn of<const COUNT: usize>(expected: [(&str, Option<i64>, Option<i64>); COUNT]) -> Vec<Seen> {
    expected.map(|(id, before, after)| (id.to_owned(), before, after)).into()
}

fn nine() -> (Store, Collection<User>) {
    let (store, users) = users();
    store.commit(|batch| (1..=9).try_for_each(|n| batch.insert(&users, user(&n.to_string(), 10 - n)))).unwrap();
    (store, users)
}

#[test]
fn a_write_by_predicate_returns_what_it_changed() {
    let (store, users) = nine();
    let few = || user::VISITS.le(2);
    let changed = users.matching(few()).update(|user| user.visits += 100).unwrap();
    assert_eq!((changed.receipt.commit.get(), changed.receipt.counts.updated), (2, 2));
    let mut all = seen(&changed.records);
    all.sort();
    assert_eq!(all, of([("8", Some(2), Some(102)), ("9", Some(1), Some(101))]));
    for change in &changed.records {
        assert_eq!(change.before.as_ref().unwrap().commit().get(), 1);
        assert_eq!(change.after.as_ref().unwrap().commit(), changed.receipt.commit);
        assert_eq!(*change.after.as_ref().unwrap(), users.get(change.before.as_ref().unwrap().id.as_str()).unwrap());
    }
    let deleted = users.matching(user::VISITS.gt(100)).order_by(user::VISITS.asc()).delete().unwrap();
    assert_eq!(seen(&deleted.records), of([("9", Some(101), None), ("8", Some(102), None)]));
    let none = users.matching(few()).delete().unwrap();
    assert_eq!((none.records.len(), none.receipt.commit.get()), (0, 4));
    store.verify().unwrap();
}

#[test]
fn the_first_ones_in_an_order_are_taken() {
    let (store, users) = nine();
    store.commit(|batch| batch.update_where(&users, user::VISITS.ge(8), |user| user.visits = 8)).unwrap();
    let by_visits = || users.matching(Filter::all()).order_by(user::VISITS.desc());
    let taken = by_visits().first(2).update(|user| user.visits = 0).unwrap();
    assert_eq!(seen(&taken.records), of([("1", Some(8), Some(0)), ("2", Some(8), Some(0))]), "ties by key");
    assert!(by_visits().first(0).update(|_| panic!("nobody is selected")).unwrap().records.is_empty());
    let taken = users.matching(user::VISITS.gt(4)).first(3).delete().unwrap();
    let expected = of([("3", Some(7), None), ("4", Some(6), None), ("5", Some(5), None)]);
    assert_eq!(seen(&taken.records), expected, "by key, if no order is requested");
    let rest = by_visits().first(usize::MAX).delete().unwrap();
    assert_eq!(rest.records.len(), 6);
    assert!(users.is_empty());
    store.verify().unwrap();
}

#[test]
fn a_batch_sees_its_own_changes_and_returns_net_changes() {
    let (store, users) = nine();
    let mut batch = store.batch();
    batch.update(&users, "9", |user| user.visits = 50).unwrap();
    batch.delete(&users, "1").unwrap();
    batch.insert(&users, user("0", 60)).unwrap();
    batch.update(&users, "2", |user| user.visits = 0).unwrap();
    let order = || user::VISITS.desc();
    // By then 0, 9, 3, 4 …
    let taken =
        batch.matching(&users, Filter::all()).order_by(order()).first(3).update(|user| user.visits -= 1).unwrap();
    let gone = batch.matching(&users, Filter::all()).order_by(order()).first(1).delete().unwrap();
    batch.update(&users, "9", |user| user.visits += 1_000).unwrap();
    let unlimited = batch.matching(&users, user::VISITS.eq(6)).delete().unwrap();
    assert!(taken.get().is_none() && gone.get().is_none());
    assert!(matches!(batch.get(&users, "5").unwrap_err().cause(), Cause::DecidedAtCommit));
    assert!(matches!(batch.operations()[4].operation, "update_where"));
    let report = batch.commit_reported().unwrap();
    assert_eq!(report.outcome(4), Some(Outcome::UpdatedWhere(3)));
    let expected = of([("", None, None), ("9", Some(1), Some(1_049)), ("3", Some(7), None)]);
    let found = seen(taken.get().unwrap());
    assert_eq!((found[0].1, &found[1..]), (None, &expected[1..]));
    assert_eq!(gone.get().unwrap()[0].key, "0");
    let mut rest = seen(unlimited.get().unwrap());
    rest.sort();
    assert_eq!(rest, of([("3", Some(7), None), ("4", Some(6), None)]));
    store.verify().unwrap();
}

#[test]
fn it_does_not_matter_how_the_batch_is_committed() {
    let (store, users) = nine();
    let take = |batch: &mut Batch| batch.matching(&users, Filter::all()).first(1).delete().unwrap();
    let mut batch = store.batch();
    let (first, second) = (take(&mut batch), take(&mut batch));
    batch.insert(&users, user("9", 0)).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!(report.refused.len(), 1);
    let ids = |pending: &memdex::write::PendingChanges<User>| seen(pending.get().unwrap())[0].0.clone();
    assert_eq!((ids(&first), ids(&second)), ("1".to_owned(), "2".to_owned()));

    let mut writer = store.writer();
    let mut third = None;
    writer
        .group(|batch| {
            third = Some(take(batch));
            Ok(())
        })
        .unwrap();
    assert!(third.as_ref().unwrap().get().is_none());
    writer.flush().unwrap();
    assert_eq!(ids(third.as_ref().unwrap()), "3");

    let background = store.background_writer().linger(Duration::ZERO).start().unwrap();
    let mut batch = background.batch();
    let fourth = take(&mut batch);
    background.submit(batch).unwrap().wait().unwrap();
    assert_eq!(ids(&fourth), "4");

    // Refused first, committed later.
    let mut batch = store.batch();
    let fifth = take(&mut batch);
    batch.insert(&users, user("9", 0)).unwrap();
    let mut batch = batch.commit().unwrap_err().into_batch();
    assert!(fifth.get().is_none());
    batch.remove(1);
    batch.commit().unwrap();
    assert_eq!(ids(&fifth), "5");

    // Nobody waits for it.
    let mut batch = store.batch();
    drop(take(&mut batch));
    batch.commit().unwrap();
    assert_eq!(users.len(), 3);
    store.verify().unwrap();
}

#[test]
fn what_it_depends_on_was_left_out() {
    #[derive(Clone, Record)]
    struct Seat {
        #[record(key)]
        id: u32,
        #[record(unique)]
        place: u32,
    }
    let store = Store::new();
    let seats = store.collection::<Seat>("Seat").unwrap();
    store.commit(|batch| (0..4).try_for_each(|id| batch.insert(&seats, Seat { id, place: id }))).unwrap();
    let mut batch = store.batch();
    let before = batch.matching(&seats, Filter::all()).order_by(seat::PLACE.desc()).first(1).delete().unwrap(); // 3
    batch.update(&seats, 1, |seat| seat.place = 2).unwrap(); // taken
    let after = batch.matching(&seats, Filter::all()).order_by(seat::PLACE.asc()).first(1).delete().unwrap();
    let report = batch.commit_lenient().unwrap();
    let refused: Vec<_> = report.refused.iter().map(|of| of.refusal.cause()).collect();
    assert!(matches!(refused[..], [Cause::NotUnique { .. }, Cause::DependsOnLeftOut]), "{refused:?}");
    assert_eq!(before.get().unwrap()[0].before.as_ref().unwrap().id, 3);
    assert!(after.get().is_none());
    assert_eq!(seats.len(), 3);
    store.verify().unwrap();
}

#[test]
fn what_does_not_fit_is_refused() {
    let (store, users) = nine();
    let refused = users.matching(Filter::all()).order_by(field("town").asc()).delete().unwrap_err();
    assert!(matches!(refused.cause(), Cause::Query(QueryError::UnknownField { .. })), "{refused}");
    let refused = users.matching(Filter::all()).first(2).update(|user| user.id.push('x')).unwrap_err();
    assert!(matches!(refused.cause(), Cause::KeyChanged { .. }), "{refused}");
    assert_eq!(refused.refusal().key().unwrap(), &"1");
    assert_eq!((users.len(), store.newest_commit().get()), (9, 1));
}

#[test]
fn records_without_a_type_are_taken_by_a_query() {
    let (store, users) = nine();
    let any: &dyn AnyCollection = &users;
    let of_users = || Query::over(["users"]).filter(field("visits").ge(3));
    let mut batch = store.batch();
    let two = any.delete_matching(&mut batch, &of_users().order_by(field("visits").asc()).limit(2)).unwrap();
    let all = any.delete_matching(&mut batch, &of_users().select(["visits"])).unwrap();
    for (query, part) in [
        (of_users().offset(1), "an offset"),
        (of_users().page(1), "a page number"),
        (of_users().with_total(), "a total"),
        (of_users().statistics([memdex::Metric::count()]), "statistics"),
    ] {
        let refusal = any.delete_matching(&mut batch, &query).unwrap_err();
        let is_it = |of: &str| of == part;
        assert!(
            matches!(refusal.cause(), Cause::Query(QueryError::WriteWithPart { part, .. }) if is_it(part)),
            "{refusal}"
        );
    }
    let refusal = any.delete_matching(&mut batch, &Query::over(["others"])).unwrap_err();
    assert!(matches!(refusal.cause(), Cause::Query(QueryError::UnknownCollection { .. })));
    assert!(two.get().is_none());
    batch.commit().unwrap();
    let visits = |hits: Vec<memdex::query::Hit>| hits.iter().map(|hit| hit.value("visits")).collect::<Vec<_>>();
    assert_eq!(visits(two.get().unwrap()), [Some(3.into()), Some(4.into())]);
    assert_eq!(all.get().unwrap().len(), 5);
    assert_eq!(all.get().unwrap()[0].values().count(), 1);
    assert_eq!(state(&users).len(), 2);
}

/// An extractor that panics while records are sorted refuses the write.
#[test]
fn a_panic_while_sorting_refuses_it() {
    #[derive(Clone)]
    struct Fragile(u32);
    impl Record for Fragile {
        type Key = u32;
        fn schema() -> memdex::Schema {
            use memdex::FieldDef;
            memdex::Schema::new([FieldDef::of::<u32>("id").key(), FieldDef::of::<u32>("weight")])
        }
        fn key(&self, key: &mut memdex::typing::KeyBuffer) {
            key.push(self.0.into());
        }
        fn value(&self, at: usize) -> memdex::typing::ValueRef<'_> {
            assert!(at == 0 || self.0 < 100, "it is too heavy");
            self.0.into()
        }
    }
    let store = Store::new();
    let fragile = store.collection::<Fragile>("Fragile").unwrap();
    store.commit(|batch| [5, 200, 7].into_iter().try_for_each(|id| batch.insert(&fragile, Fragile(id)))).unwrap();
    for changed in [false, true] {
        let mut batch = store.batch();
        if changed {
            batch.insert(&fragile, Fragile(300)).unwrap();
        }
        let all = batch.matching(&fragile, Filter::all()).order_by(field("weight").asc()).first(1);
        let pending = all.delete().unwrap();
        let refused = batch.commit().unwrap_err();
        assert!(matches!(refused.cause(), Cause::Panicked { what: "field extractor", .. }), "{refused}");
        assert!(pending.get().is_none());
    }
    assert_eq!(fragile.len(), 3);
}

/// Records whose last reference is in an answer that nobody reads are dropped by the commit, outside of its lock.
#[test]
fn a_panicking_drop_harms_nobody() {
    #[derive(Clone, Record)]
    struct Bomb {
        #[record(key)]
        id: u32,
        armed: bool,
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.armed || std::thread::panicking(), "it explodes");
        }
    }
    let store = Store::new();
    let bombs = store.collection::<Bomb>("Bomb").unwrap();
    store.commit(|batch| (0..3).try_for_each(|id| batch.insert(&bombs, Bomb { id, armed: true }))).unwrap();
    let taken = bombs.matching(Filter::all()).first(2).delete().unwrap();
    assert_eq!(bombs.len(), 1);
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(taken)));
    assert!(dropped.is_err(), "the last reference is the caller's");
    let mut batch = store.batch();
    drop(batch.matching(&bombs, Filter::all()).delete().unwrap());
    batch.commit().unwrap();
    assert!(bombs.is_empty());
    store.verify().unwrap();
}

/// With an ordered index, no more records are read than needed.
#[test]
fn an_ordered_index_is_walked() {
    static READ: AtomicUsize = AtomicUsize::new(0);
    struct Counted(u32);
    impl Record for Counted {
        type Key = u32;
        fn schema() -> memdex::Schema {
            use memdex::FieldDef;
            let weight = FieldDef::of::<u32>("weight").ordered();
            memdex::Schema::new([FieldDef::of::<u32>("id").key(), weight, FieldDef::of::<bool>("even")])
        }
        fn key(&self, key: &mut memdex::typing::KeyBuffer) {
            key.push(self.0.into());
        }
        fn value(&self, at: usize) -> memdex::typing::ValueRef<'_> {
            READ.fetch_add(1, SeqCst);
            if at == 2 { self.0.is_multiple_of(2).into() } else { self.0.into() }
        }
    }
    let store = Store::new();
    let counted = store.collection::<Counted>("Counted").unwrap();
    store.commit(|batch| (0..10_000).try_for_each(|id| batch.insert(&counted, Counted(id)))).unwrap();
    READ.store(0, SeqCst);
    let heaviest = |batch: &mut Batch| {
        let even = batch.matching(&counted, field("even").eq(true));
        even.order_by(field("weight").desc()).first(2).delete().unwrap()
    };
    let mut batch = store.batch();
    batch.insert(&counted, Counted(20_000)).unwrap();
    let (two, more) = (heaviest(&mut batch), heaviest(&mut batch));
    batch.commit().unwrap();
    assert!(READ.load(SeqCst) < 2_000, "{READ:?}");
    let before = |pending: &memdex::write::PendingChanges<Counted>| {
        pending.get().unwrap().iter().filter_map(|change| Some(change.before.as_ref()?.0)).collect::<Vec<_>>()
    };
    assert_eq!((before(&two), before(&more)), (vec![9_998], vec![9_996, 9_994]), "20,000 was never committed");
}

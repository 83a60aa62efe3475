//! Collections that refer to each other: how they are opened and dropped, lifetimes, and conditions that lead through references.

use super::{Account, Bank, Card, Note, Payment, Tested, account, bank, card, note};
use memdex::clock::ManualClock;
use memdex::error::{Cause, CollectionError, QueryError, ReferenceMismatch};
use memdex::schema::{OnDelete, Reference};
use memdex::write::{Bound, DefaultLifetime};
use memdex::{FieldDef, GroupBy, KeyValue, Kind, Metric, Query, Schema, Store, field};
use std::time::Duration;

#[test]
fn collections_are_opened_in_any_order_and_dropped_with_care() -> Tested {
    let store = Store::new();
    let cards = store.collection::<Card>("Card")?;
    assert!(matches!(cards.insert(card(1, 1)).unwrap_err().cause(), Cause::ParentMissing { .. }));
    let accounts = store.collection::<Account>("Account")?;
    accounts.insert(account(1))?;
    cards.insert(card(1, 1))?;
    let refused = store.drop_collection("Account").unwrap_err();
    assert!(
        matches!(refused.cause(), Cause::IsReferredTo { collection, constraint, .. } if collection == "Card" && constraint == "card_of")
    );
    assert_eq!(accounts.clear()?.counts.cascaded, 1);
    assert!(cards.is_empty() && store.drop_collection("Account")?);
    assert!(cards.insert(card(1, 1)).is_err());
    let accounts = store.collection::<Account>("Account")?;
    accounts.insert(account(1))?;
    cards.insert(card(1, 1))?;
    store.drop_collection("Card")?;
    assert_eq!(accounts.delete(1)?.counts.cascaded, 0);
    // The keys must fit, whichever collection comes first.
    let mismatch = |error: CollectionError| match error {
        CollectionError::Reference { why, .. } => why,
        other => panic!("{other}"),
    };
    let other_kind =
        Schema::new([FieldDef::new("account", Kind::Str)]).with_reference(Reference::new("account", "Account"));
    let why = mismatch(store.key_values::<()>("Wrong", other_kind).unwrap_err());
    assert!(matches!(why, ReferenceMismatch::Kind { kind: Kind::Str, part: Kind::Int, .. }));
    let two = Schema::new([FieldDef::new("a", Kind::Int), FieldDef::new("b", Kind::Int)]);
    store.key_values::<()>("Two", two.with_reference(Reference::new(["a", "b"], "Later")))?;
    let why = mismatch(store.key_values::<()>("Later", Schema::new([])).unwrap_err());
    assert!(matches!(why, ReferenceMismatch::Parts { fields: 2, parts: 1, .. }));
    let writes = Schema::new([FieldDef::new("account", Kind::Int)])
        .with_reference(Reference::new("account", "Account").on_delete(OnDelete::SetNull));
    let why = mismatch(store.key_values::<String>("NotCloned", writes).unwrap_err());
    assert!(matches!(why, ReferenceMismatch::NoCloner { .. }));
    Ok(())
}

#[test]
fn records_to_which_others_refer_do_not_vanish() -> Tested {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).build();
    let accounts = store.collection::<Account>("Account")?;
    let payments = store.collection::<Payment>("Payment")?;
    let referred =
        |cause: &Cause| matches!(cause, Cause::IsReferredTo { constraint, .. } if constraint == "Payment_account_fkey");
    let second = Duration::from_secs(1);
    assert!(referred(accounts.set_bound(Bound::records(5)).unwrap_err().cause()));
    assert!(referred(accounts.set_default_lifetime(DefaultLifetime::Fixed(second)).unwrap_err().cause()));
    assert!(referred(accounts.with_lifetime(second).insert(account(1)).unwrap_err().cause()));
    accounts.insert(account(1))?;
    payments.insert(Payment { id: 1, account: 1 })?;
    let vanishes = |error| matches!(error, CollectionError::Reference { why: ReferenceMismatch::Vanishes { .. }, .. });
    let store = Store::new();
    let accounts = store.collection::<Account>("Account")?;
    accounts.set_bound(Bound::records(5))?;
    assert!(vanishes(store.collection::<Card>("Card").unwrap_err()));
    accounts.remove_bound()?;
    accounts.set_default_lifetime(DefaultLifetime::Fixed(second))?;
    store.collection::<Card>("Card")?;
    assert!(vanishes(store.collection::<Payment>("Payment").unwrap_err()));
    Ok(())
}

#[test]
fn a_record_that_has_expired_is_missing() -> Tested {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).build();
    let accounts = store.collection::<Account>("Account")?;
    let (cards, notes) = (store.collection::<Card>("Card")?, store.collection::<Note>("Note")?);
    let second = Duration::from_secs(1);
    let fill = || -> Tested {
        for id in 1..=3 {
            accounts.with_lifetime(second).store(account(id))?;
            cards.store(card(id, id))?;
            notes.store(Note { id, account: Some(id) })?;
        }
        clock.advance(second);
        Ok(())
    };
    fill()?;
    assert!(matches!(cards.insert(card(7, 1)).unwrap_err().cause(), Cause::ParentMissing { .. }));
    // One that referred to it before may still change.
    cards.increment(1, card::USES, 1)?;
    assert_eq!(cards.len(), 3);
    // The reaper does what the references demand, in its own commit.
    assert_eq!(store.expire_now()?, 3);
    assert!(cards.is_empty() && notes.find(note::ACCOUNT.is_null()).count()? == 3);
    store.verify()?;
    // So does a commit that takes the key over, or a value that one of them still had.
    fill()?;
    let receipt = accounts.insert(account(1))?;
    assert_eq!((receipt.counts.inserted, receipt.counts.expired, receipt.counts.cascaded), (1, 1, 2));
    assert_eq!((cards.len(), notes.get(1).unwrap().account), (2, None));
    let receipt = accounts.insert(Account { name: "a2".into(), ..account(9) })?;
    assert_eq!((receipt.counts.inserted, receipt.counts.expired, receipt.counts.cascaded), (1, 1, 2));
    assert_eq!((cards.len(), notes.get(2).unwrap().account), (1, None));
    let report = {
        let mut batch = store.batch();
        batch.insert(&accounts, Account { name: "a3".into(), ..account(10) })?;
        batch.insert(&cards, card(50, 77))?;
        batch.commit_lenient()?
    };
    assert_eq!((report.refused.len(), report.receipt.counts.cascaded, cards.len()), (1, 2, 0));
    store.verify()?;
    Ok(())
}

#[test]
fn conditions_lead_through_references() -> Tested {
    let Bank { store, accounts } = bank();
    let (cards, notes) = (store.collection::<Card>("Card")?, store.collection::<Note>("Note")?);
    accounts.update(2, |account| account.balance = None)?;
    accounts.update(3, |account| account.balance = Some(50))?;
    store.commit(|batch| (0..30).try_for_each(|id| batch.insert(&cards, card(id, id % 3 + 1))))?;
    notes.insert(Note { id: 1, account: None })?;
    notes.insert(Note { id: 2, account: Some(3) })?;
    let ids = |find: memdex::query::Find<Card>| find.keys().unwrap().len();
    let balance = || card::ACCOUNT.through(account::BALANCE);
    assert_eq!(ids(cards.find(balance().gt(10))), 10);
    assert_eq!(ids(cards.find(balance().is_null())), 10);
    assert_eq!(ids(cards.find(!balance().gt(10))), 20);
    assert_eq!(ids(cards.find(balance().ge(0) & card::ACCOUNT.through(account::NAME).ne("a1") & card::ID.lt(15))), 5);
    assert_eq!(ids(cards.find(field("account.name").eq("a1") | field("account.name").eq("a2"))), 20);
    // A record that refers to nothing meets no condition, but its opposite.
    assert_eq!(notes.find(field("account.name").eq("a3")).count()?, 1);
    assert_eq!(notes.find(field("account.balance").is_null()).count()?, 0);
    assert_eq!(notes.find(!field("account.name").eq("a3")).count()?, 1);
    // At one snapshot.
    let snapshot = store.snapshot();
    accounts.update(1, |account| account.balance = Some(99))?;
    cards.delete_where(card::ID.lt(6))?;
    let rich = Query::over(["Card"]).filter(field("account.balance").gt(10));
    let count = |at: &memdex::Snapshot| at.search_by(&rich).unwrap().count().unwrap();
    assert_eq!((count(&snapshot), count(&store.snapshot())), (10, 16));
    let groups = store.query(&rich.clone().statistics(GroupBy::values("account").metrics([Metric::count()])))?;
    assert_eq!(groups.aggregation().unwrap().groups().len(), 2);
    // Pages continue although other accounts meet the condition by then.
    let page = |after| {
        let find = cards.find(field("account.balance").gt(10)).order_by(card::ID.asc()).limit(5);
        if let Some(cursor) = after { find.after(cursor).fetch() } else { find.fetch() }
    };
    let first = page(None)?;
    accounts.update(2, |account| account.balance = Some(11))?;
    let second = page(first.next.clone())?;
    assert_eq!(second[0].id, first[4].id + 1);
    // What follows one collection refuses it.
    let through =
        |error: QueryError| matches!(&error, QueryError::ThroughReference { field, .. } if field == "account.balance");
    assert!(through(cards.cached().find(balance().gt(10)).count().unwrap_err()));
    assert!(through(cards.cached().find(balance().gt(10)).fetch().unwrap_err()));
    let refused = cards.delete_where(balance().gt(10)).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Query(QueryError::ThroughReference { .. })));
    assert!(cards.watch(balance().gt(10)).start().is_err());
    assert!(store.subscribe().matching(&cards, balance().gt(10)).start().is_err());
    assert!(
        matches!(cards.find(field("account.nme").eq("x")).count(), Err(QueryError::UnknownField { collection, .. }) if collection == "Account")
    );
    Ok(())
}

/// Danger: a fork finds the records that refer to a key in its own tables and in those of its base, which number their rows each for themselves.
#[test]
fn references_of_a_base_hold_in_a_fork() -> Tested {
    let Bank { store, accounts } = bank();
    let payments = store.collection::<Payment>("Payment")?;
    payments.insert(Payment { id: 1, account: 1 })?;
    let nodes = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("above", Kind::Int)])
        .with_reference(Reference::new("above", "Node"));
    let base = store.key_values::<()>("Node", nodes.clone())?;
    base.insert(KeyValue::new(1, ()).with("above", 1))?;
    base.insert(KeyValue::new(2, ()).with("above", 1))?;
    let fork = store.fork();
    let (own, of_fork) = (fork.collection::<Account>("Account")?, fork.collection::<Payment>("Payment")?);
    of_fork.insert(Payment { id: 5, account: 2 })?;
    let refused = fork.commit(|batch| {
        batch.update(&of_fork, 5, |payment| payment.account = 3)?;
        batch.delete(&own, 1)
    });
    assert!(matches!(refused.unwrap_err().cause(), Cause::StillReferred { .. }));
    assert_eq!((own.len(), of_fork.get(5).unwrap().account), (3, 2));
    // What goes in the same batch refers no longer.
    let nodes = fork.key_values::<()>("Node", nodes)?;
    assert!(matches!(nodes.delete(1).unwrap_err().cause(), Cause::StillReferred { .. }));
    fork.commit(|batch| (1..=2).try_for_each(|id| batch.delete(&nodes, id)))?;
    fork.commit(|batch| {
        batch.delete(&of_fork, 1)?;
        batch.delete(&own, 1)
    })?;
    fork.verify()?;
    assert_eq!((accounts.len(), payments.len(), base.len(), own.len(), nodes.len()), (3, 1, 2, 2, 0));
    Ok(())
}

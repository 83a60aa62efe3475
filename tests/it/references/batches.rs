//! What a batch may do to records that refer to others, rule by rule.

use super::{Account, Bank, Card, Note, Payment, Tested, account, bank, card};
use memdex::error::Cause;
use memdex::schema::{Check, OnDelete, OnUpdate, Reference};
use memdex::write::Outcome;
use memdex::{FieldDef, Filter, IndexDef, KeyValue, Kind, Schema, Store, field};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[test]
fn a_record_refers_to_one_that_the_commit_leaves() -> Tested {
    let Bank { store, accounts } = bank();
    let payments = store.collection::<Payment>("Payment")?;
    let refused = payments.insert(Payment { id: 1, account: 9 }).unwrap_err();
    let refusal = refused.refusal();
    assert!(
        matches!(refusal.cause(), Cause::ParentMissing { collection, key, .. } if collection == "Account" && format!("{key}") == "9")
    );
    assert_eq!(
        (refusal.cause().sqlstate(), refusal.constraint().as_deref()),
        (Some("23503"), Some("Payment_account_fkey"))
    );
    // In any order within a batch.
    store.commit(|batch| {
        batch.insert(&payments, Payment { id: 1, account: 9 })?;
        batch.insert(&accounts, account(9))
    })?;
    let refused = accounts.delete(9).unwrap_err();
    assert!(
        matches!(refused.cause(), Cause::StillReferred { collection, key, .. } if collection == "Payment" && format!("{key}") == "1")
    );
    assert_eq!(refused.refusal().constraint().as_deref(), Some("Payment_account_fkey"));
    // Restrict is judged by what the batch leaves.
    store.commit(|batch| {
        batch.delete(&accounts, 9)?;
        batch.delete(&payments, 1)
    })?;
    // Deleted and inserted again: nothing has happened.
    payments.insert(Payment { id: 1, account: 1 })?;
    store.commit(|batch| {
        batch.delete(&accounts, 1)?;
        batch.insert(&accounts, Account { balance: Some(7), ..account(1) })
    })?;
    assert_eq!((accounts.get(1).unwrap().balance, payments.len()), (Some(7), 1));
    // An update of something else is no business of the reference.
    payments.update(1, |_| ())?;
    store.verify()?;
    Ok(())
}

#[test]
fn a_cascade_happens_in_the_place_of_the_deletion() -> Tested {
    let Bank { store, accounts } = bank();
    let cards = store.collection::<Card>("Card")?;
    store.commit(|batch| (0..10).try_for_each(|id| batch.insert(&cards, card(id, id % 2 + 1))))?;
    // The account is there again, its cards are not.
    let receipt = store.commit(|batch| {
        batch.delete(&accounts, 1)?;
        batch.insert(&accounts, account(1))
    })?;
    assert_eq!((receipt.counts.deleted, receipt.counts.inserted, receipt.counts.cascaded), (1, 1, 5));
    assert_eq!((accounts.len(), cards.len()), (3, 5));
    // An operation behind it finds what it leaves.
    let mut batch = store.batch();
    batch.delete(&accounts, 2)?;
    batch.update(&cards, 1, |card| card.account = 3)?;
    let refused = batch.commit().unwrap_err();
    assert_eq!(refused.refusal().position(), Some(1));
    assert!(matches!(refused.cause(), Cause::KeyMissing));
    // One before it has saved a card.
    let mut batch = refused.into_batch();
    assert_eq!(batch.operations().len(), 2);
    batch.remove(0);
    batch.delete(&accounts, 2)?;
    assert_eq!(batch.commit()?.counts.cascaded, 4);
    assert_eq!(
        cards.find(Filter::all()).fetch()?.iter().map(|card| (card.id, card.account)).collect::<Vec<_>>(),
        [(1, 3)]
    );
    // A card of the batch itself goes too.
    let receipt = store.commit(|batch| {
        batch.insert(&cards, card(20, 3))?;
        batch.delete_where(&accounts, account::ID.eq(3))
    })?;
    assert_eq!((receipt.counts.cascaded, cards.len()), (2, 0));
    store.verify()?;
    Ok(())
}

#[test]
fn what_a_cascade_changes_is_judged_like_all_else() -> Tested {
    let Bank { store, accounts } = bank();
    let schema = Schema::new([
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("account", Kind::Int),
        FieldDef::new("place", Kind::Int),
    ]);
    let open = |name: &str, schema: Schema| {
        let reference = Reference::new("account", "Account").on_delete(OnDelete::SetNull);
        store.key_values::<()>(name, schema.with_reference(reference))
    };
    let unassigned = IndexDef::unique("place").named("one_unassigned").when(field("account").is_null());
    let seats = open("Seat", schema.clone().with_index(unassigned))?;
    let seat = |id: i64, account: i64| KeyValue::new(id, ()).with("account", account).with("place", 7);
    seats.insert(seat(1, 1))?;
    seats.insert(seat(2, 2))?;
    assert_eq!(accounts.delete(1)?.counts.cascaded, 1);
    assert!(seats.get(1).unwrap().field("account").next().is_none());
    // Both would be unassigned.
    let mut batch = store.batch();
    batch.store(&accounts, account(3))?;
    batch.delete(&accounts, 2)?;
    let refused = batch.commit().unwrap_err();
    let refusal = refused.refusal();
    assert_eq!((refusal.position(), refusal.operation(), refusal.collection()), (Some(1), "set_null", "Seat"));
    assert_eq!(refusal.constraint().as_deref(), Some("one_unassigned"));
    assert_eq!(refused.into_batch().operations().len(), 2);
    assert!(accounts.contains(2));
    // In a lenient commit, the deletion is left out.
    let mut batch = store.batch();
    batch.delete(&accounts, 2)?;
    batch.insert(&accounts, account(5))?;
    let report = batch.commit_lenient()?;
    assert_eq!((report.outcome(0), report.outcome(1)), (Some(Outcome::Refused), Some(Outcome::Created)));
    assert_eq!(report.refused[0].operation.info.operation, "delete");
    // A check of the referring record, on a field that becomes missing: unknown passes, `is_null` does not.
    let never_null = Check::new(!field("account").is_null()).named("assigned");
    let strict = open("Strict", schema.with_check(never_null))?;
    strict.insert(seat(1, 3))?;
    let refused = accounts.delete(3).unwrap_err();
    assert_eq!(
        (refused.cause().sqlstate(), refused.refusal().constraint().as_deref()),
        (Some("23514"), Some("assigned"))
    );
    store.verify()?;
    Ok(())
}

#[test]
fn set_null_and_changes_of_keys() -> Tested {
    let Bank { store, accounts } = bank();
    let (cards, notes) = (store.collection::<Card>("Card")?, store.collection::<Note>("Note")?);
    notes.insert(Note { id: 1, account: Some(1) })?;
    notes.insert(Note { id: 2, account: None })?;
    cards.insert(card(1, 2))?;
    assert_eq!(accounts.delete(1)?.counts.cascaded, 1);
    assert_eq!(notes.get(1).unwrap().account, None);
    // Cards follow, notes restrict.
    accounts.rekey(2, 20, |account| account.id = 20)?;
    assert_eq!(cards.get(1).unwrap().account, 20);
    notes.update(1, |note| note.account = Some(20))?;
    let refused = accounts.rekey(20, 2, |account| account.id = 2).unwrap_err();
    assert!(matches!(refused.cause(), Cause::StillReferred { constraint, .. } if constraint == "Note_account_fkey"));
    store.commit(|batch| {
        batch.rekey(&accounts, 20, 2, |account| account.id = 2)?;
        batch.update(&notes, 1, |note| note.account = Some(2))
    })?;
    assert_eq!(cards.get(1).unwrap().account, 2);
    store.verify()?;
    Ok(())
}

#[test]
fn references_of_several_fields_of_many_values_and_to_oneself() -> Tested {
    let store = Store::new();
    let branch = Schema::new([FieldDef::new("bank", Kind::Str).key(), FieldDef::new("no", Kind::Int).key()]);
    let branches = store.key_values::<()>("Branch", branch)?;
    let schema = Schema::new([
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("bank", Kind::Str),
        FieldDef::new("no", Kind::Int),
        FieldDef::new("boss", Kind::Int),
        FieldDef::new("friends", Kind::Int).many(),
    ])
    .with_reference(Reference::new(["bank", "no"], "Branch").on_delete(OnDelete::Cascade).on_update(OnUpdate::Cascade))
    .with_reference(Reference::new("boss", "Person").on_delete(OnDelete::Cascade).on_update(OnUpdate::Cascade))
    .with_reference(Reference::new("friends", "Person"));
    let people = store.key_values::<()>("Person", schema)?;
    branches.insert(KeyValue::new(("x", 1), ()))?;
    let person = |id: i64| KeyValue::new(id, ());
    // A reference with a missing part refers to nothing.
    people.insert(person(1).with("bank", "none").with("boss", 1))?;
    people.insert(person(2).with("bank", "x").with("no", 1).with("boss", 1))?;
    assert!(people.insert(person(3).with("bank", "x").with("no", 2)).is_err());
    // Each of many values refers.
    assert!(people.insert(person(3).with_each("friends", [1, 9])).is_err());
    people.insert(person(3).with_each("friends", [1, 2]))?;
    let refused = people.delete(2).unwrap_err();
    assert!(matches!(refused.cause(), Cause::StillReferred { constraint, .. } if constraint == "Person_friends_fkey"));
    people.delete(3)?;
    // The key moves, and with it the reference to oneself.
    people.rekey(1, 10, |person| *person = KeyValue::new(10, ()).with("boss", 1))?;
    assert_eq!(people.get(10).unwrap().field("boss").next().unwrap().as_i64(), Some(10));
    assert_eq!(people.get(2).unwrap().field("boss").next().unwrap().as_i64(), Some(10));
    branches.rekey(("x", 1), ("y", 5), |branch| *branch = KeyValue::new(("y", 5), ()))?;
    assert_eq!(people.get(2).unwrap().field("no").next().unwrap().as_i64(), Some(5));
    // A chain and a circle.
    store.commit(|batch| (11..200).try_for_each(|id| batch.insert(&people, person(id).with("boss", id - 1))))?;
    people.update(10, |person| person.set("boss", 199))?;
    assert_eq!(people.delete(100)?.counts.cascaded, 190);
    assert!(people.is_empty());
    store.verify()?;
    Ok(())
}

#[test]
fn what_rests_on_a_refused_operation_is_refused_in_the_same_pass() -> Tested {
    let store = Store::new();
    let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("above", Kind::Int)])
        .with_reference(Reference::new("above", "Node"));
    let nodes = store.key_values::<()>("Node", schema)?;
    nodes.insert(KeyValue::new(-1, ()))?;
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let mut batch = store.batch();
    batch.update(&nodes, -1, move |_| {
        counted.fetch_add(1, SeqCst);
    })?;
    batch.insert(&nodes, KeyValue::new(0, ()).with("above", 1_000_000))?;
    for id in 1..20_000_i64 {
        batch.insert(&nodes, KeyValue::new(id, ()).with("above", id - 1))?;
    }
    batch.insert(&nodes, KeyValue::new(50_000, ()).with("above", -1))?;
    let report = batch.commit_lenient()?;
    assert_eq!((report.refused.len(), report.receipt.counts.inserted, nodes.len()), (20_000, 1, 2));
    assert!(report.refused.iter().all(|of| matches!(of.refusal.cause(), Cause::ParentMissing { .. })));
    assert_eq!(runs.load(SeqCst), 2, "one pass that finds all of them, and one without them");
    Ok(())
}

#[test]
fn checks_refuse_only_what_is_false() -> Tested {
    let Bank { accounts, .. } = bank();
    accounts.insert(Account { balance: None, ..account(8) })?;
    let refused = accounts.update(1, |account| account.balance = Some(-1)).unwrap_err();
    let refusal = refused.refusal();
    assert!(matches!(refusal.cause(), Cause::CheckFailed { .. }));
    assert_eq!(
        (refusal.cause().sqlstate(), refusal.constraint().as_deref()),
        (Some("23514"), Some("Account_balance_check"))
    );
    let refused = accounts.insert(account(1)).unwrap_err();
    assert_eq!(
        (refused.cause().sqlstate(), refused.refusal().constraint().as_deref()),
        (Some("23505"), Some("Account_pkey"))
    );
    let refused = accounts.insert(Account { name: "a1".into(), ..account(5) }).unwrap_err();
    assert_eq!(refused.refusal().constraint().as_deref(), Some("Account_name_key"));
    // By the net result.
    accounts.update(1, |account| account.balance = Some(5))?;
    Ok(())
}

#[test]
fn documents_refer_too() -> Tested {
    use memdex::{Document, json};
    let Bank { store, accounts } = bank();
    let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("payer.account", Kind::Int)])
        .with_reference(Reference::new("payer.account", "Account").on_delete(OnDelete::SetNull));
    let orders = store.documents("Order", schema)?;
    assert!(orders.insert(Document::new(json!({ "id": 1, "payer": { "account": 9 } }))?).is_err());
    orders.insert(Document::new(json!({ "id": 1, "payer": { "account": 2, "name": "x" } }))?)?;
    assert_eq!(accounts.delete(2)?.counts.cascaded, 1);
    assert_eq!(orders.find(field("payer.account").is_null()).count()?, 1);
    store.verify()?;
    Ok(())
}

/// Danger: a lenient commit excludes several operations at once. Without the first of these, the last one moves the second record, so the
/// second operation must be judged again.
#[test]
fn an_operation_is_not_left_out_for_what_another_would_have_prevented() -> Tested {
    let Bank { store, .. } = bank();
    let notes = store.collection::<Note>("Note")?;
    let mut batch = store.batch();
    batch.insert(&notes, Note { id: 1, account: Some(77) })?;
    batch.insert(&notes, Note { id: 2, account: Some(77) })?;
    batch.rekey(&notes, 2, 1, |note| {
        note.id = 1;
        note.account = Some(3);
    })?;
    let report = batch.commit_lenient()?;
    assert_eq!(report.refused.iter().map(|of| of.refusal.position()).collect::<Vec<_>>(), [Some(0)]);
    assert_eq!((notes.len(), notes.get(1).unwrap().account), (1, Some(3)));
    store.verify()?;
    Ok(())
}

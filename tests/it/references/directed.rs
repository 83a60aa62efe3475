//! References and checks, rule by rule.

use memdex::clock::ManualClock;
use memdex::error::{Cause, CollectionError, ReferenceMismatch};
use memdex::hook::{CommitHook, CommitInfo, ProposedCommit};
use memdex::schema::{Check, OnDelete, OnUpdate, Reference};
use memdex::typing::{KeyBuffer, ValueRef};
use memdex::write::{Bound, DefaultLifetime, Outcome};
use memdex::{Collection, FieldDef, Filter, IndexDef, KeyValue, Kind, Record, Schema, Store, field};
use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Record)]
#[record(check(account::BALANCE.ge(0)))]
struct Account {
    #[record(key)]
    id: u32,
    #[record(unique)]
    name: String,
    #[record(field)]
    balance: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Payment {
    #[record(key)]
    id: u32,
    #[record(references = "Account")]
    account: u32,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Card {
    #[record(key)]
    id: u32,
    #[record(references = "Account", on_delete = "cascade", on_update = "cascade", constraint = "card_of")]
    account: u32,
    #[record(field)]
    uses: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Note {
    #[record(key)]
    id: u32,
    #[record(references = "Account", on_delete = "set_null")]
    account: Option<u32>,
}

struct Bank {
    store: Store,
    accounts: Collection<Account>,
}

fn bank() -> Bank {
    let store = Store::new();
    let accounts = store.collection::<Account>("Account").unwrap();
    for id in 1..=3 {
        accounts.insert(account(id)).unwrap();
    }
    Bank { store, accounts }
}

fn account(id: u32) -> Account {
    Account { id, name: format!("a{id}"), balance: Some(0) }
}

fn card(id: u32, account: u32) -> Card {
    Card { id, account, uses: 0 }
}

type Tested = Result<(), Box<dyn Error>>;

#[test]
fn a_record_refers_to_one_that_the_commit_leaves() -> Tested {
    let Bank { store, accounts } = bank();
    let payments = store.collection::<Payment>("Payment")?;
    let refused = payments.insert(Payment { id: 1, account: 9 }).unwrap_err();
    let refusal = refused.refusal();
    assert!(
        matches!(refusal.cause(), Cause::ParentMissing { collection, key, .. } if collection == "Account" && key.to_string() == "9")
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
        matches!(refused.cause(), Cause::StillReferred { collection, key, .. } if collection == "Payment" && key.to_string() == "1")
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
fn what_rests_on_a_refused_operation_is_refused_in_the_same_pass() -> Tested {
    let store = Store::new();
    let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("above", Kind::Int)])
        .with_reference(Reference::new("above", "Node"));
    let nodes = store.key_values::<()>("Node", schema)?;
    nodes.insert(KeyValue::new(-1, ()))?;
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let mut batch = store.batch();
    batch.update(&nodes, -1, move |_| drop(counted.fetch_add(1, SeqCst)))?;
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
fn background_submissions_do_not_notice_that_they_share_a_commit() -> Tested {
    let Bank { store, accounts } = bank();
    let (payments, cards) = (store.collection::<Payment>("Payment")?, store.collection::<Card>("Card")?);
    payments.insert(Payment { id: 1, account: 1 })?;
    cards.insert(card(1, 2))?;
    let background = store.background_writer().bulk_size(1_000).linger(Duration::from_millis(30)).start()?;
    let submit = |add: &dyn Fn(&mut memdex::Batch) -> Result<(), memdex::error::Refusal>| background.submit_with(add);
    let tickets = [
        // Alone, each of these is refused, and the next one would make it pass.
        submit(&|batch| batch.delete(&accounts, 1))?,
        submit(&|batch| batch.delete(&payments, 1))?,
        submit(&|batch| batch.insert(&payments, Payment { id: 2, account: 9 }))?,
        submit(&|batch| batch.insert(&accounts, account(9)))?,
        // The cascade of the first one takes away what the second one changes.
        submit(&|batch| batch.delete(&accounts, 2))?,
        submit(&|batch| batch.update(&cards, 1, |card| card.uses += 1))?,
    ];
    background.flush()?;
    let refused: Vec<bool> = tickets.into_iter().map(|mut ticket| ticket.wait().is_err()).collect();
    assert_eq!(refused, [true, false, true, false, false, true]);
    // Children of one collection share a commit.
    let before = store.newest_commit().get();
    for id in 100..200 {
        submit(&|batch| batch.insert(&payments, Payment { id, account: 3 }))?;
    }
    background.flush()?;
    assert_eq!(payments.len(), 100);
    assert!(store.newest_commit().get() - before < 50);
    store.verify()?;
    Ok(())
}

/// A record whose extractor panics on demand.
#[derive(Clone)]
struct Fragile {
    id: u32,
    account: Option<u32>,
}

static BREAKS: AtomicBool = AtomicBool::new(false);

impl Record for Fragile {
    type Key = u32;

    fn schema() -> Schema {
        Schema::new([FieldDef::of::<u32>("id").key(), FieldDef::of::<Option<u32>>("account")])
            .with_reference(Reference::new("account", "Account").on_delete(OnDelete::SetNull))
    }

    fn key(&self, key: &mut KeyBuffer) {
        key.push(self.id.into());
    }

    fn value(&self, field: usize) -> ValueRef<'_> {
        assert!(!BREAKS.load(SeqCst), "fragile");
        if field == 0 { self.id.into() } else { self.account.map_or(ValueRef::Null, ValueRef::from) }
    }

    fn set_value(&mut self, _: usize, value: ValueRef<'_>) -> Result<(), memdex::error::FieldError> {
        self.account = value.as_u64().map(|id| id as u32);
        Ok(())
    }

    fn cloner() -> Option<fn(&Self) -> Self> {
        Some(Clone::clone)
    }
}

#[test]
fn a_panic_in_a_cascade_refuses_the_commit() -> Tested {
    let Bank { store, accounts } = bank();
    let fragile = store.collection::<Fragile>("Fragile")?;
    fragile.insert(Fragile { id: 1, account: Some(1) })?;
    BREAKS.store(true, SeqCst);
    let refused = accounts.delete(1);
    let lenient = {
        let mut batch = store.batch();
        batch.delete(&accounts, 1)?;
        batch.insert(&accounts, account(8))?;
        batch.commit_lenient()?
    };
    BREAKS.store(false, SeqCst);
    assert!(matches!(refused.unwrap_err().cause(), Cause::Panicked { .. }));
    assert_eq!((lenient.outcome(0), lenient.outcome(1)), (Some(Outcome::Refused), Some(Outcome::Created)));
    assert!(accounts.contains(1) && fragile.get(1).unwrap().account == Some(1));
    assert_eq!(accounts.delete(1)?.counts.cascaded, 1);
    store.verify()?;
    Ok(())
}

/// Keeps the names of the collections of each commit, and refuses on demand.
#[derive(Default)]
struct Seen {
    commits: Mutex<Vec<Vec<(String, usize)>>>,
    refuses: AtomicBool,
}

impl CommitHook for Seen {
    fn can_refuse(&self) -> bool {
        true
    }

    fn prepare(&self, _: &ProposedCommit) -> Result<(), Box<dyn Error + Send + Sync>> {
        if self.refuses.load(SeqCst) { Err("no".into()) } else { Ok(()) }
    }

    fn committed(&self, commit: &CommitInfo) {
        let changes = commit.collections().map(|(name, changes)| (name.to_owned(), changes));
        self.commits.lock().unwrap().push(changes.collect());
    }
}

#[test]
fn hooks_see_what_references_change_and_may_refuse_it() -> Tested {
    let Bank { store, accounts } = bank();
    let cards = store.collection::<Card>("Card")?;
    cards.insert(card(1, 1))?;
    cards.insert(card(2, 1))?;
    let seen = Arc::new(Seen::default());
    store.add_hook(seen.clone())?;
    seen.refuses.store(true, SeqCst);
    let refused = accounts.delete(1).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Hook(_)));
    assert_eq!((accounts.len(), cards.len()), (3, 2));
    seen.refuses.store(false, SeqCst);
    let batch = refused.into_batch();
    assert_eq!(batch.len(), 1);
    batch.commit()?;
    assert_eq!(*seen.commits.lock().unwrap(), [[("Account".to_owned(), 1), ("Card".to_owned(), 2)]]);
    Ok(())
}

#[test]
fn readers_see_a_cascade_whole() -> Tested {
    let Bank { store, accounts } = bank();
    let cards = store.collection::<Card>("Card")?;
    accounts.delete(1)?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !done.load(SeqCst) || reads == 0 {
                let snapshot = store.snapshot();
                let has_account = snapshot.of(&accounts).get(1).is_some();
                let found = snapshot.of(&cards).find(card::ACCOUNT.eq(1)).count().unwrap();
                assert_eq!(found, if has_account { 20 } else { 0 });
                reads += 1;
            }
        });
        for _ in 0..300 {
            let fill = store.commit(|batch| {
                batch.insert(&accounts, account(1))?;
                (0..20).try_for_each(|id| batch.insert(&cards, card(id, 1)))
            });
            fill.unwrap();
            assert_eq!(accounts.delete(1).unwrap().counts.cascaded, 20);
        }
        done.store(true, SeqCst);
        reader.join().unwrap();
    });
    store.verify()?;
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

#[cfg(feature = "documents")]
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

#[test]
fn conditions_lead_through_references() -> Tested {
    use memdex::error::QueryError;
    use memdex::{GroupBy, Metric, Query};
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

//! References with background writers, user code that panics, hooks and readers.

use super::{Bank, Card, Payment, Tested, account, bank, card};
use memdex::error::Cause;
use memdex::hook::{CommitHook, CommitInfo, ProposedCommit};
use memdex::schema::{OnDelete, Reference};
use memdex::typing::{KeyBuffer, ValueRef};
use memdex::write::Outcome;
use memdex::{FieldDef, Record, Schema};
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
        drop(submit(&|batch| batch.insert(&payments, Payment { id, account: 3 }))?);
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
    let refused = refused.unwrap_err();
    assert!(matches!(refused.cause(), Cause::Panicked { what: "field extractor", .. }), "{refused}");
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

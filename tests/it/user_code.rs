//! Misbehaving user code: panics at every call of every closure, extractor, `Clone`, `Drop`, observer and `tracing`
//! subscriber; writes from inside them, which are refused and never wait; reads from inside them, which work; extractors
//! that return changing values.

mod double_drops;
mod drops;
mod every_kind;
mod fickle;
mod forks;
mod indexes;
mod inside;
mod observers;
mod panics;
mod subscribers;
mod waits;

use memdex::stats::Stats;
use memdex::typing::{KeyBuffer, ValueRef};
use memdex::{Collection, FieldDef, FieldValue, Record, Schema, Store};
use std::fmt;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// User code in a record and around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Key,
    Field,
    /// The extractor of a multi-valued field.
    Values,
    Clone,
    Drop,
    Closure,
    Invalidate,
    Committed,
}

type Act = Box<dyn FnOnce() + Send>;

/// The hooks of the records of one test: nothing, or one action at the n-th call of one kind, on any record.
#[derive(Clone, Default)]
struct Hooks(Arc<Mutex<Option<(Call, usize, Act)>>>);

impl Hooks {
    fn set(&self, call: Call, nth: usize, act: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some((call, nth, Box::new(act)));
    }

    fn panic_at(&self, call: Call, nth: usize) {
        self.set(call, nth, move || panic!("{call:?} was set to panic at call {nth}"));
    }

    /// Clears the hooks; returns whether an action was left.
    fn clear(&self) -> bool {
        self.0.lock().unwrap().take().is_some()
    }

    fn called(&self, call: Call) {
        let mut hook = self.0.lock().unwrap();
        match &mut *hook {
            Some((at, nth, _)) if *at == call => *nth -= 1,
            _ => return,
        }
        if let Some((_, _, act)) = hook.take_if(|(_, nth, _)| *nth == 0) {
            drop(hook);
            act();
        }
    }
}

/// A record with hand-written code.
struct Unruly {
    id: u32,
    team: String,
    score: i64,
    hooks: Hooks,
}

impl Record for Unruly {
    type Key = u32;

    fn schema() -> Schema {
        let team = FieldDef::of::<String>("team").index();
        Schema::new([FieldDef::of::<u32>("id").key(), team, FieldDef::of::<i64>("score")])
    }

    fn key(&self, key: &mut KeyBuffer) {
        self.hooks.called(Call::Key);
        key.push(self.id.into());
    }

    fn value(&self, field: usize) -> ValueRef<'_> {
        self.hooks.called(Call::Field);
        [self.id.value(), self.team.value(), self.score.value()][field]
    }
}

impl Clone for Unruly {
    fn clone(&self) -> Self {
        self.hooks.called(Call::Clone);
        Unruly { id: self.id, team: self.team.clone(), score: self.score, hooks: self.hooks.clone() }
    }
}

impl Drop for Unruly {
    fn drop(&mut self) {
        self.hooks.called(Call::Drop);
    }
}

impl fmt::Debug for Unruly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {:?}: {}", self.id, self.team, self.score)
    }
}

/// A store with four records, and their hooks.
struct Bed {
    store: Store,
    people: Collection<Unruly>,
    hooks: Hooks,
}

impl Bed {
    fn new() -> Self {
        let store = Store::new();
        let people = store.collection("people").unwrap();
        let bed = Bed { store, people, hooks: Hooks::default() };
        bed.store.commit(|batch| (1..=4).try_for_each(|id| batch.insert(&bed.people, bed.person(id, 0)))).unwrap();
        bed
    }

    fn person(&self, id: u32, score: i64) -> Unruly {
        Unruly { id, team: ["red", "blue"][id as usize % 2].to_owned(), score, hooks: self.hooks.clone() }
    }

    /// The newest state.
    fn state(&self) -> Vec<String> {
        let mut state: Vec<String> = self.people.iter().map(|person| format!("{person:?}")).collect();
        state.sort();
        state
    }

    fn stats(&self) -> Stats {
        self.store.stats()
    }

    /// Audits the store, and checks that it accepts writes and has reclaimed everything.
    fn is_well(&self) {
        self.store.verify().unwrap();
        self.people.store(self.person(99, 1)).unwrap();
        self.people.delete(99).unwrap();
        self.store.optimize().unwrap();
        let stats = self.stats();
        assert_eq!((&stats.poisoned, stats.oldest_pin), (&None, None));
        assert_eq!((stats.collections[0].versions_retained, stats.collections[0].marks), (0, 0));
        self.store.verify().unwrap();
    }
}

/// Runs a test on a new thread, and fails instead of waiting for ever.
pub(crate) fn watched(name: &str, test: impl FnOnce() + Send + 'static) {
    let (done, is_done) = channel();
    let thread = std::thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    match is_done.recv_timeout(Duration::from_secs(60)) {
        Err(RecvTimeoutError::Timeout) => panic!("{name}: deadlock"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            if let Err(panic) = thread.join() {
                eprintln!("{name} failed");
                std::panic::resume_unwind(panic);
            }
        }
    }
}

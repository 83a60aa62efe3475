//! User code that waits for other threads. A look-up runs it under no guard, so the other threads may read and write the very
//! record that it looks at, whoever stands in line for a lock.

use super::{Bed, Call, Hooks, watched};
use memdex::Kind;
use memdex::typing::{KeyBuffer, ValueRef};
use memdex::{Collection, FieldDef, FieldValue, Record, Schema, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

#[test]
fn get_with_may_wait_for_readers_behind_a_writer() {
    watched("get_with that waits for readers", || {
        let bed = Arc::new(Bed::new());
        let read = bed.people.get_with(1, |person| {
            let (of_writer, stop) = (bed.clone(), Arc::new(AtomicBool::new(false)));
            let stopped = stop.clone();
            let writer = thread::spawn(move || {
                while !stopped.load(SeqCst) {
                    of_writer.people.update(1, |person| person.score += 1).unwrap();
                }
            });
            for _ in 0..100 {
                let people = bed.people.clone();
                thread::spawn(move || assert_eq!(people.get(1).unwrap().id, 1)).join().unwrap();
            }
            stop.store(true, SeqCst);
            writer.join().unwrap();
            (person.id, person.score)
        });
        assert_eq!(read, Some((1, 0)), "the closure sees one state of the record");
        bed.is_well();
    });
}

#[test]
fn get_with_may_wait_for_a_writer_of_its_record() {
    watched("get_with that waits for a writer", || {
        let bed = Arc::new(Bed::new());
        let view = bed.store.snapshot().of(&bed.people);
        let deletes = |id: u32| {
            let people = bed.people.clone();
            thread::spawn(move || people.delete(id).unwrap()).join().unwrap();
            id
        };
        assert_eq!(bed.people.get_with(1, |person| deletes(person.id)), Some(1));
        assert_eq!(view.get_with(2, |person| deletes(person.id)), Some(2));
        assert_eq!((bed.people.len(), view.len()), (2, 4));
        drop(view);
        bed.is_well();
    });
}

/// Danger: a commit drops its own reference to the record while the closure looks at it, so the reader has the last one.
#[test]
fn the_last_reference_may_be_that_of_get_with() {
    watched("the last reference", || {
        let bed = Bed::new();
        let read = bed.people.get_with(1, |person| {
            thread::scope(|scope| scope.spawn(|| bed.people.delete(1).unwrap()).join().unwrap());
            bed.hooks.panic_at(Call::Drop, 1);
            person.id
        });
        assert_eq!((read, bed.stats().drop_panics), (Some(1), 1), "the panic of the `Drop` is counted, not passed on");
        bed.is_well();
    });
}

/// A key of a type whose code runs in each look-up.
struct Acting {
    id: u32,
    hooks: Hooks,
}

impl FieldValue for Acting {
    type Base = Self;
    const KIND: Kind = Kind::Int;

    fn value(&self) -> ValueRef<'_> {
        self.hooks.called(Call::Key);
        self.id.into()
    }
}

struct Item {
    id: u32,
    hooks: Hooks,
}

impl Record for Item {
    type Key = Acting;

    fn schema() -> Schema {
        Schema::new([FieldDef::of::<Acting>("id").key()])
    }

    fn key(&self, key: &mut KeyBuffer) {
        key.push(self.id.into());
    }

    fn value(&self, _: usize) -> ValueRef<'_> {
        self.id.into()
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.hooks.called(Call::Drop);
    }
}

/// Danger: a look-up compares keys by the code of a user's type. Under the guard of the shard, another thread could not change
/// the record, and the threads behind it could not read it.
#[test]
fn keys_of_a_look_up_may_wait_for_a_writer() {
    type LookUp = fn(&Collection<Item>, &Store, Acting) -> bool;
    let look_ups: [(&str, LookUp); 6] = [
        ("get", |items, _, key| items.get(key).is_some()),
        ("get_with", |items, _, key| items.get_with(key, |_| ()).is_some()),
        ("get_many", |items, _, key| items.get_many([key])[0].is_some()),
        ("contains", |items, _, key| items.contains(key)),
        ("view.get", |items, store, key| store.snapshot().of(items).get(key).is_some()),
        ("batch.get", |items, store, key| store.batch().get(items, key).unwrap().is_some()),
    ];
    for (name, look_up) in look_ups {
        let test = move || {
            let (store, hooks) = (Store::new(), Hooks::default());
            let items = store.collection::<Item>("items").unwrap();
            items.store(Item { id: 1, hooks: hooks.clone() }).unwrap();
            for nth in 1.. {
                let (others, hooks_of_new) = (items.clone(), hooks.clone());
                hooks.set(Call::Key, nth, move || {
                    let store = move || others.store(Item { id: 1, hooks: hooks_of_new }).unwrap();
                    thread::spawn(store).join().unwrap();
                });
                assert!(look_up(&items, &store, Acting { id: 1, hooks: hooks.clone() }), "{name}, call {nth}");
                if hooks.clear() {
                    assert!(nth > 1, "{name} runs the code of the key");
                    break;
                }
            }
            store.verify().unwrap();
        };
        watched(name, test);
    }
}

/// Danger: the key's code lets another thread delete the record, so the look-up drops the last reference.
#[test]
fn the_last_reference_may_be_that_of_contains() {
    let test = |nth| {
        let (store, hooks) = (Store::new(), Hooks::default());
        let items = store.collection::<Item>("items").unwrap();
        items.store(Item { id: 1, hooks: hooks.clone() }).unwrap();
        let (others, of_drop) = (items.clone(), hooks.clone());
        hooks.set(Call::Key, nth, move || {
            let key = Acting { id: 1, hooks: Hooks::default() };
            thread::spawn(move || others.delete(key).unwrap()).join().unwrap();
            of_drop.panic_at(Call::Drop, 1);
        });
        let found = items.contains(Acting { id: 1, hooks: hooks.clone() });
        assert_eq!((found, hooks.clear()), (nth > 1, nth == 1));
        assert_eq!(store.stats().drop_panics, u64::from(found), "the panic of the `Drop` is counted, not passed on");
        store.verify().unwrap();
    };
    (1..=2).for_each(|nth| watched("contains", move || test(nth)));
}

/// A commit drops what it displaces and what it has computed in between, each after it has released its locks.
#[test]
fn a_drop_may_wait_for_a_commit_of_another_thread() {
    for nth in 1..=2 {
        watched("a drop that waits for a commit", move || {
            let bed = Arc::new(Bed::new());
            let other = bed.clone();
            bed.hooks.set(Call::Drop, nth, move || {
                thread::spawn(move || other.people.insert(other.person(50, 1)).unwrap()).join().unwrap();
            });
            let twice = bed.store.commit(|batch| {
                batch.update(&bed.people, 1, |person| person.score += 1)?;
                batch.update(&bed.people, 1, |person| person.score += 1)
            });
            assert_eq!(twice.unwrap().counts.updated, 2);
            assert!(!bed.hooks.clear() && bed.people.contains(50), "drop {nth}");
            bed.is_well();
        });
    }
}

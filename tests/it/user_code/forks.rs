//! Extractors that panic or open collections while a fork copies records, and weights that open collections.

use super::{Bed, Call, Unruly, watched};
use memdex::error::CollectionError;
use memdex::write::{Bound, DefaultLifetime};
use memdex::{Record, Store};
use std::sync::mpsc::channel;
use std::time::Duration;

fn refused(fork: &Store) -> String {
    match fork.collection::<Unruly>("people") {
        Err(CollectionError::Panicked { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

/// A fork copies a collection with a bound when it opens it.
#[test]
fn a_copy_is_complete_or_refused() {
    let bed = Bed::new();
    bed.people.set_bound(Bound::records(10)).unwrap();
    let fork = bed.store.fork();
    for nth in 1..=4 {
        bed.hooks.panic_at(Call::Field, nth);
        assert!(refused(&fork).contains("set to panic"));
    }
    let people = fork.collection::<Unruly>("people").unwrap();
    assert_eq!(people.len(), 4);
    fork.verify().unwrap();
    drop((people, fork));
    bed.is_well();
}

/// Reads of the base extend lifetimes, so a later copy would not be the state at the fork.
#[test]
fn a_collection_whose_reads_extend_lifetimes_is_copied_at_once_or_never() {
    let bed = Bed::new();
    bed.people.set_default_lifetime(DefaultLifetime::Sliding(Duration::from_secs(3_600))).unwrap();
    bed.people.store(bed.person(1, 5)).unwrap();
    bed.hooks.panic_at(Call::Field, 2);
    let fork = bed.store.fork();
    assert!(!bed.hooks.clear(), "the extractor ran");
    for _ in 0..2 {
        assert!(refused(&fork).contains("set to panic"));
    }
    assert_eq!(bed.store.fork().collection::<Unruly>("people").unwrap().len(), 4);
    drop(fork);
    bed.is_well();
}

#[test]
fn a_collection_that_is_opened_during_its_copy_counts_once() {
    watched("a collection that is opened during its copy", || {
        let bed = Bed::new();
        bed.people.set_bound(Bound::records(10)).unwrap();
        let [fork, plain] = [bed.store.fork(), bed.store.fork()];
        let expected = plain.collection::<Unruly>("people").unwrap();
        let (sender, receiver) = channel();
        let opened = fork.clone();
        bed.hooks.set(Call::Field, 3, move || sender.send(opened.collection::<Unruly>("people").unwrap()).unwrap());
        let outer = fork.collection::<Unruly>("people").unwrap();
        let inner = receiver.recv().unwrap();
        inner.delete(1).unwrap();
        expected.delete(1).unwrap();
        assert_eq!((outer.len(), expected.len()), (3, 3));
        assert_eq!(fork.stats().memory.now, plain.stats().memory.now);
        fork.verify().unwrap();
    });
}

/// A fork copies `people` to check the references to them.
#[derive(Clone, Record)]
struct Badge {
    #[record(key)]
    id: u32,
    #[record(index, references = "people", on_delete = "cascade")]
    owner: u32,
}

#[derive(Clone, Record)]
struct Other {
    #[record(key)]
    id: u32,
}

/// A bed whose people are copied by each fork that opens them.
fn mortal() -> Bed {
    let bed = Bed::new();
    bed.people.with_lifetime(Duration::from_secs(3_600)).store(bed.person(5, 0)).unwrap();
    bed
}

#[test]
fn extractors_open_new_collections_while_a_fork_copies_those_of_references() {
    watched("a collection that is opened while references are checked", || {
        let bed = mortal();
        // The first collection with references to them.
        let fork = bed.store.fork();
        let opened = fork.clone();
        bed.hooks.set(Call::Field, 2, move || assert!(opened.collection::<Other>("new").unwrap().is_empty()));
        let badges = fork.collection::<Badge>("badges").unwrap();
        assert!(!bed.hooks.clear(), "the extractor ran");
        badges.insert(Badge { id: 1, owner: 2 }).unwrap();
        assert!(badges.insert(Badge { id: 2, owner: 9 }).is_err());
        assert_eq!(fork.collections().len(), 3);
        fork.verify().unwrap();
    });
}

#[test]
fn weights_open_new_collections() {
    watched("a collection that is opened by a weight", || {
        let bed = Bed::new();
        let store = bed.store.clone();
        let weight = move |_: &Unruly| store.collection::<Other>("new").unwrap().len() as u64 + 1;
        bed.people.set_bound(Bound::weight(4).weigh(weight)).unwrap();
        assert_eq!((bed.people.len(), bed.store.collections().len()), (4, 2));
        // The bound holds the store.
        bed.people.remove_bound().unwrap();
        // A reference that a weight has added refuses the bound.
        let bed = Bed::new();
        let store = bed.store.clone();
        let weight = move |_: &Unruly| store.collection::<Badge>("badges").unwrap().len() as u64 + 1;
        let refused = bed.people.set_bound(Bound::weight(4).weigh(weight)).unwrap_err();
        assert!(matches!(refused.cause(), memdex::error::Cause::IsReferredTo { .. }), "{refused}");
        bed.people.store(bed.person(9, 0)).unwrap();
        assert_eq!(bed.people.len(), 5);
    });
}

//! User code that runs for subscriptions: extractors, `Drop`s, wakers and observers.

use super::{item, items};
use memdex::error::Cause;
use memdex::hook::{FeedEvent, Subscription};
use memdex::typing::{KeyBuffer, ValueRef};
use memdex::{Collection, FieldDef, Record, Schema, Store, field};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

/// What goes wrong in a record.
#[derive(Default)]
struct Faults {
    field_panics: AtomicBool,
    drop_panics: AtomicBool,
    heap_panics: AtomicBool,
    drops: AtomicU32,
}

struct Touchy {
    id: u32,
    score: i64,
    faults: Arc<Faults>,
}

impl Record for Touchy {
    type Key = u32;

    fn schema() -> Schema {
        Schema::new([FieldDef::of::<u32>("id").key(), FieldDef::of::<i64>("score")])
    }

    fn key(&self, key: &mut KeyBuffer) {
        key.push(self.id.into());
    }

    fn value(&self, field: usize) -> ValueRef<'_> {
        assert!(field == 0 || !self.faults.field_panics.load(SeqCst), "the extractor");
        [ValueRef::from(self.id), ValueRef::from(self.score)][field]
    }

    fn heap_size(&self) -> usize {
        assert!(!self.faults.heap_panics.load(SeqCst), "the heap size");
        0
    }
}

impl Drop for Touchy {
    fn drop(&mut self) {
        self.faults.drops.fetch_add(1, SeqCst);
        assert!(!self.faults.drop_panics.load(SeqCst), "the drop");
    }
}

fn bed() -> (Store, Collection<Touchy>, Arc<Faults>) {
    let store = Store::new();
    let touchy = store.collection("touchy").unwrap();
    (store, touchy, Arc::default())
}

fn numbers(subscription: &mut Subscription) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(FeedEvent::Commit(commit)) = subscription.try_next() {
        numbers.push(commit.number().get());
    }
    numbers
}

#[test]
fn a_change_on_which_a_filter_panics_is_passed_on() {
    let (store, touchy, faults) = bed();
    let subscribe = |filter: memdex::Filter<Touchy>| store.subscribe().matching(&touchy, filter).start().unwrap().1;
    let mut by_value = subscribe(field("score").eq(7).into());
    let mut by_range = subscribe(field("score").between(5, 9).into());
    let mut not_filed = subscribe((!field("score").eq(1)).into());
    let mut by_key = subscribe(field("id").eq(100).into());
    let put = |id, score| touchy.store(Touchy { id, score, faults: faults.clone() }).map(|_| ()).unwrap();
    put(1, 1);
    put(2, 7);
    faults.field_panics.store(true, SeqCst);
    put(3, 1);
    faults.field_panics.store(false, SeqCst);
    put(4, 1);
    assert_eq!(numbers(&mut by_value), [2, 3]);
    assert_eq!(numbers(&mut by_range), [2, 3]);
    assert_eq!(numbers(&mut not_filed), [2, 3]);
    assert_eq!(numbers(&mut by_key), [0; 0], "its own condition does not panic");
    assert_eq!(store.stats().hook_panics, 4, "one at the extraction, one of each condition");
    store.verify().unwrap();
}

#[test]
fn a_heap_size_that_panics_counts_as_nothing() {
    let (store, touchy, faults) = bed();
    let (_, mut subscription) = store.subscribe().start().unwrap();
    let observed = faults.clone();
    store.add_hook(Arc::new(Panicking(observed))).unwrap();
    touchy.store(Touchy { id: 1, score: 1, faults: faults.clone() }).unwrap();
    faults.heap_panics.store(false, SeqCst);
    assert!(store.stats().subscriptions[0].queued_bytes > 0);
    assert_eq!(numbers(&mut subscription), [1]);
}

/// Makes `heap_size` panic between the staging and the delivery.
struct Panicking(Arc<Faults>);

impl memdex::hook::CommitHook for Panicking {
    fn prepare(&self, _: &memdex::hook::ProposedCommit) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.heap_panics.store(true, SeqCst);
        Ok(())
    }
}

/// The queue has the last references to the records: each is dropped by itself, and their panics are counted.
#[test]
fn records_that_a_queue_lets_go_of_are_dropped_one_by_one() {
    let (store, touchy, faults) = bed();
    let (snapshot, subscription) = store.subscribe().start().unwrap();
    drop(snapshot);
    store
        .commit(|batch| (0..3).try_for_each(|id| batch.store(&touchy, Touchy { id, score: 0, faults: faults.clone() })))
        .unwrap();
    (0..3).try_for_each(|id| touchy.delete(id).map(|_| ())).unwrap();
    assert_eq!(faults.drops.load(SeqCst), 0, "the queue holds them");
    faults.drop_panics.store(true, SeqCst);
    drop(subscription);
    faults.drop_panics.store(false, SeqCst);
    assert_eq!((faults.drops.load(SeqCst), store.stats().drop_panics), (3, 3));
    store.verify().unwrap();
}

#[test]
fn an_extractor_may_read_the_store_and_not_write_it() {
    #[derive(Clone)]
    struct Reads(u32, Arc<Mutex<Option<Store>>>, Arc<Mutex<Vec<bool>>>);

    impl Record for Reads {
        type Key = u32;

        fn schema() -> Schema {
            Schema::new([FieldDef::of::<u32>("id").key(), FieldDef::of::<u32>("twice")])
        }

        fn key(&self, key: &mut KeyBuffer) {
            key.push(self.0.into());
        }

        fn value(&self, field: usize) -> ValueRef<'_> {
            if let (1, Some(store)) = (field, &*self.1.lock().unwrap()) {
                let reads = store.collection::<super::Item>("items").unwrap();
                let refused = reads.store(item(1, 1)).unwrap_err();
                let is_refused = matches!(refused.cause(), Cause::InsideUserCode);
                let subscribed = store.subscribe().start().unwrap_err();
                let both = is_refused && matches!(subscribed.cause(), Cause::InsideUserCode);
                self.2.lock().unwrap().push(both && store.snapshot().commit() > memdex::Commit::ZERO);
            }
            ValueRef::from(self.0)
        }
    }

    let (store, _items) = items();
    let reads = store.collection::<Reads>("reads").unwrap();
    let (_, mut subscription) = store.subscribe().matching(&reads, field("twice").eq(3)).start().unwrap();
    let (access, seen) = (Arc::new(Mutex::new(Some(store.clone()))), Arc::new(Mutex::new(Vec::new())));
    reads.store(Reads(3, access.clone(), seen.clone())).unwrap();
    *access.lock().unwrap() = None;
    assert_eq!(numbers(&mut subscription), [1]);
    let seen = seen.lock().unwrap();
    assert!(!seen.is_empty() && seen.iter().all(|well| *well));
}

/// Inside an observer nobody else delivers: a wait would last for ever.
#[test]
fn a_reader_inside_an_observer_does_not_wait() {
    crate::user_code::watched("reader in an observer", || {
        let (store, items) = items();
        let (_, subscription) = store.subscribe().start().unwrap();
        let subscription = Mutex::new(subscription);
        let (tell, told) = channel();
        store
            .observe(move |_| {
                let mut subscription = subscription.lock().unwrap();
                tell.send((subscription.next().is_some(), subscription.next().is_some())).unwrap();
            })
            .unwrap();
        items.store(item(1, 1)).unwrap();
        assert_eq!(told.recv().unwrap(), (true, false), "subscriptions come before observers");
    });
}

#[test]
fn a_waker_that_panics_or_writes_does_no_harm() {
    struct Hostile(Collection<super::Item>, Mutex<Option<bool>>);

    impl Wake for Hostile {
        fn wake(self: Arc<Self>) {
            let refused = self.0.store(item(9, 9)).unwrap_err();
            *self.1.lock().unwrap() = Some(matches!(refused.cause(), Cause::InsideUserCode));
            panic!("the waker");
        }
    }

    let (store, items) = items();
    let (_, mut subscription) = store.subscribe().start().unwrap();
    let hostile = Arc::new(Hostile(items.clone(), Mutex::default()));
    let waker = Waker::from(hostile.clone());
    assert!(subscription.poll_next(&mut Context::from_waker(&waker)).is_pending());
    items.store(item(1, 1)).unwrap();
    assert_eq!(*hostile.1.lock().unwrap(), Some(true));
    assert_eq!(numbers(&mut subscription), [1]);
    store.verify().unwrap();
}

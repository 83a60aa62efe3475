//! A collection whose state at every commit is recorded, for comparison with snapshots.

use memdex::hook::{CommitHook, CommitInfo, RecordChange};
use memdex::{Collection, Key, Record, Store};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub(super) type State<R> = BTreeMap<Key, R>;

struct Truth<R>(Mutex<Vec<State<R>>>);

const NAME: &str = "observed";

impl<R: Record + Clone + PartialEq + std::fmt::Debug> CommitHook for Truth<R> {
    fn invalidate(&self, commit: &CommitInfo) {
        let mut states = self.0.lock().unwrap();
        let mut state = states.last().unwrap().clone();
        for RecordChange { before, after, .. } in commit.changes::<R>(NAME) {
            before.iter().for_each(|record| assert_eq!(state.remove(record.key()).as_ref(), Some(&**record)));
            state.extend(after.iter().map(|record| (record.key().clone(), R::clone(record))));
        }
        states.push(state);
    }
}

pub(super) struct Observed<R: Record> {
    pub(super) store: Store,
    pub(super) records: Collection<R>,
    truth: Arc<Truth<R>>,
}

impl<R: Record> Clone for Observed<R> {
    fn clone(&self) -> Self {
        Observed { store: self.store.clone(), records: self.records.clone(), truth: self.truth.clone() }
    }
}

impl<R: Record + Clone + PartialEq + std::fmt::Debug> Observed<R> {
    pub(super) fn new(records: Vec<R>) -> Self {
        let store = Store::new();
        let collection = store.collection(NAME).unwrap();
        let truth = Arc::new(Truth(Mutex::new(vec![State::new()])));
        store.add_hook(truth.clone()).unwrap();
        let observed = Observed { store, records: collection, truth };
        observed.put(records);
        observed
    }

    pub(super) fn put(&self, records: Vec<R>) {
        self.store
            .commit(|batch| records.into_iter().try_for_each(|record| batch.store(&self.records, record)))
            .unwrap();
    }

    /// The state at a commit.
    pub(super) fn state(&self, commit: memdex::Commit) -> State<R> {
        self.truth.0.lock().unwrap()[commit.get() as usize].clone()
    }
}

//! Snapshot plus feed rebuilds an identical store, whatever happens: random commits over several collections, refusals, moved keys, dropped
//! and reopened collections, gaps, and readers that lag behind.

use super::{Item, item};
use memdex::clock::ManualClock;
use memdex::hook::ChangeKind;
use memdex::hook::{FeedEvent, Missed, Subscription};
use memdex::{Collection, Commit, Filter, Snapshot, Store, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const NAMES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Operation {
    Store { collection: usize, id: u32, group: u8 },
    Insert { collection: usize, id: u32 },
    Delete { collection: usize, id: u32 },
    Rekey { collection: usize, from: u32, to: u32 },
    UpdateWhere { collection: usize, group: u8 },
}

#[derive(Clone, Debug)]
enum Step {
    Commit {
        operations: Vec<Operation>,
        lenient: bool,
    },
    DropCollection(usize),
    Clear(usize),
    Tick(i64),
    /// Each follower reads so many events.
    Read(usize),
    Hold,
    Release,
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let (collection, id, group) = (|| 0..NAMES.len(), || 0..8_u32, || 0..3_u8);
    prop_oneof![
        4 => (collection(), id(), group()).prop_map(|(collection, id, group)| Operation::Store { collection, id, group }),
        1 => (collection(), id()).prop_map(|(collection, id)| Operation::Insert { collection, id }),
        2 => (collection(), id()).prop_map(|(collection, id)| Operation::Delete { collection, id }),
        1 => (collection(), id(), id()).prop_map(|(collection, from, to)| Operation::Rekey { collection, from, to }),
        1 => (collection(), group()).prop_map(|(collection, group)| Operation::UpdateWhere { collection, group }),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (prop::collection::vec(any_operation(), 1..5), any::<bool>())
            .prop_map(|(operations, lenient)| Step::Commit { operations, lenient }),
        1 => (0..NAMES.len()).prop_map(Step::DropCollection),
        1 => (0..NAMES.len()).prop_map(Step::Clear),
        1 => (-5..10_i64).prop_map(Step::Tick),
        4 => (0..6_usize).prop_map(Step::Read),
        1 => Just(Step::Hold),
        1 => Just(Step::Release),
    ]
}

type State = BTreeMap<(String, u32), Item>;

/// The records of the given collections, if they exist, that the filter selects.
fn state(store: &Store, snapshot: &Snapshot, names: &[&str], filter: &Filter<Item>) -> State {
    let mut state = State::new();
    for info in store.collections().iter().filter(|info| names.contains(&&*info.name)) {
        let collection: Collection<Item> = store.collection(&info.name).unwrap();
        for found in snapshot.of(&collection).find(filter).fetch().unwrap() {
            state.insert((info.name.clone(), found.id), Item::clone(&found));
        }
    }
    state
}

/// Rebuilds what it follows from its events.
struct Follower {
    subscription: Subscription,
    names: Vec<&'static str>,
    /// The collection that the filter follows, and not another one of its name.
    filtered: Option<Collection<Item>>,
    filter: Filter<Item>,
    state: State,
    at: Commit,
    time: Timestamp,
}

impl Follower {
    fn new(store: &Store, names: &[&'static str], operations: usize) -> Self {
        let builder = store.subscribe().max_operations(operations).progress_every(3);
        let builder = names.iter().filter(|_| names.len() < NAMES.len()).fold(builder, |of, name| of.collection(name));
        let (snapshot, subscription) = builder.start().unwrap();
        let filter = Filter::all();
        let state = state(store, &snapshot, names, &filter);
        let (at, time) = (snapshot.commit(), snapshot.time());
        Follower { subscription, names: names.to_vec(), filtered: None, filter, state, at, time }
    }

    /// Of collection `a`, as it is now.
    fn filtered(store: &Store, filter: Filter<Item>, operations: usize) -> Self {
        let collection = store.collection::<Item>("a").unwrap();
        let builder = store.subscribe().matching(&collection, &filter).max_operations(operations).progress_every(3);
        let (snapshot, subscription) = builder.start().unwrap();
        let state = state(store, &snapshot, &["a"], &filter);
        let (at, time) = (snapshot.commit(), snapshot.time());
        Follower { subscription, names: vec!["a"], filtered: Some(collection), filter, state, at, time }
    }

    fn read(&mut self, store: &Store, most: usize) {
        for _ in 0..most {
            let Some(event) = self.subscription.try_next() else { return };
            match event {
                FeedEvent::Commit(commit) => {
                    assert!(commit.number() > self.at && commit.at() >= self.time);
                    (self.at, self.time) = (commit.number(), commit.at());
                    for name in NAMES {
                        for change in commit.changes::<Item>(name) {
                            self.apply(name, change);
                        }
                    }
                }
                FeedEvent::Dropped { collection, after, .. } => {
                    assert!(after >= self.at);
                    self.state.retain(|(of, _), _| *of != collection);
                }
                FeedEvent::Missed(Missed { from, snapshot, .. }) => {
                    assert!(from > self.at && from <= snapshot.commit().next());
                    self.state = match &self.filtered {
                        Some(collection) if collection.is_dropped() => State::new(),
                        _ => state(store, &snapshot, &self.names, &self.filter),
                    };
                    (self.at, self.time) = (snapshot.commit(), snapshot.time());
                }
                FeedEvent::Progress(commit) => {
                    assert!(commit > self.at);
                    self.at = commit;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn apply(&mut self, name: &str, change: &memdex::hook::RecordChange<Item>) {
        use memdex::query::Matches;
        let selects = |item: &Item| self.filter.matches(item).unwrap();
        let key = (name.to_owned(), change.key.to().unwrap());
        let expected = match (&change.before, &change.after) {
            (None, Some(_)) => ChangeKind::Inserted,
            (Some(_), Some(_)) => ChangeKind::Updated,
            (Some(_), None) => ChangeKind::Deleted,
            (None, None) => panic!("{change:?}"),
        };
        assert_eq!(change.kind(), expected);
        let before = change.before.as_deref().filter(|item| selects(item)).cloned();
        assert_eq!(self.state.remove(&key), before, "each change begins where the last one has ended");
        self.state.extend(change.after.as_deref().filter(|item| selects(item)).cloned().map(|item| (key, item)));
    }
}

fn commit(store: &Store, operations: &[Operation], lenient: bool, stamp: &mut u32) {
    let mut batch = store.batch();
    let of = |collection: usize| store.collection::<Item>(NAMES[collection]).unwrap();
    for operation in operations {
        *stamp += 1;
        let text = stamp.to_string();
        match *operation {
            Operation::Store { collection, id, group } => {
                batch.store(&of(collection), Item { text, ..item(id, group) }).unwrap();
            }
            Operation::Insert { collection, id } => batch.insert(&of(collection), item(id, 0)).unwrap(),
            Operation::Delete { collection, id } => batch.delete(&of(collection), id).unwrap(),
            Operation::Rekey { collection, from, to } => {
                batch.rekey(&of(collection), from, to, move |item| item.id = to).unwrap();
            }
            Operation::UpdateWhere { collection, group } => {
                let next = move |item: &mut Item| item.group = (item.group + 1) % 3;
                batch.update_where(&of(collection), super::item::GROUP.eq(group), next).unwrap();
            }
        }
    }
    if lenient {
        let _ = batch.commit_lenient().unwrap();
    } else {
        let _ = batch.commit();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    #[test]
    fn snapshot_and_feed_rebuild_the_store(
        before in prop::collection::vec(any_step(), 0..10),
        after in prop::collection::vec(any_step(), 1..60),
        operations in prop_oneof![Just(1_usize), 2..8_usize, Just(usize::MAX)],
    ) {
        let clock = ManualClock::starting_at(Timestamp::from_micros(1_000_000));
        let store = Store::builder().clock(clock.clone()).build();
        store.collection::<Item>("a").unwrap();
        let (mut stamp, mut held, mut followers) = (0, Vec::new(), Vec::new());
        let subscribed_at = before.len();
        for (at, step) in before.into_iter().chain(after).enumerate() {
            if at == subscribed_at {
                followers.push(Follower::new(&store, &NAMES, operations));
                followers.push(Follower::new(&store, &["a", "c"], operations));
                followers.push(Follower::filtered(&store, super::item::GROUP.eq(1), operations));
                followers.push(Follower::filtered(&store, super::item::SCORE.between(2, 5), operations));
            }
            match step {
                Step::Commit { operations, lenient } => commit(&store, &operations, lenient, &mut stamp),
                Step::DropCollection(collection) => {
                    store.drop_collection(NAMES[collection]).unwrap();
                }
                Step::Clear(collection) => {
                    store.collection::<Item>(NAMES[collection]).unwrap().clear().unwrap();
                }
                Step::Tick(micros) if micros < 0 => clock.set(Timestamp::from_micros(1_000_000 + micros)),
                Step::Tick(micros) => clock.advance(Duration::from_micros(micros.unsigned_abs())),
                Step::Read(most) => followers.iter_mut().for_each(|follower| follower.read(&store, most)),
                Step::Hold => held.push(store.snapshot()),
                Step::Release => held.clear(),
            }
        }
        let newest = store.snapshot();
        for mut follower in followers {
            follower.read(&store, usize::MAX);
            let expected = match &follower.filtered {
                Some(collection) if collection.is_dropped() => State::new(),
                _ => state(&store, &newest, &follower.names, &follower.filter),
            };
            prop_assert_eq!(&follower.state, &expected, "{:?} {:?}", follower.names, follower.filter);
        }
        store.verify().unwrap();
    }
}

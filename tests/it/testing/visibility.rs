//! Readers that see commits late, against a naive model that keeps all old states.

use super::{Payment, cents, payment, reference};
use crate::cases::default_cases;
use memdex::clock::ManualClock;
use memdex::hook::FeedEvent;
use memdex::hook::testing::Visibility;
use memdex::schema::AggregateDef;
use memdex::{Collection, Filter, GroupBy, IndexDef, Metric, Record, Snapshot, Store, Timestamp, field};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

type State = BTreeMap<u32, Payment>;

#[derive(Clone, Debug)]
enum Step {
    Store(u32, i64),
    Delete(u32),
    Raise(i64),
    Rename(u32, u32),
    Refresh,
    Set(Visibility),
    Advance(u64),
    Hold,
    Release,
    Index,
    Aggregate,
    Optimize,
}

fn visibility() -> impl Strategy<Value = Visibility> {
    let kinds = prop_oneof![
        Just(Visibility::immediate()),
        Just(Visibility::on_refresh()),
        (0..6_u64).prop_map(Visibility::lag),
        Just(Visibility::on_refresh().every(Duration::from_secs(3))),
        (1..9_u64).prop_map(|lag| Visibility::lag(lag).every(Duration::from_secs(2))),
    ];
    (kinds, any::<bool>()).prop_map(|(of, real_time)| if real_time { of.real_time_keys() } else { of })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..6_u32, 0..50_i64).prop_map(|(key, cents)| Step::Store(key, cents)),
        4 => (0..6_u32).prop_map(Step::Delete),
        1 => (0..50_i64).prop_map(Step::Raise),
        1 => (0..6_u32, 0..6_u32).prop_map(|(a, b)| Step::Rename(a, b)),
        3 => Just(Step::Refresh),
        2 => visibility().prop_map(Step::Set),
        2 => (0..3_u64).prop_map(Step::Advance),
        1 => Just(Step::Hold),
        1 => Just(Step::Release),
        1 => Just(Step::Index),
        1 => Just(Step::Aggregate),
        1 => Just(Step::Optimize),
    ]
}

/// The naive model: every state there was, by commit, and the one that is shown.
struct Model {
    states: Vec<State>,
    shown: usize,
    /// The commits that can still be shown.
    showable: BTreeSet<usize>,
    visibility: Visibility,
    now: u64,
    refresh_at: u64,
}

impl Model {
    fn newest(&self) -> &State {
        self.states.last().unwrap()
    }

    fn refresh(&mut self) {
        self.shown = self.states.len() - 1;
        self.showable = BTreeSet::from([self.shown]);
        self.refresh_at = self.now + self.visibility.every.map_or(0, |every| every.as_secs());
    }

    fn commit(&mut self, change: impl FnOnce(&mut State)) {
        let mut state = self.newest().clone();
        change(&mut state);
        self.states.push(state);
        if self.visibility.lag.is_some() {
            self.showable.insert(self.states.len() - 1);
            self.advance();
        }
    }

    /// Shows the newest commit that is far enough behind.
    fn advance(&mut self) {
        let Some(lag) = self.visibility.lag else { return };
        let most = (self.states.len() - 1).saturating_sub(lag as usize);
        self.shown = self.shown.max(self.showable.range(..=most).next_back().copied().unwrap_or(0));
    }

    fn set(&mut self, visibility: Visibility) {
        self.visibility = visibility;
        self.showable.insert(self.states.len() - 1);
        self.advance();
        self.refresh_at = self.now + visibility.every.map_or(0, |every| every.as_secs());
    }

    /// Before a read.
    fn tick(&mut self) {
        if self.visibility.every.is_some() && self.now >= self.refresh_at {
            self.refresh();
        }
    }
}

fn run(steps: &[Step]) {
    let clock = ManualClock::starting_at(Timestamp::from_micros(0));
    let store = Store::builder().clock(clock.clone()).build();
    let payments = store.collection::<Payment>("Payment").unwrap();
    let (_, mut subscription) = store.subscribe().start().unwrap();
    let mut model = Model {
        states: vec![State::new()],
        shown: 0,
        showable: BTreeSet::new(),
        visibility: Visibility::immediate(),
        now: 0,
        refresh_at: 0,
    };
    let mut held: Vec<(Snapshot, State)> = Vec::new();
    let mut has_index = false;
    let mut has_aggregate = false;
    let by_status = || GroupBy::values("status").metrics([Metric::count(), cents().sum()]);
    for step in steps {
        let before = model.states.len();
        match step {
            Step::Store(key, cents) => {
                let new = payment(*key, if cents % 2 == 0 { "open" } else { "paid" }, *cents);
                payments.store(new.clone()).unwrap();
                model.commit(|state| drop(state.insert(*key, new)));
            }
            Step::Delete(key) => {
                payments.delete(*key).unwrap();
                if model.newest().contains_key(key) {
                    model.commit(|state| drop(state.remove(key)));
                } else {
                    // A commit that changes nothing is one too.
                    model.commit(|_| ());
                }
            }
            Step::Raise(from) => {
                let from = *from;
                // By filter: it selects by the newest state.
                let receipt = payments.update_where(cents().ge(from), |payment| payment.cents += 1).unwrap();
                let selected = model.newest().values().filter(|of| of.cents >= from).count();
                assert_eq!(receipt.counts.updated, selected);
                model.commit(|state| state.values_mut().filter(|of| of.cents >= from).for_each(|of| of.cents += 1));
            }
            Step::Rename(a, b) => {
                let moves = model.newest().contains_key(a) && !model.newest().contains_key(b);
                let mut batch = store.batch();
                let to = *b;
                batch
                    .rekey(&payments, *a, to, move |payment| {
                        payment.id = to;
                        payment.reference = format!("r-{to}");
                    })
                    .unwrap();
                if a != b {
                    let preview = batch.get(&payments, to).is_ok_and(|found| found.is_some());
                    assert_eq!(preview, moves, "a preview sees the newest state");
                    assert_eq!(batch.commit().is_ok(), moves);
                }
                if moves && a != b {
                    model.commit(|state| {
                        let moved = state.remove(a).unwrap();
                        state.insert(to, Payment { id: to, reference: format!("r-{to}"), ..moved });
                    });
                }
            }
            Step::Refresh => {
                store.refresh();
                if !model.visibility.is_immediate() {
                    model.refresh();
                }
            }
            Step::Set(visibility) => {
                store.set_visibility(*visibility).unwrap();
                model.set(*visibility);
            }
            Step::Advance(seconds) => {
                clock.advance(Duration::from_secs(*seconds));
                model.now += seconds;
            }
            Step::Hold => {
                model.tick();
                held.push((store.snapshot(), model.states[model.shown].clone()));
            }
            Step::Release => drop(held.pop()),
            Step::Index => {
                if has_index {
                    payments.drop_index("notes").unwrap();
                } else {
                    payments.add_index(IndexDef::equality("note").named("notes")).unwrap();
                }
                has_index = !has_index;
            }
            Step::Aggregate => {
                if has_aggregate {
                    payments.drop_aggregate("by_status").unwrap();
                } else {
                    payments.add_aggregate(AggregateDef::new("by_status", by_status())).unwrap();
                }
                has_aggregate = !has_aggregate;
            }
            Step::Optimize => store.optimize().unwrap(),
        }
        // Subscriptions get each commit as it happens.
        for number in before..model.states.len() {
            let Some(FeedEvent::Commit(info)) = subscription.try_next() else { panic!("{step:?}") };
            assert_eq!(info.number().get() as usize, number);
        }
        model.tick();
        check(&store, &payments, &model, has_aggregate);
        held.iter().for_each(|(snapshot, state)| check_snapshot(snapshot, &payments, state));
        store.verify().unwrap();
    }
    drop(held);
    store.set_visibility(Visibility::immediate()).unwrap();
    model.shown = model.states.len() - 1;
    model.visibility = Visibility::immediate();
    check(&store, &payments, &model, has_aggregate);
    store.optimize().unwrap();
    let stats = store.stats();
    let retained = &stats.collections[0];
    assert_eq!(
        (stats.pinned_commits, retained.versions_retained, retained.marks),
        (0, 0, 0),
        "nothing is held for late readers"
    );
    assert_eq!((retained.lengths_retained, retained.results_retained), (0, 0));
}

/// Every kind of read, by the shown state.
fn check(store: &Store, payments: &Collection<Payment>, model: &Model, has_aggregate: bool) {
    let (shown, newest) = (&model.states[model.shown], model.newest());
    assert_eq!(store.newest_commit().get() as usize, model.shown);
    assert_eq!((payments.len(), payments.is_empty()), (shown.len(), shown.is_empty()));
    let by_key = if model.visibility.real_time_keys && !model.visibility.is_immediate() { newest } else { shown };
    for key in 0..6_u32 {
        let of = |found: Option<memdex::Handle<Payment>>| found.map(|found| (*found).clone());
        assert_eq!(of(payments.get(key)), by_key.get(&key).cloned());
        assert_eq!(of(payments.peek(key)), by_key.get(&key).cloned());
        assert_eq!(payments.contains(key), by_key.contains_key(&key));
        assert_eq!(of(payments.get_many([key]).pop().unwrap()), shown.get(&key).cloned());
        assert_eq!(of(payments.get_by(reference(), &*format!("r-{key}")).unwrap()), shown.get(&key).cloned());
    }
    for status in ["open", "paid"] {
        let expected: Vec<Payment> = shown.values().filter(|of| of.status == status).cloned().collect();
        let find = payments.find(field("status").eq(status)).order_by(field("id").asc());
        let found: Vec<Payment> = find.fetch().unwrap().iter().map(|of| (**of).clone()).collect();
        assert_eq!(found, expected);
        assert_eq!(find.count().unwrap(), expected.len());
        assert_eq!(*payments.cached().find(field("status").eq(status)).count().unwrap(), expected.len());
        let sum: i64 = expected.iter().map(|of| of.cents).sum();
        assert_eq!(
            find.statistics(cents().sum()).unwrap().int("sum(cents)"),
            Some(sum).filter(|_| !expected.is_empty())
        );
        if has_aggregate {
            let result = payments.aggregate("by_status").unwrap();
            let count = result.group(status).and_then(|group| group.int("count")).unwrap_or(0);
            assert_eq!(count, expected.len() as i64);
        }
    }
    let noted = shown.values().filter(|of| of.note == "note 1").count();
    assert_eq!(payments.find(field("note").eq("note 1")).count().unwrap(), noted);
    let ranged = shown.values().filter(|of| of.cents < 25).count();
    assert_eq!(payments.find(cents().lt(25)).iter().unwrap().count(), ranged);
    check_snapshot(&store.snapshot(), payments, shown);
}

fn check_snapshot(snapshot: &Snapshot, payments: &Collection<Payment>, state: &State) {
    let view = snapshot.of(payments);
    let all: State = view.iter().map(|payment| (payment.id, (*payment).clone())).collect();
    assert_eq!((&all, view.len()), (state, state.len()));
}

proptest! {
    #![proptest_config(default_cases())]

    #[test]
    fn late_readers_see_whole_old_states(first in visibility(), steps in prop::collection::vec(step(), 1..50)) {
        let steps: Vec<Step> = [Step::Set(first)].into_iter().chain(steps).collect();
        run(&steps);
    }
}

#[test]
fn cached_and_prepared_answers_are_those_of_the_shown_commit() {
    let (store, payments) = super::store();
    let open = payments.cached().find(field("status").eq("open")).prepare_count().unwrap();
    payments.store(payment(1, "open", 1)).unwrap();
    assert_eq!(*open.fetch().unwrap(), 1);
    store.set_visibility(Visibility::on_refresh()).unwrap();
    payments.store(payment(2, "open", 1)).unwrap();
    assert_eq!(*open.fetch().unwrap(), 1, "a commit has brought the answer to its own state");
    store.refresh();
    assert_eq!(*open.fetch().unwrap(), 2);
    // A watch follows the commits themselves.
    let mut watch = payments.watch(field("status").eq("open")).start().unwrap();
    payments.store(payment(3, "open", 1)).unwrap();
    assert_eq!((watch.try_next().is_some(), watch.answer().len()), (true, 3));
    assert_eq!(payments.len(), 2);
}

#[test]
fn settings_are_refused_inside_user_code_and_refreshing_works_there() {
    let (store, payments) = super::store();
    store.set_visibility(Visibility::on_refresh().every(Duration::ZERO)).unwrap();
    payments.store(payment(1, "open", 1)).unwrap();
    let (inner, same) = (store.clone(), payments.clone());
    payments
        .update(1, move |payment| {
            assert!(inner.set_visibility(Visibility::immediate()).is_err());
            inner.refresh();
            payment.cents = same.len() as i64;
        })
        .unwrap();
    assert_eq!((payments.get(1).unwrap().cents, store.visibility().lag), (1, None));
}

/// A pass of reclamation reads the pins one after the other. If a pin on the shown commit ended meanwhile, it could miss both that one and the
/// pin of a new reader, whose place it has read before. So it ends only while no pass runs.
#[test]
fn held_pins_end_under_the_commit_lock() {
    let (store, payments) = super::store();
    payments.store(payment(1, "open", 1)).unwrap();
    store.set_visibility(Visibility::on_refresh()).unwrap();
    payments.store(payment(1, "open", 2)).unwrap();
    store.refresh();
    assert_eq!(payments.get(1).unwrap().cents, 2);
    let stats = store.stats();
    assert_eq!((stats.oldest_pin.unwrap().get(), stats.collections[0].versions_retained), (1, 1), "not yet");
    (0..100).for_each(|_| store.refresh());
    assert_eq!(store.stats().pinned_commits, 2, "refreshing again pins nothing more");
    store.optimize().unwrap();
    let stats = store.stats();
    assert_eq!((stats.oldest_pin.unwrap().get(), stats.collections[0].versions_retained), (2, 0));
}

#[derive(Clone, Debug, Record)]
struct Account {
    #[record(key)]
    id: u32,
    #[record(ordered)]
    balance: i64,
    #[record(index)]
    bank: u32,
}

/// Threads that read, write and refresh: every reader sees the total, and never goes back.
#[test]
fn threads_see_whole_commits_in_their_order() {
    const ACCOUNTS: u32 = 64;
    for visibility in [
        Visibility::on_refresh(),
        Visibility::lag(5),
        Visibility::lag(40),
        Visibility::on_refresh().every(Duration::from_micros(200)),
    ] {
        let store = Store::builder().reclaim_in_background().build();
        let accounts = store.collection::<Account>("Account").unwrap();
        store
            .commit(|batch| {
                (0..ACCOUNTS).try_for_each(|id| batch.store(&accounts, Account { id, balance: 100, bank: id % 4 }))
            })
            .unwrap();
        let total = i64::from(ACCOUNTS) * 100;
        store.set_visibility(visibility).unwrap();
        let (done, transfers) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            for writer in 0..2_u32 {
                let (store, accounts, done, transfers) = (&store, &accounts, &done, &transfers);
                scope.spawn(move || {
                    for number in 0..1_500_u32 {
                        let from = (number * 7 + writer) % ACCOUNTS;
                        let to = (number * 13 + writer * 5 + 1) % ACCOUNTS;
                        if from != to {
                            store
                                .commit(|batch| {
                                    batch.update(accounts, from, |account| account.balance -= 1)?;
                                    batch.update(accounts, to, |account| {
                                        account.balance += 1;
                                        account.bank = (account.bank + 1) % 4;
                                    })
                                })
                                .unwrap();
                        }
                    }
                    transfers.fetch_add(1, SeqCst);
                    if transfers.load(SeqCst) == 2 {
                        done.store(true, SeqCst);
                    }
                });
            }
            let (refreshing, stop) = (&store, &done);
            scope.spawn(move || {
                while !stop.load(SeqCst) {
                    refreshing.refresh();
                    thread::sleep(Duration::from_micros(300));
                }
            });
            for _ in 0..2 {
                let (store, accounts, done) = (&store, &accounts, &done);
                scope.spawn(move || {
                    let mut last = 0;
                    while !done.load(SeqCst) {
                        let newest = store.newest_commit().get();
                        assert!(newest >= last, "a reader never goes back");
                        last = newest;
                        assert_eq!(accounts.len(), ACCOUNTS as usize);
                        let sum = |found: Vec<i64>| found.into_iter().sum::<i64>();
                        assert_eq!(sum(accounts.iter().map(|account| account.balance).collect()), total);
                        let balance = accounts.find(Filter::all()).statistics(account::BALANCE.sum()).unwrap();
                        assert_eq!(balance.int("sum(balance)"), Some(total));
                        let snapshot = store.snapshot();
                        assert!(snapshot.commit().get() >= last);
                        let view = snapshot.of(accounts);
                        let by_bank = (0..4_u32).map(|bank| view.find(account::BANK.eq(bank)));
                        let by_bank = by_bank.flat_map(|find| find.fetch().unwrap().records);
                        assert_eq!(sum(by_bank.map(|account| account.balance).collect()), total);
                        let rich = accounts.get(3).unwrap().commit();
                        assert!(rich <= store.newest_commit(), "a get shows no later commit");
                    }
                });
            }
        });
        store.set_visibility(Visibility::immediate()).unwrap();
        assert_eq!(accounts.iter().map(|account| account.balance).sum::<i64>(), total);
        store.optimize().unwrap();
        let stats = store.stats();
        assert_eq!((stats.pinned_commits, stats.collections[0].versions_retained), (0, 0));
        store.verify().unwrap();
    }
}

#[test]
fn the_first_read_after_the_time_refreshes_whatever_it_reads() {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).build();
    let payments = store.collection::<Payment>("Payment").unwrap();
    payments.store(payment(1, "open", 0)).unwrap();
    store.set_visibility(Visibility::on_refresh().every(Duration::from_secs(1))).unwrap();
    let reads: [fn(&Collection<Payment>) -> i64; 6] = [
        |payments| payments.get(1).unwrap().cents,
        |payments| payments.get_with(1, |payment| payment.cents).unwrap(),
        |payments| payments.get_by(reference(), "r-1").unwrap().unwrap().cents,
        |payments| payments.iter().next().unwrap().cents,
        |payments| payments.find(field("status").eq("open")).fetch().unwrap()[0].cents,
        |payments| payments.cached().find(field("status").eq("open")).fetch().unwrap()[0].cents,
    ];
    for (cents, read) in (1..).zip(reads) {
        payments.store(payment(1, "open", cents)).unwrap();
        assert_eq!(read(&payments), cents - 1, "it is not time yet");
        clock.advance(Duration::from_secs(1));
        assert_eq!(read(&payments), cents);
    }
}

//! Several submissions in one commit: nobody can tell, but by the number of commits.

use super::{Bed, GATE, Item, item, watched};
use memdex::error::{Cause, Refusal};
use memdex::write::{Applied, BackgroundError, SubmitError, Ticket};
use memdex::{Batch, Collection, Commit, Record, Store};
use proptest::prelude::*;
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

fn refused(ticket: &mut Ticket) -> (Refusal, Batch) {
    of_refused(ticket.wait().expect_err("it is refused"))
}

fn of_refused(error: SubmitError) -> (Refusal, Batch) {
    match error.into_parts() {
        (BackgroundError::Refused(refusal), Some(batch)) => (refusal, batch),
        (other, _) => panic!("not refused: {other:?}"),
    }
}

#[test]
fn what_gathers_during_a_commit_shares_the_next() {
    watched("shared commit", || {
        let bed = Bed::new();
        let background = bed.eager();
        let held = bed.hold(&background);
        let submit = |n: u32| background.submit(bed.batch([item(2 * n, 1), item(2 * n + 1, 2)])).unwrap();
        let mut tickets: Vec<Ticket> = (0..5).map(submit).collect();
        assert!(tickets.iter().all(|ticket| !ticket.is_answered()));
        held.let_go();
        let applied: Vec<Applied> = tickets.iter_mut().map(|ticket| ticket.wait().unwrap()).collect();
        assert!(applied.iter().all(|applied| *applied == applied_at(3, applied)), "{applied:?}");
        assert_eq!((bed.store.newest_commit().get(), bed.state().len()), (3, 10));
        bed.store.verify().unwrap();
    });
}

fn applied_at(commit: u64, like: &Applied) -> Applied {
    let mut applied = *like;
    applied.commit = Commit::from_number(commit);
    applied
}

#[test]
fn a_commit_has_no_more_submissions_than_its_bulk_asks_for() {
    watched("bulk size", || {
        let bed = Bed::new();
        let background = bed.store.background_writer().bulk_size(4).start().unwrap();
        let held = bed.hold(&background);
        let submit = |n: u32| background.submit(bed.batch((0..3).map(|at| item(3 * n + at, 0)))).unwrap();
        let mut tickets: Vec<Ticket> = (0..5).map(submit).collect();
        held.let_go();
        let commits: Vec<u64> = tickets.iter_mut().map(|ticket| ticket.wait().unwrap().commit.get()).collect();
        assert_eq!(commits, [3, 3, 4, 4, 5]);
    });
}

#[test]
fn a_bad_one_takes_no_other_down_and_comes_back_as_it_was() {
    watched("a bad one", || {
        let bed = Bed::new();
        let others = bed.store.collection::<Item>("others").unwrap();
        let background = bed.eager();
        let held = bed.hold(&background);
        let mut good = background.submit(bed.batch([item(1, 1), item(2, 1)])).unwrap();
        let mut bad = bed.store.batch();
        bad.store(&others, item(8, 8)).unwrap();
        bad.delete(&others, 7).unwrap();
        bad.insert(&bed.items, item(3, 1)).unwrap();
        bad.insert(&bed.items, item(GATE, 1)).unwrap();
        bad.store(&others, item(9, 9)).unwrap();
        bad.remove(1).unwrap();
        let (as_it_was, bytes) = (bad.operations(), bad.bytes());
        let mut bad = background.submit(bad).unwrap();
        let mut good_too = background.submit(bed.batch([item(4, 1)])).unwrap();
        held.let_go();
        assert_eq!(good.wait().unwrap().commit, 3);
        let (refusal, mut batch) = refused(&mut bad);
        assert_eq!(good_too.wait().unwrap().commit, 4);
        assert!(matches!(refusal.cause(), Cause::KeyExists));
        assert_eq!((refusal.position(), refusal.operation(), bed.store.stats().refusals), (Some(3), "insert", 1));
        assert_eq!((batch.operations(), batch.bytes(), batch.len()), (as_it_was, bytes, 4));
        assert_eq!((bed.state().len(), others.len()), (3, 0));

        assert!(batch.edit(&bed.items, 3, |item| item.id = 5).unwrap());
        batch.insert(&bed.items, item(6, 1)).unwrap();
        assert_eq!(batch.operations().last().unwrap().position, 5);
        background.submit(batch).unwrap().wait().unwrap();
        assert_eq!((bed.state().len(), others.len()), (6, 2));
        bed.store.verify().unwrap();
    });
}

#[test]
fn a_closure_that_panics_refuses_its_own_submission_alone() {
    watched("a closure that panics", || {
        let bed = Bed::new();
        let background = bed.eager();
        let held = bed.hold(&background);
        let mut tickets: Vec<Ticket> = (0..20)
            .map(|n| {
                let gathered = background.submit_with(|batch| {
                    batch.insert(&bed.items, item(n, 0))?;
                    batch.update(&bed.items, n, move |item| item.value = i64::from(10 / (n % 2)))
                });
                gathered.unwrap()
            })
            .collect();
        held.let_go();
        for (n, ticket) in tickets.iter_mut().enumerate() {
            if n % 2 == 0 {
                let (refusal, batch) = refused(ticket);
                assert!(matches!(refusal.cause(), Cause::Panicked { .. }), "{refusal}");
                assert_eq!(batch.len(), 2);
            } else {
                ticket.wait().unwrap();
            }
        }
        assert_eq!((bed.state().len(), bed.store.stats().refusals), (10, 10));
    });
}

/// The danger: both see the record as it was before their common commit, and the second overwrites the first.
#[test]
fn no_update_is_lost_to_a_condition_in_the_same_commit() {
    watched("conditions", || {
        let bed = Bed::new();
        let seen = bed.items.insert(item(1, 0)).unwrap().commit;
        let background = bed.eager();
        let held = bed.hold(&background);
        let submit =
            |value| background.submit_with(|batch| batch.if_unchanged(seen).store(&bed.items, item(1, value))).unwrap();
        let (mut first, mut second) = (submit(10), submit(20));
        held.let_go();
        first.wait().unwrap();
        assert!(matches!(refused(&mut second).0.cause(), Cause::Stale { .. }));
        assert_eq!(bed.state(), [item(1, 10)]);
    });
}

#[test]
fn an_empty_batch_is_answered_in_its_turn() {
    watched("empty batches", || {
        let bed = Bed::new();
        let background = bed.eager();
        assert_eq!(background.submit(background.batch()).unwrap().wait().unwrap().commit, 1);
        let held = bed.hold(&background);
        let mut before = background.submit(background.batch()).unwrap();
        let mut bad = background.submit(bed.batch([item(GATE, 1)])).unwrap();
        let mut after = background.submit(background.batch()).unwrap();
        held.let_go();
        assert_eq!((before.wait().unwrap().commit.get(), after.wait().unwrap().commit.get()), (2, 2));
        drop(refused(&mut bad));
        assert_eq!(bed.store.newest_commit(), 2, "an empty batch makes no commit");
    });
}

/// One operation of a random submission.
#[derive(Clone, Debug)]
enum Command {
    Store(u32, i64),
    /// With a label that no index takes.
    StoreTooLong(u32),
    StoreIf(u32, i64, u64),
    Insert(u32, i64),
    Update(u32),
    UpdateIf(u32, u64),
    /// By a closure that refuses odd values.
    TryUpdate(u32),
    Upsert(u32, i64),
    Delete(u32),
}

const KEYS: u32 = 6;

fn command() -> impl Strategy<Value = Command> {
    let (key, value, seen) = (0..KEYS, 0..9_i64, 1..3_u64);
    prop_oneof![
        (key.clone(), value.clone()).prop_map(|(key, value)| Command::Store(key, value)),
        key.clone().prop_map(Command::StoreTooLong),
        (key.clone(), value.clone(), seen.clone()).prop_map(|(key, value, seen)| Command::StoreIf(key, value, seen)),
        (key.clone(), value.clone()).prop_map(|(key, value)| Command::Insert(key, value)),
        key.clone().prop_map(Command::Update),
        (key.clone(), seen).prop_map(|(key, seen)| Command::UpdateIf(key, seen)),
        key.clone().prop_map(Command::TryUpdate),
        (key.clone(), value).prop_map(|(key, value)| Command::Upsert(key, value)),
        key.prop_map(Command::Delete),
    ]
}

fn gather(commands: &[(bool, Command)], batch: &mut Batch, of: [&Collection<Item>; 2]) {
    for (which, command) in commands {
        let items = of[usize::from(*which)];
        let gathered = match command.clone() {
            Command::Store(key, value) => batch.store(items, item(key, value)),
            Command::StoreTooLong(key) => batch.store(items, Item { id: key, label: "x".repeat(70_000), value: 0 }),
            Command::StoreIf(key, value, seen) => {
                batch.if_unchanged(Commit::from_number(seen)).store(items, item(key, value))
            }
            Command::Insert(key, value) => batch.insert(items, item(key, value)),
            Command::Update(key) => batch.update(items, key, |item| item.value += 1),
            Command::UpdateIf(key, seen) => {
                batch.if_unchanged(Commit::from_number(seen)).update(items, key, |item| item.value += 10)
            }
            Command::TryUpdate(key) => batch.update(items, key, |item| {
                item.value += 1;
                if item.value % 2 == 0 { Ok(()) } else { Err("odd") }
            }),
            Command::Upsert(key, value) => batch.upsert(items, item(key, value), |item| item.value += 100),
            Command::Delete(key) => batch.delete(items, key),
        };
        gathered.unwrap();
    }
}

/// What a submitter learns: nothing of the number of commits.
type Learned = Result<(), (Option<usize>, Discriminant<Cause>, usize)>;

fn learned((refusal, batch): (Refusal, Batch)) -> Learned {
    Err((refusal.position(), discriminant(refusal.cause()), batch.len()))
}

/// Two collections with half of the keys each as of commit 2.
fn beds() -> (Bed, Collection<Item>) {
    let bed = Bed::new();
    let others = bed.store.collection::<Item>("others").unwrap();
    let load = |batch: &mut Batch| {
        (0..KEYS / 2).try_for_each(|key| {
            batch.insert(&bed.items, item(key, 0))?;
            batch.insert(&others, item(key, 0))
        })
    };
    bed.store.commit(load).unwrap();
    (bed, others)
}

fn all(store: &Store, items: &[&Collection<Item>]) -> Vec<Vec<Item>> {
    store.verify().unwrap();
    let sorted = |items: &&Collection<Item>| {
        let mut state: Vec<Item> = items.iter().map(|item| Item::clone(&item)).collect();
        state.sort();
        state
    };
    items.iter().map(sorted).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_is_as_if_each_were_committed_by_itself(
        submissions in prop::collection::vec(prop::collection::vec((any::<bool>(), command()), 0..3), 1..12)
    ) {
        let (alone, others_alone) = beds();
        let one_by_one: Vec<Learned> = submissions
            .iter()
            .map(|commands| {
                let mut batch = alone.store.batch();
                gather(commands, &mut batch, [&alone.items, &others_alone]);
                batch.commit().map(|_| ()).or_else(|refused| learned(refused.into_parts()))
            })
            .collect();
        let (bed, others) = beds();
        let background = bed.eager();
        let held = bed.hold(&background);
        let mut tickets: Vec<Ticket> = submissions
            .iter()
            .map(|commands| {
                let mut batch = background.batch();
                gather(commands, &mut batch, [&bed.items, &others]);
                background.submit(batch).unwrap()
            })
            .collect();
        held.let_go();
        let together: Vec<Learned> = tickets
            .iter_mut()
            .map(|ticket| match ticket.wait_timeout(Duration::from_secs(60)) {
                Some(Ok(_)) => Ok(()),
                Some(Err(error)) => learned(of_refused(error)),
                None => panic!("no answer"),
            })
            .collect();
        prop_assert_eq!(together, one_by_one);
        prop_assert_eq!(
            all(&bed.store, &[&bed.items, &others]),
            all(&alone.store, &[&alone.items, &others_alone])
        );
        prop_assert_eq!(bed.store.stats().refusals, alone.store.stats().refusals);
    }
}

/// With indexes of every kind, where what one leaves another may want.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Record)]
struct Seat {
    #[record(key)]
    id: u32,
    #[record(unique)]
    number: Option<u8>,
    #[record(ordered)]
    row: i64,
    #[record(index)]
    tags: Vec<char>,
}

fn seats(store: &Store) -> Vec<Seat> {
    store.verify().unwrap();
    let seats = store.collection::<Seat>("seats").unwrap();
    let mut all: Vec<Seat> = seats.iter().map(|seat| Seat::clone(&seat)).collect();
    all.sort();
    let mut numbers: Vec<u8> = all.iter().filter_map(|seat| seat.number).collect();
    numbers.sort();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{all:?}");
    for row in 0..4 {
        let of_row = seats.find(memdex::field("row").between(0, row)).count().unwrap();
        assert_eq!(of_row, all.iter().filter(|seat| (0..=row).contains(&seat.row)).count());
    }
    let tagged = seats.find(memdex::field("tags").contains('a')).count().unwrap();
    assert_eq!(tagged, all.iter().filter(|seat| seat.tags.contains(&'a')).count());
    all
}

fn any_seat() -> impl Strategy<Value = Result<Seat, u32>> {
    let tags = prop::collection::vec(prop::sample::select(vec!['a', 'b']), 0..3);
    let seat = (0..KEYS, prop::option::of(0..5_u8), 0..4_i64, tags);
    let seat = seat.prop_map(|(id, number, row, tags)| Seat { id, number, row, tags });
    prop_oneof![4 => seat.prop_map(Ok), 1 => (0..KEYS).prop_map(Err)]
}

type Seating = Vec<Result<Seat, u32>>;

fn gather_seats(batch: &mut Batch, of: &Collection<Seat>, seating: &Seating) {
    let gather = |seat: &Result<Seat, u32>| match seat {
        Ok(seat) => batch.store(of, seat.clone()),
        Err(id) => batch.delete(of, *id),
    };
    seating.iter().try_for_each(gather).unwrap();
}

/// Once committed one by one, once together.
fn both_ways(submissions: &[Seating]) -> [(Vec<Learned>, Vec<Seat>); 2] {
    let alone = Store::new();
    let of_alone = alone.collection::<Seat>("seats").unwrap();
    let commit = |seating| {
        let mut batch = alone.batch();
        gather_seats(&mut batch, &of_alone, seating);
        batch.commit().map(|_| ()).or_else(|refused| learned(refused.into_parts()))
    };
    let one_by_one = submissions.iter().map(commit).collect();

    let bed = Bed::new();
    let of_bed = bed.store.collection::<Seat>("seats").unwrap();
    let background = bed.eager();
    let held = bed.hold(&background);
    let submit = |seating| {
        let mut batch = background.batch();
        gather_seats(&mut batch, &of_bed, seating);
        background.submit(batch).unwrap()
    };
    let mut tickets: Vec<Ticket> = submissions.iter().map(submit).collect();
    held.let_go();
    let answer = |ticket: &mut Ticket| match ticket.wait_timeout(Duration::from_secs(60)) {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => learned(of_refused(error)),
        None => panic!("no answer"),
    };
    let together = tickets.iter_mut().map(answer).collect();
    [(one_by_one, seats(&alone)), (together, seats(&bed.store))]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn unique_values_pass_from_one_to_the_next_as_one_by_one(
        submissions in prop::collection::vec(prop::collection::vec(any_seat(), 0..4), 1..10)
    ) {
        let [one_by_one, together] = both_ways(&submissions);
        prop_assert_eq!(together, one_by_one);
    }
}

/// Each alone is refused, as the other has what it wants. In one commit they would swap.
#[test]
fn two_submissions_do_not_swap_what_is_unique() {
    watched("a swap", || {
        let seat = |id, number| Ok(Seat { id, number: Some(number), row: 0, tags: vec![] });
        let submissions = [vec![seat(1, 1), seat(2, 2)], vec![seat(1, 2)], vec![seat(2, 1)]];
        let [one_by_one, together] = both_ways(&submissions);
        assert_eq!(one_by_one.0.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(together, one_by_one);
    });
}

/// What the records are to the compiler is not the background writer's business, but what it is itself.
#[test]
fn handles_tickets_and_errors_cross_threads() {
    fn handle<T: Clone + Send + Sync + 'static>() {}
    fn crosses<T: Send + Sync + 'static>() {}
    fn awaited<T: Future<Output = Result<Applied, SubmitError>> + Unpin>() {}
    fn record<R: Record>() {}
    handle::<memdex::BackgroundWriter>();
    crosses::<Ticket>();
    awaited::<Ticket>();
    crosses::<SubmitError>();
    crosses::<BackgroundError>();
    record::<Item>();
}

//! Each kind of operation with each action that it can have.

use super::{Payment, payment, store};
use memdex::clock::{Clock, ManualClock};
use memdex::error::{Cause, Failure, QueryError};
use memdex::hook::testing::{FaultAction, FaultPlan, FaultPlanError, FaultRule, OperationKind, When};
use memdex::hook::{FeedEvent, watch::Difference};
use memdex::write::{BackgroundError, Outcome};
use memdex::{Filter, Metric, Query, Store, Timestamp, field};
use std::time::{Duration, Instant};

fn rule(kind: OperationKind) -> FaultRule {
    FaultRule::on(kind).named("rule")
}

fn plan(rule: FaultRule) -> FaultPlan {
    FaultPlan::new(1).rule(rule)
}

#[test]
fn commits_fail_before_anything_is_staged() {
    let (store, payments) = store();
    for failure in Failure::ALL {
        store.set_faults(plan(rule(OperationKind::Commit).fail(failure).at_most(1))).unwrap();
        let refused = payments.upsert(payment(1, "open", 5), |_| panic!("no closure runs")).unwrap_err();
        assert!(refused.refusal().is_injected());
        match refused.cause() {
            Cause::Injected { rule, failure: of, .. } => assert_eq!((&**rule, *of), ("rule", failure)),
            other => panic!("{other}"),
        }
        assert!(refused.to_string().contains(failure.sqlstate()), "{refused}");
        assert_eq!(refused.into_batch().commit().unwrap().counts.inserted, 1, "the batch comes back unchanged");
        payments.delete(1).unwrap();
    }
    assert!(payments.is_empty());
    store.verify().unwrap();
}

#[test]
fn rules_choose_operations_by_collection_key_command_and_number() {
    let (store, payments) = store();
    let others = store.collection::<Payment>("Other").unwrap();
    let fail = |rule: FaultRule| rule.fail(Failure::Unavailable);
    let of_key = fail(rule(OperationKind::Commit).of("Payment").with_key(7));
    store.set_faults(plan(of_key)).unwrap();
    others.store(payment(7, "open", 1)).unwrap();
    payments.store(payment(6, "open", 1)).unwrap();
    let mut batch = store.batch();
    batch.store(&payments, payment(8, "open", 1)).unwrap();
    batch.delete(&payments, 7).unwrap();
    assert!(batch.commit().unwrap_err().refusal().is_injected());
    let [fault] = &store.faults()[..] else { panic!() };
    assert_eq!((&*fault.collection, fault.key.as_ref().unwrap().to_string()), ("Payment", "7".into()));
    assert_eq!((fault.number, fault.action), (1, FaultAction::Fail(Failure::Unavailable)));

    store.set_faults(plan(fail(rule(OperationKind::Commit).by("delete").every(2)))).unwrap();
    assert!(store.faults().is_empty(), "another plan begins another list");
    let refused: Vec<bool> = (0..5).map(|id| payments.delete(id).is_err()).collect();
    assert_eq!(refused, [false, true, false, true, false]);
    payments.store(payment(1, "open", 1)).unwrap();

    store.set_faults(plan(fail(rule(OperationKind::Commit).from_nth(2).at_most(2)))).unwrap();
    let refused: Vec<bool> = (0..5).map(|id| payments.store(payment(id, "open", 1)).is_err()).collect();
    assert_eq!(refused, [false, true, true, false, false]);
    assert_eq!(store.faults().iter().map(|fault| fault.number).collect::<Vec<_>>(), [2, 3]);

    let before = store.clear_faults();
    assert_eq!(before.rules[0].when, When::From(2));
    assert!(store.faults().is_empty() && payments.store(payment(1, "open", 1)).is_ok());
}

#[test]
fn commits_fail_by_a_condition_on_their_changes() {
    let (store, payments) = store();
    payments.store(payment(1, "open", 900)).unwrap();
    let large = rule(OperationKind::Commit).of("Payment").matching(field("cents").gt(500));
    store.set_faults(plan(large.fail(Failure::Serialization))).unwrap();
    payments.store(payment(2, "open", 400)).unwrap();
    let refused = payments.update(1, |payment| payment.cents = 5).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Injected { failure: Failure::Serialization, .. }), "it was large before");
    let refused = payments.update(2, |payment| payment.cents += 200).unwrap_err();
    assert!(refused.refusal().is_injected(), "it is large after");
    let mut batch = store.batch();
    batch.store(&payments, payment(3, "open", 501)).unwrap();
    let refused = batch.commit_lenient().unwrap_err();
    assert!(refused.refusal().is_injected(), "no single operation is at fault");
    assert_eq!((payments.len(), payments.get(1).unwrap().cents, store.faults().len()), (2, 900, 3));
    // Refused batches come back with their records.
    store.clear_faults();
    assert_eq!(refused.into_batch().commit().unwrap().counts.inserted, 1);
    store.verify().unwrap();
}

#[test]
fn single_operations_of_a_bulk_fail() {
    let (store, payments) = store();
    payments.store(payment(0, "open", 1)).unwrap();
    store.set_faults(plan(rule(OperationKind::Write).every(3).fail(Failure::TooBusy))).unwrap();
    let mut batch = store.batch();
    for id in 1..=6 {
        batch.insert(&payments, payment(id, "open", 1)).unwrap();
    }
    batch.update(&payments, 0, |payment| payment.cents = 2).unwrap();
    batch.increment(&payments, 0, super::cents(), 5).unwrap();
    batch.increment(&payments, 0, super::cents(), 7).unwrap(); // the ninth
    let report = batch.commit_lenient().unwrap();
    let refused: Vec<usize> = report.refused.iter().filter_map(|of| of.refusal.position()).collect();
    assert_eq!(refused, [2, 5, 8]);
    assert!(report.refused.iter().all(|of| of.refusal.is_injected()));
    assert_eq!(report.outcome(5), Some(Outcome::Refused));
    assert_eq!((payments.len(), payments.get(0).unwrap().cents), (5, 7));

    // A strict commit is refused by the operation, and can be tried again.
    let mut batch = store.batch();
    for id in 10..13 {
        batch.store(&payments, payment(id, "open", 1)).unwrap();
    }
    let refused = batch.commit().unwrap_err();
    assert_eq!((refused.refusal().position(), refused.refusal().operation()), (Some(2), "store"));
    store.clear_faults();
    let batch = refused.into_batch();
    assert!(batch.get(&payments, 12).unwrap().is_some(), "the preview knows nothing of the fault");
    assert_eq!(batch.commit().unwrap().counts.inserted, 3);

    // By filter too, whether it selects a record or not, and moves to another key.
    store.set_faults(plan(rule(OperationKind::Write).by("update_where").fail(Failure::TimedOut))).unwrap();
    assert!(payments.update_where(field("cents").eq(-1), |_| ()).unwrap_err().refusal().is_injected());
    store.set_faults(plan(rule(OperationKind::Write).with_key(10).fail(Failure::TimedOut))).unwrap();
    assert!(payments.rekey(10, 20, |payment| payment.id = 20).unwrap_err().refusal().is_injected());
    let brought = rule(OperationKind::Write).of("Payment").matching(field("status").eq("bad"));
    store.set_faults(plan(brought.fail(Failure::TimedOut))).unwrap();
    assert!(payments.store(payment(30, "bad", 1)).unwrap_err().refusal().is_injected());
    payments.store(payment(30, "good", 1)).unwrap();
    payments.update(30, |payment| payment.status = "bad".into()).unwrap();
    store.verify().unwrap();
}

#[test]
fn optimistic_conflicts_are_forced() {
    let (store, payments) = store();
    payments.store(payment(1, "open", 1)).unwrap();
    store.set_faults(plan(rule(OperationKind::Write).nth(2).then(FaultAction::Stale))).unwrap();
    let mut tries = 0;
    for _ in 0..3 {
        payments.store(payment(9, "open", 1)).unwrap(); // no condition, so it does not count
        // The retry loop of an application.
        loop {
            tries += 1;
            let read = payments.get(1).unwrap();
            match payments.if_unchanged(read.commit()).update(1, |payment| payment.cents += 1) {
                Ok(_) => break,
                Err(refused) => {
                    assert!(matches!(refused.cause(), Cause::Stale { .. }) && refused.refusal().is_injected());
                }
            }
        }
    }
    assert_eq!((tries, payments.get(1).unwrap().cents), (4, 4));
    let refused = payments.if_unchanged(payments.get(1).unwrap().commit()).delete(9).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Stale { .. }) && !refused.refusal().is_injected());
}

#[test]
fn reads_with_an_error_fail() {
    let (store, payments) = store();
    payments.store(payment(1, "open", 1)).unwrap();
    let is_injected = |error: QueryError| {
        assert!(error.is_injected() && error.to_string().contains("08006"), "{error}");
        true
    };
    store.set_faults(plan(rule(OperationKind::Query).fail(Failure::Unavailable))).unwrap();
    let find = payments.find(field("status").eq("open"));
    assert!(is_injected(find.fetch().unwrap_err()));
    assert!(is_injected(find.keys().unwrap_err()));
    assert!(is_injected(find.count().unwrap_err()));
    assert!(is_injected(find.first().unwrap_err()));
    assert!(is_injected(find.one().unwrap_err()));
    assert!(is_injected(find.exists().unwrap_err()));
    assert!(is_injected(find.statistics(Metric::count()).unwrap_err()));
    assert!(find.iter().is_err_and(is_injected));
    assert!(is_injected(payments.cached().find(field("status").eq("open")).count().unwrap_err()));
    let query = Query::over(["Payment"]).filter(field("status").eq("open"));
    assert!(is_injected(store.query(&query).unwrap_err()));
    assert!(is_injected(store.snapshot().search(field("status").eq("open")).over(&payments).fetch().unwrap_err()));
    assert_eq!(store.faults().len(), 11);
    assert!(payments.get_by(super::reference(), "r-1").unwrap().is_some());

    store.set_faults(plan(rule(OperationKind::Lookup).nth(2).fail(Failure::Unavailable))).unwrap();
    assert!(payments.get_by(super::reference(), "r-1").is_ok());
    assert!(payments.get_by(super::reference(), "r-1").is_err_and(is_injected));
    assert!(store.snapshot().of(&payments).get_by(super::reference(), "r-1").is_ok());
    assert_eq!(find.count().unwrap(), 1);
}

#[test]
fn reads_without_an_error_wait() {
    let (store, payments) = store();
    payments.store(payment(1, "open", 1)).unwrap();
    let time = Duration::from_millis(3);
    for kind in [OperationKind::Get, OperationKind::Scan, OperationKind::Snapshot] {
        store.set_faults(plan(rule(kind).delay(time))).unwrap();
        let started = Instant::now();
        let found = match kind {
            OperationKind::Get => payments.get(1).is_some(),
            OperationKind::Scan => payments.iter().count() == 1,
            _ => store.snapshot().of(&payments).len() == 1,
        };
        assert!(found && started.elapsed() >= time && store.faults().len() == 1, "{kind:?}");
        for action in [FaultAction::Fail(Failure::TimedOut), FaultAction::TimeOut(time)] {
            let refused = store.set_faults(plan(rule(kind).then(action))).unwrap_err();
            assert!(matches!(refused, FaultPlanError::Action { at: 0, .. }), "a lie: {refused}");
        }
    }
}

#[test]
fn operations_time_out() {
    let (store, payments) = store();
    let time = Duration::from_millis(3);
    store.set_faults(plan(rule(OperationKind::Commit).time_out(time))).unwrap();
    let started = Instant::now();
    let refused = payments.store(payment(1, "open", 1)).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Injected { failure: Failure::TimedOut, .. }));
    assert!(started.elapsed() >= time);
}

#[test]
fn background_writers_meet_faults() {
    let (store, payments) = store();
    let background = store.background_writer().linger(Duration::from_secs(100)).start().unwrap();
    let submit = |id| background.submit_with(|batch| batch.store(&payments, payment(id, "open", 1)));
    store.set_faults(plan(rule(OperationKind::Submit).nth(2).fail(Failure::TooBusy))).unwrap();
    let first = submit(1).unwrap();
    let error = submit(2).unwrap_err();
    assert!(error.error().is_injected());
    assert_eq!(error.into_batch().unwrap().len(), 1);
    store.set_faults(plan(rule(OperationKind::Flush).at_most(1).fail(Failure::TimedOut))).unwrap();
    assert!(background.flush().unwrap_err().is_injected());
    background.flush().unwrap();
    assert!(first.is_answered());

    // Each submission is a commit of its own, and its ticket says what became of it.
    store.set_faults(plan(rule(OperationKind::Commit).every(2).fail(Failure::Serialization))).unwrap();
    let tickets: Vec<_> = (10..20).map(|id| submit(id).unwrap()).collect();
    background.flush().unwrap();
    let refused: Vec<bool> =
        tickets.into_iter().map(|mut ticket| ticket.wait().is_err_and(|error| error.error().is_injected())).collect();
    assert_eq!(refused, [false, true].repeat(5));
    assert_eq!(payments.len(), 6);
}

#[test]
fn background_writers_die() {
    for step in ["commit", "answer"] {
        let (store, payments) = store();
        let background = store.background_writer().start().unwrap();
        store.set_faults(plan(rule(OperationKind::Flusher).by(step).nth(2).then(FaultAction::KillFlusher))).unwrap();
        let submit = |id| background.submit_with(|batch| batch.store(&payments, payment(id, "open", 1)));
        submit(1).unwrap().wait().unwrap();
        let error = submit(2).unwrap().wait().unwrap_err();
        assert!(matches!(error.error(), BackgroundError::Died { .. }) && error.error().is_injected(), "{error}");
        let (_, batch) = error.into_parts();
        // Before the commit the batch comes back. After it nobody knows, and the store shows that it was applied.
        assert_eq!(
            (batch.is_some(), payments.contains(2)),
            if step == "commit" { (true, false) } else { (false, true) }
        );
        assert!(submit(3).unwrap_err().error().is_injected());
        payments.store(payment(4, "open", 1)).unwrap();
        store.verify().unwrap();
    }
}

#[test]
fn subscribers_lose_events_stall_and_end() {
    let (store, payments) = store();
    store.set_faults(plan(rule(OperationKind::Subscribe).of("Payment").at_most(1).fail(Failure::TooBusy))).unwrap();
    let all = || Filter::<Payment>::all();
    assert!(store.subscribe().matching(&payments, all()).start().unwrap_err().is_injected());
    let (_, mut subscription) = store.subscribe().matching(&payments, all()).start().unwrap();

    store.set_faults(plan(rule(OperationKind::FeedRead).nth(2).then(FaultAction::LoseEvents))).unwrap();
    for id in 1..=3 {
        payments.store(payment(id, "open", 1)).unwrap();
    }
    let Some(FeedEvent::Commit(first)) = subscription.try_next() else { panic!() };
    let Some(FeedEvent::Missed(missed)) = subscription.try_next() else { panic!() };
    assert_eq!((first.number().get(), missed.from.get(), missed.snapshot.commit().get()), (1, 2, 3));
    assert_eq!(missed.snapshot.of(&payments).len(), 3);
    payments.store(payment(4, "open", 1)).unwrap();
    let Some(FeedEvent::Commit(next)) = subscription.next() else { panic!() };
    assert_eq!(next.number().get(), 4);

    let time = Duration::from_millis(3);
    store.set_faults(plan(rule(OperationKind::FeedRead).at_most(1).delay(time))).unwrap();
    payments.store(payment(5, "open", 1)).unwrap();
    let started = Instant::now();
    assert!(matches!(subscription.try_next(), Some(FeedEvent::Commit(_))) && started.elapsed() >= time);

    store.set_faults(plan(rule(OperationKind::FeedRead).of("Payment").then(FaultAction::EndSubscription))).unwrap();
    payments.store(payment(6, "open", 1)).unwrap();
    assert!(subscription.next().is_none() && subscription.is_ended());
    store.clear_faults();
    payments.store(payment(7, "open", 1)).unwrap();
    assert!(subscription.try_next().is_none(), "it stays ended");
    assert_eq!(store.stats().subscriptions.len(), 0, "and is gone from the store");
}

#[test]
fn watches_read_again_after_lost_events() {
    let (store, payments) = store();
    let mut open = payments.watch(field("status").eq("open")).start().unwrap();
    payments.store(payment(1, "open", 1)).unwrap();
    payments.store(payment(2, "open", 1)).unwrap();
    store.set_faults(plan(rule(OperationKind::FeedRead).at_most(1).then(FaultAction::LoseEvents))).unwrap();
    let update = open.try_next().unwrap();
    assert!(update.differences.iter().all(|difference| matches!(difference, Difference::Entered { .. })));
    assert_eq!(open.answer().len(), 2);
}

#[test]
fn the_clock_jumps() {
    let clock = ManualClock::starting_at(Timestamp::from_micros(1_000_000));
    let store = Store::builder().clock(clock.clone()).build();
    let payments = store.collection::<Payment>("Payment").unwrap();
    let seconds = |seconds| Duration::from_secs(seconds);
    payments.with_lifetime(seconds(10)).store(payment(1, "open", 1)).unwrap();
    let ahead = rule(OperationKind::Commit).nth(2).then(FaultAction::JumpForward(seconds(11)));
    store.set_faults(plan(ahead)).unwrap();
    payments.store(payment(2, "open", 1)).unwrap();
    assert!(payments.contains(1));
    let receipt = payments.store(payment(3, "open", 1)).unwrap();
    assert_eq!(receipt.at.as_micros(), 12_000_000);
    assert!(!payments.contains(1) && payments.len() == 2);
    // Back: the time of the store stands still until the clock has caught up.
    store.jump_back(seconds(5));
    clock.advance(seconds(4));
    assert_eq!(store.snapshot().time().as_micros(), 12_000_000);
    clock.advance(seconds(2));
    assert_eq!(store.snapshot().time().as_micros(), 13_000_000);
    assert_eq!(clock.now().as_micros(), 7_000_000, "the clock itself was not touched");
    store.jump_forward(Duration::MAX);
    store.verify().unwrap();
}

#[test]
fn invalid_rules_are_refused() {
    let (store, _) = store();
    let refused = |rule: FaultRule| store.set_faults(plan(rule)).unwrap_err();
    let fail = |rule: FaultRule| rule.fail(Failure::TimedOut);
    use OperationKind::{Commit, Flush, Query as Queries, Write};
    assert!(matches!(refused(rule(Commit).nth(0)), FaultPlanError::Number { .. }));
    assert!(matches!(refused(rule(Commit).with_probability(1.5)), FaultPlanError::Probability { .. }));
    assert!(matches!(refused(rule(Commit).with_probability(f64::NAN)), FaultPlanError::Probability { .. }));
    assert!(matches!(refused(rule(Commit).then(FaultAction::KillFlusher)), FaultPlanError::Action { .. }));
    assert!(matches!(refused(fail(rule(Write).matching(field("cents").eq(1)))), FaultPlanError::Condition { .. }));
    let by_condition = |kind| fail(rule(kind).of("Payment").matching(field("cents").eq(1)));
    assert!(matches!(refused(by_condition(Queries)), FaultPlanError::Condition { .. }));
    assert!(matches!(refused(by_condition(Commit).with_key(1)), FaultPlanError::ConditionAndKey { .. }));
    assert!(matches!(refused(rule(Flush).by("insert")), FaultPlanError::Command { .. }));
    let unknown = fail(rule(Write).of("Payment").matching(field("cent").eq(1)));
    let error = refused(unknown);
    assert!(
        matches!(error, FaultPlanError::Query { .. }) && error.to_string().contains("did you mean `cents`"),
        "{error}"
    );
}

#[test]
fn a_collection_that_is_opened_later_has_its_condition_checked_at_the_commit() {
    let store = Store::new();
    let unknown = rule(OperationKind::Write).of("Payment").matching(field("cent").eq(1)).fail(Failure::TimedOut);
    store.set_faults(plan(unknown)).unwrap();
    let payments = store.collection::<Payment>("Payment").unwrap();
    let refused = payments.store(payment(1, "open", 1)).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Query(QueryError::UnknownField { .. })), "{refused}");
}

#[test]
fn plans_are_data() {
    let plan = FaultPlan::new(9)
        .rule(rule(OperationKind::Commit).of("Payment").with_probability(0.25).fail(Failure::Deadlock))
        .rule(rule(OperationKind::Write).with_key("a").by("insert").at_most(3).time_out(Duration::from_millis(2)))
        .rule(rule(OperationKind::Write).of("Payment").matching(field("cents").gt(5)).then(FaultAction::Stale));
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<FaultPlan>(&text).unwrap(), plan);
    let written = r#"{"seed":3,"rules":[{"on":"commit","when":{"nth":3},"action":{"fail":"serialization"}}]}"#;
    let plan: FaultPlan = serde_json::from_str(written).unwrap();
    assert_eq!((plan.rules[0].when, plan.rules[0].on), (When::Nth(3), OperationKind::Commit));
    assert!(serde_json::from_str::<FaultPlan>(r#"{"sed":3}"#).is_err());
}

//! Random fault plans: a store's state is that of a model to which only the acknowledged operations are applied.

use super::{Payment, payment, store};
use crate::cases::default_cases;
use memdex::error::Failure;
use memdex::hook::testing::{Fault, FaultPlan, FaultRule, OperationKind};
use memdex::write::Outcome;
use memdex::{Filter, Store, field};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::thread;

type Model = BTreeMap<u32, Payment>;

#[derive(Clone, Copy, Debug)]
enum Change {
    Store(u32, i64),
    Insert(u32, i64),
    Update(u32, i64),
    Delete(u32),
}

#[derive(Clone, Debug)]
enum Step {
    One(Change),
    Strict(Vec<Change>),
    Lenient(Vec<Change>),
    Submit(Vec<Change>),
    Flush,
    IfUnchanged(u32, i64),
    UpdateWhere(i64, i64),
    Count(i64),
    Lookup(u32),
}

fn change() -> impl Strategy<Value = Change> {
    let (key, cents) = (0..8_u32, 0..100_i64);
    prop_oneof![
        (key.clone(), cents.clone()).prop_map(|(key, cents)| Change::Store(key, cents)),
        (key.clone(), cents.clone()).prop_map(|(key, cents)| Change::Insert(key, cents)),
        (key.clone(), cents).prop_map(|(key, cents)| Change::Update(key, cents)),
        key.prop_map(Change::Delete),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let changes = || prop::collection::vec(change(), 1..6);
    prop_oneof![
        3 => change().prop_map(Step::One),
        2 => changes().prop_map(Step::Strict),
        3 => changes().prop_map(Step::Lenient),
        2 => changes().prop_map(Step::Submit),
        1 => Just(Step::Flush),
        1 => (0..8_u32, 0..100_i64).prop_map(|(key, cents)| Step::IfUnchanged(key, cents)),
        1 => (0..100_i64, 0..100_i64).prop_map(|(from, cents)| Step::UpdateWhere(from, cents)),
        1 => (0..100_i64).prop_map(Step::Count),
        1 => (0..8_u32).prop_map(Step::Lookup),
    ]
}

fn apply(model: &mut Model, change: Change) {
    match change {
        Change::Store(key, cents) | Change::Insert(key, cents) => drop(model.insert(key, payment(key, "open", cents))),
        Change::Update(key, cents) => model.get_mut(&key).unwrap().cents = cents,
        Change::Delete(key) => drop(model.remove(&key)),
    }
}

fn add(batch: &mut memdex::Batch, payments: &memdex::Collection<Payment>, change: Change) {
    let added = match change {
        Change::Store(key, cents) => batch.store(payments, payment(key, "open", cents)),
        Change::Insert(key, cents) => batch.insert(payments, payment(key, "open", cents)),
        Change::Update(key, cents) => batch.update(payments, key, move |payment| payment.cents = cents),
        Change::Delete(key) => batch.delete(payments, key),
    };
    added.unwrap();
}

fn all(store: &Store) -> Model {
    let payments = store.collection::<Payment>("Payment").unwrap();
    payments.iter().map(|payment| (payment.id, (*payment).clone())).collect()
}

/// Runs the steps under a plan, and checks each answer against the model. Returns what has fired.
fn run(seed: u64, steps: &[Step]) -> (Vec<Fault>, Model) {
    let (store, payments) = store();
    let background = store.background_writer().start().unwrap();
    store.set_faults(FaultPlan::random(seed)).unwrap();
    let mut model = Model::new();
    for step in steps {
        let fired = store.faults().len();
        let batch = |changes: &[Change]| {
            let mut batch = store.batch();
            changes.iter().for_each(|change| add(&mut batch, &payments, *change));
            batch
        };
        // Whether a refusal was due to the plan, according to the error and to the list.
        let injected = |is_injected: bool| assert_eq!(is_injected, has_failed(&store.faults()[fired..]));
        match step {
            Step::One(change) => match batch(&[*change]).commit() {
                Ok(_) => {
                    injected(false);
                    apply(&mut model, *change);
                }
                Err(refused) => {
                    injected(refused.refusal().is_injected());
                    assert_eq!(refused.into_batch().len(), 1);
                }
            },
            Step::Strict(changes) => match batch(changes).commit() {
                Ok(_) => changes.iter().for_each(|change| apply(&mut model, *change)),
                Err(refused) => assert_eq!(refused.into_batch().len(), changes.len()),
            },
            Step::Lenient(changes) => match batch(changes).commit_lenient() {
                Ok(report) => {
                    for (position, outcome) in &report.outcomes {
                        if *outcome != Outcome::Refused {
                            apply(&mut model, changes[*position]);
                        }
                    }
                }
                Err(refused) => assert!(refused.refusal().is_injected()),
            },
            Step::Submit(changes) => match background.submit(batch(changes)) {
                Ok(mut ticket) => match ticket.wait() {
                    Ok(_) => changes.iter().for_each(|change| apply(&mut model, *change)),
                    Err(error) => assert_eq!(error.into_batch().unwrap().len(), changes.len()),
                },
                Err(error) => assert!(error.error().is_injected()),
            },
            Step::Flush => injected(background.flush().is_err_and(|error| error.is_injected())),
            Step::IfUnchanged(key, cents) => {
                let (Some(read), cents) = (payments.get(*key), *cents) else { continue };
                match payments.if_unchanged(read.commit()).update(*key, move |payment| payment.cents = cents) {
                    Ok(_) => apply(&mut model, Change::Update(*key, cents)),
                    Err(refused) => injected(refused.refusal().is_injected()),
                }
            }
            Step::UpdateWhere(from, cents) => {
                let (from, cents) = (*from, *cents);
                match payments.update_where(super::cents().ge(from), move |payment| payment.cents = cents) {
                    Ok(_) => model.values_mut().filter(|of| of.cents >= from).for_each(|of| of.cents = cents),
                    Err(refused) => injected(refused.refusal().is_injected()),
                }
            }
            Step::Count(from) => match payments.find(field("cents").ge(*from)).count() {
                Ok(count) => assert_eq!(count, model.values().filter(|of| of.cents >= *from).count()),
                Err(error) => injected(error.is_injected()),
            },
            Step::Lookup(key) => match payments.get_by(super::reference(), &*format!("r-{key}")) {
                Ok(found) => assert_eq!(found.map(|of| (*of).clone()), model.get(key).cloned()),
                Err(error) => injected(error.is_injected()),
            },
        }
        assert_eq!(all(&store), model, "{step:?}");
    }
    store.verify().unwrap();
    let faults = store.faults();
    store.clear_faults();
    // What is left works.
    payments.store(payment(99, "open", 1)).unwrap();
    assert_eq!(payments.find(Filter::all()).count().unwrap(), model.len() + 1);
    (faults, model)
}

fn has_failed(faults: &[Fault]) -> bool {
    use memdex::hook::testing::FaultAction::{Fail, TimeOut};
    faults.iter().any(|fault| matches!(fault.action, Fail(_) | TimeOut(_)))
}

proptest! {
    #![proptest_config(default_cases())]

    #[test]
    fn a_random_plan_leaves_what_was_acknowledged(seed: u64, steps in prop::collection::vec(step(), 1..60)) {
        println!("{}", FaultPlan::random(seed));
        let first = run(seed, &steps);
        prop_assert_eq!(run(seed, &steps), first, "the seed replays");
    }
}

#[test]
fn threads_count_each_rule_together() {
    let (store, payments) = store();
    let plan = FaultPlan::new(5)
        .rule(FaultRule::on(OperationKind::Commit).named("tenth").every(10).fail(Failure::Unavailable))
        .rule(FaultRule::on(OperationKind::Commit).named("drawn").with_probability(0.2).fail(Failure::Deadlock));
    let per_worker = 250;
    let run = |plan: &FaultPlan, threads: u32| {
        store.set_faults(plan.clone()).unwrap();
        let refused: usize = thread::scope(|scope| {
            let work = |thread: u32| {
                let payments = &payments;
                move || {
                    let store = |id| payments.store(payment(thread * 1_000 + id, "open", 1));
                    (0..1_000 / threads).filter(|id| store(*id).is_err()).count()
                }
            };
            let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(work(thread))).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        let mut faults: Vec<(String, u64)> = store.faults().into_iter().map(|of| (of.rule, of.number)).collect();
        assert_eq!(faults.len(), refused);
        faults.sort();
        faults
    };
    let one = run(&plan, 1);
    assert_eq!(run(&plan, 1_000 / per_worker), one, "the same numbers fire, whichever thread meets them");
    assert_eq!(one.iter().filter(|(rule, _)| rule == "tenth").count(), 100);
    let drawn = one.iter().filter(|(rule, _)| rule == "drawn").count();
    assert!((120..240).contains(&drawn), "{drawn} of 900 with probability 0.2");
    store.verify().unwrap();
}

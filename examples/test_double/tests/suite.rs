//! One suite on every backend: a contract that is written once, and generated histories.
//!
//! Each test has its own repository, which begins with the payments of `fixtures/payments.json`, and its own clock, which it can move. The tests with
//! PostgreSQL need a server: `.ci/postgres cargo test -p memdex-test-double -- --include-ignored`.

mod histories;

use memdex::clock::ManualClock;
use memdex::error::Failure;
use memdex::hook::testing::{FaultPlan, FaultRule, OperationKind};
use memdex::{Filter, Timestamp};
use memdex_test::repository_suite;
use memdex_test_double::{
    InMemoryPayments, Payment, PaymentRepository, PostgresPayments, RepositoryError, SqlitePayments, Status, Total,
    fixtures,
};
use std::sync::LazyLock;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// A repository with the fixtures, on 2026-01-01.
struct Subject<P> {
    payments: P,
    clock: ManualClock,
}

fn clock() -> ManualClock {
    ManualClock::starting_at("2026-01-01T00:00:00Z".parse().unwrap())
}

fn loaded<P: PaymentRepository>(payments: P) -> P {
    fixtures::load(&payments, &fixtures::payments().unwrap()).unwrap();
    payments
}

fn subject<P: PaymentRepository>(make: impl FnOnce(ManualClock) -> P) -> Subject<P> {
    let clock = clock();
    Subject { payments: loaded(make(clock.clone())), clock }
}

/// A fork of one repository for all tests, which run side by side.
fn memdex() -> Subject<InMemoryPayments> {
    static FIXTURES: LazyLock<InMemoryPayments> = LazyLock::new(|| loaded(InMemoryPayments::new(clock()).unwrap()));
    let clock = clock();
    Subject { payments: FIXTURES.fork(clock.clone()).unwrap(), clock }
}

fn sqlite() -> Subject<SqlitePayments> {
    subject(|clock| SqlitePayments::in_memory(clock).unwrap())
}

fn server() -> String {
    std::env::var("MEMDEX_POSTGRES").expect("MEMDEX_POSTGRES names a server: run with .ci/postgres")
}

fn postgres() -> Subject<PostgresPayments> {
    subject(|clock| PostgresPayments::connect(&server(), clock).unwrap())
}

repository_suite! {
    backends {
        on_memdex => memdex(),
        on_sqlite => sqlite(),
        #[ignore = "needs the PostgreSQL server that MEMDEX_POSTGRES names"]
        on_postgres => postgres(),
    }
    tests {
        a_payment_is_settled_once,
        references_are_unique,
        open_payments_come_by_due_date,
        payments_become_overdue,
        totals_are_by_status,
        missing_payments_are_reported,
    }
}

fn ids(payments: &[Payment]) -> Vec<i64> {
    payments.iter().map(|payment| payment.id).collect()
}

fn a_payment_is_settled_once(Subject { payments, clock }: &Subject<impl PaymentRepository>) {
    clock.advance(DAY);
    payments.settle(1).unwrap();
    let settled = payments.by_id(1).unwrap().unwrap();
    assert_eq!((settled.status, settled.settled_at), (Status::Settled, "2026-01-02T00:00:00Z".parse().ok()));
    let again = RepositoryError::Forbidden { id: 1, from: Status::Settled, to: Status::Settled };
    assert_eq!(payments.settle(1), Err(again));
    payments.refund(1).unwrap();
    assert_eq!(payments.by_id(1).unwrap(), Some(Payment { status: Status::Refunded, ..settled }));
    let open = RepositoryError::Forbidden { id: 3, from: Status::Open, to: Status::Refunded };
    assert_eq!(payments.refund(3), Err(open));
}

fn references_are_unique(Subject { payments, .. }: &Subject<impl PaymentRepository>) {
    let first = payments.by_id(1).unwrap().unwrap();
    assert_eq!(payments.add(&Payment { id: 9, ..first.clone() }), Err(RepositoryError::Duplicate));
    assert_eq!(payments.add(&Payment { reference: "INV-9".into(), ..first.clone() }), Err(RepositoryError::Duplicate));
    assert_eq!(payments.by_id(9).unwrap(), None);
    payments.add(&Payment { id: 9, reference: "INV-9".into(), ..first }).unwrap();
}

fn open_payments_come_by_due_date(Subject { payments, .. }: &Subject<impl PaymentRepository>) {
    assert_eq!(ids(&payments.open_of("ada").unwrap()), [1, 4]);
    let earlier =
        Payment { id: 6, reference: "INV-6".into(), due: Timestamp::EPOCH, ..payments.by_id(1).unwrap().unwrap() };
    payments.add(&earlier).unwrap();
    payments.settle(1).unwrap();
    assert_eq!(ids(&payments.open_of("ada").unwrap()), [6, 4]);
    assert!(payments.open_of("eve").unwrap().is_empty());
}

fn payments_become_overdue(Subject { payments, clock }: &Subject<impl PaymentRepository>) {
    assert!(payments.overdue().unwrap().is_empty());
    // Due on the 10th: not yet overdue at its first moment.
    clock.advance(9 * DAY);
    assert!(payments.overdue().unwrap().is_empty());
    clock.advance(Duration::from_micros(1));
    assert_eq!(ids(&payments.overdue().unwrap()), [1, 4]);
    payments.settle(4).unwrap();
    clock.advance(30 * DAY);
    assert_eq!(ids(&payments.overdue().unwrap()), [1, 3]);
}

fn totals_are_by_status(Subject { payments, .. }: &Subject<impl PaymentRepository>) {
    let total = |status, payments, cents| Total { status, payments, cents };
    let (open, refunded, settled) = (Status::Open, Status::Refunded, Status::Settled);
    assert_eq!(payments.totals().unwrap(), [total(open, 3, 12_600), total(refunded, 1, 4_200), total(settled, 1, 900)]);
    payments.refund(2).unwrap();
    assert_eq!(payments.totals().unwrap(), [total(open, 3, 12_600), total(refunded, 2, 5_100)]);
}

fn missing_payments_are_reported(Subject { payments, .. }: &Subject<impl PaymentRepository>) {
    assert_eq!(payments.settle(77), Err(RepositoryError::Missing(77)));
    assert_eq!(payments.refund(77), Err(RepositoryError::Missing(77)));
    assert_eq!(payments.by_id(77).unwrap(), None);
}

/// Code of the application: it tries a write again if the database fails.
fn settle_reliably(payments: &dyn PaymentRepository, id: i64) -> Result<(), RepositoryError> {
    let mut last = Ok(());
    for _ in 0..3 {
        last = payments.settle(id);
        if !matches!(last, Err(RepositoryError::Unavailable(_))) {
            break;
        }
    }
    last
}

/// Faults on demand: only the double has them.
#[test]
fn a_failed_write_is_tried_again() {
    let Subject { payments, .. } = memdex();
    let fail_commits = |times| {
        let rule = FaultRule::on(OperationKind::Commit).at_most(times).fail(Failure::Unavailable);
        payments.store().set_faults(FaultPlan::new(1).rule(rule)).unwrap();
    };
    fail_commits(2);
    settle_reliably(&payments, 1).unwrap();
    assert_eq!(payments.by_id(1).unwrap().unwrap().status, Status::Settled);

    let before = payments.store().snapshot();
    fail_commits(3);
    assert!(matches!(settle_reliably(&payments, 3), Err(RepositoryError::Unavailable(_))));
    let after = payments.store().snapshot();
    assert_eq!(before.commit(), after.commit(), "a failed write changes nothing");
    let all = payments.store().collection::<Payment>("Payment").unwrap();
    assert_eq!(all.find(Filter::all()).count().unwrap(), 5);
    payments.store().verify().unwrap();
}

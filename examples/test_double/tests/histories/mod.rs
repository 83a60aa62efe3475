//! Generated histories of the application's commands, on every backend and on the model.

use super::server;
use memdex::clock::ManualClock;
use memdex::{Query, Timestamp, Value, field};
use memdex_test::{
    Domain, Form, Machine, Model, Operation, OperationKind, Outcome, RefusalKind, Repository, Row, Scratch, Suite,
    Workload,
};
use memdex_test_double::{
    InMemoryPayments, Payment, PaymentRepository, PostgresPayments, RepositoryError, SqlitePayments, Total,
};
use proptest::prelude::*;
use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::LazyLock;

/// The time of all histories.
const NOW: Timestamp = Timestamp::from_micros(5_000_000);

/// The number of histories; `PROPTEST_CASES` sets another.
fn histories() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200)
}

static PAYMENTS: LazyLock<Domain> = LazyLock::new(|| {
    let domain = Domain::of::<Payment>("Payment").unwrap().portable();
    let times = [4, 5, 6].map(|seconds| Value::from(memdex::typing::ValueRef::Timestamp(seconds * 1_000_000_000)));
    let domain = domain.values("payer", ["ada", "bob"]).unwrap().range("cents", 0..=1_000).unwrap();
    domain.values("due", times.clone()).unwrap().values("settled_at", times).unwrap()
});

fn machine() -> Machine {
    use OperationKind::{Get, Insert};
    let id = || (1..=8_i64).prop_map(|id| vec![Value::from(id)]);
    let payer = prop::sample::select(vec!["ada", "bob"]).prop_map(|payer| vec![Value::from(payer)]);
    let none = Just(Vec::new());
    let workload = [OperationKind::Store, OperationKind::Update, OperationKind::Add, OperationKind::Delete];
    let others = [OperationKind::DeleteWhere, OperationKind::Batch, OperationKind::Walk, OperationKind::Statistics];
    let workload = Workload::new([PAYMENTS.clone()])
        .without(workload.into_iter().chain(others))
        .weight(OperationKind::Find, 0)
        .weight(Insert, 8)
        .weight(Get, 4);
    let workload = workload.call("settle", id()).call("refund", id()).call("open_of", payer);
    let workload = workload.call_weighted("overdue", 2, none.clone()).call_weighted("totals", 2, none);
    Machine::new(workload).portable().cases(histories()).length(40).model(define)
}

/// What the commands do.
fn define(model: Model) -> Model {
    let payment =
        |state: &Scratch<'_>, arguments: &[Value]| state.get("Payment", arguments).ok_or(RefusalKind::Missing);
    let has = |row: &Row, status: &str| row.one("status") == Some(&status.into());
    let now = Value::from(memdex::typing::ValueRef::Timestamp(5_000_000_000));
    let open = |filter: memdex::query::Predicate| {
        Query::over(["Payment"]).filter(filter & field("status").eq("open")).order_by(field("due").asc())
    };
    let ids = |rows: Vec<Row>| rows.iter().filter_map(|row| row.one("id").cloned()).collect();
    let settled_at = now.clone();
    model
        .define("settle", move |state, arguments| {
            let row = payment(state, arguments)?;
            if !has(&row, "open") {
                return Err(RefusalKind::Rule);
            }
            state.put("Payment", row.with("status", "settled").with("settled_at", settled_at.clone()))?;
            Ok(Vec::new())
        })
        .define("refund", move |state, arguments| {
            let row = payment(state, arguments)?;
            if !has(&row, "settled") {
                return Err(RefusalKind::Rule);
            }
            state.put("Payment", row.with("status", "refunded"))?;
            Ok(Vec::new())
        })
        .define("open_of", move |state, arguments| Ok(ids(state.find(&open(field("payer").eq(arguments[0].clone()))))))
        .define("overdue", move |state, _| Ok(ids(state.find(&open(field("due").lt(now.clone()))))))
        .define("totals", |state, _| {
            let of = |status: &str| {
                let rows = state.find(&Query::over(["Payment"]).filter(field("status").eq(status)));
                let sum: i64 = rows.iter().filter_map(|row| row.one("cents")?.as_i64()).sum();
                let total = [Value::from(status), Value::from(rows.len()), Value::from(sum)];
                if rows.is_empty() { Vec::new() } else { total.to_vec() }
            };
            Ok(["open", "refunded", "settled"].into_iter().flat_map(of).collect())
        })
}

/// The application's repository as one of memdex-test.
struct Adapter<P>(P);

impl<P: Deref<Target: PaymentRepository>> Repository for Adapter<P> {
    fn apply(&self, operation: &Operation) -> Outcome {
        let form = Form::<Payment>::of();
        let done = |result: Result<(), RepositoryError>| result.map(|()| Outcome::Done);
        let ids = |result: Result<Vec<Payment>, RepositoryError>| {
            let ids = result?.iter().map(|payment| Value::from(payment.id)).collect::<Vec<_>>();
            Ok(if ids.is_empty() { Outcome::Done } else { Outcome::Values(ids) })
        };
        let id = |arguments: &[Value]| arguments[0].as_i64().unwrap();
        let result = match operation {
            Operation::Insert { row, .. } => done(self.0.add(&form.build(&row.to_values()).unwrap())),
            Operation::Get { key, .. } => {
                self.0.by_id(id(key)).map(|payment| Outcome::Record(payment.map(|payment| form.read(&payment))))
            }
            Operation::Call { name, arguments } => match &**name {
                "settle" => done(self.0.settle(id(arguments))),
                "refund" => done(self.0.refund(id(arguments))),
                "open_of" => ids(self.0.open_of(arguments[0].as_str().unwrap())),
                "overdue" => ids(self.0.overdue()),
                "totals" => self.0.totals().map(|totals| {
                    let values = |Total { status, payments, cents }: Total| {
                        [Value::from(status.name()), Value::from(payments), Value::from(cents)]
                    };
                    let values: Vec<Value> = totals.into_iter().flat_map(values).collect();
                    if values.is_empty() { Outcome::Done } else { Outcome::Values(values) }
                }),
                _ => return Outcome::Unsupported,
            },
            _ => return Outcome::Unsupported,
        };
        result.unwrap_or_else(|error| match error {
            RepositoryError::Duplicate => Outcome::Refused(RefusalKind::Duplicate),
            RepositoryError::Missing(_) => Outcome::Refused(RefusalKind::Missing),
            RepositoryError::Forbidden { .. } => Outcome::Refused(RefusalKind::Rule),
            RepositoryError::Unavailable(why) => Outcome::Failed(why),
        })
    }
}

fn clock() -> ManualClock {
    ManualClock::starting_at(NOW)
}

fn memdex() -> Adapter<Box<InMemoryPayments>> {
    Adapter(Box::new(InMemoryPayments::new(clock()).unwrap()))
}

fn sqlite() -> Adapter<Box<SqlitePayments>> {
    Adapter(Box::new(SqlitePayments::in_memory(clock()).unwrap()))
}

#[test]
fn the_double_equals_the_model() {
    let report = machine().check(memdex).unwrap_or_else(|difference| panic!("{difference}"));
    assert!(report.operations > 15 * report.histories, "{report:?}");
}

#[test]
fn sqlite_and_the_double_return_the_same() {
    let suite = Suite::new(machine()).backend("memdex", memdex).backend("SQLite", sqlite);
    suite.run().unwrap_or_else(|difference| panic!("{difference}"));
}

#[test]
#[ignore = "needs the PostgreSQL server that MEMDEX_POSTGRES names"]
fn postgres_returns_the_same_too() {
    // One connection for all histories: each empties the table.
    let shared = Rc::new(RefCell::new(PostgresPayments::connect(&server(), clock()).unwrap()));
    let postgres = || {
        shared.borrow_mut().reset(clock()).unwrap();
        let shared = shared.clone();
        move |operation: &Operation| Adapter(shared.borrow()).apply(operation)
    };
    let suite =
        Suite::new(machine()).backend("memdex", memdex).backend("SQLite", sqlite).backend("PostgreSQL", postgres);
    let report = suite.run().unwrap_or_else(|difference| panic!("{difference}"));
    assert_eq!(report.histories, histories() as usize);
}

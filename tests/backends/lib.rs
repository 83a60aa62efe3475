//! One suite on every backend: generated histories of inserts, updates, batches, pages and statistics, on memdex, SQLite and PostgreSQL.
//!
//! The repositories are generic: tables and queries are those that `memdex-sql` makes of the schemas. Queries that a database has no
//! equivalent for are left out. A planted difference in each of the databases is found, and shrunk to a few operations.

#![cfg(test)]

mod postgres;
mod sql;
mod sqlite;

use memdex::schema::Collation;
use memdex::{FieldDef, IndexDef, Kind, Schema, field};
use memdex_test::{Domain, Machine, Operation, OperationKind, Outcome, Repository, StoreRepository, Suite, Workload};
use postgres::Postgres;
use sql::SqlRepository;
use sqlite::Sqlite;
use std::sync::LazyLock;

/// Fields of every kind, with unique, partial and compound indexes, and a compound key.
static DOMAINS: LazyLock<[Domain; 2]> = LazyLock::new(|| {
    let things = Schema::new([
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("code", Kind::Str).optional().unique(),
        FieldDef::new("name", Kind::Str).index(),
        FieldDef::new("nick", Kind::Str).optional().collate(Collation::NoCase),
        FieldDef::new("amount", Kind::Int).optional().ordered(),
        FieldDef::new("price", Kind::Float).optional().column(),
        FieldDef::new("fee", Kind::Decimal).optional(),
        FieldDef::new("at", Kind::Timestamp).optional().ordered(),
        FieldDef::new("day", Kind::Date).optional(),
        FieldDef::new("flag", Kind::Bool),
        FieldDef::new("grade", Kind::Char).optional().index(),
        FieldDef::new("uid", Kind::Uuid).optional(),
        FieldDef::new("cover", Kind::Bytes).optional(),
    ]);
    let slots = Schema::new([
        FieldDef::new("zone", Kind::Str).key(),
        FieldDef::new("number", Kind::Int).key(),
        FieldDef::new("thing", Kind::Int).optional().index(),
        FieldDef::new("active", Kind::Bool),
        FieldDef::new("rank", Kind::Int),
    ])
    .with_index(IndexDef::unique(["zone", "thing"]).when(field("active").eq(true)));
    let things = Domain::of_schema("Thing", things).unwrap().portable();
    // SQL rounds sums at each step, and SQLite loses a sum beyond 64 bits.
    let things =
        things.values("price", [0.0, 1.0, 0.5, 0.25, -7.25, 99.99]).unwrap().range("amount", -1000..=1000).unwrap();
    let slots = Domain::of_schema("Slot", slots).unwrap().portable().keys(3).unwrap();
    let slots = slots.references("thing", &things, true).unwrap().range("rank", 0..=3).unwrap();
    [things, slots]
});

/// The translation to SQL has no deletes by predicate.
fn machine(histories: u32) -> Machine {
    let workload = Workload::new(DOMAINS.clone()).without([OperationKind::DeleteWhere]);
    Machine::new(workload).portable().cases(histories)
}

fn in_memory() -> StoreRepository {
    StoreRepository::key_values(DOMAINS.iter()).unwrap()
}

fn sqlite() -> SqlRepository<Sqlite> {
    SqlRepository::new(Sqlite::open(DOMAINS.iter()), DOMAINS.iter())
}

/// The number of histories; `PROPTEST_CASES` sets another.
fn histories() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200)
}

#[test]
fn memdex_equals_the_model() {
    let machine = Machine::new(Workload::new(DOMAINS.clone())).cases(histories());
    let report = machine.check(in_memory).unwrap_or_else(|difference| panic!("{difference}"));
    assert!(report.skipped * 20 < report.operations, "{report:?}");
}

#[test]
fn sqlite_returns_the_same() {
    let suite = Suite::new(machine(histories())).backend("memdex", in_memory).backend("SQLite", sqlite);
    let report = suite.run().unwrap_or_else(|difference| panic!("{difference}"));
    assert!(report.operations > 10 * report.histories && report.skipped * 4 < report.operations, "{report:?}");
}

#[test]
#[ignore = "needs the PostgreSQL server that MEMDEX_POSTGRES names"]
fn sqlite_and_postgres_return_the_same() {
    let server = Postgres::connect(DOMAINS.iter());
    let postgres = || SqlRepository::new(server.emptied(DOMAINS.iter()), DOMAINS.iter());
    let suite = Suite::new(machine(histories())).backend("memdex", in_memory);
    let suite = suite.backend("SQLite", sqlite).backend("PostgreSQL", postgres);
    let report = suite.run().unwrap_or_else(|difference| panic!("{difference}"));
    println!("{report:?}");
    assert!(report.operations > 10 * report.histories && report.skipped * 4 < report.operations, "{report:?}");
}

/// A backend with a difference: something that an update, a batch or a query does wrongly.
struct Wrong<R>(R, fn(&Operation, Outcome) -> Outcome);

impl<R: Repository> Repository for Wrong<R> {
    fn apply(&self, operation: &Operation) -> Outcome {
        (self.1)(operation, self.0.apply(operation))
    }
}

/// Changes the outcome of an operation.
type Distort = fn(&Operation, Outcome) -> Outcome;

const DIFFERENCES: [(&str, Distort); 4] = [
    ("updates report success for missing records", |operation, outcome| match (operation, outcome) {
        (Operation::Update { .. }, Outcome::Refused(_)) => Outcome::Done,
        (_, outcome) => outcome,
    }),
    ("walks lose the last record of three", |operation, outcome| match (operation, outcome) {
        (Operation::Walk(_), Outcome::Records { mut rows, total }) if rows.len() >= 3 => {
            rows.pop();
            Outcome::Records { rows, total }
        }
        (_, outcome) => outcome,
    }),
    ("the last two of an order are swapped", |operation, outcome| match (operation, outcome) {
        (Operation::Walk(_), Outcome::Records { mut rows, total }) => {
            if let [.., first, second] = rows.as_mut_slice() {
                std::mem::swap(first, second);
            }
            Outcome::Records { rows, total }
        }
        (_, outcome) => outcome,
    }),
    ("batches of two lose their refusal", |operation, outcome| match (operation, outcome) {
        (Operation::Batch(parts), Outcome::Refused(_)) if parts.len() >= 2 => Outcome::Done,
        (_, outcome) => outcome,
    }),
];

#[test]
fn a_planted_difference_is_shrunk_to_a_few_operations() {
    for (name, wrong) in DIFFERENCES {
        for seed in 0..3 {
            let suite = Suite::new(machine(200).seed(seed)).backend("memdex", in_memory);
            let suite = suite.backend("wrong SQLite", || Wrong(sqlite(), wrong));
            let difference = suite.run().expect_err(name);
            assert!(difference.steps.len() <= 5, "{name}, seed {seed}: {difference}");
            let text = difference.to_string();
            assert!(text.contains("     memdex: ") && text.contains("     wrong SQLite: "), "{text}");
        }
    }
}

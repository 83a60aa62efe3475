//! Runs the same test on SQLite, PostgreSQL and memdex, and prints how many times faster the double is. Each test begins with the
//! fixtures: a fork of memdex has them, the others load them.
//!
//! ```text
//! cargo run --release -p memdex-test-double
//! .ci/postgres cargo run --release -p memdex-test-double
//! ```

use memdex::Timestamp;
use memdex::clock::{ManualClock, SystemClock};
use memdex_test_double::{
    InMemoryPayments, Payment, PaymentRepository, PostgresPayments, RepositoryError, SqlitePayments, Status, Total,
    fixtures,
};
use std::error::Error;
use std::time::{Duration, Instant};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// Tests with each backend in memory, and with each other one.
const TESTS: [u32; 2] = [300, 30];

/// The body of a test.
type Body<'a> = &'a dyn Fn(&dyn PaymentRepository) -> Result<()>;

fn main() -> Result<()> {
    let payments = fixtures::payments()?;
    println!("each test has a repository with {} payments, and nine commands\n", payments.len());
    let [many, few] = TESTS;
    let loaded = InMemoryPayments::new(clock())?;
    fixtures::load(&loaded, &payments)?;
    let double = measure(many, &[], |clock, body| body(&loaded.fork(clock)?))?;
    print("memdex, forked", double, double);
    let new = measure(many, &payments, |clock, body| body(&InMemoryPayments::new(clock)?))?;
    print("memdex, new", new, double);
    let sqlite = measure(many, &payments, |clock, body| body(&SqlitePayments::in_memory(clock)?))?;
    print("SQLite in memory", sqlite, double);

    let folder = std::env::temp_dir().join(format!("test_double.{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut files = 0;
    let in_files = measure(few, &payments, |clock, body| {
        files += 1;
        body(&SqlitePayments::create(&folder.join(format!("{files}.db")), clock)?)
    });
    std::fs::remove_dir_all(&folder)?;
    print("SQLite in files", in_files?, double);

    match std::env::var("MEMDEX_POSTGRES") {
        Ok(address) => {
            // One connection, whose table each test empties.
            let mut repository = PostgresPayments::connect(&address, SystemClock)?;
            let postgres = measure(few, &payments, |clock, body| {
                repository.reset(clock)?;
                body(&repository)
            })?;
            print("PostgreSQL", postgres, double);
        }
        Err(_) => println!("PostgreSQL was not measured: run with .ci/postgres"),
    }
    Ok(())
}

fn print(name: &str, time: Duration, double: Duration) {
    let times = time.as_secs_f64() / double.as_secs_f64();
    let times = if time == double { String::new() } else { format!(": a fork is {times:.1} times faster") };
    println!("{name:>16}: {:>6} µs a test{times}", time.as_micros());
}

fn clock() -> ManualClock {
    ManualClock::starting_at(Timestamp::from_secs(1_767_225_600))
}

/// The time of one test. `with_fresh` calls the body with a repository that lacks the given payments.
fn measure(
    tests: u32,
    payments: &[Payment],
    mut with_fresh: impl FnMut(ManualClock, Body<'_>) -> Result<()>,
) -> Result<Duration> {
    let began = Instant::now();
    for _ in 0..tests {
        let clock = clock();
        with_fresh(clock.clone(), &|repository| {
            fixtures::load(repository, payments)?;
            test(repository, &clock)
        })?;
    }
    Ok(began.elapsed() / tests)
}

fn test(payments: &dyn PaymentRepository, clock: &ManualClock) -> Result<()> {
    let first = payments.by_id(1)?.ok_or("payment 1 is a fixture")?;
    assert_eq!(payments.add(&Payment { id: 6, ..first.clone() }), Err(RepositoryError::Duplicate));
    assert_eq!(payments.open_of("ada")?.len(), 2);
    payments.settle(1)?;
    assert!(payments.settle(1).is_err());
    payments.refund(1)?;
    clock.advance(Duration::from_secs(86_400 * 15));
    assert_eq!(payments.overdue()?.len(), 1);
    payments.add(&Payment { id: 6, reference: "INV-6".to_owned(), ..first })?;
    let open = Total { status: Status::Open, payments: 3, cents: 12_600 };
    assert_eq!(payments.totals()?.first(), Some(&open));
    Ok(())
}

//! The life cycle of payments in memdex: loads, finds, aggregates, processes, refunds and deletes them.
//!
//! ```text
//! cargo run --release --example payments
//! ```
//!
//! Read it from top to bottom. In the same folder, `model.rs` defines payments, `commands.rs` the commands on them,
//! `list.rs` pages through a list, `statistics.rs` computes statistics, `generate.rs` generates payments, and `tables.rs`
//! prints.

mod commands;
mod generate;
mod list;
mod model;
mod statistics;
mod tables;

use commands::{CommandError, Ledger};
use generate::{ORGANIZATIONS, PAYMENTS, day, organization};
use memdex::write::Receipt;
use memdex::{Filter, IndexDef, Snapshot, field};
use model::{Account, Forbidden, Payment, Status, card, euros, payment};
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;
use tables::{bytes, count, heading};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    let ledger = Ledger::open()?;
    load(&ledger)?;
    show_indexes(&ledger);
    find(&ledger)?;
    list::page_through(&ledger)?;
    statistics::by_status(&ledger)?;
    statistics::by_currency(&ledger)?;
    statistics::by_day(&ledger)?;
    command(&ledger)?;
    refund_under_a_snapshot(&ledger)?;
    statistics::maintain_aggregate(&ledger)?;
    import_a_statement(&ledger)?;
    index_under_commits(&ledger)?;
    delete_old(&ledger)?;
    search(&ledger)?;

    heading("Audit the store");
    let audit = ledger.store.verify()?;
    println!(
        "Every structure is consistent with every record: {} collections, {} records, {} index entries.",
        audit.collections,
        count(audit.records),
        count(audit.index_entries)
    );
    Ok(())
}

/// The background writer queues whole batches and commits them on its thread. The ticket of a batch gives its outcome.
fn load(ledger: &Ledger) -> Result<()> {
    const BATCH: u64 = 500;
    heading("Load payments in bulk");
    let Ledger { store, payments, accounts } = ledger;
    store.commit(|batch| {
        let open = |number| Account { organization: organization(number), balance_cents: 0 };
        (0..ORGANIZATIONS).try_for_each(|number| batch.insert(accounts, open(number)))
    })?;

    let started = Instant::now();
    let background = store.background_writer().start()?;
    let mut tickets = Vec::new();
    for first in (1..=PAYMENTS).step_by(BATCH as usize) {
        // The payments and the credits of one submission are committed together or not at all.
        tickets.push(background.submit_with(|batch| {
            let mut income = BTreeMap::<String, i64>::new();
            for id in first..first + BATCH {
                let mut payment = generate::payment(id);
                if id == 70_007 {
                    payment.reference = "RF-000001".into(); // a duplicate reference
                }
                if payment.status == Status::Completed {
                    *income.entry(payment.organization.clone()).or_default() += payment.amount_cents;
                }
                batch.insert(payments, payment)?;
            }
            income.into_iter().try_for_each(|(organization, cents)| {
                batch.update(accounts, organization, move |account| account.balance_cents += cents)
            })
        })?);
    }
    background.flush()?;
    let took = started.elapsed();
    let rate = count((PAYMENTS as f64 / took.as_secs_f64()) as usize);
    println!("Loaded {} payments in {} batches in {took:.1?}: {rate} a second.", count(payments.len()), tickets.len());

    for mut ticket in tickets {
        let Err(error) = ticket.wait() else { continue };
        println!("One batch was refused. Its ticket says:\n\n  {error}\n");
        let position =
            error.refusal().and_then(memdex::error::Refusal::position).ok_or("the refusal names no operation")?;
        let mut batch = error.into_batch().ok_or("a refused batch comes back")?;
        batch.edit(payments, position, |payment| payment.reference = format!("RF-{:06}", payment.id))?;
        background.submit(batch)?.wait()?;
        println!("After its reference is fixed and it is submitted again, there are {}.", count(payments.len()));
    }
    Ok(())
}

fn show_indexes(ledger: &Ledger) {
    heading("The indexes");
    let rows = ledger.payments.indexes().into_iter().map(|index| {
        let of = if index.condition().is_some() { "pending ones" } else { "all" };
        [index.name().to_owned(), index.kind().to_string(), index.fields().join(", "), of.to_owned()]
    });
    tables::print(["index", "kind", "fields", "indexed payments"], rows);
}

/// The derive generates `payment::STATUS` and the other fields: a misspelt field or a comparison with a wrong type does not
/// compile.
fn find(ledger: &Ledger) -> Result<()> {
    heading("Count payments");
    let payments = &ledger.payments;
    let (brand, country) = (payment::CARD.dot(card::BRAND), payment::CARD.dot(card::COUNTRY));
    let org = || payment::ORGANIZATION.eq("org-07");
    let queries: [(&str, Filter<Payment>); 11] = [
        ("of one organization", org()),
        ("of one user", payment::USER.eq("user-0042")),
        ("pending or failed", payment::STATUS.is_in([Status::Pending, Status::Failed])),
        ("tagged as a gift", payment::TAGS.contains("gift")),
        ("tagged as both recurring and a gift", payment::TAGS.all(["recurring", "gift"])),
        ("from 1,000 to 1,010 €", payment::AMOUNT_CENTS.between(100_000, 101_000)),
        ("of one organization and completed", org() & payment::STATUS.eq(Status::Completed)),
        ("pending since before day 3", payment::STATUS.eq(Status::Pending) & payment::CREATED_AT.lt(day(3))),
        ("by amex", brand.eq("amex")),
        ("created on day 10 (a scan)", payment::CREATED_AT.ge(day(10)) & payment::CREATED_AT.lt(day(11))),
        ("by a card from Liechtenstein (a column)", country.eq("LI")),
    ];
    let rows = queries.map(|(name, filter)| {
        let started = Instant::now();
        let found = payments.find(filter).count()?;
        Ok([name.to_owned(), count(found), format!("{:.1?}", started.elapsed())])
    });
    tables::print(["payments", ">count", ">counted in"], rows.into_iter().collect::<Result<Vec<_>>>()?);

    println!("\nLarge gifts to org-07 by visa:\n");
    let gifts = org() & payment::TAGS.contains("gift") & payment::AMOUNT_CENTS.gt(150_000) & brand.eq("visa");
    tables::print_payments(payments.find(gifts).fetch()?.records, 5);

    let by_reference = payments.get_by(payment::REFERENCE, "RF-070007")?.ok_or("no such reference")?;
    println!("\nThe reference RF-070007 belongs to payment {}.", by_reference.id);
    Ok(())
}

/// If a business rule refuses a command, the caller gets the rule's own error type.
fn command(ledger: &Ledger) -> Result<()> {
    heading("Commands: create, process, fail and refund");
    let new = |id| Payment { status: Status::Pending, ..generate::payment(id) };
    let duplicate = Payment { reference: "RF-000001".into(), ..new(PAYMENTS + 3) };
    let (first, second) = (PAYMENTS + 1, PAYMENTS + 2);
    let balance = || ledger.accounts.get(&new(first).organization).map_or(0, |account| account.balance_cents);
    let before = balance();
    type Outcome = Result<Receipt, CommandError>;
    let outcomes: [(&str, Outcome); 9] = [
        ("create the first", ledger.create(new(first))),
        ("create the second", ledger.create(new(second))),
        ("create one with a duplicate reference", ledger.create(duplicate)),
        ("refund the first", ledger.refund(first)),
        ("process the first", ledger.process(first)),
        ("process it again", ledger.process(first)),
        ("refund it", ledger.refund(first)),
        ("fail the second", ledger.fail(second, "card expired")),
        ("process an unknown payment", ledger.process(PAYMENTS + 9)),
    ];
    let forbidden = outcomes
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Err(CommandError::Forbidden(Forbidden::Transition { .. }))));
    let forbidden = forbidden.count();
    let rows = outcomes.map(|(command, outcome)| {
        let outcome = match outcome {
            Ok(receipt) => format!("{} changed", receipt.counts.total()),
            Err(error) => error.to_string(),
        };
        [command.to_owned(), outcome]
    });
    tables::print(["command", "outcome"], rows);
    let now = euros(balance());
    println!("\n{forbidden} commands broke a rule. The balance was {} before and is {now} now.", euros(before));
    Ok(())
}

/// A snapshot keeps showing the whole store at one commit, and blocks neither readers nor writers.
fn refund_under_a_snapshot(ledger: &Ledger) -> Result<()> {
    heading("Hold a snapshot while disputed payments are refunded");
    let before = ledger.store.snapshot();
    let disputed = || payment::TAGS.contains("disputed") & payment::STATUS.eq(Status::Completed);
    let found = before.of(&ledger.payments).find(disputed()).fetch()?;
    let receipt = ledger
        .store
        .commit(|batch| found.iter().try_for_each(|payment| ledger.add_transition(batch, payment, Status::Refunded)))?;
    let after = ledger.store.snapshot();
    println!("{} records changed in one commit. The two snapshots show:\n", receipt.counts.updated);

    let seen = |snapshot: &Snapshot| -> Result<[String; 4]> {
        let (payments, accounts) = (snapshot.of(&ledger.payments), snapshot.of(&ledger.accounts));
        let completed = payments.find(payment::STATUS.eq(Status::Completed)).fetch()?;
        Ok([
            count(payments.find(disputed()).count()?),
            count(payments.find(payment::STATUS.eq(Status::Refunded)).count()?),
            euros(completed.iter().map(|payment| payment.amount_cents).sum()),
            euros(accounts.iter().map(|account| account.balance_cents).sum()),
        ])
    };
    let (before, after) = (seen(&before)?, seen(&after)?);
    let names = ["disputed and completed", "refunded", "sum of completed payments", "sum of the accounts"];
    let rows = names.into_iter().zip(before).zip(after).map(|((name, before), after)| [name.into(), before, after]);
    tables::print(["", ">before", ">after"], rows);
    Ok(())
}

/// A lenient commit skips the refused operations, returns them, and reports on each operation.
fn import_a_statement(ledger: &Ledger) -> Result<()> {
    heading("Import a bank statement with errors: a lenient commit");
    let payments = &ledger.payments;
    let new = |id| Payment { status: Status::Pending, ..generate::payment(id) };
    let mut batch = ledger.store.batch();
    batch.insert(payments, new(PAYMENTS + 10))?;
    batch.insert(payments, new(PAYMENTS + 1))?; // exists already
    batch.insert(payments, Payment { reference: "RF-000002".into(), ..new(PAYMENTS + 11) })?;
    batch.update(payments, PAYMENTS + 10, |payment| payment.transition(Status::Failed))?;
    batch.update(payments, PAYMENTS + 10, |payment| payment.transition(Status::Refunded))?;
    batch.update(payments, PAYMENTS + 99, |payment| payment.note = "late".into())?;
    batch.delete(payments, PAYMENTS + 99)?;
    // Fail old pending payments. Finding and updating them is one atomic step.
    let overdue = payment::STATUS.eq(Status::Pending) & payment::CREATED_AT.lt(day(30));
    batch.update_where(payments, overdue, |payment| payment.transition(Status::Failed))?;

    let operations = batch.operations();
    let report = batch.commit_lenient()?;
    let rows = operations.iter().map(|operation| {
        let outcome = report.outcome(operation.position);
        let refused = report.refused.iter().find(|refused| refused.refusal.position() == Some(operation.position));
        [
            operation.operation.to_owned(),
            operation.key.as_ref().map_or("by condition".into(), |key| key.to_string()),
            outcome.map_or(String::new(), |outcome| format!("{outcome:?}")),
            refused.map_or(String::new(), |refused| refused.refusal.cause().to_string()),
        ]
    });
    tables::print(["operation", "payment", "outcome", "cause"], rows);

    let references = report.refused.into_iter().filter_map(|refused| refused.operation.into_record::<Payment>());
    let references: Vec<String> = references.map(|payment| payment.reference).collect();
    println!("\nThe report returns the refused records: {}.", references.join(" and "));
    Ok(())
}

/// Adding and dropping an index blocks neither readers nor writers.
fn index_under_commits(ledger: &Ledger) -> Result<()> {
    heading("Add an index while payments are processed");
    let payments = &ledger.payments;
    let of_a_week = payments.find(payment::CREATED_AT.between(day(50), day(57)));
    let timed = || -> Result<[String; 2]> {
        let started = Instant::now();
        Ok([count(of_a_week.count()?), format!("{:.1?}", started.elapsed())])
    };
    let [found, by_scan] = timed()?;

    let mut open = payments.find(payment::STATUS.eq(Status::Pending)).fetch()?;
    open.sort_by_key(|payment| payment.id);
    let (processed, took) = std::thread::scope(|scope| {
        let commits = scope.spawn(|| open.iter().take(1_000).filter(|it| ledger.process(it.id).is_ok()).count());
        let started = Instant::now();
        payments.add_index(IndexDef::ordered("created_at"))?;
        let took = started.elapsed();
        let processed = commits.join().map_err(|_| "a thread has panicked")?;
        Ok::<_, Box<dyn Error>>((processed, took))
    })?;
    let [_, by_index] = timed()?;
    println!("Built in {took:.1?}, with {} commits at the same time.", count(processed));
    println!("{found} payments of one week, counted by scan in {by_scan}, by index in {by_index}.");
    payments.drop_index("created_at")?;
    Ok(())
}

/// Deletes old payments, then releases their memory.
fn delete_old(ledger: &Ledger) -> Result<()> {
    heading("Delete payments older than day 60, unless they are pending");
    let memory = || -> Result<[usize; 6]> {
        let stats = ledger.store.stats();
        let of = stats
            .collections
            .iter()
            .find(|it| it.name == ledger.payments.name())
            .ok_or("the store has no statistics of payments")?;
        let memory = of.memory;
        Ok([
            of.records,
            memory.records + memory.record_heap + memory.versions,
            memory.indexes + memory.back_references,
            memory.columns,
            memory.key_table + memory.row_pages,
            memory.total(),
        ])
    };
    let before = memory()?;
    let old = payment::CREATED_AT.lt(day(60)) & payment::STATUS.ne(Status::Pending);
    let receipt = ledger.payments.delete_where(old)?;
    let cleared = memory()?;
    let started = Instant::now();
    ledger.store.optimize()?;
    let (optimized, took) = (memory()?, started.elapsed());

    println!(
        "{} payments deleted in one commit of {:.1?}; optimized in {took:.1?}.\n",
        count(receipt.counts.deleted),
        receipt.took
    );
    let names = ["payments", "records", "indexes", "columns", "key table and row pages", "all memory"];
    let rows = (0..names.len()).map(|at| {
        let cell = |figures: [usize; 6]| if at == 0 { count(figures[0]) } else { bytes(figures[at]) };
        [names[at].to_owned(), cell(before), cell(cleared), cell(optimized)]
    });
    tables::print(["", ">before", ">deleted", ">optimized"], rows);
    Ok(())
}

/// Runs one query over both collections, at one commit.
fn search(ledger: &Ledger) -> Result<()> {
    heading("Search both collections for org-24");
    let hits = ledger
        .store
        .snapshot()
        .search(field("organization").eq("org-24"))
        .over(&ledger.accounts)
        .over(&ledger.payments)
        .fetch()?;
    let account = hits.iter().find_map(|hit| hit.record::<Account>()).ok_or("no account")?;
    println!("Its balance is {}, and its payments are:\n", euros(account.balance_cents));
    tables::print_payments(hits.iter().filter_map(|hit| hit.record::<Payment>()).collect(), 5);
    Ok(())
}

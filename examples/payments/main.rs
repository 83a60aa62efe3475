//! The life of payments in memdex: taken in bulk, found, summed up, processed, refunded, and cleared away.
//!
//! ```text
//! cargo run --release --example payments
//! ```
//!
//! Read it from top to bottom. `model.rs` beside it says what a payment is, `commands.rs` what can be done with it,
//! `list.rs` shows the list of an office, `figures.rs` sums up; `generate.rs` makes payments up, `tables.rs` prints.

mod commands;
mod figures;
mod generate;
mod list;
mod model;
mod tables;

use commands::{CommandError, Ledger};
use generate::{ORGANIZATIONS, PAYMENTS, day, organization};
use memdex::{Filter, IndexDef, Receipt, Snapshot, field};
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
    list::turn_pages(&ledger)?;
    figures::by_status(&ledger)?;
    figures::by_currency(&ledger)?;
    figures::by_day(&ledger)?;
    command(&ledger)?;
    refund_under_a_snapshot(&ledger)?;
    figures::keep_standing(&ledger)?;
    read_a_statement(&ledger)?;
    index_while_commits_go_on(&ledger)?;
    clear_away(&ledger)?;
    search(&ledger)?;

    heading("Last, the audit");
    let audit = ledger.store.verify()?;
    println!(
        "Every structure agrees with every record: {} collections, {} records, {} values in indexes.",
        audit.collections,
        count(audit.records),
        count(audit.index_entries)
    );
    Ok(())
}

/// The background writer takes whole batches into a queue and commits them on a thread of its own; the ticket of each says
/// what became of it.
fn load(ledger: &Ledger) -> Result<()> {
    const BATCH: u64 = 500;
    heading("Payments in bulk");
    let Ledger { store, payments, accounts } = ledger;
    store.commit(|batch| {
        let open = |number| Account { organization: organization(number), balance_cents: 0 };
        (0..ORGANIZATIONS).try_for_each(|number| batch.insert(accounts, open(number)))
    })?;

    let started = Instant::now();
    let background = store.background_writer().start()?;
    let mut tickets = Vec::new();
    for first in (1..=PAYMENTS).step_by(BATCH as usize) {
        // Payments and what they bring are one submission: whole or not at all.
        tickets.push(background.submit_with(|batch| {
            let mut income = BTreeMap::<String, i64>::new();
            for id in first..first + BATCH {
                let mut payment = generate::payment(id);
                if id == 70_007 {
                    payment.reference = "RF-000001".into(); // somebody's mistake
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
    println!("{} payments in {} batches, taken in {took:.1?}: {rate} a second.", count(payments.len()), tickets.len());

    for mut ticket in tickets {
        let Err(not_applied) = ticket.wait() else { continue };
        println!("One batch is not among them. Its ticket says:\n\n  {not_applied}\n");
        let memdex::NotApplied::Refused(refused) = not_applied else { return Err(not_applied.into()) };
        let (refusal, mut batch) = refused.into_parts();
        let position = refusal.position().ok_or("no operation is at fault")?;
        batch.mend(payments, position, |payment| payment.reference = format!("RF-{:06}", payment.id))?;
        background.submit(batch)?.wait()?;
        println!("It has come back, its reference is mended, and now there are {}.", count(payments.len()));
    }
    Ok(())
}

fn show_indexes(ledger: &Ledger) {
    heading("By what they are found");
    let rows = ledger.payments.indexes().into_iter().map(|index| {
        let of = if index.condition().is_some() { "those that are pending" } else { "all" };
        [index.name().to_owned(), index.kind().to_string(), index.fields().join(", "), of.to_owned()]
    });
    tables::print(["index", "kind", "fields", "payments in it"], rows);
}

/// `payment::STATUS` and its like come with the derive: a misspelt field, or a comparison with another type, does not
/// compile.
fn find(ledger: &Ledger) -> Result<()> {
    heading("Questions");
    let payments = &ledger.payments;
    let (brand, country) = (payment::CARD.dot(card::BRAND), payment::CARD.dot(card::COUNTRY));
    let org = || payment::ORGANIZATION.eq("org-07");
    let questions: [(&str, Filter<Payment>); 11] = [
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
        ("by a card of Liechtenstein (a column)", country.eq("LI")),
    ];
    let rows = questions.map(|(asked, filter)| {
        let started = Instant::now();
        let found = payments.find(filter).count()?;
        Ok([asked.to_owned(), count(found), format!("{:.1?}", started.elapsed())])
    });
    tables::print(["payments", ">how many", ">counted in"], rows.into_iter().collect::<Result<Vec<_>>>()?);

    println!("\nSome, as they are:\n");
    let gifts = org() & payment::TAGS.contains("gift") & payment::AMOUNT_CENTS.gt(150_000) & brand.eq("visa");
    tables::print_payments(payments.find(gifts).fetch()?, 5);

    let by_reference = payments.get_by(payment::REFERENCE, "RF-070007")?.ok_or("no such reference")?;
    println!("\nThe reference RF-070007 is that of payment {}.", by_reference.id);
    Ok(())
}

/// What the rules forbid comes back as the error type that they have.
fn command(ledger: &Ledger) -> Result<()> {
    heading("Commands: create, process, fail and refund");
    let new = |id| Payment { status: Status::Pending, ..generate::payment(id) };
    let taken = Payment { reference: "RF-000001".into(), ..new(PAYMENTS + 3) };
    let (first, second) = (PAYMENTS + 1, PAYMENTS + 2);
    let balance = || ledger.accounts.get(&new(first).organization).map_or(0, |account| account.balance_cents);
    let before = balance();
    type Outcome = Result<Receipt, CommandError>;
    let done: [(&str, Outcome); 9] = [
        ("create the first", ledger.create(new(first))),
        ("create the second", ledger.create(new(second))),
        ("create one with a reference that is taken", ledger.create(taken)),
        ("refund the first", ledger.refund(first)),
        ("process the first", ledger.process(first)),
        ("process it again", ledger.process(first)),
        ("refund it", ledger.refund(first)),
        ("fail the second", ledger.fail(second, "card expired")),
        ("process one that there is not", ledger.process(PAYMENTS + 9)),
    ];
    let forbidden = done
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Err(CommandError::Forbidden(Forbidden::Transition { .. }))));
    let forbidden = forbidden.count();
    let rows = done.map(|(what, outcome)| {
        let outcome = match outcome {
            Ok(receipt) => format!("{} changed", receipt.counts.total()),
            Err(error) => error.to_string(),
        };
        [what.to_owned(), outcome]
    });
    tables::print(["command", "what came of it"], rows);
    let now = euros(balance());
    println!("\n{forbidden} were against the rules. The account had {} before, and now {now}.", euros(before));
    Ok(())
}

/// A snapshot shows all of the store as of one commit, for as long as it is held; it stops nobody.
fn refund_under_a_snapshot(ledger: &Ledger) -> Result<()> {
    heading("A snapshot is held while disputed payments are refunded");
    let before = ledger.store.snapshot();
    let disputed = || payment::TAGS.contains("disputed") & payment::STATUS.eq(Status::Completed);
    let found = before.of(&ledger.payments).find(disputed()).fetch()?;
    let receipt = ledger
        .store
        .commit(|batch| found.iter().try_for_each(|payment| ledger.add_turn(batch, payment, Status::Refunded)))?;
    let after = ledger.store.snapshot();
    println!("{} records changed in one commit. As the two snapshots see it:\n", receipt.counts.updated);

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
    let names = ["disputed and completed", "refunded", "all that is completed", "what the accounts have"];
    let rows = names.into_iter().zip(before).zip(after).map(|((name, before), after)| [name.into(), before, after]);
    tables::print(["", ">before", ">after"], rows);
    Ok(())
}

/// A lenient commit leaves out just what is refused, gives it back, and reports on each operation.
fn read_a_statement(ledger: &Ledger) -> Result<()> {
    heading("A bank's statement, with mistakes in it: a lenient commit");
    let payments = &ledger.payments;
    let new = |id| Payment { status: Status::Pending, ..generate::payment(id) };
    let mut batch = ledger.store.batch();
    batch.insert(payments, new(PAYMENTS + 10))?;
    batch.insert(payments, new(PAYMENTS + 1))?; // is there
    batch.insert(payments, Payment { reference: "RF-000002".into(), ..new(PAYMENTS + 11) })?;
    batch.try_update(payments, PAYMENTS + 10, |payment| payment.turn(Status::Failed))?;
    batch.try_update(payments, PAYMENTS + 10, |payment| payment.turn(Status::Refunded))?;
    batch.update(payments, PAYMENTS + 99, |payment| payment.note = "late".into())?;
    batch.delete(payments, PAYMENTS + 99)?;
    // What has been open for long fails: found and changed in one step, so that nobody comes between.
    let forgotten = payment::STATUS.eq(Status::Pending) & payment::CREATED_AT.lt(day(30));
    batch.try_update_where(payments, forgotten, |payment| payment.turn(Status::Failed))?;

    let operations = batch.operations();
    let report = batch.commit_lenient()?;
    let rows = operations.iter().map(|operation| {
        let outcome = report.outcome(operation.position);
        let refused = report.refused.iter().find(|refused| refused.refusal.position() == Some(operation.position));
        [
            operation.operation.to_owned(),
            operation.key.as_ref().map_or("of a condition".into(), |key| key.to_string()),
            outcome.map_or(String::new(), |outcome| format!("{outcome:?}")),
            refused.map_or(String::new(), |refused| refused.refusal.cause().to_string()),
        ]
    });
    tables::print(["operation", "payment", "outcome", "why"], rows);

    let references = report.refused.into_iter().filter_map(|refused| refused.operation.into_record::<Payment>());
    let references: Vec<String> = references.map(|payment| payment.reference).collect();
    println!("\nThe records of what was refused are here again: {}.", references.join(" and "));
    Ok(())
}

/// Indexes come and go, and stop neither readers nor writers.
fn index_while_commits_go_on(ledger: &Ledger) -> Result<()> {
    heading("An index more, while payments are processed");
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
    println!("Built in {took:.1?}; {} commits went on beside it.", count(processed));
    println!("{found} payments of one week, counted by scan in {by_scan}, by index in {by_index}.");
    payments.drop_index("created_at")?;
    Ok(())
}

/// What is no longer needed goes, and then its memory.
fn clear_away(ledger: &Ledger) -> Result<()> {
    heading("What is older than sixty days goes, unless it is open");
    let memory = || -> Result<[usize; 6]> {
        let stats = ledger.store.stats();
        let of = stats.collections.iter().find(|it| it.name == ledger.payments.name()).ok_or("no figures")?;
        let memory = of.memory;
        Ok([
            of.records,
            memory.records + memory.versions,
            memory.indexes + memory.codes,
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
    let names = ["payments", "they themselves", "indexes", "columns", "from keys and rows", "all memory"];
    let rows = (0..names.len()).map(|at| {
        let shown = |figures: [usize; 6]| if at == 0 { count(figures[0]) } else { bytes(figures[at]) };
        [names[at].to_owned(), shown(before), shown(cleared), shown(optimized)]
    });
    tables::print(["", ">before", ">deleted", ">optimized"], rows);
    Ok(())
}

/// One question to both collections, as of one commit.
fn search(ledger: &Ledger) -> Result<()> {
    heading("Whatever belongs to org-24");
    let hits = ledger
        .store
        .snapshot()
        .search(field("organization").eq("org-24"))
        .over(&ledger.accounts)
        .over(&ledger.payments)
        .fetch()?;
    let account = hits.iter().find_map(|hit| hit.record::<Account>()).ok_or("no account")?;
    println!("Its account has {}, and it has these payments:\n", euros(account.balance_cents));
    tables::print_payments(hits.iter().filter_map(|hit| hit.record::<Payment>()).collect(), 5);
    Ok(())
}

//! Statistics over payments: computed on demand, or maintained by every commit.

use crate::Result;
use crate::commands::Ledger;
use crate::generate::day;
use crate::model::{Status, euros, payment};
use crate::tables::{self, count, heading};
use memdex::aggregate::{AggregationResult, DateUnit, MetricValues, Statistics};
use memdex::schema::AggregateDef;
use memdex::{Bucket, Filter, GroupBy, Metric};
use std::time::Instant;

/// Count, sum and average of the amounts.
fn metrics() -> [Metric; 3] {
    [Metric::count(), payment::AMOUNT_CENTS.sum().named("sum"), payment::AMOUNT_CENTS.avg().named("average")]
}

/// Metric values as cells of a table.
fn cells(figures: &MetricValues) -> [String; 3] {
    let average = figures.float("average").map_or("–".into(), |cents| euros(cents.round() as i64));
    [count(figures.int("count").unwrap_or(0) as usize), euros(figures.int("sum").unwrap_or(0)), average]
}

/// Prints a row for each group, and one for the total.
fn print(title: &str, summary: &AggregationResult) {
    let row = |name: String, figures: &MetricValues| {
        let [count, sum, average] = cells(figures);
        [name, count, sum, average]
    };
    let rows = summary.groups().iter().map(|group| row(tables::text(&group.key[0]), group));
    let rows = rows.chain([row("all".into(), summary)]);
    tables::print([title, ">payments", ">sum", ">average"], rows);
    println!("\nComputed in {:.1?}.", summary.took);
}

/// Every query can be aggregated; this one selects all payments.
pub(crate) fn by_status(ledger: &Ledger) -> Result<()> {
    heading("Statistics by status");
    let by_status = Statistics::of(metrics()).group_by(GroupBy::values(payment::STATUS).metrics(metrics()));
    print("status", &ledger.payments.find(Filter::all()).statistics(by_status)?);
    Ok(())
}

/// Aggregates only completed payments, with the highest sum first.
pub(crate) fn by_currency(ledger: &Ledger) -> Result<()> {
    heading("Completed payments by currency, the highest sum first");
    let completed = ledger.payments.find(payment::STATUS.eq(Status::Completed));
    let by_currency = GroupBy::values(payment::CURRENCY).metrics(metrics()).top(10, "sum");
    print("currency", &completed.statistics(Statistics::of(metrics()).group_by(by_currency))?);
    Ok(())
}

/// Groups can be calendar days, and can be nested: here by day, then by status.
pub(crate) fn by_day(ledger: &Ledger) -> Result<()> {
    heading("A week of org-07, day by day");
    let of_a_week = payment::CREATED_AT.ge(day(28)) & payment::CREATED_AT.lt(day(35));
    let by_status = GroupBy::values(payment::STATUS).metrics([Metric::count()]);
    let by_day = GroupBy::from(Bucket::date(payment::CREATED_AT, DateUnit::Day)).with_empty();
    let by_day = by_day.metrics(metrics()).group_by(by_status);
    let summary = ledger.payments.find(payment::ORGANIZATION.eq("org-07") & of_a_week).statistics(by_day)?;

    let most = summary.groups().iter().filter_map(|day| day.int("sum")).max().unwrap_or(0);
    let rows = summary.groups().iter().map(|day| {
        // The key of a day is its start, which prints as 2026-01-31T00:00:00Z.
        let date: String = day.key[0].to_string().chars().take("2026-01-31".len()).collect();
        let pending = day.group(Status::Pending.to_string()).and_then(|group| group.int("count")).unwrap_or(0);
        let [payments, sum, _] = cells(day);
        [date, payments, count(pending as usize), sum, tables::bar(day.int("sum").unwrap_or(0), most)]
    });
    tables::print(["day, UTC", ">payments", ">pending", ">sum", ""], rows);
    println!("\nComputed in {:.1?}.", summary.took);
    Ok(())
}

/// Every commit maintains a materialized aggregate: reading it costs time proportional to the number of groups, not of
/// payments. A snapshot reads it at its own commit.
pub(crate) fn maintain_aggregate(ledger: &Ledger) -> Result<()> {
    heading("A materialized aggregate by status, maintained by every commit");
    let payments = &ledger.payments;
    let by_status = Statistics::of(metrics()).group_by(GroupBy::values(payment::STATUS).metrics(metrics()));
    let started = Instant::now();
    payments.add_aggregate(AggregateDef::new("by_status", by_status))?;
    println!("Added, and computed from the existing payments, in {:.1?}.\n", started.elapsed());

    let snapshot = ledger.store.snapshot();
    let before = payments.aggregate("by_status")?;
    let open = payments.find(payment::ORGANIZATION.eq("org-03") & payment::STATUS.eq(Status::Pending)).fetch()?;
    let receipt = ledger
        .store
        .commit(|batch| open.iter().try_for_each(|it| ledger.add_transition(batch, it, Status::Completed)))?;
    let after = payments.aggregate("by_status")?;
    let in_snapshot = snapshot.of(payments).aggregate("by_status")?;

    println!(
        "All pending payments of org-03 complete: {} records change in one commit.\n",
        count(receipt.counts.updated)
    );
    let statuses = [Status::Pending, Status::Completed, Status::Failed, Status::Refunded].map(|it| it.to_string());
    let rows = statuses.iter().flat_map(|status| {
        let cells_of = |summary: &AggregationResult| {
            summary.group(status.as_str()).map_or_else(Default::default, |group| cells(group))
        };
        let (before, after, old) = (cells_of(&before), cells_of(&after), cells_of(&in_snapshot));
        [(0, "payments"), (1, "sum"), (2, "average")].map(|(at, metric)| {
            let name = if at == 0 { status.clone() } else { String::new() };
            [name, metric.into(), before[at].clone(), after[at].clone(), old[at].clone()]
        })
    });
    let columns = ["", "", ">before", ">after", ">after, in the older snapshot"];
    tables::print(columns, rows);
    println!(
        "\nRead in {:.1?} before, in {:.1?} after, in {:.1?} by the snapshot.",
        before.took, after.took, in_snapshot.took
    );
    Ok(())
}

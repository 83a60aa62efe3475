//! Statistics by group: of all payments by status and by day, and of one organisation by status.

use crate::data::{PaidOut, STATUSES, in_sqlite, payments, stored};
use crate::durations::{Durations, heading, line};
use memdex::aggregate::DateUnit;
use memdex::query::Predicate;
use memdex::schema::AggregateDef;
use memdex::{Bucket, GroupBy, Metric, field};
use rusqlite::Connection;
use std::hint::black_box;
use std::time::Duration;

const DAY_MICROS: u64 = 86_400 * 1_000_000;
const ORGANIZATION: &str = "org-0000007";
/// Steps that take less than a microsecond are timed in groups of this size.
const READS: u32 = 100;

pub(crate) fn run() {
    heading("statistics");
    let payments = payments();
    let sqlite = in_sqlite(&payments).expect("SQLite takes payments");
    let (store, collection) = stored(&payments);
    let by_status = |name: &'static str| {
        let amount = || field(name);
        GroupBy::values("status").metrics([Metric::count(), amount().sum(), amount().avg()])
    };
    let by_day = || GroupBy::new([Bucket::date("created_at", DateUnit::Day)]).metrics([Metric::count()]);
    let all = || collection.find(Predicate::All);
    let one = || collection.find(field("organization_id").eq(ORGANIZATION));

    let grouped = || all().statistics(by_status("amount_cents")).expect("the fields are there");
    let (loop_time, sums) = median(20, by_hand(&payments));
    let (time, summary) = median(50, grouped);
    let in_sql = "SELECT status, count(*), sum(amount_cents), avg(amount_cents) FROM payment GROUP BY status";
    for (group, (count, sum)) in summary.groups().iter().zip(sums) {
        assert_eq!((group.int("count"), group.int("sum(amount_cents)")), (Some(count as i64), Some(sum)));
    }
    print("by status: count, sum, avg of all", time, Some(loop_time), median(3, sql(&sqlite, in_sql)).0);

    let (loop_time, days) = median(20, by_hand_and_day(&payments));
    let (time, summary) = median(50, || all().statistics(by_day()).expect("the field is there"));
    assert_eq!(summary.groups().len(), days.iter().filter(|count| **count > 0).count());
    let in_sql = "SELECT created_at / 86400000000, count(*) FROM payment GROUP BY 1";
    print("by day: count of all", time, Some(loop_time), median(3, sql(&sqlite, in_sql)).0);

    let (time, summary) = median(2_000, || one().statistics(by_status("amount_cents")).expect("the fields are there"));
    let rows: i64 = summary.groups().iter().filter_map(|group| group.int("count")).sum();
    let in_sql = "SELECT status, count(*), sum(amount_cents), avg(amount_cents) FROM payment
        WHERE organization_id = 'org-0000007' GROUP BY status";
    let sqlite_time = median(20, sql(&sqlite, in_sql)).0;
    print(&format!("by status: the same over {rows} rows of one organisation"), time, None, sqlite_time);

    collection
        .add_aggregate(AggregateDef::new("by status", by_status("amount_cents")))
        .expect("the declaration is sound");
    let read =
        || (0..READS).map(|_| collection.aggregate("by status").expect("it is there").groups().len()).sum::<usize>();
    let (time, _) = median(200, read);
    line("by status: materialized aggregate", format_args!("{:.2?}", time / READS));
    drop(collection.drop_aggregate("by status"));

    let (time, _) = median(5, || all().statistics(by_status("fee_cents")).expect("the fields are there"));
    line("by status: the same without a column, all records", format_args!("{time:.2?}"));
    let sums = || all().statistics([field("amount_cents").sum(), field("amount_cents").max()]);
    line("sum and max of all", format_args!("{:.2?}", median(50, sums).0));
    let by_width = || GroupBy::new([Bucket::width("amount_cents", 10_000)]).metrics([Metric::count()]);
    line("histogram of amounts", format_args!("{:.2?}", median(50, || all().statistics(by_width())).0));
    let spread = || all().statistics([field("amount_cents").stddev(), field("amount_cents").percentile(50.0)]);
    line("deviation and median", format_args!("{:.2?}", median(5, spread).0));
    let distinct = || all().statistics(field("amount_cents").distinct());
    line("distinct amounts", format_args!("{:.2?}", median(5, distinct).0));
    let held = store.snapshot();
    for n in 0..1_000 {
        let update = |payment: &mut PaidOut| payment.amount_cents += 1;
        collection.update(format!("payment-{:07}", n * 997), update).expect("it is there");
    }
    let old = || held.of(&collection).find(Predicate::All).statistics(by_status("amount_cents"));
    line("by status: at a snapshot, 1,000 rows changed since", format_args!("{:.2?}", median(20, old).0));
}

fn print(what: &str, time: Duration, by_loop: Option<Duration>, sqlite: Duration) {
    let by_loop = by_loop.map_or(String::new(), |time| format!(", a loop over vectors {time:.2?}"));
    line(what, format_args!("{time:.2?}{by_loop}, SQLite {sqlite:.2?}"));
}

/// The median duration of several runs, and the last result.
fn median<T>(times: usize, mut step: impl FnMut() -> T) -> (Duration, T) {
    let mut durations = Durations::with_capacity(times);
    let mut result = durations.time(&mut step);
    for _ in 1..times {
        result = durations.time(&mut step);
    }
    (durations.median(), result)
}

fn by_hand(payments: &[PaidOut]) -> impl FnMut() -> [(u64, i64); 4] {
    let code = |p: &PaidOut| STATUSES.iter().position(|status| *status == p.status).unwrap_or(0) as u8;
    let codes: Vec<u8> = payments.iter().map(code).collect();
    let amounts: Vec<i64> = payments.iter().map(|p| p.amount_cents).collect();
    move || {
        let mut sums = [(0, 0); 4];
        for (code, amount) in black_box(&codes).iter().zip(black_box(&amounts)) {
            let (count, sum) = &mut sums[usize::from(*code)];
            *count += 1;
            *sum += amount;
        }
        sums
    }
}

fn by_hand_and_day(payments: &[PaidOut]) -> impl FnMut() -> Vec<u64> {
    let times: Vec<u64> = payments.iter().map(|p| p.created_at.as_micros().unsigned_abs()).collect();
    move || {
        let mut days = vec![0; 40_000];
        for time in black_box(&times) {
            days[(time / DAY_MICROS) as usize] += 1;
        }
        days
    }
}

fn sql(data_base: &Connection, text: &'static str) -> impl FnMut() -> usize {
    move || {
        let mut statement = data_base.prepare_cached(text).expect("the query is sound");
        let mut rows = statement.query([]).expect("the query is sound");
        let mut count = 0;
        while rows.next().expect("the query is sound").is_some() {
            count += 1;
        }
        count
    }
}

//! Records by two fields, top-k queries, and pages near and far; medians.

use crate::data::{in_sqlite, payments, stored};
use crate::durations::{heading, line};
use memdex::field;
use memdex::query::Cursor;
use rusqlite::{Connection, ToSql};
use std::hint::black_box;
use std::time::{Duration, Instant};

const PAGE: usize = 20;

pub(crate) fn run() {
    heading("pages");
    let payments = payments();
    let sqlite = in_sqlite(&payments).expect("SQLite takes payments");
    let (_store, collection) = stored(&payments);
    let organization = |n: usize| format!("org-{:07}", n % 1_000);

    // As many organisations as runs, so that no run finds its records in the caches.
    let two_fields = |n| {
        let found = collection.find(field("organization_id").eq(organization(n)) & field("status").eq("completed"));
        found.fetch().expect("the fields are there").len()
    };
    let in_sql = "SELECT * FROM payment WHERE organization_id = ?1 AND status = 'completed'";
    let peer = median(200, |n| rows(&sqlite, in_sql, &[&organization(n)]));
    let mut found: Vec<usize> = (0..1_000).map(two_fields).collect();
    found.sort_unstable();
    print(&format!("two fields, {} records fetched", found[found.len() / 2]), median(1_000, two_fields), peer);

    let top = |n: usize| {
        let from = (n as i64 * 7_919) % 800_000;
        let filter = field("status").eq("completed") & field("amount_cents").between(from, from + 100_000);
        let page = collection.find(filter).order_by(field("created_at").desc()).limit(10).fetch();
        assert_eq!(page.expect("the fields are there").records.len(), 10);
    };
    let in_sql = "SELECT * FROM payment WHERE status = 'completed' AND amount_cents BETWEEN ?1 AND ?1 + 100000
        ORDER BY created_at DESC, payment_id LIMIT 10";
    let peer = median(20, |n| rows(&sqlite, in_sql, &[&((n as i64 * 7_919) % 800_000)]));
    print("range and equality, the newest 10", median(1_000, top), peer);
    let within = |n| {
        let filter = field("organization_id").eq(organization(n)) & field("amount_cents").gt(500_000);
        black_box(collection.find(filter).order_by(field("amount_cents").desc()).limit(10).fetch().is_ok());
    };
    line("the 10 highest amounts of one organisation", format_args!("{:.1?}", median(1_000, within)));

    let page_after = |cursor: Option<&Cursor>| {
        let find = collection.find(field("status").eq("completed")).order_by(field("created_at").desc()).limit(PAGE);
        let find = match cursor {
            Some(cursor) => find.after(cursor.clone()),
            None => find,
        };
        find.fetch().expect("the fields are there")
    };
    let mut cursor = page_after(None).next;
    for _ in 2..500 {
        cursor = page_after(cursor.as_ref()).next;
    }
    let first = median(2_000, |_| drop(page_after(None)));
    let far = median(2_000, |_| drop(page_after(cursor.as_ref())));
    let by_offset = median(50, |_| {
        let find = collection.find(field("status").eq("completed")).order_by(field("created_at").desc());
        drop(find.limit(PAGE).offset(499 * PAGE).fetch());
    });
    let in_sql =
        "SELECT * FROM payment WHERE status = 'completed' ORDER BY created_at DESC, payment_id LIMIT 20 OFFSET ?1";
    print("page 1 of 20", first, median(50, |_| rows(&sqlite, in_sql, &[&0])));
    print("page 500, by cursor", far, median(10, |_| rows(&sqlite, in_sql, &[&(499 * PAGE as i64)])));
    line("page 500 / page 1", format_args!("{:.2} ×", far.as_secs_f64() / first.as_secs_f64()));
    line("page 500, by offset", format_args!("{by_offset:.1?}"));
}

fn rows(sqlite: &Connection, statement: &str, params: &[&dyn ToSql]) {
    let mut prepared = sqlite.prepare_cached(statement).expect("the statement is sound");
    let mut found = prepared.query(params).expect("the parameters fit");
    while let Ok(Some(row)) = found.next() {
        black_box(row.get_ref(0).is_ok());
    }
}

fn median<T>(times: usize, mut run: impl FnMut(usize) -> T) -> Duration {
    let timed = |n| {
        let started = Instant::now();
        black_box(run(n));
        started.elapsed()
    };
    let mut durations: Vec<Duration> = (0..times).map(timed).collect();
    durations.sort_unstable();
    durations[times / 2]
}

fn print(what: &str, time: Duration, sqlite: Duration) {
    line(what, format_args!("{time:.1?}, SQLite {sqlite:.1?}: {:.3} ×", time.as_secs_f64() / sqlite.as_secs_f64()));
}

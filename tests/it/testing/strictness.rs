//! What a strict store refuses, and that it changes no answer that it gives.

use super::{Payment, cents, payment, store};
use crate::cases::default_cases;
use memdex::error::{Cause, QueryError};
use memdex::hook::testing::Strictness;
use memdex::schema::AggregateDef;
use memdex::{FieldDef, Filter, GroupBy, KeyValue, Kind, Metric, Query, Record, Schema, Store, field};
use proptest::prelude::*;

fn strict() -> Strictness {
    Strictness::new()
}

fn filled(records: u32) -> (Store, memdex::Collection<Payment>) {
    let (store, payments) = store();
    let status = |id| if id % 10 == 0 { "open" } else { "paid" };
    store
        .commit(|batch| (0..records).try_for_each(|id| batch.store(&payments, payment(id, status(id), i64::from(id)))))
        .unwrap();
    (store, payments)
}

fn is_scan<T>(answer: Result<T, QueryError>) -> bool {
    match answer {
        Ok(_) => false,
        Err(QueryError::FullScan { collection, plan, .. }) => {
            assert!(collection == "Payment" && !plan.is_empty());
            true
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn scans_are_refused_whatever_the_number_of_records() {
    for records in [0, 1, 3, 2_000] {
        let (store, payments) = filled(records);
        store.set_strictness(strict().refuse_scans());
        let note = || field("note").eq("note 1");
        // Without an index.
        assert!(is_scan(payments.find(note()).fetch()));
        assert!(is_scan(payments.find(note()).keys()));
        assert!(is_scan(payments.find(note()).count()));
        assert!(is_scan(payments.find(note()).exists()));
        assert!(is_scan(payments.find(note()).iter()));
        assert!(is_scan(payments.find(note()).limit(3).first()));
        assert!(is_scan(payments.find(note() | field("status").eq("open")).count()), "one side has no index");
        assert!(is_scan(payments.find(Filter::all()).fetch()), "all records");
        assert!(is_scan(payments.find(Filter::all()).order_by(field("note").asc()).limit(5).fetch()), "no order");
        assert!(is_scan(store.snapshot().search(note()).over(&payments).fetch()));
        assert!(is_scan(store.query(&Query::over(["Payment"]).filter(note()))));
        assert!(is_scan(payments.cached().find(note()).count()));
        // With one.
        assert!(!is_scan(payments.find(note() & field("status").eq("open")).count()));
        assert!(!is_scan(payments.find(cents().between(3, 9)).fetch()));
        assert!(!is_scan(payments.find(field("id").eq(3)).fetch()), "the key");
        assert!(!is_scan(payments.find(field("id").is_in([3, 4])).fetch()));
        assert!(!is_scan(payments.find(field("status").eq("open") | field("reference").eq("r-1")).fetch()));
        assert!(!is_scan(payments.find(Filter::all()).count()));
        assert!(!is_scan(payments.find(Filter::all()).limit(5).fetch()), "in the order of the key");
        assert!(!is_scan(payments.find(Filter::all()).order_by(cents().desc()).limit(5).fetch()));
        assert!(!is_scan(payments.cached().find(field("status").eq("open")).count()));
        // Statistics, if anything has to be read for them.
        assert_eq!(is_scan(payments.find(Filter::all()).statistics(cents().sum())), records > 0);
        let by_status = GroupBy::values("status").metrics([Metric::count()]);
        payments.add_aggregate(AggregateDef::new("by_status", by_status.clone())).unwrap();
        assert!(!is_scan(payments.find(Filter::all()).statistics(by_status)));
    }
}

#[test]
fn writes_by_filter_are_judged_like_queries() {
    let (store, payments) = filled(50);
    store.set_strictness(strict().refuse_scans());
    let refused = payments.update_where(field("note").eq("note 1"), |_| ()).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Query(QueryError::FullScan { .. })), "{refused}");
    assert_eq!(payments.delete_where(field("status").eq("open")).unwrap().counts.deleted, 5);
    store.set_strictness(strict().max_examined(10));
    let refused = payments.delete_where(field("note").eq("note 1")).unwrap_err();
    assert!(
        matches!(refused.cause(), Cause::Query(QueryError::TooManyExamined { examined: 45, limit: 10, .. })),
        "{refused}"
    );
    store.set_strictness(strict());
    payments.clear().unwrap();
    store.verify().unwrap();
}

#[test]
fn refusals_show_the_plan_and_the_index_that_would_help() {
    let (store, payments) = filled(1_000);
    store.set_strictness(strict().refuse_scans());
    let Err(QueryError::FullScan { plan, advice, .. }) = payments.find(field("note").eq("x")).count() else { panic!() };
    assert!(plan.contains("scan") && plan.contains("note"), "{plan}");
    assert!(advice.iter().any(|line| line.contains("an index") && line.contains("note")), "{advice:?}");
    let by_note = payments.find(Filter::all()).order_by(field("note").asc()).limit(3);
    let Err(error @ QueryError::FullScan { .. }) = by_note.fetch() else { panic!() };
    assert!(error.to_string().contains("an ordered index on \"note\" would have the order"), "{error}");

    store.set_strictness(strict().max_examined(99));
    let of_open = payments.find(field("status").eq("open") & field("note").eq("note 1"));
    let Err(QueryError::TooManyExamined { examined, limit, plan, advice, .. }) = of_open.count() else { panic!() };
    assert_eq!((examined, limit), (100, 99));
    assert!(plan.contains("filter candidates") && advice[0].contains("note"), "{plan} {advice:?}");
    payments.add_index(memdex::IndexDef::equality("note")).unwrap();
    assert!(of_open.count().is_ok());
}

#[test]
fn what_a_query_looks_at_is_measured() {
    let (store, payments) = filled(1_000);
    let looked = |run: &dyn Fn() -> Result<(), QueryError>| {
        store.set_strictness(strict().max_examined(0));
        match run() {
            Ok(()) => 0,
            Err(QueryError::TooManyExamined { examined, .. }) => examined,
            Err(other) => panic!("{other}"),
        }
    };
    let open = || payments.find(field("status").eq("open"));
    assert_eq!(looked(&|| open().count().map(drop)), 0, "counted by the index");
    assert_eq!(looked(&|| open().fetch().map(drop)), 100, "fetched");
    assert_eq!(looked(&|| payments.find(field("note").eq("note 1")).count().map(drop)), 1_000, "scanned");
    assert_eq!(looked(&|| payments.find(field("note").eq("note 1")).fetch().map(drop)), 1_000, "not fetched again");
    assert_eq!(
        looked(&|| payments.find(field("note").eq("note 1")).iter().map(drop)),
        1_000,
        "before the first record"
    );
    assert_eq!(looked(&|| payments.find(field("id").eq(7)).fetch().map(drop)), 1);
    let walk = looked(&|| payments.find(Filter::all()).order_by(cents().desc()).limit(5).fetch().map(drop));
    assert!((6..=512).contains(&walk), "a walk reads a leaf or two: {walk}");
    assert_eq!(looked(&|| open().statistics(cents().sum()).map(drop)), 100);

    // Cells of columns.
    #[derive(Clone, Record)]
    struct Cell {
        #[record(key)]
        id: u32,
        #[record(column)]
        size: u32,
    }
    let cells = store.collection::<Cell>("Cell").unwrap();
    store.commit(|batch| (0..500).try_for_each(|id| batch.store(&cells, Cell { id, size: id % 7 }))).unwrap();
    assert_eq!(looked(&|| cells.find(cell::SIZE.eq(3)).count().map(drop)), 500);
    assert_eq!(looked(&|| cells.find(Filter::all()).statistics(cell::SIZE.sum()).map(drop)), 500);
}

#[test]
fn one_side_of_a_disjunction_that_only_a_column_answers_is_a_scan() {
    #[derive(Record)]
    struct Visit {
        #[record(key)]
        id: u32,
        #[record(index)]
        page: u32,
        #[record(column)]
        millis: i64,
    }
    let store = Store::new();
    let visits = store.collection::<Visit>("Payment").unwrap();
    let visit = |id: u32| Visit { id, page: id % 500, millis: id.into() };
    store.commit(|batch| (0..2_000).try_for_each(|id| batch.store(&visits, visit(id)))).unwrap();
    store.set_strictness(strict().refuse_scans());
    assert!(!is_scan(visits.find(visit::PAGE.eq(7) | visit::ID.eq(9)).count()));
    assert!(is_scan(visits.find(visit::PAGE.eq(7) | visit::MILLIS.eq(9)).count()));
    assert!(is_scan(visits.find(visit::MILLIS.eq(9)).count()));
}

#[test]
fn a_page_far_behind_the_first_looks_at_as_few_records() {
    let (store, payments) = filled(4_000);
    // A walk reads a leaf or two.
    store.set_strictness(strict().max_examined(600));
    let mut page = payments.find(Filter::all()).order_by(cents().asc()).limit(50).fetch().unwrap();
    let mut records = page.len();
    while let Some(next) = page.next.take() {
        page = payments.find(Filter::all()).order_by(cents().asc()).limit(50).after(next).fetch().unwrap();
        records += page.len();
    }
    assert_eq!(records, 4_000);
}

#[test]
fn unbounded_queries_are_refused() {
    let (store, payments) = filled(100);
    store.set_strictness(strict().max_unbounded(20));
    let paid = || payments.find(field("status").eq("paid"));
    let is_unbounded = |answer: Result<(), QueryError>| match answer {
        Ok(()) => false,
        Err(QueryError::Unbounded { records: 90, limit: 20, .. }) => true,
        Err(other) => panic!("{other}"),
    };
    assert!(is_unbounded(paid().fetch().map(drop)));
    assert!(is_unbounded(paid().order_by(cents().asc()).fetch().map(drop)));
    assert!(is_unbounded(paid().keys().map(drop)));
    assert!(is_unbounded(paid().iter().map(drop)));
    assert!(is_unbounded(paid().order_by(cents().asc()).iter().map(drop)));
    assert!(is_unbounded(payments.cached().find(field("status").eq("paid")).fetch().map(drop)));
    assert!(is_unbounded(store.snapshot().search(field("status").eq("paid")).over(&payments).iter().map(drop)));
    assert!(!is_unbounded(paid().limit(50).fetch().map(drop)));
    assert!(!is_unbounded(paid().page(1).fetch().map(drop)), "a page has ten");
    assert!(!is_unbounded(paid().count().map(drop)));
    assert!(!is_unbounded(paid().statistics(cents().sum()).map(drop)));
    assert!(!is_unbounded(payments.find(field("status").eq("open")).fetch().map(drop)), "ten records");
}

#[test]
fn limits_of_lists_and_windows() {
    let (store, payments) = filled(100);
    store.set_strictness(strict().max_listed(3).result_window(20));
    let listed = |values: Vec<u32>| payments.find(field("id").is_in(values)).count();
    assert_eq!(listed(vec![1, 2, 3]).unwrap(), 3);
    let error = listed(vec![1, 2, 3, 4]).unwrap_err();
    assert!(matches!(error, QueryError::TooManyValues { values: 4, limit: 3, .. }), "{error}");
    let nested = !(field("status").eq("open") | field("id").is_in([1, 2, 3, 4]));
    assert!(matches!(payments.find(nested).count(), Err(QueryError::TooManyValues { .. })));

    let page = |offset, limit| payments.find(Filter::all()).order_by(cents().asc()).offset(offset).limit(limit);
    assert_eq!(page(10, 10).fetch().unwrap().len(), 10);
    let error = page(11, 10).fetch().unwrap_err();
    assert!(matches!(error, QueryError::BeyondWindow { window: 21, limit: 20, .. }), "{error}");
    assert!(matches!(
        payments.find(Filter::all()).page(3).size(10).fetch(),
        Err(QueryError::BeyondWindow { window: 30, .. })
    ));
    // Cursors reach further.
    let mut next = page(0, 20).fetch().unwrap().next;
    let mut pages = 1;
    while let Some(cursor) = next.take() {
        next = payments.find(Filter::all()).order_by(cents().asc()).limit(20).after(cursor).fetch().unwrap().next;
        pages += 1;
    }
    assert_eq!(pages, 5);
}

#[test]
fn limits_of_values_records_and_batches() {
    let (store, payments) = filled(0);
    let beyond = |cause: &Cause| match cause {
        Cause::BeyondLimit { what, size, unit, limit, .. } => (what.clone(), *size, *unit, *limit),
        other => panic!("{other}"),
    };
    store.set_strictness(strict().max_value_bytes(10));
    let long = |id| Payment { note: "n".repeat(11), ..payment(id, "open", 1) };
    let refused = payments.insert(long(1)).unwrap_err();
    assert_eq!(beyond(refused.cause()), ("field \"note\"".to_owned(), 11, "bytes", 10));
    payments.insert(payment(1, "open", 1)).unwrap();
    let refused = payments.update(1, |payment| payment.note += "more and more").unwrap_err();
    assert_eq!(beyond(refused.cause()).1, 19);
    // A lenient commit leaves the operation out, and keeps the one before it on the same record.
    let mut batch = store.batch();
    batch.update(&payments, 1, |payment| payment.cents = 7).unwrap();
    batch.update(&payments, 1, |payment| payment.note = "n".repeat(40)).unwrap();
    batch.insert(&payments, long(2)).unwrap();
    batch.insert(&payments, payment(3, "open", 1)).unwrap();
    let report = batch.commit_lenient().unwrap();
    assert_eq!(report.refused.iter().filter_map(|of| of.refusal.position()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((payments.len(), payments.get(1).unwrap().cents), (2, 7));

    store.set_strictness(strict().max_record_bytes(size_of::<Payment>() + 64));
    let refused = payments.insert(Payment { note: "n".repeat(100), ..payment(4, "open", 1) }).unwrap_err();
    assert_eq!(beyond(refused.cause()).0, "the record");
    payments.insert(payment(4, "open", 1)).unwrap();

    store.set_strictness(strict().max_batch_operations(3));
    let gather = |ids: std::ops::Range<u32>| {
        store.commit(|batch| ids.into_iter().try_for_each(|id| batch.store(&payments, payment(id, "open", 1))))
    };
    gather(10..13).unwrap();
    let refused = gather(10..14).unwrap_err();
    assert_eq!(beyond(refused.cause()), ("the batch".to_owned(), 4, "operations", 3));
    // A background writer joins no submissions to a batch that is too large.
    let background = store.background_writer().start().unwrap();
    let tickets: Vec<_> = (20..40)
        .map(|id| background.submit_with(|batch| batch.store(&payments, payment(id, "open", 1))).unwrap())
        .collect();
    for mut ticket in tickets {
        ticket.wait().unwrap();
    }
    store.set_strictness(strict().max_batch_bytes(1_000));
    let refused = gather(10..40).unwrap_err();
    let (what, size, unit, _) = beyond(refused.cause());
    assert_eq!((&*what, unit), ("the batch", "bytes"));
    assert_eq!(size, refused.into_batch().bytes());

    // The memory of the store.
    store.set_strictness(strict().max_store_bytes(store.stats().memory.now - 1));
    assert_eq!(beyond(gather(10..11).unwrap_err().cause()).0, "the store");
    assert!(payments.update(1, |_| ()).is_err());
    let mixed = store.commit(|batch| {
        batch.delete(&payments, 11)?;
        batch.insert(&payments, payment(90, "open", 1))
    });
    assert_eq!(beyond(mixed.unwrap_err().cause()).0, "the store");
    payments.delete(1).unwrap();
    payments.delete_where(field("id").lt(30)).unwrap();
    store.set_strictness(strict().max_store_bytes(store.stats().memory.now + (1 << 20)));
    gather(10..11).unwrap();

    // Lists of values too.
    store.set_strictness(strict().max_value_bytes(5));
    let tagged = store.key_values::<()>("Tagged", Schema::new([FieldDef::new("tags", Kind::Str).many()])).unwrap();
    let refused = tagged.store(KeyValue::new("a", ()).with_each("tags", ["short", "longer"])).unwrap_err();
    assert_eq!(beyond(refused.cause()).1, 6);
    tagged.store(KeyValue::new("a", ()).with_each("tags", ["short", "tiny"])).unwrap();
    store.verify().unwrap();
}

#[test]
fn collections_have_settings_of_their_own() {
    let (store, payments) = filled(10);
    let others = store.collection::<Payment>("Other").unwrap();
    let scan = |of: &memdex::Collection<Payment>| of.find(field("note").eq("x")).count().is_err();
    store.set_strictness(strict().refuse_scans());
    payments.set_strictness(strict());
    assert_eq!((scan(&payments), scan(&others)), (false, true));
    payments.set_strictness(None);
    assert_eq!((scan(&payments), payments.strictness()), (true, strict().refuse_scans()));
    store.set_strictness(strict());
    payments.set_strictness(strict().refuse_scans());
    assert_eq!((scan(&payments), scan(&others), store.strictness()), (true, false, strict()));
    let text = serde_json::to_string(&strict().max_listed(7)).unwrap();
    assert_eq!(serde_json::from_str::<Strictness>(&text).unwrap(), strict().max_listed(7));
    assert!(serde_json::from_str::<Strictness>(r#"{"refuse_scan":true}"#).is_err());
}

fn predicate() -> impl Strategy<Value = memdex::query::Predicate> {
    let leaf = prop_oneof![
        (0..60_u32).prop_map(|id| field("id").eq(id)),
        prop::collection::vec(0..60_u32, 1..6).prop_map(|ids| field("id").is_in(ids)),
        prop_oneof!["open", "paid", "none"].prop_map(|status| field("status").eq(status)),
        (0..60_i64, 0..60_i64).prop_map(|(a, b)| field("cents").between(a.min(b), a.max(b))),
        (0..4_u32).prop_map(|note| field("note").eq(format!("note {note}"))),
        (0..60_u32).prop_map(|id| field("reference").eq(format!("r-{id}"))),
        (0..60_i64).prop_map(|cents| field("cents").ne(cents)),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a & b),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a | b),
            inner.prop_map(|part| !part),
        ]
    })
}

fn strictness() -> impl Strategy<Value = Strictness> {
    (any::<bool>(), 0..80_usize, 0..80_usize, 1..6_usize, 1..80_usize, 0..16_u8).prop_map(
        |(scans, examined, unbounded, listed, window, which)| {
            let of = if scans { strict().refuse_scans() } else { strict() };
            let of = if which & 1 > 0 { of.max_examined(examined) } else { of };
            let of = if which & 2 > 0 { of.max_unbounded(unbounded) } else { of };
            let of = if which & 4 > 0 { of.max_listed(listed) } else { of };
            if which & 8 > 0 { of.result_window(window) } else { of }
        },
    )
}

proptest! {
    #![proptest_config(default_cases())]

    #[test]
    fn a_random_query_that_is_not_refused_has_the_same_answer(
        records in 0..60_u32,
        strictness in strictness(),
        queries in prop::collection::vec((predicate(), any::<bool>(), prop::option::of(1..20_usize), 0..20_usize), 1..12),
    ) {
        let (store, payments) = filled(records);
        for (filter, ordered, limit, offset) in queries {
            let find = || {
                let find = payments.find(filter.clone());
                let find = if ordered { find.order_by(cents().desc()) } else { find };
                let find = limit.map_or_else(|| find.clone(), |limit| find.clone().limit(limit));
                find.offset(offset)
            };
            let ids = |found: Vec<memdex::Handle<Payment>>| found.iter().map(|payment| payment.id).collect::<Vec<_>>();
            let answers = || {
                let count = find().count();
                let fetched = find().fetch().map(|page| ids(page.records));
                let iterated = find().iter().map(|records| ids(records.collect()));
                let sum = find().statistics(cents().sum()).map(|result| result.int("sum(cents)"));
                let exists = find().exists();
                let cached = payments.cached().find(filter.clone()).count().map(|count| *count);
                (count, fetched, iterated, sum, exists, cached)
            };
            store.set_strictness(strictness);
            let of_strict = answers();
            store.set_strictness(strict());
            let of_all = answers();
            fn same<T: PartialEq + std::fmt::Debug>(of_strict: Result<T, QueryError>, of_all: Result<T, QueryError>) {
                match of_strict {
                    Ok(answer) => assert_eq!(Ok(answer), of_all),
                    Err(error) => {
                        let is_strict = matches!(
                            error,
                            QueryError::FullScan { .. }
                                | QueryError::TooManyExamined { .. }
                                | QueryError::Unbounded { .. }
                                | QueryError::TooManyValues { .. }
                                | QueryError::BeyondWindow { .. }
                        );
                        assert!(is_strict || of_all == Err(error));
                    }
                }
            }
            same(of_strict.0, of_all.0);
            same(of_strict.1, of_all.1);
            same(of_strict.2, of_all.2);
            same(of_strict.3, of_all.3);
            same(of_strict.4, of_all.4);
            same(of_strict.5, of_all.5);
        }
    }
}

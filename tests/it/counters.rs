//! Commands that change one field of a record: every kind of number, what is refused, folding in a batch; random commands against a
//! model; windows.

mod folding;
mod other_records;
mod random;
#[cfg(feature = "windows")]
mod windows;

use memdex::clock::ManualClock;
use memdex::error::{Cause, FieldError, QueryError};
use memdex::typing::DecimalValue;
use memdex::write::Outcome;
use memdex::{Collection, FieldValue, Kind, Nested, Record, Store, Timestamp, Value, field};
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, FieldValue)]
struct Hits(u16);

#[derive(Clone, Debug, PartialEq, Nested)]
struct Traffic {
    #[record(field)]
    bytes: i128,
    #[record(field)]
    paths: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Record)]
#[record(rename_all = "camelCase")]
struct Page {
    #[record(key)]
    id: u32,
    #[record(ordered, column)]
    view_count: u64,
    #[record(field)]
    small: i8,
    #[record(field)]
    wide: u128,
    #[record(field, rename = "weight")]
    load: f64,
    #[record(field)]
    narrow: f32,
    #[record(index)]
    price: DecimalValue,
    #[record(field)]
    hits: Hits,
    #[record(field)]
    optional: Option<u32>,
    #[record(ordered)]
    seen: Option<Timestamp>,
    #[record(index, collate = "nocase")]
    name: String,
    #[record(field)]
    label: &'static str,
    #[record(index)]
    tags: Vec<String>,
    #[record(field)]
    visitors: BTreeSet<u32>,
    #[record(nested)]
    traffic: Traffic,
    #[record(nested)]
    other: Option<Traffic>,
    #[record(nested)]
    history: Vec<Traffic>,
    unqueried: u32,
}

fn traffic() -> Traffic {
    Traffic { bytes: 0, paths: Vec::new() }
}

fn a_page(id: u32) -> Page {
    Page {
        id,
        view_count: 0,
        small: 0,
        wide: 0,
        load: 0.0,
        narrow: 0.0,
        price: DecimalValue::from(0),
        hits: Hits(0),
        optional: None,
        seen: None,
        name: "m".into(),
        label: "fixed",
        tags: Vec::new(),
        visitors: BTreeSet::new(),
        traffic: traffic(),
        other: None,
        history: vec![traffic()],
        unqueried: 5,
    }
}

fn pages() -> (Store, Collection<Page>) {
    let store = Store::new();
    let pages = store.collection::<Page>("Page").unwrap();
    pages.insert(a_page(1)).unwrap();
    (store, pages)
}

#[test]
fn numbers_of_every_kind_are_incremented() {
    let (store, pages) = pages();
    pages.increment(1, page::VIEW_COUNT, 3).unwrap();
    pages.increment(1, field("viewCount"), -1).unwrap();
    pages.increment(1, page::SMALL, -128).unwrap();
    pages.increment(1, page::WIDE, u128::MAX).unwrap();
    pages.increment(1, page::LOAD, 0.5).unwrap();
    pages.increment(1, page::LOAD, 2).unwrap();
    pages.increment(1, page::NARROW, 0.1).unwrap();
    pages.increment(1, page::PRICE, "0.10".parse::<DecimalValue>().unwrap()).unwrap();
    pages.increment(1, page::PRICE, 2).unwrap();
    pages.increment(1, page::PRICE, 0.5).unwrap();
    pages.increment(1, page::HITS, 65_535).unwrap();
    pages.increment(1, page::OPTIONAL, 4).unwrap();
    pages.increment(1, page::TRAFFIC.dot(traffic::BYTES), -7).unwrap();
    pages.increment(1, field("traffic.bytes"), 1_i128 << 100).unwrap();
    let expected = Page {
        view_count: 2,
        small: -128,
        wide: u128::MAX,
        load: 2.5,
        narrow: 0.1,
        price: "2.6".parse().unwrap(),
        hits: Hits(u16::MAX),
        optional: Some(4),
        traffic: Traffic { bytes: (1 << 100) - 7, paths: vec![] },
        ..a_page(1)
    };
    assert_eq!(*pages.get(1).unwrap(), expected);
    assert_eq!(
        pages.find(page::VIEW_COUNT.eq(2) & page::PRICE.eq("2.6".parse::<DecimalValue>().unwrap())).count(),
        Ok(1)
    );
    store.verify().unwrap();
}

#[test]
fn max_and_min_change_what_is_less_or_greater() {
    let (store, pages) = pages();
    let at = Timestamp::from_secs;
    for (max, min) in [(5_i8, -5_i8), (3, -3), (7, -7)] {
        pages.max(1, page::SMALL, max).unwrap();
        let after_max = pages.get(1).unwrap().small;
        pages.min(1, page::OPTIONAL, u32::from(max.unsigned_abs())).unwrap();
        pages.min(1, page::SMALL, min).unwrap();
        assert_eq!(after_max, max);
    }
    pages.max(1, page::SEEN, at(10)).unwrap();
    pages.max(1, page::SEEN, at(9)).unwrap();
    // By the collation of the field, as in queries.
    pages.max(1, page::NAME, "Z").unwrap();
    pages.max(1, page::NAME, "y").unwrap();
    pages.min(1, field("weight"), -1).unwrap();
    pages.max(1, field("wide"), f64::from(1_u32 << 20)).unwrap();
    let page = pages.get(1).unwrap();
    assert_eq!((page.small, page.optional, page.seen, &*page.name), (-7, Some(3), Some(at(10)), "Z"));
    assert_eq!((page.load, page.wide), (-1.0, 1 << 20));
    assert_eq!(pages.find(page::SEEN.ge(at(10)) & page::NAME.eq("z")).count(), Ok(1));
    store.verify().unwrap();
}

#[test]
fn lists_keep_their_last_values() {
    let (store, pages) = pages();
    for n in 0..5 {
        pages.append_bounded(1, page::TAGS, format!("t{n}"), 3).unwrap();
        pages.append_bounded(1, page::TRAFFIC.dot(traffic::PATHS), "p", 2).unwrap();
    }
    let page = pages.get(1).unwrap();
    assert_eq!((&page.tags[..], page.traffic.paths.len()), (&["t2", "t3", "t4"].map(String::from)[..], 2));
    assert_eq!(pages.find(page::TAGS.contains("t1")).count(), Ok(0));
    assert_eq!(pages.find(page::TAGS.contains("t4")).count(), Ok(1));
    pages.append_bounded(1, field("tags"), "last", 1).unwrap();
    assert_eq!(pages.get(1).unwrap().tags, ["last"]);
    store.verify().unwrap();
}

#[test]
fn refusals_name_the_field_and_change_nothing() {
    let (store, pages) = pages();
    pages.update(1, |page| (page.wide, page.load) = (u128::MAX, f64::MAX)).unwrap();
    pages.update(1, |page| page.narrow = f32::MAX).unwrap();
    let before = (store.newest_commit(), pages.get(1).unwrap());
    let refused = |result: Result<memdex::write::Receipt, memdex::write::Refused>| {
        let refused = result.unwrap_err();
        match refused.cause() {
            Cause::Field { field, error, .. } => (field.clone(), error.clone(), refused.to_string()),
            other => panic!("{other:?}"),
        }
    };
    let check = |result, expected: &str, is_it: fn(&FieldError) -> bool| {
        let (field, error, message) = refused(result);
        assert!(is_it(&error), "{error:?}");
        assert_eq!(field, expected);
        assert!(message.contains(&format!("{expected:?}")), "{message}");
    };
    use FieldError::*;
    check(pages.increment(1, field("name"), 1), "name", |e| matches!(e, NoNumber { kind: Kind::Str }));
    check(pages.increment(1, field("seen"), 1), "seen", |e| matches!(e, NoNumber { kind: Kind::Timestamp }));
    check(pages.increment(1, page::ID, 1), "id", |e| *e == PartOfKey);
    check(pages.max(1, page::ID, 9), "id", |e| *e == PartOfKey);
    check(pages.increment(1, field("visitors"), 1), "visitors", |e| *e == ManyValues);
    check(pages.max(1, field("tags"), "x"), "tags", |e| *e == ManyValues);
    check(pages.append_bounded(1, field("name"), "x", 2), "name", |e| *e == SingleValue);
    check(pages.append_bounded(1, page::TAGS, "x", 0), "tags", |e| *e == NoBound);
    check(pages.append_bounded(1, page::VISITORS, 7, 2), "visitors", |e| *e == NoList);
    check(pages.append_bounded(1, field("history.paths"), "x", 2), "history.paths", |e| *e == NoList);
    check(pages.append_bounded(1, field("tags"), 7, 2), "tags", |e| matches!(e, WrongKind { expected: Kind::Str, .. }));
    check(pages.append_bounded(1, field("other.paths"), "x", 2), "other.paths", |e| *e == NoStruct);
    check(pages.increment(1, page::LOAD, f64::NAN), "weight", |e| matches!(e, NotFinite { .. }));
    check(pages.increment(1, page::LOAD, f64::INFINITY), "weight", |e| matches!(e, NotFinite { .. }));
    check(pages.max(1, page::LOAD, f64::NAN), "weight", |e| matches!(e, NotFinite { .. }));
    check(pages.increment(1, page::LOAD, f64::MAX), "weight", |e| matches!(e, Overflow { .. }));
    check(pages.increment(1, page::NARROW, f64::from(f32::MAX)), "narrow", |e| {
        matches!(e, Overflow { expected: "f32", .. })
    });
    check(pages.increment(1, page::WIDE, 1), "wide", |e| matches!(e, Overflow { expected: "128 bits", .. }));
    check(pages.increment(1, page::SMALL, 128), "small", |e| matches!(e, Overflow { expected: "i8", .. }));
    check(pages.increment(1, page::VIEW_COUNT, -1), "viewCount", |e| matches!(e, Overflow { expected: "u64", .. }));
    check(pages.increment(1, page::HITS, 65_536), "hits", |e| matches!(e, Overflow { .. }));
    check(pages.increment(1, page::SMALL, 0.5), "small", |e| matches!(e, WrongKind { expected: Kind::Int, .. }));
    check(pages.increment(1, page::SMALL, "1"), "small", |e| matches!(e, WrongKind { .. }));
    check(pages.increment(1, page::SMALL, Value::NULL), "small", |e| matches!(e, WrongKind { .. }));
    check(pages.max(1, field("small"), 128), "small", |e| matches!(e, DoesNotFit { expected: "i8", .. }));
    check(pages.max(1, field("name"), true), "name", |e| matches!(e, WrongKind { .. }));
    check(pages.max(1, field("label"), "x"), "label", |e| *e == NoSetter);
    check(pages.increment(1, field("other.bytes"), 1), "other.bytes", |e| *e == NoStruct);
    check(pages.increment(1, field("history.bytes"), 1), "history.bytes", |e| *e == ManyValues);

    let overflow = pages.increment(1, page::SMALL, 128).unwrap_err().to_string();
    assert_eq!(
        overflow,
        "increment of 1 in \"Page\" refused: field \"small\" is 0, and 128 more does not fit i8: add less, or use a wider type"
    );
    for unknown in ["views", "unqueried", "traffic", "traffic.bits"] {
        let unknown = pages.increment(1, field(unknown), 1).unwrap_err();
        assert!(matches!(unknown.cause(), Cause::Query(QueryError::UnknownField { .. })), "{unknown}");
    }
    assert!(matches!(pages.increment(2, page::SMALL, 1).unwrap_err().cause(), Cause::KeyMissing));
    assert_eq!((store.newest_commit(), &*pages.get(1).unwrap()), (before.0, &*before.1));
    store.verify().unwrap();
}

#[test]
fn missing_records_are_inserted_with_the_change() {
    let (store, pages) = pages();
    let first = pages.increment_or_insert(a_page(2), page::VIEW_COUNT, 1).unwrap();
    let second = pages.increment_or_insert(a_page(2), page::VIEW_COUNT, 2).unwrap();
    assert_eq!((first.counts.inserted, second.counts.updated), (1, 1));
    pages.max_or_insert(a_page(3), page::SMALL, 7).unwrap();
    pages.min_or_insert(a_page(3), page::SMALL, -1).unwrap();
    pages.append_bounded_or_insert(a_page(3), page::TAGS, "a", 2).unwrap();
    pages.append_bounded_or_insert(a_page(4), page::TAGS, "b", 2).unwrap();
    assert_eq!(pages.get(2).unwrap().view_count, 3);
    assert_eq!(*pages.get(3).unwrap(), Page { small: -1, tags: vec!["a".into()], ..a_page(3) });
    assert_eq!(pages.get(4).unwrap().tags, ["b"]);

    let refused = pages.increment_or_insert(a_page(5), page::SMALL, 128).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Field { error: FieldError::Overflow { .. }, .. }));
    assert!(!pages.contains(5));
    store.verify().unwrap();
}

#[test]
fn conditions_and_lifetimes_apply() {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).build();
    let pages = store.collection::<Page>("Page").unwrap();
    let minute = Duration::from_secs(60);
    let read = pages.insert(a_page(1)).unwrap().commit;
    pages.if_unchanged(read).increment(1, page::SMALL, 1).unwrap();
    let stale = pages.if_unchanged(read).increment(1, page::SMALL, 1).unwrap_err();
    assert!(matches!(stale.cause(), Cause::Stale { .. }));

    pages.with_lifetime(minute).increment(1, page::SMALL, 1).unwrap();
    clock.advance(minute / 2);
    pages.increment(1, page::SMALL, 1).unwrap(); // keeps the deadline
    pages.with_lifetime(minute).max_or_insert(a_page(2), page::SMALL, 9).unwrap();
    clock.advance(minute / 2);
    assert_eq!((pages.contains(1), pages.get(2).unwrap().small), (false, 9));
    assert!(matches!(pages.increment(1, page::SMALL, 1).unwrap_err().cause(), Cause::KeyMissing));

    // The last lifetime of a batch counts, also if its changes are folded.
    let mut batch = store.batch();
    let seen = pages.get(2).unwrap().commit();
    batch.if_unchanged(seen).increment(&pages, 2, page::SMALL, 1).unwrap();
    batch.with_lifetime(2 * minute).increment(&pages, 2, page::SMALL, 1).unwrap();
    batch.with_lifetime(minute).increment_or_insert(&pages, a_page(2), page::SMALL, 1).unwrap();
    batch.increment(&pages, 2, page::SMALL, 1).unwrap();
    assert_eq!(batch.get(&pages, 2).unwrap().unwrap().small, 13);
    batch.commit().unwrap();
    let page = pages.peek(2).unwrap();
    assert_eq!((page.small, page.expires_at()), (13, Some(Timestamp::EPOCH + 2 * minute)));
    store.verify().unwrap();
}

#[test]
fn every_writer_has_the_commands() {
    let (store, pages) = pages();
    let mut writer = store.writer();
    for _ in 0..250 {
        writer.increment(&pages, 1, page::VIEW_COUNT, 1).unwrap();
        writer.append_bounded(&pages, 1, page::TAGS, "t", 2).unwrap();
    }
    writer.with_lifetime(Duration::from_secs(60)).increment_or_insert(&pages, a_page(9), page::SMALL, 1).unwrap();
    writer.flush().unwrap();
    assert_eq!((pages.get(1).unwrap().view_count, pages.get(9).unwrap().small), (250, 1));

    let background = store.background_writer().start().unwrap();
    for _ in 0..100 {
        let mut batch = store.batch();
        batch.increment(&pages, 1, page::VIEW_COUNT, 1).unwrap();
        drop(background.submit(batch).unwrap());
    }
    background.flush().unwrap();
    assert_eq!(pages.get(1).unwrap().view_count, 350);

    let mut batch = store.batch();
    batch.min(&pages, 1, page::SMALL, -3).unwrap();
    batch.increment_or_insert(&pages, a_page(8), page::SMALL, 2).unwrap();
    let names: Vec<_> = batch.operations().iter().map(|info| info.operation).collect();
    assert_eq!(names, ["min", "increment"]);
    assert!(batch.bytes() > 0);
    // The record that an operation brings has the change already.
    batch.edit(&pages, 1, |page| page.small *= 10).unwrap();
    let report = batch.commit_reported().unwrap();
    assert_eq!((report.outcome(0), report.outcome(1)), (Some(Outcome::Updated), Some(Outcome::Created)));
    assert_eq!(pages.get(8).unwrap().small, 20);
    store.verify().unwrap();
}

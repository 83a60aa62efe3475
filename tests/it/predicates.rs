//! The meaning of predicates, their refusals, and the limits of depth and length.

use memdex::error::{Cause, QueryError};
use memdex::limits::{MAX_LISTED_VALUES, MAX_PATTERN_BYTES, MAX_PREDICATE_DEPTH};
use memdex::query::Predicate;
use memdex::typing::EntityKey;
use memdex::{Collection, FieldValue, Filter, IndexDef, Kind, Record, Store, Value, field};

#[derive(Clone, Copy, Debug, PartialEq, FieldValue)]
#[field(rename_all = "snake_case")]
enum Status {
    Open,
    PaidOut,
}

#[derive(Clone, Debug, FieldValue)]
struct Mail(String);

#[derive(Clone, Debug, FieldValue)]
struct Cents(i64);

#[derive(Clone, Debug, Record)]
struct Order {
    #[record(key)]
    id: u32,
    #[record(ordered)]
    city: String,
    #[record(index)]
    status: Status,
    #[record(column)]
    mail: Option<Mail>,
    #[record(field)]
    about: Option<EntityKey>,
    #[record(ordered)]
    cents: Cents,
    #[record(index)]
    tags: Vec<String>,
}

fn order(id: u32) -> Order {
    Order {
        id,
        city: ["Bern", "Basel", "bern", "Élancourt", ""][id as usize % 5].into(),
        status: if id.is_multiple_of(2) { Status::Open } else { Status::PaidOut },
        mail: (!id.is_multiple_of(3)).then(|| Mail(format!("{id}@Example.org"))),
        about: id.is_multiple_of(4).then(|| EntityKey::join("Order", id).unwrap()),
        cents: Cents(i64::from(id) * 10),
        tags: (0..id % 3).map(|n| format!("t{n}")).collect(),
    }
}

fn orders(count: u32) -> (Store, Collection<Order>) {
    let store = Store::new();
    let orders = store.collection::<Order>("Order").unwrap();
    store.commit(|batch| (0..count).try_for_each(|id| batch.insert(&orders, order(id)))).unwrap();
    (store, orders)
}

fn ids(orders: &Collection<Order>, filter: impl Into<Filter<Order>>) -> Vec<u32> {
    let found = orders.find(filter);
    let mut ids: Vec<u32> = found.fetch().unwrap().iter().map(|order| order.id).collect();
    assert_eq!(found.count().unwrap(), ids.len());
    ids.sort_unstable();
    ids
}

#[test]
fn string_tests_of_every_kind() {
    let (_store, orders) = orders(12);
    assert_eq!(ids(&orders, order::CITY.starts_with("B")), [0, 1, 5, 6, 10, 11]);
    assert_eq!(ids(&orders, order::CITY.eq_ignore_case("BERN")), [0, 2, 5, 7, 10]);
    assert_eq!(ids(&orders, order::CITY.starts_with_ignore_case("éLAN")), [3, 8]);
    assert_eq!(ids(&orders, order::CITY.like("%")).len(), 12);
    assert_eq!(ids(&orders, order::CITY.like("_a%l")), [1, 6, 11]);
    assert_eq!(ids(&orders, order::CITY.eq("Basel") & order::CITY.contains_str("se")), [1, 6, 11]);
    assert_eq!(ids(&orders, !order::CITY.contains_str_ignore_case("B")), [3, 4, 8, 9]);
    assert_eq!(ids(&orders, order::STATUS.ends_with("_out")), [1, 3, 5, 7, 9, 11]);
    assert_eq!(ids(&orders, order::MAIL.like(r"1_@%\.org")), [10, 11]);
    assert_eq!(
        ids(&orders, order::MAIL.ends_with_ignore_case("@EXAMPLE.ORG")).len(),
        8,
        "a missing value is like nothing"
    );
    assert_eq!(ids(&orders, !order::MAIL.ends_with_ignore_case("@EXAMPLE.ORG")), [0, 3, 6, 9]);
    assert_eq!(ids(&orders, order::ABOUT.like("Order:%")), [0, 4, 8]);
    assert_eq!(ids(&orders, field("about").contains_str("r:8")), [8]);
}

#[test]
fn text_tests_that_do_not_fit_are_refused() {
    let (_store, orders) = orders(1);
    let refused = |predicate: Predicate| orders.find(predicate).count().unwrap_err();
    assert_eq!(
        refused(field("city").contains("B")).to_string(),
        "field \"city\" of \"Order\" has a single value, but contains needs a field of many values: did you mean \
         `contains_str`?"
    );
    assert!(matches!(
        refused(field("cents").starts_with_ignore_case("1")),
        QueryError::WrongKind { field, expected: Kind::Int, given, .. } if field == "cents" && given == Value::from("1")
    ));
    assert_eq!(
        refused(field("city").like(r"50\")).to_string(),
        r#"the pattern "50\\" for field "city" of "Order" ends in a backslash that escapes nothing: write two backslashes to match one"#
    );
    assert!(orders.find(order::CITY.starts_with(r"50\")).count().is_ok());
    assert!(orders.find(order::CITY.like("a".repeat(MAX_PATTERN_BYTES))).count().is_ok());
    assert!(matches!(
        refused(order::CITY.like("a".repeat(MAX_PATTERN_BYTES + 1)).into()),
        QueryError::PatternTooLong { collection, field, bytes, limit: MAX_PATTERN_BYTES, .. }
            if (&*collection, &*field, bytes) == ("Order", "city", MAX_PATTERN_BYTES + 1)
    ));
    assert!(matches!(refused(memdex::field("town").like("x")), QueryError::UnknownField { .. }));
}

/// The worst kind of pattern against the worst kind of string.
#[test]
fn the_longest_patterns_have_bounded_cost() {
    let (_store, orders) = orders(0);
    let city = "a".repeat(10_000);
    orders.insert(Order { city, ..order(1) }).unwrap();
    let pattern = "%a_".repeat(MAX_PATTERN_BYTES / 3);
    assert_eq!(ids(&orders, order::CITY.like_ignore_case(&pattern)), [1]);
    assert_eq!(ids(&orders, order::CITY.like_ignore_case(format!("{}b", &pattern[..4_000]))), [0; 0]);
    let run = format!("%{}b%", "a".repeat(1_000));
    assert_eq!(ids(&orders, order::CITY.like_ignore_case(run)), [0; 0]);
}

#[test]
fn a_query_may_list_a_million_values() {
    let (_store, orders) = orders(3_000);
    let listed =
        |values: usize| Predicate::In("cents".into(), (0..values as i64).map(|n| Value::from(n * 20)).collect());
    assert_eq!(ids(&orders, listed(MAX_LISTED_VALUES)).len(), 1_500);
    assert_eq!(ids(&orders, !listed(MAX_LISTED_VALUES) & field("cents").lt(40)), [1, 3]);
    let error = orders.find(listed(MAX_LISTED_VALUES + 1)).count().unwrap_err();
    assert_eq!(
        error.to_string(),
        "field \"cents\" of \"Order\" is compared with 1048577 values, the limit is 1048576: use several queries"
    );
    let tags = |values: usize| (0..values).map(|n| format!("t{n}"));
    assert_eq!(ids(&orders, field("tags").any(tags(100_000))).len(), 2_000);
    assert_eq!(ids(&orders, field("tags").all(tags(100_000))).len(), 0);
    let any = (0..100_000_i64).map(|n| field("cents").eq(n));
    assert_eq!(ids(&orders, Predicate::any_of(any)).len(), 3_000);
}

/// In a debug build, on a stack of two mebibytes.
#[test]
fn any_depth_of_predicate_is_refused_without_recursion() {
    let deep = |levels: usize| {
        (0..levels).fold(field("cents").eq(1), |inner, level| match level % 2 {
            0 => inner & field("city").eq("x"),
            _ => field("status").eq("open") | inner,
        })
    };
    let ask = move || {
        let (store, orders) = orders(4);
        let too_deep = QueryError::too_deep(MAX_PREDICATE_DEPTH);
        assert!(orders.find(deep(MAX_PREDICATE_DEPTH - 1)).count().is_ok());
        for levels in [MAX_PREDICATE_DEPTH, 10_000, 100_000] {
            let predicate = deep(levels);
            let find = orders.find(predicate.clone());
            assert_eq!((find.count(), find.fingerprint()), (Err(too_deep.clone()), Err(too_deep.clone())));
            assert!(format!("{find:?}").contains("TooDeep"));
            assert_eq!(store.snapshot().search(predicate.clone()).over(&orders).count(), Err(too_deep.clone()));
            let refused = orders.delete_where(predicate.clone()).unwrap_err();
            assert!(matches!(refused.cause(), Cause::Query(error) if *error == too_deep));
            assert!(orders.add_index(IndexDef::equality("city").named("deep").when(predicate)).is_err());
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(ask).unwrap().join().unwrap();
}

#[test]
fn fingerprints_depend_only_on_the_query() {
    let (_store, orders) = orders(4);
    let print = |filter: Filter<Order>| orders.find(filter).fingerprint().unwrap();
    let (bern, cheap) = (|| order::CITY.eq("Bern"), || order::CENTS.lt(Cents(100)));
    let one = print(bern() & cheap());
    assert_eq!(one, print(cheap() & (bern() | bern()) & cheap()));
    assert_eq!(one, print(order::CITY.like("Bern") & !!cheap() & order::CENTS.le(Cents(200))));
    assert_eq!(one, orders.find(field("cents").lt(100) & field("city").eq("Bern")).fingerprint().unwrap());
    for other in [bern(), cheap(), bern() | cheap(), !(bern() & cheap()), bern() & !cheap(), Filter::all()] {
        assert_ne!(one, print(other));
    }
    assert_ne!(print(order::CITY.ne("Bern")), print(!bern()), "only the second matches a missing value");
    orders.delete(1).unwrap();
    assert_eq!(one, print(bern() & cheap()));
    assert_eq!((one.to_string().len(), one.to_string()), (32, format!("{:032x}", one.0)));
    assert!(orders.find(field("nowhere").eq(1)).fingerprint().is_err());
}

/// An index with a condition is used if and only if the query implies the condition.
#[test]
fn a_stronger_condition_uses_a_weaker_index() {
    let (store, plain) = orders(60);
    let indexed = store.collection::<Order>("Indexed").unwrap();
    store.commit(|batch| (0..60).try_for_each(|id| batch.insert(&indexed, order(id)))).unwrap();
    let conditions = [
        field("cents").gt(100),
        field("cents").is_in([100, 200, 300]),
        field("status").is_in(["open", "lost"]),
        !field("mail").is_null() & field("cents").ne(50),
        field("tags").any(["t0", "x"]),
        field("cents").lt(50) | field("cents").gt(400),
        !field("city").starts_with("B"),
        Predicate::none(),
        Predicate::All,
    ];
    for (at, when) in conditions.into_iter().enumerate() {
        indexed.add_index(IndexDef::equality("mail").named(format!("mail {at}")).when(when.clone())).unwrap();
        indexed.add_index(IndexDef::ordered(["city", "cents"]).named(format!("both {at}")).when(when)).unwrap();
    }
    let firsts = || {
        [
            Predicate::All,
            field("mail").eq("20@Example.org"),
            field("mail").is_null(),
            field("mail").ne("20@Example.org"),
            field("mail").is_in(["20@Example.org", "22@Example.org", "1@Example.org"]),
            field("city").eq("Bern"),
            field("city").eq("Basel") & field("cents").between(150, 450),
        ]
    };
    let seconds = || {
        [
            Predicate::All,
            field("cents").gt(100),
            field("cents").ge(100),
            field("cents").gt(200) & field("cents").lt(500),
            field("cents").eq(200),
            field("cents").is_in([100, 200]),
            field("cents").is_in([200, 210]),
            field("status").eq("open"),
            field("status").ne("open"),
            field("tags").all(["t0", "t1"]),
            field("tags").contains("t0"),
            field("cents").gt(450),
            field("cents").ne(60) & field("cents").ne(50),
            field("city").eq("Élancourt"),
            !field("city").starts_with("B"),
            !field("cents").gt(100),
        ]
    };
    for first in firsts() {
        for second in seconds() {
            for predicate in [first.clone() & second.clone(), first.clone() | second.clone(), first.clone() & !second] {
                assert_eq!(ids(&indexed, predicate.clone()), ids(&plain, predicate.clone()), "{predicate:?}");
            }
        }
    }
    store.verify().unwrap();
}

//! Fields of numbers, compared with numbers of other kinds.

use memdex::query::Predicate;
use memdex::typing::DecimalValue;
use memdex::{
    Bucket, Document, FieldDef, Filter, GroupBy, IndexDef, Json, Kind, Metric, Query, Record, Schema, Store, field,
    json,
};

#[derive(Clone, Debug, Record)]
struct Payment {
    #[record(key)]
    id: u32,
    #[record(unique)]
    serial: u64,
    #[record(ordered, column)]
    cents: i64,
    #[record(index)]
    rate: Option<f64>,
    #[record(ordered)]
    fee: DecimalValue,
    #[record(index)]
    parts: Vec<i32>,
}

/// One greater than the first integer that no float has.
const BIG: i64 = (1 << 53) + 2;

fn payments(store: &Store) -> memdex::Collection<Payment> {
    let payments = store.collection::<Payment>("Payment").unwrap();
    let fee = |text: &str| text.parse().unwrap();
    for (id, cents, rate, fee) in [
        (1, 499, Some(0.5), fee("0.1")),
        (2, 500, Some(500.0), fee("0.5")),
        (3, BIG - 1, Some(BIG as f64), fee("500")),
        (4, BIG, Some(f64::NAN), fee("500.25")),
        (5, -1, None, fee("-1")),
    ] {
        payments
            .store(Payment { id, serial: u64::MAX - u64::from(id), cents, rate, fee, parts: vec![id as i32, 500] })
            .unwrap();
    }
    payments
}

#[test]
fn fields_are_compared_by_value() {
    let store = Store::new();
    let payments = payments(&store);
    let ids = |filter: Filter<Payment>| {
        let found = payments.find(filter).fetch().unwrap();
        let mut ids: Vec<u32> = found.iter().map(|payment| payment.id).collect();
        ids.sort();
        ids
    };
    let criteria = |criteria: Json| ids(Predicate::from_criteria(&criteria).unwrap().into());
    let (cents, rate, fee) = (payment::CENTS.as_number(), payment::RATE.as_number(), payment::FEE.as_number());
    assert_eq!((ids(cents.eq(500.0)), criteria(json!({ "cents": 500.0 }))), (vec![2], vec![2]));
    assert_eq!((ids(cents.gt(499.5)), criteria(json!({ "cents": { "gt": 499.5 } }))), (vec![2, 3, 4], vec![2, 3, 4]));
    assert_eq!(ids(cents.between(499.5, 1e300)), [2, 3, 4]);
    assert_eq!((ids(cents.eq(499.5)), ids(cents.ne(499.5))), (vec![], vec![1, 2, 3, 4, 5]));
    assert_eq!(criteria(json!({ "cents": [499.0, 499.5, 500] })), [1, 2]);
    assert_eq!((ids(cents.eq(BIG as f64)), ids(cents.lt(BIG as f64))), (vec![4], vec![1, 2, 3, 5]));
    assert_eq!((ids(cents.le(f64::NAN)), ids(cents.ge(f64::NAN))), (vec![1, 2, 3, 4, 5], vec![]));
    assert_eq!((ids(cents.gt(f64::NEG_INFINITY)), ids(cents.eq(-1.0))), (vec![1, 2, 3, 4, 5], vec![5]));
    assert_eq!((ids(rate.eq(500)), ids(rate.is_in([BIG, BIG - 1]))), (vec![2], vec![3]));
    assert_eq!((ids(rate.ge(BIG - 1)), ids(rate.gt(BIG))), (vec![3, 4], vec![4]));
    assert_eq!(
        (ids(rate.eq("0.5".parse::<DecimalValue>().unwrap())), ids(rate.ne(BIG - 1))),
        (vec![1], vec![1, 2, 3, 4])
    );
    assert_eq!((ids(fee.eq(0.5)), ids(fee.eq(500.0)), ids(fee.eq(500))), (vec![2], vec![3], vec![3]));
    // The float 0.1 is a little more than a tenth.
    assert_eq!((ids(fee.eq(0.1)), ids(fee.lt(0.1)), criteria(json!({ "fee": "0.1" }))), (vec![], vec![1, 5], vec![1]));
    assert_eq!(ids(fee.between(500.0, 500.25)), [3, 4]);
    let parts = payment::PARTS.as_number();
    assert_eq!((ids(parts.contains(3.0)), ids(parts.any([1.5, 2.0]))), (vec![3], vec![2]));
    assert_eq!((ids(parts.all([500.0, 4.0])), ids(parts.all([500.0, 4.5]))), (vec![4], vec![]));
    assert_eq!(ids(rate.is_null()), [5]);
    assert_eq!((ids(parts.eq(4.0)), ids(parts.eq(1.5))), (vec![4], vec![]), "one of many values");
}

#[test]
fn unique_lookups_and_named_queries_are_by_value() {
    let store = Store::new();
    let payments = payments(&store);
    let serial = payment::SERIAL.as_number();
    let of = |found: Option<memdex::Handle<Payment>>| found.map(|payment| payment.id);
    let wanted: DecimalValue = (u64::MAX - 2).into();
    assert_eq!(of(payments.get_by(serial, wanted).unwrap()), Some(2));
    assert_eq!(of(payments.get_by(serial, u64::MAX as f64).unwrap()), None, "2^64");
    assert_eq!(of(payments.get_by(serial, -1).unwrap()), None);
    let snapshot = store.snapshot();
    payments.delete(2).unwrap();
    assert_eq!(of(snapshot.of(&payments).get_by(serial, wanted).unwrap()), Some(2));
    assert_eq!(of(payments.get_by(serial, wanted).unwrap()), None);
    let query = Query::over(["Payment"]).filter(field("id").is_in([1.0, 1.5, 3.0]));
    let any = store.any_collection("Payment").unwrap();
    assert_eq!(any.query(&query).unwrap().records().unwrap().len(), 2);
    // Both spellings are one query, so a cursor of one continues the other.
    let page = |bound: memdex::Value| payments.find(field("cents").ge(bound)).order_by(field("cents").asc()).limit(1);
    let next = page(499.into()).fetch().unwrap().next.unwrap();
    assert_eq!(page(498.5.into()).after(next.clone()).fetch().unwrap()[0].id, 3);
    assert!(page(499.5.into()).after(next).fetch().is_err());
}

#[test]
fn buckets_have_bounds_of_any_kind() {
    let store = Store::new();
    let payments = payments(&store);
    let groups = |bucket: Bucket| {
        let found =
            payments.find(field("cents").lt(1_000)).statistics(GroupBy::from(bucket).metrics([Metric::count()]));
        let found = found.unwrap();
        found.groups().iter().map(|group| (group.key[0].to_string(), group.int("count"))).collect::<Vec<_>>()
    };
    let ranges = Bucket::ranges("cents", [(None, Some(499.5)), (Some(499.5), Some(900.5)), (Some(500.0), Some(1e300))]);
    let expected = [("..500", 2), ("500..901", 1), ("500..", 1)].map(|(name, count)| (name.to_owned(), Some(count)));
    assert_eq!(groups(ranges), expected);
    assert_eq!(groups(Bucket::width("cents", 100.0)), groups(Bucket::width("cents", 100)));
}

/// Partial indexes are used if a condition of another kind implies theirs.
#[test]
fn documents_are_compared_by_value() {
    let schema = Schema::new([
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("cents", Kind::Int).index(),
        FieldDef::new("rate", Kind::Float).ordered(),
    ])
    .with_index(IndexDef::ordered("cents").named("large").when(field("cents").gt(499.5)));
    let documents = Store::new().documents("Payment", schema).unwrap();
    for (id, cents, rate, note) in
        [(1, 499, json!(1), json!(1)), (2, 500, json!(0.5), json!(0.5)), (3, 501, json!(2.0), json!(2.0))]
    {
        let body = json!({ "id": id, "cents": cents, "rate": rate, "note": note });
        documents.store(Document::new(body).unwrap()).unwrap();
    }
    let ids = |criteria: Json| {
        let found = documents.find(Predicate::from_criteria(&criteria).unwrap()).fetch().unwrap();
        let mut ids: Vec<i64> = found.iter().map(|found| found.get("id").unwrap().as_i64().unwrap()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(json!({ "cents": 500.0 })), [2]);
    assert_eq!(ids(json!({ "cents": { "gte": 499.5 } })), [2, 3]);
    for name in ["rate", "note"] {
        assert_eq!(ids(json!({ name: 2 })), [3]);
        assert_eq!(ids(json!({ name: [1.0, 0.5] })), [1, 2]);
        assert_eq!(ids(json!({ name: { "lt": 1.5 } })), [1, 2]);
        let half: DecimalValue = "0.50".parse().unwrap();
        assert_eq!(documents.find(field(name).eq(half)).count(), Ok(1));
        assert_eq!(documents.find(field(name).gt(half)).count(), Ok(2));
    }
}

#[test]
fn keys_are_numbers_by_value() {
    let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("part", Kind::Float).key()]);
    let store = Store::new();
    let documents = store.documents("Payment", schema).unwrap();
    let document = |id: i64, part: f64| Document::new(json!({ "id": id, "part": part })).unwrap();
    for (id, part) in [(1, 0.5), (2, 7.0), (BIG - 1, 1.0)] {
        documents.store(document(id, part)).unwrap();
    }
    assert!(documents.contains((1.0, 0.5)) && documents.contains((2.0, 7)) && documents.contains((2, 7.0)));
    assert!(documents.contains(&[memdex::Value::from(2.0), 7.into()][..]));
    assert!(!documents.contains((1.5, 0.5)) && !documents.contains((BIG as f64, 1)) && !documents.contains(("1", 0.5)));
    assert!(store.snapshot().of(&documents).get((2.0, 7)).is_some());
    let mut batch = store.batch();
    assert!(batch.get(&documents, (2.0, 7)).unwrap().is_some());
    batch.delete(&documents, (1.0, 0.5)).unwrap();
    batch.commit().unwrap();
    assert_eq!(documents.len(), 2);
    let payments = payments(&Store::new());
    let key: memdex::Key = serde_json::from_str("2.0").unwrap();
    assert_eq!(payments.get(&key).unwrap().id, 2);
    assert!(payments.get(serde_json::from_str::<memdex::Key>("2.5").unwrap()).is_none());
}

//! First values and first records of groups.

use memdex::aggregate::{AggregationResult, Statistics};
use memdex::error::QueryError;
use memdex::limits::MAX_GROUP_HITS;
use memdex::schema::AggregateDef;
use memdex::{Bucket, Collection, Filter, GroupBy, Metric, Query, Record, Store, Value, field};

#[derive(Clone, Record)]
struct Payment {
    #[record(key)]
    id: u32,
    #[record(index, column)]
    user: &'static str,
    #[record(column)]
    amount: i64,
    #[record(column)]
    note: Option<&'static str>,
    #[record(index)]
    tags: Vec<&'static str>,
}

fn payments() -> (Store, Collection<Payment>) {
    let store = Store::new();
    let payments = store.collection("Payment").unwrap();
    let all = [
        (1, "ada", 5, Some("first"), vec!["eu"]),
        (2, "bob", 9, None, vec!["us", "eu"]),
        (3, "ada", 7, None, vec![]),
        (4, "ada", 7, Some("last"), vec!["us"]),
    ];
    for (id, user, amount, note, tags) in all {
        payments.store(Payment { id, user, amount, note, tags }).unwrap();
    }
    (store, payments)
}

fn ids(result: &AggregationResult, key: &str) -> Vec<u32> {
    result.group(key).unwrap().hits().iter().map(|hit| hit.record::<Payment>().unwrap().id).collect()
}

#[test]
fn the_first_records_of_each_group() {
    let (store, payments) = payments();
    let by_user = || GroupBy::values(payment::USER).metrics([Metric::count()]);
    let ask = |by: GroupBy| payments.find(Filter::all()).statistics(by).unwrap();
    let highest = ask(by_user().hits(2, payment::AMOUNT.desc()));
    assert_eq!((ids(&highest, "ada"), ids(&highest, "bob")), (vec![3, 4], vec![2]), "ties by key");
    assert!(highest.hits().is_empty());
    assert_eq!(highest.group("ada").unwrap().int("count"), Some(3));
    let by_note = [payment::NOTE.asc().nulls_last(), payment::ID.desc()];
    assert_eq!(ids(&ask(by_user().hits(3, by_note)), "ada"), [1, 4, 3]);
    assert_eq!(ids(&ask(by_user().hits(1, [])), "ada"), [1], "by key only");
    // A record is in the group of each of its values.
    let by_tag = ask(GroupBy::values(payment::TAGS).hits(5, payment::ID.desc()));
    assert_eq!((ids(&by_tag, "eu"), ids(&by_tag, "us")), (vec![2, 1], vec![4, 2]));
    // Filters of metrics do not change the hits; `top` chooses among the groups; inner groups have hits of their own.
    let inner = GroupBy::from(Bucket::width(payment::AMOUNT, 5)).hits(1, payment::ID.desc());
    let large = Metric::count().filter(payment::AMOUNT.gt(6)).named("large");
    let outer =
        GroupBy::values(payment::USER).metrics([large]).top(1, "large").hits(9, payment::ID.asc()).group_by(inner);
    let result = ask(outer);
    assert_eq!((result.groups().len(), ids(&result, "ada")), (1, vec![1, 3, 4]));
    let steps = result.group("ada").unwrap().groups();
    assert_eq!(steps.iter().map(|step| step.hits()[0].value("id").unwrap()).collect::<Vec<_>>(), [Value::from(4)]);
    // At a snapshot, and by a query as data.
    let before = store.snapshot();
    payments.update(4, |payment| payment.amount = 1).unwrap();
    let query = Query::over(["Payment"]).statistics(by_user().hits(2, payment::AMOUNT.desc()));
    let at = |result: memdex::query::QueryResult| ids(&result.aggregation().unwrap(), "ada");
    assert_eq!((at(before.query(&query).unwrap()), at(store.query(&query).unwrap())), (vec![3, 4], vec![3, 1]));
}

#[test]
fn first_values_are_those_of_records_that_have_one() {
    let (_store, payments) = payments();
    let metrics = || {
        [
            payment::NOTE.first_by(payment::ID.asc()),
            payment::NOTE.last_by(payment::ID.asc()),
            payment::NOTE.first_by(payment::AMOUNT.desc()).filter(payment::ID.lt(4)).named("filtered"),
            payment::TAGS.first_by(payment::ID.desc()),
            field("amount").first_by(field("note").desc()).named("amount"),
        ]
    };
    let result = payments.find(Filter::all()).statistics(metrics()).unwrap();
    let text = |text: &str| Some(Value::from(text));
    assert_eq!(result.get("first(note)").cloned(), text("first"));
    assert_eq!(result.get("last(note)").cloned(), text("last"));
    assert_eq!(result.get("filtered").cloned(), text("first"));
    assert_eq!(result.get("first(tags)").cloned(), text("us"));
    assert_eq!(result.int("amount"), Some(7));
    let by_user = GroupBy::values(payment::USER).metrics(metrics()).having(field("first(note)").is_null());
    let result = payments.find(Filter::all()).statistics(by_user).unwrap();
    assert_eq!(result.groups().iter().map(|group| group.key[0].clone()).collect::<Vec<_>>(), ["bob".into()]);
}

#[test]
fn several_collections_are_ordered_together() {
    let (store, left) = payments();
    let right = store.collection::<Payment>("Refund").unwrap();
    right.store(Payment { id: 1, user: "ada", amount: 7, note: Some("refund"), tags: vec![] }).unwrap();
    right.store(Payment { id: 9, user: "ada", amount: 6, note: None, tags: vec![] }).unwrap();
    let by_user = GroupBy::values("user").metrics([field("note").first_by(field("amount").desc())]);
    let query = Query::over(["Payment", "Refund"]).statistics(by_user.hits(4, field("amount").desc()));
    let result = store.query(&query).unwrap().aggregation().unwrap();
    let ada = result.group("ada").unwrap();
    let hits: Vec<_> = ada.hits().iter().map(|hit| (hit.collection(), hit.record::<Payment>().unwrap().id)).collect();
    assert_eq!(hits, [("Payment", 3), ("Payment", 4), ("Refund", 1), ("Refund", 9)]);
    assert_eq!(ada.get("first(note)"), Some(&"last".into()));
    assert_eq!(left.len(), 4);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (_store, payments) = payments();
    let refused = |statistics: Statistics| payments.find(Filter::all()).statistics(statistics).unwrap_err();
    let hits = |records| GroupBy::values("user").hits(records, field("id").asc());
    for records in [0, MAX_GROUP_HITS + 1] {
        assert!(
            matches!(refused(hits(records).into()), QueryError::GroupHits { records: given, .. } if given == records)
        );
    }
    let unknown = refused(GroupBy::values("user").hits(1, field("ammount").asc()).into());
    assert!(unknown.to_string().contains("did you mean `amount`"), "{unknown}");
    assert!(matches!(refused(field("note").first_by(field("tags").asc()).into()), QueryError::NotSingle { .. }));
    let kept = payments.add_aggregate(AggregateDef::new("hits", hits(1))).unwrap_err();
    assert!(kept.to_string().contains("can't be maintained"), "{kept}");
    let first = GroupBy::values("user").metrics([field("note").first_by(field("id").asc())]);
    assert!(payments.add_aggregate(AggregateDef::new("first", first)).is_err());
    // An aggregate with the same groups does not answer for the hits.
    payments.add_aggregate(AggregateDef::new("counts", GroupBy::values("user").metrics([Metric::count()]))).unwrap();
    let both = hits(1).metrics([Metric::count()]);
    let result = payments.find(Filter::all()).statistics(both).unwrap();
    assert!(!result.materialized && result.group("ada").unwrap().hits().len() == 1);
}

#[cfg(feature = "documents")]
#[test]
fn results_with_hits_are_written_as_json() {
    let (_store, payments) = payments();
    let by_user = GroupBy::values(payment::USER).hits(1, payment::ID.desc());
    let result = payments.find(payment::USER.eq("bob")).statistics(by_user).unwrap();
    let json = serde_json::to_value(&result.values).unwrap();
    assert_eq!(json["groups"][0]["values"]["hits"][0]["values"]["amount"], 9);
    assert!(json.get("hits").is_none());
    let refused = serde_json::from_value::<memdex::aggregate::MetricValues>(json).unwrap_err();
    assert!(refused.to_string().contains("hits"), "{refused}");
}

/// A form without names could not leave the hits out.
#[cfg(feature = "serde")]
#[test]
fn results_with_hits_have_no_binary_form() {
    let (_store, payments) = payments();
    let encoded = |hits| {
        let by_user = GroupBy::values(payment::USER).metrics([Metric::count()]);
        let by_user = if hits { by_user.hits(1, payment::ID.desc()) } else { by_user };
        let result = payments.find(payment::USER.eq("bob")).statistics(by_user).unwrap();
        bincode::serde::encode_to_vec(&result.values, bincode::config::standard()).map_err(|error| error.to_string())
    };
    assert!(encoded(false).is_ok());
    let refused = encoded(true).unwrap_err();
    assert!(refused.contains("hits have no binary form"), "{refused}");
}

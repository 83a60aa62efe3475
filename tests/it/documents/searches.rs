//! One query over several collections.

use super::{document, payments};
use memdex::error::QueryError;
use memdex::query::Predicate;
use memdex::{Document, FieldDef, Json, KeyValue, Kind, Record, Schema, Store, field, json};

#[derive(Clone, Debug, Record)]
struct Account {
    #[record(key)]
    number: u32,
    #[record(index)]
    status: String,
    #[record(field)]
    owner: String,
}

fn account(number: u32, status: &str) -> Account {
    Account { number, status: status.into(), owner: "Ada".into() }
}

#[test]
fn a_search_runs_over_several_collections_at_one_commit() {
    let (store, payments) = payments();
    let accounts = store.collection::<Account>("Account").unwrap();
    let sessions = store.key_values::<Vec<u8>>("Session", Schema::new([FieldDef::new("status", Kind::Str)])).unwrap();
    store
        .commit(|batch| {
            batch.store(&payments, document(json!({ "id": "p", "status": "open" })))?;
            batch.store(&payments, document(json!({ "id": "q", "status": "done" })))?;
            batch.store(&accounts, account(1, "open"))?;
            batch.store(&sessions, KeyValue::new("s", vec![1, 2]).with("status", "open"))
        })
        .unwrap();
    let before = store.snapshot();
    store
        .commit(|batch| {
            batch.delete(&accounts, 1)?;
            batch.patch(&payments, "q", json!({ "status": "open" }))
        })
        .unwrap();

    let open = field("status").eq("open");
    let search = before.search(open.clone()).over(&payments).over(&accounts).over(&sessions);
    let hits = search.fetch().unwrap();
    let reported: Vec<_> =
        hits.iter().map(|hit| (hit.collection(), hit.key().to_string(), hit.commit().get())).collect();
    assert_eq!(reported, [("Payment", "p".into(), 1), ("Account", "1".into(), 1), ("Session", "s".into(), 1)]);
    assert_eq!(hits[0].record::<Document>().unwrap().get("status"), Some(&json!("open")));
    assert_eq!(hits[1].record::<Account>().unwrap().owner, "Ada");
    assert_eq!(hits[2].record::<KeyValue<Vec<u8>>>().unwrap().len(), 2);
    assert!(hits[0].record::<Account>().is_none());
    assert_eq!(search.count(), Ok(3));
    assert_eq!(store.snapshot().search(open).over(&payments).over(&accounts).over(&sessions).count(), Ok(3));
    assert_eq!(store.snapshot().search(field("status").eq("open")).fetch().unwrap().len(), 0, "none was named");
}

#[test]
fn collections_without_the_field_are_an_error_or_skipped() {
    let (store, payments) = payments();
    let accounts = store.collection::<Account>("Account").unwrap();
    accounts.store(account(1, "open")).unwrap();
    payments.store(document(json!({ "id": "p", "status": "open", "user": "Ada" }))).unwrap();
    let by_user = store.snapshot().search(field("user").eq("Ada")).over(&payments).over(&accounts);
    assert!(matches!(by_user.fetch(), Err(QueryError::UnknownField { collection, .. }) if collection == "Account"));
    assert!(matches!(by_user.count(), Err(QueryError::UnknownField { .. })));
    let by_user = by_user.skip_unknown();
    assert_eq!((by_user.fetch().unwrap().len(), by_user.count()), (1, Ok(1)));
    let wrong = store.snapshot().search(field("status").eq(7)).over(&payments).over(&accounts).skip_unknown();
    assert!(matches!(wrong.fetch(), Err(QueryError::WrongKind { .. })));
    let foreign = Store::new().snapshot().search(field("status").eq("open")).over(&payments);
    assert!(matches!(foreign.count(), Err(QueryError::OtherStore { .. })));
}

/// At a declared path and at an undeclared one, with `find` and with `search`.
#[test]
fn criteria_are_predicates() {
    let (store, payments) = payments();
    for body in [
        json!({ "id": "1", "status": "open", "amount": 5, "metadata": { "tags": ["a", "b"] }, "v": { "w": ["Bern", 7] } }),
        json!({ "id": "2", "status": "done", "amount": 50, "metadata": { "tags": ["b"] }, "v": { "w": "basel" } }),
        json!({ "id": "3", "status": "lost", "amount": 500, "v": { "w": null } }),
        json!({ "id": "4", "status": "Open", "v": { "w": 7.0 } }),
    ] {
        payments.store(document(body)).unwrap();
    }
    let keys = |criteria: Json| {
        let predicate = Predicate::from_criteria(&criteria).unwrap();
        let hits = store.snapshot().search(predicate.clone()).over(&payments).count();
        let keys = super::keys(&payments, predicate);
        assert_eq!(hits, Ok(keys.len()), "{criteria}");
        keys.join(" ")
    };
    assert_eq!(keys(json!({})), "1 2 3 4");
    assert_eq!(keys(json!({ "status": ["open", "done"], "amount": { "gte": 10, "lte": 100 } })), "2");
    assert_eq!(keys(json!({ "amount": [5, null] })), "1 4");
    assert_eq!(keys(json!({ "amount": { "not_in": [5] } })), "2 3");
    assert_eq!(keys(json!({ "amount": { "not": { "in": [5] } } })), "2 3 4");
    assert_eq!(keys(json!({ "status": { "eq_ignore_case": "OPEN" }, "amount": { "is_null": false } })), "1");
    assert_eq!(keys(json!({ "metadata.tags": { "all": ["a", "b"] } })), "1");
    assert_eq!(keys(json!({ "metadata.tags": { "any": ["a", "b"] } })), "1 2");
    assert_eq!(keys(json!({ "$or": [{ "metadata.tags": { "contains": "a" } }, { "id": "4" }] })), "1 4");
    assert_eq!(keys(json!({ "$not": { "metadata.tags": { "contains": "a" } } })), "2 3 4");
    assert_eq!(
        keys(json!({ "$and": [{ "amount": { "gt": 4 } }, { "amount": { "lt": 500 } }], "id": { "ne": "2" } })),
        "1"
    );
    assert_eq!(keys(json!({ "v.w": 7 })), "1 4");
    assert_eq!(keys(json!({ "v.w": { "starts_with": "B" } })), "1");
    assert_eq!(keys(json!({ "v.w": { "like_ignore_case": "B_%" } })), "1 2");
    assert_eq!(keys(json!({ "v.w": { "like": "%" } })), "1 2");
    assert_eq!(keys(json!({ "v.w": { "not": { "ends_with": "n" } } })), "2 3 4");
    assert_eq!(keys(json!({ "v.w": null })), "3");
    let many: Vec<i64> = (0..1_000_000).collect();
    assert_eq!(keys(json!({ "amount": many, "v.w": many })), "1");
    let too_many = Predicate::from_criteria(&json!({ "amount": vec![1; memdex::limits::MAX_LISTED_VALUES + 1] }));
    assert!(matches!(payments.find(too_many.unwrap()).count(), Err(QueryError::TooManyValues { .. })));
}

#[test]
fn limits_apply_to_every_search() {
    let (store, payments) = payments();
    let accounts = store.collection::<Account>("Account").unwrap();
    accounts.store(account(1, "open")).unwrap();
    let snapshot = store.snapshot();
    for limit in [0, memdex::limits::MAX_PAGE + 1, usize::MAX] {
        let one = snapshot.search(Predicate::All).over(&accounts).limit(limit);
        let both = one.clone().over(&payments);
        for (search, names) in [(one, "Account"), (both, "Account, Payment")] {
            let refused = search.fetch().unwrap_err();
            let QueryError::PageSize { collection, limit: given, .. } = &refused else { panic!("{refused}") };
            assert_eq!((&**collection, *given), (names, limit));
        }
    }
}

/// In JSON a character is a string.
#[test]
fn criteria_can_name_characters() {
    #[derive(Record)]
    struct Exam {
        #[record(key)]
        id: u32,
        #[record(index)]
        grade: char,
    }
    let store = Store::new();
    let exams = store.collection::<Exam>("Exam").unwrap();
    let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("grade", Kind::Char).index()]);
    let documents = store.documents("Document", schema).unwrap();
    for (id, grade) in [(1, 'a'), (2, 'é'), (3, 'c')] {
        exams.store(Exam { id, grade }).unwrap();
        documents.store(document(json!({ "id": id, "grade": grade }))).unwrap();
    }
    let count = |criteria: Json| {
        let predicate = Predicate::from_criteria(&criteria).unwrap();
        let found = exams.find(predicate.clone()).count();
        assert_eq!(found.clone().ok(), documents.find(predicate).count().ok());
        found
    };
    assert_eq!(count(json!({ "grade": "é" })), Ok(1));
    assert_eq!(count(json!({ "grade": ["a", "c", "d"] })), Ok(2));
    assert_eq!(count(json!({ "grade": { "gt": "a", "lte": "c" } })), Ok(1));
    for wrong in ["", "ab"] {
        assert!(matches!(count(json!({ "grade": wrong })), Err(QueryError::WrongKind { .. })));
    }
}

/// A field may have integers in one collection and floats in another; numbers sort by value.
#[test]
fn numbers_of_several_kinds_have_one_order() {
    #[derive(Record)]
    struct Whole {
        #[record(key)]
        id: u32,
        #[record(field)]
        x: Option<i64>,
    }
    #[derive(Record)]
    struct Part {
        #[record(key)]
        id: u32,
        #[record(field)]
        x: Option<f64>,
    }
    let store = Store::new();
    let wholes = store.collection::<Whole>("Whole").unwrap();
    let parts = store.collection::<Part>("Part").unwrap();
    for (id, x) in [(1, Some(5)), (2, Some(-3)), (3, Some(i64::MAX)), (4, None)] {
        wholes.store(Whole { id, x }).unwrap();
    }
    for (id, x) in [(11, 1.5), (12, 5.0), (13, f64::INFINITY), (14, f64::NAN), (15, -1e300), (16, 1e17)] {
        parts.store(Part { id, x: Some(x) }).unwrap();
    }
    let ids = |order: memdex::query::OrderBy| {
        let search = store.snapshot().search(Predicate::All).over(&wholes).over(&parts).order_by(order);
        search.fetch().unwrap().iter().map(|hit| hit.key().to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids(field("x").asc()), "4 15 2 11 1 12 16 3 13 14");
    assert_eq!(ids(field("x").desc()), "14 13 3 16 1 12 11 2 15 4");
}

//! One question to several collections.

use super::{document, payments};
use memdex::{Document, FieldDef, KeyValue, Kind, QueryError, Record, Schema, Store, field, json};

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
fn a_search_runs_over_several_collections_as_of_one_commit() {
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
    let told: Vec<_> = hits.iter().map(|hit| (hit.collection(), hit.key().to_string(), hit.commit())).collect();
    assert_eq!(told, [("Payment", "\"p\"".into(), 1), ("Account", "1".into(), 1), ("Session", "\"s\"".into(), 1)]);
    assert_eq!(hits[0].record::<Document>().unwrap().get("status"), Some(&json!("open")));
    assert_eq!(hits[1].record::<Account>().unwrap().owner, "Ada");
    assert_eq!(hits[2].record::<KeyValue<Vec<u8>>>().unwrap().len(), 2);
    assert!(hits[0].record::<Account>().is_none());
    assert_eq!(search.count(), Ok(3));
    assert_eq!(store.snapshot().search(open).over(&payments).over(&accounts).over(&sessions).count(), Ok(3));
    assert_eq!(store.snapshot().search(field("status").eq("open")).fetch().unwrap().len(), 0, "none was named");
}

#[test]
fn collections_without_the_field_are_an_error_or_left_out() {
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

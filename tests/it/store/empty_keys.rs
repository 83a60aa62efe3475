//! The empty string as a key, and as a part of one: a value like any other.

use super::{user, users};
use memdex::query::Cursor;
use memdex::{Document, FieldDef, Key, KeyValue, Kind, Record, Schema, Store, field, json};

#[test]
fn every_command_takes_an_empty_key() {
    let (store, users) = users();
    users.insert(user("", 1)).unwrap();
    assert!(users.insert(user("", 2)).is_err(), "the key is taken");
    users.store(user("a", 10)).unwrap();
    users.update("", |user| user.visits += 1).unwrap();
    users.upsert(user("", 0), |user| user.visits += 1).unwrap();
    let seen = users.get("").unwrap();
    assert_eq!((seen.visits, seen.key().to_string()), (3, String::new()));
    assert_eq!(seen.key(), &"");
    assert_eq!((users.get(String::new()), users.get(seen.key())), (Some(seen.clone()), Some(seen.clone())));
    users.if_unchanged(seen.commit()).store(user("", 4)).unwrap();
    assert!(users.if_unchanged(seen.commit()).delete("").is_err());
    assert_eq!((users.get_with("", |user| user.visits), users.contains("")), (Some(4), true));
    let view = store.snapshot().of(&users);

    let mut batch = store.batch();
    batch.delete(&users, "").unwrap();
    assert!(batch.get(&users, "").unwrap().is_none());
    batch.insert(&users, user("", 5)).unwrap();
    assert!(batch.edit(&users, 1, |user| user.visits = 6).unwrap());
    batch.commit().unwrap();
    let mut writer = store.writer();
    writer.update(&users, "", |user| user.visits += 1).unwrap();
    writer.flush().unwrap();
    drop(writer);
    let background = store.background_writer().start().unwrap();
    background.submit_with(|batch| batch.update(&users, "", |user| user.visits += 1)).unwrap().wait().unwrap();
    drop(background);
    let several = users.get_many(["", "a", "b"]);
    assert_eq!(several.iter().flatten().map(|user| user.visits).collect::<Vec<_>>(), [8, 10]);
    assert_eq!(view.get("").unwrap().visits, 4);
    assert_eq!(users.find(field("id").eq("")).keys().unwrap(), [seen.key().clone()]);
    store.verify().unwrap();
    users.delete("").unwrap();
    assert!(users.get("").is_none() && users.len() == 1);
    drop(view);
    store.verify().unwrap();
}

#[test]
fn pages_continue_after_an_empty_key() {
    let (_, users) = users();
    for id in ["", "a", "\0", "b"] {
        users.store(user(id, 1)).unwrap();
    }
    for descending in [false, true] {
        let (mut after, mut seen): (Option<Cursor>, _) = (None, Vec::new());
        loop {
            let id = field("id");
            let find =
                users.find(field("visits").eq(1)).order_by(if descending { id.desc() } else { id.asc() }).limit(1);
            let page = match after {
                Some(cursor) => find.after(cursor).fetch().unwrap(),
                None => find.fetch().unwrap(),
            };
            seen.extend(page.records.iter().map(|user| user.id.clone()));
            let Some(next) = page.next else { break };
            let text = next.to_string();
            after = Some(text.parse().unwrap());
        }
        let mut expected = ["", "\0", "a", "b"];
        if descending {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Seat {
    #[record(key)]
    row: String,
    #[record(key)]
    letter: String,
}

#[test]
fn parts_of_a_compound_key_may_be_empty() {
    let store = Store::new();
    let seats = store.collection::<Seat>("Seat").unwrap();
    let all = [("", ""), ("", "a"), ("a", ""), ("a", "a"), ("\0", "")];
    for (row, letter) in all {
        seats.insert(Seat { row: row.into(), letter: letter.into() }).unwrap();
    }
    for (row, letter) in all {
        let seat = seats.get((row, letter)).unwrap();
        assert_eq!((&*seat.row, &*seat.letter), (row, letter));
        assert_eq!(seat.key().to::<(String, String)>(), Some((row.into(), letter.into())));
        assert_eq!(seats.find(field("row").eq(row) & field("letter").eq(letter)).count(), Ok(1));
    }
    store.verify().unwrap();
    for key in all {
        seats.delete(key).unwrap();
    }
    assert!(seats.is_empty());
}

#[test]
fn documents_and_key_values_may_have_empty_keys() {
    let store = Store::new();
    let schema = Schema::new([FieldDef::new("a.id", Kind::Str).key(), FieldDef::new("b", Kind::Str).key()]);
    let documents = store.documents("documents", schema).unwrap();
    documents.store(Document::new(json!({ "a": { "id": "" }, "b": "" })).unwrap()).unwrap();
    documents.patch(("", ""), json!({ "n": 1 })).unwrap();
    assert_eq!(documents.get(("", "")).unwrap().get("n"), Some(&json!(1)));
    assert!(
        documents.store(Document::new(json!({ "a": { "id": "" }, "b": null })).unwrap()).is_err(),
        "missing, not empty"
    );

    let values = store.key_values::<u8>("values", Schema::new([])).unwrap();
    values.store(KeyValue::new("", 7)).unwrap();
    assert_eq!(**values.get("").unwrap(), 7);
    assert!(values.get("a").is_none());
    store.verify().unwrap();
    let key = values.get("").unwrap().key().clone();
    assert_eq!(serde_json::to_string(&key).unwrap(), "\"\"");
    assert_eq!(serde_json::from_str::<Key>("\"\"").unwrap(), key);
    values.delete(&key).unwrap();
    assert!(values.is_empty());
}

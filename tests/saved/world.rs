//! Stores to save, and their comparison.

use memdex::clock::ManualClock;
use memdex::schema::{AggregateDef, CollectionInfo};
use memdex::typing::saved::{Archive, LoadError};
use memdex::{
    Document, FieldDef, GroupBy, IndexDef, KeyValue, Kind, Metric, Query, Record, Schema, Store, Timestamp, Value,
    field, json,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
pub(crate) struct User {
    #[record(key)]
    pub(crate) id: u32,
    #[record(unique)]
    pub(crate) email: String,
    #[record(index)]
    pub(crate) city: Option<String>,
    #[record(ordered, column)]
    pub(crate) score: f64,
    #[record(index)]
    pub(crate) tags: Vec<String>,
    /// Not in the schema.
    pub(crate) notes: BTreeMap<String, Vec<i128>>,
}

pub(crate) fn user(id: u32) -> User {
    User {
        id,
        email: format!("user-{id}@example.org"),
        city: (!id.is_multiple_of(3)).then(|| ["Bern", "Thun", "Zürich"][id as usize % 3].to_owned()),
        score: f64::from(id) / 7.0,
        tags: (0..id % 4).map(|tag| format!("tag {tag}")).collect(),
        notes: (0..id % 2).map(|note| (format!("note {note}"), vec![i128::MAX, -1])).collect(),
    }
}

pub(crate) fn payments() -> Schema {
    Schema::new([
        FieldDef::new("id", Kind::Str).key(),
        FieldDef::new("paid", Kind::Timestamp).ordered(),
        FieldDef::new("items.price", Kind::Decimal).many(),
        FieldDef::new("currency", Kind::Str),
    ])
    .with_aggregate(AggregateDef::new("by_month", GroupBy::values("currency").metrics([Metric::count()])))
}

pub(crate) fn rates() -> Schema {
    Schema::new([
        FieldDef::new("code", Kind::Str).key(),
        FieldDef::new("day", Kind::Date).key(),
        FieldDef::new("bank", Kind::Str),
    ])
}

pub(crate) fn clock() -> ManualClock {
    ManualClock::starting_at(Timestamp::from_micros(1_000_000))
}

pub(crate) fn archive(clock: &ManualClock) -> Archive {
    let clock = clock.clone();
    let archive = Archive::new().collection::<User>("User").key_values::<Vec<u8>>("Rate");
    archive.builder(move || Store::builder().clock(clock.clone()))
}

/// Collections of every form, with so many records each.
pub(crate) fn store(clock: &ManualClock, records: u32) -> Store {
    let store = Store::builder().clock(clock.clone()).build();
    let users = store.collection::<User>("User").unwrap();
    users.add_index(IndexDef::equality(["city", "score"]).named("added").when(field("score").gt(0.5))).unwrap();
    users.drop_index("tags").unwrap();
    users.add_aggregate(AggregateDef::new("added", GroupBy::values("city").metrics([Metric::count()]))).unwrap();
    users.set_default_lifetime(memdex::write::DefaultLifetime::Sliding(Duration::from_secs(50))).unwrap();
    (0..records).for_each(|id| match id % 4 {
        0 => drop(users.store(user(id)).unwrap()),
        1 => drop(users.with_lifetime(Duration::from_secs(u64::from(id) + 5)).store(user(id)).unwrap()),
        _ => drop(users.with_lifetime(memdex::write::Lifetime::Forever).store(user(id)).unwrap()),
    });
    let payments = store.documents("Payment", payments()).unwrap();
    for id in 0..records {
        let body = json!({
            "id": format!("payment-{id}"), "paid": format!("2026-11-{:02}T10:00:00Z", id % 28 + 1), "currency": (["CHF", "EUR"][id as usize % 2]),
            "items": [{ "price": format!("{id}.50"), "deep": [[id], {}] }, { "price": 0.1 }], "undeclared": [null, -7, 1e300, "ü"],
        });
        payments.store(Document::new(body).unwrap()).unwrap();
    }
    let rates = store.key_values::<Vec<u8>>("Rate", rates()).unwrap();
    for id in 0..records {
        let day = Value::from_text(Kind::Date, &format!("20{:02}-01-01", id % 90 + 10)).unwrap();
        let key = (format!("C{id}"), day);
        rates.store(KeyValue::new(key, vec![id as u8; 3]).with_each("bank", (id % 2 == 0).then_some("X"))).unwrap();
    }
    store.key_values::<()>("Tag", Schema::new([])).unwrap().store(KeyValue::new("only", ())).unwrap();
    store.sequence("User").skip_to(100);
    store.sequence("Payment").next();
    store
}

pub(crate) fn saved(archive: &Archive, store: &Store) -> Vec<u8> {
    let mut file = Vec::new();
    archive.save_to(&store.snapshot(), &mut file).unwrap();
    file
}

/// A file of some hundred bytes: documents, and key/value records.
pub(crate) fn tiny_file() -> Vec<u8> {
    let store = Store::new();
    let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("mail", Kind::Str).unique()]);
    let users = store.documents("Account", schema).unwrap();
    for (id, mail) in [(1, "a"), (2, "b")] {
        users.store(Document::new(json!({ "id": id, "mail": mail, "more": [id, 0.5] })).unwrap()).unwrap();
    }
    store.key_values::<()>("Tag", Schema::new([])).unwrap().store(KeyValue::new("only", ())).unwrap();
    saved(&Archive::new(), &store)
}

/// A file of about two kilobytes with collections of every form.
pub(crate) fn small_file() -> Vec<u8> {
    let clock = clock();
    saved(&archive(&clock), &store(&clock, 4))
}

pub(crate) fn load(file: &[u8]) -> Result<Store, LoadError> {
    archive(&clock()).load_from(file)
}

/// All that a store holds, in a form that compares.
#[derive(Debug, PartialEq)]
pub(crate) struct Content {
    collections: Vec<(String, Schema)>,
    definitions: Vec<(Vec<IndexDef>, Vec<AggregateDef>)>,
    records: Vec<BTreeMap<String, String>>,
    answers: Vec<String>,
}

pub(crate) fn content(store: &Store) -> Content {
    let infos = store.collections();
    let info = |info: &CollectionInfo| (info.name.clone(), info.schema.clone());
    let mut records = Vec::new();
    let mut definitions = Vec::new();
    fn of<R: Record>(
        collection: &memdex::Collection<R>,
        show: impl Fn(&R) -> String,
    ) -> ((Vec<IndexDef>, Vec<AggregateDef>), BTreeMap<String, String>) {
        let show = |record: memdex::Handle<R>| {
            (format!("{:?}", record.key()), format!("{} until {:?}", show(&record), record.expires_at()))
        };
        ((collection.indexes(), collection.aggregates()), collection.iter().map(show).collect())
    }
    for (name, schema) in infos.iter().map(info) {
        let (definition, content) = match &*name {
            "User" => of(&store.collection::<User>("User").unwrap(), |user| format!("{user:?}")),
            "Rate" => of(&store.key_values::<Vec<u8>>("Rate", schema).unwrap(), |rate| format!("{rate:?}")),
            "Tag" => of(&store.key_values::<()>("Tag", schema).unwrap(), |tag| format!("{tag:?}")),
            _ => of(&store.documents(&name, schema).unwrap(), |document| document.to_string()),
        };
        definitions.push(definition);
        records.push(content);
    }
    let known = |name: &str| infos.iter().any(|info| info.name == name);
    let mut answers = Vec::new();
    for (name, filter) in [
        ("User", field("city").eq("Bern")),
        ("User", field("score").gt(0.3)),
        ("Payment", field("items.price").contains(0.1)),
    ] {
        if known(name) {
            answers.push(format!(
                "{name}: {}",
                store.query(&Query::over([name]).filter(filter)).unwrap().records().unwrap().len()
            ));
        }
    }
    Content { collections: infos.iter().map(info).collect(), definitions, records, answers }
}

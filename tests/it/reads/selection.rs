//! Selected fields: through every method that returns hits, in every kind of collection.

use memdex::error::QueryError;
use memdex::query::{Hit, Search};
use memdex::{
    Collection, Document, FieldDef, Filter, KeyValue, Kind, Nested, Query, Record, Schema, Store, Value, field, json,
};

#[derive(Clone, Debug, Record)]
struct Job {
    #[record(key)]
    id: u32,
    #[record(index)]
    city: String,
    #[record(ordered)]
    pay: Option<i64>,
    #[record(index)]
    tags: Vec<String>,
    #[record(nested)]
    site: Option<Site>,
    #[record(nested)]
    visits: Vec<Site>,
    secret: u8,
}

#[derive(Clone, Debug, Nested)]
struct Site {
    #[record(field)]
    street: String,
    #[record(field)]
    floor: Option<i8>,
}

fn site(street: &str, floor: Option<i8>) -> Site {
    Site { street: street.into(), floor }
}

fn jobs() -> (Store, Collection<Job>) {
    let store = Store::new();
    let jobs = store.collection::<Job>("Job").unwrap();
    let tags = vec!["b".to_owned(), "a".to_owned()];
    let (one, two) = (site("Gasse 1", Some(3)), site("Gasse 2", None));
    let first = Job {
        id: 1,
        city: "Bern".into(),
        pay: Some(500),
        tags,
        site: Some(one.clone()),
        visits: vec![two, one],
        secret: 7,
    };
    jobs.store(first).unwrap();
    let none = Job { id: 2, city: "Chur".into(), pay: None, tags: vec![], site: None, visits: vec![], secret: 8 };
    jobs.store(none).unwrap();
    (store, jobs)
}

fn values(hit: &Hit) -> Vec<(String, Value)> {
    hit.values().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn named<const N: usize>(values: [(&str, Value); N]) -> Vec<(String, Value)> {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

const SELECTED: [&str; 6] = ["site.street", "id", "tags", "pay", "id", "visits.floor"];

fn of_first() -> Vec<(String, Value)> {
    named([
        ("site.street", "Gasse 1".into()),
        ("id", 1.into()),
        ("tags", "b".into()),
        ("pay", 500.into()),
        ("id", 1.into()),
        ("visits.floor", 3.into()),
    ])
}

fn of_second() -> Vec<(String, Value)> {
    let null = Value::NULL;
    named([
        ("site.street", null.clone()),
        ("id", 2.into()),
        ("tags", null.clone()),
        ("pay", null.clone()),
        ("id", 2.into()),
        ("visits.floor", null),
    ])
}

#[test]
fn every_method_returns_the_selected_fields_in_their_order() {
    let (store, jobs) = jobs();
    let query = Query::over(["Job"]).select(SELECTED).order_by(field("id").asc());
    let sent: Query = serde_json::from_str(&serde_json::to_string(&query).unwrap()).unwrap();
    let snapshot = store.snapshot();
    let searches: [Search; 4] = [
        jobs.find(Filter::all()).select(SELECTED).order_by(field("id").asc()),
        jobs.find(Filter::all()).order_by(job::ID.asc()).select(SELECTED),
        snapshot.search(Filter::<Job>::all().into_predicate()).over(&jobs).select(SELECTED).order_by(field("id").asc()),
        snapshot.search_by(&sent).unwrap(),
    ];
    for search in searches {
        let all = vec![of_first(), of_second()];
        let page = search.fetch().unwrap();
        assert_eq!(page.iter().map(values).collect::<Vec<_>>(), all);
        assert_eq!(search.iter().unwrap().map(|hit| values(&hit)).collect::<Vec<_>>(), all);
        assert_eq!(values(&search.first().unwrap().unwrap()), of_first());
        assert_eq!(values(&search.clone().offset(1).one().unwrap()), of_second());
        let behind = search.clone().after(search.clone().limit(1).fetch().unwrap().next.unwrap());
        assert_eq!(behind.fetch().unwrap().iter().map(values).collect::<Vec<_>>(), [of_second()]);
        let records = store.query(search.query()).unwrap().records().unwrap();
        assert_eq!(records.iter().map(values).collect::<Vec<_>>(), all);
        // The rest of the record is there too.
        assert_eq!(page[0].value("city"), Some("Bern".into()));
        assert_eq!(page[0].record::<Job>().unwrap().secret, 7);
        assert_eq!((search.count(), search.exists(), search.keys().unwrap().len()), (Ok(2), Ok(true), 2));
    }
    let unordered = jobs.find(job::CITY.eq("Bern")).select(["pay"]);
    assert_eq!(values(&unordered.iter().unwrap().next().unwrap()), named([("pay", 500.into())]));
    assert_eq!(values(&unordered.fetch().unwrap()[0]), named([("pay", 500.into())]));
}

/// A typed constant selects as its name does; without a selection all declared fields are returned.
#[test]
fn all_declared_fields_are_returned_without_a_selection() {
    let (store, jobs) = jobs();
    let first = jobs.find(job::ID.eq(1));
    let hit = first.clone().select([job::CITY]).one().unwrap();
    assert_eq!(values(&hit), named([("city", "Bern".into())]));
    let none: [&str; 0] = [];
    let all: Vec<String> = jobs.schema().fields().iter().map(|field| field.name().to_owned()).collect();
    assert_eq!(all, ["id", "city", "pay", "tags", "site.street", "site.floor", "visits.street", "visits.floor"]);
    for hit in [
        first.select(none).one().unwrap(),
        store.query(&Query::over(["Job"]).limit(1)).unwrap().records().unwrap().records.remove(0),
    ] {
        assert_eq!(hit.values().map(|(name, _)| name.to_owned()).collect::<Vec<_>>(), all);
    }
}

#[test]
fn a_selected_field_that_no_record_has_is_refused_by_every_method() {
    let (store, jobs) = jobs();
    let unknown = |error: QueryError| match error {
        QueryError::UnknownField { collection, field, .. } => assert_eq!((&*collection, &*field), ("Job", "town")),
        other => panic!("{other}"),
    };
    for ordered in [false, true] {
        let search = jobs.find(Filter::all()).select(["id", "town"]);
        let search = if ordered { search.order_by(field("id").asc()) } else { search };
        unknown(search.fetch().unwrap_err());
        unknown(search.iter().unwrap_err());
        unknown(search.keys().unwrap_err());
        unknown(search.first().unwrap_err());
        unknown(search.one().unwrap_err());
        unknown(search.exists().unwrap_err());
        unknown(search.count().unwrap_err());
        unknown(search.explain().unwrap_err());
        unknown(store.query(search.query()).unwrap_err());
    }
}

#[test]
fn an_order_that_is_not_valid_is_refused_by_every_method() {
    let (_, jobs) = jobs();
    let is_refused = |error: QueryError| {
        assert!(matches!(error, QueryError::UnknownField { .. } | QueryError::NotSingle { .. }), "{error}");
    };
    for name in ["town", "tags"] {
        let find = jobs.find(Filter::all()).order_by(field(name).asc());
        is_refused(find.fetch().unwrap_err());
        is_refused(find.iter().unwrap_err());
        is_refused(find.keys().unwrap_err());
        is_refused(find.first().unwrap_err());
        is_refused(find.one().unwrap_err());
        is_refused(find.exists().unwrap_err());
        is_refused(find.count().unwrap_err());
        is_refused(find.explain().unwrap_err());
    }
}

/// A collection that lacks a selected field, or one to order by, is skipped by all methods alike.
#[test]
fn skipped_collections_are_neither_returned_nor_counted() {
    let (store, jobs) = jobs();
    let schema = Schema::new([FieldDef::new("city", Kind::Str).index()]);
    let visits = store.key_values::<()>("Visit", schema).unwrap();
    visits.store(KeyValue::new("v", ()).with("city", "Bern")).unwrap();
    let snapshot = store.snapshot();
    let search = || snapshot.search(field("city").eq("Bern")).over(&visits).over(&jobs).skip_unknown();
    let by_filter = snapshot.search(field("pay").eq(500)).over(&visits).over(&jobs).skip_unknown();
    for search in [by_filter, search().select(["pay"]), search().order_by(field("pay").asc())] {
        let page = search.clone().with_total().fetch().unwrap();
        assert_eq!(page.iter().map(Hit::collection).collect::<Vec<_>>(), ["Job"]);
        assert_eq!((page.total, search.count(), search.exists()), (Some(1), Ok(1), Ok(true)));
        assert_eq!(search.iter().unwrap().count(), 1);
        assert_eq!(search.keys().unwrap().len(), 1);
        assert_eq!(search.one().unwrap().collection(), "Job");
        assert_eq!(search.explain().unwrap().root.actual, 1);
        let only = search.clone().limit(1).fetch().unwrap();
        assert!(only.next.is_none());
    }
    assert_eq!(search().count(), Ok(2), "nothing is unknown");
    let none = snapshot.search(field("city").eq("Bern")).over(&visits).skip_unknown().order_by(field("pay").asc());
    assert_eq!((none.fetch().unwrap().len(), none.count(), none.exists()), (0, Ok(0), Ok(false)));
}

#[test]
fn documents_and_key_values_return_selected_fields() {
    let store = Store::new();
    let schema = || Schema::new([FieldDef::new("id", Kind::Str).key(), FieldDef::new("tags", Kind::Str).many()]);
    let documents = store.documents("Document", schema()).unwrap();
    let body = json!({ "id": "d", "tags": ["x", "y"], "a": { "b": [null, 1, [2.5, "z"]] }, "on": true });
    documents.store(Document::new(body).unwrap()).unwrap();
    let selected = ["a.b", "on", "tags", "nothing", "a"];
    let hit = documents.find(Filter::all()).select(selected).one().unwrap();
    let null = Value::NULL;
    let expected =
        [("a.b", 1.into()), ("on", true.into()), ("tags", "x".into()), ("nothing", null.clone()), ("a", null)];
    assert_eq!(values(&hit), named(expected));
    assert_eq!(hit.values_of("a.b"), [Value::from(1), 2.5.into(), "z".into()]);
    assert_eq!((hit.values_of("tags"), hit.values_of("nothing")), (vec!["x".into(), "y".into()], vec![]));
    assert_eq!(hit.value("id"), Some("d".into()));
    let sent = serde_json::to_value(&hit).unwrap();
    assert_eq!(sent["values"]["tags"], json!(["x", "y"]));
    assert_eq!(sent["key"], json!(["d"]));

    let fields = [FieldDef::new("owner", Kind::Str), FieldDef::new("sizes", Kind::Int).many()];
    let pairs = store.key_values::<Vec<u8>>("Pair", Schema::new(fields)).unwrap();
    pairs.store(KeyValue::new("k", vec![1]).with("owner", "Ada").with_each("sizes", [3, 1])).unwrap();
    let hit = pairs.find(Filter::all()).select(["sizes", "owner"]).one().unwrap();
    assert_eq!(values(&hit), named([("sizes", 3.into()), ("owner", "Ada".into())]));
    assert_eq!((hit.values_of("sizes"), hit.value("size")), (vec![3.into(), 1.into()], None));
}

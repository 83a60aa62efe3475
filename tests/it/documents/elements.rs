//! Conditions on one element of a list, and criteria on fields of many values.

use super::{document, keys};
use memdex::error::{CriteriaError, QueryError};
use memdex::limits::MAX_PREDICATE_DEPTH;
use memdex::query::Predicate;
use memdex::schema::Collation;
use memdex::{Collection, Document, FieldDef, IndexDef, Json, Kind, Nested, Record, Schema, Store, field, json};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn declared() -> Schema {
    Schema::new([
        FieldDef::new("id", Kind::Str).key(),
        FieldDef::new("tags", Kind::Str).many().index(),
        FieldDef::new("items.sku", Kind::Str).many().index(),
        FieldDef::new("items.price", Kind::Float).many().skip_conflicts(),
        FieldDef::new("items.parts.n", Kind::Int).many().skip_conflicts().index(),
    ])
}

fn undeclared() -> Schema {
    Schema::new([FieldDef::new("id", Kind::Str).key()])
}

fn found(orders: &Collection<Document>, criteria: Json) -> Vec<String> {
    keys(orders, Predicate::from_criteria(&criteria).unwrap())
}

/// A field with a collation also keeps its texts as they are written, but its index does not.
#[test]
fn texts_of_elements_are_compared_as_the_test_says() {
    let schema = Schema::new([
        FieldDef::new("id", Kind::Str).key(),
        FieldDef::new("items.sku", Kind::Str).many().index().collate(Collation::NoCase),
    ]);
    let orders = Store::new().documents("Order", schema).unwrap();
    for (id, sku) in [("capital", "Ada"), ("small", "ada"), ("other", "bob")] {
        orders.store(document(json!({ "id": id, "items": [{ "sku": sku }] }))).unwrap();
    }
    let element = |sku: Json| found(&orders, json!({ "items": { "elem_match": { "sku": sku } } }));
    assert_eq!(element(json!("ADA")), ["capital", "small"]);
    assert_eq!(element(json!({ "eq_str": "Ada" })), ["capital"]);
    assert_eq!(element(json!({ "like": "Ada" })), ["capital"]);
    assert_eq!(element(json!({ "like_ignore_case": "A%" })), ["capital", "small"]);
    assert_eq!(element(json!({ "not": { "eq_str": "Ada" } })), ["other", "small"]);
}

#[test]
fn one_element_must_match_all_criteria() {
    for schema in [declared(), undeclared()] {
        let orders = Store::new().documents("Order", schema).unwrap();
        for body in [
            json!({ "id": "both", "items": [{ "sku": "x", "qty": 9 }, { "sku": "y", "qty": 1 }] }),
            json!({ "id": "apart", "items": [{ "sku": "x", "qty": 1 }, { "sku": "y", "qty": 9 }] }),
            json!({ "id": "one", "items": { "sku": "x", "qty": 7 } }),
            json!({ "id": "lists", "items": [[{ "sku": ["w", "x"], "qty": 6 }], "x", null] }),
            json!({ "id": "empty", "items": [{}] }),
            json!({ "id": "none", "items": [] }),
            json!({ "id": "parts", "items": [{ "sku": "z", "parts": [{ "n": 1, "ok": true }, { "n": 2, "ok": false }] }] }),
        ] {
            orders.store(document(body)).unwrap();
        }
        let element = |criteria: Json| found(&orders, json!({ "items": { "elem_match": criteria } }));
        assert_eq!(element(json!({ "sku": "x", "qty": { "gte": 5 } })), ["both", "lists", "one"]);
        assert_eq!(
            found(&orders, json!({ "items.sku": "x", "items.qty": { "gte": 5 } })),
            ["apart", "both", "lists", "one"],
            "two elements may match one criterion each"
        );
        assert_eq!(element(json!({})), ["apart", "both", "empty", "lists", "one", "parts"], "any object");
        assert_eq!(element(json!({ "sku": null })), ["empty"]);
        assert_eq!(element(json!({ "$or": [{ "qty": 7 }, { "sku": "w" }] })), ["lists", "one"]);
        let parts = |n, ok| element(json!({ "parts": { "elem_match": { "n": n, "ok": ok } } }));
        assert_eq!(parts(1, true), ["parts"]);
        assert_eq!(parts(2, true), [""; 0]);
        assert_eq!(element(json!({ "parts.n": { "all": [1, 2] } })), ["parts"]);
        let not = json!({ "$not": { "items": { "elem_match": { "sku": { "ne": "y" } } } } });
        assert_eq!(found(&orders, not), ["empty", "none"]);
        let below = json!({ "items": { "not": { "elem_match": { "qty": { "lt": 5 } } } }, "id": { "gt": "e" } });
        assert_eq!(found(&orders, below), ["empty", "lists", "none", "one", "parts"]);
    }
}

#[test]
fn an_index_below_the_list_narrows_the_documents() {
    for schema in [declared(), undeclared().with_index(IndexDef::equality("items.sku"))] {
        narrows(&Store::new().documents("Order", schema).unwrap());
    }
}

fn narrows(orders: &Collection<Document>) {
    for id in 0..200 {
        let items = json!([{ "sku": format!("s{id}"), "qty": id }, { "sku": "all", "qty": 1 }]);
        orders.store(document(json!({ "id": id.to_string(), "items": items }))).unwrap();
    }
    let one = Predicate::elem_match("items", field("sku").eq("s7") & field("qty").ge(5));
    let explanation = orders.find(one.clone()).explain().unwrap().to_string();
    assert!(explanation.contains("items.sku"), "{explanation}");
    assert_eq!(keys(orders, one), ["7"]);
    let text = orders.find(field("items.sku").eq("s7")).explain().unwrap().to_string();
    assert_eq!(
        text.lines().next(),
        orders.find(field("items.sku").contains("s7")).explain().unwrap().to_string().lines().next()
    );
}

/// A declared path has its kind in an element too.
#[test]
fn elements_have_the_declared_kinds() {
    let kinds = [("items.at", Kind::Timestamp), ("items.price", Kind::Decimal), ("items.hash", Kind::Bytes)];
    let fields = kinds.map(|(name, kind)| FieldDef::new(name, kind).many());
    let orders =
        Store::new().documents("Order", Schema::new(fields.into_iter().chain([FieldDef::new("id", Kind::Str).key()])));
    let orders = orders.unwrap();
    let items = json!([
        { "at": "2026-11-30T10:00:00+02:00", "price": "0.10", "hash": "AP8=" },
        { "at": "2027-01-01T00:00:00Z", "price": 7 },
    ]);
    orders.store(document(json!({ "id": "1", "items": items }))).unwrap();
    let element = |criteria: Json| found(&orders, json!({ "items": { "elem_match": criteria } }));
    assert_eq!(
        element(json!({ "at": "2026-11-30T08:00:00Z", "price": 0.1 })).len(),
        0,
        "the float is more than a tenth"
    );
    assert_eq!(element(json!({ "at": "2026-11-30T08:00:00Z", "price": "0.1" })), ["1"]);
    assert_eq!(element(json!({ "at": { "lt": "2026-12-01T00:00:00Z" }, "price": { "gt": 5 } })).len(), 0);
    assert_eq!(element(json!({ "at": { "gt": "2026-12-01T00:00:00Z" }, "price": { "gt": 5 } })), ["1"]);
    let bytes = orders.find(Predicate::elem_match("items", field("hash").is_null())).count().unwrap_err();
    assert!(matches!(&bytes, QueryError::BytesInElement { field, .. } if field == "items.hash"), "{bytes}");
}

#[derive(Clone, Debug, Record)]
struct Order {
    #[record(key)]
    id: u32,
    #[record(index)]
    tags: Vec<String>,
    #[record(nested)]
    items: Vec<Item>,
}

#[derive(Clone, Debug, Nested)]
struct Item {
    #[record(index)]
    price: i64,
}

#[test]
fn a_criterion_of_many_values_means_that_one_of_them_matches() {
    let orders = Store::new().collection::<Order>("Order").unwrap();
    let tags: [&[&str]; 4] = [&["eu", "web"], &["us"], &["eu"], &[]];
    for (id, tags) in (0..).zip(tags) {
        let items = (0..i64::from(id)).map(|n| Item { price: n * 10 }).collect();
        orders.store(Order { id, tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), items }).unwrap();
    }
    let ids = |criteria: Json| -> Vec<u32> {
        let found = orders.find(Predicate::from_criteria(&criteria).unwrap());
        let mut ids: Vec<u32> = found.fetch().unwrap().iter().map(|order| order.id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(json!({ "tags": "eu" })), [0, 2]);
    assert_eq!(ids(json!({ "tags": ["us", "web"] })), [0, 1]);
    assert_eq!(ids(json!({ "tags": { "ne": "eu" } })), [1], "has values, none of which is equal");
    assert_eq!(ids(json!({ "tags": { "not_in": ["eu", "xy"] } })), [1]);
    assert_eq!(ids(json!({ "tags": { "not": { "eq": "eu" } } })), [1, 3], "plain negation");
    assert_eq!(ids(json!({ "tags": { "starts_with": "w" } })), [0]);
    assert_eq!(ids(json!({ "tags": { "eq_ignore_case": "US" } })), [1]);
    assert_eq!(ids(json!({ "tags": null })), [3]);
    // Prices: none; 0; 0, 10; 0, 10, 20.
    assert_eq!(ids(json!({ "items.price": { "gt": 5 } })), [2, 3]);
    assert_eq!(ids(json!({ "items.price": { "gt": 5, "lt": 5 } })), [2, 3], "two values may match");
    assert_eq!(ids(json!({ "items.price": { "between": [5, 15] } })), [2, 3]);
    assert_eq!(ids(json!({ "items.price": { "between": [15, 19] } })), [0; 0], "one value must match");
    assert_eq!(ids(json!({ "items.price": 9.5 })), [0; 0]);
    assert_eq!(ids(json!({ "items.price": { "ne": 9.5 } })), [1, 2, 3]);

    let refused = orders.find(Predicate::elem_match("items", field("price").eq(10))).count().unwrap_err();
    assert!(
        matches!(&refused, QueryError::NoElements { collection, field, .. } if collection == "Order" && field == "items")
    );
    assert_eq!(
        refused.to_string(),
        "elem_match of \"items\" needs documents, and \"Order\" has records of another type: test each field below \
         \"items\" separately"
    );
}

#[test]
fn elements_are_bounded_in_depth() {
    let deep = |levels| (1..levels).fold(field("a").eq(1), |inner, _| Predicate::elem_match("a", inner));
    let deepest = deep(MAX_PREDICATE_DEPTH);
    let text = serde_json::to_string(&deepest).unwrap();
    assert_eq!(serde_json::from_str::<Predicate>(&text).unwrap(), deepest);
    assert_eq!(deep(MAX_PREDICATE_DEPTH + 1), Predicate::TooDeep);
    // No deeper than necessary: `serde_json` drops by recursion.
    let criteria = (0..=MAX_PREDICATE_DEPTH).fold(json!(1), |inner, _| json!({ "a": { "elem_match": inner } }));
    assert!(matches!(Predicate::from_criteria(&criteria), Err(CriteriaError::TooDeep { .. })));
    let wrong = Predicate::from_criteria(&json!({ "a": { "elem_match": 1 } })).unwrap_err();
    assert_eq!(wrong.to_string(), "elem_match must be a JSON object of fields and their criteria, not a number");
}

/// A condition on an element.
#[derive(Clone, Debug)]
enum Test {
    Eq(&'static str, Json),
    Ne(&'static str, Json),
    Above(&'static str, i64),
    Missing(&'static str),
    Element(&'static str, Box<Test>),
    Not(Box<Test>),
    And(Vec<Test>),
    Or(Vec<Test>),
}

fn test() -> impl Strategy<Value = Test> {
    let name = || select(vec!["sku", "price", "parts.n", "n", "items.sku"]);
    let value = || select(vec![json!("x"), json!("y"), json!(1), json!(2.5)]);
    let leaf = prop_oneof![
        4 => (name(), value()).prop_map(|(name, value)| Test::Eq(name, value)),
        1 => (name(), value()).prop_map(|(name, value)| Test::Ne(name, value)),
        2 => (name(), 0..3_i64).prop_map(|(name, value)| Test::Above(name, value)),
        1 => name().prop_map(Test::Missing),
    ];
    leaf.prop_recursive(4, 12, 3, |part| {
        prop_oneof![
            4 => (select(vec!["items", "parts"]), part.clone()).prop_map(|(list, part)| Test::Element(list, part.into())),
            1 => part.clone().prop_map(|part| Test::Not(part.into())),
            2 => vec(part.clone(), 0..3).prop_map(Test::And),
            1 => vec(part, 0..3).prop_map(Test::Or),
        ]
    })
}

/// Everything at a path, through lists.
fn at<'a>(body: &'a Json, path: &str) -> Vec<&'a Json> {
    match (body, path.split_once('.').unwrap_or((path, ""))) {
        (Json::Array(items), _) => items.iter().flat_map(|item| at(item, path)).collect(),
        (leaf, ("", _)) => vec![leaf],
        (Json::Object(fields), (name, rest)) => fields.get(name).map_or_else(Vec::new, |next| at(next, rest)),
        _ => Vec::new(),
    }
}

impl Test {
    fn holds(&self, body: &Json) -> bool {
        let values = |name: &str| -> Vec<&Json> {
            at(body, name).into_iter().filter(|value| !value.is_null() && !value.is_object()).collect()
        };
        let same = |a: &Json, b: &Json| a == b || a.as_f64().is_some_and(|a| b.as_f64() == Some(a));
        match self {
            Test::Eq(name, value) => values(name).iter().any(|has| same(has, value)),
            Test::Ne(name, value) => !values(name).is_empty() && values(name).iter().all(|has| !same(has, value)),
            Test::Above(name, value) => {
                values(name).iter().any(|has| has.as_f64().is_some_and(|has| has > *value as f64))
            }
            Test::Missing(name) => values(name).is_empty(),
            Test::Element(list, part) => {
                at(body, list).iter().any(|element| element.is_object() && part.holds(element))
            }
            Test::Not(part) => !part.holds(body),
            Test::And(parts) => parts.iter().all(|part| part.holds(body)),
            Test::Or(parts) => parts.iter().any(|part| part.holds(body)),
        }
    }

    fn predicate(&self) -> Predicate {
        let value = |value: &Json| serde_json::from_value::<memdex::Value>(value.clone()).unwrap();
        match self {
            Test::Eq(name, operand) => field(*name).eq(value(operand)),
            Test::Ne(name, operand) => field(*name).ne(value(operand)),
            Test::Above(name, operand) => field(*name).gt(*operand),
            Test::Missing(name) => field(*name).is_null(),
            Test::Element(list, part) => Predicate::elem_match(*list, part.predicate()),
            Test::Not(part) => !part.predicate(),
            Test::And(parts) => Predicate::all_of(parts.iter().map(Test::predicate)),
            Test::Or(parts) => Predicate::any_of(parts.iter().map(Test::predicate)),
        }
    }
}

fn element() -> impl Strategy<Value = Json> {
    let sku = || prop_oneof![Just(json!("x")), Just(json!("y")), Just(json!(null)), Just(json!(["x", "y"]))];
    let n = || prop_oneof![(0..3).prop_map(|n| json!(n)), Just(json!(null))];
    let part = (n(), sku()).prop_map(|(n, sku)| json!({ "n": n, "sku": sku }));
    let price = prop_oneof![Just(json!(1)), Just(json!(2.5)), Just(json!(null))];
    (sku(), price, vec(part, 0..3))
        .prop_map(|(sku, price, parts)| json!({ "sku": sku, "price": price, "parts": parts }))
}

proptest! {
    #![proptest_config(crate::cases::default_cases())]

    /// Without declared kinds, every operand fits.
    #[test]
    fn elements_match_as_in_a_naive_evaluation(bodies in vec(vec(element(), 0..3), 0..12), tests in vec(test(), 1..10)) {
        let store = Store::new();
        let open = store.documents("open", undeclared()).unwrap();
        let schema = declared();
        let indexed = store.documents("indexed", schema).unwrap();
        let paths = store.documents("paths", undeclared().with_index(IndexDef::equality("items.sku"))
            .with_index(IndexDef::ordered("items.price")).with_index(IndexDef::ordered("items.parts.n"))).unwrap();
        let bodies: Vec<Json> =
            (0..).zip(bodies).map(|(id, items): (u32, _)| json!({ "id": id.to_string(), "items": items })).collect();
        for body in &bodies {
            open.store(document(body.clone())).unwrap();
            indexed.store(document(body.clone())).unwrap();
            paths.store(document(body.clone())).unwrap();
        }
        for test in tests {
            let mut expected: Vec<&str> =
                bodies.iter().filter(|body| test.holds(body)).map(|body| body["id"].as_str().unwrap()).collect();
            expected.sort_unstable();
            prop_assert_eq!(keys(&open, test.predicate()), expected.clone(), "{:?}", test);
            prop_assert_eq!(keys(&paths, test.predicate()), expected.clone(), "with indexes of undeclared paths: {:?}", test);
            match indexed.find(test.predicate()).count() {
                Ok(_) => prop_assert_eq!(keys(&indexed, test.predicate()), expected, "indexed: {:?}", test),
                Err(error) => prop_assert!(matches!(error, QueryError::WrongKind { .. }), "{}", error),
            }
        }
    }
}

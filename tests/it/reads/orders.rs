//! Orders by paths that the schema of documents does not declare: values of any kind, several in one document, or none.

use crate::every_plan::by_every_plan;
use memdex::query::{OrderBy, Predicate};
use memdex::{Collection, Document, FieldDef, Json, Kind, Schema, Store, Value, field, json};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::cmp::Ordering;

/// Truth values, then numbers by number, then strings.
fn compare(a: &Json, b: &Json) -> Ordering {
    let rank = |json: &Json| if json.is_boolean() { 0 } else { 1 + usize::from(json.is_string()) };
    match (a, b) {
        (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
        (Json::String(a), Json::String(b)) => a.cmp(b),
        (Json::Number(a), Json::Number(b)) => {
            // Exact, since no float of these tests lies between two integers above 2^53.
            let whole = |n: &serde_json::Number| {
                let of_float = n.as_f64().filter(|x| x.fract() == 0.0 && x.abs() < 1e30).map(|x| x as i128);
                n.as_i128().or(n.as_u64().map(i128::from)).or(of_float)
            };
            match (whole(a), whole(b)) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ => a.as_f64().partial_cmp(&b.as_f64()).unwrap(),
            }
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

/// The scalars at a path, through arrays.
fn values_at<'a>(at: &'a Json, path: &[&str], found: &mut Vec<&'a Json>) {
    match (at, path) {
        (Json::Array(items), _) => items.iter().for_each(|item| values_at(item, path, found)),
        (Json::Object(fields), [step, rest @ ..]) => {
            if let Some(next) = fields.get(*step) {
                values_at(next, rest, found);
            }
        }
        (Json::Null | Json::Object(_), []) => {}
        (scalar, []) => found.push(scalar),
        _ => {}
    }
}

/// A field to order by: its path, whether it descends, and whether documents without a value come first.
type By = (&'static str, bool, bool);

fn compare_by(a: &Json, b: &Json, (path, descending, nulls_first): &By) -> Ordering {
    let first = |document: &'_ Json| {
        let mut values = Vec::new();
        values_at(document, &path.split('.').collect::<Vec<_>>(), &mut values);
        let least = values.iter().copied().min_by(|a, b| compare(a, b));
        if *descending { values.iter().copied().max_by(|a, b| compare(a, b)) } else { least }.cloned()
    };
    match (first(a), first(b)) {
        (Some(a), Some(b)) if *descending => compare(&b, &a),
        (Some(a), Some(b)) => compare(&a, &b),
        (a, b) if *nulls_first => a.is_some().cmp(&b.is_some()),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

#[derive(Clone, Debug)]
enum Asked {
    All,
    Eq(&'static str, Json),
    From(&'static str, Json),
    Kind(&'static str),
}

impl Asked {
    fn predicate(&self) -> Predicate {
        let value = |json: &Json| match json {
            Json::Bool(b) => Value::from(*b),
            Json::String(text) => Value::from(&**text),
            Json::Number(n) => {
                let whole = n.as_i64().map(Value::from).or(n.as_u64().map(Value::from));
                whole.or(n.as_f64().map(Value::from)).unwrap()
            }
            _ => unreachable!("{json}"),
        };
        match self {
            Asked::All => Predicate::All,
            Asked::Eq(path, json) => field(*path).eq(value(json)),
            Asked::From(path, json) => field(*path).ge(value(json)),
            Asked::Kind(kind) => field("kind").eq(*kind),
        }
    }

    fn holds(&self, document: &Json) -> bool {
        let (path, wanted, orders) = match self {
            Asked::All => return true,
            Asked::Kind(kind) => return document["kind"] == *kind,
            Asked::Eq(path, wanted) => (path, wanted, &[Ordering::Equal][..]),
            Asked::From(path, wanted) => (path, wanted, &[Ordering::Equal, Ordering::Greater][..]),
        };
        let mut values = Vec::new();
        values_at(document, &path.split('.').collect::<Vec<_>>(), &mut values);
        // A range has values of one sort only.
        let is_alike = |value: &Json| std::mem::discriminant(value) == std::mem::discriminant(wanted);
        values.into_iter().any(|value| is_alike(value) && orders.contains(&compare(value, wanted)))
    }
}

const PATHS: [&str; 4] = ["v", "v.w", "kind", "id"];
const KINDS: [&str; 2] = ["x", "y"];

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        4 => (-1..3_i64).prop_map(|n| json!(n)),
        3 => select(vec![json!(0.5), json!(1.0), json!(-1e300), json!(u64::MAX), json!(i64::MIN)]),
        3 => select(vec![json!("a"), json!("b"), json!("")]),
        1 => any::<bool>().prop_map(|b| json!(b)),
    ]
}

/// `None` is a document without the field.
fn field_value() -> impl Strategy<Value = Option<Json>> {
    let scalar = prop_oneof![6 => scalar(), 1 => Just(Json::Null)];
    let nested = scalar.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            2 => vec(inner.clone(), 0..3).prop_map(Json::Array),
            1 => inner.prop_map(|w| json!({ "w": w }))
        ]
    });
    prop_oneof![9 => nested.prop_map(Some), 1 => Just(None)]
}

fn notes(store: &Store) -> Collection<Document> {
    let schema = Schema::new([
        FieldDef::new("id", Kind::Int).key().ordered(),
        FieldDef::new("kind", Kind::Str).index().column(),
    ]);
    store.documents("Note", schema).unwrap()
}

fn ids<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Vec<i64> {
    documents.into_iter().map(|document| document.get("id").unwrap().as_i64().unwrap()).collect()
}

proptest! {
    #![proptest_config(crate::cases::default_cases())]

    #[test]
    fn documents_are_ordered_by_undeclared_paths(
        documents in vec((field_value(), select(&KINDS[..])), 0..30),
        asked in prop_oneof![
            2 => Just(Asked::All),
            3 => (select(vec!["v", "v.w"]), scalar()).prop_map(|(path, value)| Asked::Eq(path, value)),
            1 => (select(vec!["v", "v.w"]), scalar()).prop_map(|(path, value)| Asked::From(path, value)),
            1 => select(&KINDS[..]).prop_map(Asked::Kind),
        ],
        order in vec((select(&PATHS[..]), any::<bool>(), any::<bool>()), 1..4),
        size in 1..6_usize,
    ) {
        let store = Store::new();
        let notes = notes(&store);
        let documents: Vec<Json> = (0..).zip(documents).map(|(id, (v, kind)): (i64, _)| {
            let mut document = json!({ "id": id, "kind": kind });
            if let Some(v) = v {
                document["v"] = v;
            }
            document
        }).collect();
        store.commit(|batch| {
            documents.iter().try_for_each(|document| batch.store(&notes, Document::new(document.clone()).unwrap()))
        }).unwrap();
        let mut expected: Vec<&Json> = documents.iter().filter(|document| asked.holds(document)).collect();
        expected.sort_by(|a, b| {
            // A path that is named again adds nothing.
            let is_first = |at: usize| order[..at].iter().all(|(path, ..)| *path != order[at].0);
            let by = order.iter().enumerate().filter(|(at, _)| is_first(*at)).map(|(_, by)| compare_by(a, b, by));
            let by_fields = by.into_iter().find(|order| order.is_ne());
            by_fields.unwrap_or_else(|| a["id"].as_i64().cmp(&b["id"].as_i64()))
        });
        let expected: Vec<i64> = expected.iter().map(|document| document["id"].as_i64().unwrap()).collect();
        let by = |(path, descending, nulls_first): &By| {
            let by = if *descending { OrderBy::descending(*path) } else { OrderBy::ascending(*path) };
            if *nulls_first { by.nulls_first() } else { by.nulls_last() }
        };
        let find = notes.find(asked.predicate()).order_by(order.iter().map(by).collect::<Vec<_>>());
        prop_assert_eq!(ids(find.fetch().unwrap().iter().map(|note| &**note)), expected.clone());
        by_every_plan(&find.clone().limit(size), 24, |page| {
            let page = page.fetch().unwrap();
            assert_eq!(ids(page.iter().map(|note| &**note)), expected.iter().copied().take(size).collect::<Vec<_>>());
        });
        let mut pages = Vec::new();
        let mut page = find.clone().limit(size).fetch().unwrap();
        loop {
            pages.extend(ids(page.iter().map(|note| &**note)));
            let Some(next) = page.next else { break };
            page = find.clone().limit(size).after(next.to_string().parse().unwrap()).fetch().unwrap();
        }
        prop_assert_eq!(&pages, &expected);
        let first = find.first().unwrap();
        prop_assert_eq!(ids(first.iter().map(|note| &**note)), &expected[..expected.len().min(1)]);
    }
}

/// A path with the wanted value may have others, and one of those may come first.
#[test]
fn an_undeclared_path_is_not_constant_although_the_filter_fixes_one_value() {
    let store = Store::new();
    let notes = notes(&store);
    for (id, v) in [(1, json!([7, 9])), (2, json!([7, 1])), (3, json!(7)), (4, json!(1))] {
        notes.store(Document::new(json!({ "id": id, "kind": "x", "v": v })).unwrap()).unwrap();
    }
    let sevens = |order: Vec<OrderBy>, limit| {
        let mut found = Vec::new();
        let plans = by_every_plan(&notes.find(field("v").eq(7)).order_by(order).limit(limit), 100, |page| {
            found.push(ids(page.fetch().unwrap().iter().map(|note| &**note)));
        });
        found.dedup();
        assert_eq!(found.len(), 1, "the {plans} plans agree: {found:?}");
        found.remove(0)
    };
    for limit in 1..4 {
        assert_eq!(sevens(vec![field("v").asc()], limit), [2, 1, 3][..limit]);
        assert_eq!(sevens(vec![field("v").desc()], limit), [1, 2, 3][..limit]);
        assert_eq!(sevens(vec![field("v").asc(), field("kind").asc()], limit), [2, 1, 3][..limit], "by columns");
        assert_eq!(sevens(vec![field("v").asc(), field("id").desc()], limit), [2, 3, 1][..limit], "along an index");
    }
    // More documents than a leaf of an index has: a walk ends after the first leaf.
    let many = (0..1_000).map(|id| Document::new(json!({ "id": id, "kind": "x", "v": [7, -id] })).unwrap());
    store.commit(|batch| many.into_iter().try_for_each(|note| batch.store(&notes, note))).unwrap();
    assert_eq!(sevens(vec![field("v").asc()], 3), [999, 998, 997]);
    assert_eq!(sevens(vec![field("v").desc(), field("id").desc()], 3), [999, 998, 997]);
    assert_eq!(sevens(vec![field("v").asc(), field("kind").asc(), field("id").asc()], 3), [999, 998, 997]);
}

//! Typed records, the same records as JSON documents, and the same as key/value records give the same query results.

use memdex::query::Predicate;
use memdex::{Collection, Document, FieldDef, IndexDef, KeyValue, Kind, Nested, Record, Schema, Store, Value, field};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Clone, Debug, Serialize, Record)]
struct Payment {
    #[record(key)]
    id: u32,
    #[record(index)]
    status: String,
    #[record(ordered)]
    amount: Option<i64>,
    #[record(column)]
    score: Option<f64>,
    #[record(index)]
    paid: bool,
    #[record(field)]
    grade: Option<char>,
    #[record(index)]
    tags: Vec<String>,
    #[record(nested)]
    user: Option<User>,
    #[record(nested)]
    items: Vec<Item>,
}

#[derive(Clone, Debug, Serialize, Nested)]
struct User {
    #[record(index)]
    city: String,
    #[record(field)]
    age: Option<u8>,
}

#[derive(Clone, Debug, Serialize, Nested)]
struct Item {
    #[record(index)]
    price: i64,
}

/// The schema of the type, field by field.
fn schema() -> Schema {
    let fields = [
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("status", Kind::Str).index().required(),
        FieldDef::new("amount", Kind::Int).ordered(),
        FieldDef::new("score", Kind::Float).column(),
        FieldDef::new("paid", Kind::Bool).index().required(),
        FieldDef::new("grade", Kind::Char),
        FieldDef::new("tags", Kind::Str).many().index(),
        FieldDef::new("user.city", Kind::Str).index(),
        FieldDef::new("user.age", Kind::Int).column(),
        FieldDef::new("items.price", Kind::Int).many().index(),
    ];
    Schema::new(fields)
        .with_index(IndexDef::ordered(["status", "amount"]))
        .with_index(IndexDef::equality("user.age").named("paid_age").when(field("paid").eq(true)))
}

fn key_value(payment: &Payment) -> KeyValue<()> {
    KeyValue::new(payment.id, ())
        .with("status", &payment.status)
        .with_each("amount", payment.amount)
        .with_each("score", payment.score)
        .with("paid", payment.paid)
        .with_each("grade", payment.grade)
        .with_each("tags", &payment.tags)
        .with_each("user.city", payment.user.as_ref().map(|user| &user.city))
        .with_each("user.age", payment.user.as_ref().and_then(|user| user.age))
        .with_each("items.price", payment.items.iter().map(|item| item.price))
}

fn payments() -> impl Strategy<Value = Vec<Payment>> {
    let user = (select(vec!["Bern", "Rom", ""]), option::of(0..4_u8))
        .prop_map(|(city, age)| User { city: city.to_owned(), age });
    let fields = (
        select(vec!["open", "done", "lost"]),
        option::of(-2..3_i64),
        option::of(select(vec![-0.5, -0.0, 1.0, 2.5, 1e300])),
        any::<bool>(),
        option::of(select(vec!['A', 'é'])),
        vec(select(vec!["a", "b", "c"]), 0..4),
        option::of(user),
        vec((0..4_i64).prop_map(|price| Item { price }), 0..3),
    );
    let payment = fields.prop_map(|(status, amount, score, paid, grade, tags, user, items)| Payment {
        id: 0,
        status: status.to_owned(),
        amount,
        score,
        paid,
        grade,
        tags: tags.into_iter().map(str::to_owned).collect(),
        user,
        items,
    });
    vec(payment, 0..40).prop_map(|mut payments| {
        (0..).zip(&mut payments).for_each(|(id, payment)| payment.id = id);
        payments
    })
}

/// A test of a field with values that it can hold, from its name, whether it has many values, and the values.
fn leaf() -> impl Strategy<Value = Predicate> {
    let values = |values: Vec<Value>| values;
    let fields = vec![
        ("id", false, values((0..5).map(Value::from).collect())),
        ("status", false, values(["open", "done", "no"].map(Value::from).into())),
        ("amount", false, values((-3..4).map(Value::from).collect())),
        ("score", false, values(vec![(-0.5).into(), 0.0.into(), 1.into(), 2.5.into(), 1e300.into(), f64::NAN.into()])),
        ("paid", false, values(vec![true.into(), false.into()])),
        ("grade", false, values(vec!['A'.into(), 'é'.into(), 'z'.into()])),
        ("tags", true, values(["a", "b", "c", "d"].map(Value::from).into())),
        ("user.city", false, values(["Bern", "Rom", "", "x"].map(Value::from).into())),
        ("user.age", false, values((0..4).map(Value::from).collect())),
        ("items.price", true, values((0..4).map(Value::from).collect())),
    ];
    let texts = |name| ["status", "user.city", "tags"].contains(&name);
    (select(fields), any::<[prop::sample::Index; 2]>(), 0..19).prop_map(move |((name, many, values), at, test)| {
        let [a, b] = at.map(|at| at.get(&values).clone());
        let is_text = texts(name);
        let name = field(name);
        let text = a.to_string().trim_matches('"').to_owned();
        let half = || text.chars().take(2).collect::<String>();
        match (test, many) {
            (13, _) if is_text => name.starts_with(half()),
            (14, _) if is_text => name.ends_with_ignore_case(text.to_uppercase()),
            (15, _) if is_text => name.contains_str(half()),
            (16, _) if is_text => name.like(format!("_{}%", text.chars().skip(1).take(2).collect::<String>())),
            (17, _) if is_text => name.like_ignore_case(format!("%{}%_", half().to_uppercase())),
            (18, _) if is_text => name.eq_ignore_case(text.to_uppercase()),
            (0, _) => name.is_null(),
            (8, true) => name.contains(a),
            (9..=10, true) => name.any([a, b]),
            (11..=12, true) => name.all([a, b]),
            (1, _) => name.eq(a),
            (2, _) => name.ne(a),
            (3, _) => name.is_in([a, b]),
            (4, _) => name.lt(a),
            (5, _) => name.le(a),
            (6, _) => name.gt(a),
            (7, _) => name.ge(a),
            (_, _) => name.between(a, b),
        }
    })
}

fn predicates() -> impl Strategy<Value = Predicate> {
    leaf().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|part| !part),
            vec(inner.clone(), 0..3).prop_map(Predicate::all_of),
            vec(inner, 0..3).prop_map(Predicate::any_of),
        ]
    })
}

fn answer<R: Record>(records: &Collection<R>, predicate: &Predicate) -> BTreeSet<String> {
    let found = records.find(predicate.clone());
    let keys: BTreeSet<String> = found.keys().unwrap().iter().map(|key| key.to_string()).collect();
    assert_eq!(found.count(), Ok(keys.len()), "{predicate:?}");
    keys
}

proptest! {
    #![proptest_config(crate::cases::default_cases())]

    #[test]
    fn all_forms_return_the_same_results(payments in payments(), requested in vec(predicates(), 1..12)) {
        let store = Store::new();
        let typed = store.collection::<Payment>("typed").unwrap();
        let documents = store.documents("documents", schema()).unwrap();
        let key_values = store.key_values::<()>("key_values", schema()).unwrap();
        // Declare only the key. Every other field is an undeclared path with one or many values.
        let key = || Schema::new([FieldDef::new("id", Kind::Int).key()]);
        let open = store.documents("open", key()).unwrap();
        let of_paths = ["status", "tags", "grade", "items.price"].map(IndexDef::equality).into_iter();
        let of_paths = of_paths.chain(["amount", "score", "user.city", "items.price"].map(|name| IndexDef::ordered(name).named(format!("order of {name}"))));
        let indexed = store.documents("indexed", of_paths.fold(key(), Schema::with_index)).unwrap();
        store.commit(|batch| payments.iter().try_for_each(|payment| {
            let document = Document::of(payment).unwrap();
            batch.store(&documents, document.clone())?;
            batch.store(&open, document.clone())?;
            batch.store(&indexed, document)?;
            batch.store(&key_values, key_value(payment))?;
            batch.store(&typed, payment.clone())
        })).unwrap();
        for predicate in &requested {
            let expected = answer(&typed, predicate);
            prop_assert_eq!(&answer(&documents, predicate), &expected, "documents: {:?}", predicate);
            prop_assert_eq!(&answer(&key_values, predicate), &expected, "key/values: {:?}", predicate);
            prop_assert_eq!(&answer(&open, predicate), &expected, "undeclared: {:?}", predicate);
            prop_assert_eq!(&answer(&indexed, predicate), &expected, "undeclared, with indexes: {:?}", predicate);
        }
        store.verify().unwrap();
    }
}

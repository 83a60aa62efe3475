//! Strategies for records of every form: typed ones, with enums, newtypes, nested and optional structs and narrow integers; documents;
//! key/value records; and types with a constructor.

use memdex::typing::DecimalValue;
use memdex::{FieldDef, FieldValue, Kind, Nested, Record, Schema, Store, Timestamp, Value, field};
use memdex_test::{Domain, DomainError, Form, Machine, Operation, Row, StoreRepository, Workload};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq, FieldValue)]
#[field(rename_all = "snake_case")]
enum Status {
    Open,
    PaidOut,
}

#[derive(Clone, Debug, PartialEq, FieldValue)]
struct Payer(String);

#[derive(Clone, Debug, PartialEq, Nested)]
#[record(from_values)]
struct Card {
    #[record(index)]
    brand: String,
    #[record(field)]
    country: Option<String>,
    #[record(field)]
    digits: u16,
}

#[derive(Clone, Debug, PartialEq, Record)]
#[record(from_values)]
struct Payment {
    #[record(key)]
    country: String,
    #[record(key)]
    number: u8,
    #[record(unique)]
    reference: Option<String>,
    #[record(index)]
    status: Status,
    #[record(field)]
    former: Vec<Status>,
    #[record(index)]
    payer: Payer,
    #[record(ordered)]
    small: i8,
    #[record(column)]
    cents: u32,
    #[record(field)]
    huge: Option<i128>,
    #[record(ordered)]
    rate: Option<f32>,
    #[record(field)]
    fee: DecimalValue,
    #[record(ordered)]
    at: Timestamp,
    #[record(field)]
    letter: char,
    #[record(index)]
    tags: BTreeSet<String>,
    #[record(nested)]
    card: Option<Card>,
    note: String,
}

fn drawn<S: Strategy>(strategy: &S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

#[test]
fn typed_records_have_values_of_every_sort() {
    let payments = Domain::of::<Payment>("Payment").unwrap();
    let all = drawn(&payments.records::<Payment>(), 400);
    let any = |condition: fn(&Payment) -> bool| assert!(all.iter().any(condition));
    any(|p| p.status == Status::Open);
    any(|p| p.status == Status::PaidOut);
    any(|p| p.former.len() > 1);
    any(|p| p.small == i8::MIN);
    any(|p| p.small == i8::MAX);
    any(|p| p.cents == u32::MAX);
    any(|p| p.huge == Some(i128::from(u64::MAX) + 1));
    any(|p| p.huge.is_none());
    any(|p| p.rate == Some(0.5));
    any(|p| p.tags.len() == 2);
    any(|p| p.card.is_none());
    any(|p| p.card.as_ref().is_some_and(|card| card.country.is_some() && card.digits == u16::MAX));
    any(|p| p.card.as_ref().is_some_and(|card| card.country.is_none()));
    any(|p| p.at < Timestamp::EPOCH);
    assert!(all.iter().all(|p| p.note.is_empty()));
    // Few keys, so that records meet: eight strings and eight numbers.
    let keys: BTreeSet<_> = all.iter().map(|p| (p.country.clone(), p.number)).collect();
    assert_eq!(keys.len(), 64);
    // An ordered index refuses NaN.
    assert!(all.iter().all(|p| p.rate.is_none_or(|rate| !rate.is_nan())));
}

#[test]
fn rows_shrink_to_the_first_values() {
    let payments = Domain::of::<Payment>("Payment").unwrap();
    let mut runner = TestRunner::deterministic();
    let mut tree = payments.rows().new_tree(&mut runner).unwrap();
    while tree.simplify() {}
    let text = format!("{:?}", tree.current());
    let simplest = "{at: 1970-01-01T00:00:00Z, cents: 0, country: \"a\", fee: 0, letter: 'a', number: 1, payer: \"a\", small: 0, \
                    status: \"open\"}";
    assert_eq!(text, simplest);
}

#[test]
fn distinct_rows_fit_one_collection() {
    let payments = Domain::of::<Payment>("Payment").unwrap();
    let form = Form::<Payment>::of();
    for rows in drawn(&payments.distinct_rows(30), 50) {
        let store = Store::new();
        let collection = store.collection::<Payment>("Payment").unwrap();
        for row in &rows {
            collection.insert(form.build(&row.to_values()).unwrap()).unwrap();
        }
        assert_eq!(collection.len(), rows.len());
    }
}

#[test]
fn the_store_equals_the_model_with_typed_records() {
    let machine = Machine::new(Workload::new([Domain::of::<Payment>("Payment").unwrap()])).cases(48);
    let checked = machine.check(|| {
        let store = Store::new();
        let payments = store.collection::<Payment>("Payment").unwrap();
        StoreRepository::new(store).with(payments, Form::of())
    });
    checked.unwrap_or_else(|difference| panic!("{difference}"));
}

fn schema() -> Schema {
    Schema::new([
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("user.name", Kind::Str).index(),
        FieldDef::new("user.born", Kind::Date).ordered(),
        FieldDef::new("tags", Kind::Str).many().index(),
        FieldDef::new("cents", Kind::Int).required(),
        FieldDef::new("rate", Kind::Float),
        FieldDef::new("fee", Kind::Decimal),
        FieldDef::new("uid", Kind::Uuid).unique(),
        FieldDef::new("cover", Kind::Bytes),
        FieldDef::new("at", Kind::Timestamp).column(),
    ])
}

#[test]
fn the_store_equals_the_model_with_documents() {
    let form = Form::documents(schema());
    let things = Domain::with_values("Thing", &form, std::iter::empty::<(&str, Vec<Value>)>()).unwrap();
    assert!(drawn(&things.rows(), 100).iter().any(|row| row.all("tags").len() > 1 && row.one("user.born").is_some()));
    let checked = Machine::new(Workload::new([things])).cases(40).check(|| {
        let store = Store::new();
        let documents = store.documents("Thing", schema()).unwrap();
        StoreRepository::new(store).with(documents, form.clone())
    });
    checked.unwrap_or_else(|difference| panic!("{difference}"));
}

#[test]
fn the_store_equals_the_model_over_several_collections() {
    let users = Domain::of_schema("User", schema()).unwrap();
    let logins = Schema::new([
        FieldDef::new("user", Kind::Int).key(),
        FieldDef::new("device", Kind::Str).key(),
        FieldDef::new("times", Kind::Int).ordered(),
    ]);
    let logins = Domain::of_schema("Login", logins).unwrap().references("user", &users, false).unwrap();
    assert_eq!(logins.values_of("user").unwrap(), users.values_of("id").unwrap());
    let domains = [users, logins.present("times", 1.0).unwrap()];
    let machine = Machine::new(Workload::new(domains.clone())).cases(40);
    machine
        .check(|| StoreRepository::key_values(&domains).unwrap())
        .unwrap_or_else(|difference| panic!("{difference}"));
}

/// A type without `from_values`.
#[derive(Clone, Debug, Record)]
struct Even {
    #[record(key)]
    id: u64,
    #[record(field)]
    half: u8,
}

#[test]
fn other_types_need_a_constructor() {
    let error = Domain::of::<Even>("Even").unwrap_err();
    assert!(error.to_string().contains("can't be built from values"), "{error}");
    let form = Form::<Even>::new(|values| Ok(Even { id: 2 * values.to::<u64>("id")?, half: values.to("half")? }));
    let domain = Domain::with_values("Even", &form, [("half", vec![Value::from(300), Value::from(7)])]).unwrap();
    assert_eq!(domain.values_of("half").unwrap(), [Value::from(7)], "300 is not a `u8`");
    assert!(drawn(&domain.records_of(&form), 50).iter().all(|even| even.id % 2 == 0 && even.half == 7));
    assert!(matches!(domain.clone().values("half", [999]), Err(DomainError::NoValue { .. })));
    assert!(matches!(domain.keys(3).unwrap().values("none", [1]), Err(DomainError::UnknownField { .. })));
}

#[test]
fn operations_are_of_every_kind() {
    let payments = Domain::of::<Payment>("Payment").unwrap();
    let workload = Workload::new([payments]).call("settle", Just(vec![Value::from(1)]));
    let drawn = drawn(&workload.operations(), 600);
    let count = |is: fn(&Operation) -> bool| drawn.iter().filter(|operation| is(operation)).count();
    for (name, times) in [
        ("insert", count(|o| matches!(o, Operation::Insert { .. }))),
        ("store", count(|o| matches!(o, Operation::Store { .. }))),
        ("update", count(|o| matches!(o, Operation::Update { .. }))),
        ("add", count(|o| matches!(o, Operation::Add { .. }))),
        ("delete", count(|o| matches!(o, Operation::Delete { .. }))),
        ("delete where", count(|o| matches!(o, Operation::DeleteWhere(_)))),
        ("batch", count(|o| matches!(o, Operation::Batch(parts) if parts.len() > 1))),
        ("get", count(|o| matches!(o, Operation::Get { .. }))),
        ("find", count(|o| matches!(o, Operation::Find(_)))),
        ("walk", count(|o| matches!(o, Operation::Walk(_)))),
        ("call", count(|o| matches!(o, Operation::Call { .. }))),
    ] {
        assert!(times >= 8, "{name}: {times} of {}", drawn.len());
    }
    let texts: Vec<String> = drawn.iter().map(Operation::to_string).collect();
    for part in
        ["Range(", "Text(", "Not(", "And(", "Or(", "IsNull(", "AnyOf(", "AllOf(", "order by", "limit", "Percentile"]
    {
        assert!(texts.iter().any(|text| text.contains(part)), "{part}");
    }
    let row = Row::new().with("card.brand", "visa");
    assert!(row.matches(&Payment::schema(), &field("card.brand").eq("visa")));
}

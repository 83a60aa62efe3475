//! Fixtures: values of every kind from every format, errors with their places, and loads that are atomic.

use memdex::error::Cause;
use memdex::typing::fixtures::{FixtureError, Fixtures, Format, load_folder};
use memdex::typing::{AnyCollection, DecimalValue};
use memdex::{
    Document, FieldDef, FieldValue, KeyValue, Kind, Nested, Record, Schema, Store, Timestamp, Value, field, json,
};
use proptest::prelude::*;
use std::fs;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FieldValue)]
#[field(rename_all = "snake_case")]
enum Status {
    Pending,
    PaidOut,
}

#[derive(Clone, Debug, PartialEq, Nested)]
#[record(from_values)]
struct Address {
    #[record(index)]
    city: String,
    #[record(field)]
    zip: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Record)]
#[record(from_values)]
struct Payment {
    #[record(key)]
    id: u64,
    #[record(unique)]
    reference: Option<String>,
    #[record(index)]
    status: Status,
    #[record(field)]
    amount: DecimalValue,
    #[record(field)]
    rate: Option<f64>,
    #[record(field)]
    paid: Option<Timestamp>,
    #[record(field)]
    big: Option<i128>,
    #[record(field)]
    letter: Option<char>,
    #[record(field)]
    open: bool,
    #[record(field)]
    tags: Vec<String>,
    #[record(field)]
    scores: Vec<i64>,
    #[record(nested)]
    address: Address,
}

fn first() -> Payment {
    Payment {
        id: 1,
        reference: Some("r, \"1\"".into()),
        status: Status::PaidOut,
        amount: "12.3456789012345678901".parse().unwrap(),
        rate: Some(-0.5),
        paid: Some("2026-11-21T10:00:00Z".parse().unwrap()),
        big: Some(i128::MAX),
        letter: Some('ß'),
        open: true,
        tags: vec!["a".into(), "b c".into()],
        scores: vec![-1, 2],
        address: Address { city: "Bern".into(), zip: Some(3000) },
    }
}

fn second() -> Payment {
    Payment {
        id: 2,
        reference: None,
        status: Status::Pending,
        amount: "7".parse().unwrap(),
        rate: None,
        paid: None,
        big: None,
        letter: None,
        open: false,
        tags: vec![],
        scores: vec![],
        address: Address { city: String::new(), zip: None },
    }
}

const JSON: [&str; 2] = [
    r#"{"id":1,"reference":"r, \"1\"","status":"paid_out","amount":12.3456789012345678901,"rate":-0.5,
        "paid":"2026-11-21T11:00:00+01:00","big":170141183460469231731687303715884105727,"letter":"ß","open":true,
        "tags":["a","b c"],"scores":[-1,2],"address":{"city":"Bern","zip":3000}}"#,
    r#"{"id":2,"status":"pending","amount":"7","rate":null,"open":false,"tags":[],"address":{"city":"","zip":null}}"#,
];

const CSV: &str = "id,reference,status,amount,rate,paid,big,letter,open,tags,scores,address.city,address.zip\r\n\
    1,\"r, \"\"1\"\"\",paid_out,12.3456789012345678901,-5e-1,2026-11-21T10:00:00Z,170141183460469231731687303715884105727,ß,true,a;b c,-1;2,Bern,3000\r\n\
    2,,pending,7,,,,,false,,,,\r\n";

fn loaded(fixtures: &Fixtures) -> Vec<Payment> {
    let payments = Store::new().collection::<Payment>("Payment").unwrap();
    let loaded = fixtures.load_into(&payments).unwrap();
    assert_eq!(loaded.records, payments.len());
    let mut all: Vec<Payment> = payments.iter().map(|payment| payment.cloned()).collect();
    all.sort_by_key(|payment| payment.id);
    all
}

#[test]
fn values_of_every_kind_come_from_every_format() {
    let lines = JSON.map(|object| object.replace('\n', " ")).join("\n\n");
    for fixtures in [
        Fixtures::json(format!(" [{}, {}]\n", JSON[0], JSON[1])),
        Fixtures::json_lines(lines.clone()),
        Fixtures::json_lines(format!("\u{feff}{lines}\r\n")),
        Fixtures::csv(CSV),
        Fixtures::csv(format!("\u{feff}{CSV}")),
        Fixtures::csv(CSV.replace(';', "|")).list_separator('|'),
        Fixtures::csv(CSV.replace("\r\n", "\n")).batches_of(1),
        Fixtures::new(Format::Csv, CSV),
    ] {
        assert_eq!(loaded(&fixtures), [first(), second()], "{fixtures:?}");
    }
    for nothing in [Fixtures::json("[]"), Fixtures::json_lines("\n \n"), Fixtures::csv(""), Fixtures::csv("id\n")] {
        assert_eq!(loaded(&nothing), []);
    }
    let tabs = Fixtures::csv("id\tstatus\tamount\topen\ttags\ttags\taddress.city\n1\tpending\t1\ttrue\ta\tb;c\t\n")
        .separator('\t');
    assert_eq!(loaded(&tabs)[0].tags, ["a", "b", "c"]);
}

#[test]
fn documents_and_key_values_are_filled() {
    let store = Store::new();
    let schema = || {
        Schema::new([
            FieldDef::new("id", Kind::Int).key(),
            FieldDef::new("items.price", Kind::Decimal).many(),
            FieldDef::new("at", Kind::Date),
        ])
    };
    let documents = store.documents("Order", schema()).unwrap();
    Fixtures::json(
        r#"[{ "id": 1, "items": [{ "price": 1.5, "more": [[]] }, { "price": "2" }], "note": { "deep": null } }]"#,
    )
    .load_into(&documents)
    .unwrap();
    let expected =
        json!({ "id": 1, "items": [{ "price": 1.5, "more": [[]] }, { "price": "2" }], "note": { "deep": null } });
    assert_eq!(documents.get(1).unwrap().body(), &expected);
    // Without the type, and from CSV: undeclared columns hold text.
    let any = store.any_collection("Order").unwrap();
    Fixtures::csv("id,at,note.deep,empty\n2,2026-01-02,7,\n").load_into(&*any).unwrap();
    assert_eq!(documents.get(2).unwrap().body(), &json!({ "id": 2, "at": "2026-01-02", "note": { "deep": "7" } }));
    assert_eq!(documents.find(field("items.price").contains(2)).count().unwrap(), 1);

    let schema = Schema::new([
        FieldDef::new("key", Kind::Str).key(),
        FieldDef::new("tags", Kind::Str).many(),
        FieldDef::new("n", Kind::Int),
    ]);
    let values = store.key_values::<()>("Value", schema.clone()).unwrap();
    Fixtures::json_lines("{\"key\":\"a\",\"tags\":[\"x\",\"y\"],\"n\":5}").load_into(&values).unwrap();
    assert_eq!(*values.get("a").unwrap(), KeyValue::new("a", ()).with_each("tags", ["x", "y"]).with("n", 5));
    let others = store.key_values::<u8>("Other", schema).unwrap();
    let error = Fixtures::json_lines("{\"key\":\"a\"}").load_into(&others).unwrap_err();
    assert!(
        matches!(&error, FixtureError::Refused { source, .. } if matches!(source.cause(), Cause::NotFromValues { .. })),
        "{error}"
    );
}

fn message(fixtures: &Fixtures) -> String {
    let store = Store::new();
    let payments = store.collection::<Payment>("Payment").unwrap();
    let error = fixtures.load_into(&payments).unwrap_err();
    assert_eq!((payments.len(), store.newest_commit().get()), (0, 0), "nothing is loaded after: {error}");
    error.to_string()
}

#[test]
fn errors_name_line_column_and_field() {
    let good = r#"{"id":1,"status":"pending","amount":1,"open":true,"address":{"city":"x"}}"#;
    let json = |from: &str, to: &str| {
        Fixtures::json(format!("[\n  {good},\n  {}\n]", good.replace(from, to).replace("\"id\":1,", "\"id\":2, ")))
    };
    for (fixtures, expected) in [
        (
            json("\"amount\":1", "\"amount\":\"x\""),
            r#"line 3, column 40: field "amount": "x" is not a value of kind decimal"#,
        ),
        (
            json("\"open\":true", "\"open\":1"),
            r#"line 3, column 49: field "open": 1 is not a value of kind bool: write true or false"#,
        ),
        (
            json("\"open\":true", "\"open\":[true]"),
            r#"line 3, column 49: field "open": a list in place of one value of kind bool"#,
        ),
        (
            json("\"open\":true", "\"open\":{}"),
            r#"line 3, column 49: field "open": an object in place of a value of kind bool"#,
        ),
        (json("\"x\"", "5"), r#"line 3, column 72: field "address.city": 5 is not a value of kind string"#),
        (json("{\"city\":\"x\"}", "7"), r#"line 3, column 64: field "address": a value in place of an object"#),
        (
            json("amount", "amuont"),
            r#"line 3, column 40: collection "Payment" has no field "amuont"; it has id, reference, status, amount, rate, paid, big, letter, open, tags, scores, address.city, address.zip; did you mean `amount`?"#,
        ),
        (json("\"open\"", "\"status\""), r#"line 3, column 51: field "status": the object has it twice"#),
        (json("pending", "lost"), "line 3, column 21: store in \"Payment\" refused: field \"status\" is a"),
        (json("\"amount\":1,", ""), "line 3, column 3: store in \"Payment\" refused: field \"amount\""),
        (
            json("\"open\":true", "\"open\":true,\"paid\":\"today\""),
            r#"line 3, column 61: field "paid": "today" is not a value of kind timestamp: write a time as 2026-11-21T10:00:00Z"#,
        ),
        (
            json("\"open\":true", "\"open\":true,\"scores\":[1,2.5]"),
            r#"line 3, column 66: field "scores": 2.5 is not a value of kind integer"#,
        ),
        (json("}}", "}"), "line 4, column 1: invalid JSON: expected `,` or `}`"),
        (Fixtures::json("{}"), "line 1, column 1: the text must be an array of objects"),
        (Fixtures::json("[\n1]"), "line 2, column 1: a record must be an object"),
        (Fixtures::json("[1"), "line 1, column 2: invalid JSON: EOF while parsing a list"),
        (Fixtures::json("[] x"), "line 1, column 4: invalid JSON: trailing characters"),
        (Fixtures::json_lines(format!("{good}\n\n  {{\"id\":x}}")), "line 3, column 9: invalid JSON: expected value"),
        (
            Fixtures::json_lines(format!("{good}\n  {good}")),
            r#"line 2, column 3: the key 1 is taken by the record on line 1: remove one of them"#,
        ),
        (Fixtures::new(Format::Json, &b"[\n \xff]"[..]), "line 2, column 2: the text is not UTF-8"),
        (Fixtures::csv("id,nmae\n"), r#"line 1, column 2: collection "Payment" has no field "nmae""#),
        (Fixtures::csv("id,id\n"), r#"line 1, column 2: field "id": two columns have this name"#),
        (
            Fixtures::csv("id,status\r\n1,pending\r\n\r\n2\r\n"),
            "line 4, column 1: the record has 1 columns, and the header has 2",
        ),
        (
            Fixtures::csv("id,letter\n1,\"a\nb\"\n2,ab\n"),
            r#"line 2, column 2: field "letter": "a\nb" is not a value of kind char: write one character"#,
        ),
        (
            Fixtures::csv("id,scores\n1,\n2,1;;2\n"),
            r#"line 3, column 2: field "scores": "" is not a value of kind integer"#,
        ),
        (
            Fixtures::csv("id,status\n1,pending\n2,gone\n"),
            r#"line 2, column 1: store in "Payment" refused: field "amount""#,
        ),
    ] {
        let message = message(&fixtures);
        assert!(message.starts_with(expected), "{message}\nexpected {expected}");
    }
    let deep = format!("[{{\"tags\":{}1{}}}]", "[".repeat(50_000), "]".repeat(50_000));
    let message = message(&Fixtures::json(deep));
    assert!(message.contains("nested too deeply"), "{message}");
}

#[test]
fn a_refused_commit_names_the_record() {
    let store = Store::new();
    let payments = store.collection::<Payment>("Payment").unwrap();
    payments.store(Payment { id: 9, reference: Some("taken".into()), ..first() }).unwrap();
    let header = "id,status,amount,open,address.city,reference\n";
    let rows = "1,pending,1,true,x,a\n2,pending,1,true,x,b\n3,pending,1,true,x,taken\n4,pending,1,true,x,c\n";
    let fixtures = Fixtures::csv(format!("{header}{rows}"));
    let error = fixtures.load_into(&payments).unwrap_err();
    let FixtureError::Refused { at, source, committed, .. } = &error else { panic!("{error}") };
    assert_eq!((at.line, at.column, *committed, payments.len()), (4, 6, 0, 1));
    assert!(matches!(source.cause(), Cause::NotUnique { .. }));
    // By choice, the batches before it stay.
    let error = fixtures.clone().batches_of(2).load_into(&payments).unwrap_err();
    let FixtureError::Refused { at, committed, .. } = &error else { panic!("{error}") };
    assert_eq!((at.line, *committed, payments.len()), (4, 2, 3));
    // A key that comes twice is found over batches too, unlike one that the collection has.
    let twice = Fixtures::csv(format!("{header}{rows}1,pending,1,true,x,z\n").replace("taken", "free")).batches_of(2);
    assert!(matches!(twice.load_into(&payments), Err(FixtureError::DuplicateKey { first: 2, .. })));
    let free = Fixtures::csv(format!("{header}{rows}").replace("taken", "free"));
    assert_eq!(free.load_into(&payments).unwrap().records, 4);
    assert_eq!(payments.len(), 5);
}

#[test]
fn several_texts_are_one_commit() {
    let store = Store::new();
    let payments = store.collection::<Payment>("Payment").unwrap();
    let orders = store.documents("Order", Schema::new([FieldDef::new("id", Kind::Int).key()])).unwrap();
    let mut batch = store.batch();
    assert_eq!(Fixtures::csv(CSV).add_to(&mut batch, &payments).unwrap(), 2);
    assert_eq!(Fixtures::json("[{\"id\":1}]").add_to(&mut batch, &orders).unwrap(), 1);
    batch.commit().unwrap();
    assert_eq!((payments.len(), orders.len(), store.newest_commit().get()), (2, 1, 1));
    let other: &dyn AnyCollection = &Store::new().collection::<Payment>("Payment").unwrap();
    assert!(Fixtures::csv(CSV).add_to(&mut store.batch(), other).is_err(), "a collection of another store");
}

#[test]
fn folders_are_loaded_as_a_whole() {
    let folder = std::env::temp_dir().join(format!("memdex-fixtures-it-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let store = Store::new();
    let payments = store.collection::<Payment>("Payment").unwrap();
    let orders = store.documents("Order", Schema::new([FieldDef::new("id", Kind::Int).key()])).unwrap();
    for (name, text) in
        [("Payment.csv", CSV), ("Order.ndjson", "{\"id\":1}\n{\"id\":2}\n"), ("README.md", "x"), (".hidden.json", "x")]
    {
        fs::write(folder.join(name), text).unwrap();
    }
    let loaded = load_folder(&store, &folder).unwrap();
    assert_eq!(
        (loaded.records, payments.len(), orders.len(), store.newest_commit()),
        (4, 2, 2, loaded.commit.unwrap())
    );
    store.commit(|batch| batch.delete_where(&payments, memdex::Filter::all())).unwrap();
    fs::write(folder.join("Payment.csv"), CSV.replace("pending", "paid_out").replace("2,,", "2,\"r, \"\"1\"\"\","))
        .unwrap();
    let error = load_folder(&store, &folder).unwrap_err();
    let at = folder.join("Payment.csv").display().to_string();
    assert!(error.to_string().starts_with(&format!("{at}:3:2: store")), "{error}");
    assert!(payments.is_empty());
    fs::write(folder.join("Paymnet.json"), "[]").unwrap();
    let error = load_folder(&store, &folder).unwrap_err();
    assert!(error.to_string().contains("did you mean `Payment`?"), "{error}");
    fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(load_folder(&store, &folder), Err(FixtureError::Io { .. })));
    assert!(matches!(Fixtures::open(folder.join("x.xml")), Err(FixtureError::UnknownFormat { .. })));
    assert!(matches!(Fixtures::open(folder.join("x.json")), Err(FixtureError::Io { .. })));
}

fn payments() -> impl Strategy<Value = Payment> {
    // In CSV, an empty text of an optional field is a missing one, and a list holds no separators.
    let text = "[a-zß\"',\r\n ]{1,6}";
    let words = prop::collection::vec("[a-z \"\n]{1,4}", 0..3);
    let values =
        (prop::option::of(text), any::<i64>(), 0u8..20, prop::option::of(-1e9..1e9f64), prop::option::of(any::<i64>()));
    let more = (
        prop::option::of(any::<i128>()),
        prop::option::of(any::<char>()),
        any::<bool>(),
        words,
        any::<Vec<i64>>(),
        text,
    );
    (values, more).prop_map(|((reference, units, scale, rate, paid), (big, letter, open, tags, scores, city))| {
        Payment {
            id: 0,
            reference,
            status: if open { Status::PaidOut } else { Status::Pending },
            amount: DecimalValue::new(units.into(), scale).unwrap(),
            rate,
            paid: paid.map(|micros| Timestamp::from_micros(micros.rem_euclid(253_402_300_799_000_000))),
            big,
            letter,
            open,
            tags,
            scores,
            address: Address { city, zip: None },
        }
    })
}

/// The text of each field, by name.
fn cells(payment: &Payment) -> Vec<(String, Vec<Value>)> {
    let store = Store::new();
    let payments = store.collection::<Payment>("Payment").unwrap();
    payments.store(payment.clone()).unwrap();
    let hit = store.any_collection("Payment").unwrap().get(payments.get(payment.id).unwrap().key()).unwrap();
    let names = payments.schema().fields().iter().map(|field| field.name().to_owned());
    names.map(|name| (name.clone(), hit.values_of(&name))).collect()
}

fn as_json(payment: &Payment) -> serde_json::Value {
    let mut document = Document::new(json!({})).unwrap();
    for (name, values) in cells(payment) {
        let is_many = name == "tags" || name == "scores";
        let json = |value: &Value| match (value.as_str(), value.as_bool(), value.as_i64()) {
            (Some(text), ..) => json!(text),
            (_, Some(truth), _) => json!(truth),
            (.., Some(int)) if name != "amount" => json!(int),
            _ if name == "rate" => json!(payment.rate),
            _ if name == "big" => serde_json::from_str(&value.to_string()).unwrap(),
            _ => json!(value.to_string()),
        };
        let values: Vec<_> = values.iter().filter(|value| !value.as_ref().is_null()).map(json).collect();
        if is_many {
            document.set(&name, values).unwrap();
        } else if let Some(value) = values.into_iter().next() {
            document.set(&name, value).unwrap();
        }
    }
    document.into_body()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_records_come_back_from_every_format(mut all in prop::collection::vec(payments(), 0..8)) {
        for (id, payment) in (0..).zip(&mut all) {
            payment.id = id;
            // Unique, and not beyond what a JSON number of this parser holds.
            payment.reference = payment.reference.take().map(|text| format!("{id}{text}"));
            payment.big = payment.big.map(|big| big.clamp(i64::MIN.into(), u64::MAX.into()));
        }
        let objects: Vec<_> = all.iter().map(as_json).collect();
        prop_assert_eq!(&loaded(&Fixtures::json(serde_json::to_string_pretty(&objects).unwrap())), &all);
        let lines: Vec<_> = objects.iter().map(ToString::to_string).collect();
        prop_assert_eq!(&loaded(&Fixtures::json_lines(lines.join("\n"))), &all);
        let mut csv = String::new();
        for payment in &all {
            let cells = cells(payment);
            if csv.is_empty() {
                csv = cells.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(",") + "\n";
            }
            let cell = |(_, values): &(String, Vec<Value>)| {
                let present = values.iter().filter(|value| !value.as_ref().is_null());
                let text = present.map(ToString::to_string).collect::<Vec<_>>().join(";");
                format!("\"{}\"", text.replace('"', "\"\""))
            };
            csv += &(cells.iter().map(cell).collect::<Vec<_>>().join(",") + "\n");
        }
        prop_assert_eq!(&loaded(&Fixtures::csv(csv)), &all);
    }
}

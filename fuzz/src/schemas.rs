//! Schemas as JSON and as SQL: one that is accepted opens collections, takes rows, is written and read again as the same, and makes tables
//! in SQLite. Others get a typed error.

use crate::draw::draw;
use crate::input::Input;
use crate::tally;
use memdex::error::Cause;
use memdex::{KeyValue, Schema, Store};
use memdex_sql::{Dialect, SchemaToSql};
use memdex_test::strategy::schemas;
use memdex_test::{Domain, Form, Model, Operation, Outcome};
use rusqlite::Connection;

/// The first byte is the form: `j` for JSON, `d` for the seed of a strategy. It also draws the rows.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let schema = match input.byte() {
        b'j' => {
            serde_json::from_slice::<Schema>(input.rest()).map_err(|error| assert!(!error.to_string().is_empty())).ok()
        }
        b'd' => draw(input.rest(), schemas()),
        _ => None,
    };
    if let Some(schema) = schema {
        round_trip(&schema);
        opened(&schema, input.rest());
        translated(&schema);
    }
}

fn round_trip(schema: &Schema) {
    let text = match serde_json::to_string(schema) {
        Ok(text) => text,
        // A predicate that is too deep is not written.
        Err(error) => return assert!(error.to_string().contains("deep"), "{error}"),
    };
    let again: Schema = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(&again, schema, "{text}");
    assert_eq!(serde_json::to_string(&again).expect("it was written"), text);
}

/// The schema of a collection also knows of which records it is; its form does not say so.
fn read_again(schema: &Schema) -> Schema {
    let text = serde_json::to_string(schema).expect("the collection has checked it");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn opened(schema: &Schema, seed: &[u8]) {
    let store = Store::new();
    let is_valid = schema.check().map_err(|error| assert!(!error.to_string().is_empty())).is_ok();
    // Other collections are missing in a new store.
    let has_references = !schema.references().is_empty();
    let documents = store.documents("Document", schema.clone());
    match &documents {
        Ok(notes) => {
            let again =
                Store::new().documents("Document", read_again(notes.schema())).expect("the schema of a collection");
            assert_eq!(again.schema(), notes.schema());
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(!is_valid || has_references, "{error}: {schema:?}");
        }
    }
    match store.key_values::<()>("Any", schema.clone()) {
        Ok(things) => {
            let again =
                Store::new().key_values::<()>("Any", read_again(things.schema())).expect("the schema of a collection");
            assert_eq!(again.schema(), things.schema());
            if !has_references {
                filled(&store, schema, seed);
            }
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(!is_valid || has_references, "{error}: {schema:?}");
        }
    }
    store.verify().expect("the store is sound");
}

/// Rows are taken, or refused, as the model does.
fn filled(store: &Store, schema: &Schema, seed: &[u8]) {
    let form = Form::<KeyValue<()>>::key_values(schema.clone());
    let schema = form.schema();
    let Ok(domain) = Domain::of_schema("Any", schema.clone()) else { return };
    let things = store.key_values::<()>("Any", schema.clone()).expect("it is open");
    let mut model = Model::new([("Any", schema.clone())]);
    let has_checks = !schema.checks().is_empty();
    let of_rows = domain.rows();
    for at in 0..4_u8 {
        let Some(row) = draw(&[seed, &[at]].concat(), &of_rows) else { continue };
        let expected = model.apply(&Operation::insert("Any", row.clone()));
        let given = form.build(&row.to_values()).map(|record| things.insert(record));
        match given {
            Ok(Ok(_)) => {
                assert_eq!(expected, Outcome::Done, "{row:?} in {schema:?}");
                tally::count();
            }
            Ok(Err(refused)) => {
                let is_limit =
                    matches!(refused.cause(), Cause::Key(_) | Cause::ValueTooLong { .. } | Cause::TooManyValues { .. });
                assert!(expected != Outcome::Done || is_limit || has_checks, "{refused}: {row:?} in {schema:?}");
                // The model has the row, and the store has not.
                return;
            }
            Err(cause) => assert_ne!(expected, Outcome::Done, "{cause}: {row:?} in {schema:?}"),
        }
    }
    assert_eq!(things.len(), model.rows("Any").count());
}

fn translated(schema: &Schema) {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        match schema.to_sql(dialect, "Any") {
            Ok(statements) if dialect == Dialect::Sqlite => {
                let sqlite = Connection::open_in_memory().expect("memory");
                for statement in statements {
                    sqlite.execute_batch(&statement).unwrap_or_else(|error| panic!("{error}: {statement}"));
                }
            }
            Ok(statements) => assert!(!statements.is_empty()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

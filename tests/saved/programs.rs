//! Programs that have changed since the file was written, and archives that do not fit the store.

use crate::world::saved;
use memdex::schema::AggregateDef;
use memdex::typing::saved::{Archive, LoadError, SaveError};
use memdex::{Document, FieldDef, GroupBy, IndexDef, KeyValue, Kind, Record, Schema, Store, json};
use serde::{Deserialize, Serialize};

mod first {
    use super::*;
    #[derive(Clone, Record, Serialize, Deserialize)]
    pub(super) struct Job {
        #[record(key)]
        pub(super) id: u32,
        #[record(index)]
        pub(super) queue: String,
        #[record(ordered)]
        pub(super) due: i64,
        pub(super) text: String,
    }
}

fn jobs() -> Store {
    let store = Store::new();
    let jobs = store.collection::<first::Job>("Job").unwrap();
    for id in 0..10 {
        jobs.store(first::Job { id, queue: format!("q{}", id % 3), due: i64::from(id), text: "x".into() }).unwrap();
    }
    store
}

/// The result of loading the jobs as another type.
macro_rules! loaded_as {
    ($($body:tt)*) => {{
        #[derive(Clone, Record, Serialize, Deserialize)]
        #[allow(dead_code)]
        struct Job { $($body)* }
        let file = saved(&Archive::new().collection::<first::Job>("Job"), &jobs());
        let archive = Archive::new().collection::<Job>("Job");
        archive.load_from(&file[..]).map(|store| (store.clone(), store.collection::<Job>("Job").unwrap().indexes()))
    }};
}

#[test]
fn indexes_and_columns_of_the_program_may_differ() {
    let loaded = loaded_as! {
        #[record(key)] id: u32,
        #[record(column)] queue: String,
        #[record(unique)] due: i64,
        text: String,
    };
    let (store, indexes) = loaded.unwrap();
    assert_eq!(indexes, [IndexDef::unique("due")]);
    store.verify().unwrap();
    // An index that the records violate is a refusal, which names the block.
    let error = loaded_as! {
        #[record(key)] id: u32,
        #[record(unique)] queue: String,
        #[record(field)] due: i64,
        text: String,
    };
    let error = error.unwrap_err();
    let LoadError::Refused { place, source, .. } = &error else { panic!("{error}") };
    assert_eq!((place.block, place.collection.as_deref()), (3, Some("Job")));
    assert!(matches!(source.cause(), memdex::error::Cause::NotUnique { .. }), "{error}");
}

#[test]
fn other_fields_of_the_schema_are_named() {
    macro_rules! differs {
        ($named:literal: $($body:tt)*) => {
            let error = loaded_as! { $($body)* }.unwrap_err();
            assert!(matches!(&error, LoadError::OtherSchema { .. }), "{error}");
            assert!(error.to_string().contains($named), "{error}");
        };
    }
    differs!("\"due\" is gone": #[record(key)] id: u32, #[record(index)] queue: String, due: i64, text: String,);
    differs!("\"text\" is new": #[record(key)] id: u32, #[record(index)] queue: String, #[record(ordered)] due: i64, #[record(field)] text: String,);
    differs!("\"due\" was of kind integer, and is of kind float":
        #[record(key)] id: u32, #[record(index)] queue: String, #[record(ordered)] due: f64, text: String,);
    differs!("\"queue\" was not optional": #[record(key)] id: u32, #[record(index)] queue: Option<String>, #[record(ordered)] due: i64, text: String,);
    differs!("part of the key": #[record(key)] id: u32, #[record(key)] queue: String, #[record(ordered)] due: i64, text: String,);
}

#[test]
fn other_fields_of_the_type_are_named() {
    let error = loaded_as! { #[record(key)] id: u32, #[record(index)] queue: String, #[record(ordered)] due: i64, note: String, };
    let error = error.unwrap_err();
    assert!(matches!(&error, LoadError::OtherFields { .. }), "{error}");
    assert!(error.to_string().contains("id, queue, due, text, and are id, queue, due, note"), "{error}");
    // A field that is gone at the end, a swapped pair.
    for error in [
        loaded_as! { #[record(key)] id: u32, #[record(index)] queue: String, #[record(ordered)] due: i64, }.err(),
        loaded_as! { #[record(key)] id: u32, text: String, #[record(index)] queue: String, #[record(ordered)] due: i64, }.err(),
    ] {
        assert!(matches!(error, Some(LoadError::OtherFields { .. })));
    }
    // The names are equal, but not the types.
    let error = loaded_as! { #[record(key)] id: u32, #[record(index)] queue: String, #[record(ordered)] due: i64, text: Vec<String>, };
    let error = error.unwrap_err();
    assert!(matches!(&error, LoadError::Damaged { .. }), "{error}");
}

#[test]
fn json_reads_fields_by_name() {
    mod later {
        use super::*;
        #[derive(Record, Serialize, Deserialize)]
        pub(super) struct Job {
            #[record(key)]
            pub(super) id: u32,
            #[serde(default)]
            pub(super) added: Vec<f64>,
            pub(super) text: String,
        }
    }
    #[derive(Record, Serialize, Deserialize)]
    struct Job {
        #[record(key)]
        id: u32,
        text: String,
        gone: bool,
    }
    let store = Store::new();
    store.collection::<Job>("Job").unwrap().store(Job { id: 1, text: "x".into(), gone: true }).unwrap();
    let file = saved(&Archive::new().collection_as_json::<Job>("Job"), &store);
    let loaded = Archive::new().collection::<later::Job>("Job").load_from(&file[..]).unwrap();
    let job = loaded.collection::<later::Job>("Job").unwrap().get(1).unwrap();
    assert_eq!((job.id, &*job.added, &*job.text), (1, &[][..], "x"));
}

#[test]
fn undeclared_types_and_other_forms_are_named() {
    let store = jobs();
    let error = Archive::new().save_to(&store.snapshot(), Vec::new()).unwrap_err();
    assert!(matches!(&error, SaveError::Undeclared { .. }) && error.to_string().contains("first::Job"), "{error}");
    let error = Archive::new().key_values::<u8>("Job").save_to(&store.snapshot(), Vec::new()).unwrap_err();
    assert!(matches!(&error, SaveError::OtherType { .. }), "{error}");
    let file = saved(&Archive::new().collection::<first::Job>("Job"), &store);
    let error = Archive::new().load_from(&file[..]).unwrap_err();
    assert!(matches!(&error, LoadError::Undeclared { .. }) && error.to_string().contains("first::Job"), "{error}");
    let error = Archive::new()
        .documents("Job", Schema::new([FieldDef::new("id", Kind::Int).key()]))
        .load_from(&file[..])
        .unwrap_err();
    assert!(matches!(&error, LoadError::OtherType { .. }), "{error}");
    let loaded = Archive::new().without("Job").load_from(&file[..]).unwrap();
    assert!(loaded.collections().is_empty());
    let values = Store::new();
    values.key_values::<u64>("Rate", Schema::new([])).unwrap().store(KeyValue::new("a", 1)).unwrap();
    assert!(matches!(Archive::new().save_to(&values.snapshot(), Vec::new()), Err(SaveError::Undeclared { .. })));
    let file = saved(&Archive::new().key_values::<u64>("Rate"), &values);
    assert!(matches!(Archive::new().load_from(&file[..]), Err(LoadError::Undeclared { .. })));
}

#[test]
fn documents_take_the_schema_of_the_program() {
    let fields = || [FieldDef::new("id", Kind::Int).key(), FieldDef::new("status", Kind::Str)];
    let old = Schema::new(fields()).with_index(IndexDef::equality("status"));
    let store = Store::new();
    let documents = store.documents("Payment", old.clone()).unwrap();
    documents.store(Document::new(json!({ "id": 1, "status": "paid" })).unwrap()).unwrap();
    documents.add_index(IndexDef::ordered("amount")).unwrap();
    let file = saved(&Archive::new(), &store);
    let new = Schema::new(fields()).with_aggregate(AggregateDef::new("by_status", GroupBy::values("status")));
    let loaded = Archive::new().documents("Payment", new.clone()).load_from(&file[..]).unwrap();
    let payments = loaded.documents("Payment", new).unwrap();
    // The index of the old program is gone, and the one that was added at run time is there.
    assert_eq!((payments.indexes(), payments.aggregates().len()), (vec![IndexDef::ordered("amount")], 1));
    loaded.verify().unwrap();
    let other = Schema::new([FieldDef::new("id", Kind::Str).key()]);
    let error = Archive::new().documents("Payment", other).load_from(&file[..]).unwrap_err();
    assert!(matches!(error, LoadError::OtherSchema { .. }), "{error}");
    let payments = Archive::new().load_from(&file[..]).unwrap().documents("Payment", old).unwrap();
    assert_eq!(payments.indexes().len(), 2);
    let rates = Store::new();
    rates.key_values::<u8>("Rate", Schema::new([FieldDef::new("bank", Kind::Str)])).unwrap();
    let file = saved(&Archive::new().key_values::<u8>("Rate"), &rates);
    let indexed = Schema::new([FieldDef::new("bank", Kind::Str).index()]);
    let loaded = Archive::new().key_values_with::<u8>("Rate", indexed.clone()).load_from(&file[..]).unwrap();
    assert_eq!(loaded.key_values::<u8>("Rate", indexed).unwrap().indexes().len(), 1);
}

#[test]
fn records_that_do_not_come_back_are_refused_at_the_save() {
    #[derive(Clone, Record, Serialize, Deserialize)]
    struct Sparse {
        #[record(key)]
        id: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        last: u64,
    }
    #[derive(Record)]
    struct Broken {
        #[record(key)]
        id: u32,
        panics: bool,
    }
    impl Serialize for Broken {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            assert!(!self.panics, "broken");
            if self.id == 7 { Err(serde::ser::Error::custom("seven")) } else { serializer.serialize_u32(self.id) }
        }
    }
    impl<'de> Deserialize<'de> for Broken {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            u32::deserialize(deserializer).map(|id| {
                assert!(id != 8, "eight");
                Broken { id, panics: false }
            })
        }
    }
    let store = Store::new();
    let sparse = store.collection::<Sparse>("Sparse").unwrap();
    sparse.store(Sparse { id: 1, name: Some("a".into()), last: 2 }).unwrap();
    let archive = Archive::new().collection::<Sparse>("Sparse");
    archive.save_to(&store.snapshot(), Vec::new()).unwrap();
    sparse.store(Sparse { id: 2, name: None, last: 2 }).unwrap();
    let error = archive.save_to(&store.snapshot(), Vec::new()).unwrap_err();
    assert!(matches!(&error, SaveError::NotReadBack { key, .. } if key == sparse.get(2).unwrap().key()), "{error}");
    assert!(error.to_string().contains("collection_as_json"), "{error}");

    let archive = Archive::new().collection::<Broken>("Broken");
    for (id, panics, named) in [(7, false, "seven"), (1, true, "broken"), (8, false, "eight")] {
        let store = Store::new();
        store.collection::<Broken>("Broken").unwrap().store(Broken { id, panics }).unwrap();
        let error = archive.save_to(&store.snapshot(), Vec::new()).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}

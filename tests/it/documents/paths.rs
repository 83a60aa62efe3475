//! Indexes of undeclared paths.

use super::{document, keys};
use memdex::error::{Cause, IndexError, SchemaError};
use memdex::limits::MAX_INDEXED_BYTES;
use memdex::query::Predicate;
use memdex::typing::DecimalValue;
use memdex::{Collection, Document, FieldDef, IndexDef, Json, Kind, Schema, Store, Value, field, json};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::atomic::{AtomicBool, Ordering};

fn notes() -> (Store, Collection<Document>) {
    let store = Store::new();
    let notes = store.documents("Note", Schema::new([FieldDef::new("id", Kind::Int).key()])).unwrap();
    (store, notes)
}

fn found(notes: &Collection<Document>, predicate: Predicate) -> Vec<i64> {
    let mut found: Vec<i64> =
        notes.find(predicate).fetch().unwrap().iter().map(|note| note.get("id").unwrap().as_i64().unwrap()).collect();
    found.sort_unstable();
    found
}

/// The first line of an explanation shows whether records were read.
fn is_by_index(notes: &Collection<Document>, predicate: Predicate) -> bool {
    let text = notes.find(predicate).explain().unwrap().to_string();
    text.contains("index") && !text.contains("scan") && !text.contains("filter candidates")
}

/// Values of all sorts, in the order of their document's numbers.
fn values() -> Vec<Json> {
    vec![
        json!(5),
        json!(5.0),
        json!(5.5),
        json!(u64::MAX),
        json!(1.844_674_407_370_955_2e19),
        json!(i64::MIN),
        json!("5"),
        json!("five"),
        json!(""),
        json!(true),
        json!(false),
        json!(null),
        json!({ "x": 5 }),
        json!([5, "5", true, [6]]),
        json!(9_007_199_254_740_993_i64),
        json!(9_007_199_254_740_992_i64),
        json!(-0.0),
        json!(1e300),
        json!([]),
    ]
}

fn tests() -> Vec<Predicate> {
    let operands: Vec<Value> = vec![
        5.into(),
        5.0.into(),
        5.25.into(),
        6.into(),
        0.into(),
        u64::MAX.into(),
        u128::MAX.into(),
        i128::MIN.into(),
        1.844_674_407_370_955_2e19.into(),
        9_007_199_254_740_992.0.into(),
        f64::NEG_INFINITY.into(),
        f64::NAN.into(),
        "".into(),
        "5".into(),
        "f".into(),
        '5'.into(),
        true.into(),
        false.into(),
        "0.1".parse::<DecimalValue>().unwrap().into(),
        "5.0".parse::<DecimalValue>().unwrap().into(),
        memdex::Timestamp::from_secs(5).into(),
    ];
    let v = || field("v");
    let of_one = operands.iter().flat_map(|a| {
        let a = || a.clone();
        [v().eq(a()), v().ne(a()), v().lt(a()), v().le(a()), v().gt(a()), v().ge(a()), !v().gt(a()), v().contains(a())]
    });
    let of_two = operands.iter().flat_map(|a| {
        operands.iter().flat_map(|b| {
            let (a, b) = (|| a.clone(), || b.clone());
            [v().between(a(), b()), v().any([a(), b()]), v().all([a(), b()]), v().gt(a()) & v().lt(b())]
        })
    });
    let texts =
        [v().like("%"), v().like("5%"), v().starts_with("fi"), v().ends_with("e"), v().is_null(), !v().is_null()];
    of_one.chain(of_two).chain(texts).collect()
}

/// An index changes no answer.
#[test]
fn values_of_all_sorts_are_found_as_by_a_scan() {
    let (store, notes) = notes();
    let indexed = notes_with(&store, "equality", [IndexDef::equality("v")]);
    let ordered = notes_with(&store, "ordered", [IndexDef::ordered("v")]);
    for (id, v) in values().into_iter().enumerate() {
        for of in [&notes, &indexed, &ordered] {
            of.store(document(json!({ "id": id, "v": v }))).unwrap();
        }
    }
    for test in tests() {
        let expected = found(&notes, test.clone());
        assert_eq!(found(&indexed, test.clone()), expected, "equality: {test:?}");
        assert_eq!(found(&ordered, test.clone()), expected, "ordered: {test:?}");
        assert_eq!(ordered.find(test.clone()).count(), Ok(expected.len()), "{test:?}");
    }
    store.verify().unwrap();
    let v = || field("v");
    assert_eq!(found(&ordered, v().gt(5)), [2, 3, 4, 13, 14, 15, 17]);
    for (of, tests) in [
        (&indexed, vec![v().eq(5), v().is_in([5, 6]), v().is_null()]),
        (&ordered, vec![v().eq(5), v().gt(5), v().between(5, 5.5), v().starts_with("fi"), v().is_null()]),
    ] {
        for test in tests {
            assert!(is_by_index(of, test.clone()), "{}", of.find(test).explain().unwrap());
        }
    }
}

fn notes_with(store: &Store, name: &str, indexes: impl IntoIterator<Item = IndexDef>) -> Collection<Document> {
    let schema = Schema::new([FieldDef::new("id", Kind::Int).key()]);
    store.documents(name, indexes.into_iter().fold(schema, Schema::with_index)).unwrap()
}

#[test]
fn an_index_is_added_to_documents_that_exist() {
    let (store, notes) = notes();
    for id in 0..1_000 {
        notes.store(document(json!({ "id": id, "meta": { "score": id % 100, "tags": ["a", id % 7] } }))).unwrap();
    }
    let before = store.snapshot();
    notes.add_index(IndexDef::ordered("meta.score")).unwrap();
    notes.add_index(IndexDef::equality("meta.tags")).unwrap();
    notes.add_index(IndexDef::ordered("meta.score").named("sevens").when(field("meta.tags").eq(0))).unwrap();
    notes.update(5, |note| note.set("meta.score", 99.5).unwrap()).unwrap();
    assert_eq!(notes.find(field("meta.score").ge(99)).count(), Ok(11));
    assert_eq!(before.of(&notes).find(field("meta.score").ge(99)).count(), Ok(10));
    assert_eq!(notes.find(field("meta.tags").all([Value::from("a"), 3.into()])).count(), Ok(143));
    assert!(is_by_index(&notes, field("meta.score").ge(99)) && is_by_index(&notes, field("meta.tags").eq("a")));
    let sevens = field("meta.score").lt(3) & field("meta.tags").eq(0);
    assert!(notes.find(sevens.clone()).explain().unwrap().to_string().contains("sevens"));
    assert_eq!(notes.find(sevens).count(), Ok((0..1_000).filter(|id| id % 7 == 0 && id % 100 < 3).count()));
    // Sorted pages come from records: a document can have several values.
    let page = notes.find(Predicate::All).order_by(field("meta.score").desc()).limit(1).fetch().unwrap();
    assert_eq!(page.records[0].get("id"), Some(&json!(5)));
    store.verify().unwrap();
    drop(before);
    for name in ["meta.score", "meta.tags", "sevens"] {
        notes.drop_index(name).unwrap();
    }
    assert!(!is_by_index(&notes, field("meta.score").ge(99)));
    let advice = notes.find(field("meta.score").ge(99)).explain().unwrap().advice;
    assert!(advice[0].starts_with("an ordered index on \"meta.score\""), "{advice:?}");
}

#[test]
fn what_undeclared_paths_cannot_have_is_refused() {
    let (store, notes) = notes();
    for wrong in [IndexDef::unique("v"), IndexDef::ordered(["id", "v"]), IndexDef::equality(["v", "w"])] {
        let refused = notes.add_index(wrong).unwrap_err();
        assert!(
            matches!(&refused, IndexError::Schema { source: SchemaError::ManyValues { field, .. }, .. } if field == "v"),
            "{refused}"
        );
        assert!(refused.to_string().contains("declare"), "{refused}");
    }
    notes.store(document(json!({ "id": 1, "v": "x".repeat(MAX_INDEXED_BYTES + 1) }))).unwrap();
    let refused = notes.add_index(IndexDef::ordered("v")).unwrap_err();
    assert!(
        matches!(&refused, IndexError::Record { cause, .. } if matches!(&**cause, Cause::ValueTooLong { field, .. } if field == "v")),
        "{refused}"
    );
    notes.delete(1).unwrap();
    notes.add_index(IndexDef::ordered("v")).unwrap();
    let many: Vec<u32> = (0..4_097).collect();
    let refused = notes.store(document(json!({ "id": 1, "v": many }))).unwrap_err();
    assert!(matches!(refused.cause(), Cause::TooManyValues { field, .. } if field == "v"), "{refused}");
    assert!(notes.is_empty());
    store.verify().unwrap();
}

/// Of declared fields with many values, too.
#[test]
fn an_ordered_index_of_many_values_answers_ranges() {
    let store = Store::new();
    let schema =
        Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("scores", Kind::Float).many().ordered()]);
    let games = store.documents("Game", schema).unwrap();
    for id in 0..100 {
        games.store(document(json!({ "id": id, "scores": [id, f64::from(id) + 0.5, 1000] }))).unwrap();
    }
    let scores = || field("scores");
    for test in [scores().gt(99), scores().between(3.5, 4), scores().eq(7.5), scores().all([1000, 7])] {
        assert!(is_by_index(&games, test.clone()), "{}", games.find(test).explain().unwrap());
    }
    assert_eq!(found(&games, scores().between(3.5, 4)), [3, 4]);
    assert_eq!(games.find(scores().gt(99)).count(), Ok(100), "each once");
    assert_eq!(games.find(scores().lt(1_000)).count(), Ok(100));
    games.patch(3, json!({ "scores": [1000, 3] })).unwrap();
    assert_eq!(found(&games, scores().between(3.5, 4)), [4]);
    games.patch(3, json!({ "scores": null })).unwrap();
    assert_eq!(found(&games, scores().is_null()), [3]);
    store.verify().unwrap();
}

#[test]
fn an_index_is_built_while_documents_change() {
    let (store, notes) = notes();
    let body = |id: u64, round: u64| document(json!({ "id": id, "v": [id * 31 % 97, round] }));
    store.commit(|batch| (0..2_000).try_for_each(|id| batch.store(&notes, body(id, 0)))).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=40 {
                for n in 0..50 {
                    notes.store(body((round * 37 + n * 40) % 2_000, round)).unwrap();
                }
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            notes.add_index(IndexDef::ordered("v")).unwrap();
            let snapshot = store.snapshot();
            let all = snapshot.of(&notes);
            let expected = all.iter().filter(|note| {
                note.get("v").unwrap()[0].as_u64().unwrap() < 50 || note.get("v").unwrap()[1].as_u64().unwrap() < 50
            });
            assert_eq!(all.find(field("v").lt(50)).count().unwrap(), expected.count());
            notes.drop_index("v").unwrap();
        }
    });
    store.verify().unwrap();
}

fn value() -> impl Strategy<Value = Json> {
    let one = || select(values());
    prop_oneof![3 => one(), 1 => vec(one(), 0..4).prop_map(Json::Array)]
}

proptest! {
    #![proptest_config(crate::cases::default_cases())]

    #[test]
    fn random_changes_keep_indexes_of_paths(
        changes in vec((0..12_u32, proptest::option::weighted(0.8, value())), 1..60),
        (indexed_from, snapshot_at) in (0..60_usize, 0..60_usize),
        which in vec(any::<prop::sample::Index>(), 1..12),
    ) {
        let (store, plain) = notes();
        let indexed = notes_with(&store, "Indexed", []);
        let mut held = None;
        for (at, (id, v)) in changes.iter().enumerate() {
            if at == indexed_from {
                indexed.add_index(IndexDef::ordered("v")).unwrap();
                indexed.add_index(IndexDef::equality("v").named("equal")).unwrap();
            }
            if at == snapshot_at {
                held = Some(store.snapshot());
            }
            store.commit(|batch| match v {
                Some(v) => {
                    batch.store(&plain, document(json!({ "id": id, "v": v })))?;
                    batch.store(&indexed, document(json!({ "id": id, "v": v })))
                }
                None => {
                    batch.delete_where(&plain, field("id").eq(*id))?;
                    batch.delete_where(&indexed, field("id").eq(*id))
                }
            }).unwrap();
        }
        let all = tests();
        for test in which.iter().map(|at| at.get(&all)) {
            prop_assert_eq!(keys(&indexed, test.clone()), keys(&plain, test.clone()), "{:?}", test);
            if let Some(held) = &held {
                let of = |notes| {
                    let mut keys = held.of(notes).find(test.clone()).keys().unwrap();
                    keys.sort();
                    keys
                };
                prop_assert_eq!(of(&indexed), of(&plain), "held: {:?}", test);
            }
        }
        drop(held);
        store.verify().unwrap();
    }
}

//! Files with correct checksums whose content is made to harm.

use crate::allocator::peak_of;
use crate::blocks::{Block, COLLECTION, COLLECTION_END, END, RECORDS, STORE, build, encoded, parse};
use crate::damage::Random;
use crate::world::{archive, clock, load, saved, small_file, store};
use memdex::Store;
use memdex::typing::saved::LoadError;
use serde::Serialize;

/// Loads a file: it is refused, or the store is sound. The memory is bounded by the length of the file.
fn try_load(file: &[u8]) -> Result<Store, LoadError> {
    let (result, peak) = peak_of(|| load(file));
    // A store has some structures of fixed size for each collection.
    assert!(peak < 200 * file.len() + (16 << 20), "{peak} bytes for a file of {}", file.len());
    if let Ok(store) = &result {
        store.verify().unwrap();
        for collection in store.collections() {
            let all = memdex::Query::over([collection.name]);
            store.query(&all).unwrap().records().unwrap();
        }
    }
    result
}

fn refused(blocks: &[Block], why: &str) {
    let error = match try_load(&build(blocks)) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("loaded in spite of {why}"),
    };
    assert!(error.contains(why), "{error:?} does not mention {why:?}");
}

fn block<T: Serialize>(kind: u8, content: T) -> Block {
    Block { kind, content: encoded(content) }
}

/// A file with one collection of documents.
struct File {
    blocks: Vec<Block>,
}

#[derive(Clone, Serialize)]
struct Head {
    name: String,
    kind: u32,
    record_type: String,
    encoding: u32,
    fields: Vec<String>,
    schema: String,
    indexes: String,
    aggregates: String,
    lifetime: u32,
}

fn head() -> Head {
    let schema = r#"{"version":2,"fields":[{"name":"id","kind":"integer","key":true},{"name":"mail","kind":"string","optional":true,"index":"unique"}]}"#;
    Head {
        name: "Payment".into(),
        kind: 1,
        record_type: String::new(),
        encoding: 0,
        fields: vec![],
        schema: schema.into(),
        indexes: r#"[{"fields":["mail"],"kind":"unique"}]"#.into(),
        aggregates: "[]".into(),
        lifetime: 0,
    }
}

const NO_DEADLINE: u8 = 0;

/// The tokens of `{"id": id, "mail": mail}`.
fn document(id: i64, mail: &[u8]) -> Vec<u8> {
    let mut bytes = vec![NO_DEADLINE];
    bytes.extend(encoded((8u32, 2u64)));
    bytes.extend(encoded(("id", 2u32, id)));
    bytes.extend(encoded(("mail", 6u32, mail)));
    bytes
}

impl File {
    fn new() -> Self {
        File::with(&head(), &[document(1, b"a"), document(2, b"b")].concat())
    }

    fn with(head: &Head, records: &[u8]) -> Self {
        let store = block(STORE, (5u64, 1_000_000i64, vec![("Payment", 3u64)], 2u64));
        let records = Block { kind: RECORDS, content: records.to_vec() };
        File {
            blocks: vec![
                store,
                block(COLLECTION, head),
                records,
                block(COLLECTION_END, 2u64),
                block(END, (1u64, 2u64)),
            ],
        }
    }
}

#[test]
fn a_file_by_hand_loads() {
    let store = try_load(&build(&File::new().blocks)).unwrap();
    assert_eq!(store.any_collection("Payment").unwrap().len(), 2);
    assert_eq!(store.sequence("Payment").next(), 3);
    assert!(store.newest_commit().get() > 5);
}

#[test]
fn blocks_out_of_place_are_refused() {
    let file = File::new().blocks;
    for (at, why) in [(0, "the store"), (1, "records"), (3, "records, or the end of a collection"), (4, "ends")] {
        let mut blocks = file.clone();
        blocks.remove(at);
        refused(&blocks, why);
    }
    for at in 0..file.len() {
        let mut blocks = file.clone();
        blocks.insert(at, file[at].clone());
        assert!(try_load(&build(&blocks)).is_err(), "block {at} twice");
        let mut blocks = file.clone();
        blocks[at].kind = 9;
        refused(&blocks, "kind 9");
        for other in 0..file.len() {
            let mut blocks = file.clone();
            blocks.swap(at, other);
            assert!(at == other || try_load(&build(&blocks)).is_err(), "{at} and {other} swapped");
        }
    }
    let mut blocks = file.clone();
    blocks.splice(4..4, file[1..4].iter().cloned());
    blocks[7] = block(END, (2u64, 4u64));
    refused(&blocks, "second collection");
}

#[test]
fn counts_that_differ_are_refused() {
    for (at, content) in
        [(3, encoded(1u64)), (3, encoded(u64::MAX)), (4, encoded((1u64, 3u64))), (4, encoded((0u64, 2u64)))]
    {
        let mut file = File::new();
        file.blocks[at].content = content;
        refused(&file.blocks, "states");
    }
    for at in [0, 1, 3, 4] {
        let mut file = File::new();
        file.blocks[at].content.push(0);
        refused(&file.blocks, "1 bytes too many");
    }
}

#[test]
fn lengths_beyond_the_end_are_refused() {
    // A length in each place where one is: of the list of sequences, of a name, of a text in a document, of a list, of an object.
    let long = encoded(u64::MAX >> 1);
    let records = |bytes: &[&[u8]]| File::with(&head(), &bytes.concat()).blocks;
    for tokens in [
        vec![&[NO_DEADLINE][..], &[6], &long],
        vec![&[NO_DEADLINE], &[7], &long],
        vec![&[NO_DEADLINE], &[8], &long],
        vec![&[NO_DEADLINE], &[8, 1], &long],
        vec![&[NO_DEADLINE], &[5], &long],
        vec![&[1]],
        vec![&[2]],
        vec![&[NO_DEADLINE, 99]],
    ] {
        refused(&records(&tokens), "invalid record");
    }
    let mut file = File::new();
    file.blocks[0].content = [encoded(5u64), encoded(0i64), long.clone()].concat();
    refused(&file.blocks, "head of the store");
    file.blocks[0] = block(STORE, (u64::MAX, 0i64, Vec::<(String, u64)>::new(), 0u64));
    refused(&file.blocks, "beyond any");
    let mut file = File::new();
    file.blocks[1].content = long;
    refused(&file.blocks, "head of a collection");
    // The length of a block.
    let mut bytes = build(&File::new().blocks);
    bytes[17..21].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = try_load(&bytes).unwrap_err();
    assert!(error.to_string().contains("the limit"), "{error}");
    bytes[17..21].copy_from_slice(&(200u32 << 20).to_le_bytes());
    let error = try_load(&bytes).unwrap_err();
    assert!(error.to_string().contains("before the end of the block"), "{error}");
}

#[test]
fn depth_is_refused() {
    let mut nested = vec![NO_DEADLINE];
    (0..1_000_000).for_each(|_| nested.extend([7, 1]));
    refused(&File::with(&head(), &nested).blocks, "levels");
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let schema = format!(r#"{{"fields":{}}}"#, deep(100_000));
    refused(&File::with(&Head { schema, ..head() }, &[]).blocks, "invalid schema");
    // A condition of an index.
    let not = format!("{}{{\"all\":true}}{}", r#"{"not":"#.repeat(5_000), "}".repeat(5_000));
    let indexes = format!(r#"[{{"fields":["mail"],"kind":"equality","when":{not}}}]"#);
    assert!(try_load(&build(&File::with(&Head { indexes, ..head() }, &[]).blocks)).is_err());
}

#[test]
fn records_that_clash_are_refused() {
    let with = |records: &[Vec<u8>]| File::with(&head(), &records.concat()).blocks;
    refused(&with(&[document(1, b"a"), document(1, b"b")]), "a record with this key exists");
    refused(&with(&[document(1, b"a"), document(2, b"a")]), "mail");
    // Across blocks.
    let mut blocks = File::with(&head(), &document(1, b"a")).blocks;
    blocks.insert(3, Block { kind: RECORDS, content: document(2, b"a") });
    refused(&blocks, "mail");
    refused(&with(&[document(1, b"a"), document(2, b"\xff\xfe")]), "UTF");
    // No key, and a key of another kind.
    let empty = [&[NO_DEADLINE][..], &encoded((8u32, 0u64))].concat();
    refused(&with(&[empty]), "key");
    let text = [&[NO_DEADLINE][..], &encoded((8u32, 1u64)), &encoded(("id", 6u32, "x"))].concat();
    refused(&with(&[text]), "id");
}

#[test]
fn definitions_that_do_not_check_are_refused() {
    let with = |change: fn(&mut Head), why: &str| {
        let mut head = head();
        change(&mut head);
        refused(&File::with(&head, &[]).blocks, why);
    };
    with(|head| head.schema = "{".into(), "invalid schema");
    with(|head| head.schema = r#"{"fields":[]}"#.into(), "key");
    with(|head| head.schema = r#"{"version":9,"fields":[]}"#.into(), "version");
    with(|head| head.schema = head.schema.replace("mail", "id"), "id");
    with(|head| head.schema = head.schema.replace("string", "color"), "color");
    with(|head| head.name = String::new(), "name");
    with(|head| head.indexes = r#"[{"fields":["id","nothing"],"kind":"ordered"}]"#.into(), "nothing");
    with(|head| head.indexes = r#"[{"fields":[],"kind":"ordered"}]"#.into(), "");
    with(|head| head.aggregates = r#"[{"name":"x"}]"#.into(), "aggregates");
    with(|head| head.kind = 0, "declare its type");
    with(|head| head.kind = 2, "declare its type");
    with(|head| head.kind = 7, "head of a collection");
    with(|head| head.encoding = 7, "head of a collection");
    with(|head| head.lifetime = 7, "head of a collection");
}

#[test]
fn a_lifetime_of_a_missing_field_is_refused() {
    let lifetime = |field: &str| {
        let mut file = File::new();
        let content = &mut file.blocks[1].content;
        content.pop();
        content.extend(encoded((3u32, field)));
        file.blocks
    };
    refused(&lifetime("nothing"), "can't hold deadlines");
    refused(&lifetime("mail"), "can't hold deadlines");
}

/// Changes in the contents, with correct checksums: bytes, lengths, stretches that are left out or doubled.
fn mutate(cases: usize, seed: u64) -> (usize, usize) {
    let clock = clock();
    let originals = [small_file(), saved(&archive(&clock), &store(&clock, 40))];
    let mut random = Random(seed);
    let (mut loaded, mut refused) = (0, 0);
    for case in 0..cases {
        let mut blocks = parse(&originals[case % 2]);
        for _ in 0..=random.below(2) {
            let at = random.below(blocks.len());
            let content = &mut blocks[at].content;
            let place = random.below(content.len() + 1);
            let end = (place + 1 + random.below(8)).min(content.len());
            match random.below(6) {
                0 if place < content.len() => content[place] ^= 1 << random.below(8),
                1 if place < content.len() => {
                    content[place] = [0, 1, 127, 250, 251, 252, 253, 254, 255][random.below(9)]
                }
                2 => drop(content.splice(place..end.max(place), [])),
                3 => drop(content.splice(place..place, encoded(1u64 << random.below(64)))),
                4 => {
                    let copy = content[place..end.max(place)].to_vec();
                    drop(content.splice(place..place, copy));
                }
                _ => content.truncate(place),
            }
        }
        match try_load(&build(&blocks)) {
            Ok(_) => loaded += 1,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
    }
    (loaded, refused)
}

#[test]
fn changed_contents_are_refused_or_load_a_sound_store() {
    let (loaded, refused) = mutate(300, 3);
    assert!(refused > 150 && loaded > 5, "{loaded} loaded, {refused} refused");
}

/// `cargo test --release --features saved --test saved -- --ignored`.
#[test]
#[ignore = "takes minutes"]
fn a_hundred_thousand_changed_contents_are_refused_or_load_a_sound_store() {
    let (loaded, refused) = mutate(100_000, 4);
    println!("{loaded} loaded, {refused} refused");
}

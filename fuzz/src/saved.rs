//! Saved snapshots with correct checksums: the content of the blocks is the input. A file is refused, or loads a sound store that is saved
//! and loaded again as the same.

use crate::input::Input;
use crate::tally;
use memdex::clock::ManualClock;
use memdex::typing::saved::{Archive, LoadError};
use memdex::{Query, Record, Store, Timestamp};
use std::collections::BTreeMap;

/// A record of a Rust type.
#[derive(Clone, Debug, PartialEq, Record, serde::Serialize, serde::Deserialize)]
struct User {
    #[record(key)]
    id: u32,
    #[record(unique)]
    email: String,
    #[record(index)]
    city: Option<String>,
    #[record(ordered, column)]
    score: f64,
    #[record(index)]
    tags: Vec<String>,
    /// Not in the schema.
    notes: BTreeMap<String, Vec<i128>>,
}

/// The kind of the block with the head of the store, which has the commit.
const STORE: u8 = 1;

/// The first byte says what the rest is: `b` for blocks, each with its kind, the two bytes of its length, and its content; `r` for the
/// bytes of a file; `h` for those behind a correct header.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let file = match input.byte() {
        b'b' => build(&blocks(input)),
        b'r' => input.rest().to_vec(),
        b'h' => [&header(), input.rest()].concat(),
        _ => return,
    };
    match load(&file) {
        Ok(store) => sound(&store),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn archive() -> Archive {
    let clock = ManualClock::starting_at(Timestamp::from_micros(1_000_000));
    let archive = Archive::new().collection::<User>("User").key_values::<Vec<u8>>("Rate");
    archive.builder(move || Store::builder().clock(clock.clone()))
}

fn load(file: &[u8]) -> Result<Store, LoadError> {
    archive().load_from(file)
}

fn save(store: &Store) -> Vec<u8> {
    let mut file = Vec::new();
    archive().save_to(&store.snapshot(), &mut file).expect("memory takes it");
    file
}

/// An audit passes, every record is found, and a second file has the same collections as the first.
fn sound(store: &Store) {
    store.verify().expect("the store is sound");
    for collection in store.collections() {
        let all =
            store.query(&Query::over([collection.name.clone()])).expect("a valid query").records().expect("records");
        assert_eq!(all.len(), store.any_collection(&collection.name).expect("it is open").len());
    }
    let file = save(store);
    let again = load(&file).unwrap_or_else(|error| panic!("{error}: a file that memdex has just written"));
    again.verify().expect("the store is sound");
    let content = |file: &[u8]| parse(file).into_iter().filter(|(kind, _)| *kind != STORE).collect::<Vec<_>>();
    assert_eq!(content(&save(&again)), content(&file));
    tally::count();
}

type Block = (u8, Vec<u8>);

fn blocks(mut input: Input<'_>) -> Vec<Block> {
    let mut blocks = Vec::new();
    while !input.is_empty() {
        let (kind, low, high) = (input.byte(), input.byte(), input.byte());
        blocks.push((kind, input.bytes(u16::from_le_bytes([low, high]).into()).to_vec()));
    }
    blocks
}

fn header() -> Vec<u8> {
    let mut header = b"\x89memdex\n".to_vec();
    header.extend(1_u32.to_le_bytes());
    header.extend(crc32fast::hash(&header).to_le_bytes());
    header
}

/// The file, written from the description of its layout.
fn build(blocks: &[Block]) -> Vec<u8> {
    let mut file = header();
    for (number, (kind, content)) in (1_u64..).zip(blocks) {
        let head = [&[*kind][..], &(content.len() as u32).to_le_bytes()].concat();
        let mut checksum = crc32fast::Hasher::new();
        [&number.to_le_bytes()[..], &head, content].iter().for_each(|part| checksum.update(part));
        file.extend(head);
        file.extend(checksum.finalize().to_le_bytes());
        file.extend(content);
    }
    file
}

fn parse(file: &[u8]) -> Vec<Block> {
    let mut input = Input::new(&file[header().len()..]);
    let mut blocks = Vec::new();
    while !input.is_empty() {
        let head = input.bytes(9);
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        blocks.push((head[0], input.bytes(length).to_vec()));
    }
    blocks
}

/// The input that makes this file.
#[cfg(test)]
fn input_of(file: &[u8]) -> Vec<u8> {
    let mut input = vec![b'b'];
    for (kind, content) in parse(file) {
        input.push(kind);
        input.extend((content.len() as u16).to_le_bytes());
        input.extend(content);
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;
    use memdex::schema::AggregateDef;
    use memdex::write::DefaultLifetime;
    use memdex::{Document, FieldDef, GroupBy, IndexDef, KeyValue, Kind, Metric, Schema, Value, field, json};
    use std::time::Duration;

    fn users(records: u32) -> Store {
        let store = Store::builder().clock(ManualClock::starting_at(Timestamp::from_micros(1_000_000))).build();
        let users = store.collection::<User>("User").unwrap();
        users.add_index(IndexDef::equality(["city", "score"]).named("added").when(field("score").gt(0.5))).unwrap();
        users.set_default_lifetime(DefaultLifetime::Sliding(Duration::from_secs(50))).unwrap();
        for id in 0..records {
            let (email, city) = (format!("{id}@x"), (id % 2 == 0).then(|| "Bern".to_owned()));
            let notes = BTreeMap::from([("note".to_owned(), vec![i128::MAX, -1])]);
            users.store(User { id, email, city, score: f64::from(id) / 7.0, tags: vec!["a".into()], notes }).unwrap();
        }
        store.sequence("User").skip_to(100);
        store
    }

    fn payments() -> Store {
        let store = Store::new();
        let schema = Schema::new([
            FieldDef::new("id", Kind::Str).key(),
            FieldDef::new("paid", Kind::Timestamp).ordered(),
            FieldDef::new("items.price", Kind::Decimal).many(),
            FieldDef::new("mail", Kind::Str).unique(),
        ])
        .with_index(IndexDef::equality("free"))
        .with_aggregate(AggregateDef::new("by_mail", GroupBy::values("mail").metrics([Metric::count()])));
        let payments = store.documents("Payment", schema).unwrap();
        for id in ["a", "b"] {
            let body = json!({
                "id": id, "paid": "2026-11-03T10:00:00Z", "mail": id, "items": [{ "price": "1.50", "deep": [[7], {}] }, { "price": 0.1 }],
                "free": [null, -7, 1e300, "ü", true],
            });
            payments.store(Document::new(body).unwrap()).unwrap();
        }
        store
    }

    fn rates() -> Store {
        let store = Store::new();
        let schema = Schema::new([
            FieldDef::new("code", Kind::Str).key(),
            FieldDef::new("day", Kind::Date).key(),
            FieldDef::new("bank", Kind::Str).index(),
        ]);
        let rates = store.key_values::<Vec<u8>>("Rate", schema).unwrap();
        let day = Value::from_text(Kind::Date, "2026-01-01").unwrap();
        rates.store(KeyValue::new(("C", day), vec![1, 2]).with("bank", "X")).unwrap();
        store.key_values::<()>("Tag", Schema::new([])).unwrap().store(KeyValue::new("only", ())).unwrap();
        store
    }

    #[test]
    fn inputs_of_stores_load() {
        for store in [users(2), payments(), rates(), Store::new()] {
            let file = save(&store);
            let input = input_of(&file);
            assert!(build(&blocks(Input::new(&input[1..]))) == file);
            assert!(load(&file).is_ok());
            run(&input);
        }
    }

    /// Writes the seeds that are files: `cargo test --manifest-path fuzz/Cargo.toml --lib -- --ignored writes_seeds`.
    #[test]
    #[ignore = "writes files"]
    fn writes_seeds() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/saved");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, store) in
            [("users", users(2)), ("payments", payments()), ("rates", rates()), ("empty", Store::new())]
        {
            std::fs::write(folder.join(name), input_of(&save(&store))).unwrap();
        }
        let raw = [b"r", &save(&payments())[..]].concat();
        std::fs::write(folder.join("raw"), raw).unwrap();
        std::fs::write(folder.join("behind_header"), [b"h", &save(&rates())[16..]].concat()).unwrap();
    }
}

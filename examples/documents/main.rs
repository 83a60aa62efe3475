//! JSON documents from a file: indexed by paths, searched, patched, and a patch refused.
//!
//! ```text
//! cargo run --release --example documents
//! cargo run --release --example documents -- your.jsonl    # each line an object with a string `id`
//! ```

mod tables;

use memdex::{
    Collection, Document, FieldDef, Handle, IndexKind, Json, Kind, Predicate, Record, Schema, Store, field, json,
};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::time::Instant;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const DEPARTURES: &str = "departures-2013-01-31.jsonl";

/// What is known beforehand of documents like
/// `{"id":"B6725@0540","carrier":"B6","route":{"to":"BQN","miles":1576},"delay":{"departure":-1},"tags":["morning"]}`.
/// Only `id` must be there; whatever else they hold, queries find by a scan.
fn schema() -> Schema {
    Schema::new([
        FieldDef::new("id", Kind::Str).key(),
        FieldDef::new("carrier", Kind::Str).index(),
        FieldDef::new("route.to", Kind::Str).index(),
        FieldDef::new("tags", Kind::Str).many().index(),
        // Of a flight that never left the file says `"NA"`, which is no number: it counts as missing.
        FieldDef::new("delay.departure", Kind::Int).skip_conflicts(),
        // Here, anything but a number refuses the document.
        FieldDef::new("route.miles", Kind::Int),
    ])
}

/// A type of Rust's, to be searched together with the documents.
#[derive(Clone, Debug, Record)]
struct Airline {
    #[record(key)]
    carrier: String,
    name: &'static str,
}

fn main() -> Result<()> {
    let departures_file = || memdex_examples::data(DEPARTURES).to_string_lossy().into_owned();
    let path = std::env::args().nth(1).unwrap_or_else(departures_file);
    let store = Store::new();
    let departures = store.documents("Departure", schema())?;

    read(&store, &departures, &path)?;
    find(&departures)?;
    patch(&departures)?;
    search_everywhere(&store, &departures)?;

    let audit = store.verify()?;
    println!("\nAn audit finds no fault: {} collections, {} records.", audit.collections, audit.records);
    Ok(())
}

fn read(store: &Store, departures: &Collection<Document>, path: &str) -> Result<()> {
    tables::heading(&format!("Documents from {}", path.rsplit('/').next().unwrap_or(path)));
    let file = File::open(path).map_err(|error| format!("{path}: {error}"))?;

    let started = Instant::now();
    let mut writer = store.writer();
    for (line, text) in (1..).zip(BufReader::new(file).lines()) {
        let document: Document = text?.parse().map_err(|error| format!("{path}:{line}: {error}"))?;
        writer.store(departures, document).map_err(|error| format!("{path}:{line}: {error}"))?;
    }
    writer.flush()?;
    println!(
        "{} documents read and stored in {:.1?}. What is declared of them:\n",
        departures.len(),
        started.elapsed()
    );

    let rows = departures.schema().fields().iter().map(|field| {
        let index = match field.index_kind() {
            _ if field.is_key() => "key",
            Some(IndexKind::Equality) => "equality index",
            Some(_) => "index",
            None => "none: scanned",
        };
        let without = departures.find(memdex::field(field.name().to_owned()).is_null()).count();
        let kind = format!("{}{}", field.kind(), if field.is_many() { "s, any number" } else { "" });
        Ok([field.name().to_owned(), kind, index.to_owned(), without?.to_string()])
    });
    tables::print(["path", "kind", "found by", "missing in"], rows.collect::<Result<Vec<_>>>()?);
    Ok(())
}

fn find(departures: &Collection<Document>) -> Result<()> {
    let late_long_haul = || field("tags").all(["late", "long-haul"]);
    let questions: [(&str, Predicate); 5] = [
        ("to Los Angeles", field("route.to").eq("LAX")),
        ("late on a long haul", late_long_haul()),
        ("of these, an hour or more", late_long_haul() & field("delay.departure").ge(60)),
        ("cancelled, so that no delay is known", field("delay.departure").is_null()),
        ("without a known plane: a path that is not declared", field("plane").is_null()),
    ];
    tables::heading("Questions");
    let rows =
        questions.map(|(asked, predicate)| Ok([asked.to_owned(), departures.find(predicate).count()?.to_string()]));
    tables::print(["departures", "how many"], rows.into_iter().collect::<Result<Vec<_>>>()?);

    let mut found = departures.find(late_long_haul() & field("delay.departure").ge(60)).fetch()?;
    found.sort_by_key(|departure| departure.key().clone());
    println!("\nThose an hour or more late, as they are:\n");
    tables::print(COLUMNS, found.iter().map(|departure| row(departure)));
    Ok(())
}

const COLUMNS: [&str; 5] = ["id", "route.to", "route.miles", "delay.departure", "tags"];

fn row(departure: &Document) -> [String; 5] {
    COLUMNS.map(|path| show(departure, path))
}

fn show(departure: &Document, path: &str) -> String {
    match departure.get(path) {
        None => "–".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(Json::Array(items)) => items.iter().filter_map(|item| item.as_str()).collect::<Vec<_>>().join(", "),
        Some(other) => other.to_string(),
    }
}

/// A merge patch says what is to be different: `null` takes a field out.
fn patch(departures: &Collection<Document>) -> Result<()> {
    let Some(key) = departures.find(field("tags").contains("cancelled")).keys()?.into_iter().min() else {
        return Ok(());
    };
    tables::heading(&format!("{key} flies after all"));
    let get = || -> Result<Handle<Document>> { Ok(departures.get(&key).ok_or("it is gone")?) };
    let before = get()?;
    departures.patch(
        &key,
        json!({ "tags": ["evening", "late"], "delay": { "departure": 190, "arrival": null }, "crew": { "called": true } }),
    )?;
    let after = get()?;
    let rows = ["route.to", "delay.departure", "delay.arrival", "crew.called", "tags"]
        .map(|path| [path.to_owned(), show(&before, path), show(&after, path)]);
    tables::print(["path", "before", "after"], rows);
    println!("\nFound by what it is now: {}", departures.find(field("crew.called").eq(true)).count()?);

    println!("\nA patch that the schema refuses changes nothing:\n");
    let Err(refused) = departures.patch(&key, json!({ "route": { "miles": "far" } })) else {
        return Err("the patch should have been refused".into());
    };
    tables::print_wrapped(&refused.to_string());
    Ok(())
}

/// One question to collections of different sorts, as of one commit.
fn search_everywhere(store: &Store, departures: &Collection<Document>) -> Result<()> {
    tables::heading("Whatever has to do with carrier HA");
    let airlines = store.collection::<Airline>("Airline")?;
    airlines.store(Airline { carrier: "HA".into(), name: "Hawaiian Airlines" })?;
    airlines.store(Airline { carrier: "B6".into(), name: "JetBlue Airways" })?;

    let hits = store.snapshot().search(field("carrier").eq("HA")).over(&airlines).over(departures).fetch()?;
    let rows = hits.iter().map(|hit| {
        let what = match (hit.record::<Airline>(), hit.record::<Document>()) {
            (Some(airline), _) => airline.name.to_owned(),
            (_, Some(departure)) => format!("to {} at {}", show(&departure, "route.to"), show(&departure, "scheduled")),
            _ => String::new(),
        };
        [hit.collection().to_owned(), hit.key().to_string(), what]
    });
    tables::print(["collection", "key", "record"], rows);
    Ok(())
}

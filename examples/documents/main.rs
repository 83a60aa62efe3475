//! JSON documents from a file: indexes their paths, searches and patches them, and shows a refused patch.
//!
//! ```text
//! cargo run --release --example documents
//! cargo run --release --example documents -- your.jsonl    # one object per line, with a string `id`
//! ```

mod tables;

use memdex::query::Predicate;
use memdex::schema::IndexKind;
use memdex::{Collection, Document, FieldDef, Handle, Json, Kind, Record, Schema, Store, field, json};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::time::Instant;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const DEPARTURES: &str = "departures-2013-01-31.jsonl";

/// The declared fields of documents like
/// `{"id":"B6725@0540","carrier":"B6","route":{"to":"BQN","miles":1576},"delay":{"departure":-1},"tags":["morning"]}`.
/// Only `id` is required. Queries can name any other path too, and scan the documents for it.
fn schema() -> Schema {
    Schema::new([
        FieldDef::new("id", Kind::Str).key(),
        FieldDef::new("carrier", Kind::Str).index(),
        FieldDef::new("route.to", Kind::Str).index(),
        FieldDef::new("tags", Kind::Str).many().index(),
        // The file has `"NA"` for a cancelled flight. It is not a number, so the value counts as missing.
        FieldDef::new("delay.departure", Kind::Int).skip_conflicts(),
        // If this field is not a number, the document is refused.
        FieldDef::new("route.miles", Kind::Int),
    ])
}

/// A Rust type that is searched together with the documents.
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
    println!("\nAn audit finds no inconsistency: {} collections, {} records.", audit.collections, audit.records);
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
    println!("Read and stored {} documents in {:.1?}. Their declared fields:\n", departures.len(), started.elapsed());

    let rows = departures.schema().fields().iter().map(|field| {
        let index = match field.index_kind() {
            _ if field.is_key() => "key",
            Some(IndexKind::Equality) => "equality index",
            Some(_) => "index",
            None => "scan",
        };
        let missing = departures.find(memdex::field(field.name().to_owned()).is_null()).count();
        let kind = format!("{}{}", field.kind(), if field.is_many() { "s, any number" } else { "" });
        Ok([field.name().to_owned(), kind, index.to_owned(), missing?.to_string()])
    });
    tables::print(["path", "kind", "found by", "missing in"], rows.collect::<Result<Vec<_>>>()?);
    Ok(())
}

fn find(departures: &Collection<Document>) -> Result<()> {
    let late_long_haul = || field("tags").all(["late", "long-haul"]);
    let queries: [(&str, Predicate); 5] = [
        ("to Los Angeles", field("route.to").eq("LAX")),
        ("late on a long haul", late_long_haul()),
        ("late on a long haul, by an hour or more", late_long_haul() & field("delay.departure").ge(60)),
        ("cancelled, so without a delay", field("delay.departure").is_null()),
        ("unknown plane (an undeclared path)", field("plane").is_null()),
    ];
    tables::heading("Count documents");
    let rows = queries.map(|(name, predicate)| Ok([name.to_owned(), departures.find(predicate).count()?.to_string()]));
    tables::print(["departures", "count"], rows.into_iter().collect::<Result<Vec<_>>>()?);

    let mut found = departures.find(late_long_haul() & field("delay.departure").ge(60)).fetch()?;
    found.sort_by_key(|departure| departure.key().clone());
    println!("\nLong hauls that left an hour or more late:\n");
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

/// A merge patch lists the changes; `null` removes a field.
fn patch(departures: &Collection<Document>) -> Result<()> {
    let Some(key) = departures.find(field("tags").contains("cancelled")).keys()?.into_iter().min() else {
        return Ok(());
    };
    tables::heading(&format!("{key} flies after all"));
    let get = || -> Result<Handle<Document>> { Ok(departures.get(&key).ok_or("the document no longer exists")?) };
    let before = get()?;
    departures.patch(
        &key,
        json!({ "tags": ["evening", "late"], "delay": { "departure": 190, "arrival": null }, "crew": { "called": true } }),
    )?;
    let after = get()?;
    let rows = ["route.to", "delay.departure", "delay.arrival", "crew.called", "tags"]
        .map(|path| [path.to_owned(), show(&before, path), show(&after, path)]);
    tables::print(["path", "before", "after"], rows);
    println!("\nFound by its new values: {}", departures.find(field("crew.called").eq(true)).count()?);

    println!("\nA patch that the schema refuses changes nothing:\n");
    let Err(refused) = departures.patch(&key, json!({ "route": { "miles": "far" } })) else {
        return Err("the patch should have been refused".into());
    };
    tables::print_wrapped(&refused.to_string());
    Ok(())
}

/// Runs one query over collections of different types, at one commit.
fn search_everywhere(store: &Store, departures: &Collection<Document>) -> Result<()> {
    tables::heading("Search both collections for carrier HA");
    let airlines = store.collection::<Airline>("Airline")?;
    airlines.store(Airline { carrier: "HA".into(), name: "Hawaiian Airlines" })?;
    airlines.store(Airline { carrier: "B6".into(), name: "JetBlue Airways" })?;

    let hits = store.snapshot().search(field("carrier").eq("HA")).over(&airlines).over(departures).fetch()?;
    let rows = hits.iter().map(|hit| {
        let description = match (hit.record::<Airline>(), hit.record::<Document>()) {
            (Some(airline), _) => airline.name.to_owned(),
            (_, Some(departure)) => format!("to {} at {}", show(&departure, "route.to"), show(&departure, "scheduled")),
            _ => String::new(),
        };
        [hit.collection().to_owned(), hit.key().to_string(), description]
    });
    tables::print(["collection", "key", "record"], rows);
    Ok(())
}

//! JSON documents and patches: a store with indexes and one without hold what plain JSON code computes, and find what plain loops find.

use crate::input::Input;
use crate::naive;
use crate::tally;
use memdex::error::Cause;
use memdex::query::Predicate;
use memdex::schema::Collation;
use memdex::write::Refused;
use memdex::{Collection, Document, FieldDef, IndexDef, Json, Kind, Schema, Store, field};
use std::collections::BTreeMap;

const NOTE: &str = "Note";

fn fields() -> Vec<FieldDef> {
    vec![
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("code", Kind::Str).unique(),
        FieldDef::new("kind", Kind::Str),
        FieldDef::new("n", Kind::Int),
        FieldDef::new("x", Kind::Float),
        FieldDef::new("ok", Kind::Bool),
        FieldDef::new("at", Kind::Timestamp),
        FieldDef::new("day", Kind::Date),
        FieldDef::new("uid", Kind::Uuid),
        FieldDef::new("price", Kind::Decimal),
        FieldDef::new("raw", Kind::Bytes),
        FieldDef::new("grade", Kind::Char),
        FieldDef::new("meta.tags", Kind::Str).many().collate(Collation::NoCase),
        FieldDef::new("meta.score", Kind::Int).skip_conflicts(),
        FieldDef::new("meta.name", Kind::Str).required(),
        FieldDef::new("items.sku", Kind::Str).many(),
        FieldDef::new("items.price", Kind::Float).many().skip_conflicts(),
        FieldDef::new("items.parts.n", Kind::Int).many().skip_conflicts(),
    ]
}

fn indexed() -> Schema {
    let indexed = fields().into_iter().map(|field| match field.name() {
        "kind" | "uid" | "raw" | "meta.tags" | "items.sku" | "items.parts.n" => field.index(),
        "n" | "at" | "price" | "grade" | "items.price" => field.ordered(),
        _ => field,
    });
    let with_columns = indexed.map(|field| match field.name() {
        "n" | "x" | "ok" | "at" | "day" | "meta.score" => field.column(),
        _ => field,
    });
    Schema::new(with_columns)
        .with_index(IndexDef::equality("free.a"))
        .with_index(IndexDef::ordered("free.b"))
        .with_index(IndexDef::ordered(["kind", "n"]))
        .with_index(IndexDef::equality("day").named("ok_only").when(field("ok").eq(true)))
}

/// Lines: `{…}` stores a document, `+{…}` inserts one, `~7 {…}` patches the document with this key, `-7` deletes it, `^7 2` adds to its
/// `n`, `?{…}` searches by criteria.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut notes = Notes::new();
    for line in text.lines().take(64) {
        notes.line(line);
    }
    notes.check();
}

struct Notes {
    stores: [(Store, Collection<Document>); 2],
    schema: Schema,
    expected: BTreeMap<i128, Json>,
}

impl Notes {
    fn new() -> Self {
        let plain = Schema::new(fields());
        let open = |schema: Schema| {
            let store = Store::new();
            let notes = store.documents(NOTE, schema).expect("the schema is valid");
            (store, notes)
        };
        let stores = [open(plain), open(indexed())];
        // Of the collection, which says which fields can be missing.
        let schema = stores[0].1.schema().clone();
        Notes { stores, schema, expected: BTreeMap::new() }
    }

    fn line(&mut self, line: &str) {
        let mut input = Input::new(line.as_bytes());
        match input.byte() {
            b'{' => self.put(line, false),
            b'+' => self.put(&line[1..], true),
            b'~' => {
                if let Some((key, patch)) =
                    line[1..].split_once(' ').and_then(|(key, json)| Some((key.parse().ok()?, json)))
                {
                    self.patch(key, patch);
                }
            }
            b'-' => {
                if let Ok(key) = line[1..].parse() {
                    self.delete(key);
                }
            }
            b'^' => {
                if let Some((key, by)) =
                    line[1..].split_once(' ').and_then(|(key, by)| Some((key.parse().ok()?, by.parse().ok()?)))
                {
                    self.add(key, by);
                }
            }
            b'?' => self.search(&line[1..]),
            _ => {}
        }
    }

    fn put(&mut self, text: &str, only_new: bool) {
        let json: Json = match serde_json::from_str(text) {
            Ok(json) => json,
            Err(_) => return assert!(text.parse::<Document>().is_err()),
        };
        let document = match Document::new(json.clone()) {
            Ok(document) => document,
            Err(error) => return assert!(!json.is_object(), "{error}: {json}"),
        };
        assert_eq!((document.body(), &text.parse::<Document>().expect("the same")), (&json, &document));
        let key = self.key(&json);
        let fits = naive::is_valid(&json, &self.schema) && key.is_some_and(|key| self.is_unique(key, &json));
        let is_expected = fits && !(only_new && key.is_some_and(|key| self.expected.contains_key(&key)));
        for (_, notes) in &self.stores {
            let written = if only_new { notes.insert(document.clone()) } else { notes.store(document.clone()) };
            judged(written.map(drop), is_expected, &json);
        }
        if let (true, Some(key)) = (is_expected, key) {
            self.expected.insert(key, json);
        }
    }

    fn patch(&mut self, key: i64, text: &str) {
        let Ok(patch) = serde_json::from_str::<Json>(text) else { return };
        let result = self.expected.get(&i128::from(key)).map(|before| naive::merged(before, &patch));
        let fits = |result: &Json| {
            patch.is_object()
                && self.key(result) == Some(key.into())
                && naive::is_valid(result, &self.schema)
                && self.is_unique(key.into(), result)
        };
        let is_expected = result.as_ref().is_some_and(fits);
        for (_, notes) in &self.stores {
            judged(notes.patch(key, patch.clone()).map(drop), is_expected, &patch);
        }
        if let (true, Some(result)) = (is_expected, result) {
            self.expected.insert(key.into(), result);
        }
    }

    fn delete(&mut self, key: i64) {
        self.expected.remove(&key.into());
        for (_, notes) in &self.stores {
            notes.delete(key).expect("a key fits");
            assert!(notes.get(key).is_none(), "{key} was deleted");
        }
    }

    /// A missing number counts as 0, and a sum must fit 64 bits.
    fn add(&mut self, key: i64, by: i64) {
        let before = self.expected.get(&i128::from(key)).cloned();
        let sum = before.as_ref().and_then(|before| {
            let n = before.get("n").filter(|n| !n.is_null());
            let n = n.map_or(Some(0), |n| n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from)))?;
            let sum = n + i128::from(by);
            i64::try_from(sum).map(Json::from).or_else(|_| u64::try_from(sum).map(Json::from)).ok()
        });
        for (_, notes) in &self.stores {
            judged(notes.increment(key, field("n"), by).map(drop), sum.is_some(), &Json::from(by));
        }
        if let (Some(mut body), Some(sum)) = (before, sum) {
            body["n"] = sum;
            self.expected.insert(key.into(), body);
        }
    }

    fn key(&self, body: &Json) -> Option<i128> {
        let id = &body["id"];
        id.as_i64().map(i128::from).or_else(|| id.as_u64().map(i128::from))
    }

    fn is_unique(&self, key: i128, body: &Json) -> bool {
        let code = body.get("code").filter(|code| !code.is_null());
        !self.expected.iter().any(|(other, of)| *other != key && code.is_some() && of.get("code") == code)
    }

    fn search(&self, text: &str) {
        let Ok(criteria) = serde_json::from_str::<Json>(text) else { return };
        let Ok(predicate) = Predicate::from_criteria(&criteria) else { return };
        let [plain, indexed] = [0, 1].map(|at| {
            self.stores[at].1.find(predicate.clone()).fetch().map(|found| {
                let mut keys: Vec<i128> = found.iter().filter_map(|note| self.key(note.body())).collect();
                keys.sort_unstable();
                keys
            })
        });
        assert_eq!(indexed, plain, "with indexes and without, by {criteria}");
        let matching: Option<Vec<i128>> = self
            .expected
            .iter()
            .map(|(key, body)| Some(naive::matches(body, &self.schema, "", &predicate)?.then_some(*key)))
            .collect::<Option<Vec<_>>>()
            .map(|keys| keys.into_iter().flatten().collect());
        match (plain, matching) {
            (Ok(found), Some(expected)) => {
                assert_eq!(found, expected, "by {criteria}");
                tally::count();
            }
            (Ok(found), None) => panic!("{found:?} by {criteria}, which has an operand that does not fit its field"),
            // The naive search knows no limits, and no tests that a field does not have.
            (Err(error), _) => assert!(!error.to_string().is_empty()),
        }
    }

    fn check(&self) {
        for (store, notes) in &self.stores {
            store.verify().expect("the store is sound");
            let found: BTreeMap<i128, Json> =
                notes.iter().filter_map(|note| Some((self.key(note.body())?, note.body().clone()))).collect();
            assert_eq!(found, self.expected);
        }
    }
}

fn judged(written: Result<(), Refused>, is_expected: bool, json: &Json) {
    match written {
        Ok(()) => {
            assert!(is_expected, "{json} was taken");
            tally::count();
        }
        Err(refused) => {
            assert!(!refused.to_string().is_empty());
            // A key or a value can be too long for the engine.
            let is_limit =
                matches!(refused.cause(), Cause::Key(_) | Cause::ValueTooLong { .. } | Cause::TooManyValues { .. });
            assert!(!is_expected || is_limit, "{refused}: {json}");
        }
    }
}

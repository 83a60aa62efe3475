//! Fields that ignore accents, or accents and case.

use super::shown;
use memdex::aggregate::Statistics;
use memdex::error::{Cause, QueryError};
use memdex::limits::MAX_INDEXED_BYTES;
use memdex::query::{Direction, OrderBy, Predicate};
use memdex::schema::{AggregateDef, Collation};
use memdex::{Collection, FieldDef, GroupBy, KeyValue, Kind, Metric, Record, Schema, Store, field};

#[derive(Clone, Debug, PartialEq, Record)]
struct Guest {
    #[record(key)]
    id: u32,
    #[record(unique, collate = "nocase_noaccents")]
    mail: Option<String>,
    #[record(ordered, collate = "noaccents")]
    name: String,
    #[record(column, collate = "nocase_noaccents")]
    city: Option<String>,
    #[record(index, collate = "nocase_noaccents")]
    tags: Vec<String>,
}

fn guest(id: u32, mail: &str, name: &str, city: &str) -> Guest {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Guest { id, mail: some(mail), name: name.into(), city: some(city), tags: vec![name.into(), city.into()] }
}

fn guests() -> (Store, Collection<Guest>) {
    let store = Store::new();
    let guests = store.collection::<Guest>("Guest").unwrap();
    for (id, mail, name, city) in [
        (1, "zoë@example.org", "Zoë", "Zürich"),
        (2, "ada@example.org", "Åda", "ZURICH"),
        (3, "", "Zoe", "Ålborg"),
        (4, "jörg@example.org", "zoe", "A\u{30A}lborg"),
        (5, "jorgen@example.org", "Jo\u{308}rg", ""),
        (6, "øyvind@example.org", "Øyvind", "zurich"),
        (7, "", "\u{212B}da", "Łódź"),
    ] {
        guests.store(guest(id, mail, name, city)).unwrap();
    }
    (store, guests)
}

fn ids(guests: &Collection<Guest>, filter: Predicate) -> Vec<u32> {
    guests.find(filter).order_by(guest::ID.asc()).fetch().unwrap().iter().map(|guest| guest.id).collect()
}

#[test]
fn a_unique_mail_is_unique_with_any_accents() {
    let (store, guests) = guests();
    for (mail, other) in [("ZOE@example.org", 1), ("zoe\u{308}@EXAMPLE.org", 1), ("Ádà@example.org", 2)] {
        let refused = guests.store(guest(8, mail, "", "")).unwrap_err();
        assert!(
            matches!(refused.refusal().cause(), Cause::NotUnique { index, other: by, .. }
                if index == "mail" && by.to_string() == other.to_string()),
            "{refused}"
        );
    }
    // `ø` is a letter, not an `o` with an accent.
    guests.store(guest(8, "oyvind@example.org", "", "")).unwrap();
    assert_eq!(guests.get_by(guest::MAIL, "ZOE@example.org").unwrap().unwrap().id, 1);
    assert_eq!(guests.get_by(guest::MAIL, "Øyvınd@example.org").unwrap(), None, "a dotless i is another letter");
    assert_eq!(guests.get_by(guest::MAIL, "ØYVÍND@example.org").unwrap().unwrap().id, 6);
    // Texts of marks only are equal to each other.
    guests.store(guest(9, "\u{301}", "", "")).unwrap();
    assert!(guests.store(guest(10, "\u{308}\u{323}", "", "")).is_err());
    // A record may change the spelling of its value, and two records may swap values.
    let old = store.snapshot();
    let swap = store.commit(|batch| {
        batch.store(&guests, guest(1, "ADA@example.org", "Zoë", ""))?;
        batch.store(&guests, guest(2, "Zoe@example.org", "Åda", ""))
    });
    swap.unwrap();
    assert_eq!(guests.get_by(guest::MAIL, "zoë@example.org").unwrap().unwrap().id, 2);
    assert_eq!(old.of(&guests).get_by(guest::MAIL, "zoë@example.org").unwrap().unwrap().id, 1);
    store.verify().unwrap();
}

#[test]
fn comparisons_ignore_accents() {
    let (_store, guests) = guests();
    let name = || field("name");
    assert_eq!(ids(&guests, name().eq("Zoé")), [1, 3]);
    assert_eq!(ids(&guests, name().ne("Zoé")), [2, 4, 5, 6, 7]);
    assert_eq!(ids(&guests, name().is_in(["Ada", "Ö", "jörg"])), [2, 7]);
    assert_eq!(ids(&guests, name().between("Ádà", "Jorg")), [2, 5, 7]);
    assert_eq!(ids(&guests, name().gt("Zoê")), [4, 6]);
    assert_eq!(ids(&guests, name().lt("Zoë")), [2, 5, 7]);
    assert_eq!(ids(&guests, field("city").eq("zürich")), [1, 2, 6]);
    assert_eq!(ids(&guests, field("city").eq("LODZ")), [0; 0]);
    assert_eq!(ids(&guests, field("city").eq("łodz")), [7]);
    assert_eq!(ids(&guests, field("tags").contains("ADA")), [2, 7]);
    assert_eq!(ids(&guests, field("tags").all(["ZOE", "alborg"])), [3, 4]);
    assert_eq!(guests.get(7).unwrap().name, "\u{212B}da", "records keep their spelling");
    let explanation = guests.find(name().eq("Zoé")).explain().unwrap().to_string();
    assert!(explanation.contains("index \"name\" = \"Zoe\"") && !explanation.contains("scan"), "{explanation}");
}

#[test]
fn tests_of_strings_compare_characters() {
    let (_store, guests) = guests();
    let name = || field("name");
    assert_eq!(ids(&guests, name().starts_with("Zoe")), [3]);
    assert_eq!(ids(&guests, name().like("Zoë")), [1]);
    assert_eq!(ids(&guests, name().eq_ignore_case("ZOË")), [1]);
    assert_eq!(ids(&guests, name().eq_ignore_case("ZOE")), [3, 4]);
    assert_eq!(ids(&guests, name().contains_str("ö")), [0; 0], "it is written in two characters");
    assert_eq!(ids(&guests, field("city").eq_ignore_case("ZÜRICH")), [1]);
    assert_eq!(ids(&guests, field("city").starts_with_ignore_case("zü") & field("city").eq("zurich")), [1]);
    let explanation = guests.find(name().eq_ignore_case("ZOË")).explain().unwrap();
    assert!(explanation.to_string().contains("scan") && explanation.advice.is_empty(), "{explanation}");
}

#[test]
fn orders_and_pages_ignore_accents() {
    let (store, guests) = guests();
    let pages = |order: &OrderBy| {
        let mut found = Vec::new();
        let mut page = guests.find(Predicate::All).order_by([order.clone()]).limit(2).fetch().unwrap();
        loop {
            found.extend(page.iter().map(|guest| guest.id));
            let Some(next) = page.next else { return found };
            let next = next.to_string().parse().unwrap();
            page = guests.find(Predicate::All).order_by([order.clone()]).limit(2).after(next).fetch().unwrap();
        }
    };
    // By index: records that are equal have the order of their keys, ascending.
    assert_eq!(pages(&OrderBy::ascending("name")), [2, 7, 5, 1, 3, 4, 6]);
    assert_eq!(pages(&OrderBy::descending("name")), [6, 4, 1, 3, 5, 2, 7]);
    // By column.
    let by_city = |direction| OrderBy { direction, ..OrderBy::ascending("city") };
    assert_eq!(pages(&by_city(Direction::Ascending)), [5, 3, 4, 1, 2, 6, 7]);
    let range = guests.find(field("name").ge("Jörg")).order_by(guest::NAME.asc()).limit(2).keys().unwrap();
    assert_eq!(range.iter().map(ToString::to_string).collect::<Vec<_>>(), ["5", "1"]);
    store.verify().unwrap();
}

#[test]
fn groups_and_metrics_ignore_accents_and_show_the_lowest_spelling() {
    let (_store, guests) = guests();
    let of = |filter: Predicate, statistics: Statistics| guests.find(filter).statistics(statistics).unwrap();
    let groups = |name: &'static str| Statistics::from(GroupBy::values(name).metrics([Metric::count()]));
    assert_eq!(shown(&of(Predicate::All, groups("city"))), ["null 1", "A\u{30A}lborg 2", "ZURICH 3", "Łódź 1"]);
    assert_eq!(shown(&of(field("id").ne(2), groups("city"))), ["null 1", "A\u{30A}lborg 2", "Zürich 2", "Łódź 1"]);
    assert_eq!(
        shown(&of(Predicate::All, groups("name"))),
        ["\u{C5}da 2", "Jo\u{308}rg 1", "Zoe 2", "zoe 1", "Øyvind 1"]
    );
    let metrics = || [field("name").min(), field("name").max(), field("city").mode(), field("city").distinct()];
    let shown: Vec<String> =
        of(Predicate::All, Statistics::of(metrics())).metrics().map(|(_, value)| value.to_string()).collect();
    assert_eq!(shown, ["\u{C5}da", "Øyvind", "ZURICH", "3"]);
    guests.add_aggregate(AggregateDef::new("cities", [field("city").distinct().named("cities")])).unwrap();
    guests.store(guest(8, "", "", "ZÚRICH")).unwrap();
    assert_eq!(guests.aggregate("cities").unwrap().int("cities"), Some(3));
    guests.delete(7).unwrap();
    assert_eq!(guests.aggregate("cities").unwrap().int("cities"), Some(2));
}

#[test]
fn collations_do_not_mix() {
    let store = Store::new();
    let of = |name: &str, collation| {
        let schema = Schema::new([FieldDef::new("name", Kind::Str).collate(collation)]);
        store.key_values::<()>(name, schema).unwrap()
    };
    let (one, other) = (of("one", Collation::NoCaseNoAccents), of("other", Collation::NoAccents));
    one.store(KeyValue::new("1", ()).with("name", "É")).unwrap();
    other.store(KeyValue::new("1", ()).with("name", "É")).unwrap();
    let both = store.snapshot().search(Predicate::All).over(&one).over(&other);
    let refused = both.statistics(GroupBy::values("name").metrics([Metric::count()])).unwrap_err();
    assert!(matches!(&refused, QueryError::DifferentCollations { field, .. } if field == "name"), "{refused}");
    assert!(refused.to_string().contains("the collation nocase_noaccents in \"one\""), "{refused}");
    assert_eq!(store.snapshot().search(field("name").eq("e")).over(&one).over(&other).count().unwrap(), 1);
}

/// The limit of indexed values applies to what the index stores.
#[test]
fn keys_are_limited_in_length() {
    let (store, guests) = guests();
    // A syllable of three bytes has a key of three letters.
    let syllables = "각".repeat(MAX_INDEXED_BYTES / 9);
    guests.store(guest(8, "", &syllables, "")).unwrap();
    let refused = guests.store(guest(9, "", &(syllables.clone() + "각"), "")).unwrap_err();
    assert!(
        matches!(refused.refusal().cause(), Cause::ValueTooLong { bytes, limit: MAX_INDEXED_BYTES, .. }
            if *bytes == syllables.len() * 3 + 9),
        "{refused}"
    );
    let marks = format!("a{}", "\u{301}".repeat(MAX_INDEXED_BYTES));
    guests.store(guest(9, "", &marks, "")).unwrap();
    assert_eq!(ids(&guests, field("name").eq("á")), [9]);
    store.verify().unwrap();
}

#[test]
fn a_schema_names_its_collations() {
    let schema = Guest::schema();
    let shown = schema.to_string();
    for flags in ["unique nocase_noaccents mail", "ordered noaccents name", "nocase_noaccents column city"] {
        assert!(shown.contains(flags), "{shown}");
    }
}

#[cfg(feature = "documents")]
#[test]
fn documents_ignore_accents_too() {
    use memdex::{Document, Json, json};
    let schema = json!({
        "version": 2,
        "fields": [
            { "name": "id", "kind": "integer", "key": true },
            { "name": "name", "kind": "string", "collate": "nocase_noaccents", "index": "unique" },
            { "name": "of.city", "kind": "string", "collate": "noaccents", "index": "ordered" },
        ],
    });
    let parsed: Schema = serde_json::from_value(schema.clone()).unwrap();
    assert_eq!(serde_json::to_value(&parsed).unwrap(), schema);
    let unknown = serde_json::from_value::<FieldDef>(json!({ "name": "a", "kind": "string", "collate": "noaccent" }));
    assert!(unknown.unwrap_err().to_string().contains("`nocase`, `noaccents`, `nocase_noaccents`"));

    let store = Store::new();
    let guests = store.documents("guests", parsed).unwrap();
    let put = |body: Json| guests.store(Document::new(body).unwrap());
    put(json!({ "id": 1, "name": "Zoë", "of": { "city": "Zürich" } })).unwrap();
    put(json!({ "id": 2, "name": "Åda", "of": { "city": "Zurich" } })).unwrap();
    assert!(put(json!({ "id": 3, "name": "ZOE" })).is_err());
    let keys = |criteria: Json| {
        let found = guests.find(Predicate::from_criteria(&criteria).unwrap()).order_by(OrderBy::ascending("id")).keys();
        found.unwrap().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(keys(json!({ "of.city": "Zúrich" })), "1 2");
    assert_eq!(keys(json!({ "of.city": "zürich" })), "");
    assert_eq!(keys(json!({ "name": { "gte": "ÀDÁ", "lt": "B" } })), "2");
    assert_eq!(keys(json!({ "of.city": { "starts_with": "Zü" } })), "1");
    store.verify().unwrap();
}

//! Fields that are compared by a collation: in every test, index, column, order and page, and what they refuse.

#[cfg(feature = "accents")]
mod accents;

use crate::cases::default_cases;
use memdex::aggregate::{AggregationResult, Group, Statistics};
use memdex::error::{Cause, QueryError, SchemaError};
use memdex::query::{OrderBy, Predicate};
use memdex::schema::{AggregateDef, Collation};
use memdex::{
    Bucket, Collection, FieldDef, GroupBy, IndexDef, KeyValue, Kind, Metric, Record, Schema, Store, Value, field,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::cmp::Ordering;
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq, Record)]
struct User {
    #[record(key)]
    id: u32,
    #[record(unique, collate = "nocase")]
    mail: String,
    #[record(ordered, collate = "nocase")]
    name: Option<String>,
    #[record(index, collate = "nocase")]
    tags: Vec<String>,
}

fn user(id: u32, mail: &str, name: &str) -> User {
    let name = (!name.is_empty()).then(|| name.to_owned());
    User { id, mail: mail.into(), name, tags: vec![mail[..1].to_owned(), "EU".into(), "eu".into()] }
}

fn users() -> (Store, Collection<User>) {
    let store = Store::new();
    let users = store.collection::<User>("User").unwrap();
    for (id, mail, name) in [
        (1, "Ada@Example.org", "Ada"),
        (2, "bob@example.org", "BOB"),
        (3, "eve@example.org", "ada"),
        (4, "zoë@example.org", "Zoë"),
        (5, "ZOE@example.org", ""),
        (6, "x@example.org", "bob"),
    ] {
        users.store(user(id, mail, name)).unwrap();
    }
    (store, users)
}

fn ids(users: &Collection<User>, filter: Predicate) -> Vec<u32> {
    users.find(filter).order_by(user::ID.asc()).fetch().unwrap().iter().map(|user| user.id).collect()
}

#[test]
fn a_unique_mail_is_unique_in_any_case() {
    let (store, users) = users();
    let refused = users.store(user(7, "aDA@exAMPLE.org", "")).unwrap_err();
    let cause = refused.refusal().cause();
    assert!(
        matches!(cause, Cause::NotUnique { index, key, other, .. }
            if index == "mail" && (key.to_string(), other.to_string()) == ("7".into(), "1".into())),
        "{cause}"
    );
    assert_eq!(users.get_by(user::MAIL, "ADA@EXAMPLE.ORG").unwrap().unwrap().mail, "Ada@Example.org");
    assert_eq!(users.get_by(user::MAIL, "ZOË@example.org").unwrap().unwrap().id, 4);
    assert!(users.get_by(user::MAIL, "zoé@example.org").unwrap().is_none());
    // A record may change the case of its value, and two records may swap values.
    users.store(user(1, "ADA@example.org", "Ada")).unwrap();
    let old = store.snapshot();
    let swap = store.commit(|batch| {
        batch.store(&users, user(1, "BOB@example.org", "Ada"))?;
        batch.store(&users, user(2, "Ada@Example.Org", "BOB"))
    });
    swap.unwrap();
    assert_eq!(users.get_by(user::MAIL, "bob@Example.org").unwrap().unwrap().id, 1);
    assert_eq!(old.of(&users).get_by(user::MAIL, "bob@Example.org").unwrap().unwrap().id, 2);
    // Two of one batch clash too, and a lenient commit leaves out the second.
    let both = store.commit(|batch| {
        batch.insert(&users, user(8, "new@example.org", ""))?;
        batch.insert(&users, user(9, "NEW@example.org", ""))
    });
    assert!(both.unwrap_err().refusal().position() == Some(1));
    store.verify().unwrap();
}

#[test]
fn tests_of_a_field_that_ignores_case() {
    let (store, users) = users();
    let name = || field("name");
    assert_eq!(ids(&users, name().eq("ADA")), [1, 3]);
    assert_eq!(ids(&users, name().ne("ADA")), [2, 4, 6]);
    assert_eq!(ids(&users, name().is_in(["aDA", "ZOË"])), [1, 3, 4]);
    assert_eq!(ids(&users, name().between("ADA", "Bob")), [1, 2, 3, 6]);
    assert_eq!(ids(&users, name().gt("BOB")), [4]);
    assert_eq!(ids(&users, name().is_null()), [5]);
    assert_eq!(ids(&users, field("tags").contains("z")), [4, 5]);
    assert_eq!(ids(&users, field("tags").all(["Z", "Eu"])), [4, 5]);
    // Other tests of strings compare characters.
    assert_eq!(ids(&users, name().starts_with("a")), [3]);
    assert_eq!(ids(&users, name().starts_with("A") & name().eq("ada")), [1]);
    assert_eq!(ids(&users, !name().like("B%") & name().eq("bob")), [6]);
    assert_eq!(ids(&users, name().like("BOB")), [2]);
    assert_eq!(ids(&users, name().like("BOB") & name().ne("bob")), [0; 0]);
    assert_eq!(ids(&users, name().contains_str("O")), [2]);
    assert_eq!(ids(&users, name().contains_str_ignore_case("O")), [2, 4, 6]);
    assert_eq!(users.get(1).unwrap().name.as_deref(), Some("Ada"), "records keep their spelling");
    let hits = store.snapshot().search(name().eq("zoë")).over(&users).fetch().unwrap();
    assert_eq!(hits[0].value("name"), Some("Zoë".into()));
}

#[test]
fn tests_that_ignore_case_use_the_index() {
    let (_store, users) = users();
    for (filter, by, found) in [
        (field("mail").eq_ignore_case("ADA@example.org"), "index \"mail\" = \"ada@example.org\"", vec![1]),
        (field("mail").eq("ADA@example.org"), "index \"mail\" = \"ada@example.org\"", vec![1]),
        (field("mail").like_ignore_case("ADA@example.org"), "index \"mail\" = \"ada@example.org\"", vec![1]),
        (field("name").starts_with_ignore_case("B"), "index \"name\"", vec![2, 6]),
        (field("name").like_ignore_case("B%"), "index \"name\"", vec![2, 6]),
    ] {
        let explanation = users.find(filter.clone()).explain().unwrap();
        assert!(explanation.to_string().contains(by), "{explanation}");
        assert!(!explanation.to_string().contains("scan") && explanation.advice.is_empty(), "{explanation}");
        assert_eq!(ids(&users, filter), found);
    }
    // No index has the spelling.
    let explanation = users.find(field("name").starts_with("B")).explain().unwrap();
    assert!(explanation.to_string().contains("scan") && explanation.advice.is_empty(), "{explanation}");
}

#[test]
fn what_a_collation_does_not_fit_is_refused() {
    let refused = |of: FieldDef| Schema::new([FieldDef::new("id", Kind::Int).key(), of]).check().unwrap_err();
    let nocase = Collation::NoCase;
    assert!(matches!(
        refused(FieldDef::new("n", Kind::Int).collate(nocase)),
        SchemaError::Collation { field, kind: Kind::Int, key: false, .. } if field == "n"
    ));
    let key = refused(FieldDef::new("k", Kind::Str).key().collate(nocase));
    assert_eq!(
        key.to_string(),
        "field \"k\" can't have a collation: it is part of the key, which is compared by bytes; add a unique field \
         with the collation"
    );
    let (_store, users) = users();
    let groups = || GroupBy::values("name").metrics([Metric::count()]);
    for statistics in [Statistics::from(groups()), Statistics::of([field("name").min()])] {
        let refused = users.add_aggregate(AggregateDef::new("by name", statistics)).unwrap_err();
        assert!(refused.to_string().contains("has a collation, and the spellings"), "{refused}");
    }
}

/// Each group as `key count`, with the keys of its subgroups.
fn shown(result: &AggregationResult) -> Vec<String> {
    let text = |group: &Group| {
        let key: Vec<String> = group.key.iter().map(Value::to_string).collect();
        let within = group.groups().iter().map(|inner| format!(" {}", inner.key[0])).collect::<String>();
        format!("{} {}{within}", key.join("+"), group.int("count").unwrap())
    };
    result.groups().iter().map(text).collect()
}

#[test]
fn groups_show_the_lowest_spelling_of_their_records() {
    let (store, users) = users();
    let statistics = |filter: Predicate, requested: GroupBy| users.find(filter).statistics(requested).unwrap();
    let count = || [Metric::count()];
    let by_name = || GroupBy::values("name").metrics(count());
    assert_eq!(shown(&statistics(Predicate::All, by_name())), ["null 1", "Ada 2", "BOB 2", "Zoë 1"]);
    assert_eq!(shown(&statistics(field("id").gt(2), by_name())), ["null 1", "ada 1", "bob 1", "Zoë 1"]);
    let or = |missing: &'static str| GroupBy::new([Bucket::values_or("name", missing)]).metrics(count());
    assert_eq!(shown(&statistics(Predicate::All, or("ADA"))), ["ADA 3", "BOB 2", "Zoë 1"]);
    assert_eq!(shown(&statistics(Predicate::All, or("bOb"))), ["Ada 2", "BOB 3", "Zoë 1"]);
    // A subgroup, and each part of a key, shows a spelling that its records have.
    let nested = GroupBy::values("tags").metrics(count()).group_by(GroupBy::values("name").metrics(count()));
    let nested = statistics(!field("name").is_null(), nested);
    assert_eq!(shown(&nested), ["A 1 Ada", "b 1 BOB", "e 1 ada", "EU 5 Ada BOB Zoë", "x 1 bob", "z 1 Zoë"]);
    let both = GroupBy::new([Bucket::values("name"), Bucket::values("tags")]).metrics(count());
    assert_eq!(shown(&statistics(field("name").eq("ADA"), both)), ["Ada+A 1", "ada+e 1", "Ada+EU 2"]);
    store.verify().unwrap();
}

#[test]
fn the_lowest_the_highest_and_the_most_frequent_value_are_found_by_the_collation() {
    let (_store, users) = users();
    let of = |filter: Predicate| {
        let metrics = [field("name").min(), field("name").max(), field("name").mode(), field("tags").mode()];
        let found = users.find(filter).statistics(Statistics::of(metrics)).unwrap();
        found.metrics().map(|(_, value)| value.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(of(Predicate::All), ["Ada", "Zoë", "Ada", "EU"]);
    assert_eq!(of(field("id").gt(1)), ["ada", "Zoë", "BOB", "EU"]);
    assert_eq!(of(field("id").eq(5)), ["null", "null", "null", "EU"]);
    users.store(user(7, "y@example.org", "ZOË")).unwrap();
    assert_eq!(of(field("id").ge(4)), ["bob", "ZOË", "ZOË", "EU"]);

    // Conditions and choices of groups compare such a metric by the collation too.
    let by_tag = || GroupBy::values("tags").metrics([Metric::count(), field("name").min().named("first")]);
    let having = users.find(Predicate::All).statistics(by_tag().having(field("first").eq("ADA"))).unwrap();
    assert_eq!(shown(&having), ["A 1", "e 1", "EU 7"]);
    let top = users.find(field("id").lt(7)).statistics(by_tag().bottom(4, "first")).unwrap();
    assert_eq!(shown(&top), ["A 1", "e 1", "EU 6", "b 1"]);
}

#[test]
fn collections_with_one_collation_have_common_groups() {
    let (store, users) = users();
    let fields = |collate: bool| {
        let name = FieldDef::new("name", Kind::Str).column();
        Schema::new([if collate { name.collate(Collation::NoCase) } else { name }])
    };
    let others = store.key_values::<()>("others", fields(true)).unwrap();
    let plain = store.key_values::<()>("plain", fields(false)).unwrap();
    others.store(KeyValue::new("1", ()).with("name", "ADA")).unwrap();
    plain.store(KeyValue::new("1", ()).with("name", "ADA")).unwrap();
    let by_name = || GroupBy::values("name").metrics([Metric::count()]);
    let both = store.snapshot().search(Predicate::All).over(&users).over(&others);
    assert_eq!(shown(&both.statistics(by_name()).unwrap()), ["null 1", "ADA 3", "BOB 2", "Zoë 1"]);
    let refused = store.snapshot().search(Predicate::All).over(&users).over(&plain).statistics(by_name()).unwrap_err();
    assert!(matches!(&refused, QueryError::DifferentCollations { field, .. } if field == "name"), "{refused}");
    assert_eq!(
        refused.to_string(),
        "field \"name\" has the collation nocase in \"User\", but not in \"plain\": query these collections one by one, \
         or give the field the same collation in both"
    );
}

#[test]
fn distinct_values_are_counted_by_the_collation() {
    let (_store, users) = users();
    let distinct = || Statistics::of([field("name").distinct().named("names"), field("tags").distinct().named("tags")]);
    let counted = |users: &Collection<User>| {
        let found = users.find(Predicate::All).statistics(distinct()).unwrap();
        (found.int("names").unwrap(), found.int("tags").unwrap())
    };
    assert_eq!(counted(&users), (3, 6));
    users.add_aggregate(AggregateDef::new("names", [field("name").distinct().named("names")])).unwrap();
    let kept = || users.aggregate("names").unwrap().int("names").unwrap();
    assert_eq!(kept(), 3);
    users.store(user(7, "y@example.org", "ADA")).unwrap();
    users.store(user(4, "zoë@example.org", "EVE")).unwrap();
    users.delete(2).unwrap();
    assert_eq!((kept(), counted(&users).0), (3, 3));
    users.delete(6).unwrap();
    assert_eq!((kept(), counted(&users).0), (2, 2));
}

/// What a collation ignores.
#[derive(Clone, Copy, Debug)]
struct Ignored {
    case: bool,
    accents: bool,
}

const CASE: Ignored = Ignored { case: true, accents: false };

impl Ignored {
    /// Each collation, with what it ignores.
    fn by_collation() -> Vec<(Collation, Ignored)> {
        vec![
            (Collation::NoCase, CASE),
            #[cfg(feature = "accents")]
            (Collation::NoAccents, Ignored { case: false, accents: true }),
            #[cfg(feature = "accents")]
            (Collation::NoCaseNoAccents, Ignored { case: true, accents: true }),
        ]
    }

    /// The key of a text by definition, for the letters of the texts.
    fn key(self, text: &str) -> String {
        let without_accents = |c: char| match c {
            'É' => Some('E'),
            'é' => Some('e'),
            '\u{212A}' => Some('K'),
            '\u{301}' => None,
            c => Some(c),
        };
        let fold = |c: char| match c {
            'É' => 'é',
            'Σ' | 'ς' => 'σ',
            '\u{212A}' => 'k',
            c => c.to_ascii_lowercase(),
        };
        let chars = text.chars().filter_map(|c| if self.accents { without_accents(c) } else { Some(c) });
        chars.map(|c| if self.case { fold(c) } else { c }).collect()
    }
}

const TEXTS: [&str; 18] = [
    "",
    "a",
    "A",
    "ab",
    "aB",
    "AB",
    "b",
    "B",
    "É",
    "éa",
    "e\u{301}A",
    "ea",
    "\u{301}",
    "\u{212A}1",
    "k1",
    "K1",
    "aς",
    "AΣ",
];

#[derive(Clone, Debug)]
enum Ask {
    Eq(&'static str),
    Ne(&'static str),
    In(Vec<&'static str>),
    Range(Option<&'static str>, Option<(&'static str, bool)>),
    Null,
    Text(&'static str, u8, bool),
    Any(Vec<&'static str>),
    All(Vec<&'static str>),
    Not(Box<Ask>),
    Both(Box<Ask>, Box<Ask>),
    Either(Box<Ask>, Box<Ask>),
}

type Row = (u32, Option<&'static str>, Vec<&'static str>);

impl Ask {
    fn any() -> impl Strategy<Value = Ask> {
        let text = || select(&TEXTS[..]);
        let leaf = prop_oneof![
            2 => text().prop_map(Ask::Eq),
            1 => text().prop_map(Ask::Ne),
            1 => vec(text(), 0..4).prop_map(Ask::In),
            2 => (prop::option::of(text()), prop::option::of((text(), any::<bool>())))
                .prop_map(|(from, to)| Ask::Range(from, to)),
            1 => Just(Ask::Null),
            4 => (text(), 0..5_u8, any::<bool>()).prop_map(|(text, op, fold)| Ask::Text(text, op, fold)),
            1 => vec(text(), 1..3).prop_map(Ask::Any),
            1 => vec(text(), 1..3).prop_map(Ask::All),
        ];
        leaf.prop_recursive(3, 6, 2, |inner| {
            prop_oneof![
                inner.clone().prop_map(|part| Ask::Not(Box::new(part))),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| Ask::Both(Box::new(a), Box::new(b))),
                (inner.clone(), inner).prop_map(|(a, b)| Ask::Either(Box::new(a), Box::new(b))),
            ]
        })
    }

    fn predicate(&self) -> Predicate {
        let name = || field("name");
        match self {
            Ask::Eq(text) => name().eq(*text),
            Ask::Ne(text) => name().ne(*text),
            Ask::In(texts) => name().is_in(texts.iter().copied()),
            Ask::Range(from, to) => {
                let low = from.map(|from| name().ge(from));
                let high = to.map(|(to, with)| if with { name().le(to) } else { name().lt(to) });
                low.into_iter().chain(high).reduce(|a, b| a & b).unwrap_or_else(|| !name().is_null())
            }
            Ask::Null => name().is_null(),
            Ask::Text(text, op, fold) => match (op, fold) {
                (0, false) => name().starts_with(*text),
                (0, true) => name().starts_with_ignore_case(*text),
                (1, false) => name().ends_with(*text),
                (1, true) => name().ends_with_ignore_case(*text),
                (2, false) => name().contains_str(*text),
                (2, true) => name().contains_str_ignore_case(*text),
                (3, false) => name().like(*text),
                (3, true) => name().like_ignore_case(*text),
                (_, false) => name().like(format!("_{text}%")),
                (_, true) => name().like_ignore_case(format!("_{text}%")),
            },
            Ask::Any(texts) => field("tags").any(texts.iter().copied()),
            Ask::All(texts) => field("tags").all(texts.iter().copied()),
            Ask::Not(part) => !part.predicate(),
            Ask::Both(a, b) => a.predicate() & b.predicate(),
            Ask::Either(a, b) => a.predicate() | b.predicate(),
        }
    }

    fn holds(&self, row: &Row, ignored: Ignored) -> bool {
        let (_, name, tags) = row;
        let key = |text: &str| ignored.key(text);
        let is = |test: &dyn Fn(&str) -> bool| name.is_some_and(|name| test(&key(name)));
        let has = |text: &&str| tags.iter().any(|tag| key(tag) == key(text));
        match self {
            Ask::Eq(text) => is(&|name| name == key(text)),
            Ask::Ne(text) => is(&|name| name != key(text)),
            Ask::In(texts) => is(&|name| texts.iter().any(|text| name == key(text))),
            Ask::Range(from, to) => is(&|name| {
                from.is_none_or(|from| *name >= *key(from))
                    && to.is_none_or(|(to, with)| match name.cmp(&key(to)) {
                        Ordering::Less => true,
                        Ordering::Equal => with,
                        Ordering::Greater => false,
                    })
            }),
            Ask::Null => name.is_none(),
            Ask::Text(text, op, fold) => name.is_some_and(|name| {
                let read = |text: &str| if *fold { CASE.key(text) } else { text.to_owned() };
                let (name, text) = (read(name), read(text));
                match op {
                    0 => name.starts_with(&text),
                    1 => name.ends_with(&text),
                    2 => name.contains(&text),
                    3 => name == text,
                    _ => name.chars().next().is_some_and(|first| name[first.len_utf8()..].starts_with(&text)),
                }
            }),
            Ask::Any(texts) => texts.iter().any(has),
            Ask::All(texts) => texts.iter().all(has),
            Ask::Not(part) => !part.holds(row, ignored),
            Ask::Both(a, b) => a.holds(row, ignored) && b.holds(row, ignored),
            Ask::Either(a, b) => a.holds(row, ignored) || b.holds(row, ignored),
        }
    }
}

fn record((id, name, tags): &Row) -> KeyValue<()> {
    KeyValue::new(format!("{id:02}"), ())
        .with("n", i64::from(*id % 3))
        .with_each("name", *name)
        .with_each("tags", tags.clone())
}

fn rows(count: usize) -> impl Strategy<Value = Vec<Row>> {
    let text = || select(&TEXTS[..]);
    vec((0..40_u32, prop::option::weighted(0.8, text()), vec(text(), 0..3)), count)
}

fn schema() -> impl Strategy<Value = (Schema, Ignored)> {
    let indexes = vec(
        select(vec![
            IndexDef::equality("name"),
            IndexDef::ordered("name").named("in order"),
            IndexDef::ordered(["name", "n"]),
            IndexDef::equality(["n", "name"]),
            IndexDef::ordered(["n", "name"]).named("by n"),
            IndexDef::equality("tags"),
            IndexDef::ordered("name").named("some").when(field("name").lt("B")),
            IndexDef::equality("n").named("spelled").when(field("name").starts_with("A")),
        ]),
        0..4,
    );
    (indexes, any::<bool>(), select(Ignored::by_collation())).prop_map(|(indexes, column, (collation, ignored))| {
        let name = FieldDef::new("name", Kind::Str).collate(collation);
        let fields = [
            if column { name.column() } else { name },
            FieldDef::new("n", Kind::Int).column(),
            FieldDef::new("tags", Kind::Str).many().collate(collation),
        ];
        let schema = Schema::new(fields);
        let mut names = BTreeSet::new();
        let indexes = indexes.into_iter().filter(|index| names.insert(index.name().to_owned()));
        (indexes.fold(schema, Schema::with_index), ignored)
    })
}

/// The rows as a collection holds them: the last one of each key.
fn stored(rows: &[Row], held: &mut Vec<Row>) {
    for row in rows {
        held.retain(|other| other.0 != row.0);
        held.push(row.clone());
    }
}

proptest! {
    #![proptest_config(default_cases())]

    /// Filters, orders and pages equal plain loops that compare keys of texts, under every schema, now and at a snapshot.
    #[test]
    fn fields_with_a_collation_equal_loops_over_keys_of_texts(
        (schema, ignored) in schema(),
        first in rows(30),
        second in rows(10),
        asks in vec(Ask::any(), 1..8),
        (by_n, descending, size) in (any::<bool>(), any::<bool>(), 1..9_usize),
    ) {
        let store = Store::new();
        let all = store.key_values::<()>("all", schema).unwrap();
        let mut held = Vec::new();
        store.commit(|batch| first.iter().try_for_each(|row| batch.store(&all, record(row)))).unwrap();
        stored(&first, &mut held);
        let (snapshot, before) = (store.snapshot(), held.clone());
        store.commit(|batch| second.iter().try_for_each(|row| batch.store(&all, record(row)))).unwrap();
        stored(&second, &mut held);
        let by_name = || if descending { OrderBy::descending("name") } else { OrderBy::ascending("name") };
        let order = || if by_n { vec![OrderBy::ascending("n"), by_name()] } else { vec![by_name()] };
        for (view, held) in [(snapshot.of(&all), before), (store.snapshot().of(&all), held)] {
            for ask in &asks {
                let mut expected: Vec<&Row> = held.iter().filter(|row| ask.holds(row, ignored)).collect();
                expected.sort_by(|a, b| {
                    let names = a.1.map(|text| ignored.key(text)).cmp(&b.1.map(|text| ignored.key(text)));
                    let names = if descending { names.reverse() } else { names };
                    let n = if by_n { (a.0 % 3).cmp(&(b.0 % 3)) } else { Ordering::Equal };
                    n.then(names).then(a.0.cmp(&b.0))
                });
                let expected: Vec<u32> = expected.iter().map(|row| row.0).collect();
                let find = || view.find(ask.predicate());
                prop_assert_eq!(find().count().unwrap(), expected.len(), "{:?}", ask);
                let mut found = Vec::new();
                let mut page = find().order_by(order()).limit(size).fetch().unwrap();
                loop {
                    found.extend(page.iter().map(|row| row.key().to_string().parse::<u32>().unwrap()));
                    let Some(next) = page.next else { break };
                    // As a text, as programs pass it on.
                    let next = next.to_string().parse().unwrap();
                    page = find().order_by(order()).limit(size).after(next).fetch().unwrap();
                }
                prop_assert_eq!(found, expected, "{:?}", ask);
            }
        }
        store.verify().unwrap();
    }
}

#[cfg(feature = "documents")]
#[test]
fn documents_have_collations_too() {
    use memdex::json;
    let schema = json!({
        "version": 2,
        "fields": [
            { "name": "id", "kind": "integer", "key": true },
            { "name": "mail", "kind": "string", "collate": "nocase", "index": "unique" },
            { "name": "of.team", "kind": "string", "collate": "nocase", "index": "ordered" },
        ],
    });
    let parsed: Schema = serde_json::from_value(schema.clone()).unwrap();
    assert_eq!(serde_json::to_value(&parsed).unwrap(), schema);
    let unknown = serde_json::from_value::<FieldDef>(json!({ "name": "a", "kind": "string", "collate": "de" }));
    assert!(unknown.unwrap_err().to_string().contains("nocase"));

    let store = Store::new();
    let users = store.documents("users", parsed).unwrap();
    let document = |body: memdex::Json| memdex::Document::new(body).unwrap();
    users.store(document(json!({ "id": 1, "mail": "Ada@example.org", "of": { "team": "Red" } }))).unwrap();
    users.store(document(json!({ "id": 2, "mail": "bob@example.org", "of": { "team": "red" } }))).unwrap();
    assert!(users.store(document(json!({ "id": 3, "mail": "ADA@example.org" }))).is_err());
    let long = "RED".repeat(500);
    users.store(document(json!({ "id": 4, "mail": "x", "of": { "team": long } }))).unwrap();
    let keys = |criteria: memdex::Json| {
        let filter = Predicate::from_criteria(&criteria).unwrap();
        let found = users.find(filter).order_by(OrderBy::ascending("id")).keys().unwrap();
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(keys(json!({ "of.team": "RED" })), "1 2");
    assert_eq!(keys(json!({ "of.team": { "starts_with": "Re" } })), "1");
    assert_eq!(keys(json!({ "of.team": { "eq": long.to_lowercase() } })), "4");
    assert_eq!(keys(json!({ "mail": { "eq_ignore_case": "ADA@EXAMPLE.ORG" } })), "1");
    store.verify().unwrap();
}

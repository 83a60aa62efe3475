//! Every legal plan gives the same records: random questions, asked as of a held snapshot while records change, are answered by each way
//! that the planner could go, and by a naive loop.

use crate::every_plan::by_every_plan;
use memdex::error::{Cause, Refusal};
use memdex::query::{OrderBy, Predicate};
use memdex::{Handle, IndexDef, Record, Store, field};
use proptest::prelude::*;
use std::cmp::Ordering;

#[derive(Clone, Debug, PartialEq, Record)]
#[record(index(kind, place))]
#[record(ordered(kind, amount))]
#[record(ordered(place, at, name = "at_place"))]
#[record(ordered(amount, name = "amounts_of_a", when = thing::KIND.eq("a")))]
#[record(ordered(tags, name = "tags_in_order"))]
struct Thing {
    #[record(key)]
    id: u32,
    #[record(index, column)]
    kind: String,
    #[record(ordered, column)]
    amount: Option<i64>,
    #[record(index, column)]
    place: Option<String>,
    #[record(column)]
    at: i32,
    #[record(ordered)]
    level: f64,
    #[record(field)]
    note: Option<String>,
    #[record(index)]
    tags: Vec<u16>,
}

fn thing(id: u32, seed: u32) -> Thing {
    let mix = |salt: u32| (seed.wrapping_add(salt).wrapping_mul(2_654_435_761) >> 7) as usize;
    let letter = |salt, of: usize| char::from(b'a' + (mix(salt) % of) as u8).to_string();
    Thing {
        id,
        kind: letter(1, 3),
        amount: (mix(2) % 5 > 0).then(|| mix(3) as i64 % 12 - 4),
        place: (mix(4) % 4 > 0).then(|| letter(5, 4)),
        at: mix(6) as i32 % 9,
        level: (mix(7) % 7) as f64 / 2.0 - 1.0,
        note: (mix(8) % 3 > 0).then(|| letter(9, 5)),
        tags: (0..mix(10) % 3).map(|n| (mix(11 + n as u32) % 4) as u16).collect(),
    }
}

/// A question in the words of the naive loop.
#[derive(Clone, Debug)]
enum Ask {
    Kind(Vec<&'static str>),
    NotKind(&'static str),
    Amount(Option<i64>, Option<i64>),
    NoAmount,
    Place(&'static str),
    At(i32),
    Level(f64),
    Note(&'static str),
    Tag(u16),
    TagAbove(u16),
    Id(Vec<u32>),
    Not(Box<Ask>),
    Both(Vec<Ask>),
    Either(Vec<Ask>),
}

impl Ask {
    fn holds(&self, thing: &Thing) -> bool {
        match self {
            Ask::Kind(of) => of.contains(&&*thing.kind),
            Ask::NotKind(not) => thing.kind != *not,
            Ask::Amount(from, to) => thing
                .amount
                .is_some_and(|amount| from.is_none_or(|from| amount >= from) && to.is_none_or(|to| amount < to)),
            Ask::NoAmount => thing.amount.is_none(),
            Ask::Place(place) => thing.place.as_deref() == Some(place),
            Ask::At(at) => thing.at == *at,
            Ask::Level(above) => thing.level > *above,
            Ask::Note(note) => thing.note.as_deref() == Some(note),
            Ask::Tag(tag) => thing.tags.contains(tag),
            Ask::TagAbove(tag) => thing.tags.iter().any(|own| own > tag),
            Ask::Id(of) => of.contains(&thing.id),
            Ask::Not(part) => !part.holds(thing),
            Ask::Both(parts) => parts.iter().all(|part| part.holds(thing)),
            Ask::Either(parts) => parts.iter().any(|part| part.holds(thing)),
        }
    }

    fn predicate(&self) -> Predicate {
        match self {
            Ask::Kind(of) => field("kind").is_in(of.iter().copied()),
            Ask::NotKind(not) => field("kind").ne(*not),
            Ask::Amount(from, to) => {
                let low = from.map(|from| field("amount").ge(from));
                let high = to.map(|to| field("amount").lt(to));
                low.into_iter().chain(high).reduce(|a, b| a & b).unwrap_or_else(|| !field("amount").is_null())
            }
            Ask::NoAmount => field("amount").is_null(),
            Ask::Place(place) => field("place").eq(*place),
            Ask::At(at) => field("at").eq(*at),
            Ask::Level(above) => field("level").gt(*above),
            Ask::Note(note) => field("note").eq(*note),
            Ask::Tag(tag) => field("tags").contains(*tag),
            Ask::TagAbove(tag) => field("tags").gt(*tag),
            Ask::Id(of) => field("id").is_in(of.iter().copied()),
            Ask::Not(part) => !part.predicate(),
            Ask::Both(parts) => Predicate::all_of(parts.iter().map(Ask::predicate)),
            Ask::Either(parts) => Predicate::any_of(parts.iter().map(Ask::predicate)),
        }
    }

    fn any() -> impl Strategy<Value = Ask> {
        let letter = |of: &'static [&'static str]| prop::sample::select(of);
        let leaf = prop_oneof![
            3 => prop::collection::vec(letter(&["a", "b", "c", "z"]), 1..3).prop_map(Ask::Kind),
            1 => letter(&["a", "b"]).prop_map(Ask::NotKind),
            3 => (prop::option::of(-5..9_i64), prop::option::of(-5..9_i64)).prop_map(|(from, to)| Ask::Amount(from, to)),
            1 => Just(Ask::NoAmount),
            2 => letter(&["a", "b", "c"]).prop_map(Ask::Place),
            1 => (0..9_i32).prop_map(Ask::At),
            2 => (-3..6_i32).prop_map(|half| Ask::Level(f64::from(half) / 2.0)),
            1 => letter(&["a", "e"]).prop_map(Ask::Note),
            1 => (0..5_u16).prop_map(Ask::Tag),
            1 => (0..4_u16).prop_map(Ask::TagAbove),
            1 => prop::collection::vec(0..80_u32, 1..9).prop_map(Ask::Id),
        ];
        leaf.prop_recursive(3, 8, 3, |inner| {
            prop_oneof![
                1 => inner.clone().prop_map(|part| Ask::Not(Box::new(part))),
                3 => prop::collection::vec(inner.clone(), 1..4).prop_map(Ask::Both),
                1 => prop::collection::vec(inner, 0..3).prop_map(Ask::Either),
            ]
        })
    }
}

/// A field, whether descending, and whether missing values come first.
type Sort = (&'static str, bool, bool);

fn order_by((name, descending, nulls_first): Sort) -> OrderBy {
    let order = if descending { field(name).desc() } else { field(name).asc() };
    if nulls_first { order.nulls_first() } else { order.nulls_last() }
}

fn compare(a: &Thing, b: &Thing, order: &[Sort]) -> Ordering {
    fn directed<T>(
        a: Option<T>,
        b: Option<T>,
        descending: bool,
        nulls_first: bool,
        by: impl Fn(&T, &T) -> Ordering,
    ) -> Ordering {
        match (a, b) {
            (Some(a), Some(b)) if descending => by(&b, &a),
            (Some(a), Some(b)) => by(&a, &b),
            (None, None) => Ordering::Equal,
            (None, Some(_)) => {
                if nulls_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (Some(_), None) => {
                if nulls_first {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
        }
    }
    let by_field = |(name, down, first): &Sort| match *name {
        "kind" => directed(Some(&a.kind), Some(&b.kind), *down, *first, Ord::cmp),
        "amount" => directed(a.amount, b.amount, *down, *first, Ord::cmp),
        "place" => directed(a.place.as_ref(), b.place.as_ref(), *down, *first, Ord::cmp),
        "at" => directed(Some(a.at), Some(b.at), *down, *first, Ord::cmp),
        "level" => directed(Some(a.level), Some(b.level), *down, *first, f64::total_cmp),
        "id" => directed(Some(a.id), Some(b.id), *down, *first, Ord::cmp),
        _ => directed(a.note.as_ref(), b.note.as_ref(), *down, *first, Ord::cmp),
    };
    order.iter().map(by_field).find(|order| order.is_ne()).unwrap_or_else(|| a.id.cmp(&b.id))
}

fn ids(found: &[Handle<Thing>]) -> Vec<u32> {
    found.iter().map(|thing| thing.id).collect()
}

fn sorted(mut ids: Vec<u32>) -> Vec<u32> {
    ids.sort_unstable();
    ids
}

proptest! {
    #![proptest_config(crate::cases::default_cases())]

    #[test]
    fn all_plans_give_the_same_records(
        asks in prop::collection::vec(Ask::any(), 3),
        orders in prop::collection::vec(prop::collection::vec((
            prop::sample::select(&["kind", "amount", "place", "at", "level", "note", "id"][..]), any::<bool>(), any::<bool>(),
        ), 0..3), 3),
        (limit, offset) in (1..40_usize, 0..20_usize),
        (records, changed) in (0..300_u32, prop::collection::vec((0..330_u32, any::<u32>(), 0..4_u8), 0..200)),
        seed in any::<u32>(),
    ) {
        let store = Store::new();
        let things = store.collection::<Thing>("Thing").unwrap();
        let kept: Vec<Thing> = (0..records).map(|id| thing(id, seed ^ id.wrapping_mul(97))).collect();
        store.commit(|batch| kept.iter().try_for_each(|thing| batch.store(&things, thing.clone()))).unwrap();
        let snapshot = store.snapshot();
        let view = snapshot.of(&things);
        let mut pages = 0;
        for (half, changes) in changed.chunks(changed.len() / 2 + 1).enumerate() {
            let result = store.commit(|batch| {
                changes.iter().try_for_each(|(id, seed, what)| match what {
                    0 => batch.delete(&things, *id),
                    _ => batch.store(&things, thing(*id, *seed)),
                })
            });
            result.map(drop).or_else(|refused| match refused.cause() { Cause::KeyMissing => Ok(()), _ => Err(Refusal::because(refused.to_string())) }).unwrap();
            for (ask, order) in asks.iter().zip(&orders) {
                let expected: Vec<&Thing> = kept.iter().filter(|thing| ask.holds(thing)).collect();
                let find = view.find(ask.predicate());
                by_every_plan(&find, 24, |find| {
                    assert_eq!(sorted(ids(&find.fetch().unwrap())), expected.iter().map(|thing| thing.id).collect::<Vec<_>>());
                    assert_eq!(find.count().unwrap(), expected.len());
                });
                let mut in_order = expected.clone();
                in_order.sort_by(|a, b| compare(a, b, order));
                let in_order: Vec<u32> = in_order.into_iter().map(|thing| thing.id).collect();
                let find = find.order_by(order.iter().copied().map(order_by).collect::<Vec<_>>());
                let fetched = ids(&find.fetch().unwrap());
                // Without any order the records come in none.
                let (fetched, wanted) =
                    if order.is_empty() { (sorted(fetched), sorted(in_order.clone())) } else { (fetched, in_order.clone()) };
                assert_eq!(fetched, wanted, "{ask:?} {order:?}");
                let page = find.limit(limit).offset(offset).with_total();
                by_every_plan(&page, 48, |page| {
                    let found = page.fetch().unwrap();
                    let wanted: Vec<u32> = in_order.iter().copied().skip(offset).take(limit).collect();
                    assert_eq!(ids(&found.records), wanted, "{ask:?} {order:?} of half {half}");
                    assert_eq!((found.total, found.next.is_some()), (Some(in_order.len()), offset + limit < in_order.len()));
                    pages += 1;
                    // On from there, by every plan too; some steps suffice.
                    let Some(cursor) = found.next.filter(|_| pages % 7 == 0) else { return };
                    let rest = page.clone().offset(0).after(cursor.to_string().parse().unwrap());
                    by_every_plan(&rest, 12, |rest| {
                        let wanted: Vec<u32> = in_order.iter().copied().skip(offset + limit).take(limit).collect();
                        assert_eq!(ids(&rest.fetch().unwrap()), wanted, "behind a cursor: {ask:?} {order:?}");
                    });
                });
            }
        }
    }
}

#[test]
fn an_index_that_would_help_is_named() {
    let store = Store::new();
    let things = store.collection::<Thing>("Thing").unwrap();
    store.commit(|batch| (0..2_000).try_for_each(|id| batch.store(&things, thing(id, id * 31)))).unwrap();
    let explanation = things.find(field("note").eq("a") & field("level").gt(-0.5)).explain().unwrap();
    assert!(explanation.advice.iter().any(|advice| advice.contains("note")), "{explanation}");
    let walked = things.find(thing::KIND.eq("a")).order_by(thing::AMOUNT.desc()).limit(5).explain().unwrap();
    assert!(walked.to_string().contains("walk down index"), "{walked}");
    assert_eq!(walked.root.actual, 5);
    things.add_index(IndexDef::equality("note")).unwrap();
    let explanation = things.find(field("note").eq("a") & field("level").gt(-0.5)).explain().unwrap();
    assert!(explanation.advice.is_empty(), "{explanation}");
}

#[test]
fn of_few_rows_the_cells_are_read_rather_than_the_records() {
    let store = Store::new();
    let things = store.collection::<Thing>("Thing").unwrap();
    store.commit(|batch| (0..20_000).try_for_each(|id| batch.store(&things, thing(id, id * 31)))).unwrap();
    things.add_index(IndexDef::equality("note")).unwrap();
    let few = field("note").eq("a") & field("at").between(2, 4) & field("place").starts_with("b");
    let find = things.find(few);
    let explanation = find.explain().unwrap();
    assert!(explanation.to_string().contains("cells of column at"), "{explanation}");
    assert!(explanation.advice.is_empty(), "{explanation}");
    let meets = |thing: &Thing| thing.note.as_deref() == Some("a") && (2..=4).contains(&thing.at);
    let meets = |thing: &Thing| meets(thing) && thing.place.as_deref().is_some_and(|place| place.starts_with('b'));
    let expected: Vec<u32> = (0..20_000).filter(|id| meets(&thing(*id, id * 31))).collect();
    assert!(!expected.is_empty());
    assert_eq!(sorted(ids(&find.fetch().unwrap())), expected);
    assert_eq!(find.count().unwrap(), expected.len());
}

#[test]
fn keys_are_looked_up() {
    let store = Store::new();
    let things = store.collection::<Thing>("Thing").unwrap();
    store.commit(|batch| (0..2_000).try_for_each(|id| batch.store(&things, thing(id, id * 31)))).unwrap();
    let held = store.snapshot();
    let one = things.find(thing::ID.eq(7) & field("note").is_null());
    let explanation = one.explain().unwrap();
    assert!(explanation.to_string().contains("key 7"), "{explanation}");
    let many = || field("id").is_in((0..500_u32).map(|id| id * 9));
    assert_eq!(things.find(many()).explain().unwrap().root.from[0].what, "500 keys");
    things.delete(9).unwrap();
    things.store(thing(2_007, 1)).unwrap();
    let expected: Vec<u32> = (0..223).map(|id| id * 9).collect();
    assert_eq!(sorted(ids(&held.of(&things).find(many()).fetch().unwrap())), expected);
    let now: Vec<u32> = expected.into_iter().filter(|id| *id != 9).chain([2_007]).collect();
    assert_eq!(sorted(ids(&things.find(many()).fetch().unwrap())), now);
    assert_eq!(things.find(many() & !thing::ID.eq(18)).count().unwrap(), now.len() - 1);
}

/// A key of several parts, of kinds whose values are written in several ways.
#[derive(Clone, Debug, PartialEq, Record)]
struct Parted {
    #[record(key)]
    place: String,
    #[record(key)]
    number: i128,
    #[record(key)]
    share: f64,
    #[record(field)]
    note: u8,
}

#[test]
fn keys_of_several_parts_are_looked_up_by_value() {
    let store = Store::new();
    let all = store.collection::<Parted>("Parted").unwrap();
    let numbers = [0, -1, i128::from(u64::MAX), i128::MAX];
    for (at, number) in numbers.into_iter().enumerate() {
        for share in [0.0, 1.5] {
            all.store(Parted { place: "a\0b".into(), number, share, note: at as u8 }).unwrap();
        }
    }
    for (at, number) in numbers.into_iter().enumerate() {
        let find = all.find(parted::NUMBER.eq(number) & field("share").eq(-0.0) & parted::PLACE.eq("a\0b"));
        assert!(find.explain().unwrap().to_string().contains("key "), "{}", find.explain().unwrap());
        let found = find.fetch().unwrap();
        assert_eq!(found.iter().map(|record| record.note).collect::<Vec<_>>(), [at as u8]);
    }
    let some = all.find(parted::NUMBER.is_in([0, 5, -1]) & parted::SHARE.is_in([0.0, 1.5]) & parted::PLACE.eq("a\0b"));
    assert_eq!(some.count().unwrap(), 4);
    let part = all.find(parted::NUMBER.eq(0) & parted::PLACE.eq("a\0b")).explain().unwrap();
    assert!(part.root.what.starts_with("scan"), "{part}");
}

#[test]
fn explanations_count_what_is_given_and_advise_what_is_not_there() {
    let store = Store::new();
    let things = store.collection::<Thing>("Thing").unwrap();
    store.commit(|batch| (0..3_000).try_for_each(|id| batch.store(&things, thing(id, id * 31)))).unwrap();
    let page = things.find(Predicate::All).order_by(thing::LEVEL.desc()).offset(50).limit(10).explain().unwrap();
    assert_eq!(page.root.actual, 10, "{page}");
    // Of seven levels the walk goes through all that have the same one: the key decides among them.
    let walk = &page.root.from[0];
    assert!(walk.what.starts_with("walk") && walk.actual > 300 && walk.expected > 300, "{page}");
    let looks = things.find(field("note").eq("a") & thing::LEVEL.gt(0.0)).explain().unwrap();
    assert!(!looks.advice.iter().any(|line| line.contains("level")), "{looks}");
    assert!(looks.advice.iter().any(|line| line.contains("note")), "{looks}");
    let texts = things.find(field("note").like("%a%")).explain().unwrap();
    assert!(texts.advice[0].starts_with("a column on"), "{texts}");
    let sorts = things.find(Predicate::All).order_by(field("note").asc()).limit(3).explain().unwrap();
    assert!(sorts.advice.iter().any(|line| line.contains("would have the order")), "{sorts}");
    assert!(sorts.advice.iter().any(|line| line.starts_with("a column on \"note\" would sort")), "{sorts}");
    let equal = things.find(field("note").eq("a")).explain().unwrap();
    assert!(equal.advice[0].starts_with("an index or a column on \"note\""), "{equal}");
    let either = Predicate::any_of((0..500).map(|n| field("note").eq(n.to_string()) & field("at").gt(n)));
    assert!(things.find(either).explain().unwrap().advice.len() <= 16);
}

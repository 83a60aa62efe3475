//! Indexes of every kind: their results, their refusals, and adding and dropping them at run time.

mod nan;
mod partial;
mod upkeep;

use crate::cases::default_cases;
use memdex::error::{Cause, IndexError, QueryError, SchemaError};
use memdex::query::Predicate;
use memdex::schema::IndexKind;
use memdex::{Collection, FieldDef, Filter, IndexDef, Nested, Record, Schema, Store, field};
use proptest::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

#[derive(Clone, Debug, Record)]
#[record(index(team, role), ordered(team, score), unique(team, badge, name = "badges"))]
#[record(ordered(home.zip, name = "zip at home"))]
#[record(ordered(score, name = "scores of the active", when = player::ACTIVE.eq(true)))]
#[record(ordered(team, rate, name = "rates of the active", when = player::ACTIVE.eq(true)))]
struct Player {
    #[record(key)]
    id: u32,
    #[record(unique)]
    email: Option<String>,
    #[record(index)]
    team: String,
    #[record(column)]
    role: Option<char>,
    #[record(column)]
    badge: Option<u8>,
    #[record(column)]
    club: Option<String>,
    #[record(ordered)]
    score: i64,
    #[record(ordered, column)]
    rate: f64,
    #[record(ordered)]
    nick: Option<String>,
    #[record(index)]
    tags: Vec<String>,
    #[record(field)]
    active: bool,
    #[record(nested)]
    home: Option<Place>,
    #[record(nested)]
    visits: Vec<Place>,
}

#[derive(Clone, Debug, Nested)]
struct Place {
    #[record(index)]
    city: String,
    #[record(field)]
    zip: Option<u16>,
}

fn player(id: u32) -> Player {
    let (email, team, role, badge, club) =
        (Some(format!("{id}@example.org")), format!("team-{}", id % 3), None, None, None);
    let (score, rate, nick, tags) = (i64::from(id) * 10 - 50, f64::from(id) / 4.0, None, Vec::new());
    let (active, home, visits) = (id.is_multiple_of(2), None, Vec::new());
    Player { id, email, team, role, badge, club, score, rate, nick, tags, active, home, visits }
}

/// The same players without an index: every query scans the records.
#[derive(Clone, Debug)]
struct Scanned(Player);

impl Record for Scanned {
    type Key = u32;

    fn schema() -> Schema {
        let fields = Player::schema().fields().to_vec();
        Schema::new(fields.into_iter().map(|field| {
            let mut plain = FieldDef::new(field.name().to_owned(), field.kind());
            if field.is_key() {
                plain = plain.key();
            }
            if field.is_nullable() {
                plain = plain.optional();
            }
            if field.is_many() { plain.many() } else { plain }
        }))
    }

    fn key(&self, key: &mut memdex::typing::KeyBuffer) {
        self.0.key(key);
    }

    fn value(&self, field: usize) -> memdex::typing::ValueRef<'_> {
        self.0.value(field)
    }

    fn values<'a>(&'a self, field: usize, show: &mut dyn FnMut(memdex::typing::ValueRef<'a>)) {
        self.0.values(field, show);
    }
}

fn keys<R: Record>(of: &Collection<R>, predicate: &Predicate) -> Vec<String> {
    let mut keys: Vec<String> = of.find(predicate.clone()).keys().unwrap().iter().map(|key| key.to_string()).collect();
    assert_eq!(of.find(predicate.clone()).count().unwrap(), keys.len(), "{predicate:?}");
    keys.sort();
    keys
}

fn any_place() -> BoxedStrategy<Place> {
    let city = prop::sample::select(vec!["Bern", "Basel", ""]);
    (city, prop::option::of(0..3_u16)).prop_map(|(city, zip)| Place { city: city.into(), zip }).boxed()
}

fn any_player() -> BoxedStrategy<Player> {
    let texts = || prop::sample::select(vec!["a", "a\0", "b", "a text that is too long to be kept inline by anything"]);
    let simple = (
        0..12_u32,
        prop::option::of(0..9_u8),
        0..3_u8,
        prop::option::of(prop::sample::select(vec!['x', 'y'])),
        prop::option::of(0..6_u8),
        -2..3_i64,
        prop::sample::select(vec![-0.0, 0.0, 1.5, f64::NEG_INFINITY, -7.25]),
    );
    let others = (
        prop::option::of(texts()),
        prop::option::of(texts()),
        prop::collection::vec(texts(), 0..4),
        any::<bool>(),
        prop::option::of(any_place()),
        prop::collection::vec(any_place(), 0..3),
    );
    let make = |((id, email, team, role, badge, score, rate), (nick, club, tags, active, home, visits))| Player {
        id,
        email: Option::<u8>::map(email, |n| format!("{n}@example.org")),
        team: format!("team-{team}"),
        role,
        badge,
        club: Option::<&str>::map(club, str::to_owned),
        score,
        rate,
        nick: Option::<&str>::map(nick, str::to_owned),
        tags: Vec::<&str>::into_iter(tags).map(str::to_owned).collect(),
        active,
        home,
        visits,
    };
    (simple, others).prop_map(make).boxed()
}

fn any_predicate() -> BoxedStrategy<Predicate> {
    let texts = || prop::sample::select(vec!["a", "a\0", "b", "zz", ""]);
    let cities = || prop::sample::select(vec!["Bern", "Basel", "", "Chur"]);
    let team = || (0..4_u8).prop_map(|n| format!("team-{n}"));
    let leaf = prop_oneof![
        team().prop_map(|team| field("team").eq(team)),
        team().prop_map(|team| field("team").ne(team)),
        prop::sample::select(vec!['x', 'y', 'z']).prop_map(|role| field("role").eq(role)),
        Just(field("role").is_null()),
        (0..7_u8).prop_map(|badge| field("badge").eq(badge)),
        (0..9_u8).prop_map(|n| field("email").eq(format!("{n}@example.org"))),
        Just(field("email").is_null()),
        (-3..4_i64, -3..4_i64).prop_map(|(from, to)| field("score").between(from, to)),
        (-3..4_i64).prop_map(|score| field("score").lt(score)),
        (-3..4_i64).prop_map(|score| field("score").ge(score)),
        (-3..4_i64).prop_map(|score| field("score").ne(score)),
        prop::collection::vec(-3..4_i64, 0..3).prop_map(|scores| field("score").is_in(scores)),
        Just(field("score").gt(i128::MIN)),
        Just(field("score").lt(u64::MAX)),
        Just(field("score").gt(u128::MAX)),
        prop::sample::select(vec![0.0, 1.5, -8.0]).prop_map(|rate| field("rate").le(rate)),
        prop::sample::select(vec![0.0, 1.5, -8.0]).prop_map(|rate| field("rate").gt(rate)),
        texts().prop_map(|nick| field("nick").eq(nick)),
        (texts(), texts()).prop_map(|(from, to)| field("nick").between(from, to)),
        texts().prop_map(|nick| field("nick").gt(nick)),
        texts().prop_map(|nick| field("nick").lt(nick)),
        Just(field("nick").is_null()),
        texts().prop_map(|nick| field("nick").starts_with(nick)),
        texts().prop_map(|nick| field("nick").like(format!("{nick}%a_"))),
        texts().prop_map(|club| field("club").starts_with(club)),
        texts().prop_map(|club| field("club").contains_str_ignore_case(club.to_uppercase())),
        texts().prop_map(|team| field("team").ends_with(team)),
        texts().prop_map(|club| field("club").eq(club)),
        texts().prop_map(|club| field("club").ne(club)),
        texts().prop_map(|club| field("club").ge(club)),
        Just(field("club").is_null()),
        (0..7_u8, 0..7_u8).prop_map(|(from, to)| field("badge").between(from, to)),
        prop::collection::vec(0..7_u8, 0..4).prop_map(|badges| field("badge").is_in(badges)),
        (0..7_u8).prop_map(|badge| field("badge").ne(badge)),
        Just(field("badge").is_null()),
        texts().prop_map(|tag| field("tags").contains(tag)),
        prop::collection::vec(texts(), 0..3).prop_map(|tags| field("tags").any(tags)),
        prop::collection::vec(texts(), 0..3).prop_map(|tags| field("tags").all(tags)),
        Just(field("tags").is_null()),
        any::<bool>().prop_map(|active| field("active").eq(active)),
        cities().prop_map(|city| field("home.city").eq(city)),
        Just(field("home.zip").is_null()),
        (0..4_u16).prop_map(|zip| field("home.zip").ge(zip)),
        cities().prop_map(|city| field("visits.city").contains(city)),
        prop::collection::vec(0..4_u16, 1..3).prop_map(|zips| field("visits.zip").all(zips)),
    ];
    leaf.prop_recursive(3, 8, 4, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 1..4).prop_map(Predicate::all_of),
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Predicate::any_of),
            1 => inner.prop_map(|part| !part),
        ]
    })
    .boxed()
}

/// The condition of a unique index on a state.
fn is_unique(players: &std::collections::BTreeMap<u32, Player>) -> bool {
    let mut emails: Vec<_> = players.values().filter_map(|player| player.email.clone()).collect();
    let mut badges: Vec<_> = players.values().filter_map(|player| Some((player.team.clone(), player.badge?))).collect();
    let (all_emails, all_badges) = (emails.len(), badges.len());
    emails.sort();
    emails.dedup();
    badges.sort();
    badges.dedup();
    (emails.len(), badges.len()) == (all_emails, all_badges)
}

/// Limits shrinking, because each step is slow.
fn few_shrinks(config: ProptestConfig) -> ProptestConfig {
    ProptestConfig { max_shrink_iters: config.max_shrink_iters.min(2_000), ..config }
}

proptest! {
    #![proptest_config(few_shrinks(default_cases()))]

    /// After any writes, and with any indexes added and dropped, the indexed collection returns the same results as
    /// one without indexes.
    #[test]
    fn indexes_return_the_same_as_scans(
        batches in prop::collection::vec(
            prop::collection::vec(prop_oneof![4 => any_player().prop_map(Ok), 1 => (0..12_u32).prop_map(Err)], 1..8),
            1..8,
        ),
        predicates in prop::collection::vec(any_predicate(), 6),
        changes in prop::collection::vec(0..8_usize, 8),
    ) {
        let store = Store::new();
        let indexed = store.collection::<Player>("indexed").unwrap();
        let scanned = store.collection::<Scanned>("scanned").unwrap();
        let mut model = std::collections::BTreeMap::new();
        let early = store.snapshot();
        let mut held = Vec::new();
        for (batch, change) in batches.iter().zip(changes) {
            let mut next = model.clone();
            for operation in batch {
                match operation {
                    Ok(player) => drop(next.insert(player.id, player.clone())),
                    Err(id) => drop(next.remove(id)),
                }
            }
            let committed = store.commit(|to| batch.iter().try_for_each(|operation| match operation {
                Ok(player) => {
                    to.store(&indexed, player.clone())?;
                    to.store(&scanned, Scanned(player.clone()))
                }
                Err(id) => {
                    to.delete(&indexed, *id)?;
                    to.delete(&scanned, *id)
                }
            }));
            prop_assert_eq!(committed.is_ok(), is_unique(&next), "{:?}", committed);
            match committed {
                Ok(_) => model = next,
                Err(refused) => prop_assert!(matches!(refused.cause(), Cause::NotUnique { .. }), "{}", refused),
            }
            store.verify().unwrap();
            held.push(store.snapshot());
            match change {
                0 => drop(indexed.add_index(IndexDef::ordered(["nick", "rate"]))),
                1 => drop(indexed.add_index(IndexDef::equality("active"))),
                2 => drop(indexed.add_index(IndexDef::equality("tags").named("more tags").when(field("role").eq('x')))),
                3 => drop(indexed.drop_index("team")),
                4 => drop(indexed.drop_index("team+score")),
                5 => drop(indexed.drop_index("nick+rate")),
                6 => store.optimize().unwrap(),
                _ => drop(indexed.drop_index("nick")),
            }
            store.verify().unwrap();
            for predicate in &predicates {
                prop_assert_eq!(keys(&indexed, predicate), keys(&scanned, predicate), "{:?}", predicate);
                for snapshot in held.iter().chain([&early]) {
                    let of_indexed = snapshot.of(&indexed).find(predicate.clone()).count().unwrap();
                    let of_scanned = snapshot.of(&scanned).find(predicate.clone()).count().unwrap();
                    prop_assert_eq!(of_indexed, of_scanned, "{:?} at {}", predicate, snapshot.commit());
                }
            }
            for player in model.values() {
                if let Some(email) = &player.email {
                    let found = indexed.get_by(player::EMAIL, email).unwrap();
                    prop_assert_eq!(found.map(|found| found.id), Some(player.id));
                }
            }
        }
    }
}

#[test]
fn uniqueness_is_checked_on_the_net_result() {
    let store = Store::new();
    let players = store.collection::<Player>("Player").unwrap();
    players.store(player(1)).unwrap();
    players.store(player(2)).unwrap();
    let swapped = |id: u32, email: u32| Player { email: Some(format!("{email}@example.org")), ..player(id) };

    let refused = players.store(swapped(3, 1)).unwrap_err();
    let reported = refused.to_string();
    assert!(reported.contains("\"1@example.org\"") && reported.contains("would belong to 3 and to 1"), "{reported}");
    assert!(matches!(refused.cause(), Cause::NotUnique { index, .. } if index == "email"));
    assert_eq!((players.len(), store.newest_commit().get()), (2, 2));

    store
        .commit(|batch| {
            batch.store(&players, swapped(1, 2))?;
            batch.store(&players, swapped(2, 1))
        })
        .unwrap();
    assert_eq!(players.get_by(player::EMAIL, "1@example.org").unwrap().unwrap().id, 2);

    // Two records of one batch.
    let twice = store.commit(|batch| {
        batch.store(&players, swapped(7, 7))?;
        batch.store(&players, swapped(8, 7))
    });
    assert!(twice.unwrap_err().to_string().contains("would belong to 8 and to 7"));
    // Released in the same batch.
    store
        .commit(|batch| {
            batch.store(&players, swapped(9, 1))?;
            batch.delete(&players, 2)
        })
        .unwrap();
    // Many records may share `None`.
    for id in 20..23 {
        players.store(Player { email: None, ..player(id) }).unwrap();
    }
    assert_eq!(players.find(player::EMAIL.is_null()).count().unwrap(), 3);
    store.verify().unwrap();
}

/// An operation that a lenient commit skips clashes with no other, whether it is skipped for its own fault or for a
/// clash with an earlier one.
#[test]
fn a_lenient_commit_skips_no_more_than_necessary() {
    let store = Store::new();
    let players = store.collection::<Player>("Player").unwrap();
    let with = |id: u32, email: &str, badge: u8| Player {
        email: Some(email.into()),
        badge: Some(badge),
        team: "one".into(),
        ..player(id)
    };
    players.store(with(1, "a", 1)).unwrap();
    let mut batch = store.batch();
    batch.store(&players, with(2, "a", 2)).unwrap(); // out: "a" is taken
    batch.store(&players, with(3, "b", 2)).unwrap(); // so badge 2 is free
    batch.store(&players, Player { rate: f64::NAN, ..with(4, "c", 4) }).unwrap(); // skipped for its own fault
    batch.store(&players, with(5, "c", 5)).unwrap(); // so "c" is free
    batch.store(&players, with(6, "c", 6)).unwrap(); // skipped: 5 has the badge
    batch.insert(&players, with(7, "d", 1)).unwrap(); // skipped: 1 has badge 1
    let report = batch.commit_lenient().unwrap();
    let refused: Vec<_> = report.refused.iter().map(|refused| refused.operation.info.position).collect();
    let there: Vec<u32> = (1..8).filter(|id| players.contains(*id)).collect();
    assert_eq!((refused, there), (vec![0, 2, 4, 5], vec![1, 3, 5]), "{report:?}");
    store.verify().unwrap();
}

#[test]
fn a_dropped_index_refuses_nothing() {
    let store = Store::new();
    let players = store.collection::<Player>("Player").unwrap();
    (1..3).for_each(|id| assert_eq!(players.store(player(id)).unwrap().counts.inserted, 1));
    let again = Player { email: Some("1@example.org".into()), ..player(3) };
    players.store(again.clone()).unwrap_err();
    players.drop_index("email").unwrap();
    players.store(again).unwrap();
    assert_eq!(players.find(player::EMAIL.eq("1@example.org")).count().unwrap(), 2);
    assert!(matches!(players.add_index(IndexDef::unique("email")), Err(IndexError::NotUnique { .. })));
    players.delete(3).unwrap();
    players.add_index(IndexDef::unique("email")).unwrap();
    assert_eq!(players.get_by(player::EMAIL, "2@example.org").unwrap().unwrap().id, 2);
    store.verify().unwrap();
}

/// A refused batch must not leave provisional codes behind after its values are discarded.
#[test]
fn a_column_discards_a_refused_batch_before_upkeep() {
    let store = Store::new();
    let players = store.collection::<Player>("Player").unwrap();
    let of_club = |id: u32, email: u32| {
        let email = Some(format!("{email}@example.org"));
        Player { email, club: Some("a".into()), ..player(id) }
    };
    let refused = store.commit(|batch| {
        batch.store(&players, of_club(1, 1))?;
        batch.store(&players, of_club(2, 1))
    });
    assert!(matches!(refused.unwrap_err().cause(), Cause::NotUnique { .. }));
    store.optimize().unwrap();
    players.store(of_club(1, 1)).unwrap();
    assert_eq!(players.find(player::CLUB.eq("a")).count().unwrap(), 1);
    store.verify().unwrap();
}

#[test]
fn unindexable_values_are_refused_by_name() {
    let store = Store::new();
    let players = store.collection::<Player>("Player").unwrap();
    let cause = |player| match players.store(player) {
        Ok(_) => panic!("it was taken"),
        Err(refused) => refused.into_refusal().to_string(),
    };
    assert!(cause(Player { rate: f64::NAN, ..player(1) }).contains("\"rate\" is not a number"));
    let many = cause(Player { tags: (0..100_000).map(|n| n.to_string()).collect(), ..player(1) });
    assert!(many.contains("\"tags\" holds 100000 values, the limit is 4096"), "{many}");
    let long = cause(Player { nick: Some("x".repeat(65_537)), ..player(1) });
    assert!(long.contains("\"nick\" takes 65537 bytes"), "{long}");
    assert!(players.is_empty() && store.newest_commit() == 0);
    players.store(Player { tags: (0..4_096).map(|n| n.to_string()).collect(), ..player(1) }).unwrap();
    assert_eq!(players.find(player::TAGS.all(["0", "4095"])).count().unwrap(), 1);
    store.verify().unwrap();
}

#[test]
fn an_invalid_index_is_refused_and_changes_nothing() {
    let store = Store::new();
    let players = store.collection::<Player>("Player").unwrap();
    (1..5).for_each(|id| assert_eq!(players.store(player(id)).unwrap().counts.inserted, 1));
    let before = players.indexes();
    let schema = |index| match players.add_index(index) {
        Err(IndexError::Schema { source, .. }) => source,
        other => panic!("{other:?}"),
    };
    assert!(
        matches!(schema(IndexDef::equality("height")), SchemaError::UnknownField { field, .. } if field == "height")
    );
    assert!(matches!(schema(IndexDef::equality("team")), SchemaError::DuplicateIndex { .. }));
    assert!(matches!(schema(IndexDef::unique("tags").named("t")), SchemaError::ManyValues { .. }));
    assert!(matches!(schema(IndexDef::equality(["team", "tags"])), SchemaError::ManyValues { .. }));
    assert!(matches!(schema(IndexDef::equality(["team", "team"])), SchemaError::RepeatedField { .. }));
    assert!(matches!(schema(IndexDef::equality(Vec::<String>::new())), SchemaError::EmptyIndex { .. }));
    let condition = IndexDef::equality("active").when(field("score").eq("many"));
    assert!(
        matches!(schema(condition), SchemaError::Condition { source, .. } if matches!(*source, QueryError::WrongKind { .. }))
    );

    let twice = players.add_index(IndexDef::unique("active"));
    assert!(matches!(twice, Err(IndexError::NotUnique { .. })), "{twice:?}");
    players.drop_index("rate").unwrap();
    players.store(Player { rate: f64::NAN, ..player(9) }).unwrap();
    let nan = players.add_index(IndexDef::ordered("rate")).unwrap_err();
    assert!(nan.to_string().contains("9: field \"rate\" is not a number"), "{nan}");
    assert!(matches!(players.drop_index("rate"), Err(IndexError::Unknown { .. })));
    let after = players.indexes();
    assert_eq!(after.len(), before.len() - 1);
    assert_eq!(players.find(field("tags").eq("x")).count(), players.find(field("tags").contains("x")).count());
    let not_many = players.find(field("team").contains("x")).count();
    assert!(matches!(not_many, Err(QueryError::WrongTest { test: "contains", .. })));
    assert!(matches!(players.get_by(player::TEAM, "x"), Err(QueryError::NoUniqueIndex { .. })));
    let inside = store.commit(|batch| {
        let players = players.clone();
        batch.update(&players.clone(), 1, move |_| players.add_index(IndexDef::equality("role")))
    });
    assert!(inside.unwrap_err().to_string().contains("inside a closure"));
    store.verify().unwrap();
}

/// Writers change everything while indexes are added and dropped; queries stay correct.
#[test]
fn indexes_are_added_and_dropped_under_writers() {
    let store = Store::new();
    let players = store.collection::<Player>("Player").unwrap();
    const PLAYERS: u32 = 4_000;
    let mut writer = store.writer().bulk_size(1_000);
    (0..PLAYERS).for_each(|id| writer.store(&players, player(id)).unwrap());
    writer.flush().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for part in 0..2_u32 {
            let (players, store, done) = (players.clone(), store.clone(), &done);
            scope.spawn(move || {
                let mut n = part;
                while !done.load(SeqCst) {
                    n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let id = n % PLAYERS;
                    store
                        .commit(|batch| {
                            batch.delete(&players, id)?;
                            // The same number of players, some under other keys, half of them active.
                            batch.store(&players, Player { nick: Some(format!("{n}")), ..player(id) })
                        })
                        .unwrap();
                }
            });
        }
        for round in 0..8 {
            players.add_index(IndexDef::equality("active")).unwrap();
            players.add_index(IndexDef::ordered(["active", "rate"])).unwrap();
            players.add_index(IndexDef::unique(["home.zip", "email"])).unwrap();
            let snapshot = store.snapshot();
            let view = snapshot.of(&players);
            assert_eq!(view.find(player::ACTIVE.eq(true)).count().unwrap(), PLAYERS as usize / 2, "round {round}");
            let half: Filter<Player> = player::ACTIVE.eq(false) & player::RATE.lt(f64::from(PLAYERS) / 8.0);
            assert_eq!(view.find(half).count().unwrap(), PLAYERS as usize / 4, "round {round}");
            if round % 4 == 0 {
                store.verify().unwrap();
                store.optimize().unwrap();
            }
            for name in ["active", "active+rate", "home.zip+email"] {
                players.drop_index(name).unwrap();
            }
            assert_eq!(view.find(player::ACTIVE.eq(true)).count().unwrap(), PLAYERS as usize / 2, "round {round}");
        }
        done.store(true, SeqCst);
    });
    store.verify().unwrap();
    let kinds: Vec<IndexKind> = players.indexes().iter().map(IndexDef::kind).collect();
    assert!(kinds.contains(&IndexKind::Unique) && kinds.contains(&IndexKind::Ordered));
}

/// Values that are added and removed under a snapshot that never saw them are not retained for it.
#[test]
fn columns_retain_only_what_a_snapshot_sees() {
    let store = Store::new();
    let players = store.collection::<Player>("Player").unwrap();
    let of_club = |club: String| Player { club: Some(club), ..player(1) };
    players.store(of_club("the first".into())).unwrap();
    let snapshot = store.snapshot();
    let columns = |n: u32| {
        players.store(of_club(format!("club number {n}"))).unwrap();
        store.stats().collections[0].memory.columns
    };
    let early = (0..100).fold(0, |_, n| columns(n));
    let late = (100..5_000).fold(0, |_, n| columns(n));
    assert!(late < early + 2_000, "{early} {late}");
    assert_eq!(snapshot.of(&players).find(player::CLUB.eq("the first")).count().unwrap(), 1);
    drop(snapshot);
    store.verify().unwrap();
    assert_eq!(players.find(player::CLUB.ge("a")).count().unwrap(), 1);
}

/// An index of several fields answers conditions on its first field.
#[test]
fn a_compound_index_answers_for_its_first_field() {
    let store = Store::new();
    let players = store.collection::<Scanned>("Player").unwrap();
    (1..50).for_each(|id| assert_eq!(players.store(Scanned(player(id))).unwrap().counts.inserted, 1));
    players.add_index(IndexDef::ordered(["team", "score"])).unwrap();
    assert_eq!(players.find(field("team").eq("team-1")).count().unwrap(), 17);
    assert_eq!(players.find(field("team").between("team-1", "team-2")).count().unwrap(), 33);
    let filter = field("team").eq("team-1") & field("active").eq(true);
    assert_eq!(players.find(filter).count().unwrap(), 8);
}

/// A value that loses its last row and gains another in the same commit keeps its code.
#[test]
fn a_code_that_gains_a_row_again_is_not_freed() {
    let store = Store::new();
    let players = store.collection::<Player>("Player").unwrap();
    let put = |clubs: [&str; 3]| {
        let player_of = |(at, club): (usize, &str)| Player { club: Some(club.into()), ..player(at as u32 + 1) };
        let all = |batch: &mut memdex::Batch| {
            clubs.into_iter().enumerate().try_for_each(|club| batch.store(&players, player_of(club)))
        };
        store.commit(all).unwrap();
        store.verify().unwrap();
        for club in clubs {
            assert_eq!(players.find(player::CLUB.eq(club)).count().unwrap(), 1, "{club}");
        }
    };
    put(["x", "y", "z"]);
    put(["z", "x", "y"]);
    put(["y", "z", "w"]);
    put(["v", "w", "x"]);
}

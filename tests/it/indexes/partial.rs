//! Incomplete indexes: indexes with conditions, and entries in which a field is missing.

use super::{Player, Scanned, keys, player};
use memdex::query::Predicate;
use memdex::{Filter, IndexDef, Store, field};

/// Queries find the records that a partial index leaves out.
#[test]
fn a_partial_index_answers_only_for_its_records() {
    let store = Store::new();
    let indexed = store.collection::<Player>("indexed").unwrap();
    let scanned = store.collection::<Scanned>("scanned").unwrap();
    for id in 0..30 {
        let player = Player { role: (id % 5 > 0).then_some('x'), ..player(id) };
        indexed.store(player.clone()).unwrap();
        scanned.store(Scanned(player)).unwrap();
    }
    let of_team = || field("team").eq("team-1");
    let of_score = [
        field("score").eq(50),
        field("score").ne(50),
        field("score").ge(50),
        field("score").is_in([30, 40, 50]),
        of_team() & field("rate").lt(5.0),
        of_team() & field("rate").ge(1.0) & field("score").ne(40),
        of_team(),
    ];
    let others = [
        Predicate::All,
        field("active").eq(true),
        field("active").eq(false),
        field("active").ne(true),
        field("role").is_null(),
        field("active").eq(true) & field("role").is_null(),
        field("active").eq(true) | field("role").is_null(),
    ];
    for (one, other) in of_score.iter().flat_map(|one| others.iter().map(move |other| (one, other))) {
        let mut parts = vec![one.clone(), other.clone()];
        for predicate in
            [Predicate::all_of(parts.clone()), Predicate::any_of(parts.clone()), !Predicate::all_of(parts.clone())]
        {
            assert_eq!(keys(&indexed, &predicate), keys(&scanned, &predicate), "{predicate:?}");
        }
        // All conditions in one flat list, the form in which an index of several fields matches them.
        let flat: Vec<Predicate> = parts
            .drain(..)
            .flat_map(|part| match part {
                Predicate::And(parts) => parts.into_iter().collect(),
                part => vec![part],
            })
            .collect();
        let flat = Predicate::all_of(flat);
        assert_eq!(keys(&indexed, &flat), keys(&scanned, &flat), "{flat:?}");
    }
}

/// An empty predicate matches every record, including those that a partial index leaves out.
#[test]
fn a_partial_index_does_not_answer_for_all_records() {
    let store = Store::new();
    let players = store.collection::<Player>("Player").unwrap();
    (1..5).for_each(|id| assert_eq!(players.store(player(id)).unwrap().counts.inserted, 1));
    let active: Filter<Player> = player::ACTIVE.eq(true) & player::TAGS.all(Vec::<String>::new());
    assert_eq!(players.find(active.clone()).count().unwrap(), 2);
    players.add_index(IndexDef::equality("tags").named("tags of the active").when(player::ACTIVE.eq(true))).unwrap();
    assert_eq!(players.find(active).count().unwrap(), 2);
}

/// In an index of several fields a missing value has a position, but lies in no range.
#[test]
fn a_range_after_other_fields_skips_missing_values() {
    let store = Store::new();
    let players = store.collection::<Player>("Player").unwrap();
    players.add_index(IndexDef::ordered(["team", "nick"])).unwrap();
    for (id, nick) in [None, Some(""), Some("a"), Some("b"), None].into_iter().enumerate() {
        let player = Player { team: "one".into(), nick: nick.map(str::to_owned), ..player(id as u32) };
        players.store(player).unwrap();
    }
    let of_one = |nick: Filter<Player>| players.find(player::TEAM.eq("one") & nick).count().unwrap();
    assert_eq!(of_one(player::NICK.lt("b")), 2);
    assert_eq!(of_one(player::NICK.le("b")), 3);
    assert_eq!(of_one(player::NICK.ge("")), 3);
    assert_eq!(of_one(player::NICK.gt("a")), 1);
    assert_eq!(of_one(player::NICK.is_null()), 2);
}

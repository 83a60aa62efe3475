//! Random commands under random bounds, compared with a map. The map loses what a commit reports as evicted, and each eviction is
//! judged by the rules.

use super::{Item, POLICIES, item, items, log, seconds, taken};
use memdex::error::Cause;
use memdex::hook::ChangeKind;
use memdex::write::{Bound, EvictionPolicy};
use memdex::{Batch, Collection, Filter, Snapshot, Store, field};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
struct Brought {
    id: u32,
    name: u32,
    weight: u32,
    pinned: bool,
    lifetime: Option<u64>,
}

#[derive(Clone, Debug)]
enum Command {
    Store(Brought),
    Insert(Brought),
    Grow(u32, u32),
    Pin(u32, bool),
    Delete(u32),
    Rekey(u32, u32),
    GrowWhere(bool),
    DeleteWhere(i64),
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    limit: u32,
    by_weight: bool,
    protects: bool,
    policy: EvictionPolicy,
}

#[derive(Clone, Debug)]
enum Step {
    One(Command),
    Batch(Vec<Command>),
    Lenient(Vec<Command>),
    Read(u32),
    Page(i64),
    Advance(u64),
    ExpireNow,
    Bound(Limits),
    Unbind,
    Snapshot,
    Optimize,
}

fn brought() -> impl Strategy<Value = Brought> {
    let lifetime = proptest::option::weighted(0.4, 1..8_u64);
    (0..16_u32, 0..24_u32, 0..6_u32, proptest::bool::weighted(0.15), lifetime)
        .prop_map(|(id, name, weight, pinned, lifetime)| Brought { id, name, weight, pinned, lifetime })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        8 => brought().prop_map(Command::Store),
        4 => brought().prop_map(Command::Insert),
        2 => (0..16_u32, 0..8_u32).prop_map(|(id, weight)| Command::Grow(id, weight)),
        1 => (0..16_u32, any::<bool>()).prop_map(|(id, pinned)| Command::Pin(id, pinned)),
        2 => (0..16_u32).prop_map(Command::Delete),
        1 => (0..16_u32, 0..16_u32).prop_map(|(old, new)| Command::Rekey(old, new)),
        1 => any::<bool>().prop_map(Command::GrowWhere),
        1 => (0..16_i64).prop_map(Command::DeleteWhere),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    (0..14_u32, any::<bool>(), any::<bool>(), select(&POLICIES[..]))
        .prop_map(|(limit, by_weight, protects, policy)| Limits { limit, by_weight, protects, policy })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => command().prop_map(Step::One),
        5 => vec(command(), 2..9).prop_map(Step::Batch),
        3 => vec(command(), 2..9).prop_map(Step::Lenient),
        6 => (0..16_u32).prop_map(Step::Read),
        2 => (0..16_i64).prop_map(Step::Page),
        3 => (0..4_u64).prop_map(Step::Advance),
        1 => Just(Step::ExpireNow),
        2 => limits().prop_map(Step::Bound),
        1 => Just(Step::Unbind),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Optimize),
    ]
}

/// A record of the model: with its deadline, and the commit that inserted it.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    record: Item,
    deadline: Option<i64>,
    inserted: u64,
}

type Map = BTreeMap<u32, Kept>;

fn add(batch: &mut Batch, items: &Collection<Item>, command: &Command) {
    let record =
        |of: &Brought| Item { name: format!("n{}", of.name), weight: of.weight, pinned: of.pinned, ..item(of.id) };
    match command {
        Command::Store(of) => match of.lifetime {
            Some(lifetime) => batch.with_lifetime(seconds(lifetime)).store(items, record(of)),
            None => batch.store(items, record(of)),
        },
        Command::Insert(of) => match of.lifetime {
            Some(lifetime) => batch.with_lifetime(seconds(lifetime)).insert(items, record(of)),
            None => batch.insert(items, record(of)),
        },
        Command::Grow(id, weight) => {
            let weight = *weight;
            batch.update(items, *id, move |of| of.weight = weight)
        }
        Command::Pin(id, pinned) => {
            let pinned = *pinned;
            batch.update(items, *id, move |of| of.pinned = pinned)
        }
        Command::Delete(id) => batch.delete(items, *id),
        Command::Rekey(old, new) => {
            let new = *new;
            batch.rekey(items, *old, new, move |of| of.id = new)
        }
        Command::GrowWhere(pinned) => {
            batch.update_where(items, super::item::PINNED.eq(*pinned), |of| of.weight = (of.weight + 1) % 8)
        }
        Command::DeleteWhere(rank) => batch.delete_where(items, super::item::RANK.eq(*rank)),
    }
    .unwrap();
}

struct Model {
    map: Map,
    /// In microseconds.
    now: i64,
    limits: Option<Limits>,
    commits: u64,
}

impl Model {
    fn weight(&self, of: &Item) -> u64 {
        if self.limits.is_some_and(|limits| limits.by_weight) { u64::from(of.weight.max(1)) } else { 1 }
    }

    fn is_protected(&self, of: &Item) -> bool {
        of.pinned && self.limits.is_some_and(|limits| limits.protects)
    }

    fn alive(&self) -> Map {
        let is_alive = |of: &Kept| of.deadline.is_none_or(|at| at > self.now);
        self.map.iter().filter(|(_, of)| is_alive(of)).map(|(id, of)| (*id, of.clone())).collect()
    }

    /// Applies a command without regard to unique names and to the bound. Returns whether it is refused.
    fn apply(&mut self, command: &Command) -> bool {
        let inserted = self.commits + 1;
        match command {
            Command::Insert(of) if self.map.contains_key(&of.id) => return true,
            Command::Store(of) | Command::Insert(of) => {
                let record =
                    Item { name: format!("n{}", of.name), weight: of.weight, pinned: of.pinned, ..item(of.id) };
                let deadline = of.lifetime.map(|lifetime| self.now + lifetime as i64 * 1_000_000);
                let inserted = self.map.get(&of.id).map_or(inserted, |before| before.inserted);
                self.map.insert(of.id, Kept { record, deadline, inserted });
            }
            Command::Grow(id, weight) => match self.map.get_mut(id) {
                Some(of) => of.record.weight = *weight,
                None => return true,
            },
            Command::Pin(id, pinned) => match self.map.get_mut(id) {
                Some(of) => of.record.pinned = *pinned,
                None => return true,
            },
            Command::Delete(id) => drop(self.map.remove(id)),
            Command::Rekey(old, new) => {
                if old != new && self.map.contains_key(new) {
                    return true;
                }
                let Some(mut of) = self.map.remove(old) else { return true };
                if old != new {
                    of.inserted = inserted;
                }
                of.record.id = *new;
                self.map.insert(*new, of);
            }
            Command::GrowWhere(pinned) => {
                let grow = |of: &mut Kept| of.record.weight = (of.record.weight + 1) % 8;
                self.map.values_mut().filter(|of| of.record.pinned == *pinned).for_each(grow);
            }
            Command::DeleteWhere(rank) => self.map.retain(|_, of| of.record.rank != *rank),
        }
        false
    }

    /// A record that is there before and after a batch has been updated, also if the batch has deleted it meanwhile.
    /// One that is no longer protected joins the others as the newest.
    fn keep_places(&mut self, before: &Map) {
        let protects = self.limits.is_some_and(|limits| limits.protects);
        for (id, of) in &mut self.map {
            let joins = |before: &Kept| protects && before.record.pinned && !of.record.pinned;
            of.inserted = match before.get(id) {
                Some(before) if !joins(before) => before.inserted,
                _ => self.commits + 1,
            };
        }
    }

    fn is_unique(&self) -> bool {
        let names: BTreeSet<&str> = self.map.values().map(|of| &*of.record.name).collect();
        names.len() == self.map.len()
    }

    /// The keys that a batch changes, before to after.
    fn changed(before: &Map, after: &Map, commands: &[Command]) -> BTreeSet<u32> {
        let mut changed: BTreeSet<u32> = before.keys().chain(after.keys()).copied().collect();
        changed.retain(|id| before.get(id) != after.get(id));
        // Writes of an equal record are changes too.
        for command in commands {
            match command {
                Command::Store(Brought { id, .. }) | Command::Insert(Brought { id, .. }) => drop(changed.insert(*id)),
                Command::Grow(id, _) | Command::Pin(id, _) => drop(changed.insert(*id)),
                Command::Rekey(old, new) => changed.extend([*old, *new]),
                _ => {}
            }
        }
        changed
    }

    /// Whether the records that a batch has written fit. `is_all` says that no record that it changes is unknown.
    fn fits(&self, changed: &BTreeSet<u32>) -> Result<(), bool> {
        let Some(limits) = self.limits else { return Ok(()) };
        let limit = u64::from(limits.limit);
        let written = self.map.iter().filter(|(id, _)| changed.contains(id));
        if written.clone().any(|(_, of)| self.weight(&of.record) > limit) {
            return Err(true);
        }
        let written: u64 = written.map(|(_, of)| self.weight(&of.record)).sum();
        let others = self.map.iter().filter(|(id, of)| !changed.contains(id) && self.is_protected(&of.record));
        let protected: u64 = others.map(|(_, of)| self.weight(&of.record)).sum();
        if written + protected > limit { Err(false) } else { Ok(()) }
    }

    /// Takes what a commit has evicted out of the map, if the rules allow it.
    fn lose(&mut self, store: &Store, changes: &[(u32, ChangeKind)], changed: &BTreeSet<u32>) {
        let evicted: Vec<u32> =
            changes.iter().filter(|(_, kind)| *kind == ChangeKind::Evicted).map(|(id, _)| *id).collect();
        let stats = &store.stats().collections[0];
        let Some(limits) = self.limits else { return assert!(evicted.is_empty()) };
        let bound = stats.bound.unwrap();
        assert!(bound.weight <= bound.limit && bound.limit == u64::from(limits.limit), "{bound:?}");
        if evicted.is_empty() {
            return;
        }
        // Only what was necessary, and only once nothing that has expired is left.
        let victims: Vec<Kept> = evicted.iter().map(|id| self.map.remove(id).expect("it was there")).collect();
        assert!(victims.iter().any(|of| bound.weight + self.weight(&of.record) > bound.limit), "too many: {evicted:?}");
        let overdue =
            self.map.iter().filter(|(id, of)| !changed.contains(id) && of.deadline.is_some_and(|at| at <= self.now));
        assert!(overdue.count() == 0 && stats.expired == 0, "what has expired leaves first");
        for (id, victim) in evicted.iter().zip(&victims) {
            assert!(!changed.contains(id) && !self.is_protected(&victim.record), "{id} stays");
            for (other, kept) in
                self.map.iter().filter(|(id, of)| !changed.contains(id) && !self.is_protected(&of.record))
            {
                let is_first = match limits.policy {
                    EvictionPolicy::OldestFirst => victim.inserted <= kept.inserted,
                    EvictionPolicy::SoonestToExpire => {
                        victim.deadline.unwrap_or(i64::MAX) <= kept.deadline.unwrap_or(i64::MAX)
                    }
                    _ => true,
                };
                assert!(is_first, "{id} has left and {other} has not: {victim:?}, {kept:?}");
            }
        }
    }
}

/// Commits commands as a whole, as the model does.
fn commit(store: &Store, items: &Collection<Item>, model: &mut Model, commands: &[Command], log: &super::Log) {
    let mut batch = store.batch();
    commands.iter().for_each(|command| add(&mut batch, items, command));
    model.map = model.alive();
    let before = model.map.clone();
    let failed = commands.iter().any(|command| model.apply(command)) || !model.is_unique();
    model.keep_places(&before);
    let changed = Model::changed(&before, &model.map, commands);
    let by_filter = commands.iter().any(|of| matches!(of, Command::GrowWhere(_) | Command::DeleteWhere(_)));
    match (batch.commit(), failed, model.fits(&changed)) {
        (Ok(receipt), false, fits) => {
            assert!(fits.is_ok() || by_filter, "{commands:?}");
            let changes = taken(log);
            let evicted = changes.iter().filter(|(_, kind)| *kind == ChangeKind::Evicted).count();
            assert_eq!(receipt.counts.evicted, evicted);
            model.lose(store, &changes, &changed);
            model.commits += 1;
        }
        (Err(refused), failed, fits) => {
            assert!(failed || fits.is_err(), "{refused} for {commands:?}");
            if !failed && commands.len() == 1 {
                let heavy = matches!(refused.cause(), Cause::TooHeavy { .. });
                assert!(heavy == fits.unwrap_err() && (heavy || matches!(refused.cause(), Cause::BeyondBound { .. })));
            }
            model.map = before;
        }
        (Ok(_), true, _) => panic!("{commands:?} is not refused"),
    }
}

fn lenient(store: &Store, items: &Collection<Item>, model: &mut Model, commands: &[Command], log: &super::Log) {
    let mut batch = store.batch();
    commands.iter().for_each(|command| add(&mut batch, items, command));
    let Ok(report) = batch.commit_lenient().inspect_err(|refused| {
        assert!(matches!(refused.cause(), Cause::BeyondBound { .. }), "{refused}");
    }) else {
        return;
    };
    model.map = model.alive();
    let before = model.map.clone();
    let refused: Vec<usize> = report.refused.iter().map(|of| of.operation.info.position).collect();
    let kept: Vec<Command> =
        commands.iter().enumerate().filter(|(at, _)| !refused.contains(at)).map(|(_, of)| of.clone()).collect();
    for command in &kept {
        assert!(!model.apply(command), "{command:?} of {commands:?} was kept");
    }
    assert!(model.is_unique());
    model.keep_places(&before);
    let changed = Model::changed(&before, &model.map, &kept);
    model.lose(store, &taken(log), &changed);
    model.commits += 1;
}

fn check(items: impl Fn(&str) -> Vec<Item>, expected: &Map) {
    let records: Vec<Item> = expected.values().map(|of| of.record.clone()).collect();
    for way in ["iter", "index", "order", "keys"] {
        let mut found = items(way);
        found.sort_by_key(|of| of.id);
        assert_eq!(found, records, "by {way}");
    }
}

fn check_snapshot(snapshot: &Snapshot, items: &Collection<Item>, expected: &Map) {
    let view = snapshot.of(items);
    assert_eq!(view.len(), expected.len());
    let read = |way: &str| match way {
        "iter" => view.iter().map(|of| of.cloned()).collect(),
        "index" => {
            let all = view.find(field("pinned").eq(true) | field("pinned").eq(false)).fetch().unwrap();
            all.iter().map(|of| of.cloned()).collect()
        }
        "order" => {
            let all = view.find(Filter::all()).order_by(field("rank").desc()).fetch().unwrap();
            all.iter().map(|of| of.cloned()).collect()
        }
        _ => (0..16).filter_map(|id| view.get(id)).map(|of| of.cloned()).collect::<Vec<Item>>(),
    };
    check(read, expected);
}

proptest! {
    #![proptest_config(crate::cases::default_cases())]

    #[test]
    fn random_commands_under_random_bounds(steps in vec(step(), 1..60)) {
        let (store, items, clock) = items();
        let log = log(&store);
        let mut model = Model { map: Map::new(), now: 1_000_000_000, limits: None, commits: 0 };
        let mut held: Vec<(Snapshot, Map)> = Vec::new();
        for step in &steps {
            match step {
                Step::One(command) => commit(&store, &items, &mut model, std::slice::from_ref(command), &log),
                Step::Batch(commands) => commit(&store, &items, &mut model, commands, &log),
                Step::Lenient(commands) => lenient(&store, &items, &mut model, commands, &log),
                Step::Read(id) => {
                    prop_assert_eq!(items.get(*id).map(|of| of.cloned()), model.alive().get(id).map(|of| of.record.clone()));
                }
                Step::Page(rank) => {
                    let page = items.find(super::item::RANK.ge(*rank)).order_by(super::item::RANK.asc()).limit(3).fetch().unwrap();
                    let expected: Vec<u32> = model.alive().keys().copied().filter(|id| i64::from(*id) >= *rank).take(3).collect();
                    prop_assert!(page.iter().map(|of| of.id).eq(expected) || model.map.values().any(|of| of.record.rank != i64::from(of.record.id)));
                }
                Step::Advance(of) => {
                    clock.advance(seconds(*of));
                    model.now += *of as i64 * 1_000_000;
                }
                Step::ExpireNow => drop(store.expire_now().unwrap()),
                Step::Bound(limits) => {
                    let bound = match limits.by_weight {
                        true => Bound::weight(limits.limit.into()),
                        false => Bound::records(limits.limit as usize),
                    };
                    let bound = bound.policy(limits.policy);
                    let bound = if limits.protects { bound.protect(super::item::PINNED.eq(true)) } else { bound };
                    let before = model.limits;
                    match items.set_bound(bound) {
                        Ok(removed) => {
                            // Records that were there count from their last write.
                            let changes = taken(&log);
                            prop_assert_eq!(removed, changes.len());
                            model.limits = Some(*limits);
                            model.map = model.alive();
                            for (id, of) in &mut model.map {
                                of.inserted = items.peek(*id).map_or(0, |of| of.commit().get());
                            }
                            let order_is_known = limits.policy != EvictionPolicy::OldestFirst;
                            let evicted: Vec<_> = changes.into_iter().filter(|(_, kind)| *kind == ChangeKind::Evicted).collect();
                            if order_is_known {
                                model.lose(&store, &evicted, &BTreeSet::new());
                            } else {
                                evicted.iter().for_each(|(id, _)| drop(model.map.remove(id)));
                            }
                        }
                        Err(refused) => {
                            let zero = matches!(refused.cause(), Cause::ZeroBound);
                            prop_assert!(zero == (limits.limit == 0));
                            let too_many = matches!(refused.cause(), Cause::BeyondBound { written: 0, .. });
                            prop_assert!(zero || too_many, "{}", refused);
                            model.limits = before;
                        }
                    }
                }
                Step::Unbind => {
                    items.remove_bound().unwrap();
                    model.limits = None;
                }
                Step::Snapshot => held.push((store.snapshot(), model.alive())),
                Step::Optimize => store.optimize().unwrap(),
            }
            taken(&log);
            // The model counts commits as the store does, to know which record is the older one.
            model.commits = store.stats().commits;
            let alive = model.alive();
            check_snapshot(&store.snapshot(), &items, &alive);
            store.verify().unwrap();
        }
        for (snapshot, expected) in &held {
            check_snapshot(snapshot, &items, expected);
        }
        drop(held);
        store.optimize().unwrap();
        store.verify().unwrap();
    }
}

//! Random commands and reads under a clock that jumps, compared with a map in which each record has a deadline.

use super::{Session, seconds, session};
use crate::every_plan::by_every_plan;
use memdex::clock::ManualClock;
use memdex::error::Cause;
use memdex::query::Predicate;
use memdex::schema::AggregateDef;
use memdex::write::{DefaultLifetime, Lifetime};
use memdex::{Collection, Filter, GroupBy, IndexDef, Metric, Snapshot, Store, Timestamp, View, field};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;

/// The records with their deadlines.
type Map = BTreeMap<u32, (Session, Option<i64>)>;

#[derive(Clone, Debug)]
enum Command {
    Store(u32, u32, Option<Given>),
    Insert(u32, u32, Option<Given>),
    Upsert(u32, u32, Option<Given>),
    Update(u32, Option<Given>),
    SetLifetime(u32, Given),
    Extend(u32, Given),
    Delete(u32),
    Take(u32),
    Rekey(u32, u32),
    UpdateWhere(&'static str),
    DeleteWhere(&'static str),
}

#[derive(Clone, Copy, Debug)]
enum Given {
    For(u64),
    Until(i64),
    Forever,
}

#[derive(Clone, Debug)]
enum Step {
    One(Command),
    Batch(Vec<Command>),
    Lenient(Vec<Command>),
    Advance(i64),
    ExpireNow,
    Default(DefaultLifetime),
    Read(u32),
    Snapshot,
    AddIndex,
    DropIndex,
}

const USERS: [&str; 3] = ["ada", "bob", "eve"];

fn given() -> impl Strategy<Value = Given> {
    prop_oneof![
        6 => (0..8_u64).prop_map(Given::For),
        1 => (-5..30_i64).prop_map(Given::Until),
        1 => Just(Given::Forever),
        1 => Just(Given::For(1 << 50)),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let id = || 0..12_u32;
    let lasting = || proptest::option::weighted(0.7, given());
    prop_oneof![
        6 => (id(), id(), lasting()).prop_map(|(id, token, given)| Command::Store(id, token, given)),
        3 => (id(), id(), lasting()).prop_map(|(id, token, given)| Command::Insert(id, token, given)),
        2 => (id(), id(), lasting()).prop_map(|(id, token, given)| Command::Upsert(id, token, given)),
        3 => (id(), proptest::option::of(given())).prop_map(|(id, given)| Command::Update(id, given)),
        2 => (id(), given()).prop_map(|(id, given)| Command::SetLifetime(id, given)),
        2 => (id(), given()).prop_map(|(id, given)| Command::Extend(id, given)),
        2 => id().prop_map(Command::Delete),
        1 => id().prop_map(Command::Take),
        2 => (id(), id()).prop_map(|(old, new)| Command::Rekey(old, new)),
        1 => select(&USERS[..]).prop_map(Command::UpdateWhere),
        1 => select(&USERS[..]).prop_map(Command::DeleteWhere),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let lifetime = prop_oneof![
        Just(DefaultLifetime::Forever),
        (1..6_u64).prop_map(|of| DefaultLifetime::Fixed(seconds(of))),
        (1..6_u64).prop_map(|of| DefaultLifetime::Sliding(seconds(of))),
    ];
    prop_oneof![
        8 => command().prop_map(Step::One),
        3 => vec(command(), 2..7).prop_map(Step::Batch),
        2 => vec(command(), 2..7).prop_map(Step::Lenient),
        6 => prop_oneof![8 => 0..3_i64, 1 => -9..0_i64, 1 => Just(30_000_000)].prop_map(Step::Advance),
        2 => Just(Step::ExpireNow),
        1 => lifetime.prop_map(Step::Default),
        5 => (0..12_u32).prop_map(Step::Read),
        1 => Just(Step::Snapshot),
        1 => Just(Step::AddIndex),
        1 => Just(Step::DropIndex),
    ]
}

/// The model.
struct Model {
    map: Map,
    now: i64,
    default: DefaultLifetime,
}

enum Refused {
    Missing,
    Exists,
    NotUnique,
    Expired,
}

impl Model {
    fn alive(map: &Map, now: i64) -> Map {
        map.iter()
            .filter(|(_, (_, deadline))| deadline.is_none_or(|at| at > now))
            .map(|(id, of)| (*id, of.clone()))
            .collect()
    }

    fn purge(&mut self) {
        self.map = Model::alive(&self.map, self.now);
    }

    fn deadline(&self, given: Given) -> Option<i64> {
        let at = match given {
            Given::For(of) => self.now.saturating_add(i64::try_from(of).unwrap().saturating_mul(1_000_000)),
            Given::Until(at) => at * 1_000_000,
            Given::Forever => return None,
        };
        (at < i64::MAX >> 1).then_some(at)
    }

    fn sliding(&self) -> Option<i64> {
        if let DefaultLifetime::Sliding(of) = self.default { Some(of.as_micros() as i64) } else { None }
    }

    fn of_default(&self) -> Option<i64> {
        match self.default {
            DefaultLifetime::Fixed(of) | DefaultLifetime::Sliding(of) => Some(self.now + of.as_micros() as i64),
            _ => None,
        }
    }

    fn check(&self, given: Option<Given>) -> Result<(), Refused> {
        let past = given.and_then(|given| self.deadline(given)).is_some_and(|at| at <= self.now);
        if past { Err(Refused::Expired) } else { Ok(()) }
    }

    fn updated(&self, deadline: Option<i64>, given: Option<Given>) -> Option<i64> {
        match given {
            Some(given) => self.deadline(given),
            None => deadline.map(|at| self.sliding().map_or(at, |of| at.max(self.now + of))),
        }
    }

    /// Applies a command, which may leave the map with a value twice.
    fn apply(&mut self, command: &Command) -> Result<(), Refused> {
        match command {
            Command::Store(id, token, given) => {
                self.check(*given)?;
                let deadline = given.map_or(self.of_default(), |given| self.deadline(given));
                self.map.insert(*id, (new(*id, *token), deadline));
            }
            Command::Insert(id, token, given) => {
                self.check(*given)?;
                if self.map.contains_key(id) {
                    return Err(Refused::Exists);
                }
                let deadline = given.map_or(self.of_default(), |given| self.deadline(given));
                self.map.insert(*id, (new(*id, *token), deadline));
            }
            Command::Upsert(id, token, given) => {
                self.check(*given)?;
                let made = match self.map.get(id) {
                    Some((of, deadline)) => {
                        (Session { hits: of.hits + 1, ..of.clone() }, self.updated(*deadline, *given))
                    }
                    None => (new(*id, *token), given.map_or(self.of_default(), |given| self.deadline(given))),
                };
                self.map.insert(*id, made);
            }
            Command::Update(id, given) => {
                self.check(*given)?;
                let (of, deadline) = self.map.get(id).ok_or(Refused::Missing)?;
                let made = (Session { hits: of.hits + 1, ..of.clone() }, self.updated(*deadline, *given));
                self.map.insert(*id, made);
            }
            Command::SetLifetime(id, given) => {
                self.check(Some(*given))?;
                let deadline = self.deadline(*given);
                self.map.get_mut(id).ok_or(Refused::Missing)?.1 = deadline;
            }
            Command::Extend(id, given) => {
                self.check(Some(*given))?;
                let deadline = self.deadline(*given);
                let own = &mut self.map.get_mut(id).ok_or(Refused::Missing)?.1;
                *own = own.and_then(|own| deadline.map(|at| at.max(own)));
            }
            Command::Delete(id) | Command::Take(id) => drop(self.map.remove(id)),
            Command::Rekey(old, new) => {
                let (of, deadline) = self.map.get(old).ok_or(Refused::Missing)?.clone();
                if old != new && self.map.contains_key(new) {
                    return Err(Refused::Exists);
                }
                self.map.remove(old);
                let deadline = self.updated(deadline, None);
                self.map.insert(*new, (Session { id: *new, hits: of.hits + 1, ..of }, deadline));
            }
            Command::UpdateWhere(user) => {
                let ids: Vec<u32> =
                    self.map.iter().filter(|(_, (of, _))| of.user == *user).map(|(id, _)| *id).collect();
                for id in ids {
                    self.apply(&Command::Update(id, None))?;
                }
            }
            Command::DeleteWhere(user) => self.map.retain(|_, (of, _)| of.user != *user),
        }
        Ok(())
    }

    fn is_unique(&self) -> bool {
        let tokens: std::collections::BTreeSet<&str> = self.map.values().map(|(of, _)| &*of.token).collect();
        tokens.len() == self.map.len()
    }
}

fn new(id: u32, token: u32) -> Session {
    Session { token: format!("t{token}"), ..session(id, USERS[(id % 3) as usize]) }
}

fn lifetime(given: Given) -> Lifetime {
    match given {
        Given::For(of) => Lifetime::For(seconds(of)),
        Given::Until(at) => Lifetime::Until(Timestamp::from_secs(at)),
        Given::Forever => Lifetime::Forever,
    }
}

fn add(batch: &mut memdex::Batch, sessions: &Collection<Session>, command: &Command) {
    let hit = |of: &mut Session| of.hits += 1;
    match *command {
        Command::Store(id, token, None) => batch.store(sessions, new(id, token)),
        Command::Store(id, token, Some(given)) => batch.with_lifetime(lifetime(given)).store(sessions, new(id, token)),
        Command::Insert(id, token, None) => batch.insert(sessions, new(id, token)),
        Command::Insert(id, token, Some(given)) => {
            batch.with_lifetime(lifetime(given)).insert(sessions, new(id, token))
        }
        Command::Upsert(id, token, None) => batch.upsert(sessions, new(id, token), hit),
        Command::Upsert(id, token, Some(given)) => {
            batch.with_lifetime(lifetime(given)).upsert(sessions, new(id, token), hit)
        }
        Command::Update(id, None) => batch.update(sessions, id, hit),
        Command::Update(id, Some(given)) => batch.with_lifetime(lifetime(given)).update(sessions, id, hit),
        Command::SetLifetime(id, given) => batch.set_lifetime(sessions, id, lifetime(given)),
        Command::Extend(id, given) => batch.extend_lifetime(sessions, id, lifetime(given)),
        Command::Delete(id) | Command::Take(id) => batch.delete(sessions, id),
        Command::Rekey(old, new) => batch.rekey(sessions, old, new, move |of| {
            of.id = new;
            of.hits += 1;
        }),
        Command::UpdateWhere(user) => batch.update_where(sessions, session::USER.eq(user), hit),
        Command::DeleteWhere(user) => batch.delete_where(sessions, session::USER.eq(user)),
    }
    .unwrap();
}

fn same_cause(refused: &Refused, cause: &Cause) -> bool {
    match refused {
        Refused::Missing => matches!(cause, Cause::KeyMissing),
        Refused::Exists => matches!(cause, Cause::KeyExists),
        Refused::NotUnique => matches!(cause, Cause::NotUnique { .. }),
        Refused::Expired => matches!(cause, Cause::Expired { .. }),
    }
}

/// Commits commands as a whole, as the model does.
fn commit(store: &Store, sessions: &Collection<Session>, model: &mut Model, commands: &[Command]) {
    model.purge();
    let mut batch = store.batch();
    commands.iter().for_each(|command| add(&mut batch, sessions, command));
    let before = model.map.clone();
    let failed = commands.iter().find_map(|command| model.apply(command).err());
    let failed = failed.or_else(|| (!model.is_unique()).then_some(Refused::NotUnique));
    match (batch.commit(), failed) {
        (Ok(_), None) => {}
        (Err(refused), Some(failed)) => {
            // Two faults at once: either may be the first.
            assert!(commands.len() > 1 || same_cause(&failed, refused.cause()), "{refused} for {commands:?}");
            model.map = before;
        }
        (result, failed) => panic!("{result:?}, but the model has {} for {commands:?}", failed.is_some()),
    }
}

/// One by one, each with what is left of those before it; the outcome for unique values is the store's own matter, so the model only
/// takes what was not refused.
fn lenient(store: &Store, sessions: &Collection<Session>, model: &mut Model, commands: &[Command]) {
    model.purge();
    let mut batch = store.batch();
    commands.iter().for_each(|command| add(&mut batch, sessions, command));
    let report = batch.commit_lenient().unwrap();
    let refused: Vec<usize> = report.refused.iter().map(|of| of.operation.info.position).collect();
    for (at, command) in commands.iter().enumerate() {
        if !refused.contains(&at) {
            assert!(model.apply(command).is_ok(), "{command:?} of {commands:?} was kept");
        }
    }
    assert!(model.is_unique(), "{commands:?}");
}

fn check(view: &View<Session>, expected: &Map) {
    let records: Vec<Session> = expected.values().map(|(of, _)| of.clone()).collect();
    assert_eq!((view.len(), view.is_empty()), (records.len(), records.is_empty()));
    let mut all: Vec<Session> = view.iter().map(|of| of.cloned()).collect();
    all.sort_by_key(|of| of.id);
    assert_eq!(all, records);
    for id in 0..12 {
        assert_eq!(view.get(id).map(|of| of.cloned()), expected.get(&id).map(|(of, _)| of.clone()));
        let deadline = view.get(id).and_then(|of| of.expires_at()).map(|at| at.as_micros());
        assert!(deadline >= expected.get(&id).and_then(|(_, deadline)| *deadline), "it may have been moved since");
        let token = format!("t{id}");
        let by = records.iter().find(|of| of.token == token).map(|of| of.id);
        assert_eq!(view.get_by(session::TOKEN, token.as_str()).unwrap().map(|of| of.id), by);
    }
    type Holds = fn(&Session) -> bool;
    let filters: [(Predicate, Holds); 5] = [
        (field("user").eq("ada"), |of| of.user == "ada"),
        (field("hits").between(2, 6), |of| (2..=6).contains(&of.hits)),
        (!field("user").eq("ada"), |of| of.user != "ada"),
        (field("token").is_in(["t1", "t4"]) | field("user").eq("bob"), |of| {
            of.token == "t1" || of.token == "t4" || of.user == "bob"
        }),
        (Predicate::All, |_| true),
    ];
    for (filter, holds) in filters {
        let mut matches: Vec<&Session> = records.iter().filter(|of| holds(of)).collect();
        matches.sort_by_key(|of| (of.hits, of.id));
        let find = view.find(filter.clone());
        by_every_plan(&find, 6, |find| assert_eq!(find.count(), Ok(matches.len()), "{filter:?}"));
        let page = view.find(filter.clone()).order_by(field("hits").asc()).limit(3);
        by_every_plan(&page, 8, |page| {
            let found: Vec<u32> = page.fetch().unwrap().iter().map(|of| of.id).collect();
            assert_eq!(found, matches.iter().take(3).map(|of| of.id).collect::<Vec<_>>(), "{filter:?}");
        });
        let sums = view.find(filter.clone()).statistics([field("hits").sum(), Metric::count(), field("hits").max()]);
        let sums = sums.unwrap();
        assert_eq!(sums.int("count"), Some(matches.len() as i64));
        let sum = matches.iter().map(|of| of.hits).reduce(|a, b| a + b);
        assert_eq!(sums.int("sum(hits)"), sum);
        assert_eq!(sums.int("max(hits)"), matches.iter().map(|of| of.hits).max());
    }
    let groups = GroupBy::values("user").metrics([Metric::count(), field("hits").sum()]);
    let groups = view.find(Filter::all()).statistics(groups).unwrap();
    let known = view.aggregate("by_user").unwrap();
    for user in USERS {
        let count = records.iter().filter(|of| of.user == user).count() as i64;
        let of = |result: Option<i64>| result.unwrap_or(0);
        assert_eq!(of(groups.group(user).and_then(|group| group.int("count"))), count);
        assert_eq!(of(known.group(user).and_then(|group| group.int("count"))), count);
    }
}

proptest! {
    #![proptest_config(crate::cases::default_cases())]

    #[test]
    fn random_lifetimes_are_those_of_a_map(steps in vec(step(), 1..60)) {
        let clock = ManualClock::starting_at(Timestamp::from_secs(10));
        let store = Store::builder().clock(clock.clone()).build();
        let sessions = store.collection::<Session>("Session").unwrap();
        let by_user = GroupBy::values("user").metrics([Metric::count(), field("hits").sum()]);
        sessions.add_aggregate(AggregateDef::new("by_user", by_user)).unwrap();
        let mut model = Model { map: Map::new(), now: 10_000_000, default: DefaultLifetime::Forever };
        let mut held: Vec<(Snapshot, Map)> = Vec::new();
        for step in &steps {
            match step {
                Step::One(Command::Take(id)) => {
                    model.purge();
                    let taken = sessions.take(*id).unwrap().map(|of| of.cloned());
                    prop_assert_eq!(taken, model.map.remove(id).map(|(of, _)| of));
                }
                Step::One(command) => commit(&store, &sessions, &mut model, std::slice::from_ref(command)),
                Step::Batch(commands) => commit(&store, &sessions, &mut model, commands),
                Step::Lenient(commands) => lenient(&store, &sessions, &mut model, commands),
                Step::Advance(by) => {
                    clock.set(Timestamp::from_micros(clock_time(&clock) + by * 1_000_000));
                    // The store's time never runs backwards.
                    model.now = model.now.max(clock_time(&clock));
                    store.snapshot();
                }
                Step::ExpireNow => {
                    store.expire_now().unwrap();
                    model.purge();
                    prop_assert_eq!(store.stats().collections[0].records, model.map.len());
                }
                Step::Default(lifetime) => {
                    sessions.set_default_lifetime(lifetime.clone()).unwrap();
                    model.default = lifetime.clone();
                }
                Step::Read(id) => {
                    model.purge();
                    let (now, sliding) = (model.now, model.sliding());
                    let expected = model.map.get_mut(id).map(|(of, deadline)| {
                        *deadline = deadline.map(|at| sliding.map_or(at, |of| at.max(now + of)));
                        of.clone()
                    });
                    prop_assert_eq!(sessions.get(*id).map(|of| of.cloned()), expected);
                    let deadline = sessions.peek(*id).and_then(|of| of.expires_at()).map(|at| at.as_micros());
                    prop_assert_eq!(deadline, model.map.get(id).and_then(|(_, deadline)| *deadline));
                }
                Step::Snapshot => {
                    let alive = Model::alive(&model.map, model.now);
                    held.push((store.snapshot(), alive));
                }
                Step::AddIndex => drop(sessions.add_index(IndexDef::ordered(["user", "hits"]).named("more"))),
                Step::DropIndex => drop(sessions.drop_index("more")),
            }
            let now = Model::alive(&model.map, model.now);
            check(&store.snapshot().of(&sessions), &now);
            prop_assert_eq!(sessions.len(), now.len());
            for (id, (_, deadline)) in &now {
                let own = sessions.peek(*id).unwrap().expires_at().map(|at| at.as_micros());
                prop_assert_eq!(own, *deadline, "of {} after {:?}", id, step);
            }
        }
        for (snapshot, expected) in &held {
            check(&snapshot.of(&sessions), expected);
        }
        store.verify().unwrap();
        drop(held);
        store.expire_now().unwrap();
        store.optimize().unwrap();
        store.verify().unwrap();
    }
}

fn clock_time(clock: &ManualClock) -> i64 {
    memdex::clock::Clock::now(clock).as_micros()
}

//! Sessions: records whose lifetimes end, some of which reads extend, under a clock that the history moves.

use super::branches::{Lasting, rolled_back};
use super::ledger::{self, Loan, Owner, schema_of_notes};
use super::machine::Race;
use super::reference::World;
use memdex::clock::ManualClock;
use memdex::error::Cause;
use memdex::typing::saved::Archive;
use memdex::write::{DefaultLifetime, Lifetime};
use memdex::{Collection, Commit, Metric, Record, Snapshot, Store, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
pub(super) struct Session {
    #[record(key)]
    id: u32,
    #[record(index)]
    user: String,
    #[record(ordered, column)]
    hits: i64,
}

const IDS: u32 = 8;
const USERS: [&str; 3] = ["ada", "bob", "eve"];
const SECOND: i64 = 1_000_000;

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Committed together.
    Write(Vec<Command>),
    /// Moves the clock by seconds.
    Advance(i64),
    ExpireNow,
    Default(DefaultLifetime),
    /// Reads a session, which may extend its lifetime.
    Read(u32),
    /// Saves the sessions to memory and loads them into another store.
    SaveAndLoad,
}

#[derive(Clone, Debug)]
pub(super) enum Command {
    Store(u32, &'static str, Option<Given>),
    Insert(u32, &'static str, Option<Given>),
    Update(u32, Option<Given>),
    SetLifetime(u32, Given),
    Extend(u32, Given),
    Delete(u32),
    DeleteWhere(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Given {
    /// Seconds, at least one.
    For(u64),
    Forever,
}

impl Command {
    fn key(&self) -> Option<u32> {
        match *self {
            Command::Store(id, ..) | Command::Insert(id, ..) | Command::Update(id, _) => Some(id),
            Command::SetLifetime(id, _) | Command::Extend(id, _) | Command::Delete(id) => Some(id),
            Command::DeleteWhere(_) => None,
        }
    }
}

impl Step {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Step::Write(_) => "batch with lifetimes",
            Step::Advance(_) => "move of the clock",
            Step::ExpireNow => "removal of expired records",
            Step::Default(_) => "change of default lifetimes",
            Step::Read(_) => "read that may extend a lifetime",
            Step::SaveAndLoad => "save and load",
        }
    }
}

pub(super) fn any_step() -> BoxedStrategy<Step> {
    let given = || prop_oneof![6 => (1..8_u64).prop_map(Given::For), 1 => Just(Given::Forever)];
    let (id, user) = (|| 0..IDS, || select(&USERS[..]));
    let lasting = move || proptest::option::weighted(0.7, given());
    let command = prop_oneof![
        6 => (id(), user(), lasting()).prop_map(|(id, user, given)| Command::Store(id, user, given)),
        3 => (id(), user(), lasting()).prop_map(|(id, user, given)| Command::Insert(id, user, given)),
        3 => (id(), lasting()).prop_map(|(id, given)| Command::Update(id, given)),
        2 => (id(), given()).prop_map(|(id, given)| Command::SetLifetime(id, given)),
        2 => (id(), given()).prop_map(|(id, given)| Command::Extend(id, given)),
        2 => id().prop_map(Command::Delete),
        1 => user().prop_map(Command::DeleteWhere),
    ];
    let default = prop_oneof![
        Just(DefaultLifetime::Forever),
        (1..6_u64).prop_map(|of| DefaultLifetime::Fixed(Duration::from_secs(of))),
        (1..6_u64).prop_map(|of| DefaultLifetime::Sliding(Duration::from_secs(of))),
    ];
    prop_oneof![
        8 => vec(command, 1..5).prop_map(Step::Write),
        4 => prop_oneof![8 => 0..3_i64, 1 => -9..0_i64, 1 => Just(30_000_000)].prop_map(Step::Advance),
        1 => Just(Step::ExpireNow),
        1 => default.prop_map(Step::Default),
        4 => id().prop_map(Step::Read),
        1 => Just(Step::SaveAndLoad),
    ]
    .boxed()
}

// ---- the model ----------------------------------------------------------------------------------------------------------

type Entry = Lasting<Session>;

/// All sessions that the store may still hold, some of them expired.
pub(super) type Entries = BTreeMap<u32, Entry>;

#[derive(Clone, Debug)]
pub(super) struct Sessions {
    entries: Entries,
    /// The time of the store: never earlier than before.
    now: i64,
    /// The time of the clock, which may go back.
    clock: i64,
    default: DefaultLifetime,
    /// The refusal of the last step.
    refused: Option<(usize, &'static str)>,
    /// The sessions that the last step removes.
    removed: usize,
}

impl Sessions {
    pub(super) fn new() -> Self {
        let (now, default) = (10 * SECOND, DefaultLifetime::Forever);
        Sessions { entries: Entries::new(), now, clock: now, default, refused: None, removed: 0 }
    }

    /// A fork has those that are alive.
    pub(super) fn fork(&mut self) {
        self.entries = self.alive();
    }

    /// The time of the store.
    pub(super) fn now(&self) -> i64 {
        self.now
    }

    /// The sessions of a checkpoint again; `None` if nothing changes.
    pub(super) fn rolled_back(&self, to: &Sessions, at: Commit, commit: Commit) -> Option<Sessions> {
        let entries = rolled_back(&self.entries, &to.alive(), (self.now, to.now), at, commit)?;
        Some(Sessions { entries, ..self.clone() })
    }

    /// A clock at the time of the model.
    pub(super) fn to_clock(&self) -> ManualClock {
        ManualClock::starting_at(Timestamp::from_micros(self.clock))
    }

    pub(super) fn alive(&self) -> Entries {
        self.alive_at(self.now)
    }

    fn alive_at(&self, now: i64) -> Entries {
        let is_alive = |(_, (_, deadline, _)): &(&u32, &Entry)| deadline.is_none_or(|at| at > now);
        self.entries.iter().filter(is_alive).map(|(id, entry)| (*id, entry.clone())).collect()
    }

    /// Between how many records the store has, the expired ones that it has not removed included.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.alive().len(), self.entries.len())
    }

    fn sliding(&self) -> Option<i64> {
        if let DefaultLifetime::Sliding(of) = self.default { Some(of.as_micros() as i64) } else { None }
    }

    fn given(&self, given: Option<Given>) -> Option<i64> {
        match (given, &self.default) {
            (Some(Given::For(of)), _) => Some(self.now + of as i64 * SECOND),
            (None, DefaultLifetime::Fixed(of) | DefaultLifetime::Sliding(of)) => Some(self.now + of.as_micros() as i64),
            _ => None,
        }
    }

    fn slid(&self, deadline: Option<i64>) -> Option<i64> {
        deadline.map(|at| self.sliding().map_or(at, |of| at.max(self.now + of)))
    }

    fn apply(&mut self, command: &Command, commit: Commit) -> Result<(), &'static str> {
        let get = |of: &Sessions, id: &u32| of.entries.get(id).cloned().ok_or("KeyMissing");
        match command {
            Command::Insert(id, ..) if self.entries.contains_key(id) => return Err("KeyExists"),
            Command::Store(id, user, given) | Command::Insert(id, user, given) => {
                let deadline = self.given(*given);
                self.entries.insert(*id, (new(*id, user), deadline, commit));
            }
            Command::Update(id, given) => {
                let (session, deadline, _) = get(self, id)?;
                let deadline = if given.is_some() { self.given(*given) } else { self.slid(deadline) };
                self.entries.insert(*id, (Session { hits: session.hits + 1, ..session }, deadline, commit));
            }
            Command::SetLifetime(id, given) => {
                let (session, _, _) = get(self, id)?;
                self.entries.insert(*id, (session, self.given(Some(*given)), commit));
            }
            Command::Extend(id, given) => {
                let (session, own, _) = get(self, id)?;
                let deadline = own.and_then(|own| self.given(Some(*given)).map(|at| at.max(own)));
                self.entries.insert(*id, (session, deadline, commit));
            }
            Command::Delete(id) => drop(self.entries.remove(id)),
            Command::DeleteWhere(user) => self.entries.retain(|_, (session, _, _)| session.user != *user),
        }
        Ok(())
    }
}

fn new(id: u32, user: &str) -> Session {
    Session { id, user: user.to_owned(), hits: i64::from(id) }
}

impl World {
    pub(super) fn sessions_step(&mut self, step: &Step) {
        let commit = self.newest().next();
        let of = &mut self.others.sessions;
        (of.refused, of.removed) = (None, 0);
        match step {
            Step::Write(commands) => {
                let before = of.entries.clone();
                of.entries = of.alive();
                let mut results = commands.iter().map(|command| of.apply(command, commit)).enumerate();
                let refused = results.find_map(|(at, done)| Some((at, done.err()?)));
                of.refused = refused;
                if refused.is_some() {
                    of.entries = before;
                    return self.refuse(1);
                }
                // The store still has the expired ones whose keys are not written.
                for (id, entry) in before {
                    let has_expired = entry.1.is_some_and(|at| at <= of.now);
                    if has_expired && commands.iter().all(|command| command.key() != Some(id)) {
                        of.entries.insert(id, entry);
                    }
                }
                self.repeat_newest();
            }
            Step::Advance(seconds) => {
                of.clock += seconds * SECOND;
                of.now = of.now.max(of.clock);
            }
            Step::ExpireNow => self.expire_sessions(),
            Step::Default(default) => of.default = default.clone(),
            Step::Read(id) => {
                let mut alive = of.alive();
                if let Some((session, deadline, commit)) = alive.remove(id) {
                    let deadline = of.slid(deadline);
                    of.entries.insert(*id, (session, deadline, commit));
                }
            }
            Step::SaveAndLoad => {}
        }
    }

    /// Removes the expired ones, by a commit if there are any.
    pub(super) fn expire_sessions(&mut self) {
        let alive = self.others.sessions.alive();
        self.others.sessions.removed = self.others.sessions.entries.len() - alive.len();
        self.others.sessions.entries = alive;
        if self.others.sessions.removed > 0 {
            self.repeat_newest();
        }
    }
}

// ---- the store ----------------------------------------------------------------------------------------------------------

impl Race {
    pub(super) fn sessions_step(&self, world: &World, step: &Step) {
        let (store, sessions) = (&self.store, &self.sessions);
        match step {
            Step::Write(commands) => {
                let mut batch = store.batch();
                commands.iter().for_each(|command| put(&mut batch, sessions, command));
                match (batch.commit(), world.others.sessions.refused) {
                    (Ok(receipt), None) => assert_eq!(receipt.commit, world.newest()),
                    (Err(refused), Some((at, cause))) => {
                        let refusal = refused.refusal();
                        assert_eq!(refusal.position(), Some(at), "{refusal}");
                        let same = match refusal.cause() {
                            Cause::KeyMissing => cause == "KeyMissing",
                            Cause::KeyExists => cause == "KeyExists",
                            _ => false,
                        };
                        assert!(same, "{refusal}, not {cause}");
                    }
                    (done, predicted) => panic!("the model predicts {predicted:?}, the store: {done:?}"),
                }
            }
            Step::Advance(seconds) => {
                let now = memdex::clock::Clock::now(&self.clock).as_micros();
                self.clock.set(Timestamp::from_micros(now + seconds * SECOND));
                assert_eq!(store.snapshot().time().as_micros(), world.others.sessions.now);
            }
            Step::ExpireNow => self.expire_sessions(world),
            Step::Default(default) => sessions.set_default_lifetime(default.clone()).unwrap(),
            Step::Read(id) => {
                let expected = world.others.sessions.alive().remove(id).map(|(session, _, _)| session);
                assert_eq!(sessions.get(*id).map(|of| of.cloned()), expected);
            }
            Step::SaveAndLoad => {
                let clock = self.clock.clone();
                let archive = Archive::new().collection::<Session>("sessions").without("payments").without("flights");
                let archive = archive.without("books").without("items");
                let archive = archive
                    .collection::<Owner>("owners")
                    .collection::<Loan>("loans")
                    .documents("notes", schema_of_notes());
                let archive = archive.builder(move || Store::builder().clock(clock.clone()));
                let mut file = Vec::new();
                archive.save_to(&store.snapshot(), &mut file).unwrap();
                let loaded = archive.load_from(&file[..]).unwrap();
                check(&loaded.collection("sessions").unwrap(), &world.others.sessions.alive());
                ledger::Books::open(&loaded).check_at(&loaded.snapshot(), &world.others.ledger, true);
                loaded.verify().unwrap();
            }
        }
    }

    pub(super) fn expire_sessions(&self, world: &World) {
        assert_eq!(self.store.expire_now().unwrap(), world.others.sessions.removed);
    }

    /// Checks the sessions now. Extends no lifetime.
    pub(super) fn check_sessions(&self, world: &World) {
        check(&self.sessions, &world.others.sessions.alive());
    }
}

fn check(sessions: &Collection<Session>, expected: &Entries) {
    assert_eq!((sessions.len(), sessions.is_empty()), (expected.len(), expected.is_empty()));
    for id in 0..IDS {
        let found = sessions.peek(id).map(|of| (of.cloned(), of.expires_at().map(|at| at.as_micros())));
        let expected = expected.get(&id).map(|(session, deadline, _)| (session.clone(), *deadline));
        assert_eq!(found, expected, "session {id}");
    }
    for user in USERS {
        let of_user: Vec<&Session> = expected.values().map(|of| &of.0).filter(|of| of.user == user).collect();
        let find = sessions.find(session::USER.eq(user));
        assert_eq!(find.count(), Ok(of_user.len()), "{user}");
        let sum = find.statistics([session::HITS.sum(), Metric::count()]).unwrap();
        assert_eq!(sum.int("sum(hits)"), of_user.iter().map(|of| of.hits).reduce(|a, b| a + b), "{user}");
    }
    let mut ordered: Vec<(i64, u32)> = expected.values().map(|of| (of.0.hits, of.0.id)).collect();
    ordered.sort_unstable();
    let page = sessions.find(session::HITS.ge(0)).order_by(session::HITS.asc()).fetch().unwrap();
    assert!(page.iter().map(|of| (of.hits, of.id)).eq(ordered), "in order of hits");
}

/// Checks the sessions of a snapshot, all of which were alive at its time.
pub(super) fn check_at(snapshot: &Snapshot, sessions: &Collection<Session>, expected: &Entries) {
    let view = snapshot.of(sessions);
    assert_eq!(view.len(), expected.len());
    for id in 0..IDS {
        let expected = expected.get(&id).map(|(session, _, _)| session.clone());
        assert_eq!(view.get(id).map(|of| of.cloned()), expected, "session {id} at {:?}", snapshot.commit());
    }
}

fn put(batch: &mut memdex::Batch, sessions: &Collection<Session>, command: &Command) {
    let lifetime = |given| match given {
        Given::For(seconds) => Lifetime::For(Duration::from_secs(seconds)),
        Given::Forever => Lifetime::Forever,
    };
    let hit = |of: &mut Session| of.hits += 1;
    match *command {
        Command::Store(id, user, None) => batch.store(sessions, new(id, user)),
        Command::Store(id, user, Some(given)) => batch.with_lifetime(lifetime(given)).store(sessions, new(id, user)),
        Command::Insert(id, user, None) => batch.insert(sessions, new(id, user)),
        Command::Insert(id, user, Some(given)) => batch.with_lifetime(lifetime(given)).insert(sessions, new(id, user)),
        Command::Update(id, None) => batch.update(sessions, id, hit),
        Command::Update(id, Some(given)) => batch.with_lifetime(lifetime(given)).update(sessions, id, hit),
        Command::SetLifetime(id, given) => batch.set_lifetime(sessions, id, lifetime(given)),
        Command::Extend(id, given) => batch.extend_lifetime(sessions, id, lifetime(given)),
        Command::Delete(id) => batch.delete(sessions, id),
        Command::DeleteWhere(user) => batch.delete_where(sessions, session::USER.eq(user)),
    }
    .unwrap();
}

//! The oracle of the cache: whatever is asked through it, at any commit and time, equals a query without it. Random questions of every
//! form, random commits, a clock that jumps, snapshots, prepared queries, answers that may be old, and a cache that is too small.

use super::{Task, task};
use memdex::aggregate::{AggregationResult, Statistics};
use memdex::clock::ManualClock;
use memdex::query::cache::{Answer, CacheSettings, CachedCollection, CachedFind, Prepared};
use memdex::query::{Cursor, Find, Predicate};
use memdex::{Bucket, Collection, GroupBy, Handle, IndexDef, Metric, Page, Snapshot, Store, Timestamp, field};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use std::time::Duration;

const USERS: [&str; 4] = ["ada", "bob", "eve", "kim"];

#[derive(Clone, Debug)]
enum Step {
    Store(u32, usize, i64, Option<u64>),
    StoreMany(Vec<(u32, usize, i64)>),
    Update(u32, i64),
    UpdateWhere(usize, i64),
    Delete(u32),
    DeleteWhere(usize),
    Rekey(u32, u32),
    Lifetime(u32, u64),
    Advance(u64),
    ExpireNow,
    AddIndex,
    DropIndex,
    Snapshot,
    DropSnapshot,
    Clear,
    Clean,
    Invalidate,
    Prepare(usize),
    Ask(usize),
    AskSnapshot(usize),
    AskWithin(usize),
}

#[derive(Clone, Debug)]
enum Form {
    Set,
    /// With a limit of 0 all records.
    Page {
        ascending: bool,
        limit: usize,
        offset: usize,
        total: bool,
    },
    Behind {
        ascending: bool,
        limit: usize,
    },
    Before {
        limit: usize,
    },
    Around {
        id: u32,
    },
    Count,
    Statistics(Statistics),
}

#[derive(Clone, Debug)]
struct Question {
    filter: Predicate,
    form: Form,
    named: bool,
}

fn filter() -> impl Strategy<Value = Predicate> {
    let user = || select(&USERS[..]);
    prop_oneof![
        4 => user().prop_map(|user| field("user").eq(user)),
        1 => (user(), user()).prop_map(|(a, b)| field("user").is_in([a, b])),
        2 => (0..40_i64, 0..20_i64).prop_map(|(from, by)| field("points").between(from, from + by)),
        1 => (user(), 0..40_i64).prop_map(|(user, from)| field("user").eq(user) & field("points").ge(from)),
        1 => (user(), 0..40_i64).prop_map(|(user, from)| field("user").eq(user) | field("points").eq(from)),
        1 => user().prop_map(|user| !field("user").eq(user)),
        1 => Just(Predicate::All),
        1 => user().prop_map(|user| field("user").starts_with(&user[..1])),
        1 => (0..5_i64).prop_map(|tag| field("tags").contains(tag)),
        1 => (0..12_u32).prop_map(|id| field("id").eq(id)),
        1 => Just(field("points").eq(1) & field("points").eq(2)),
    ]
}

fn statistics() -> impl Strategy<Value = Statistics> {
    let points = || field("points");
    select(vec![
        Statistics::of([Metric::count()]),
        Statistics::of([points().sum(), points().avg(), points().min(), points().max()]),
        Statistics::of([points().distinct(), points().stddev()]),
        Statistics::of([points().percentile(50.0)]),
        Statistics::of([points().sum().filter(field("user").eq("ada"))]),
        GroupBy::values("user").metrics([Metric::count(), points().sum()]).into(),
        GroupBy::values("user").metrics([points().sum()]).top(2, "sum(points)").into(),
        GroupBy::new([Bucket::width("points", 10)]).metrics([Metric::count()]).into(),
        Statistics::of([Metric::count()]).group_by(GroupBy::values("tags").metrics([Metric::count()])),
    ])
}

fn question() -> impl Strategy<Value = Question> {
    let form = prop_oneof![
        3 => Just(Form::Set),
        6 => (any::<bool>(), prop_oneof![5 => 1..5_usize, 1 => Just(0)], 0..3_usize, any::<bool>())
            .prop_map(|(ascending, limit, offset, total)| Form::Page { ascending, limit, offset, total }),
        1 => (any::<bool>(), 1..4_usize).prop_map(|(ascending, limit)| Form::Behind { ascending, limit }),
        1 => (1..4_usize).prop_map(|limit| Form::Before { limit }),
        1 => (0..12_u32).prop_map(|id| Form::Around { id }),
        2 => Just(Form::Count),
        4 => statistics().prop_map(Form::Statistics),
    ];
    (filter(), form, prop::bool::weighted(0.2)).prop_map(|(filter, form, named)| Question { filter, form, named })
}

fn step() -> impl Strategy<Value = Step> {
    let id = || 0..40_u32;
    let which = || 0..8_usize;
    prop_oneof![
        6 => (id(), 0..4_usize, 0..40_i64, prop::option::weighted(0.3, 1..9_u64))
            .prop_map(|(id, user, points, lifetime)| Step::Store(id, user, points, lifetime)),
        2 => vec((id(), 0..4_usize, 0..40_i64), 1..30).prop_map(Step::StoreMany),
        4 => (id(), 0..40_i64).prop_map(|(id, points)| Step::Update(id, points)),
        1 => (0..4_usize, 0..5_i64).prop_map(|(user, by)| Step::UpdateWhere(user, by)),
        3 => id().prop_map(Step::Delete),
        1 => (0..4_usize).prop_map(Step::DeleteWhere),
        1 => (id(), id()).prop_map(|(old, new)| Step::Rekey(old, new)),
        1 => (id(), 1..9_u64).prop_map(|(id, lifetime)| Step::Lifetime(id, lifetime)),
        2 => prop_oneof![4 => 0..4_u64, 1 => Just(2_000), 1 => Just(4_000)].prop_map(Step::Advance),
        1 => Just(Step::ExpireNow),
        1 => Just(Step::AddIndex),
        1 => Just(Step::DropIndex),
        1 => Just(Step::Snapshot),
        1 => Just(Step::DropSnapshot),
        1 => prop_oneof![Just(Step::Clear), Just(Step::Clean), Just(Step::Invalidate)],
        1 => which().prop_map(Step::Prepare),
        24 => which().prop_map(Step::Ask),
        8 => which().prop_map(Step::AskSnapshot),
        3 => which().prop_map(Step::AskWithin),
    ]
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Records { records: Vec<(u32, i64, u64)>, next: Option<Cursor>, prev: Option<Cursor>, total: Option<usize> },
    Count(usize),
    Statistics(memdex::aggregate::MetricValues),
    Refused(String),
}

fn records(page: &Page<Handle<Task>>, ordered: bool) -> Said {
    let mut records: Vec<_> = page.iter().map(|task| (task.id, task.points, task.commit().get())).collect();
    if !ordered {
        records.sort_unstable();
    }
    Said::Records { records, next: page.next.clone(), prev: page.prev.clone(), total: page.total }
}

/// The position behind which a page begins: it belongs to the query, so every reader can make it.
fn cursor(world: &World, question: &Question, ascending: bool) -> Option<Cursor> {
    let page = ordered(world.tasks.find(question.filter.clone()), ascending).limit(2).fetch().ok()?;
    page.next.clone()
}

macro_rules! query {
    ($find:expr, $question:expr, $cursor:expr) => {{
        let find = $find;
        match &$question.form {
            Form::Page { ascending, limit, offset, total } => {
                let find = find.order_by(by_points(*ascending)).offset(*offset);
                let find = if *limit > 0 { find.limit(*limit) } else { find };
                if *total { find.with_total() } else { find }
            }
            Form::Behind { ascending, limit } => {
                let find = find.order_by(by_points(*ascending)).limit(*limit);
                match $cursor.clone() {
                    Some(cursor) => find.after(cursor),
                    None => find,
                }
            }
            Form::Before { limit } => {
                let find = find.order_by(by_points(true)).limit(*limit);
                match $cursor.clone() {
                    Some(cursor) => find.before(cursor),
                    None => find,
                }
            }
            _ => find,
        }
    }};
}

fn by_points(ascending: bool) -> memdex::query::OrderBy {
    if ascending { field("points").asc() } else { field("points").desc() }
}

fn ordered(find: Find<Task>, ascending: bool) -> Find<Task> {
    find.order_by(by_points(ascending))
}

fn said<T>(result: Result<T, memdex::error::QueryError>, said: impl FnOnce(T) -> Said) -> Said {
    result.map_or_else(|error| Said::Refused(error.to_string()), said)
}

/// The answer without the cache.
fn fresh(find: Find<Task>, question: &Question, cursor: &Option<Cursor>) -> Said {
    let find = query!(find, question, cursor);
    match &question.form {
        Form::Count => said(find.count(), Said::Count),
        Form::Statistics(of) => said(find.statistics(of.clone()), |result| Said::Statistics(result.values)),
        Form::Around { id } => said(ordered(find, true).around(*id).size(3).fetch(), |page| records(&page, true)),
        form => said(find.fetch(), |page| records(&page, !matches!(form, Form::Set))),
    }
}

fn cached(find: CachedFind<Task>, question: &Question, cursor: &Option<Cursor>) -> (Said, bool) {
    let find = if question.named { find.named("one") } else { find };
    let find = query!(find, question, cursor);
    let mut was_cached = false;
    let said = match &question.form {
        Form::Count => said(find.count(), |answer| {
            was_cached = answer.is_cached();
            Said::Count(*answer)
        }),
        Form::Statistics(of) => said(find.statistics(of.clone()), |answer| {
            was_cached = answer.is_cached();
            Said::Statistics(answer.values.clone())
        }),
        Form::Around { id } => {
            said(find.order_by(by_points(true)).around(*id).size(3).fetch(), |answer| records(&answer, true))
        }
        form => said(find.fetch(), |answer| {
            was_cached = answer.is_cached();
            records(&answer, !matches!(form, Form::Set))
        }),
    };
    (said, was_cached)
}

enum AnyPrepared {
    Records(Prepared<Task, Page<Handle<Task>>>),
    Count(Prepared<Task, usize>),
    Statistics(Prepared<Task, AggregationResult>),
}

struct World {
    store: Store,
    clock: ManualClock,
    tasks: Collection<Task>,
    cached: CachedCollection<Task>,
    snapshots: Vec<Snapshot>,
    prepared: Vec<(Question, Option<Cursor>, AnyPrepared)>,
    /// What has been true of each question, and when.
    history: Vec<Vec<(i64, Said)>>,
    hits: u64,
    checks: u64,
}

const AGE: u64 = 3;

impl World {
    fn new(settings: CacheSettings) -> Self {
        let clock = ManualClock::starting_at(Timestamp::from_secs(1_000));
        let store = Store::builder().clock(clock.clone()).cache(settings).build();
        let tasks = store.collection::<Task>("Task").unwrap();
        let cached = tasks.cached();
        let (snapshots, prepared, history) = (Vec::new(), Vec::new(), vec![Vec::new(); 8]);
        World { store, clock, tasks, cached, snapshots, prepared, history, hits: 0, checks: 0 }
    }

    fn check(&mut self, expected: &Said, (found, was_cached): (Said, bool), what: &dyn std::fmt::Debug) {
        assert_eq!(&found, expected, "{what:?}, cached: {was_cached}");
        self.hits += u64::from(was_cached);
        self.checks += 1;
    }

    fn cursor(&self, question: &Question) -> Option<Cursor> {
        match question.form {
            Form::Behind { ascending, .. } => cursor(self, question, ascending),
            Form::Before { .. } => cursor(self, question, true),
            _ => None,
        }
    }

    fn ask(&mut self, number: usize, question: &Question) {
        let cursor = self.cursor(question);
        let expected = fresh(self.tasks.find(question.filter.clone()), question, &cursor);
        let now = self.store.snapshot().time().as_secs();
        self.history[number].push((now, expected.clone()));
        // Twice: the first may compute what the second finds.
        for _ in 0..2 {
            let found = cached(self.cached.find(question.filter.clone()), question, &cursor);
            self.check(&expected, found, question);
        }
    }

    fn prepare(&mut self, question: &Question) {
        let cursor = self.cursor(question);
        let find = query!(self.cached.find(question.filter.clone()), question, &cursor);
        let prepared = match &question.form {
            Form::Count => find.prepare_count().map(AnyPrepared::Count),
            Form::Statistics(of) => find.prepare_statistics(of.clone()).map(AnyPrepared::Statistics),
            Form::Around { .. } => return,
            _ => find.prepare().map(AnyPrepared::Records),
        };
        self.prepared.truncate(7);
        self.prepared.push((question.clone(), cursor, prepared.unwrap()));
    }

    fn ask_prepared(&mut self) {
        for (question, cursor, prepared) in std::mem::take(&mut self.prepared) {
            let expected = fresh(self.tasks.find(question.filter.clone()), &question, &cursor);
            fn answered<T>(answer: Answer<T>, said: impl FnOnce(&T) -> Said) -> (Said, bool) {
                (said(&answer), answer.is_cached())
            }
            let found = match &prepared {
                AnyPrepared::Count(of) => answered(of.fetch().unwrap(), |count| Said::Count(*count)),
                AnyPrepared::Statistics(of) => {
                    answered(of.fetch().unwrap(), |result| Said::Statistics(result.values.clone()))
                }
                AnyPrepared::Records(of) => {
                    answered(of.fetch().unwrap(), |page| records(page, !matches!(question.form, Form::Set)))
                }
            };
            self.check(&expected, found, &question);
            self.prepared.push((question, cursor, prepared));
        }
    }

    fn run(&mut self, step: &Step, questions: &[Question]) {
        let seconds = Duration::from_secs;
        match step {
            Step::Store(id, user, points, None) => drop(self.tasks.store(new(*id, *user, *points)).unwrap()),
            Step::Store(id, user, points, Some(lifetime)) => {
                self.tasks.with_lifetime(seconds(*lifetime)).store(new(*id, *user, *points)).unwrap();
            }
            Step::StoreMany(many) => {
                let mut batch = self.store.batch();
                many.iter().for_each(|(id, user, points)| {
                    batch.store(&self.tasks, new(*id, *user, *points)).unwrap();
                });
                batch.commit().unwrap();
            }
            Step::Update(id, points) => {
                let points = *points;
                let _ = self.tasks.update(*id, move |task| task.points = points);
            }
            Step::UpdateWhere(user, by) => {
                let by = *by;
                self.tasks.update_where(task::USER.eq(USERS[*user]), move |task| task.points += by).unwrap();
            }
            Step::Delete(id) => drop(self.tasks.delete(*id).unwrap()),
            Step::DeleteWhere(user) => drop(self.tasks.delete_where(task::USER.eq(USERS[*user])).unwrap()),
            Step::Rekey(old, new) => {
                let id = *new;
                let _ = self.tasks.rekey(*old, *new, move |task| task.id = id);
            }
            Step::Lifetime(id, lifetime) => drop(self.tasks.set_lifetime(*id, seconds(*lifetime))),
            Step::Advance(by) => self.clock.advance(seconds(*by)),
            Step::ExpireNow => drop(self.store.expire_now().unwrap()),
            Step::AddIndex => drop(self.tasks.add_index(IndexDef::ordered("points").named("extra"))),
            Step::DropIndex => drop(self.tasks.drop_index("extra")),
            Step::Snapshot => self.snapshots.push(self.store.snapshot()),
            Step::DropSnapshot => drop(self.snapshots.pop()),
            Step::Clear => self.store.cache().clear(),
            Step::Clean => drop(self.store.cache().clean_expired()),
            Step::Invalidate => drop(self.store.cache().invalidate("one")),
            Step::Prepare(number) => self.prepare(&questions[number % questions.len()]),
            Step::Ask(number) => {
                let number = number % questions.len();
                self.ask(number, &questions[number]);
                if number == 0 {
                    self.ask_prepared();
                }
            }
            Step::AskSnapshot(number) => {
                let question = &questions[number % questions.len()];
                let cursor = self.cursor(question);
                for snapshot in self.snapshots.clone() {
                    let view = snapshot.of(&self.tasks);
                    let expected = fresh(view.find(question.filter.clone()), question, &cursor);
                    for _ in 0..2 {
                        let found = cached(view.cached().find(question.filter.clone()), question, &cursor);
                        self.check(&expected, found, question);
                    }
                }
            }
            Step::AskWithin(number) => {
                let number = number % questions.len();
                let question = &questions[number];
                if matches!(question.form, Form::Behind { .. } | Form::Before { .. }) {
                    return;
                }
                let expected = fresh(self.tasks.find(question.filter.clone()), question, &None);
                let now = self.store.snapshot().time().as_secs();
                self.history[number].push((now, expected));
                let about = self.cached.clone().within(seconds(AGE));
                let (found, _) = cached(about.find(question.filter.clone()), question, &None);
                let recent = self.history[number].iter().filter(|(time, _)| time + AGE as i64 > now);
                let is_known = recent.into_iter().any(|(_, said)| *said == found);
                assert!(is_known, "{question:?} has never been {found:?} in the last {AGE} s");
                self.checks += 1;
            }
        }
    }
}

fn new(id: u32, user: usize, points: i64) -> Task {
    Task { id, user: USERS[user].into(), points, tags: vec![points % 5, points % 3] }
}

proptest! {
    #![proptest_config(crate::cases::default_cases())]

    #[test]
    fn cached_answers_are_those_of_fresh_queries(
        questions in vec(question(), 1..8),
        steps in vec(step(), 1..120),
        is_small in prop::bool::weighted(0.2),
    ) {
        let settings = CacheSettings::default();
        let mut world = World::new(if is_small { settings.entries(3) } else { settings });
        for step in &steps {
            world.run(step, &questions);
        }
        world.store.verify().unwrap();
    }
}

/// The random runs do test what they are for.
#[test]
fn most_random_answers_come_from_the_cache() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut hits, mut checks, mut repairs, mut drops) = (0, 0, 0, 0);
    for _ in 0..40 {
        let questions = vec(question(), 4..8).new_tree(&mut runner).unwrap().current();
        let steps = vec(step(), 100..200).new_tree(&mut runner).unwrap().current();
        let mut world = World::new(CacheSettings::default());
        steps.iter().for_each(|step| world.run(step, &questions));
        (hits, checks) = (hits + world.hits, checks + world.checks);
        for class in world.store.stats().cache.classes {
            (repairs, drops) = (repairs + class.repairs, drops + class.drops);
        }
    }
    assert!(hits * 10 > checks * 4 && repairs > drops, "{hits} of {checks}, {repairs} repairs, {drops} drops");
}

//! Pages while commits move records within their order: by walks of an ordered index, by top-k over columns and by
//! sorting, in every way that the planner could choose.

use super::observed::Observed;
use super::{explore, spawn_on};
use memdex::query::{Cursor, Find, OrderBy};
use memdex::{Filter, Record, Snapshot, field};
use shuttle::rand::{Rng, thread_rng};
use std::cmp::Ordering;

#[derive(Clone, Debug, PartialEq, Eq, Record)]
struct Task {
    #[record(key)]
    key: u8,
    #[record(index)]
    open: bool,
    #[record(ordered, column)]
    rank: Option<i64>,
    #[record(column)]
    size: &'static str,
}

const KEYS: u8 = 6;
const SIZES: [&str; 2] = ["large", "small"];

fn random_task(key: u8) -> Task {
    let mut rng = thread_rng();
    // Some need wider cells than others, and several are equal.
    let rank = [None, Some(1), Some(2), Some(300)][rng.gen_range(0..4)];
    Task { key, open: rng.gen_range(0..3) > 0, rank, size: SIZES[rng.gen_range(0..2)] }
}

type World = Observed<Task>;

/// An order for the naive loop.
#[derive(Clone, Copy, Debug)]
struct Order {
    by_size: bool,
    descending: bool,
    nulls_first: bool,
}

impl Order {
    fn random() -> Self {
        let coin = || thread_rng().gen_range(0..2) == 0;
        Order { by_size: coin() && coin(), descending: coin(), nulls_first: coin() }
    }

    fn fields(self) -> Vec<OrderBy> {
        let rank = if self.descending { field("rank").desc() } else { field("rank").asc() };
        let rank = if self.nulls_first { rank.nulls_first() } else { rank.nulls_last() };
        if self.by_size { vec![field("size").asc(), rank] } else { vec![rank] }
    }

    fn compare(self, a: &Task, b: &Task) -> Ordering {
        let class = |task: &Task| task.rank.is_none() != self.nulls_first;
        let by_rank = if self.descending { b.rank.cmp(&a.rank) } else { a.rank.cmp(&b.rank) };
        let by_size = if self.by_size { a.size.cmp(b.size) } else { Ordering::Equal };
        by_size.then(class(a).cmp(&class(b))).then(by_rank).then(a.key.cmp(&b.key))
    }
}

impl World {
    fn random_commit(&self) {
        let key = thread_rng().gen_range(0..KEYS);
        match thread_rng().gen_range(0..5) {
            0 => drop(self.records.delete(key).unwrap()),
            1 => self.put(vec![random_task(key), random_task((key + 1) % KEYS)]),
            _ => self.put(vec![random_task(key)]),
        }
    }

    /// Checks two pages, the second at another snapshot.
    fn check(&self, snapshots: [&Snapshot; 2]) {
        let choices: [(Filter<Task>, fn(&Task) -> bool); 5] = [
            (Filter::all(), |_| true),
            (task::OPEN.eq(true), |task| task.open),
            (task::RANK.between(1, 2), |task| task.rank.is_some_and(|rank| rank <= 2)),
            (task::KEY.is_in([1, 2, 3, 9]), |task| (1..=3).contains(&task.key)),
            (task::SIZE.eq("small") & task::OPEN.eq(true), |task| task.size == "small" && task.open),
        ];
        let (filter, holds) = &choices[thread_rng().gen_range(0..choices.len())];
        let (order, limit) = (Order::random(), thread_rng().gen_range(1..4));
        let mut behind: Option<(Cursor, Task)> = None;
        for snapshot in snapshots {
            let find = snapshot.of(&self.records).find(filter).order_by(order.fields()).limit(limit);
            let find = match &behind {
                Some((cursor, _)) => find.after(cursor.clone()),
                None => find,
            };
            let page = any_way(find).fetch().unwrap();
            let state = self.state(snapshot.commit());
            let mut expected: Vec<&Task> = state.values().filter(|task| holds(task)).collect();
            expected.retain(|task| behind.as_ref().is_none_or(|(_, last)| order.compare(task, last).is_gt()));
            expected.sort_by(|a, b| order.compare(a, b));
            let more = expected.len() > limit;
            expected.truncate(limit);
            let found: Vec<&Task> = page.records.iter().map(|task| &**task).collect();
            let of = || format!("at {}: {filter:?} by {order:?} behind {behind:?} of {state:?}", snapshot.commit());
            assert_eq!(found, expected, "{}", of());
            assert_eq!((page.next.is_some(), page.commit), (more, snapshot.commit()), "{}", of());
            let Some(cursor) = page.next else { return };
            behind = Some((cursor, Task::clone(page.records.last().unwrap())));
        }
    }
}

/// The query with the planner's choice, or with another legal plan.
fn any_way(find: Find<Task>) -> Find<Task> {
    if thread_rng().gen_range(0..4) == 0 {
        return find;
    }
    let script: Vec<usize> = (0..4).map(|_| thread_rng().gen_range(0..3)).collect();
    find.with_plan(script)
}

/// New pages and pages of held snapshots, under commits of every kind.
#[test]
fn pages_under_commits() {
    explore(|| {
        let world = World::new((0..5).map(random_task).collect());
        let writer = spawn_on(&world, |world| (0..4).for_each(|_| world.random_commit()));
        let reader = |world: World| {
            let held = world.store.snapshot();
            world.check([&held, &held]);
            world.check([&held, &world.store.snapshot()]);
        };
        let threads = [writer, spawn_on(&world, reader), spawn_on(&world, reader)];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let now = world.store.snapshot();
        world.check([&now, &now]);
        drop(now);
        world.store.verify().unwrap();
    });
}

/// Two commits during one page: each step of the commits between each two of the page. The page sees the rows that
/// they move.
#[test]
fn two_commits_during_a_page() {
    explore(|| {
        let world = World::new((0..5).map(random_task).collect());
        let before = world.store.snapshot();
        let writer = spawn_on(&world, |world| {
            world.put(vec![random_task(1), random_task(2)]);
            world.random_commit();
        });
        let reader = spawn_on(&world, move |world| world.check([&before, &before]));
        writer.join().unwrap();
        reader.join().unwrap();
    });
}

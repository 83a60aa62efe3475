//! Statistics over columns while commits change groups and amounts: pages are read without a lock, and the marks
//! identify concurrent changes.

use super::observed::Observed;
use super::{explore, spawn_on};
use memdex::aggregate::{MetricValues, Statistics};
use memdex::{Bucket, Filter, GroupBy, Metric, Record, Snapshot, Value, field};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

#[derive(Clone, Debug, PartialEq, Eq, Record)]
struct Sale {
    #[record(key)]
    key: u8,
    #[record(index)]
    open: bool,
    #[record(column)]
    shop: Option<&'static str>,
    #[record(column)]
    amount: i64,
    /// Like `amount`, without a column.
    #[record(field)]
    same: i64,
}

const KEYS: u8 = 5;
const SHOPS: [Option<&str>; 3] = [None, Some("a"), Some("b")];
/// Some need wider cells than others.
const AMOUNTS: [i64; 4] = [1, 20, 300, -70_000];

fn random_sale(key: u8) -> Sale {
    let mut rng = thread_rng();
    let (shop, amount) = (SHOPS[rng.gen_range(0..3)], AMOUNTS[rng.gen_range(0..4)]);
    Sale { key, open: rng.gen_range(0..3) > 0, shop, amount, same: amount }
}

type World = Observed<Sale>;

fn world(keys: u8) -> World {
    World::new((0..keys).map(random_sale).collect())
}

impl World {
    fn random_commit(&self) {
        let key = thread_rng().gen_range(0..KEYS);
        match thread_rng().gen_range(0..5) {
            0 => assert_eq!(self.records.delete(key).unwrap().counts.total(), 1),
            1 => self.put(vec![random_sale(key), random_sale((key + 1) % KEYS)]),
            _ => self.put(vec![random_sale(key)]),
        }
    }

    fn check(&self, snapshot: &Snapshot) {
        let state = self.state(snapshot.commit());
        let choices: [(Filter<Sale>, fn(&Sale) -> bool); 3] = [
            (Filter::all(), |_| true),
            (sale::OPEN.eq(true), |sale| sale.open),
            (sale::SHOP.eq("a") | sale::OPEN.eq(false), |sale| sale.shop == Some("a") || !sale.open),
        ];
        let (filter, holds) = &choices[thread_rng().gen_range(0..3)];
        let amount = if thread_rng().gen_range(0..4) == 0 { "same" } else { "amount" };
        let metrics = || [Metric::count(), field(amount).sum().named("sum"), field(amount).max().named("max")];
        let by_shop = GroupBy::new([Bucket::values("shop")]).metrics(metrics());
        let find = snapshot.of(&self.records).find(filter);
        let summary = find.statistics(Statistics::of(metrics()).group_by(by_shop)).unwrap();
        assert_eq!(summary.commit, snapshot.commit());

        let selected: Vec<&Sale> = state.values().filter(|sale| holds(sale)).collect();
        let expect = |figures: &MetricValues, sales: &[&Sale]| {
            let amounts = || sales.iter().map(|sale| sale.amount);
            let sum = (!sales.is_empty()).then(|| amounts().sum::<i64>());
            let found = (figures.int("count"), figures.int("sum"), figures.int("max"));
            let expected = (Some(sales.len() as i64), sum, amounts().max());
            assert_eq!(found, expected, "at {}: {filter:?} of {state:?}", snapshot.commit());
        };
        expect(&summary, &selected);
        for shop in SHOPS {
            let of_shop: Vec<&Sale> = selected.iter().copied().filter(|sale| sale.shop == shop).collect();
            let group = summary.group(shop.map_or(Value::NULL, Value::from));
            assert_eq!(group.is_none(), of_shop.is_empty(), "at {}: {shop:?} of {state:?}", snapshot.commit());
            group.into_iter().for_each(|group| expect(group, &of_shop));
        }
    }
}

/// New statistics and statistics of held snapshots, under commits of every kind.
#[test]
fn statistics_under_commits() {
    explore(|| {
        let world = world(4);
        let writer = spawn_on(&world, |world| (0..4).for_each(|_| world.random_commit()));
        let reader = |world: World| {
            let held = world.store.snapshot();
            world.check(&held);
            world.check(&world.store.snapshot());
            world.check(&held);
        };
        let threads = [writer, spawn_on(&world, reader), spawn_on(&world, reader)];
        threads.into_iter().for_each(|thread: thread::JoinHandle<()>| thread.join().unwrap());
        world.check(&world.store.snapshot());
        world.store.verify().unwrap();
    });
}

/// One commit during one query: each step of the commit between each two of the query.
#[test]
fn commit_during_statistics() {
    explore(|| {
        let world = world(4);
        let before = world.store.snapshot();
        let writer = spawn_on(&world, |world| {
            world.put(vec![random_sale(1), random_sale(2)]);
            world.put(vec![random_sale(2), random_sale(3)]);
        });
        let reader = spawn_on(&world, move |world| world.check(&before));
        writer.join().unwrap();
        reader.join().unwrap();
    });
}

//! Random aggregates under random commits, read through held snapshots: bit by bit the result that a collection
//! without aggregates computes from its records.

use memdex::aggregate::{Aggregate, DateUnit, Statistics};
use memdex::query::{FieldName, Predicate};
use memdex::schema::AggregateDef;
use memdex::typing::{DecimalValue, KeyBuffer, ValueRef};
use memdex::{Bucket, Collection, FieldDef, GroupBy, Kind, Metric, Record, Schema, Snapshot, Store, field};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::cell::RefCell;

#[derive(Clone, Debug)]
struct Sale {
    id: u32,
    shop: Option<String>,
    flag: bool,
    amount: i64,
    big: Option<i128>,
    rate: Option<f64>,
    /// In hundredths.
    price: Option<i64>,
    /// In minutes.
    at: i64,
    day: Option<i32>,
    code: Option<u8>,
}

const SINGLES: [&str; 9] = ["shop", "flag", "amount", "big", "rate", "price", "at", "day", "code"];

thread_local! {
    /// The aggregates of the schema.
    static AGGREGATE: RefCell<Vec<AggregateDef>> = const { RefCell::new(Vec::new()) };
}

impl Record for Sale {
    type Key = u32;

    fn schema() -> Schema {
        let fields = [
            FieldDef::of::<u32>("id").key(),
            FieldDef::of::<Option<String>>("shop").index(),
            FieldDef::of::<bool>("flag"),
            FieldDef::of::<i64>("amount"),
            FieldDef::of::<Option<i128>>("big"),
            FieldDef::of::<Option<f64>>("rate"),
            FieldDef::new("price", Kind::Decimal).optional(),
            FieldDef::new("at", Kind::Timestamp),
            FieldDef::new("day", Kind::Date).optional(),
            FieldDef::of::<Option<u8>>("code").unique(),
        ];
        AGGREGATE.with_borrow(|defs| defs.iter().cloned().fold(Schema::new(fields), Schema::with_aggregate))
    }

    fn key(&self, key: &mut KeyBuffer) {
        key.push(self.id.into());
    }

    fn value(&self, field: usize) -> ValueRef<'_> {
        let null = ValueRef::Null;
        match field {
            0 => self.id.into(),
            1 => self.shop.as_deref().map_or(null, ValueRef::from),
            2 => self.flag.into(),
            3 => self.amount.into(),
            4 => self.big.map_or(null, ValueRef::from),
            5 => self.rate.map_or(null, ValueRef::from),
            6 => self.price.map_or(null, |price| ValueRef::Decimal(DecimalValue::new(price.into(), 2).unwrap())),
            7 => ValueRef::Timestamp(i128::from(self.at) * 60_000_000_000),
            8 => self.day.map_or(null, ValueRef::Date),
            _ => self.code.map_or(null, ValueRef::from),
        }
    }
}

/// A sale from random bits: most fields have few values, including edge cases; floats differ widely in magnitude.
fn sale(id: u32, mut bits: u64) -> Sale {
    let mut next = || {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bits ^ bits >> 29
    };
    let wild = f64::from_bits(next());
    let rates = [None, Some(0.0), Some(-0.0), Some(1e300), Some(-1e300), Some(1.0), Some(f64::MAX), Some(5e-324)];
    let odd = [Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY)];
    let mut below = |limit: u64| (next() >> 33) % limit;
    let rate = match below(12) {
        0 => odd[below(3) as usize],
        1..6 => Some(if wild.is_finite() { wild } else { 0.1 }),
        _ => rates[below(8) as usize],
    };
    let bigs = [None, Some(5), Some(-5), Some(1 << 80), Some(i128::MAX), Some(i128::MIN)];
    let amounts = [0, 1, -1, i64::MAX, i64::MIN];
    let shops = [None, Some("a"), Some("b"), Some(""), Some("a much longer name of a shop")];
    Sale {
        id,
        shop: shops[below(5) as usize].map(str::to_owned),
        flag: below(2) == 0,
        amount: if below(20) == 0 { amounts[below(5) as usize] } else { below(60) as i64 - 20 },
        big: if below(8) == 0 { bigs[below(6) as usize] } else { Some(i128::from(below(9)) << 70) },
        rate,
        price: if below(5) == 0 { None } else { Some(below(1_000) as i64 - 300) },
        at: below(20_000) as i64 * 17,
        day: if below(5) == 0 { None } else { Some(below(90) as i32 - 45) },
        code: if below(3) == 0 { Some(below(40) as u8) } else { None },
    }
}

fn metrics() -> impl Strategy<Value = Vec<Metric>> {
    let numbers = || select(vec!["amount", "big", "rate", "rate", "price"]).prop_map(FieldName::from);
    let singles = || select(SINGLES.to_vec()).prop_map(FieldName::from);
    let metric = prop_oneof![
        2 => Just(Aggregate::Count),
        1 => singles().prop_map(Aggregate::CountOf),
        4 => numbers().prop_map(Aggregate::Sum),
        2 => numbers().prop_map(Aggregate::Avg),
        2 => singles().prop_map(Aggregate::Min),
        2 => singles().prop_map(Aggregate::Max),
        1 => numbers().prop_map(Aggregate::StdDev),
        1 => numbers().prop_map(Aggregate::StdDevPop),
        2 => singles().prop_map(Aggregate::Distinct),
    ];
    vec(metric.prop_map(Metric::from), 0..5).prop_map(|mut metrics| {
        metrics.sort_by(|a, b| a.name.cmp(&b.name));
        metrics.dedup_by(|a, b| a.name == b.name);
        metrics
    })
}

fn bucket() -> impl Strategy<Value = Bucket> {
    let unit = || select(vec![DateUnit::Day, DateUnit::Week, DateUnit::Month, DateUnit::Quarter, DateUnit::Year]);
    prop_oneof![
        6 => select(vec!["shop", "flag", "code", "day", "big"]).prop_map(Bucket::values),
        1 => (1i64..9, -9i64..9).prop_map(|(width, offset)| Bucket::width_from("amount", width, offset)),
        1 => Just(Bucket::width_from("price", DecimalValue::new(250, 2).unwrap(), DecimalValue::new(25, 2).unwrap())),
        1 => Just(Bucket::width("rate", 1e290)),
        1 => (select(vec!["at", "day"]), unit()).prop_map(|(field, unit)| Bucket::date(field, unit)),
        1 => Just(Bucket::date("at", DateUnit::Hour)),
        1 => (2u32..9, -9i64..9).prop_map(|(every, days)| {
            Bucket::date("day", DateUnit::Week.every(every).offset_seconds(days * 86_400))
        }),
        1 => Just(Bucket::every("at", std::time::Duration::from_secs(1_001))),
        1 => Just(Bucket::ranges("amount", [(None, Some(-5)), (Some(-5), Some(3)), (Some(7), None)])),
        1 => Just(Bucket::ranges("shop", [(Some("a"), None), (None, Some("a"))])),
    ]
}

fn group_by() -> impl Strategy<Value = GroupBy> {
    let top = proptest::option::weighted(0.3, (1usize..4, any::<bool>()));
    (vec(bucket(), 1..3), metrics(), any::<bool>(), top).prop_map(|(by, metrics, empty, top)| {
        let histogram = matches!(&by[..], [Bucket::Width { .. } | Bucket::Date { .. }]);
        let mut group_by = GroupBy::new(by).metrics(metrics);
        group_by.empty = histogram && empty;
        if matches!(&group_by.by[..], [Bucket::Date { field, .. }] if field == "day") && empty {
            group_by.extended = Some((memdex::Value::from("1969-11-01"), memdex::Value::from("1970-01-20")));
            group_by.hard = Some((memdex::Value::from("1969-12-01"), memdex::Value::from("1970-04-01")));
        }
        match (top, group_by.within.metrics.first().map(|metric| metric.name.clone())) {
            (Some((count, true)), Some(metric)) => group_by.top(count, metric),
            (Some((count, false)), Some(metric)) => group_by.bottom(count, metric),
            _ => group_by,
        }
    })
}

fn conditions() -> Vec<Predicate> {
    vec![
        Predicate::All,
        field("shop").eq("a"),
        field("flag").eq(true) & field("amount").ge(0),
        !field("code").is_null() | field("day").lt("1970-01-05"),
    ]
}

/// An aggregate with one of a few names.
fn def() -> impl Strategy<Value = AggregateDef> {
    let condition = 0..conditions().len();
    (select(vec!["one", "two", "three"]), metrics(), proptest::option::weighted(0.8, group_by()), condition).prop_map(
        |(name, metrics, groups, condition)| {
            let metrics = if groups.is_none() && metrics.is_empty() { vec![Metric::count()] } else { metrics };
            let statistics = groups.into_iter().fold(Statistics::of(metrics), Statistics::group_by);
            let def = AggregateDef::new(name, statistics);
            if condition == 0 { def } else { def.when(conditions().swap_remove(condition)) }
        },
    )
}

#[derive(Clone, Debug)]
enum Step {
    /// By keys and random bits; the batch may be refused.
    Put(Vec<(u32, u64)>),
    Lenient(Vec<(u32, u64)>),
    Delete(Vec<u32>),
    /// All records that match a condition.
    Change(usize, u64),
    Hold,
    LetGo(usize),
    Add(Box<AggregateDef>),
    Drop(&'static str),
    Optimize,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let records = || vec((0u32..40, any::<u64>()), 1..12);
    let step = prop_oneof![
        6 => records().prop_map(Step::Put),
        3 => records().prop_map(Step::Lenient),
        3 => vec(0u32..40, 1..12).prop_map(Step::Delete),
        2 => (0..conditions().len(), any::<u64>()).prop_map(|(condition, bits)| Step::Change(condition, bits)),
        3 => Just(Step::Hold),
        2 => (0usize..4).prop_map(Step::LetGo),
        3 => def().prop_map(|def| Step::Add(Box::new(def))),
        1 => select(vec!["one", "two", "three"]).prop_map(Step::Drop),
        1 => Just(Step::Optimize),
    ];
    vec(step, 1..30)
}

/// The same commits in a collection with aggregates and in one without.
struct Both {
    kept: (Store, Collection<Sale>),
    bare: (Store, Collection<Sale>),
    held: Vec<(Snapshot, Snapshot)>,
}

impl Both {
    fn new(defs: Vec<AggregateDef>) -> Self {
        let open = |defs| {
            AGGREGATE.set(defs);
            let store = Store::new();
            let sales = store.collection("sales").unwrap();
            (store, sales)
        };
        Both { kept: open(defs), bare: open(Vec::new()), held: Vec::new() }
    }

    fn each<T: PartialEq + std::fmt::Debug>(&self, act: impl Fn(&(Store, Collection<Sale>)) -> T) {
        assert_eq!(act(&self.kept), act(&self.bare));
    }

    fn act(&mut self, step: &Step) {
        let gathered = |(store, sales): &(Store, Collection<Sale>), records: &[(u32, u64)]| {
            let mut batch = store.batch();
            records.iter().for_each(|(id, bits)| batch.store(sales, sale(*id, *bits)).unwrap());
            batch
        };
        match step {
            Step::Put(records) => self.each(|of| gathered(of, records).commit().is_ok()),
            Step::Lenient(records) => self.each(|of| gathered(of, records).commit_lenient().unwrap().refused.len()),
            Step::Delete(ids) => self.each(|(store, sales)| {
                store.commit(|batch| ids.iter().try_for_each(|id| batch.delete(sales, *id))).unwrap().commit
            }),
            Step::Change(condition, bits) => self.each(|(_, sales)| {
                let bits = *bits;
                let change = move |sale: &mut Sale| {
                    *sale = Sale { code: None, ..self::sale(sale.id, bits ^ u64::from(sale.id)) }
                };
                sales.update_where(conditions().swap_remove(*condition), change).unwrap().commit
            }),
            Step::Hold => self.held.push((self.kept.0.snapshot(), self.bare.0.snapshot())),
            Step::LetGo(at) if *at < self.held.len() => drop(self.held.remove(*at)),
            Step::LetGo(_) => {}
            Step::Add(def) => {
                let known = self.kept.1.aggregates().iter().any(|known| known.name() == def.name());
                assert_eq!(self.kept.1.add_aggregate((**def).clone()).is_err(), known);
            }
            Step::Drop(name) => drop(self.kept.1.drop_aggregate(name)),
            Step::Optimize => self.kept.0.optimize().unwrap(),
        }
    }

    /// Compares every held snapshot and the newest state.
    fn check(&self) {
        let now = (self.kept.0.snapshot(), self.bare.0.snapshot());
        let defs = self.kept.1.aggregates();
        for (kept, bare) in self.held.iter().chain([&now]) {
            let (kept, bare) = (kept.of(&self.kept.1), bare.of(&self.bare.1));
            for def in &defs {
                let condition = def.condition().cloned().unwrap_or_default();
                let expected = bare.find(condition.clone()).statistics(def.statistics().clone());
                let found = kept.aggregate(def.name());
                let (figures, known) = (found.clone().map(|of| of.values), found.map(|of| of.materialized));
                assert_eq!(figures, expected.clone().map(|of| of.values), "{def:?}");
                let requested = kept.find(condition).statistics(def.statistics().clone());
                assert_eq!(requested.clone().map(|of| of.values), expected.map(|of| of.values), "{def:?}");
                // An older aggregate may answer the same query.
                assert!(
                    requested.is_ok_and(|of| of.materialized) || known != Ok(true),
                    "the query must use the aggregate: {def:?}"
                );
            }
        }
        for def in &defs {
            let newest = self.kept.1.aggregate(def.name()).map(|of| of.values);
            assert_eq!(newest, now.0.of(&self.kept.1).aggregate(def.name()).map(|of| of.values));
        }
        self.kept.0.verify().unwrap();
    }
}

proptest! {
    #![proptest_config(crate::cases::default_cases())]

    #[test]
    fn aggregates_equal_a_recomputation(
        defs in vec(def(), 0..3),
        rows in select(vec![0u32, 12, 60]),
        seed in any::<u64>(),
        steps in steps(),
    ) {
        let mut names = Vec::new();
        let defs = defs.into_iter().filter(|def| {
            let new = !names.contains(&def.name().to_owned());
            names.push(def.name().to_owned());
            new
        });
        let mut both = Both::new(defs.collect());
        if rows > 0 {
            both.act(&Step::Lenient((0..rows).map(|id| (id, seed ^ u64::from(id) << 20)).collect()));
        }
        both.check();
        for step in &steps {
            both.act(step);
            both.check();
        }
        both.held.clear();
        both.kept.0.optimize().unwrap();
        prop_assert_eq!(both.kept.0.stats().collections[0].results_retained, 0, "without readers everything is reclaimed");
        both.check();
    }
}

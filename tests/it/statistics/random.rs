//! Random records under random schemas, random filters and random statistics, at held snapshots between commits:
//! collections with all columns, none and some return the same results, equal to those of the naive evaluator.

use memdex::aggregate::{Aggregate, DateStep, DateUnit, Statistics};
use memdex::query::{FieldName, OrderBy, Predicate};
use memdex::schema::Collation;
use memdex::typing::{DecimalValue, KeyBuffer, ValueRef};
use memdex::{Bucket, Collection, FieldDef, GroupBy, Kind, Metric, Record, Schema, Snapshot, Store, Value, field};
use memdex_torture::naive::{Fields, compare, expected};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::cell::RefCell;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub(super) struct Sale {
    id: u32,
    shop: Option<String>,
    amount: i64,
    size: Option<i32>,
    big: Option<i128>,
    rate: Option<f64>,
    /// In hundredths.
    price: i64,
    /// In seconds.
    at: i64,
    day: Option<i32>,
    flag: bool,
    letter: Option<char>,
    tags: Vec<String>,
    marks: Vec<i64>,
    grades: Vec<f64>,
    /// Ignores case, as the labels do.
    name: Option<&'static str>,
    labels: Vec<&'static str>,
}

pub(super) const NAMES: [&str; 16] = [
    "id", "shop", "amount", "size", "big", "rate", "price", "at", "day", "flag", "letter", "tags", "marks", "grades",
    "name", "labels",
];

thread_local! {
    /// Which fields have columns, and which are indexed.
    pub(super) static DECLARED: RefCell<(Vec<bool>, Vec<bool>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

impl Sale {
    /// The fields whose values JSON has, without floats.
    #[cfg(feature = "documents")]
    pub(super) fn json(&self) -> memdex::Json {
        memdex::json!({
            "id": self.id,
            "shop": self.shop,
            "amount": self.amount,
            "size": self.size,
            "flag": self.flag,
            "letter": self.letter,
            "tags": self.tags,
            "marks": self.marks,
        })
    }

    fn show<'a>(&'a self, field: usize) -> ValueRef<'a> {
        let null = ValueRef::Null;
        match NAMES[field] {
            "id" => self.id.into(),
            "shop" => self.shop.as_deref().map_or(null, ValueRef::from),
            "amount" => self.amount.into(),
            "size" => self.size.map_or(null, ValueRef::from),
            "big" => self.big.map_or(null, ValueRef::from),
            "rate" => self.rate.map_or(null, ValueRef::from),
            "price" => ValueRef::Decimal(DecimalValue::new(self.price.into(), 2).unwrap()),
            "at" => ValueRef::Timestamp(i128::from(self.at) * 1_000_000_000),
            "day" => self.day.map_or(null, ValueRef::Date),
            "flag" => self.flag.into(),
            "letter" => self.letter.map_or(null, ValueRef::from),
            "name" => self.name.map_or(null, ValueRef::from),
            _ => null,
        }
    }
}

#[cfg(feature = "accents")]
const OF_LABELS: Collation = Collation::NoCaseNoAccents;
#[cfg(not(feature = "accents"))]
const OF_LABELS: Collation = Collation::NoCase;

impl Record for Sale {
    type Key = u32;

    fn schema() -> Schema {
        let fields = [
            FieldDef::of::<u32>("id").key(),
            FieldDef::of::<Option<String>>("shop"),
            FieldDef::of::<i64>("amount"),
            FieldDef::of::<Option<i32>>("size"),
            FieldDef::of::<Option<i128>>("big"),
            FieldDef::of::<Option<f64>>("rate"),
            FieldDef::new("price", Kind::Decimal),
            FieldDef::new("at", Kind::Timestamp),
            FieldDef::new("day", Kind::Date).optional(),
            FieldDef::of::<bool>("flag"),
            FieldDef::of::<Option<char>>("letter"),
            FieldDef::of::<Vec<String>>("tags"),
            FieldDef::of::<Vec<i64>>("marks"),
            FieldDef::of::<Vec<f64>>("grades"),
            FieldDef::of::<Option<String>>("name").collate(Collation::NoCase),
            FieldDef::of::<Vec<String>>("labels").collate(OF_LABELS),
        ];
        DECLARED.with_borrow(|(columns, indexes)| {
            Schema::new(fields.into_iter().enumerate().map(|(at, field)| {
                let field = if columns[at] && !field.is_many() { field.column() } else { field };
                if indexes[at] { field.index() } else { field }
            }))
        })
    }

    fn key(&self, key: &mut KeyBuffer) {
        key.push(self.id.into());
    }

    fn value(&self, field: usize) -> ValueRef<'_> {
        self.show(field)
    }

    fn values<'a>(&'a self, field: usize, show: &mut dyn FnMut(ValueRef<'a>)) {
        match NAMES[field] {
            "tags" => self.tags.iter().for_each(|tag| show(tag.as_str().into())),
            "marks" => self.marks.iter().for_each(|mark| show((*mark).into())),
            "grades" => self.grades.iter().for_each(|grade| show((*grade).into())),
            "labels" => self.labels.iter().for_each(|label| show((*label).into())),
            _ => show(self.value(field)),
        }
    }
}

impl Fields for Sale {
    fn values(&self, field: &str) -> Vec<Value> {
        let at = NAMES.iter().position(|name| *name == field).unwrap();
        let mut values = Vec::new();
        Record::values(self, at, &mut |value| values.push(value.to_value()));
        values
    }

    fn compared(field: &str, value: &Value) -> Value {
        match value.as_str() {
            Some(text) if field == "name" => text.to_lowercase().into(),
            Some(text) if field == "labels" && OF_LABELS == Collation::NoCase => text.to_lowercase().into(),
            Some(text) if field == "labels" => text.to_lowercase().replace('é', "e").into(),
            _ => value.clone(),
        }
    }

    fn holds(&self, filter: &Predicate) -> bool {
        let choices = choices();
        choices.iter().find(|(predicate, _)| predicate == filter).unwrap().1(self)
    }

    fn kind(field: &str) -> Kind {
        match field {
            "rate" | "grades" => Kind::Float,
            "price" => Kind::Decimal,
            "shop" | "tags" | "name" | "labels" => Kind::Str,
            "at" => Kind::Timestamp,
            "day" => Kind::Date,
            _ => Kind::Int,
        }
    }
}

/// A sale from a few random bits: each field has few values, including edge cases.
pub(super) fn sale(id: u32, mut bits: u64) -> Sale {
    let mut below = |limit: u64| {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (bits >> 33) % limit
    };
    let amounts = [0, 1, -1, 250, i64::MAX, i64::MIN];
    let amount = if below(40) == 0 { amounts[below(6) as usize] } else { below(2_000) as i64 - 700 };
    let bigs = [Some(5), Some(-5), Some(1 << 80), None, Some(i128::from(u64::MAX)), Some(-(1 << 70))];
    let rates = [None, Some(0.0), Some(-0.0), Some(0.25), Some(-8.5), Some(f64::NAN), Some(f64::INFINITY), Some(1e9)];
    let rate = if below(3) == 0 { rates[below(8) as usize] } else { Some(below(100) as f64 / 4.0) };
    Sale {
        id,
        shop: [None, Some("a"), Some("b"), Some(""), Some("a much longer name of a shop")][below(5) as usize]
            .map(str::to_owned),
        amount,
        size: if below(4) == 0 { None } else { Some(below(6) as i32 - 2) },
        big: bigs[below(6) as usize],
        rate,
        price: below(1_000) as i64 - 300,
        at: 1_700_000_000 + below(400 * 86_400) as i64 * i64::from(below(9) > 0),
        day: if below(5) == 0 { None } else { Some(below(900) as i32 - 450) },
        flag: below(2) == 0,
        letter: [None, Some('x'), Some('é')][below(3) as usize],
        tags: (0..below(4)).map(|_| ["p", "q", "r"][below(3) as usize].to_owned()).collect(),
        marks: (0..below(4)).map(|_| if below(30) == 0 { i64::MAX } else { below(9) as i64 - 3 }).collect(),
        grades: (0..below(3)).map(|_| below(24) as f64 / 4.0).collect(),
        name: [None, Some("ab"), Some("aB"), Some("Ab"), Some("é"), Some("É"), Some("a name of More than 23 bytes")]
            [below(7) as usize],
        labels: (0..below(4)).map(|_| ["x", "X", "y", "Y", "É", "e"][below(6) as usize]).collect(),
    }
}

/// The fields of a query.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldSet {
    all: &'static [&'static str],
    numbers: &'static [&'static str],
    histogram: fn() -> BoxedStrategy<Bucket>,
    /// Whether ranges of strings are among the buckets.
    text_ranges: bool,
}

const EVERY_FIELD: FieldSet = FieldSet {
    all: &NAMES,
    numbers: &["amount", "size", "big", "rate", "price", "marks", "grades"],
    histogram: any_histogram,
    text_ranges: true,
};

/// The fields whose values JSON has, without floats.
#[cfg(feature = "documents")]
pub(super) const JSON_FIELDS: FieldSet = FieldSet {
    all: &["id", "shop", "amount", "size", "flag", "tags", "marks"],
    numbers: &["amount", "size", "marks"],
    histogram: int_histogram,
    text_ranges: false,
};

fn metric(of: FieldSet) -> impl Strategy<Value = Metric> {
    let numbers = move || select(of.numbers).prop_map(FieldName::from);
    let all = move || select(of.all).prop_map(FieldName::from);
    prop_oneof![
        2 => Just(Aggregate::Count),
        1 => all().prop_map(Aggregate::CountOf),
        3 => numbers().prop_map(Aggregate::Sum),
        2 => numbers().prop_map(Aggregate::Avg),
        1 => all().prop_map(Aggregate::Min),
        1 => all().prop_map(Aggregate::Max),
        1 => numbers().prop_map(Aggregate::StdDev),
        1 => numbers().prop_map(Aggregate::StdDevPop),
        1 => all().prop_map(Aggregate::Distinct),
        1 => all().prop_map(Aggregate::Mode),
        1 => (all(), order(of)).prop_map(|(field, order)| Aggregate::First(field, order)),
        1 => (numbers(), select(vec![0.0, 25.0, 50.0, 99.5, 100.0])).prop_map(|(f, p)| Aggregate::Percentile(f, p)),
    ]
    .prop_map(Metric::from)
    .prop_flat_map(|metric| {
        proptest::option::weighted(0.25, 0..choices().len()).prop_map(move |filter| match filter {
            Some(filter) => {
                let name = format!("{} of {filter}", metric.name);
                metric.clone().filter(choices().swap_remove(filter).0).named(name)
            }
            None => metric.clone(),
        })
    })
}

fn order(of: FieldSet) -> impl Strategy<Value = Vec<OrderBy>> {
    let singles = of.all.iter().copied().filter(|name| !["tags", "marks", "grades", "labels"].contains(name));
    let by = (select(singles.collect::<Vec<_>>()), any::<bool>(), any::<bool>()).prop_map(
        |(name, descends, nulls_first)| {
            let by = if descends { field(name).desc() } else { field(name).asc() };
            if nulls_first { by.nulls_first() } else { by.nulls_last() }
        },
    );
    vec(by, 0..3)
}

fn metrics(of: FieldSet) -> impl Strategy<Value = Vec<Metric>> {
    vec(metric(of), 0..5).prop_map(|mut metrics| {
        metrics.sort_by(|a, b| a.name.cmp(&b.name));
        metrics.dedup_by(|a, b| a.name == b.name);
        let exact = |metric: &&Metric| matches!(metric.aggregate, Aggregate::Count | Aggregate::CountOf(_));
        let counts: Vec<_> = metrics.iter().filter(exact).map(|metric| metric.name.clone()).collect();
        if let [first, .., last] = &counts[..] {
            metrics.insert(0, Metric::ratio(first.clone(), last.clone()));
        }
        metrics
    })
}

fn int_histogram() -> BoxedStrategy<Bucket> {
    prop_oneof![
        (1i64..500, -9i64..9).prop_map(|(width, offset)| Bucket::width_from("amount", width, offset)),
        (1i64..4).prop_map(|width| Bucket::width("size", width)),
    ]
    .boxed()
}

fn any_histogram() -> BoxedStrategy<Bucket> {
    prop_oneof![
        2 => int_histogram(),
        7 => other_histogram(),
    ]
    .boxed()
}

fn other_histogram() -> impl Strategy<Value = Bucket> {
    prop_oneof![
        Just(Bucket::width_from("rate", 2.5, 0.25)),
        (1i64..5, -2i64..2).prop_map(|(width, offset)| Bucket::width_from("grades", width, offset)),
        (1i64..40).prop_map(|quarter| Bucket::width("price", DecimalValue::new(i128::from(quarter) * 25, 2).unwrap())),
        (
            select(vec!["at", "day"]),
            select(vec![DateUnit::Day, DateUnit::Week, DateUnit::Month, DateUnit::Quarter, DateUnit::Year])
        )
            .prop_map(|(field, unit)| Bucket::date(field, unit)),
        Just(Bucket::date("at", DateUnit::Hour)),
        (select(vec!["at", "day"]), day_step()).prop_map(|(field, step)| Bucket::date(field, step)),
        (select(vec![DateUnit::Minute, DateUnit::Hour]), 300u32..2_000, -100_000i64..100_000)
            .prop_map(|(unit, every, offset)| Bucket::date("at", unit.every(every).offset_seconds(offset))),
        (10_000u64..1_000_000, any::<i32>()).prop_map(|(seconds, offset)| {
            let width = std::time::Duration::new(seconds, 7);
            Bucket::width_from("at", width.as_nanos(), i64::from(offset))
        }),
    ]
}

/// Several days, weeks, months, … from any day.
fn day_step() -> impl Strategy<Value = DateStep> {
    let units = [DateUnit::Day, DateUnit::Week, DateUnit::Month, DateUnit::Quarter, DateUnit::Year];
    (select(units.to_vec()), 1u32..8, -9i64..9)
        .prop_map(|(unit, every, days)| unit.every(every).offset_seconds(days * 86_400))
}

/// Two values of a histogram's field, the lower one first.
fn bounds(field: &str) -> BoxedStrategy<(Value, Value)> {
    let sorted = |(a, b): (Value, Value)| if a <= b { (a, b) } else { (b, a) };
    let value = match field {
        "at" => (0i128..500 * 86_400)
            .prop_map(|at| ValueRef::Timestamp((1_690_000_000 + at) * 1_000_000_000).to_value())
            .boxed(),
        "day" => (-600i32..600).prop_map(|day| ValueRef::Date(day).to_value()).boxed(),
        "price" => (-400i128..900).prop_map(|cents| DecimalValue::new(cents, 2).unwrap().into()).boxed(),
        "rate" | "grades" => (-20i64..60).prop_map(|x| Value::from(x as f64)).boxed(),
        "amount" => (-900i64..1_500).prop_map(Value::from).boxed(),
        _ => (-6i64..9).prop_map(Value::from).boxed(),
    };
    (value.clone(), value).prop_map(sorted).boxed()
}

fn bucket(of: FieldSet) -> impl Strategy<Value = Bucket> {
    let texts = [("shop", "a"), ("tags", "q"), ("name", "AB"), ("labels", "X")].map(|(of, text)| (of, text.into()));
    let also_values = [("size", Value::from(2)), ("big", Value::from(-5))].into_iter().chain(texts);
    let also_values: Vec<_> = also_values.filter(|(field, _)| of.all.contains(field)).collect();
    let text_ranges = Bucket::ranges("shop", [(None, Some("a")), (Some("a"), None)]);
    prop_oneof![
        4 => select(&of.all[1..]).prop_map(Bucket::values),
        1 => select(&of.all[1..]).prop_map(|field| Bucket::values_or(field, "none")),
        1 => select(also_values).prop_map(|(field, name)| Bucket::values_or(field, name)),
        2 => (of.histogram)(),
        1 => vec((proptest::option::of(-5i64..5), 0i64..6), 1..4).prop_map(|ranges| {
            let ranges = ranges.into_iter().map(|(from, len)| (from, (len > 0).then(|| from.unwrap_or(0) + len)));
            Bucket::ranges("size", ranges)
        }),
        1 => (1i64..4).prop_map(|width| Bucket::width("marks", width)),
        1 => Just(Bucket::ranges("marks", [(None, Some(1)), (Some(0), Some(4)), (Some(4), None)])),
        1 => Just(if of.text_ranges { text_ranges } else { Bucket::values("shop") }),
    ]
}

fn group_by(of: FieldSet, levels: u32) -> BoxedStrategy<GroupBy> {
    let within = metrics(of);
    let deeper = if levels > 1 { proptest::option::of(group_by(of, levels - 1)).boxed() } else { Just(None).boxed() };
    let wide = (vec(bucket(of), 1..3), Just(false)).boxed();
    // Small widths over amounts up to the limits of an `i64` produce too many empty buckets.
    let filled = ((of.histogram)(), any::<bool>()).prop_flat_map(|(bucket, empty)| {
        let empty = empty && !["amount", "rate"].contains(&&**bucket.field());
        let empty = empty && !matches!(&bucket, Bucket::Date { unit: DateUnit::Hour, every: 1, .. });
        let bounded = |weight| proptest::option::weighted(weight, bounds(bucket.field()));
        let (extended, hard) = (bounded(0.4), bounded(0.3));
        let by = bucket.clone();
        (extended, hard).prop_map(move |(extended, hard)| (vec![by.clone()], empty, extended.filter(|_| empty), hard))
    });
    let wide = wide.prop_map(|(by, empty)| (by, empty, None, None));
    let hits = proptest::option::weighted(0.2, (1usize..4, order(of)));
    (prop_oneof![wide, filled], within, deeper, proptest::option::of((1usize..4, any::<bool>())), hits)
        .prop_map(|((by, empty, extended, hard), metrics, deeper, top, hits)| {
            let mut group_by = GroupBy::new(by).metrics(metrics);
            (group_by.empty, group_by.extended, group_by.hard) = (empty, extended, hard);
            if let Some((records, order)) = hits {
                group_by = group_by.hits(records, order);
            }
            if let Some(deeper) = deeper {
                group_by = group_by.group_by(deeper);
            }
            // Metrics that the naive evaluator computes exactly.
            let exact = |metric: &&Metric| {
                matches!(metric.aggregate, Aggregate::Count | Aggregate::CountOf(_) | Aggregate::Max(_))
            };
            let by_metric = group_by.within.metrics.iter().find(exact).map(|metric| metric.name.clone());
            let count = group_by.within.metrics.iter().find(|metric| metric.aggregate == Aggregate::Count);
            if let (Some(count), true) = (count.map(|metric| metric.name.to_string()), top.is_none_or(|(_, high)| high))
            {
                group_by = group_by.having(field(count).ge(1 + i64::from(empty)));
            }
            match (top, by_metric) {
                (Some((count, true)), Some(metric)) => group_by.top(count, metric),
                (Some((count, false)), Some(metric)) => group_by.bottom(count, metric),
                _ => group_by,
            }
        })
        .boxed()
}

pub(super) fn statistics(of: FieldSet) -> impl Strategy<Value = Statistics> {
    (metrics(of), proptest::option::of(group_by(of, 3))).prop_map(|(metrics, groups)| {
        let statistics = Statistics::of(metrics);
        match groups {
            Some(groups) => statistics.group_by(groups),
            None => statistics,
        }
    })
}

/// A predicate with its meaning.
pub(super) type Choice = (Predicate, fn(&Sale) -> bool);

pub(super) fn choices() -> Vec<Choice> {
    vec![
        (Predicate::All, |_| true),
        (field("shop").eq("a"), |sale| sale.shop.as_deref() == Some("a")),
        (field("flag").eq(true) & field("size").ge(0), |sale| sale.flag && sale.size.is_some_and(|size| size >= 0)),
        (field("amount").lt(0) | field("tags").contains("p"), |sale| {
            sale.amount < 0 || sale.tags.iter().any(|tag| tag == "p")
        }),
        (!field("letter").is_null(), |sale| sale.letter.is_some()),
        (field("id").lt(3), |sale| sale.id < 3),
        (field("shop").is_in(["nowhere"]), |_| false),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<(u32, u64)>),
    Delete(u32),
    Hold,
    Ask(usize, usize, Box<Statistics>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => vec((0u32..60, any::<u64>()), 1..20).prop_map(Step::Put),
        1 => (0u32..60).prop_map(Step::Delete),
        1 => Just(Step::Hold),
        5 => (0..choices().len(), 0usize..4, statistics(EVERY_FIELD)).prop_map(|(c, s, q)| Step::Ask(c, s, Box::new(q))),
    ];
    vec(step, 1..12)
}

type State = BTreeMap<u32, Sale>;

proptest! {
    #![proptest_config(crate::cases::default_cases())]

    #[test]
    fn random_statistics_equal_the_naive_evaluator(
        rows in select(vec![0u32, 7, 900, 2_500]),
        seed in any::<u64>(),
        columns in vec(any::<bool>(), NAMES.len()),
        indexes in vec(any::<bool>(), NAMES.len()),
        steps in steps(),
    ) {
        let store = Store::new();
        let none = vec![false; NAMES.len()];
        let declared = [(vec![true; NAMES.len()], none.clone()), (none.clone(), none), (columns, indexes)];
        let collections: Vec<Collection<Sale>> = declared
            .into_iter()
            .enumerate()
            .map(|(at, declared)| {
                DECLARED.set(declared);
                store.collection(&format!("sales {at}")).unwrap()
            })
            .collect();
        let choices = choices();
        let mut state: State = (0..rows).map(|id| (id, sale(id, seed ^ u64::from(id) << 20))).collect();
        let put = |sales: Vec<Sale>| {
            let all = |batch: &mut memdex::Batch| collections.iter().try_for_each(|of| {
                sales.iter().try_for_each(|sale| batch.store(of, sale.clone()))
            });
            store.commit(all).unwrap();
        };
        if rows > 0 {
            put(state.values().cloned().collect());
        }
        let mut held: Vec<(Snapshot, State)> = Vec::new();
        for step in steps {
            match step {
                Step::Put(sales) => {
                    let sales: Vec<Sale> = sales.into_iter().map(|(id, bits)| sale(id, bits)).collect();
                    state.extend(sales.iter().map(|sale| (sale.id, sale.clone())));
                    put(sales);
                }
                Step::Delete(id) => {
                    if state.remove(&id).is_some() {
                        store.commit(|batch| collections.iter().try_for_each(|of| batch.delete(of, id))).unwrap();
                    }
                }
                Step::Hold => held.push((store.snapshot(), state.clone())),
                Step::Ask(choice, at, requested) => {
                    let (predicate, holds) = &choices[choice];
                    let now = (store.snapshot(), state.clone());
                    let (snapshot, state) = held.get(at).unwrap_or(&now);
                    let selected: Vec<&Sale> = state.values().filter(|sale| holds(sale)).collect();
                    let expected = expected(&selected, &requested);
                    let mut answers = Vec::new();
                    for of in &collections {
                        let find = snapshot.of(of).find(predicate.clone());
                        let found = find.statistics((*requested).clone()).unwrap();
                        prop_assert_eq!(found.commit, snapshot.commit());
                        if let Err(error) = compare(&found, &expected) {
                            prop_assert!(false, "{}: {}\n{:?}", of.name(), error, requested);
                        }
                        // As text, without the names of the collections of hits.
                        answers.push(format!("{:?}", found.values).replace(&format!("{:?}", of.name()), ""));
                    }
                    prop_assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "to the last bit");
                }
            }
        }
    }
}

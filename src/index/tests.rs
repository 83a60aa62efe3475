//! Walks, beginnings of strings and estimates, of indexes of every kind against rows that are simply sorted.

use super::fixture::{Fixture, TestRecord};
use super::{Sought, WalkSpec};
use crate::record::{FieldDef, IndexDef, Schema};
use crate::rowset::{Row, RowSet};
use memdex_query::value::{Kind, Value, ValueRef};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;
use std::ops::{Bound, Deref, DerefMut};

/// An index, and the values of its rows.
struct Filled {
    fixture: Fixture,
    values: BTreeMap<Row, Vec<Value>>,
}

impl Deref for Filled {
    type Target = Fixture;

    fn deref(&self) -> &Fixture {
        &self.fixture
    }
}

impl DerefMut for Filled {
    fn deref_mut(&mut self) -> &mut Fixture {
        &mut self.fixture
    }
}

impl Filled {
    /// Over fields `0`, `1` … of these kinds.
    fn new(kinds: &[(Kind, bool)], def: impl FnOnce(Vec<String>) -> IndexDef) -> Self {
        let names: Vec<String> = (0..kinds.len()).map(|at| at.to_string()).collect();
        let field = |(name, (kind, narrow)): (&String, &(Kind, bool))| match (kind, narrow) {
            (Kind::Int, true) => FieldDef::of::<Option<i64>>(name.clone()),
            (Kind::Float, _) => FieldDef::new(name.clone(), *kind).optional().nan_last(),
            _ => FieldDef::new(name.clone(), *kind).optional(),
        };
        let schema = Schema::new(names.iter().zip(kinds).map(field));
        Filled { fixture: Fixture::new(&schema, def(names)), values: BTreeMap::new() }
    }

    /// One commit.
    fn put(&mut self, rows: Vec<(Row, Vec<Value>)>) {
        let record = |values: &Vec<Value>| TestRecord(values.iter().map(|value| vec![value.clone()]).collect());
        let clashes = self.fixture.put(rows.iter().map(|(row, values)| (*row, record(values))).collect());
        assert!(clashes.is_empty());
        self.values.extend(rows);
    }

    fn walk(&self, spec: &WalkSpec) -> Vec<Row> {
        let mut walk = self.index.walk(spec.clone()).unwrap();
        let mut rows = Vec::new();
        while walk.next(&mut rows) {}
        rows
    }

    /// Rows in the order of an ordered index, upwards, those without a value in one of a single field left out.
    fn sorted(&self) -> Vec<(&[Value], Row)> {
        let mut all: Vec<_> = self.values.iter().map(|(row, values)| (&values[..], *row)).collect();
        all.retain(|(values, _)| values.len() > 1 || values[0] != Value::NULL);
        all.sort();
        all
    }

    fn expected(&self, spec: &WalkSpec) -> Vec<Row> {
        let mut all = self.sorted();
        all.retain(|(values, _)| lies_within(values, spec));
        if spec.descending {
            all.reverse();
        }
        all.iter().map(|(_, row)| *row).collect()
    }
}

fn lies_within(values: &[Value], WalkSpec { prefix, from, to, .. }: &WalkSpec) -> bool {
    let rest = values.strip_prefix(&prefix[..]);
    let Some(rest) = rest else { return false };
    let part = |tuple: &Vec<Value>| rest[..tuple.len()].cmp(tuple);
    let above = match from {
        Bound::Unbounded => true,
        Bound::Included(tuple) => part(tuple).is_ge(),
        Bound::Excluded(tuple) => part(tuple).is_gt(),
    };
    above
        && match to {
            Bound::Unbounded => true,
            Bound::Included(tuple) => part(tuple).is_le(),
            Bound::Excluded(tuple) => part(tuple).is_lt(),
        }
}

const TEXTS: [&str; 14] =
    ["", "\0", "\0\0", "a", "a\0", "a\0b", "a\0\0", "a\u{1}", "a\u{7f}", "a\u{80}", "ab", "é", "日本", "\u{10ffff}"];

fn any_value(kind: Kind) -> BoxedStrategy<Value> {
    match kind {
        Kind::Str => select(&TEXTS[..]).prop_map(Value::from).boxed(),
        Kind::Float => select(vec![-1.5, 0.0, 2.0, f64::INFINITY, f64::NAN]).prop_map(Value::from).boxed(),
        _ => (-3..6_i64).prop_map(Value::from).boxed(),
    }
}

fn any_cell(kind: Kind) -> BoxedStrategy<Value> {
    prop_oneof![1 => Just(Value::NULL), 8 => any_value(kind)].boxed()
}

fn any_bound(kinds: &[Kind]) -> BoxedStrategy<Bound<Vec<Value>>> {
    let tuple: Vec<_> = kinds.iter().map(|kind| any_cell(*kind)).collect();
    let tuple = (tuple, 0..=kinds.len()).prop_map(|(mut tuple, len)| {
        tuple.truncate(len);
        tuple
    });
    prop_oneof![
        1 => Just(Bound::Unbounded),
        2 => tuple.clone().prop_map(Bound::Included),
        2 => tuple.prop_map(Bound::Excluded),
    ]
    .boxed()
}

fn any_spec(kinds: Vec<Kind>) -> BoxedStrategy<WalkSpec> {
    let most = if kinds.len() > 1 { kinds.len() } else { 0 };
    (0..=most)
        .prop_flat_map(move |len| {
            let prefix: Vec<_> = kinds[..len].iter().map(|kind| any_cell(*kind)).collect();
            (prefix, any_bound(&kinds[len..]), any_bound(&kinds[len..]), any::<bool>())
        })
        .prop_map(|(prefix, from, to, descending)| WalkSpec { prefix, from, to, descending })
        .boxed()
}

type Case = (Vec<Kind>, Vec<Vec<Value>>, Vec<WalkSpec>, Bound<Vec<Value>>);

/// Fields, rows, walks, and a limit on what follows the first field.
fn any_case() -> BoxedStrategy<Case> {
    let kinds = select(vec![
        vec![Kind::Int],
        vec![Kind::Float],
        vec![Kind::Str],
        vec![Kind::Str, Kind::Int],
        vec![Kind::Int, Kind::Str, Kind::Float],
    ]);
    kinds
        .prop_flat_map(|kinds| {
            let row: Vec<_> = kinds.iter().map(|kind| any_cell(*kind)).collect();
            let rows = prop::collection::vec(row, 0..1_200);
            let specs = prop::collection::vec(any_spec(kinds.clone()), 8);
            let limit = any_bound(&kinds);
            (Just(kinds), rows, specs, limit)
        })
        .boxed()
}

fn filled(kinds: &[Kind], rows: Vec<Vec<Value>>) -> Filled {
    let narrow: Vec<_> = kinds.iter().map(|kind| (*kind, true)).collect();
    let mut filled = Filled::new(&narrow, IndexDef::ordered);
    // In no order, so that leaves split in their middle.
    let rows: Vec<_> = rows.into_iter().enumerate().map(|(at, values)| (at as Row * 7 % 1_201, values)).collect();
    rows.chunks(90).for_each(|rows| filled.put(rows.to_vec()));
    filled
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn walks_give_what_lies_within_their_bounds((kinds, rows, specs, limit) in any_case()) {
        let filled = filled(&kinds, rows);
        for spec in &specs {
            let expected = filled.expected(spec);
            prop_assert_eq!(&filled.walk(spec), &expected, "{:?}", spec);
            let estimate = filled.index.estimate(&Sought::Walk(spec)).unwrap();
            prop_assert!(estimate <= filled.values.len());
            if filled.values.len() <= 256 {
                prop_assert_eq!(estimate, expected.len(), "one leaf is counted: {:?}", spec);
            }
        }
        // A limit that comes after the first leaf.
        for descending in [false, true] {
            let open = WalkSpec { prefix: vec![], from: Bound::Unbounded, to: Bound::Unbounded, descending };
            let mut walk = filled.index.walk(open.clone()).unwrap();
            let mut rows = Vec::new();
            walk.next(&mut rows);
            let first = rows.len();
            walk.limit_to(limit.as_ref().map(Vec::as_slice));
            // Further out, it changes nothing.
            walk.limit_to(Bound::Unbounded);
            while walk.next(&mut rows) {}
            let mut limited = open.clone();
            *(if descending { &mut limited.from } else { &mut limited.to }) = limit.clone();
            let within = filled.expected(&limited);
            let expected: Vec<Row> =
                filled.expected(&open).into_iter().enumerate().filter(|(at, row)| *at < first || within.contains(row)).map(|(_, row)| row).collect();
            prop_assert_eq!(rows, expected);
        }
        let missing: RowSet = filled.values.iter().filter(|(_, values)| values[..] == [Value::NULL]).map(|(row, _)| *row).collect();
        prop_assert_eq!(filled.index.null_rows(), missing);
        prop_assert_eq!(filled.index.records(), filled.values.len());
    }
}

/// Integers beyond 64 bits, looked up in an index of 64-bit keys.
#[test]
fn bounds_that_no_key_can_have() {
    let mut filled = Filled::new(&[(Kind::Int, true)], IndexDef::ordered);
    filled.put((0..10).map(|row| (row, vec![Value::from(i64::MIN + i64::from(row))])).collect());
    filled.put(vec![(10, vec![Value::from(i64::MAX)])]);
    let count = |from: Bound<i128>, to: Bound<i128>| {
        let tuple = |bound: Bound<i128>| bound.map(|n| vec![Value::from(n)]);
        let spec = WalkSpec { prefix: vec![], from: tuple(from), to: tuple(to), descending: true };
        let rows = filled.walk(&spec);
        assert_eq!(filled.index.estimate(&Sought::Walk(&spec)), Some(rows.len()));
        rows.len()
    };
    assert_eq!(count(Bound::Included(i128::MIN), Bound::Included(i128::MAX)), 11);
    assert_eq!(count(Bound::Excluded(i128::MIN), Bound::Excluded(i128::MAX)), 11);
    assert_eq!(count(Bound::Included(i128::MAX), Bound::Unbounded), 0);
    assert_eq!(count(Bound::Unbounded, Bound::Excluded(i128::MIN)), 0);
    assert_eq!(count(Bound::Excluded(i64::MAX.into()), Bound::Unbounded), 0);
    assert_eq!(count(Bound::Included(i64::MAX.into()), Bound::Unbounded), 1);
}

#[test]
fn no_walk_without_an_order_and_beyond_the_fields() {
    let open = |prefix: &[i64]| WalkSpec {
        prefix: prefix.iter().map(|n| Value::from(*n)).collect(),
        from: Bound::Unbounded,
        to: Bound::Included(vec![Value::from(1)]),
        descending: false,
    };
    let one = [(Kind::Int, true)];
    assert!(Filled::new(&one, IndexDef::equality).index.walk(open(&[])).is_none());
    let single = Filled::new(&one, IndexDef::ordered).index.clone();
    assert!(single.walk(open(&[])).is_some() && single.walk(open(&[1])).is_none());
    let two = Filled::new(&[(Kind::Int, true); 2], IndexDef::ordered).index.clone();
    assert!(two.walk(open(&[1])).is_some() && two.walk(open(&[1, 1])).is_none());
}

#[test]
fn estimates_of_values_are_exact_up_to_a_list_of_some() {
    for def in [IndexDef::equality, IndexDef::unique, IndexDef::ordered] {
        let mut filled = Filled::new(&[(Kind::Int, true)], def);
        let is_unique = filled.index.shape.def.kind() == crate::record::IndexKind::Unique;
        let value = |row: Row| if is_unique { Value::from(row) } else { Value::from(row % 100) };
        filled.put((0..2_000).map(|row| (row, vec![value(row)])).collect());
        filled.put((2_000..2_030).map(|row| (row, vec![Value::NULL])).collect());
        let each = if is_unique { 1 } else { 20 };
        let of = |value: Value| filled.index.estimate(&Sought::Value(value.as_ref())).unwrap();
        let near = |estimate: usize, truth: usize| estimate.abs_diff(truth) * 4 <= truth;
        assert_eq!((of(Value::from(7)), of(Value::from(-7)), of(Value::NULL)), (each, 0, 30));
        let any = |count: i64| {
            let values: Vec<Value> = (0..count).map(Value::from).collect();
            filled.index.estimate(&Sought::AnyOf(&values)).unwrap()
        };
        assert_eq!(any(10), 10 * each);
        assert_eq!(any(80), 80 * each, "they are all alike");
        let distinct = filled.index.distinct_estimate();
        assert!(near(distinct, if is_unique { 2_000 } else { 100 }), "{distinct}");
        assert_eq!(filled.index.records(), 2_030);
        // Removed entries are no longer counted.
        filled.put((0..2_030).map(|row| (row, vec![Value::NULL])).collect());
        assert_eq!(filled.index.estimate(&Sought::Value(ValueRef::Null)), Some(2_030));
        assert_eq!(filled.index.distinct_estimate(), 0);
    }
}

/// Estimates over many leaves are close, in whatever order the values were inserted.
#[test]
fn estimates_of_ranges_are_near() {
    const ROWS: u32 = 40_000;
    for step in [1, 7_919] {
        let mut filled = Filled::new(&[(Kind::Int, true)], IndexDef::ordered);
        let rows: Vec<_> =
            (0..ROWS).map(|row| (row, vec![Value::from(u64::from(row) * step % u64::from(ROWS))])).collect();
        rows.chunks(1_000).for_each(|rows| filled.put(rows.to_vec()));
        for (from, to) in [(0, ROWS), (100, 20_000), (39_000, 45_000), (500, 1_500), (777, 780), (5_000, 5_000)] {
            let truth = (to.min(ROWS) - from) as usize;
            let (from, to) = (Value::from(from), Value::from(to));
            let sought = Sought::Range(Bound::Included(&from), Bound::Excluded(&to));
            let estimate = filled.index.estimate(&sought).unwrap();
            assert!(estimate.abs_diff(truth) * 5 <= truth, "{estimate} for {truth}, step {step}");
        }
        assert_eq!(filled.index.distinct_estimate(), ROWS as usize);
    }
}

#[test]
fn estimates_of_prefixes() {
    let mut filled = Filled::new(&[(Kind::Int, true), (Kind::Int, true)], IndexDef::ordered);
    let value = |n: u32, missing: bool| if missing { Value::NULL } else { Value::from(n) };
    let rows = (0..30_000).map(|row| (row, vec![Value::from(row % 10), value(row / 10, row % 20 == 0)]));
    rows.collect::<Vec<_>>().chunks(1_000).for_each(|rows| filled.put(rows.to_vec()));
    let near = |estimate: Option<usize>, truth: usize| {
        let estimate = estimate.unwrap();
        assert!(estimate.abs_diff(truth) * 5 <= truth, "{estimate} for {truth}");
    };
    let (even, odd, low) = ([Value::from(0)], [Value::from(1)], Value::from(1_000));
    let (even, odd) = ([even[0].as_ref()], [odd[0].as_ref()]);
    near(filled.index.estimate(&Sought::Prefix(&odd, None)), 3_000);
    near(filled.index.estimate(&Sought::Prefix(&odd, Some((Bound::Unbounded, Bound::Excluded(&low))))), 1_000);
    near(filled.index.estimate(&Sought::Prefix(&even, Some((Bound::Unbounded, Bound::Unbounded)))), 1_500);
    near(filled.index.estimate(&Sought::Prefix(&[even[0], ValueRef::Null], None)), 1_500);
    near(filled.index.estimate(&Sought::Range(Bound::Unbounded, Bound::Included(&Value::from(4)))), 15_000);
    let distinct = filled.index.distinct_estimate();
    assert!((20_000..=30_000).contains(&distinct), "{distinct}");
    // Few values that fill many leaves each.
    let mut few = Filled::new(&[(Kind::Int, true)], IndexDef::ordered);
    few.put((0..30_000).map(|row| (row, vec![Value::from(row % 4)])).collect());
    assert!((2..=8).contains(&few.index.distinct_estimate()), "{}", few.index.distinct_estimate());
}

//! Compares columns with a list of values.

use super::page::PAGE_WORDS;
use super::read::{Encoding, Overflow, PageCells, RowCells};
use super::{Column, ColumnWriter};
use crate::error::Commit;
use crate::hash::{self, RandomState};
use crate::limits::PAGE_ROWS;
use crate::reclaim::Pins;
use crate::record::{FieldDef, Test, Values};
use crate::rowset::{Row, RowSet};
use memdex_query::value::{DecimalValue, Kind, Value, ValueRef};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Bound;

struct Tested {
    column: Column,
    writer: ColumnWriter,
    seed: RandomState,
    commit: Commit,
    model: BTreeMap<Row, Value>,
    rows: Row,
}

impl Tested {
    fn new(kind: Kind) -> Self {
        let (column, writer) = Column::new(0, &FieldDef::new("field", kind).optional());
        Tested { column, writer, seed: hash::seeded(7), commit: Commit::ZERO, model: BTreeMap::new(), rows: 0 }
    }

    fn of(values: impl IntoIterator<Item = Value>) -> Self {
        let values: Vec<Value> = values.into_iter().collect();
        let kind = values.iter().find_map(|value| value.as_ref().kind()).unwrap();
        let mut tested = Tested::new(kind);
        tested.put((0..).zip(values));
        tested
    }

    /// Commits these rows, which must ascend; a missing value is `NULL`.
    fn put(&mut self, cells: impl IntoIterator<Item = (Row, Value)>) {
        self.commit = self.commit.next();
        self.writer.clear();
        let mut rows = Vec::new();
        for (row, value) in cells {
            let cell = self.column.stage(&mut self.writer, &self.seed, value.as_ref());
            self.writer.cells.push(cell);
            rows.push(row);
            self.rows = self.rows.max(row + 1);
            match value.as_ref().is_null() {
                true => drop(self.model.remove(&row)),
                false => drop(self.model.insert(row, value)),
            }
        }
        self.column.admit(&mut self.writer, self.commit);
        let cells: Vec<_> = rows.into_iter().zip(std::mem::take(&mut self.writer.cells)).collect();
        self.column.apply(&mut self.writer, self.commit, &cells);
        self.column.reclaim_displaced(&mut self.writer, &Pins::on(&[]));
    }

    fn widths(&self, page: usize) -> Vec<usize> {
        self.column.pages().page(page).unwrap().widths().into_iter().map(|width| 1 << width).collect()
    }

    fn value(&self, row: Row) -> Value {
        self.model.get(&row).cloned().unwrap_or(Value::NULL)
    }

    /// The memory, which is compared with a walk.
    fn bytes(&self) -> usize {
        let counted = self.column.heap_bytes(&self.writer);
        assert_eq!(counted, self.column.walk_bytes(&self.writer));
        counted
    }

    /// Checks every way to read the column against the model.
    fn check(&self) {
        self.bytes();
        let mut values = 0;
        let flaws = self.column.audit(|row, value, _| {
            assert_eq!(self.value(row).as_ref(), value, "row {row}");
            values += usize::from(!value.is_null());
        });
        assert_eq!((flaws, values), (Vec::new(), self.model.len()));
        assert!(self.column.pages().len() * PAGE_ROWS >= self.rows as usize);
        let mut page = PageCells::default();
        for number in 0..=self.column.pages().len() {
            self.column.read_page(number, &mut page);
            let has_values = page.present.iter().any(|word| *word != 0);
            assert!(!has_values || self.column.zone(number).is_some(), "page {number} has values and no zone");
            for at in 0..PAGE_ROWS {
                let row = (number * PAGE_ROWS + at) as Row;
                let present = page.present[at / 64] >> (at % 64) & 1 == 1;
                self.check_cell(row, present, page.bits().get(at), &page.overflow);
            }
        }
        for step in [1, 1_300] {
            let rows: Vec<Row> = (0..self.rows + 1_500).step_by(step).collect();
            let mut cells = RowCells::default();
            self.column.read_rows(&rows, &mut cells);
            assert_eq!((cells.present.len(), cells.bits.len()), (rows.len(), rows.len()));
            for (at, row) in rows.iter().enumerate() {
                self.check_cell(*row, cells.present[at], cells.bits[at], &cells.overflow);
            }
        }
    }

    fn check_cell(&self, row: Row, present: bool, bits: u64, overflow: &Overflow) {
        let read = if present { self.column.value_of(row, bits, overflow) } else { Value::NULL };
        assert_eq!(read, self.value(row), "row {row}");
        if let (true, Some((low, high))) = (present, self.column.zone(row as usize / PAGE_ROWS)) {
            assert!(low <= bits && bits <= high, "row {row} is outside its zone");
        }
    }

    /// Upkeep narrows each zone to the values of its page. A zone may be wider before it, never narrower.
    fn tidy(&mut self) {
        self.column.tidy(&mut self.writer);
        (0..).map_while(|number| self.column.tidy_page(&self.writer, number)).for_each(drop);
        self.column.release_pages(&mut self.writer);
        let mut page = PageCells::default();
        for number in 0..self.column.pages().len() {
            self.column.read_page(number, &mut page);
            let cells = page.bits();
            let present = (0..PAGE_ROWS).filter(|at| page.present[at / 64] >> (at % 64) & 1 == 1);
            let bits: Vec<u64> = present.map(|at| cells.get(at)).collect();
            let values = bits.iter().copied().min().zip(bits.iter().copied().max());
            assert_eq!(self.column.zone(number), values, "zone of page {number}");
        }
    }

    fn check_test(&self, test: &Test) {
        let found: Vec<Row> = self.column.rows(test).iter().collect();
        let all = (self.column.pages().len() * PAGE_ROWS) as Row;
        let expected: Vec<Row> = (0..all).filter(|row| test.admits(self.value(*row).as_ref())).collect();
        assert_eq!(found, expected, "{test:?}");
        for step in [1, 3, 700] {
            let some: Vec<Row> = (0..all + 1_500).step_by(step).collect();
            let matches: Vec<Row> = self.column.rows_among(&RowSet::from_sorted(&some), test).iter().collect();
            let expected: Vec<Row> = some.into_iter().filter(|row| test.admits(self.value(*row).as_ref())).collect();
            assert_eq!(matches, expected, "{test:?}, step {step}");
        }
        assert!(self.column.estimate(test) <= all as usize);
    }
}

fn ints(values: impl IntoIterator<Item = i64>) -> impl Iterator<Item = Value> {
    values.into_iter().map(Value::from)
}

fn between(from: impl Into<Value>, to: impl Into<Value>) -> Test {
    Test::Range(Bound::Included(from.into()), Bound::Included(to.into()))
}

#[test]
fn first_values_decide_the_width_of_a_page() {
    let widths = |values: Vec<i64>| {
        let tested = Tested::of(ints(values));
        tested.check();
        tested.widths(0)
    };
    assert_eq!(widths(vec![3, 255]), [1]);
    assert_eq!(widths(vec![1_000_000, 1_000_255]), [1], "offsets from the page's base");
    assert_eq!(widths(vec![-1, 255]), [2]);
    assert_eq!(widths(vec![0, 65_536]), [4]);
    assert_eq!(widths(vec![-1_000, 1 << 40]), [8]);
    assert_eq!(widths(vec![i64::MIN]), [1]);
    assert_eq!(widths(vec![i64::MAX, i64::MAX - 3]), [1]);
    assert_eq!(widths(vec![i64::MIN, i64::MAX]), [8]);
}

#[test]
fn later_values_widen_a_page() {
    let mut tested = Tested::of(ints(0..200));
    tested.put([(5, Value::from(255)), (7, Value::NULL)]);
    assert_eq!(tested.widths(0), [1]);
    tested.check();
    for (value, widths) in
        [(-1_i64, &[1, 2][..]), (70_000, &[1, 2, 4]), (-(1 << 50), &[1, 2, 4, 8]), (i64::MAX, &[1, 2, 4, 8])]
    {
        tested.put([(6, Value::from(value))]);
        assert_eq!(tested.widths(0), widths, "{value}");
        tested.check();
        tested.check_test(&between(-1, 100));
        tested.check_test(&Test::Eq(Value::from(value)));
    }
    // From the narrowest width to the widest at once, and a value below the base.
    let mut tested = Tested::of(ints([5_000, 5_001]));
    tested.put([(1, Value::from(4_980))]);
    assert_eq!(tested.widths(0), [1], "the base leaves slack on both sides");
    tested.put([(PAGE_ROWS as Row, Value::from(1)), (PAGE_ROWS as Row + 1, Value::from(f64::MAX as i64))]);
    assert_eq!(tested.widths(1), [8]);
    tested.put([(0, Value::from(i64::MIN + 1))]);
    assert_eq!(tested.widths(0), [1, 8]);
    tested.check();
}

/// If records arrive one by one, a new page starts with the width that the previous page needs.
#[test]
fn a_page_with_few_values_takes_the_width_of_the_previous_page() {
    let mut tested = Tested::of(ints((0..PAGE_ROWS as i64).map(|n| n * 1_000)));
    (0..20).for_each(|n| tested.put([((PAGE_ROWS + n) as Row, Value::from(n as i64 * 1_000_003))]));
    assert_eq!((tested.widths(0), tested.widths(1)), (vec![4], vec![4]));
    tested.check();
}

#[test]
fn a_page_takes_no_memory_before_it_has_a_value() {
    let mut tested = Tested::new(Kind::Int);
    tested.put((0..10).map(|row| (row, Value::NULL)));
    let empty = tested.bytes();
    assert_eq!((tested.column.zone(0), tested.widths(0)), (None, vec![]));
    tested.check_test(&Test::IsNull);
    tested.put([(3, Value::from(1))]);
    assert_eq!(tested.bytes(), empty + PAGE_ROWS);
    tested.put([(4, Value::from(1_000))]);
    assert_eq!(tested.bytes(), empty + 3 * PAGE_ROWS, "the narrower level is retained");
}

#[test]
fn values_beyond_64_bits_are_overflow_values() {
    let wide = [
        Value::from(u64::MAX),
        Value::from(i128::MIN),
        Value::from(u128::MAX),
        Value::from(i64::MAX),
        Value::from(i64::MIN),
    ];
    let mut tested = Tested::of(wide.iter().cloned().chain(ints([0, i64::MAX - 1, i64::MIN + 1])));
    tested.check();
    let tests: Vec<Test> = wide
        .iter()
        .flat_map(|value| {
            let (eq, ne) = (Test::Eq(value.clone()), Test::Ne(value.clone()));
            let above = Test::Range(Bound::Excluded(value.clone()), Bound::Unbounded);
            let from = Test::Range(Bound::Included(value.clone()), Bound::Unbounded);
            let below = Test::Range(Bound::Unbounded, Bound::Excluded(value.clone()));
            [eq, ne, above, from, below]
        })
        .collect();
    tests.iter().for_each(|test| tested.check_test(test));
    // Several of these values share an escape.
    tested.check_test(&Test::In(Values::new(wide.iter().cloned().chain(ints([0])).collect())));
    // Change between overflow values and ordinary ones, in both directions.
    tested.put([(0, Value::from(1)), (1, Value::NULL), (3, Value::from(u64::MAX - 1)), (5, Value::from(u64::MAX))]);
    tested.check();
    tests.iter().for_each(|test| tested.check_test(test));
    tested.put((0..8).map(|row| (row, Value::from(row))));
    tested.check();
    let before = tested.bytes();
    assert_eq!(
        (tested.column.tidy_page(&tested.writer, 0), tested.column.tidy_page(&tested.writer, 64)),
        (Some(true), None)
    );
    assert!(tested.bytes() < before);
}

#[test]
fn only_upkeep_narrows_zones() {
    let mut tested = Tested::of(ints([5, 70, 1_000]));
    let bits = |n: i64| n.cast_unsigned() ^ (1 << 63);
    assert_eq!(tested.column.zone(0), Some((bits(5), bits(1_000))));
    tested.put([(0, Value::NULL), (2, Value::from(60))]);
    assert_eq!(tested.column.zone(0), Some((bits(5), bits(1_000))));
    tested.column.tidy_page(&tested.writer, 0);
    assert_eq!(tested.column.zone(0), Some((bits(60), bits(70))));
    tested.put([(1, Value::NULL), (2, Value::NULL)]);
    assert_eq!(tested.column.zone(0), Some((bits(60), bits(70))), "the zone of the removed values");
    tested.check();
    tested.tidy();
    assert_eq!((tested.column.zone(0), tested.column.zone(7)), (None, None));
}

/// The rows span several chunks of the row set, and some pages have no values.
#[test]
fn a_scan_skips_pages_or_matches_them_whole() {
    let values = (0..150_000).map(|n| if n / 10_000 % 3 == 1 { Value::NULL } else { Value::from(n) });
    let mut tested = Tested::of(values);
    for (from, to) in
        [(0, 149_999), (-5, 500), (70_000, 70_000), (65_000, 66_600), (12_000, 13_000), (200_000, 300_000)]
    {
        tested.check_test(&between(from, to));
    }
    tested.check_test(&Test::IsNull);
    tested.check_test(&Test::Ne(Value::from(99_999)));
    tested.check_test(&Test::In(Values::new((0..30).map(|n| Value::from(n * 4_999)).collect())));
    tested.put((0..150_000).step_by(1_000).map(|row| (row, Value::from(7))));
    tested.check_test(&Test::Eq(Value::from(7)));
}

#[test]
fn codes_start_at_zero_and_are_reused() {
    let texts = |n: u32| Value::from(format!("value {n}"));
    let mut tested = Tested::of((0..5_000).map(|n| texts(n % 300)));
    assert_eq!(tested.column.encoding(), Encoding::Codes);
    assert_eq!(tested.widths(0), [2]);
    tested.check();
    tested.column.with_dictionary(|values| assert_eq!(values.len(), 300));
    for test in [Test::Eq(texts(7)), Test::Ne(texts(7)), between(texts(1), texts(25)), between("w", "x"), Test::IsNull]
    {
        tested.check_test(&test);
    }
    // Every other value, so that the test has many runs.
    let odd = (0..300).filter(|n| n % 2 == 1).map(texts);
    tested.check_test(&Test::In(Values::new(odd.collect())));
    tested.put((0..5_000).map(|row| (row, if row % 2 == 0 { texts(row % 4) } else { Value::NULL })));
    tested.column.tidy(&mut tested.writer);
    tested.check();
    tested.put([(1, texts(1_000))]);
    tested.column.with_dictionary(|values| assert!(values.len() <= 300));
    tested.check();
}

/// Invariant 12: a code that a pinned reader has read keeps its value.
#[test]
fn a_code_visible_to_a_pin_keeps_its_value() {
    let mut tested = Tested::of([Value::from("a"), Value::from("b")]);
    let mut cells = RowCells::default();
    tested.column.read_rows(&[0], &mut cells);
    let pinned = tested.commit;
    let commit = tested.commit.next();
    for (row, text) in [(0, "c"), (0, "d"), (0, "e")] {
        tested.writer.clear();
        let cell = tested.column.stage(&mut tested.writer, &tested.seed, ValueRef::Str(text));
        tested.writer.cells.push(cell);
        tested.column.admit(&mut tested.writer, commit);
        let cell = tested.writer.cells[0];
        tested.column.apply(&mut tested.writer, commit, &[(row, cell)]);
        tested.column.reclaim_displaced(&mut tested.writer, &Pins::on(&[pinned]));
        tested.column.tidy(&mut tested.writer);
        assert_eq!(tested.column.value_of(0, cells.bits[0], &cells.overflow), Value::from("a"));
    }
    assert!(tested.column.end(&mut tested.writer, pinned, &Pins::on(&[]), &mut 100));
    assert_eq!(tested.column.value_of(0, cells.bits[0], &cells.overflow), Value::NULL, "the pin has ended");
}

#[test]
fn estimates_are_close() {
    let tested = Tested::of((0..10_000).map(|n| if n % 4 == 3 { Value::NULL } else { Value::from(n) }));
    for (test, least, most) in [
        (between(0, 20_000), 7_500, 7_500),
        (between(0, 999), 600, 900),
        (Test::Eq(Value::from(5)), 1, 3),
        (Test::Ne(Value::from(5)), 7_490, 7_500),
        (between(50_000, 60_000), 0, 0),
        (Test::IsNull, 2_500, 10_000),
    ] {
        let estimate = tested.column.estimate(&test);
        assert!((least..=most).contains(&estimate), "{test:?}: {estimate}");
    }
    let coded = Tested::of((0..1_000).map(|n| Value::from(format!("{}", n % 4))));
    assert_eq!(coded.column.estimate(&Test::Eq(Value::from("1"))), 250);
    assert_eq!(coded.column.estimate(&Test::Ne(Value::from("1"))), 750);
    let many = Tested::of((0..1_000).map(|n| Value::from(format!("{n}"))));
    assert_eq!(many.column.estimate(&Test::Eq(Value::from("1"))), 1);
    assert_eq!(many.column.estimate(&between("1", "2")), 334);
}

/// Values of one kind: some close together, some far apart, and the extremes of the kind.
fn values_of(kind: Kind) -> BoxedStrategy<Value> {
    let far = |nanos: Vec<i128>| prop::sample::select(nanos).prop_map(|nanos| ValueRef::Timestamp(nanos).to_value());
    match kind {
        Kind::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Kind::Int => prop_oneof![
            6 => (-3..300_i64).prop_map(Value::from),
            1 => any::<i64>().prop_map(Value::from),
            1 => prop::sample::select(vec![i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX]).prop_map(Value::from),
            1 => prop::sample::select(vec![i128::MIN, -1 << 64, 1 << 63, u64::MAX.into(), i128::MAX]).prop_map(Value::from),
            1 => Just(Value::from(u128::MAX)),
        ]
        .boxed(),
        Kind::Float => prop_oneof![
            (-3..3_i8).prop_map(|n| Value::from(f64::from(n) / 2.0)),
            any::<f64>().prop_map(Value::from),
            prop::sample::select(vec![-0.0, 0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE])
                .prop_map(Value::from),
        ]
        .boxed(),
        Kind::Char => prop_oneof![
            prop::sample::select(vec!['\0', 'a', 'b', char::MAX]).prop_map(Value::from),
            any::<char>().prop_map(Value::from),
        ]
        .boxed(),
        Kind::Str => "[ab]{0,3}".prop_map(Value::from).boxed(),
        Kind::Bytes => prop::collection::vec(0..2_u8, 0..3).prop_map(Value::from).boxed(),
        Kind::Uuid => (0..5_u8).prop_map(|n| ValueRef::Uuid([n; 16]).to_value()).boxed(),
        Kind::Timestamp => prop_oneof![
            4 => far((0..200).map(|n| 1_700_000_000_000_000_000 + n).collect()),
            1 => far(vec![i64::MIN.into(), i64::MIN as i128 - 1, i64::MAX as i128 + 1, i64::MAX.into(), 0]),
            1 => far(vec![i128::MIN, i128::MAX]),
        ]
        .boxed(),
        Kind::Date => prop_oneof![4 => 19_000..19_300, 1 => any::<i32>(), 1 => prop::sample::select(vec![i32::MIN, i32::MAX])]
            .prop_map(|days| ValueRef::Date(days).to_value())
            .boxed(),
        Kind::Decimal => (-5..5_i128, 0..2_u8)
            .prop_map(|(units, scale)| ValueRef::Decimal(DecimalValue::new(units, scale).unwrap()).to_value())
            .boxed(),
    }
}

const KINDS: [Kind; 10] = [
    Kind::Bool,
    Kind::Int,
    Kind::Float,
    Kind::Char,
    Kind::Str,
    Kind::Bytes,
    Kind::Uuid,
    Kind::Timestamp,
    Kind::Date,
    Kind::Decimal,
];

fn any_bound(kind: Kind) -> BoxedStrategy<Bound<Value>> {
    prop_oneof![
        3 => values_of(kind).prop_map(Bound::Included),
        3 => values_of(kind).prop_map(Bound::Excluded),
        1 => Just(Bound::Unbounded),
    ]
    .boxed()
}

fn any_test(kind: Kind) -> BoxedStrategy<Test> {
    prop_oneof![
        3 => values_of(kind).prop_map(Test::Eq),
        2 => values_of(kind).prop_map(Test::Ne),
        2 => prop::collection::vec(values_of(kind), 0..20).prop_map(|values| Test::In(Values::new(values))),
        4 => (any_bound(kind), any_bound(kind)).prop_map(|(from, to)| Test::Range(from, to)),
        1 => Just(Test::IsNull),
    ]
    .boxed()
}

type Scenario = (Kind, Vec<Vec<(Row, Value)>>, Vec<Test>);

fn any_scenario() -> BoxedStrategy<Scenario> {
    let of_kind = |kind: Kind| {
        let value = prop_oneof![5 => values_of(kind), 1 => Just(Value::NULL)];
        let cell = (prop_oneof![4 => 0..40_u32, 1 => 0..2_100_u32], value);
        let batch = prop::collection::btree_map(cell.0, cell.1, 1..30).prop_map(|cells| cells.into_iter().collect());
        (Just(kind), prop::collection::vec(batch, 1..6), prop::collection::vec(any_test(kind), 8))
    };
    prop::sample::select(KINDS.to_vec()).prop_flat_map(of_kind).boxed()
}

proptest! {
    /// For columns of every kind, a scan returns the same rows as evaluating the test on each value.
    #[test]
    fn a_scan_equals_a_filter_over_all_values((kind, batches, tests) in any_scenario()) {
        let mut tested = Tested::new(kind);
        for (at, batch) in batches.into_iter().enumerate() {
            tested.put(batch);
            if at % 2 == 1 {
                tested.tidy();
            }
            tests.iter().for_each(|test| tested.check_test(test));
        }
        tested.check();
        tested.tidy();
        tested.check();
    }
}

/// Prints timings and asserts nothing: `cargo test --release --lib column_timings -- --ignored --nocapture`.
#[test]
#[ignore = "prints timings"]
fn column_timings() {
    const ROWS: i64 = 1_000_000;
    let timed = |name: &str, run: &mut dyn FnMut() -> usize| {
        let mut best = std::time::Duration::MAX;
        let mut result = 0;
        for _ in 0..30 {
            let started = std::time::Instant::now();
            result = std::hint::black_box(run());
            best = best.min(started.elapsed());
        }
        println!("{name}: {best:?} ({result})");
    };
    let spread = |n: i64, to: i64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64).rem_euclid(to);
    for to in [200, 60_000, 4_000_000_000, i64::MAX] {
        let tested = Tested::of(ints((0..ROWS).map(|n| spread(n, to))));
        let width = tested.widths(5);
        timed(&format!("rows, wide range, {width:?} bytes"), &mut || {
            tested.column.rows(&between(to / 8, to / 8 * 7)).len()
        });
        timed(&format!("rows, one value, {width:?} bytes"), &mut || {
            tested.column.rows(&Test::Eq(Value::from(7))).len()
        });
        let mut page = PageCells::default();
        timed(&format!("all pages, {width:?} bytes"), &mut || {
            let pages = 0..tested.column.pages().len();
            pages.fold(0, |sum, number| {
                tested.column.read_page(number, &mut page);
                sum ^ page.bits().get(PAGE_ROWS - 1) as usize
            })
        });
        let rows: Vec<Row> = (0..ROWS as Row).step_by(97).collect();
        let mut cells = RowCells::default();
        timed(&format!("{} random rows, {width:?} bytes", rows.len()), &mut || {
            tested.column.read_rows(&rows, &mut cells);
            cells.bits.len()
        });
    }
    let tested = Tested::of((0..ROWS).map(|n| Value::from(["new", "paid", "sent", "done"][spread(n, 4) as usize])));
    let mut page = PageCells::default();
    timed("all pages, four codes", &mut || {
        let pages = 0..tested.column.pages().len();
        pages.fold(0, |sum, number| {
            tested.column.read_page(number, &mut page);
            sum ^ page.bits().get(PAGE_WORDS) as usize
        })
    });
    timed("rows, one of four codes", &mut || tested.column.rows(&Test::Eq(Value::from("paid"))).len());
}

/// Upkeep gives pages back that have lost all their values, and a reader that took the list before still reads it.
#[test]
fn pages_without_values_are_given_back() {
    const PAGES: u32 = 16;
    let rows = PAGES * PAGE_ROWS as Row;
    let mut tested = Tested::of((0..rows).map(|row| Value::from(i64::from(row) * 1_000)));
    let full = tested.column.heap_bytes(&tested.writer);
    let before = tested.column.pages();
    // All but one row of the last page but one.
    let left = rows - PAGE_ROWS as Row - 5;
    tested.put((0..rows).filter(|row| *row != left).map(|row| (row, Value::NULL)));
    tested.tidy();
    let kept: Vec<usize> = (0..PAGES as usize).filter(|page| tested.column.pages().page(*page).is_some()).collect();
    assert_eq!(kept, [PAGES as usize - 2]);
    assert!(tested.column.heap_bytes(&tested.writer) < full / 8);
    assert!(before.page(0).is_some_and(|page| page.zone().is_none()), "a reader finds the page without values");
    tested.check();
    let places = tested.column.pages().len() * PAGE_ROWS;
    assert_eq!(tested.column.rows(&Test::IsNull).len(), places - 1);
    tested.put([(3, Value::from(7)), (rows - 1, Value::from(8))]);
    tested.check();
    assert_eq!(tested.column.rows(&between(i64::MIN, i64::MAX)).len(), 3);
    tested.tidy();
    tested.check();
}

//! Random queries over described fields; a seed determines them.

use super::naive::folded;
use memdex::aggregate::{DateUnit, Statistics};
use memdex::query::{OrderBy, Predicate, TextOp, TextTest};
use memdex::typing::{DecimalValue, ValueRef};
use memdex::{Bucket, GroupBy, Kind, Metric, Query, Value, field};
use std::ops::Bound;

/// SplitMix64, by Steele, Lea and Flood.
#[derive(Clone, Debug)]
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// True in one of `times` calls on average.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// A field for generated queries.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) many: bool,
    /// Values for conditions. Some occur in records, others do not.
    pub(super) samples: Vec<Value>,
    /// Widths of numeric buckets.
    pub(super) widths: Vec<Value>,
    /// Whether the samples are so close together that few buckets lie between them.
    pub(super) near: bool,
    /// Whether it ignores case.
    pub(super) nocase: bool,
}

impl Column {
    fn is_number(&self) -> bool {
        matches!(self.kind, Kind::Int | Kind::Float | Kind::Decimal)
    }

    fn is_calendar(&self) -> bool {
        matches!(self.kind, Kind::Timestamp | Kind::Date)
    }
}

/// Generates queries.
pub(super) struct Generator {
    pub(super) rng: Rng,
    pub(super) collection: &'static str,
    pub(super) columns: Vec<Column>,
    /// The deepest nesting of groups.
    pub(super) levels: usize,
    /// Time zones of date buckets.
    pub(super) zones: Vec<&'static str>,
    /// Whether to use patterns and case-insensitive tests.
    pub(super) patterns: bool,
}

impl Generator {
    fn column(&mut self) -> Column {
        let Generator { rng, columns, .. } = self;
        rng.pick(columns).clone()
    }

    /// A random column that satisfies a condition; the first column if none is found.
    fn column_where(&mut self, accepts: impl Fn(&Column) -> bool) -> Column {
        for _ in 0..100 {
            let column = self.column();
            if accepts(&column) {
                return column;
            }
        }
        self.columns[0].clone()
    }

    fn values(&mut self, column: &Column, max: usize) -> Vec<Value> {
        (0..self.rng.below(max + 1)).map(|_| self.operand(column)).collect()
    }

    /// A value to compare a column with; some numbers are of another kind.
    fn operand(&mut self, column: &Column) -> Value {
        let value = self.rng.pick(&column.samples).clone();
        if column.is_number() && self.rng.once_in(4) { self.in_other_kind(&value) } else { value }
    }

    /// A number near another one, of any kind.
    fn in_other_kind(&mut self, value: &Value) -> Value {
        let x = match value.as_ref() {
            ValueRef::Int(n) => n as f64,
            ValueRef::Int128(n) => n as f64,
            ValueRef::Float(x) => x,
            ValueRef::Decimal(number) => number.units() as f64 / 10_f64.powi(number.scale().into()),
            other => panic!("{other} is not a number"),
        };
        let x = x + self.rng.pick(&[0.0, 0.5, -0.25]);
        match self.rng.below(8) {
            0..=2 => Value::from(x),
            3 | 4 if x.abs() < 1e30 => format!("{x:.2}").parse::<DecimalValue>().unwrap().into(),
            5 | 6 if x.abs() < 1e37 => Value::from(x as i128),
            // Beyond the exact integers among floats, and beyond all integers.
            _ => {
                let numbers = [
                    Value::from((1_i64 << 53) + 1),
                    Value::from(9e15 + 0.5),
                    Value::from(1e300),
                    Value::from(f64::INFINITY),
                    Value::from(f64::NEG_INFINITY),
                    Value::from(f64::NAN),
                ];
                self.rng.pick(&numbers).clone()
            }
        }
    }

    pub(super) fn predicate(&mut self, depth: usize) -> Predicate {
        let parts = |generator: &mut Generator| {
            (0..generator.rng.below(4)).map(|_| generator.predicate(depth - 1)).collect::<Vec<_>>()
        };
        match self.rng.below(if depth == 0 { 14 } else { 22 }) {
            0 => Predicate::All,
            14..=16 => Predicate::all_of(parts(self)),
            17..=19 => Predicate::any_of(parts(self)),
            20..=21 => !self.predicate(depth - 1),
            _ => self.test(),
        }
    }

    fn test(&mut self) -> Predicate {
        let column = self.column();
        let name = column.name.into();
        let value = self.operand(&column);
        if self.rng.once_in(8) {
            return Predicate::IsNull(name);
        }
        if column.many && self.rng.once_in(2) {
            let values = self.values(&column, 3);
            return if self.rng.once_in(2) { Predicate::AnyOf(name, values) } else { Predicate::AllOf(name, values) };
        }
        if column.kind == Kind::Str && self.rng.once_in(3) {
            return Predicate::Text(name, self.text(&value));
        }
        match self.rng.below(8) {
            0..=2 => Predicate::Eq(name, value),
            3 => Predicate::Ne(name, value),
            4 => Predicate::In(name, self.values(&column, 4)),
            _ => {
                let from = self.bound(&column);
                let to = self.bound(&column);
                Predicate::Range(name, from, to)
            }
        }
    }

    /// A test that is derived from a string.
    fn text(&mut self, sample: &Value) -> TextTest {
        let ValueRef::Str(sample) = sample.as_ref() else { panic!("{sample} is not a string") };
        let mut chars: Vec<char> = sample.chars().collect();
        let mut pattern = self.patterns && self.rng.once_in(2);
        let ops = [TextOp::StartsWith, TextOp::EndsWith, TextOp::Contains, TextOp::Eq];
        let mut op = *self.rng.pick(&ops);
        // A part of the string.
        for _ in 0..self.rng.below(chars.len() + 1) {
            let at = if op == TextOp::EndsWith { 0 } else { chars.len() - 1 };
            chars.remove(at);
        }
        let mut text: String = chars.into_iter().collect();
        if pattern && self.rng.once_in(2) {
            (op, pattern) = (TextOp::Like, self.rng.once_in(3));
            text = text.chars().flat_map(|c| self.like(c)).collect();
            if self.rng.once_in(2) {
                text.push('%');
            }
        }
        let text = if self.rng.once_in(4) { text.to_uppercase() } else { text };
        if pattern { TextTest::ignoring_case(op, text) } else { TextTest::new(op, text) }
    }

    /// A pattern for a character.
    fn like(&mut self, c: char) -> Vec<char> {
        match self.rng.below(6) {
            0 => vec!['_'],
            1 => vec!['%'],
            2 => vec![c, '%'],
            3 => vec!['\\', c],
            _ if matches!(c, '%' | '_' | '\\') && self.rng.once_in(2) => vec!['\\', c],
            _ if c == '\\' => vec!['\\', c],
            _ => vec![c],
        }
    }

    fn bound(&mut self, column: &Column) -> Bound<Value> {
        let value = self.operand(column);
        match self.rng.below(3) {
            0 => Bound::Unbounded,
            1 => Bound::Included(value),
            _ => Bound::Excluded(value),
        }
    }

    pub(super) fn order(&mut self, max: usize) -> Vec<OrderBy> {
        let count = self.rng.below(max + 1);
        let order = (0..count).map(|_| {
            let column = self.column_where(|column| !column.many);
            let by = field(column.name);
            let by = if self.rng.once_in(2) { by.asc() } else { by.desc() };
            match self.rng.below(3) {
                0 => by.nulls_first(),
                1 => by.nulls_last(),
                _ => by,
            }
        });
        order.collect()
    }

    /// A query for all selected records or for a page of them.
    pub(super) fn record_query(&mut self, largest_page: usize) -> Query {
        let query = Query::over([self.collection]).filter(self.predicate(3));
        if self.rng.once_in(4) {
            return query;
        }
        let query = query.order_by(self.order(4));
        let query = if self.rng.once_in(8) { query } else { query.limit(1 + self.rng.below(largest_page)) };
        let query = if self.rng.once_in(4) { query.offset(self.rng.below(2 * largest_page)) } else { query };
        if self.rng.once_in(3) { query.with_total() } else { query }
    }

    /// A statistics query.
    pub(super) fn aggregation_query(&mut self) -> Query {
        let query = Query::over([self.collection]).filter(self.predicate(2));
        let levels = self.rng.below(self.levels + 1);
        let statistics = self.statistics(levels);
        query.statistics(statistics)
    }

    fn statistics(&mut self, levels: usize) -> Statistics {
        // SQL can compute either groups or totals, not both.
        let metrics = if levels > 0 && self.levels == 1 { Vec::new() } else { self.metrics() };
        let statistics = Statistics::of(metrics);
        if levels == 0 { statistics } else { statistics.group_by(self.groups(levels - 1)) }
    }

    fn metrics(&mut self) -> Vec<Metric> {
        let count = 1 + self.rng.below(4);
        (0..count).map(|at| self.metric().named(format!("metric {at}"))).collect()
    }

    fn metric(&mut self) -> Metric {
        // SQL tables have no column of many values.
        let many = self.levels > 1;
        let any = self.column_where(|column| many || !column.many).name;
        let number = self.column_where(|column| column.is_number() && !column.many).name;
        // SQL has no mode.
        let metric = match self.rng.below(if self.levels > 1 { 12 } else { 11 }) {
            0 | 1 => Metric::count(),
            2 => field(any).count(),
            3 => field(any).min(),
            4 => field(any).max(),
            5 => field(any).distinct(),
            6 => field(number).sum(),
            7 => field(number).avg(),
            8 => field(number).stddev(),
            9 => field(number).stddev_pop(),
            11 => field(any).mode(),
            _ => {
                let percents = [0.0, 25.0, 50.0, 90.0, 99.5, 100.0];
                field(number).percentile(*self.rng.pick(&percents))
            }
        };
        if self.rng.once_in(4) { metric.filter(self.predicate(1)) } else { metric }
    }

    fn groups(&mut self, levels: usize) -> GroupBy {
        let parts = if self.rng.once_in(4) { 2 } else { 1 };
        let buckets: Vec<Bucket> = (0..parts).map(|_| self.bucket(parts == 1)).collect();
        let fillable = self.levels > 1 && buckets.len() == 1 && self.has_few_buckets(&buckets[0]);
        let metrics = self.metrics();
        let ranked_by = self.rng.pick(&metrics).name.clone();
        let mut groups = GroupBy::new(buckets).metrics(metrics);
        match self.rng.below(5) {
            0 => groups = groups.top(1 + self.rng.below(5), ranked_by),
            1 => groups = groups.bottom(1 + self.rng.below(5), ranked_by),
            2 if fillable => groups = groups.with_empty(),
            _ => {}
        }
        if levels > 0 { groups.group_by(self.groups(levels - 1)) } else { groups }
    }

    /// Whether the number of buckets between any two values of the field is small.
    fn has_few_buckets(&self, bucket: &Bucket) -> bool {
        match bucket {
            Bucket::Width { field, .. } => self.columns.iter().any(|column| column.name == field && column.near),
            Bucket::Date { unit, .. } => matches!(unit, DateUnit::Month | DateUnit::Quarter | DateUnit::Year),
            _ => false,
        }
    }

    /// A range between two of these sorted values, or with one open bound.
    fn range(&mut self, values: &[Value]) -> (Option<Value>, Option<Value>) {
        let from = self.rng.below(values.len());
        let to = from + 1 + self.rng.below(values.len());
        let from = (!self.rng.once_in(4)).then(|| values[from].clone());
        (from, values.get(to).cloned())
    }

    fn bucket(&mut self, only_bucket: bool) -> Bucket {
        match self.rng.below(if only_bucket { 8 } else { 6 }) {
            0..=2 => Bucket::values(self.column().name),
            3 | 4 => {
                let column = self.column_where(|column| !column.widths.is_empty() && !column.many);
                let width = self.rng.pick(&column.widths).clone();
                if self.rng.once_in(2) {
                    return Bucket::width(column.name, width);
                }
                let offset = self.rng.pick(&column.samples).clone();
                Bucket::width_from(column.name, width, offset)
            }
            5 => {
                let column = self.column_where(|column| column.is_calendar() && !column.many);
                let units = [
                    DateUnit::Minute,
                    DateUnit::Hour,
                    DateUnit::Day,
                    DateUnit::Week,
                    DateUnit::Month,
                    DateUnit::Quarter,
                    DateUnit::Year,
                ];
                // Dates have no hours and no time zone.
                let units = if column.kind == Kind::Date { &units[2..] } else { &units };
                let zone = if column.kind == Kind::Date { "UTC" } else { self.rng.pick(&self.zones) };
                let unit = *self.rng.pick(units);
                // The naive calendar of named zones has single units only, and so does SQL for months and longer ones.
                let months = matches!(unit, DateUnit::Month | DateUnit::Quarter | DateUnit::Year);
                let several = !zone.contains('/') && (self.levels > 1 || !months);
                if !several || self.rng.once_in(2) {
                    return Bucket::date_in(column.name, unit, zone);
                }
                let days = 86_400 * (self.rng.below(9) as i64 - 4);
                let offset = if column.kind == Kind::Date { days } else { days + 1_800 * self.rng.below(9) as i64 };
                let step = unit.every(1 + self.rng.below(40) as u32).offset_seconds(offset);
                Bucket::date_in(column.name, step, zone)
            }
            _ => {
                let column = self.column_where(|column| !column.many);
                let mut bounds = column.samples.clone();
                let compared = |value: &Value| match value.as_str() {
                    Some(text) if column.nocase => Value::from(folded(text)),
                    _ => value.clone(),
                };
                bounds.sort_by_key(compared);
                bounds.dedup_by_key(|value| compared(value));
                let count = 1 + self.rng.below(3);
                let ranges: Vec<_> = (0..count).map(|_| self.range(&bounds)).collect();
                Bucket::ranges(column.name, ranges)
            }
        }
    }
}

//! A naive evaluator: plain loops over all records, with its own values and comparisons. It shares with the engine
//! only the `Query`, which is plain data.

use memdex::query::{Direction, Nulls, OrderBy, Predicate, TextOp, TextTest};
use memdex::typing::ValueRef;
use memdex::{Kind, Value};
use std::cmp::Ordering;
use std::ops::Bound;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Val {
    Bool(bool),
    Int(i128),
    Float(f64),
    Char(char),
    Text(String),
    /// A text of a field that ignores case. It is compared with texts too.
    Folded(String),
    Bytes(Vec<u8>),
    Uuid([u8; 16]),
    /// Nanoseconds.
    Time(i128),
    /// Days.
    Date(i64),
    /// Millionths.
    Decimal(i128),
}

/// Equal for characters that differ in case only: the lower case, as upper case and as lower case again. The upper case
/// of `ı` is that of `i`, which differs from it.
fn cases(c: char) -> String {
    if c == 'ı' {
        c.into()
    } else {
        c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
    }
}

/// The key of a text whose case is ignored. Its letters have cases of one character.
pub(super) fn folded(text: &str) -> String {
    text.chars().map(cases).collect()
}

/// Decimals are stored as integers in units of `10^-SCALE`.
const SCALE: u32 = 6;

impl Val {
    /// Converts a value of the engine to a kind; `None` if it is missing.
    pub(super) fn of(value: ValueRef<'_>, kind: Kind) -> Option<Val> {
        let millionths = |units: i128, scale: u8| units * 10_i128.pow(SCALE - u32::from(scale));
        Some(match (value, kind) {
            (ValueRef::Null, _) => return None,
            (ValueRef::Int(n), Kind::Float) => Val::Float(n as f64),
            (ValueRef::Int(n), Kind::Decimal) => Val::Decimal(millionths(n.into(), 0)),
            (ValueRef::Str(text), Kind::Timestamp | Kind::Date | Kind::Uuid | Kind::Decimal) => {
                let read = Value::from_text(kind, text).unwrap_or_else(|| panic!("{text:?} is not a {kind}"));
                return Val::of(read.as_ref(), kind);
            }
            (ValueRef::Bool(b), _) => Val::Bool(b),
            (ValueRef::Int(n), _) => Val::Int(n.into()),
            (ValueRef::Int128(n), _) => Val::Int(n),
            (ValueRef::Float(x), _) => Val::Float(x),
            (ValueRef::Char(c), _) => Val::Char(c),
            (ValueRef::Str(s), _) => Val::Text(s.to_owned()),
            (ValueRef::Bytes(bytes), _) => Val::Bytes(bytes.to_vec()),
            (ValueRef::Uuid(bytes), _) => Val::Uuid(bytes),
            (ValueRef::Timestamp(nanos), _) => Val::Time(nanos),
            (ValueRef::Date(days), _) => Val::Date(days.into()),
            (ValueRef::Decimal(number), _) => Val::Decimal(millionths(number.units(), number.scale())),
            (other, _) => panic!("{other} is not supported"),
        })
    }

    /// The other side of a comparison: a number keeps its kind.
    pub(super) fn operand(value: ValueRef<'_>, kind: Kind) -> Option<Val> {
        let own = value.kind().filter(|own| matches!(own, Kind::Int | Kind::Float | Kind::Decimal));
        Val::of(value, own.unwrap_or(kind))
    }

    /// The order of two values of one kind, or of two numbers. NaN is the greatest number, and there is one zero.
    pub(super) fn order(&self, other: &Val) -> Ordering {
        match (self, other) {
            (Val::Bool(a), Val::Bool(b)) => a.cmp(b),
            (Val::Int(a), Val::Int(b)) | (Val::Time(a), Val::Time(b)) | (Val::Decimal(a), Val::Decimal(b)) => a.cmp(b),
            (Val::Float(a), Val::Float(b)) => match a.partial_cmp(b) {
                Some(order) => order,
                None => a.is_nan().cmp(&b.is_nan()),
            },
            (Val::Char(a), Val::Char(b)) => a.cmp(b),
            (Val::Text(a), Val::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Val::Folded(a), Val::Folded(b) | Val::Text(b)) | (Val::Text(a), Val::Folded(b)) => {
                folded(a).as_bytes().cmp(folded(b).as_bytes())
            }
            (Val::Bytes(a), Val::Bytes(b)) => a.cmp(b),
            (Val::Uuid(a), Val::Uuid(b)) => a.cmp(b),
            (Val::Date(a), Val::Date(b)) => a.cmp(b),
            (a, b) => a.number().partial_cmp(&b.number()).expect("every part is comparable"),
        }
    }

    /// A number by its digits, in the order of numbers: its sign, or that of infinity; then, of two negative numbers
    /// reversed, the number of digits before the point, these digits, and those behind it.
    fn number(&self) -> (i8, Digits) {
        // Rust prints all digits of a float.
        let text = match self {
            Val::Int(n) => n.to_string(),
            Val::Decimal(n) => {
                let unit = 10_u128.pow(SCALE);
                let sign = if *n < 0 { "-" } else { "" };
                format!("{sign}{}.{:06}", n.unsigned_abs() / unit, n.unsigned_abs() % unit)
            }
            Val::Float(x) if x.is_nan() => return (3, Digits::default()),
            Val::Float(x) if x.is_infinite() => return (if *x < 0.0 { -2 } else { 2 }, Digits::default()),
            Val::Float(x) => format!("{x:.1100}"),
            other => panic!("{other:?} is not a number"),
        };
        let magnitude = text.trim_start_matches('-');
        let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let is_zero = whole.is_empty() && fraction.is_empty();
        let sign = if is_zero {
            0
        } else if text.starts_with('-') {
            -1
        } else {
            1
        };
        (sign, Digits { negative: sign < 0, digits: (whole.len(), whole.to_owned(), fraction.to_owned()) })
    }

    /// The order, and that of the spellings of equal texts.
    pub(super) fn order_as_written(&self, other: &Val) -> Ordering {
        self.order(other).then_with(|| self.spelling_order(other))
    }

    pub(super) fn spelling_order(&self, other: &Val) -> Ordering {
        match (self, other) {
            (Val::Folded(a), Val::Folded(b)) => a.as_bytes().cmp(b.as_bytes()),
            _ => Ordering::Equal,
        }
    }

    /// The value as a result shows it.
    pub(super) fn into_written(self) -> Val {
        if let Val::Folded(text) = self { Val::Text(text) } else { self }
    }

    pub(super) fn equals(&self, other: &Val) -> bool {
        self.order(other).is_eq()
    }
}

/// The digits of a number.
#[derive(Default, PartialEq)]
struct Digits {
    negative: bool,
    digits: (usize, String, String),
}

impl PartialOrd for Digits {
    fn partial_cmp(&self, other: &Digits) -> Option<Ordering> {
        let order = self.digits.cmp(&other.digits);
        Some(if self.negative { order.reverse() } else { order })
    }
}

/// The columns of a table.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) key: bool,
}

/// A record: the values of each column. There are none or one, or any number in a multi-valued column.
pub(super) type Row = Vec<Vec<Val>>;

/// All records of one state.
pub(super) struct Table<'a> {
    pub(super) shapes: &'a [Shape],
    pub(super) rows: &'a [Row],
}

impl<'a> Table<'a> {
    pub(super) fn column(&self, name: &str) -> usize {
        self.shapes.iter().position(|shape| shape.name == name).unwrap_or_else(|| panic!("no column {name}"))
    }

    pub(super) fn value(&self, value: &Value, column: usize) -> Option<Val> {
        Val::of(value.as_ref(), self.shapes[column].kind)
    }

    pub(super) fn matches(&self, row: &Row, predicate: &Predicate) -> bool {
        let cell = |name: &str| &row[self.column(name)];
        let kind = |name: &str| self.shapes[self.column(name)].kind;
        let read =
            |name: &str, value: &Value| Val::operand(value.as_ref(), kind(name)).expect("operands are never null");
        match predicate {
            Predicate::All => true,
            Predicate::TooDeep => false,
            Predicate::And(parts) => {
                for part in parts {
                    if !self.matches(row, part) {
                        return false;
                    }
                }
                true
            }
            Predicate::Or(parts) => {
                for part in parts {
                    if self.matches(row, part) {
                        return true;
                    }
                }
                false
            }
            Predicate::Not(part) => !self.matches(row, part),
            Predicate::IsNull(name) => cell(name).is_empty(),
            Predicate::Eq(name, value) => cell(name).iter().any(|has| has.equals(&read(name, value))),
            Predicate::Ne(name, value) => {
                !cell(name).is_empty() && cell(name).iter().all(|has| !has.equals(&read(name, value)))
            }
            Predicate::In(name, values) | Predicate::AnyOf(name, values) => {
                cell(name).iter().any(|has| values.iter().any(|value| has.equals(&read(name, value))))
            }
            Predicate::AllOf(name, values) => {
                values.iter().all(|value| cell(name).iter().any(|has| has.equals(&read(name, value))))
            }
            Predicate::Range(name, from, to) => cell(name).iter().any(|has| {
                let above = match from {
                    Bound::Unbounded => true,
                    Bound::Included(value) => has.order(&read(name, value)).is_ge(),
                    Bound::Excluded(value) => has.order(&read(name, value)).is_gt(),
                };
                let below = match to {
                    Bound::Unbounded => true,
                    Bound::Included(value) => has.order(&read(name, value)).is_le(),
                    Bound::Excluded(value) => has.order(&read(name, value)).is_lt(),
                };
                above && below
            }),
            Predicate::ElemMatch(..) => panic!("typed records have no elements"),
            Predicate::Text(name, test) => cell(name).iter().any(|has| match has {
                Val::Text(text) | Val::Folded(text) => matches_text(text, test),
                other => panic!("{other:?} is not a string"),
            }),
        }
    }

    /// The records that a predicate selects.
    pub(super) fn selected(&self, predicate: &Predicate) -> Vec<&'a Row> {
        self.rows.iter().filter(|row| self.matches(row, predicate)).collect()
    }

    /// The order of two records.
    pub(super) fn compare(&self, a: &Row, b: &Row, order: &[OrderBy]) -> Ordering {
        for by in order {
            let column = self.column(&by.field);
            let missing_first = if by.nulls == Nulls::First { Ordering::Less } else { Ordering::Greater };
            let order = match (a[column].first(), b[column].first()) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => missing_first,
                (Some(_), None) => missing_first.reverse(),
                (Some(a), Some(b)) if by.direction == Direction::Descending => b.order(a),
                (Some(a), Some(b)) => a.order(b),
            };
            if order.is_ne() {
                return order;
            }
        }
        self.compare_keys(a, b)
    }

    fn compare_keys(&self, a: &Row, b: &Row) -> Ordering {
        for (column, shape) in self.shapes.iter().enumerate() {
            if shape.key && a[column][0].order(&b[column][0]).is_ne() {
                return a[column][0].order(&b[column][0]);
            }
        }
        Ordering::Equal
    }

    /// The selected records in an order. With `after`, only those after that record, which need not exist.
    pub(super) fn ordered(&self, predicate: &Predicate, order: &[OrderBy], after: Option<&Row>) -> Vec<&'a Row> {
        let mut rows = self.selected(predicate);
        rows.sort_by(|a, b| self.compare(a, b, order));
        rows.retain(|row| after.is_none_or(|after| self.compare(row, after, order).is_gt()));
        rows
    }
}

/// Whether a string matches a test. Every test becomes a pattern, and every alignment of the pattern is tried.
fn matches_text(text: &str, test: &TextTest) -> bool {
    /// An element of a pattern.
    enum Element {
        AnyRun,
        AnyChar,
        Char(char),
    }
    fn matches_all(elements: &[Element], text: &[char], same: &dyn Fn(char, char) -> bool) -> bool {
        match (elements, text) {
            ([], rest) => rest.is_empty(),
            ([Element::AnyRun, later @ ..], rest) => {
                (0..=rest.len()).any(|skipped| matches_all(later, &rest[skipped..], same))
            }
            ([Element::AnyChar, later @ ..], [_, rest @ ..]) => matches_all(later, rest, same),
            ([Element::Char(c), later @ ..], [first, rest @ ..]) => same(*c, *first) && matches_all(later, rest, same),
            _ => false,
        }
    }
    let mut elements = Vec::new();
    if matches!(test.op, TextOp::EndsWith | TextOp::Contains) {
        elements.push(Element::AnyRun);
    }
    let mut chars = test.pattern.chars();
    while let Some(c) = chars.next() {
        elements.push(match c {
            '%' if test.op == TextOp::Like => Element::AnyRun,
            '_' if test.op == TextOp::Like => Element::AnyChar,
            '\\' if test.op == TextOp::Like => Element::Char(chars.next().expect("a character after the backslash")),
            c => Element::Char(c),
        });
    }
    if matches!(test.op, TextOp::StartsWith | TextOp::Contains) {
        elements.push(Element::AnyRun);
    }
    let text: Vec<char> = text.chars().collect();
    let same = |a: char, b: char| a == b || test.ignore_case && cases(a) == cases(b);
    matches_all(&elements, &text, &same)
}

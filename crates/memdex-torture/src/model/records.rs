//! The records of the model: types with fields of every kind, with a second representation ([`Val`]), so that the
//! naive evaluator shares nothing with the engine.

use super::predicates::{Like, Test, by_name};
use memdex::query::{Predicate, TextOp, TextTest};
use memdex::typing::{DecimalValue, IntoKey, Multi, Operand, Text};
use memdex::{Field, FieldValue, Filter, Key, Record, Timestamp, Value, field};
use proptest::prelude::*;
use std::cmp::Ordering;
use std::fmt::Debug;

/// The value of a field in the model.
#[derive(Clone, Debug)]
pub(super) enum Val {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Char(char),
    Text(String),
    /// A text of a field that ignores case.
    Folded(String),
    Bytes(Vec<u8>),
    /// In hundredths.
    Decimal(i128),
    /// In microseconds.
    Time(i64),
    /// The values of a multi-valued field.
    Many(Vec<Val>),
}

impl Val {
    pub(super) fn text(s: &str) -> Val {
        Val::Text(s.to_owned())
    }

    pub(super) fn folded(s: &str) -> Val {
        Val::Folded(s.to_owned())
    }

    /// Semantic equality: all NaNs are equal, both zeros are equal, an integer equals the float of the same number.
    /// Not for missing values.
    pub(super) fn same(&self, other: &Val) -> bool {
        self.order(other) == Some(Ordering::Equal)
    }

    /// The order within a kind, with NaN after all numbers; `None` between kinds.
    pub(super) fn order(&self, other: &Val) -> Option<Ordering> {
        Some(match (self, other) {
            (Val::Bool(a), Val::Bool(b)) => a.cmp(b),
            (Val::Int(a), Val::Int(b)) | (Val::Decimal(a), Val::Decimal(b)) => a.cmp(b),
            (Val::Float(a), Val::Float(b)) => a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())),
            (Val::Char(a), Val::Char(b)) => a.cmp(b),
            (Val::Text(a), Val::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Val::Folded(a), Val::Folded(b)) => a.to_lowercase().as_bytes().cmp(b.to_lowercase().as_bytes()),
            (Val::Bytes(a), Val::Bytes(b)) => a.cmp(b),
            (Val::Time(a), Val::Time(b)) => a.cmp(b),
            _ => return None,
        })
    }

    pub(super) fn is_null(&self) -> bool {
        match self {
            Val::Null => true,
            Val::Many(of) => of.is_empty(),
            _ => false,
        }
    }

    pub(super) fn to_value(&self) -> Value {
        match self {
            Val::Null => Value::NULL,
            Val::Bool(b) => (*b).into(),
            Val::Int(n) => (*n).into(),
            Val::Float(x) => (*x).into(),
            Val::Char(c) => (*c).into(),
            Val::Text(s) | Val::Folded(s) => s.into(),
            Val::Bytes(b) => b.clone().into(),
            Val::Decimal(hundredths) => decimal(*hundredths).into(),
            Val::Time(micros) => Timestamp::from_micros(*micros).into(),
            Val::Many(_) => panic!("a query compares one value at a time"),
        }
    }
}

pub(super) fn decimal(hundredths: i128) -> DecimalValue {
    DecimalValue::new(hundredths, 2).unwrap()
}

/// A record type that the model can store, change and query.
pub(super) trait Subject: Record + Clone + Debug + PartialEq {
    type Id: Ord + Clone + Debug + Send + Sync + 'static + IntoKey<Self::Key>;

    const FIELDS: &'static [&'static str];
    /// Fields with many values.
    const MANY: &'static [&'static str] = &[];
    /// Fields whose ordered indexes accept NaN.
    const NAN_LAST: &'static [&'static str] = &[];
    /// Fields with an equality index, if the schema is fixed.
    const INDEXED: &'static [&'static str] = &[];

    fn any() -> BoxedStrategy<Self>;
    fn ids() -> Vec<Self::Id>;
    fn id(&self) -> Self::Id;
    fn set_id(&mut self, id: Self::Id);
    /// Changes fields by the values that they have.
    fn shift(&mut self) {}
    fn id_of(key: &Key) -> Self::Id;
    /// The value of the field at a position of `FIELDS`.
    fn see(&self, at: usize) -> Val;
    /// Values with which queries compare the field: values that occur, and one that never does.
    fn operands(at: usize) -> Vec<Val>;
    /// The test through the typed constant of the field.
    fn typed(at: usize, test: &Test) -> Filter<Self>;
}

pub(super) fn typed<R, T: FieldValue, Q: Operand<T::Base>>(
    of: Field<R, T>,
    test: &Test,
    operand: impl Fn(&Val) -> Q,
) -> Filter<R> {
    match test {
        Test::Eq(value) => of.eq(operand(value)),
        Test::Ne(value) => of.ne(operand(value)),
        Test::In(values) => of.is_in(values.iter().map(operand)),
        Test::Lt(value) => of.lt(operand(value)),
        Test::Le(value) => of.le(operand(value)),
        Test::Gt(value) => of.gt(operand(value)),
        Test::Ge(value) => of.ge(operand(value)),
        Test::Between(from, to) => of.between(operand(from), operand(to)),
        Test::IsNull => field(of.name()).is_null().into(),
        of_many => panic!("{of_many:?} is drawn for a field of single values"),
    }
}

/// The same for a string field.
pub(super) fn typed_text<R, T: FieldValue<Base: Text>, Q: Operand<T::Base>>(
    of: Field<R, T>,
    test: &Test,
    operand: impl Fn(&Val) -> Q,
) -> Filter<R> {
    let Test::Text(Like { op, pattern, ignore_case }) = test else { return typed(of, test, operand) };
    let pattern = pattern.as_str();
    match (op, ignore_case) {
        (TextOp::Eq, false) => Predicate::Text(of.name(), TextTest::new(TextOp::Eq, pattern)).into(),
        (TextOp::Eq, true) => of.eq_ignore_case(pattern),
        (TextOp::StartsWith, false) => of.starts_with(pattern),
        (TextOp::StartsWith, true) => of.starts_with_ignore_case(pattern),
        (TextOp::EndsWith, false) => of.ends_with(pattern),
        (TextOp::EndsWith, true) => of.ends_with_ignore_case(pattern),
        (TextOp::Contains, false) => of.contains_str(pattern),
        (TextOp::Contains, true) => of.contains_str_ignore_case(pattern),
        (_, false) => of.like(pattern),
        (_, true) => of.like_ignore_case(pattern),
    }
}

pub(super) fn typed_many<R, T: Multi, Q: Operand<T::Item>>(
    of: Field<R, T>,
    test: &Test,
    operand: impl Fn(&Val) -> Q,
) -> Filter<R> {
    match test {
        Test::Contains(value) => of.contains(operand(value)),
        Test::Any(values) => of.any(values.iter().map(operand)),
        Test::All(values) => of.all(values.iter().map(operand)),
        Test::IsNull => field(of.name()).is_null().into(),
        // No method of the field.
        of_one => by_name(of.name(), of_one).into(),
    }
}

macro_rules! as_inner {
    ($name:ident, $($variant:ident)|+, $t:ty) => {
        pub(super) fn $name(value: &Val) -> $t {
            match value {
                $(Val::$variant(inner))|+ => inner.clone(),
                other => panic!("{other:?} is drawn for a field of another kind"),
            }
        }
    };
}

as_inner!(as_text, Text | Folded, String);
as_inner!(as_bytes, Bytes, Vec<u8>);
as_inner!(as_int, Int, i128);
as_inner!(as_float, Float, f64);
as_inner!(as_bool, Bool, bool);
as_inner!(as_char, Char, char);
as_inner!(as_hundredths, Decimal, i128);
as_inner!(as_micros, Time, i64);

pub(super) fn vals<T>(of: impl IntoIterator<Item = T>, make: impl Fn(T) -> Val) -> Vec<Val> {
    of.into_iter().map(make).collect()
}

pub(super) fn or_null<T>(of: Option<T>, make: impl Fn(T) -> Val) -> Val {
    of.map_or(Val::Null, make)
}

//! Predicates that are valid for a schema.

use super::domain::{Domain, FieldDomain};
use crate::model::compare::is_number;
use memdex::query::{FieldName, Predicate, TextOp, TextTest};
use memdex::typing::{DecimalValue, ValueRef};
use memdex::{Kind, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::ops::Bound;

impl Domain {
    /// Predicates of every kind over the fields, nested by `and`, `or` and `not`. Their operands are values of the records, numbers of
    /// other kinds near them, and parts of strings.
    ///
    /// ```
    /// use memdex::{FieldDef, Kind, Schema};
    /// use memdex_test::Domain;
    /// use proptest::prelude::*;
    ///
    /// let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("name", Kind::Str).optional()]);
    /// let users = Domain::of_schema("User", schema)?;
    /// proptest!(|(predicate in users.predicates())| {
    ///     let store = memdex::Store::new();
    ///     let users = store.key_values::<()>("User", users.schema().clone()).unwrap();
    ///     prop_assert!(users.find(predicate).count().is_ok());
    /// });
    /// # Ok::<(), memdex_test::DomainError>(())
    /// ```
    pub fn predicates(&self) -> BoxedStrategy<Predicate> {
        let tests: Vec<_> = self.fields.iter().filter(|field| !field.pool.is_empty()).map(test).collect();
        let test = select(tests).prop_flat_map(|test| test);
        prop_oneof![12 => test, 1 => Just(Predicate::All)]
            .prop_recursive(3, 12, 3, |part| {
                prop_oneof![
                    2 => vec(part.clone(), 0..4).prop_map(Predicate::all_of),
                    2 => vec(part.clone(), 0..4).prop_map(Predicate::any_of),
                    1 => part.prop_map(|part| !part),
                ]
            })
            .boxed()
    }
}

/// Tests of one field.
fn test(field: &FieldDomain) -> BoxedStrategy<Predicate> {
    let name: FieldName = field.def.name().to_owned().into();
    let named = move || name.clone();
    let value = operands(field);
    let bound = prop_oneof![
        Just(Bound::Unbounded),
        value.clone().prop_map(Bound::Included),
        value.clone().prop_map(Bound::Excluded),
    ];
    let [eq, ne, within, range, null] = [(); 5].map(|()| named());
    let simple = prop_oneof![
        4 => value.clone().prop_map(move |value| Predicate::Eq(eq.clone(), value)),
        1 => value.clone().prop_map(move |value| Predicate::Ne(ne.clone(), value)),
        1 => vec(value.clone(), 0..4).prop_map(move |values| Predicate::In(within.clone(), values)),
        3 => (bound.clone(), bound).prop_map(move |(from, to)| Predicate::Range(range.clone(), from, to)),
        1 => Just(Predicate::IsNull(null)),
    ];
    let texts: Vec<String> = field.pool.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if field.def.is_many() {
        let (any, all) = (named(), named());
        return prop_oneof![
            1 => simple,
            1 => vec(value.clone(), 0..3).prop_map(move |values| Predicate::AnyOf(any.clone(), values)),
            1 => vec(value, 0..3).prop_map(move |values| Predicate::AllOf(all.clone(), values)),
        ]
        .boxed();
    }
    if texts.is_empty() {
        return simple.boxed();
    }
    let text = named();
    prop_oneof![3 => simple, 1 => text_tests(texts).prop_map(move |test| Predicate::Text(text.clone(), test))].boxed()
}

/// Values to compare a field with. Some numbers are of another kind.
fn operands(field: &FieldDomain) -> BoxedStrategy<Value> {
    let own = select(field.pool.clone());
    if !field.pool.iter().all(is_number) {
        return own.boxed();
    }
    let others: Vec<Value> = field.pool.iter().flat_map(near).collect();
    if others.is_empty() { own.boxed() } else { prop_oneof![4 => own, 1 => select(others)].boxed() }
}

/// Numbers of other kinds that equal a number, or lie next to it.
fn near(value: &Value) -> Vec<Value> {
    match value.as_ref() {
        ValueRef::Int(n) if n.unsigned_abs() < 1 << 53 => {
            vec![Value::from(n as f64), Value::from(n as f64 + 0.5), Value::from(DecimalValue::from(n))]
        }
        ValueRef::Float(x) if x.abs() < 1e15 => vec![Value::from(x as i64), Value::from(x.ceil() as i64)],
        ValueRef::Decimal(number) => number.to_string().parse::<f64>().map(Value::from).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Tests that match one of these strings, or nearly.
fn text_tests(texts: Vec<String>) -> impl Strategy<Value = TextTest> + Clone {
    let ops = vec![TextOp::Eq, TextOp::StartsWith, TextOp::EndsWith, TextOp::Contains, TextOp::Like];
    (select(ops), select(texts), 0..8_u8, any::<bool>()).prop_map(|(op, text, way, ignore_case)| {
        let chars: Vec<char> = text.chars().collect();
        let (left, right) = chars.split_at(chars.len() / 2);
        let [left, right] = [left, right].map(|half| half.iter().collect::<String>());
        let escaped = |text: &str| text.replace('\\', "\\\\");
        let pattern = match way {
            0 => left,
            1 => right,
            2 => text.to_uppercase(),
            3 => format!("{}%", escaped(&left)),
            4 => format!("%{}", escaped(&right)),
            5 => format!("{}_{}", escaped(&left), escaped(&right.chars().skip(1).collect::<String>())),
            6 => text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"),
            _ => escaped(&text),
        };
        if ignore_case { TextTest::ignoring_case(op, pattern) } else { TextTest::new(op, pattern) }
    })
}

/// Whether values of this kind can be summed.
pub(super) fn is_numeric(kind: Kind) -> bool {
    matches!(kind, Kind::Int | Kind::Float | Kind::Decimal)
}

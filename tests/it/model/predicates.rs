//! Random predicates: drawn as trees of the model's own, evaluated naively, and translated for the store, by typed
//! constants or by names, in whatever mixture comes.

use super::records::{Subject, Val};
use memdex::{Filter, Predicate, field};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::cmp::Ordering::{self, Equal, Greater, Less};

#[derive(Clone, Debug)]
pub(super) enum Test {
    Eq(Val),
    Ne(Val),
    In(Vec<Val>),
    Lt(Val),
    Le(Val),
    Gt(Val),
    Ge(Val),
    /// These may be the wrong way round.
    Between(Val, Val),
    IsNull,
    // Of fields of many values:
    Contains(Val),
    Any(Vec<Val>),
    All(Vec<Val>),
}

impl Test {
    /// Any that the field at a position can be put to.
    pub(super) fn any<R: Subject>(at: usize) -> BoxedStrategy<Test> {
        let value = || select(R::asked(at));
        if R::MANY.contains(&R::FIELDS[at]) {
            return prop_oneof![
                3 => value().prop_map(Test::Contains),
                2 => vec(value(), 0..3).prop_map(Test::Any),
                2 => vec(value(), 0..3).prop_map(Test::All),
                1 => Just(Test::IsNull),
            ]
            .boxed();
        }
        prop_oneof![
            6 => value().prop_map(Test::Eq),
            2 => value().prop_map(Test::Ne),
            2 => vec(value(), 0..4).prop_map(Test::In),
            1 => value().prop_map(Test::Lt),
            1 => value().prop_map(Test::Le),
            1 => value().prop_map(Test::Gt),
            1 => value().prop_map(Test::Ge),
            2 => (value(), value()).prop_map(|(from, to)| Test::Between(from, to)),
            1 => Just(Test::IsNull),
        ]
        .boxed()
    }

    /// A missing value is neither equal nor unequal to anything, and in no range.
    fn holds(&self, value: &Val) -> bool {
        let is = |wanted: &Val, orders: &[Ordering]| value.order(wanted).is_some_and(|order| orders.contains(&order));
        let among = |wanted: &Val| match value {
            Val::Many(of) => of.iter().any(|item| item.same(wanted)),
            other => panic!("{self:?} is put to {other:?}"),
        };
        match self {
            Test::IsNull => value.is_null(),
            Test::Contains(wanted) => among(wanted),
            Test::Any(wanted) => wanted.iter().any(among),
            Test::All(wanted) => wanted.iter().all(among),
            Test::Eq(wanted) => is(wanted, &[Equal]),
            Test::Ne(unwanted) => is(unwanted, &[Less, Greater]),
            Test::In(wanted) => wanted.iter().any(|wanted| is(wanted, &[Equal])),
            Test::Lt(bound) => is(bound, &[Less]),
            Test::Le(bound) => is(bound, &[Less, Equal]),
            Test::Gt(bound) => is(bound, &[Greater]),
            Test::Ge(bound) => is(bound, &[Greater, Equal]),
            Test::Between(from, to) => is(from, &[Greater, Equal]) && is(to, &[Less, Equal]),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Tree {
    All,
    Leaf { at: usize, test: Test, typed: bool },
    And(Vec<Tree>),
    Or(Vec<Tree>),
    Not(Box<Tree>),
}

pub(super) fn leaf<R: Subject>() -> BoxedStrategy<Tree> {
    let test_of = |at: usize| (Just(at), Test::any::<R>(at), any::<bool>());
    (0..R::FIELDS.len()).prop_flat_map(test_of).prop_map(|(at, test, typed)| Tree::Leaf { at, test, typed }).boxed()
}

/// Trees up to depth 4.
pub(super) fn tree<R: Subject>() -> BoxedStrategy<Tree> {
    prop_oneof![20 => leaf::<R>(), 1 => Just(Tree::All)]
        .prop_recursive(4, 16, 4, |part| {
            prop_oneof![
                2 => vec(part.clone(), 0..4).prop_map(Tree::And),
                2 => vec(part.clone(), 0..4).prop_map(Tree::Or),
                1 => part.prop_map(|part| Tree::Not(Box::new(part))),
            ]
        })
        .boxed()
}

impl Tree {
    /// The naive evaluator.
    pub(super) fn holds<R: Subject>(&self, record: &R) -> bool {
        match self {
            Tree::All => true,
            Tree::Leaf { at, test, .. } => test.holds(&record.see(*at)),
            Tree::And(parts) => parts.iter().all(|part| part.holds(record)),
            Tree::Or(parts) => parts.iter().any(|part| part.holds(record)),
            Tree::Not(part) => !part.holds(record),
        }
    }

    /// The same question to the store, joined by the operators.
    pub(super) fn filter<R: Subject>(&self) -> Filter<R> {
        match self {
            Tree::All => Filter::all(),
            Tree::Leaf { at, test, typed: true } => R::typed(*at, test),
            Tree::Leaf { at, test, typed: false } => by_name(R::FIELDS[*at], test).into(),
            Tree::And(parts) => join(parts, |a, b| a & b).unwrap_or_else(|| Predicate::And(Vec::new()).into()),
            Tree::Or(parts) => join(parts, |a, b| a | b).unwrap_or_else(|| Predicate::Or(Vec::new()).into()),
            Tree::Not(part) => !part.filter(),
        }
    }
}

fn join<R: Subject>(parts: &[Tree], both: fn(Filter<R>, Filter<R>) -> Filter<R>) -> Option<Filter<R>> {
    parts.iter().map(Tree::filter).reduce(both)
}

pub(super) fn by_name(name: &'static str, test: &Test) -> Predicate {
    // An integer may stand for a float that is one.
    let value = |value: &Val| match value {
        Val::Float(x) if *x == 2.0 => 2.into(),
        other => other.to_value(),
    };
    match test {
        Test::Eq(wanted) => field(name).eq(value(wanted)),
        Test::Ne(unwanted) => field(name).ne(value(unwanted)),
        Test::In(wanted) => field(name).is_in(wanted.iter().map(value)),
        Test::Lt(bound) => field(name).lt(value(bound)),
        Test::Le(bound) => field(name).le(value(bound)),
        Test::Gt(bound) => field(name).gt(value(bound)),
        Test::Ge(bound) => field(name).ge(value(bound)),
        Test::Between(from, to) => field(name).between(value(from), value(to)),
        Test::IsNull => field(name).is_null(),
        Test::Contains(wanted) => field(name).contains(value(wanted)),
        Test::Any(wanted) => field(name).any(wanted.iter().map(value)),
        Test::All(wanted) => field(name).all(wanted.iter().map(value)),
    }
}

//! Random predicates: drawn as trees of the model's own, evaluated naively, and translated for the store, by typed
//! constants or by names, in whatever mixture comes.

use super::records::{Subject, Val};
use memdex::{Filter, Predicate, field};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Clone, Debug)]
pub(super) enum Test {
    Eq(Val),
    Ne(Val),
    In(Vec<Val>),
    IsNull,
}

#[derive(Clone, Debug)]
pub(super) enum Tree {
    All,
    Leaf { at: usize, test: Test, typed: bool },
    And(Vec<Tree>),
    Or(Vec<Tree>),
    Not(Box<Tree>),
}

fn leaf<R: Subject>() -> BoxedStrategy<Tree> {
    let test_of = |at: usize| {
        let value = || select(R::asked(at));
        let test = prop_oneof![
            4 => value().prop_map(Test::Eq),
            2 => value().prop_map(Test::Ne),
            2 => vec(value(), 0..4).prop_map(Test::In),
            1 => Just(Test::IsNull),
        ];
        (Just(at), test, any::<bool>())
    };
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
    /// The naive evaluator. A missing value is neither equal nor unequal to anything.
    pub(super) fn holds<R: Subject>(&self, record: &R) -> bool {
        match self {
            Tree::All => true,
            Tree::Leaf { at, test, .. } => match (test, record.see(*at)) {
                (Test::IsNull, value) => matches!(value, Val::Null),
                (_, Val::Null) => false,
                (Test::Eq(wanted), value) => wanted.same(&value),
                (Test::Ne(unwanted), value) => !unwanted.same(&value),
                (Test::In(wanted), value) => wanted.iter().any(|wanted| wanted.same(&value)),
            },
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

fn by_name(name: &'static str, test: &Test) -> Predicate {
    // An integer may stand for a float that is one.
    let value = |value: &Val| match value {
        Val::Float(x) if *x == 2.0 => 2.into(),
        other => other.to_value(),
    };
    match test {
        Test::Eq(wanted) => field(name).eq(value(wanted)),
        Test::Ne(unwanted) => field(name).ne(value(unwanted)),
        Test::In(wanted) => field(name).is_in(wanted.iter().map(value)),
        Test::IsNull => field(name).is_null(),
    }
}

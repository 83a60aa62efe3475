//! Random predicates: drawn as trees of the model, evaluated naively, and translated for the store, with a random mix
//! of typed constants and names.

use super::records::{Subject, Val, decimal};
use memdex::query::{FieldName, Predicate, TextOp, TextTest};
use memdex::{Filter, field};
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
    /// The bounds may be reversed.
    Between(Val, Val),
    IsNull,
    Text(Like),
    // Only for fields with many values:
    Contains(Val),
    Any(Vec<Val>),
    All(Vec<Val>),
}

/// A test of a string.
#[derive(Clone, Debug)]
pub(super) struct Like {
    pub op: TextOp,
    pub pattern: String,
    pub ignore_case: bool,
}

impl Like {
    /// Tests that match one of these strings, or none.
    fn any(texts: Vec<String>) -> impl Strategy<Value = Like> {
        let ops = vec![TextOp::Eq, TextOp::StartsWith, TextOp::EndsWith, TextOp::Contains, TextOp::Like];
        (select(ops), select(texts), 0..8, any::<bool>()).prop_map(|(op, text, way, ignore_case)| {
            let chars: Vec<char> = text.chars().collect();
            let (left, right) = chars.split_at(chars.len() / 2);
            let (left, right): (String, String) = (left.iter().collect(), right.iter().collect());
            let pattern = match way {
                0 => text,
                1 => text.to_uppercase(),
                2 => format!("{left}%"),
                3 => format!("%{right}"),
                4 => format!("{left}_{}", right.chars().skip(1).collect::<String>()),
                5 => format!("%{}%", right.chars().take(2).collect::<String>()),
                6 => format!("{left}\\{right}%").trim_end_matches("\\%").to_owned(),
                _ => left,
            };
            Like { op, pattern, ignore_case }
        })
    }

    fn holds(&self, text: &str) -> bool {
        let same = |a: char, b: char| a == b || self.ignore_case && a.to_lowercase().eq(b.to_lowercase());
        let chars = |text: &str| text.chars().collect::<Vec<char>>();
        let (pattern, text) = (chars(&self.pattern), chars(text));
        let is = |part: &[char]| part.len() == pattern.len() && part.iter().zip(&pattern).all(|(a, b)| same(*a, *b));
        let (of, all) = (pattern.len(), text.len());
        match self.op {
            TextOp::Eq => is(&text),
            TextOp::StartsWith => of <= all && is(&text[..of]),
            TextOp::EndsWith => of <= all && is(&text[all - of..]),
            TextOp::Contains => (0..=all).any(|from| from + of <= all && is(&text[from..from + of])),
            _ => like(&pattern, &text, &same),
        }
    }
}

fn like(pattern: &[char], text: &[char], same: &dyn Fn(char, char) -> bool) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|from| like(rest, &text[from..], same)),
        ['_', rest @ ..] => !text.is_empty() && like(rest, &text[1..], same),
        ['\\', c, rest @ ..] | [c, rest @ ..] => {
            text.first().is_some_and(|t| same(*c, *t)) && like(rest, &text[1..], same)
        }
    }
}

impl Test {
    /// Any test that is valid for the field at a position.
    pub(super) fn any<R: Subject>(at: usize) -> BoxedStrategy<Test> {
        let of_one = Test::of_one::<R>(at);
        if !R::MANY.contains(&R::FIELDS[at]) {
            return of_one;
        }
        let value = || select(R::operands(at));
        prop_oneof![
            3 => value().prop_map(Test::Contains),
            2 => vec(value(), 0..3).prop_map(Test::Any),
            2 => vec(value(), 0..3).prop_map(Test::All),
            5 => of_one,
        ]
        .boxed()
    }

    fn of_one<R: Subject>(at: usize) -> BoxedStrategy<Test> {
        let value = || select(R::operands(at));
        let texts: Vec<String> = R::operands(at)
            .iter()
            .filter_map(|value| if let Val::Text(s) | Val::Folded(s) = value { Some(s.clone()) } else { None })
            .collect();
        let simple = prop_oneof![
            6 => value().prop_map(Test::Eq),
            2 => value().prop_map(Test::Ne),
            2 => vec(value(), 0..4).prop_map(Test::In),
            1 => value().prop_map(Test::Lt),
            1 => value().prop_map(Test::Le),
            1 => value().prop_map(Test::Gt),
            1 => value().prop_map(Test::Ge),
            2 => (value(), value()).prop_map(|(from, to)| Test::Between(from, to)),
            1 => Just(Test::IsNull),
        ];
        if texts.is_empty() {
            return simple.boxed();
        }
        prop_oneof![3 => simple, 1 => Like::any(texts).prop_map(Test::Text)].boxed()
    }

    /// A missing value fails `eq`, `ne` and every range. A field of many values matches if one of its values does, except that
    /// `ne` needs values, none of which is equal.
    fn holds(&self, value: &Val) -> bool {
        if let (Val::Many(of), Test::Ne(_)) = (value, self) {
            return !of.is_empty() && of.iter().all(|item| self.holds(item));
        }
        if let (Val::Many(of), false) =
            (value, matches!(self, Test::Contains(_) | Test::Any(_) | Test::All(_) | Test::IsNull))
        {
            return of.iter().any(|item| self.holds(item));
        }
        let is = |wanted: &Val, orders: &[Ordering]| value.order(wanted).is_some_and(|order| orders.contains(&order));
        let among = |wanted: &Val| match value {
            Val::Many(of) => of.iter().any(|item| item.same(wanted)),
            other => panic!("{self:?} does not fit {other:?}"),
        };
        match self {
            Test::IsNull => value.is_null(),
            Test::Text(like) => matches!(value, Val::Text(text) | Val::Folded(text) if like.holds(text)),
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

    /// The same predicate for the store, combined by the operators.
    pub(super) fn filter<R: Subject>(&self) -> Filter<R> {
        match self {
            Tree::All => Filter::all(),
            Tree::Leaf { at, test, typed: true } => R::typed(*at, test),
            Tree::Leaf { at, test, typed: false } => by_name(R::FIELDS[*at], test).into(),
            Tree::And(parts) => join(parts, |a, b| a & b).unwrap_or_else(|| Predicate::All.into()),
            Tree::Or(parts) => join(parts, |a, b| a | b).unwrap_or_else(|| Predicate::none().into()),
            Tree::Not(part) => !part.filter(),
        }
    }
}

fn join<R: Subject>(parts: &[Tree], both: fn(Filter<R>, Filter<R>) -> Filter<R>) -> Option<Filter<R>> {
    parts.iter().map(Tree::filter).reduce(both)
}

pub(super) fn by_name(name: impl Into<FieldName>, test: &Test) -> Predicate {
    let name = name.into();
    // Numbers are compared by value: some become the same number of another kind.
    let value = |value: &Val| match value {
        Val::Int(n) if n % 3 == 0 && n.unsigned_abs() < 1 << 53 => (*n as f64).into(),
        Val::Int(n) if n % 3 == 1 && n.unsigned_abs() < 1 << 53 => decimal(n * 100).into(),
        Val::Float(x) if x.fract() == 0.0 && x.abs() < 1e15 => (*x as i64).into(),
        Val::Float(x) if (x * 4.0).fract() == 0.0 && x.abs() < 1e15 => decimal((x * 100.0) as i128).into(),
        Val::Decimal(hundredths) if hundredths % 25 == 0 => (*hundredths as f64 / 100.0).into(),
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
        Test::Text(Like { op, pattern, ignore_case: false }) => Predicate::Text(name, TextTest::new(*op, pattern)),
        Test::Text(Like { op, pattern, ignore_case: true }) => {
            Predicate::Text(name, TextTest::ignoring_case(*op, pattern))
        }
        Test::Contains(wanted) => field(name).contains(value(wanted)),
        Test::Any(wanted) => field(name).any(wanted.iter().map(value)),
        Test::All(wanted) => field(name).all(wanted.iter().map(value)),
    }
}

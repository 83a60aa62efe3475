//! The operators of conditions: one name for each, in criteria and in serde forms.

use super::{TextOp, TextTest};

macro_rules! operators {
    ($($operator:ident = $name:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Operator {
            $($operator,)*
            /// A test of a string, and whether it ignores case.
            Text(TextOp, bool),
        }

        impl Operator {
            fn all() -> impl Iterator<Item = Operator> {
                let texts = TextTest::kinds().map(|test| Operator::Text(test.op, test.ignore_case));
                [$(Operator::$operator),*].into_iter().chain(texts)
            }

            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Operator::$operator => $name,)*
                    Operator::Text(op, ignore_case) => TextTest { op, ignore_case, pattern: String::new() }.name(),
                }
            }
        }
    };
}

operators! {
    Eq = "eq",
    Ne = "ne",
    Gt = "gt",
    Gte = "gte",
    Lt = "lt",
    Lte = "lte",
    Between = "between",
    Range = "range",
    In = "in",
    NotIn = "not_in",
    IsNull = "is_null",
    Contains = "contains",
    Any = "any",
    All = "all",
    ElemMatch = "elem_match",
    And = "and",
    Or = "or",
    Not = "not",
}

impl Operator {
    pub(super) fn named(name: &str) -> Option<Operator> {
        Operator::all().find(|operator| operator.name() == name)
    }

    /// The names of all operators but these.
    pub(super) fn names_without(without: &[Operator]) -> Vec<String> {
        let others = Operator::all().filter(|operator| !without.contains(operator));
        others.map(|operator| operator.name().to_owned()).collect()
    }
}

//! Predicates in SQL's three-valued logic, for checks: a comparison with a missing value is unknown, and its opposite too.

use super::bind::bind;
use super::{Condition, FieldAt, FieldSource, Schema};
use crate::error::QueryError;
use crate::query::Predicate;

/// The value of a condition. They are ordered as SQL combines them: `AND` is the lowest, `OR` the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    /// It does not hold.
    False,
    /// A value that it depends on is missing.
    Unknown,
    /// It holds.
    True,
}

impl std::ops::Not for Truth {
    type Output = Truth;

    fn not(self) -> Truth {
        match self {
            Truth::False => Truth::True,
            Truth::Unknown => Truth::Unknown,
            Truth::True => Truth::False,
        }
    }
}

/// A predicate bound to a schema, to be evaluated in three-valued logic.
///
/// A list without values is missing; if it has some, missing ones among them don't count.
#[derive(Clone, Debug)]
pub struct ThreeValued(Node);

#[derive(Clone, Debug)]
enum Node {
    /// A condition that is never unknown.
    Known(Condition),
    /// A test of a field, unknown if the field is missing.
    Test(FieldAt, Many, Condition),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
}

type Many = bool;

impl ThreeValued {
    /// Binds a predicate to a schema; `collection` is the name in errors.
    ///
    /// # Errors
    /// If a field does not exist, or a value does not fit its field.
    pub fn new(collection: &str, schema: &Schema, predicate: &Predicate) -> Result<Self, QueryError> {
        let node = |part: &Predicate| ThreeValued::new(collection, schema, part).map(|of| of.0);
        Ok(ThreeValued(match predicate {
            Predicate::And(parts) => Node::And(parts.iter().map(node).collect::<Result<_, _>>()?),
            Predicate::Or(parts) => Node::Or(parts.iter().map(node).collect::<Result<_, _>>()?),
            Predicate::Not(part) => Node::Not(Box::new(node(part)?)),
            test => {
                let condition = bind(collection, schema, test)?;
                let mut of = None;
                test.each_field(&mut |name| of = Some(name));
                let field = of.filter(|_| !matches!(test, Predicate::IsNull(_) | Predicate::ElemMatch(..)));
                let place = field.and_then(|name| match schema.find(name) {
                    Some((at, def)) => Some((at, def.is_many())),
                    None => Some((schema.undeclared(name)?, true)),
                });
                match place {
                    Some((at, many)) => Node::Test(at, many, condition),
                    None => Node::Known(condition),
                }
            }
        }))
    }

    /// Whether a record meets it. Runs the extractors of the record.
    pub fn truth(&self, record: &dyn FieldSource) -> Truth {
        self.0.truth(record)
    }
}

impl Node {
    fn truth(&self, record: &dyn FieldSource) -> Truth {
        let of = |condition: &Condition| if condition.holds(record) { Truth::True } else { Truth::False };
        match self {
            Node::Known(condition) => of(condition),
            Node::Test(at, many, condition) => {
                let mut is_missing = true;
                match many {
                    true => record.values_at(at, &mut |value| is_missing = is_missing && value.is_null()),
                    false => is_missing = record.value_at(at).is_null(),
                }
                if is_missing { Truth::Unknown } else { of(condition) }
            }
            Node::And(parts) => parts.iter().map(|part| part.truth(record)).min().unwrap_or(Truth::True),
            Node::Or(parts) => parts.iter().map(|part| part.truth(record)).max().unwrap_or(Truth::False),
            Node::Not(part) => !part.truth(record),
        }
    }
}

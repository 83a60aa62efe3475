//! Laws for fields of many values and for undeclared paths. `eq(1) & eq(2)` may hold there, as both values may be
//! present, so few laws hold.

use super::node::{Contradiction, Core, Node};
use crate::schema::test::Test;
use crate::schema::values::Values;
use crate::schema::{FieldAt, Schema, undeclared};
use std::ops::Bound;

/// The node of one test.
pub(super) fn node(schema: &Schema, field: FieldAt, is_undeclared: bool, test: Test) -> Node {
    let node = |test| Node::many(schema, field, is_undeclared, test);
    match test {
        // At an undeclared path, these all test for one of the values.
        Test::Eq(value) => node(Test::Any(Values::new(vec![value]))),
        Test::In(values) | Test::Any(values) if values.is_empty() => Node::nothing(),
        Test::All(values) if values.is_empty() => Node::all(),
        Test::All(values) if values.len() > 1 => node(Test::All(values)),
        Test::In(values) | Test::Any(values) | Test::All(values) => node(Test::Any(values)),
        Test::IsNull | Test::HasNone => node(Test::HasNone),
        Test::Range(Bound::Unbounded, Bound::Unbounded) => node(Test::HasNone).opposite(),
        Test::Range(from, to) if undeclared::is_empty(&from, &to) => Node::nothing(),
        Test::Range(Bound::Included(from), Bound::Included(to)) if from == to => {
            node(Test::Any(Values::new(vec![from])))
        }
        other => node(other),
    }
}

/// Joins the tests of one field: the values that must be absent become one test. A test for one of these values is a
/// contradiction.
pub(super) fn every(schema: &Schema, parts: Vec<Node>, joined: &mut Vec<Node>) -> Result<(), Contradiction> {
    let mut absent = Vec::new();
    let mut absent_from = None;
    let first = joined.len();
    for part in parts {
        match part.core {
            Core::Many { field, undeclared, test: Test::Any(values) } if part.negated => {
                absent.extend(values.into_vec());
                absent_from = Some((field, undeclared));
            }
            core => joined.push(Node { core, ..part }),
        }
    }
    let Some((field, is_undeclared)) = absent_from else { return Ok(()) };
    let absent = Values::new(absent);
    for part in &joined[first..] {
        let contradicts = match &part.core {
            Core::Many { test: Test::Any(values), .. } => values.iter().all(|value| absent.has(value.as_ref())),
            Core::Many { test: Test::All(values), .. } if !part.negated => {
                values.iter().any(|value| absent.has(value.as_ref()))
            }
            _ => false,
        };
        if contradicts {
            return Err(Contradiction);
        }
    }
    joined.push(Node::many(schema, field, is_undeclared, Test::Any(absent)).opposite());
    Ok(())
}

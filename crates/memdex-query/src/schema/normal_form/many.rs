//! Laws for fields of many values, and for paths that are not declared. `eq(1) & eq(2)` may hold there, as both values may be there; so
//! what is told apart is which values must be there, which must not, and of which one must.

use super::laws::Contradiction;
use super::node::{Core, Node};
use crate::schema::test::Test;
use crate::schema::values::Values;
use crate::schema::{FieldAt, Schema, loose};
use crate::value::Value;
use std::ops::Bound;

/// The node of one test.
pub(super) fn node(schema: &Schema, field: FieldAt, is_loose: bool, test: Test) -> Node {
    let node = |test| Node::many(schema, field, is_loose, test);
    match test {
        // At a path that is not declared these all ask for one of the values.
        Test::Eq(value) => node(Test::Any(Values::new(vec![value]))),
        Test::In(values) | Test::Any(values) if values.is_empty() => Node::nothing(),
        Test::All(values) if values.is_empty() => Node::all(),
        Test::All(values) if values.len() > 1 => node(Test::All(values)),
        Test::In(values) | Test::Any(values) | Test::All(values) => node(Test::Any(values)),
        Test::IsNull | Test::HasNone => node(Test::HasNone),
        Test::Range(Bound::Unbounded, Bound::Unbounded) => node(Test::HasNone).opposite(),
        Test::Range(from, to) if loose::is_empty(&from, &to) => Node::nothing(),
        Test::Range(Bound::Included(from), Bound::Included(to)) if from == to => {
            node(Test::Any(Values::new(vec![from])))
        }
        other => node(other),
    }
}

/// What is asked of one field, sorted out.
#[derive(Default)]
struct Asked {
    /// There must be no value at all.
    none: bool,
    /// There must be some value.
    some: bool,
    /// Each of these must be there.
    all: Vec<Value>,
    /// One at least of each of these.
    any: Vec<Values>,
    /// None of these must be there.
    without: Vec<Value>,
    /// Not all of each of these.
    not_all: Vec<Values>,
    others: Vec<Node>,
}

/// The tests of one field, joined.
pub(super) fn every(schema: &Schema, parts: Vec<Node>, joined: &mut Vec<Node>) -> Result<(), Contradiction> {
    let Some((field, is_loose)) = parts.iter().find_map(|part| match &part.core {
        Core::Many { field, loose, .. } => Some((field.clone(), *loose)),
        _ => None,
    }) else {
        return Ok(());
    };
    let mut asked = Asked::default();
    for part in parts {
        let Node { print, negated, core: Core::Many { field, loose, test } } = part else { continue };
        match (test, negated) {
            (Test::HasNone, false) => asked.none = true,
            (Test::HasNone, true) => asked.some = true,
            (Test::All(values), false) => asked.all.extend(values.into_vec()),
            (Test::All(values), true) => asked.not_all.push(values),
            (Test::Any(values), false) if values.len() == 1 => asked.all.extend(values.into_vec()),
            (Test::Any(values), false) => asked.any.push(values),
            (Test::Any(values), true) => asked.without.extend(values.into_vec()),
            (test, negated) => asked.others.push(Node { print, negated, core: Core::Many { field, loose, test } }),
        }
    }
    let demanded = !asked.all.is_empty() || !asked.any.is_empty() || asked.others.iter().any(|part| !part.negated);
    let node = |test: Test| node(schema, field.clone(), is_loose, test);
    if asked.none {
        // Whatever must not be there is not; and nothing can be that must.
        joined.push(node(Test::HasNone));
        return if demanded || asked.some { Err(Contradiction) } else { Ok(()) };
    }

    let without = Values::new(asked.without);
    let mut any = Vec::with_capacity(asked.any.len());
    for values in asked.any {
        let open = less(values, &without);
        match open.len() {
            0 => return Err(Contradiction),
            1 => asked.all.extend(open),
            _ => any.push(Values::sorted(open)),
        }
    }
    let all = Values::new(asked.all);
    if all.iter().any(|value| without.has(value.as_ref())) {
        return Err(Contradiction);
    }
    any.retain(|values| !meet(values, &all));
    for values in asked.not_all {
        if meet(&values, &without) {
            continue;
        }
        let open = less(values, &all);
        if open.is_empty() {
            return Err(Contradiction);
        }
        joined.push(node(Test::All(Values::sorted(open))).opposite());
    }
    if asked.some && !demanded {
        joined.push(node(Test::HasNone).opposite());
    }
    if !all.is_empty() {
        joined.push(node(Test::All(all)));
    }
    if !without.is_empty() {
        joined.push(node(Test::Any(without)).opposite());
    }
    joined.extend(any.into_iter().map(|values| node(Test::Any(values))));
    joined.append(&mut asked.others);
    Ok(())
}

/// The values of the first that are not in the second.
fn less(values: Values, other: &Values) -> Vec<Value> {
    let mut values = values.into_vec();
    values.retain(|value| !other.has(value.as_ref()));
    values
}

/// Whether there is a value in both. O(shorter * log longer).
fn meet(a: &Values, b: &Values) -> bool {
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    few.iter().any(|value| many.has(value.as_ref()))
}

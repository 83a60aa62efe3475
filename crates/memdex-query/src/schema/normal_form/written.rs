//! A node as a condition: in tests that indexes answer, the cheap ones first.

use super::domain::{Domain, Interval, listed, point, test_of};
use super::laws::order;
use super::node::{Core, Node};
use crate::schema::FieldAt;
use crate::schema::condition::Condition;
use crate::schema::test::Test;

/// The condition of a node, as deep as the node.
pub(super) fn condition(node: Node) -> Condition {
    let Node { negated, core, .. } = node;
    match core {
        Core::All if negated => Condition::Nothing,
        Core::All => Condition::All,
        Core::One(field, domain) => one(&field, domain, negated),
        Core::Text(field, test) => not_if(negated, Condition::Test(field, test)),
        Core::Many { field, undeclared: false, test: test @ (Test::Range(..) | Test::Text(_)) } => {
            not_if(negated, Condition::Test(field, Test::Has(Box::new(test))))
        }
        Core::Many { field, undeclared: false, test } => not_if(negated, Condition::Test(field, test)),
        Core::Element(field, node) => not_if(negated, Condition::Element(field, Box::new(self::condition(*node)))),
        Core::Many { field, undeclared: true, test } => not_if(negated, Condition::Undeclared(field, test)),
        Core::Every(parts) => {
            let mut parts: Vec<Node> = parts.into_iter().map(|part| part.opposite_if(negated)).collect();
            let by_rank = |a: &Node, b: &Node| rank(a).cmp(&rank(b)).then_with(|| order(a.field(), b.field()));
            parts.sort_by(|a, b| by_rank(a, b).then(a.negated.cmp(&b.negated)));
            let parts = parts.into_iter().map(condition);
            if negated { any(parts.collect()) } else { every(parts.collect()) }
        }
    }
}

/// The cost of evaluating a node: expensive parts come last.
fn rank(node: &Node) -> u8 {
    match node.core {
        Core::All | Core::One(..) => 0,
        Core::Text(..) => 1,
        Core::Many { undeclared, .. } => 2 + u8::from(undeclared),
        Core::Element(..) | Core::Every(_) => 4,
    }
}

fn not_if(negated: bool, condition: Condition) -> Condition {
    if negated { Condition::Not(Box::new(condition)) } else { condition }
}

fn every(parts: Vec<Condition>) -> Condition {
    let flat = parts.into_iter().flat_map(|part| match part {
        Condition::And(parts) => parts,
        part => vec![part],
    });
    only(flat.collect()).unwrap_or_else(Condition::And)
}

fn any(parts: Vec<Condition>) -> Condition {
    let flat = parts.into_iter().flat_map(|part| match part {
        Condition::Or(parts) => parts,
        part => vec![part],
    });
    only(flat.collect()).unwrap_or_else(Condition::Or)
}

fn only(mut parts: Vec<Condition>) -> Result<Condition, Vec<Condition>> {
    if parts.len() == 1 { parts.pop().ok_or(parts) } else { Err(parts) }
}

/// The condition that a field has a value of the domain, or the negation.
fn one(field: &FieldAt, domain: Domain, negated: bool) -> Condition {
    let test = |test: Test| Condition::Test(field.clone(), test);
    let intervals = match domain {
        Domain::Points(values) => return not_if(negated, test(listed(values))),
        domain if domain.is_full() => return not_if(!negated, test(Test::IsNull)),
        cuts => cuts.into_intervals(),
    };
    // Is it one interval with some holes of single values?
    let (Some((start, _)), Some((_, end))) = (intervals.first(), intervals.last()) else {
        return not_if(negated, Condition::Nothing);
    };
    let hull: Interval = (start.clone(), end.clone());
    let gaps: Vec<Interval> = intervals.windows(2).map(|pair| (pair[0].1.clone(), pair[1].0.clone())).collect();
    if gaps.iter().all(|gap| point(gap).is_some()) {
        let everywhere = hull == (None, None);
        let mut holes: Vec<_> = gaps.iter().filter_map(point).cloned().collect();
        if everywhere && holes.len() == 1 && !negated {
            return holes.pop().map_or(Condition::Nothing, |hole| test(Test::Ne(hole)));
        }
        let within = if everywhere { not_if(true, test(Test::IsNull)) } else { test(test_of(hull)) };
        if holes.is_empty() {
            return not_if(negated, within);
        }
        let holes = test(listed(holes));
        return match (negated, within) {
            (false, within) => every(vec![within, not_if(true, holes)]),
            (true, Condition::Not(missing)) => any(vec![holes, *missing]),
            (true, within) => any(vec![holes, not_if(true, within)]),
        };
    }
    let (points, ranges): (Vec<Interval>, Vec<Interval>) = intervals.into_iter().partition(|i| point(i).is_some());
    let points: Vec<_> = points.iter().filter_map(point).cloned().collect();
    let points = if points.is_empty() { None } else { Some(test(listed(points))) };
    let parts = points.into_iter().chain(ranges.into_iter().map(|range| test(test_of(range))));
    let parts: Vec<Condition> = parts.map(|part| not_if(negated, part)).collect();
    if negated { every(parts) } else { any(parts) }
}

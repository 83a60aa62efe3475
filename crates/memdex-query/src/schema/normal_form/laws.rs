//! The laws of conjunctions.

use super::domain::Domain;
use super::many;
use super::node::{Core, Identity, Node};
use crate::schema::condition::Condition;
use crate::schema::test::Test;
use crate::schema::{FieldAt, Schema};
use crate::value::ValueRef;

/// How often the laws are applied to one conjunction: what one part tells of another can tell more of a third. Past this it stays
/// as it is, which is right, if not the shortest; so that no chain of parts makes it cost its length squared.
const ROUNDS: usize = 8;

pub(super) struct Laws<'a> {
    pub(super) schema: &'a Schema,
}

/// What is known before any record is looked at: the parts can't all hold.
pub(super) struct Contradiction;

impl Laws<'_> {
    /// The normal form of a condition. As deep as the condition.
    pub(super) fn normal_form(&self, condition: Condition) -> Node {
        self.simplified(self.node(condition))
    }

    /// The node that says what a condition says: flat, the tests of each field joined. Both can be done in any order, so that
    /// other words for the same lead here; what `simplified` finds depends on what is there when it looks.
    fn node(&self, condition: Condition) -> Node {
        match condition {
            Condition::All => Node::all(),
            Condition::Nothing => Node::nothing(),
            Condition::Not(part) => self.node(*part).opposite(),
            Condition::And(parts) => self.every(parts.into_iter().map(|part| self.node(part)).collect()),
            Condition::Or(parts) => {
                self.every(parts.into_iter().map(|part| self.node(part).opposite()).collect()).opposite()
            }
            Condition::Test(field, test) => match test {
                Test::Eq(value) => self.one(field, Domain::Points(vec![value])),
                Test::In(values) => self.one(field, Domain::Points(values.into_vec())),
                Test::Ne(value) => self.one(field, Domain::all_but(value)),
                Test::IsNull => self.one(field, Domain::FULL).opposite(),
                Test::Range(from, to) => self.one(field, Domain::range(from, to)),
                Test::Text(_) => Node::text(self.schema, field, test),
                Test::Any(_) | Test::All(_) | Test::HasNone => many::node(self.schema, field, false, test),
            },
            Condition::Loose(field, test) => many::node(self.schema, field, true, test),
        }
    }

    fn one(&self, field: FieldAt, domain: Domain) -> Node {
        Node::one(self.schema, field, domain)
    }

    /// All of these parts.
    fn every(&self, parts: Vec<Node>) -> Node {
        let mut flat = Vec::with_capacity(parts.len());
        parts.into_iter().for_each(|part| flatten(part, &mut flat));
        self.joined(flat, Ok).map_or_else(|Contradiction| Node::nothing(), Node::every)
    }

    /// The same node without what its parts tell of each other.
    fn simplified(&self, node: Node) -> Node {
        let Node { core: Core::Every(parts), negated, .. } = node else { return node };
        let mut flat = Vec::with_capacity(parts.len());
        parts.into_iter().for_each(|part| flatten(self.simplified(part), &mut flat));
        let simple = self.joined(flat, by_parts).map_or_else(|Contradiction| Node::nothing(), Node::every);
        simple.opposite_if(negated)
    }

    /// The parts, once neither the laws of fields nor these others change them any more.
    fn joined(
        &self,
        parts: Vec<Node>,
        others: fn(Vec<Node>) -> Result<Vec<Node>, Contradiction>,
    ) -> Result<Vec<Node>, Contradiction> {
        let mut parts = by_identity(parts)?;
        for _ in 0..ROUNDS {
            let before: Vec<Identity> = parts.iter().map(Node::identity).collect();
            parts = by_identity(self.by_field(parts)?)?;
            parts = by_identity(others(parts)?)?;
            if parts.iter().map(Node::identity).eq(before) {
                break;
            }
        }
        Ok(parts)
    }

    /// The tests of each field, joined.
    fn by_field(&self, parts: Vec<Node>) -> Result<Vec<Node>, Contradiction> {
        let (mut tests, mut joined): (Vec<Node>, Vec<Node>) =
            parts.into_iter().partition(|part| part.field().is_some());
        tests.sort_by(|a, b| order(a.field(), b.field()));
        let mut tests = tests.into_iter().peekable();
        while let Some(first) = tests.next() {
            let mut of_field = vec![first];
            while let Some(next) = tests.next_if(|next| next.field() == of_field[0].field()) {
                of_field.push(next);
            }
            match &of_field[0].core {
                _ if of_field.len() == 1 => joined.append(&mut of_field),
                Core::Many { .. } => many::every(self.schema, of_field, &mut joined)?,
                _ => self.every_of_one(of_field, &mut joined)?,
            }
        }
        Ok(joined)
    }

    /// The tests of one field with single values: one set, and texts that are no sets.
    fn every_of_one(&self, parts: Vec<Node>, joined: &mut Vec<Node>) -> Result<(), Contradiction> {
        let (mut sets, mut texts) = (Vec::new(), Vec::new());
        let mut at = None;
        for Node { print, negated, core } in parts {
            match core {
                Core::One(field, domain) => {
                    at = Some(field);
                    sets.push((domain, negated));
                }
                core => texts.push(Node { print, negated, core }),
            }
        }
        // Two by two, so that each value is moved a few times only, however many sets there are.
        while sets.len() > 1 {
            let mut pairs = std::mem::take(&mut sets).into_iter();
            while let Some(one) = pairs.next() {
                sets.push(match pairs.next() {
                    Some(other) => both(one, other),
                    None => one,
                });
            }
        }
        let (Some(field), Some((mut domain, mut or_missing))) = (at, sets.pop()) else {
            joined.append(&mut texts);
            return Ok(());
        };
        let demanded = texts.iter().any(|text| !text.negated);
        if demanded && or_missing {
            // What is missing is no text.
            (domain, or_missing) = (domain.opposite(), false);
        }
        if !texts.is_empty() {
            let met = |value: ValueRef<'_>| texts.iter().all(|text| meets(text, value) != text.negated);
            // Of single values it is known which are such texts.
            let listed = if or_missing { domain.opposite() } else { domain };
            domain = match listed {
                Domain::Points(mut values) => {
                    values.retain(|value| met(value.as_ref()));
                    texts.clear();
                    Domain::Points(values)
                }
                cut => cut,
            };
            if or_missing {
                domain = domain.opposite();
            }
        }
        if !or_missing && domain.is_empty() {
            return Err(Contradiction);
        }
        let says_nothing = if or_missing { domain.is_empty() } else { demanded && domain.is_full() };
        if !says_nothing {
            joined.push(self.one(field, domain).opposite_if(or_missing));
        }
        joined.append(&mut texts);
        Ok(())
    }
}

/// Whether a value is a text like this.
fn meets(text: &Node, value: ValueRef<'_>) -> bool {
    matches!(&text.core, Core::Text(_, test) if test.admits(value))
}

/// What is in both of two sets, each with whether its opposite is meant, what is missing included.
fn both((a, not_a): (Domain, bool), (b, not_b): (Domain, bool)) -> (Domain, bool) {
    match (not_a, not_b) {
        (false, false) => (a.and(b), false),
        (true, true) => (a.or(b), true),
        (false, true) => (a.without(b), false),
        (true, false) => (b.without(a), false),
    }
}

/// Fields in the order of their positions; paths that are not declared by their names.
pub(super) fn order(a: Option<&FieldAt>, b: Option<&FieldAt>) -> std::cmp::Ordering {
    fn key(field: Option<&FieldAt>) -> Option<(usize, &str)> {
        field.map(|field| (field.position(), field.path().map_or("", |path| &path.name)))
    }
    key(a).cmp(&key(b))
}

/// Puts a part beside others. What is a conjunction itself gives its own parts.
fn flatten(part: Node, to: &mut Vec<Node>) {
    match part.core {
        Core::Every(parts) if !part.negated => to.extend(parts),
        _ if part.is_all() => {}
        _ => to.push(part),
    }
}

/// Each part once; a part and its opposite are a contradiction.
fn by_identity(mut parts: Vec<Node>) -> Result<Vec<Node>, Contradiction> {
    parts.sort_by_key(Node::identity);
    parts.dedup_by_key(|part| part.identity());
    let opposite = parts.windows(2).any(|pair| pair[0].print == pair[1].print);
    if opposite || parts.iter().any(Node::is_nothing) { Err(Contradiction) } else { Ok(parts) }
}

/// `x & (x | y)` is `x`, and `x & (!x | y)` is `x & y`. Parts as `by_identity` leaves them.
fn by_parts(parts: Vec<Node>) -> Result<Vec<Node>, Contradiction> {
    let is_or = |part: &Node| part.negated && matches!(part.core, Core::Every(_));
    if !parts.iter().any(is_or) || parts.len() < 2 {
        return Ok(parts);
    }
    let known: Vec<Identity> = parts.iter().map(Node::identity).collect();
    let holds = |(print, negated): Identity| known.binary_search(&(print, negated)).is_ok();
    let mut left = Vec::with_capacity(parts.len());
    for part in parts {
        // The opposites of what it takes one of to hold.
        let Node { core: Core::Every(opposites), negated: true, print } = part else {
            left.push(part);
            continue;
        };
        if opposites.iter().any(|part| holds((part.print, !part.negated))) {
            continue;
        }
        if !opposites.iter().any(|part| holds(part.identity())) {
            left.push(Node { core: Core::Every(opposites), negated: true, print });
            continue;
        }
        let open = opposites.into_iter().filter(|part| !holds(part.identity())).collect();
        let open = Node::every(open).opposite();
        if open.is_nothing() {
            return Err(Contradiction);
        }
        flatten(open, &mut left);
    }
    Ok(left)
}

//! The laws of conjunctions.

use super::domain::Domain;
use super::many;
use super::node::{Contradiction, Core, Identity, Node};
use crate::schema::condition::Condition;
use crate::schema::test::Test;
use crate::schema::{FieldAt, Schema};

pub(super) struct Laws<'a> {
    pub(super) schema: &'a Schema,
}

impl Laws<'_> {
    /// The normal form of a condition, as deep as the condition. Each law holds in any order and grouping of the parts,
    /// so that equivalent conditions get one form.
    pub(super) fn normal_form(&self, condition: Condition) -> Node {
        match condition {
            Condition::All => Node::all(),
            Condition::Nothing => Node::nothing(),
            Condition::Not(part) => self.normal_form(*part).opposite(),
            Condition::And(parts) => self.every(parts.into_iter().map(|part| self.normal_form(part))),
            Condition::Or(parts) => {
                self.every(parts.into_iter().map(|part| self.normal_form(part).opposite())).opposite()
            }
            Condition::Test(field, test) => match test {
                Test::Eq(value) => self.one(field, Domain::Points(vec![value])),
                Test::In(values) => self.one(field, Domain::Points(values.into_vec())),
                Test::Ne(value) => self.one(field, Domain::all_but(value)),
                Test::IsNull => self.one(field, Domain::FULL).opposite(),
                Test::Range(from, to) => self.one(field, Domain::range(from, to)),
                Test::Text(_) => Node::text(self.schema, field, test),
                Test::Any(_) | Test::All(_) | Test::HasNone => many::node(self.schema, field, false, test),
                Test::Has(test) => many::node(self.schema, field, false, *test),
            },
            Condition::Element(field, condition) => Node::element(field, self.normal_form(*condition)),
            Condition::Undeclared(field, test) => many::node(self.schema, field, true, test),
        }
    }

    fn one(&self, field: FieldAt, domain: Domain) -> Node {
        Node::one(self.schema, field, domain)
    }

    /// All of these parts.
    fn every(&self, parts: impl Iterator<Item = Node>) -> Node {
        let mut flat = Vec::new();
        for part in parts {
            match part.core {
                Core::Every(parts) if !part.negated => flat.extend(parts),
                _ if part.is_all() => {}
                _ => flat.push(part),
            }
        }
        let joined = self.by_field(flat).and_then(by_identity);
        joined.map_or_else(|Contradiction| Node::nothing(), Node::every)
    }

    /// Joins the tests of each field. Text tests of single values stay as they are.
    fn by_field(&self, parts: Vec<Node>) -> Result<Vec<Node>, Contradiction> {
        let (mut tests, mut joined): (Vec<Node>, Vec<Node>) =
            parts.into_iter().partition(|part| matches!(part.core, Core::One(..) | Core::Many { .. }));
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

    /// Joins the sets of values of one field with single values.
    fn every_of_one(&self, parts: Vec<Node>, joined: &mut Vec<Node>) -> Result<(), Contradiction> {
        let mut at = None;
        let mut sets: Vec<(Domain, bool)> = Vec::with_capacity(parts.len());
        for Node { negated, core, .. } in parts {
            if let Core::One(field, domain) = core {
                at = Some(field);
                sets.push((domain, negated));
            }
        }
        // Pair by pair, so that each value moves O(log n) times.
        while sets.len() > 1 {
            let mut pairs = std::mem::take(&mut sets).into_iter();
            while let Some(one) = pairs.next() {
                sets.push(match pairs.next() {
                    Some(other) => both(one, other),
                    None => one,
                });
            }
        }
        let (Some(field), Some((domain, or_missing))) = (at, sets.pop()) else { return Ok(()) };
        let node = self.one(field, domain).opposite_if(or_missing);
        if node.is_nothing() {
            return Err(Contradiction);
        }
        if !node.is_all() {
            joined.push(node);
        }
        Ok(())
    }
}

/// The intersection of two sets. The flag selects the complement of a set, which includes null.
fn both((a, not_a): (Domain, bool), (b, not_b): (Domain, bool)) -> (Domain, bool) {
    match (not_a, not_b) {
        (false, false) => (a.and(b), false),
        (true, true) => (a.or(b), true),
        (false, true) => (a.without(b), false),
        (true, false) => (b.without(a), false),
    }
}

/// Fields in the order of their positions; undeclared paths by name.
pub(super) fn order(a: Option<&FieldAt>, b: Option<&FieldAt>) -> std::cmp::Ordering {
    fn key(field: Option<&FieldAt>) -> Option<(usize, &str, bool)> {
        field.map(|field| (field.position(), field.path().map_or("", |path| &path.name), field.is_as_written()))
    }
    key(a).cmp(&key(b))
}

/// Keeps each part once; a part and its opposite are a contradiction.
fn by_identity(mut parts: Vec<Node>) -> Result<Vec<Node>, Contradiction> {
    parts.sort_by_key(Node::identity);
    parts.dedup_by_key(|part| -> Identity { part.identity() });
    let opposite = parts.windows(2).any(|pair| pair[0].fingerprint == pair[1].fingerprint);
    if opposite || parts.iter().any(Node::is_nothing) { Err(Contradiction) } else { Ok(parts) }
}

//! A condition while it is normalized. Everything is a conjunction or the negation of one (`a | b` is `!(!a & !b)`), so
//! that each law is written once.

use super::domain::Domain;
use crate::query::{Fingerprint, Fingerprinter};
use crate::schema::test::Test;
use crate::schema::{FieldAt, FieldDef, Schema};
use crate::value::Value;
use std::ops::Bound;

#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The fingerprint of the core: equal for equal cores.
    pub(super) fingerprint: Fingerprint,
    /// Whether the node is the negation of the core.
    pub(super) negated: bool,
    pub(super) core: Core,
}

#[derive(Clone, Debug)]
pub(super) enum Core {
    /// Every record.
    All,
    /// A field of single values has a value in this domain.
    One(FieldAt, Domain),
    /// A field of single values has a matching string.
    Text(FieldAt, Test),
    /// One element of a list in documents matches.
    Element(FieldAt, Box<Node>),
    /// A test of a field of many values, or of an undeclared path. A range or a text test means one of the values.
    Many { field: FieldAt, undeclared: bool, test: Test },
    /// The conjunction of at least two nodes, in the order of their identities, none of them a conjunction itself.
    Every(Vec<Node>),
}

/// The parts can't all hold, for any record.
pub(super) struct Contradiction;

/// Distinguishes nodes: a node and its negation are adjacent.
pub(super) type Identity = (Fingerprint, bool);

impl Node {
    fn new(print: Fingerprinter, core: Core) -> Self {
        Node { fingerprint: print.finish(), negated: false, core }
    }

    pub(super) fn all() -> Self {
        Node::new(Fingerprinter::new("all"), Core::All)
    }

    pub(super) fn nothing() -> Self {
        Node::all().opposite()
    }

    pub(super) fn one(schema: &Schema, field: FieldAt, domain: Domain) -> Self {
        let domain = domain.canonical(schema.fields().get(field.position()).map(FieldDef::kind));
        if domain.is_empty() {
            return Node::nothing();
        }
        let print = of_field("one", schema, &field);
        Node::new(domain.feed(print), Core::One(field, domain))
    }

    pub(super) fn text(schema: &Schema, field: FieldAt, test: Test) -> Self {
        Node::new(feed(of_field("text", schema, &field), &test), Core::Text(field, test))
    }

    pub(super) fn many(schema: &Schema, field: FieldAt, undeclared: bool, test: Test) -> Self {
        let print = of_field(if undeclared { "loose" } else { "many" }, schema, &field);
        Node::new(feed(print, &test), Core::Many { field, undeclared, test })
    }

    pub(super) fn element(field: FieldAt, node: Node) -> Self {
        if node.is_nothing() {
            return node;
        }
        let print = Fingerprinter::new("element").text(field.path().map_or("", |path| &path.name));
        Node::new(print.flag(node.negated).print(node.fingerprint), Core::Element(field, Box::new(node)))
    }

    /// The conjunction of these, which must be in the order of their identities.
    pub(super) fn every(mut parts: Vec<Node>) -> Self {
        debug_assert!(parts.is_sorted_by_key(Node::identity));
        if parts.len() < 2 {
            return parts.pop().unwrap_or_else(Node::all);
        }
        let print = Fingerprinter::new("every").number(parts.len());
        let print = parts.iter().fold(print, |print, part| print.flag(part.negated).print(part.fingerprint));
        Node::new(print, Core::Every(parts))
    }

    pub(super) fn opposite(self) -> Self {
        Node { negated: !self.negated, ..self }
    }

    pub(super) fn opposite_if(self, negated: bool) -> Self {
        if negated { self.opposite() } else { self }
    }

    pub(super) fn identity(&self) -> Identity {
        (self.fingerprint, self.negated)
    }

    pub(super) fn is_all(&self) -> bool {
        !self.negated && matches!(self.core, Core::All)
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.negated && matches!(self.core, Core::All)
    }

    /// The field that it tests, if it is a test.
    pub(super) fn field(&self) -> Option<&FieldAt> {
        match &self.core {
            Core::One(field, _) | Core::Text(field, _) | Core::Many { field, .. } | Core::Element(field, _) => {
                Some(field)
            }
            Core::All | Core::Every(_) => None,
        }
    }
}

/// Starts with a tag and a field. A test by collation and one by spelling have different tags.
fn of_field(tag: &str, schema: &Schema, field: &FieldAt) -> Fingerprinter {
    let print = match field.collation() {
        Some(collation) => Fingerprinter::new("by").text(&collation.to_string()).text(tag),
        None if field.is_as_written() => Fingerprinter::new("written").text(tag),
        None => Fingerprinter::new(tag),
    };
    print.text(name(schema, field))
}

/// The name of a field that is bound to a schema.
fn name<'a>(schema: &'a Schema, field: &'a FieldAt) -> &'a str {
    let declared = || schema.fields().get(field.position()).map_or("", |field| field.name());
    field.path().map_or_else(declared, |path| &path.name)
}

fn feed(print: Fingerprinter, test: &Test) -> Fingerprinter {
    let listed = |print: Fingerprinter, values: &[Value]| print.values(values.iter().map(Value::as_ref));
    match test {
        // Other tests of the value of an undeclared path have become one of these.
        Test::Any(values) | Test::In(values) => listed(print.text("any"), values),
        Test::All(values) => listed(print.text("all"), values),
        Test::Eq(value) | Test::Ne(value) => print.text("ne").values([value.as_ref()]),
        Test::IsNull | Test::HasNone => print.text("none"),
        Test::Has(test) => feed(print, test),
        Test::Range(from, to) => [from, to].into_iter().fold(print.text("range"), |print, bound| match bound {
            Bound::Unbounded => print.text("unbounded"),
            Bound::Included(value) => print.text("included").values([value.as_ref()]),
            Bound::Excluded(value) => print.text("excluded").values([value.as_ref()]),
        }),
        Test::Text(pattern) => {
            let (ignore_case, parts) = pattern.parts();
            // Each part in four bytes: a character, or a number that is not one.
            let parts = parts.map(|part| match part {
                Ok(Some(c)) => u32::from(c),
                Ok(None) => u32::MAX,
                Err(()) => u32::MAX - 1,
            });
            let parts: Vec<u8> = parts.flat_map(u32::to_le_bytes).collect();
            print.text("like").flag(ignore_case).bytes(&parts)
        }
    }
}

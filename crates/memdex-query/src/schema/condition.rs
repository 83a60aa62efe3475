//! Predicates bound to a schema.

use super::source::FieldSource;
use super::test::Test;
use super::{FieldAt, undeclared};

/// A predicate bound to a schema: its fields exist and its values have their kinds.
#[derive(Clone, Debug)]
pub enum Condition {
    /// Every record.
    All,
    /// No record.
    Nothing,
    /// A test of a declared field.
    Test(FieldAt, Test),
    /// A test of a path of documents that the schema does not declare: it may have any number of values of any kind.
    Undeclared(FieldAt, Test),
    /// One element of a list in documents matches. The condition names fields of the element.
    Element(FieldAt, Box<Condition>),
    /// All parts hold.
    And(Vec<Condition>),
    /// At least one part holds.
    Or(Vec<Condition>),
    /// The part does not hold.
    Not(Box<Condition>),
}

impl Condition {
    /// Whether a record, or a row of values, matches. Runs the extractors of a record.
    pub fn holds(&self, record: &dyn FieldSource) -> bool {
        match self {
            Condition::All => true,
            Condition::Nothing => false,
            Condition::Test(field, test) => test.holds(record, field),
            Condition::Undeclared(path, test) => undeclared::holds(test, record, path),
            Condition::Element(path, condition) => {
                let mut found = false;
                record.elements_at(path, &mut |element| found = found || condition.holds(element));
                found
            }
            Condition::And(parts) => parts.iter().all(|part| part.holds(record)),
            Condition::Or(parts) => parts.iter().any(|part| part.holds(record)),
            Condition::Not(part) => !part.holds(record),
        }
    }

    /// The conjunction of these; `None` if there are none.
    pub fn all_of(mut parts: Vec<Condition>) -> Option<Condition> {
        if parts.len() > 1 { Some(Condition::And(parts)) } else { parts.pop() }
    }

    /// The same test of the field's strings as they are written.
    pub(super) fn of_spelling(self) -> Condition {
        if let Condition::Test(field, test) = self { Condition::Test(field.as_written(), test) } else { self }
    }

    /// The negation. Double negation cancels out.
    pub fn negated(self) -> Condition {
        match self {
            Condition::Not(part) => *part,
            other => Condition::Not(Box::new(other)),
        }
    }

    /// Passes each test to `each`.
    pub fn each_test<'a>(&'a self, each: &mut dyn FnMut(&'a FieldAt, &'a Test)) {
        match self {
            Condition::All | Condition::Nothing | Condition::Element(..) => {}
            Condition::Test(field, test) | Condition::Undeclared(field, test) => each(field, test),
            Condition::And(parts) | Condition::Or(parts) => parts.iter().for_each(|part| part.each_test(each)),
            Condition::Not(part) => part.each_test(each),
        }
    }

    /// The parts that must all hold.
    pub fn conjuncts(&self) -> &[Condition] {
        match self {
            Condition::All => &[],
            Condition::And(parts) => parts,
            one => std::slice::from_ref(one),
        }
    }

    /// The parts of which at least one must hold.
    fn alternatives(&self) -> &[Condition] {
        match self {
            Condition::Nothing => &[],
            Condition::Or(parts) => parts,
            one => std::slice::from_ref(one),
        }
    }

    /// Whether `other` follows from this: true if each part of `other` follows from one part of this. May miss
    /// implications.
    pub fn implies(&self, other: &Condition) -> bool {
        let parts = self.conjuncts();
        other.conjuncts().iter().all(|implied| parts.iter().any(|part| part.is_stronger(implied)))
            || matches!(self, Condition::Nothing)
    }

    /// Whether one conjunct follows from another. O(n * m) in their alternatives.
    fn is_stronger(&self, other: &Condition) -> bool {
        let follows_from = |one: &Condition| other.alternatives().iter().any(|other| one.test_implies(other));
        self.is_same(other) || self.alternatives().iter().all(follows_from)
    }

    /// Whether `other` follows from this, where both are tests of one field.
    fn test_implies(&self, other: &Condition) -> bool {
        match (self.as_test(), other.as_test()) {
            (Some((field, a, not_a)), Some((of, b, not_b))) if field == of => match (not_a, not_b) {
                (false, false) => a.is_within(b),
                (true, true) => b.is_within(a),
                (false, true) => a.is_apart_from(b),
                // A negation implies no positive test.
                (true, false) => false,
            },
            _ => self.is_same(other),
        }
    }

    /// The test of a declared field, and whether it is negated.
    fn as_test(&self) -> Option<(&FieldAt, &Test, bool)> {
        match self {
            Condition::Test(field, test) => Some((field, test, false)),
            Condition::Not(part) => match &**part {
                Condition::Test(field, test) => Some((field, test, true)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether they are structurally equal. Equivalent conditions in normal form are.
    pub fn is_same(&self, other: &Condition) -> bool {
        let all = |a: &[Condition], b: &[Condition]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_same(b));
        match (self, other) {
            (Condition::All, Condition::All) | (Condition::Nothing, Condition::Nothing) => true,
            (Condition::Test(a, x), Condition::Test(b, y))
            | (Condition::Undeclared(a, x), Condition::Undeclared(b, y)) => a == b && x == y,
            (Condition::And(a), Condition::And(b)) | (Condition::Or(a), Condition::Or(b)) => all(a, b),
            (Condition::Not(a), Condition::Not(b)) => a.is_same(b),
            (Condition::Element(a, x), Condition::Element(b, y)) => a == b && x.is_same(y),
            _ => false,
        }
    }
}

//! The normal form of a condition: equal queries get equal forms, hence equal fingerprints.
//!
//! Negation moves down to the tests by De Morgan's laws, which hold as every test is true or false. The parts of one
//! connective are flat, in one order and distinct. Tests of one field with single values become one set of values
//! (`domain`), from which tests are written again. A part and its negation are a contradiction (`laws`).
//!
//! A missing value matches no comparison, so the negation of a comparison is never another one: `!(a < b)` holds where
//! `a` is missing, `a >= b` does not. A set of values is therefore distinct from its union with null. A field of many
//! values, and an undeclared path, can have two different values at once, so fewer laws hold (`many`).
//!
//! O(n log n) in the size of the condition, at each of its levels.

mod domain;
mod laws;
mod many;
mod node;
#[cfg(all(test, feature = "json"))]
mod tests;
mod written;

use super::Schema;
use super::condition::Condition;
use super::test::Test;
use crate::query::{Fingerprint, Fingerprinter};
use laws::Laws;

/// The normal form of a condition.
pub(super) fn normal_form(condition: Condition, schema: &Schema) -> Condition {
    match condition {
        // These are in normal form already.
        Condition::Test(_, Test::Eq(_) | Test::IsNull) => condition,
        _ => written::condition(Laws { schema }.normal_form(condition)),
    }
}

/// The normal form of a condition and its fingerprint.
pub(super) fn with_fingerprint(condition: Condition, schema: &Schema) -> (Condition, Fingerprint) {
    let node = Laws { schema }.normal_form(condition);
    let fingerprint = Fingerprinter::new("predicate").flag(node.negated).print(node.fingerprint).finish();
    (written::condition(node), fingerprint)
}

/// Equal for conditions with one normal form.
pub(super) fn fingerprint(condition: &Condition, schema: &Schema) -> Fingerprint {
    let node = Laws { schema }.normal_form(condition.clone());
    Fingerprinter::new("predicate").flag(node.negated).print(node.fingerprint).finish()
}

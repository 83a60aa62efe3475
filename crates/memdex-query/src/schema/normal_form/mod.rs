//! The one form of a condition: equal questions look the same, and what can be told without looking at a record is told.
//!
//! Negation goes down to the tests by De Morgan's laws, which hold as each test is either true or false. What is joined by one
//! connective lies side by side, in one order, each part once. Tests of one field with single values become one set of values
//! (`domain`), from which they are written anew. A part and its opposite, and a part within another, cancel out (`laws`).
//!
//! A missing value meets no comparison, so the opposite of a comparison is never another one: `!(a < b)` holds where `a` is missing,
//! `a >= b` does not. A set of values is therefore kept apart from whether what is missing is meant too. Of a field of many values, and of a
//! path that is not declared, two different values can be there at once, so fewer laws hold (`many`).
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
        // Nothing can be made of these.
        Condition::Test(_, Test::Eq(_) | Test::Ne(_) | Test::IsNull) => condition,
        _ => written::condition(Laws { schema }.normal_form(condition)),
    }
}

/// What a condition comes down to: the same for all that have one normal form.
pub(super) fn fingerprint(condition: &Condition, schema: &Schema) -> Fingerprint {
    let node = Laws { schema }.normal_form(condition.clone());
    Fingerprinter::new("predicate").flag(node.negated).print(node.print).finish()
}

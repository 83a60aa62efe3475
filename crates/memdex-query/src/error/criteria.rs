//! JSON criteria that are not a predicate.

use super::suggest::DidYouMean;
use std::error::Error;

errors! {
    /// JSON that is not a map of criteria; see [`Predicate::from_criteria`](crate::query::Predicate::from_criteria).
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum CriteriaError {
        /// Another JSON type in place of a map of criteria.
        NotAMap [] {
            /// The place: `the criteria`, or the operator whose operand it is.
            place: &'static str,
            /// The JSON type found there.
            found: &'static str,
        } => ("{place} must be a JSON object of fields and their criteria, not {found}"),
        /// An unknown operator of a field.
        UnknownOperator [field, operator] {
            /// The operators that exist.
            known: Vec<String>,
        } => (
            "field {field:?} has the unknown operator {operator:?}; the operators are {}{}",
            known.join(", "),
            DidYouMean(operator.trim_start_matches('$'), known)
        ),
        /// An unknown name that begins with `$`; no field can have such a name.
        UnknownJoin [] {
            /// The name.
            operator: String,
        } => (
            "unknown operator {operator:?}: criteria are joined by $and, $or and $not, and no field name begins with $"
        ),
        /// An operand of the wrong JSON type.
        WrongOperand [] {
            /// The field; empty for `$and` and `$or`.
            field: String,
            /// The operator; `eq` for a plain value, `in` for an array.
            operator: &'static str,
            /// The operand that it takes.
            expected: &'static str,
            /// The JSON type of the operand.
            found: &'static str,
        } => ("{operator}{} takes {expected}, not {found}", of_field(field)),
        /// An integer that does not fit 64 bits, signed or unsigned.
        TooLarge [field, number] {
            /// The operator.
            operator: &'static str,
        } => (
            "{operator} of field {field:?} has the operand {number}, which does not fit 64 bits: build the predicate \
             in Rust instead"
        ),
        /// A field with an empty map of operators.
        NoOperator [field] {} => (
            "field {field:?} has an empty map of operators: add an operator, or remove the field"
        ),
        /// Maps and operators are nested deeper than
        /// [`limits::MAX_PREDICATE_DEPTH`](crate::limits::MAX_PREDICATE_DEPTH).
        TooDeep [] {
            /// The deepest that is allowed.
            limit: usize,
        } => ("the criteria are nested deeper than {limit} levels: flatten them"),
    }
}

fn of_field(field: &str) -> String {
    if field.is_empty() { String::new() } else { format!(" of field {field:?}") }
}

impl Error for CriteriaError {}

//! What is wrong with criteria.

/// JSON that says no predicate; see [`Predicate::from_criteria`](crate::Predicate::from_criteria).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CriteriaError {
    /// Something else stands where a map of criteria is wanted.
    #[error("{place} must be a JSON object of fields and their criteria, not {found}")]
    NotAMap {
        /// Where: `the criteria`, or the operator whose operand it is.
        place: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// There is no such operator.
    #[error(
        "{operator:?} of field {field:?} is no operator: eq, ne, gt, gte, lt, lte, between, in, not_in, is_null, like, \
         starts_with, ends_with, contains_str, each of these four and eq with _ignore_case, contains, any, all and not are"
    )]
    UnknownOperator {
        /// The field.
        field: String,
        /// The operator asked for.
        operator: String,
    },
    /// There is no such way to join criteria: names that begin with `$` are no fields.
    #[error("{operator:?} joins no criteria: $and, $or and $not do, and no field can be named so")]
    UnknownJoin {
        /// The name.
        operator: String,
    },
    /// An operator is compared with what it can't be.
    #[error("{operator} of field {field:?} takes {expected}, not {found}")]
    WrongOperand {
        /// The field; empty for `$and` and `$or`.
        field: String,
        /// The operator; a plain value stands for `eq`, an array for `in`.
        operator: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What it was given.
        found: &'static str,
    },
    /// An integer that fits neither 64 bits with a sign nor 64 without.
    #[error(
        "{operator} of field {field:?} is given {number}, which takes more than 64 bits: ask by a predicate of your own"
    )]
    TooLarge {
        /// The field.
        field: String,
        /// The operator.
        operator: &'static str,
        /// The number.
        number: String,
    },
    /// A field is given no operator.
    #[error("field {field:?} has no operator: leave it out, or write one")]
    NoOperator {
        /// The field.
        field: String,
    },
    /// Maps and operators are nested deeper than [`limits::MAX_PREDICATE_DEPTH`](crate::limits::MAX_PREDICATE_DEPTH).
    #[error("the criteria are nested deeper than {limit} levels: flatten them")]
    TooDeep {
        /// How deep they may be.
        limit: usize,
    },
}

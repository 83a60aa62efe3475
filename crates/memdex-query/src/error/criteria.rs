//! JSON criteria that are not a predicate.

use super::suggest::nearest;
use std::error::Error;
use std::fmt;

/// JSON that is not a map of criteria; see [`Predicate::from_criteria`](crate::query::Predicate::from_criteria).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CriteriaError {
    /// Another JSON type in place of a map of criteria.
    #[non_exhaustive]
    NotAMap {
        /// The place: `the criteria`, or the operator whose operand it is.
        place: &'static str,
        /// The JSON type found there.
        found: &'static str,
    },
    /// An unknown operator of a field.
    #[non_exhaustive]
    UnknownOperator {
        /// The field.
        field: String,
        /// The operator.
        operator: String,
    },
    /// An unknown name that begins with `$`; no field can have such a name.
    #[non_exhaustive]
    UnknownJoin {
        /// The name.
        operator: String,
    },
    /// An operand of the wrong JSON type.
    #[non_exhaustive]
    WrongOperand {
        /// The field; empty for `$and` and `$or`.
        field: String,
        /// The operator; `eq` for a plain value, `in` for an array.
        operator: &'static str,
        /// The operand that it takes.
        expected: &'static str,
        /// The JSON type of the operand.
        found: &'static str,
    },
    /// An integer that does not fit 64 bits, signed or unsigned.
    #[non_exhaustive]
    TooLarge {
        /// The field.
        field: String,
        /// The operator.
        operator: &'static str,
        /// The number.
        number: String,
    },
    /// A field with an empty map of operators.
    #[non_exhaustive]
    NoOperator {
        /// The field.
        field: String,
    },
    /// Maps and operators are nested deeper than [`limits::MAX_PREDICATE_DEPTH`](crate::limits::MAX_PREDICATE_DEPTH).
    #[non_exhaustive]
    TooDeep {
        /// The deepest that is allowed.
        limit: usize,
    },
}

/// Every operator of a field.
pub(super) const OPERATORS: [&str; 22] = [
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "between",
    "in",
    "not_in",
    "is_null",
    "like",
    "starts_with",
    "ends_with",
    "contains_str",
    "eq_ignore_case",
    "like_ignore_case",
    "starts_with_ignore_case",
    "ends_with_ignore_case",
    "contains_str_ignore_case",
    "contains",
    "any",
    "all",
];

impl fmt::Display for CriteriaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CriteriaError::NotAMap { place, found } => {
                write!(f, "{place} must be a JSON object of fields and their criteria, not {found}")
            }
            CriteriaError::UnknownOperator { field, operator } => {
                let known: Vec<String> = OPERATORS.iter().map(|operator| (*operator).to_owned()).collect();
                write!(
                    f,
                    "field {field:?} has the unknown operator {operator:?}; the operators are {} and not",
                    known.join(", ")
                )?;
                let typed = operator.trim_start_matches('$');
                match nearest(typed, &known) {
                    Some(near) => write!(f, "; did you mean `{near}`?"),
                    None => Ok(()),
                }
            }
            CriteriaError::UnknownJoin { operator } => write!(
                f,
                "unknown operator {operator:?}: criteria are joined by $and, $or and $not, and no field name begins with $"
            ),
            CriteriaError::WrongOperand { field, operator, expected, found } => {
                f.write_str(operator)?;
                if !field.is_empty() {
                    write!(f, " of field {field:?}")?;
                }
                write!(f, " takes {expected}, not {found}")
            }
            CriteriaError::TooLarge { field, operator, number } => write!(
                f,
                "{operator} of field {field:?} has the operand {number}, which does not fit 64 bits: build the predicate in \
                 Rust instead"
            ),
            CriteriaError::NoOperator { field } => {
                write!(f, "field {field:?} has an empty map of operators: add an operator, or remove the field")
            }
            CriteriaError::TooDeep { limit } => {
                write!(f, "the criteria are nested deeper than {limit} levels: flatten them")
            }
        }
    }
}

impl Error for CriteriaError {}

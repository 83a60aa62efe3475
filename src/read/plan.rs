//! A plan describes how to find the records that match a condition. Plain data: [`super::planner`] makes it,
//! [`super::access`] and [`super::execute`] run it.

use crate::index::Index;
use crate::record::{Condition, Test, Values};
use crate::sync::Arc;
use memdex_query::value::Value;
use std::fmt;
use std::ops::Bound;

/// How to find the records that match a condition.
pub(super) struct Plan {
    /// Source of the candidates, which include every match; `None` means a full scan.
    pub(super) access: Option<Step>,
    /// Residual filter to evaluate on each candidate; `None` if every candidate matches.
    pub(super) residual: Option<Condition>,
    /// Expected number of matches.
    pub(super) rows: usize,
    /// Expected cost of finding the matching rows, in nanoseconds.
    pub(super) cost: f64,
}

/// Rows from one shared structure, or a combination of steps.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) source: Source,
    /// Expected number of rows.
    pub(super) rows: usize,
    /// Expected cost, in nanoseconds.
    pub(super) cost: f64,
}

#[derive(Clone)]
pub(super) enum Source {
    Nothing,
    All,
    /// Looks up each key, given by its parts.
    Keys(Vec<Vec<Value>>),
    Index(Arc<dyn Index>, Lookup),
    /// Scans a whole column, given by its position in the table.
    Column(usize, Test),
    And(Vec<Step>),
    Or(Vec<Step>),
    /// Filters the rows of a step by a column, reading only their cells.
    Among(Box<Step>, usize, Test),
    /// The rows of the first step that are not in the second.
    Without(Box<Step>, Box<Step>),
}

/// A lookup in an index.
#[derive(Clone)]
pub(super) enum Lookup {
    Value(Value),
    /// Rows with at least one of these values.
    Any(Values),
    /// Rows with all of these values; the list is not empty.
    Every(Values),
    Null,
    Range(Bound<Value>, Bound<Value>),
    /// In a composite ordered index: values of the leading fields, and bounds of the next field.
    Prefix(Vec<Value>, Option<(Bound<Value>, Bound<Value>)>),
    /// All rows in the index.
    Whole,
}

impl Plan {
    /// Whether the access path decides the condition without evaluating records.
    pub(super) fn is_exact(&self) -> bool {
        self.access.is_some() && self.residual.is_none()
    }
}

impl Step {
    pub(super) fn nothing() -> Self {
        Step { source: Source::Nothing, rows: 0, cost: 0.0 }
    }
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lookup::Value(value) => write!(f, "= {value:?}"),
            Lookup::Any(values) => listed(f, "in", values.iter()),
            Lookup::Every(values) => listed(f, "has all of", values.iter()),
            Lookup::Null => f.write_str("is null"),
            Lookup::Range(from, to) => range(f, from, to),
            Lookup::Prefix(values, next) => {
                listed(f, "=", values.iter())?;
                match next {
                    Some((from, to)) => {
                        f.write_str(", next ")?;
                        range(f, from, to)
                    }
                    None => Ok(()),
                }
            }
            Lookup::Whole => f.write_str("whole"),
        }
    }
}

/// Formats a range as comparisons.
pub(super) fn range(f: &mut fmt::Formatter<'_>, from: &Bound<Value>, to: &Bound<Value>) -> fmt::Result {
    let low = match from {
        Bound::Unbounded => None,
        Bound::Included(value) => Some(format!(">= {value:?}")),
        Bound::Excluded(value) => Some(format!("> {value:?}")),
    };
    let high = match to {
        Bound::Unbounded => None,
        Bound::Included(value) => Some(format!("<= {value:?}")),
        Bound::Excluded(value) => Some(format!("< {value:?}")),
    };
    match (low, high) {
        (Some(low), Some(high)) => write!(f, "{low} and {high}"),
        (Some(one), None) | (None, Some(one)) => f.write_str(&one),
        (None, None) => f.write_str("any value"),
    }
}

/// Formats values in parentheses.
pub(super) fn listed<'a>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    mut values: impl ExactSizeIterator<Item = &'a Value>,
) -> fmt::Result {
    /// Maximum number of values to write; the rest is only counted.
    const SHOWN: usize = 4;
    write!(f, "{what} (")?;
    for (at, value) in values.by_ref().take(SHOWN).enumerate() {
        write!(f, "{}{value:?}", if at == 0 { "" } else { ", " })?;
    }
    match values.len() {
        0 => f.write_str(")"),
        more => write!(f, " and {more} more)"),
    }
}

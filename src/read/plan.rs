//! A plan: how the records that meet a condition are found. Plain data; [`super::planner`] makes it, [`super::access`] and
//! [`super::execute`] do what it says.

use crate::index::Index;
use crate::record::{Condition, Test, Values};
use crate::sync::Arc;
use memdex_query::value::Value;
use std::fmt;
use std::ops::Bound;

/// How the records that meet a condition are found.
pub(super) struct Plan {
    /// Where candidates come from, all matches among them. Without it every record is one.
    pub(super) access: Option<Step>,
    /// What each candidate is yet to be asked. Without it all of them are matches.
    pub(super) residual: Option<Condition>,
    /// How many records are expected to match.
    pub(super) rows: usize,
    /// What it is expected to cost until the matching rows are known, in nanoseconds.
    pub(super) cost: f64,
}

/// Rows from some part of what is shared.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) source: Source,
    /// How many rows are expected.
    pub(super) rows: usize,
    /// What taking it is expected to cost, in nanoseconds.
    pub(super) cost: f64,
}

#[derive(Clone)]
pub(super) enum Source {
    Nothing,
    All,
    /// The keys of these parts, each looked up.
    Keys(Vec<Vec<Value>>),
    Index(Arc<dyn Index>, Lookup),
    /// A column, by its place in the table, read as a whole.
    Column(usize, Test),
    And(Vec<Step>),
    Or(Vec<Step>),
    /// The rows of a step whose cells in a column meet a test: only those are read.
    Among(Box<Step>, usize, Test),
    /// The rows of the first one that the second one does not have.
    Without(Box<Step>, Box<Step>),
}

/// What is looked up in an index.
#[derive(Clone)]
pub(super) enum Lookup {
    Value(Value),
    /// Rows that have one of these.
    Any(Values),
    /// Rows that have each of these; not of none.
    Every(Values),
    Null,
    Range(Bound<Value>, Bound<Value>),
    /// In an ordered index of several fields: the values of the first ones, and bounds of the next.
    Prefix(Vec<Value>, Option<(Bound<Value>, Bound<Value>)>),
    /// All rows that the index holds.
    Whole,
}

impl Plan {
    /// Whether what the access gives needs no look at records.
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

/// A range in the words of comparisons.
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

/// Some values in parentheses.
pub(super) fn listed<'a>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    mut values: impl ExactSizeIterator<Item = &'a Value>,
) -> fmt::Result {
    /// So many are shown, the rest is counted.
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

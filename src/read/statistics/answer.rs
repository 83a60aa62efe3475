//! What statistics are answered with: figures, and groups that have figures of their own.

use crate::error::Commit;
use crate::record::bound::Names;
use crate::sync::Arc;
use crate::value::{Value, ValueRef};
use std::ops::Deref;
use std::time::Duration;

/// The answer to a [`Statistics`](crate::Statistics): exact, as of one commit. Derefs to its figures.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Summary {
    /// Of all records together, and by groups.
    pub figures: Figures,
    /// The commit as of which it was answered.
    pub commit: Commit,
    /// How long that took.
    pub took: Duration,
    /// Whether the answer was known already.
    pub cached: bool,
}

/// The metrics of some records, and the groups that they fall into.
///
/// With the feature `serde` metrics are written by their names: `{"metrics": {"count": 3}, "groups": […], "groups_in_all": 1}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Shared by all groups of a level.
    pub(super) names: Names,
    /// Shared with whoever knew them before they were asked for.
    pub(super) values: Arc<[Value]>,
    pub(super) groups: Vec<Group>,
    pub(super) groups_in_all: usize,
}

/// Some records that one key tells from all others. Derefs to its figures.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Group {
    /// Part by part: a value, which may be missing; the lowest value of a histogram's bucket; a range as text, `100..200`, without what
    /// is open.
    pub key: Vec<Value>,
    /// Its metrics, and the groups within it.
    pub figures: Figures,
}

impl Figures {
    /// The metric of a name; a missing value where there was nothing to make it of. O(metrics).
    pub fn get(&self, metric: &str) -> Option<&Value> {
        self.names.iter().position(|name| name == metric).and_then(|at| self.values.get(at))
    }

    /// A metric as an integer: counts, and sums, minima and maxima of integers that fit. `None` for any other, and a missing one.
    pub fn int(&self, metric: &str) -> Option<i64> {
        match self.get(metric)?.as_ref() {
            ValueRef::Int(n) => Some(n),
            _ => None,
        }
    }

    /// A metric as a float: floats, and integers, rounded where they are wide. `None` for any other, and a missing one.
    pub fn float(&self, metric: &str) -> Option<f64> {
        match self.get(metric)?.as_ref() {
            ValueRef::Float(x) => Some(x),
            ValueRef::Int(n) => Some(n as f64),
            ValueRef::Int128(n) => Some(n as f64),
            ValueRef::UInt128(n) => Some(n as f64),
            _ => None,
        }
    }

    /// All metrics with their names, as they were asked for.
    pub fn metrics(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.names.iter().map(|name| &**name).zip(&*self.values)
    }

    /// The groups; none if none were asked for.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The group whose key is this one value. O(groups).
    pub fn group(&self, key: impl Into<Value>) -> Option<&Group> {
        let key = key.into();
        self.group_of(std::slice::from_ref(&key))
    }

    /// The group of a key of several parts. O(groups).
    pub fn group_of(&self, key: &[Value]) -> Option<&Group> {
        self.groups.iter().find(|group| group.key == key)
    }

    /// How many groups there are, those that [`top`](crate::GroupBy::top) has left out included.
    pub fn groups_in_all(&self) -> usize {
        self.groups_in_all
    }
}

impl Deref for Summary {
    type Target = Figures;

    fn deref(&self) -> &Figures {
        &self.figures
    }
}

impl Deref for Group {
    type Target = Figures;

    fn deref(&self) -> &Figures {
        &self.figures
    }
}

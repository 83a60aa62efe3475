//! Which group does a value fall into? One part of groups' keys.

use super::bound::{Bound, Cut, Part};
use crate::error::QueryError;
use crate::value::{Value, ValueRef};

#[derive(Clone)]
pub(crate) struct Cutter {
    /// Its place among the fields of the question.
    field: usize,
    how: How,
}

#[derive(Clone)]
enum How {
    Values,
}

impl Cutter {
    pub(crate) fn new(bound: &Bound, part: &Part) -> Result<Self, QueryError> {
        let _ = bound;
        let how = match &part.cut {
            Cut::Values => How::Values,
            _ => How::Values,
        };
        Ok(Cutter { field: part.field, how })
    }

    /// The part of a group's key that a record's values make; `None` if it falls into no bucket.
    pub(crate) fn cut<'a>(&mut self, values: &[ValueRef<'a>]) -> Option<ValueRef<'a>> {
        let value = values[self.field];
        match &mut self.how {
            How::Values => Some(value),
        }
    }

    /// See `Standing::all_between`.
    pub(crate) fn all_between(&mut self, bounds: Option<(&Value, &Value)>, room: usize) -> Option<Vec<(Value, Value)>> {
        let _ = (bounds, room);
        Some(Vec::new())
    }

    /// A part of a group's key as answers show it.
    pub(crate) fn name(&mut self, part: &Value) -> Value {
        match &mut self.how {
            How::Values => part.clone(),
        }
    }
}

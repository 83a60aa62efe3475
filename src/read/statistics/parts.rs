//! One part of the keys of a level's groups: which bucket a value falls into, and the number of that bucket.

use super::bind::{Bound, Cut, Part, Range};
use super::groups::Values;
use crate::error::QueryError;
use crate::value::{Value, ValueRef};

pub(super) struct Numbers {
    /// Its place among the fields.
    pub(super) field: usize,
    many: bool,
    cutter: Cutter,
    /// Of buckets that are named by a value: those that were met.
    values: Values,
}

enum Cutter {
    Values,
    Ranges(Vec<Range>),
}

impl Numbers {
    pub(super) fn new(bound: &Bound, part: &Part) -> Result<Self, QueryError> {
        let cutter = match &part.cut {
            Cut::Values => Cutter::Values,
            Cut::Ranges(ranges) => Cutter::Ranges(ranges.clone()),
            _ => todo!(),
        };
        Ok(Numbers { field: part.field, many: bound.fields[part.field].def.is_many(), cutter, values: Values::new() })
    }

    /// Tells the number of each bucket that a record falls into, given its values of the field.
    pub(super) fn each(&mut self, values: &[ValueRef<'_>], mut tell: impl FnMut(u32)) {
        match &self.cutter {
            Cutter::Values if values.is_empty() => tell(self.values.number(ValueRef::Null)),
            Cutter::Values => values.iter().for_each(|value| tell(self.values.number(*value))),
            Cutter::Ranges(ranges) => {
                for value in values.iter().filter(|value| !value.is_null()) {
                    let within = |(from, to): &Range| {
                        from.as_ref().is_none_or(|from| from.as_ref() <= *value)
                            && to.as_ref().is_none_or(|to| *value < to.as_ref())
                    };
                    ranges.iter().zip(0..).filter(|(range, _)| within(range)).for_each(|(_, number)| tell(number));
                }
            }
        }
    }

    /// How many buckets have a number.
    pub(super) fn len(&self) -> usize {
        match &self.cutter {
            Cutter::Ranges(ranges) => ranges.len(),
            _ => self.values.len(),
        }
    }

    /// The bucket of a number, as groups are named by it.
    pub(super) fn key(&self, number: u32) -> Value {
        match &self.cutter {
            Cutter::Ranges(ranges) => {
                let (from, to) = &ranges[number as usize];
                let text = |bound: &Option<Value>| bound.as_ref().map_or_else(String::new, plain);
                Value::from(format!("{}..{}", text(from), text(to)))
            }
            _ => self.values.get(number).clone(),
        }
    }

    /// By number, the place of each bucket in their order.
    pub(super) fn ranks(&self) -> Vec<u32> {
        if let Cutter::Ranges(ranges) = &self.cutter {
            return (0..ranges.len() as u32).collect();
        }
        let mut order: Vec<u32> = (0..self.values.len() as u32).collect();
        order.sort_unstable_by_key(|number| self.values.get(*number).as_ref());
        let mut ranks = vec![0; order.len()];
        order.iter().zip(0..).for_each(|(number, rank)| ranks[*number as usize] = rank);
        ranks
    }

    pub(super) fn between(&self, first: u32, last: u32, limit: usize) -> Option<Vec<Value>> {
        None
    }
}

/// A bound as text: strings without quotes.
fn plain(value: &Value) -> String {
    match value.as_ref() {
        ValueRef::Str(text) => text.to_owned(),
        other => other.to_string(),
    }
}

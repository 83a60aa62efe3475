//! Maps values to buckets where each value is in at most one: the parts of the group keys of materialized aggregates.

use super::bound::{Cut, Part, Range};
use crate::error::StatisticsError;
use crate::value::{Value, ValueRef};

/// Computes one part of a group's key: the value itself, or the number of its bucket, so that keys have the order of the groups.
#[derive(Clone)]
pub struct Bucketer {
    /// The position of its field among the fields of the statistics.
    field: usize,
    cut: Cut,
}

impl Bucketer {
    /// The bucketer of a part.
    pub fn new(part: &Part) -> Self {
        Bucketer { field: part.field, cut: part.cut.clone() }
    }

    /// The part of the key for a record's values; `None` if the value is in no bucket.
    pub fn cut<'a>(&mut self, values: &[ValueRef<'a>]) -> Option<ValueRef<'a>> {
        let value = values[self.field];
        let number = match (&mut self.cut, value) {
            (Cut::Values, value) => return Some(value),
            (_, ValueRef::Null) => return None,
            (Cut::Width(buckets), value) => buckets.number_of(value)?,
            // A materialized aggregate has no overlapping ranges.
            (Cut::Ranges(ranges, _), value) => i128::from(*ranges.of(value).first()?),
            (Cut::Dates(buckets), ValueRef::Timestamp(nanos)) => buckets.number_of_wide(nanos)?.into(),
            (Cut::Days(buckets), ValueRef::Date(days)) => {
                let number = buckets.number_of(days);
                // The first bucket may begin before the first date.
                buckets.first_day(number)?;
                number.into()
            }
            (Cut::Dates(_) | Cut::Days(_), _) => return None,
        };
        Some(ValueRef::Int128(number).canonical())
    }

    /// The name of a bucket in results, from a part of a group's key.
    pub fn name(&mut self, part: &Value) -> Value {
        let number = number(part);
        let name = match &mut self.cut {
            Cut::Values => return part.clone(),
            Cut::Width(buckets) => buckets.lower_bound(number),
            Cut::Ranges(_, bounds) => usize::try_from(number).ok().and_then(|at| bounds.get(at)).map(range_name),
            Cut::Dates(buckets) => number.try_into().ok().and_then(|number| buckets.name(number)),
            Cut::Days(buckets) => number.try_into().ok().and_then(|number| buckets.name(number)),
        };
        debug_assert!(name.is_some(), "what a value falls into has a name");
        name.unwrap_or(Value::NULL)
    }

    /// All ranges, or all buckets from the first to the last known one: the part of the key, and the name in results.
    ///
    /// # Errors
    /// If the fields do not exist, or cannot have these metrics or buckets.
    pub fn all_between(&mut self, known: Option<(&Value, &Value)>) -> Result<Vec<(Value, Value)>, StatisticsError> {
        if let Cut::Ranges(_, bounds) = &self.cut {
            return Ok(bounds.iter().enumerate().map(|(at, range)| (Value::from(at), range_name(range))).collect());
        }
        let Some((first, last)) = known.map(|(first, last)| (number(first), number(last))) else {
            return Ok(Vec::new());
        };
        let narrow = |number: i128| number.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        Ok(match &mut self.cut {
            Cut::Values | Cut::Ranges(..) => Vec::new(),
            Cut::Width(buckets) => buckets.between(first, last)?.map(|(at, name)| (Value::from(at), name)).collect(),
            Cut::Dates(buckets) => {
                let starts = buckets.between(narrow(first), narrow(last))?;
                starts.map(|(at, nanos)| (Value::from(at), ValueRef::Timestamp(nanos).to_value())).collect()
            }
            Cut::Days(buckets) => {
                let days = buckets.between(narrow(first), narrow(last))?;
                days.map(|(at, day)| (Value::from(at), ValueRef::Date(day).to_value())).collect()
            }
        })
    }
}

fn number(part: &Value) -> i128 {
    match part.as_ref() {
        ValueRef::Int(n) => n.into(),
        ValueRef::Int128(n) => n,
        _ => 0,
    }
}

/// The name of a range in results: `100..200`, strings without quotes, nothing for an open end.
pub fn range_name((from, to): &Range) -> Value {
    let plain = |bound: &Option<Value>| match bound.as_ref().map(Value::as_ref) {
        None => String::new(),
        Some(ValueRef::Str(text)) => text.to_owned(),
        Some(other) => other.to_string(),
    };
    Value::from(format!("{}..{}", plain(from), plain(to)))
}

//! The parts of the group keys of materialized aggregates: the value itself, or the number of its bucket, so that keys
//! have the order of the groups. Each value is in at most one bucket.

use super::bound::{BoundBucket, Bucketer, Range};
use crate::error::StatisticsError;
use crate::value::{Fitted, Value, ValueRef};

impl Bucketer {
    /// The number of an undeclared path as its buckets take it: the greatest one of the kind of their bounds that is not
    /// above it, which lies between the same bounds. `None` for other values, and for a number that is in no bucket.
    pub fn as_bounds(&self, value: ValueRef<'_>) -> Option<Value> {
        match (Fitted::new(value, self.numbers?)?, &self.bucket) {
            (Fitted::Exact(number) | Fitted::Between(Some(number), Some(_)), _) => Some(number),
            // Beyond all integers.
            (Fitted::Between(low, high), BoundBucket::Ranges(..)) => low.or(high),
            (Fitted::Between(..), _) => None,
        }
    }

    /// The part of the key for a record's values; `None` if the value is in no bucket.
    pub fn bucket<'a>(&mut self, values: &[ValueRef<'a>]) -> Option<ValueRef<'a>> {
        let value = values[self.field];
        match self.bucket {
            BoundBucket::Values => Some(value),
            _ => self.number_of(value).map(|number| ValueRef::Int128(number).canonical()),
        }
    }

    /// The number of the bucket of a value; `None` if it is in no bucket, and for groups by value.
    pub fn number_of(&mut self, value: ValueRef<'_>) -> Option<i128> {
        Some(match (&mut self.bucket, value) {
            (BoundBucket::Values, _) | (_, ValueRef::Null) => return None,
            (BoundBucket::Width(buckets), value) => buckets.number_of(value)?,
            // A materialized aggregate has no overlapping ranges.
            (BoundBucket::Ranges(ranges, _), value) => i128::from(*ranges.of(value).first()?),
            (BoundBucket::Dates(buckets), ValueRef::Timestamp(nanos)) => buckets.number_of_wide(nanos)?.into(),
            (BoundBucket::Days(buckets), ValueRef::Date(days)) => {
                let number = buckets.number_of(days);
                // The first bucket may begin before the first date.
                buckets.first_day(number)?;
                number.into()
            }
            (BoundBucket::Dates(_) | BoundBucket::Days(_), _) => return None,
        })
    }

    /// The name of a bucket in results, from a part of a group's key.
    pub fn name(&mut self, part: &Value) -> Value {
        let number = part.as_i128().unwrap_or_default();
        let name = match &mut self.bucket {
            BoundBucket::Values => return part.clone(),
            BoundBucket::Width(buckets) => buckets.lower_bound(number),
            BoundBucket::Ranges(_, bounds) => {
                usize::try_from(number).ok().and_then(|at| bounds.get(at)).map(range_name)
            }
            BoundBucket::Dates(buckets) => number.try_into().ok().and_then(|number| buckets.name(number)),
            BoundBucket::Days(buckets) => number.try_into().ok().and_then(|number| buckets.name(number)),
        };
        debug_assert!(name.is_some(), "the bucket of a value has a name");
        name.unwrap_or(Value::NULL)
    }

    /// All ranges, or all buckets from the first to the last known one: the part of the key, and the name in results.
    ///
    /// # Errors
    /// [`StatisticsError::TooManyBuckets`] above [`MAX_BUCKETS`](crate::limits::MAX_BUCKETS).
    pub fn all_between(&mut self, known: Option<(&Value, &Value)>) -> Result<Vec<(Value, Value)>, StatisticsError> {
        if let BoundBucket::Ranges(_, bounds) = &self.bucket {
            return Ok(bounds.iter().enumerate().map(|(at, range)| (Value::from(at), range_name(range))).collect());
        }
        let Some((first, last)) = known.and_then(|(first, last)| first.as_i128().zip(last.as_i128())) else {
            return Ok(Vec::new());
        };
        let narrow = |number: i128| number.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        Ok(match &mut self.bucket {
            BoundBucket::Values | BoundBucket::Ranges(..) => Vec::new(),
            BoundBucket::Width(buckets) => {
                buckets.between(first, last)?.map(|(at, name)| (Value::from(at), name)).collect()
            }
            BoundBucket::Dates(buckets) => {
                let starts = buckets.between(narrow(first), narrow(last))?;
                starts.map(|(at, nanos)| (Value::from(at), ValueRef::Timestamp(nanos).to_value())).collect()
            }
            BoundBucket::Days(buckets) => {
                let days = buckets.between(narrow(first), narrow(last))?;
                days.map(|(at, day)| (Value::from(at), ValueRef::Date(day).to_value())).collect()
            }
        })
    }
}

/// The name of a range in results: `100..200`, strings without quotes, nothing for an open end.
pub fn range_name((from, to): &Range) -> Value {
    let plain = |bound: &Option<Value>| match bound.as_ref().map(Value::as_ref) {
        None => String::new(),
        Some(value) => value.to_string(),
    };
    Value::from(format!("{}..{}", plain(from), plain(to)))
}

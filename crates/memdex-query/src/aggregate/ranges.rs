//! Explicit ranges: maps a value to the ranges that hold it.

use crate::error::StatisticsError;
use crate::limits::MAX_RANGES;
use crate::value::{Value, ValueRef};

/// Numbered ranges, which may overlap. Their bounds divide the order of values into pieces, each with a list of its
/// ranges. A lookup is a binary search among the bounds, `O(log n)`.
#[derive(Clone, Debug)]
pub struct Ranges {
    ends: Vec<Value>,
    /// One more than bounds: the piece before the first bound, then the piece from each bound.
    pieces: Vec<Vec<u32>>,
}

impl Ranges {
    /// Ranges of pairs (from, to): `from` is included, `to` is excluded, `None` is unbounded.
    ///
    /// # Errors
    /// [`StatisticsError`] if there are too many, if one is empty, or if kinds differ.
    pub fn new(ranges: &[(Option<Value>, Option<Value>)]) -> Result<Self, StatisticsError> {
        if ranges.len() > MAX_RANGES {
            return Err(StatisticsError::TooManyRanges { ranges: ranges.len(), limit: MAX_RANGES });
        }
        let mut ends: Vec<Value> = ranges.iter().flat_map(|(from, to)| from.iter().chain(to)).cloned().collect();
        let kind = ends.first().map(|end| end.as_ref().kind());
        for (from, to) in ranges {
            let mut both = from.iter().chain(to).map(Value::as_ref);
            let fits = both.all(|end| Some(end.kind()) == kind && !is_in_no_range(end));
            if !fits || from.as_ref().zip(to.as_ref()).is_some_and(|(from, to)| from >= to) {
                let owned = |end: &Option<Value>| end.clone().unwrap_or(Value::NULL);
                return Err(StatisticsError::BadRange { from: owned(from), to: owned(to) });
            }
        }
        ends.sort_unstable();
        ends.dedup();
        let mut pieces = vec![Vec::new(); ends.len() + 1];
        for (number, (from, to)) in ranges.iter().enumerate() {
            let place = |end: &Value| ends.partition_point(|other| other <= end);
            let (first, behind) = (from.as_ref().map_or(0, place), to.as_ref().map_or(pieces.len(), place));
            pieces[first..behind].iter_mut().for_each(|piece| piece.push(number as u32));
        }
        Ok(Ranges { ends, pieces })
    }

    /// The numbers of all ranges that hold the value, ascending. Null and NaN are in none.
    pub fn of(&self, value: ValueRef<'_>) -> &[u32] {
        if is_in_no_range(value) {
            return &[];
        }
        &self.pieces[self.ends.partition_point(|end| end.as_ref() <= value)]
    }
}

/// Whether a value is in no range: null and NaN.
fn is_in_no_range(value: ValueRef<'_>) -> bool {
    match value {
        ValueRef::Null => true,
        ValueRef::Float(x) => x.is_nan(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_is_in_every_range_around_it(
            ranges in prop::collection::vec((prop::option::of(-9i64..9), prop::option::of(1i64..9)), 0..9),
        ) {
            let ranges: Vec<_> =
                ranges.into_iter().map(|(from, length)| (from, length.map(|n| from.unwrap_or(0) + n))).collect();
            let values: Vec<_> = ranges.iter().map(|(from, to)| (from.map(Value::from), to.map(Value::from))).collect();
            let all = Ranges::new(&values).unwrap();
            for n in -12..20 {
                let around = |(from, to): &(Option<i64>, Option<i64>)| from.is_none_or(|f| f <= n) && to.is_none_or(|t| n < t);
                let expected: Vec<u32> = (0..).zip(&ranges).filter(|(_, range)| around(range)).map(|(at, _)| at).collect();
                prop_assert_eq!(all.of(ValueRef::from(n)), expected);
            }
        }
    }

    #[test]
    fn empty_ranges_are_refused() {
        let one = |from: Value, to: Value| Ranges::new(&[(None, None), (Some(from), Some(to))]).map(|_| ());
        assert_eq!(one(1.into(), 2.into()), Ok(()));
        for (from, to) in [(1, 1), (2, 1)] {
            let error = one(from.into(), to.into()).unwrap_err();
            assert!(error.to_string().contains(&format!("from {from} to {to}")), "{error}");
        }
        assert!(one(1.into(), 2.0.into()).is_err());
        assert!(one(f64::NAN.into(), f64::NAN.into()).is_err());
        assert!(one(Value::NULL, 1.into()).is_err());
        assert!(Ranges::new(&vec![(None, None); MAX_RANGES]).is_ok());
        assert!(Ranges::new(&vec![(None, None); MAX_RANGES + 1]).is_err());
    }

    #[test]
    fn floats_at_the_bounds() {
        let all = Ranges::new(&[(Some(0.0.into()), None), (None, Some(0.0.into()))]).unwrap();
        let of = |x: f64| all.of(ValueRef::from(x)).to_vec();
        assert_eq!((of(-0.0), of(f64::INFINITY), of(f64::NEG_INFINITY)), (vec![0], vec![0], vec![1]));
        assert!(of(f64::NAN).is_empty() && all.of(ValueRef::Null).is_empty());
    }
}

//! Where is a condition filed, so that a change that may match it is found without evaluating it?
//!
//! Under its most selective conjunct: the values of equality tests, or a range. A record that matches the condition matches the
//! conjunct, so it has one of these values, or a value in the range. An alternative (`|`) is filed under each of its operands.

use crate::record::{Condition, FieldAt, Test};
use memdex_query::value::Value;
use std::ops::Bound;

pub(crate) struct Filing {
    pub(super) field: FieldAt,
    /// Whether the field can have many values.
    pub(super) is_many: bool,
    pub(super) place: Place,
}

pub(super) enum Place {
    Value(Value),
    Range(Bound<Value>, Bound<Value>),
}

/// The expected share of the records that have a value of a field, if it is known.
pub(in crate::storage) type Share<'a> = &'a dyn Fn(&FieldAt) -> Option<f64>;

/// The share of a value that is assumed if nothing is known of the field, and that of a range.
const SHARE_OF_VALUE: f64 = 0.1;
const SHARE_OF_RANGE: f64 = 0.3;

/// Whether a record matches the condition if, and only if, it has a value at one of its places.
pub(in crate::storage) fn is_exact(condition: &Condition) -> bool {
    match condition {
        Condition::Test(_, Test::Eq(_) | Test::In(_) | Test::Any(_) | Test::Range(..)) => true,
        Condition::Test(_, Test::Has(test)) => matches!(**test, Test::Range(..)),
        _ => false,
    }
}

/// The places of a condition; `None` if it can't be filed.
pub(in crate::storage) fn filings(condition: &Condition, share: Share<'_>) -> Option<Vec<Filing>> {
    best(condition, share).map(|(filings, _)| filings)
}

/// The places with the smallest share of the records.
fn best(condition: &Condition, share: Share<'_>) -> Option<(Vec<Filing>, f64)> {
    let candidates = condition.conjuncts().iter().filter_map(|conjunct| match conjunct {
        Condition::Nothing => Some((Vec::new(), 0.0)),
        Condition::Test(field, test) => of_test(field, test, share),
        Condition::And(_) => best(conjunct, share),
        Condition::Or(alternatives) => {
            let each: Option<Vec<_>> = alternatives.iter().map(|one| best(one, share)).collect();
            let sum = |(mut all, total): (Vec<_>, f64), (filings, of_one)| {
                all.extend(filings);
                (all, total + of_one)
            };
            Some(each?.into_iter().fold((Vec::new(), 0.0), sum))
        }
        _ => None,
    });
    candidates.min_by(|(_, a), (_, b)| a.total_cmp(b))
}

fn of_test(field: &FieldAt, test: &Test, share: Share<'_>) -> Option<(Vec<Filing>, f64)> {
    let filing = |is_many, place| Filing { field: field.clone(), is_many, place };
    let of_value = share(field).unwrap_or(SHARE_OF_VALUE);
    let under = |is_many, values: &[Value]| {
        let filings = values.iter().map(|value| filing(is_many, Place::Value(value.clone())));
        (filings.collect(), of_value * values.len() as f64)
    };
    let range = |is_many, from: &Bound<Value>, to: &Bound<Value>| {
        (vec![filing(is_many, Place::Range(from.clone(), to.clone()))], SHARE_OF_RANGE)
    };
    match test {
        Test::Eq(value) => Some(under(false, std::slice::from_ref(value))),
        Test::In(values) => Some(under(false, values)),
        Test::Any(values) => Some(under(true, values)),
        // A record with all of them has the first.
        Test::All(values) => values.first().map(|first| under(true, std::slice::from_ref(first))),
        Test::Range(from, to) => Some(range(false, from, to)),
        Test::Has(test) => match &**test {
            Test::Range(from, to) => Some(range(true, from, to)),
            _ => None,
        },
        Test::Ne(_) | Test::IsNull | Test::Text(_) | Test::HasNone => None,
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;
    use crate::record::{FieldDef, Schema};
    use memdex_query::query::{Predicate, field};
    use memdex_query::value::Kind;

    /// The positions of the fields under which a predicate is filed, with the number of values; a range counts as none.
    fn filed(predicate: Predicate, share: Share<'_>) -> Option<Vec<(usize, usize)>> {
        let tags = FieldDef::new("tags", Kind::Str).many();
        let one = |name: &'static str| FieldDef::new(name, Kind::Int);
        let schema = Schema::new([one("id").key(), one("a"), one("b"), tags]);
        let condition = Condition::new("X", &schema, &predicate).unwrap();
        let mut counted: Vec<(usize, usize)> = Vec::new();
        for Filing { field, is_many, place } in filings(&condition, share)? {
            assert_eq!(is_many, field.position() == 3);
            let value = usize::from(matches!(place, Place::Value(_)));
            match counted.last_mut() {
                Some((position, values)) if *position == field.position() => *values += value,
                _ => counted.push((field.position(), value)),
            }
        }
        Some(counted)
    }

    #[test]
    fn conditions_are_filed_under_their_most_selective_conjunct() {
        let unknown: Share<'_> = &|_| None;
        let (a, b, tags) = (|| field("a"), || field("b"), || field("tags"));
        assert_eq!(filed(a().eq(1), unknown), Some(vec![(1, 1)]));
        assert_eq!(filed(a().is_in([1, 2, 3]), unknown), Some(vec![(1, 3)]));
        assert_eq!(filed(a().is_in([1, 2]) & b().eq(7), unknown), Some(vec![(2, 1)]));
        assert_eq!(filed(a().ge(1) & b().eq(7), unknown), Some(vec![(2, 1)]));
        assert_eq!(filed(a().between(1, 2) & !b().is_null(), unknown), Some(vec![(1, 0)]));
        assert_eq!(filed(tags().contains("x"), unknown), Some(vec![(3, 1)]));
        assert_eq!(filed(tags().all(["x", "y"]), unknown), Some(vec![(3, 1)]));
        let rare: Share<'_> = &|field| (field.position() == 1).then_some(0.001);
        assert_eq!(filed(a().is_in([1, 2]) & b().eq(7), rare), Some(vec![(1, 2)]));
        assert_eq!(filed(a().eq(1) | b().eq(7), unknown), Some(vec![(1, 1), (2, 1)]));
        assert_eq!(filed(a().eq(1) | !b().is_null(), unknown), None, "an alternative that can't be filed");
        assert_eq!(filed(!a().eq(1), unknown), None);
        assert_eq!(filed(Predicate::All, unknown), None);
        assert_eq!(filed(Predicate::none(), unknown), Some(vec![]), "no record can match");
        assert_eq!(filed(a().eq(1) & a().eq(2), unknown), Some(vec![]));
    }
}

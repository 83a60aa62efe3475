//! Sets of values of one field: the meaning of a test of a single value. `&`, `|` and `!` of such tests are sets again.
//! Null is in none of them.

use crate::query::Fingerprinter;
use crate::schema::test::Test;
use crate::schema::values::Values;
use crate::value::{Kind, Value, ValueRef};
use std::cmp::Ordering;
use std::ops::Bound;

/// A set of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Domain {
    /// Exactly these, ascending.
    Points(Vec<Value>),
    /// Alternating intervals between cuts; `inside` is whether the values before the first cut are in the set.
    Cuts { inside: bool, cuts: Vec<Cut> },
}

/// A place between values: just before this value, or just after it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cut {
    value: Value,
    behind: bool,
}

impl Cut {
    /// The same cut among integers: before the next one, if there is one.
    fn of_integer(self) -> Self {
        match next_integer(&self.value) {
            Some(next) if self.behind => Cut { value: next, behind: false },
            _ => self,
        }
    }

    /// Whether exactly one value, that of this cut, lies between this cut and a later one.
    fn is_point_to(&self, to: &Cut) -> bool {
        !self.behind
            && (if to.behind { self.value == to.value } else { next_integer(&self.value).as_ref() == Some(&to.value) })
    }
}

/// The integer after an integer.
fn next_integer(value: &Value) -> Option<Value> {
    match value.as_ref() {
        ValueRef::Int(n) => Some(Value::from(i128::from(n) + 1)),
        ValueRef::Int128(n) => Some(Value::from(n.checked_add(1)?)),
        ValueRef::UInt128(n) => Some(Value::from(n.checked_add(1)?)),
        _ => None,
    }
}

/// An interval of a set, from cut to cut; `None` is unbounded.
pub(super) type Interval = (Option<Cut>, Option<Cut>);

impl Domain {
    pub(super) const EMPTY: Domain = Domain::Points(Vec::new());
    /// Every value.
    pub(super) const FULL: Domain = Domain::Cuts { inside: true, cuts: Vec::new() };

    pub(super) fn all_but(value: Value) -> Self {
        Domain::Points(vec![value]).opposite()
    }

    pub(super) fn range(from: Bound<Value>, to: Bound<Value>) -> Self {
        let cut = |bound, of_included| match bound {
            Bound::Unbounded => None,
            Bound::Included(value) => Some(Cut { value, behind: of_included }),
            Bound::Excluded(value) => Some(Cut { value, behind: !of_included }),
        };
        match (cut(from, false), cut(to, true)) {
            (Some(from), Some(to)) if from >= to => Domain::EMPTY,
            (from, to) => {
                let inside = from.is_none();
                Domain::of_cuts(inside, from.into_iter().chain(to).collect())
            }
        }
    }

    /// The set of these cuts, which ascend.
    fn of_cuts(inside: bool, cuts: Vec<Cut>) -> Self {
        debug_assert!(cuts.is_sorted_by(|a, b| a < b));
        let is_point = |pair: &[Cut]| matches!(pair, [a, b] if a.is_point_to(b));
        if inside || !cuts.chunks(2).all(is_point) {
            return Domain::Cuts { inside, cuts };
        }
        Domain::Points(cuts.into_iter().step_by(2).map(|cut| cut.value).collect())
    }

    fn into_cuts(self) -> (bool, Vec<Cut>) {
        match self {
            Domain::Points(values) => {
                let both = |value: Value| [Cut { value: value.clone(), behind: false }, Cut { value, behind: true }];
                (false, values.into_iter().flat_map(both).collect())
            }
            Domain::Cuts { inside, cuts } => (inside, cuts),
        }
    }

    /// The complement.
    pub(super) fn opposite(self) -> Self {
        let (inside, cuts) = self.into_cuts();
        Domain::of_cuts(!inside, cuts)
    }

    /// The one form of the set among values of this kind: adjacent cuts between consecutive integers, and sets of
    /// `bool`s, have several.
    pub(super) fn canonical(self, kind: Option<Kind>) -> Self {
        match (kind, self) {
            (Some(Kind::Bool), set) => {
                let values = [false, true].map(Value::from);
                let values: Vec<Value> = values.into_iter().filter(|value| set.has(value.as_ref())).collect();
                if values.len() == 2 { Domain::FULL } else { Domain::Points(values) }
            }
            (Some(Kind::Int), Domain::Cuts { inside, cuts }) => {
                let mut kept: Vec<Cut> = Vec::with_capacity(cuts.len());
                for cut in cuts.into_iter().map(Cut::of_integer) {
                    // Between two equal cuts there is no value.
                    if kept.last() == Some(&cut) { _ = kept.pop() } else { kept.push(cut) }
                }
                Domain::of_cuts(inside, kept)
            }
            (_, set) => set,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Domain::EMPTY
    }

    pub(super) fn is_full(&self) -> bool {
        *self == Domain::FULL
    }

    pub(super) fn has(&self, value: ValueRef<'_>) -> bool {
        match self {
            Domain::Points(values) => values.binary_search_by(|own| own.as_ref().cmp(&value)).is_ok(),
            Domain::Cuts { inside, cuts } => {
                let passed = cuts.partition_point(|cut| match cut.value.as_ref().cmp(&value) {
                    Ordering::Less => true,
                    Ordering::Equal => !cut.behind,
                    Ordering::Greater => false,
                });
                inside ^ (passed % 2 == 1)
            }
        }
    }

    /// The intersection. O(n); O(few * log n) for few single values.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Domain::Points(few), Domain::Points(many)) if few.len() > many.len() => {
                Domain::Points(many).and(Domain::Points(few))
            }
            (Domain::Points(mut values), other) | (other, Domain::Points(mut values)) => {
                values.retain(|value| other.has(value.as_ref()));
                Domain::Points(values)
            }
            (Domain::Cuts { inside: a, cuts: of_a }, Domain::Cuts { inside: b, cuts: of_b }) => {
                let (mut in_a, mut in_b, mut in_both) = (a, b, a && b);
                let (mut of_a, mut of_b) = (of_a.into_iter().peekable(), of_b.into_iter().peekable());
                let mut cuts = Vec::new();
                loop {
                    let order = match (of_a.peek(), of_b.peek()) {
                        (None, None) => break,
                        (Some(_), None) => Ordering::Less,
                        (None, Some(_)) => Ordering::Greater,
                        (Some(a), Some(b)) => a.cmp(b),
                    };
                    let mut at = None;
                    if order.is_le() {
                        at = of_a.next();
                        in_a = !in_a;
                    }
                    if order.is_ge() {
                        at = of_b.next();
                        in_b = !in_b;
                    }
                    if (in_a && in_b) != in_both {
                        in_both = !in_both;
                        cuts.extend(at);
                    }
                }
                Domain::of_cuts(a && b, cuts)
            }
        }
    }

    /// The difference.
    pub(super) fn without(self, other: Self) -> Self {
        match self {
            Domain::Points(mut values) => {
                values.retain(|value| !other.has(value.as_ref()));
                Domain::Points(values)
            }
            cuts => cuts.and(other.opposite()),
        }
    }

    /// The union.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Domain::Points(mut values), Domain::Points(more)) => {
                // Two sorted runs, which the sort of the standard library merges.
                values.extend(more);
                values.sort();
                values.dedup();
                Domain::Points(values)
            }
            (one, other) => one.opposite().and(other.opposite()).opposite(),
        }
    }

    pub(super) fn feed(&self, print: Fingerprinter) -> Fingerprinter {
        match self {
            Domain::Points(values) => print.text("points").values(values.iter().map(Value::as_ref)),
            Domain::Cuts { inside, cuts } => {
                let print = print.text("cuts").flag(*inside).number(cuts.len());
                let print = cuts.iter().fold(print, |print, cut| print.flag(cut.behind));
                print.values(cuts.iter().map(|cut| cut.value.as_ref()))
            }
        }
    }

    /// Its intervals, ascending.
    pub(super) fn into_intervals(self) -> Vec<Interval> {
        let (inside, cuts) = self.into_cuts();
        let first = if inside { vec![None] } else { vec![] };
        let mut ends = first.into_iter().chain(cuts.into_iter().map(Some));
        let mut intervals = Vec::new();
        while let Some(from) = ends.next() {
            intervals.push((from, ends.next().flatten()));
        }
        intervals
    }
}

/// The value of an interval with a single one.
pub(super) fn point((from, to): &Interval) -> Option<&Value> {
    match (from, to) {
        (Some(from), Some(to)) if from.is_point_to(to) => Some(&from.value),
        _ => None,
    }
}

/// The test for an interval.
pub(super) fn test_of((from, to): Interval) -> Test {
    let bound = |cut: Option<Cut>, of_included: bool| match cut {
        None => Bound::Unbounded,
        Some(Cut { value, behind }) if behind == of_included => Bound::Included(value),
        Some(Cut { value, .. }) => Bound::Excluded(value),
    };
    Test::Range(bound(from, false), bound(to, true))
}

/// The test for these values.
pub(super) fn listed(mut values: Vec<Value>) -> Test {
    match (values.pop(), values.is_empty()) {
        (Some(only), true) => Test::Eq(only),
        (last, _) => {
            values.extend(last);
            Test::In(Values::sorted(values))
        }
    }
}

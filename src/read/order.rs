//! The order of a query, bound to a schema: which of two records comes first.

use crate::error::QueryError;
use crate::limits::MAX_ORDER_FIELDS;
use crate::record::{Condition, FieldAt, FieldSource, Schema, Test, order_of_all};
use crate::storage::AnyVersion;
use memdex_query::query::{Cursor, Direction, FieldName, Nulls, OrderBy};
use memdex_query::value::{Key, Kind, Value, ValueRef};
use std::cmp::Ordering;

/// One sort field.
#[derive(Clone, Debug)]
pub(super) struct SortField {
    pub(super) at: FieldAt,
    pub(super) name: FieldName,
    /// The kind of a declared field. A path that the schema does not declare may hold values of any kind, and several of them.
    pub(super) kind: Option<Kind>,
    pub(super) descending: bool,
    pub(super) nulls_first: bool,
    /// Whether it is of the opposite of a query's order.
    backwards: bool,
}

/// The sort fields of a query; the key breaks ties. The order is total, since no two records have the same key.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) fields: Vec<SortField>,
    /// Whether it is the opposite of a query's order, in which the keys descend.
    pub(super) backwards: bool,
}

/// A place in an order: that of the last record of an earlier page.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// Its values of the sort fields.
    pub(super) values: &'a [Value],
    pub(super) tie: Tie<'a>,
    /// Whether the values have the kinds that the sort fields have here. The place of a record of another collection may have others.
    pub(super) same_kinds: bool,
}

/// Decides between a record and a place with the same values.
#[derive(Clone, Copy)]
pub(super) enum Tie<'a> {
    /// By the key of the place.
    Key(&'a Key),
    /// Every record of this collection comes before such a place, or behind it.
    Always(Ordering),
}

impl SortField {
    /// The value that a record is sorted by; of several values at an undeclared path the one that comes first in the order of the query.
    /// Runs the extractor.
    pub(super) fn value_of<'a>(&self, record: &'a dyn FieldSource) -> ValueRef<'a> {
        if self.kind.is_some() {
            return record.value_at(&self.at);
        }
        let mut first: Option<ValueRef<'a>> = None;
        record.values_at(&self.at, &mut |value| {
            let wanted = if self.backwards { Ordering::Greater } else { Ordering::Less };
            let is_first = first.is_none_or(|first| self.compare(value, first) == wanted);
            if !value.is_null() && is_first {
                first = Some(value);
            }
        });
        first.unwrap_or(ValueRef::Null)
    }

    pub(super) fn compare(&self, a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
        match self.kind {
            Some(_) => directed(a, b, self.descending, self.nulls_first, |a, b| a.cmp(&b)),
            None => directed(a, b, self.descending, self.nulls_first, order_of_all),
        }
    }
}

fn directed<'a>(
    a: ValueRef<'a>,
    b: ValueRef<'a>,
    descending: bool,
    nulls_first: bool,
    order: impl Fn(ValueRef<'a>, ValueRef<'a>) -> Ordering,
) -> Ordering {
    let by_nulls = if nulls_first { Ordering::Less } else { Ordering::Greater };
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => by_nulls,
        (false, true) => by_nulls.reverse(),
        (false, false) if descending => order(b, a),
        (false, false) => order(a, b),
    }
}

/// Compares the sort values of two records of any collections, in which a field may have different kinds.
pub(super) fn compare(order: &[OrderBy], a: &[Value], b: &[Value]) -> Ordering {
    // A field that is named again has no value of its own.
    let is_repeated = |at: usize| order[..at].iter().any(|by| by.field == order[at].field);
    let order = order.iter().enumerate().filter(|(at, _)| !is_repeated(*at)).map(|(_, by)| by);
    let mut unequal = order.zip(a.iter().zip(b)).map(|(by, (a, b))| {
        let (descending, nulls_first) = (by.direction == Direction::Descending, by.nulls == Nulls::First);
        directed(a.as_ref(), b.as_ref(), descending, nulls_first, order_of_all)
    });
    unequal.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Whether all records that match a condition have the same value of a field. Tests of undeclared paths, which may have
/// several values, are conditions of another variant.
pub(super) fn is_constant(condition: &Condition, field: &FieldAt) -> bool {
    let constant = |part: &Condition| matches!(part, Condition::Test(of, Test::Eq(_) | Test::IsNull) if of == field);
    condition.conjuncts().iter().any(constant)
}

impl Order {
    /// Binds an order to a schema; `collection` names it in errors.
    pub(super) fn new(collection: &str, schema: &Schema, order: &[OrderBy]) -> Result<Self, QueryError> {
        if order.len() > MAX_ORDER_FIELDS {
            return Err(QueryError::too_many(collection, "fields to order by", order.len(), MAX_ORDER_FIELDS));
        }
        let mut fields: Vec<SortField> = Vec::with_capacity(order.len());
        for by in order {
            let (at, kind) = match schema.find(&by.field) {
                Some((_, def)) if def.is_many() => {
                    return Err(QueryError::not_single(collection, &*by.field, "an order"));
                }
                Some((at, def)) => (at, Some(def.kind())),
                None => match schema.undeclared(&by.field) {
                    Some(at) => (at, None),
                    None => return Err(schema.unknown_field(collection, &by.field)),
                },
            };
            // Records that an earlier field leaves equal are equal in the same field again.
            if fields.iter().all(|earlier| earlier.name != by.field) {
                let (descending, nulls_first) = (by.direction == Direction::Descending, by.nulls == Nulls::First);
                fields.push(SortField { at, name: by.field.clone(), kind, descending, nulls_first, backwards: false });
            }
        }
        Ok(Order { fields, backwards: false })
    }

    /// The opposite order.
    pub(super) fn reversed(&self) -> Self {
        let opposite = |field: &SortField| SortField {
            descending: !field.descending,
            nulls_first: !field.nulls_first,
            backwards: !field.backwards,
            ..field.clone()
        };
        Order { fields: self.fields.iter().map(opposite).collect(), backwards: !self.backwards }
    }

    /// Which of two records with the same sort values comes first.
    pub(super) fn tie(&self, a: &Key, b: &Key) -> Ordering {
        if self.backwards { b.cmp(a) } else { a.cmp(b) }
    }

    /// The fields that decide the order of records for which some fields are constant: the others, then the parts of the key.
    pub(super) fn effective(&self, schema: &Schema, is_constant: impl Fn(&FieldAt) -> bool) -> Self {
        let mut fields: Vec<SortField> = self.fields.iter().filter(|field| !is_constant(&field.at)).cloned().collect();
        for (position, def) in schema.fields().iter().enumerate().filter(|(_, def)| def.is_key()) {
            let at = schema.at(position);
            if self.fields.iter().all(|field| field.at != at) && !is_constant(&at) {
                let (name, kind) = (def.name().to_owned().into(), Some(def.kind()));
                let backwards = self.backwards;
                fields.push(SortField { at, name, kind, descending: backwards, nulls_first: !backwards, backwards });
            }
        }
        Order { fields, backwards: self.backwards }
    }

    /// The sort values of a record. Runs its extractors.
    pub(super) fn values(&self, version: &dyn AnyVersion) -> Vec<Value> {
        match version.record() {
            Some(record) => self.values_of(record),
            None => vec![Value::NULL; self.fields.len()],
        }
    }

    /// The sort values of a record. Runs its extractors.
    pub(super) fn values_of(&self, record: &dyn FieldSource) -> Vec<Value> {
        self.fields.iter().map(|field| field.value_of(record).to_value()).collect()
    }

    /// Which of two records with these sort values comes first; equal if only the key decides.
    pub(super) fn compare_values(&self, a: &[Value], b: &[Value]) -> Ordering {
        let values = a.iter().zip(b);
        let mut unequal = self.fields.iter().zip(values).map(|(field, (a, b))| field.compare(a.as_ref(), b.as_ref()));
        unequal.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// Which of two records comes first, if the first `known` sort fields are known to be equal. Runs their extractors.
    pub(super) fn compare_from(&self, known: usize, a: &dyn AnyVersion, b: &dyn AnyVersion) -> Ordering {
        let mut unequal =
            self.fields.iter().skip(known).map(|field| field.compare(value_of(a, field), value_of(b, field)));
        unequal.find(|order| order.is_ne()).unwrap_or(Ordering::Equal).then_with(|| self.tie(&a.key, &b.key))
    }

    /// Whether a record comes before a place or behind it. Runs its extractors.
    pub(super) fn compare_to_place(&self, a: &dyn AnyVersion, place: &Place<'_>) -> Ordering {
        let mut unequal = self.fields.iter().zip(place.values).map(|(field, value)| {
            let (own, value) = (value_of(a, field), value.as_ref());
            if place.same_kinds {
                field.compare(own, value)
            } else {
                directed(own, value, field.descending, field.nulls_first, order_of_all)
            }
        });
        unequal.find(|order| order.is_ne()).unwrap_or(Ordering::Equal).then_with(|| match place.tie {
            Tie::Key(key) => self.tie(&a.key, key),
            Tie::Always(order) => order,
        })
    }

    /// Whether a cursor has as many values as there are sort fields. One that was made elsewhere may have any.
    pub(super) fn has_values_of(&self, cursor: &Cursor) -> bool {
        self.fields.len() == cursor.values.len()
    }

    /// Whether the values of a cursor have the kinds of the sort fields.
    pub(super) fn has_kinds_of(&self, cursor: &Cursor) -> bool {
        let fits = |(field, value): (&SortField, &Value)| {
            value.as_ref().kind().is_none_or(|kind| field.kind.is_none_or(|of_field| of_field == kind))
        };
        self.fields.iter().zip(&cursor.values).all(fits)
    }
}

pub(super) fn value_of<'a>(version: &'a dyn AnyVersion, field: &SortField) -> ValueRef<'a> {
    version.record().map_or(ValueRef::Null, |record| field.value_of(record))
}

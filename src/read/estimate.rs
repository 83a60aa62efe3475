//! Cardinality estimates of lookups, read from the indexes.

use super::plan::Lookup;
use crate::index::{Index, Sought, WalkSpec, tuple};
use crate::record::IndexKind;
use memdex_query::value::{Value, ValueRef};

/// Expected number of rows of a lookup.
pub(super) fn of_lookup(index: &dyn Index, lookup: &Lookup, total: usize) -> usize {
    let one = |value: &Value| index.estimate(&Sought::Value(value.as_ref()));
    let rows = match lookup {
        Lookup::Value(value) => one(value),
        Lookup::Any(values) => index.estimate(&Sought::AnyOf(values)),
        Lookup::Every(values) => values.iter().filter_map(one).min(),
        Lookup::Null => one(&Value::NULL),
        Lookup::Range(from, to) => index.estimate(&Sought::Range(from.as_ref(), to.as_ref())),
        Lookup::Prefix(values, next) => {
            let values: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
            match index.shape.def.kind() {
                IndexKind::Ordered => {
                    let next = next.as_ref().map(|(from, to)| (from.as_ref(), to.as_ref()));
                    index.estimate(&Sought::Prefix(&values, next))
                }
                _ => one(&tuple(&values)),
            }
        }
        Lookup::Whole => Some(index.records()),
    };
    rows.unwrap_or(total).min(total)
}

/// Expected number of entries that a complete walk reads.
pub(super) fn of_walk(index: &dyn Index, spec: &WalkSpec, total: usize) -> usize {
    index.estimate(&Sought::Walk(spec)).unwrap_or(total).min(total)
}

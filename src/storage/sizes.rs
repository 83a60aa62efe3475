//! Limits of the size of values and records, for stores that stand in for a production database.

use super::any_version::AnyVersion;
use super::table::Table;
use crate::error::Cause;
use crate::user_code;
use memdex_query::value::ValueRef;

impl Table {
    /// Refuses a record, with so much memory on the heap, that is too large or has too long a value. Runs extractors.
    pub(crate) fn check_size(&self, record: &dyn AnyVersion, heap: usize) -> Result<(), Cause> {
        let testing = self.counters.testing.as_ref();
        let Some(limits) = testing.and_then(|testing| testing.for_writes(&self.name)) else { return Ok(()) };
        let beyond = |what: String, size, limit: Option<usize>| match limit {
            Some(limit) if size > limit => Err(Cause::BeyondLimit { what, size, unit: "bytes", limit }),
            _ => Ok(()),
        };
        beyond("the record".to_owned(), self.record_type.size.saturating_add(heap), limits.max_record_bytes)?;
        if limits.max_value_bytes.is_none() {
            return Ok(());
        }
        let longest = |field: usize| {
            let at = self.schema.at(field);
            let mut longest = 0;
            if self.schema.fields()[field].is_many() {
                record.values_at(&at, &mut |value| longest = longest.max(length(value)));
            } else {
                longest = length(record.value_at(&at));
            }
            longest
        };
        for (place, field) in self.schema.fields().iter().enumerate() {
            let size = user_code::run(|| longest(place));
            let size = size.map_err(|message| Cause::Panicked { what: "field extractor", message })?;
            beyond(format!("field {:?}", field.name()), size, limits.max_value_bytes)?;
        }
        Ok(())
    }
}

/// The length of a string or byte string.
fn length(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Str(text) => text.len(),
        ValueRef::Bytes(bytes) => bytes.len(),
        _ => 0,
    }
}

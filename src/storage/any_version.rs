//! A version without its record type. The engine works on these. Only the row pages, the key table and the public API know the type.
//! So most of the engine is compiled once, in this crate, and not for each record type.

use super::version::{Head, Stored, Version};
use crate::clock::Timestamp;
use crate::error::{Cause, Commit, FieldError};
use crate::limits::LARGEST_HEAP;
use crate::record::{Access, FieldAt, FieldSource, KeyBuffer, Record, Schema};
use crate::sync::Arc;
use crate::user_code;
use memdex_query::value::ValueRef;
use std::any::Any;
use std::mem::needs_drop;
use std::ops::Deref;

/// A version of any record type. It derefs to its [`Head`]; as a [`FieldSource`] it has the fields of its record.
pub(crate) trait AnyVersion: FieldSource + Any + Send + Sync {
    fn head(&self) -> &Head;
    fn head_mut(&mut self) -> &mut Head;
    fn is_tombstone(&self) -> bool;
    /// Whether it can go once no reader sees a version before it.
    fn is_removable(&self) -> bool;
    /// The commit that wrote its record, as conditions and readers see it.
    fn written(&self) -> Commit;
    /// The version that owns the record, if it is another one.
    fn owner(&self) -> Option<SharedVersion>;
    /// Whether records of its type can own heap memory.
    fn owns_heap(&self) -> bool;
    /// The heap memory of its record, as [`Record::heap_size`] returns it.
    fn heap_of_record(&self) -> usize;
    /// The same, as far as it counts as memory of its table: not if the base of a fork has the record.
    fn counted_heap(&self) -> usize;
    /// Adds the parts of its record's key.
    fn add_key(&self, schema: &Schema, key: &mut KeyBuffer);

    // These need a version that owns its record and is not shared:

    /// Checks its record against the schema, and prepares it for reads by this schema.
    fn admit(&mut self, schema: &Schema) -> Result<(), Cause>;
    fn set_at(&mut self, field: &FieldAt, value: ValueRef<'_>) -> Result<(), FieldError>;
    fn append_at(&mut self, field: &FieldAt, value: ValueRef<'_>, keep: usize) -> Result<(), FieldError>;
    /// Runs user code, which may panic.
    fn drop_record(&mut self);

    // These make other versions of the same type:

    /// A tombstone, which perhaps hides a record of the base from a fork.
    fn tombstone(&self, head: Head, hides: bool) -> SharedVersion;
    /// The record again, without a copy of it: written by another commit, or taken over from the base as it was.
    fn again(self: Arc<Self>, head: Head, is_taken_over: bool) -> SharedVersion;
}

/// A version that the engine passes on.
pub(crate) type SharedVersion = Arc<dyn AnyVersion>;

impl Deref for dyn AnyVersion {
    type Target = Head;

    #[inline]
    fn deref(&self) -> &Head {
        self.head()
    }
}

impl dyn AnyVersion {
    /// The fields of its record; `None` for a tombstone.
    pub(crate) fn record(&self) -> Option<&dyn FieldSource> {
        if self.is_tombstone() { None } else { Some(self) }
    }

    /// Its record, if it has one, of this type.
    pub(crate) fn record_as<R: Record>(&self) -> Option<&R> {
        (self as &dyn Any).downcast_ref::<Version<R>>()?.record()
    }

    /// The heap memory of its record, or the message of a panic.
    pub(crate) fn measure_heap(&self) -> Result<usize, String> {
        if self.owns_heap() { user_code::run(|| self.heap_of_record()) } else { Ok(0) }
    }

    /// Adds the key of its record, read from it, to an empty buffer. The error is the message of a panic.
    pub(crate) fn read_key(&self, schema: &Schema, key: &mut KeyBuffer) -> Result<(), String> {
        user_code::run(|| self.add_key(schema, key))
    }

    /// Whether it has a record that has not expired.
    pub(crate) fn is_alive(&self, time: Timestamp) -> bool {
        !self.is_tombstone() && !self.deadline.is_past(time)
    }

    /// Has readers' uses counted, after those of the version before. Writing a record that is there is a use of it.
    pub(crate) fn count_uses_after(&self, before: Option<&dyn AnyVersion>) {
        let uses = before.filter(|before| !before.is_tombstone()).map_or(0, |before| before.deadline.uses() + 1);
        self.deadline.set_uses(uses);
    }
}

impl<R: Record> AnyVersion for Version<R> {
    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn is_tombstone(&self) -> bool {
        Version::is_tombstone(self)
    }

    fn is_removable(&self) -> bool {
        matches!(self.stored, Stored::Gone)
    }

    fn written(&self) -> Commit {
        Version::written(self)
    }

    fn owner(&self) -> Option<SharedVersion> {
        if let Stored::Restored(owner) | Stored::TakenOver(owner) = &self.stored { Some(owner.clone()) } else { None }
    }

    fn owns_heap(&self) -> bool {
        // A type without a destructor owns nothing.
        needs_drop::<R>()
    }

    fn heap_of_record(&self) -> usize {
        heap_of(self.record())
    }

    fn counted_heap(&self) -> usize {
        heap_of(self.counted())
    }

    fn add_key(&self, schema: &Schema, key: &mut KeyBuffer) {
        if let Some(record) = self.record() {
            record.key_by(schema, key);
        }
    }

    fn admit(&mut self, schema: &Schema) -> Result<(), Cause> {
        match &mut self.stored {
            Stored::Own(record) => record.admit(schema),
            _ => unreachable!("{NOT_OWNED}"),
        }
    }

    fn set_at(&mut self, field: &FieldAt, value: ValueRef<'_>) -> Result<(), FieldError> {
        match &mut self.stored {
            Stored::Own(record) => record.set_at(field, value),
            _ => unreachable!("{NOT_OWNED}"),
        }
    }

    fn append_at(&mut self, field: &FieldAt, value: ValueRef<'_>, keep: usize) -> Result<(), FieldError> {
        match &mut self.stored {
            Stored::Own(record) => record.append_at(field, value, keep),
            _ => unreachable!("{NOT_OWNED}"),
        }
    }

    fn drop_record(&mut self) {
        self.stored = Stored::Gone;
    }

    fn tombstone(&self, head: Head, hides: bool) -> SharedVersion {
        Arc::new(Version::<R> { head, stored: if hides { Stored::Hidden } else { Stored::Gone } })
    }

    fn again(self: Arc<Self>, head: Head, is_taken_over: bool) -> SharedVersion {
        let stored = match &self.stored {
            _ if is_taken_over => Stored::TakenOver(self),
            Stored::Restored(owner) => Stored::Restored(owner.clone()),
            _ => Stored::Restored(self),
        };
        Arc::new(Version { head, stored })
    }
}

const NOT_OWNED: &str = "only a record that is not in the store yet is changed";

fn heap_of<R: Record>(record: Option<&R>) -> usize {
    if needs_drop::<R>() { record.map_or(0, |record| record.heap_size().min(LARGEST_HEAP)) } else { 0 }
}

/// The fields of its record.
impl<R: Record> FieldSource for Version<R> {
    fn value_at(&self, field: &FieldAt) -> ValueRef<'_> {
        self.record().map_or(ValueRef::Null, |record| record.value_at(field))
    }

    fn values_at<'a>(&'a self, field: &FieldAt, each: &mut dyn FnMut(ValueRef<'a>)) {
        if let Some(record) = self.record() {
            record.values_at(field, each);
        }
    }

    fn elements_at(&self, field: &FieldAt, each: &mut dyn FnMut(&dyn FieldSource)) {
        if let Some(record) = self.record() {
            record.elements_at(field, each);
        }
    }
}

/// The version with its record type; `None` if it has another one.
pub(crate) fn typed<R: Record>(version: SharedVersion) -> Option<Arc<Version<R>>> {
    let any: Arc<dyn Any + Send + Sync> = version;
    any.downcast().ok()
}

//! The trait of what a collection holds.

use super::KeyBuffer;
use super::{FieldAt, Schema};
use crate::error::Cause;
use crate::value::ValueRef;

/// A type whose values a collection can hold.
///
/// Derive it:
///
/// ```
/// use memdex::Record;
///
/// #[derive(Clone, Debug, Record)]
/// struct Flight {
///     #[record(key)]   origin: String,
///     #[record(key)]   number: u16,
///     #[record(index)] carrier: String,
///     #[record(field)] delay_minutes: Option<i32>,
///                      remarks: Vec<String>, // invisible to queries: no trait is asked of it
/// }
/// ```
///
/// Or write it by hand, for instance when a field is computed. `key` writes the key's parts in the order of the
/// schema, and `value` gives the value of the field at a position of the schema:
///
/// ```
/// use memdex::{FieldDef, KeyBuffer, Record, Schema, Store, ValueRef, field};
///
/// struct Person { id: u64, name: String, born: u16 }
///
/// impl Record for Person {
///     type Key = u64;
///
///     fn schema() -> Schema {
///         Schema::new([
///             FieldDef::of::<u64>("id").key(),
///             FieldDef::of::<String>("initial").index(),
///             FieldDef::of::<u16>("decade"),
///         ])
///     }
///
///     fn key(&self, key: &mut KeyBuffer) {
///         key.push(self.id.into());
///     }
///
///     fn value(&self, field: usize) -> ValueRef<'_> {
///         match field {
///             0 => self.id.into(),
///             1 => self.name.get(..1).map_or(ValueRef::Null, ValueRef::from),
///             _ => (self.born / 10 * 10).into(),
///         }
///     }
/// }
///
/// let people = Store::new().collection::<Person>("Person")?;
/// people.store(Person { id: 7, name: "Ada".into(), born: 1815 })?;
/// assert_eq!(people.get(7).unwrap().name, "Ada");
/// assert_eq!(people.find(field("initial").eq("A") & field("decade").eq(1810)).count()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// `key` and `value` must give the same answers for the same record each time. Should they panic while a batch is
/// committed, the batch is refused as a whole; should they panic in a query, the panic reaches whoever asked.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a memdex record",
    note = "put `#[derive(memdex::Record)]` on it, and `#[record(key)]` on at least one of its fields"
)]
pub trait Record: Sized + Send + Sync + 'static {
    /// The type of the key: that of the key field, or a tuple when there are several. It says what
    /// [`get`](crate::Collection::get) accepts.
    type Key;

    /// Fields in the order of their positions. Asked once a collection.
    fn schema() -> Schema;

    /// Writes the parts of this record's key.
    fn key(&self, key: &mut KeyBuffer);

    /// The value of the field at position `field` of the schema; `Null` for a position that does not exist, and for a field of
    /// many values.
    fn value(&self, field: usize) -> ValueRef<'_>;

    /// Shows each value of the field at a position of the schema. To be written for schemas with fields of
    /// [many](crate::FieldDef::many) values alone.
    fn values<'a>(&'a self, field: usize, show: &mut dyn FnMut(ValueRef<'a>)) {
        show(self.value(field));
    }

    // What the engine calls. Records without a Rust type of their own look their fields up here by more than a position.

    /// The method that opens collections of these records with a schema, where the type has none of its own.
    #[doc(hidden)]
    const OPENED_WITH: Option<&'static str> = None;

    /// Whether the record fits the schema. The compiler knows that of a type.
    #[doc(hidden)]
    fn check_by(&self, schema: &Schema) -> Result<(), Cause> {
        let _ = schema;
        Ok(())
    }

    #[doc(hidden)]
    fn key_by(&self, schema: &Schema, key: &mut KeyBuffer) {
        let _ = schema;
        self.key(key);
    }

    #[doc(hidden)]
    #[inline]
    fn value_at(&self, field: &FieldAt) -> ValueRef<'_> {
        self.value(field.position())
    }

    #[doc(hidden)]
    fn values_at<'a>(&'a self, field: &FieldAt, show: &mut dyn FnMut(ValueRef<'a>)) {
        self.values(field.position(), show);
    }
}

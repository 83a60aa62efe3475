//! A record's schema: which fields queries may name, which are indexed, which make the key.

use super::{FieldValue, KeyBuffer, Kind, ValueRef};
use crate::error::SchemaError;
use crate::limits;
use std::borrow::Cow;
use std::fmt;

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

    /// The value of the field at position `field` of the schema; `Null` for a position that does not exist.
    fn value(&self, field: usize) -> ValueRef<'_>;
}

/// How queries reach a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Through an equality index: O(1) to the set of rows that hold a value.
    Index,
    /// By looking at the records.
    Scan,
}

/// One field of a [`Schema`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDef {
    name: Cow<'static, str>,
    kind: Kind,
    nullable: bool,
    access: Access,
    key: bool,
}

impl FieldDef {
    /// A field that holds values of type `T`, is found by scan, and is no part of the key.
    pub fn of<T: FieldValue>(name: impl Into<Cow<'static, str>>) -> Self {
        FieldDef { name: name.into(), kind: T::KIND, nullable: T::NULLABLE, access: Access::Scan, key: false }
    }

    /// The same field with an equality index.
    #[must_use]
    pub fn index(self) -> Self {
        FieldDef { access: Access::Index, ..self }
    }

    /// The same field as a part of the key.
    #[must_use]
    pub fn key(self) -> Self {
        FieldDef { key: true, ..self }
    }

    /// The name that queries use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind of its values.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether the value can be missing.
    pub fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// How queries reach it.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Whether it is a part of the key.
    pub fn is_key(&self) -> bool {
        self.key
    }
}

/// The fields of a record type, each at its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    fields: Vec<FieldDef>,
}

impl Schema {
    /// A schema of these fields. Whether it is sound is judged when a collection asks for it.
    pub fn new(fields: impl IntoIterator<Item = FieldDef>) -> Self {
        Schema { fields: fields.into_iter().collect() }
    }

    /// The fields in the order of their positions.
    pub fn fields(&self) -> &[FieldDef] {
        &self.fields
    }

    /// The position of the field `name`. O(number of fields).
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }

    /// At least one key field, none of them optional; names that are there and differ; no more than
    /// [`limits::MAX_FIELDS`].
    pub(crate) fn check(&self) -> Result<(), SchemaError> {
        if self.fields.len() > limits::MAX_FIELDS {
            return Err(SchemaError::TooManyFields { fields: self.fields.len(), limit: limits::MAX_FIELDS });
        }
        if !self.fields.iter().any(FieldDef::is_key) {
            return Err(SchemaError::NoKey);
        }
        for (at, field) in self.fields.iter().enumerate() {
            let name = || field.name.to_string();
            if field.name.is_empty() {
                return Err(SchemaError::UnnamedField { position: at });
            }
            if self.position(&field.name) != Some(at) {
                return Err(SchemaError::DuplicateField { field: name() });
            }
            if field.key && field.nullable {
                return Err(SchemaError::OptionalKey { field: name() });
            }
        }
        Ok(())
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{ ")?;
        for (at, field) in self.fields.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let key = if field.key { "key " } else { "" };
            let index = if field.access == Access::Index { "index " } else { "" };
            let optional = if field.nullable { "?" } else { "" };
            write!(f, "{comma}{key}{index}{}: {}{optional}", field.name, field.kind)?;
        }
        f.write_str(" }")
    }
}

//! The trait of the values that a collection holds.

use super::{FieldAt, FieldValues, KeyBuffer, Schema};
use crate::error::{Cause, FieldError};
use memdex_query::schema::FieldSource;
use memdex_query::value::{IntoKey, ValueRef};

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
///                      remarks: Vec<String>, // not in the schema, so it can have any type
/// }
/// ```
///
/// Or implement it by hand, for instance for a computed field. `key` writes the key's parts in the order of the
/// schema, and `value` returns the value of the field at a position of the schema:
///
/// ```
/// use memdex::{FieldDef, Record, Schema, Store, field};
/// use memdex::typing::{KeyBuffer, ValueRef};
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
/// `key` and `value` must return the same for the same record each time. If they panic in a commit, the whole batch is refused; if
/// they panic in a query, the panic reaches the caller.
///
/// # Keys
///
/// A key has one or more parts, and none may be missing: an `Option` as a key does not compile. The empty string is a value like any
/// other, as a key and as a part of one. A key takes at most [`limits::MAX_KEY_BYTES`](crate::limits::MAX_KEY_BYTES) bytes, encoded: a
/// string takes a byte more than its length; a longer key is refused with [`KeyError::TooLong`](crate::error::KeyError::TooLong).
///
/// # Types that you can't annotate
///
/// * Your own type in a crate that should not always depend on memdex: make the dependency optional and write
///   `#[cfg_attr(feature = "memdex", derive(memdex::Record))]`, and `#[cfg_attr(feature = "memdex", record(key))]` on its fields.
/// * A type of another crate: [`record_for!`](crate::record_for) declares a wrapper around it that is a record and dereferences to it.
/// * A type with private fields, or one that should be stored in another shape: write a mirror, a struct of your own with the fields
///   that you query and `From` conversions.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a memdex record",
    note = "put `#[derive(memdex::Record)]` on it, and `#[record(key)]` on at least one of its fields"
)]
pub trait Record: Sized + Send + Sync + 'static {
    /// The type of the key: that of the key field, or a tuple of the types if there are several. It decides what
    /// [`get`](crate::Collection::get) accepts. Generic code can pass a `Self::Key` itself:
    ///
    /// ```
    /// use memdex::{Collection, Handle, Record};
    ///
    /// fn get<R: Record>(records: &Collection<R>, key: R::Key) -> Option<Handle<R>> {
    ///     records.get(key)
    /// }
    /// ```
    type Key: IntoKey<Self::Key>;

    /// The fields, in the order of their positions. Called once for each collection.
    fn schema() -> Schema;

    /// Writes the parts of this record's key.
    fn key(&self, key: &mut KeyBuffer);

    /// The value of the field at position `field` of the schema; `Null` for a position that does not exist, and for a multi-valued
    /// field.
    fn value(&self, field: usize) -> ValueRef<'_>;

    /// Passes each value of the field at a position of the schema to `visit`. Implement it if the schema has
    /// [multi-valued](crate::FieldDef::many) fields.
    fn values<'a>(&'a self, field: usize, visit: &mut dyn FnMut(ValueRef<'a>)) {
        visit(self.value(field));
    }

    /// An estimate of the heap bytes that the record holds, for [statistics](crate::stats::MemoryStats::record_heap) and
    /// [bounds](crate::write::BackgroundWriterBuilder::max_bytes) of memory. The derived implementation adds the
    /// [`HeapSize`](crate::typing::HeapSize) of all fields whose type has one; the default is 0.
    ///
    /// Must return the same for the same record each time. If it panics in a commit, the batch is refused. If it panics
    /// when the store drops the record, the bytes stay counted, and [`drop_panics`](crate::stats::Stats::drop_panics)
    /// grows.
    fn heap_size(&self) -> usize {
        0
    }

    /// Builds a record from the values of its fields, for tools that have no Rust type at hand: see
    /// [`AnyCollection`](crate::typing::AnyCollection). `#[record(from_values)]` on the struct derives it.
    ///
    /// # Errors
    /// A [`Cause`] if a value is missing or does not fit. The default always returns [`Cause::NotFromValues`].
    fn from_values(values: &FieldValues) -> Result<Self, Cause> {
        let _ = values;
        Err(Cause::NotFromValues { record: std::any::type_name::<Self>() })
    }

    /// Sets the field at a position of the schema, which is not a part of the key, to a single value; `Null` makes it missing.
    /// Commands that change one field call it: [`increment`](crate::Collection::increment), `max`, `min`. The derived
    /// implementation sets every field whose type implements [`FromValue`](crate::typing::FromValue). By hand:
    ///
    /// ```
    /// # use memdex::{FieldDef, Record, Schema, Store, field};
    /// # use memdex::error::FieldError;
    /// # use memdex::typing::{KeyBuffer, ValueRef};
    /// #[derive(Clone)]
    /// struct Page { id: u32, views: u64 }
    ///
    /// impl Record for Page {
    /// #   type Key = u32;
    /// #   fn schema() -> Schema { Schema::new([FieldDef::of::<u32>("id").key(), FieldDef::of::<u64>("views")]) }
    /// #   fn key(&self, key: &mut KeyBuffer) { key.push(self.id.into()) }
    /// #   fn value(&self, field: usize) -> ValueRef<'_> { if field == 0 { self.id.into() } else { self.views.into() } }
    ///     // …
    ///     fn set_value(&mut self, field: usize, value: ValueRef<'_>) -> Result<(), FieldError> {
    ///         if field != 1 {
    ///             return Err(FieldError::NoSetter);
    ///         }
    ///         let out_of_range = || FieldError::DoesNotFit { given: value.to_value(), expected: "u64" };
    ///         self.views = value.as_u64().ok_or_else(out_of_range)?;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let pages = Store::new().collection::<Page>("Page")?;
    /// pages.increment_or_insert(Page { id: 1, views: 0 }, field("views"), 3)?;
    /// assert!(pages.increment(1, field("views"), -4).is_err());
    /// assert_eq!(pages.get(1).unwrap().views, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// It must not change the key. It is called on a clone, which is dropped after an error.
    ///
    /// # Errors
    /// A [`FieldError`]. The default always returns [`FieldError::NoSetter`].
    fn set_value(&mut self, field: usize, value: ValueRef<'_>) -> Result<(), FieldError> {
        let _ = (field, value);
        Err(FieldError::NoSetter)
    }

    /// Appends a value to the field at a position of the schema, which has many values, and drops the oldest ones, so that at most
    /// `keep` are left. [`append_bounded`](crate::Collection::append_bounded) calls it. The derived implementation appends to a
    /// `Vec` of a type that implements [`FromValue`](crate::typing::FromValue).
    ///
    /// # Errors
    /// A [`FieldError`]. The default always returns [`FieldError::NoSetter`].
    fn append_value(&mut self, field: usize, value: ValueRef<'_>, keep: usize) -> Result<(), FieldError> {
        let _ = (field, value, keep);
        Err(FieldError::NoSetter)
    }

    /// The function that clones a record, for references that write their fields in other records: `set_null` and cascading changes of a
    /// key. The derive returns one for a record with such a reference in its attributes, which then must be `Clone`. By hand:
    /// `Some(Clone::clone)`. Without one, a collection with such a reference is not opened.
    fn cloner() -> Option<fn(&Self) -> Self> {
        None
    }

    // The engine calls the methods below. Records without a Rust type of their own find their fields by more than a position. The
    // argument of a private type keeps other crates from overriding them.

    /// The method that opens collections of these records with a schema, if the type has no schema of its own.
    #[doc(hidden)]
    fn engine_opened_with(_: Internal) -> Option<&'static str> {
        None
    }

    /// Checks whether the record fits the schema, and prepares it for reads by this schema. For a Rust type, the compiler has done both.
    #[doc(hidden)]
    fn engine_admit(&mut self, _: &Schema, _: Internal) -> Result<(), Cause> {
        Ok(())
    }

    #[doc(hidden)]
    fn engine_from_values(values: &FieldValues, schema: &Schema, _: Internal) -> Result<Self, Cause> {
        values.check_declared(schema)?;
        Self::from_values(values)
    }

    #[doc(hidden)]
    fn engine_key(&self, _: &Schema, key: &mut KeyBuffer, _: Internal) {
        self.key(key);
    }

    #[doc(hidden)]
    #[inline]
    fn engine_value(&self, field: &FieldAt, _: Internal) -> ValueRef<'_> {
        self.value(field.position())
    }

    #[doc(hidden)]
    fn engine_values<'a>(&'a self, field: &FieldAt, visit: &mut dyn FnMut(ValueRef<'a>), _: Internal) {
        self.values(field.position(), visit);
    }

    #[doc(hidden)]
    fn engine_elements(&self, _: &FieldAt, _: &mut dyn FnMut(&dyn FieldSource), _: Internal) {}

    #[doc(hidden)]
    #[inline]
    fn engine_set(&mut self, field: &FieldAt, value: ValueRef<'_>, _: Internal) -> Result<(), FieldError> {
        self.set_value(field.position(), value)
    }

    #[doc(hidden)]
    fn engine_append(
        &mut self,
        field: &FieldAt,
        value: ValueRef<'_>,
        keep: usize,
        _: Internal,
    ) -> Result<(), FieldError> {
        self.append_value(field.position(), value, keep)
    }
}

/// An argument that only this crate can pass.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Internal(());

/// The engine's view of a record.
pub(crate) trait Access: Record {
    fn opened_with() -> Option<&'static str> {
        Self::engine_opened_with(Internal(()))
    }

    /// Before anything else reads the record by a schema.
    fn admit(&mut self, schema: &Schema) -> Result<(), Cause> {
        self.engine_admit(schema, Internal(()))
    }

    fn built_by(schema: &Schema, values: &FieldValues) -> Result<Self, Cause> {
        Self::engine_from_values(values, schema, Internal(()))
    }

    fn key_by(&self, schema: &Schema, key: &mut KeyBuffer) {
        self.engine_key(schema, key, Internal(()));
    }

    #[inline]
    fn value_at(&self, field: &FieldAt) -> ValueRef<'_> {
        field.read(self.engine_value(field, Internal(())))
    }

    fn values_at<'a>(&'a self, field: &FieldAt, visit: &mut dyn FnMut(ValueRef<'a>)) {
        if field.collation().is_none() {
            return self.engine_values(field, visit, Internal(()));
        }
        self.engine_values(field, &mut |value| visit(field.read(value)), Internal(()));
    }

    fn elements_at(&self, field: &FieldAt, each: &mut dyn FnMut(&dyn FieldSource)) {
        self.engine_elements(field, each, Internal(()));
    }

    #[inline]
    fn set_at(&mut self, field: &FieldAt, value: ValueRef<'_>) -> Result<(), FieldError> {
        self.engine_set(field, value, Internal(()))
    }

    fn append_at(&mut self, field: &FieldAt, value: ValueRef<'_>, keep: usize) -> Result<(), FieldError> {
        self.engine_append(field, value, keep, Internal(()))
    }
}

impl<R: Record> Access for R {}

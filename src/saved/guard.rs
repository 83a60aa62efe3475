//! A deserializer around another one, which bounds the depth of its values and the number of their elements: the format has a limit for
//! bytes only, so a few bytes could ask for an endless list of empty elements, or nest until the stack overflows.

use crate::limits::MAX_SAVED_LEVELS;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

/// More elements than bytes are possible only if elements take no bytes; so many are allowed.
const MAX_EMPTY_ELEMENTS: usize = 1 << 16;

/// Deserializes a `T` through a guard.
pub(super) struct Guarded<T> {
    elements: usize,
    made: PhantomData<fn() -> T>,
}

impl<T> Guarded<T> {
    /// For a value in an input of so many bytes.
    pub(super) fn of(bytes: usize) -> Self {
        Guarded { elements: bytes.saturating_add(MAX_EMPTY_ELEMENTS), made: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Guarded<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        let elements = Cell::new(self.elements);
        T::deserialize(Guard { inner: from, levels: MAX_SAVED_LEVELS, elements: &elements })
    }
}

/// Wraps a deserializer, a visitor, a seed or an access to a part.
struct Guard<'a, T> {
    inner: T,
    /// How many levels are left below.
    levels: u32,
    /// How many elements are left.
    elements: &'a Cell<usize>,
}

impl<'a, T> Guard<'a, T> {
    fn around<U>(&self, inner: U) -> Guard<'a, U> {
        Guard { inner, levels: self.levels, elements: self.elements }
    }

    /// One level down.
    fn below<U, E: Error>(&self, inner: U) -> Result<Guard<'a, U>, E> {
        match self.levels.checked_sub(1) {
            Some(levels) => Ok(Guard { inner, levels, elements: self.elements }),
            None => Err(E::custom(format_args!("nested deeper than {MAX_SAVED_LEVELS} levels"))),
        }
    }

    fn count<E: Error>(&self) -> Result<(), E> {
        let left = self.elements.get().checked_sub(1);
        self.elements.set(left.ok_or_else(|| E::custom("more elements than bytes"))?);
        Ok(())
    }
}

/// Methods whose values have no parts.
macro_rules! plain {
    ($($method:ident as $inner:ident),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$inner(visitor)
        }
    )*};
}

/// Methods whose values have parts.
macro_rules! with_parts {
    ($($method:ident($($name:ident: $t:ty),*)),*) => {$(
        fn $method<V: Visitor<'de>>(self, $($name: $t,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.below(visitor)?;
            self.inner.$method($($name,)* visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guard<'_, D> {
    type Error = D::Error;

    plain! {
        deserialize_bool as deserialize_bool, deserialize_i8 as deserialize_i8, deserialize_i16 as deserialize_i16,
        deserialize_i32 as deserialize_i32, deserialize_i64 as deserialize_i64, deserialize_i128 as deserialize_i128,
        deserialize_u8 as deserialize_u8, deserialize_u16 as deserialize_u16, deserialize_u32 as deserialize_u32,
        deserialize_u64 as deserialize_u64, deserialize_u128 as deserialize_u128, deserialize_f32 as deserialize_f32,
        deserialize_f64 as deserialize_f64, deserialize_char as deserialize_char, deserialize_unit as deserialize_unit,
        // Borrowed from the input: an owned text would be allocated by the length that the input claims.
        deserialize_str as deserialize_str, deserialize_string as deserialize_str,
        deserialize_bytes as deserialize_bytes, deserialize_byte_buf as deserialize_bytes,
        deserialize_identifier as deserialize_identifier
    }

    with_parts! {
        deserialize_any(), deserialize_ignored_any(), deserialize_option(), deserialize_seq(), deserialize_map(),
        deserialize_newtype_struct(name: &'static str), deserialize_tuple(len: usize),
        deserialize_tuple_struct(name: &'static str, len: usize),
        deserialize_struct(name: &'static str, fields: &'static [&'static str]),
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Visits of plain values.
macro_rules! visits {
    ($($method:ident $t:ty),*) => {$(
        fn $method<E: Error>(self, value: $t) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Guard<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visits! {
        visit_bool bool, visit_i8 i8, visit_i16 i16, visit_i32 i32, visit_i64 i64, visit_i128 i128, visit_u8 u8,
        visit_u16 u16, visit_u32 u32, visit_u64 u64, visit_u128 u128, visit_f32 f32, visit_f64 f64, visit_char char,
        visit_str &str, visit_borrowed_str &'de str, visit_string String, visit_bytes &[u8],
        visit_borrowed_bytes &'de [u8], visit_byte_buf Vec<u8>
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        let from = self.around(from);
        self.inner.visit_some(from)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        let from = self.around(from);
        self.inner.visit_newtype_struct(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        let parts = self.around(parts);
        self.inner.visit_seq(parts)
    }

    fn visit_map<A: MapAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        let parts = self.around(parts);
        self.inner.visit_map(parts)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        let variant = self.around(variant);
        self.inner.visit_enum(variant)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Guard<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<S::Value, D::Error> {
        let from = self.around(from);
        self.inner.deserialize(from)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Guard<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.count()?;
        let seed = self.around(seed);
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|hint| hint.min(self.elements.get()))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Guard<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.count()?;
        let seed = self.around(seed);
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let seed = self.around(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|hint| hint.min(self.elements.get()))
    }
}

impl<'de, 'a, A: EnumAccess<'de>> EnumAccess<'de> for Guard<'a, A> {
    type Error = A::Error;
    type Variant = Guard<'a, A::Variant>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self::Variant), A::Error> {
        let (levels, elements) = (self.levels, self.elements);
        let seed = self.around(seed);
        let (value, inner) = self.inner.variant_seed(seed)?;
        Ok((value, Guard { inner, levels, elements }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Guard<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        let seed = self.around(seed);
        self.inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}

//! The names of the fields of a type in serde's data model. The binary form of a record does not name its fields, so a saved file
//! lists them once, and a type whose fields have changed is refused.

use serde::de::{DeserializeOwned, Deserializer, Visitor, value::Error};
use serde::forward_to_deserialize_any;

/// The names of the fields of a struct, in their order; empty for other types.
pub(super) fn fields_of<T: DeserializeOwned>() -> Vec<String> {
    let mut fields = &[][..];
    // The probe never returns a value.
    drop(T::deserialize(Probe(&mut fields)));
    fields.iter().map(|field| (*field).to_owned()).collect()
}

struct Probe<'a>(&'a mut &'static [&'static str]);

fn nothing<T>() -> Result<T, Error> {
    Err(serde::de::Error::custom("a probe has no values"))
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        nothing()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        nothing()
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Plain {
        a: u8,
        #[serde(rename = "c")]
        b: String,
    }

    #[derive(Serialize, Deserialize)]
    struct Around(Plain);

    #[test]
    fn fields_have_the_names_of_the_form() {
        assert_eq!(fields_of::<Plain>(), ["a", "c"]);
        assert_eq!(fields_of::<Around>(), ["a", "c"]);
        assert!(fields_of::<(u8, u8)>().is_empty());
    }
}

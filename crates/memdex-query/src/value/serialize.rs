//! The serde forms of values, keys and value types.
//!
//! Readable formats such as JSON: null, booleans, finite floats, strings and integers of up to 64 bits are themselves;
//! every other value is an object of one field that names its kind, such as `{"date": "2026-11-21"}`. A [`Timestamp`]
//! is its RFC 3339 text, a [`DecimalValue`] and an [`EntityKey`] are their text, a [`Key`] is its value or, with
//! several parts, the list of its values. Binary formats: each value carries its kind, and a timestamp is its
//! microseconds.

use super::scalar::Repr;
use super::{DecimalValue, EntityKey, Key, Kind, Timestamp, Value, ValueRef, text};
use serde::de::value::StrDeserializer;
use serde::de::{Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { readable(self.as_ref(), serializer) } else { self.0.serialize(serializer) }
    }
}

fn readable<S: Serializer>(value: ValueRef<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(kind) = value.kind() else { return serializer.serialize_unit() };
    match value {
        ValueRef::Bool(b) => return serializer.serialize_bool(b),
        ValueRef::Int(n) => return serializer.serialize_i64(n),
        ValueRef::Float(x) if x.is_finite() => return serializer.serialize_f64(x),
        ValueRef::Str(s) => return serializer.serialize_str(s),
        ValueRef::Collated(collated) => return serializer.serialize_str(collated.text()),
        _ => {}
    }
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_key(&kind.to_string())?;
    match value {
        ValueRef::Char(c) => map.serialize_value(&c)?,
        ValueRef::Bytes(bytes) => map.serialize_value(bytes)?,
        // Outside of the years of RFC 3339: the number of nanoseconds or days.
        ValueRef::Timestamp(nanos) if text::read_timestamp(&value.to_string()) != Some(nanos) => {
            map.serialize_value(&nanos.to_string())?;
        }
        ValueRef::Date(days) if text::read_date(&value.to_string()) != Some(days) => {
            map.serialize_value(&days.to_string())?;
        }
        other => map.serialize_value(&other.to_string())?,
    }
    map.end()
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(Readable);
        }
        // The input may not be canonical.
        Repr::deserialize(deserializer).map(|repr| Value(repr).as_ref().to_value())
    }
}

/// The binary form of a timestamp: its nanoseconds.
pub(super) mod nanos {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::value) fn serialize<S: Serializer>(nanos: &[u8; 16], to: S) -> Result<S::Ok, S::Error> {
        i128::from_ne_bytes(*nanos).serialize(to)
    }

    pub(in crate::value) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 16], D::Error> {
        i128::deserialize(from).map(i128::to_ne_bytes)
    }
}

/// The binary form of a decimal: its units and its scale.
pub(super) mod decimal {
    use super::{DecimalValue, Deserialize, Deserializer, Error, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Parts {
        units: i128,
        scale: u8,
    }

    pub(in crate::value) fn serialize<S: Serializer>(number: &DecimalValue, to: S) -> Result<S::Ok, S::Error> {
        Parts { units: number.units(), scale: number.scale() }.serialize(to)
    }

    pub(in crate::value) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DecimalValue, D::Error> {
        let Parts { units, scale } = Parts::deserialize(from)?;
        let number = DecimalValue::new(units, scale);
        number.ok_or_else(|| D::Error::custom("a decimal with more than 28 digits after the point"))
    }
}

/// The visits of plain values. `$make` turns a value into the result of the visitor.
macro_rules! plain_values {
    ($make:expr) => {
        plain_values! { $make; visit_bool bool, visit_i64 i64, visit_u64 u64, visit_f64 f64, visit_str &str }
    };
    ($make:expr; $($visit:ident $t:ty),*) => {$(
        fn $visit<E: Error>(self, value: $t) -> Result<Self::Value, E> {
            Ok(($make)(Value::from(value)))
        }
    )*};
}

struct Readable;

impl<'de> Visitor<'de> for Readable {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a boolean, a number, a string, or an object of one field that names a kind")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::NULL)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::NULL)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    plain_values! { std::convert::identity }

    plain_values! { std::convert::identity; visit_i128 i128, visit_u128 u128, visit_bytes &[u8] }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let name: String = map.next_key()?.ok_or_else(|| A::Error::custom("an empty object is not a value"))?;
        let name: StrDeserializer<'_, A::Error> = name.as_str().into_deserializer();
        let value = match Kind::deserialize(name)? {
            Kind::Char => Value::from(map.next_value::<char>()?),
            Kind::Bytes => Value::from(map.next_value::<Vec<u8>>()?),
            kind => {
                let text: String = map.next_value()?;
                let wrong = || A::Error::custom(format_args!("{text:?} is not a value of kind {kind}"));
                parse(kind, &text).ok_or_else(wrong)?
            }
        };
        match map.next_key::<String>()? {
            None => Ok(value),
            Some(more) => Err(A::Error::custom(format_args!("a value has one field; remove {more:?}"))),
        }
    }
}

fn parse(kind: Kind, text: &str) -> Option<Value> {
    let number = || match kind {
        Kind::Int => text.parse::<u128>().map(Value::from).or_else(|_| text.parse::<i128>().map(Value::from)).ok(),
        Kind::Float => text.parse::<f64>().ok().map(Value::from),
        Kind::Timestamp => text.parse().ok().map(|nanos| ValueRef::Timestamp(nanos).to_value()),
        Kind::Date => text.parse().ok().map(|days| ValueRef::Date(days).to_value()),
        _ => None,
    };
    Value::from_text(kind, text).or_else(number)
}

/// Types whose readable form is their text.
macro_rules! as_text {
    ($($t:ty, $expected:literal, binary $binary:ty: |$value:ident| $to:expr, |$raw:ident| $from:expr;)*) => {$(
        impl Serialize for $t {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    return serializer.collect_str(self);
                }
                let $value = self;
                $to.serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $t {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    return deserializer.deserialize_str(Text::<$t>($expected, PhantomData));
                }
                let $raw = <$binary>::deserialize(deserializer)?;
                $from.ok_or_else(|| D::Error::custom(concat!("not ", $expected)))
            }
        }
    )*};
}

as_text! {
    Timestamp, "a time in RFC 3339", binary i64: |time| time.as_micros(), |micros| Some(Timestamp::from_micros(micros));
    DecimalValue, "a decimal number as text", binary (i128, u8):
        |number| (number.units(), number.scale()), |parts| DecimalValue::new(parts.0, parts.1);
    EntityKey, "a key such as Payment:123", binary String: |key| key.as_str(), |text| text.parse().ok();
}

/// Parses the text of a `T`.
struct Text<T>(&'static str, PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = self.parts();
        match parts.as_slice() {
            [one] if serializer.is_human_readable() => one.serialize(serializer),
            _ => parts.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = if deserializer.is_human_readable() {
            deserializer.deserialize_any(ReadableKey)?
        } else {
            Vec::deserialize(deserializer)?
        };
        Key::of_parts(&parts).ok_or_else(|| D::Error::custom("a key has at least one part, and no part is null"))
    }
}

struct ReadableKey;

impl<'de> Visitor<'de> for ReadableKey {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key: a value, or a list of values")
    }

    plain_values! { |value| vec![value] }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Value>, A::Error> {
        Ok(vec![Readable.visit_map(map)?])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Vec<Value>, A::Error> {
        std::iter::from_fn(|| parts.next_element().transpose()).collect()
    }
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_with_their_kinds() {
        let values = [
            ValueRef::Null,
            ValueRef::Bool(true),
            ValueRef::from(i64::MIN),
            ValueRef::from(u64::MAX),
            ValueRef::from(i128::MIN),
            ValueRef::from(u128::MAX),
            ValueRef::Float(5.0),
            ValueRef::Float(0.1 + 0.2),
            ValueRef::Float(1e300),
            ValueRef::Float(f64::NAN),
            ValueRef::Float(f64::NEG_INFINITY),
            ValueRef::Char('é'),
            ValueRef::Str("2026-11-21"),
            ValueRef::Bytes(&[0, 255]),
            ValueRef::Uuid([7; 16]),
            ValueRef::Timestamp(1),
            ValueRef::Timestamp(i128::MIN),
            ValueRef::Timestamp(i128::MAX),
            ValueRef::Date(-1),
            ValueRef::Date(i32::MAX),
            ValueRef::Decimal(DecimalValue::new(-125, 2).unwrap()),
        ];
        for value in values.map(|value| value.to_value()) {
            let text = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value, "{text}");
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap().as_ref().kind(), value.as_ref().kind(), "{text}");
        }
        for text in [r#"{"date":"x"}"#, r#"{"what":"x"}"#, "{}", "[]", r#"{"char":"a","date":"1970-01-01"}"#] {
            assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
        }
    }
    #[test]
    fn keys_and_value_types_have_a_documented_form() {
        let key = |parts: &[Value]| Key::of_parts(parts).unwrap();
        for (key, json) in [
            (key(&["p-1".into()]), r#""p-1""#),
            (key(&[7.into()]), "7"),
            (key(&["EWR".into(), 1_545.into()]), r#"["EWR",1545]"#),
            (key(&[ValueRef::Date(0).to_value()]), r#"{"date":"1970-01-01"}"#),
        ] {
            assert_eq!(serde_json::to_string(&key).unwrap(), json);
            assert_eq!(serde_json::from_str::<Key>(json).unwrap(), key);
        }
        for wrong in ["null", "[]", "[null]"] {
            assert!(serde_json::from_str::<Key>(wrong).is_err(), "{wrong}");
        }
        let number = DecimalValue::new(-125, 2).unwrap();
        assert_eq!(serde_json::to_string(&number).unwrap(), r#""-1.25""#);
        assert_eq!(serde_json::from_str::<DecimalValue>(r#""-1.250""#).unwrap(), number);
        assert_eq!(serde_json::from_str::<EntityKey>(r#""Payment:1""#).unwrap().id(), "1");
        let error = serde_json::from_str::<EntityKey>(r#""Payment""#).unwrap_err();
        assert!(error.to_string().contains("has no colon"), "{error}");
        assert_eq!(serde_json::to_string(&Kind::Timestamp).unwrap(), r#""timestamp""#);
        assert_eq!(serde_json::from_str::<Kind>(r#""string""#).unwrap(), Kind::Str);
    }
}

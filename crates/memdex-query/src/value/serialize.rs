//! The serde forms of values, keys and value types.
//!
//! Readable formats such as JSON: null, booleans, finite floats, strings and integers of up to 64 bits are themselves; every other
//! value is an object of one field that names its kind, such as `{"date": "2026-11-21"}`. A [`Timestamp`] is its RFC 3339 text, a
//! [`DecimalValue`] and an [`EntityKey`] are their text, a [`Key`] is its value or, with several parts, the list of its values.
//! Binary formats: each value carries its kind, and a timestamp is its microseconds.

use super::{DecimalValue, EntityKey, Key, Kind, Timestamp, Value, ValueRef, text};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// The form of a value in binary formats.
#[derive(Serialize, Deserialize)]
enum Tagged {
    Null,
    Bool(bool),
    Int(i64),
    Int128(i128),
    UInt128(u128),
    Float(f64),
    Char(char),
    Str(String),
    Bytes(Vec<u8>),
    Uuid([u8; 16]),
    Timestamp(i128),
    Date(i32),
    Decimal { units: i128, scale: u8 },
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return readable(self.as_ref(), serializer);
        }
        let tagged = match self.as_ref() {
            ValueRef::Null => Tagged::Null,
            ValueRef::Bool(b) => Tagged::Bool(b),
            ValueRef::Int(n) => Tagged::Int(n),
            ValueRef::Int128(n) => Tagged::Int128(n),
            ValueRef::UInt128(n) => Tagged::UInt128(n),
            ValueRef::Float(x) => Tagged::Float(x),
            ValueRef::Char(c) => Tagged::Char(c),
            ValueRef::Str(s) => Tagged::Str(s.to_owned()),
            ValueRef::Bytes(b) => Tagged::Bytes(b.to_owned()),
            ValueRef::Uuid(bytes) => Tagged::Uuid(bytes),
            ValueRef::Timestamp(nanos) => Tagged::Timestamp(nanos),
            ValueRef::Date(days) => Tagged::Date(days),
            ValueRef::Decimal(number) => Tagged::Decimal { units: number.units(), scale: number.scale() },
        };
        tagged.serialize(serializer)
    }
}

fn readable<S: Serializer>(value: ValueRef<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    let kind = match value {
        ValueRef::Null => return serializer.serialize_unit(),
        ValueRef::Bool(b) => return serializer.serialize_bool(b),
        ValueRef::Int(n) => return serializer.serialize_i64(n),
        ValueRef::Float(x) if x.is_finite() => return serializer.serialize_f64(x),
        ValueRef::Str(s) => return serializer.serialize_str(s),
        ValueRef::Int128(_) | ValueRef::UInt128(_) => "integer",
        ValueRef::Float(_) => "float",
        ValueRef::Char(_) => "char",
        ValueRef::Bytes(_) => "bytes",
        ValueRef::Uuid(_) => "uuid",
        ValueRef::Timestamp(_) => "timestamp",
        ValueRef::Date(_) => "date",
        ValueRef::Decimal(_) => "decimal",
    };
    let mut map = serializer.serialize_map(Some(1))?;
    match value {
        ValueRef::Char(c) => map.serialize_entry(kind, &c)?,
        ValueRef::Bytes(bytes) => map.serialize_entry(kind, bytes)?,
        // Beyond the years of RFC 3339: the number of nanoseconds or days.
        ValueRef::Timestamp(nanos) if text::read_timestamp(&value.to_string()) != Some(nanos) => {
            map.serialize_entry(kind, &nanos.to_string())?;
        }
        ValueRef::Date(days) if text::read_date(&value.to_string()) != Some(days) => {
            map.serialize_entry(kind, &days.to_string())?
        }
        other => map.serialize_entry(kind, &other.to_string())?,
    }
    map.end()
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(Readable);
        }
        let value = match Tagged::deserialize(deserializer)? {
            Tagged::Null => ValueRef::Null,
            Tagged::Bool(b) => ValueRef::Bool(b),
            Tagged::Int(n) => ValueRef::Int(n),
            Tagged::Int128(n) => ValueRef::Int128(n),
            Tagged::UInt128(n) => ValueRef::UInt128(n),
            Tagged::Float(x) => ValueRef::Float(x),
            Tagged::Char(c) => ValueRef::Char(c),
            Tagged::Str(s) => return Ok(Value::from(s)),
            Tagged::Bytes(b) => return Ok(Value::from(b)),
            Tagged::Uuid(bytes) => ValueRef::Uuid(bytes),
            Tagged::Timestamp(nanos) => ValueRef::Timestamp(nanos),
            Tagged::Date(days) => ValueRef::Date(days),
            Tagged::Decimal { units, scale } => {
                let number = DecimalValue::new(units, scale);
                ValueRef::Decimal(
                    number.ok_or_else(|| D::Error::custom("a decimal with more than 28 digits after the point"))?,
                )
            }
        };
        Ok(value.to_value())
    }
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

    fn visit_bool<E: Error>(self, b: bool) -> Result<Value, E> {
        Ok(Value::from(b))
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<Value, E> {
        Ok(Value::from(n))
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<Value, E> {
        Ok(Value::from(n))
    }

    fn visit_i128<E: Error>(self, n: i128) -> Result<Value, E> {
        Ok(Value::from(n))
    }

    fn visit_u128<E: Error>(self, n: u128) -> Result<Value, E> {
        Ok(Value::from(n))
    }

    fn visit_f64<E: Error>(self, x: f64) -> Result<Value, E> {
        Ok(Value::from(x))
    }

    fn visit_str<E: Error>(self, s: &str) -> Result<Value, E> {
        Ok(Value::from(s))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::from(bytes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let kind: String = map.next_key()?.ok_or_else(|| A::Error::custom("an empty object is not a value"))?;
        let value = match &*kind {
            "char" => Value::from(map.next_value::<char>()?),
            "bytes" => Value::from(map.next_value::<Vec<u8>>()?),
            _ => {
                let text: String = map.next_value()?;
                let wrong = || A::Error::custom(format_args!("{text:?} is not a value of kind {kind}"));
                written(&kind, &text).ok_or_else(wrong)?
            }
        };
        match map.next_key::<String>()? {
            None => Ok(value),
            Some(more) => Err(A::Error::custom(format_args!("a value has one field; remove {more:?}"))),
        }
    }
}

fn written(kind: &str, text: &str) -> Option<Value> {
    let kind = match kind {
        "integer" => {
            let below = || text.parse::<i128>().ok().map(Value::from);
            return text.parse::<u128>().ok().map(Value::from).or_else(below);
        }
        "float" => return text.parse::<f64>().ok().map(Value::from),
        "uuid" => Kind::Uuid,
        "timestamp" => Kind::Timestamp,
        "date" => Kind::Date,
        "decimal" => Kind::Decimal,
        _ => return None,
    };
    let number = || match kind {
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

    fn visit_bool<E: Error>(self, b: bool) -> Result<Vec<Value>, E> {
        Ok(vec![Value::from(b)])
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<Vec<Value>, E> {
        Ok(vec![Value::from(n)])
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<Vec<Value>, E> {
        Ok(vec![Value::from(n)])
    }

    fn visit_f64<E: Error>(self, x: f64) -> Result<Vec<Value>, E> {
        Ok(vec![Value::from(x)])
    }

    fn visit_str<E: Error>(self, s: &str) -> Result<Vec<Value>, E> {
        Ok(vec![Value::from(s)])
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Value>, A::Error> {
        Ok(vec![Readable.visit_map(map)?])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Vec<Value>, A::Error> {
        let mut all = Vec::new();
        while let Some(part) = parts.next_element()? {
            all.push(part);
        }
        Ok(all)
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

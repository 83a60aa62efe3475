//! Reads values of kinds that formats such as JSON write as text.

use super::{Kind, Value, ValueRef, base64, text};

impl Value {
    /// Reads a value of a kind that formats such as JSON write as text: a single character, a UUID, a timestamp or a
    /// date in RFC 3339, a decimal, bytes in base64 (RFC 4648, section 4, with padding). `None` for other kinds and for
    /// texts that are not such a value. Queries by field name read a string like this if the field is of such a kind;
    /// so do collections of documents, and look-ups by a key whose type is known only at run time.
    ///
    /// ```
    /// use memdex::{Kind, Value};
    /// use memdex::typing::ValueRef;
    /// let second = Value::from_text(Kind::Timestamp, "1970-01-01T01:00:01+01:00").unwrap();
    /// assert_eq!(second.as_ref(), ValueRef::Timestamp(1_000_000_000));
    /// assert_eq!(second.to_string(), "1970-01-01T00:00:01Z");
    /// assert_eq!(Value::from_text(Kind::Date, "2026-02-30"), None);
    /// assert_eq!(Value::from_text(Kind::Bytes, "AP8="), Some(Value::from(&[0u8, 255][..])));
    /// ```
    pub fn from_text(kind: Kind, text: &str) -> Option<Self> {
        match kind {
            Kind::Bytes => base64::read(text).map(Value::from),
            _ => ValueRef::from_text(kind, text).map(ValueRef::to_value),
        }
    }
}

impl ValueRef<'static> {
    /// [`Value::from_text`] for the kinds whose values need no memory of their own: all but bytes.
    pub(crate) fn from_text(kind: Kind, text: &str) -> Option<Self> {
        Some(match kind {
            Kind::Char => ValueRef::Char(text::read_char(text)?),
            Kind::Uuid => ValueRef::Uuid(text::read_uuid(text)?),
            Kind::Timestamp => ValueRef::Timestamp(text::read_timestamp(text)?),
            Kind::Date => ValueRef::Date(text::read_date(text)?),
            Kind::Decimal => ValueRef::Decimal(text.parse().ok()?),
            Kind::Bool | Kind::Int | Kind::Float | Kind::Str | Kind::Bytes => return None,
        })
    }
}

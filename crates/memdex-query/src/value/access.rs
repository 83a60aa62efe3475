//! A value as a Rust type: `value.as_str()`, `value.to::<Status>()`.

use super::{Collated, Collation, DecimalValue, FromValue, Kind, Timestamp, Value, ValueRef};

/// The integers up to this magnitude, 2^53, are exact as floats.
const MAX_EXACT_FLOAT: u64 = 1 << 53;

impl<'a> ValueRef<'a> {
    /// The truth value, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        if let ValueRef::Bool(b) = self { Some(b) } else { None }
    }

    /// The integer, if it is one that fits.
    pub fn as_i128(self) -> Option<i128> {
        match self.canonical() {
            ValueRef::Int(n) => Some(n.into()),
            ValueRef::Int128(n) => Some(n),
            _ => None,
        }
    }

    /// The integer, if it is one that fits.
    pub fn as_u128(self) -> Option<u128> {
        match self.canonical() {
            ValueRef::UInt128(n) => Some(n),
            _ => self.as_i128()?.try_into().ok(),
        }
    }

    /// The integer, if it is one that fits.
    pub fn as_i64(self) -> Option<i64> {
        self.as_i128()?.try_into().ok()
    }

    /// The integer, if it is one that fits.
    pub fn as_u64(self) -> Option<u64> {
        self.as_i128()?.try_into().ok()
    }

    /// The float; an integer of at most 2^53 in magnitude as a float. `None` for other values, decimals included.
    pub fn as_f64(self) -> Option<f64> {
        match self.canonical() {
            ValueRef::Float(x) => Some(x),
            ValueRef::Int(n) if n.unsigned_abs() <= MAX_EXACT_FLOAT => Some(n as f64),
            _ => None,
        }
    }

    /// The character, if it is one.
    pub fn as_char(self) -> Option<char> {
        if let ValueRef::Char(c) = self { Some(c) } else { None }
    }

    /// The value as a field with this collation is compared; itself without one.
    #[must_use]
    #[inline]
    pub fn collated(self, collation: Option<Collation>) -> Self {
        match (self, collation) {
            (ValueRef::Str(text), Some(collation)) => ValueRef::Collated(Collated::new(text, collation)),
            _ => self,
        }
    }

    /// The value as the record has it: without a collation.
    #[must_use]
    pub fn as_written(self) -> Self {
        if let ValueRef::Collated(collated) = self { ValueRef::Str(collated.text()) } else { self }
    }

    /// The string, if it is one.
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            ValueRef::Str(text) => Some(text),
            ValueRef::Collated(collated) => Some(collated.text()),
            _ => None,
        }
    }

    /// The byte string, if it is one.
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        if let ValueRef::Bytes(b) = self { Some(b) } else { None }
    }

    /// The bytes of the UUID, if it is one.
    pub fn as_uuid_bytes(self) -> Option<[u8; 16]> {
        if let ValueRef::Uuid(bytes) = self { Some(bytes) } else { None }
    }

    /// The time, rounded down to the microsecond, if it is one in the range of [`Timestamp`].
    pub fn as_timestamp(self) -> Option<Timestamp> {
        if let ValueRef::Timestamp(nanos) = self { Timestamp::from_nanos(nanos) } else { None }
    }

    /// The days since 1970-01-01, if it is a date.
    pub fn as_date_days(self) -> Option<i32> {
        if let ValueRef::Date(days) = self { Some(days) } else { None }
    }

    /// The decimal; an integer of up to 128 bits as a decimal.
    pub fn as_decimal(self) -> Option<DecimalValue> {
        match self {
            ValueRef::Decimal(number) => Some(number),
            _ => self.as_i128().map(DecimalValue::from),
        }
    }

    /// The value as a Rust type that fields can have; `None` if it is of another kind or out of range.
    ///
    /// ```
    /// use memdex::typing::ValueRef;
    /// assert_eq!(ValueRef::from(200).to::<u8>(), Some(200));
    /// assert_eq!(ValueRef::from(300).to::<u8>(), None);
    /// assert_eq!(ValueRef::Null.to::<Option<u8>>(), Some(None));
    /// ```
    pub fn to<T: FromValue>(self) -> Option<T> {
        T::from_value(self)
    }
}

macro_rules! of_owned {
    ($($name:ident -> $t:ty;)*) => {$(
        #[doc = concat!("As [`ValueRef::", stringify!($name), "`].")]
        pub fn $name(&self) -> Option<$t> {
            self.as_ref().$name()
        }
    )*};
}

impl Value {
    of_owned! {
        as_bool -> bool;
        as_i128 -> i128;
        as_u128 -> u128;
        as_i64 -> i64;
        as_u64 -> u64;
        as_f64 -> f64;
        as_char -> char;
        as_str -> &str;
        as_bytes -> &[u8];
        as_uuid_bytes -> [u8; 16];
        as_timestamp -> Timestamp;
        as_date_days -> i32;
        as_decimal -> DecimalValue;
        kind -> Kind;
    }

    /// Whether the value is missing.
    pub fn is_null(&self) -> bool {
        self.as_ref().is_null()
    }

    /// The value as a Rust type that fields can have; `None` if it is of another kind or out of range.
    ///
    /// ```
    /// use memdex::{FieldValue, Value};
    ///
    /// #[derive(Debug, PartialEq, FieldValue)]
    /// enum Status { Pending, Completed }
    ///
    /// assert_eq!(Value::from("Completed").to::<Status>(), Some(Status::Completed));
    /// assert_eq!(Value::from("Lost").to::<Status>(), None);
    /// ```
    pub fn to<T: FromValue>(&self) -> Option<T> {
        T::from_value(self.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_convert_to_types_that_hold_them_exactly() {
        assert_eq!(Value::from(u64::MAX).as_u64(), Some(u64::MAX));
        assert_eq!(Value::from(u64::MAX).as_i64(), None);
        assert_eq!(Value::from(-1).as_u64(), None);
        assert_eq!(Value::from(u128::MAX).as_u128(), Some(u128::MAX));
        assert_eq!(Value::from(u128::MAX).as_i128(), None);
        assert_eq!(Value::from(3).as_f64(), Some(3.0));
        assert_eq!(Value::from((1i64 << 53) + 1).as_f64(), None);
        assert_eq!(Value::from(1.5).as_i64(), None);
        assert_eq!(Value::from("x").as_char(), None);
        assert_eq!(Value::from('x').as_char(), Some('x'));
        assert_eq!(Value::from(7).as_decimal(), Some(DecimalValue::from(7)));
        assert_eq!(ValueRef::Timestamp(-1).as_timestamp(), Some(Timestamp::from_micros(-1)));
        assert_eq!(ValueRef::Timestamp(i128::MAX).as_timestamp(), None);
        assert_eq!(ValueRef::Date(3).as_date_days(), Some(3));
        assert!(Value::NULL.is_null() && Value::NULL.as_bool().is_none());
    }
}

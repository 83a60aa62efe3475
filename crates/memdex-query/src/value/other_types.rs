//! Field types outside the standard library: memdex's own and, behind features, those of `uuid`, `jiff` and
//! `rust_decimal`.

use super::{DecimalValue, Element, FieldValue, Kind, Number, Operand, Timestamp, Value, ValueRef};

macro_rules! fields {
    ($($kind:ident: $t:ty => |$x:ident| $show:expr;)*) => {$(
        impl From<$t> for ValueRef<'_> {
            fn from($x: $t) -> Self {
                ValueRef::$kind($show)
            }
        }

        impl From<$t> for Value {
            fn from(value: $t) -> Self {
                ValueRef::from(value).to_value()
            }
        }

        impl FieldValue for $t {
            type Base = Self;
            const KIND: Kind = Kind::$kind;

            #[inline]
            fn value(&self) -> ValueRef<'_> {
                ValueRef::from(*self)
            }
        }

        impl Element for $t {}
    )*};
}

/// Decimal fields can also be compared with integers.
macro_rules! compared_with_integers {
    ($decimal:ty: $($t:ty)*) => {$(
        #[diagnostic::do_not_recommend]
        impl Operand<$decimal> for $t {
            fn operand(&self) -> ValueRef<'_> {
                ValueRef::Decimal(DecimalValue::from(*self))
            }
        }
    )*};
}

fields! {
    Decimal: DecimalValue => |number| number;
    Timestamp: Timestamp => |time| time.as_nanos();
}

impl Number for DecimalValue {}

compared_with_integers! { DecimalValue: i8 i16 i32 i64 i128 u8 u16 u32 u64 }

#[cfg(feature = "uuid")]
fields! { Uuid: uuid::Uuid => |id| id.into_bytes(); }

#[cfg(feature = "jiff")]
fields! {
    Timestamp: jiff::Timestamp => |time| time.as_nanosecond();
    Date: jiff::civil::Date => |date| days(date);
}

#[cfg(feature = "jiff")]
fn days(date: jiff::civil::Date) -> i32 {
    // Years have at most four digits, so the days fit an `i32`.
    super::civil::days_of_date(date.year().into(), date.month() as u8, date.day() as u8) as i32
}

#[cfg(feature = "rust_decimal")]
fields! { Decimal: rust_decimal::Decimal => |number| exact(number); }

#[cfg(feature = "rust_decimal")]
impl Number for rust_decimal::Decimal {}

#[cfg(feature = "rust_decimal")]
compared_with_integers! { rust_decimal::Decimal: i8 i16 i32 i64 i128 u8 u16 u32 u64 }

#[cfg(feature = "rust_decimal")]
fn exact(number: rust_decimal::Decimal) -> DecimalValue {
    // Its scale is at most 28, as ours.
    DecimalValue::new(number.mantissa(), number.scale() as u8).unwrap_or(DecimalValue::from(0))
}

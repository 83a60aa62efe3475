//! Numbers of any kind, on the right side of a comparison.

use super::{DecimalValue, FieldValue, Kind, Multi, Nullable, Operand, ValueRef};

/// The type of a field that is compared with numbers of any kind, by value. No value of this type exists:
/// [`Field::as_number`](crate::query::Field::as_number) makes such a field of one with numbers.
#[derive(Clone, Copy, Debug)]
pub enum AnyNumber {}

impl FieldValue for AnyNumber {
    type Base = Self;
    const KIND: Kind = Kind::Decimal;

    fn value(&self) -> ValueRef<'_> {
        match *self {}
    }
}

impl Nullable for AnyNumber {}

impl Multi for AnyNumber {
    type Item = Self;
}

macro_rules! numbers {
    ($($t:ty)*) => {$(
        #[diagnostic::do_not_recommend]
        impl Operand<AnyNumber> for $t {
            fn operand(&self) -> ValueRef<'_> {
                ValueRef::from(*self)
            }
        }
    )*};
}

numbers! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize f32 f64 DecimalValue }

#[cfg(feature = "rust_decimal")]
numbers! { rust_decimal::Decimal }

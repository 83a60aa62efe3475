//! Setting a field of a Rust type from a value, for the derive macros.

/// `(&mut Slot(&mut field)).__memdex_set(value)` sets the field if its type can be built from a value, and
/// `__memdex_append` appends to it if it is a `Vec` of such a type. Otherwise they return an error.
#[doc(hidden)]
pub mod set_probe {
    use crate::error::FieldError;
    use crate::value::{Element, FromValue, ValueRef};
    use std::any::type_name;

    type Set = Result<(), FieldError>;

    #[derive(Debug)]
    pub struct Slot<'a, T: ?Sized>(pub &'a mut T);

    fn read<T: FromValue>(value: ValueRef<'_>) -> Result<T, FieldError> {
        let values = [value];
        let present = if value.is_null() { &values[..0] } else { &values };
        T::from_values(present)
            .ok_or_else(|| FieldError::DoesNotFit { given: value.to_value(), expected: type_name::<T>() })
    }

    pub trait SetKnown {
        fn __memdex_set(&mut self, value: ValueRef<'_>) -> Set;
    }

    impl<T: FromValue> SetKnown for Slot<'_, T> {
        #[inline]
        fn __memdex_set(&mut self, value: ValueRef<'_>) -> Set {
            *self.0 = read(value)?;
            Ok(())
        }
    }

    /// Method lookup takes this one only if the other does not apply, since it needs one more reference.
    pub trait SetUnknown {
        fn __memdex_set(&mut self, value: ValueRef<'_>) -> Set;
    }

    impl<T: ?Sized> SetUnknown for &mut Slot<'_, T> {
        fn __memdex_set(&mut self, _: ValueRef<'_>) -> Set {
            Err(FieldError::NoSetter)
        }
    }

    pub trait AppendKnown {
        fn __memdex_append(&mut self, value: ValueRef<'_>, keep: usize) -> Set;
    }

    impl<T: Element + FromValue> AppendKnown for Slot<'_, Vec<T>> {
        fn __memdex_append(&mut self, value: ValueRef<'_>, keep: usize) -> Set {
            self.0.push(read(value)?);
            let surplus = self.0.len().saturating_sub(keep);
            self.0.drain(..surplus);
            Ok(())
        }
    }

    pub trait AppendUnknown {
        fn __memdex_append(&mut self, value: ValueRef<'_>, keep: usize) -> Set;
    }

    impl<T: ?Sized> AppendUnknown for &mut Slot<'_, T> {
        fn __memdex_append(&mut self, _: ValueRef<'_>, _: usize) -> Set {
            Err(FieldError::NoList)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::set_probe::{AppendKnown as _, AppendUnknown as _, SetKnown as _, SetUnknown as _, Slot};
    use crate::error::FieldError;
    use crate::value::{Value, ValueRef};
    use std::collections::BTreeSet;

    #[test]
    fn a_slot_takes_what_its_type_can_represent() {
        let (mut narrow, mut optional, mut rounded) = (7_u8, Some(7_u8), 0.0_f32);
        assert_eq!(Slot(&mut narrow).__memdex_set(ValueRef::Int(255)), Ok(()));
        let refused = Slot(&mut narrow).__memdex_set(ValueRef::Int(256));
        assert_eq!(refused, Err(FieldError::DoesNotFit { given: Value::from(256), expected: "u8" }));
        assert_eq!(narrow, 255);
        assert_eq!(Slot(&mut optional).__memdex_set(ValueRef::Null), Ok(()));
        assert_eq!(Slot(&mut rounded).__memdex_set(ValueRef::Float(0.1)), Ok(()));
        assert_eq!((optional, rounded), (None, 0.1));
        let mut borrowed = "a";
        assert_eq!((&mut Slot(&mut borrowed)).__memdex_set(ValueRef::Str("b")), Err(FieldError::NoSetter));
    }

    #[test]
    fn a_list_keeps_its_last_values() {
        let mut list = vec![1_u32, 2, 3, 4];
        assert_eq!(Slot(&mut list).__memdex_append(ValueRef::Int(5), 3), Ok(()));
        assert_eq!(list, [3, 4, 5]);
        assert!(Slot(&mut list).__memdex_append(ValueRef::Int(-1), 3).is_err());
        assert_eq!(list, [3, 4, 5]);
        let mut set = BTreeSet::from([1_u32]);
        assert_eq!((&mut Slot(&mut set)).__memdex_append(ValueRef::Int(5), 3), Err(FieldError::NoList));
    }
}

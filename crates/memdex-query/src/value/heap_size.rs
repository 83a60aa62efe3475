//! An estimate of the heap bytes of a value, so that bounds on memory count what strings and lists hold.

use super::{DecimalValue, EntityKey, Key, Timestamp, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::mem::size_of;
use std::sync::Arc;

/// A type with an estimate of its heap bytes, in addition to its `size_of`.
///
/// `#[derive(Record)]`, `#[derive(Nested)]` and `#[derive(FieldValue)]` use it for each field whose type implements it,
/// and count other fields as 0. Implement it for types of your own that hold much memory:
///
/// ```
/// use memdex::typing::HeapSize;
///
/// struct Thumbnail { pixels: Vec<u8> }
///
/// impl HeapSize for Thumbnail {
///     fn heap_size(&self) -> usize {
///         self.pixels.heap_size()
///     }
/// }
///
/// let pictures = vec![Thumbnail { pixels: vec![0; 1_000] }, Thumbnail { pixels: vec![0; 500] }];
/// assert!(pictures.heap_size() >= 1_500);
/// assert_eq!(String::new().heap_size(), 0);
/// ```
///
/// The estimate counts capacities, but not the allocator's overhead. An `Arc` counts in full for each of its owners.
pub trait HeapSize {
    /// The heap bytes. Costs O(1) for strings and numbers, one call for each element of a collection.
    fn heap_size(&self) -> usize;
}

macro_rules! heap_size {
    ($([$($generics:tt)*] $t:ty => |$value:ident| $bytes:expr;)*) => {$(
        impl<$($generics)*> HeapSize for $t {
            #[inline]
            fn heap_size(&self) -> usize {
                let $value = self;
                $bytes
            }
        }
    )*};
}

macro_rules! nothing {
    ($($t:ty)*) => { heap_size! { $([] $t => |_value| 0;)* } };
}

nothing! {
    () bool char i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize f32 f64
    std::time::Duration std::time::SystemTime std::time::Instant Timestamp DecimalValue
}

#[cfg(feature = "uuid")]
nothing! { uuid::Uuid }
#[cfg(feature = "jiff")]
nothing! { jiff::Timestamp jiff::civil::Date }
#[cfg(feature = "rust_decimal")]
nothing! { rust_decimal::Decimal }

/// The elements of a collection that has `capacity` slots of `slot` bytes.
fn collected<'a, T: HeapSize + 'a>(capacity: usize, slot: usize, elements: impl Iterator<Item = &'a T>) -> usize {
    capacity * slot + elements.map(HeapSize::heap_size).sum::<usize>()
}

/// The two counters of an `Arc`.
const COUNTERS: usize = 2 * size_of::<usize>();

heap_size! {
    [T: ?Sized] &T => |_value| 0;
    [] String => |text| text.capacity();
    [] Box<str> => |text| text.len();
    [] Arc<str> => |text| COUNTERS + text.len();
    [] Cow<'_, str> => |text| if let Cow::Owned(text) = text { text.capacity() } else { 0 };
    [] Cow<'_, [u8]> => |bytes| if let Cow::Owned(bytes) = bytes { bytes.capacity() } else { 0 };
    [] Arc<[u8]> => |bytes| COUNTERS + bytes.len();
    [] std::path::PathBuf => |path| path.capacity();
    [] Value => |value| value.heap_bytes();
    [] Key => |key| key.heap_bytes();
    [] EntityKey => |key| key.heap_bytes();
    [T: HeapSize] Option<T> => |value| value.as_ref().map_or(0, HeapSize::heap_size);
    [T: HeapSize] Box<T> => |value| size_of::<T>() + (**value).heap_size();
    [T: HeapSize] Arc<T> => |value| COUNTERS + size_of::<T>() + (**value).heap_size();
    [T: HeapSize] Box<[T]> => |all| collected(all.len(), size_of::<T>(), all.iter());
    [T: HeapSize] Vec<T> => |all| collected(all.capacity(), size_of::<T>(), all.iter());
    [T: HeapSize] VecDeque<T> => |all| collected(all.capacity(), size_of::<T>(), all.iter());
    [T: HeapSize] BTreeSet<T> => |all| collected(all.len(), size_of::<T>(), all.iter());
    [T: HeapSize, S] HashSet<T, S> => |all| collected(all.capacity(), size_of::<T>() + 1, all.iter());
    [K: HeapSize, V: HeapSize] BTreeMap<K, V> => |all| {
        collected(all.len(), size_of::<(K, V)>(), all.keys()) + all.values().map(HeapSize::heap_size).sum::<usize>()
    };
    [K: HeapSize, V: HeapSize, S] HashMap<K, V, S> => |all| {
        collected(all.capacity(), size_of::<(K, V)>() + 1, all.keys()) + all.values().map(HeapSize::heap_size).sum::<usize>()
    };
    [T: HeapSize, const N: usize] [T; N] => |all| all.iter().map(HeapSize::heap_size).sum();
    [A: HeapSize, B: HeapSize] (A, B) => |pair| pair.0.heap_size() + pair.1.heap_size();
    [A: HeapSize, B: HeapSize, C: HeapSize] (A, B, C) => |all| all.0.heap_size() + all.1.heap_size() + all.2.heap_size();
}

/// For the derive macros: `(&Probe(&field)).__memdex_heap_size()` is the estimate if the field's type has one, else 0.
#[doc(hidden)]
pub mod probe {
    use super::HeapSize;

    #[derive(Debug)]
    pub struct Probe<'a, T: ?Sized>(pub &'a T);

    pub trait Known {
        fn __memdex_heap_size(&self) -> usize;
    }

    impl<T: HeapSize> Known for Probe<'_, T> {
        #[inline]
        fn __memdex_heap_size(&self) -> usize {
            self.0.heap_size()
        }
    }

    /// Method lookup takes this one only if the other does not apply, since it needs one more reference.
    pub trait Unknown {
        fn __memdex_heap_size(&self) -> usize;
    }

    impl<T: ?Sized> Unknown for &Probe<'_, T> {
        #[inline]
        fn __memdex_heap_size(&self) -> usize {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::probe::{Known as _, Probe, Unknown as _};
    use super::*;

    #[test]
    fn collections_count_their_slots_and_their_elements() {
        let text = String::with_capacity(10);
        assert_eq!((text.heap_size(), Some(text).heap_size()), (10, 10));
        assert_eq!(vec![1u32, 2].heap_size(), 8);
        assert_eq!(vec!["abc".to_owned()].heap_size(), 24 + 3);
        assert_eq!(Box::new(7u64).heap_size(), 8);
        assert_eq!([Some("abc".to_owned()), None].heap_size(), 3);
        assert_eq!(Value::from("x".repeat(100)).heap_size(), 116);
        assert_eq!("static".heap_size(), 0);
    }

    #[test]
    fn a_probe_counts_types_without_an_estimate_as_nothing() {
        struct Opaque;
        assert_eq!((&Probe(&Opaque)).__memdex_heap_size(), 0);
        assert_eq!(Probe(&"abc".to_owned()).__memdex_heap_size(), 3);
    }
}

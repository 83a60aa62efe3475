//! Fields of every kind: comparisons by type and by name at run time, and keys.

#[cfg(feature = "documents")]
mod numbers;
mod own;

#[cfg(all(feature = "uuid", feature = "jiff", feature = "rust_decimal"))]
mod others;

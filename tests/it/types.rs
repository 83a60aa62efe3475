//! Fields of every kind: what they are compared with, by type and by name at run time, and as keys.

mod own;

#[cfg(all(feature = "uuid", feature = "jiff", feature = "rust_decimal"))]
mod others;

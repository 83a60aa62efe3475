//! Data that the examples share.

use std::path::PathBuf;

/// The path of a file in `examples/data`.
pub fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

//! Payments from a file, with which every test begins.

use super::{Payment, PaymentRepository, RepositoryError};
use std::path::Path;
use std::{fs, io};

/// Reads payments from a JSON file.
pub fn read(path: &Path) -> io::Result<Vec<Payment>> {
    let text = fs::read_to_string(path)?;
    let in_file = |error: serde_json::Error| io::Error::other(format!("{}: {error}", path.display()));
    serde_json::from_str(&text).map_err(in_file)
}

/// The payments of `fixtures/payments.json`.
pub fn payments() -> io::Result<Vec<Payment>> {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/payments.json"))
}

/// Adds payments to an empty repository.
pub fn load(repository: &dyn PaymentRepository, payments: &[Payment]) -> Result<(), RepositoryError> {
    payments.iter().try_for_each(|payment| repository.add(payment))
}

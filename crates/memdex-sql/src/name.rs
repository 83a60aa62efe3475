//! Quoted names of tables, columns and indexes.

use super::{Dialect, SqlError};

/// PostgreSQL truncates longer names without an error.
const MAX_POSTGRES_NAME: usize = 63;

impl Dialect {
    /// Quotes a name.
    pub(super) fn quoted(self, name: &str) -> Result<String, SqlError> {
        let refused = |why, help| SqlError::Name { dialect: self, name: name.to_owned(), why, help };
        if name.is_empty() {
            return Err(refused("it is empty", "choose a name"));
        }
        if name.contains('\0') {
            return Err(refused("it contains a NUL", "choose another name"));
        }
        match self {
            // SQLite reads a name in standard quotes as a string if no such column exists, without an error. Backticks
            // prevent that.
            Dialect::Sqlite => Ok(format!("`{}`", name.replace('`', "``"))),
            Dialect::Postgres if name.len() > MAX_POSTGRES_NAME => {
                Err(refused("it is longer than 63 bytes, and PostgreSQL truncates it", "shorten it"))
            }
            Dialect::Postgres => Ok(format!("\"{}\"", name.replace('"', "\"\""))),
        }
    }
}

//! The state of a record, in words.

use super::Commit;
use std::fmt;

/// The commit that has changed a record; `None` if it is gone.
pub(super) struct Now(pub(super) Option<Commit>);

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(commit) => write!(f, "commit {commit} has changed it since"),
            None => f.write_str("it is gone"),
        }
    }
}

//! The errors of a session store, and the errors of tower-sessions that they become.

use memdex::error::{CollectionError, QueryError, Refusal};
use memdex::write::Refused;
use tower_sessions_core::session_store;

/// Why a call of [`MemdexStore`](crate::MemdexStore) failed. The methods of [`SessionStore`](tower_sessions_core::SessionStore) turn it into an
/// [`Encode`](session_store::Error::Encode) for [`User`](Error::User), and into a [`Backend`](session_store::Error::Backend) for the others.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The collection of the sessions could not be opened.
    #[error("the collection of sessions can't be opened: {0}")]
    Collection(#[from] CollectionError),
    /// The user in the data of a session is neither a string nor an integer, so no one could find the session by its user.
    #[error("the user of a session, at {path:?} of its data, must be a string or an integer, but is {found}")]
    #[non_exhaustive]
    User {
        /// The keys that lead to the user, joined by dots.
        path: String,
        /// The kind of the JSON value that is there.
        found: &'static str,
    },
    /// memdex refused a commit: the collection is full or dropped, a hook refused it, or the call comes from inside of a commit.
    #[error("the change of sessions was refused: {0}")]
    Refused(#[from] Refusal),
    /// A query of sessions failed: the collection is dropped.
    #[error("the sessions can't be searched: {0}")]
    Query(#[from] QueryError),
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Error::Refused(refused.into_refusal())
    }
}

impl From<Error> for session_store::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::User { .. } => session_store::Error::Encode(error.to_string()),
            _ => session_store::Error::Backend(error.to_string()),
        }
    }
}

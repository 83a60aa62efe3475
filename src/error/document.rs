//! JSON that can't be a document.

use std::error::Error;
use std::fmt;

/// JSON that can't be a document, or a change that would not leave one. The document is unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DocumentError {
    /// Objects and arrays are nested deeper than [`limits::MAX_DOCUMENT_DEPTH`](crate::limits::MAX_DOCUMENT_DEPTH).
    #[non_exhaustive]
    TooDeep {
        /// The deepest that is allowed.
        limit: usize,
    },
    /// The JSON is not an object.
    #[non_exhaustive]
    NotAnObject {
        /// The JSON type that it is.
        found: &'static str,
    },
    /// A part of a path leads to a value that is not an object.
    #[non_exhaustive]
    InTheWay {
        /// The whole path.
        path: String,
        /// The part of it that leads to another value.
        at: String,
        /// The JSON type of that value.
        found: &'static str,
    },
    /// The text is not JSON, or the JSON and the Rust type do not fit each other.
    #[non_exhaustive]
    Json {
        /// The message of `serde_json`.
        message: String,
    },
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DocumentError::TooDeep { limit } => {
                write!(f, "the document is nested deeper than {limit} levels: flatten it")
            }
            DocumentError::NotAnObject { found } => write!(f, "a document must be a JSON object, not {found}"),
            DocumentError::InTheWay { path, at, found } => write!(
                f,
                "can't set {path:?}: there is {found} at {at:?}, not an object; set {at:?} to an object first"
            ),
            DocumentError::Json { message } => f.write_str(message),
        }
    }
}

impl Error for DocumentError {}

//! What is wrong with a document.

/// JSON that can't be a document. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Objects and arrays are nested deeper than [`limits::MAX_DOCUMENT_DEPTH`](crate::limits::MAX_DOCUMENT_DEPTH).
    #[error("the document is nested deeper than {limit} levels: flatten it")]
    TooDeep {
        /// How deep it may be.
        limit: usize,
    },
    /// A document is a JSON object.
    #[error("a document is a JSON object, not {found}")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// What stands on the way to a path is no object.
    #[error("{found} stands at {at:?}, on the way to {path:?}: set that one first")]
    InTheWay {
        /// The path asked for.
        path: String,
        /// The part of it where something else stands.
        at: String,
        /// What stands there.
        found: &'static str,
    },
    /// The text is no JSON, or the JSON does not fit a Rust type, or the other way round.
    #[error("{message}")]
    Json {
        /// What `serde_json` says.
        message: String,
    },
}

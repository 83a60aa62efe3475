//! Failures that a test injects.

use std::fmt;

/// A failure of a production database that a fault plan imitates.
///
/// ```
/// use memdex::error::Failure;
///
/// assert_eq!(Failure::Serialization.sqlstate(), "40001");
/// assert!(Failure::Serialization.is_transient() && !Failure::OutOfMemory.is_transient());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Failure {
    /// The connection was lost before the operation began.
    Unavailable,
    /// The operation took too long and was cancelled.
    TimedOut,
    /// A transaction that runs at the same time has changed the same records.
    Serialization,
    /// Two transactions wait for each other, and this one was chosen as the victim.
    Deadlock,
    /// The server has no memory left for the operation.
    OutOfMemory,
    /// The server takes no more requests.
    TooBusy,
}

impl Failure {
    /// All of them.
    pub const ALL: [Failure; 6] = [
        Failure::Unavailable,
        Failure::TimedOut,
        Failure::Serialization,
        Failure::Deadlock,
        Failure::OutOfMemory,
        Failure::TooBusy,
    ];

    /// The code that PostgreSQL reports for it.
    #[must_use]
    pub fn sqlstate(self) -> &'static str {
        match self {
            Failure::Unavailable => "08006",
            Failure::TimedOut => "57014",
            Failure::Serialization => "40001",
            Failure::Deadlock => "40P01",
            Failure::OutOfMemory => "53200",
            Failure::TooBusy => "53300",
        }
    }

    /// Whether an application should try the operation again.
    #[must_use]
    pub fn is_transient(self) -> bool {
        !matches!(self, Failure::OutOfMemory)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Failure::Unavailable => "the connection is lost",
            Failure::TimedOut => "the operation timed out",
            Failure::Serialization => "access could not be serialized because of another transaction",
            Failure::Deadlock => "a deadlock was found",
            Failure::OutOfMemory => "the memory is used up",
            Failure::TooBusy => "there are too many requests",
        };
        write!(f, "{what} (SQLSTATE {})", self.sqlstate())
    }
}

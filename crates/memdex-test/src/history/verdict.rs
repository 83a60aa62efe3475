//! What is wrong with a history.

use std::fmt;

/// An anomaly in a history. The names are those of Adya, Berenson and others, as Elle uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Anomaly {
    /// No order of the operations explains their outcomes.
    NotLinearizable,
    /// A transaction read a value that another one wrote and then undid, or whose write was refused (G1a).
    DirtyRead,
    /// A transaction read a value that its writer replaced before it committed (G1b).
    IntermediateRead,
    /// A transaction read a value that nobody wrote.
    UnknownValue,
    /// A transaction did not read its own write, or read two values of one item.
    NonRepeatableRead,
    /// Two transactions wrote over each other's writes in different orders (G0).
    DirtyWrite,
    /// Two transactions each saw what the other wrote (G1c).
    CircularInformationFlow,
    /// A transaction saw some writes of another one and missed others: a torn batch.
    TornRead,
    /// A transaction saw parts of different states (G-single).
    ReadSkew,
    /// Two transactions read the same version of an item, and both replaced it.
    LostUpdate,
    /// Two transactions saw the writes of two others in different orders.
    LongFork,
    /// Two transactions each read what the other one then wrote. Snapshot isolation allows it.
    WriteSkew,
    /// A transaction did not see a write that had ended before it began.
    StaleRead,
    /// A read by predicate missed a record that matches.
    Phantom,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Anomaly::NotLinearizable => "not linearizable",
            Anomaly::DirtyRead => "dirty read",
            Anomaly::IntermediateRead => "intermediate read",
            Anomaly::UnknownValue => "read of a value that nobody wrote",
            Anomaly::NonRepeatableRead => "non-repeatable read",
            Anomaly::DirtyWrite => "dirty write",
            Anomaly::CircularInformationFlow => "circular information flow",
            Anomaly::TornRead => "torn read",
            Anomaly::ReadSkew => "read skew",
            Anomaly::LostUpdate => "lost update",
            Anomaly::LongFork => "long fork",
            Anomaly::WriteSkew => "write skew",
            Anomaly::StaleRead => "stale read",
            Anomaly::Phantom => "phantom",
        })
    }
}

/// A violation that a checker found: the anomaly, and the operations that show it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Violation {
    /// What is wrong.
    pub anomaly: Anomaly,
    /// The positions of the events or transactions concerned, in the history that was checked.
    pub operations: Vec<usize>,
    /// What they did, a line each, and how they are related.
    pub explanation: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:\n{}", self.anomaly, self.explanation)
    }
}

impl std::error::Error for Violation {}

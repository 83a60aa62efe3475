//! The outcome of one operation.

/// The effect of one operation of a committed batch, given the operations before it: if a batch inserts a record and deletes it again,
/// the outcomes are `Created` and `Deleted`. See [`Batch::commit_reported`](crate::Batch::commit_reported) for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outcome {
    /// It inserted a record.
    Created,
    /// It replaced a record.
    Replaced,
    /// It changed a record by its closure, or one field of it.
    Updated,
    /// It deleted a record.
    Deleted,
    /// It was a delete and found no record.
    Missing,
    /// It was an `update_where` and changed this many records.
    UpdatedWhere(usize),
    /// It was a `delete_where` and deleted this many records.
    DeletedWhere(usize),
    /// It was left out: [`Report::refused`](crate::write::Report::refused) has it, with the cause.
    Refused,
}

//! What is measured.

use crate::mix::Kind;

/// An error of a target.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A record of a workload. A target may store it in any form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The key.
    pub key: u64,
    /// The group, which queries select.
    pub group: u32,
    /// The amount, which updates change.
    pub amount: i64,
    /// The rest of the record.
    pub text: String,
}

/// An operation of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Reads the amount of the record of a key, and returns 1 if there is one.
    Get {
        /// The key.
        key: u64,
    },
    /// Adds the record, and returns 1.
    Insert(Item),
    /// Adds to the amount of the record of a key, and returns 1 if there is one.
    Update {
        /// The key.
        key: u64,
        /// To be added.
        amount: i64,
    },
    /// Deletes the record of a key, and returns 1 if there was one.
    Delete {
        /// The key.
        key: u64,
    },
    /// Returns the number of records of a group.
    Query {
        /// The group.
        group: u32,
    },
}

impl Operation {
    /// The kind of the operation.
    pub fn kind(&self) -> Kind {
        match self {
            Operation::Get { .. } => Kind::Get,
            Operation::Insert(_) => Kind::Insert,
            Operation::Update { .. } => Kind::Update,
            Operation::Delete { .. } => Kind::Delete,
            Operation::Query { .. } => Kind::Query,
        }
    }
}

/// A store, behind the operations of the workloads. All threads of a workload share it.
///
/// ```
/// use memdex_bench::{BoxError, Item, Operation, Target};
/// use std::collections::HashMap;
/// use std::sync::Mutex;
///
/// #[derive(Default)]
/// struct Locked(Mutex<HashMap<u64, Item>>);
///
/// impl Target for Locked {
///     fn fill(&mut self, items: &mut dyn Iterator<Item = Item>) -> Result<(), BoxError> {
///         self.0.get_mut().unwrap().extend(items.map(|item| (item.key, item)));
///         Ok(())
///     }
///
///     fn execute(&self, operation: Operation) -> Result<u64, BoxError> {
///         let mut items = self.0.lock().unwrap();
///         let count = match operation {
///             Operation::Get { key } => items.get(&key).is_some() as usize,
///             Operation::Insert(item) => items.insert(item.key, item).is_none() as usize,
///             Operation::Update { key, amount } => items.get_mut(&key).map(|item| item.amount += amount).is_some() as usize,
///             Operation::Delete { key } => items.remove(&key).is_some() as usize,
///             Operation::Query { group } => items.values().filter(|item| item.group == group).count(),
///             other => return Err(format!("{other:?} is not supported").into()),
///         };
///         Ok(count as u64)
///     }
/// }
/// # use memdex_bench::{Suite, Workload, Mix};
/// # let report = Suite::new("example").workload(Workload::new("w").records(10).operations(100).mix(Mix::new().get(1).query(1)))
/// #     .target("locked", || Ok(Locked::default())).rounds(1).run()?;
/// # assert_eq!(report.workloads[0].targets[0].name, "locked");
/// # Ok::<(), memdex_bench::BenchError>(())
/// ```
pub trait Target: Sync {
    /// Stores the records that are there before the operations. Not measured.
    ///
    /// # Errors
    /// Any, which ends the benchmark.
    fn fill(&mut self, items: &mut dyn Iterator<Item = Item>) -> Result<(), BoxError>;

    /// Executes an operation, and returns the number of records that it concerns, as [`Operation`] describes.
    ///
    /// # Errors
    /// Any, which ends the benchmark.
    fn execute(&self, operation: Operation) -> Result<u64, BoxError>;
}

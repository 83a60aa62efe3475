//! How two sides differ, for people to read.

use crate::operation::{Operation, Outcome};
use std::fmt;

/// One operation with the outcomes of both sides.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The operation.
    pub operation: Operation,
    /// The outcome of the first side: the model, or the first backend.
    pub expected: Outcome,
    /// The outcome of the second side.
    pub actual: Outcome,
}

/// The shortest history found on which two sides differ. Printed, it is the list of the operations with the outcomes of both.
///
/// ```
/// use memdex::{FieldDef, Kind, Schema};
/// use memdex_test::{Domain, Machine, Operation, OperationKind, Outcome, Workload};
///
/// let schema = Schema::new([FieldDef::new("id", Kind::Int).key()]);
/// let workload = Workload::new([Domain::of_schema("User", schema)?]);
/// let forgetful = |operation: &Operation| match operation {
///     Operation::Insert { .. } => Outcome::Done,
///     Operation::Get { .. } => Outcome::Record(None),
///     _ => Outcome::Unsupported,
/// };
/// let difference = Machine::new(workload).check(|| forgetful).unwrap_err();
/// assert!(difference.steps.len() <= 2);
/// assert!(difference.to_string().contains("insert User {id: "), "{difference}");
/// # Ok::<(), memdex_test::DomainError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// The seed of the run.
    pub seed: u64,
    /// The names of the sides.
    pub sides: [String; 2],
    /// The operations. The sides differ at the last one.
    pub steps: Vec<Step>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [expected, actual] = &self.sides;
        writeln!(f, "{expected} and {actual} differ after {} operations (seed {}):", self.steps.len(), self.seed)?;
        for (at, step) in self.steps.iter().enumerate() {
            let number = at + 1;
            if at + 1 < self.steps.len() {
                writeln!(f, "{number:>3}. {} -> {}", step.operation, step.actual)?;
            } else {
                writeln!(f, "{number:>3}. {}", step.operation)?;
                writeln!(f, "     {expected}: {}", step.expected)?;
                write!(f, "     {actual}: {}", step.actual)?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Difference {}

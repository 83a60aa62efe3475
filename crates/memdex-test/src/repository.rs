//! What is compared: repositories that apply operations.

use crate::operation::{Operation, Outcome};
use memdex::Query;
use memdex::query::Ask;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A repository under test: something that holds records and applies operations.
///
/// Implement it for a struct around your repository: translate each [`Operation`] into a call, and the result into an [`Outcome`].
/// Operations that your repository does not have are [`Outcome::Unsupported`]; the test leaves them out. Closures are repositories too.
///
/// ```
/// use memdex::{FieldDef, Kind, Schema, Value};
/// use memdex_test::{Domain, Machine, Operation, Outcome, Repository, Row, Workload};
/// use std::cell::RefCell;
/// use std::collections::BTreeMap;
///
/// #[derive(Default)]
/// struct Users(RefCell<BTreeMap<Vec<Value>, Row>>);
///
/// impl Repository for Users {
///     fn apply(&self, operation: &Operation) -> Outcome {
///         let mut users = self.0.borrow_mut();
///         match operation {
///             Operation::Store { row, .. } => {
///                 users.insert(vec![row.one("id").unwrap().clone()], row.clone());
///                 Outcome::Done
///             }
///             Operation::Get { key, .. } => Outcome::Record(users.get(key).cloned()),
///             _ => Outcome::Unsupported,
///         }
///     }
/// }
///
/// let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("age", Kind::Int)]);
/// let machine = Machine::new(Workload::new([Domain::of_schema("User", schema)?]));
/// machine.check(Users::default).unwrap();
/// # Ok::<(), memdex_test::DomainError>(())
/// ```
pub trait Repository {
    /// Applies an operation.
    fn apply(&self, operation: &Operation) -> Outcome;
}

impl<F: Fn(&Operation) -> Outcome> Repository for F {
    fn apply(&self, operation: &Operation) -> Outcome {
        self(operation)
    }
}

/// Applies an operation; a panic of the repository is a failure.
pub(crate) fn apply_caught<R: Repository + ?Sized>(repository: &R, operation: &Operation) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| repository.apply(operation))).unwrap_or_else(|panic| {
        let message = panic_message(&*panic);
        Outcome::Failed(format!("panicked: {message}"))
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(message), _) => message,
        (_, Some(message)) => message,
        _ => "without a message",
    }
}

/// Whether an outcome is right, given that of a model or of another backend.
///
/// Records are compared in order if the query has an order or a page, else in any order. Batches can be refused for any reason.
/// Repositories need not count: `Done` is right for the number of an `add` or of deleted records.
pub(crate) fn agrees(operation: &Operation, expected: &Outcome, actual: &Outcome) -> bool {
    match (expected, actual) {
        (Outcome::Refused(a), Outcome::Refused(b)) => a == b || matches!(operation, Operation::Batch(_)),
        (Outcome::Records { rows, total }, Outcome::Records { rows: given, total: counted }) => {
            if total != counted || rows.len() != given.len() {
                return false;
            }
            if is_ordered(operation) {
                return rows == given;
            }
            let [mut rows, mut given] = [rows.clone(), given.clone()];
            rows.sort();
            given.sort();
            rows == given
        }
        (Outcome::Summary(a), Outcome::Summary(b)) => match operation {
            Operation::Find(Query { ask: Ask::Statistics(requested), .. }) => a.compare(b, requested).is_ok(),
            _ => false,
        },
        (Outcome::Number(_), Outcome::Done) => !operation.is_read(),
        (a, b) => a == b,
    }
}

fn is_ordered(operation: &Operation) -> bool {
    match operation {
        Operation::Walk(_) => true,
        Operation::Find(Query { ask: Ask::Records(paging), .. }) => {
            !paging.order.is_empty() || paging.limit.is_some() || paging.offset > 0 || paging.page.is_some()
        }
        _ => false,
    }
}

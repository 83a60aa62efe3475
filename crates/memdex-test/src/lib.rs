//! Tests for repositories: strategies from a schema, a model, a state machine, one suite for every backend, and checkers of concurrent
//! histories. A dev-dependency for programs that use memdex, as their store or as the double of their database.
//!
//! Implement [`Repository`] for a struct around your repository, describe the records by a [`Domain`], and let a [`Machine`] compare
//! it with the [`Model`]:
//!
//! ```
//! use memdex::{Collection, FieldValue, Record, Store};
//! use memdex_test::{Domain, Form, Machine, Operation, Outcome, RefusalKind, Repository, Workload};
//!
//! #[derive(Clone, Copy, Debug, PartialEq, FieldValue)]
//! enum Status { Open, Paid }
//!
//! #[derive(Clone, Debug, PartialEq, Record)]
//! #[record(from_values)]
//! struct Invoice {
//!     #[record(key)]    id: u32,
//!     #[record(unique)] reference: String,
//!     #[record(index)]  status: Status,
//! }
//!
//! /// The repository of the application.
//! struct Invoices(Collection<Invoice>);
//!
//! impl Invoices {
//!     fn add(&self, invoice: Invoice) -> bool { self.0.insert(invoice).is_ok() }
//!     fn by_id(&self, id: u32) -> Option<Invoice> { self.0.get(id).map(|invoice| (*invoice).clone()) }
//! }
//!
//! impl Repository for Invoices {
//!     fn apply(&self, operation: &Operation) -> Outcome {
//!         let form = Form::<Invoice>::of();
//!         match operation {
//!             Operation::Insert { row, .. } => {
//!                 let invoice = form.build(&row.to_values()).expect("the domain draws valid records");
//!                 if self.add(invoice) { Outcome::Done } else { Outcome::Refused(RefusalKind::Duplicate) }
//!             }
//!             Operation::Get { key, .. } => {
//!                 let id = key[0].to().expect("a key of the domain");
//!                 Outcome::Record(self.by_id(id).map(|invoice| form.read(&invoice)))
//!             }
//!             _ => Outcome::Unsupported,   // left out
//!         }
//!     }
//! }
//!
//! let machine = Machine::new(Workload::new([Domain::of::<Invoice>("Invoice")?]));
//! let fresh = || Invoices(Store::new().collection("Invoice").unwrap());
//! machine.check(fresh).unwrap();            // one operation after the other, compared with the model
//! machine.check_threads(fresh).unwrap();    // three threads: is the history linearizable?
//! # Ok::<(), memdex_test::DomainError>(())
//! ```
//!
//! # Parts
//!
//! | part | what it does |
//! | --- | --- |
//! | [`Domain`], [`Form`], [`strategy`] | proptest strategies for the records of a schema, schemas, predicates, orders, queries and statistics |
//! | [`Workload`], [`Operation`], [`Outcome`] | operations as plain data, and how often each is drawn |
//! | [`Model`] | what a correct repository does: maps, plain loops |
//! | [`Machine`] | random histories, compared with the model; shrunk and printed |
//! | [`Suite`], [`repository_suite!`] | the same histories, and the same written tests, on several backends |
//! | [`StoreRepository`] | a memdex store as a repository |
//! | [`history`] | records what threads do, and checks linearizability and isolation |
//!
//! The package's example `planted_bugs` shows what they find: ten bugs in a small repository. Random tests are the same in each run
//! unless `MEMDEX_TEST_SEED` is set; failures print their seed.
//!
//! # Limits
//!
//! The model has no lifetimes, bounds, undeclared paths of documents, `elem_match`, hits of groups and named time zones; operations with
//! these are left out. It evaluates every query by a loop over all records, so use few.

#![forbid(unsafe_code)]

pub mod history;
mod machine;
mod model;
mod operation;
mod repository;
mod row;
mod store;
pub mod strategy;

pub use machine::{Difference, Machine, RunReport, Step, Suite, ThreadFailure};
pub use model::{Model, Scratch, Summary};
pub use operation::{Operation, Outcome, RefusalKind};
pub use repository::Repository;
pub use row::{Row, RowKey};
pub use store::StoreRepository;
pub use strategy::{Domain, DomainError, Form, OperationKind, Workload};

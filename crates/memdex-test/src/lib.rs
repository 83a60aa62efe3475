//! Tests for repositories.
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

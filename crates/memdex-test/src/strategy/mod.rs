//! proptest strategies from a schema: records, schemas, predicates, orders, queries, statistics and operations.

mod domain;
mod form;
mod pools;
mod predicates;
mod queries;
mod schemas;
mod statistics;
mod workload;

pub use domain::{Domain, DomainError};
pub use form::Form;
pub use schemas::schemas;
pub use workload::{OperationKind, Workload};

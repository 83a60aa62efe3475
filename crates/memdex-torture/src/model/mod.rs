//! The operations as data, the store that executes them, and the model that predicts each outcome.

mod aggregates;
mod books;
mod branches;
mod collisions;
mod compare;
mod flights;
mod follower;
mod indexes;
mod judgement;
mod ledger;
mod lenient;
mod machine;
mod operations;
mod others;
mod payments;
mod predicates;
mod questions;
mod recent;
mod records;
mod reference;
mod sessions;
mod steps;
mod transitions;
mod writes;

pub use collisions::{Collisions, collisions};
pub use machine::{History, histories, history_of};

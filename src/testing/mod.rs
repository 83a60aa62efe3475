//! What is injected? Faults, strictness and delayed visibility, for stores that stand in for a production database.
//!
//! This module has the plain data and answers the questions of the call sites; it knows no table and no engine. Without the feature
//! `testing` only [`meter`] is left of it, which then does nothing.

#[cfg(feature = "testing")]
mod faults;
pub(crate) mod meter;
#[cfg(feature = "testing")]
mod plan;
#[cfg(feature = "testing")]
mod plan_check;
#[cfg(feature = "testing")]
mod strictness;
#[cfg(feature = "testing")]
mod switchboard;
#[cfg(feature = "testing")]
mod visibility;

#[cfg(feature = "testing")]
pub use {
    faults::Fault,
    plan::{FaultAction, FaultPlan, FaultRule, OperationKind, When},
    plan_check::FaultPlanError,
    strictness::Strictness,
    visibility::Visibility,
};
#[cfg(feature = "testing")]
pub(crate) use {
    faults::{Stop, Target, micros},
    switchboard::Testing,
};

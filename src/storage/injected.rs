//! The error with which the commit hook of a fault plan refuses a commit.

use crate::error::{Cause, Failure};
use std::error::Error;

/// See the head of this file.
#[derive(Debug, thiserror::Error)]
#[error("injected by rule {rule:?}: {failure}")]
pub(super) struct Injected {
    pub(super) rule: String,
    pub(super) failure: Failure,
}

/// The cause of a hook's error.
pub(super) fn cause_of(error: Box<dyn Error + Send + Sync>) -> Cause {
    match error.downcast::<Injected>() {
        Ok(injected) => Cause::Injected { rule: injected.rule, failure: injected.failure },
        Err(error) => Cause::Hook(error),
    }
}

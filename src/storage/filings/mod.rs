//! Where is a condition filed, so that a change that may match it is found without evaluating it? For subscriptions and for cached answers.

mod filed;
mod filing;
mod ranges;

pub(crate) use filed::Filed;
pub(in crate::storage) use filed::{FiledFields, FiledValues, Filings, List};
pub(crate) use filing::Filing;
pub(in crate::storage) use filing::{filings, is_exact};

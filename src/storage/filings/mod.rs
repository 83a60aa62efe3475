//! Where is a condition filed, so that a change that may match it is found without evaluating it? For subscriptions and for cached answers.

mod filing;
mod filings;
mod ranges;

pub(crate) use filing::Filing;
pub(in crate::storage) use filing::{filings, is_exact};
pub(crate) use filings::Filed;
pub(in crate::storage) use filings::{FiledFields, FiledValues, Filings, List};

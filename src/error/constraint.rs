//! Refusals as SQL reports them: the name of the constraint, and the SQLSTATE.

use super::{Cause, Refusal};
use std::borrow::Cow;

impl Cause {
    /// The SQLSTATE with which PostgreSQL refuses the same, for code that tells database errors apart; `None` where SQL has no such
    /// constraint.
    ///
    /// | SQLSTATE | cause |
    /// | --- | --- |
    /// | 23502, not null | [`MissingField`](Cause::MissingField) |
    /// | 23503, foreign key | [`ParentMissing`](Cause::ParentMissing), [`StillReferred`](Cause::StillReferred) |
    /// | 23505, unique | [`KeyExists`](Cause::KeyExists), [`NotUnique`](Cause::NotUnique) |
    /// | 23514, check | [`CheckFailed`](Cause::CheckFailed) |
    ///
    /// ```
    /// # use memdex::{Record, Store};
    /// # #[derive(Clone, Record)] struct User { #[record(key)] id: u32, #[record(unique)] mail: String }
    /// # let users = Store::new().collection::<User>("User")?;
    /// users.insert(User { id: 1, mail: "ada@example.org".into() })?;
    /// let refused = users.insert(User { id: 2, mail: "ada@example.org".into() }).unwrap_err();
    /// assert_eq!(refused.cause().sqlstate(), Some("23505"));
    /// assert_eq!(refused.refusal().constraint().as_deref(), Some("User_mail_key"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn sqlstate(&self) -> Option<&'static str> {
        match self {
            Cause::MissingField { .. } => Some("23502"),
            Cause::ParentMissing { .. } | Cause::StillReferred { .. } => Some("23503"),
            Cause::KeyExists | Cause::NotUnique { .. } => Some("23505"),
            Cause::CheckFailed { .. } => Some("23514"),
            _ => None,
        }
    }
}

impl Refusal {
    /// The name of the constraint that the operation violates, as PostgreSQL gives it by default: `Payment_pkey` for the key,
    /// `Payment_mail_key` for a unique index, `Payment_account_fkey` for a reference, `Payment_amount_check` for a check.
    #[must_use]
    pub fn constraint(&self) -> Option<Cow<'_, str>> {
        match self.cause() {
            Cause::KeyExists => Some(Cow::Owned(format!("{}_pkey", self.collection()))),
            Cause::ParentMissing { constraint, .. }
            | Cause::StillReferred { constraint, .. }
            | Cause::CheckFailed { constraint, .. } => Some(Cow::Borrowed(constraint)),
            _ => self.given_constraint().map(Cow::Borrowed),
        }
    }
}

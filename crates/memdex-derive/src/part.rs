//! A struct as its attributes describe it.

use proc_macro2::{Ident, TokenStream};
use syn::Type;

/// A field of the struct that is a field of the schema, or a nested struct whose fields are.
pub(crate) struct Part<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) ty: &'a Type,
    /// The expression that reads it: `self.amount`.
    pub(crate) place: TokenStream,
    /// Its name in queries.
    pub(crate) name: String,
    /// Its constant in Rust code.
    pub(crate) constant: Ident,
    pub(crate) key: bool,
    pub(crate) index: Option<&'static str>,
    pub(crate) nan_last: bool,
    pub(crate) column: bool,
    pub(crate) weight: bool,
    /// The variant of `Collation`.
    pub(crate) collate: Option<Ident>,
    pub(crate) nested: bool,
}

/// The derived trait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// A record.
    Record,
    /// A struct within a record, which has no key.
    Nested,
    /// A record that wraps a type of another crate: its fields are those of `self.0`.
    Wrapper,
}

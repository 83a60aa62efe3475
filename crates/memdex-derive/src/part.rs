//! A struct as its attributes describe it.

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt;
use syn::{Error, Result, Type};

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

/// The query name of a field given by its name in Rust; names after a dot are taken as they are.
pub(crate) fn field_name(path: &[Ident], parts: &[Part<'_>]) -> Result<String> {
    let Some(part) = parts.iter().find(|part| part.ident.unraw() == path[0].unraw()) else {
        let message = format!("no field `{}` with a `#[record(…)]` attribute; add `#[record(field)]` to it", path[0]);
        return Err(Error::new(path[0].span(), message));
    };
    if part.nested != (path.len() > 1) {
        let message = if part.nested {
            "add a field of the nested struct, after a dot"
        } else {
            "this field is not a nested struct"
        };
        return Err(Error::new(path[0].span(), format!("`{}`: {message}", path[0])));
    }
    let inner = path[1..].iter().map(|ident| ident.unraw().to_string());
    Ok(std::iter::once(part.name.clone()).chain(inner).collect::<Vec<_>>().join("."))
}

//! Generated code that makes the compiler report an unsuitable type once, at its field.

use crate::part::Part;
use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

/// The type of a key field, as its own `Base`. Then a type that is not a `FieldValue` has no key type, and an `Option` the
/// key type of what it holds, so the compiler reports either once.
pub(crate) fn key_type(ty: &Type) -> TokenStream {
    let (first, last) = ends(ty);
    let (start, base) = (quote_spanned!(first=> <), quote_spanned!(last=> Base));
    quote!(#start #ty as ::memdex::FieldValue>::#base)
}

/// A check that fails at the type of a key field which is optional or a list.
pub(crate) fn valid_key(part: &Part<'_>) -> TokenStream {
    let (ty, name) = (part.ty, part.ident.unraw());
    let list = format!("a list can't be a key: the key field `{name}` must have exactly one value");
    let optional = format!("the key field `{name}` can't be optional: every record needs a whole key");
    let list = check_of_type(ty, quote!(!<#ty as ::memdex::FieldValue>::MANY), &list);
    let single = quote!(<#ty as ::memdex::FieldValue>::MANY || !<#ty as ::memdex::FieldValue>::NULLABLE);
    let optional = check_of_type(ty, single, &optional);
    quote!(#list #optional)
}

/// A check that fails at the type of a `nan_last` field that is not a float.
pub(crate) fn always_float(part: &Part<'_>) -> TokenStream {
    let (ty, name) = (part.ty, part.ident.unraw());
    let message = format!("`nan_last` is for floats, and the field `{name}` is not one");
    let kind = quote!(<#ty as ::memdex::FieldValue>::KIND);
    check_of_type(ty, quote!(::core::matches!(#kind, ::memdex::Kind::Float)), &message)
}

/// A field with a collation holds strings.
pub(crate) fn always_text(part: &Part<'_>) -> TokenStream {
    let (ty, name) = (part.ty, part.ident.unraw());
    let message = format!("`collate` is for strings, and the field `{name}` is not one");
    let kind = quote!(<#ty as ::memdex::FieldValue>::KIND);
    check_of_type(ty, quote!(::core::matches!(#kind, ::memdex::Kind::Str)), &message)
}

/// A check at compile time, pointed at a type.
fn check_of_type(ty: &Type, holds: TokenStream, message: &str) -> TokenStream {
    let (first, last) = ends(ty);
    let start = quote_spanned!(first=> ::core::assert);
    let mut condition = Group::new(Delimiter::Parenthesis, quote!(#holds, #message));
    condition.set_span(last);
    quote!(const _: () = #start ! #condition;)
}

/// The spans of the first and the last token. Together they span the type, as far as a stable compiler allows.
fn ends(ty: &Type) -> (Span, Span) {
    let first = ty.span();
    let last = ty.to_token_stream().into_iter().last().as_ref().map_or(first, TokenTree::span);
    (first, last)
}

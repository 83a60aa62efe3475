//! `#[derive(Record)]`.

use crate::attributes::{Errors, Form, Known, Words, refuse_generics};
use crate::rename::{Style, constant, namespace};
use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, FieldsNamed, Result, Type};

const ON_STRUCT: Known = Known { attribute: "record", place: "a struct", words: &[("rename_all", Form::Text)] };

const ON_FIELD: Known = Known {
    attribute: "record",
    place: "a field",
    words: &[("key", Form::Plain), ("index", Form::Plain), ("field", Form::Plain), ("rename", Form::Text)],
};

/// A field of the struct that is one of the schema.
struct Part<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    /// What queries call it.
    name: String,
    /// What Rust code calls it.
    constant: Ident,
    key: bool,
    index: bool,
}

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let fields = named_fields(input)?;
    let mut errors = Errors::default();
    refuse_generics(&input.generics, "Record", "a collection holds one type, which owns its data", &mut errors);
    let style = Words::parse(&input.attrs, &ON_STRUCT, &mut errors).rename_all(&mut errors);
    let mut parts: Vec<Part<'_>> = Vec::new();
    let mut keyed = false;
    for field in &fields.named {
        let words = Words::parse(&field.attrs, &ON_FIELD, &mut errors);
        keyed |= words.has("key");
        if let Some(part) = part(field, &words, style, &mut errors) {
            clashes(&part, &words, &parts, &mut errors);
            parts.push(part);
        }
    }
    if !keyed {
        errors.add(&input.ident, "no key field: put `#[record(key)]` on the field, or the fields, that name a record");
    }
    errors.check()?;
    let implementation = implementation(&input.ident, &parts);
    let constants = constants(input, &parts);
    let checks = parts.iter().filter(|part| part.key).map(never_optional);
    Ok(quote! { #implementation #constants #(#checks)* })
}

fn named_fields(input: &DeriveInput) -> Result<&FieldsNamed> {
    let (at, what) = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Ok(fields),
            Fields::Unnamed(fields) => (fields.to_token_stream(), "a tuple struct"),
            Fields::Unit => (input.ident.to_token_stream(), "a unit struct"),
        },
        Data::Enum(data) => (data.enum_token.to_token_stream(), "an enum"),
        Data::Union(data) => (data.union_token.to_token_stream(), "a union"),
    };
    let message =
        format!("`Record` is for structs with named fields, which the names in queries stand for; this is {what}");
    Err(Error::new_spanned(at, message))
}

/// What the attributes make of a field; nothing if there are none.
fn part<'a>(field: &'a Field, words: &Words, style: Option<Style>, errors: &mut Errors) -> Option<Part<'a>> {
    let (span, ident) = (words.span?, field.ident.as_ref()?);
    let (key, index) = (words.has("key"), words.has("index"));
    match words.get("field") {
        Some(word) if key => errors.add(word, "`field` says nothing beside `key`: queries reach every key field"),
        Some(word) if index => {
            errors.add(word, "`field` says nothing beside `index`: queries reach every indexed field")
        }
        None if !key && !index && words.sound => {
            let message = format!("say what `{}` is to queries: `key`, `index` or `field`", ident.unraw());
            errors.append(Error::new(span, message));
        }
        _ => {}
    }
    let name = match (words.rename(errors), style) {
        (Some(name), _) => name.value(),
        (None, Some(style)) => style.field(&ident.unraw().to_string()),
        (None, None) => ident.unraw().to_string(),
    };
    Some(Part { ident, ty: &field.ty, name, constant: constant(ident), key, index })
}

/// Refuses a name or a constant that an earlier field has.
fn clashes(part: &Part<'_>, words: &Words, earlier: &[Part<'_>], errors: &mut Errors) {
    let Part { ident, name, constant, .. } = part;
    if let Some(other) = earlier.iter().find(|other| other.name == *name) {
        let message = format!("the field `{}` has the name `{name}` already", other.ident.unraw());
        match words.get("rename") {
            Some(rename) => errors.add(rename, message),
            None => errors.add(ident, message),
        }
    } else if name.is_empty() && !words.has("rename") {
        errors.add(ident, "nothing is left of this name in that style: give it a `rename = \"…\"`");
    }
    if let Some(other) = earlier.iter().find(|other| other.constant == *constant) {
        let message =
            format!("the field `{}` has the constant `{constant}` already: rename one of the two", other.ident.unraw());
        errors.add(ident, message);
    }
}

fn implementation(record: &Ident, parts: &[Part<'_>]) -> TokenStream {
    let definitions = parts.iter().map(|Part { ty, name, key, index, .. }| {
        let key = key.then(|| quote!(.key()));
        let index = index.then(|| quote!(.index()));
        quote!(::memdex::FieldDef::of::<#ty>(#name) #key #index)
    });
    let keys: Vec<_> = parts.iter().filter(|part| part.key).collect();
    let key_type = match keys.as_slice() {
        [one] => one.ty.to_token_stream(),
        several => {
            let types = several.iter().map(|part| part.ty);
            quote!((#(#types,)*))
        }
    };
    let key_values = keys.iter().map(|part| value(part));
    let values = parts.iter().map(value);
    let positions = 0..parts.len();
    // Parameters are named as no constant of the user's is: one of the same name would stand in for them.
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl ::memdex::Record for #record {
            type Key = #key_type;

            fn schema() -> ::memdex::Schema {
                ::memdex::Schema::new([#(#definitions),*])
            }

            #[inline]
            fn key(&self, __key: &mut ::memdex::KeyBuffer) {
                #(__key.push(#key_values);)*
            }

            #[inline]
            fn value(&self, __field: ::core::primitive::usize) -> ::memdex::ValueRef<'_> {
                match __field {
                    #(#positions => #values,)*
                    _ => ::memdex::ValueRef::Null,
                }
            }
        }
    }
}

/// The value of a field of `self`. Names the type, so that one that has no values is pointed at.
fn value(Part { ident, ty, .. }: &Part<'_>) -> TokenStream {
    quote!(<#ty as ::memdex::FieldValue>::value(&self.#ident))
}

/// The namespace type and its constants: a type, since a module could not see a struct that is local to a function.
fn constants(input: &DeriveInput, parts: &[Part<'_>]) -> TokenStream {
    let DeriveInput { ident: record, vis, .. } = input;
    let namespace = namespace(record);
    let doc = format!("Fields of [`{}`], for queries.", record.unraw());
    let constants = parts.iter().map(|Part { ty, name, constant, key, index, .. }| {
        let doc = match (key, index) {
            (true, true) => format!("The field `{name}`: a part of the key, with an index."),
            (true, false) => format!("The field `{name}`: a part of the key."),
            (false, true) => format!("The field `{name}`, with an index."),
            (false, false) => format!("The field `{name}`."),
        };
        quote! {
            #[doc = #doc]
            #vis const #constant: ::memdex::Field<#record, #ty> = ::memdex::Field::new(#name);
        }
    });
    quote! {
        #[doc = #doc]
        #[allow(non_camel_case_types, dead_code)]
        #vis enum #namespace {}

        #[allow(non_upper_case_globals, dead_code)]
        impl #namespace {
            #(#constants)*
        }
    }
}

/// A check that fails at the type of a key field which can be `None`.
fn never_optional(Part { ident, ty, .. }: &Part<'_>) -> TokenStream {
    let message = format!("the key field `{}` can't be optional: every record needs a whole key", ident.unraw());
    // From the first token of the type to its last, as far as a stable compiler allows.
    let first = ty.span();
    let last = ty.to_token_stream().into_iter().last().as_ref().map_or(first, TokenTree::span);
    let start = quote_spanned!(first=> ::core::assert);
    let mut condition = Group::new(Delimiter::Parenthesis, quote!(!<#ty as ::memdex::FieldValue>::NULLABLE, #message));
    condition.set_span(last);
    quote!(const _: () = #start ! #condition;)
}

//! `#[derive(Record)]` and `#[derive(Nested)]`.

use crate::attributes::{Errors, Form, Known, Words, refuse_generics};
use crate::rename::{Style, constant, namespace};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Expr, Field, Fields, FieldsNamed, LitStr, MetaList, Result, Token, Type};

const ON_STRUCT: Known = Known {
    attribute: "record",
    place: "a struct",
    words: &[("rename_all", Form::Text), ("index", Form::List), ("unique", Form::List), ("ordered", Form::List)],
};

const ON_FIELD: Known = Known {
    attribute: "record",
    place: "a field",
    words: &[
        ("key", Form::Plain),
        ("index", Form::Plain),
        ("unique", Form::Plain),
        ("ordered", Form::Plain),
        ("nan_last", Form::Plain),
        ("column", Form::Plain),
        ("field", Form::Plain),
        ("nested", Form::Plain),
        ("rename", Form::Text),
    ],
};

/// The words that give a field an index of its own.
const INDEXES: [&str; 3] = ["index", "unique", "ordered"];

/// A field of the struct that is one of the schema, or a struct whose fields are.
struct Part<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    /// What queries call it.
    name: String,
    /// What Rust code calls it.
    constant: Ident,
    key: bool,
    index: Option<&'static str>,
    nan_last: bool,
    column: bool,
    nested: bool,
}

/// A whole record, or a struct within one, which has no key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Record,
    Nested,
}

pub(crate) fn derive(input: &DeriveInput, what: What) -> Result<TokenStream> {
    let fields = named_fields(input)?;
    let mut errors = Errors::default();
    let why = "a collection holds one type, which owns its data";
    refuse_generics(&input.generics, if what == What::Record { "Record" } else { "Nested" }, why, &mut errors);
    let on_struct = Words::parse(&input.attrs, &ON_STRUCT, &mut errors);
    let style = on_struct.rename_all(&mut errors);
    let mut parts: Vec<Part<'_>> = Vec::new();
    let mut keyed = false;
    for field in &fields.named {
        let words = Words::parse(&field.attrs, &ON_FIELD, &mut errors);
        keyed |= words.has("key");
        if let (What::Nested, Some(key)) = (what, words.get("key")) {
            errors.add(key, "a struct within a record has no key: `key` is for the record");
        }
        if let Some(part) = part(field, &words, style, &mut errors) {
            clashes(&part, &words, &parts, &mut errors);
            parts.push(part);
        }
    }
    if !keyed && what == What::Record {
        errors.add(&input.ident, "no key field: put `#[record(key)]` on the field, or the fields, that name a record");
    }
    let indexes = indexes(&on_struct, &parts, &mut errors);
    errors.check()?;
    // Those of nested structs come behind all others.
    let (nested, parts): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.nested);
    let implementation = match what {
        What::Record => of_record(&input.ident, &parts, &nested, &indexes),
        What::Nested => of_nested(&input.ident, &parts, &nested, &indexes),
    };
    let constants = constants(input, parts.iter().chain(&nested));
    let keys = parts.iter().filter(|part| part.key).map(never_optional);
    let floats = parts.iter().filter(|part| part.nan_last).map(always_float);
    Ok(quote! { #implementation #constants #(#keys)* #(#floats)* })
}

/// The indexes that stand on the struct: `index(field, field, name = "…", when = …)`.
fn indexes(on_struct: &Words, parts: &[Part<'_>], errors: &mut Errors) -> Vec<TokenStream> {
    on_struct.lists().filter_map(|(kind, list)| index(kind, list, parts, errors)).collect()
}

fn index(kind: &str, list: &MetaList, parts: &[Part<'_>], errors: &mut Errors) -> Option<TokenStream> {
    let entries = match list.parse_args_with(Punctuated::<IndexEntry, Token![,]>::parse_terminated) {
        Ok(entries) => entries,
        Err(error) => {
            errors.append(error);
            return None;
        }
    };
    let (mut names, mut named, mut when) = (Vec::new(), None, None);
    for entry in &entries {
        match entry {
            IndexEntry::Field(path) => match field_name(path, parts) {
                Ok(name) => names.push(name),
                Err(error) => errors.append(error),
            },
            IndexEntry::Name(name) => named = Some(quote!(.named(#name))),
            IndexEntry::When(condition) => when = Some(quote!(.when(#condition))),
        }
    }
    if names.is_empty() {
        errors.add(list, format!("`{kind}(…)` names no field"));
    }
    let make = Ident::new(if kind == "index" { "equality" } else { kind }, list.path.span());
    Some(quote!(.with_index(::memdex::IndexDef::#make([#(#names),*]) #named #when)))
}

/// One entry of an index on the struct.
enum IndexEntry {
    /// `field`, or `field.of.a.nested.struct`
    Field(Vec<Ident>),
    /// `name = "…"`
    Name(LitStr),
    /// `when = filter`
    When(Box<Expr>),
}

impl Parse for IndexEntry {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let first = Ident::parse_any(input)?;
        if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            return match first.to_string().as_str() {
                "name" => Ok(IndexEntry::Name(input.parse()?)),
                "when" => Ok(IndexEntry::When(Box::new(input.parse()?))),
                other => Err(Error::new(first.span(), format!("unknown word `{other}`: expected `name` or `when`"))),
            };
        }
        let mut path = vec![first];
        while input.peek(Token![.]) {
            input.parse::<Token![.]>()?;
            path.push(Ident::parse_any(input)?);
        }
        Ok(IndexEntry::Field(path))
    }
}

/// What queries call a field that is given by its name in Rust; the names behind a dot are taken as they are.
fn field_name(path: &[Ident], parts: &[Part<'_>]) -> Result<String> {
    let Some(part) = parts.iter().find(|part| part.ident.unraw() == path[0].unraw()) else {
        let message = format!("no field `{}` that queries see: give it an attribute, `field` at least", path[0]);
        return Err(Error::new(path[0].span(), message));
    };
    if part.nested != (path.len() > 1) {
        let message = if part.nested { "a field of the nested struct must follow" } else { "not a nested struct" };
        return Err(Error::new(path[0].span(), format!("`{}`: {message}", path[0])));
    }
    let inner = path[1..].iter().map(|ident| ident.unraw().to_string());
    Ok(std::iter::once(part.name.clone()).chain(inner).collect::<Vec<_>>().join("."))
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
        format!("this is for structs with named fields, which the names in queries stand for; this is {what}");
    Err(Error::new_spanned(at, message))
}

/// What the attributes make of a field; nothing if there are none.
fn part<'a>(field: &'a Field, words: &Words, style: Option<Style>, errors: &mut Errors) -> Option<Part<'a>> {
    let (span, ident) = (words.span?, field.ident.as_ref()?);
    let (key, column, nested) = (words.has("key"), words.has("column"), words.has("nested"));
    let nan_last = words.has("nan_last");
    let index = INDEXES.into_iter().find(|word| words.has(word));
    if let Some(second) = INDEXES.into_iter().filter(|word| words.has(word)).nth(1) {
        let message = "one index a field; put the others on the struct: `#[record(ordered(field, name = \"…\"))]`";
        errors.add(words.get(second), message);
    }
    let others = key || column || index.is_some();
    if let (Some(word), true) = (words.get("nan_last"), nested) {
        errors.add(word, "a nested struct is no field itself: `nan_last` is for a field in it");
    }
    match (words.get("field"), words.get("nested")) {
        (Some(word), _) if key => errors.add(word, "`field` says nothing beside `key`: queries reach every key field"),
        (Some(word), _) if others => {
            errors.add(word, "`field` says nothing beside another word: queries reach every such field")
        }
        (field, Some(word)) if others || field.is_some() => {
            errors.add(word, "a nested struct is no field itself: `nested` stands alone or beside `rename`")
        }
        (None, None) if !others && words.sound => {
            let message = format!(
                "say what `{}` is to queries: `key`, `index`, `unique`, `ordered`, `column`, `field` or `nested`",
                ident.unraw()
            );
            errors.append(Error::new(span, message));
        }
        _ => {}
    }
    let name = match (words.rename(errors), style) {
        (Some(name), _) => name.value(),
        (None, Some(style)) => style.field(&ident.unraw().to_string()),
        (None, None) => ident.unraw().to_string(),
    };
    Some(Part { ident, ty: &field.ty, name, constant: constant(ident), key, index, nan_last, column, nested })
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

fn of_record(record: &Ident, parts: &[Part<'_>], nested: &[Part<'_>], indexes: &[TokenStream]) -> TokenStream {
    let keys: Vec<_> = parts.iter().filter(|part| part.key).collect();
    let key_type = match keys.as_slice() {
        [one] => one.ty.to_token_stream(),
        several => {
            let types = several.iter().map(|part| part.ty);
            quote!((#(#types,)*))
        }
    };
    let key_values = keys.iter().map(|part| value(part));
    let schema = schema(parts, nested, indexes);
    let extractors = extractors(parts, nested);
    // Parameters are named as no constant of the user's is: one of the same name would stand in for them.
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl ::memdex::Record for #record {
            type Key = #key_type;

            fn schema() -> ::memdex::Schema {
                #schema
            }

            #[inline]
            fn key(&self, __key: &mut ::memdex::KeyBuffer) {
                #(__key.push(#key_values);)*
            }

            #extractors
        }
    }
}

fn of_nested(ident: &Ident, parts: &[Part<'_>], nested: &[Part<'_>], indexes: &[TokenStream]) -> TokenStream {
    let schema = schema(parts, nested, indexes);
    let extractors = extractors(parts, nested);
    let own = parts.len();
    let inner = nested.iter().map(|part| part.ty);
    quote! {
        #[automatically_derived]
        impl ::memdex::Nest for #ident {
            type Leaf = Self;
            type Of<T> = T;
        }

        #[automatically_derived]
        #[allow(deprecated)]
        impl ::memdex::Nested for #ident {
            const FIELDS: ::core::primitive::usize = #own #(+ <#inner as ::memdex::Nested>::FIELDS)*;

            fn schema() -> ::memdex::Schema {
                #schema
            }

            #extractors
        }
    }
}

fn schema(parts: &[Part<'_>], nested: &[Part<'_>], indexes: &[TokenStream]) -> TokenStream {
    let definitions = parts.iter().map(|Part { ty, name, key, index, nan_last, column, .. }| {
        let nan_last = nan_last.then(|| quote!(.nan_last()));
        let key = key.then(|| quote!(.key()));
        let column = column.then(|| quote!(.column()));
        let index = index.map(|word| {
            let index = Ident::new(word, Span::call_site());
            quote!(.#index())
        });
        quote!(::memdex::FieldDef::of::<#ty>(#name) #key #index #nan_last #column)
    });
    let nested =
        nested.iter().map(|Part { ty, name, .. }| quote!(.with_nested(#name, <#ty as ::memdex::Nested>::schema())));
    quote!(::memdex::Schema::new([#(#definitions),*]) #(#nested)* #(#indexes)*)
}

/// `value` and `values`. Positions of nested structs follow those of the plain fields, one struct after the other.
fn extractors(parts: &[Part<'_>], nested: &[Part<'_>]) -> TokenStream {
    let positions: Vec<_> = (0..parts.len()).collect();
    let own = parts.len();
    let value_of = parts.iter().map(value);
    let values_of =
        parts.iter().map(|Part { ident, ty, .. }| quote!(<#ty as ::memdex::FieldValue>::values(&self.#ident, __show)));
    let behind = |call: &dyn Fn(&Part<'_>) -> TokenStream| -> Vec<TokenStream> {
        let each = nested.iter().map(|part| {
            let (ty, call) = (part.ty, call(part));
            quote! {
                if __field < <#ty as ::memdex::Nested>::FIELDS {
                    return #call;
                }
                let __field = __field - <#ty as ::memdex::Nested>::FIELDS;
            }
        });
        each.collect()
    };
    let nested_value =
        behind(&|Part { ident, ty, .. }| quote!(<#ty as ::memdex::Nested>::value(&self.#ident, __field)));
    let nested_values =
        behind(&|Part { ident, ty, .. }| quote!(<#ty as ::memdex::Nested>::values(&self.#ident, __field, __show)));
    quote! {
        #[inline]
        #[allow(unused_variables, unreachable_code)]
        fn value(&self, __field: ::core::primitive::usize) -> ::memdex::ValueRef<'_> {
            match __field {
                #(#positions => return #value_of,)*
                _ => {}
            }
            let __field = __field.wrapping_sub(#own);
            #(#nested_value)*
            ::memdex::ValueRef::Null
        }

        #[allow(unused_variables, unreachable_code)]
        fn values<'__a>(
            &'__a self,
            __field: ::core::primitive::usize,
            __show: &mut dyn ::core::ops::FnMut(::memdex::ValueRef<'__a>),
        ) {
            match __field {
                #(#positions => return #values_of,)*
                _ => {}
            }
            let __field = __field.wrapping_sub(#own);
            #(#nested_values)*
        }
    }
}

/// The value of a field of `self`. Names the type, so that one that has no values is pointed at.
fn value(Part { ident, ty, .. }: &Part<'_>) -> TokenStream {
    quote!(<#ty as ::memdex::FieldValue>::value(&self.#ident))
}

/// The namespace type and its constants: a type, since a module could not see a struct that is local to a function.
fn constants<'a>(input: &DeriveInput, parts: impl Iterator<Item = &'a Part<'a>>) -> TokenStream {
    let DeriveInput { ident: record, vis, .. } = input;
    let namespace = namespace(record);
    let doc = format!("Fields of [`{}`], for queries.", record.unraw());
    let constants = parts.map(|Part { ty, name, constant, key, index, nested, .. }| {
        let what = match (nested, key, index) {
            (true, ..) => ": a struct; see `Field::dot`",
            (_, true, Some(_)) => ": a part of the key, with an index",
            (_, true, None) => ": a part of the key",
            (_, false, Some(_)) => ", with an index",
            (_, false, None) => "",
        };
        let doc = format!("The field `{name}`{what}.");
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
fn never_optional(part: &Part<'_>) -> TokenStream {
    let (ty, name) = (part.ty, part.ident.unraw());
    let message = format!("the key field `{name}` can't be optional: every record needs a whole key");
    check_of_type(ty, quote!(!<#ty as ::memdex::FieldValue>::NULLABLE), &message)
}

/// A check that fails at the type of a `nan_last` field which can't be NaN.
fn always_float(part: &Part<'_>) -> TokenStream {
    let (ty, name) = (part.ty, part.ident.unraw());
    let message = format!("the field `{name}` can't be NaN: `nan_last` is for floats");
    let kind = quote!(<#ty as ::memdex::FieldValue>::KIND);
    check_of_type(ty, quote!(::core::matches!(#kind, ::memdex::Kind::Float)), &message)
}

/// A check at compile time, pointed at a type.
fn check_of_type(ty: &Type, holds: TokenStream, message: &str) -> TokenStream {
    // From the first token of the type to its last, as far as a stable compiler allows.
    let first = ty.span();
    let last = ty.to_token_stream().into_iter().last().as_ref().map_or(first, TokenTree::span);
    let start = quote_spanned!(first=> ::core::assert);
    let mut condition = Group::new(Delimiter::Parenthesis, quote!(#holds, #message));
    condition.set_span(last);
    quote!(const _: () = #start ! #condition;)
}

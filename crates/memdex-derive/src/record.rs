//! `#[derive(Record)]` and `#[derive(Nested)]`.

use crate::attributes::{Errors, Form, Known, Options, refuse_generics};
use crate::check::{always_float, always_text, key_type, valid_key};
use crate::constraint::Constraints;
use crate::methods::{extractors, from_values, heap_size, schema, setters, value};
use crate::part::{Part, Target, field_name};
use crate::rename::{Style, constant, namespace};
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Expr, Field, Fields, FieldsNamed, LitStr, MetaList, Result, Token, Visibility};

const ON_STRUCT: Known = Known {
    attribute: "record",
    place: "a struct",
    options: &[
        ("rename_all", Form::Text),
        ("fields", Form::Text),
        ("from_values", Form::Plain),
        ("index", Form::List),
        ("unique", Form::List),
        ("ordered", Form::List),
        ("reference", Form::List),
        ("check", Form::List),
    ],
};

const ON_FIELD: Known = Known {
    attribute: "record",
    place: "a field",
    options: &[
        ("key", Form::Plain),
        ("index", Form::Plain),
        ("unique", Form::Plain),
        ("ordered", Form::Plain),
        ("nan_last", Form::Plain),
        ("column", Form::Plain),
        ("weight", Form::Plain),
        ("field", Form::Plain),
        ("nested", Form::Plain),
        ("collate", Form::Text),
        ("rename", Form::Text),
        ("references", Form::Text),
        ("on_delete", Form::Text),
        ("on_update", Form::Text),
        ("constraint", Form::Text),
    ],
};

/// The options that give a field an index.
const INDEXES: [&str; 3] = ["index", "unique", "ordered"];

pub(crate) fn derive(input: &DeriveInput, target: Target) -> Result<TokenStream> {
    let fields = named_fields(input)?;
    let mut errors = Errors::default();
    let why = "a collection holds one type, which owns its data";
    refuse_generics(&input.generics, if target == Target::Nested { "Nested" } else { "Record" }, why, &mut errors);
    let owner = if target == Target::Wrapper { quote!(self.0) } else { quote!(self) };
    let on_struct = Options::parse(&input.attrs, &ON_STRUCT, &mut errors);
    let style = on_struct.rename_all(&mut errors);
    let mut constraints = Constraints::new(target);
    let mut parts: Vec<Part<'_>> = Vec::new();
    let mut keyed = false;
    let mut hidden: Vec<&Ident> = Vec::new();
    for field in &fields.named {
        let options = Options::parse(&field.attrs, &ON_FIELD, &mut errors);
        keyed |= options.has("key");
        if let (Target::Nested, Some(key)) = (target, options.get("key")) {
            errors.add(key, "a nested struct has no key; `key` is for fields of the record");
        }
        match part(field, &options, style, &owner, &mut errors) {
            Some(part) => {
                clashes(&part, &options, &parts, &mut errors);
                constraints.add_field(&part, &options, &mut errors);
                parts.push(part);
            }
            None => hidden.extend(&field.ident),
        }
    }
    if !keyed && target != Target::Nested {
        errors
            .add(&input.ident, "a record needs a key: put `#[record(key)]` on the field, or fields, that identify it");
    }
    let namespace = Namespace::parse(&input.ident, &on_struct, &mut errors);
    let mut calls = indexes(&on_struct, &parts, &mut errors);
    constraints.add_struct(&on_struct, &parts, &mut errors);
    calls.append(&mut constraints.calls);
    if let (Target::Wrapper, Some(option)) = (target, on_struct.get("from_values")) {
        errors.add(
            option,
            "`from_values` can't build a type of another crate; implement `Record` by hand for a type of your own",
        );
    }
    errors.check()?;
    let heap_size =
        heap_size(fields.named.iter().filter_map(|field| field.ident.as_ref()).map(|ident| quote!(#owner.#ident)));
    let from_values = on_struct.has("from_values").then(|| from_values(&parts, &hidden, target));
    // Fields of nested structs follow all others.
    let (nested, parts): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.nested);
    let implementation = match target {
        Target::Record | Target::Wrapper => {
            let more = [from_values, constraints.cloner()];
            of_record(&input.ident, &parts, &nested, &calls, &heap_size, &more)
        }
        Target::Nested => of_nested(&input.ident, &parts, &nested, &calls, &heap_size, &from_values),
    };
    let constants = constants(input, &namespace, parts.iter().chain(&nested), &hidden);
    let keys = parts.iter().filter(|part| part.key).map(valid_key);
    let floats = parts.iter().filter(|part| part.nan_last).map(always_float);
    let texts = parts.iter().filter(|part| part.collate.is_some()).map(always_text);
    Ok(quote! { #implementation #constants #(#keys)* #(#floats)* #(#texts)* })
}

/// The indexes declared on the struct: `index(field, field, name = "…", when = …)`.
fn indexes(on_struct: &Options, parts: &[Part<'_>], errors: &mut Errors) -> Vec<TokenStream> {
    let lists = on_struct.lists().filter(|(kind, _)| INDEXES.contains(kind));
    lists.filter_map(|(kind, list)| index(kind, list, parts, errors)).collect()
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
        errors.add(list, format!("`{kind}(…)` needs at least one field"));
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
                "when" => condition(input).map(|filter| IndexEntry::When(Box::new(filter))),
                other => Err(Error::new(
                    first.span(),
                    format!("unknown attribute `{other}`; expected one of `name`, `when`"),
                )),
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

/// The filter after `when =`.
fn condition(input: ParseStream<'_>) -> Result<Expr> {
    const EXPECTED: &str = "`when` expects a filter, such as `payment::STATUS.eq(Status::Pending)`, \
                            or the path of a function that returns one, called: `pending()`";
    if input.peek(Token![|]) || input.peek(Token![||]) || input.peek(Token![move]) {
        return Err(input.error(format!("{EXPECTED}; not a closure")));
    }
    input.parse().map_err(|error: Error| Error::new(error.span(), EXPECTED))
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
    let message = format!("a record is a struct with named fields, by which queries refer to them; this is {what}");
    Err(Error::new_spanned(at, message))
}

/// The field of the schema that a field of the struct becomes; `None` without attributes.
fn part<'a>(
    field: &'a Field,
    options: &Options,
    style: Option<Style>,
    owner: &TokenStream,
    errors: &mut Errors,
) -> Option<Part<'a>> {
    let (span, ident) = (options.span?, field.ident.as_ref()?);
    let (key, column, nested) = (options.has("key"), options.has("column"), options.has("nested"));
    let nan_last = options.has("nan_last");
    let index = INDEXES.into_iter().find(|word| options.has(word));
    if let Some(second) = INDEXES.into_iter().filter(|word| options.has(word)).nth(1) {
        let message = "a field attribute declares one index; declare further ones on the struct: `#[record(ordered(field, name = \"…\"))]`";
        errors.add(options.get(second), message);
    }
    let weight = options.has("weight");
    let refers = options.has("references");
    let others = key || column || weight || refers || index.is_some();
    if let (Some(word), true) = (options.get("nan_last"), nested) {
        errors.add(word, "`nan_last` does not apply to a nested struct; put it on a field of that struct");
    }
    let collate = options.collate(errors);
    if let (Some(word), true) = (options.get("collate"), nested) {
        errors.add(word, "`collate` does not apply to a nested struct; put it on a field of that struct");
    }
    if let (Some(word), true) = (options.get("collate"), key) {
        errors.add(word, "a key has no collation: it is compared by bytes; add a unique field with the collation");
    }
    match (options.get("field"), options.get("nested")) {
        (Some(word), _) if key => errors.add(word, "`field` is redundant with `key`: queries can use every key field"),
        (Some(word), _) if others => {
            errors.add(word, "`field` is redundant: queries can use every field with an attribute")
        }
        (field, Some(word)) if others || field.is_some() => errors.add(
            word,
            "`nested` can only be combined with `rename`; put the other attributes on the fields of the nested struct",
        ),
        (None, None) if !others && options.valid => {
            let message = format!(
                "the role of field `{}` is missing; add one of `key`, `index`, `unique`, `ordered`, `column`, `weight`, `references`, `field`, `nested`",
                ident.unraw()
            );
            errors.append(Error::new(span, message));
        }
        _ => {}
    }
    let name = match (options.rename(errors), style) {
        (Some(name), _) => name.value(),
        (None, Some(style)) => style.field(&ident.unraw().to_string()),
        (None, None) => ident.unraw().to_string(),
    };
    let (ty, place, constant) = (&field.ty, quote!(#owner.#ident), constant(ident));
    Some(Part { ident, ty, place, name, constant, key, index, nan_last, column, weight, collate, nested })
}

/// Refuses a name or a constant that an earlier field has.
fn clashes(part: &Part<'_>, options: &Options, earlier: &[Part<'_>], errors: &mut Errors) {
    let Part { ident, name, constant, .. } = part;
    if let Some(other) = earlier.iter().find(|other| other.name == *name) {
        let message = format!("the field `{}` already has the name `{name}`", other.ident.unraw());
        match options.get("rename") {
            Some(rename) => errors.add(rename, message),
            None => errors.add(ident, message),
        }
    } else if name.is_empty() && !options.has("rename") {
        errors.add(ident, "this name is empty in that style; add `rename = \"…\"`");
    }
    if let Some(other) = earlier.iter().find(|other| other.constant == *constant) {
        let message = format!(
            "the field `{}` already has the constant `{constant}`; rename one of the fields",
            other.ident.unraw()
        );
        errors.add(ident, message);
    }
}

fn of_record(
    record: &Ident,
    parts: &[Part<'_>],
    nested: &[Part<'_>],
    indexes: &[TokenStream],
    heap_size: &TokenStream,
    more: &[Option<TokenStream>],
) -> TokenStream {
    let keys: Vec<_> = parts.iter().filter(|part| part.key).collect();
    let key_type = match keys.as_slice() {
        [one] => key_type(one.ty),
        several => {
            let types = several.iter().map(|part| key_type(part.ty));
            quote!((#(#types,)*))
        }
    };
    let key_values = keys.iter().map(|part| value(part));
    let schema = schema(parts, nested, indexes);
    let (extractors, setters) = (extractors(parts, nested), setters(parts, nested));
    // Parameters have names that no constant of the user has: a constant would turn the parameter into a pattern.
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl ::memdex::Record for #record {
            type Key = #key_type;

            fn schema() -> ::memdex::Schema {
                #schema
            }

            #[inline]
            fn key(&self, __key: &mut ::memdex::typing::KeyBuffer) {
                #(__key.push(#key_values);)*
            }

            #extractors

            #setters

            fn heap_size(&self) -> ::core::primitive::usize {
                #heap_size
            }

            #(#more)*
        }
    }
}

fn of_nested(
    ident: &Ident,
    parts: &[Part<'_>],
    nested: &[Part<'_>],
    indexes: &[TokenStream],
    heap_size: &TokenStream,
    from_values: &Option<TokenStream>,
) -> TokenStream {
    let schema = schema(parts, nested, indexes);
    let (extractors, setters) = (extractors(parts, nested), setters(parts, nested));
    let own = parts.len();
    let inner = nested.iter().map(|part| part.ty);
    quote! {
        #[automatically_derived]
        impl ::memdex::typing::Nest for #ident {
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

            #setters

            #from_values
        }

        #[automatically_derived]
        #[allow(deprecated)]
        impl ::memdex::typing::HeapSize for #ident {
            fn heap_size(&self) -> ::core::primitive::usize {
                #heap_size
            }
        }
    }
}

/// The type that holds the constants.
enum Namespace {
    /// The record itself.
    Own,
    /// A type of this name, generated.
    Type(Ident),
}

impl Namespace {
    /// The one that `fields = "…"` names, or else the name of the struct in snake case.
    fn parse(record: &Ident, options: &Options, errors: &mut Errors) -> Self {
        let Some(name) = options.text("fields") else { return Namespace::Type(namespace(record)) };
        if name.value() == "Self" {
            return Namespace::Own;
        }
        match name.parse() {
            Ok(ident) if ident != *record => return Namespace::Type(ident),
            Ok(_) => errors
                .add(name, "the record itself has this name; for constants on the record, write `fields = \"Self\"`"),
            Err(_) => errors
                .add(name, "expected the name of a type to generate, such as `fields = \"PaymentFields\"`, or `Self`"),
        }
        Namespace::Own
    }
}

/// The namespace type and its constants. A type, because a module could not see a struct that is local to a function.
fn constants<'a>(
    input: &DeriveInput,
    namespace: &Namespace,
    parts: impl Iterator<Item = &'a Part<'a>> + Clone,
    hidden: &[&Ident],
) -> TokenStream {
    let DeriveInput { ident: record, vis, .. } = input;
    let doc = format!("Fields of [`{}`], for queries.", record.unraw());
    let constants = parts.clone().map(|Part { ty, name, constant, key, index, nested, .. }| {
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
    let (declaration, holder) = match namespace {
        Namespace::Own => (None, record),
        Namespace::Type(name) => {
            let declaration = quote! {
                #[doc = #doc]
                #[allow(non_camel_case_types, dead_code)]
                #vis enum #name {}
            };
            (Some(declaration), name)
        }
    };
    // On the record itself they could clash with constants of the user.
    let hidden = hidden.iter().filter(|_| declaration.is_some()).filter(|ident| **ident != record && **ident != holder);
    let mut taken: Vec<Ident> = parts.map(|part| part.constant.clone()).collect();
    let without_attribute = hidden.filter_map(|ident| {
        let constant = constant(ident);
        if taken.contains(&constant) {
            return None;
        }
        taken.push(constant.clone());
        Some(without_attribute(record, vis, holder, ident, &constant))
    });
    quote! {
        #declaration

        #[allow(non_upper_case_globals, dead_code)]
        impl #holder {
            #(#constants)*
        }

        #(#without_attribute)*
    }
}

/// The constant of a field without an attribute. Its type is named like the field, so that the error of a query that
/// uses it says that the field has no attribute.
fn without_attribute(record: &Ident, vis: &Visibility, holder: &Ident, field: &Ident, constant: &Ident) -> TokenStream {
    let name = field.unraw().to_string();
    quote! {
        const _: () = {
            #[allow(non_camel_case_types, dead_code, unreachable_pub)]
            pub enum #field {}

            #[allow(non_upper_case_globals, non_local_definitions, dead_code)]
            impl #holder {
                #[doc(hidden)]
                #vis const #constant: ::memdex::Field<#record, ::memdex::NoAttribute<#field>> = ::memdex::Field::new(#name);
            }
        };
    }
}

//! `#[derive(FieldValue)]`.

use crate::attributes::{Errors, Form, Known, Options, refuse_generics};
use crate::methods::heap_size;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Data, DataEnum, DeriveInput, Error, Field, Fields, Result, Variant};

const ON_ENUM: Known = Known { attribute: "field", place: "an enum", options: &[("rename_all", Form::Text)] };
const ON_VARIANT: Known = Known { attribute: "field", place: "a variant", options: &[("rename", Form::Text)] };
const ON_STRUCT: Known = Known { attribute: "field", place: "a newtype", options: &[] };

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let mut errors = Errors::default();
    refuse_generics(&input.generics, "FieldValue", "implement it by hand", &mut errors);
    let body = match &input.data {
        Data::Enum(data) => names(input, data, &mut errors),
        Data::Struct(data) => newtype(input, &data.fields, &mut errors),
        Data::Union(data) => Err(Error::new_spanned(
            data.union_token,
            "`FieldValue` can be derived for enums and newtypes, not for a union",
        )),
    };
    let body = body.unwrap_or_else(|error| {
        errors.append(error);
        Body::default()
    });
    errors.check()?;
    let ident = &input.ident;
    // Whether a newtype's inner type has these traits is known only where the newtype is used; `for<'a>` defers the
    // check until then.
    let inner = match &input.data {
        Data::Struct(data) => data.fields.iter().next().map(|Field { ty, .. }| ty),
        _ => None,
    };
    let if_inner = |name: TokenStream| inner.map(|ty| quote!(where for<'a> #ty: ::memdex::typing::#name));
    let (text, from_value) = (if_inner(quote!(Text)), if_inner(quote!(FromValue)));
    let number = if_inner(quote!(Number)).map(|number| {
        quote! {
            #[automatically_derived]
            #[allow(deprecated)]
            impl ::memdex::typing::Number for #ident #number {}
        }
    });
    let Body { value, from, from_many, heap } = body;
    Ok(quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl ::memdex::FieldValue for #ident {
            type Base = Self;
            #value
        }

        #[automatically_derived]
        #[allow(deprecated)]
        impl ::memdex::typing::Element for #ident {}

        #[automatically_derived]
        #[allow(deprecated)]
        impl ::memdex::typing::Text for #ident #text {}

        #number

        #[automatically_derived]
        #[allow(deprecated)]
        impl ::memdex::typing::FromValue for #ident #from_value {
            fn from_value(__value: ::memdex::typing::ValueRef<'_>) -> ::core::option::Option<Self> {
                #from
            }

            #from_many
        }

        #[automatically_derived]
        #[allow(deprecated)]
        impl ::memdex::typing::HeapSize for #ident {
            #[inline]
            fn heap_size(&self) -> ::core::primitive::usize {
                #heap
            }
        }
    })
}

/// The bodies of the implementations.
#[derive(Default)]
struct Body {
    value: TokenStream,
    from: TokenStream,
    from_many: TokenStream,
    heap: TokenStream,
}

/// The value of an enum is the name of its variant.
fn names(input: &DeriveInput, data: &DataEnum, errors: &mut Errors) -> Result<Body> {
    let style = Options::parse(&input.attrs, &ON_ENUM, errors).rename_all(errors);
    if data.variants.is_empty() {
        return Err(Error::new_spanned(&input.ident, "`FieldValue` can't be derived for an enum without variants"));
    }
    let mut names: Vec<String> = Vec::new();
    for variant in &data.variants {
        let options = Options::parse(&variant.attrs, &ON_VARIANT, errors);
        if !matches!(variant.fields, Fields::Unit) {
            let Variant { ident, fields, .. } = variant;
            errors
                .add(quote!(#ident #fields), "`FieldValue` can only be derived for enums whose variants carry no data");
        }
        let ident = variant.ident.unraw().to_string();
        let name = match (options.rename(errors), style) {
            (Some(name), _) => name.value(),
            (None, Some(style)) => style.variant(&ident),
            (None, None) => ident,
        };
        if let Some(other) = names.iter().position(|other| *other == name) {
            let message = format!("the variant `{}` already has the name `{name}`", data.variants[other].ident.unraw());
            match options.get("rename") {
                Some(rename) => errors.add(rename, message),
                None => errors.add(&variant.ident, message),
            }
        }
        names.push(name);
    }
    let variants = data.variants.iter().map(|variant| &variant.ident);
    let value = quote! {
        const KIND: ::memdex::Kind = ::memdex::Kind::Str;
        const CHOICES: &'static [&'static ::core::primitive::str] = &[#(#names),*];

        #[inline]
        fn value(&self) -> ::memdex::typing::ValueRef<'_> {
            ::memdex::typing::ValueRef::Str(match self {
                #(Self::#variants => #names,)*
            })
        }
    };
    let variants = data.variants.iter().map(|variant| &variant.ident);
    let from = quote! {
        match ::memdex::typing::ValueRef::as_str(__value)? {
            #(#names => ::core::option::Option::Some(Self::#variants),)*
            _ => ::core::option::Option::None,
        }
    };
    Ok(Body { value, from, heap: quote!(0), ..Body::default() })
}

/// The value of a newtype is that of its only field.
fn newtype(input: &DeriveInput, fields: &Fields, errors: &mut Errors) -> Result<Body> {
    Options::parse(&input.attrs, &ON_STRUCT, errors);
    let (Some((member, Field { ty, attrs, .. })), 1) = (fields.members().zip(fields).next(), fields.len()) else {
        let message = format!("`FieldValue` can be derived for structs with one field; this one has {}", fields.len());
        let at = if fields.is_empty() { input.ident.to_token_stream() } else { fields.to_token_stream() };
        return Err(Error::new_spanned(at, message));
    };
    Options::parse(attrs, &ON_STRUCT, errors);
    let value = quote! {
        const KIND: ::memdex::Kind = <#ty as ::memdex::FieldValue>::KIND;
        const NULLABLE: ::core::primitive::bool = <#ty as ::memdex::FieldValue>::NULLABLE;
        const MANY: ::core::primitive::bool = <#ty as ::memdex::FieldValue>::MANY;
        const NARROW: ::core::primitive::bool = <#ty as ::memdex::FieldValue>::NARROW;
        const CHOICES: &'static [&'static ::core::primitive::str] = <#ty as ::memdex::FieldValue>::CHOICES;

        #[inline]
        fn value(&self) -> ::memdex::typing::ValueRef<'_> {
            <#ty as ::memdex::FieldValue>::value(&self.#member)
        }

        #[inline]
        fn values<'a>(&'a self, visit: &mut dyn ::core::ops::FnMut(::memdex::typing::ValueRef<'a>)) {
            <#ty as ::memdex::FieldValue>::values(&self.#member, visit)
        }
    };
    let from = quote! {
        ::core::option::Option::Some(Self { #member: <#ty as ::memdex::typing::FromValue>::from_value(__value)? })
    };
    let from_many = quote! {
        fn from_values(__values: &[::memdex::typing::ValueRef<'_>]) -> ::core::option::Option<Self> {
            ::core::option::Option::Some(Self { #member: <#ty as ::memdex::typing::FromValue>::from_values(__values)? })
        }
    };
    Ok(Body { value, from, from_many, heap: heap_size([quote!(self.#member)]) })
}

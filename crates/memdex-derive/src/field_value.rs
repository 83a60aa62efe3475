//! `#[derive(FieldValue)]`.

use crate::attributes::{Errors, Form, Known, Words, refuse_generics};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Data, DataEnum, DeriveInput, Error, Field, Fields, Result, Variant};

const ON_ENUM: Known = Known { attribute: "field", place: "an enum", words: &[("rename_all", Form::Text)] };
const ON_VARIANT: Known = Known { attribute: "field", place: "a variant", words: &[("rename", Form::Text)] };
const ON_STRUCT: Known = Known { attribute: "field", place: "a newtype", words: &[] };

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let mut errors = Errors::default();
    refuse_generics(&input.generics, "FieldValue", "write the `impl` by hand", &mut errors);
    let body = match &input.data {
        Data::Enum(data) => names(input, data, &mut errors),
        Data::Struct(data) => newtype(input, &data.fields, &mut errors),
        Data::Union(data) => Err(Error::new_spanned(data.union_token, "`FieldValue` can't be derived for a union")),
    };
    let body = body.unwrap_or_else(|error| {
        errors.append(error);
        TokenStream::new()
    });
    errors.check()?;
    let ident = &input.ident;
    // Of a newtype it is known only where it is used whether its values are strings; `for<'a>` puts the question off until then.
    let texts = match &input.data {
        Data::Struct(data) => {
            data.fields.iter().next().map(|Field { ty, .. }| quote!(where for<'a> #ty: ::memdex::Text))
        }
        _ => None,
    };
    Ok(quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl ::memdex::FieldValue for #ident {
            type Base = Self;
            #body
        }

        #[automatically_derived]
        #[allow(deprecated)]
        impl ::memdex::Element for #ident {}

        #[automatically_derived]
        #[allow(deprecated)]
        impl ::memdex::Text for #ident #texts {}
    })
}

/// An enum shows the name of its variant.
fn names(input: &DeriveInput, data: &DataEnum, errors: &mut Errors) -> Result<TokenStream> {
    let style = Words::parse(&input.attrs, &ON_ENUM, errors).rename_all(errors);
    if data.variants.is_empty() {
        return Err(Error::new_spanned(&input.ident, "an enum without variants has no values"));
    }
    let mut names: Vec<String> = Vec::new();
    for variant in &data.variants {
        let words = Words::parse(&variant.attrs, &ON_VARIANT, errors);
        if !matches!(variant.fields, Fields::Unit) {
            let Variant { ident, fields, .. } = variant;
            errors.add(
                quote!(#ident #fields),
                "a variant with data is more than its name: `FieldValue` is for unit enums",
            );
        }
        let ident = variant.ident.unraw().to_string();
        let name = match (words.rename(errors), style) {
            (Some(name), _) => name.value(),
            (None, Some(style)) => style.variant(&ident),
            (None, None) => ident,
        };
        if let Some(other) = names.iter().position(|other| *other == name) {
            let message = format!("the variant `{}` has the name `{name}` already", data.variants[other].ident.unraw());
            match words.get("rename") {
                Some(rename) => errors.add(rename, message),
                None => errors.add(&variant.ident, message),
            }
        }
        names.push(name);
    }
    let variants = data.variants.iter().map(|variant| &variant.ident);
    Ok(quote! {
        const KIND: ::memdex::Kind = ::memdex::Kind::Str;

        #[inline]
        fn value(&self) -> ::memdex::ValueRef<'_> {
            ::memdex::ValueRef::Str(match self {
                #(Self::#variants => #names,)*
            })
        }
    })
}

/// A newtype shows what its one field shows.
fn newtype(input: &DeriveInput, fields: &Fields, errors: &mut Errors) -> Result<TokenStream> {
    Words::parse(&input.attrs, &ON_STRUCT, errors);
    let (Some((member, Field { ty, attrs, .. })), 1) = (fields.members().zip(fields).next(), fields.len()) else {
        let message = format!("`FieldValue` is for unit enums and structs of one field; this has {}", fields.len());
        let at = if fields.is_empty() { input.ident.to_token_stream() } else { fields.to_token_stream() };
        return Err(Error::new_spanned(at, message));
    };
    Words::parse(attrs, &ON_STRUCT, errors);
    Ok(quote! {
        const KIND: ::memdex::Kind = <#ty as ::memdex::FieldValue>::KIND;
        const NULLABLE: ::core::primitive::bool = <#ty as ::memdex::FieldValue>::NULLABLE;
        const MANY: ::core::primitive::bool = <#ty as ::memdex::FieldValue>::MANY;
        const NARROW: ::core::primitive::bool = <#ty as ::memdex::FieldValue>::NARROW;

        #[inline]
        fn value(&self) -> ::memdex::ValueRef<'_> {
            <#ty as ::memdex::FieldValue>::value(&self.#member)
        }

        #[inline]
        fn values<'a>(&'a self, show: &mut dyn ::core::ops::FnMut(::memdex::ValueRef<'a>)) {
            <#ty as ::memdex::FieldValue>::values(&self.#member, show)
        }
    })
}

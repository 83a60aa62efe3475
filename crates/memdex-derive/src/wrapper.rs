//! `record_for!`: a record that wraps a type of another crate.

use crate::part::Target;
use crate::record::derive;
use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::token::{Brace, Struct};
use syn::{
    Attribute, Data, DataStruct, DeriveInput, Fields, FieldsNamed, Generics, Ident, Result, Token, Type, Visibility,
    parenthesized,
};

/// `pub struct Invoice(billing::Invoice) { #[record(key)] number: u64, … }`
pub(crate) struct Wrapper {
    attributes: Vec<Attribute>,
    vis: Visibility,
    structure: Struct,
    ident: Ident,
    inner: Type,
    fields: FieldsNamed,
}

impl Parse for Wrapper {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let (vis, structure, ident) = (input.parse()?, input.parse()?, input.parse()?);
        let wrapped;
        parenthesized!(wrapped in input);
        let inner = wrapped.parse()?;
        if !wrapped.is_empty() {
            return Err(wrapped.error("expected one type to wrap"));
        }
        if !input.peek(Brace) {
            return Err(input.error("expected the fields for queries in braces: `{ #[record(key)] id: u64 }`"));
        }
        let fields = input.parse()?;
        let _: Option<Token![;]> = input.parse()?;
        Ok(Wrapper { attributes, vis, structure, ident, inner, fields })
    }
}

pub(crate) fn declare(wrapper: Wrapper) -> Result<TokenStream> {
    let Wrapper { attributes, vis, structure, ident, inner, fields } = wrapper;
    let (records, others): (Vec<_>, Vec<_>) = attributes.into_iter().partition(|a| a.path().is_ident("record"));
    let data = DataStruct { struct_token: structure, fields: Fields::Named(fields), semi_token: None };
    let input = DeriveInput {
        attrs: records,
        vis: vis.clone(),
        ident: ident.clone(),
        generics: Generics::default(),
        data: Data::Struct(data),
    };
    let record = derive(&input, Target::Wrapper)?;
    Ok(quote! {
        #(#others)*
        #vis struct #ident(pub #inner);

        #[automatically_derived]
        impl ::core::ops::Deref for #ident {
            type Target = #inner;

            fn deref(&self) -> &#inner {
                &self.0
            }
        }

        #[automatically_derived]
        impl ::core::convert::From<#inner> for #ident {
            fn from(inner: #inner) -> Self {
                #ident(inner)
            }
        }

        #[automatically_derived]
        impl ::core::convert::From<#ident> for #inner {
            fn from(wrapper: #ident) -> Self {
                wrapper.0
            }
        }

        #record
    })
}

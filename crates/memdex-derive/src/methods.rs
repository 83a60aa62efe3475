//! The methods of a derived record or nested struct: its schema, the values of its fields, and the inverse.

use crate::part::{Part, Target};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// `from_values`: each field of the schema from its values, all others by `Default`.
pub(crate) fn from_values(parts: &[Part<'_>], hidden: &[&Ident], target: Target) -> TokenStream {
    let values = parts.iter().map(|Part { ident, ty, name, nested, .. }| {
        let name = match target {
            Target::Nested => quote!(&::std::format!("{__prefix}.{}", #name)),
            _ => quote!(#name),
        };
        match nested {
            true => quote!(#ident: <#ty as ::memdex::Nested>::from_values(__values, #name)?),
            false => quote!(#ident: ::memdex::typing::FieldValues::to::<#ty>(__values, #name)?),
        }
    });
    let prefix = (target == Target::Nested).then(|| quote!(__prefix: &::core::primitive::str));
    quote! {
        fn from_values(
            __values: &::memdex::typing::FieldValues,
            #prefix
        ) -> ::core::result::Result<Self, ::memdex::error::Cause> {
            ::core::result::Result::Ok(Self {
                #(#values,)*
                #(#hidden: ::core::default::Default::default(),)*
            })
        }
    }
}

/// The sum of the heap sizes of these places; those whose type has none count as 0.
pub(crate) fn heap_size(places: impl IntoIterator<Item = TokenStream>) -> TokenStream {
    let places = places.into_iter();
    quote! {
        #[allow(unused_imports)]
        use ::memdex::probe::{Known as _, Unknown as _};
        0 #(+ (&::memdex::probe::Probe(&#places)).__memdex_heap_size())*
    }
}

pub(crate) fn schema(parts: &[Part<'_>], nested: &[Part<'_>], indexes: &[TokenStream]) -> TokenStream {
    let definitions = parts.iter().map(|Part { ty, name, key, index, nan_last, column, weight, collate, .. }| {
        let nan_last = nan_last.then(|| quote!(.nan_last()));
        let key = key.then(|| quote!(.key()));
        let column = column.then(|| quote!(.column()));
        let weight = weight.then(|| quote!(.weight()));
        let collate = collate.as_ref().map(|collation| quote!(.collate(::memdex::schema::Collation::#collation)));
        let index = index.map(|word| {
            let index = Ident::new(word, Span::call_site());
            quote!(.#index())
        });
        // Every use of the type has the form `<T as FieldValue>::…`, so that the compiler reports a type that is not
        // one once.
        let of_type = ["KIND", "NULLABLE", "MANY", "NARROW"].map(|constant| {
            let constant = Ident::new(constant, Span::call_site());
            quote!(<#ty as ::memdex::FieldValue>::#constant)
        });
        let choices = quote!(.derived_choices(<#ty as ::memdex::FieldValue>::CHOICES));
        quote!(::memdex::FieldDef::derived(#name, #(#of_type),*) #choices #key #index #nan_last #column #weight #collate)
    });
    let nested =
        nested.iter().map(|Part { ty, name, .. }| quote!(.with_nested(#name, <#ty as ::memdex::Nested>::schema())));
    quote!(::memdex::Schema::new([#(#definitions),*]) #(#nested)* #(#indexes)*)
}

/// `value` and `values`. The positions of nested structs follow those of the plain fields, one struct after the other.
pub(crate) fn extractors(parts: &[Part<'_>], nested: &[Part<'_>]) -> TokenStream {
    let positions: Vec<_> = (0..parts.len()).collect();
    let own = parts.len();
    let behind = |call: &dyn Fn(&Part<'_>) -> TokenStream| behind(nested, call);
    let value_of = parts.iter().map(value);
    let values_of =
        parts.iter().map(|Part { place, ty, .. }| quote!(<#ty as ::memdex::FieldValue>::values(&#place, __visit)));
    let nested_value = behind(&|Part { place, ty, .. }| quote!(<#ty as ::memdex::Nested>::value(&#place, __field)));
    let nested_values =
        behind(&|Part { place, ty, .. }| quote!(<#ty as ::memdex::Nested>::values(&#place, __field, __visit)));
    quote! {
        #[inline]
        #[allow(unused_variables, unreachable_code)]
        fn value(&self, __field: ::core::primitive::usize) -> ::memdex::typing::ValueRef<'_> {
            match __field {
                #(#positions => return #value_of,)*
                _ => {}
            }
            let __field = __field.wrapping_sub(#own);
            #(#nested_value)*
            ::memdex::typing::ValueRef::Null
        }

        #[allow(unused_variables, unreachable_code)]
        fn values<'__a>(
            &'__a self,
            __field: ::core::primitive::usize,
            __visit: &mut dyn ::core::ops::FnMut(::memdex::typing::ValueRef<'__a>),
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

/// `set_value` and `append_value`. A field whose type can't be built from a value has no setter.
pub(crate) fn setters(parts: &[Part<'_>], nested: &[Part<'_>]) -> TokenStream {
    let positions: Vec<_> = (0..parts.len()).collect();
    let own = parts.len();
    let set = |method: &str, arguments: TokenStream| -> Vec<TokenStream> {
        let method = Ident::new(method, Span::call_site());
        let each = parts.iter().map(|Part { place, key, .. }| match key {
            true => quote!(::core::result::Result::Err(::memdex::error::FieldError::PartOfKey)),
            false => quote!((&mut ::memdex::set_probe::Slot(&mut #place)).#method(#arguments)),
        });
        each.collect()
    };
    let set_own = set("__memdex_set", quote!(__value));
    let append_own = set("__memdex_append", quote!(__value, __keep));
    let set_nested = behind(
        nested,
        &|Part { place, ty, .. }| quote!(<#ty as ::memdex::Nested>::set_value(&mut #place, __field, __value)),
    );
    let append_nested = behind(
        nested,
        &|Part { place, ty, .. }| quote!(<#ty as ::memdex::Nested>::append_value(&mut #place, __field, __value, __keep)),
    );
    quote! {
        #[allow(unused_variables, unreachable_code)]
        fn set_value(
            &mut self,
            __field: ::core::primitive::usize,
            __value: ::memdex::typing::ValueRef<'_>,
        ) -> ::core::result::Result<(), ::memdex::error::FieldError> {
            #[allow(unused_imports)]
            use ::memdex::set_probe::{SetKnown as _, SetUnknown as _};
            match __field {
                #(#positions => return #set_own,)*
                _ => {}
            }
            let __field = __field.wrapping_sub(#own);
            #(#set_nested)*
            ::core::result::Result::Err(::memdex::error::FieldError::NoSetter)
        }

        #[allow(unused_variables, unreachable_code)]
        fn append_value(
            &mut self,
            __field: ::core::primitive::usize,
            __value: ::memdex::typing::ValueRef<'_>,
            __keep: ::core::primitive::usize,
        ) -> ::core::result::Result<(), ::memdex::error::FieldError> {
            #[allow(unused_imports)]
            use ::memdex::set_probe::{AppendKnown as _, AppendUnknown as _};
            match __field {
                #(#positions => return #append_own,)*
                _ => {}
            }
            let __field = __field.wrapping_sub(#own);
            #(#append_nested)*
            ::core::result::Result::Err(::memdex::error::FieldError::NoSetter)
        }
    }
}

/// A call for each nested struct, for the fields behind the plain ones.
fn behind(nested: &[Part<'_>], call: &dyn Fn(&Part<'_>) -> TokenStream) -> Vec<TokenStream> {
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
}

/// The value of a field. It names the type, so that an error points at a type that is not a `FieldValue`.
pub(crate) fn value(Part { place, ty, .. }: &Part<'_>) -> TokenStream {
    quote!(<#ty as ::memdex::FieldValue>::value(&#place))
}

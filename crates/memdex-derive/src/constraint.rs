//! References and checks: `references = "…"` on a field, `reference(…)` and `check(…)` on a struct.

use crate::attributes::{Errors, Options};
use crate::part::{Part, Target, field_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, LitStr, MetaList, Result, Token};

/// The actions on delete and on update, each with its variant and whether it writes the referring field.
const ON_DELETE: &[(&str, &str, bool)] =
    &[("restrict", "Restrict", false), ("cascade", "Cascade", false), ("set_null", "SetNull", true)];
const ON_UPDATE: &[(&str, &str, bool)] = &[("restrict", "Restrict", false), ("cascade", "Cascade", true)];

/// The references and checks of a struct, as calls on its schema.
pub(crate) struct Constraints {
    pub(crate) calls: Vec<TokenStream>,
    /// Whether a reference writes fields, so that the store must clone records.
    pub(crate) clones: bool,
    target: Target,
}

impl Constraints {
    pub(crate) fn new(target: Target) -> Self {
        Constraints { calls: Vec::new(), clones: false, target }
    }

    /// The reference that a field declares.
    pub(crate) fn add_field(&mut self, part: &Part<'_>, options: &Options, errors: &mut Errors) {
        let Some(to) = options.text("references") else {
            for word in ["on_delete", "on_update", "constraint"] {
                if let Some(option) = options.get(word) {
                    errors.add(option, format!("`{word}` is for a reference: add `references = \"…\"`"));
                }
            }
            return;
        };
        let text = |word| options.text(word).cloned();
        let entries = Entries {
            to: Some(to.clone()),
            on_delete: text("on_delete"),
            on_update: text("on_update"),
            name: text("constraint"),
            fields: Vec::new(),
        };
        self.add(std::slice::from_ref(&part.name), &entries, to.span(), errors);
    }

    /// The references and checks on the struct.
    pub(crate) fn add_struct(&mut self, on_struct: &Options, parts: &[Part<'_>], errors: &mut Errors) {
        for (kind, list) in on_struct.lists() {
            match kind {
                "reference" => self.add_reference(list, parts, errors),
                "check" => self.add_check(list, errors),
                _ => {}
            }
        }
    }

    fn add_reference(&mut self, list: &MetaList, parts: &[Part<'_>], errors: &mut Errors) {
        let entries = match list.parse_args::<Entries>() {
            Ok(entries) => entries,
            Err(error) => return errors.append(error),
        };
        let mut names = Vec::new();
        for path in &entries.fields {
            match field_name(path, parts) {
                Ok(name) => names.push(name),
                Err(error) => errors.append(error),
            }
        }
        if entries.fields.is_empty() {
            errors.add(list, "`reference(…)` needs at least one field");
        }
        if entries.to.is_none() {
            errors.add(list, "`reference(…)` needs the name of a collection: `to = \"…\"`");
        }
        self.add(&names, &entries, list.delimiter.span().open(), errors);
    }

    fn add(&mut self, names: &[String], entries: &Entries, span: Span, errors: &mut Errors) {
        let Entries { to, on_delete, on_update, name, .. } = entries;
        let mut writes = false;
        let mut action = |word: &str, given: &Option<LitStr>, known: &[(&str, &str, bool)]| {
            let given = given.as_ref()?;
            let Some((_, variant, writes_field)) = known.iter().find(|(name, ..)| *name == given.value()) else {
                let list: Vec<_> = known.iter().map(|(name, ..)| format!("`{name}`")).collect();
                errors
                    .add(given, format!("unknown action {:?}; `{word}` is one of {}", given.value(), list.join(", ")));
                return None;
            };
            writes |= writes_field;
            let (method, variant) = (Ident::new(word, span), Ident::new(variant, span));
            let of = Ident::new(if word == "on_delete" { "OnDelete" } else { "OnUpdate" }, span);
            Some(quote!(.#method(::memdex::schema::#of::#variant)))
        };
        let on_delete = action("on_delete", on_delete, ON_DELETE);
        let on_update = action("on_update", on_update, ON_UPDATE);
        if writes && self.target == Target::Nested {
            let message = "a nested struct has no reference that writes its fields; declare it on the record: \
                           `#[record(reference(field.of_nested, to = \"…\", …))]`";
            errors.append(Error::new(span, message));
        }
        self.clones |= writes;
        let named = name.as_ref().map(|name| quote!(.named(#name)));
        self.calls.push(quote! {
            .with_reference(::memdex::schema::Reference::new([#(#names),*], #to) #on_delete #on_update #named)
        });
    }

    fn add_check(&mut self, list: &MetaList, errors: &mut Errors) {
        match list.parse_args::<CheckEntries>() {
            Ok(CheckEntries { condition, name }) => {
                let named = name.map(|name| quote!(.named(#name)));
                self.calls.push(quote!(.with_check(::memdex::schema::Check::new(#condition) #named)));
            }
            Err(error) => errors.append(error),
        }
    }

    /// `cloner`, if the store must clone records.
    pub(crate) fn cloner(&self) -> Option<TokenStream> {
        self.clones.then(|| {
            quote! {
                fn cloner() -> ::core::option::Option<fn(&Self) -> Self> {
                    ::core::option::Option::Some(<Self as ::core::clone::Clone>::clone)
                }
            }
        })
    }
}

/// The entries of `reference(field, field, to = "…", on_delete = "…", on_update = "…", constraint = "…")`.
#[derive(Default)]
struct Entries {
    fields: Vec<Vec<Ident>>,
    to: Option<LitStr>,
    on_delete: Option<LitStr>,
    on_update: Option<LitStr>,
    name: Option<LitStr>,
}

impl Parse for Entries {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut entries = Entries::default();
        while !input.is_empty() {
            let first = Ident::parse_any(input)?;
            if input.peek(Token![=]) {
                input.parse::<Token![=]>()?;
                let place = match first.to_string().as_str() {
                    "to" => &mut entries.to,
                    "on_delete" => &mut entries.on_delete,
                    "on_update" => &mut entries.on_update,
                    "constraint" => &mut entries.name,
                    other => {
                        let expected = "`to`, `on_delete`, `on_update`, `constraint`";
                        let message = format!("unknown attribute `{other}`; expected one of {expected}");
                        return Err(Error::new(first.span(), message));
                    }
                };
                if place.replace(input.parse()?).is_some() {
                    return Err(Error::new(first.span(), format!("`{first}` is given twice")));
                }
            } else {
                let mut path = vec![first];
                while input.peek(Token![.]) {
                    input.parse::<Token![.]>()?;
                    path.push(Ident::parse_any(input)?);
                }
                entries.fields.push(path);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(entries)
    }
}

/// The entries of `check(filter, constraint = "…")`.
struct CheckEntries {
    condition: Box<Expr>,
    name: Option<LitStr>,
}

impl Parse for CheckEntries {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        const EXPECTED: &str = "`check` expects a filter, such as `payment::AMOUNT.gt(0)`, or the path of a function that returns one, \
                                called: `positive()`; then perhaps `constraint = \"…\"`";
        let expected = |error: Error| Error::new(error.span(), EXPECTED);
        if input.peek(Token![|]) || input.peek(Token![||]) || input.peek(Token![move]) {
            return Err(input.error(format!("{EXPECTED}; not a closure")));
        }
        let entries = Punctuated::<CheckEntry, Token![,]>::parse_terminated(input).map_err(expected)?;
        let (mut condition, mut name) = (None, None);
        for entry in entries {
            match entry {
                CheckEntry::Condition(expr) if condition.is_none() => condition = Some(expr),
                CheckEntry::Name(text) if name.is_none() => name = Some(text),
                _ => return Err(Error::new(Span::call_site(), EXPECTED)),
            }
        }
        let Some(condition) = condition else { return Err(Error::new(Span::call_site(), EXPECTED)) };
        Ok(CheckEntries { condition, name })
    }
}

enum CheckEntry {
    Condition(Box<Expr>),
    Name(LitStr),
}

impl Parse for CheckEntry {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let is_name = input.peek(syn::Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]);
        if !is_name {
            return Ok(CheckEntry::Condition(input.parse()?));
        }
        let word = Ident::parse_any(input)?;
        if word != "constraint" {
            return Err(Error::new(word.span(), format!("unknown attribute `{word}`; expected `constraint`")));
        }
        input.parse::<Token![=]>()?;
        Ok(CheckEntry::Name(input.parse()?))
    }
}

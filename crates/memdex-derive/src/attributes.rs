//! Parses `#[record(…)]` and `#[field(…)]`: a list of options, each at most once.

use crate::rename::Style;
use crate::suggest::closest;
use proc_macro2::{Ident, Span};
use quote::ToTokens;
use std::fmt::Display;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, Generics, Lit, LitStr, Meta, MetaList, Result, Token};

/// All errors of the input, so that one run of the compiler reports them together.
#[derive(Default)]
pub(crate) struct Errors(Vec<Error>);

impl Errors {
    pub(crate) fn add(&mut self, at: impl ToTokens, message: impl Display) {
        self.append(Error::new_spanned(at, message));
    }

    pub(crate) fn append(&mut self, error: Error) {
        self.0.push(error);
    }

    /// All errors combined into one.
    pub(crate) fn check(self) -> Result<()> {
        let all = self.0.into_iter().reduce(|mut all, error| {
            all.combine(error);
            all
        });
        all.map_or(Ok(()), Err)
    }
}

/// The options that an attribute accepts in one place.
pub(crate) struct Known {
    /// `record` or `field`.
    pub(crate) attribute: &'static str,
    /// The place, as messages call it.
    pub(crate) place: &'static str,
    pub(crate) options: &'static [(&'static str, Form)],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `option`
    Plain,
    /// `option = "text"`
    Text,
    /// `option(a, b, …)`, any number of times
    List,
}

impl Known {
    /// `` `key`, `index`, `rename = "…"` ``
    fn list(&self) -> String {
        let options = self.options.iter().map(|(option, form)| match form {
            Form::Plain => format!("`{option}`"),
            Form::Text => format!("`{option} = \"…\"`"),
            Form::List => format!("`{option}(…)`"),
        });
        options.collect::<Vec<_>>().join(", ")
    }

    /// `` `#[record(…)]` on a field ``
    fn attribute_in_place(&self) -> String {
        format!("`#[{}(…)]` on {}", self.attribute, self.place)
    }
}

/// The options of one item, each of its expected form.
pub(crate) struct Options {
    options: Vec<(&'static str, Meta)>,
    /// The first attribute, if there is one.
    pub(crate) span: Option<Span>,
    /// Whether the attributes have no errors, so that missing options are missing on purpose.
    pub(crate) valid: bool,
}

impl Options {
    pub(crate) fn parse(attributes: &[Attribute], known: &Known, errors: &mut Errors) -> Self {
        let errors_before = errors.0.len();
        let mut options = Options { options: Vec::new(), span: None, valid: true };
        for attribute in attributes.iter().filter(|a| a.path().is_ident(known.attribute)) {
            options.span.get_or_insert(attribute.path().span());
            let Meta::List(list) = &attribute.meta else {
                let message = format!("expected options in parentheses, `#[{}(…)]`: {}", known.attribute, known.list());
                errors.add(&attribute.meta, message);
                continue;
            };
            match list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) {
                Ok(metas) => metas.into_iter().for_each(|meta| options.add(meta, known, errors)),
                Err(error) => {
                    let message = format!(
                        "{error} in {}; expected options with commas between: {}",
                        known.attribute_in_place(),
                        known.list()
                    );
                    errors.append(Error::new(error.span(), message));
                }
            }
        }
        options.valid = errors.0.len() == errors_before;
        options
    }

    fn add(&mut self, meta: Meta, known: &Known, errors: &mut Errors) {
        let Some(&(option, form)) = known.options.iter().find(|(option, _)| meta.path().is_ident(option)) else {
            let option = meta.path().to_token_stream().to_string().replace(' ', "");
            if known.options.is_empty() {
                let message = format!("unknown attribute `{option}`: {} takes none", known.attribute_in_place());
                return errors.add(meta.path(), message);
            }
            let mut message = format!("unknown attribute `{option}`; expected one of {}", known.list());
            if let Some(similar) = closest(&option, known.options.iter().map(|(option, _)| *option)) {
                message += &format!("; did you mean `{similar}`?");
            }
            return errors.add(meta.path(), message);
        };
        if self.get(option).is_some() && form != Form::List {
            return errors.add(meta.path(), format!("`{option}` is given twice"));
        }
        match form {
            Form::Plain if !matches!(meta, Meta::Path(_)) => errors.add(&meta, format!("`{option}` takes no value")),
            Form::List if !matches!(meta, Meta::List(_)) => {
                errors.add(&meta, format!("expected the names of fields: `{option}(…)`"));
            }
            Form::Text if text(&meta).is_none() => {
                errors.add(&meta, format!("expected a string: `{option} = \"…\"`"));
            }
            _ => {}
        }
        self.options.push((option, meta));
    }

    /// The place of `option`, if it is given.
    pub(crate) fn get(&self, option: &str) -> Option<&Meta> {
        self.options.iter().find(|(known, _)| *known == option).map(|(_, meta)| meta)
    }

    /// Every option with a list, in order.
    pub(crate) fn lists(&self) -> impl Iterator<Item = (&'static str, &MetaList)> {
        self.options.iter().filter_map(|(option, meta)| match meta {
            Meta::List(list) => Some((*option, list)),
            _ => None,
        })
    }

    pub(crate) fn has(&self, option: &str) -> bool {
        self.get(option).is_some()
    }

    /// The text of an option.
    pub(crate) fn text(&self, option: &str) -> Option<&LitStr> {
        text(self.get(option)?)
    }

    /// The text of `rename`, which must not be empty.
    pub(crate) fn rename(&self, errors: &mut Errors) -> Option<&LitStr> {
        let name = self.text("rename")?;
        if name.value().is_empty() {
            errors.add(name, "a name can't be empty");
        }
        Some(name)
    }

    /// The variant of `Collation` that `collate` names.
    pub(crate) fn collate(&self, errors: &mut Errors) -> Option<Ident> {
        let name = self.text("collate")?;
        let variant = collation(&name.value(), cfg!(feature = "accents")).unwrap_or_else(|message| {
            errors.add(name, message);
            "NoCase"
        });
        Some(Ident::new(variant, name.span()))
    }

    /// The style that `rename_all` names.
    pub(crate) fn rename_all(&self, errors: &mut Errors) -> Option<Style> {
        let name = self.text("rename_all")?;
        let style = Style::named(&name.value());
        if style.is_none() {
            let known: Vec<_> = Style::ALL.iter().map(|(name, _)| format!("`{name}`")).collect();
            errors.add(name, format!("unknown style {:?}; expected one of {}", name.value(), known.join(", ")));
        }
        style
    }
}

/// The names of collations, each with its variant of `Collation` and whether it ignores accents.
const COLLATIONS: [(&str, &str, bool); 3] =
    [("nocase", "NoCase", false), ("noaccents", "NoAccents", true), ("nocase_noaccents", "NoCaseNoAccents", true)];

/// The variant of `Collation` with this name, or what is wrong with the name. `accents` tells whether the feature is
/// enabled.
fn collation(name: &str, accents: bool) -> std::result::Result<&'static str, String> {
    match COLLATIONS.iter().find(|(known, ..)| *known == name) {
        Some((.., true)) if !accents => {
            Err(format!("the collation {name:?} needs the feature `accents` of memdex: enable it"))
        }
        Some((_, variant, _)) => Ok(variant),
        None => {
            let list = COLLATIONS.map(|(known, ..)| format!("`{known}`")).join(", ");
            let mut message = format!("unknown collation {name:?}; expected one of {list}");
            if let Some(similar) = closest(name, COLLATIONS.iter().map(|(known, ..)| *known)) {
                message += &format!("; did you mean `{similar}`?");
            }
            Err(message)
        }
    }
}

fn text(meta: &Meta) -> Option<&LitStr> {
    match meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// The macros support no generic types.
pub(crate) fn refuse_generics(generics: &Generics, derive: &str, why: &str, errors: &mut Errors) {
    if !generics.params.is_empty() {
        let message = format!("`{derive}` can't be derived for a generic type; {why}");
        errors.add(&generics.params, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collations_have_names() {
        let known = ["nocase", "noaccents", "nocase_noaccents"];
        assert_eq!(known.map(|name| collation(name, true).unwrap()), ["NoCase", "NoAccents", "NoCaseNoAccents"]);
        assert_eq!(
            collation("noaccent", true).unwrap_err(),
            "unknown collation \"noaccent\"; expected one of `nocase`, `noaccents`, `nocase_noaccents`; did you mean \
             `noaccents`?"
        );
    }

    #[test]
    fn collations_without_accents_need_the_feature() {
        assert_eq!(collation("nocase", false), Ok("NoCase"));
        for name in ["noaccents", "nocase_noaccents"] {
            let refused = collation(name, false).unwrap_err();
            assert_eq!(refused, format!("the collation {name:?} needs the feature `accents` of memdex: enable it"));
        }
    }
}

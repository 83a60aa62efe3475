//! What stands in `#[record(…)]` and `#[field(…)]`: words, some of them with a text, each at most once.

use crate::rename::Style;
use proc_macro2::Span;
use quote::ToTokens;
use std::fmt::Display;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, Generics, Lit, LitStr, Meta, MetaList, Result, Token};

/// All that is wrong with the input, so that one run of the compiler shows it.
#[derive(Default)]
pub(crate) struct Errors(Vec<Error>);

impl Errors {
    pub(crate) fn add(&mut self, at: impl ToTokens, message: impl Display) {
        self.append(Error::new_spanned(at, message));
    }

    pub(crate) fn append(&mut self, error: Error) {
        self.0.push(error);
    }

    /// All errors as one.
    pub(crate) fn check(self) -> Result<()> {
        let all = self.0.into_iter().reduce(|mut all, error| {
            all.combine(error);
            all
        });
        all.map_or(Ok(()), Err)
    }
}

/// The words that an attribute knows in one place.
pub(crate) struct Known {
    /// `record` or `field`.
    pub(crate) attribute: &'static str,
    /// Where it stands, as a message says it.
    pub(crate) place: &'static str,
    /// Each word, and what a text stands behind.
    pub(crate) words: &'static [(&'static str, Form)],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `word`
    Plain,
    /// `word = "text"`
    Text,
    /// `word(a, b, …)`, any number of times
    List,
}

impl Known {
    /// `` `key`, `index` and `rename = "…"` ``
    fn list(&self) -> String {
        let words: Vec<_> = self
            .words
            .iter()
            .map(|(word, form)| match form {
                Form::Plain => format!("`{word}`"),
                Form::Text => format!("`{word} = \"…\"`"),
                Form::List => format!("`{word}(…)`"),
            })
            .collect();
        list(&words, "and")
    }
}

/// The words of one item's attributes, each of the form that it should have.
pub(crate) struct Words {
    words: Vec<(&'static str, Meta)>,
    /// The first attribute, if there is any.
    pub(crate) span: Option<Span>,
    /// Nothing was wrong with the attributes, so that what is absent is absent by intent.
    pub(crate) sound: bool,
}

impl Words {
    pub(crate) fn parse(attributes: &[Attribute], known: &Known, errors: &mut Errors) -> Self {
        let errors_before = errors.0.len();
        let mut words = Words { words: Vec::new(), span: None, sound: true };
        for attribute in attributes.iter().filter(|a| a.path().is_ident(known.attribute)) {
            words.span.get_or_insert(attribute.path().span());
            let Meta::List(list) = &attribute.meta else {
                let message = format!("expected words in parentheses, `#[{}(…)]`: {}", known.attribute, known.list());
                errors.add(&attribute.meta, message);
                continue;
            };
            match list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) {
                Ok(metas) => metas.into_iter().for_each(|meta| words.add(meta, known, errors)),
                Err(error) => errors.append(error),
            }
        }
        words.sound = errors.0.len() == errors_before;
        words
    }

    fn add(&mut self, meta: Meta, known: &Known, errors: &mut Errors) {
        let Some(&(word, form)) = known.words.iter().find(|(word, _)| meta.path().is_ident(word)) else {
            let word = meta.path().to_token_stream().to_string().replace(' ', "");
            let Known { attribute, place, .. } = known;
            let message = match known.words {
                [] => format!("unknown word `{word}`: `#[{attribute}(…)]` has no meaning on {place}"),
                _ => format!("unknown word `{word}`: `#[{attribute}(…)]` on {place} knows {}", known.list()),
            };
            return errors.add(meta.path(), message);
        };
        if self.get(word).is_some() && form != Form::List {
            return errors.add(meta.path(), format!("`{word}` is here twice"));
        }
        match form {
            Form::Plain if !matches!(meta, Meta::Path(_)) => errors.add(&meta, format!("`{word}` stands alone")),
            Form::List if !matches!(meta, Meta::List(_)) => {
                errors.add(&meta, format!("expected the names of fields: `{word}(…)`"));
            }
            Form::Text if text(&meta).is_none() => errors.add(&meta, format!("expected a string: `{word} = \"…\"`")),
            _ => {}
        }
        self.words.push((word, meta));
    }

    /// The place of `word`, if it is there.
    pub(crate) fn get(&self, word: &str) -> Option<&Meta> {
        self.words.iter().find(|(known, _)| *known == word).map(|(_, meta)| meta)
    }

    /// Every place of a word that takes a list, with the list, in their order.
    pub(crate) fn lists(&self) -> impl Iterator<Item = (&'static str, &MetaList)> {
        self.words.iter().filter_map(|(word, meta)| match meta {
            Meta::List(list) => Some((*word, list)),
            _ => None,
        })
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.get(word).is_some()
    }

    /// The text of `rename`, which must not be empty.
    pub(crate) fn rename(&self, errors: &mut Errors) -> Option<&LitStr> {
        let name = text(self.get("rename")?)?;
        if name.value().is_empty() {
            errors.add(name, "a name can't be empty");
        }
        Some(name)
    }

    /// The style that `rename_all` names.
    pub(crate) fn rename_all(&self, errors: &mut Errors) -> Option<Style> {
        let name = text(self.get("rename_all")?)?;
        let style = Style::named(&name.value());
        if style.is_none() {
            let known: Vec<_> = Style::ALL.iter().map(|(name, _)| format!("`{name}`")).collect();
            errors.add(name, format!("unknown style {:?}: expected {}", name.value(), list(&known, "or")));
        }
        style
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

/// `a, b and c`
fn list(words: &[String], and: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {and} {last}", first.join(", ")),
    }
}

/// Neither macro takes parameters of any kind.
pub(crate) fn refuse_generics(generics: &Generics, derive: &str, why: &str, errors: &mut Errors) {
    if !generics.params.is_empty() {
        let message = format!("not supported: `{derive}` on a type with parameters or lifetimes; {why}");
        errors.add(&generics.params, message);
    }
}

//! The styles of `rename_all`, and the names of the generated type and its constants.

use proc_macro2::Ident;
use syn::ext::IdentExt;

/// A style of `rename_all`. It agrees with serde letter for letter, so that fields have the same names in queries and
/// in serialized records: fields are assumed to be in snake case, variants in Pascal case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl Style {
    pub(crate) const ALL: [(&str, Style); 8] = [
        ("lowercase", Style::Lower),
        ("UPPERCASE", Style::Upper),
        ("PascalCase", Style::Pascal),
        ("camelCase", Style::Camel),
        ("snake_case", Style::Snake),
        ("SCREAMING_SNAKE_CASE", Style::ScreamingSnake),
        ("kebab-case", Style::Kebab),
        ("SCREAMING-KEBAB-CASE", Style::ScreamingKebab),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Style::ALL.iter().find(|(known, _)| *known == name).map(|(_, style)| *style)
    }

    /// The name in this style of the Rust field `field`.
    pub(crate) fn field(self, field: &str) -> String {
        match self {
            Style::Lower | Style::Snake => field.to_owned(),
            Style::Upper | Style::ScreamingSnake => field.to_ascii_uppercase(),
            Style::Pascal => field.split('_').map(|word| first(word, char::to_ascii_uppercase)).collect(),
            Style::Camel => first(&Style::Pascal.field(field), char::to_ascii_lowercase),
            Style::Kebab => field.replace('_', "-"),
            Style::ScreamingKebab => field.to_ascii_uppercase().replace('_', "-"),
        }
    }

    /// The name in this style of the Rust variant `variant`.
    pub(crate) fn variant(self, variant: &str) -> String {
        match self {
            Style::Pascal => variant.to_owned(),
            Style::Lower => variant.to_ascii_lowercase(),
            Style::Upper => variant.to_ascii_uppercase(),
            Style::Camel => first(variant, char::to_ascii_lowercase),
            Style::Snake => {
                let mut name = String::new();
                for (at, letter) in variant.char_indices() {
                    if at > 0 && letter.is_uppercase() {
                        name.push('_');
                    }
                    name.push(letter.to_ascii_lowercase());
                }
                name
            }
            Style::ScreamingSnake => Style::Snake.variant(variant).to_ascii_uppercase(),
            Style::Kebab => Style::Snake.variant(variant).replace('_', "-"),
            Style::ScreamingKebab => Style::ScreamingSnake.variant(variant).replace('_', "-"),
        }
    }
}

/// `word` with its first letter changed.
fn first(word: &str, change: impl Fn(&char) -> char) -> String {
    let mut letters = word.chars();
    letters.next().map(|letter| change(&letter)).into_iter().chain(letters).collect()
}

/// The type that holds the constants of a struct: its name in snake case. Keywords become raw identifiers, and an
/// underscore is appended if the name is that of the struct or would hide a name that must stay visible.
pub(crate) fn namespace(structure: &Ident) -> Ident {
    #[rustfmt::skip]
    const VISIBLE: [&str; 26] = [
        "bool", "char", "str", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize",
        "f16", "f32", "f64", "f128", // primitive types
        "std", "core", "alloc", "memdex", // crates
        "crate", "self", "super", // where paths begin; these can't be raw identifiers either
    ];
    let own = structure.unraw().to_string();
    let mut name = snake_case(&own);
    while name == own || VISIBLE.contains(&name.as_str()) {
        name.push('_');
    }
    identifier(&name, structure)
}

/// The constant of a field: its name in capitals.
pub(crate) fn constant(field: &Ident) -> Ident {
    identifier(&snake_case(&field.unraw().to_string()).to_uppercase(), field)
}

/// `name` at the place of `origin`.
fn identifier(name: &str, origin: &Ident) -> Ident {
    let mut ident = match syn::parse_str::<Ident>(name) {
        // `gen` is a keyword since edition 2024; the parser accepts it for older editions.
        Ok(ident) if ident != "gen" => ident,
        _ => match syn::parse_str::<Ident>(&format!("r#{name}")) {
            Ok(ident) => ident,
            // The other case of a letter is not a letter.
            Err(_) => origin.clone(),
        },
    };
    ident.set_span(origin.span());
    ident
}

/// Words end where a capital follows a small letter or a digit, and before the last of several capitals if a small
/// letter follows: `HTTPServer2Go` is `http_server2_go`.
fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        if letter.is_uppercase() && at > 0 && letters[at - 1] != '_' {
            let next_is_small = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
            if !letters[at - 1].is_uppercase() || next_is_small {
                snake.push('_');
            }
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::format_ident;

    #[test]
    fn styles_of_fields_are_those_of_serde() {
        let names = |field| Style::ALL.map(|(_, style)| style.field(field));
        let expected = ["at", "AT", "At", "at", "at", "AT", "at", "AT"];
        assert_eq!(names("at"), expected);
        let expected = [
            "payment_id_2",
            "PAYMENT_ID_2",
            "PaymentId2",
            "paymentId2",
            "payment_id_2",
            "PAYMENT_ID_2",
            "payment-id-2",
            "PAYMENT-ID-2",
        ];
        assert_eq!(names("payment_id_2"), expected);
    }

    #[test]
    fn styles_of_variants_are_those_of_serde() {
        let names = |variant| Style::ALL.map(|(_, style)| style.variant(variant));
        let expected = ["a", "A", "A", "a", "a", "A", "a", "A"];
        assert_eq!(names("A"), expected);
        let expected = ["paidout", "PAIDOUT", "PaidOut", "paidOut", "paid_out", "PAID_OUT", "paid-out", "PAID-OUT"];
        assert_eq!(names("PaidOut"), expected);
    }

    #[test]
    fn only_the_known_styles_have_names() {
        assert_eq!(Style::named("kebab-case"), Some(Style::Kebab));
        assert_eq!(Style::named("Kebab-Case"), None);
        assert_eq!(Style::named(""), None);
    }

    #[test]
    fn a_namespace_is_the_snake_case_of_its_struct() {
        let name = |structure: &str| namespace(&format_ident!("{structure}")).to_string();
        for (structure, expected) in [
            ("Payment", "payment"),
            ("PaymentOrder", "payment_order"),
            ("HTTPServer2Go", "http_server2_go"),
            ("HTTP", "http"),
            ("Utf8Text", "utf8_text"),
            ("Payment_Order", "payment_order"),
            ("_Hidden", "_hidden"),
            ("Größe", "größe"),
        ] {
            assert_eq!(name(structure), expected);
        }
    }

    #[test]
    fn a_namespace_avoids_keywords_primitive_types_and_its_struct() {
        let name = |structure: &str| namespace(&format_ident!("{structure}")).to_string();
        for (structure, expected) in [
            ("Type", "r#type"),
            ("Match", "r#match"),
            ("Gen", "r#gen"),
            ("Str", "str_"),
            ("Bool", "bool_"),
            ("U8", "u8_"),
            ("Std", "std_"),
            ("Memdex", "memdex_"),
            ("Crate", "crate_"),
            ("Super", "super_"),
            ("payment", "payment_"),
            ("str_", "str__"),
            ("r#type", "type_"),
        ] {
            assert_eq!(name(structure), expected);
        }
    }

    #[test]
    fn a_constant_is_the_field_in_capitals() {
        let name = |field: &str| constant(&format_ident!("{field}")).to_string();
        for (field, expected) in [
            ("amount_cents", "AMOUNT_CENTS"),
            ("r#type", "TYPE"),
            ("paymentId", "PAYMENT_ID"),
            ("_id", "_ID"),
            ("x2", "X2"),
            ("größe", "GRÖSSE"),
        ] {
            assert_eq!(name(field), expected);
        }
    }
}

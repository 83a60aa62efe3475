//! Columns without differences of case.
//!
//! Databases fold case in their own ways: SQLite's `LIKE` and `lower` fold ASCII only, and PostgreSQL's `ILIKE` and
//! `lower` depend on the locale. So the SQL replaces characters one by one, as memdex does. It replaces only those that
//! become a character of the pattern: the others differ from every character of the pattern, folded or not.

use super::statement::Statement;
use super::{Dialect, SqlError};
use memdex_query::query::TextTest;
use memdex_query::value::Value;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The number of nested calls of `replace`. Before version 3.46, SQLite can't parse more than 28.
const MAX_NESTED_CALLS: usize = 16;

/// The highest character that folds lies below this one.
const END_OF_CASED: char = '\u{20000}';

/// Each character that folds to another one, ascending, with this other one.
static FOLDINGS: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
    let all = '\0'..END_OF_CASED;
    all.map(|c| (c, TextTest::fold_case(c))).filter(|(c, folded)| c != folded).collect()
});

impl Statement<'_> {
    /// The text of a field, with each character folded that can equal one of a folded pattern.
    pub(super) fn folded(&mut self, field: &str, method: &str, pattern: &str) -> Result<String, SqlError> {
        let column = self.column(field)?;
        let wanted: BTreeSet<char> = pattern.chars().collect();
        let foldings: Vec<(char, char)> =
            FOLDINGS.iter().copied().filter(|(_, folded)| wanted.contains(folded)).collect();
        if foldings.is_empty() {
            return Ok(column);
        }
        match self.dialect {
            Dialect::Sqlite if self.is_of_index() && foldings.len() > MAX_NESTED_CALLS => {
                let feature =
                    format!("{method} of more than {MAX_NESTED_CALLS} different letters in the condition of an index");
                self.unsupported(feature, Some(field), "use fewer letters, or an index without a condition")
            }
            Dialect::Sqlite => self.replaced(column, field, &foldings),
            Dialect::Postgres => {
                let (from, to): (String, String) = foldings.into_iter().unzip();
                let (from, to) = (self.value(field, &Value::from(from))?, self.value(field, &Value::from(to))?);
                Ok(format!("translate({column} COLLATE \"C\", {from}, {to})"))
            }
        }
    }

    /// Nested calls of `replace`. Further calls apply to the result of a subquery, which the parser has finished by then.
    fn replaced(&mut self, column: String, field: &str, foldings: &[(char, char)]) -> Result<String, SqlError> {
        let mut text = column;
        for (number, part) in foldings.chunks(MAX_NESTED_CALLS).enumerate() {
            let inner = if number == 0 { text.clone() } else { "`folded`".to_owned() };
            let nested = part.iter().try_fold(inner, |inner, (from, to)| {
                let from = self.value(field, &Value::from(String::from(*from)))?;
                let to = self.value(field, &Value::from(String::from(*to)))?;
                Ok::<_, SqlError>(format!("replace({inner}, {from}, {to})"))
            })?;
            text = if number == 0 { nested } else { format!("(SELECT {nested} FROM (SELECT {text} AS `folded`))") };
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each character is replaced once, by one that is not replaced, so the order of the replacements does not matter.
    #[test]
    fn replacements_fold_every_character() {
        for c in '\0'..=char::MAX {
            let folded = TextTest::fold_case(c);
            let replaced = FOLDINGS.binary_search_by_key(&c, |(from, _)| *from).map_or(c, |at| FOLDINGS[at].1);
            assert_eq!(folded, replaced, "{c:?}");
            assert_eq!(folded, TextTest::fold_case(folded), "{c:?}");
        }
    }
}

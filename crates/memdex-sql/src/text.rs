//! Text conditions. Those that ignore case fold the column (`fold`), and then compare with the folded pattern.

use super::statement::Statement;
use super::{Dialect, SqlError};
use memdex_query::error::QueryError;
use memdex_query::query::{Predicate, TextOp, TextTest};
use memdex_query::value::Value;
use std::ops::Bound;

/// The longest pattern that SQLite accepts, in bytes.
const MAX_SQLITE_PATTERN: usize = 50_000;

impl Statement<'_> {
    pub(super) fn text_test(&mut self, field: &str, test: &TextTest, depth: usize) -> Result<String, SqlError> {
        let column = self.column(field)?;
        let pattern = test.pattern.as_str();
        // Escaped backslashes come in pairs.
        let dangling_escape = pattern.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1;
        if test.op == TextOp::Like && dangling_escape {
            return Err(QueryError::bad_pattern(self.collection, field, pattern).into());
        }
        let is_substring = matches!(test.op, TextOp::StartsWith | TextOp::EndsWith | TextOp::Contains);
        if is_substring && pattern.is_empty() {
            return self.anything(field);
        }
        if test.ignore_case {
            let folded: String = pattern.chars().map(TextTest::fold_case).collect();
            let column = self.folded(field, test.name(), &folded)?;
            return self.text_of(&column, field, test.op, &folded);
        }
        match test.op {
            // A range selects the same records and can use any index.
            TextOp::StartsWith if self.collation(field)?.is_none() => {
                let from = Bound::Included(Value::from(pattern));
                let to = prefix_end(pattern).map_or(Bound::Unbounded, |end| Bound::Excluded(Value::from(end)));
                // The range has the depth of the test.
                self.condition(&Predicate::Range(field.to_owned().into(), from, to), depth + 1)
            }
            op => self.text_of(&column, field, op, pattern),
        }
    }

    /// A case-sensitive test of an expression.
    fn text_of(&mut self, text: &str, field: &str, op: TextOp, pattern: &str) -> Result<String, SqlError> {
        Ok(match (op, self.dialect) {
            (TextOp::Eq, _) => {
                let value = self.value(field, &Value::from(pattern))?;
                format!("{text} = {value}")
            }
            // Compared as bytes, because text functions stop at a NUL. In UTF-8, no character contains the bytes of
            // another.
            (TextOp::EndsWith, Dialect::Sqlite) => {
                let value = self.value(field, &Value::from(pattern.as_bytes()))?;
                format!("substr(CAST({text} AS BLOB), -{}) = {value}", pattern.len())
            }
            (TextOp::EndsWith, Dialect::Postgres) => {
                let value = self.value(field, &Value::from(pattern))?;
                format!("right({text}, {}) = {value}", pattern.chars().count())
            }
            (TextOp::StartsWith | TextOp::Contains, Dialect::Sqlite) => {
                let value = self.value(field, &Value::from(pattern.as_bytes()))?;
                format!("instr(CAST({text} AS BLOB), {value}) {}", if op == TextOp::Contains { "> 0" } else { "= 1" })
            }
            (TextOp::StartsWith | TextOp::Contains, Dialect::Postgres) => {
                let value = self.value(field, &Value::from(pattern))?;
                let place = if op == TextOp::Contains { "> 0" } else { "= 1" };
                format!("strpos({text} COLLATE \"C\", {value}) {place}")
            }
            (TextOp::Like, Dialect::Sqlite) => {
                let value = self.pattern(field, &to_glob(pattern))?;
                format!("{text} GLOB {value}")
            }
            (TextOp::Like, Dialect::Postgres) => {
                let value = self.value(field, &Value::from(pattern))?;
                format!("{text} COLLATE \"C\" LIKE {value}")
            }
        })
    }

    /// A parameter for a pattern, within the limits of the dialect.
    fn pattern(&mut self, field: &str, pattern: &str) -> Result<String, SqlError> {
        let value = Value::from(pattern);
        let refused = |why, help| {
            let (field, value) = (field.to_owned(), value.clone());
            Err(SqlError::Value { dialect: self.dialect, field, value, why, help })
        };
        if self.dialect == Dialect::Sqlite && pattern.contains('\0') {
            return refused("patterns end at a NUL", "use starts_with, ends_with or contains_str");
        }
        if self.dialect == Dialect::Sqlite && pattern.len() > MAX_SQLITE_PATTERN {
            return refused("patterns are limited to 50,000 bytes", "shorten it");
        }
        self.value(field, &value)
    }
}

/// The lowest string above all strings with a prefix; `None` if there is none.
fn prefix_end(prefix: &str) -> Option<String> {
    let mut head = prefix.to_owned();
    while let Some(last) = head.pop() {
        // Skips the surrogates, which are not characters.
        let next = ((u32::from(last) + 1)..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            head.push(next);
            return Some(head);
        }
    }
    None
}

/// Converts a pattern to the syntax of SQLite's `GLOB`, which is case-sensitive.
fn to_glob(pattern: &str) -> String {
    let mut glob = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '%' => {
                glob.push('*');
                continue;
            }
            '_' => {
                glob.push('?');
                continue;
            }
            '\\' => chars.next().unwrap_or('\\'),
            c => c,
        };
        // Brackets make these characters literal.
        if matches!(c, '*' | '?' | '[') {
            glob.extend(['[', c, ']']);
        } else {
            glob.push(c);
        }
    }
    glob
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_end_is_above_all_strings_with_the_prefix() {
        for (prefix, end) in [
            ("a", Some("b")),
            ("az", Some("a{")),
            ("", None),
            ("\u{10ffff}", None),
            ("a\u{10ffff}\u{10ffff}", Some("b")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\0", Some("a\u{1}")),
        ] {
            assert_eq!(prefix_end(prefix).as_deref(), end, "{prefix:?}");
        }
    }

    #[test]
    fn patterns_are_converted() {
        assert_eq!(to_glob(r"a%b_c\%d\_e\\f*g?h[i]"), r"a*b?c%d_e\f[*]g[?]h[[]i]");
    }
}

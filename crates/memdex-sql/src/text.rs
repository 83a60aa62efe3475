//! Tests of text. Where case counts they are exact, to the character. Where it does not, whose case is the question: SQLite knows that
//! of ASCII alone, PostgreSQL what the data base's locale knows.

use super::statement::Statement;
use super::{Dialect, SqlError};
use memdex_query::error::QueryError;
use memdex_query::query::{Predicate, TextOp, TextTest};
use memdex_query::value::Value;
use std::ops::Bound;

/// The longest pattern that SQLite takes, in bytes.
const LONGEST_PATTERN: usize = 50_000;

impl Statement<'_> {
    pub(super) fn text_test(&mut self, field: &str, test: &TextTest, depth: usize) -> Result<String, SqlError> {
        let column = self.column(field)?;
        let pattern = test.pattern.as_str();
        // Escaped ones come in pairs.
        let ends_alone = pattern.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1;
        if test.op == TextOp::Like && ends_alone {
            let (collection, field, pattern) = (self.collection.to_owned(), field.to_owned(), pattern.to_owned());
            return Err(QueryError::BadPattern { collection, field, pattern }.into());
        }
        let of_part = matches!(test.op, TextOp::StartsWith | TextOp::EndsWith | TextOp::Contains);
        if of_part && pattern.is_empty() {
            return Ok(format!("{column} IS NOT NULL"));
        }
        if test.ignore_case {
            return self.ignoring_case(field, test);
        }
        Ok(match (test.op, self.dialect) {
            (TextOp::Eq, _) => {
                let value = self.value(field, &Value::from(pattern))?;
                format!("{column} = {value}")
            }
            // The range is the very same, and any index answers it.
            (TextOp::StartsWith, _) => {
                let from = Bound::Included(Value::from(pattern));
                let to = end_of_prefix(pattern).map_or(Bound::Unbounded, |end| Bound::Excluded(Value::from(end)));
                // No level deeper than the test itself.
                return self.part(&Predicate::Range(field.to_owned().into(), from, to), depth + 1);
            }
            // By bytes, since functions of text end at a NUL. No character's bytes stand within another's.
            (TextOp::EndsWith, Dialect::Sqlite) => {
                let value = self.value(field, &Value::from(pattern.as_bytes()))?;
                format!("substr(CAST({column} AS BLOB), -{}) = {value}", pattern.len())
            }
            (TextOp::EndsWith, Dialect::Postgres) => {
                let value = self.value(field, &Value::from(pattern))?;
                format!("right({column}, {}) = {value}", pattern.chars().count())
            }
            (TextOp::Contains, Dialect::Sqlite) => {
                let value = self.value(field, &Value::from(pattern.as_bytes()))?;
                format!("instr(CAST({column} AS BLOB), {value}) > 0")
            }
            (TextOp::Contains, Dialect::Postgres) => {
                let value = self.value(field, &Value::from(pattern))?;
                format!("strpos({column} COLLATE \"C\", {value}) > 0")
            }
            (TextOp::Like, Dialect::Sqlite) => {
                let value = self.pattern(field, &as_glob(pattern))?;
                format!("{column} GLOB {value}")
            }
            (TextOp::Like, Dialect::Postgres) => {
                let value = self.value(field, &Value::from(pattern))?;
                format!("{column} COLLATE \"C\" LIKE {value}")
            }
        })
    }

    /// As a pattern, which both know without regard to case.
    fn ignoring_case(&mut self, field: &str, test: &TextTest) -> Result<String, SqlError> {
        let column = self.column(field)?;
        let literal = || escaped(&test.pattern);
        let pattern = match test.op {
            TextOp::Eq => literal(),
            TextOp::StartsWith => format!("{}%", literal()),
            TextOp::EndsWith => format!("%{}", literal()),
            TextOp::Contains => format!("%{}%", literal()),
            TextOp::Like => test.pattern.clone(),
        };
        let value = self.pattern(field, &pattern)?;
        Ok(match self.dialect {
            // It has no sign that takes the meaning from another unless it is told.
            Dialect::Sqlite => format!("{column} LIKE {value} ESCAPE '\\'"),
            Dialect::Postgres => format!("{column} COLLATE \"default\" ILIKE {value}"),
        })
    }

    /// A pattern as a parameter.
    fn pattern(&mut self, field: &str, pattern: &str) -> Result<String, SqlError> {
        let value = Value::from(pattern);
        let refused = |why, instead| {
            let (field, value) = (field.to_owned(), value.clone());
            Err(SqlError::Value { dialect: self.dialect, field, value, why, instead })
        };
        if self.dialect == Dialect::Sqlite && pattern.contains('\0') {
            return refused("its patterns end at a NUL", "ask with starts_with, ends_with or contains_str");
        }
        if self.dialect == Dialect::Sqlite && pattern.len() > LONGEST_PATTERN {
            return refused("its patterns have 50,000 bytes at most", "shorten it");
        }
        self.value(field, &value)
    }
}

/// The first text that is behind all those that begin so; `None` if there is none.
fn end_of_prefix(prefix: &str) -> Option<String> {
    let mut head = prefix.to_owned();
    while let Some(last) = head.pop() {
        // Behind the last character before the surrogates comes the first behind them.
        let next = ((u32::from(last) + 1)..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            head.push(next);
            return Some(head);
        }
    }
    None
}

/// A pattern as SQLite's `GLOB` has it, whose case counts.
fn as_glob(pattern: &str) -> String {
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
        // In brackets they mean themselves.
        if matches!(c, '*' | '?' | '[') {
            glob.extend(['[', c, ']']);
        } else {
            glob.push(c);
        }
    }
    glob
}

/// A text as a pattern that only itself is like.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_behind_all_that_begin_with_it() {
        for (prefix, end) in [
            ("a", Some("b")),
            ("az", Some("a{")),
            ("", None),
            ("\u{10ffff}", None),
            ("a\u{10ffff}\u{10ffff}", Some("b")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\0", Some("a\u{1}")),
        ] {
            assert_eq!(end_of_prefix(prefix).as_deref(), end, "{prefix:?}");
        }
    }

    #[test]
    fn patterns_are_written_for_others() {
        assert_eq!(as_glob(r"a%b_c\%d\_e\\f*g?h[i]"), r"a*b?c%d_e\f[*]g[?]h[[]i]");
        assert_eq!(escaped(r"50%_\"), r"50\%\_\\");
    }
}

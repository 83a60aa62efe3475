//! Predicates. Each part is written so that it can stand anywhere; whether it is false or SQL's `NULL` must not matter, and does not,
//! as nothing but `IS NOT TRUE` ever turns one around.

use super::statement::Statement;
use super::{Dialect, SqlError};
use memdex_query::error::QueryError;
use memdex_query::limits::MAX_PREDICATE_DEPTH;
use memdex_query::query::Predicate;
use memdex_query::value::{Kind, Value};
use std::ops::Bound;

/// Parts that stand in one row. SQLite takes a row of them for a tree as deep as it is long, and takes no deep ones.
const IN_A_ROW: usize = 64;

impl Statement<'_> {
    pub(super) fn predicate(&mut self, predicate: &Predicate) -> Result<String, SqlError> {
        self.part(predicate, MAX_PREDICATE_DEPTH)
    }

    pub(super) fn part(&mut self, predicate: &Predicate, depth: usize) -> Result<String, SqlError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(QueryError::TooDeep { limit: MAX_PREDICATE_DEPTH }.into());
        };
        Ok(match predicate {
            Predicate::All => "TRUE".to_owned(),
            Predicate::TooDeep => return Err(QueryError::TooDeep { limit: MAX_PREDICATE_DEPTH }.into()),
            Predicate::And(parts) if parts.is_empty() => "TRUE".to_owned(),
            Predicate::Or(parts) if parts.is_empty() => "FALSE".to_owned(),
            Predicate::And(parts) => joined(&self.parts(parts, depth)?, " AND "),
            Predicate::Or(parts) => joined(&self.parts(parts, depth)?, " OR "),
            Predicate::Not(part) => format!("{} IS NOT TRUE", bracketed(self.part(part, depth)?)),
            Predicate::Eq(field, value) => self.compared(field, "=", value)?,
            Predicate::Ne(field, value) => self.compared(field, "<>", value)?,
            Predicate::In(_, values) if values.is_empty() => "FALSE".to_owned(),
            Predicate::In(field, values) => {
                let column = self.column(field)?;
                let values = values.iter().map(|value| self.value(field, value)).collect::<Result<Vec<_>, _>>()?;
                format!("{column} IN ({})", values.join(", "))
            }
            Predicate::IsNull(field) => {
                self.single(field, "is_null")?;
                format!("{} IS NULL", self.column(field)?)
            }
            Predicate::Range(field, from, to) => {
                let mut bounds = Vec::new();
                match from {
                    Bound::Unbounded => {}
                    Bound::Included(value) => bounds.push(self.beyond(field, ">=", value)?),
                    Bound::Excluded(value) => bounds.push(self.beyond(field, ">", value)?),
                }
                match to {
                    Bound::Unbounded => {}
                    Bound::Included(value) => bounds.push(self.beyond(field, "<=", value)?),
                    Bound::Excluded(value) => bounds.push(self.beyond(field, "<", value)?),
                }
                match bounds.as_slice() {
                    // In no bounds is every value, and no missing one.
                    [] => format!("{} IS NOT NULL", self.column(field)?),
                    several => joined(several, " AND "),
                }
            }
            Predicate::Text(field, test) => self.text_test(field, test, depth)?,
            Predicate::AnyOf(field, _) => return self.many(field, "contains and any"),
            Predicate::AllOf(field, _) => return self.many(field, "all"),
        })
    }

    fn parts(&mut self, parts: &[Predicate], depth: usize) -> Result<Vec<String>, SqlError> {
        parts.iter().map(|part| self.part(part, depth)).collect()
    }

    fn compared(&mut self, field: &str, operator: &str, value: &Value) -> Result<String, SqlError> {
        Ok(format!("{} {operator} {}", self.column(field)?, self.value(field, value)?))
    }

    /// A comparison that is more than equal or not.
    pub(super) fn beyond(&mut self, field: &str, operator: &str, value: &Value) -> Result<String, SqlError> {
        let kind = self.fitted(field, value)?.as_ref().kind();
        if kind == Some(Kind::Decimal) && self.dialect == Dialect::Sqlite {
            let instead = "it keeps decimals as text; count them in their smallest unit, as an integer";
            return self.unsupported("a range of decimals", Some(field), instead);
        }
        Ok(format!("{} {operator} {}", self.in_order(field, kind)?, self.value(field, value)?))
    }

    /// Refuses a field of many values, where the schema says that it is one.
    fn single(&self, field: &str, feature: &'static str) -> Result<(), SqlError> {
        if self.def(field)?.is_some_and(|def| def.is_many()) { self.many(field, feature) } else { Ok(()) }
    }

    fn many<T>(&self, field: &str, feature: &'static str) -> Result<T, SqlError> {
        let instead = "its values have no column; keep them in a table of their own and join it";
        self.unsupported(format!("{feature} of many values"), Some(field), instead)
    }
}

/// All of them, with this between each two.
pub(super) fn joined(parts: &[String], between: &str) -> String {
    match parts {
        [one] => one.clone(),
        several if several.len() > IN_A_ROW => {
            let (head, tail) = several.split_at(several.len() / 2);
            format!("({}{between}{})", joined(head, between), joined(tail, between))
        }
        several => format!("({})", several.join(between)),
    }
}

/// In brackets, if it is not already. (What begins with one ends with its partner: [`joined`] alone writes them.)
fn bracketed(part: String) -> String {
    let closed = part.starts_with('(') && part.ends_with(')');
    if closed { part } else { format!("({part})") }
}

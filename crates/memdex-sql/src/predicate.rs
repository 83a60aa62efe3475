//! Predicates. Each condition is valid anywhere in a statement. Conditions may be `NULL` where memdex has false: only
//! `IS NOT TRUE` negates a condition, and it treats both alike.

use super::statement::Statement;
use super::{Dialect, SqlError};
use memdex_query::error::QueryError;
use memdex_query::limits::MAX_PREDICATE_DEPTH;
use memdex_query::query::Predicate;
use memdex_query::schema::{Collation, FieldDef};
use memdex_query::value::{Fitted, Kind, Value};
use std::ops::Bound;

/// The largest number of operands that are joined without parentheses. SQLite parses `n` operands as a tree of depth
/// `n`, and limits the depth.
const MAX_FLAT_OPERANDS: usize = 64;

impl Statement<'_> {
    pub(super) fn predicate(&mut self, predicate: &Predicate) -> Result<String, SqlError> {
        self.condition(predicate, MAX_PREDICATE_DEPTH)
    }

    pub(super) fn condition(&mut self, predicate: &Predicate, depth: usize) -> Result<String, SqlError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(QueryError::too_deep(MAX_PREDICATE_DEPTH).into());
        };
        if let Predicate::Eq(field, _)
        | Predicate::Ne(field, _)
        | Predicate::In(field, _)
        | Predicate::Range(field, ..)
        | Predicate::Text(field, _) = predicate
        {
            self.single(field, "conditions")?;
        }
        Ok(match predicate {
            Predicate::All => "TRUE".to_owned(),
            Predicate::TooDeep => return Err(QueryError::too_deep(MAX_PREDICATE_DEPTH).into()),
            Predicate::And(parts) if parts.is_empty() => "TRUE".to_owned(),
            Predicate::Or(parts) if parts.is_empty() => "FALSE".to_owned(),
            Predicate::And(parts) => join_balanced(&self.conditions(parts, depth)?, " AND "),
            Predicate::Or(parts) => join_balanced(&self.conditions(parts, depth)?, " OR "),
            Predicate::Not(part) if self.is_three_valued() => {
                format!("NOT {}", parenthesized(self.condition(part, depth)?))
            }
            Predicate::Not(part) => format!("{} IS NOT TRUE", parenthesized(self.condition(part, depth)?)),
            Predicate::Eq(field, value) => self.comparison(field, "=", value)?,
            Predicate::Ne(field, value) => self.comparison(field, "<>", value)?,
            Predicate::In(field, values) => {
                let mut fitting = Vec::with_capacity(values.len());
                for value in values {
                    fitting.extend(self.operand(field, value)?.exact());
                }
                if fitting.is_empty() {
                    return self.nothing(field);
                }
                let column = self.compared(field, "is_in", &fitting)?;
                let listed = fitting.iter().map(|value| self.value(field, value)).collect::<Result<Vec<_>, _>>()?;
                format!("{column} IN ({})", listed.join(", "))
            }
            Predicate::IsNull(field) => {
                self.single(field, "is_null")?;
                format!("{} IS NULL", self.column(field)?)
            }
            Predicate::Range(field, from, to) => self.range_test(field, from, to)?,
            Predicate::Text(field, test) => self.text_test(field, test, depth)?,
            Predicate::AnyOf(field, _) => return self.many(field, "contains or any"),
            Predicate::AllOf(field, _) => return self.many(field, "all"),
            Predicate::ElemMatch(field, _) => return self.elem_match(field),
        })
    }

    fn conditions(&mut self, parts: &[Predicate], depth: usize) -> Result<Vec<String>, SqlError> {
        parts.iter().map(|part| self.condition(part, depth)).collect()
    }

    /// Equality, or inequality, which holds for every value if the field's kind does not have this one.
    fn comparison(&mut self, field: &str, operator: &str, value: &Value) -> Result<String, SqlError> {
        Ok(match self.operand(field, value)?.exact() {
            Some(value) => {
                let column =
                    self.compared(field, if operator == "=" { "eq" } else { "ne" }, std::slice::from_ref(&value))?;
                format!("{column} {operator} {}", self.value(field, &value)?)
            }
            None if operator == "=" => self.nothing(field)?,
            None => self.anything(field)?,
        })
    }

    /// A column whose equality with any of these operands is that of the field: folded as far as they need it, if the field
    /// ignores case.
    fn compared(&mut self, field: &str, method: &'static str, operands: &[Value]) -> Result<String, SqlError> {
        match self.collation(field)? {
            None => self.column(field),
            Some(Collation::NoCase) => {
                let letters: String = operands.iter().filter_map(Value::as_str).collect();
                self.folded(field, method, &letters)
            }
            Some(_) => self.has_collation(field, "comparisons"),
        }
    }

    pub(super) fn collation(&self, field: &str) -> Result<Option<Collation>, SqlError> {
        Ok(self.def(field)?.and_then(FieldDef::collation))
    }

    pub(super) fn has_collation<T>(&self, field: &str, feature: &str) -> Result<T, SqlError> {
        let help = "store the key of the collation in a separate field";
        self.unsupported(format!("{feature} of a field with a collation"), Some(field), help)
    }

    fn range_test(&mut self, field: &str, from: &Bound<Value>, to: &Bound<Value>) -> Result<String, SqlError> {
        let fitted = |bound: &Bound<Value>| {
            Ok::<_, SqlError>(match bound {
                Bound::Unbounded => Bound::Unbounded,
                Bound::Included(value) => Bound::Included(self.fitted(field, value)?),
                Bound::Excluded(value) => Bound::Excluded(self.fitted(field, value)?),
            })
        };
        let Some((from, to)) = Fitted::range(fitted(from)?, fitted(to)?) else { return self.nothing(field) };
        let mut bounds = Vec::new();
        match from {
            Bound::Unbounded => {}
            Bound::Included(value) => bounds.push(self.ordered_comparison(field, ">=", &value)?),
            Bound::Excluded(value) => bounds.push(self.ordered_comparison(field, ">", &value)?),
        }
        match to {
            Bound::Unbounded => {}
            Bound::Included(value) => bounds.push(self.ordered_comparison(field, "<=", &value)?),
            Bound::Excluded(value) => bounds.push(self.ordered_comparison(field, "<", &value)?),
        }
        Ok(match bounds.as_slice() {
            // An unbounded range contains every value, but not null.
            [] => self.anything(field)?,
            several => join_balanced(several, " AND "),
        })
    }

    /// A comparison that depends on the order of the values.
    pub(super) fn ordered_comparison(
        &mut self,
        field: &str,
        operator: &str,
        value: &Value,
    ) -> Result<String, SqlError> {
        let kind = self.converted(field, value)?.as_ref().kind();
        if kind == Some(Kind::Decimal) && self.dialect == Dialect::Sqlite {
            let help = "store amounts in the smallest unit, as an integer";
            return self.unsupported("a range of decimals", Some(field), help);
        }
        Ok(format!("{} {operator} {}", self.collated(field, kind)?, self.value(field, value)?))
    }

    /// Returns an error if the schema declares the field as multi-valued.
    fn single(&self, field: &str, feature: &'static str) -> Result<(), SqlError> {
        if self.def(field)?.is_some_and(|def| def.is_many()) { self.many(field, feature) } else { Ok(()) }
    }

    pub(super) fn elem_match<T>(&self, field: &str) -> Result<T, SqlError> {
        self.unsupported("elem_match", Some(field), "store the elements in a separate table and join it")
    }

    fn many<T>(&self, field: &str, feature: &'static str) -> Result<T, SqlError> {
        let help = "store the values in a separate table and join it";
        self.unsupported(format!("{feature} on multi-valued fields"), Some(field), help)
    }
}

/// Joins conditions with an operator, as a balanced tree.
pub(super) fn join_balanced(parts: &[String], operator: &str) -> String {
    match parts {
        [one] => one.clone(),
        several if several.len() > MAX_FLAT_OPERANDS => {
            let (head, tail) = several.split_at(several.len() / 2);
            format!("({}{operator}{})", join_balanced(head, operator), join_balanced(tail, operator))
        }
        several => format!("({})", several.join(operator)),
    }
}

/// Adds parentheses if there are none. Only [`join_balanced`] writes parentheses at the start, so the first and the
/// last one match.
fn parenthesized(part: String) -> String {
    let closed = part.starts_with('(') && part.ends_with(')');
    if closed { part } else { format!("({part})") }
}

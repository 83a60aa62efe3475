//! Text of conditions, for explanations.

use super::plan::{listed, range};
use crate::record::{Condition, FieldAt, Schema, Test};
use std::fmt;

/// Formats a condition.
pub(super) struct ConditionText<'a> {
    pub(super) schema: &'a Schema,
    pub(super) condition: &'a Condition,
}

/// Formats a test of a field.
pub(super) struct TestText<'a> {
    pub(super) field: &'a str,
    pub(super) test: &'a Test,
}

/// The name of a field.
pub(super) fn name<'a>(schema: &'a Schema, field: &'a FieldAt) -> &'a str {
    let declared = schema.fields().get(field.position()).map(|field| field.name());
    declared.or_else(|| field.undeclared()).unwrap_or("?")
}

impl ConditionText<'_> {
    fn list(&self, f: &mut fmt::Formatter<'_>, parts: &[Condition], between: &str) -> fmt::Result {
        for (at, condition) in parts.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { between })?;
            let text = ConditionText { schema: self.schema, condition };
            match condition {
                Condition::And(_) | Condition::Or(_) => write!(f, "({text})")?,
                _ => write!(f, "{text}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for ConditionText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.condition {
            Condition::All => f.write_str("any"),
            Condition::Nothing => f.write_str("none"),
            Condition::Test(field, test) | Condition::Undeclared(field, test) => {
                TestText { field: name(self.schema, field), test }.fmt(f)
            }
            Condition::Element(field, condition) => {
                let condition = ConditionText { schema: self.schema, condition };
                write!(f, "{} has an element with ({condition})", name(self.schema, field))
            }
            Condition::And(parts) => self.list(f, parts, " and "),
            Condition::Or(parts) => self.list(f, parts, " or "),
            Condition::Not(condition) => write!(f, "not ({})", ConditionText { schema: self.schema, condition }),
        }
    }
}

impl fmt::Display for TestText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TestText { field, test } = self;
        write!(f, "{field} ")?;
        match test {
            Test::Eq(value) => write!(f, "= {value:?}"),
            Test::Ne(value) => write!(f, "!= {value:?}"),
            Test::In(values) => listed(f, "in", values.iter()),
            Test::IsNull | Test::HasNone => f.write_str("is null"),
            Test::Range(from, to) => range(f, from, to),
            Test::Text(pattern) => write!(f, "{pattern}"),
            Test::Has(test) => {
                f.write_str("has a value ")?;
                TestText { field: "", test }.fmt(f)
            }
            Test::Any(values) => listed(f, "has any of", values.iter()),
            Test::All(values) => listed(f, "has all of", values.iter()),
        }
    }
}

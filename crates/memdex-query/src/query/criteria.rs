//! Predicates from JSON criteria.

use super::operator::Operator;
use super::{FieldName, Predicate, TextTest};
use crate::error::CriteriaError;
use crate::limits::MAX_PREDICATE_DEPTH;
use crate::value::{Value, json_type_name, plain_json};
use serde_json::Value as Json;
use std::ops::Bound;

impl Predicate {
    /// The predicate of a map of criteria, all of which must be true. Each entry has the name of a field and a
    /// condition on its value.
    ///
    /// | criterion | meaning |
    /// | --- | --- |
    /// | `"field": 5` | `eq`: any plain value but null |
    /// | `"field": null` | `is_null` |
    /// | `"field": [1, 2]` | `is_in`; with a null in the array, `is_in` or `is_null` |
    /// | `"field": { "gte": 1, "lt": 9 }` | all of these operators, see below |
    /// | `"$and": [{…}, {…}]`, `"$or": [{…}, {…}]` | all of these maps; at least one of these maps |
    /// | `"$not": {…}` | plain negation of a map |
    ///
    /// Operators: `eq`, `ne`, `gt`, `gte`, `lt`, `lte` take a plain value, `between` an array of the first and the last
    /// value, `in` and `not_in` an array, `is_null` a bool; `like`, `starts_with`, `ends_with` and `contains_str` take
    /// a string, each also with the suffix `_ignore_case`, as does `eq_ignore_case`; `eq_str` is
    /// equality of characters, also in fields with a collation; `contains`, `any` and `all` are
    /// for fields of many values; `elem_match` takes a map of criteria, all of which one element of a list must match, see
    /// [`Predicate::elem_match`]; `not` takes a map of operators and negates it. Each means the same as the method of
    /// [`field`](crate::query::field). `not_in` is to `in` as `ne` is to `eq`: the field has a value, and it is none of
    /// these.
    ///
    /// On a field of many values, a criterion of a single value means that at least one value matches: `{ "tags": "eu" }` is
    /// `contains`. Different values may match two operators, except in `between`. `ne` and `not_in` mean that
    /// the field has values and none is equal.
    ///
    /// Names are those that [`field`](crate::query::field) takes, including paths of documents. No name begins with
    /// `$`. Integers stay integers, other numbers become floats. The query checks that the fields exist and have the
    /// kinds of the values.
    ///
    /// ```
    /// use memdex::{Record, Store, json};
    /// use memdex::error::CriteriaError;
    /// use memdex::query::Predicate;
    ///
    /// #[derive(Record)]
    /// struct Payment {
    ///     #[record(key)]     id: u32,
    ///     #[record(index)]   status: String,
    ///     #[record(ordered)] amount: i64,
    /// }
    ///
    /// let payments = Store::new().collection::<Payment>("Payment")?;
    /// payments.store(Payment { id: 1, status: "completed".into(), amount: 500 })?;
    /// let criteria = json!({ "status": ["completed", "refunded"], "amount": { "gte": 100, "lte": 900 } });
    /// assert_eq!(payments.find(Predicate::from_criteria(&criteria)?).count()?, 1);
    /// let criteria = json!({ "$or": [{ "status": { "like": "re%" } }, { "amount": { "not": { "lt": 900 } } }] });
    /// assert_eq!(payments.find(Predicate::from_criteria(&criteria)?).count()?, 0);
    ///
    /// let wrong = Predicate::from_criteria(&json!({ "amount": { "above": 100 } })).unwrap_err();
    /// assert!(matches!(wrong, CriteriaError::UnknownOperator { field, operator, .. } if field == "amount" && operator == "above"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`CriteriaError`], with the field and the operator.
    pub fn from_criteria(criteria: &Json) -> Result<Predicate, CriteriaError> {
        map(criteria, "the criteria", MAX_PREDICATE_DEPTH)
    }
}

/// Two criteria make any range, and `$and` and `$or` join maps.
const NO_CRITERIA: [Operator; 3] = [Operator::Range, Operator::And, Operator::Or];

/// One level fewer; an error at the limit.
fn below(levels: usize) -> Result<usize, CriteriaError> {
    levels.checked_sub(1).ok_or(CriteriaError::TooDeep { limit: MAX_PREDICATE_DEPTH })
}

fn map(criteria: &Json, place: &'static str, levels: usize) -> Result<Predicate, CriteriaError> {
    let levels = below(levels)?;
    let Json::Object(fields) = criteria else {
        return Err(CriteriaError::NotAMap { place, found: json_type_name(criteria) });
    };
    let parts = fields.iter().map(|(name, operand)| match name.as_str() {
        "$and" => maps(operand, "$and", levels).map(Predicate::all_of),
        "$or" => maps(operand, "$or", levels).map(Predicate::any_of),
        "$not" => Ok(!map(operand, "$not", levels)?),
        join if join.starts_with('$') => Err(CriteriaError::UnknownJoin { operator: join.to_owned() }),
        name => Criterion { name }.criterion(operand, levels),
    });
    all(parts)
}

fn maps(operand: &Json, operator: &'static str, levels: usize) -> Result<Vec<Predicate>, CriteriaError> {
    let Json::Array(all) = operand else {
        return Err(Criterion { name: "" }.wrong(operator, "an array of maps", operand));
    };
    all.iter().map(|criteria| map(criteria, operator, levels)).collect()
}

fn all(parts: impl ExactSizeIterator<Item = Result<Predicate, CriteriaError>>) -> Result<Predicate, CriteriaError> {
    Ok(Predicate::all_of(parts.collect::<Result<Vec<_>, _>>()?))
}

/// The field of a criterion.
struct Criterion<'a> {
    name: &'a str,
}

impl Criterion<'_> {
    fn name(&self) -> FieldName {
        FieldName::Owned(self.name.to_owned())
    }

    fn criterion(&self, operand: &Json, levels: usize) -> Result<Predicate, CriteriaError> {
        match operand {
            Json::Null => Ok(Predicate::IsNull(self.name())),
            Json::Array(_) => self.one_of("in", operand),
            Json::Object(_) => self.operators("the field", operand, levels),
            plain => Ok(Predicate::Eq(self.name(), self.value("eq", plain)?)),
        }
    }

    fn operators(&self, of: &'static str, operand: &Json, levels: usize) -> Result<Predicate, CriteriaError> {
        let levels = below(levels)?;
        let Json::Object(operators) = operand else { return Err(self.wrong(of, "an object of operators", operand)) };
        if operators.is_empty() {
            return Err(CriteriaError::NoOperator { field: self.name.to_owned() });
        }
        all(operators.iter().map(|(operator, operand)| self.operator(operator, operand, levels)))
    }

    fn operator(&self, operator: &str, operand: &Json, levels: usize) -> Result<Predicate, CriteriaError> {
        use Bound::{Excluded, Included, Unbounded};
        let unknown = || CriteriaError::UnknownOperator {
            field: self.name.to_owned(),
            operator: operator.to_owned(),
            known: Operator::names_without(&NO_CRITERIA),
        };
        let operator = Operator::named(operator).ok_or_else(unknown)?;
        let (name, verb) = (self.name(), operator.name());
        let value = || self.value(verb, operand);
        Ok(match operator {
            Operator::Eq => Predicate::Eq(name, value()?),
            Operator::Ne => Predicate::Ne(name, value()?),
            Operator::Gt => Predicate::Range(name, Excluded(value()?), Unbounded),
            Operator::Gte => Predicate::Range(name, Included(value()?), Unbounded),
            Operator::Lt => Predicate::Range(name, Unbounded, Excluded(value()?)),
            Operator::Lte => Predicate::Range(name, Unbounded, Included(value()?)),
            Operator::Between => match operand {
                Json::Array(ends) if ends.len() == 2 => {
                    Predicate::Range(name, Included(self.value(verb, &ends[0])?), Included(self.value(verb, &ends[1])?))
                }
                other => return Err(self.wrong(verb, "an array of the first and the last value", other)),
            },
            Operator::In => self.one_of(verb, operand)?,
            Operator::NotIn => {
                let (values, _) = self.values(verb, operand)?;
                !Predicate::In(name.clone(), values) & !Predicate::IsNull(name)
            }
            Operator::IsNull => match operand {
                Json::Bool(true) => Predicate::IsNull(name),
                Json::Bool(false) => !Predicate::IsNull(name),
                other => return Err(self.wrong(verb, "a bool", other)),
            },
            Operator::Text(op, ignore_case) => {
                let Json::String(pattern) = operand else { return Err(self.wrong(verb, "a string", operand)) };
                Predicate::Text(name, TextTest { op, pattern: pattern.clone(), ignore_case })
            }
            Operator::Contains => Predicate::AnyOf(name, vec![value()?]),
            Operator::Any => Predicate::AnyOf(name, self.present(verb, operand)?),
            Operator::All => Predicate::AllOf(name, self.present(verb, operand)?),
            Operator::ElemMatch => Predicate::elem_match(name, map(operand, verb, levels)?),
            Operator::Not => !self.operators(verb, operand, levels)?,
            Operator::Range | Operator::And | Operator::Or => return Err(unknown()),
        })
    }

    /// One of these values; or a missing one, if null is in the array.
    fn one_of(&self, operator: &'static str, operand: &Json) -> Result<Predicate, CriteriaError> {
        let (values, or_missing) = self.values(operator, operand)?;
        let one_of = Predicate::In(self.name(), values);
        Ok(if or_missing { one_of | Predicate::IsNull(self.name()) } else { one_of })
    }

    /// The values of an array without nulls, and whether there is a null.
    fn values(&self, operator: &'static str, operand: &Json) -> Result<(Vec<Value>, bool), CriteriaError> {
        let Json::Array(items) = operand else { return Err(self.wrong(operator, "an array of values", operand)) };
        let present = items.iter().filter(|item| !item.is_null());
        let values: Vec<Value> = present.map(|item| self.value(operator, item)).collect::<Result<_, _>>()?;
        let or_missing = values.len() < items.len();
        Ok((values, or_missing))
    }

    fn present(&self, operator: &'static str, operand: &Json) -> Result<Vec<Value>, CriteriaError> {
        match self.values(operator, operand)? {
            (values, false) => Ok(values),
            (_, true) => Err(self.wrong(operator, "values other than null", &Json::Null)),
        }
    }

    fn value(&self, operator: &'static str, operand: &Json) -> Result<Value, CriteriaError> {
        if let Json::Number(number) = operand {
            // With the feature `arbitrary_precision` of `serde_json`, which another crate may enable.
            if !(number.is_i64() || number.is_u64() || number.is_f64()) {
                let (field, number) = (self.name.to_owned(), number.to_string());
                return Err(CriteriaError::TooLarge { field, operator, number });
            }
        }
        let value = plain_json(operand).filter(|value| !value.is_null());
        let expected = "a string, a number or a bool (for null use is_null)";
        value.map(|value| value.to_value()).ok_or_else(|| self.wrong(operator, expected, operand))
    }

    fn wrong(&self, operator: &'static str, expected: &'static str, found: &Json) -> CriteriaError {
        CriteriaError::WrongOperand { field: self.name.to_owned(), operator, expected, found: json_type_name(found) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{TextOp, field};
    use serde_json::json;

    #[test]
    fn each_criterion_is_a_predicate() {
        let a = || field("a");
        for (criteria, expected) in [
            (json!({}), Predicate::All),
            (json!({ "a": "x" }), a().eq("x")),
            (json!({ "a": 1, "b.c": 2.5 }), a().eq(1) & field("b.c").eq(2.5)),
            (json!({ "a": null }), a().is_null()),
            (json!({ "a": [1, true, "x"] }), a().is_in([Value::from(1), true.into(), "x".into()])),
            (json!({ "a": [null, u64::MAX] }), a().is_in([u64::MAX]) | a().is_null()),
            (json!({ "a": { "gt": 1, "lte": i64::MIN } }), a().gt(1) & a().le(i64::MIN)),
            (json!({ "a": { "gte": 1.0, "lt": "x" } }), a().ge(1.0) & a().lt("x")),
            (json!({ "a": { "between": [1, 2], "ne": 3 } }), a().between(1, 2) & a().ne(3)),
            (json!({ "a": { "eq": 1, "in": [1, null] } }), a().eq(1) & (a().is_in([1]) | a().is_null())),
            (json!({ "a": { "not_in": [1, null] } }), !a().is_in([1]) & !a().is_null()),
            (json!({ "a": { "is_null": true } }), a().is_null()),
            (json!({ "a": { "is_null": false } }), !a().is_null()),
            (json!({ "a": { "like": "x%" } }), a().like("x%")),
            (json!({ "a": { "starts_with": "x" } }), a().starts_with("x")),
            (json!({ "a": { "ends_with": "x" } }), a().ends_with("x")),
            (json!({ "a": { "contains_str": "x" } }), a().contains_str("x")),
            (json!({ "a": { "eq_str": "x" } }), Predicate::Text("a".into(), TextTest::new(TextOp::Eq, "x"))),
            (json!({ "a": { "eq_ignore_case": "x" } }), a().eq_ignore_case("x")),
            (json!({ "a": { "like_ignore_case": "x" } }), a().like_ignore_case("x")),
            (json!({ "a": { "starts_with_ignore_case": "x" } }), a().starts_with_ignore_case("x")),
            (json!({ "a": { "ends_with_ignore_case": "x" } }), a().ends_with_ignore_case("x")),
            (json!({ "a": { "contains_str_ignore_case": "x" } }), a().contains_str_ignore_case("x")),
            (json!({ "a": { "contains": 1 } }), a().contains(1)),
            (json!({ "a": { "any": [1, 2] } }), a().any([1, 2])),
            (json!({ "a": { "all": [] } }), a().all(Vec::<i64>::new())),
            (
                json!({ "a": { "elem_match": { "b": 1, "c": null } } }),
                Predicate::elem_match("a", field("b").eq(1) & field("c").is_null()),
            ),
            (json!({ "a": { "not": { "gt": 1, "lt": 3 } } }), !(a().gt(1) & a().lt(3))),
            (json!({ "$not": { "a": 1 } }), !a().eq(1)),
            (json!({ "$or": [{ "a": 1 }, { "b": 2 }] }), a().eq(1) | field("b").eq(2)),
            (json!({ "$and": [{ "a": 1 }, {}] }), a().eq(1)),
            (json!({ "$or": [] }), Predicate::none()),
        ] {
            assert_eq!(Predicate::from_criteria(&criteria), Ok(expected), "{criteria}");
        }
    }

    #[test]
    fn invalid_criteria_are_refused() {
        for (criteria, expected) in [
            (json!([]), "the criteria must be a JSON object of fields and their criteria, not an array"),
            (json!({ "$not": 1 }), "$not must be a JSON object of fields and their criteria, not a number"),
            (json!({ "$or": [1] }), "$or must be a JSON object of fields and their criteria, not a number"),
            (json!({ "$or": {} }), "$or takes an array of maps, not an object"),
            (
                json!({ "$nor": [] }),
                "unknown operator \"$nor\": criteria are joined by $and, $or and $not, and no field name begins with $",
            ),
            (json!({ "a": {} }), "field \"a\" has an empty map of operators: add an operator, or remove the field"),
            (
                json!({ "a": { "not": {} } }),
                "field \"a\" has an empty map of operators: add an operator, or remove the field",
            ),
            (json!({ "a": { "not": 1 } }), "not of field \"a\" takes an object of operators, not a number"),
            (json!({ "a": { "is_null": 1 } }), "is_null of field \"a\" takes a bool, not a number"),
            (json!({ "a": { "like": 1 } }), "like of field \"a\" takes a string, not a number"),
            (json!({ "a": { "all": [null] } }), "all of field \"a\" takes values other than null, not null"),
            (json!({ "a": { "in": "x" } }), "in of field \"a\" takes an array of values, not a string"),
            (
                json!({ "a": { "between": [1] } }),
                "between of field \"a\" takes an array of the first and the last value, not an array",
            ),
            (
                json!({ "a": [[1]] }),
                "in of field \"a\" takes a string, a number or a bool (for null use is_null), not an array",
            ),
            (
                json!({ "a": { "gt": null } }),
                "gt of field \"a\" takes a string, a number or a bool (for null use is_null), not null",
            ),
        ] {
            assert_eq!(Predicate::from_criteria(&criteria).unwrap_err().to_string(), expected);
        }
        for (operator, suggestion) in [("$gt", "gt"), ("betwen", "between"), ("startswith", "starts_with")] {
            let unknown = Predicate::from_criteria(&json!({ "a": { operator: 1 } })).unwrap_err().to_string();
            let begin =
                format!("field \"a\" has the unknown operator {operator:?}; the operators are eq, ne, gt, gte, ");
            assert!(unknown.starts_with(&begin), "{unknown}");
            assert!(unknown.ends_with(&format!("; did you mean `{suggestion}`?")), "{unknown}");
        }
        let join = Predicate::from_criteria(&json!({ "a": { "or": [] } })).unwrap_err();
        assert!(matches!(join, CriteriaError::UnknownOperator { .. }), "{join}");
    }

    /// On a small stack, and without being dropped by recursion either.
    #[test]
    fn depth_is_bounded() {
        let all = || {
            let nest: [fn(Json) -> Json; 4] = [
                |inner| Json::Object([("$not".into(), inner)].into_iter().collect()),
                |inner| Json::Object([("$or".into(), Json::Array(vec![inner]))].into_iter().collect()),
                |inner| Json::Object([("not".into(), inner)].into_iter().collect()),
                |inner| Json::Array(vec![inner]),
            ];
            for (kind, nest) in nest.into_iter().enumerate() {
                for levels in [MAX_PREDICATE_DEPTH, 1_000, 100_000] {
                    let mut criteria = (0..levels).fold(json!(1), |inner, _| nest(inner));
                    if kind > 1 {
                        criteria = Json::Object([("a".into(), criteria)].into_iter().collect());
                    }
                    let refused = Predicate::from_criteria(&criteria).unwrap_err();
                    assert!(kind == 3 || refused == CriteriaError::TooDeep { limit: MAX_PREDICATE_DEPTH }, "{refused}");
                    // `serde_json` itself drops by recursion.
                    let mut rest = vec![criteria];
                    while let Some(json) = rest.pop() {
                        match json {
                            Json::Array(items) => rest.extend(items),
                            Json::Object(fields) => rest.extend(fields.into_iter().map(|(_, field)| field)),
                            _ => {}
                        }
                    }
                }
            }
        };
        std::thread::Builder::new().stack_size(2 << 20).spawn(all).unwrap().join().unwrap();
    }
}

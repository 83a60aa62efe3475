//! What documents mean, by plain loops over their JSON, from the documentation.

use crate::results::fit;
use memdex::query::Predicate;
use memdex::schema::Collation;
use memdex::{FieldDef, Json, Kind, Schema, Value};
use memdex_test::Row;
use std::ops::Bound;

/// RFC 7396, section 2.
pub(crate) fn merged(target: &Json, patch: &Json) -> Json {
    let Json::Object(changes) = patch else { return patch.clone() };
    let mut result = target.as_object().cloned().unwrap_or_default();
    for (name, change) in changes {
        match change {
            Json::Null => drop(result.remove(name)),
            change => {
                let before = result.get(name).cloned().unwrap_or(Json::Null);
                result.insert(name.clone(), merged(&before, change));
            }
        }
    }
    Json::Object(result)
}

/// The values at a path, through all arrays.
fn each<'a>(json: &'a Json, path: &str, found: &mut Vec<&'a Json>) {
    match json {
        Json::Array(items) => items.iter().for_each(|item| each(item, path, found)),
        _ if path.is_empty() => found.push(json),
        Json::Object(fields) => {
            let (step, rest) = path.split_once('.').unwrap_or((path, ""));
            if let Some(next) = fields.get(step) {
                each(next, rest, found);
            }
        }
        _ => {}
    }
}

/// The value at the path of a field of single values: an array, if there is one on the way.
fn single<'a>(json: &'a Json, path: &str) -> Option<&'a Json> {
    let mut at = json;
    for step in path.split('.') {
        match at {
            Json::Object(fields) => at = fields.get(step)?,
            Json::Array(_) => break,
            _ => return None,
        }
    }
    Some(at)
}

/// The JSON as a value of this kind; `None` for a conflict.
fn as_kind(json: &Json, kind: Kind) -> Option<Value> {
    let integer = || json.as_i64().map(Value::from).or_else(|| json.as_u64().map(Value::from));
    match (kind, json) {
        (Kind::Bool, Json::Bool(is)) => Some(Value::from(*is)),
        (Kind::Int, Json::Number(_)) => integer(),
        (Kind::Float, Json::Number(_)) => json.as_f64().map(Value::from),
        (Kind::Decimal, Json::Number(number)) => {
            let text = if integer().is_some() { number.to_string() } else { json.as_f64()?.to_string() };
            Value::from_text(kind, &text)
        }
        (Kind::Str, Json::String(text)) => Some(Value::from(text.as_str())),
        (Kind::Char | Kind::Timestamp | Kind::Date | Kind::Uuid | Kind::Bytes | Kind::Decimal, Json::String(text)) => {
            Value::from_text(kind, text)
        }
        _ => None,
    }
}

/// The values of a declared field; an error for a conflict.
pub(crate) fn values(body: &Json, field: &FieldDef) -> Result<Vec<Value>, ()> {
    let mut found = Vec::new();
    if field.is_many() {
        each(body, field.name(), &mut found);
    } else {
        found.extend(single(body, field.name()));
    }
    let present = found.into_iter().filter(|json| !json.is_null());
    let values: Vec<Option<Value>> = present.map(|json| as_kind(json, field.kind())).collect();
    if values.contains(&None) && !field.skips_conflicts() {
        return Err(());
    }
    Ok(values.into_iter().flatten().collect())
}

/// Whether the schema admits a document.
pub(crate) fn is_valid(body: &Json, schema: &Schema) -> bool {
    schema
        .fields()
        .iter()
        .all(|field| values(body, field).is_ok_and(|values| field.is_nullable() || !values.is_empty()))
}

/// The values that a predicate finds under a name; with the kind if the name is declared.
fn found(body: &Json, schema: &Schema, above: &str, name: &str) -> (Vec<Value>, Option<Kind>, Option<Collation>) {
    let full = format!("{above}{name}");
    let mut all = Vec::new();
    match schema.position(&full).map(|at| &schema.fields()[at]) {
        Some(field) if above.is_empty() => {
            (values(body, field).expect("a stored document is valid"), Some(field.kind()), field.collation())
        }
        Some(field) => {
            each(body, name, &mut all);
            let values = all.into_iter().filter_map(|json| as_kind(json, field.kind())).collect();
            (values, Some(field.kind()), field.collation())
        }
        None => {
            each(body, name, &mut all);
            let plain = |json: &Json| match json {
                Json::Bool(is) => Some(Value::from(*is)),
                Json::String(text) => Some(Value::from(text.as_str())),
                Json::Number(_) => as_kind(json, Kind::Int).or_else(|| as_kind(json, Kind::Float)),
                _ => None,
            };
            (all.into_iter().filter_map(plain).collect(), None, None)
        }
    }
}

/// Values of different sorts are unequal, and in no order.
fn is_comparable(a: &Value, b: &Value) -> bool {
    let is_number = |value: &Value| matches!(value.kind(), Some(Kind::Int | Kind::Float | Kind::Decimal));
    a.kind() == b.kind() || is_number(a) && is_number(b)
}

/// Whether a document matches a predicate; `None` if an operand does not fit its field, so that a store must refuse it.
pub(crate) fn matches(body: &Json, schema: &Schema, above: &str, predicate: &Predicate) -> Option<bool> {
    Some(match predicate {
        Predicate::And(parts) => parts
            .iter()
            .map(|part| matches(body, schema, above, part))
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .all(|is| is),
        Predicate::Or(parts) => parts
            .iter()
            .map(|part| matches(body, schema, above, part))
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .any(|is| is),
        Predicate::Not(part) => !matches(body, schema, above, part)?,
        Predicate::ElemMatch(list, part) => {
            let (mut elements, above) = (Vec::new(), format!("{above}{list}."));
            each(body, list, &mut elements);
            let objects = elements.into_iter().filter(|element| element.is_object());
            let each: Vec<_> = objects.map(|element| matches(element, schema, &above, part)).collect::<Option<_>>()?;
            each.into_iter().any(|is| is)
        }
        Predicate::All => true,
        Predicate::TooDeep => return None,
        leaf => test(body, schema, above, leaf)?,
    })
}

/// A test of one field: by the model of memdex-test, over the values that compare with the operands.
fn test(body: &Json, schema: &Schema, above: &str, predicate: &Predicate) -> Option<bool> {
    let mut name = None;
    predicate.each_field(&mut |of| name = Some(of.clone()));
    let name = name?;
    let (mut values, kind, collation) = found(body, schema, above, &name);
    let fit = |value: &Value| match kind {
        Some(kind) => fit(kind, value),
        None => (!value.is_null()).then(|| value.clone()),
    };
    let all = |values: &[Value]| values.iter().map(fit).collect::<Option<Vec<_>>>();
    let name = || name.clone();
    let leaf = match predicate {
        Predicate::Eq(_, value) => Predicate::AnyOf(name(), vec![fit(value)?]),
        Predicate::Ne(_, value) => Predicate::Ne(name(), fit(value)?),
        Predicate::In(_, values) | Predicate::AnyOf(_, values) => Predicate::AnyOf(name(), all(values)?),
        Predicate::AllOf(_, values) => Predicate::AllOf(name(), all(values)?),
        Predicate::Range(_, from, to) => {
            let bound = |bound: &Bound<Value>| {
                Some(match bound {
                    Bound::Unbounded => Bound::Unbounded,
                    Bound::Included(value) => Bound::Included(fit(value)?),
                    Bound::Excluded(value) => Bound::Excluded(fit(value)?),
                })
            };
            let (from, to) = (bound(from)?, bound(to)?);
            for bound in [&from, &to] {
                if let Bound::Included(bound) | Bound::Excluded(bound) = bound {
                    values.retain(|value| is_comparable(value, bound));
                }
            }
            Predicate::Range(name(), from, to)
        }
        other => other.clone(),
    };
    // The model panics for nothing here. A text test is one of strings only.
    let of = FieldDef::new(name().to_string(), kind.unwrap_or(Kind::Str)).many();
    let schema = Schema::new([collation.map_or(of.clone(), |collation| of.collate(collation))]);
    Some(Row::new().with_each(name(), values).matches(&schema, &leaf))
}

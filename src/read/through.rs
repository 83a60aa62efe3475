//! Conditions on fields of records that are reached through a reference: `account.country = "CH"`, where `account` refers to an account.
//!
//! Such a condition is a semi-join. The accounts that meet it are found first, by their own indexes, at the same snapshot; then it is replaced
//! by the condition that `account` is one of their keys, which the index of the referring field answers. So everything behind it, such as
//! plans and explanations, knows only conditions on own fields.
//!
//! What follows changes of one collection, such as cached answers, watches and subscriptions, can't follow those of the other one. It binds
//! conditions without this step, which refuses these.

use super::choice::Chooser;
use super::execute;
use super::planner;
use super::snapshot::AnyView;
use crate::error::QueryError;
use crate::record::{Condition, Schema};
use memdex_query::query::{FieldName, Predicate};
use memdex_query::value::Value;
use std::borrow::Cow;

/// The predicate without conditions through references.
pub(super) fn replaced<'p>(view: AnyView<'_>, filter: &'p Predicate) -> Result<Cow<'p, Predicate>, QueryError> {
    let schema = &view.table.schema;
    let mut goes_through = false;
    if !schema.references().is_empty() {
        filter.each_field(&mut |name| goes_through |= schema.through(name).is_some());
    }
    if goes_through { replace(view, filter).map(Cow::Owned) } else { Ok(Cow::Borrowed(filter)) }
}

/// Refuses conditions through references.
pub(super) fn refuse(view: AnyView<'_>, filter: &Predicate) -> Result<(), QueryError> {
    let (name, schema) = (&*view.table.name, &view.table.schema);
    if schema.references().is_empty() { Ok(()) } else { Condition::new(name, schema, filter).map(drop) }
}

fn replace(view: AnyView<'_>, filter: &Predicate) -> Result<Predicate, QueryError> {
    let schema = &view.table.schema;
    let all = |parts: &[Predicate]| parts.iter().map(|part| replace(view, part)).collect::<Result<Vec<_>, _>>();
    match filter {
        Predicate::And(parts) => {
            // Conditions on one record that a field with a single value refers to are one condition.
            let mut rest = Vec::new();
            let mut together: Vec<(&FieldName, Predicate)> = Vec::new();
            for part in parts.iter() {
                match one_field(schema, part) {
                    Some(field) => match together.iter_mut().find(|(known, _)| *known == field) {
                        Some((_, all)) => *all = std::mem::take(all) & part.clone(),
                        None => together.push((field, part.clone())),
                    },
                    None => rest.push(replace(view, part)?),
                }
            }
            let joined = together.into_iter().map(|(_, part)| semi_join(view, part));
            Ok(Predicate::all_of(joined.chain(rest.into_iter().map(Ok)).collect::<Result<Vec<_>, _>>()?))
        }
        Predicate::Or(parts) => Ok(Predicate::any_of(all(parts)?)),
        Predicate::Not(part) => Ok(!replace(view, part)?),
        test => semi_join(view, test.clone()),
    }
}

/// The field through which a test goes, if that refers to one record.
fn one_field<'s>(schema: &'s Schema, part: &Predicate) -> Option<&'s FieldName> {
    let mut name = None;
    part.each_field(&mut |field| name = Some(field));
    let is_test = !matches!(part, Predicate::And(_) | Predicate::Or(_) | Predicate::Not(_));
    let (reference, _) = schema.through(name.filter(|_| is_test)?)?;
    let (_, def) = schema.find(&reference.fields()[0])?;
    (!def.is_many()).then(|| &reference.fields()[0])
}

/// The condition that a field has one of the keys of the records that meet a condition, which names their fields through the field. Others
/// stay as they are.
fn semi_join(view: AnyView<'_>, condition: Predicate) -> Result<Predicate, QueryError> {
    let schema = &view.table.schema;
    let mut name = None;
    condition.each_field(&mut |field| name = Some(field.clone()));
    let Some((reference, _)) = name.as_ref().and_then(|name| schema.through(name)) else { return Ok(condition) };
    let field = &reference.fields()[0];
    let Some(table) = view.engine.table(reference.to()) else { return Ok(Predicate::In(field.clone(), Vec::new())) };
    let under = table.under(view.at.epoch);
    let to = AnyView::at(view.engine, view.at, &table, &under);
    let theirs = condition.map_fields(&|name| name[field.len() + 1..].to_owned().into());
    let condition = Condition::new(&to.table.name, &to.table.schema, &*replaced(to, &theirs)?)?;
    let mut versions = Vec::new();
    for part in to.parts() {
        let plan = planner::plan(part.table, &condition, &Chooser::Cheapest);
        versions.append(&mut execute::execute(part, &condition, &plan).fetch(part));
    }
    let keys: Vec<Value> = versions.iter().filter_map(|version| version.key.parts().into_iter().next()).collect();
    view.table.counters.drop_each(versions);
    Ok(Predicate::In(field.clone(), keys))
}

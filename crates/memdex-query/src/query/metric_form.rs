//! The serde forms of metrics and their aggregates.

use super::{Aggregate, Metric, Predicate};
use crate::error::DidYouMean;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// `{verb: operand}`, or the verb of an aggregate without an operand.
impl Serialize for Aggregate {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match (self, self.field()) {
            (Aggregate::Percentile(field, percent), _) => to.collect_map([(self.verb(), (field, percent))]),
            (Aggregate::First(field, order), _) => to.collect_map([(self.verb(), (field, order))]),
            (Aggregate::Ratio(numerator, denominator), _) => to.collect_map([(self.verb(), (numerator, denominator))]),
            (_, Some(field)) => to.collect_map([(self.verb(), field)]),
            (_, None) => to.serialize_str(self.verb()),
        }
    }
}

const NO_NAME: Cow<'static, str> = Cow::Borrowed("");

/// One aggregate of each kind with an operand.
const WITH_OPERAND: [Aggregate; 12] = [
    Aggregate::CountOf(NO_NAME),
    Aggregate::Sum(NO_NAME),
    Aggregate::Avg(NO_NAME),
    Aggregate::Min(NO_NAME),
    Aggregate::Max(NO_NAME),
    Aggregate::StdDev(NO_NAME),
    Aggregate::StdDevPop(NO_NAME),
    Aggregate::Distinct(NO_NAME),
    Aggregate::Percentile(NO_NAME, 0.0),
    Aggregate::Mode(NO_NAME),
    Aggregate::First(NO_NAME, Vec::new()),
    Aggregate::Ratio(NO_NAME, NO_NAME),
];

fn with_operand(verb: &str) -> Option<Aggregate> {
    WITH_OPERAND.into_iter().find(|aggregate| aggregate.verb() == verb)
}

fn unknown<E: Error>(verb: &str) -> E {
    let known: Vec<String> = WITH_OPERAND.iter().map(|aggregate| aggregate.verb().to_owned()).collect();
    let list = known.join(", ");
    E::custom(format_args!("unknown aggregate {verb:?}; the aggregates are {list}{}", DidYouMean(verb, &known)))
}

struct AggregateVisitor;

impl<'de> Visitor<'de> for AggregateVisitor {
    type Value = Aggregate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an aggregate: \"count\", or an object of one function and its field")
    }

    fn visit_str<E: Error>(self, verb: &str) -> Result<Aggregate, E> {
        if verb == Aggregate::Count.verb() {
            return Ok(Aggregate::Count);
        }
        match with_operand(verb) {
            Some(_) => {
                Err(E::custom(format_args!("the aggregate {verb:?} has no field: write {{{verb:?}: \"field\"}}")))
            }
            None => Err(unknown(verb)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Aggregate, A::Error> {
        let verb: String = map.next_key()?.ok_or_else(|| A::Error::custom("an aggregate has no function: add one"))?;
        let aggregate = match with_operand(&verb) {
            None => return Err(unknown(&verb)),
            Some(Aggregate::Percentile(..)) => {
                let (field, percent) = map.next_value()?;
                Aggregate::Percentile(field, percent)
            }
            Some(Aggregate::First(..)) => {
                let (field, order) = map.next_value()?;
                Aggregate::First(field, order)
            }
            Some(Aggregate::Ratio(..)) => {
                let (numerator, denominator) = map.next_value()?;
                Aggregate::Ratio(numerator, denominator)
            }
            Some(mut of_field) => {
                if let Some(field) = of_field.field_mut() {
                    *field = map.next_value()?;
                }
                of_field
            }
        };
        match map.next_entry::<String, IgnoredAny>()? {
            None => Ok(aggregate),
            Some((more, _)) => Err(A::Error::custom(format_args!(
                "an aggregate has the functions {verb:?} and {more:?}: make two metrics"
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for Aggregate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AggregateVisitor)
    }
}

/// Without the name, if it is the default one.
impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Metric { name, aggregate, filter } = self;
        let is_named = *name != aggregate.name();
        let mut form = to.serialize_struct("Metric", 1 + usize::from(is_named) + usize::from(filter.is_some()))?;
        if is_named {
            form.serialize_field("name", name)?;
        }
        form.serialize_field("aggregate", aggregate)?;
        if let Some(filter) = filter {
            form.serialize_field("filter", filter)?;
        }
        form.end()
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Metric", deny_unknown_fields)]
        struct Form {
            #[serde(default)]
            name: Option<Cow<'static, str>>,
            aggregate: Aggregate,
            #[serde(default)]
            filter: Option<Predicate>,
        }
        let Form { name, aggregate, filter } = Form::deserialize(from)?;
        Ok(Metric { name: name.unwrap_or_else(|| aggregate.name()), aggregate, filter })
    }
}

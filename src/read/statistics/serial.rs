//! Serde form of `MetricValues`: `{"metrics": {"count": 3}, "hits": […], "groups": […], "groups_in_all": 1}`, without `hits` if there
//! are none. Hits can't be read back, because they belong to a store.

use super::answer::{Group, MetricValues};
use memdex_query::value::Value;
use serde::de::{MapAccess, Visitor};
use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

impl Serialize for MetricValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hits = usize::from(!self.hits.is_empty());
        if hits > 0 && !serializer.is_human_readable() {
            return Err(serde::ser::Error::custom("hits have no binary form: ask for first values instead"));
        }
        let mut values = serializer.serialize_struct("MetricValues", 3 + hits)?;
        values.serialize_field("metrics", &Written(self))?;
        if hits > 0 {
            values.serialize_field("hits", &self.hits)?;
        }
        values.serialize_field("groups", &self.groups)?;
        values.serialize_field("groups_in_all", &self.groups_in_all)?;
        values.end()
    }
}

struct Written<'a>(&'a MetricValues);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let metrics = self.0.metrics();
        let mut map = serializer.serialize_map(Some(metrics.len()))?;
        for (name, value) in metrics {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for MetricValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { metrics: Read(names, values), groups, groups_in_all } = Parts::deserialize(deserializer)?;
        let names = names.into_iter().map(Into::into).collect();
        Ok(MetricValues { names, values: values.into(), hits: Vec::new(), groups, groups_in_all })
    }
}

#[derive(Deserialize)]
#[serde(rename = "MetricValues", deny_unknown_fields)]
struct Parts {
    metrics: Read,
    groups: Vec<Group>,
    groups_in_all: usize,
}

/// The metrics, in order, which `std` maps would not preserve.
struct Read(Vec<String>, Vec<Value>);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Metrics;

        impl<'de> Visitor<'de> for Metrics {
            type Value = Read;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("metrics by their names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
                let mut read = Read(Vec::new(), Vec::new());
                while let Some((name, value)) = map.next_entry()? {
                    read.0.push(name);
                    read.1.push(value);
                }
                Ok(read)
            }
        }

        deserializer.deserialize_map(Metrics)
    }
}

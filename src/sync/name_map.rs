//! A concurrent map by name, for registries.
//!
//! It clones values out, so that no caller holds a reference into the map: the lock of a shard must not be held while other
//! code runs, which may take locks itself. The checkers see one lock instead of the shards.

#[cfg(any(memdex_shuttle, memdex_loom))]
use super::RwLock;
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
use dashmap::DashMap;
#[cfg(any(memdex_shuttle, memdex_loom))]
use std::collections::HashMap;

#[cfg(not(any(memdex_shuttle, memdex_loom)))]
type Map<V> = DashMap<Box<str>, V>;
#[cfg(any(memdex_shuttle, memdex_loom))]
type Map<V> = RwLock<HashMap<Box<str>, V>>;

pub(crate) struct NameMap<V>(Map<V>);

impl<V> Default for NameMap<V> {
    fn default() -> Self {
        NameMap(Map::default())
    }
}

#[cfg(not(any(memdex_shuttle, memdex_loom)))]
impl<V: Clone> NameMap<V> {
    pub(crate) fn get(&self, name: &str) -> Option<V> {
        self.0.get(name).map(|entry| entry.value().clone())
    }

    /// The value of a name; `new` becomes its value if it has none.
    pub(crate) fn get_or_insert(&self, name: &str, new: V) -> V {
        self.0.entry(name.into()).or_insert(new).value().clone()
    }

    pub(crate) fn remove(&self, name: &str) -> Option<V> {
        self.0.remove(name).map(|(_, value)| value)
    }

    pub(crate) fn values(&self) -> Vec<V> {
        self.0.iter().map(|entry| entry.value().clone()).collect()
    }

    #[cfg(feature = "saved")]
    pub(crate) fn entries(&self) -> Vec<(Box<str>, V)> {
        self.0.iter().map(|entry| (entry.key().clone(), entry.value().clone())).collect()
    }
}

#[cfg(any(memdex_shuttle, memdex_loom))]
impl<V: Clone> NameMap<V> {
    pub(crate) fn get(&self, name: &str) -> Option<V> {
        self.0.read().get(name).cloned()
    }

    pub(crate) fn get_or_insert(&self, name: &str, new: V) -> V {
        self.0.write().entry(name.into()).or_insert(new).clone()
    }

    pub(crate) fn remove(&self, name: &str) -> Option<V> {
        self.0.write().remove(name)
    }

    pub(crate) fn values(&self) -> Vec<V> {
        self.0.read().values().cloned().collect()
    }

    #[cfg(feature = "saved")]
    pub(crate) fn entries(&self) -> Vec<(Box<str>, V)> {
        self.0.read().iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

//! References between the collections of a store.
//!
//! A reference is known from the moment at which its collection is opened. The other collection is found by its name at each commit,
//! so it may be opened later, or be dropped and opened again.

use super::table::Table;
use crate::error::{Cause, CollectionError, ReferenceMismatch};
use crate::hash::RandomState;
use crate::record::{FieldAt, FieldSource, KeyBuffer, Schema};
use crate::sync::{Arc, AtomicBool, Mutex, MutexGuard, Ordering::SeqCst, RwLock};
use memdex_query::query::{FieldName, Predicate};
use memdex_query::schema::{FieldDef, OnDelete, OnUpdate, Reference};
use memdex_query::value::{Key, Value};
use smallvec::SmallVec;

/// One reference of a collection.
pub(crate) struct Edge {
    /// The name of the constraint.
    pub(crate) name: String,
    /// The collection whose records refer.
    pub(crate) of: Arc<str>,
    /// The collection to which they refer.
    pub(crate) to: Arc<str>,
    pub(crate) on_delete: OnDelete,
    pub(crate) on_update: OnUpdate,
    pub(crate) fields: Vec<FieldAt>,
    names: Vec<FieldName>,
    defs: Vec<FieldDef>,
}

/// The keys to which a record refers, with their hashes.
pub(crate) type ReferredKeys = SmallVec<[(Key, u32); 1]>;

#[derive(Default)]
pub(crate) struct Links {
    /// Whether there are any, so that a commit without references loads one atomic.
    any: AtomicBool,
    edges: RwLock<Arc<[Arc<Edge>]>>,
    /// Held while a collection is opened, or gets a property that a reference forbids.
    changing: Mutex<()>,
}

impl Edge {
    fn new(of: &str, schema: &Schema, reference: &Reference, name: String) -> Self {
        let (fields, defs) =
            reference.fields().iter().filter_map(|name| schema.find(name)).map(|(at, def)| (at, def.clone())).unzip();
        Edge {
            name,
            of: of.into(),
            to: reference.to().into(),
            on_delete: reference.deletes(),
            on_update: reference.updates(),
            fields,
            names: reference.fields().to_vec(),
            defs,
        }
    }

    /// The keys to which a record refers: none if a field is missing, and one for each value of a field of many. Runs extractors.
    pub(crate) fn keys(&self, seed: &RandomState, record: &dyn FieldSource) -> ReferredKeys {
        let mut keys = ReferredKeys::new();
        let mut add = |parts: &[memdex_query::value::ValueRef<'_>]| {
            let mut key = KeyBuffer::new(seed);
            parts.iter().for_each(|part| key.push(*part));
            let key = (key.to_key(), key.hash());
            if !keys.contains(&key) {
                keys.push(key);
            }
        };
        match (&self.fields[..], &self.defs[..]) {
            ([at], [def]) if def.is_many() => record.values_at(at, &mut |value| {
                if !value.is_null() {
                    add(&[value]);
                }
            }),
            (fields, _) => {
                let parts: SmallVec<[_; 2]> = fields.iter().map(|at| record.value_at(at)).collect();
                if !parts.iter().any(|part| part.is_null()) {
                    add(&parts);
                }
            }
        }
        keys
    }

    /// True for the records that refer to a key.
    pub(crate) fn predicate(&self, key: &Key) -> Predicate {
        let parts = self.names.iter().cloned().zip(key.parts());
        match &self.defs[..] {
            [def] if def.is_many() => Predicate::all_of(parts.map(|(name, part)| Predicate::AnyOf(name, vec![part]))),
            _ => Predicate::all_of(parts.map(|(name, part)| Predicate::Eq(name, part))),
        }
    }

    /// Whether the record of a key may not be taken away, or may not move, as long as another one refers to it.
    pub(crate) fn restricts(&self, moves: bool) -> bool {
        if moves { self.on_update == OnUpdate::Restrict } else { self.on_delete == OnDelete::Restrict }
    }

    /// The values of the fields that refer to a key.
    pub(crate) fn values(&self, key: Option<&Key>) -> Vec<Value> {
        key.map_or_else(|| vec![Value::NULL; self.fields.len()], Key::parts)
    }

    /// Why the key of `to` is not one to which this refers.
    fn mismatch(&self, to: &Schema) -> Result<(), ReferenceMismatch> {
        let parts: Vec<&FieldDef> = to.fields().iter().filter(|field| field.is_key()).collect();
        if parts.len() != self.defs.len() {
            return Err(ReferenceMismatch::Parts { fields: self.defs.len(), parts: parts.len() });
        }
        match self.defs.iter().zip(parts).find(|(field, part)| field.kind() != part.kind()) {
            None => Ok(()),
            Some((field, part)) => {
                let (kind, part) = (field.kind(), part.kind());
                Err(ReferenceMismatch::Kind { field: field.name().to_owned(), kind, part })
            }
        }
    }

    /// Whether a collection to which this refers could lose records that nobody deletes.
    fn check_stays(&self, to: &Table) -> Result<(), ReferenceMismatch> {
        let deadlines = &to.deadlines;
        let expires = deadlines.have_been_used() || deadlines.lifetime().is_some() || deadlines.field().is_some();
        match () {
            () if to.has_bound() => Err(ReferenceMismatch::Vanishes { what: "the bound" }),
            () if expires && self.on_delete == OnDelete::Restrict => {
                Err(ReferenceMismatch::Vanishes { what: "the lifetimes of its records" })
            }
            () => Ok(()),
        }
    }

    fn refused(&self, why: ReferenceMismatch) -> CollectionError {
        let (collection, to) = (self.of.to_string(), self.to.to_string());
        CollectionError::Reference { collection, constraint: self.name.clone(), to, why }
    }
}

impl Links {
    /// Those of a fork.
    pub(crate) fn fork(&self) -> Self {
        let _kept = self.keep();
        let forked = Links::default();
        forked.any.store(self.any(), SeqCst);
        *forked.edges.write() = self.edges();
        forked
    }

    /// Whether there are any references.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(SeqCst)
    }

    pub(crate) fn edges(&self) -> Arc<[Arc<Edge>]> {
        self.edges.read().clone()
    }

    /// Keeps references and what they forbid as they are.
    pub(crate) fn keep(&self) -> MutexGuard<'_, ()> {
        self.changing.lock()
    }

    /// Adds the references of a collection that is about to be opened. Call it while they are [kept](Self::keep). `can_write` says
    /// whether the store can change such records itself.
    pub(crate) fn add(
        &self,
        collection: &str,
        schema: &Schema,
        record: Option<&'static str>,
        table: impl Fn(&str) -> Option<Arc<Table>>,
    ) -> Result<(), CollectionError> {
        let before = self.edges();
        let named = schema.references().iter().zip(schema.reference_names(collection));
        let mut new = Vec::new();
        for (reference, name) in named {
            let edge = Edge::new(collection, schema, reference, name);
            if let Some(record) = record.filter(|_| reference.writes()) {
                return Err(edge.refused(ReferenceMismatch::NoCloner { record }));
            }
            let fits = match table(&edge.to) {
                _ if *edge.to == *collection => edge.mismatch(schema),
                Some(to) => edge.mismatch(&to.schema).and_then(|()| edge.check_stays(&to)),
                None => Ok(()),
            };
            fits.map_err(|why| edge.refused(why))?;
            new.push(Arc::new(edge));
        }
        for edge in before.iter().filter(|edge| *edge.to == *collection && *edge.of != *collection) {
            edge.mismatch(schema).map_err(|why| edge.refused(why))?;
        }
        if !new.is_empty() {
            *self.edges.write() = before.iter().cloned().chain(new).collect();
            self.any.store(true, SeqCst);
        }
        Ok(())
    }

    /// Drops the references of a collection.
    pub(crate) fn remove(&self, collection: &str) {
        let mut edges = self.edges.write();
        if edges.iter().any(|edge| *edge.of == *collection) {
            *edges = edges.iter().filter(|edge| *edge.of != *collection).cloned().collect();
        }
    }

    /// Refuses what can't be done to a collection to which others refer, or only some others.
    pub(crate) fn refuse_if_referred(
        &self,
        collection: &str,
        what: &'static str,
        concerns: impl Fn(&Edge) -> bool,
    ) -> Result<(), Cause> {
        if !self.any() {
            return Ok(());
        }
        match self.edges().iter().find(|edge| *edge.to == *collection && concerns(edge)) {
            None => Ok(()),
            Some(edge) => {
                Err(Cause::IsReferredTo { constraint: edge.name.clone(), collection: edge.of.to_string(), what })
            }
        }
    }
}

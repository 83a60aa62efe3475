//! What a reference has a record do when the record that it refers to is deleted, or moves to another key.

use crate::error::Cause;
use crate::storage::{AnyVersion, Draft, Edge, Table};
use crate::sync::Arc;
use crate::user_code;
use memdex_query::schema::{OnDelete, OnUpdate};
use memdex_query::value::{Key, Value};

pub(super) struct Follow {
    edge: Arc<Edge>,
    /// The key that the record no longer may refer to.
    from: Key,
    then: Then,
}

enum Then {
    Delete,
    Set(Vec<Value>, fn(&dyn AnyVersion) -> Option<Draft>),
}

/// What it makes of a record.
pub(super) enum Followed {
    /// It does not refer to the key.
    Unconcerned,
    Deleted,
    Changed(Draft),
}

impl Follow {
    /// For a record that refers to `from`, which is deleted or moves to another key. `None` if the reference restricts that.
    pub(super) fn new(table: &Table, edge: &Arc<Edge>, from: &Key, to: Option<&Key>) -> Option<Self> {
        let set = |key| table.record_type.cloner.map(|clone| Then::Set(edge.values(key), clone));
        let then = match (to, edge.on_delete, edge.on_update) {
            (None, OnDelete::Restrict, _) | (Some(_), _, OnUpdate::Restrict) => None,
            (None, OnDelete::Cascade, _) => Some(Then::Delete),
            (None, OnDelete::SetNull, _) => set(None),
            (Some(to), _, OnUpdate::Cascade) => set(Some(to)),
        };
        Some(Follow { edge: edge.clone(), from: from.clone(), then: then? })
    }

    /// Its name in descriptions and messages.
    pub(super) fn name(&self) -> &'static str {
        match &self.then {
            Then::Set(values, _) if values.iter().all(|value| value.as_ref().is_null()) => "set_null",
            _ => "cascade",
        }
    }

    /// What becomes of a record. Runs user code. The schema has not admitted the new record yet.
    pub(super) fn of(&self, table: &Table, record: &dyn AnyVersion) -> Result<Followed, Cause> {
        let keys = user_code::run(|| self.edge.keys(&table.seed, record));
        let keys = keys.map_err(|message| Cause::Panicked { what: "field extractor", message })?;
        if !keys.iter().any(|(key, _)| *key == self.from) {
            return Ok(Followed::Unconcerned);
        }
        let Then::Set(values, clone) = &self.then else { return Ok(Followed::Deleted) };
        let edited = user_code::run(|| {
            let mut edited = table.counters.hold(clone(record).ok_or(Cause::KeyMissing)?);
            for (at, value) in self.edge.fields.iter().zip(values) {
                let field = || table.schema.fields()[at.position()].name().to_owned();
                edited
                    .version_mut()
                    .set_at(at, value.as_ref())
                    .map_err(|error| Cause::Field { field: field(), error })?;
            }
            Ok(edited.into_inner())
        });
        let edited = edited.map_err(|message| Cause::Panicked { what: "record's `clone` or `set_value`", message })?;
        edited.map(Followed::Changed)
    }
}

//! Saving: the store, then each collection with its records.

use super::codec::encode;
use super::error::SaveError;
use super::forms::{Declared, Form, of_documents, of_key_values};
use super::head::{CollectionHead, Encoding, EndOfFile, SavedLifetime, StoreHead};
use super::layout::{Kind, Output};
use super::progress::{Progress, Saved};
use crate::read::Snapshot;
use crate::storage::{Table, TableCore};
use crate::sync::Arc;
use serde::Serialize;
use std::io::Write;

/// What an archive says of the collections, and to whom it reports.
pub(super) struct Saver<'a> {
    pub(super) declared: &'a dyn Fn(&str) -> Declared,
    pub(super) report: &'a dyn Fn(&Progress<'_>),
}

impl Saver<'_> {
    pub(super) fn save(&self, snapshot: &Snapshot, to: impl Write) -> Result<Saved, SaveError> {
        let engine = snapshot.engine();
        let mut tables = Vec::new();
        for table in engine.tables() {
            match (self.declared)(&table.name) {
                Declared::LeftOut => {}
                Declared::As(form) => tables.push((table, form)),
                Declared::Undeclared => {
                    let form = default_form(&table)?;
                    tables.push((table, form));
                }
            }
        }
        let total = tables.iter().map(|(table, _)| table.lengths.at(snapshot.commit()) as u64).sum();
        let mut output = Output::start(to)?;
        let sequences = engine.keys.sequences().into_iter().map(|(name, next)| (name.into(), next)).collect();
        let head = StoreHead { commit: snapshot.commit().get(), time: snapshot.time(), sequences, records: total };
        output.block(Kind::Store, &content(&head))?;
        let (collections, mut done) = (tables.len(), 0);
        for (table, form) in tables {
            let name = table.name.to_string();
            output.block(Kind::Collection, &content(&collection_head(&table, &*form)))?;
            let mut records = 0;
            form.save(snapshot, table, &mut |block, count| {
                output.block(Kind::Records, block)?;
                records += count as u64;
                (self.report)(&Progress { collection: &name, records: done + records, total });
                Ok(())
            })?;
            output.block(Kind::CollectionEnd, &content(&records))?;
            done += records;
        }
        output.block(Kind::End, &content(&EndOfFile { collections: collections as u64, records: done }))?;
        output.flush()?;
        let (commit, time, bytes) = (snapshot.commit(), snapshot.time(), output.bytes);
        Ok(Saved { commit, time, collections, records: done, bytes })
    }
}

/// The form of records that need no declaration.
fn default_form(table: &Table) -> Result<Arc<dyn Form>, SaveError> {
    let forms = [of_documents(None), of_key_values::<()>(None, Encoding::Binary)];
    let form = forms.into_iter().find(|form| form.record_type() == table.record_type.name);
    form.ok_or_else(|| SaveError::Undeclared {
        collection: table.name.to_string(),
        record_type: table.record_type.name,
    })
}

fn collection_head(table: &Table, form: &dyn Form) -> CollectionHead {
    let core: &TableCore = table;
    let indexes: Vec<_> = core.indexes().iter().map(|index| index.shape.def.clone()).collect();
    let aggregates: Vec<_> = core.aggregates().iter().map(|of| of.plan.def.clone()).collect();
    CollectionHead {
        name: table.name.to_string(),
        kind: form.kind(),
        record_type: table.record_type.name.to_owned(),
        encoding: form.encoding(),
        fields: form.fields(),
        schema: json(&table.schema),
        indexes: json(&indexes),
        aggregates: json(&aggregates),
        lifetime: lifetime(core),
    }
}

fn lifetime(core: &TableCore) -> SavedLifetime {
    let deadlines = &core.deadlines;
    let field = deadlines.field().and_then(|at| core.schema.fields().get(at.position()).cloned());
    match (field, deadlines.sliding(), deadlines.lifetime()) {
        (Some(field), ..) => SavedLifetime::Field(field.name().to_owned()),
        (None, Some(duration), _) => SavedLifetime::Sliding(duration),
        (None, None, Some(duration)) => SavedLifetime::Fixed(duration),
        (None, None, None) => SavedLifetime::Forever,
    }
}

/// Memdex's own types have forms that never fail.
fn content<T: Serialize>(value: &T) -> Vec<u8> {
    let mut content = Vec::new();
    match encode(value, &mut content) {
        Ok(()) => content,
        Err(error) => unreachable!("a head is plain data: {error}"),
    }
}

fn json<T: Serialize>(value: &T) -> String {
    match serde_json::to_string(value) {
        Ok(json) => json,
        Err(error) => unreachable!("a definition has a JSON form: {error}"),
    }
}

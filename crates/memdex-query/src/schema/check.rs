//! Checks a schema, before a collection is opened with it.

use super::{AggregateDef, Condition, FieldDef, IndexDef, IndexKind, OnDelete, Reference, Schema, ThreeValued};
use crate::error::{AggregateDefError, ReferenceFault, SchemaError};
use crate::limits;
use crate::value::Kind;

impl Schema {
    /// Checks that the schema has a key, that names are distinct, that indexes and aggregates fit the fields, and the
    /// limits.
    ///
    /// # Errors
    /// The first problem of the schema.
    pub fn check(&self) -> Result<(), SchemaError> {
        if self.fields().len() > limits::MAX_FIELDS {
            return Err(SchemaError::TooManyFields { fields: self.fields().len(), limit: limits::MAX_FIELDS });
        }
        if !self.fields().iter().any(FieldDef::is_key) {
            return Err(SchemaError::NoKey);
        }
        for (at, field) in self.fields().iter().enumerate() {
            let name = || field.name().to_owned();
            if field.name().is_empty() {
                return Err(SchemaError::UnnamedField { position: at });
            }
            if self.position(field.name()) != Some(at) {
                return Err(SchemaError::DuplicateField { field: name() });
            }
            if field.is_key() && field.is_many() {
                return Err(SchemaError::ListKey { field: name() });
            }
            if field.is_key() && field.is_nullable() {
                return Err(SchemaError::OptionalKey { field: name() });
            }
            if field.collation().is_some() && (field.is_key() || field.kind() != Kind::Str) {
                return Err(SchemaError::Collation { field: name(), kind: field.kind(), key: field.is_key() });
            }
            if field.is_column() && field.is_many() {
                return Err(SchemaError::ManyValues { what: "a column", field: name() });
            }
        }
        // Before the indexes, of which some are those of references.
        self.check_constraints()?;
        let indexes = self.indexes();
        for (at, index) in indexes.iter().enumerate() {
            self.check_index(index, &indexes[..at])?;
        }
        for (at, def) in self.aggregates().iter().enumerate() {
            let refused = |source| SchemaError::Aggregate { aggregate: def.name().to_owned(), source };
            self.check_aggregate(def, &self.aggregates()[..at]).map_err(refused)?;
        }
        Ok(())
    }

    fn check_constraints(&self) -> Result<(), SchemaError> {
        let numbers = [
            ("references", self.references().len(), limits::MAX_REFERENCES),
            ("checks", self.checks().len(), limits::MAX_CHECKS),
        ];
        if let Some((what, _, limit)) = numbers.into_iter().find(|(_, given, limit)| given > limit) {
            return Err(SchemaError::TooManyConstraints { what, limit });
        }
        for reference in self.references() {
            let refused = |fault| SchemaError::Reference { reference: reference.fields().join(", "), fault };
            self.check_reference(reference).map_err(refused)?;
        }
        let names = self.check_names("");
        for (check, name) in self.checks().iter().zip(&names) {
            let bound = ThreeValued::new(name, self, check.predicate());
            bound.map_err(|source| SchemaError::Check { check: name.clone(), source: Box::new(source) })?;
        }
        let mut given: Vec<&str> = self.references().iter().filter_map(Reference::name).collect();
        given.extend(self.checks().iter().filter_map(|check| check.name()));
        let duplicate = given.iter().enumerate().find(|(at, name)| given[..*at].contains(name) || name.is_empty());
        duplicate.map_or(Ok(()), |(_, name)| Err(SchemaError::DuplicateConstraint { constraint: (*name).to_owned() }))
    }

    fn check_reference(&self, reference: &Reference) -> Result<(), ReferenceFault> {
        if reference.fields().is_empty() || reference.to().is_empty() {
            return Err(ReferenceFault::Empty);
        }
        for (at, name) in reference.fields().iter().enumerate() {
            let field = || name.to_string();
            let Some((_, def)) = self.find(name) else {
                let known = self.fields().iter().map(|field| field.name().to_owned()).collect();
                return Err(ReferenceFault::UnknownField { field: field(), known });
            };
            let set_null = reference.deletes() == OnDelete::SetNull;
            let faults = [
                (reference.fields()[..at].contains(name), ReferenceFault::RepeatedField(field())),
                (def.collation().is_some(), ReferenceFault::Collation(field())),
                (def.is_many() && reference.fields().len() > 1, ReferenceFault::OneOfMany(field())),
                (def.is_many() && reference.writes(), ReferenceFault::WritesMany(field())),
                (def.is_key() && reference.writes(), ReferenceFault::WritesKey(field())),
                (!def.is_nullable() && set_null, ReferenceFault::NeverNull(field())),
            ];
            if let Some((_, fault)) = faults.into_iter().find(|(is_fault, _)| *is_fault) {
                return Err(fault);
            }
        }
        Ok(())
    }

    /// Checks an index that is to be added to `others`.
    ///
    /// # Errors
    /// The first problem of the index.
    pub fn check_index(&self, index: &IndexDef, others: &[IndexDef]) -> Result<(), SchemaError> {
        let name = || index.name().to_owned();
        if others.len() >= limits::MAX_INDEXES {
            return Err(SchemaError::TooManyIndexes { limit: limits::MAX_INDEXES });
        }
        if others.iter().any(|other| other.name() == index.name()) {
            return Err(SchemaError::DuplicateIndex { index: name() });
        }
        if index.name().is_empty() || index.fields().is_empty() {
            return Err(SchemaError::EmptyIndex { index: name() });
        }
        for (at, field) in index.fields().iter().enumerate() {
            let is_many = match (self.find(field), self.undeclared(field)) {
                (Some((_, def)), _) => def.is_many(),
                (None, Some(_)) => true,
                (None, None) => {
                    let known = self.fields().iter().map(|field| field.name().to_owned()).collect();
                    return Err(SchemaError::UnknownField { index: name(), field: field.to_string(), known });
                }
            };
            if index.fields()[..at].contains(field) {
                return Err(SchemaError::RepeatedField { index: name(), field: field.to_string() });
            }
            if is_many && (index.kind() == IndexKind::Unique || index.fields().len() > 1) {
                let what = if index.fields().len() > 1 { "an index of several fields" } else { "a unique index" };
                return Err(SchemaError::ManyValues { what, field: field.to_string() });
            }
        }
        match index.condition().map(|when| Condition::new(index.name(), self, when)) {
            Some(Err(source)) => Err(SchemaError::Condition { index: name(), source: Box::new(source) }),
            _ => Ok(()),
        }
    }

    /// Fails if the aggregate can't be added to `others`.
    ///
    /// # Errors
    /// If the aggregate cannot be maintained.
    pub fn check_aggregate(&self, def: &AggregateDef, others: &[AggregateDef]) -> Result<(), AggregateDefError> {
        if others.len() >= limits::MAX_AGGREGATES {
            return Err(AggregateDefError::TooMany { limit: limits::MAX_AGGREGATES });
        }
        if others.iter().any(|other| other.name() == def.name()) {
            return Err(AggregateDefError::Duplicate);
        }
        if def.name().is_empty() {
            return Err(AggregateDefError::Unnamed);
        }
        def.bind(self).map(drop)
    }
}

//! The checks of a collection: conditions that every record must meet.

use crate::error::Cause;
use crate::record::{FieldSource, Schema};
use crate::user_code;
use memdex_query::schema::{ThreeValued, Truth};

pub(crate) struct Checks(Box<[Check]>);

struct Check {
    name: String,
    /// As the schema has it, for errors.
    text: String,
    condition: ThreeValued,
}

impl Checks {
    /// Of a schema that has been checked.
    pub(super) fn new(collection: &str, schema: &Schema) -> Self {
        let named = schema.checks().iter().zip(schema.check_names(collection));
        let bound = named.filter_map(|(check, name)| {
            let condition = ThreeValued::new(collection, schema, check.predicate()).ok()?;
            Some(Check { name, text: format!("{:?}", check.predicate()), condition })
        });
        Checks(bound.collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses a record for which a check is false; one that is unknown passes. Runs extractors.
    pub(crate) fn check(&self, record: &dyn FieldSource) -> Result<(), Cause> {
        if self.0.is_empty() {
            return Ok(());
        }
        let failed = user_code::run(|| self.0.iter().find(|of| of.condition.truth(record) == Truth::False));
        match failed.map_err(|message| Cause::Panicked { what: "field extractor", message })? {
            None => Ok(()),
            Some(Check { name, text, .. }) => {
                Err(Cause::CheckFailed { constraint: name.clone(), condition: text.clone() })
            }
        }
    }
}

//! The command `patch` of collections, batches and writers, on documents.

use super::action::Action;
use super::batch::{Batch, Refused};
use super::commands::{IfUnchanged, change};
use super::operation::Operation;
use super::receipt::Receipt;
use super::writer::{Writer, WriterError};
use crate::error::{Commit, Refusal};
use crate::record::Document;
use crate::storage::Collection;
use memdex_query::value::{AnyKey, IntoKey};
use serde_json::Value as Json;

/// The command on documents only; the arguments are those of `store_and_update`.
macro_rules! patch_command {
    (
        impl $target:ty,
        receiver: ($($receiver:tt)*),
        collection: $collection:expr,
        seen: $seen:expr,
        add: $add:expr => $output:ty,
        checked: $checked:literal,
        errors: $errors:literal,
    ) => {
        impl $target {
            /// Merges a JSON merge patch (RFC 7396) into the document of a key: `null` removes a field, objects are merged, any
            /// other value replaces what is there, arrays included. It is an update: refused if no document has the key, if
            /// the patch changes the key, or if the result does not fit the schema.
            ///
            #[doc = $checked]
            ///
            /// # Errors
            #[doc = $errors]
            /// The patch must be an object, and not too deep.
            pub fn patch($($receiver)*, key: impl IntoKey<AnyKey>, patch: Json) -> $output {
                let key = $collection.table.counters.hold(key);
                ($add)(self::patch($collection, $seen, &*key, patch))
            }
        }
    };
}

/// An update that merges a patch into the document of a key.
fn patch<Q: IntoKey<AnyKey>>(
    collection: &Collection<Document>,
    seen: Option<Commit>,
    key: &Q,
    patch: Json,
) -> Result<Operation, Refusal> {
    let patch = Document::new(patch).map_err(|error| Refusal::new("patch", collection.name(), error))?;
    let action = Action::Update(change(move |document: &mut Document| document.merge(&patch)));
    Operation::of_key(&collection.table, key, seen, action)
}

patch_command! {
    impl Collection<Document>,
    receiver: (&self),
    collection: self,
    seen: None,
    add: |operation| self.commit_one(operation) => Result<Receipt, Refused>,
    checked: "The command is a commit of its own.",
    errors: "[`Refused`], with the cause, and a batch of this one operation.",
}

patch_command! {
    impl IfUnchanged<&Collection<Document>>,
    receiver: (self),
    collection: self.writes_to,
    seen: Some(self.seen),
    add: |operation| self.writes_to.commit_one(operation) => Result<Receipt, Refused>,
    checked: "The command is a commit of its own. Refused if the document has changed since.",
    errors: "[`Refused`], with the cause, and a batch of this one operation.",
}

macro_rules! gathered_patch {
    ($target:ident => $output:ty, $errors:literal) => {
        patch_command! {
            impl $target,
            receiver: (&mut self, collection: &Collection<Document>),
            collection: collection,
            seen: None,
            add: |operation| self.add(collection, operation) => $output,
            checked: "It is applied, or refused with its whole batch, when the batch is committed.",
            errors: $errors,
        }

        patch_command! {
            impl IfUnchanged<&mut $target>,
            receiver: (self, collection: &Collection<Document>),
            collection: collection,
            seen: Some(self.seen),
            add: |operation| self.writes_to.add(collection, operation) => $output,
            checked: "It is applied when the batch is committed, or refused with its whole batch if the document has changed since.",
            errors: $errors,
        }
    };
}

gathered_patch!(
    Batch => Result<(), Refusal>,
    "A [`Refusal`], and the operation is not added: the collection belongs to another store, the key or the \
     patch is invalid, or the batch is full."
);

gathered_patch!(
    Writer => Result<(), WriterError>,
    "[`WriterError::NotTaken`], and the operation is not added: the collection belongs to another store, the key or the \
     patch is invalid, or the buffer is full. [`WriterError::NotFlushed`] if the \
     operation is added and the flush after it is refused."
);

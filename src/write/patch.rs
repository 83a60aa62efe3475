//! Commands on documents alone.

use super::batch::{Batch, change};
use super::operation::{Action, Operation};
use super::receipt::{Receipt, Refused};
use super::writer::{Writer, WriterError};
use crate::error::{Commit, Refusal};
use crate::record::Document;
use crate::storage::Collection;
use crate::value::{AnyKey, IntoKey};
use serde_json::Value as Json;

/// An update that merges a patch into the document of a key.
fn patch<Q: IntoKey<AnyKey>>(
    collection: &Collection<Document>,
    seen: Option<Commit>,
    key: &Q,
    patch: Json,
) -> Result<Operation<Document>, Refusal> {
    let patch = Document::new(patch).map_err(|error| Refusal::new("patch", collection.name(), error))?;
    let action = Action::Update(change(move |document: &mut Document| document.merge(&patch)));
    Operation::of_key(&collection.table, key, seen, action)
}

/// The commands of `$gatherer`, which puts each operation where `add` says.
macro_rules! gathered_commands {
    ($gatherer:ty, $error:ty) => {
        impl $gatherer {
            /// Merges a JSON merge patch (RFC 7396) into the document of a key: `null` takes a field out, objects are merged,
            /// anything else replaces what is there, arrays included. It is an update: the batch is refused if there
            /// is no such document, if its key changes, or if it no longer fits the schema.
            ///
            /// # Errors
            /// If the operation is not taken: the patch is no object or too deep, the collection is another store's, the
            /// key can't be one, or the batch is full.
            pub fn patch(
                &mut self,
                collection: &Collection<Document>,
                key: impl IntoKey<AnyKey>,
                patch: Json,
            ) -> Result<(), $error> {
                self.add(collection, self::patch(collection, None, &key, patch))
            }

            /// As `patch`, provided that the document is as the caller saw it at commit `seen`.
            ///
            /// # Errors
            /// If the operation is not taken: the patch is no object or too deep, the collection is another store's, the
            /// key can't be one, or the batch is full.
            pub fn patch_if(
                &mut self,
                collection: &Collection<Document>,
                seen: Commit,
                key: impl IntoKey<AnyKey>,
                patch: Json,
            ) -> Result<(), $error> {
                self.add(collection, self::patch(collection, Some(seen), &key, patch))
            }
        }
    };
}

gathered_commands!(Batch, Refusal);
gathered_commands!(Writer, WriterError);

/// Commands on documents alone, a commit each.
impl Collection<Document> {
    /// Merges a JSON merge patch (RFC 7396) into the document of a key: `null` takes a field out, objects are merged, anything else
    /// replaces what is there, arrays included. Refused if there is no such document, if its key changes, or if it no
    /// longer fits the schema.
    ///
    /// # Errors
    /// [`Refused`], with the cause.
    pub fn patch(&self, key: impl IntoKey<AnyKey>, patch: Json) -> Result<Receipt, Refused> {
        Batch::new(self.engine.clone()).commit_with(|batch| batch.patch(self, key, patch))
    }

    /// As [`patch`](Collection::patch), provided that the document is as the caller saw it at commit `seen`.
    ///
    /// # Errors
    /// [`Refused`], with the cause.
    pub fn patch_if(&self, seen: Commit, key: impl IntoKey<AnyKey>, patch: Json) -> Result<Receipt, Refused> {
        Batch::new(self.engine.clone()).commit_with(|batch| batch.patch_if(self, seen, key, patch))
    }
}

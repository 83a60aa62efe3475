//! The public side: which types the collections of a file have, and the calls that save and load.

use super::error::{LoadError, SaveError};
use super::file::replace;
use super::forms::{Declared, of_documents, of_key_values, of_type};
use super::head::Encoding;
use super::layout::in_file;
use super::load::Loader;
use super::progress::{Progress, Saved};
use super::save::Saver;
use crate::read::Snapshot;
use crate::record::{Record, Schema};
use crate::store::{Store, StoreBuilder};
use crate::sync::Arc;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

/// Saves snapshots as files, and loads them as stores. It lists the Rust types of the collections; write it once, in a function that
/// both sides call.
///
/// ```
/// use memdex::{Record, Store};
/// use memdex::typing::saved::Archive;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
/// struct User { #[record(key)] id: u32, #[record(unique)] email: String, notes: Vec<String> }
///
/// fn archive() -> Archive {
///     Archive::new().collection::<User>("User")
/// }
///
/// let store = Store::new();
/// let users = store.collection::<User>("User")?;
/// users.store(User { id: 1, email: "ada@example.org".into(), notes: vec!["first".into()] })?;
/// let mut file = Vec::new(); // or a path, with `save` and `load`
/// let saved = archive().save_to(&store.snapshot(), &mut file)?;
/// assert_eq!((saved.collections, saved.records), (1, 1));
///
/// let loaded = archive().load_from(&file[..])?;
/// let users = loaded.collection::<User>("User")?;
/// assert_eq!(users.get_by(user::EMAIL, "ada@example.org")?.unwrap().notes, ["first"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Collections of documents, and of key/value records with the value `()`, need no declaration, so a store of these is saved by
/// [`Snapshot::save`] and loaded by [`Store::load`].
///
/// # What is saved
///
/// Each collection with its name, schema and default lifetime; its records with their deadlines; the definitions of its indexes and
/// materialized aggregates, also of those added at run time; the sequences, with the numbers that come next when the file is written;
/// the number of the commit. The commits of the loaded store have greater numbers. Records whose deadline has passed are left out of it.
///
/// Not saved: bounds and the order of use, hooks, subscriptions, live queries, cached answers, statistics of use, the clock, and when
/// each record was last written.
///
/// # Changes of the program
///
/// The fields of the schema and of the record type must be those that were saved ([`LoadError::OtherSchema`],
/// [`LoadError::OtherFields`]). Indexes, columns and materialized aggregates may differ: the loaded store has those of the program's
/// schema. The fields of structs inside the record are not compared; a change there is found only if the bytes do not fit.
///
/// # Limits
///
/// A file may come from anywhere: one that is damaged, foreign or made to harm is refused with a [`LoadError`]. Reading takes memory in
/// proportion to the length of the file, whatever it claims. A record can be nested
/// [`MAX_SAVED_LEVELS`](crate::limits::MAX_SAVED_LEVELS) deep, documents as deep as elsewhere, and take
/// [`MAX_SAVED_BLOCK_BYTES`](crate::limits::MAX_SAVED_BLOCK_BYTES) less a megabyte. The checksums find accidents; they do not show who has written the file.
#[derive(Clone, Default)]
pub struct Archive {
    collections: BTreeMap<String, Declared>,
    report: Option<Arc<Report>>,
    builder: Option<Arc<dyn Fn() -> StoreBuilder + Send + Sync>>,
}

type Report = dyn Fn(&Progress<'_>) + Send + Sync;

impl Archive {
    /// An archive of stores whose collections need no declaration.
    pub fn new() -> Self {
        Archive::default()
    }

    fn with(mut self, name: impl Into<String>, declared: Declared) -> Self {
        self.collections.insert(name.into(), declared);
        self
    }

    /// The collection `name` has records of type `R`, written in the binary form of their `Serialize`.
    ///
    /// That form does not name fields, so it does not suit types with the serde attributes `skip_serializing_if`, `flatten`, `untagged` or
    /// `tag`, nor types that contain a `serde_json::Value`. A save reads each record back, and refuses those
    /// ([`SaveError::NotReadBack`]): see [`collection_as_json`](Archive::collection_as_json).
    #[must_use]
    pub fn collection<R: Record + Serialize + DeserializeOwned>(self, name: impl Into<String>) -> Self {
        self.with(name, Declared::As(of_type::<R>(Encoding::Binary)))
    }

    /// The collection `name` has records of type `R`, written as JSON: longer and slower, but it takes every serde attribute, and
    /// fields with a default can be added.
    ///
    /// ```
    /// use memdex::{Record, Store};
    /// use memdex::typing::saved::{Archive, SaveError};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Record, Serialize, Deserialize)]
    /// struct Job {
    ///     #[record(key)] id: u32,
    ///     #[serde(default, skip_serializing_if = "Option::is_none")] result: Option<String>,
    /// }
    ///
    /// let store = Store::new();
    /// store.collection::<Job>("Job")?.store(Job { id: 1, result: None })?;
    /// let binary = Archive::new().collection::<Job>("Job").save_to(&store.snapshot(), Vec::new());
    /// assert!(matches!(binary, Err(SaveError::NotReadBack { .. })));
    ///
    /// let archive = Archive::new().collection_as_json::<Job>("Job");
    /// let mut file = Vec::new();
    /// archive.save_to(&store.snapshot(), &mut file)?;
    /// assert_eq!(archive.load_from(&file[..])?.collection::<Job>("Job")?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn collection_as_json<R: Record + Serialize + DeserializeOwned>(self, name: impl Into<String>) -> Self {
        self.with(name, Declared::As(of_type::<R>(Encoding::Json)))
    }

    /// The collection `name` has documents, with this schema from now on. Only needed if its indexes, columns or aggregates may differ
    /// from the saved ones: without it, the saved schema is used.
    #[must_use]
    pub fn documents(self, name: impl Into<String>, schema: Schema) -> Self {
        self.with(name, Declared::As(of_documents(Some(schema))))
    }

    /// The collection `name` has [key/value records](crate::KeyValue) with values of type `V`.
    ///
    /// ```
    /// use memdex::{KeyValue, Schema, Store};
    /// use memdex::typing::saved::Archive;
    ///
    /// let store = Store::new();
    /// let rates = store.key_values::<f64>("Rate", Schema::new([]))?;
    /// rates.store(KeyValue::new("EUR", 0.93))?;
    /// let archive = Archive::new().key_values::<f64>("Rate");
    /// let mut file = Vec::new();
    /// archive.save_to(&store.snapshot(), &mut file)?;
    /// let rates = archive.load_from(&file[..])?.key_values::<f64>("Rate", Schema::new([]))?;
    /// assert_eq!(**rates.get("EUR").unwrap(), 0.93);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn key_values<V>(self, name: impl Into<String>) -> Self
    where
        V: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.with(name, Declared::As(of_key_values::<V>(None, Encoding::Binary)))
    }

    /// As [`key_values`](Archive::key_values), with this schema from now on: if its indexes, columns or aggregates may differ from the
    /// saved ones.
    #[must_use]
    pub fn key_values_with<V>(self, name: impl Into<String>, schema: Schema) -> Self
    where
        V: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.with(
            name,
            Declared::As(of_key_values::<V>(Some(crate::record::key_value_schema(schema)), Encoding::Binary)),
        )
    }

    /// Leaves a collection out, of the file and of the loaded store.
    #[must_use]
    pub fn without(self, name: impl Into<String>) -> Self {
        self.with(name, Declared::LeftOut)
    }

    /// Calls `report` after each block of up to 4,096 records.
    ///
    /// If it panics, the panic reaches the caller; no file is left.
    #[must_use]
    pub fn progress(self, report: impl Fn(&Progress<'_>) + Send + Sync + 'static) -> Self {
        Archive { report: Some(Arc::new(report)), ..self }
    }

    /// Loads into a store with these settings.
    ///
    /// ```
    /// # use memdex::Store;
    /// # use memdex::clock::ManualClock;
    /// # use memdex::typing::saved::Archive;
    /// let clock = ManualClock::default();
    /// let archive = Archive::new().builder(move || Store::builder().clock(clock.clone()));
    /// # let mut file = Vec::new();
    /// # archive.save_to(&Store::new().snapshot(), &mut file)?;
    /// assert!(archive.load_from(&file[..])?.collections().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn builder(self, builder: impl Fn() -> StoreBuilder + Send + Sync + 'static) -> Self {
        Archive { builder: Some(Arc::new(builder)), ..self }
    }

    /// Saves a snapshot as a file. The file is written under a temporary name in the same folder, synced, and renamed, so after an error
    /// or a crash there is either the old file or the new one.
    ///
    /// Takes no lock, and memory for one block. Writers continue; the snapshot retains what they replace.
    ///
    /// # Errors
    /// A [`SaveError`].
    pub fn save(&self, snapshot: &Snapshot, path: impl AsRef<Path>) -> Result<Saved, SaveError> {
        replace(path.as_ref(), |file| self.save_to(snapshot, file))
    }

    /// Saves a snapshot through a writer, with many small writes: buffer it.
    ///
    /// # Errors
    /// A [`SaveError`]; what has been written so far is not a complete file.
    pub fn save_to(&self, snapshot: &Snapshot, writer: impl Write) -> Result<Saved, SaveError> {
        Saver { declared: &|name| self.declared(name), report: &|progress| self.report(progress) }
            .save(snapshot, writer)
    }

    /// Loads a store from a file.
    ///
    /// # Errors
    /// A [`LoadError`].
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Store, LoadError> {
        let path = path.as_ref();
        let failed = |source| LoadError::Io { action: "open", path: Some(path.to_owned()), source };
        let file = File::open(path).map_err(failed)?;
        self.load_from(BufReader::with_capacity(1 << 18, file)).map_err(|error| in_file(error, path))
    }

    /// Loads a store through a reader, which must end after it.
    ///
    /// # Errors
    /// A [`LoadError`].
    pub fn load_from(&self, reader: impl Read) -> Result<Store, LoadError> {
        let store = self.builder.as_ref().map_or_else(Store::builder, |builder| builder()).build();
        let loader = Loader { declared: &|name| self.declared(name), report: &|progress| self.report(progress) };
        loader.load(&store, reader)?;
        Ok(store)
    }

    fn declared(&self, name: &str) -> Declared {
        self.collections.get(name).cloned().unwrap_or(Declared::Undeclared)
    }

    fn report(&self, progress: &Progress<'_>) {
        if let Some(report) = &self.report {
            report(progress);
        }
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types = self.collections.iter().map(|(name, declared)| match declared {
            Declared::As(form) => (name, Some(form.record_type())),
            _ => (name, None),
        });
        f.debug_map().entries(types).finish()
    }
}

impl Snapshot {
    /// Saves the snapshot as a file: all collections, which must be of documents or of key/value records with the value `()`. For other
    /// types use an [`Archive`](crate::typing::saved::Archive), which also describes what is saved.
    ///
    /// ```
    /// use memdex::{Document, FieldDef, Kind, Schema, Store, json};
    ///
    /// let store = Store::new();
    /// let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("status", Kind::Str).index()]);
    /// store.documents("Payment", schema.clone())?.store(Document::new(json!({ "id": 1, "status": "paid" }))?)?;
    /// # let folder = std::env::temp_dir().join(format!("memdex-doc-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// # let path = folder.join("store.memdex");
    /// store.snapshot().save(&path)?;
    ///
    /// let loaded = Store::load(&path)?;
    /// assert_eq!(loaded.documents("Payment", schema)?.len(), 1);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`SaveError`]. A file that had the name before is then unchanged.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<Saved, SaveError> {
        Archive::new().save(self, path)
    }
}

impl Store {
    /// Loads a store that [`Snapshot::save`] has saved. For collections of Rust types use an
    /// [`Archive`](crate::typing::saved::Archive).
    ///
    /// # Errors
    /// A [`LoadError`].
    pub fn load(path: impl AsRef<Path>) -> Result<Store, LoadError> {
        Archive::new().load(path)
    }
}

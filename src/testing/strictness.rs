//! Strictness as plain data: what a store refuses although it could do it.

use serde::{Deserialize, Serialize};

/// What a store, or a collection, refuses although it could do it, because production does or should. The default refuses nothing.
///
/// [`Store::set_strictness`](crate::Store::set_strictness) sets it for all collections, and
/// [`Collection::set_strictness`](crate::Collection::set_strictness) for one, instead of the store's.
///
/// ```
/// use memdex::{Record, Store};
/// use memdex::error::QueryError;
/// use memdex::hook::testing::Strictness;
///
/// #[derive(Record)]
/// struct User { #[record(key)] id: u32, #[record(index)] city: String, #[record(field)] age: u8 }
///
/// let store = Store::new();
/// let users = store.collection::<User>("User")?;
/// users.store(User { id: 1, city: "Bern".into(), age: 40 })?;
/// store.set_strictness(Strictness::new().refuse_scans());
///
/// assert_eq!(users.find(user::CITY.eq("Bern")).count()?, 1);
/// let Err(QueryError::FullScan { advice, .. }) = users.find(user::AGE.gt(30)).count() else { panic!() };
/// assert!(advice[0].contains("ordered index"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Strictness {
    /// Refuse queries that no index answers, whatever the number of records: [`QueryError::FullScan`](crate::error::QueryError::FullScan).
    /// Columns are no indexes. A page in the order of the key or of an ordered index, without a filter, is no full scan.
    pub refuse_scans: bool,
    /// Refuse queries that look at more records: [`QueryError::TooManyExamined`](crate::error::QueryError::TooManyExamined). Counts the
    /// records that are evaluated, fetched or sorted, entries of indexes that are walked, and cells of columns that are read.
    pub max_examined: Option<usize>,
    /// Refuse queries without a limit that select more records: [`QueryError::Unbounded`](crate::error::QueryError::Unbounded). Concerns
    /// `fetch`, `keys` and `iter` of queries.
    pub max_unbounded: Option<usize>,
    /// Refuse lists of more values in one `is_in`, `any` or `all`: [`QueryError::TooManyValues`](crate::error::QueryError::TooManyValues).
    pub max_listed: Option<usize>,
    /// Refuse pages whose offset and limit together are greater, as the result window of Elasticsearch does with 10,000:
    /// [`QueryError::BeyondWindow`](crate::error::QueryError::BeyondWindow). Cursors reach further.
    pub result_window: Option<usize>,
    /// Refuse records with a longer string or byte string in a declared field: [`Cause::BeyondLimit`](crate::error::Cause::BeyondLimit).
    pub max_value_bytes: Option<usize>,
    /// Refuse larger records, by their Rust type and [`heap_size`](crate::Record::heap_size).
    pub max_record_bytes: Option<usize>,
    /// Refuse batches of more operations. The setting of the store counts, not that of a collection.
    pub max_batch_operations: Option<usize>,
    /// Refuse batches of more bytes, as [`Batch::bytes`](crate::Batch::bytes) counts them. The setting of the store counts.
    pub max_batch_bytes: Option<usize>,
    /// Refuse batches that do more than delete, while the store takes more [memory](crate::stats::MemoryUse). The setting of the store counts.
    pub max_store_bytes: Option<usize>,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($limit:ident);)*) => {
        impl Strictness {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(self, $limit: usize) -> Self {
                    Strictness { $name: Some($limit), ..self }
                }
            )*
        }
    };
}

impl Strictness {
    /// Refuses nothing, until you say more.
    #[must_use]
    pub fn new() -> Self {
        Strictness::default()
    }

    /// Sets [`refuse_scans`](Self::refuse_scans).
    #[must_use]
    pub fn refuse_scans(self) -> Self {
        Strictness { refuse_scans: true, ..self }
    }

    pub(super) fn is_of_reads(&self) -> bool {
        let Strictness { refuse_scans, max_examined, max_unbounded, max_listed, result_window, .. } = self;
        let limits = [max_examined, max_unbounded, max_listed, result_window];
        *refuse_scans || limits.iter().any(|limit| limit.is_some())
    }

    pub(super) fn is_of_writes(&self) -> bool {
        let Strictness { max_value_bytes, max_record_bytes, max_batch_operations, .. } = self;
        let Strictness { max_batch_bytes, max_store_bytes, .. } = self;
        let limits = [max_value_bytes, max_record_bytes, max_batch_operations, max_batch_bytes, max_store_bytes];
        limits.iter().any(|limit| limit.is_some())
    }
}

setters! {
    /// Sets [`max_examined`](Self::max_examined).
    max_examined(records);
    /// Sets [`max_unbounded`](Self::max_unbounded).
    max_unbounded(records);
    /// Sets [`max_listed`](Self::max_listed).
    max_listed(values);
    /// Sets [`result_window`](Self::result_window).
    result_window(records);
    /// Sets [`max_value_bytes`](Self::max_value_bytes).
    max_value_bytes(bytes);
    /// Sets [`max_record_bytes`](Self::max_record_bytes).
    max_record_bytes(bytes);
    /// Sets [`max_batch_operations`](Self::max_batch_operations).
    max_batch_operations(operations);
    /// Sets [`max_batch_bytes`](Self::max_batch_bytes).
    max_batch_bytes(bytes);
    /// Sets [`max_store_bytes`](Self::max_store_bytes).
    max_store_bytes(bytes);
}

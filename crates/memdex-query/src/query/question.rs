//! A whole question as plain data: of which collections, which records, and what is to be known of them.

use super::form::FormVersion;
use super::{Cursor, FieldName, IntoOrder, OrderBy, Predicate, Statistics};

/// A question as plain data: no types of records, nothing of the engine. Typed fields, names at run time and criteria maps all make
/// one of these. With the feature `serde` it can be sent and kept.
///
/// ```
/// use memdex::{Query, field};
/// let query = Query::over(["Payment"]).filter(field("status").eq("completed")).order_by(field("amount").desc()).limit(10);
/// # #[cfg(feature = "json")] {
/// let text = serde_json::to_string(&query)?;
/// assert_eq!(serde_json::from_str::<Query>(&text)?, query);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Query {
    #[cfg_attr(feature = "serde", serde(default))]
    version: FormVersion,
    /// The names of the collections that are asked.
    pub collections: Vec<FieldName>,
    /// Which of their records are meant.
    #[cfg_attr(feature = "serde", serde(default))]
    pub filter: Predicate,
    /// What is to be known of them.
    #[cfg_attr(feature = "serde", serde(default))]
    pub ask: Ask,
}

/// What a [`Query`] is to be answered with.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Ask {
    /// With the records, or a page of them.
    Records(Paging),
    /// With figures about all of them.
    Statistics(Statistics),
}

impl Default for Ask {
    fn default() -> Self {
        Ask::Records(Paging::default())
    }
}

/// Which records are given, in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Paging {
    /// By what they are ordered; the key decides in the end.
    pub order: Vec<OrderBy>,
    /// At most so many: from 1 to [`limits::MAX_PAGE`](crate::limits::MAX_PAGE). Without one all are given.
    pub limit: Option<usize>,
    /// So many at the beginning are left out. They are gone through all the same: for pages far behind take a cursor.
    pub offset: usize,
    /// Only those behind the last one of another page.
    pub after: Option<Cursor>,
    /// Whether all that the filter means are counted, those of other pages included.
    pub total: bool,
}

impl Query {
    /// All records of these collections.
    pub fn over<N: Into<FieldName>>(collections: impl IntoIterator<Item = N>) -> Self {
        let collections = collections.into_iter().map(Into::into).collect();
        Query { version: FormVersion, collections, filter: Predicate::All, ask: Ask::default() }
    }

    /// Of those that were meant, the ones that this predicate means too.
    #[must_use]
    pub fn filter(self, predicate: impl Into<Predicate>) -> Self {
        Query { filter: self.filter & predicate.into(), ..self }
    }

    /// The paging; that of statistics is the default one.
    fn paged(mut self, change: impl FnOnce(&mut Paging)) -> Self {
        let mut paging = match self.ask {
            Ask::Records(paging) => paging,
            Ask::Statistics(_) => Paging::default(),
        };
        change(&mut paging);
        self.ask = Ask::Records(paging);
        self
    }

    /// In this order.
    #[must_use]
    pub fn order_by(self, order: impl IntoOrder) -> Self {
        self.paged(|paging| paging.order = order.into_order())
    }

    /// At most so many records.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        self.paged(|paging| paging.limit = Some(limit))
    }

    /// Without the first ones.
    #[must_use]
    pub fn offset(self, offset: usize) -> Self {
        self.paged(|paging| paging.offset = offset)
    }

    /// Only those behind the last one of another page.
    #[must_use]
    pub fn after(self, cursor: Cursor) -> Self {
        self.paged(|paging| paging.after = Some(cursor))
    }

    /// With the number of all records that are meant.
    #[must_use]
    pub fn with_total(self) -> Self {
        self.paged(|paging| paging.total = true)
    }

    /// Figures about the records in place of the records.
    #[must_use]
    pub fn statistics(self, statistics: impl Into<Statistics>) -> Self {
        Query { ask: Ask::Statistics(statistics.into()), ..self }
    }
}

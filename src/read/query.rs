//! Queries as plain data, executed on collections by name.

use super::hit::Hit;
use super::page::Page;
use super::search::Search;
use super::snapshot::Snapshot;
use super::statistics::AggregationResult;
use crate::error::QueryError;
use crate::storage::Table;
use crate::sync::Arc;
use memdex_query::query::{Ask, Query};

/// The result of a [`Query`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum QueryResult {
    /// The result of a query for records.
    Records(Page<Hit>),
    /// The result of a query for statistics.
    Aggregation(AggregationResult),
}

impl QueryResult {
    /// The records, if the query was for records.
    pub fn records(self) -> Option<Page<Hit>> {
        match self {
            QueryResult::Records(page) => Some(page),
            QueryResult::Aggregation(_) => None,
        }
    }

    /// The statistics, if the query was for statistics.
    pub fn aggregation(self) -> Option<AggregationResult> {
        match self {
            QueryResult::Aggregation(result) => Some(result),
            QueryResult::Records(_) => None,
        }
    }
}

fn execute(search: &Search, query: &Query) -> Result<QueryResult, QueryError> {
    match &query.ask {
        Ask::Records(_) => search.fetch().map(QueryResult::Records),
        Ask::Statistics(statistics) => search.statistics(statistics.clone()).map(QueryResult::Aggregation),
    }
}

impl Snapshot {
    /// Executes a query at this snapshot.
    ///
    /// ```
    /// use memdex::{Query, Record, Store, Value, field};
    /// #[derive(Record)]
    /// struct User { #[record(key)] id: u32, #[record(index)] city: String, #[record(column)] age: u8 }
    ///
    /// let store = Store::new();
    /// let users = store.collection::<User>("User")?;
    /// for (id, age) in [(1, 40), (2, 30)] {
    ///     users.store(User { id, city: "Bern".into(), age })?;
    /// }
    /// let of_bern = Query::over(["User"]).filter(field("city").eq("Bern"));
    /// let page = store.snapshot().query(&of_bern.clone().order_by(field("age").asc()).limit(1))?.records().unwrap();
    /// assert_eq!(page[0].value("id"), Some(Value::from(2)));
    /// let result = store.snapshot().query(&of_bern.statistics(field("age").avg()))?.aggregation().unwrap();
    /// assert_eq!(result.float("avg(age)"), Some(35.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`QueryError::UnknownCollection`], and those of [`Search::fetch`] and [`Search::statistics`].
    pub fn query(&self, query: &Query) -> Result<QueryResult, QueryError> {
        execute(&self.search_by(query)?, query)
    }

    /// Executes a query on this collection, whatever collections it names.
    pub(crate) fn query_of(&self, rows: Arc<Table>, query: &Query) -> Result<QueryResult, QueryError> {
        execute(&self.search_of(query).over_rows(rows), query)
    }

    /// The search that executes a query for records, for counts, keys, explanations and iteration.
    ///
    /// ```
    /// use memdex::{Query, Record, Store, field};
    /// # #[derive(Record)] struct User { #[record(key)] id: u32, #[record(index)] city: String }
    /// # let store = Store::new();
    /// # let users = store.collection::<User>("User")?;
    /// # users.store(User { id: 1, city: "Bern".into() })?;
    /// let of_bern = Query::over(["User"]).filter(field("city").eq("Bern"));
    /// assert_eq!(store.snapshot().search_by(&of_bern)?.count()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`QueryError::UnknownCollection`].
    pub fn search_by(&self, query: &Query) -> Result<Search, QueryError> {
        query
            .collections
            .iter()
            .try_fold(self.search_of(query), |search, name| Ok(search.over_rows(self.rows_of(name)?)))
    }

    /// The search that executes a query, without collections.
    fn search_of(&self, query: &Query) -> Search {
        let mut of_none = query.clone();
        of_none.collections.clear();
        Search::new(self.clone(), of_none)
    }

    /// The records of the collection with this name.
    fn rows_of(&self, name: &str) -> Result<Arc<Table>, QueryError> {
        match self.engine().table(name) {
            Some(table) => Ok(table),
            None => {
                let known: Vec<String> = self.engine().tables().iter().map(|table| table.name.to_string()).collect();
                Err(QueryError::unknown_collection(name, known))
            }
        }
    }
}

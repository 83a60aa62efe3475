//! Whole questions as plain data, put to collections by their names.

use super::page::Page;
use super::search::{Hit, Searched};
use super::snapshot::Snapshot;
use super::statistics::Summary;
use crate::error::QueryError;
use crate::query::{Ask, Query};
use crate::record::Record;
use crate::storage::{AnyTable, Asker, Collection, Engine};
use crate::sync::Arc;

/// The answer to a [`Query`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// Records, or a page of them.
    Records(Page<Hit>),
    /// Figures about them.
    Summary(Summary),
}

impl Answer {
    /// The records, if these were asked for.
    pub fn records(self) -> Option<Page<Hit>> {
        match self {
            Answer::Records(page) => Some(page),
            Answer::Summary(_) => None,
        }
    }

    /// The figures, if these were asked for.
    pub fn summary(self) -> Option<Summary> {
        match self {
            Answer::Summary(summary) => Some(summary),
            Answer::Records(_) => None,
        }
    }
}

impl Snapshot {
    /// Answers a question that is plain data, as of this snapshot.
    ///
    /// ```
    /// use memdex::{Metric, Query, Record, Store, field};
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
    /// assert_eq!(page.records[0].record::<User>().unwrap().id, 2);
    /// let mean = store.snapshot().query(&of_bern.statistics(field("age").avg()))?.summary().unwrap();
    /// assert_eq!(mean.float("avg(age)"), Some(35.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`QueryError::UnknownCollection`], those of [`Find::page`](crate::Find::page) and [`Find::statistics`](crate::Find::statistics), and [`QueryError::OneCollection`] for statistics
    /// or a page behind a cursor of several collections.
    pub fn query(&self, query: &Query) -> Result<Answer, QueryError> {
        let engine = self.engine();
        let collections: Vec<_> =
            query.collections.iter().map(|name| opened(engine, name)).collect::<Result<_, _>>()?;
        match &query.ask {
            Ask::Records(paging) => {
                let search = self.search(query.filter.clone()).paged(paging.clone());
                collections
                    .into_iter()
                    .fold(search, |search, collection| search.over_any(collection))
                    .page()
                    .map(Answer::Records)
            }
            Ask::Statistics(statistics) => match collections.as_slice() {
                [one] => one.statistics(self, &query.filter, statistics).map(Answer::Summary),
                several => Err(QueryError::OneCollection { what: "statistics", given: several.len() }),
            },
        }
    }
}

/// How questions without a record type are put to a table of records of type `R`.
pub(crate) fn asker<R: Record>() -> Asker {
    let of_table: OfTable = |engine, table| {
        let table = table.into_any().downcast().ok()?;
        Some(Arc::new(Collection::<R> { engine: engine.clone(), table, evaluate: super::find::evaluate }))
    };
    Box::new(of_table)
}

type OfTable = fn(&Arc<Engine>, Arc<dyn AnyTable>) -> Option<Arc<dyn Searched>>;

fn opened(engine: &Arc<Engine>, name: &str) -> Result<Arc<dyn Searched>, QueryError> {
    let found = engine.table(name).and_then(|table| {
        let of_table = table.asker().downcast_ref::<OfTable>()?;
        of_table(engine, table.clone())
    });
    found.ok_or_else(|| QueryError::UnknownCollection {
        collection: name.to_owned(),
        known: engine.tables().iter().map(|table| table.name().to_owned()).collect(),
    })
}

//! Payments in SQLite.

use super::statements::{BY_ID, CREATE, INSERT, OPEN_OF, OVERDUE, REFUND, SETTLE, TOTALS};
use super::{Payment, PaymentRepository, RepositoryError, Status, Total};
use memdex::Timestamp;
use memdex::clock::Clock;
use rusqlite::{Connection, Error, ErrorCode, Params, Row, params};
use std::path::Path;
use std::sync::Arc;

/// Payments in a SQLite database.
pub struct SqlitePayments {
    connection: Connection,
    clock: Arc<dyn Clock>,
}

impl SqlitePayments {
    /// Creates the tables in a new database in memory.
    pub fn in_memory(clock: impl Clock + 'static) -> Result<Self, RepositoryError> {
        SqlitePayments::with(Connection::open_in_memory().map_err(error)?, clock)
    }

    /// Creates the tables in a new file.
    pub fn create(path: &Path, clock: impl Clock + 'static) -> Result<Self, RepositoryError> {
        SqlitePayments::with(Connection::open(path).map_err(error)?, clock)
    }

    fn with(connection: Connection, clock: impl Clock + 'static) -> Result<Self, RepositoryError> {
        connection.execute_batch(&CREATE.join(";")).map_err(error)?;
        Ok(SqlitePayments { connection, clock: Arc::new(clock) })
    }

    fn list(&self, text: &str, params: impl Params) -> Result<Vec<Payment>, RepositoryError> {
        let mut statement = self.connection.prepare_cached(text).map_err(error)?;
        let rows = statement.query_map(params, |row| Ok(payment(row))).map_err(error)?;
        rows.map(|row| row.map_err(error)?.map_err(error)?).collect()
    }

    /// Executes an update of one payment, and finds out why it changed nothing.
    fn change(&self, id: i64, to: Status, text: &str, params: impl Params) -> Result<(), RepositoryError> {
        let mut statement = self.connection.prepare_cached(text).map_err(error)?;
        if statement.execute(params).map_err(error)? == 1 {
            return Ok(());
        }
        let from = self.by_id(id)?.ok_or(RepositoryError::Missing(id))?.status;
        Err(RepositoryError::Forbidden { id, from, to })
    }
}

impl PaymentRepository for SqlitePayments {
    fn add(&self, payment: &Payment) -> Result<(), RepositoryError> {
        let Payment { id, reference, payer, cents, status, due, settled_at } = payment;
        let settled_at = settled_at.map(Timestamp::as_micros);
        let mut statement = self.connection.prepare_cached(INSERT).map_err(error)?;
        let values = params![id, reference, payer, cents, status.name(), due.as_micros(), settled_at];
        statement.execute(values).map(drop).map_err(error)
    }

    fn by_id(&self, id: i64) -> Result<Option<Payment>, RepositoryError> {
        Ok(self.list(BY_ID, [id])?.pop())
    }

    fn settle(&self, id: i64) -> Result<(), RepositoryError> {
        self.change(id, Status::Settled, SETTLE, [self.clock.now().as_micros(), id])
    }

    fn refund(&self, id: i64) -> Result<(), RepositoryError> {
        self.change(id, Status::Refunded, REFUND, [id])
    }

    fn open_of(&self, payer: &str) -> Result<Vec<Payment>, RepositoryError> {
        self.list(OPEN_OF, [payer])
    }

    fn overdue(&self) -> Result<Vec<Payment>, RepositoryError> {
        self.list(OVERDUE, [self.clock.now().as_micros()])
    }

    fn totals(&self) -> Result<Vec<Total>, RepositoryError> {
        let mut statement = self.connection.prepare_cached(TOTALS).map_err(error)?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)));
        let total = |row: Result<(String, i64, i64), Error>| {
            let (status, payments, cents) = row.map_err(error)?;
            Ok(Total { status: Status::of_name(&status)?, payments, cents })
        };
        rows.map_err(error)?.map(total).collect()
    }
}

fn payment(row: &Row<'_>) -> Result<Result<Payment, RepositoryError>, Error> {
    let time = |at: usize| row.get::<_, Option<i64>>(at).map(|micros| micros.map(Timestamp::from_micros));
    let (id, reference, payer, cents) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    let (due, settled_at) = (time(5)?.unwrap_or(Timestamp::EPOCH), time(6)?);
    let status = Status::of_name(&row.get::<_, String>(4)?);
    Ok(status.map(|status| Payment { id, reference, payer, cents, status, due, settled_at }))
}

fn error(error: Error) -> RepositoryError {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => RepositoryError::Duplicate,
        _ => RepositoryError::Unavailable(error.to_string()),
    }
}

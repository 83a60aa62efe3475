//! Payments in PostgreSQL.

use super::statements::{BY_ID, CREATE, INSERT, OPEN_OF, OVERDUE, REFUND, SETTLE, TOTALS};
use super::{Payment, PaymentRepository, RepositoryError, Status, Total};
use ::postgres::error::SqlState;
use ::postgres::types::ToSql;
use ::postgres::{Client, Error, NoTls, Row};
use memdex::Timestamp;
use memdex::clock::Clock;
use std::cell::RefCell;
use std::sync::Arc;

/// Payments in a PostgreSQL database.
pub struct PostgresPayments {
    client: RefCell<Client>,
    clock: Arc<dyn Clock>,
}

impl PostgresPayments {
    /// Connects, and creates temporary tables, which end with the connection.
    pub fn connect(address: &str, clock: impl Clock + 'static) -> Result<Self, RepositoryError> {
        let mut client = Client::connect(address, NoTls).map_err(error)?;
        let tables = CREATE.join(";").replacen("CREATE TABLE", "CREATE TEMPORARY TABLE", 1);
        client.batch_execute(&tables).map_err(error)?;
        Ok(PostgresPayments { client: RefCell::new(client), clock: Arc::new(clock) })
    }

    /// Empties the tables, and takes the time from another clock.
    pub fn reset(&mut self, clock: impl Clock + 'static) -> Result<(), RepositoryError> {
        self.clock = Arc::new(clock);
        self.client.borrow_mut().batch_execute("TRUNCATE payment").map_err(error)
    }

    fn rows(&self, text: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, RepositoryError> {
        self.client.borrow_mut().query(text, params).map_err(error)
    }

    fn list(&self, text: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Payment>, RepositoryError> {
        self.rows(text, params)?.iter().map(payment).collect()
    }

    fn change(&self, id: i64, to: Status, text: &str, params: &[&(dyn ToSql + Sync)]) -> Result<(), RepositoryError> {
        let changed = self.client.borrow_mut().execute(text, params).map_err(error)?;
        if changed == 1 {
            return Ok(());
        }
        let from = self.by_id(id)?.ok_or(RepositoryError::Missing(id))?.status;
        Err(RepositoryError::Forbidden { id, from, to })
    }
}

impl PaymentRepository for PostgresPayments {
    fn add(&self, payment: &Payment) -> Result<(), RepositoryError> {
        let Payment { id, reference, payer, cents, status, due, settled_at } = payment;
        let (due, settled_at) = (due.as_micros(), settled_at.map(Timestamp::as_micros));
        self.rows(INSERT, &[id, reference, payer, cents, &status.name(), &due, &settled_at]).map(drop)
    }

    fn by_id(&self, id: i64) -> Result<Option<Payment>, RepositoryError> {
        Ok(self.list(BY_ID, &[&id])?.pop())
    }

    fn settle(&self, id: i64) -> Result<(), RepositoryError> {
        self.change(id, Status::Settled, SETTLE, &[&self.clock.now().as_micros(), &id])
    }

    fn refund(&self, id: i64) -> Result<(), RepositoryError> {
        self.change(id, Status::Refunded, REFUND, &[&id])
    }

    fn open_of(&self, payer: &str) -> Result<Vec<Payment>, RepositoryError> {
        self.list(OPEN_OF, &[&payer])
    }

    fn overdue(&self) -> Result<Vec<Payment>, RepositoryError> {
        self.list(OVERDUE, &[&self.clock.now().as_micros()])
    }

    fn totals(&self) -> Result<Vec<Total>, RepositoryError> {
        let total = |row: &Row| {
            let status = Status::of_name(row.get(0))?;
            Ok(Total { status, payments: row.get(1), cents: row.get(2) })
        };
        self.rows(TOTALS, &[])?.iter().map(total).collect()
    }
}

fn payment(row: &Row) -> Result<Payment, RepositoryError> {
    Ok(Payment {
        id: row.get(0),
        reference: row.get(1),
        payer: row.get(2),
        cents: row.get(3),
        status: Status::of_name(row.get(4))?,
        due: Timestamp::from_micros(row.get(5)),
        settled_at: row.get::<_, Option<i64>>(6).map(Timestamp::from_micros),
    })
}

fn error(error: Error) -> RepositoryError {
    match error.code() {
        Some(&SqlState::UNIQUE_VIOLATION) => RepositoryError::Duplicate,
        _ => RepositoryError::Unavailable(error.to_string()),
    }
}

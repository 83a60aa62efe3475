//! The peer: SQLite in memory with the same six indexes, through one prepared statement.

use crate::data::{BATCH, WidePayment, name};
use rusqlite::{Connection, Result, params};

const SCHEMA: &str = "
    CREATE TABLE payment (
        payment_id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, user_id TEXT NOT NULL, status TEXT NOT NULL,
        currency TEXT, amount_cents INTEGER NOT NULL, created_at INTEGER NOT NULL, description TEXT NOT NULL);
    CREATE INDEX payment_organization_id ON payment (organization_id);
    CREATE INDEX payment_user_id ON payment (user_id);
    CREATE INDEX payment_status ON payment (status);
    CREATE INDEX payment_currency ON payment (currency);
    CREATE INDEX payment_amount_cents ON payment (amount_cents);
    CREATE INDEX payment_created_at ON payment (created_at);";

/// All payments in a new database, one transaction a batch.
pub(crate) fn loaded(payments: Vec<WidePayment>) -> Result<Connection> {
    let mut data_base = Connection::open_in_memory()?;
    data_base.execute_batch(SCHEMA)?;
    for batch in payments.chunks(BATCH) {
        let transaction = data_base.transaction()?;
        let mut insert = transaction.prepare_cached("INSERT INTO payment VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        for p in batch {
            insert.execute(params![
                p.payment_id,
                p.organization_id,
                p.user_id,
                name(&p.status),
                p.currency,
                p.amount_cents,
                p.created_at,
                p.description
            ])?;
        }
        drop(insert);
        transaction.commit()?;
    }
    Ok(data_base)
}

pub(crate) fn count(data_base: &Connection) -> Result<i64> {
    data_base.query_row("SELECT count(*) FROM payment", [], |row| row.get(0))
}

//! One million payments for statistics: in a store with columns, in vectors, and in SQLite.

use memdex::{Collection, Record, Store, Timestamp};
use memdex_benches::{PAYMENTS, Random};
use rusqlite::{Connection, Result, params};

pub(crate) const STATUSES: [&str; 4] = ["completed", "failed", "pending", "refunded"];
const ORGANIZATIONS: u64 = 1_000;

/// 2024-01-01 in microseconds since 1970, and the period of the payments: two years.
const FIRST_MICROS: i64 = 1_704_067_200_000_000;
const SPAN_MICROS: u64 = 2 * 365 * 86_400 * 1_000_000;
const BATCH: usize = 1_000;

#[derive(Clone, Debug, Record)]
pub(crate) struct PaidOut {
    #[record(key)]
    pub(crate) payment_id: String,
    #[record(index)]
    pub(crate) organization_id: String,
    #[record(index, column)]
    pub(crate) status: &'static str,
    #[record(ordered, column)]
    pub(crate) amount_cents: i64,
    #[record(ordered, column)]
    pub(crate) created_at: Timestamp,
    /// Like `amount_cents`, without a column.
    #[record(field)]
    pub(crate) fee_cents: i64,
}

/// All payments, with random times.
pub(crate) fn payments() -> Vec<PaidOut> {
    let mut random = Random::new(4);
    let payment = |n| PaidOut {
        payment_id: format!("payment-{n:07}"),
        organization_id: format!("org-{:07}", random.below(ORGANIZATIONS)),
        status: random.one_of(&STATUSES),
        amount_cents: random.below(1_000_000) as i64,
        created_at: Timestamp::from_micros(FIRST_MICROS + random.below(SPAN_MICROS).cast_signed()),
        fee_cents: random.below(1_000) as i64,
    };
    (0..PAYMENTS as u64).map(payment).collect()
}

pub(crate) fn stored(payments: &[PaidOut]) -> (Store, Collection<PaidOut>) {
    let store = Store::new();
    let collection = store.collection("Payment").expect("the schema is sound");
    let mut writer = store.writer().bulk_size(BATCH);
    for payment in payments {
        writer.insert(&collection, payment.clone()).expect("every key is new");
    }
    writer.flush().expect("every key is new");
    drop(writer);
    (store, collection)
}

pub(crate) fn in_sqlite(payments: &[PaidOut]) -> Result<Connection> {
    let mut data_base = Connection::open_in_memory()?;
    data_base.execute_batch(
        "CREATE TABLE payment (
            payment_id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, status TEXT NOT NULL,
            amount_cents INTEGER NOT NULL, created_at INTEGER NOT NULL, fee_cents INTEGER NOT NULL);
        CREATE INDEX payment_organization_id ON payment (organization_id);
        CREATE INDEX payment_status ON payment (status);
        CREATE INDEX payment_amount_cents ON payment (amount_cents);
        CREATE INDEX payment_created_at ON payment (created_at);",
    )?;
    for batch in payments.chunks(BATCH) {
        let transaction = data_base.transaction()?;
        let mut insert = transaction.prepare_cached("INSERT INTO payment VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        for p in batch {
            let micros = p.created_at.as_micros();
            insert.execute(params![p.payment_id, p.organization_id, p.status, p.amount_cents, micros, p.fee_cents])?;
        }
        drop(insert);
        transaction.commit()?;
    }
    data_base.execute_batch("ANALYZE")?;
    Ok(data_base)
}

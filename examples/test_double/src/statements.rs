//! The statements of both databases.

pub(crate) const CREATE: [&str; 3] = [
    "CREATE TABLE payment (id BIGINT PRIMARY KEY, reference TEXT NOT NULL UNIQUE, payer TEXT NOT NULL, cents BIGINT NOT NULL, \
     status TEXT NOT NULL, due BIGINT NOT NULL, settled_at BIGINT)",
    "CREATE INDEX payment_payer ON payment (payer)",
    "CREATE INDEX payment_open ON payment (due) WHERE status = 'open'",
];

pub(crate) const INSERT: &str = "INSERT INTO payment VALUES ($1, $2, $3, $4, $5, $6, $7)";
pub(crate) const BY_ID: &str = "SELECT * FROM payment WHERE id = $1";
/// Changes nothing if the payment has another status.
pub(crate) const SETTLE: &str =
    "UPDATE payment SET status = 'settled', settled_at = $1 WHERE id = $2 AND status = 'open'";
pub(crate) const REFUND: &str = "UPDATE payment SET status = 'refunded' WHERE id = $1 AND status = 'settled'";
pub(crate) const OPEN_OF: &str = "SELECT * FROM payment WHERE payer = $1 AND status = 'open' ORDER BY due, id";
pub(crate) const OVERDUE: &str = "SELECT * FROM payment WHERE due < $1 AND status = 'open' ORDER BY due, id";
pub(crate) const TOTALS: &str =
    "SELECT status, count(*), CAST(sum(cents) AS BIGINT) FROM payment GROUP BY status ORDER BY status";

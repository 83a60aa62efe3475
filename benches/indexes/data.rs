//! One million payments with six indexes, the same in every run, and a store that holds them.

use memdex::{Collection, Record, Store};
use memdex_benches::{PAYMENTS, Random, Status};

const ORGANIZATIONS: u64 = 1_000;
const USERS: u64 = 100_000;
const CURRENCIES: [&str; 5] = ["CHF", "EUR", "GBP", "JPY", "USD"];
pub(crate) const STATUSES: [Status; 4] = [Status::Pending, Status::Completed, Status::Refunded, Status::Failed];

/// 2024-01-01 in microseconds since 1970, and the period of the payments: two years.
const FIRST_MICROS: i64 = 1_704_067_200_000_000;
const SPAN_MICROS: u64 = 2 * 365 * 86_400 * 1_000_000;

/// Operations of a batch while payments are loaded.
pub(crate) const BATCH: usize = 1_000;

#[derive(Clone, Debug, Record)]
pub(crate) struct WidePayment {
    #[record(key)]
    pub(crate) payment_id: String,
    #[record(index)]
    pub(crate) organization_id: String,
    #[record(index)]
    pub(crate) user_id: String,
    #[record(index)]
    pub(crate) status: Status,
    #[record(index)]
    pub(crate) currency: Option<String>,
    #[record(ordered)]
    pub(crate) amount_cents: i64,
    #[record(ordered)]
    pub(crate) created_at: i64,
    pub(crate) description: String,
}

/// All payments, in ascending order of their ids, with random times.
pub(crate) fn payments() -> Vec<WidePayment> {
    let mut random = Random::new(3);
    let payment = |n| WidePayment {
        payment_id: format!("payment-{n:07}"),
        organization_id: format!("org-{:07}", random.below(ORGANIZATIONS)),
        user_id: format!("user-{:07}", random.below(USERS)),
        status: random.one_of(&STATUSES),
        currency: Some(random.one_of(&CURRENCIES).to_owned()),
        amount_cents: random.below(1_000_000) as i64,
        created_at: FIRST_MICROS + random.below(SPAN_MICROS) as i64,
        description: format!("invoice no.-{:07}", random.below(10_000_000)),
    };
    (0..PAYMENTS as u64).map(payment).collect()
}

/// Records in a new store, loaded in batches.
pub(crate) fn loaded<R: Record>(records: Vec<R>) -> (Store, Collection<R>) {
    let store = Store::new();
    let collection = store.collection("Payment").expect("the schema is sound");
    let mut writer = store.writer().bulk_size(BATCH);
    for record in records {
        writer.insert(&collection, record).expect("every key is new");
    }
    writer.flush().expect("every key is new");
    drop(writer);
    (store, collection)
}

/// The name of a status in queries.
pub(crate) fn name(status: &Status) -> &str {
    match memdex::FieldValue::value(status) {
        memdex::typing::ValueRef::Str(name) => name,
        _ => "",
    }
}

pub(crate) fn next(status: Status) -> Status {
    let at = STATUSES.iter().position(|other| *other == status).unwrap_or(0);
    STATUSES[(at + 1) % STATUSES.len()]
}

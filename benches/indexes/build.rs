//! Builds an index over a million live records.

use crate::data::{WidePayment, loaded, payments};
use crate::durations::{Durations, heading, line};
use memdex::{IndexDef, Record};
use memdex_benches::Status;

const ROUNDS: usize = 5;

/// A payment without indexes.
#[derive(Record)]
struct BarePayment {
    #[record(key)]
    payment_id: String,
    #[record(field)]
    user_id: String,
    #[record(field)]
    status: Status,
    #[record(field)]
    amount_cents: i64,
}

pub(crate) fn run() {
    heading("build");
    let bare = |p: WidePayment| BarePayment {
        payment_id: p.payment_id,
        user_id: p.user_id,
        status: p.status,
        amount_cents: p.amount_cents,
    };
    let (_store, payments) = loaded(payments().into_iter().map(bare).collect());
    for (what, index) in [
        ("equality, 4 values", IndexDef::equality("status")),
        ("equality, 100,000 values", IndexDef::equality("user_id")),
        ("ordered, 1,000,000 values below 1,000,000", IndexDef::ordered("amount_cents")),
        ("unique, 1,000,000 values", IndexDef::unique("payment_id")),
    ] {
        let mut times = Durations::default();
        for _ in 0..ROUNDS {
            times.time(|| payments.add_index(index.clone()).expect("the index is sound"));
            payments.drop_index(index.name()).expect("the index is there");
        }
        let (half, least) = (times.median(), times.least());
        line(what, format_args!("{half:.0?} median, {least:.0?} least (limit 500ms)"));
    }
}
